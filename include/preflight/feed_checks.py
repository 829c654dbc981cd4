"""Whether each feed's staging table takes what is sent, and something carries it further."""

from collections import Counter
from collections.abc import Iterator

from include.inventory.coalesce import count_ambiguous
from include.inventory.mapping import Feed
from include.preflight.config import read_config
from include.preflight.finding import Finding, cannot_tell, ok, wrong
from include.preflight.subject import Subject
from include.servicenow.dictionary import StagingColumns, default_label, read_staging_columns
from include.servicenow.table_api import Sight, look_at
from include.servicenow.transform_maps import read_transform_map

_LOST = "ServiceNow drops what it is sent for it without a word."


def check_staging(subject: Subject) -> Iterator[Finding]:
    """Check table, columns, keys and transform map of every feed."""
    for feed in subject.feeds:
        table = _table(subject, feed)
        yield table
        if table.state == "wrong":
            continue
        columns = read_staging_columns(subject.servicenow, feed.staging_table)
        yield from _columns(feed, columns)
        yield from _keys(subject, feed, columns)
        yield from _transform(subject, feed)


def check_choice(subject: Subject) -> Iterator[Finding]:
    """Look for the discovery source that every row names."""
    check, question = "servicenow.discovery_source", "Is Kandji a choice of discovery_source?"
    query = "element=discovery_source^value=Kandji"
    fields = ("name", "element", "value", "inactive")
    rows = read_config(subject.servicenow, "sys_choice", query=query, fields=fields)
    if rows is None:
        yield cannot_tell(check, question, "sys_choice may not be read.", "Look under Choice Lists.")
        return
    found = [row for row in rows if row.get("value") == "Kandji" and row.get("element") == "discovery_source"]
    if any(row.get("inactive") != "true" for row in found):
        yield ok(check, question, "Yes.")
    else:
        yield wrong(check, question, "No active choice of that name.", "Add it, or install the Kandji app again.")


def _table(subject: Subject, feed: Feed) -> Finding:
    check, question = f"{feed.name}.table", f"Is there the staging table {feed.staging_table}?"
    sight = look_at(subject.servicenow, feed.staging_table)
    if sight is Sight.MISSING:
        to_do = "Install the Kandji app, or name the instance's own table in the mapping."
        return wrong(check, question, "No.", to_do, loses_data=True)
    if sight is Sight.DENIED:
        to_do = "Give the account the role import_transformer."
        return wrong(check, question, "The account may not read it.", to_do, loses_data=True)
    return ok(check, question, "Yes.")


def _columns(feed: Feed, known: StagingColumns | None) -> Iterator[Finding]:
    for column in feed.columns:
        check, question = f"{feed.name}.column {column.name}", f"Is there the staging column {column.name}?"
        if known is None:
            yield cannot_tell(check, question, "sys_dictionary may not be read.", "The first load's canary finds out.")
        elif column.name not in known:
            to_do = "Add the column, or take it out of the mapping."
            yield wrong(check, question, f"No. {_LOST}", to_do, loses_data=True)
        else:
            found = known[column.name]
            length = f"{found.max_length} characters" if found.max_length else "length not told"
            yield ok(check, question, f"Yes, labelled {found.label!r}, {length}.")


def _keys(subject: Subject, feed: Feed, known: StagingColumns | None) -> Iterator[Finding]:
    """Compare what insertMultiple takes as keys with what the connection says, and name how it transforms."""
    wanted = subject.servicenow.settings.column_keys
    check, question = f"{feed.name}.keys", f"Does insertMultiple take {wanted}s as keys?"
    fields = ("source_table", "transformation", "column_mapping")
    rows = read_config(
        subject.servicenow, "sys_rest_insert_multiple", query=f"source_table={feed.staging_table}", fields=fields
    )
    mine = [row for row in rows or () if row.get("source_table") == feed.staging_table]
    if rows is None:
        yield cannot_tell(check, question, "sys_rest_insert_multiple may not be read.", "The first canary finds out.")
        return
    taken = "name" if mine and mine[0].get("column_mapping") == "column_name" else "label"
    if taken == wanted:
        yield ok(check, question, "Yes." if mine else "Yes, by default: no configuration record.")
    else:
        to_do = f'Set the connection\'s extra "column_keys" to "{taken}", or change sys_rest_insert_multiple.'
        yield wrong(check, question, f"No, it takes {taken}s. {_LOST}", to_do, loses_data=True)
    if wanted == "label":
        yield from _labels(feed, known)
    how = mine[0].get("transformation", "") if mine else ""
    question = "Does insertMultiple transform later or at once?"
    yield ok(f"{feed.name}.transformation", question, how or "asynchronous, by default")


def _labels(feed: Feed, known: StagingColumns | None) -> Iterator[Finding]:
    """Two columns with one label cannot be told apart by it; labels are compared without case."""
    if known is None:
        return
    labels = Counter(column.label.casefold() for column in known.values())
    shared = sorted(name for name in feed.column_names if name in known and labels[known[name].label.casefold()] > 1)
    check, question = f"{feed.name}.labels", "Has every column a label of its own?"
    if shared:
        to_do = 'Give them labels of their own, or configure names and set "column_keys" to "name".'
        yield wrong(check, question, f"Labels are shared by: {', '.join(shared)}.", to_do, loses_data=True)
    else:
        other = [n for n in feed.column_names if n in known and known[n].label.casefold() != default_label(n)]
        yield ok(check, question, f"Yes{', other than the default: ' + ', '.join(other) if other else ''}.")


def _transform(subject: Subject, feed: Feed) -> Iterator[Finding]:
    check, question = f"{feed.name}.map", f"Is a transform of {feed.staging_table} active?"
    info = read_transform_map(subject.servicenow, feed.staging_table)
    if info is None:
        yield cannot_tell(check, question, "The transform maps may not be read.", "Look under Transform Maps.")
        return
    if not info.active:
        to_do = "Activate the map or the robust transformer that the Kandji app brings."
        yield wrong(check, question, "No: rows would stay in the staging table.", to_do, loses_data=True)
        return
    yield ok(check, question, "Yes, a robust transformer." if info.robust else "Yes, a transform map.")
    yield _coalesce(subject, feed, info.coalesce_columns)


def _coalesce(subject: Subject, feed: Feed, columns: tuple[str, ...]) -> Finding:
    check, question = f"{feed.name}.coalesce", "Do its coalesce fields tell this fleet's rows apart?"
    if not columns:
        return cannot_tell(check, question, "The fields are not told (a robust transformer, or a script).")
    named = ", ".join(columns)
    rows = (subject.fleet or {}).get(feed.name)
    if rows is None:
        return cannot_tell(check, question, f"Fields: {named}. The fleet was not read.")
    ambiguous = count_ambiguous(rows, columns)
    if ambiguous:
        to_do = "Let the map coalesce on " + ", ".join(feed.key) + "."
        seen = f"No: {ambiguous} of {len(rows)} rows share their {named} with another and would be folded into one."
        return wrong(check, question, seen, to_do, loses_data=True)
    return ok(check, question, f"Yes: {named}, {len(rows)} rows.")
