"""Which apps the fleet has: installs, devices, versions and use by title, counted from the rows of a whole run.

A title is a name and a publisher, whatever their case. Rows are counted by Arrow, bucket by bucket; only distinct texts
pass through Python, so that millions of rows take seconds.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from include.inventory.bulk_write import write_rows
from include.inventory.database import storage_failures
from include.inventory.ledger import Ledger
from include.inventory.mapping import Feed
from include.inventory.parts import Buckets
from include.inventory.run import Run
from include.inventory.sync_tables import TITLES

UNUSED_DAYS = (30, 90, 180)

_NAME, _PUBLISHER, _VERSION, _OPENED, _DEVICE = "name", "developer_name", "version", "last_opened", "_device"
_TITLE = ["title_name", "title_publisher"]
_ONE_VERSION = [*_TITLE, "of_version"]
_SUMS = ("installs", "devices", "never", *(f"unused_{days}" for days in UNUSED_DAYS))
_MOST_PENDING = 500_000
_LONGEST_FOLDED = 300  # PostgreSQL takes 2.7 kB in an index


def note_titles(ledger: Ledger, run: Run, feed: Feed, *, now: datetime) -> int:
    """Replace what is known of the pair's titles by what a whole run lists, and return how many there are."""
    if _NAME not in feed.column_names:
        return 0
    own = (ledger.pair.source, ledger.pair.target)
    of_pair = [TITLES.c.source == ledger.pair.source, TITLES.c.target == ledger.pair.target]
    titles = list(read_titles(run, feed, now=now))
    with storage_failures(), ledger.engine.begin() as connection:
        connection.execute(sa.delete(TITLES).where(*of_pair))
        names = [column.name for column in TITLES.columns]
        write_rows(connection, TITLES, names, ((*own, *title, _spelled(now)) for title in titles))
    return len(titles)


def read_titles(run: Run, feed: Feed, *, now: datetime) -> Iterator[tuple[Any, ...]]:
    """Yield the titles of a run's rows, with the values of ``fleet_titles`` from ``title_id`` to ``newest_opened``."""
    count = _Titles(feed, now)
    with Buckets(run.folder.rows(feed.name)) as buckets:
        for bucket in range(int(run.folder.told_by(f"shape-{feed.name}")["buckets"])):
            count.add(buckets.table(bucket, count.columns))
    return count.rows()


class _Texts:
    """Numbers for texts, the same number for texts that differ in case only where ``fold`` is set."""

    def __init__(self, *, fold: bool) -> None:
        self._fold = fold
        self._codes: dict[str, int] = {}
        self.spelled: list[str] = []

    def codes(self, column: pa.ChunkedArray) -> pa.Array:
        """Return the number of each text; null counts as the empty text."""
        coded = pc.fill_null(column.cast(pa.large_string()), "").combine_chunks().dictionary_encode()
        return pa.array([self._code(text) for text in coded.dictionary.to_pylist()], pa.int32()).take(coded.indices)

    def _code(self, text: str) -> int:
        code = self._codes.setdefault(text.casefold() if self._fold else text, len(self.spelled))
        if code == len(self.spelled):
            self.spelled.append(text)
        return code


