"""What one sandbox instance of ServiceNow is set to, and the switches that may be changed while it runs."""

from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SeedUser:
    """A person who exists in ``sys_user`` from the start."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceNowSettings:
    """How to build an instance. Everything after the credentials is a switch, named in ``SWITCHES``.

    ``database_path`` None keeps the state in memory; a file is opened again with what it holds.
    """

    users: tuple[SeedUser, ...] = ()
    database_path: Path | None = None
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - of a sandbox
    username: str = "sandbox.service"
    password: str = "sandbox-password"  # noqa: S105 - of a sandbox

    roles: tuple[str, ...] = ("import_transformer", "cmdb_read", "rest_api_explorer")
    """Roles of the service account; without import_transformer the Import Set API answers 403."""
    config_tables_readable: bool = True
    """The account may read sys_dictionary, sys_choice, sys_transform_map and the like; 403 otherwise."""
    import_tables_readable: bool = True
    """The account may read import sets, their runs and staging rows; 403 otherwise."""
    tables_writable: bool = True
    """The account may write through the Table API; 403 otherwise."""
    user_active: bool = True
    """An inactive or locked-out user gets no token and no answer."""

    oauth_client_credentials: bool = False
    """glide.oauth.inbound.client.credential.grant_type.enabled"""
    oauth_password_disabled: bool = False
    """glide.oauth.inbound.ropc.grant_type.disabled"""
    oauth_body_only: bool = True
    """glide.oauth.allow.parameters.in.post.body.only"""
    access_token_life_s: int = 1800
    refresh_token_life_s: int = 8_640_000

    insert_multiple_keys: str = "label"
    """``label`` or ``name``: what insertMultiple takes as keys where sys_rest_insert_multiple says nothing."""
    insert_multiple_synchronous: bool = False
    """Transform before insertMultiple answers, where sys_rest_insert_multiple says nothing."""
    transform_synchronously: bool = True
    """The business rule of that name; when off, rows of single POSTs stay pending (KB0813776)."""
    transform_pickup_delay_s: float = 0.5
    """How long a loaded import set waits at least for one of the transform jobs."""
    transform_row_time_s: float = 0.0001
    """What a row's transform takes at least."""
    transform_workers: int = 2
    """Transforms at a time; read when the instance starts."""
    column_lengths: tuple[str, ...] = ()
    """Lengths of columns that differ from the default, as ``table.column:length``."""

    mdm_coalesce: str = "device_and_blueprint"
    """``device_and_blueprint``, or ``blueprint`` for the literal reading of the integration's documentation."""
    mdm_computer_missing: str = "ignore"
    """``ignore`` or ``reject``: the MDM map's choice action for a serial number that no computer has."""
    boolean_case_sensitive: bool = True
    """glide.transform.boolean.casesensitive: upper-case TRUE becomes false."""

    invalid_query_returns_no_rows: bool = False
    """glide.invalid_query.returns_no_rows"""
    max_content_length_mb: int = 10
    """glide.rest.max_content_length"""

    session_serial: bool = False
    """One request at a time in each JSESSIONID; those beyond the queue are dropped with a 202."""
    session_queue_depth: int = 10
    session_patience_s: float = 30.0
    """When the session's current request has taken so long, those behind it are dropped as well."""
    semaphores: bool = False
    """So many API requests at a time, so many waiting, and 429 without rate headers for the rest (KB0635398)."""
    semaphore_slots: int = 4
    semaphore_queue: int = 50
    rate_limit_per_hour: int = 0
    """A rate limit rule on the REST APIs: 429 beyond it, X-RateLimit headers on every answer; 0 means no rule."""
    rate_limit_window_s: int = 3600
    """How long the rule's hour takes; shorter for tests that wait for its end."""
    transaction_quota_s: float = 60.0
    """REST Import Set API request timeout: a synchronous transform that would take longer is cancelled then."""
    request_round_trip_s: float = 0.0
    """How long each request is under way, outside the semaphores; for measurements."""
    request_fixed_s: float = 0.0
    """What each request takes at least, inside its semaphore; the sandbox's own work on it counts towards it."""
    request_row_s: float = 0.0
    """What each row that a request writes adds to that."""
    request_part_s: float = 0.0
    """What each request inside a batch adds to that, without its rows."""
    hibernating: bool = False
    """Every answer, the token endpoint's too, is the page of a hibernating instance: 200 text/html."""
    password_expired: bool = False
    """The account's password needs a reset: no grant by password or refresh token, no Basic; tokens live on."""
    maps_inactive: tuple[str, ...] = ()
    """Staging tables whose transform maps and robust transformers are inactive."""
    missing_columns: tuple[str, ...] = ()
    """Staging columns that do not exist, as ``table.column``; what is sent for them is dropped without a word."""

    sam_pro: bool = True
    """Software Asset Management Professional is installed; without it its tables are no tables of the instance."""
    kandji_choice: bool = True
    """``discovery_source`` knows the choice Kandji."""
    account_time_zone: str = "GMT"
    """The service account's time zone; empty means the system's."""

    def __post_init__(self) -> None:
        if self.rate_limit_window_s < 1:
            raise ValueError(f"rate_limit_window_s takes 1 or more, got {self.rate_limit_window_s}")
        for name in ("request_round_trip_s", "request_fixed_s", "request_row_s", "request_part_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} takes 0 or more, got {getattr(self, name)}")


_CREDENTIALS = {"users", "database_path", "client_id", "client_secret", "username", "password"}

SWITCHES = tuple(field.name for field in fields(ServiceNowSettings) if field.name not in _CREDENTIALS)
"""Names of the settings that may be changed while the instance runs."""
