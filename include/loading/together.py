"""Wait for the transforms of many import sets at once: one read of their runs, or of their states, tells of all."""

import logging
from collections.abc import Iterator, Mapping, Sequence

from include.errors import PipelineError
from include.loading.transforms import LONGEST_POLL_S, SET_DONE, Waiting, has_ended, is_broken, is_under_way
from include.servicenow.client import ServiceNowClient
from include.servicenow.import_sets import RunCounters, read_runs_of, read_states

log = logging.getLogger(__name__)

_SETS_AT_ONCE = 100
"""Sys_ids in one query: its address stays under 4 kB."""

_FIRST_POLL_S = 0.05
_POLLS_BETWEEN_RUNS = 8


def iter_ended(
    client: ServiceNowClient, sets: Mapping[str, int], waiting: Waiting, *, patience_s: float
) -> Iterator[dict[str, RunCounters]]:
    """Yield, as the transforms of import sets end, the run of each that one run says everything about.

    ``sets`` are rows by sys_id. The runs are asked first, as each shows the state of its set beside its counters.
    Whatever else there is to say of a set (its state is not shown, it is gone, was broken off, is late, or has several
    runs) is left to who asks about it alone.
    """
    deadline_s = waiting.now_s() + patience_s
    at_once = {sys_id: run for sys_id, run in _single_runs(client, list(sets)).items() if run.set_state in SET_DONE}
    at_once = {sys_id: run for sys_id, run in at_once.items() if run.counted == sets[sys_id]}
    if at_once:
        yield at_once
    pending, pause_s, polls = [sys_id for sys_id in sets if sys_id not in at_once], _FIRST_POLL_S, 1
    while pending:
        states = _states(client, pending)
        done = [sys_id for sys_id in pending if states.get(sys_id) in SET_DONE]
        if done:
            yield {sys_id: run for sys_id, run in _single_runs(client, done).items() if run.counted == sets[sys_id]}
        pending = [sys_id for sys_id in pending if is_under_way(states.get(sys_id, ""))]
        if not polls % _POLLS_BETWEEN_RUNS:  # one may have ended, or been broken off, behind the set's back
            runs = _runs(client, pending)
            pending = [sys_id for sys_id in pending if not has_ended(runs.get(sys_id, ()), sets[sys_id])]
        if not pending or waiting.now_s() >= deadline_s:
            return
        waiting.sleep(pause_s)
        pause_s, polls = min(LONGEST_POLL_S, pause_s * 1.5), polls + 1


def _single_runs(client: ServiceNowClient, sets: Sequence[str]) -> dict[str, RunCounters]:
    found = _runs(client, sets)
    return {sys_id: runs[0] for sys_id, runs in found.items() if len(runs) == 1 and not is_broken(runs)}


def _states(client: ServiceNowClient, sets: Sequence[str]) -> dict[str, str]:
    """Return what is shown of the states; where the question itself fails, each set is asked about alone."""
    states: dict[str, str] = {}
    try:
        for some in _parts(sets):
            states |= read_states(client, some)
    except PipelineError as error:
        log.info("The states of %d import sets cannot be read at once: %s", len(sets), error)
    return states


def _runs(client: ServiceNowClient, sets: Sequence[str]) -> dict[str, list[RunCounters]]:
    runs: dict[str, list[RunCounters]] = {}
    try:
        for some in _parts(sets):
            runs |= read_runs_of(client, some)
    except PipelineError as error:
        log.info("The runs of %d import sets cannot be read at once: %s", len(sets), error)
    return runs


def _parts(sets: Sequence[str]) -> Iterator[Sequence[str]]:
    return (sets[first : first + _SETS_AT_ONCE] for first in range(0, len(sets), _SETS_AT_ONCE))
