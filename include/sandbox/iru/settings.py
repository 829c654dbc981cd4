"""What one sandbox tenant of Iru Endpoint is set to."""

from dataclasses import dataclass, field
from pathlib import Path

from include.sandbox.common.clock import Clock
from include.sandbox.fleet import Fleet, FleetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class IruSwitches:
    """Where real tenants differ, or the documentation leaves the answer open.

    Each can be set when the sandbox starts and changed while it runs.
    """

    prism_offset: bool = False
    """Prism still takes ``offset`` (older tenants), and then gives no cursor; otherwise 400."""
    prism_short_pages: bool = False
    """Some Prism pages hold fewer rows than asked for although they are not the last."""
    prism_empty_last_page: bool = False
    """Prism hands out a cursor with the last rows too; the page after it is empty."""
    prism_total: bool = True
    """Prism states ``total``; null otherwise."""
    prism_last_opened: bool = False
    """Prism apps carry the time at which an app was last opened (assumption: not published)."""
    prism_last_opened_key: str = "last_opened"
    prism_is_removed: bool = False
    """A removed app stays listed, marked true (assumption: not published)."""
    prism_is_removed_key: str = "is_removed"
    total_count_headers: bool = False
    """``/devices`` sends X-Total-Count, X-Total-Pages and Link, as in recordings of 2022-2023."""
    check_in_with_offset: bool = False
    """``/devices`` ends check-in times in +00:00 instead of Z, as some tenants were seen to do."""
    limit_over_maximum: str = "cap"
    """A limit above the maximum is cut (``cap``) or answered with 400 (``refuse``)."""
    windows_android: bool = False
    """Windows and Android management is on: three more keys on every row of ``/devices``."""
    next_host: str = ""
    """Host of ``next`` and ``previous`` in every list that has them: where they point when it is not the API's own.
    What names the API itself is taken as its other loopback name."""
    users_next_host: str = ""
    """The same in ``/users`` alone, where ``next`` never names the API: by default it is the other loopback name."""
    denied: str = ""
    """Comma list of patterns such as ``GET /prism/*`` that the main token may not use (403)."""
    export_delay_s: float = 1.0
    """How long an export stays pending."""
    rate_limit: bool = True
    """Enforce the limits; the headers are sent in any case while ``rate_limit_headers`` is on."""
    rate_limit_headers: bool = True
    rate_limit_retry_after: bool = True
    rate_limit_per_second: int = 50
    rate_limit_per_hour: int = 10_000
    rate_limit_used_hour: int = 0
    """How many requests of the running hour are used already; counts on from there whenever it is set anew."""

    def __post_init__(self) -> None:
        if self.limit_over_maximum not in ("cap", "refuse"):
            raise ValueError(f"limit_over_maximum takes cap or refuse, got {self.limit_over_maximum!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class IruSettings:
    """How to build the tenant: its fleet, its token, where it is stored, and its switches.

    ``fleet`` saves generating ``spec`` again when the caller has it already. ``database_path`` None
    keeps everything in memory; a file that holds a tenant already goes on with that tenant.
    """

    spec: FleetSpec = field(default_factory=FleetSpec)
    fleet: Fleet | None = None
    token: str = "00000000-0000-4000-8000-000000000000"  # noqa: S105 - a made-up token of a sandbox
    database_path: Path | None = None
    switches: IruSwitches = field(default_factory=IruSwitches)
    clock: Clock = field(default_factory=Clock)
