"""A frame is loaded once, whatever happens on the way, and every row gets the verdict that ServiceNow gave it."""

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from instance import TABLE, Instance, error, settings
from scripted import Asked, Reply, Scripted, serving

from include.errors import RetryLater, SetupWrong
from include.loading.frames import load_frames
from include.loading.load import LoadResult, load_frame
from include.loading.receipts import Receipts
from include.loading.spec import LoadSpec
from include.loading.transforms import Waiting
from include.servicenow.client import ServiceNowClient
from include.servicenow.judge import AccessDenied
from include.storage import write_frame
from include.web.retry import RetryPolicy

INSERT = f"/api/now/import/{TABLE}/insertMultiple"
NO_CHANGE = "No field values changed"
LABELS = {"u_key": "Key", "u_name": "Full name"}


class Clock:
    """Passes time only when somebody sleeps; may be used by several threads."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._lock = threading.Lock()

    @property
    def waiting(self) -> Waiting:
        """Waiting that passes only this clock's time."""
        started_s = time.time()
        return Waiting(lambda: self.now_s, self.sleep, lambda: started_s + self.now_s)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self.now_s += seconds


def frame(folder: Path, rows: int, **columns: str) -> Path:
    """Write a frame to send: u_key k0, k1, … and u_name, with the pipeline's own notes beside them."""
    path = folder / "to_send.parquet"
    cells = {"_row": list(range(rows)), "u_key": [f"k{n}" for n in range(rows)]}
    cells |= {"u_name": [f"name {n}" for n in range(rows)]} | {name: [value] * rows for name, value in columns.items()}
    write_frame(path, pd.DataFrame(cells))
    return path


def load(server: Scripted, path: Path, clock: Clock | None = None, **spec) -> LoadResult:
    """Load a frame the way the operator does, without real waiting."""
    clock = clock or Clock()
    client = ServiceNowClient(settings(server.url), retry=RetryPolicy(sleep=clock.sleep, attempts=3))
    values = {"table": TABLE, "key_columns": ("u_key",), "chunk_rows": 2} | spec
    return load_frame(client, LoadSpec(**values), path, waiting=clock.waiting)


def verdicts(path: Path) -> dict[int, str]:
    """Return the outcome of each row that has a verdict."""
    found = Receipts(path).read_verdicts()
    return dict(zip(found["row"], found["outcome"], strict=True))


def inserts(server: Scripted) -> list[list[dict]]:
    """Return the records of every bulk request, in order."""
    return [asked.json["records"] for asked in server.asked if asked.path == INSERT]


def once(matches: str, reply: Reply, after: int = 0):
    """Answer one request whose path ends in ``matches`` differently, after some that match too."""
    seen = [0]

    def hook(asked: Asked) -> Reply | None:
        if not asked.path.endswith(matches):
            return None
        seen[0] += 1
        return reply if seen[0] == after + 1 else None

    return hook


def test_every_row_arrives_once_by_label(tmp_path):
    """A load sends every row under the labels that the dictionary knows, and tells the rows by outcome."""
    path = frame(tmp_path, 5)
    with serving(instance := Instance()) as server:
        result = load(server, path)
        assert sorted(len(records) for records in inserts(server)) == [1, 2, 2]
        assert inserts(server)[0][0] == {"Key": "k0", "Full name": "name 0"}
    assert sorted(row["u_key"] for row in instance.stored()) == ["k0", "k1", "k2", "k3", "k4"]
    assert all(row["u_name"] == f"name {row['u_key'][1:]}" for row in instance.stored())
    assert (result.rows, result.outcomes["inserted"], result.requests) == (5, 5, len(server.asked))
    assert verdicts(path) == dict.fromkeys(range(5), "inserted")


def test_later_chunks_join_the_first_ones_multi_import_set(tmp_path):
    """All chunks of a load are grouped, so that a person finds them together."""
    with serving(Instance()) as server:
        load(server, frame(tmp_path, 5))
        queries = [asked.query for asked in server.asked if asked.path == INSERT]
    assert queries == [{}, {"multi_import_set_id": "multi"}, {"multi_import_set_id": "multi"}]


def test_the_label_of_the_dictionary_beats_the_mapping_and_the_default(tmp_path):
    """What the instance itself says of a column's label is right."""
    with serving(Instance()) as server:
        load(server, frame(tmp_path, 1), labels={"u_name": "Wrong"})
        assert set(inserts(server)[0][0]) == {"Key", "Full name"}


