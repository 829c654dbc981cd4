"""The Prism category ``apps``: one row for each application at each path on each device."""

from include.sandbox.iru.prism_columns import Category, Column, Kind, common_columns
from include.sandbox.iru.settings import IruSwitches

# The cross joins keep SQLite to the order written: pages come by key from the apps table, unsorted.
_SOURCE = (
    "apps a CROSS JOIN devices d ON d.seq = a.device_seq CROSS JOIN titles t ON t.key = a.title_key "
    "CROSS JOIN blueprints b ON b.id = d.blueprint_id LEFT JOIN users u ON u.id = d.user_id"
)
_ON_MAC = "CASE WHEN d.family = 'Mac' THEN {} END"


def _never(*keys: str, kind: Kind = Kind.TEXT) -> tuple[Column, ...]:
    return tuple(Column(key, "NULL", kind) for key in keys)


_DOWNLOADS = _never("download_canceled", "download_failed", "download_paused", "download_waiting", kind=Kind.FLAG)
_COLUMNS = (
    *common_columns(
        created="a.created_at",
        updated="a.updated_at",
        changed="CASE WHEN a.updated_at > a.created_at THEN a.updated_at END",
    ),
    Column("path", "a.path"),
    Column("obtained_from", "nullif(t.source, '')"),
    Column("bundle_size", "t.bundle_size_bytes", Kind.NUMBER),
    Column("bundle_id", "t.bundle_id"),
    Column("name", "t.name"),
    Column("short_version", "a.build"),
    Column("signature", "t.signature"),
    *_never("ad_hoc_code_signed", kind=Kind.FLAG),
    Column("app_store_vendable", "t.app_store_vendable", Kind.FLAG),
    *_never("beta_app", kind=Kind.FLAG),
    Column("device_based_vpp", "t.device_based_vpp", Kind.FLAG),
    *_DOWNLOADS,
    *_never("dynamic_size", "external_version_identifier", kind=Kind.NUMBER),
    *_never("has_update_available", "installing", kind=Kind.FLAG),
    Column("version", "a.version"),
    *_never("app_clip", "validated", kind=Kind.FLAG),
    Column("executable", "t.executable"),
    Column("bundle_name", _ON_MAC.format("t.name")),
    Column("bundle_type", _ON_MAC.format("'APPL'")),
    *_never("environment_variables"),
    Column("compiler", _ON_MAC.format("'com.apple.compilers.llvm.clang.1_0'")),
    Column("bundle_region", _ON_MAC.format("'en'")),
    *_never("bundle_display_name", "info"),
    Column("minimum_system_version", "t.minimum_system_version"),
    Column("category", "t.category"),
    *_never("apple_scriptable", kind=Kind.FLAG),
    Column("copyright", "t.copyright"),
    Column("developer_name", "t.developer_name"),
    Column("team_id", "t.team_id"),
)


def apps_category(switches: IruSwitches) -> Category:
    """Return the category as this tenant sends it: with last use and removal where switched on."""
    extra: tuple[Column, ...] = ()
    if switches.prism_last_opened:
        extra += (Column(switches.prism_last_opened_key, "a.last_opened", Kind.TIME),)
    if switches.prism_is_removed:
        extra += (Column(switches.prism_is_removed_key, "a.is_removed", Kind.FLAG),)
    return Category(
        name="apps",
        source=_SOURCE,
        seq="a.seq",
        where="1" if switches.prism_is_removed else "a.is_removed = 0",
        count_source="apps a",
        columns=_COLUMNS + extra,
    )
