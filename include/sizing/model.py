"""The physical model: what no pipeline can go below, given how many rows there are and how fast ServiceNow takes them.

A fleet of N devices with A applications each has M = N * A application rows. ServiceNow takes a request of B rows in a
round trip, a fixed part and a part per row, and works on K requests at a time. What an instance really takes per row is
measured on it (the duration of a first import set divided by its rows), so every time is computed for stated servers.
"""

import math
from dataclasses import dataclass

PAGE_ROWS = 300
"""Iru's hard cap of rows per page."""

QUOTA_PER_HOUR = 10_000
"""Iru's requests per hour, for all tokens of a tenant together."""

EXPORT_POLLS = 5
"""How often one asks whether a Prism export is done; the file itself comes from the object store."""

PRISM_CATEGORIES = 2
"""device_information and apps."""

TOKEN_S = 1_800
"""How long ServiceNow's access tokens live by default."""

ROW_BYTES = 439
"""An application row as JSON in a request; measured."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is carried: devices, and the applications that each has on average."""

    devices: int
    apps_per_device: int = 60

    @property
    def app_rows(self) -> int:
        """Rows of the feed of applications."""
        return self.devices * self.apps_per_device

    @property
    def feed_rows(self) -> tuple[int, int, int]:
        """Rows of each feed: computers, MDM records, applications."""
        return (self.devices, self.devices, self.app_rows)


@dataclass(frozen=True, slots=True)
class Server:
    """How fast ServiceNow takes rows: seconds per round trip, per request and per row, and requests at a time."""

    round_trip_s: float = 0.040
    fixed_s: float = 0.020
    row_s: float = 0.002
    slots: int = 4

    def request_s(self, rows: int) -> float:
        """Return how long one request of so many rows takes where nothing waits."""
        return self.round_trip_s + self.fixed_s + rows * self.row_s


FAST = Server(row_s=0.002)
"""An instance with light transform maps; an assumption."""

SLOW = Server(row_s=0.0108)
"""Calibrated so that four slots take 370 rows a second, the only published figure of a big import."""


@dataclass(frozen=True, slots=True)
class IruRequests:
    """Requests of one extract, by what they read."""

    devices: int
    information: int
    apps: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.devices + self.information + self.apps

    @property
    def quota_hours(self) -> float:
        """Hours of the tenant's quota that they take; an extract can't be over sooner."""
        return self.total / QUOTA_PER_HOUR


def pages_of(rows: int) -> int:
    """Return how many pages hold so many rows."""
    return math.ceil(rows / PAGE_ROWS)


def changed(rows: int, share: float) -> int:
    """Return how many of some rows a share of changes is, rounded up."""
    return math.ceil(round(rows * share, 6))


def requests_by_pages(fleet: Fleet) -> IruRequests:
    """Return the fewest requests that read the whole fleet page by page."""
    pages = pages_of(fleet.devices)
    return IruRequests(devices=pages, information=pages, apps=pages_of(fleet.app_rows))


def requests_by_export(fleet: Fleet, *, polls: int = EXPORT_POLLS) -> IruRequests:
    """Return the requests with Prism's two categories read by CSV export, however large they are."""
    return IruRequests(devices=pages_of(fleet.devices), information=1 + polls, apps=1 + polls)


def requests_of_delta(fleet: Fleet, share: float) -> IruRequests:
    """Return the requests where Prism is asked only for what changed; devices are always listed whole."""
    devices = pages_of(fleet.devices)
    return IruRequests(
        devices=devices,
        information=pages_of(changed(fleet.devices, share)),
        apps=pages_of(changed(fleet.app_rows, share)),
    )


def requests_per_device(fleet: Fleet) -> IruRequests:
    """Return the requests of asking every device for its applications, as scripts do."""
    return IruRequests(devices=pages_of(fleet.devices), information=0, apps=fleet.devices)


def load_bound_s(rows: int, server: Server, *, chunk_rows: int, connections: int = 4) -> float:
    """Return the time that no load of so many rows goes below: what the connections take, or what the slots do."""
    if not rows:
        return 0.0
    chunk = balanced_chunk(rows, chunk_rows=chunk_rows, connections=connections)
    requests = math.ceil(rows / chunk)
    by_connections = math.ceil(requests / connections) * server.request_s(chunk)
    by_slots = (requests * server.fixed_s + rows * server.row_s) / min(connections, server.slots)
    return max(by_connections, by_slots)


def balanced_chunk(rows: int, *, chunk_rows: int, connections: int = 4) -> int:
    """Return the rows per request that keep all connections busy: at most ``chunk_rows``."""
    return max(1, min(chunk_rows, math.ceil(rows / connections)))


def row_by_row_s(rows: int, server: Server) -> float:
    """Return how long one request per row takes, one after the other, as a plain script sends them."""
    return rows * server.request_s(1)


def fleet_load_s(fleet: Fleet, server: Server, *, chunk_rows: int, share: float = 1.0) -> float:
    """Return the time that no load of all three feeds goes below; they go one after the other."""
    return sum(load_bound_s(changed(rows, share), server, chunk_rows=chunk_rows) for rows in fleet.feed_rows)


def servicenow_writes(fleet: Fleet, *, chunk_rows: int, share: float = 1.0) -> int:
    """Return the fewest requests that carry a share of the fleet; each is one import set."""
    return sum(math.ceil(changed(rows, share) / chunk_rows) for rows in fleet.feed_rows)


def servicenow_requests(fleet: Fleet, server: Server, *, chunk_rows: int, share: float = 1.0) -> int:
    """Return the fewest requests of a load: each import set is sent and asked about once, and tokens are fetched.

    Nothing changed is no request at all.
    """
    writes = servicenow_writes(fleet, chunk_rows=chunk_rows, share=share)
    tokens = math.ceil(fleet_load_s(fleet, server, chunk_rows=chunk_rows, share=share) / TOKEN_S)
    return 2 * writes + tokens