@pytest.mark.parametrize("dictionary", ["403", "empty"])
def test_without_a_dictionary_the_mapping_beats_the_default(tmp_path, dictionary):
    """Where the dictionary may not be read, the mapping's label counts, and else the name with spaces."""
    instance = Instance(columns={"u_key": "u key", "u_name": "Full name"}, dictionary=dictionary)
    with serving(instance) as server:
        load(server, frame(tmp_path, 1), labels={"u_name": "Full name"})
        assert set(inserts(server)[0][0]) == {"u key", "Full name"}
    assert instance.stored()[0]["u_key"] == "k0"


def test_an_instance_that_takes_names_gets_names(tmp_path):
    """With column_keys = "name" the staging columns' names are the keys."""
    with serving(instance := Instance(takes="name")) as server:
        load(server, frame(tmp_path, 1), column_keys="name")
    assert instance.stored()[0]["u_name"] == "name 0"


def test_a_missing_staging_column_stops_the_load_before_any_write(tmp_path):
    """ServiceNow drops unknown columns without a word, so the load names them and sends nothing."""
    with serving(Instance()) as server:
        with pytest.raises(SetupWrong, match=f"{TABLE} has no column u_more"):
            load(server, frame(tmp_path, 1, u_more="x"))
        assert server.paths("POST") == ["/oauth_token.do"]


def test_columns_that_share_a_label_stop_the_load_before_any_write(tmp_path):
    """By label, two columns of one label would overwrite each other; both are named."""
    with serving(Instance(columns={"u_key": "Key", "u_name": "Name", "u_more": "NAME"})) as server:
        with pytest.raises(SetupWrong, match="u_name and u_more have the same label"):
            load(server, frame(tmp_path, 1, u_more="x"))
        assert inserts(server) == []
        load(server, frame(tmp_path, 1, u_more="x"), method="single")


STATES = [
    ("inserted", ""), ("updated", ""), ("processed", ""), ("ignored", NO_CHANGE), ("skipped", "no key"),
    ("error", "no such user"),
]  # fmt: skip
MIXES = [[STATES[n]] for n in range(6)] + [
    [STATES[0], STATES[5]], [STATES[1], STATES[3]], [STATES[2], STATES[4], STATES[5]], [STATES[0], STATES[1]], STATES,
]  # fmt: skip


@pytest.mark.parametrize("runs", ["one", "none", "403", "two", "short"])
@pytest.mark.parametrize("mix", MIXES, ids=lambda mix: "+".join(state for state, _ in mix))
def test_the_verdicts_are_what_the_server_counted(tmp_path, mix, runs):
    """With counters, without, with several transforms or wrong ones: each row has the state of its staging row."""
    path = frame(tmp_path, 7)
    instance = Instance(judge=lambda row: mix[int(row["u_key"][1:]) % len(mix)], runs=runs)
    with serving(instance) as server:
        result = load(server, path, chunk_rows=7)
    expected = {n: mix[n % len(mix)][0] for n in range(7)}
    assert verdicts(path) == expected
    counted = {state: list(expected.values()).count(state) for state in set(expected.values())}
    assert {state: n for state, n in result.outcomes.items() if n} == counted
    messages = Receipts(path).read_verdicts().set_index("row")["message"]
    assert {n: messages[n] for n in range(7)} == {n: mix[n % len(mix)][1] for n in range(7)}


def test_rows_that_succeeded_are_not_read_one_by_one(tmp_path):
    """Counters settle a chunk: beyond the first one, only rows that did not succeed are read."""
    with serving(Instance()) as server:
        load(server, frame(tmp_path, 10))
        assert server.paths().count(f"/api/now/table/{TABLE}") == 1


def test_a_row_that_servicenow_dropped_is_an_error(tmp_path):
    """A row that is too long for the database is nowhere in ServiceNow; it is an error and is sent again next time."""
    path = frame(tmp_path, 4)
    with serving(Instance(drops=lambda row: row["u_key"] == "k3")) as server:
        load(server, path)
    assert verdicts(path) == {0: "inserted", 1: "inserted", 2: "inserted", 3: "error"}


