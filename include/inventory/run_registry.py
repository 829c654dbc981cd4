"""Which runs of a flow there were, which of them is under way, and which still have verdicts to come.

One flow (``devices`` or ``apps``) of a pair has one run under way at most. Each run that begins takes the next turn and
marks the run before it, in one transaction; a run that finds itself marked has been taken over and goes no further.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from include.errors import RetryLater, RunUnsafe
from include.inventory.database import WAIT_S, open_database, pair_columns, storage_failures
from include.inventory.ledger_tables import Pair
from include.inventory.processes import Process, is_alive, this_process
from include.inventory.run_parts import TIME, Part, RunParts

BETWEEN_STAGES = timedelta(seconds=60)
"""A run whose next stage does not begin for so long, beyond the pause before a retry, has been given up."""
WITHOUT_A_BEAT = timedelta(hours=2)
"""A stage of another host counts as dead after so long; no stage may run longer (execution_timeout)."""

_KEPT_RUNS = 1000

_runs = sa.Table(
    "ledger_runs",
    sa.MetaData(),
    *pair_columns(),
    sa.Column("name", sa.String(40), primary_key=True, comment="the flow: devices or apps"),
    sa.Column("run_id", sa.String(250), primary_key=True),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("state", sa.String(10), nullable=False, comment="open until all that was sent has its verdict"),
    sa.Column("turn", sa.Integer, nullable=False, comment="in the order in which runs began"),
    sa.Column("held", sa.Boolean, nullable=False, comment="it is under way"),
    sa.Column("lost_to", sa.String(250), nullable=False, comment="the run that began after it"),
    sa.Column("host", sa.String(250), nullable=False, comment="of the last stage, as is the process"),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("process_start", sa.Float, nullable=False, comment="unix seconds"),
    sa.Column("same_process", sa.Boolean, nullable=False, comment="the last two stages had the same process"),
    sa.Column("stage", sa.String(60), nullable=False),
    sa.Column("in_stage", sa.Boolean, nullable=False),
    sa.Column("beat_at", sa.String(26), nullable=False, comment="UTC; when the stage began or ended"),
    sa.Column("pause_s", sa.Float, comment="how long its failed stage may wait until it is tried again; null is 0"),
    sa.UniqueConstraint("source", "target", "name", "turn"),
)


@dataclass(frozen=True, slots=True)
class KnownRun:
    """One run as the registry knows it."""

    run_id: str
    folder: str
    state: str
    turn: int
    held: bool
    lost_to: str
    process: Process
    same_process: bool
    stage: str
    in_stage: bool
    beat_at: datetime
    pause_s: float = 0.0


class RunRegistry:
    """The runs of one flow of one pair; StorageFailed when the database fails."""

    def __init__(
        self,
        url: str,
        pair: Pair,
        name: str,
        *,
        wait_s: float = WAIT_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        me: Callable[[], Process] = this_process,
    ) -> None:
        self._of = {"source": pair.source, "target": pair.target, "name": name}
        self._engine = open_database(url, wait_s=wait_s)
        self._parts = RunParts(self._of)
        self._now = now
        self._me = me()

    def take(self, run_id: str, folder: str) -> None:
        """Begin a run, or begin it anew. Raises RetryLater while another one is under way."""
        last = self._last()
        if last and last.run_id == run_id and not last.lost_to:
            self.enter(run_id, "prepare")
            return
        if last:
            self._refuse_while_at_work(last)
        turn = last.turn + 1 if last else 1
        values = self._stage("prepare") | {"folder": folder, "state": "open", "held": True, "lost_to": "", "turn": turn}
        try:
            with storage_failures(), self._engine.begin() as connection:
                if last and not connection.execute(self._mark(last, lost_to=run_id)).rowcount:
                    raise _at_work(last)  # it moved on at this very moment
                mine = connection.execute(self._where(run_id).values(**values, same_process=False)).rowcount
                if not mine:
                    row = {**self._of, "run_id": run_id, "same_process": False, **values}
                    connection.execute(sa.insert(_runs).values(row))
        except sa.exc.IntegrityError:  # another run took the same turn
            raise RetryLater("Another run has begun at the same moment.") from None

    def enter(self, run_id: str, stage: str) -> None:
        """Begin a stage. Raises RunUnsafe when another run has begun since, RetryLater while the run's own is at work.

        A run that ended and after which none began goes on where it was.
        """
        mine = self._known(run_id)
        same = mine.process.is_same(self._me)
        if mine.in_stage and self._is_elsewhere(mine.process):
            raise _at_work(mine)
        changed = self._write(
            self._where(run_id)
            .where(_runs.c.lost_to == "")
            .values(**self._stage(stage), held=True, state="open", same_process=same)
        )
        if not changed:
            raise self._lost(self._find(run_id) or mine)

    def enter_part(self, run_id: str, stage: str) -> None:
        """Begin one partition of a stage, beside others of the same run; raises what ``enter`` raises."""
        mine = self._known(run_id)
        with storage_failures(), self._engine.begin() as connection:
            part = next((part for part in self._parts.read(connection, run_id) if part.stage == stage), None)
            if part and part.in_stage and self._is_elsewhere(part.process):
                raise _at_work(replace(mine, process=part.process, stage=stage, in_stage=True, beat_at=part.beat_at))
            held = (
                self._where(run_id).where(_runs.c.lost_to == "").values(held=True, state="open", beat_at=self._stamp())
            )
            if not connection.execute(held).rowcount:
                raise self._lost(self._find(run_id) or mine)
            self._parts.note(connection, run_id, Part(stage, self._me, in_stage=True, beat_at=self._now(), pause_s=0.0))

    def leave_part(self, run_id: str, stage: str, *, pause_s: float = 0.0) -> None:
        """End one partition of a stage, as ``leave`` ends a stage."""
        ended = Part(stage, self._me, in_stage=False, beat_at=self._now(), pause_s=pause_s)
        with storage_failures(), self._engine.begin() as connection:
            self._parts.note(connection, run_id, ended)
            connection.execute(self._where(run_id).values(beat_at=self._stamp()))

    def leave(self, run_id: str, *, pause_s: float = 0.0) -> None:
        """End the stage that is under way; ``pause_s`` is how long it may take until it is tried again, in seconds."""
        self._write(self._where(run_id).values(in_stage=False, beat_at=self._stamp(), pause_s=pause_s))

    def release(self, run_id: str) -> None:
        """End a run; another one may begin."""
        with storage_failures(), self._engine.begin() as connection:
            connection.execute(self._where(run_id).values(held=False, in_stage=False, beat_at=self._stamp()))
            self._parts.forget(connection, run_id)

    def close(self, run_id: str) -> None:
        """Note that nothing of a run is left to ask about; runs of long ago are forgotten."""
        self._write(self._where(run_id).values(state="closed"))
        newest = sa.select(sa.func.max(_runs.c.turn)).where(*self._ours()).scalar_subquery()
        old = [_runs.c.state == "closed", _runs.c.turn < newest - _KEPT_RUNS]
        self._write(sa.delete(_runs).where(*self._ours(), *old))

    def open_runs(self) -> list[KnownRun]:
        """Return the runs of which something may be left to ask about, oldest first."""
        return [run for run in self._read() if run.state == "open"]

    def newer_than(self, run_id: str) -> frozenset[str]:
        """Return the runs that began after a run."""
        runs = self._read()
        turn = next((run.turn for run in runs if run.run_id == run_id), 0)
        return frozenset(run.run_id for run in runs if run.turn > turn)

    def lost_to(self, run_id: str) -> str:
        """Return the run that began after a run, or ""."""
        mine = self._find(run_id)
        return mine.lost_to if mine else ""

    def shut(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _refuse_while_at_work(self, last: KnownRun) -> None:
        """Raise RetryLater unless the run before has ended, has died, or was given up."""
        if not last.held:
            return
        if not self._has_ended(last, same_process=last.same_process):
            raise _at_work(last)
        with storage_failures(), self._engine.connect() as connection:
            parts = self._parts.read(connection, last.run_id)
        for part in parts:
            if not self._has_ended(part):
                raise _at_work(replace(last, stage=part.stage, process=part.process, in_stage=part.in_stage))

    def _has_ended(self, work: KnownRun | Part, *, same_process: bool = False) -> bool:
        """Say whether nobody is at work any more: too long between stages, a dead process, or one without a beat."""
        age, here = self._now() - work.beat_at, work.process.host == self._me.host
        if work.in_stage:
            return not is_alive(work.process) if here else age > WITHOUT_A_BEAT
        died = same_process and here and not is_alive(work.process)
        return died or age > BETWEEN_STAGES + timedelta(seconds=work.pause_s)

    def _is_elsewhere(self, process: Process) -> bool:
        """Say whether a process is another one that lives on this host; of other hosts Airflow knows better."""
        here = process.host == self._me.host
        return here and not process.is_same(self._me) and is_alive(process)

    def _known(self, run_id: str) -> KnownRun:
        """Return a run that no other one has taken over."""
        mine = self._find(run_id)
        if mine is None:
            raise RunUnsafe(f"Run {run_id} is not known to the ledger's database. Trigger a new run.")
        if mine.lost_to:
            raise self._lost(mine)
        return mine

    def _mark(self, last: KnownRun, *, lost_to: str) -> sa.Update:
        """Mark the run before as taken over, but only if it is still as it was when it was judged."""
        seen = (_runs.c.beat_at == last.beat_at.strftime(TIME), _runs.c.lost_to == last.lost_to)
        return self._where(last.run_id).where(*seen).values(held=False, lost_to=lost_to)

    def _lost(self, mine: KnownRun) -> RunUnsafe:
        return RunUnsafe(
            f"Run {mine.run_id} of {self._of['name']} goes no further: run {mine.lost_to} has begun since and takes "
            "care of what this one had sent. Nothing is lost; to send again, trigger a new run."
        )

    def _stage(self, stage: str) -> dict[str, Any]:
        process = {"host": self._me.host, "pid": self._me.pid, "process_start": self._me.started_s}
        return {**process, "stage": stage, "in_stage": True, "beat_at": self._stamp(), "pause_s": 0.0}

    def _stamp(self) -> str:
        return self._now().strftime(TIME)

    def _ours(self) -> list[sa.ColumnElement[bool]]:
        return [_runs.c[name] == value for name, value in self._of.items()]

    def _where(self, run_id: str) -> sa.Update:
        return sa.update(_runs).where(*self._ours(), _runs.c.run_id == run_id)

    def _write(self, statement: sa.Update | sa.Delete) -> int:
        with storage_failures(), self._engine.begin() as connection:
            return int(connection.execute(statement).rowcount)

    def _read(self) -> list[KnownRun]:
        with storage_failures(), self._engine.connect() as connection:
            found = connection.execute(sa.select(_runs).where(*self._ours()).order_by(_runs.c.turn)).mappings().all()
        return [_known(row) for row in found]

    def _last(self) -> KnownRun | None:
        runs = self._read()
        return runs[-1] if runs else None

    def _find(self, run_id: str) -> KnownRun | None:
        return next((run for run in self._read() if run.run_id == run_id), None)


def _at_work(run: KnownRun) -> RetryLater:
    since = run.beat_at.strftime("%Y-%m-%d %H:%M:%S")
    where = f"stage {run.stage}" if run.in_stage else f"after stage {run.stage}"
    if run.pause_s and not run.in_stage:
        where = f"stage {run.stage} failed and is tried again within {run.pause_s:.0f} s"
    return RetryLater(
        f"Run {run.run_id} is under way ({where}, since {since} UTC, process {run.process.pid} on {run.process.host}). "
        "Two runs at once could send the same rows twice, so this one does not begin before that one has ended."
    )


def _known(row: Any) -> KnownRun:
    return KnownRun(
        run_id=row["run_id"],
        folder=row["folder"],
        state=row["state"],
        turn=row["turn"],
        held=bool(row["held"]),
        lost_to=row["lost_to"],
        process=Process(row["host"], row["pid"], row["process_start"]),
        same_process=bool(row["same_process"]),
        stage=row["stage"],
        in_stage=bool(row["in_stage"]),
        beat_at=datetime.strptime(row["beat_at"], TIME).replace(tzinfo=UTC),
        pause_s=row["pause_s"] or 0.0,
    )
