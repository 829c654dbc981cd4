"""The sizing of some fleets as lines of text: one line a figure, one column a fleet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from include.sizing.limits import chunk_rows_for, most_chunk_rows, slowest_pick_up_s
from include.sizing.model import (
    FAST,
    QUOTA_PER_HOUR,
    SLOW,
    Fleet,
    Server,
    fleet_load_s,
    requests_by_export,
    requests_by_pages,
    requests_of_delta,
    requests_per_device,
    row_by_row_s,
    servicenow_requests,
    servicenow_writes,
)
from include.sizing.resources import TASKS_PER_WORKER, resources_for
from include.sizing.units import in_bytes, in_count, in_hours, in_time

DEVICES = (1_000, 10_000, 100_000, 1_000_000)
"""The fleets of deploy/SIZING.md."""

NIGHT_SHARE = 0.02
"""The share of a fleet that changes in a night; an assumption."""

SMALL_SHARE = 0.02
"""The share of an hour's quota that an extract by pages may take before the export is the better way."""

Cell = Callable[[Fleet], str]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure for all fleets."""

    label: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines under one heading."""

    title: str
    lines: tuple[Line, ...]


def sheet(fleets: Sequence[Fleet], *, server: Server = SLOW) -> list[Part]:
    """Return the sizing of some fleets; ``server`` is what chunks and pools are made for."""
    parts: dict[str, dict[str, Cell]] = {
        "Rows": _rows(),
        "Iru": _iru(),
        "ServiceNow": _servicenow(server),
        f"Load at best, {_ms(FAST)} a row": _times(FAST, server),
        f"Load at best, {_ms(SLOW)} a row": _times(SLOW, server),
        "On our side": _resources(server),
    }
    return [
        Part(title, tuple(Line(label, tuple(cell(fleet) for fleet in fleets)) for label, cell in lines.items()))
        for title, lines in parts.items()
    ]


def extract_way(fleet: Fleet) -> str:
    """Return how applications are read where the pipeline chooses: by pages up to a small share of the hourly quota."""
    return "pages" if requests_by_pages(fleet).apps <= SMALL_SHARE * QUOTA_PER_HOUR else "export"


def _rows() -> dict[str, Cell]:
    return {
        "applications": lambda fleet: in_count(fleet.app_rows),
        "all feeds": lambda fleet: in_count(sum(fleet.feed_rows)),
    }


def _iru() -> dict[str, Cell]:
    return {
        "requests by pages": lambda fleet: in_count(requests_by_pages(fleet).total),
        "hours of quota by pages": lambda fleet: in_hours(requests_by_pages(fleet).quota_hours),
        "requests by export": lambda fleet: in_count(requests_by_export(fleet).total),
        "hours of quota by export": lambda fleet: in_hours(requests_by_export(fleet).quota_hours),
        f"requests, {NIGHT_SHARE:.0%} changed": lambda fleet: in_count(requests_of_delta(fleet, NIGHT_SHARE).total),
        "requests, one per device": lambda fleet: in_count(requests_per_device(fleet).total),
        "applications are read by": lambda fleet: f"`{extract_way(fleet)}`",
    }


def _servicenow(server: Server) -> dict[str, Cell]:
    def writes(fleet: Fleet, share: float = 1.0) -> int:
        return servicenow_writes(fleet, chunk_rows=chunk_rows_for(fleet, server), share=share)

    def requests(fleet: Fleet, share: float) -> int:
        return servicenow_requests(fleet, server, chunk_rows=chunk_rows_for(fleet, server), share=share)

    return {
        "`IRU_SERVICENOW_CHUNK_ROWS`": lambda fleet: in_count(chunk_rows_for(fleet, server)),
        "… at most": lambda _: in_count(most_chunk_rows(server)),
        "import sets, first load": lambda fleet: in_count(writes(fleet)),
        f"import sets, {NIGHT_SHARE:.0%} changed": lambda fleet: in_count(writes(fleet, NIGHT_SHARE)),
        "first load picked up, worst": lambda fleet: in_time(slowest_pick_up_s(writes(fleet))),
        "requests at least, first load": lambda fleet: in_count(requests(fleet, 1.0)),
        f"requests at least, {NIGHT_SHARE:.0%} changed": lambda fleet: in_count(requests(fleet, NIGHT_SHARE)),
    }


def _times(speed: Server, server: Server) -> dict[str, Cell]:
    def load_s(fleet: Fleet, share: float) -> float:
        return fleet_load_s(fleet, speed, chunk_rows=chunk_rows_for(fleet, server), share=share)

    return {
        "first load": lambda fleet: in_time(load_s(fleet, 1.0)),
        f"night, {NIGHT_SHARE:.0%} changed": lambda fleet: in_time(load_s(fleet, NIGHT_SHARE)),
        "one request per row": lambda fleet: in_time(row_by_row_s(sum(fleet.feed_rows), speed)),
    }


def _resources(server: Server) -> dict[str, Cell]:
    return {
        "`IRU_SERVICENOW_PARTITIONS`": lambda fleet: in_count(resources_for(fleet, server).partitions),
        "memory of a task at most": lambda fleet: in_bytes(resources_for(fleet, server).task_bytes),
        f"workers of {TASKS_PER_WORKER} tasks": lambda fleet: in_count(resources_for(fleet, server).workers),
        "memory of a worker": lambda fleet: in_bytes(resources_for(fleet, server).worker_bytes),
        "slots of pool `iru`": lambda fleet: in_count(resources_for(fleet, server).iru_pool),
        "slots of pool `servicenow`": lambda fleet: in_count(resources_for(fleet, server).servicenow_pool),
        "storage root": lambda fleet: in_bytes(resources_for(fleet, server).storage_bytes),
        "ledger": lambda fleet: in_bytes(resources_for(fleet, server).ledger_bytes),
    }


def _ms(server: Server) -> str:
    return f"{server.row_s * 1000:g} ms"
