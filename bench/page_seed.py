"""A ledger as years of runs would have left it, of any size, the same each time: for the page's tests and its bench.

It has every verdict, rows of each kind that wait, orders in each state, histories, runs that failed, counts that
differ, and names that are hostile.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from include.detection.tables import PENDING
from include.inventory.bulk_write import write_rows
from include.inventory.cells import canonical
from include.inventory.database import open_database
from include.inventory.ledger_tables import COLUMNS, DEVICES, ROWS, Pair
from include.inventory.sync_tables import (
    COUNTS_SEEN,
    DAYS,
    FACTS,
    FEEDS,
    HISTORY,
    ORDERS,
    RUNS,
    TITLES,
    VERDICT_COLUMNS,
    WAITING,
)

PAIR = Pair("https://tenant.api.example", "https://instance.service-now.example")
HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd|'/c calc'!A1",
    "\u202eevil\u0007",
    'O\'Brien & "Söhne" <b>',
    "名前 🍏",
    "x" * 10_000,
)
"""Names that somebody gave a device or an app to hurt whoever shows them."""

OK_VERDICTS = ("inserted", "updated", "processed", "ignored")
REFUSED_VERDICTS = ("error", "skipped", "ignored")
MESSAGES = (
    "Unable to resolve reference: assigned_to",
    "Insert Aborted : Error during insert of cmdb_ci_computer",
    "Row transform ignored by onBefore script",
    "No installed_on record found",
)
_MODELS = ("MacBook Air", "MacBook Pro", "Mac mini", "iPhone 15", "iPad Air", "Apple TV 4K")
_VERSIONS = tuple(f"{major}.{minor}" for major in (13, 14, 15) for minor in range(10))


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; the defaults are for tests."""

    devices: int = 60
    apps_per_device: int = 12
    titles: int = 80
    refused: int = 12
    parked: int = 6
    waiting: int = 20
    runs: int = 40
    history: int = 3
    orders: int = 9
    pending: int = 2


FULL = Sizes(50_000, 100, 20_000, 3_000, 800, 20_000, 2_000, 4, 5_000, 40)
"""The fleet that the page has to answer for."""


