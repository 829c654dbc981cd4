"""The faults that only an Iru tenant has, beside those of any service.

What a tenant does all the time is no fault but a switch (``settings.IruSwitches``): ``prism_total`` off (``total`` is
null), ``prism_short_pages``, ``prism_empty_last_page``, ``next_host`` and ``users_next_host`` (``next`` points
elsewhere), ``rate_limit_used_hour`` (what others have used of the hour's requests), ``export_delay_s``.

Subjects, which a fault's ``match`` may narrow: pages are ``GET /devices offset=300`` and ``GET /prism/apps page=2``
(the first is 1); counts and exports are their category; rows are ``devices <device_id>`` or ``<category> <device_id>``,
in pages and in exported files alike. Who was removed or enrolled between two pages stands in ``GET /audit/events``.
"""

from include.sandbox.faults.kind import Catalogue, FaultKind, catalogue_of
from include.sandbox.iru.hostile_rows import HOSTILE

PAGE, LATER_PAGE, CURSOR, COUNT = "page", "later page", "cursor", "count"
EXPORT, EXPORT_ADDRESS, ROW = "export", "export address", "row"

_PAGES = (
    FaultKind(
        name="device_removed_between_pages",
        point=LATER_PAGE,
        summary="Before a page, devices of earlier pages are removed: whoever pages by offset skips rows.",
        options={"count": 1},
    ),
    FaultKind(
        name="device_enrolled_between_pages",
        point=LATER_PAGE,
        summary="Before a page, devices enroll that sort before it: whoever pages by offset sees rows twice.",
        options={"count": 1},
    ),
    FaultKind(
        name="repeated_page",
        point=LATER_PAGE,
        summary="The page before is answered again in place of the one asked for; with times=0 for good.",
    ),
    FaultKind(
        name="cursor_expired",
        point=CURSOR,
        summary="Prism answers a good cursor with 400 Invalid cursor.",
    ),
    FaultKind(
        name="short_page",
        point=PAGE,
        summary="A page holds fewer rows than it could (rows; 0: half of them) and is not the last.",
        options={"rows": 0},
    ),
)
_COUNTS = (
    FaultKind(
        name="count_approximate",
        point=COUNT,
        summary="GET /prism/count says that its number, off by delta, is approximate.",
        options={"delta": 0},
    ),
    FaultKind(
        name="count_wrong",
        point=COUNT,
        summary="GET /prism/count states a number off by delta as if it were exact.",
        options={"delta": -1},
    ),
)
_EXPORTS = (
    FaultKind(
        name="export_pending",
        point=EXPORT,
        summary="An export stays pending for for_s seconds, or for good (0).",
        options={"for_s": 0.0},
    ),
    FaultKind(
        name="export_failed",
        point=EXPORT,
        summary="An export ends as failed (assumption: neither the word nor the message is published).",
        options={"status": "failed", "error_msg": "Export could not be completed."},
    ),
    FaultKind(
        name="export_truncated",
        point=EXPORT,
        summary="The exported file ends in the middle of the row that lies at this share of it.",
        options={"at": 0.5},
    ),
    FaultKind(
        name="export_url_expired",
        point=EXPORT_ADDRESS,
        summary="The signed address of a finished export has expired already; asking again gives a good one.",
    ),
)
_ROWS = (
    FaultKind(
        name="hostile_row",
        point=ROW,
        summary="One record holds what no reader expects: what, in field where that is named.",
        options={"what": "lone_surrogate", "field": ""},
        choices={"what": HOSTILE},
    ),
)

KINDS: Catalogue = catalogue_of(*_PAGES, *_COUNTS, *_EXPORTS, *_ROWS)
