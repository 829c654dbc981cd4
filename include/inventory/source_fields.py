"""The fields that a mapping may name: what Iru's published API returns, flattened.

Sources: ``GET /devices`` and Prism ``device_information`` and ``apps`` of the official Postman collection. Fields of
Prism's device_information carry the prefix ``prism.``; the assigned user's object is flattened to ``user_…``.
"""

DEVICE_TEXT = (
    "device_id", "device_name", "model", "serial_number", "platform", "os_version", "supplemental_build_version",
    "supplemental_os_version_extra", "last_check_in", "asset_tag", "blueprint_id", "blueprint_name", "agent_version",
    "first_enrollment", "last_enrollment", "lost_mode_status", "mdm_enabled", "agent_installed", "is_missing",
    "is_removed", "user_id", "user_name", "user_email",
)  # fmt: skip

PRISM_DEVICE = (
    "device__name", "device__family", "device__user_name", "device__user_email", "model_id", "device_capacity",
    "host_name", "local_hostname", "apple_silicon", "model", "model_name", "shared_ipad", "cellular_technology",
    "data_roaming", "hotspot", "first_enrollment_date", "last_enrollment_date", "agent_version", "mdm_enabled",
    "agent_installed", "os_version", "os_build", "marketing_name", "supplemental_build_version",
    "supplemental_os_version_extra", "display_os_version", "last_checkin", "last_checkin_agent", "last_checkin_mdm",
    "battery_health", "lost_mode_status", "created_at", "updated_at", "last_changed_at", "last_collected_at",
)  # fmt: skip

APP = (
    "device_id", "device__name", "device__family", "device__user_name", "device__user_email", "blueprint_id",
    "blueprint_name", "asset_tag", "serial_number", "model_id", "created_at", "updated_at", "last_changed_at",
    "last_collected_at", "path", "obtained_from", "bundle_size", "bundle_id", "name", "short_version", "signature",
    "ad_hoc_code_signed", "app_store_vendable", "beta_app", "device_based_vpp", "dynamic_size",
    "external_version_identifier", "has_update_available", "installing", "version", "app_clip", "validated",
    "executable", "bundle_name", "bundle_type", "compiler", "bundle_region", "bundle_display_name", "info",
    "minimum_system_version", "category", "apple_scriptable", "copyright", "developer_name", "team_id",
)  # fmt: skip

APP_DERIVED = ("app_identity",)
"""``app_identity``: the bundle id, or the name of an app that has none."""

PRISM_PREFIX = "prism."

DEVICE_FIELDS = frozenset(DEVICE_TEXT) | {f"{PRISM_PREFIX}{name}" for name in PRISM_DEVICE}
APP_FIELDS = frozenset(APP) | frozenset(APP_DERIVED)
