"""Every fault that the sandbox plays, and what a run over it has to end in.

A case says what goes wrong and when. ``says`` empty: the run heals by itself. Otherwise the run stops with these words,
and the next one, once the cause is gone, makes up for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.sandbox.servicenow.tables_import import STAGING_APPS, STAGING_COMPUTER, STAGING_MDM

METHODS = ("insert_multiple", "single")
BOTH = ("devices", "apps")
IMPORT = "POST */import/*"
DEVICES, APPS, TOKEN = "GET */devices", "GET */prism/apps", "POST /oauth_token.do"
READS = "GET */table/*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault, or several of one kind, in a run.

    ``says`` maps a way of loading to the words that the first run fails with, "*" means both; what is not named heals.
    ``refused``: rows that ServiceNow refuses in the first run, ``unstored`` of them without a staging row. ``twice``:
    rows may be transformed a second time, which changes nothing. ``drifts``: the fleet itself changes meanwhile.
    """

    name: str
    faults: tuple[Mapping[str, Any], ...] = ()
    switches: Mapping[str, Any] = field(default_factory=dict)
    set_up: Mapping[str, Any] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    unstored: int = 0
    twice: bool = False
    drifts: bool = False
    apps_extract: str = "pages"
    sources: tuple[str, ...] = ("devices",)
    methods: tuple[str, ...] = METHODS


def fault(service: str, kind: str, **wanted: Any) -> Mapping[str, Any]:
    """Return a fault of one service, as the sandbox's command line and its admin API take it."""
    return {"kind": f"{service}.{kind}", **wanted}


def cases_of_requests() -> Iterator[Case]:
    """Yield what may happen to one request at ServiceNow."""
    yield Case(name="nothing goes wrong", sources=BOTH)
    yield from _requests_at_servicenow()


def cases_of_iru() -> Iterator[Case]:
    """Yield what Iru may do to an extract."""
    yield from _requests_at_iru()
    yield from _pages_of_iru()
    yield from _exports_of_iru()


def cases_of_rows() -> Iterator[Case]:
    """Yield what may become of rows in ServiceNow after they were staged."""
    yield from _rows_of_servicenow()
    yield from _transforms_of_servicenow()


def cases_of_set_ups() -> Iterator[Case]:
    """Yield the limits of an instance, and the set-ups that an administrator got wrong."""
    yield from _throttles_of_servicenow()
    yield from _set_ups_of_servicenow()


_PASSING: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("rate_limited", {"retry_after_s": 0}),
    ("rate_limited_bare", {}),
    ("error_500", {}),
    ("error_500", {"after": True}),
    ("error_502", {}),
    ("error_502", {"after": True}),
    ("error_503", {"retry_after_s": 0}),
    ("error_503", {"after": True, "body": "html"}),
    ("html_200", {}),
    ("html_200", {"after": True}),
    ("refused", {"for_s": 0.1}),
    ("reset_before", {}),
    ("reset_after", {}),
    ("timeout", {"hang_s": 2.0}),
    ("timeout", {"hang_s": 2.0, "after": True}),
    ("truncated", {}),
    ("malformed", {}),
    ("trickle", {"pause_s": 0.0, "piece_bytes": 16}),
)
"""Faults of one request after which the same run goes on."""


def _named(kind: str, options: Mapping[str, Any]) -> str:
    return f"{kind}{' after the work' if options.get('after') else ''}"


