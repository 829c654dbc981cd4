"""A stage of a run as a task sees it: which run, with which settings, and nobody else at work on it."""

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CommsDecoder

from include.detection.queue import Queue
from include.detection.tables import WatchTables
from include.inventory.ledger import Ledger, Pair
from include.inventory.mapping import SourceName, load_mapping
from include.inventory.processes import die_with_parent
from include.inventory.run import Rules, Run
from include.inventory.run_registry import RunRegistry
from include.inventory.settings import Settings
from include.inventory.under_way import UnderWay
from include.storage import read_json
from iru_servicenow.hooks.iru import IruHook
from iru_servicenow.hooks.servicenow import ServiceNowHook
from iru_servicenow.retry import pause_s
from iru_servicenow.storage import storage_path


@contextmanager
def under_way(folder_uri: str, stage: str, *, rest_s: float = 0.0, is_part: bool = False) -> Iterator[Run]:
    """Open the run of a folder for one stage; RunUnsafe when another run has begun since.

    A stage that is deferred stays under way for ``rest_s`` at most, although nobody is at work on it. Beside one that
    ``is_part`` other partitions of the run may be at work.
    """
    die_with_supervisor()
    run = open_run(folder_uri)
    runs, rests = registry(settings_of(run), run.source), {TaskDeferred: rest_s}
    with UnderWay(run.folder, runs, run_id(run), stage, pause_s=pause_s, rests=rests, is_part=is_part):
        yield run


def die_with_supervisor() -> None:
    """End this task's process when Airflow's process that watches over it dies.

    Airflow then gives the task up and starts it again. One that went on all the same would keep the new try waiting on
    this host until there are no tries left, and on another host it would send what the new try sends as well.
    """
    if isinstance(getattr(task_runner, "SUPERVISOR_COMMS", None), CommsDecoder):  # not so in dag.test()
        die_with_parent()


def open_run(folder_uri: str) -> Run:
    """Return the run of a folder, with the mapping and the rules of its pair."""
    folder = storage_path(folder_uri)
    settings = Settings.of_pair(Run.pair_of(folder))
    return Run.read(folder, load_mapping(settings.mapping), rules(settings))


def run_id(run: Run) -> str:
    """Return a run's id, as its first task noted it."""
    return str(read_json(run.folder.about)["run_id"])


def settings_of(run: Run) -> Settings:
    """Return the settings of the pair that a run works for."""
    return Settings.of_pair(run.pair_name)


def rules(settings: Settings) -> Rules:
    """Return what the settings say about every run."""
    return Rules(settings.guards, settings.max_attempts, settings.apps_extract, settings.partitions)


def iru_hook(settings: Settings) -> IruHook:
    """Return the hook of a pair's tenant."""
    return IruHook(settings.iru_conn_id)


def servicenow_hook(settings: Settings) -> ServiceNowHook:
    """Return the hook of a pair's instance."""
    return ServiceNowHook(settings.servicenow_conn_id)


def pair(settings: Settings) -> Pair:
    """Return the base URLs of both connections of a pair."""
    return Pair(iru_hook(settings).settings.base_url, servicenow_hook(settings).settings.base_url)


def ledger(settings: Settings) -> Ledger:
    """Open the ledger of a pair."""
    return Ledger(settings.ledger, pair(settings))


def changes(settings: Settings) -> Queue:
    """Open the queue of changed devices, which lies in the ledger's database."""
    return Queue(WatchTables(settings.ledger, pair(settings)))


def registry(settings: Settings, source: SourceName) -> RunRegistry:
    """Open the registry of a flow's runs, which lies in the ledger's database."""
    return RunRegistry(settings.ledger, pair(settings), source)
