"""What the environment sets for the whole installation, read in one place."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from include.errors import SetupWrong
from include.inventory.guards import GuardLimits
from include.inventory.notify import Notify, read_notify
from include.inventory.pairs import PAIRS, read_pair, read_pairs
from include.inventory.params import MISSING_POLICIES
from include.inventory.retention import Retention
from include.inventory.schedules import read_schedule
from include.iru.quota import ExtractChoice

PREFIX = "IRU_SERVICENOW_"

EXTRACT_METHODS: tuple[ExtractChoice, ...] = ("auto", "pages", "export")

MAX_ATTEMPTS = 5
"""After so many refusals in a row a row is parked."""

CHUNK_ROWS = 500
"""Rows of a request and its import set, unless it would become too large."""

RETRY_DELAY_S = 30
"""A failed task is tried again after so many seconds; each further time after twice as many."""

WATCH_SHARE = 0.25
"""The share of Iru's hourly quota that watching for changes may take."""

IRU_POOL, SERVICENOW_POOL = "iru", "servicenow"
"""The pools of the only pair's tasks."""

IRU_CONN_ID, SERVICENOW_CONN_ID = "iru_default", "servicenow_default"
"""The connections of the only pair."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are kept and when the DAGs run; every value has a variable ``IRU_SERVICENOW_<NAME>``.

    ``pair`` is the name of the pair of tenant and instance, empty where there is only one; ``IRU_SERVICENOW_PAIRS``
    lists several, each with its connections and with what it has for itself.
    """

    storage: str
    ledger: str
    mapping: Path | None
    devices_schedule: str | None
    apps_schedule: str | None
    missing_devices: str
    guards: GuardLimits = field(default_factory=GuardLimits)
    max_attempts: int = MAX_ATTEMPTS
    apps_extract: ExtractChoice = "auto"
    partitions: int = 1
    chunk_rows: int = CHUNK_ROWS
    retry_delay_s: int = RETRY_DELAY_S
    reconcile_schedule: str | None = "0 4 * * 0"
    retention: Retention = field(default_factory=Retention)
    notify: tuple[Notify, ...] = ()
    deadline_min: int = 0
    watch: bool = True
    watch_share: float = WATCH_SHARE
    pair: str = ""
    iru_conn_id: str = IRU_CONN_ID
    servicenow_conn_id: str = SERVICENOW_CONN_ID

    @classmethod
    def of_pair(cls, pair: str = "", environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the environment for one pair; SetupWrong names a setting that is unknown or makes no sense.

        Without a name it is the only pair, and the environment may list none.
        """
        environment = os.environ if environment is None else environment
        values = _ours(environment)
        pairs = read_pairs(values.get("PAIRS", ""))
        if pairs or pair:
            values |= read_pair(pairs, pair, _OF_A_PAIR)
        try:
            return cls._parse(values, pair, storage=storage_root(environment))
        except SetupWrong as error:
            raise SetupWrong(f"Pair {pair!r}: {error}" if pair else str(error)) from None

    @classmethod
    def _parse(cls, values: Mapping[str, str], pair: str, *, storage: str) -> "Settings":
        return cls(
            storage=storage,
            ledger=values.get("LEDGER") or _default_ledger(storage),
            mapping=Path(values["MAPPING"]) if values.get("MAPPING") else None,
            devices_schedule=read_schedule(
                values.get("DEVICES_SCHEDULE", "0 * * * *"), setting=f"{PREFIX}DEVICES_SCHEDULE"
            ),
            apps_schedule=read_schedule(values.get("APPS_SCHEDULE", "0 2 * * *"), setting=f"{PREFIX}APPS_SCHEDULE"),
            missing_devices=_missing_policy(values.get("MISSING_DEVICES", "ignore")),
            guards=GuardLimits.parse(values.get("GUARDS", ""), setting=f"{PREFIX}GUARDS"),
            max_attempts=_whole(values, "MAX_ATTEMPTS", MAX_ATTEMPTS, least=1),
            apps_extract=_extract_method(values.get("APPS_EXTRACT", "") or "auto"),
            partitions=_whole(values, "PARTITIONS", 1, least=1),
            chunk_rows=_whole(values, "CHUNK_ROWS", CHUNK_ROWS, least=1),
            retry_delay_s=_whole(values, "RETRY_DELAY_S", RETRY_DELAY_S, least=1),
            reconcile_schedule=read_schedule(
                values.get("RECONCILE_SCHEDULE", "0 4 * * 0"), setting=f"{PREFIX}RECONCILE_SCHEDULE"
            ),
            retention=Retention(
                _whole(values, "KEEP_FILES_DAYS", Retention().files_days, least=0),
                _whole(values, "KEEP_REPORTS_DAYS", Retention().reports_days, least=0),
                _whole(values, "KEEP_REMOVED_DAYS", Retention().removed_days, least=0),
                _whole(values, "KEEP_HISTORY_DAYS", Retention().history_days, least=0),
            ),
            notify=read_notify(values.get("NOTIFY", ""), setting=f"{PREFIX}NOTIFY"),
            deadline_min=_whole(values, "DEADLINE_MIN", 0, least=0),
            watch=_switch("WATCH", values.get("WATCH", "") or "on"),
            watch_share=_share("WATCH_SHARE", values.get("WATCH_SHARE", "") or str(WATCH_SHARE)),
            pair=pair,
            iru_conn_id=values.get("IRU") or IRU_CONN_ID,
            servicenow_conn_id=values.get("SERVICENOW") or SERVICENOW_CONN_ID,
        )

    @property
    def watches(self) -> bool:
        """Say whether devices are watched between the full runs."""
        return self.watch and self.devices_schedule is not None

    def named(self, name: str) -> str:
        """Return a name that is this pair's own: of a DAG, a pool or whatever else Airflow keeps by name."""
        return f"{name}__{self.pair}" if self.pair else name

    def titled(self, title: str) -> str:
        """Return a title that says whose it is."""
        return f"{title} ({self.pair})" if self.pair else title

    @property
    def tags(self) -> list[str]:
        """What Airflow's pages find the pair's DAGs by."""
        return [self.pair] if self.pair else []


def storage_root(environment: Mapping[str, str] | None = None) -> str:
    """Return where all pairs keep their runs' files: a folder, or a URI that Airflow's object storage knows."""
    environment = os.environ if environment is None else environment
    home = environment.get("AIRFLOW_HOME") or str(Path.home() / "airflow")
    return environment.get(f"{PREFIX}STORAGE") or str(Path(home) / "iru_servicenow")


def pair_names(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the names of all pairs; one empty name where the environment lists none. Raises SetupWrong."""
    environment = os.environ if environment is None else environment
    return list(read_pairs(environment.get(PAIRS, ""))) or [""]


_KNOWN = (
    "STORAGE", "LEDGER", "MAPPING", "DEVICES_SCHEDULE", "APPS_SCHEDULE", "MISSING_DEVICES", "GUARDS", "MAX_ATTEMPTS",
    "APPS_EXTRACT", "PARTITIONS", "CHUNK_ROWS", "RETRY_DELAY_S", "RECONCILE_SCHEDULE", "WATCH", "WATCH_SHARE",
    "KEEP_FILES_DAYS", "KEEP_REPORTS_DAYS", "KEEP_REMOVED_DAYS", "KEEP_HISTORY_DAYS", "NOTIFY", "DEADLINE_MIN", "PAIRS",
)  # fmt: skip
_OF_A_PAIR = {name.lower(): name for name in _KNOWN if name not in ("STORAGE", "PAIRS")}


def _ours(environment: Mapping[str, str]) -> dict[str, str]:
    values = {name.removeprefix(PREFIX): value for name, value in environment.items() if name.startswith(PREFIX)}
    unknown = sorted(f"{PREFIX}{name}" for name in set(values) - set(_KNOWN))
    if unknown:
        known = ", ".join(f"{PREFIX}{name}" for name in _KNOWN)
        raise SetupWrong(f"Unknown setting {', '.join(unknown)}. Known settings: {known}.")
    return values


def _missing_policy(text: str) -> str:
    if text not in MISSING_POLICIES:
        allowed = ", ".join(MISSING_POLICIES)
        raise SetupWrong(f"{PREFIX}MISSING_DEVICES is {text!r}; it must be one of: {allowed}.")
    return text


def _switch(name: str, text: str) -> bool:
    if text.lower() not in ("on", "off"):
        raise SetupWrong(f"{PREFIX}{name} is {text!r}; it must be on or off.")
    return text.lower() == "on"


def _share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise SetupWrong(f"{PREFIX}{name} is {text!r}; it must be a share above 0 and at most 1, such as 0.25.")
    return share


def _whole(values: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    text = values.get(name, "") or str(default)
    if not text.isdecimal() or int(text) < least:
        raise SetupWrong(f"{PREFIX}{name} is {text!r}; it must be a whole number, at least {least}.")
    return int(text)


def _extract_method(text: str) -> ExtractChoice:
    for method in EXTRACT_METHODS:
        if text == method:
            return method
    raise SetupWrong(f"{PREFIX}APPS_EXTRACT is {text!r}; it must be one of: {', '.join(EXTRACT_METHODS)}.")


def _default_ledger(storage: str) -> str:
    """Keep the ledger beside the files where they are local; a remote store cannot hold a database."""
    local = storage.removeprefix("file://")
    if "://" in local:
        raise SetupWrong(
            f"{PREFIX}STORAGE is {storage.partition('://')[0]}://…, so {PREFIX}LEDGER must name a database, such as "
            "postgresql+psycopg2://…"
        )
    return f"sqlite:///{local.rstrip('/')}/ledger.sqlite"
