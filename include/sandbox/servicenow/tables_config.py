"""The configuration tables that a set-up check reads.

Source: ServiceNow, "Create a transform map", "Create a field map", "Import Set API" (insertMultiple configuration).
"""

from include.sandbox.servicenow.schema import Column, Table, column, table


def _flag(name: str, default: str = "false") -> Column:
    return column(name, "boolean", default=default)


CONFIG_TABLES: tuple[Table, ...] = (
    table(
        "sys_db_object",
        "config",
        [column("name", length=80), column("label", length=80), column("super_class", to="sys_db_object")],
        label="Table",
        display="label",
    ),
    table(
        "sys_dictionary",
        "config",
        [
            column("name", length=80, label="Table"),
            column("element", length=80, label="Column name"),
            column("column_label", length=80),
            column("internal_type", length=40, label="Type"),
            column("max_length", "integer"),
            column("reference", length=80),
            column("dependent", length=80, label="Dependent on field"),
            _flag("mandatory"),
            _flag("active", "true"),
            _flag("display"),
            column("default_value", length=255),
        ],
        label="Dictionary Entry",
        display="element",
    ),
    table(
        "sys_documentation",
        "config",
        [
            column("name", length=80, label="Table"),
            column("element", length=80),
            column("label", length=80),
            column("language", length=3),
        ],
        label="Field Label",
        display="label",
    ),
    table(
        "sys_choice",
        "config",
        [
            column("name", length=80, label="Table"),
            column("element", length=80),
            column("label", length=100),
            column("value", length=100),
            column("language", length=3, default="en"),
            column("sequence", "integer"),
            _flag("inactive"),
        ],
        label="Choice",
        display="label",
    ),
    table(
        "sys_transform_map",
        "config",
        [
            column("name", length=100),
            column("source_table", length=80),
            column("target_table", length=80),
            _flag("active", "true"),
            column("order", "integer", default="100"),
            _flag("run_business_rules", "true"),
            _flag("copy_empty_fields"),
            _flag("create_new_record_on_empty_coalesce_fields"),
            column("enforce_mandatory_fields", length=40, default="No"),
            _flag("run_script"),
        ],
        label="Table Transform Map",
        display="name",
    ),
    table(
        "sys_transform_entry",
        "config",
        [
            column("map", to="sys_transform_map"),
            column("source_table", length=80),
            column("source_field", length=80),
            column("target_table", length=80),
            column("target_field", length=80),
            _flag("coalesce"),
            _flag("coalesce_empty_fields"),
            _flag("coalesce_case_sensitive"),
            column("choice_action", "choice", length=40, default="create"),
            column("reference_value_field", length=80, label="Referenced value field name"),
            column("date_format", length=40),
            _flag("use_source_script"),
        ],
        label="Transform Entry",
        display="target_field",
    ),
    table(
        "sys_robust_import_set_transformer",
        "config",
        [
            column("name", length=100),
            column("source_table", length=80),
            column("definition", length=100, label="RTE definition"),
            column("batch_size", "integer", default="100"),
            _flag("active", "true"),
            _flag("verbose"),
        ],
        label="Robust Import Set Transformer",
        display="name",
    ),
    table(
        "sys_rest_insert_multiple",
        "config",
        [
            column("source_table", length=80),
            column("transformation", "choice", length=40, default="asynchronous"),
            _flag("use_data_source_format"),
            column("column_mapping", "choice", length=40, default="label"),
        ],
        label="REST Insert Multiple",
        display="source_table",
    ),
    table(
        "sys_properties",
        "config",
        [column("name", length=100), column("value", length=4000), column("type", length=40)],
        label="System Property",
        display="name",
    ),
    table(
        "v_plugin",
        "admin",
        [column("id", length=100), column("name", length=100), column("active", length=40)],
        label="System Plugin",
        display="name",
    ),
    table(
        "sys_rate_limit_rules",
        "config",
        [
            column("name", length=100),
            column("requests_per_hour", "integer"),
            _flag("active", "true"),
            column("type", length=40),
        ],
        label="Rate Limit Rule",
        display="name",
    ),
    table("sys_user_role", "config", [column("name", length=100)], label="Role", display="name"),
    table(
        "sys_user_has_role",
        "config",
        [column("user", to="sys_user"), column("role", to="sys_user_role"), _flag("inherited")],
        label="User Role",
    ),
)
