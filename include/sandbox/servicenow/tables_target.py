"""The tables that the integration writes, and those they refer to.

Source: ServiceNow, "Computer [cmdb_ci_computer] class", "Software installation fields", and the Kandji integration's
own documentation for column names.
"""

from include.sandbox.servicenow.schema import Column, Table, column, table


def _ci_columns() -> list[Column]:
    return [
        column("name"),
        column("asset_tag", length=40),
        column("serial_number"),
        column("manufacturer", to="core_company"),
        column("model_id", to="cmdb_model", label="Model ID"),
        column("assigned_to", to="sys_user"),
        column("company", to="core_company"),
        column("discovery_source", length=100),
        column("first_discovered", "glide_date_time"),
        column("last_discovered", "glide_date_time", label="Most recent discovery"),
        column("install_status", "integer", label="Status", default="1"),
        column("operational_status", "integer", default="1"),
        column("short_description", length=1000),
    ]


COMPUTER_COLUMNS = (
    column("model", to="cmdb_model"),
    column("os", label="Operating System"),
    column("os_version", length=100, label="OS Version"),
    column("os_service_pack", length=100, label="OS Service Pack"),
    column("disk_space", "decimal", label="Disk space (GB)"),
    column("ram", "integer", label="RAM (MB)"),
    column("cpu_name", label="CPU name"),
    column("mac_address", length=18, label="MAC Address"),
)

INSTALL_COLUMNS = (
    column("display_name"),
    column("name"),
    column("publisher"),
    column("version", length=100),
    column("installed_on", to="cmdb_ci_computer"),
    column("install_location", length=1024),
    column("install_date", "glide_date_time"),
    column("uninstall_string", length=1024),
    column("instance_key"),
    column("primary_key"),
    column("active", "boolean", default="true"),
    column("last_scanned", "glide_date_time"),
    column("last_used", "glide_date_time"),
    column("discovery_source", length=100),
    column("assigned_to", to="sys_user"),
    column("norm_product", to="samp_sw_product", label="Normalized product"),
    column("norm_publisher", to="core_company", label="Normalized publisher"),
)

USAGE_COLUMNS = (
    column("configuration_item", to="cmdb_ci_computer"),
    column("norm_product", to="samp_sw_product", label="Product"),
    column("norm_publisher", to="core_company", label="Publisher"),
    column("reclamation_type", "choice", length=40),
    column("user", to="sys_user"),
    column("last_used_time", "glide_date_time"),
    column("month_used", "integer", label="Month"),
    column("year", "integer"),
    column("usage_count", "integer"),
    column("total_usage_time", "integer", label="Total seconds used"),
)

USER_COLUMNS = (
    column("user_name", length=40, label="User ID"),
    column("name", length=151),
    column("first_name", length=50),
    column("last_name", length=50),
    column("email", length=100),
    column("active", "boolean", default="true"),
    column("locked_out", "boolean", default="false"),
    column("time_zone", length=40),
)

SAM_TABLES = frozenset({"cmdb_sam_sw_install", "samp_sw_usage", "samp_sw_product"})
"""What only an instance with Software Asset Management Professional has."""

TARGET_TABLES: tuple[Table, ...] = (
    table("cmdb_ci", "cmdb", _ci_columns(), label="Configuration Item", display="name", abstract=True),
    table("cmdb_ci_hardware", "cmdb", _ci_columns(), label="Hardware", display="name", parent="cmdb_ci", abstract=True),
    table(
        "cmdb_ci_computer", "cmdb", [*_ci_columns(), *COMPUTER_COLUMNS],
        label="Computer", display="name", parent="cmdb_ci_hardware",
    ),
    table(
        "x_kandj_kandji_mdm",
        "cmdb",
        [
            column("kandji_device_id", length=40),
            column("kandji_blueprint_id", length=40),
            column("computer", to="cmdb_ci_computer"),
            column("discovery_source", length=100),
        ],
        label="Kandji MDM",
        display="kandji_device_id",
    ),
    table("cmdb_sam_sw_install", "cmdb", INSTALL_COLUMNS, label="Software Installation", display="display_name"),
    table("samp_sw_usage", "cmdb", USAGE_COLUMNS, label="Software Usage"),
    table(
        "samp_sw_product", "cmdb", [column("name"), column("publisher")],
        label="Software Product", display="name",
    ),
    table("sys_user", "target", USER_COLUMNS, label="User", display="name"),
    table(
        "core_company", "target", [column("name", length=80), column("manufacturer", "boolean", default="false")],
        label="Company", display="name",
    ),
    table(
        "cmdb_model", "cmdb",
        [column("name"), column("display_name"), column("manufacturer", to="core_company")],
        label="Product Model", display="name",
    ),
)  # fmt: skip
