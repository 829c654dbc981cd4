"""A request whose answer is lost is looked for before anything is sent again, whatever became of it."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from instance import TABLE, Instance, error
from scripted import Asked, Reply, Scripted, serving
from test_load import INSERT, Clock, frame, inserts, load, verdicts

from include.errors import RetryLater, SetupWrong
from include.loading.load import ask_again
from include.loading.receipts import Receipts
from include.loading.spec import LoadSpec
from include.servicenow.client import ServiceNowClient
from include.web.retry import RetryPolicy

SINGLE = f"/api/now/import/{TABLE}"
Script = Callable[[Asked], Reply]

LOST = [Reply(broken="dropped"), error(500, "x"), error(503, "x"), error(502, "x"), Reply(b"<html>", 200)]
LOST_IDS = ["dropped", "500", "503", "502", "page"]


def losing(instance: Instance, path: str, reply: Reply, *, number: int = 2, work: bool) -> Script:
    """Lose the answer to the n-th request to a path, after the work was done or without doing it."""
    seen = [0]

    def script(asked: Asked) -> Reply:
        if asked.path != path:
            return instance(asked)
        seen[0] += 1
        if seen[0] != number:
            return instance(asked)
        if work:
            instance(asked)
        return reply

    return script


@pytest.mark.parametrize("reply", LOST, ids=LOST_IDS)
@pytest.mark.parametrize("work", [True, False], ids=["done", "not done"])
def test_a_bulk_request_whose_answer_is_lost_arrives_once(tmp_path, reply, work):
    """Whether the work was done or not, each row is in one import set and has the verdict of that one."""
    path, instance = frame(tmp_path, 6), Instance()
    with serving(losing(instance, INSERT, reply, work=work)) as server:
        load(server, path, concurrency=1, lost_answer_wait_s=0.0)
        assert len(inserts(server)) == (3 if work else 4)
    assert sorted(row["u_key"] for row in instance.stored()) == [f"k{n}" for n in range(6)]
    assert verdicts(path) == dict.fromkeys(range(6), "inserted")


@pytest.mark.parametrize("reply", LOST, ids=LOST_IDS)
@pytest.mark.parametrize("work", [True, False], ids=["done", "not done"])
def test_a_single_record_whose_answer_is_lost_arrives_once(tmp_path, reply, work):
    """The staging row tells what became of a record whose answer was lost; one that did not arrive is sent again."""
    path, instance = frame(tmp_path, 6), Instance()
    with serving(losing(instance, SINGLE, reply, work=work)) as server:
        load(server, path, method="single", lost_answer_wait_s=0.0)
    assert sorted(row["u_key"] for row in instance.stored()) == [f"k{n}" for n in range(6)]
    assert verdicts(path) == dict.fromkeys(range(6), "inserted")


def test_rows_that_appear_late_are_waited_for(tmp_path):
    """After a broken connection ServiceNow may still be at work, so rows are looked for as long as that can last."""
    path, instance = frame(tmp_path, 4), Instance()
    late: list[Asked] = []
    looks = [0]

    def script(asked: Asked) -> Reply:
        if asked.path == INSERT and len(inserts(server)) == 2 and not late:
            late.append(asked)
            return Reply(broken="dropped")
        if asked.path.endswith(TABLE) and asked.method == "GET" and late:
            looks[0] += 1
            if looks[0] == 4:
                instance(late[0])
        return instance(asked)

    clock = Clock()
    with serving(script) as server:
        load(server, path, clock, concurrency=1)
        assert len(inserts(server)) == 2
    assert len(instance.stored()) == 4
    assert verdicts(path) == dict.fromkeys(range(4), "inserted")


def test_earlier_rows_of_the_same_key_are_not_taken_for_the_lost_ones(tmp_path):
    """Rows with the same keys but other values, stored moments before, belong to another request."""
    path, instance = frame(tmp_path, 2), Instance()
    old = [{"u_key": f"k{n}", "u_name": "somebody else"} for n in range(2)]
    for row in old:
        own = {"sys_import_set": "old", "sys_import_state": "inserted", "sys_created_on": "2999-01-01 00:00:00"}
        instance.sets.setdefault("old", []).append(row | own)
    with serving(losing(instance, INSERT, error(500, "x"), number=1, work=False)) as server:
        load(server, path)
        assert len(inserts(server)) == 2
    assert {row["u_name"] for row in instance.stored()} == {"somebody else", "name 0", "name 1"}


def test_an_account_that_cannot_look_sends_again(tmp_path, caplog):
    """Where staging rows may not be read nothing is found; the rows coalesce, and the log says what was not known."""
    path = frame(tmp_path, 2)

    def hidden(asked: Asked) -> Reply | None:
        return error(403, "no") if asked.path == f"/api/now/table/{TABLE}" else None

    instance = Instance(hook=hidden)
    with serving(losing(instance, INSERT, error(500, "x"), number=1, work=True)) as server:
        load(server, path)
        assert len(inserts(server)) == 2
    assert "cannot be told" in caplog.text


class Killed(BaseException):
    """Stands for a SIGKILL: nothing of ours runs after it."""


@pytest.mark.parametrize("method", ["insert_multiple", "single"])
@pytest.mark.parametrize("killed_at", range(1, 12))
@pytest.mark.parametrize("work", [True, False], ids=["done", "not done"])
def test_a_process_that_dies_at_any_request_sends_nothing_twice(tmp_path, monkeypatch, method, killed_at, work):
    """Killed at any request, before or after ServiceNow did it, the next try sends no row a second time."""
    path, instance = frame(tmp_path, 6), Instance()
    seen = [0]

    def script(asked: Asked) -> Reply:
        if "oauth" in asked.path:
            return instance(asked)
        seen[0] += 1
        if seen[0] == killed_at:
            if work:
                instance(asked)
            return Reply(broken="dropped")
        return instance(asked)

    with serving(script) as server:
        with monkeypatch.context() as patch:
            patch.setattr("include.web.transport._Session.request", _dying(killed_at))
            with contextlib.suppress(Killed):
                load(server, path, method=method, concurrency=1)
        load(server, path, method=method, concurrency=1, lost_answer_wait_s=0.0)
    assert sorted(row["u_key"] for row in instance.stored()) == [f"k{n}" for n in range(6)]
    assert verdicts(path) == dict.fromkeys(range(6), "inserted")


def _dying(number: int):
    """Let the n-th request of the API reach the server, and then die."""
    from include.web.transport import _Session

    real, seen = _Session.request, [0]

    def request(self, method, url, **options):
        if "oauth" in url:
            return real(self, method, url, **options)
        seen[0] += 1
        if seen[0] < number:
            return real(self, method, url, **options)
        with contextlib.suppress(OSError):
            real(self, method, url, **options)
        raise Killed

    return request


def _ask(server: Scripted, path: Path) -> frozenset[int]:
    from instance import settings

    clock = Clock()
    client = ServiceNowClient(settings(server.url), retry=RetryPolicy(sleep=clock.sleep, attempts=2))
    spec = LoadSpec(table=TABLE, key_columns=("u_key",), chunk_rows=2, lost_answer_wait_s=0.0)
    return ask_again(client, spec, path, waiting=clock.waiting)


def test_what_a_dead_run_left_is_asked_about_without_sending(tmp_path):
    """A later run learns the verdicts of an earlier one's rows; those still on their way are named, none is sent."""
    path, instance = frame(tmp_path, 6), Instance(polls_until_done=5, runs="none")
    with serving(instance) as server:
        with pytest.raises(RetryLater):
            load(server, path, concurrency=1, transform_timeout_s=0)
        sent = len(inserts(server))
        assert _ask(server, path) == {0, 1}
        assert verdicts(path) == {}
        while _ask(server, path):
            pass
        assert len(inserts(server)) == sent == 1
        assert verdicts(path) == dict.fromkeys(range(2), "inserted")
        assert not Receipts(path).has_open()
        assert _ask(server, path) == frozenset()


