"""Load a staging frame through ServiceNow's Import Set API."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, ObjectStoragePath, XComArg

from include.loading.load import LoadResult, load_frame
from include.loading.spec import LoadMethod, LoadSpec
from include.servicenow.settings import ColumnKeys
from iru_servicenow.hooks.servicenow import ServiceNowHook

if TYPE_CHECKING:
    from airflow.sdk import Context


class ServiceNowImportSetOperator(BaseOperator):
    """Send every row of a Parquet frame into a staging table and learn what ServiceNow made of each.

    The frame holds text columns named like the staging table's; null cells are left out, columns with a leading
    underscore are not sent. Results lie beside the frame, one verdict per row (row, outcome, message, import_set).
    A retry goes on where the task was: nothing that ServiceNow acknowledged is sent twice.

    :param staging_table: name of the staging table.
    :param frame_uri: Parquet file, as a path or any URI that Airflow's object storage knows; empty: nothing to do.
    :param key_columns: staging columns that identify a row, to join ServiceNow's answers back to it.
    :param chunk_rows: rows per request and import set.
    :param load_method: ``insert_multiple`` (bulk, asynchronous) or ``single`` (one POST per row).
    :param column_keys: ``label`` or ``name``; by default what the connection's extra says.
    :param column_labels: labels by column, used where ``sys_dictionary`` may not be read.
    :param concurrency: requests at the same time, each on a session of its own.
    :param may_be_cut: columns whose values ServiceNow may shorten; a cut in any other stops the load.
    :param transform_timeout_s: how long to wait for a transform before the task fails and is tried again.
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
        concurrency: int = 4,
        transform_timeout_s: float = 1800.0,
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
        self.concurrency = concurrency
        self.transform_timeout_s = transform_timeout_s
        self.servicenow_conn_id = servicenow_conn_id

    def execute(self, context: "Context") -> dict[str, Any]:
        """Load the frame; return the staging table, the number of rows, rows by outcome, and the requests made."""
        if not self.frame_uri:
            self.log.info("Nothing to send to %s.", self.staging_table)
            return self._told(LoadResult(rows=0, outcomes={}, requests=0))
        hook = ServiceNowHook(self.servicenow_conn_id)
        spec = LoadSpec(
            table=self.staging_table,
            key_columns=tuple(self.key_columns),
            column_keys=self.column_keys or hook.settings.column_keys,
            labels=dict(self.column_labels or {}),
            method=self.load_method,
            chunk_rows=self.chunk_rows,
            concurrency=self.concurrency,
            transform_timeout_s=self.transform_timeout_s,
            may_be_cut=frozenset(self.may_be_cut),
        )
        result = load_frame(hook.get_conn(), spec, ObjectStoragePath(str(self.frame_uri)))
        told = ", ".join(f"{n} {outcome}" for outcome, n in result.outcomes.items() if n)
        self.log.info("%s: %d rows sent: %s.", self.staging_table, result.rows, told)
        return self._told(result)

    def _told(self, result: LoadResult) -> dict[str, Any]:
        return {"staging_table": self.staging_table, **asdict(result)}
