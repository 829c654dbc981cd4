"""Wake the device flow when devices change in Iru."""

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from include.detection.cadence import Cadence
from include.detection.detector import Detector, Poll
from include.detection.memory import Memory
from include.detection.tables import WatchTables
from include.errors import PipelineError
from include.inventory.mapping import load_mapping
from include.inventory.settings import Settings
from include.iru.client import IruClient
from include.web.retry import RetryPolicy
from iru_servicenow.under_way import iru_hook, pair

log = logging.getLogger(__name__)

NOT_READY_S = 60.0
"""A watcher whose settings or connections are wrong looks again after so long; a person may have mended them."""

_FEW_TRIES = RetryPolicy(attempts=3, budget_s=20.0, elapsed_budget_s=60.0)


class DeviceChangeTrigger(BaseEventTrigger):
    """Looks for changed devices of one pair's tenant, and fires one event for all that wait.

    The event carries their number only; the run takes the devices from the watcher's table, in the ledger's database,
    which also holds its position: a restart loses and repeats nothing, and of several triggerers one watches at a time.

    :param pair_name: the pair of tenant and instance, empty where there is only one.
    """

    def __init__(self, pair_name: str = "") -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's triggers are not typed
        self.pair_name = pair_name
        self._detector: Detector | None = None
        self._holder = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and what makes it: a name, never a connection."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"pair_name": self.pair_name}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event each time a run is to be asked for; never ends by itself."""
        while True:
            poll = await asyncio.to_thread(self._poll)
            if poll.ask_for:
                log.info("Asking for a run: %d devices have changed.", poll.ask_for)
                yield TriggerEvent({"changed_devices": poll.ask_for})  # type: ignore[no-untyped-call]  # as above
            await asyncio.sleep(poll.again_in_s)

    def _poll(self) -> Poll:
        try:
            if self._detector is None:
                self._detector = self._prepare()
            return self._detector.poll()
        except PipelineError as error:
            self._detector = None
            log.warning("Devices are not watched: %s", error)
        except Exception as error:  # a trigger that ends is not started again before the DAG is parsed
            self._detector = None
            log.error("Devices are not watched, because of a defect (%s).", type(error).__name__, exc_info=error)
        return Poll(0, NOT_READY_S)

    def _prepare(self) -> Detector:
        settings = Settings.of_pair(self.pair_name)
        hook, tables = iru_hook(settings), WatchTables(settings.ledger, pair(settings))
        return Detector(
            connect=lambda: IruClient(hook.settings, retry=_FEW_TRIES),
            memory=Memory(tables, self._holder),
            mapping=load_mapping(settings.mapping),
            cadence=Cadence(settings.watch_share),
        )