def test_an_import_set_that_is_never_transformed_is_given_up(tmp_path):
    """Rows whose import set was left lying for hours are sent again: nothing would ever tell their verdict."""
    path, instance = frame(tmp_path, 2), Instance(polls_until_done=10**6, runs="none")
    with serving(instance) as server:
        with pytest.raises(RetryLater):
            load(server, path, transform_timeout_s=0)
        instance.polls_until_done = 0
        instance.hook = lambda asked: (
            Reply({"result": {"sys_id": "x", "state": "loaded"}}) if asked.path.endswith(f"{0:029d}") else None
        )
        load(server, path, transform_timeout_s=0, forget_after_s=0.0)
        assert len(inserts(server)) == 2
    assert verdicts(path) == dict.fromkeys(range(2), "inserted")


# --- refused as a whole, broken off in the middle ------------------------------------------------------------------


@pytest.mark.parametrize("bad", [{0}, {3}, {9}, {2, 3, 8}])
def test_a_refused_request_is_split_until_the_bad_rows_are_alone(tmp_path, bad):
    """A row that makes ServiceNow refuse the whole request gets its words as verdict; all others go through."""
    path, instance = frame(tmp_path, 10), Instance()
    wrong = {f"k{n}" for n in bad}

    def hook(asked: Asked) -> Reply | None:
        if asked.path == INSERT and any(record["Key"] in wrong for record in asked.json["records"]):
            return error(400, "Exception while reading request")
        return None

    instance.hook = hook
    with serving(instance) as server:
        load(server, path, chunk_rows=10)
    assert verdicts(path) == {n: "error" if n in bad else "inserted" for n in range(10)}
    messages = Receipts(path).read_verdicts().set_index("row")["message"]
    assert all("Exception while reading request" in messages[n] for n in bad)
    assert sorted(row["u_key"] for row in instance.stored()) == [f"k{n}" for n in range(10) if n not in bad]


