"""A scripted ServiceNow instance: just what a load asks for, with a knob for every odd answer."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scripted import Asked, Reply

from include.servicenow.settings import ServiceNowSettings

TABLE = "u_staging"
OWN = ("sys_created_on", "sys_id", "sys_import_set", "sys_import_row", "sys_import_state", "sys_import_state_comment")

State = tuple[str, str]
"""A staging row's state and its comment."""

Row = dict[str, str]


@dataclass
class Instance:
    """The answers of one instance; change a field to make it odd.

    ``columns`` maps the names of the staging table's columns to labels. ``judge`` gives each stored row its state.
    """

    columns: dict[str, str] = field(default_factory=lambda: {"u_key": "Key", "u_name": "Full name"})
    lengths: dict[str, int] = field(default_factory=dict)
    judge: Callable[[Row], State] = lambda row: ("inserted", "")
    takes: str = "label"
    dictionary: str = "readable"  # or "403" or "empty"
    runs: str = "one"  # or "none", "403", "two", "short" (a row is missing in the counters)
    polls_until_done: int = 0
    ending_state: str = "processed"
    unfinished_reads: int = 0
    total_count_header: bool = True
    drops: Callable[[Row], bool] = lambda row: False
    hook: Callable[[Asked], Reply | None] = lambda asked: None

    sets: dict[str, list[Row]] = field(default_factory=dict)
    polls: dict[str, int] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        with self.lock:
            odd = self.hook(asked)
            if odd is not None:
                return odd
            for pattern, answer in _ROUTES:
                if found := re.fullmatch(pattern, asked.path):
                    return answer(self, asked, *found.groups())
        return error(404, "No Record found")

    def stored(self) -> list[Row]:
        """All staging rows in the order in which they came."""
        return [row for rows in self.sets.values() for row in rows]

    def insert_multiple(self, asked: Asked, table: str) -> Reply:
        """Store the records of a request as a new import set."""
        import_set = f"set{len(self.sets):029d}"
        self.sets[import_set] = []
        for record in asked.json["records"]:
            row = self._columns_of(record)
            if self.drops(row):
                continue
            state, comment = self.judge(row)
            row |= {"sys_import_state": state, "sys_import_state_comment": comment, "sys_import_set": import_set}
            row |= {"sys_created_on": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")}
            row |= {"sys_import_row": str(len(self.sets[import_set])), "sys_id": f"row{len(self.stored()):029d}"}
            self.sets[import_set].append(row)
        return Reply({"import_set_id": import_set, "multi_import_set_id": "multi"}, 201)

    def insert_one(self, asked: Asked, table: str) -> Reply:
        """Store one record; a single POST takes column names."""
        row = {name: value[: self.lengths.get(name, 1000)] for name, value in asked.json.items()}
        state, comment = self.judge(row)
        own = {"sys_import_state": state, "sys_import_state_comment": comment, "sys_import_set": "synchronous"}
        own |= {"sys_created_on": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")}
        self.sets.setdefault("synchronous", []).append(row | own)
        result = {"transform_map": "m", "status": state, "status_message": comment, "sys_id": "x"}
        return Reply({"import_set": "ISET1", "staging_table": table, "result": [result]}, 201)

    def import_set(self, asked: Asked, sys_id: str) -> Reply:
        """Answer the state of an import set."""
        if sys_id not in self.sets:
            return error(404, "No Record found")
        self.polls[sys_id] = self.polls.get(sys_id, 0) + 1
        done = self.polls[sys_id] > self.polls_until_done
        return Reply({"result": {"sys_id": sys_id, "state": self.ending_state if done else "running"}})

    def import_sets(self, asked: Asked) -> Reply:
        """Answer the states of several import sets; each counts as asked about once."""
        wanted = asked.query["sysparm_query"].split("^")[0].removeprefix("sys_idIN").split(",")
        found = [self.import_set(asked, sys_id).body["result"] for sys_id in wanted if sys_id in self.sets]
        return self._list(found if not int(asked.query["sysparm_offset"]) else [], total=len(found))

    def import_runs(self, asked: Asked) -> Reply:
        """Answer the counters of an import set."""
        if self.runs == "403":
            return error(403, "Insufficient rights to query records")
        if self.runs == "none":
            return self._list([])
        wanted = asked.query["sysparm_query"].split("^")[0].removeprefix("set=").removeprefix("setIN").split(",")
        if int(asked.query["sysparm_offset"]):
            return self._list([])
        return self._list([run for sys_id in wanted for run in self._runs_of(sys_id)])

    def _runs_of(self, sys_id: str) -> list[Row]:
        rows = self.sets[sys_id][1:] if self.runs == "short" else self.sets[sys_id]
        names = {"inserts": "inserted", "updates": "updated", "processed": "processed"}
        names |= {"ignored": "ignored", "skipped": "skipped", "errors": "error"}
        counters = {name: str(sum(r["sys_import_state"] == state for r in rows)) for name, state in names.items()}
        run = {"sys_id": "run", "set": {"value": sys_id, "link": "…"}, "state": "complete", "total": str(len(rows))}
        if self.runs == "two":  # another map ran first and took every row
            first = dict.fromkeys(names, "0") | {"inserts": str(len(rows))}
            return [run | first, run | counters]
        return [run | counters]

    def table_rows(self, asked: Asked, table: str) -> Reply:
        """Answer staging rows."""
        conditions = asked.query["sysparm_query"].split("^")
        if not conditions[0].startswith("sys_import_set="):
            return self._newest(conditions, asked)
        sys_id = conditions[0].removeprefix("sys_import_set=")
        without = [c.partition("!=")[2] for c in conditions if c.startswith("sys_import_state!=")]
        wanted = asked.query["sysparm_fields"].split(",")
        self.reads[sys_id] = self.reads.get(sys_id, 0) + 1
        rows = [row for row in self.sets.get(sys_id, []) if row["sys_import_state"] not in without]
        shown = [{name: row.get(name, "") for name in wanted} for row in rows]
        if self.reads[sys_id] <= self.unfinished_reads:
            shown = [row | {"sys_import_state": "pending", "sys_import_state_comment": ""} for row in shown]
        start, limit = int(asked.query["sysparm_offset"]), int(asked.query["sysparm_limit"])
        return self._list(shown[start : start + limit], total=len(shown))

    def _newest(self, conditions: list[str], asked: Asked) -> Reply:
        """Answer the staging rows with some values, the newest first."""
        equals = dict(c.split("=", 1) for c in conditions if "=" in c)
        rows = [row for row in reversed(self.stored()) if all(row.get(k) == v for k, v in equals.items())]
        wanted, limit = asked.query["sysparm_fields"].split(","), int(asked.query["sysparm_limit"])
        return self._list([{name: row.get(name, "") for name in wanted} for row in rows[:limit]])

    def read_dictionary(self, asked: Asked) -> Reply:
        """Answer the staging table's columns."""
        if self.dictionary == "403":
            return error(403, "Insufficient rights to query records")
        if self.dictionary == "empty" or int(asked.query["sysparm_offset"]):
            return self._list([])
        rows = [
            {"name": TABLE, "element": name, "column_label": label, "max_length": f"{self.lengths.get(name, 1000):,}"}
            for name, label in self.columns.items()
        ]
        return self._list([{"name": TABLE, "element": "", "column_label": "Staging", "max_length": "40"}, *rows])

    def token(self, asked: Asked) -> Reply:
        """Answer an access token."""
        return Reply({"access_token": "tok-1", "refresh_token": "ref-1", "token_type": "Bearer", "expires_in": 1800})

    def _columns_of(self, record: Mapping[str, str]) -> Row:
        """Store what the instance's setting takes for a column, cut to its length; the rest is dropped."""
        if self.takes == "label":
            names = {label.lower(): name for name, label in self.columns.items()}
        else:
            names = {name: name for name in self.columns}
        row = dict.fromkeys(self.columns, "")
        for key, value in record.items():
            name = names.get(key.lower() if self.takes == "label" else key)
            if name:
                row[name] = value[: self.lengths.get(name, 1000)]
        return row

    def _list(self, rows: list[Any], total: int | None = None) -> Reply:
        count = len(rows) if total is None else total
        return Reply({"result": rows}, headers={"X-Total-Count": str(count)} if self.total_count_header else {})


_ROUTES: list[tuple[str, Callable[..., Reply]]] = [
    (r"/oauth_token\.do", Instance.token),
    (r"/api/now/import/(\w+)/insertMultiple", Instance.insert_multiple),
    (r"/api/now/import/(\w+)", Instance.insert_one),
    (r"/api/now/table/sys_import_set/(\w+)", Instance.import_set),
    (r"/api/now/table/sys_import_set", Instance.import_sets),
    (r"/api/now/table/sys_import_set_run", Instance.import_runs),
    (r"/api/now/table/sys_dictionary", Instance.read_dictionary),
    (r"/api/now/table/(\w+)", Instance.table_rows),
]


def error(status: int, message: str, **headers: str) -> Reply:
    """Return ServiceNow's error envelope."""
    return Reply({"error": {"message": message, "detail": None}, "status": "failure"}, status, headers)


def settings(url: str, **changes: Any) -> ServiceNowSettings:
    """Return the settings of a service account of an instance."""
    values = {
        "base_url": url,
        "connection": "servicenow_test",
        "grant_type": "password",
        "client_id": "client-id-SECRET1",
        "client_secret": "client-secret-SECRET2",
        "username": "user-SECRET3",
        "password": "pass-SECRET4",
    }
    return ServiceNowSettings(**(values | changes))
