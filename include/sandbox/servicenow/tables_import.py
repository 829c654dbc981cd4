"""Import sets, their runs, rows and errors, and the Kandji app's three staging tables.

Source: ServiceNow, "Import Set API", "Import run details", "Import set tables". Staging columns and lengths are this
sandbox's assumption: no public source lists them.
"""

from include.sandbox.servicenow.schema import Column, Table, column, table

STAGING_COMPUTER = "x_kandj_kandji_kandji_import_set_computer"
STAGING_MDM = "x_kandj_kandji_kandji_import_set_mdm"
STAGING_APPS = "x_kandj_kandji_kandji_import_set_apps"
STAGING_USER = "imp_user"
"""One of ServiceNow's standard import set tables, which its documentation's examples use."""

_STAGING_LENGTHS: dict[str, dict[str, int]] = {
    STAGING_COMPUTER: {
        "assigned_user": 100,
        "device_capacity": 40,
        "device_name": 255,
        "discovery_source": 100,
        "model_name": 255,
        "os_type": 40,
        "os_version": 100,
        "serial_number": 40,
        "manufacturer": 100,
    },
    STAGING_USER: {"first_name": 40, "last_name": 40, "user_id": 40, "email": 40},
    STAGING_MDM: {"device_id": 40, "blueprint_id": 40, "serial_number": 40, "discovery_source": 100},
    STAGING_APPS: {
        "instance_key": 64,
        "name": 255,
        "developer_name": 255,
        "version": 100,
        "path": 1024,
        "serial_number": 40,
        "last_opened": 40,
        "active": 40,
        "discovery_source": 100,
    },
}


def row_columns() -> list[Column]:
    """Return the columns that every staging table inherits from ``sys_import_set_row``."""
    return [
        column("sys_import_set", to="sys_import_set", label="Set"),
        column("sys_import_row", "integer", label="Row"),
        column("sys_import_state", length=40, label="State", default="pending"),
        column("sys_import_state_comment", length=1000, label="Comment"),
        column("sys_target_table", length=80, label="Target table"),
        column("sys_target_sys_id", "document_id", length=32, table_column="sys_target_table", label="Target record"),
        column("sys_transform_map", to="sys_transform_map", label="Transform map"),
        column("import_set_run", to="sys_import_set_run", label="Import set run"),
        column("sys_row_error", to="sys_import_set_row_error", label="Row error"),
        column("template_import_log", length=32, label="Template import log"),
    ]


def staging_table(name: str, columns: list[Column], *, label: str = "") -> Table:
    """Return a staging table with the given columns of its own."""
    return table(name, "import", [*row_columns(), *columns], label=label, parent="sys_import_set_row")


_RUN_COLUMNS = (
    column("set", to="sys_import_set"),
    column("sys_transform_map", to="sys_transform_map", label="Transform map"),
    column("state", "choice", length=40),
    *(
        column(name, "integer", default="0")
        for name in ("total", "inserts", "updates", "processed", "ignored", "skipped", "errors")
    ),
    column("completed", "glide_date_time"),
    column("run_time", "glide_duration", length=40),
)

IMPORT_TABLES: tuple[Table, ...] = (
    table(
        "sys_import_set",
        "import",
        [
            column("number", length=40),
            column("state", "choice", length=40),
            column("mode", "choice", length=40),
            column("table_name", length=80, label="Table"),
            column("data_source", length=32),
            column("load_completed", "glide_date_time"),
            column("load_run_time", "glide_duration", length=40),
            column("schedule_import", length=32),
            column("short_description", length=1000),
            column("multi_import_set", to="sys_multi_import_set"),
            column("run_after", to="sys_import_set"),
        ],
        label="Import Set",
        display="number",
    ),
    table("sys_multi_import_set", "import", [column("number", length=40), column("state", length=40)],
          label="Multi Import Set", display="number"),
    table("sys_import_set_run", "import", _RUN_COLUMNS, label="Import Set Run"),
    table("sys_import_set_row", "import", row_columns(), label="Import Set Row", abstract=True),
    table(
        "sys_import_set_row_error",
        "import",
        [
            column("row", "document_id", length=32),
            column("import_set_run", to="sys_import_set_run"),
            column("sys_import_set", to="sys_import_set", label="Set"),
            column("error_code", "integer"),
            column("message", length=1000),
        ],
        label="Import Set Row Error",
        display="message",
    ),
    table(
        "import_log",
        "import",
        [
            column("run_history", to="sys_import_set_run"),
            column("import_set", to="sys_import_set"),
            column("level", length=40),
            column("source", length=100),
            column("message", length=4000),
        ],
        label="Import Log",
    ),
    *(
        staging_table(name, [column(each, length=length) for each, length in lengths.items()])
        for name, lengths in _STAGING_LENGTHS.items()
    ),
)  # fmt: skip
