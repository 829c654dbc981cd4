"""A flow from start to end in this process, without Airflow: the same stages in the same order, as its tasks run them.

A run that was killed goes on where it was when it is started again with the same run id.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.detection.carry import note_seen, settle_changes, take_changes
from include.detection.queue import Queue
from include.detection.tables import WatchTables
from include.errors import PipelineError
from include.inventory.conclude import conclude, stopped_at
from include.inventory.ledger import Ledger, Pair
from include.inventory.mapping import Feed, FeedMapping, SourceName, load_mapping
from include.inventory.params import RunParams
from include.inventory.recover import has_open, recover, spec_of
from include.inventory.report import Report
from include.inventory.run import Rules, Run, Services
from include.inventory.run_folder import RunFolder
from include.inventory.run_registry import RunRegistry
from include.inventory.stages import run_extract, run_plan, run_shape
from include.inventory.under_way import UnderWay
from include.iru.client import IruClient, IruSettings
from include.loading.frames import load_frames
from include.loading.spec import LoadSpec
from include.loading.transforms import Waiting
from include.servicenow.client import ServiceNowClient
from include.servicenow.settings import ServiceNowSettings
from include.web.retry import RetryPolicy

DAG_IDS: dict[SourceName, str] = {"devices": "iru_devices", "apps": "iru_apps"}


@dataclass(frozen=True, slots=True)
class Flow:
    """One pair of services, and where its runs and its ledger are kept; ``spec`` is what all feeds' loads share."""

    root: Path
    iru: IruSettings
    servicenow: ServiceNowSettings
    spec: LoadSpec = field(default_factory=lambda: LoadSpec(table="-", key_columns=("-",)))
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    waiting: Waiting = field(default_factory=Waiting)
    rules: Rules = field(default_factory=Rules)
    mapping: FeedMapping = field(default_factory=load_mapping)

    def run(self, source: SourceName, run_id: str, *, triggered: bool = False, **params: Any) -> Report:
        """Run a flow to its end and return the report, which says why it failed where it did.

        ``triggered``: it was asked for because devices changed, as the watcher asks.
        """
        feeds = [feed.name for feed in self.mapping.of_source(source)]
        folder = RunFolder(self.root / "runs" / DAG_IDS[source] / run_id)
        run = Run(source, RunParams.parse(params, feeds=feeds), self.mapping, folder, self.rules)
        registry = RunRegistry(self._url, self._pair, source)
        registry.take(run_id, str(folder.root))
        urls = (self._pair.source, self._pair.target)
        run.note(dag_id=DAG_IDS[source], run_id=run_id, pair=urls, triggered=triggered)
        loads: dict[str, dict[str, Any]] = {}
        with suppress(PipelineError):  # its stage has noted it, and the report says so
            self._stages(run, run_id, registry, loads)
        with UnderWay(run.folder, registry, run_id, "settle"):
            report = conclude(run, self._ledger(), dag_id=DAG_IDS[source], run_id=run_id, loads=loads)
            if not stopped_at(run)[0] and not has_open(run):
                registry.close(run_id)
        registry.release(run_id)
        settle_changes(run, self.changes, run_id, failed=bool(report.failed))
        return report

    def _stages(self, run: Run, run_id: str, registry: RunRegistry, loads: dict[str, dict[str, Any]]) -> None:
        def stage(name: str, work: Callable[[], None], *, again: bool = False) -> None:
            if again or not run.folder.told_by(name):
                with UnderWay(run.folder, registry, run_id, name):
                    work()

        stage("extract", lambda: self._extract(run, run_id))
        run = Run.read(run.folder.root, self.mapping, self.rules)
        stage("shape", lambda: run_shape(run))
        stage("plan", lambda: self._plan(run, run_id, registry))
        for feed in run.feeds if run.params.mode == "load" else []:
            stage(f"load-{feed.name}", lambda feed=feed: self._load(run, feed, loads), again=True)

    def _extract(self, run: Run, run_id: str) -> None:
        run = take_changes(run, self.changes, run_id)
        run_extract(run, self.connect_iru())
        note_seen(run, self.changes)

    def _plan(self, run: Run, run_id: str, registry: RunRegistry) -> None:
        services = Services(self._ledger(), iru=self.connect_iru, servicenow=self.connect_servicenow, loads=self.spec)
        run_plan(run, services, in_flight=recover(run, services, registry, run_id=run_id, open_folder=Path))

    def _load(self, run: Run, feed: Feed, loads: dict[str, dict[str, Any]]) -> None:
        if not run.rows_to_send(feed.name):
            return
        spec, parts = spec_of(feed, self.spec), run.folder.to_send(feed.name).paths()
        told = load_frames(self.connect_servicenow(), spec, parts, waiting=self.waiting)
        loads[feed.name] = {"requests": told.requests, "retries": told.retries, "waited_s": told.waited_s}

    def connect_iru(self) -> IruClient:
        """Return a client of the tenant."""
        return IruClient(self.iru, retry=self.retry)

    def connect_servicenow(self) -> ServiceNowClient:
        """Return a client of the instance."""
        return ServiceNowClient(self.servicenow, retry=self.retry)

    @property
    def tables(self) -> WatchTables:
        """What the watcher of the tenant remembers."""
        return WatchTables(self._url, self._pair)

    @property
    def changes(self) -> Queue:
        """The changed devices that wait for a run."""
        return Queue(self.tables)

    def _ledger(self) -> Ledger:
        return Ledger(self._url, self._pair)

    @property
    def _url(self) -> str:
        return f"sqlite:///{self.root}/ledger.sqlite"

    @property
    def _pair(self) -> Pair:
        return Pair(self.iru.base_url, self.servicenow.base_url)
