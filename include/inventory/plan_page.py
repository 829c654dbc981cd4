"""``plan.html``: what a run would send, or has sent, field by field, before and after."""

from collections.abc import Iterator

from include.inventory.guards import told
from include.inventory.mapping import Feed
from include.inventory.page import counted, heading, note, page, table
from include.inventory.run import Run
from include.storage import read_frame, write_bytes

MOST_CHANGES = 500
"""Changes of fields that the page shows per feed; ``changes.parquet`` beside it holds all."""

_LONGEST_CELL = 200
_COLUMNS = ("row", "action", "column", "before", "after")


def write_plan_page(run: Run) -> None:
    """Write the plan's page into the run's folder, for the feeds that were planned."""
    planned = [feed for feed in run.feeds if run.folder.told_by(f"plan-{feed.name}")]
    title = f"Plan: {', '.join(feed.name for feed in planned) or 'nothing was planned'}"
    what = "This run sends nothing." if run.params.mode == "plan" else "This run sends what is listed here."
    parts = [note(what), *_guards(run), *(part for feed in planned for part in _feed(run, feed))]
    write_bytes(run.folder.page("plan"), page(title, parts))


def _guards(run: Run) -> Iterator[str]:
    for found in run.folder.told_by("plan").get("guards", ()):
        yield note(told(found), bad=True)


def _feed(run: Run, feed: Feed) -> Iterator[str]:
    shaped, planned = run.folder.told_by(f"shape-{feed.name}"), run.folder.told_by(f"plan-{feed.name}")
    yield heading(f"{feed.name} → {feed.staging_table}")
    yield counted(
        {"from Iru": shaped["extracted"], "filtered": shaped["filtered"]}
        | {"rejected": shaped["rejected"] + planned["rejected"], "unchanged": planned["unchanged"]}
        | {f"to {action}": n for action, n in planned["to_send"].items()}
        | {"held": planned["held"], "of these parked": planned["parked"]},
        what="what becomes of the rows",
    )
    for title, reasons in (
        ("rejected because", shaped["rejected_because"]),
        ("filtered because", shaped["filtered_because"]),
        ("held because", planned["held_because"]),
    ):
        yield counted(reasons, what=title)
    yield from _changes(run, feed)


def _changes(run: Run, feed: Feed) -> Iterator[str]:
    changes = read_frame(run.folder.changes(feed.name))
    if changes.empty:
        yield note("No field changes.")
        return
    shown = changes.head(MOST_CHANGES)
    if len(shown) < len(changes):
        yield note(
            f"The first {len(shown):,} of {len(changes):,} changed fields; all are in plan/{feed.name}/changes.parquet."
        )
    rows = shown[["key", "action", "column", "before", "after"]].itertuples(index=False)
    yield table(_COLUMNS, [[_short(cell) for cell in row] for row in rows])


def _short(cell: object) -> str | None:
    if not isinstance(cell, str):
        return None
    return cell if len(cell) <= _LONGEST_CELL else f"{cell[:_LONGEST_CELL]}…"
