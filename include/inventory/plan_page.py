"""``plan.html``: what a run would send, or has sent, field by field, before and after."""

from collections.abc import Iterator, Sequence
from itertools import islice

from include.inventory.guards import told
from include.inventory.mapping import Feed
from include.inventory.page import counted, heading, note, page, table
from include.inventory.run import Run
from include.storage import write_bytes

MOST_CHANGES = 500
"""Fields that the page shows per feed; the frames beside it hold all."""

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
    shown = list(islice(_fields(run, feed), MOST_CHANGES + 1))
    if not shown:
        yield note("No field changes.")
        return
    if len(shown) > MOST_CHANGES:
        yield note(
            f"The first {MOST_CHANGES:,} fields; all are in plan/{feed.name}/changes (rows that ServiceNow holds) and "
            f"plan/{feed.name}/to_send."
        )
    yield table(_COLUMNS, [[_short(cell) for cell in row] for row in shown[:MOST_CHANGES]])


def _fields(run: Run, feed: Feed) -> Iterator[Sequence[object]]:
    """Yield what changes in rows that ServiceNow holds, then what it is sent of new ones."""
    for changes in run.folder.changes(feed.name).frames():
        yield from changes[["key", "action", "column", "before", "after"]].itertuples(index=False)
    for rows in run.folder.to_send(feed.name).frames(["_key", "_action", *feed.column_names]):
        for row in rows[rows["_action"] == "create"].head(MOST_CHANGES).to_dict("records"):
            filled = ((name, row[name]) for name in sorted(feed.column_names) if isinstance(row[name], str))
            yield from ((row["_key"], "create", name, None, value) for name, value in filled)


def _short(cell: object) -> str | None:
    if not isinstance(cell, str):
        return None
    return cell if len(cell) <= _LONGEST_CELL else f"{cell[:_LONGEST_CELL]}…"
