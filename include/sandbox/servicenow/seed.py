"""What an instance holds when it is new: users, choices, properties, roles, and the Kandji app."""

from collections.abc import Mapping

from include.sandbox.servicenow import kandji_app
from include.sandbox.servicenow.dictionary import describe_tables, read_dictionary
from include.sandbox.servicenow.instance import Instance
from include.sandbox.servicenow.schema import Schema
from include.sandbox.servicenow.settings import ServiceNowSettings
from include.sandbox.servicenow.tables_config import CONFIG_TABLES
from include.sandbox.servicenow.tables_import import IMPORT_TABLES
from include.sandbox.servicenow.tables_target import TARGET_TABLES
from include.sandbox.servicenow.token_store import create_token_table
from include.sandbox.servicenow.wrong_setups import follow_wrong_setups

_CHOICES: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("sys_import_set", "state"): {
        "loading": "Loading", "loaded": "Loaded", "processed": "Processed", "error": "Error",
    },
    ("sys_import_set", "mode"): {"synchronous": "Synchronous", "asynchronous": "Asynchronous"},
    ("sys_import_set_run", "state"): {
        "running": "Running", "complete": "Complete", "complete_with_errors": "Complete with errors",
        "cancelled": "Cancelled", "did_not_complete": "Did not complete",
    },
    ("sys_transform_entry", "choice_action"): {"create": "create", "ignore": "ignore", "reject": "reject"},
    ("sys_rest_insert_multiple", "transformation"): {"asynchronous": "Asynchronous", "synchronous": "Synchronous"},
    ("sys_rest_insert_multiple", "column_mapping"): {"label": "Label", "column_name": "Column name"},
    ("samp_sw_usage", "reclamation_type"): {"last_used": "Last Used Date", "total_usage": "Total Usage Time"},
}  # fmt: skip

_RATE_RULE = "REST per user and hour"


def new_schema() -> Schema:
    """Return the tables of an instance with the Kandji app."""
    return Schema([*TARGET_TABLES, *IMPORT_TABLES, *CONFIG_TABLES])


def prepare(instance: Instance) -> None:
    """Create the tables; fill them where the database is new."""
    store = instance.store
    store.create_tables()
    create_token_table(instance)
    is_new = store.count("sys_db_object") == 0
    with instance.database.transaction():
        describe_tables(store)
        read_dictionary(store)
        if is_new:
            _add_choices(instance)
            kandji_app.install_app(store)
        _add_users(instance)
        follow_switches(instance)
    store.on_change("sys_user", lambda sys_id: _name_user(instance, sys_id))
    for column in ("email", "user_name"):
        store.ensure_index("sys_user", [column])


def follow_switches(instance: Instance) -> None:
    """Bring the records to what the switches say."""
    settings = instance.settings
    with instance.database.transaction():
        kandji_app.apply_switches(instance.store, settings)
        follow_wrong_setups(instance, new_schema())
        for name, value in _properties(settings).items():
            _upsert(instance, "sys_properties", {"name": name}, {"value": value})
        _give_roles(instance)
        _follow_set_up(instance)


def _follow_set_up(instance: Instance) -> None:
    """Bring the account's time zone, Kandji's choice, SAM Pro and the rate limit rule to what the switches say."""
    settings, store = instance.settings, instance.store
    _upsert(instance, "sys_user", {"user_name": settings.username}, {"time_zone": settings.account_time_zone})
    state = "active" if settings.sam_pro else "inactive"
    plugin = {"id": "com.snc.samp", "name": "Software Asset Management Professional"}
    _upsert(instance, "v_plugin", plugin, {"active": state})
    choice = {"name": "cmdb_ci", "element": "discovery_source", "value": "Kandji"}
    _upsert(instance, "sys_choice", choice, {"label": "Kandji", "inactive": _spelled(not settings.kandji_choice)})
    for rule in store.find("sys_rate_limit_rules", {"name": _RATE_RULE}):
        store.delete("sys_rate_limit_rules", rule["sys_id"])
    if settings.rate_limit_per_hour:
        limit = str(settings.rate_limit_per_hour)
        store.insert("sys_rate_limit_rules", {"name": _RATE_RULE, "requests_per_hour": limit, "type": "REST"})


def _spelled(flag: bool) -> str:
    return "true" if flag else "false"


def _properties(settings: ServiceNowSettings) -> dict[str, str]:
    flags = {
        "glide.oauth.inbound.client.credential.grant_type.enabled": settings.oauth_client_credentials,
        "glide.oauth.inbound.ropc.grant_type.disabled": settings.oauth_password_disabled,
        "glide.oauth.allow.parameters.in.post.body.only": settings.oauth_body_only,
        "glide.transform.boolean.casesensitive": settings.boolean_case_sensitive,
        "glide.invalid_query.returns_no_rows": settings.invalid_query_returns_no_rows,
    }
    texts = {name: _spelled(on) for name, on in flags.items()}
    return {**texts, "glide.rest.max_content_length": str(settings.max_content_length_mb)}


def _add_choices(instance: Instance) -> None:
    for (table, element), labels in _CHOICES.items():
        for at, (value, label) in enumerate(labels.items()):
            row = {"name": table, "element": element, "value": value, "label": label, "sequence": str(at)}
            instance.store.insert("sys_choice", row)


def _add_users(instance: Instance) -> None:
    settings = instance.settings
    _upsert(instance, "sys_user", {"user_name": settings.username}, {"name": settings.username})
    known = {row["email"].lower() for row in instance.store.find("sys_user", {})}
    rows = []
    for user in settings.users:
        if user.email.lower() in known:
            continue
        first, _, last = user.name.partition(" ")
        rows.append({"user_name": user.email.partition("@")[0], "name": user.name, "email": user.email,
                     "first_name": first, "last_name": last})  # fmt: skip
    instance.store.insert_many("sys_user", rows)


def _name_user(instance: Instance, sys_id: str) -> None:
    """Make up the full name from first and last, as ServiceNow does when a user is written."""
    user = instance.store.get("sys_user", sys_id)
    name = f"{user['first_name']} {user['last_name']}".strip() if user else ""
    if user and name and user["name"] != name:
        instance.store.update("sys_user", sys_id, {"name": name})


def _give_roles(instance: Instance) -> None:
    store = instance.store
    user = store.find("sys_user", {"user_name": instance.settings.username})[0]["sys_id"]
    wanted = {
        _upsert(instance, "sys_user_role", {"name": role}, {})
        for role in instance.settings.roles
    }  # fmt: skip
    held = {row["role"]: row["sys_id"] for row in store.find("sys_user_has_role", {"user": user})}
    for role in wanted - held.keys():
        store.insert("sys_user_has_role", {"user": user, "role": role})
    for role in held.keys() - wanted:
        store.delete("sys_user_has_role", held[role])


def _upsert(instance: Instance, table: str, key: dict[str, str], values: dict[str, str]) -> str:
    found = instance.store.find(table, key)
    if not found:
        return instance.store.insert(table, {**key, **values})["sys_id"]
    if any(found[0][name] != value for name, value in values.items()):
        instance.store.update(table, found[0]["sys_id"], values)
    return found[0]["sys_id"]