@dataclass(frozen=True)
class Seeded:
    """Makes the rows of one ledger; ``now`` is when the last run ended."""

    sizes: Sizes = field(default_factory=Sizes)
    pair: Pair = PAIR
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    seed: int = 7
    folder: str = "runs/none"

    @property
    def ids(self) -> list[str]:
        """The devices' ids, in the order in which Iru lists them."""
        return [self.device_id(number) for number in range(self.sizes.devices)]

    def device_id(self, number: int) -> str:
        """Return the id of a device."""
        mark = blake2b(f"{self.seed}:{number}".encode(), digest_size=12).hexdigest()
        return f"{number:08x}-{mark[:4]}-{mark[4:8]}-{mark[8:12]}-{mark[12:]}"

    def serial(self, number: int) -> str:
        """Return the serial number of a device."""
        return f"C02{number:07d}"

    def at(self, hours_ago: float) -> str:
        """Return a time as the ledger spells it."""
        return (self.now - timedelta(hours=hours_ago)).strftime("%Y-%m-%d %H:%M:%S")

    def write(self, url: str) -> None:
        """Write everything into a new ledger."""
        engine = open_database(url)
        tables = [
            (RUNS, self.runs), (FEEDS, self.feeds), (DAYS, self.days), (COUNTS_SEEN, self.counts),
            (WAITING, self.waiting), (HISTORY, self.history), (ORDERS, self.orders), (FACTS, self.facts),
            (TITLES, self.titles), (PENDING, self.pending), (DEVICES, self.devices),
        ]  # fmt: skip
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1500000"):
                    connection.exec_driver_sql(f"PRAGMA {setting}")
                connection.commit()
            own = (self.pair.source, self.pair.target)
            rows = ((*own, *row) for row in self.rows())
            write_rows(connection, ROWS, ("source", "target", "feed", *COLUMNS), rows)
            connection.commit()
            for table, make in tables:
                names = [column.name for column in table.columns]
                pair = {"source": own[0], "target": own[1]}
                write_rows(connection, table, names, ([(pair | row)[name] for name in names] for row in make()))
                connection.commit()
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA journal_mode = DELETE")
        engine.dispose()

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the ledger's rows: feed, then the columns of an entry."""
        for number, device_id in enumerate(self.ids):
            payload = self.computer(number)
            yield "computer", *self._entry(number, payload["serial_number"].casefold(), device_id, payload)
            mdm = {
                "blueprint_id": f"bp-{number % 7}", "device_id": device_id, "discovery_source": "Kandji",
                "serial_number": payload["serial_number"],
            }  # fmt: skip
            yield "mdm", *self._entry(number + 1, f"{device_id}\x1fbp-{number % 7}", device_id, mdm)
        for number, device_id in enumerate(self.ids):
            for app in range(self.sizes.apps_per_device):
                payload = self.app(number, app)
                turn = number * self.sizes.apps_per_device + app
                yield "apps", *self._entry(turn, payload["instance_key"], device_id, payload)

    def computer(self, number: int) -> dict[str, str]:
        """Return what a computer is sent as."""
        name = HOSTILE[number % len(HOSTILE)] if number % 29 == 3 else f"Mac of {_person(number)}"
        return {
            "assigned_user": f"{_person(number).lower().replace(' ', '.')}@example.com",
            "device_capacity": str((128, 256, 512, 1024)[number % 4]), "device_name": name,
            "discovery_source": "Kandji", "manufacturer": "Apple", "model_name": _MODELS[number % len(_MODELS)],
            "os_type": "macOS" if number % 6 < 3 else "iOS", "os_version": _VERSIONS[number % len(_VERSIONS)],
            "serial_number": self.serial(number),
        }  # fmt: skip

    def app(self, device: int, number: int) -> dict[str, str]:
        """Return what an app of a device is sent as."""
        title = (device * 31 + number * 97) % self.sizes.titles
        key = blake2b(f"{self.seed}:{device}:{number}".encode(), digest_size=16).hexdigest()
        payload = {
            "active": "true", "developer_name": f"Publisher {title % 211}", "discovery_source": "Kandji",
            "instance_key": key, "name": self.title(title), "path": f"/Applications/{title}.app",
            "serial_number": self.serial(device), "version": f"{title % 9}.{number % 5}",
        }  # fmt: skip
        opened = (device + number) % 300
        return payload | ({"last_opened": self.at(24 * opened)} if opened < 250 else {})

    def title(self, number: int) -> str:
        """Return the name of an app."""
        return HOSTILE[number % len(HOSTILE)] if number % 37 == 5 else f"App {number}"

    def _entry(self, turn: int, key: str, device_id: str, payload: dict[str, str]) -> tuple[Any, ...]:
        """Return an entry: confirmed, but for the first rows of a feed, which are parked, then refused."""
        text = canonical(payload).decode()
        row_hash = f"{hash_of(key):032x}"
        sizes, sets = self.sizes, f"{turn // 500:032x}"
        if turn < sizes.parked + sizes.refused:
            attempts = 5 + turn % 3 if turn < sizes.parked else 1 + turn % 4
            verdict, message = REFUSED_VERDICTS[turn % 3], MESSAGES[turn % 4]
            known = (row_hash[::-1], text, self.at(900)) if turn % 2 else (None, None, None)
            return (
                key, known[0], known[1], True, verdict, message, attempts, sets, "run-1", self.at(1), known[2],
                row_hash, device_id, text, self.at(2 + turn % 700),
            )  # fmt: skip
        active, verdict = turn % 41 != 7, OK_VERDICTS[turn % 4]
        run = 1 + turn % sizes.runs
        message = "No field values changed" if verdict == "ignored" else ""
        return (
            key, row_hash, text, active, verdict, message, 0, sets, f"run-{run}", self.at(run), self.at(run),
            row_hash, device_id, None, None,
        )  # fmt: skip

    def devices(self) -> Iterator[dict[str, Any]]:
        """Yield how many rows of each feed a device has."""
        for device_id in self.ids:
            for feed, rows in (("computer", 1), ("mdm", 1), ("apps", self.sizes.apps_per_device)):
                yield {"feed": feed, "device": device_id, "digest": device_id[:32], "rows": rows}

    def runs(self) -> Iterator[dict[str, Any]]:
        """Yield the runs, one an hour back from now; every twentieth is of apps, some failed."""
        for number in range(1, self.sizes.runs + 1):
            flow = "apps" if number % 20 == 2 else "devices"
            yield {
                "dag_id": f"iru_{flow}", "run_id": f"run-{number}", "flow": flow,
                "mode": "plan" if number % 50 == 9 else "load", "is_whole": number % 3 != 0,
                "began_at": self.at(number + 0.1), "ended_at": self.at(number),
                "failed": "extract: Iru answered 503." if number % 17 == 5 else "",
                "folder": f"{self.folder}/iru_{flow}/run-{number}", "rows_sent": 40 * number % 900,
                "load_s": 10.0 + number % 60, "requests_iru": 170 + number % 9, "requests_servicenow": 30 + number % 40,
                "retries": number % 3, "latency_n": number % 12, "latency_p50_s": 31.5 if number % 12 else None,
                "latency_p95_s": 58.0 + number % 30 if number % 12 else None, "iru_limit": 10_000,
                "iru_remaining": 10_000 - 200 * (number % 40), "servicenow_limit": 5000 if number % 4 == 1 else None,
                "servicenow_used": 300 if number % 4 == 1 else None,
            }  # fmt: skip

    def feeds(self) -> Iterator[dict[str, Any]]:
        """Yield what each run made of its feeds."""
        for run in self.runs():
            for feed in ("apps",) if run["flow"] == "apps" else ("computer", "mdm"):
                sets = json.dumps([f"{number:032x}" for number in range(1 + int(run["run_id"][4:]) % 3)])
                yield {
                    "dag_id": run["dag_id"], "run_id": run["run_id"], "feed": feed, "ended_at": run["ended_at"],
                    "import_sets": sets, "waiting_left_out": 0, **self._counts(feed),
                }  # fmt: skip

    def days(self) -> Iterator[dict[str, Any]]:
        """Yield a year of days."""
        for day in range(366 if self.sizes.runs > 100 else 40):
            for feed in ("computer", "mdm", "apps"):
                counts = self._counts(feed)
                yield {"feed": feed, "day": self.at(24 * day)[:10], "runs": 24, "failed": int(day % 9 == 4), **counts}

    def _counts(self, feed: str) -> dict[str, int]:
        sizes = self.sizes
        rows = sizes.devices * (sizes.apps_per_device if feed == "apps" else 1)
        ended = {
            "filtered": rows // 50,
            "rejected": 3,
            "inserted": 5,
            "updated": 17,
            "ignored": 2,
            "error": 4,
            "held": 2,
        }
        counts = dict.fromkeys(VERDICT_COLUMNS, 0) | ended | {"removed": 1}
        return counts | {"extracted": rows, "unchanged": max(0, rows - sum(ended.values()))}

    def counts(self) -> Iterator[dict[str, Any]]:
        """Yield what was counted on both sides; ServiceNow lacks three apps."""
        for feed, each in (("computer", 1), ("mdm", 1), ("apps", self.sizes.apps_per_device)):
            rows = self.sizes.devices * each
            yield {"feed": feed, "side": "iru", "rows": rows, "at": self.at(1), "told_by": "load"}
            lacks = 3 if feed == "apps" else 0
            there = {"side": "servicenow", "rows": rows - lacks, "at": self.at(1), "told_by": "reconcile"}
            yield {"feed": feed, **there}

    def waiting(self) -> Iterator[dict[str, Any]]:
        """Yield rows that were not sent: by turns held and rejected, one in ten of them without a key."""
        for number in range(self.sizes.waiting):
            feed = ("computer", "mdm", "apps")[number % 3]
            held = number % 2 == 0
            payload = self.computer(number) if feed == "computer" else self.app(number, 0)
            yield {
                "feed": feed, "row_id": f"row:{number}" if number % 10 == 9 else f"waiting-{number}",
                "verdict": "held" if held else "rejected", "device": self.device_id(number % self.sizes.devices),
                "serial_number": self.serial(number), "columns": "" if held else "serial_number",
                "message": "its computer is not in ServiceNow yet" if held else "has no value",
                "payload": canonical(payload).decode() if held else None, "since": self.at(number % 200),
                "run_id": "run-1",
            }  # fmt: skip

    def history(self) -> Iterator[dict[str, Any]]:
        """Yield verdicts that were replaced, of computers and of a few apps."""
        for number, device_id in enumerate(self.ids):
            keys = [("computer", self.serial(number).casefold()), ("apps", self.app(number, 0)["instance_key"])]
            for feed, key in keys:
                for past in range(self.sizes.history):
                    yield {
                        "feed": feed, "key": key, "run_id": f"old-{past}", "device": device_id,
                        "verdict": "error" if past % 3 == 2 else "updated", "message": MESSAGES[past % 4],
                        "import_set": f"{past:032x}", "tried_at": self.at(1000 + 24 * past),
                    }  # fmt: skip

    def orders(self) -> Iterator[dict[str, Any]]:
        """Yield orders of all states and actions; the open ones are for the first computers."""
        for number in range(self.sizes.orders):
            state = "open" if number < 3 else ("done", "replaced")[number % 2]
            turn = number if number < 3 else 10 + number
            yield {
                "order_id": f"{number:032x}", "feed": "computer", "key": self.serial(turn).casefold(),
                "action": ("release", "park", "resend")[number % 3], "ordered_by": "admin",
                "ordered_at": self.at(5 + number / 10), "reason": HOSTILE[number % 5], "state": state,
                "run_id": "run-2" if state == "done" else None, "done_at": self.at(2) if state == "done" else None,
            }  # fmt: skip

    def facts(self) -> Iterator[dict[str, Any]]:
        """Yield the fleet's facts."""
        values = {
            "os_type": ("macOS", "iOS", "iPadOS", "tvOS"), "os_version": _VERSIONS,
            "model": _MODELS, "capacity": ("64 GB", "128 GB", "256 GB", "512 GB", "1 TB", "2 TB"),
        }  # fmt: skip
        for fact, named in values.items():
            share, more = divmod(self.sizes.devices, len(named))
            for number, value in enumerate(named):
                devices = share + (more if number == 0 else 0)
                yield {"fact": fact, "value": value, "devices": devices, "as_of": self.at(1)}

    def titles(self) -> Iterator[dict[str, Any]]:
        """Yield the titles of apps, few with many installs and many with few."""
        for number in range(self.sizes.titles):
            name, installs = self.title(number)[:500], 1 + self.sizes.devices // (1 + number % 5000)
            unused = hash_of(f"{self.seed}:{number}") % (installs + 1)
            yield {
                "title_id": f"{number:032x}", "name": name, "name_folded": name.casefold(),
                "publisher": f"Publisher {number % 211}", "installs": installs, "devices": installs,
                "versions": 1 + number % 9, "top_version": f"{number % 9}.0", "never_opened": installs - unused,
                "unused_30": unused, "unused_90": unused // 2, "unused_180": unused // 4,
                "newest_opened": self.at(number % 400) if unused else None, "as_of": self.at(1),
            }  # fmt: skip

    def pending(self) -> Iterator[dict[str, Any]]:
        """Yield changes that were noticed and that no run carries yet."""
        for number in range(self.sizes.pending):
            seen = self.now.timestamp() - 20 - 5 * number
            yield {"device_id": self.device_id(number), "seen_at_s": seen, "claimed_by": ""}


def hash_of(key: str) -> int:
    """Return a number of 128 bits that stands for a key."""
    return int.from_bytes(blake2b(key.encode(), digest_size=16).digest(), "big")


def _person(number: int) -> str:
    first = ("Ada", "Zoë", "Grace", "Linus", "Mary", "Alan", "Edsger", "Barbara")[number % 8]
    last = ("Lovelace", "Müller", "Hopper", "Berg", "Turing", "Liskov", "Knuth")[number % 7]
    return f"{first} {last}"
