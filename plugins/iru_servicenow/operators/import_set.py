"""Load a staging frame through ServiceNow's Import Set API."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator, XComArg
from airflow.sdk.configuration import conf

from include.loading.frames import Share, frame_parts, load_frames
from include.loading.load import LoadResult
from include.loading.spec import LoadMethod, LoadSpec
from include.loading.transforms import TransformPending
from include.servicenow.settings import ColumnKeys
from include.web.transport import RequestCount
from iru_servicenow.hooks.servicenow import ServiceNowHook
from iru_servicenow.lineage import load_lineage
from iru_servicenow.storage import storage_path
from iru_servicenow.triggers.import_sets import ImportSetsTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


Spent = Mapping[str, float]
"""Requests, retries and seconds waited, by name."""

DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)

TRIGGER_GRACE_S = 300.0
"""The trigger gives up by itself; where no triggerer is at work, Airflow ends the waiting so much later."""


class ServiceNowImportSetOperator(BaseOperator):
    """Send every row of a Parquet frame into a staging table and learn what ServiceNow made of each.

    The frame holds text columns named like the staging table's; null cells are left out, columns with a leading
    underscore are not sent. Results lie beside the frame, one verdict per row (row, outcome, message, import_set).
    A retry goes on where the task was: nothing that ServiceNow acknowledged is sent twice.

    :param staging_table: name of the staging table.
    :param frame_uri: Parquet file or a folder of such, as a path or any URI that Airflow's object storage knows;
        empty: nothing to do.
    :param key_columns: staging columns that identify a row, to join ServiceNow's answers back to it.
    :param chunk_rows: rows per request and import set.
    :param load_method: ``insert_multiple`` (bulk, asynchronous) or ``single`` (one POST per row).
    :param column_keys: ``label`` or ``name``; by default what the connection's extra says.
    :param column_labels: labels by column, used where ``sys_dictionary`` may not be read.
    :param partition: which of the ``partitions`` of the frame's files this task loads, from 0.
    :param partitions: among how many tasks the frame's files are divided.
    :param concurrency: requests at the same time, each on a session of its own.
    :param may_be_cut: columns whose values ServiceNow may shorten; a cut in any other stops the load.
    :param transform_timeout_s: how long to wait for the transforms before the task fails and is tried again.
    :param deferrable: wait for transforms in the triggerer, where no worker slot is held.
    :param inline_wait_s: with ``deferrable``, how long to wait in the worker first: most transforms are quick.
    """

    template_fields: Sequence[str] = ("staging_table", "frame_uri", "load_method", "servicenow_conn_id")

    def __init__(
        self,
        *,
        staging_table: str,
        frame_uri: str | XComArg,
        key_columns: Sequence[str],
        chunk_rows: int = 500,
        load_method: LoadMethod = "insert_multiple",
        column_keys: ColumnKeys | None = None,
        column_labels: Mapping[str, str] | None = None,
        may_be_cut: Sequence[str] = (),
        partition: int = 0,
        partitions: int = 1,
        concurrency: int = 4,
        transform_timeout_s: float = 1800.0,
        deferrable: bool | None = None,
        inline_wait_s: float = 10.0,
        servicenow_conn_id: str = ServiceNowHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.staging_table = staging_table
        self.frame_uri = frame_uri
        self.key_columns = key_columns
        self.chunk_rows = chunk_rows
        self.load_method = load_method
        self.column_keys = column_keys
        self.column_labels = column_labels
        self.may_be_cut = may_be_cut
        self.partition = partition
        self.partitions = partitions
        self.concurrency = concurrency
        self.transform_timeout_s = transform_timeout_s
        self.deferrable = DEFERRABLE if deferrable is None else deferrable
        self.inline_wait_s = inline_wait_s
        self.servicenow_conn_id = servicenow_conn_id

    def execute(self, context: "Context") -> dict[str, Any]:
        """Load the frame; return the staging table, the number of rows, rows by outcome, and the requests made."""
        if not self.frame_uri:
            self.log.info("Nothing to send to %s.", self.staging_table)
            return self._told(LoadResult(rows=0, outcomes={}, requests=0))
        return self._load(patience_s=self.transform_timeout_s, spent={})

    def resume(self, context: "Context", event: dict[str, Any], spent: Spent | None = None) -> dict[str, Any]:
        """Go on after a deferral: what was sent is asked about, the rest is sent.

        ``spent`` is the cost so far; ``dag.test()`` does not hand it over.
        Where the transforms have not ended in time, this fails as it would have without a deferral.
        """
        return self._load(patience_s=self.transform_timeout_s if event["ended"] else 0.0, spent=spent or {})

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the load's datasets; only Airflow's OpenLineage provider asks for them."""
        if not self.frame_uri:
            return None
        result = task_instance.xcom_pull(task_ids=self.task_id) or {}
        return load_lineage(
            frame_uri=str(self.frame_uri),
            base_url=ServiceNowHook(self.servicenow_conn_id).settings.base_url,
            tables=self.lineage_tables,
            rows=int(result.get("rows", 0)),
        )

    @property
    def lineage_tables(self) -> list[str]:
        """The tables that a load writes."""
        return [self.staging_table]

    def _load(self, *, patience_s: float, spent: Spent) -> dict[str, Any]:
        """Send what is to be sent and wait for a while, in this process, then in the triggerer."""
        hook = ServiceNowHook(self.servicenow_conn_id)
        client = hook.get_conn()
        share = Share(self.partition, self.partitions)
        spec = self._spec(hook, wait_s=min(self.inline_wait_s, patience_s) if self.deferrable else patience_s)
        try:
            result = load_frames(client, spec, frame_parts(storage_path(str(self.frame_uri)), share))
        except TransformPending:
            if not self.deferrable or not patience_s:
                raise
            self._wait_elsewhere(_added(spent, client.requests))
        told = ", ".join(f"{n} {outcome}" for outcome, n in result.outcomes.items() if n)
        self.log.info("%s: %d rows sent: %s.", self.staging_table, result.rows, told)
        return self._told(replace(result, **_added(spent, client.requests)))

    def _wait_elsewhere(self, spent: Spent) -> NoReturn:
        """Give the worker back until the transforms have ended (raises TaskDeferred)."""
        self.log.info("The transforms of %s go on; waiting for them in the triggerer.", self.staging_table)
        trigger = ImportSetsTrigger(
            servicenow_conn_id=self.servicenow_conn_id,
            staging_table=self.staging_table,
            key_columns=list(self.key_columns),
            frame_uri=str(self.frame_uri),
            until_s=time.time() + self.transform_timeout_s,
            partition=self.partition,
            partitions=self.partitions,
        )
        self.defer(
            trigger=trigger,
            method_name="resume",
            kwargs={"spent": dict(spent)},
            timeout=timedelta(seconds=self.transform_timeout_s + TRIGGER_GRACE_S),
        )

    def _spec(self, hook: ServiceNowHook, *, wait_s: float) -> LoadSpec:
        return LoadSpec(
            table=self.staging_table,
            key_columns=tuple(self.key_columns),
            column_keys=self.column_keys or hook.settings.column_keys,
            labels=dict(self.column_labels or {}),
            method=self.load_method,
            chunk_rows=self.chunk_rows,
            concurrency=self.concurrency,
            transform_timeout_s=wait_s,
            may_be_cut=frozenset(self.may_be_cut),
        )

    def _told(self, result: LoadResult) -> dict[str, Any]:
        return {"staging_table": self.staging_table, **asdict(result)}


def _added(spent: Spent, cost: RequestCount) -> dict[str, Any]:
    """Return what a load has cost in all, with what it cost before it was deferred."""
    now = {"requests": cost.total, "retries": cost.retries, "waited_s": round(cost.waited_s, 1), "ruled": cost.ruled}
    return {name: value + spent.get(name, 0) for name, value in now.items()}
