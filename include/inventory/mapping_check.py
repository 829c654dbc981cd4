"""Turn the mapping's TOML into checked dataclasses; every mistake is named with its place."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from include.errors import SetupWrong
from include.inventory.cells import CLEARS
from include.inventory.mapping import Column, Feed, FeedMapping
from include.inventory.source_fields import APP_FIELDS, DEVICE_FIELDS

_KNOWN_FIELDS = {"devices": DEVICE_FIELDS, "apps": APP_FIELDS}
_FEED_ENTRIES = {"source", "staging_table", "key", "columns", "partner", "removed", "target"}
_COLUMN_ENTRIES = ({field.name for field in fields(Column)} - {"name", "fields"}) | {"from"}
_WAYS = ("from", "constant", "digest_of")
_CHOICES = {
    "type": ("text", "number", "boolean", "timestamp"),
    "too_long": ("reject", "cut"),
    "on_empty": ("clear", "keep"),
}


def build_mapping(data: Mapping[str, Any], file: str) -> FeedMapping:
    """Return the mapping that ``data`` describes, or raise SetupWrong naming the file and the entry."""
    _refuse_unknown(data, {"devices", "feeds"}, file)
    devices = _table(data.get("devices", {}), f"{file}: devices", {"out_of_scope"})
    entries = _table(data.get("feeds"), f"{file}: feeds")
    feeds = {name: _feed(name, entry, f"{file}: feeds.{name}") for name, entry in entries.items()}
    for feed in feeds.values():
        _check_partner(feed, feeds, f"{file}: feeds.{feed.name}.partner")
    out_of_scope = _texts(devices.get("out_of_scope", ()), f"{file}: devices.out_of_scope")
    return FeedMapping(feeds=feeds, out_of_scope=out_of_scope)


def _feed(name: str, entry: Any, place: str) -> Feed:
    entry = _table(entry, place, _FEED_ENTRIES)
    source = _choice(entry.get("source"), tuple(_KNOWN_FIELDS), f"{place}.source")
    columns = _table(entry.get("columns"), f"{place}.columns")
    removed = _table(entry.get("removed", {}), f"{place}.removed", {"flag", "values"})
    target = _table(entry.get("target", {}), f"{place}.target", {"table", "fields"})
    feed = Feed(
        name=name,
        source=source,
        staging_table=_text(entry.get("staging_table"), f"{place}.staging_table"),
        key=_some(_texts(entry.get("key"), f"{place}.key"), f"{place}.key"),
        columns=tuple(_column(key, spec, source, f"{place}.columns.{key}") for key, spec in columns.items()),
        partner=_text(entry["partner"], f"{place}.partner") if entry.get("partner", "") != "" else "",
        removed_flag=_text(removed["flag"], f"{place}.removed.flag") if "flag" in removed else "",
        removed_values=_words(removed.get("values", {}), f"{place}.removed.values"),
        target_table=_text(target["table"], f"{place}.target.table") if "table" in target else "",
        target_fields=_words(target.get("fields", {}), f"{place}.target.fields"),
    )
    for column in (*feed.key, *feed.removed_values):
        if column not in feed.column_names:
            raise SetupWrong(f"{place} uses the column {column!r}, which is not among its columns.")
    return feed


def _check_partner(feed: Feed, feeds: Mapping[str, Feed], place: str) -> None:
    if not feed.partner:
        return
    if feed.partner not in feeds:
        raise SetupWrong(f"{place} names the feed {feed.partner!r}, which does not exist.")
    shared = feeds[feed.partner].key[0]
    if shared not in feed.column_names:
        raise SetupWrong(
            f"{place} is {feed.partner!r}, whose rows are known by {shared!r}, but feeds.{feed.name} has no such "
            'column to find its partner by. Add the column, or set partner = "".'
        )


def _column(name: str, entry: Any, source: str, place: str) -> Column:
    if name.startswith("_"):
        raise SetupWrong(f"{place} starts with an underscore; such columns are never sent.")
    entry = _table(entry, place, _COLUMN_ENTRIES)
    given = [way for way in _WAYS if way in entry]
    if len(given) != 1:
        raise SetupWrong(f"{place} needs exactly one of {', '.join(_WAYS)}; it has {given or 'none'}.")
    column = Column(
        name=name,
        fields=_texts(entry.get("from", ()), f"{place}.from"),
        constant=_constant(entry, f"{place}.constant"),
        digest_of=_texts(entry.get("digest_of", ()), f"{place}.digest_of"),
        translate=_words(entry.get("translate", {}), f"{place}.translate"),
        required=_flag(entry, "required", place),
        undocumented=_flag(entry, "undocumented", place),
        label=_text(entry["label"], f"{place}.label") if "label" in entry else "",
        known_in=_table_and_field(entry, f"{place}.known_in"),
        **{key: _choice(entry.get(key, words[0]), words, f"{place}.{key}") for key, words in _CHOICES.items()},
    )
    if column.constant is None:
        _check_fields(column, source, f"{place}.{given[0]}")
    return column


def _table_and_field(entry: Mapping[str, Any], place: str) -> str:
    if "known_in" not in entry:
        return ""
    known_in = _text(entry["known_in"], place)
    if not all(known_in.partition(".")):
        raise SetupWrong(f"{place} is {known_in!r}; write the table and its field, such as sys_user.email.")
    return known_in


def _check_fields(column: Column, source: str, place: str) -> None:
    _some(column.sources, place)
    unknown = [name for name in column.sources if name not in _KNOWN_FIELDS[source]]
    if unknown and not column.undocumented:
        raise SetupWrong(
            f"{place} reads {', '.join(unknown)}, which Iru's API does not have. Correct the name, or set "
            f"undocumented = true if your tenant sends it. Known fields: {', '.join(sorted(_KNOWN_FIELDS[source]))}."
        )


def _constant(entry: Mapping[str, Any], place: str) -> str | None:
    if "constant" not in entry:
        return None
    if entry["constant"] == CLEARS:
        raise SetupWrong(f"{place} is {CLEARS}, which would empty the field in every row; leave the column out.")
    return _text(entry["constant"], place)


def _refuse_unknown(entry: Mapping[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(set(entry) - known)
    if unknown:
        raise SetupWrong(f"{place} has the unknown entry {', '.join(unknown)}; known are {', '.join(sorted(known))}.")


def _table(value: Any, place: str, known: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SetupWrong(f"{place} must be a table, not {value!r}.")
    if known is not None:
        _refuse_unknown(value, known, place)
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise SetupWrong(f"{place} must be text, not {value!r}.")
    return value


def _texts(value: Any, place: str) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not all(isinstance(item, str) and item for item in values):
        raise SetupWrong(f"{place} must be text or a list of texts, not {value!r}.")
    return tuple(values)


def _some(values: tuple[str, ...], place: str) -> tuple[str, ...]:
    if not values:
        raise SetupWrong(f"{place} must name at least one.")
    return values


def _words(value: Any, place: str) -> dict[str, str]:
    """Check a table whose values are texts."""
    return {key: _text(word, f"{place}.{key}") for key, word in _table(value, place).items()}


def _flag(entry: Mapping[str, Any], name: str, place: str) -> bool:
    value = entry.get(name, False)
    if not isinstance(value, bool):
        raise SetupWrong(f"{place}.{name} is {value!r}; it must be true or false.")
    return value


def _choice(value: Any, allowed: tuple[str, ...], place: str) -> Any:
    if value not in allowed:
        raise SetupWrong(f"{place} is {value!r}; it must be one of: {', '.join(allowed)}.")
    return value