def test_a_table_that_refuses_everything_is_not_asked_row_by_row(tmp_path):
    """When not even the canary is taken, the set-up is wrong: a few requests tell, not one per row."""
    path = frame(tmp_path, 200)
    with serving(Instance(hook=lambda a: error(400, "no thanks") if a.path == INSERT else None)) as server:
        with pytest.raises(SetupWrong, match=r"refuses every request.*no thanks"):
            load(server, path, chunk_rows=50)
        assert len(inserts(server)) == 1


@pytest.mark.parametrize("broken_at", [0, 1, 4])
def test_rows_that_a_broken_off_transform_left_are_sent_again(tmp_path, broken_at):
    """A transform that ServiceNow cancels half-way has verdicts for some rows; the others go again and arrive."""
    path, instance = frame(tmp_path, 6), Instance()
    once = [True]

    def script(asked: Asked) -> Reply:
        reply = instance(asked)
        if asked.path == INSERT and once:
            once.clear()
            for row in instance.stored()[broken_at:]:
                row["sys_import_state"] = ""
            instance.ending_state = "cancelled"
        elif asked.path == INSERT:
            instance.ending_state = "processed"
        return reply

    with serving(script) as server:
        load(server, path, chunk_rows=6)
    assert verdicts(path) == dict.fromkeys(range(6), "inserted")
    again = [len(records) for records in inserts(server)[1:]]
    assert (sum(again), max(again)) == (6 - broken_at, min(3, 6 - broken_at))


def test_a_run_that_was_cancelled_behind_the_sets_back_is_noticed_before_the_load_gives_up(tmp_path):
    """An import set that stays loaded because its run was cancelled is not waited for in vain: its rest goes again."""
    path, instance = frame(tmp_path, 4), Instance()
    first = f"set{0:029d}"

    def hook(asked: Asked) -> Reply | None:
        if asked.path.endswith(f"sys_import_set/{first}"):
            return Reply({"result": {"sys_id": first, "state": "loaded"}})
        if asked.path.endswith("sys_import_set_run") and first in asked.query["sysparm_query"]:
            for row in instance.sets[first][1:]:
                row["sys_import_state"] = "pending"
            run = {"sys_id": "r", "set": first, "state": "cancelled", "total": "1", "inserts": "1"}
            return Reply({"result": [run]}, headers={"X-Total-Count": "1"})
        return None

    instance.hook = hook
    with serving(instance) as server:
        load(server, path, chunk_rows=4, transform_timeout_s=0)
        assert len(inserts(server)[0]) == 4
        assert sum(map(len, inserts(server)[1:])) == 3
    assert verdicts(path) == dict.fromkeys(range(4), "inserted")


