"""Wait for the transforms of a load's import sets without holding a worker."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from include.errors import PipelineError, RetryLater
from include.loading.frames import Share, frame_parts
from include.loading.receipts import Receipts
from include.loading.spec import LoadSpec
from include.loading.transforms import have_ended
from include.servicenow.client import ServiceNowClient
from include.web.retry import RetryPolicy
from iru_servicenow.hooks.servicenow import ServiceNowHook
from iru_servicenow.storage import storage_path

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 3.0, 15.0

_FEW_TRIES = RetryPolicy(attempts=2, budget_s=10.0, elapsed_budget_s=60.0)


class ImportSetsTrigger(BaseTrigger):
    """Fires once all import sets of a frame have ended, or once it is too late; the task then finds out what became.

    It is made of names only: which frame's receipts to read, and by which connection to ask.

    :param servicenow_conn_id: the instance's connection.
    :param staging_table: the table that the rows went into.
    :param key_columns: its columns that identify a row.
    :param frame_uri: the frame whose receipts name the import sets.
    :param until_s: when to give up, in unix seconds.
    :param partition: which of the ``partitions`` of the frame's files the load is about.
    """

    def __init__(
        self,
        *,
        servicenow_conn_id: str,
        staging_table: str,
        key_columns: list[str],
        frame_uri: str,
        until_s: float,
        partition: int = 0,
        partitions: int = 1,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's triggers are not typed
        self.servicenow_conn_id = servicenow_conn_id
        self.staging_table = staging_table
        self.key_columns = key_columns
        self.frame_uri = frame_uri
        self.until_s = until_s
        self.partition = partition
        self.partitions = partitions
        self._client: ServiceNowClient | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the names that make it."""
        names = (
            "servicenow_conn_id", "staging_table", "key_columns", "frame_uri", "until_s", "partition", "partitions",
        )  # fmt: skip
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: ``ended`` says whether the transforms have."""
        pause_s = FIRST_PAUSE_S
        while not (ended := await asyncio.to_thread(self._have_ended)) and time.time() < self.until_s:
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 1.5)
        yield TriggerEvent({"ended": ended})  # type: ignore[no-untyped-call]  # as above

    def _have_ended(self) -> bool:
        """Ask once; what only the task can judge ends the waiting as well."""
        try:
            if self._client is None:
                self._client = ServiceNowClient(ServiceNowHook(self.servicenow_conn_id).settings, retry=_FEW_TRIES)
            parts = frame_parts(storage_path(self.frame_uri), Share(self.partition, self.partitions))
            sets = {sent.sys_id: len(sent.rows) for path in parts for sent in Receipts(path).sent()}
            spec = LoadSpec(table=self.staging_table, key_columns=tuple(self.key_columns))
            return have_ended(self._client, spec, sets)
        except RetryLater as error:
            log.warning("Whether the transforms have ended cannot be told now: %s", error)
            return False
        except PipelineError as error:
            log.warning("The task is woken to look itself: %s", error)
            return True