def test_a_transform_is_waited_for(tmp_path):
    """insertMultiple transforms later: nothing is read before the import set is processed."""
    path, clock = frame(tmp_path, 2), Clock()
    with serving(Instance(polls_until_done=5)) as server:
        load(server, path, clock)
        states = [n for n, asked in enumerate(server.asked) if "sys_import_set/" in asked.path]
        assert len(states) == 6
        assert all("sys_import_set_run" not in asked.path for asked in server.asked[: states[-1]])
    assert clock.now_s > 1


@pytest.mark.parametrize("ending", ["processed", "error", "complete_with_errors", "Processed"])
def test_every_final_state_ends_the_waiting(tmp_path, ending):
    """An import set that ended badly is read as well: its rows say what became of them."""
    path = frame(tmp_path, 1)
    with serving(Instance(ending_state=ending, judge=lambda row: ("error", "bad"))) as server:
        load(server, path)
    assert verdicts(path) == {0: "error"}


def test_rows_that_are_pending_although_the_set_is_processed_are_waited_for(tmp_path):
    """Rows may lag behind their import set; pending is not a verdict."""
    path = frame(tmp_path, 2)
    with serving(Instance(unfinished_reads=3, runs="none")) as server:
        load(server, path)
    assert verdicts(path) == {0: "inserted", 1: "inserted"}


def test_rows_that_stay_pending_are_asked_about_later(tmp_path):
    """Rows that never leave pending have no verdict; they are not sent again, but asked about by the next try."""
    path = frame(tmp_path, 2)
    with serving(instance := Instance(unfinished_reads=10**6, runs="none")) as server:
        with pytest.raises(RetryLater, match="still pending") as caught:
            load(server, path)
        assert caught.value.maybe_done
        assert verdicts(path) == {}
        instance.unfinished_reads = 0
        load(server, path)
        assert len(inserts(server)) == 1
    assert verdicts(path) == {0: "inserted", 1: "inserted"}


def test_a_transform_that_takes_too_long_is_asked_about_later(tmp_path):
    """After the time-out the rows count as sent: the next try asks, and sends nothing again."""
    path = frame(tmp_path, 1)
    with serving(instance := Instance(polls_until_done=10**6, runs="none")) as server:
        with pytest.raises(RetryLater, match="has not ended after 60 s"):
            load(server, path, transform_timeout_s=60)
        instance.polls_until_done = 0
        load(server, path)
        assert len(inserts(server)) == 1
    assert verdicts(path) == {0: "inserted"}


def test_a_table_without_total_counts_is_read_whole(tmp_path):
    """Without X-Total-Count pages are read until an empty one."""
    path = frame(tmp_path, 3)
    with serving(Instance(total_count_header=False, runs="none")) as server:
        load(server, path)
    assert len(verdicts(path)) == 3


@pytest.mark.parametrize("state", ["skipped", "inserted"])
@pytest.mark.parametrize(("takes", "column_keys"), [("label", "name"), ("name", "label")])
def test_the_wrong_kind_of_keys_stops_after_the_first_chunk(tmp_path, takes, column_keys, state):
    """Names where labels are meant, or the reverse, are stored as empty rows: the load stops and names the setting."""
    path = frame(tmp_path, 8)
    with serving(instance := Instance(takes=takes, judge=lambda row: (state, ""))) as server:
        with pytest.raises(SetupWrong, match="column_keys"):
            load(server, path, column_keys=column_keys)
        assert len(inserts(server)) == 1
        assert verdicts(path) == {}
        instance.judge = lambda row: ("inserted", "")
        load(server, path, column_keys=takes)
    assert sum(row["u_key"] != "" for row in instance.stored()) == 8
    assert verdicts(path) == dict.fromkeys(range(8), "inserted")


def test_one_wrong_label_stops_after_the_first_chunk(tmp_path):
    """A single value that ServiceNow drops is found although every row is counted as inserted."""
    path = frame(tmp_path, 6)
    with serving(Instance(columns={"u_key": "u key", "u_name": "Full name"}, dictionary="403")) as server:
        with pytest.raises(SetupWrong, match=r"stored nothing in u_name.*'u name'"):
            load(server, path)
        assert len(inserts(server)) == 1
    assert verdicts(path) == {}


def test_a_column_that_is_legitimately_empty_is_no_wrong_label(tmp_path):
    """Only values that were sent can have been dropped."""
    path = tmp_path / "to_send.parquet"
    write_frame(path, pd.DataFrame({"u_key": ["a", "b"], "u_name": pd.Series([None, None], dtype="str")}))
    with serving(Instance()) as server:
        assert load(server, path).outcomes["inserted"] == 2


