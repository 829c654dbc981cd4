"""Ask Iru what changed: the audit log every half minute, the list of devices as often as the quota's share allows.

A change that both report is one change: an event of the audit log from before the last sweep began is not new. One
event asks for one run, whatever number of devices changed; the next is asked for once that run has begun.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from include.detection.cadence import AUDIT_EVERY_S, Cadence, backoff_s
from include.detection.fingerprint import fingerprints, watched_fields
from include.detection.memory import LeaseLost, Memory, Position, Waiting
from include.errors import AnswerUnusable, PipelineError, RetryLater, SetupWrong
from include.inventory.mapping import FeedMapping
from include.iru.audit import AuditEvent, iter_audit, newest_event
from include.iru.client import IruClient, is_device_id
from include.iru.quota import Quota

log = logging.getLogger(__name__)

LEASE_S = 120.0
"""A watcher that does not come back for so long is replaced."""
BURST_DEVICES = 50
LONGEST_BURST_S = 60.0
"""More changed devices than these wait until a sweep finds no more, but not longer than that."""
LOST_EVENT_S = 600.0
"""A run that was asked for and has not begun is asked for again after so long."""
TURN_CHECK_S = 15.0
"""A watcher whose turn it is not asks again after so long."""
NO_AUDIT_S = 3600.0
"""Where the audit log may not be read, it is asked for again after so long."""

_OVERLAP = timedelta(seconds=120)
_CLOCK_SLACK_S = 4.0
"""By how much the time of Iru's answers may be behind: it has whole seconds, and a busy server renews it late."""


@dataclass(frozen=True, slots=True)
class Poll:
    """What one look at Iru came to.

    ``ask_for``: how many devices wait for the run that is to be asked for now; 0: none is. ``again_in_s``: when to look
    again, in seconds.
    """

    ask_for: int
    again_in_s: float