def _requests_at_servicenow() -> Iterator[Case]:
    for kind, options in (*_PASSING, ("unauthorized", {}), ("token_expired", {}), ("dropped_202", {})):
        one = fault("servicenow", kind, match=IMPORT, nth=[2], **options)
        yield Case(name=f"a write meets {_named(kind, options)}", faults=(one,))
    for kind, options in (*_PASSING, ("unauthorized", {}), ("token_expired", {})):
        if not options.get("after"):
            one = fault("servicenow", kind, match=READS, nth=[2, 5], **options)
            yield Case(name=f"reads meet {_named(kind, options)}", faults=(one,))
    for kind, options in _PASSING:
        if not options.get("after") and kind not in ("malformed",):
            yield Case(name=f"signing in meets {kind}", faults=(fault("servicenow", kind, match=TOKEN, **options),))
    for after in (False, True):
        one = fault("servicenow", "forbidden", match=IMPORT, nth=[2], after=after)
        yield Case(name=f"a write meets 403{' after the work' * after}", faults=(one,), says={"*": "HTTP 403"})
    huge = fault("servicenow", "huge", match=IMPORT, nth=[1], size_mb=70, gzip=True)
    yield Case(name="the answer to a write is endless", faults=(huge,), says={"*": "larger than"}, twice=True)
    refused = fault("servicenow", "unauthorized", match=TOKEN)
    yield Case(name="signing in is refused", faults=(refused,), says={"*": "refused a token"})


def _requests_at_iru() -> Iterator[Case]:
    for kind, options in _PASSING:
        if not options.get("after"):
            both = (fault("iru", kind, match=DEVICES, nth=[2], **options), fault("iru", kind, match=APPS, **options))
            yield Case(name=f"Iru answers {kind}", faults=both, sources=BOTH)
    for kind, said in (("unauthorized", "HTTP 401"), ("forbidden", "HTTP 403"), ("bare_string_error", "HTTP 400"),
                       ("array_error", "HTTP 400"), ("huge", "larger than")):  # fmt: skip
        one = fault("iru", kind, match=DEVICES, nth=[2])
        yield Case(name=f"Iru answers {kind}", faults=(one,), says={"*": said})
    foreign = {"iru.next_host": "https://elsewhere.example"}
    yield Case(name="a next link points at another host", switches=foreign)


def _pages_of_iru() -> Iterator[Case]:
    for kind in ("device_removed_between_pages", "device_enrolled_between_pages"):
        yield Case(name=kind, faults=(fault("iru", kind, match="GET /devices *"),), drifts=True)
        yield Case(
            name=f"{kind} of Prism", faults=(fault("iru", kind, match="GET /prism/apps *"),), drifts=True, sources=BOTH
        )
    for kind in ("repeated_page", "short_page"):
        yield Case(name=kind, faults=(fault("iru", kind), fault("iru", kind, match="GET /prism/apps *")), sources=BOTH)
    yield Case(name="cursor_expired", faults=(fault("iru", "cursor_expired", nth=[1, 3]),), sources=BOTH)
    yield Case(name="total is null", switches={"iru.prism_total": False, "iru.prism_short_pages": True}, sources=BOTH)
    yield Case(name="an approximate count", faults=(fault("iru", "count_approximate", delta=-3, times=9),))
    wrong = fault("iru", "count_wrong", delta=4, times=9)
    yield Case(name="Prism counts more than it shows", faults=(wrong,), says={"*": "incomplete"})
    for what in ("lone_surrogate", "control_characters", "null_word", "formula", "rtl", "list_in_field", "year_9999"):
        one = fault("iru", "hostile_row", what=what, match="devices *")
        yield Case(name=f"a hostile row: {what}", faults=(one,), drifts=True)


def _exports_of_iru() -> Iterator[Case]:
    for kind, options in (("export_pending", {"for_s": 0.5}), ("export_failed", {}), ("export_url_expired", {}),
                          ("export_truncated", {})):  # fmt: skip
        yield Case(name=kind, faults=(fault("iru", kind, **options),), apps_extract="export", sources=BOTH)
    yield Case(name="an export in peace", apps_extract="export", sources=BOTH)


def _rows_of_servicenow() -> Iterator[Case]:
    computer = f"{STAGING_COMPUTER} *"
    ends = {
        "row_reference_rejected": "error", "row_choice_rejected": "error", "row_mandatory_missing": "error",
        "row_script_error": "error", "row_skipped": "skipped", "row_ignored_by_script": "ignored",
    }  # fmt: skip
    for kind, state in ends.items():
        for table in (STAGING_COMPUTER, STAGING_APPS):
            one = fault("servicenow", kind, match=f"{table} *", nth=[3, 5])
            sources = BOTH if table == STAGING_APPS else ("devices",)
            yield Case(name=f"{kind} in {table.rpartition('_')[2]}", faults=(one,), refused={state: 2}, sources=sources)
    too_large = fault("servicenow", "row_too_large", match=computer, nth=[3])
    yield Case(
        name="row_too_large", faults=(too_large,), refused={"error": 1}, unstored=1, methods=("insert_multiple",)
    )


