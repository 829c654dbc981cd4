"""What both DAG files share: params with their forms, retry rules, and one load task per feed."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, TaskGroup, XComArg
from airflow.sdk.definitions.mappedoperator import MappedOperator

from include.inventory.guards import GUARDS
from include.inventory.mapping import Feed, SourceName
from include.inventory.params import DEVICE_FAMILIES, FAMILY_ALIASES, MISSING_POLICIES, MODES
from include.inventory.settings import IRU_POOL, SERVICENOW_POOL, Settings
from iru_servicenow import tasks
from iru_servicenow.assets import alias, inventory, table
from iru_servicenow.notify import deadlines, notifiers
from iru_servicenow.operators.feed_load import FeedLoadOperator
from iru_servicenow.retry import MAX_RETRY_DELAY, AsTold

Load = FeedLoadOperator | MappedOperator
"""A feed's load: one task, or one mapped over its partitions."""

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "iru-servicenow",
    "retries": 2,
    "retry_exponential_backoff": True,
    "max_retry_delay": MAX_RETRY_DELAY,
    "execution_timeout": timedelta(hours=2),
    "retry_policy": AsTold(),
}


LOAD_TIMEOUT = timedelta(hours=2)
"""Of one stay in a worker: waiting for transforms takes place elsewhere."""

START_DATE = datetime(2026, 1, 1, tzinfo=UTC)


def common(settings: Settings) -> dict[str, Any]:
    """Return what every DAG of a pair has in common."""
    retry_delay = timedelta(seconds=settings.retry_delay_s)
    return {
        "start_date": START_DATE,
        "catchup": False,
        "max_active_runs": 1,
        "default_args": DEFAULT_ARGS | {"retry_delay": retry_delay},
    }


def params(feeds: Iterable[str], settings: Settings, *, devices: bool) -> dict[str, Param]:
    """Return the params of a DAG with their forms; ``devices`` adds what only the device flow takes."""
    names, families = list(feeds), list(DEVICE_FAMILIES)
    chosen: dict[str, Param] = {
        "mode": Param(
            "load",
            enum=list(MODES),
            title="Mode",
            description="load sends what changed; plan sends nothing and shows what would be sent.",
        ),
        "feeds": _choice(names, names, "Feeds", "Which staging tables to load."),
        "device_families": _choice(
            families, [*families, *FAMILY_ALIASES], "Families", "Devices of other families are left out."
        ),
        "blueprints": _lines("Blueprints", "Names or ids, one a line; empty means all."),
    }
    chosen["serials"] = _lines("Serial numbers", "Devices of this run, one a line; empty means all.")
    if devices:
        chosen["tags"] = _lines("Tags", "Devices with one of these tags, one a line; empty means all.")
        chosen["missing_devices"] = Param(
            settings.missing_devices,
            enum=list(MISSING_POLICIES),
            title="Missing devices",
            description="What to do about a device that Iru no longer has. Nothing is ever deleted.",
        )
    return chosen | {
        "full_resend": Param(
            False, type="boolean", title="Full resend", description="Send unchanged rows too; ServiceNow ignores them."
        ),
        "lift_guards": _choice(
            None, list(GUARDS), "Lift guards", "Guards to ignore in this run; the run that one stopped names it."
        ),
        "release_parked": _lines(
            "Release parked rows",
            "Rows that were refused too often, to be sent again: serial numbers or ledger keys, one a line, or the "
            "word all.",
        ),
    }


def reads(source: SourceName, settings: Settings) -> dict[str, Any]:
    """Return what the task has for itself that asks Iru: its pool, and the asset of what it reads."""
    return {"pool": settings.named(IRU_POOL), "outlets": [inventory(source, settings)]}


def shaped_apps(folder: Any, settings: Settings) -> Any:
    """Return the run's folder once all apps are shaped: fetched by one task, or by one for each partition."""
    asks = reads("apps", settings)
    if settings.partitions == 1:
        pages: Any = tasks.extract.override(**asks)(folder)
        return tasks.shape(pages)
    numbers = list(range(settings.partitions))
    shares = tasks.extract_share.override(pool=asks["pool"]).partial(folder_uri=folder).expand(partition=numbers)
    shaped = tasks.shape.override(outlets=asks["outlets"])(folder)
    shares >> shaped
    return shaped


def alarms(settings: Settings) -> dict[str, Any]:
    """Return whom a DAG tells when a run fails or is late."""
    return {"on_failure_callback": notifiers(settings), "deadline": deadlines(settings) or None}


def load_tasks(feeds: Iterable[Feed], frames: Mapping[str, XComArg], settings: Settings) -> dict[str, Load]:
    """Return one load task per feed, in a group and in the feeds' order: later feeds refer to earlier ones.

    ``frames`` is what the plan task returns: the run's folder, and by feed where its frame to send is. Where the work
    is divided, each load is mapped over its partitions.
    """
    loads: dict[str, Load] = {}
    with TaskGroup("load"):
        for feed in feeds:
            load = _load(feed, _load_arguments(feed, frames, settings), settings.partitions)
            for before in list(loads.values())[-1:]:
                before >> load
            loads[feed.name] = load
    return loads


def _load(feed: Feed, arguments: dict[str, Any], partitions: int) -> Load:
    if partitions == 1:
        return FeedLoadOperator(**arguments)
    shared = FeedLoadOperator.partial(
        **arguments,
        partitions=partitions,
        map_index_template=f"{feed.name} {{{{ task.partition + 1 }}}} of {partitions}",
    )
    return shared.expand(partition=list(range(partitions)))


def _load_arguments(feed: Feed, frames: Mapping[str, XComArg], settings: Settings) -> dict[str, Any]:
    return {
        "task_id": feed.name,
        "feed": feed.name,
        "folder_uri": frames["folder"],
        "staging_table": feed.staging_table,
        "frame_uri": frames[feed.name],
        "key_columns": list(feed.key),
        "column_labels": feed.labels,
        "may_be_cut": sorted(feed.may_be_cut),
        "chunk_rows": settings.chunk_rows,
        "servicenow_conn_id": settings.servicenow_conn_id,
        "deferrable": True,
        "target": table(feed, settings),
        "told_by": alias(feed, settings),
        "outlets": [alias(feed, settings)],
        "pool": settings.named(SERVICENOW_POOL),
        "execution_timeout": LOAD_TIMEOUT,
        "task_display_name": f"Load {feed.name} into {feed.staging_table}",
    }


def _lines(title: str, description: str) -> Param:
    return Param(None, type=["null", "array"], items={"type": "string"}, title=title, description=description)


def _choice(default: list[str] | None, options: list[str], title: str, description: str) -> Param:
    return Param(
        default,
        type=["null", "array"] if default is None else "array",
        items={"type": "string", "enum": options},
        examples=options,
        title=title,
        description=description,
    )
