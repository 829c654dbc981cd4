"""Which categories Prism has; two of them hold rows here, the others are empty."""

from include.sandbox.iru.errors import bad_request
from include.sandbox.iru.prism_apps import apps_category
from include.sandbox.iru.prism_columns import DEVICE_INFORMATION, Category, common_columns
from include.sandbox.iru.settings import IruSwitches

EXPORTABLE = frozenset(
    {
        "activation_lock", "apps", "desktop_and_screensaver", "device_information",
        "gatekeeper_and_xprotect", "installed_profiles", "kernel_extensions", "launch_agents_and_daemons",
        "local_users", "startup_settings", "system_extensions", "transparency_database",
    }
)  # fmt: skip
LISTED = EXPORTABLE | {"application_firewall", "cellular", "certificates", "filevault"}


def find_category(name: str, switches: IruSwitches) -> Category:
    """Return a listed category; raise the documented 400 for any other name."""
    if name == "apps":
        return apps_category(switches)
    if name == "device_information":
        return DEVICE_INFORMATION
    if name in LISTED:
        return _empty(name)
    raise invalid_category(name)


def invalid_category(name: object) -> Exception:
    """Return the documented 400 for a category that does not exist."""
    return bad_request(f"Invalid category: {name}")


def _empty(name: str) -> Category:
    columns = common_columns(created="d.first_enrollment", updated="d.updated_at", changed="d.updated_at")
    return Category(name, DEVICE_INFORMATION.source, "d.seq", columns, where="0")
