"""Turn the mapping's TOML into checked dataclasses; every mistake is named with its place."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from include.errors import SetupWrong
from include.inventory.mapping import Column, Feed, FeedMapping
from include.inventory.source_fields import APP_FIELDS, DEVICE_FIELDS

_KNOWN_FIELDS = {"devices": DEVICE_FIELDS, "apps": APP_FIELDS}
_FEED_ENTRIES = {"source", "staging_table", "key", "columns", "partner", "removed"}
_COLUMN_ENTRIES = ({field.name for field in fields(Column)} - {"name", "fields"}) | {"from"}
_CHOICES = {
    "type": ("text", "number", "boolean", "timestamp"),
    "too_long": ("reject", "cut"),
    "on_empty": ("clear", "keep"),
}


def build_mapping(data: Mapping[str, Any], file: str) -> FeedMapping:
    """Return the mapping that ``data`` describes, or raise SetupWrong naming the file and the entry."""
    _refuse_unknown(data, {"devices", "feeds"}, f"{file}")
    feeds = {name: _feed(name, entry, f"{file}: feeds.{name}") for name, entry in data.get("feeds", {}).items()}
    for feed in feeds.values():
        if feed.partner and feed.partner not in feeds:
            raise SetupWrong(
                f"{file}: feeds.{feed.name}.partner names the feed {feed.partner!r}, which does not exist."
            )
    return FeedMapping(feeds=feeds, out_of_scope=tuple(data.get("devices", {}).get("out_of_scope", ())))


def _feed(name: str, entry: Any, place: str) -> Feed:
    if not isinstance(entry, dict):
        raise SetupWrong(f"{place} must be a table.")
    _refuse_unknown(entry, _FEED_ENTRIES, place)
    source = entry.get("source")
    if source not in _KNOWN_FIELDS:
        raise SetupWrong(f"{place}.source is {source!r}; it must be one of: {', '.join(_KNOWN_FIELDS)}.")
    removed = entry.get("removed", {})
    feed = Feed(
        name=name,
        source=source,
        staging_table=_text(entry.get("staging_table"), f"{place}.staging_table"),
        key=_texts(entry.get("key"), f"{place}.key"),
        columns=tuple(_column(key, spec, source, f"{place}.columns.{key}") for key, spec in entry["columns"].items()),
        partner=entry.get("partner", ""),
        removed_flag=removed.get("flag", ""),
        removed_values=dict(removed.get("values", {})),
    )
    for column in (*feed.key, *feed.removed_values):
        if column not in feed.column_names:
            raise SetupWrong(f"{place} uses the column {column!r}, which is not among its columns.")
    return feed


def _column(name: str, entry: Any, source: str, place: str) -> Column:
    if not isinstance(entry, dict):
        raise SetupWrong(f'{place} must be a table such as {{ from = "device_name" }}.')
    _refuse_unknown(entry, _COLUMN_ENTRIES, place)
    given = [way for way in ("from", "constant", "digest_of") if way in entry]
    if len(given) != 1:
        raise SetupWrong(f"{place} needs exactly one of from, constant and digest_of; it has {given or 'none'}.")
    for choice, allowed in _CHOICES.items():
        if entry.get(choice, allowed[0]) not in allowed:
            raise SetupWrong(f"{place}.{choice} is {entry[choice]!r}; it must be one of: {', '.join(allowed)}.")
    options = {key: value for key, value in entry.items() if key not in ("from", "digest_of")}
    column = Column(
        name=name,
        fields=_texts(entry.get("from", ()), f"{place}.from"),
        digest_of=_texts(entry.get("digest_of", ()), f"{place}.digest_of"),
        **options,
    )
    _check_fields(column, source, place)
    return column


def _check_fields(column: Column, source: str, place: str) -> None:
    unknown = [name for name in column.sources if name not in _KNOWN_FIELDS[source]]
    if unknown and not column.undocumented:
        raise SetupWrong(
            f"{place} reads {', '.join(unknown)}, which Iru's API does not have. Correct the name, or set "
            f"undocumented = true if your tenant sends it. Known fields: {', '.join(sorted(_KNOWN_FIELDS[source]))}."
        )


def _refuse_unknown(entry: Mapping[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(set(entry) - known)
    if unknown:
        raise SetupWrong(f"{place} has the unknown entry {', '.join(unknown)}; known are {', '.join(sorted(known))}.")


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise SetupWrong(f"{place} must be text, not {value!r}.")
    return value


def _texts(value: Any, place: str) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not all(isinstance(item, str) and item for item in values):
        raise SetupWrong(f"{place} must be text or a list of texts, not {value!r}.")
    return tuple(values)