@dataclass
class Detector:
    """Looks at one tenant; one thread at a time may call it.

    ``connect`` gives a client whose retries are few: the detector has a patience of its own.
    """

    connect: Callable[[], IruClient]
    memory: Memory
    mapping: FeedMapping
    cadence: Cadence = field(default_factory=Cadence)
    now_s: Callable[[], float] = time.time
    _client: IruClient | None = None
    _devices: int = 0
    _failures: int = 0
    _audit_due_s: float = 0.0
    _sweep_due_s: float = 0.0
    _changed: frozenset[str] = frozenset()

    def poll(self) -> Poll:
        """Ask what is due, and say whether a run is to be asked for; what goes wrong is logged and waited for."""
        try:
            if not self.memory.take_turn(LEASE_S):
                return Poll(0, TURN_CHECK_S)
            self._look()
            self._failures = 0
            return self._decide(self.memory.waiting())
        except LeaseLost:
            return Poll(0, TURN_CHECK_S)
        except PipelineError as error:
            return self._back_off(error)

    def _look(self) -> None:
        if self.now_s() >= self._audit_due_s:
            self._audit_due_s = self.now_s() + (AUDIT_EVERY_S if self._read_audit() else NO_AUDIT_S)
        if self.now_s() >= self._sweep_due_s:
            self._changed = self._sweep()
            self._sweep_due_s = self.now_s() + self.cadence.sweep_every_s(self._devices, self._quota())

    def _sweep(self) -> frozenset[str]:
        """Read the list of devices and return those that changed."""
        client, fields = self._connected(), watched_fields(self.mapping)
        seen: dict[str, str] = {}
        began_s, rows = 0.0, 0
        for page in client.iter_devices():
            began_s = began_s or self._iru_now_s()  # as the answer of the first page says
            seen.update(fingerprints(page, fields))
            rows += len(page)
            self.memory.take_turn(LEASE_S)
        self._devices = rows
        changed = self.memory.keep_sweep(seen, began_s=began_s or self._iru_now_s())
        if changed:
            log.info("%d of %d devices have changed.", len(changed), rows)
        return changed

    def _read_audit(self) -> bool:
        """Remember the devices that the audit log names since the last time; False where the log is of no use."""
        position = self.memory.position()
        try:
            if not position.since:
                newest = newest_event(self._connected())
                since = newest.occurred_at if newest else _spelled(datetime.fromtimestamp(self._iru_now_s(), UTC))
                self.memory.keep_audit((), Position(since, (newest.event_id,) if newest else ()))
                return True
            events = list(iter_audit(self._connected(), since=_earlier(position.since)))
        except (SetupWrong, AnswerUnusable) as error:
            log.warning("The audit log is of no use, the list of devices alone tells what changed: %s", error)
            return False
        fresh = [event for event in events if event.event_id not in position.known]
        swept_at_s = self.memory.swept_at_s() if fresh else None
        changed = {event.target_id for event in fresh if self._is_news(event, swept_at_s)}
        self.memory.keep_audit(changed, _after(position, events))
        if changed:
            log.info("The audit log names %d changed devices.", len(changed))
        return True

    def _is_news(self, event: AuditEvent, swept_at_s: float | None) -> bool:
        """Say whether an event tells of a device that no sweep since can have shown.

        That a device was deleted is no news: the scheduled full run alone may conclude that.
        """
        if event.target_type != "device" or event.action == "delete" or not is_device_id(event.target_id):
            return False
        at = _read(event.occurred_at)
        if swept_at_s is None or at is None:
            return True
        after_s = at.timestamp() - swept_at_s  # whole seconds are all that answers tell of Iru's clock
        return after_s > _CLOCK_SLACK_S or (after_s > -_CLOCK_SLACK_S and event.target_id not in self._changed)

    def _decide(self, waiting: Waiting) -> Poll:
        now_s = self.now_s()
        next_s = max(1.0, min(self._sweep_due_s, self._audit_due_s) - now_s)
        asked_s = now_s - waiting.fired_at_s if waiting.fired_at_s is not None else None
        if not waiting.devices or now_s < waiting.hold_until_s or (asked_s is not None and asked_s < LOST_EVENT_S):
            return Poll(0, next_s)
        is_burst = waiting.devices > BURST_DEVICES and now_s - waiting.oldest_s < LONGEST_BURST_S
        if is_burst and self._changed:
            return Poll(0, next_s)
        self.memory.fired()
        return Poll(waiting.devices, next_s)

    def _back_off(self, error: PipelineError) -> Poll:
        self._failures += 1
        self._audit_due_s = 0.0
        self._client = None  # its session, and a token that may have been replaced meanwhile
        wait_s = backoff_s(self._failures, after_s=error.after_s if isinstance(error, RetryLater) else None)
        log.warning(
            "Watching Iru for changes pauses for %.0f s (failure %d in a row): %s", wait_s, self._failures, error
        )
        return Poll(0, wait_s)

    def _connected(self) -> IruClient:
        if self._client is None:
            self._client = self.connect()
        return self._client

    def _quota(self) -> Quota | None:
        return self._client.quota if self._client else None

    def _iru_now_s(self) -> float:
        """Return the time by Iru's clock as its last answer told it, else by ours."""
        quota = self._quota()
        return quota.seen_s if quota else self.now_s()


def _after(position: Position, events: list[AuditEvent]) -> Position:
    """Return the position behind some events: events that share its last minutes are known by their ids."""
    moments = {event.event_id: at for event in events if (at := _read(event.occurred_at))}
    newest = max([*moments.values(), _read(position.since) or datetime.min.replace(tzinfo=UTC)])
    known = [event_id for event_id, at in moments.items() if at >= newest - _OVERLAP]
    return Position(_spelled(newest), tuple(dict.fromkeys(known)))


def _earlier(since: str) -> str:
    at = _read(since)
    return _spelled(at - _OVERLAP) if at else since


def _read(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _spelled(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