def test_a_row_whose_transform_breaks_off_alone_is_refused(tmp_path):
    """A row that stops every transform it is in ends with a verdict of its own, and stops no other row for good."""
    path, instance = frame(tmp_path, 4), Instance(runs="none")

    def judge(row):
        return ("", "") if row["u_key"] == "k2" else ("inserted", "")

    instance.judge = judge

    def hook(asked: Asked) -> Reply | None:
        if "/sys_import_set/" not in asked.path:
            return None
        sys_id = asked.path.rpartition("/")[2]
        stuck = any(row["u_key"] == "k2" for row in instance.sets[sys_id])
        return Reply({"result": {"sys_id": sys_id, "state": "error" if stuck else "processed"}})

    instance.hook = hook
    with serving(instance) as server:
        load(server, path, chunk_rows=4)
    assert verdicts(path) == {0: "inserted", 1: "inserted", 2: "error", 3: "inserted"}


# --- the canary -----------------------------------------------------------------------------------------------------


def test_a_bulk_load_is_proven_by_a_few_rows_that_fill_every_column(tmp_path):
    """The first request of a big load holds the fewest rows that between them fill every column."""
    import pandas as pd

    from include.storage import write_frame

    path = tmp_path / "to_send.parquet"
    cells = {"u_key": [f"k{n}" for n in range(80)], "u_name": [None] * 80, "u_extra": [None] * 80}
    cells["u_name"][5], cells["u_name"][6], cells["u_extra"][9] = "short", "much longer", "x"
    write_frame(path, pd.DataFrame(cells).astype("str"))
    columns = {"u_key": "Key", "u_name": "Full name", "u_extra": "Extra"}
    with serving(Instance(columns=columns)) as server:
        load(server, path, chunk_rows=40)
        assert [record["Key"] for record in inserts(server)[0]] == ["k6", "k9"]
        assert sum(map(len, inserts(server))) == 80
    assert len(verdicts(path)) == 80


@pytest.mark.parametrize("method", ["insert_multiple", "single"])
def test_a_wrong_set_up_costs_the_canary_and_nothing_more(tmp_path, method):
    """Keys that ServiceNow does not know stop the load after the canary, in both ways of loading."""
    path = frame(tmp_path, 120)
    instance = Instance(columns={"u_key": "Key", "u_other": "Other"}, dictionary="403")
    if method == "insert_multiple":
        instance.columns = {"u_key": "Key", "u_name": "Another label"}
    else:
        instance.hook = _dropping_names(instance)
    with serving(instance) as server, pytest.raises(SetupWrong, match="stored nothing in u_name"):
        load(server, path, chunk_rows=50, method=method, labels={"u_key": "Key", "u_name": "Full name"})
    assert len(instance.stored()) == 1
    assert verdicts(path) == {}


def _dropping_names(instance: Instance):
    """Store single records without a column that the table does not have."""

    def hook(asked: Asked) -> Reply | None:
        if asked.path != SINGLE:
            return None
        return instance.insert_one(_without(asked, "u_name"), TABLE)

    return hook


def _without(asked: Asked, column: str) -> Asked:
    import json

    body = {name: value for name, value in asked.json.items() if name != column}
    return Asked(asked.method, asked.path, asked.query, asked.headers, json.dumps(body | {column: ""}).encode())


@pytest.mark.parametrize(
    "words", ["No transform entry or scripts are defined; Target record not found", "Invalid table "]
)
def test_a_table_without_a_transform_is_a_set_up_mistake(tmp_path, words):
    """A staging table whose map is inactive answers every record with the same error: the set-up is named, once."""
    instance = Instance(judge=lambda row: ("error", words))
    with serving(instance) as server:
        with pytest.raises(SetupWrong, match="Activate the transform map"):
            load(server, frame(tmp_path, 10), method="single")
        assert len(instance.stored()) == 1
