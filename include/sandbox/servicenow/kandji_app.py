"""What the Kandji app installs: transform maps for devices, an ETL definition for applications; and a standard map.

Source: the integration's own documentation for columns and coalesce; choice actions and lookups are this sandbox's
reading ("the assigned user must already exist" means that an unknown one is ignored).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.sandbox.servicenow.settings import ServiceNowSettings
from include.sandbox.servicenow.store import Store
from include.sandbox.servicenow.tables_import import STAGING_APPS, STAGING_COMPUTER, STAGING_MDM, STAGING_USER

_Entry = Mapping[str, Any]
_COMPUTER_MAP = "Kandji Computer"
_MDM_MAP = "Kandji MDM"
APPS_DEFINITION = "Kandji Apps"


@dataclass(frozen=True, slots=True)
class RobustDefinition:
    """An ETL definition: one target entity and the fields mapped into it."""

    target_table: str
    fields: tuple[_Entry, ...]


COMPUTER_ENTRIES: tuple[_Entry, ...] = (
    {"source_field": "serial_number", "target_field": "serial_number", "coalesce": "true"},
    {"source_field": "device_name", "target_field": "name"},
    {"source_field": "assigned_user", "target_field": "assigned_to", "choice_action": "ignore",
     "reference_value_field": "email"},
    {"source_field": "device_capacity", "target_field": "disk_space"},
    {"source_field": "discovery_source", "target_field": "discovery_source"},
    {"source_field": "model_name", "target_field": "model", "choice_action": "create",
     "reference_value_field": "name"},
    {"source_field": "os_type", "target_field": "os"},
    {"source_field": "os_version", "target_field": "os_version"},
    {"source_field": "manufacturer", "target_field": "manufacturer", "choice_action": "create",
     "reference_value_field": "name"},
)  # fmt: skip

MDM_ENTRIES: tuple[_Entry, ...] = (
    {"source_field": "device_id", "target_field": "kandji_device_id", "coalesce": "true"},
    {"source_field": "blueprint_id", "target_field": "kandji_blueprint_id", "coalesce": "true"},
    {"source_field": "serial_number", "target_field": "computer", "choice_action": "ignore",
     "reference_value_field": "serial_number"},
    {"source_field": "discovery_source", "target_field": "discovery_source"},
)  # fmt: skip

USER_ENTRIES: tuple[_Entry, ...] = (
    {"source_field": "user_id", "target_field": "user_name", "coalesce": "true"},
    {"source_field": "first_name", "target_field": "first_name"},
    {"source_field": "last_name", "target_field": "last_name"},
    {"source_field": "email", "target_field": "email"},
)

ROBUST_DEFINITIONS: Mapping[str, RobustDefinition] = {
    APPS_DEFINITION: RobustDefinition(
        "cmdb_sam_sw_install",
        (
            {"source": "instance_key", "target": "instance_key", "coalesce": True},
            {"source": "name", "target": "name"},
            {"source": "name", "target": "display_name"},
            {"source": "developer_name", "target": "publisher"},
            {"source": "version", "target": "version"},
            {"source": "path", "target": "install_location"},
            {"source": "serial_number", "target": "installed_on", "choice_action": "ignore", "lookup": "serial_number"},
            {"source": "last_opened", "target": "last_used"},
            {"source": "active", "target": "active"},
            {"source": "discovery_source", "target": "discovery_source"},
        ),
    )
}


def install_app(store: Store) -> None:
    """Create the app's transform maps and its robust transformer."""
    _create_map(store, _COMPUTER_MAP, STAGING_COMPUTER, "cmdb_ci_computer", COMPUTER_ENTRIES)
    _create_map(store, _MDM_MAP, STAGING_MDM, "x_kandj_kandji_mdm", MDM_ENTRIES)
    _create_map(store, "User", STAGING_USER, "sys_user", USER_ENTRIES)
    store.insert(
        "sys_robust_import_set_transformer",
        {"name": APPS_DEFINITION, "source_table": STAGING_APPS, "definition": APPS_DEFINITION},
    )


def apply_switches(store: Store, settings: ServiceNowSettings) -> None:
    """Bring the MDM map to what the switches say."""
    found = store.find("sys_transform_map", {"name": _MDM_MAP})
    if not found:
        return
    both = settings.mdm_coalesce == "device_and_blueprint"
    wanted = {
        "kandji_device_id": {"coalesce": "true" if both else "false"},
        "computer": {"choice_action": settings.mdm_computer_missing},
    }
    for entry in store.find("sys_transform_entry", {"map": found[0]["sys_id"]}):
        store.update("sys_transform_entry", entry["sys_id"], wanted.get(entry["target_field"], {}))


def _create_map(store: Store, name: str, source: str, target: str, entries: tuple[_Entry, ...]) -> None:
    created = store.insert("sys_transform_map", {"name": name, "source_table": source, "target_table": target})
    for entry in entries:
        shared = {"map": created["sys_id"], "source_table": source, "target_table": target}
        store.insert("sys_transform_entry", {**shared, **entry})