def test_a_cut_that_the_operator_allows_is_told(tmp_path, caplog):
    """A staging column that is too short cuts values without a word; where the mapping allows it, the log says so."""
    instance = Instance(lengths={"u_name": 3}, dictionary="403")
    with serving(instance) as server:
        load(server, frame(tmp_path, 2), may_be_cut=frozenset({"u_name"}), labels=LABELS)
    assert "cuts values of u_name" in caplog.text


@pytest.mark.parametrize("method", ["insert_multiple", "single"])
def test_a_cut_that_nobody_allowed_stops_after_the_first_chunk(tmp_path, method):
    """A staging column that is too short would falsify every row: nothing more is sent, and the message names it."""
    instance = Instance(lengths={"u_name": 3}, dictionary="403")
    with serving(instance) as server:
        with pytest.raises(SetupWrong, match=r"cut a value of u_name.*too_long"):
            load(server, frame(tmp_path, 6), method=method, labels=LABELS)
        assert len(instance.stored()) == 2


def test_a_cut_from_a_moment_ago_is_no_cut_of_now(tmp_path):
    """Rows sent one by one share an import set: the one that was cut before its column was widened says nothing."""
    path, instance = frame(tmp_path, 1), Instance(dictionary="403")
    instance.sets = {"synchronous": [], "shown first": []}

    def judge(row: dict[str, str]) -> tuple[str, str]:
        moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        instance.sets["shown first"].append({**row, "u_name": row["u_name"][:3], "sys_created_on": moment})
        return "inserted", ""

    instance.judge = judge
    with serving(instance) as server:
        assert load(server, path, method="single", labels=LABELS).outcomes["inserted"] == 1


def test_a_column_that_is_not_shown_beside_others_was_dropped(tmp_path):
    """The Table API leaves out a column that does not exist, so its value went nowhere although rows are inserted."""
    labels = LABELS | {"u_more": "More"}
    instance = Instance(columns=labels, dictionary="403")

    def leave_out(asked: Asked) -> Reply | None:
        if asked.path == f"/api/now/table/{TABLE}":
            asked.query["sysparm_fields"] = asked.query["sysparm_fields"].replace(",u_more", "")
        return None

    instance.hook = leave_out
    path = frame(tmp_path, 6, u_more="x")
    with serving(instance) as server:
        with pytest.raises(SetupWrong, match=r"stored nothing in u_more.*may not read the column"):
            load(server, path, labels=labels)
        assert len(inserts(server)) == 1
    assert verdicts(path) == {}


def test_columns_that_may_not_be_read_are_no_dropped_columns(tmp_path, caplog):
    """Where staging rows show their keys and nothing else, nothing can be told, and the log says so."""
    instance = Instance(dictionary="403")

    def hide(asked: Asked) -> Reply | None:
        if asked.path == f"/api/now/table/{TABLE}":
            asked.query["sysparm_fields"] = asked.query["sysparm_fields"].replace(",u_name", "")
        return None

    instance.hook = hide
    with serving(instance) as server:
        assert load(server, frame(tmp_path, 2), labels=LABELS).outcomes["inserted"] == 2
    assert "its columns are not shown" in caplog.text


def test_a_cut_key_stops_after_the_first_chunk(tmp_path):
    """Rows whose key was cut cannot be told apart: the load stops and names the column."""
    with serving(Instance(lengths={"u_key": 1})) as server:
        with pytest.raises(SetupWrong, match=r"u_key differ.*too short"):
            load(server, frame(tmp_path, 6))
        assert len(inserts(server)) == 1


def test_a_finished_load_started_again_asks_nothing_about_rows(tmp_path):
    """A task that is cleared after its success sends nothing."""
    path = frame(tmp_path, 5)
    with serving(Instance()) as server:
        first = load(server, path)
        again = load(server, path)
        assert len(inserts(server)) == 3
    assert again.outcomes == first.outcomes


@pytest.mark.parametrize("killed_at", range(1, 13))
def test_a_load_that_is_killed_anywhere_sends_no_acknowledged_row_twice(tmp_path, killed_at):
    """Killed before or after any request, the load goes on where it was: no row twice, none lost."""
    path = frame(tmp_path, 6)
    with serving(instance := Instance()) as server:
        server.script = _kill_at(instance, killed_at)
        try:
            load(server, path, concurrency=1)
        except (SetupWrong, RetryLater):
            server.script = instance
            load(server, path, concurrency=1)
    assert sorted(row["u_key"] for row in instance.stored()) == [f"k{n}" for n in range(6)]
    assert verdicts(path) == dict.fromkeys(range(6), "inserted")


