"""The declarative mapping: which source field goes into which staging column of which feed."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from include.errors import SetupWrong

DEFAULT_MAPPING = Path(__file__).with_name("mapping.toml")

SourceName = Literal["devices", "apps"]
ColumnType = Literal["text", "number", "boolean", "timestamp"]


@dataclass(frozen=True, slots=True)
class Column:
    """How one staging column is filled; exactly one of fields, constant and digest_of is given."""

    name: str
    fields: tuple[str, ...] = ()
    constant: str | None = None
    digest_of: tuple[str, ...] = ()
    translate: Mapping[str, str] = field(default_factory=dict)
    type: ColumnType = "text"
    required: bool = False
    too_long: Literal["reject", "cut"] = "reject"
    on_empty: Literal["clear", "keep"] = "clear"
    label: str = ""
    known_in: str = ""
    undocumented: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """The source fields that the column reads."""
        return self.fields or self.digest_of


@dataclass(frozen=True, slots=True)
class Feed:
    """One staging table with its columns and its key.

    ``target_table`` is where ServiceNow's transform writes the rows, ``target_fields`` what it makes of each column; a
    reference is named down to the field that the column's value is found in, such as ``assigned_to.email``.
    """

    name: str
    source: SourceName
    staging_table: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partner: str = ""
    removed_flag: str = ""
    removed_values: Mapping[str, str] = field(default_factory=dict)
    target_table: str = ""
    target_fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The staging columns in the order of the mapping."""
        return tuple(column.name for column in self.columns)

    @property
    def grouped(self) -> bool:
        """Say whether a device's rows can be compared together: each key belongs to one device."""
        keys = [self.column(name) for name in self.key]
        return self.source == "apps" and any("device_id" in column.sources for column in keys)

    @property
    def labels(self) -> dict[str, str]:
        """The labels that the mapping gives, by column."""
        return {column.name: column.label for column in self.columns if column.label}

    @property
    def may_be_cut(self) -> frozenset[str]:
        """The columns whose values may be shortened to fit."""
        return frozenset(column.name for column in self.columns if column.too_long == "cut")

    def column(self, name: str) -> Column:
        """Return the column of a name."""
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True, slots=True)
class FeedMapping:
    """All feeds, and the platforms that none of them carries."""

    feeds: Mapping[str, Feed]
    out_of_scope: tuple[str, ...] = ()

    def of_source(self, source: SourceName) -> Iterator[Feed]:
        """Yield the feeds that a source supplies, in the order of the mapping."""
        return (feed for feed in self.feeds.values() if feed.source == source)


def load_mapping(override: Path | None = None) -> FeedMapping:
    """Return the default mapping with an operator's file laid over it.

    Raises SetupWrong that names the file and the entry which is wrong.
    """
    from include.inventory.mapping_check import build_mapping

    data = _read(DEFAULT_MAPPING)
    if override is None:
        return build_mapping(data, DEFAULT_MAPPING.name)
    return build_mapping(_merge(data, _read(override), str(override)), str(override))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SetupWrong(f"The mapping file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupWrong(f"The mapping file {path} is not valid TOML: {error}.") from error


def _merge(base: dict[str, Any], over: dict[str, Any], file: str, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Lay ``over`` on ``base``; a column is replaced whole, and ``false`` in its place removes it."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict) and len(path) < _COLUMN_DEPTH:
            merged[key] = _merge(merged[key], value, file, (*path, key))
        elif value is False and len(path) == _COLUMN_DEPTH:
            if key not in merged:
                raise SetupWrong(f"{file}: {'.'.join((*path, key))} = false removes what is not there; correct it.")
            del merged[key]
        else:
            merged[key] = value
    return merged


_COLUMN_DEPTH = 3  # feeds . <feed> . columns . <column>
