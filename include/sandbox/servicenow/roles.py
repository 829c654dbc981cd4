"""What the service account may do: roles on the APIs, access rules on groups of tables.

Source: ServiceNow, "REST API access rules"; roles as the Kandji integration's documentation names them.
"""

from include.sandbox.servicenow.errors import ApiError, insufficient_rights, invalid_table, not_authorized
from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.schema import Table
from include.sandbox.servicenow.tables_target import SAM_TABLES

_ADMIN = "admin"


def has_role(instance: Instance, role: str) -> bool:
    """Say whether the service account has a role; an administrator has all."""
    return bool({role, _ADMIN} & set(instance.settings.roles))


def require_import_role(instance: Instance) -> None:
    """Refuse the Import Set API without ``import_transformer``."""
    if not has_role(instance, "import_transformer"):
        raise not_authorized()


def readable_table(instance: Instance, name: str) -> Table:
    """Return a table that may be read; 400 where there is none, 403 where an access rule hides it."""
    table, settings = instance.schema.find(name), instance.settings
    if table is None or (name in SAM_TABLES and not settings.sam_pro):
        raise invalid_table(name)
    allowed = {
        "config": settings.config_tables_readable,
        "admin": has_role(instance, _ADMIN),
        "import": settings.import_tables_readable and has_role(instance, "import_transformer"),
        "cmdb": has_role(instance, "cmdb_read"),
        "target": True,
    }
    if not allowed[table.group]:
        raise insufficient_rights("query records")
    return table


def writable_table(instance: Instance, name: str, operation: str) -> Table:
    """Return a table that may be written; ``operation`` is ``create``, ``update`` or ``delete``."""
    table = readable_table(instance, name)
    if not instance.settings.tables_writable:
        raise ApiError(
            403, "Operation Failed", f"ACL Exception {operation.capitalize()} Failed due to security constraints"
        )
    if table.abstract and operation == "create":
        raise ApiError(400, "Operation Failed", f"{table.label} cannot be written; write to a table that extends it")
    return table