def _kill_at(instance: Instance, number: int):
    """Refuse one request and all after it, the token's aside: to the load, the world has ended."""
    seen = [0]

    def script(asked: Asked) -> Reply:
        if "oauth" in asked.path:
            return instance(asked)
        seen[0] += 1
        return instance(asked) if seen[0] < number else error(403, "gone")

    return script


def test_after_an_error_the_chunks_that_were_sent_still_get_their_verdicts(tmp_path):
    """One chunk that cannot be sent does not hide what became of the others."""
    path = frame(tmp_path, 8)
    with serving(instance := Instance(hook=once("insertMultiple", error(403, "no"), after=2))) as server:
        with pytest.raises(AccessDenied):
            load(server, path, concurrency=1)
        assert verdicts(path) == dict.fromkeys(range(4), "inserted")
        load(server, path, concurrency=1)
    assert sorted(row["u_key"] for row in instance.stored()) == [f"k{n}" for n in range(8)]
    assert len(verdicts(path)) == 8


def test_one_chunk_whose_state_cannot_be_read_does_not_hide_the_others(tmp_path):
    """When asking about one import set fails, all other sent chunks are settled before the error is raised."""
    path = frame(tmp_path, 12)

    def hook(asked: Asked) -> Reply | None:
        hidden = ("/sys_import_set", f"/sys_import_set/set{1:029d}")  # not shown among the others either
        return error(500, "down") if asked.path.endswith(hidden) else None

    with serving(instance := Instance(hook=hook)) as server:
        with pytest.raises(RetryLater, match="HTTP 500"):
            load(server, path, concurrency=1)
        assert len(verdicts(path)) == 10
        instance.hook = lambda asked: None
        load(server, path, concurrency=1)
        assert len(inserts(server)) == 6
    assert len(verdicts(path)) == 12


def test_when_the_transformers_are_stuck_every_chunk_is_not_waited_for_in_turn(tmp_path):
    """After one time-out the others are looked at once: ten chunks do not wait ten time-outs."""
    path, clock = frame(tmp_path, 20), Clock()
    with serving(instance := Instance(runs="none")) as server:
        instance.hook = _stuck_after_first(instance)
        with pytest.raises(RetryLater, match="has not ended"):
            load(server, path, clock, concurrency=1, transform_timeout_s=60)
        assert len(inserts(server)) == 10
    assert 60 <= clock.now_s < 120


def _stuck_after_first(instance: Instance):
    def hook(asked: Asked) -> Reply | None:
        sys_id = asked.path.rpartition("/")[2]
        if "sys_import_set/" in asked.path and sys_id != f"set{0:029d}":
            return Reply({"result": {"sys_id": sys_id, "state": "loading"}})
        return None

    return hook


def _nothing_readable(asked: Asked) -> Reply | None:
    """Refuse every read of import sets, their runs and their rows."""
    reads = asked.method == "GET" and not asked.path.endswith("sys_dictionary")
    return error(403, "no role") if reads else None


def test_acknowledged_rows_are_not_sent_again_after_a_missing_role_is_granted(tmp_path):
    """Rows of an import set that may not be read are in ServiceNow all the same: the next try asks about them."""
    path = frame(tmp_path, 2)
    with serving(instance := Instance(hook=_nothing_readable)) as server:
        with pytest.raises(SetupWrong, match="load_method"):
            load(server, path)
        instance.hook = lambda asked: None
        load(server, path)
        assert len(inserts(server)) == 1
    assert len(verdicts(path)) == 2


def test_an_account_that_may_not_read_import_sets_learns_the_verdicts_from_their_runs(tmp_path):
    """Where the set's own state is refused, the counters of its run say that the transform has ended."""
    path = frame(tmp_path, 2)

    def hook(asked: Asked) -> Reply | None:
        return error(403, "no role") if "/sys_import_set/" in asked.path else None

    with serving(Instance(hook=hook)) as server:
        load(server, path)
    assert verdicts(path) == dict.fromkeys(range(2), "inserted")