def _transforms_of_servicenow() -> Iterator[Case]:
    halted = fault("servicenow", "transform_halted", match=STAGING_COMPUTER, at_row=1)
    yield Case(name="transform_halted", faults=(halted,), refused={"error": 1})
    never = fault("servicenow", "transform_never_starts", match=STAGING_COMPUTER)
    yield Case(
        name="transform_never_starts", faults=(never,), says={"insert_multiple": "has not ended", "single": "transform"}
    )
    slow = fault("servicenow", "transform_slow", for_s=0.6, times=3)
    yield Case(name="transform_slow", faults=(slow,))
    yield Case(name="completes_with_errors", faults=(fault("servicenow", "completes_with_errors", times=9),))
    deleted = fault("servicenow", "set_deleted", match=STAGING_MDM)
    yield Case(name="set_deleted", faults=(deleted,), twice=True, methods=("insert_multiple",))
    lag = fault("servicenow", "counters_lag", reads=2, times=4)
    yield Case(name="counters_lag", faults=(lag,), methods=("insert_multiple",))
    cancelled = fault("servicenow", "quota_cancelled", match=STAGING_COMPUTER)
    synchronous = {"servicenow.insert_multiple_synchronous": True}
    yield Case(name="quota_cancelled", faults=(cancelled,), set_up=synchronous)


def _throttles_of_servicenow() -> Iterator[Case]:
    yield Case(name="one transaction at a time per session", switches={
        "servicenow.session_serial": True, "servicenow.session_queue_depth": 1})  # fmt: skip
    yield Case(name="one semaphore and no queue", switches={
        "servicenow.semaphores": True, "servicenow.semaphore_slots": 1, "servicenow.semaphore_queue": 0})  # fmt: skip
    yield Case(name="a rate limit that is reached", switches={
        "servicenow.rate_limit_per_hour": 60, "servicenow.rate_limit_window_s": 1})  # fmt: skip
    small = {"servicenow.max_content_length_mb": 1}
    yield Case(name="a small limit of the body", switches=small)
    yield Case(name="hibernating", switches={"servicenow.hibernating": True}, says={"*": "hibernat"})


def _set_ups_of_servicenow() -> Iterator[Case]:
    yield Case(name="the password has expired", switches={"servicenow.password_expired": True},
               says={"*": "refused a token"})  # fmt: skip
    names = {"servicenow.insert_multiple_keys": "name"}
    yield Case(
        name="labels are sent where names are expected",
        switches=names,
        says={"insert_multiple": "column_keys"},
        twice=True,
    )
    missing = (f"{STAGING_COMPUTER}.os_version",)
    yield Case(name="a staging column is missing", switches={"servicenow.missing_columns": missing},
               says={"*": "no column os_version"})  # fmt: skip
    hidden = {"servicenow.config_tables_readable": False}
    yield Case(name="a missing column that the dictionary hides",
               switches={"servicenow.missing_columns": missing, **hidden},
               says={"*": "stored nothing in os_version"}, twice=True)  # fmt: skip
    short = (f"{STAGING_COMPUTER}.os_version:2",)
    yield Case(name="a short column that the dictionary hides",
               switches={"servicenow.column_lengths": short, **hidden},
               says={"*": "cut a value of os_version"}, twice=True)  # fmt: skip
    inactive = {"servicenow.maps_inactive": (STAGING_COMPUTER,)}
    yield Case(name="the transform map is inactive", switches=inactive, says={"*": "transform map"})
    yield Case(name="an inactive map that nobody may see", switches={**inactive, **hidden},
               says={"insert_multiple": "has not ended", "single": "transform"})  # fmt: skip
    literal = {"servicenow.mdm_coalesce": "blueprint"}
    yield Case(name="MDM records coalesce on the blueprint alone", switches=literal, says={"*": "ambiguous_key"})