class _Titles:
    """Counts rows that come in portions; the rows of a device come in one."""

    def __init__(self, feed: Feed, now: datetime) -> None:
        self._limits = {f"unused_{days}": _spelled(now - timedelta(days=days)) for days in UNUSED_DAYS}
        self._removed = {name: value for name, value in feed.removed_values.items() if name in feed.column_names}
        wanted = (_NAME, _PUBLISHER, _VERSION, _OPENED, *self._removed)
        self.columns = [_DEVICE, *dict.fromkeys(name for name in wanted if name in feed.column_names)]
        self._names, self._publishers = _Texts(fold=True), _Texts(fold=True)
        self._versions = _Texts(fold=False)
        self._titles: list[pa.Table] = []
        self._of_versions: list[pa.Table] = []

    def add(self, rows: pa.Table) -> None:
        """Count some rows."""
        rows = self._present(rows)
        if not len(rows):
            return
        device = pc.fill_null(rows[_DEVICE], "").combine_chunks().dictionary_encode().indices
        opened = self._column(rows, _OPENED)
        columns = {
            "title_name": self._names.codes(rows[_NAME]),
            "title_publisher": self._publishers.codes(self._column(rows, _PUBLISHER)),
            "of_version": self._versions.codes(self._column(rows, _VERSION)),
            "devices": device,
            "never": opened.is_null().cast(pa.int64()),
            "newest": opened,
        }
        unused = {name: pc.less(opened, limit).cast(pa.int64()) for name, limit in self._limits.items()}
        table = pa.table({**columns, **unused})
        sums = [("never", "sum"), *((name, "sum") for name in unused), ("newest", "max")]
        counted = table.group_by(_TITLE).aggregate([([], "count_all"), ("devices", "count_distinct"), *sums])
        self._titles.append(_renamed(counted))
        self._of_versions.append(_renamed(table.group_by(_ONE_VERSION).aggregate([([], "count_all")])))
        if sum(map(len, self._of_versions)) > _MOST_PENDING:
            self._add_up()

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield what was counted, title by title."""
        if not self._titles:
            return
        self._add_up()
        titles, versions = self._titles[0].to_pandas(), self._of_versions[0].to_pandas()
        by_use = versions.sort_values([*_TITLE, "installs", "of_version"])
        top = by_use.drop_duplicates(_TITLE, keep="last").set_index(_TITLE)["of_version"]
        how_many = versions.groupby(_TITLE).size()
        index = pd.MultiIndex.from_frame(titles[_TITLE])
        titles = titles.assign(top=top.reindex(index).to_numpy(), versions=how_many.reindex(index).to_numpy())
        for title in titles.to_dict("records"):
            name = self._names.spelled[title["title_name"]]
            publisher = self._publishers.spelled[title["title_publisher"]]
            folded = (name.casefold(), publisher.casefold())
            newest = title["newest"] if isinstance(title["newest"], str) else None
            yield (
                blake2b("\x1f".join(folded).encode(), digest_size=16).hexdigest(), name,
                folded[0][:_LONGEST_FOLDED], publisher,
                int(title["installs"]), int(title["devices"]), int(title["versions"]),
                self._versions.spelled[title["top"]], int(title["never"]),
                *(int(title[unused]) for unused in self._limits), newest,
            )  # fmt: skip

    def _present(self, rows: pa.Table) -> pa.Table:
        """Leave out what the source itself flags as removed."""
        if not self._removed:
            return rows
        removed = [pc.fill_null(pc.equal(rows[name], value), fill_value=False) for name, value in self._removed.items()]
        is_removed = removed[0]
        for other in removed[1:]:
            is_removed = pc.and_(is_removed, other)
        return rows.filter(pc.invert(is_removed))

    def _column(self, rows: pa.Table, name: str) -> pa.ChunkedArray:
        if name in rows.column_names:
            return rows[name].cast(pa.large_string())
        return pa.chunked_array([pa.nulls(len(rows), pa.large_string())])

    def _add_up(self) -> None:
        sums = [*((name, "sum") for name in _SUMS), ("newest", "max")]
        titles = pa.concat_tables(self._titles).group_by(_TITLE).aggregate(sums)
        versions = pa.concat_tables(self._of_versions).group_by(_ONE_VERSION).aggregate([("installs", "sum")])
        self._titles, self._of_versions = [_renamed(titles)], [_renamed(versions)]


def _renamed(counted: pa.Table) -> pa.Table:
    """Return an aggregate with the names of what was counted, null sums as 0."""
    own = {"count_all": "installs"}
    names = [own.get(name, name) for name in counted.column_names]
    plain = [name.removesuffix("_sum").removesuffix("_max").removesuffix("_count_distinct") for name in names]
    table = counted.rename_columns(plain)
    filled = {name: pc.fill_null(table[name], 0) if name in _SUMS else table[name] for name in plain}
    return pa.table(filled)


def _spelled(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")