def test_a_set_whose_state_never_moves_is_settled_by_its_run(tmp_path):
    """An instance that leaves an asynchronous set in "loaded" still has its verdicts read once its run is complete."""
    path = frame(tmp_path, 2)
    with serving(Instance(ending_state="loaded")) as server:
        load(server, path, transform_timeout_s=600)
    assert verdicts(path) == dict.fromkeys(range(2), "inserted")


def test_rows_of_an_import_set_that_was_cleaned_up_are_sent_again(tmp_path):
    """ServiceNow deletes import sets after some days: rows whose verdict nobody can tell any more are sent again."""
    path = frame(tmp_path, 2)
    with serving(instance := Instance(polls_until_done=10**6, runs="none")) as server:
        with pytest.raises(RetryLater):
            load(server, path, transform_timeout_s=1)
        instance.sets = {"other": []}
        instance.polls_until_done = 0
        load(server, path)
        assert len(inserts(server)) == 2
    assert len(verdicts(path)) == 2


def test_a_token_that_expires_in_mid_load_is_renewed(tmp_path):
    """A 401 anywhere in a load costs one request and no row."""
    path = frame(tmp_path, 6)
    with serving(instance := Instance(hook=once("insertMultiple", error(401, "User Not Authenticated"), 1))) as server:
        load(server, path, concurrency=1)
    assert sorted(row["u_key"] for row in instance.stored()) == [f"k{n}" for n in range(6)]


def test_no_more_requests_run_at_once_than_allowed(tmp_path):
    """The operator's concurrency bounds the requests in flight, and is used."""
    running, most, lock = [0], [0], threading.Lock()
    instance = Instance()
    together = threading.Event()

    def script(asked: Asked) -> Reply:
        if asked.path != INSERT:
            return instance(asked)
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
            if running[0] == 3:
                together.set()
        if len(instance.sets):
            together.wait(5)
        reply = instance(asked)
        with lock:
            running[0] -= 1
        return reply

    with serving(script) as server:
        load(server, frame(tmp_path, 20), concurrency=3)
    assert most[0] == 3


def test_single_records_are_sent_by_name_and_judged_at_once(tmp_path):
    """The fallback sends one POST per row with column names and takes the verdict from the answer."""
    path = frame(tmp_path, 5)
    judge = {"k3": ("error", "no such user"), "k4": ("ignored", NO_CHANGE)}
    instance = Instance(judge=lambda row: judge.get(row["u_key"], ("inserted", "")))
    with serving(instance) as server:
        load(server, path, method="single")
        bodies = [json.loads(asked.body) for asked in server.asked if asked.path == f"/api/now/import/{TABLE}"]
    assert {body["u_key"]: body for body in bodies}["k0"] == {"u_key": "k0", "u_name": "name 0"}
    assert len(bodies) == 5
    assert verdicts(path) == {0: "inserted", 1: "inserted", 2: "inserted", 3: "error", 4: "ignored"}


def test_a_frame_without_rows_sends_nothing(tmp_path):
    """An empty frame is loaded without a write."""
    with serving(Instance()) as server:
        assert load(server, frame(tmp_path, 0)).rows == 0
        assert inserts(server) == []


def test_files_of_a_frame_are_sent_while_those_before_are_transformed(tmp_path):
    """The first file proves the set-up, the middle ones wait for nothing, and in the end every row has its verdict."""
    clock, moments = Clock(), list[float]()

    def note(asked: Asked) -> None:
        if asked.path == INSERT:
            moments.append(clock.now_s)

    paths = []
    for number in range(4):
        (tmp_path / f"{number}").mkdir()
        paths.append(frame(tmp_path / f"{number}", 60))
    with serving(Instance(polls_until_done=4, hook=note)) as server:
        client = ServiceNowClient(settings(server.url), retry=RetryPolicy(sleep=clock.sleep, attempts=3))
        spec = LoadSpec(table=TABLE, key_columns=("u_key",), chunk_rows=30)
        result = load_frames(client, spec, paths, waiting=clock.waiting)
        sent = inserts(server)
    assert (result.rows, result.outcomes["inserted"]) == (240, 240)
    assert sum(map(len, sent)) == 240
    assert len([records for records in sent if len(records) < 20]) == 1  # one canary for all
    of_the_middle = moments[-6:-2]
    assert len(set(of_the_middle)) == 1
    assert all(len(verdicts(path)) == 60 for path in paths)
