"""How many rows go into one request: what ServiceNow's documented limits leave, and what a fleet makes of that."""

import math

from include.sizing.model import ROW_BYTES, Fleet, Server

REQUEST_LIMIT_S = 60.0
"""ServiceNow cancels a request to the Import Set API after so long (rule "REST Import Set API request timeout")."""

BODY_LIMIT_BYTES = 10 * 1024 * 1024
"""``glide.rest.max_content_length`` by default."""

IMPORT_SET_ROWS = 100_000
"""ServiceNow's guideline for the size of an import set."""

SAFETY = 0.5
"""The share of a limit that is used: rows are of different sizes, and instances of different speed at night."""

LEAST_CHUNK_ROWS = 500
"""At 2 ms a row, the fixed cost of a request is 2 % of it; more rows gain little, fewer cost a lot."""

AIMED_IMPORT_SETS = 2_000
"""More import sets than this in a load are avoided where the limits allow it: each waits in a queue of its own."""

POLLS_PER_MINUTE = 2
"""Transform jobs that each node starts a minute, in ServiceNow's documentation of concurrent imports."""


def most_chunk_rows(server: Server) -> int:
    """Return the most rows in a request that half of each limit leaves."""
    by_time = (REQUEST_LIMIT_S * SAFETY - server.round_trip_s - server.fixed_s) / server.row_s
    by_body = BODY_LIMIT_BYTES * SAFETY / ROW_BYTES
    return math.floor(min(by_time, by_body, IMPORT_SET_ROWS))


def chunk_rows_for(fleet: Fleet, server: Server) -> int:
    """Return how many rows a request should have: few import sets for a large fleet, within the limits."""
    wanted = max(LEAST_CHUNK_ROWS, math.ceil(fleet.app_rows / AIMED_IMPORT_SETS))
    allowed = min(wanted, most_chunk_rows(server))
    return max(1, allowed - allowed % 100) if allowed >= LEAST_CHUNK_ROWS else max(1, allowed)


def slowest_pick_up_s(import_sets: int, *, nodes: int = 1) -> float:
    """Return how long transforms take to be picked up if every poll takes one import set only.

    Whether a poll takes one or empties the queue is not documented for insertMultiple: a small load shows it before a
    big one.
    """
    return math.ceil(import_sets / (POLLS_PER_MINUTE * nodes)) * 60.0
