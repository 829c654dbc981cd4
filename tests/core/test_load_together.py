"""A load asks for as little as it can: one question for many import sets, one for the canary, balanced chunks."""

import pandas as pd
import pytest
from instance import TABLE, Instance, settings
from scripted import Asked, Reply, serving

from include.errors import SetupWrong
from include.loading.chunks import Chunk
from include.loading.load import load_frame
from include.loading.receipts import Receipts
from include.loading.records import LazyRecords, records_of, to_records
from include.loading.spec import LoadSpec, Outcome, RowVerdict
from include.loading.transforms import Waiting
from include.servicenow.client import ServiceNowClient
from include.storage import write_frame
from include.web.retry import RetryPolicy

INSERT = f"/api/now/import/{TABLE}/insertMultiple"
RUNS = "/api/now/table/sys_import_set_run"


class WithStates(Instance):
    """An instance that shows the state of its set beside each run, as one does that walks references."""

    def _runs_of(self, sys_id: str) -> list[dict]:
        return [run | {"set.state": "processed"} for run in super()._runs_of(sys_id)]


def load(server, folder, rows: int, **spec) -> Receipts:
    """Load so many rows."""
    path = folder / "to_send.parquet"
    keys = [f"k{n}" for n in range(rows)]
    write_frame(path, pd.DataFrame({"u_key": keys, "u_name": [f"name {key}" for key in keys]}))
    client = ServiceNowClient(settings(server.url), retry=RetryPolicy(sleep=lambda _: None))
    waiting = Waiting(sleep=lambda _: None)
    load_frame(client, LoadSpec(TABLE, ("u_key",), **spec), path, waiting=waiting)
    return Receipts(path)


def test_many_import_sets_cost_one_question(tmp_path):
    """Where a run shows the state of its set, one request tells the verdicts of a whole load."""
    with serving(WithStates()) as server:
        receipts = load(server, tmp_path, 400, chunk_rows=20)
        asked = [one.path for one in server.asked if one.method == "GET"]
    assert receipts.count()["inserted"] == 400
    assert asked.count(RUNS) == 1
    assert not [path for path in asked if "sys_import_set" in path and path != RUNS]


@pytest.mark.parametrize("instance", [Instance, WithStates])
def test_rows_that_failed_are_found_among_many_sets(tmp_path, instance):
    """Only the sets that counted an error are read row by row, and each row gets its own verdict."""
    bad = {"k7", "k311"}
    with serving(instance(judge=lambda row: ("error", "no") if row["u_key"] in bad else ("inserted", ""))) as server:
        verdicts = load(server, tmp_path, 400, chunk_rows=20).read_verdicts()
        reads = [one for one in server.asked if one.method == "GET" and one.path.endswith(TABLE)]
    assert set(verdicts["row"][verdicts["outcome"] == "error"]) == {7, 311}
    assert len(verdicts) == 400
    assert len(reads) == 1 + len(bad)  # the canary, and the sets of the two


def test_a_refused_question_for_many_is_asked_for_each(tmp_path):
    """An instance that does not answer for many import sets at once still tells every verdict, one by one."""

    def hook(asked: Asked) -> Reply | None:
        many = "IN" in asked.query.get("sysparm_query", "").split("^")[0]
        return Reply({"error": {"message": "no", "detail": ""}}, 403) if many else None

    with serving(Instance(hook=hook)) as server:
        assert load(server, tmp_path, 120, chunk_rows=20).count()["inserted"] == 120


@pytest.mark.parametrize(("rows", "sizes"), [(401, [1, 100, 100, 100, 100]), (120, [1, 50, 50, 19])])
def test_few_rows_are_spread_over_all_connections(tmp_path, rows, sizes):
    """Rows that would fill one chunk go in as many as there are connections, but for very few of them."""
    with serving(WithStates()) as server:
        load(server, tmp_path, rows, chunk_rows=500, concurrency=4)
        sent = [len(one.json["records"]) for one in server.asked if one.path == INSERT]
    assert sorted(sent) == sorted(sizes)


def test_a_canary_that_is_not_transformed_yet_is_waited_for(tmp_path):
    """Rows that are still pending prove nothing: the rest is sent only after the canary's transform."""
    with serving(instance := Instance(unfinished_reads=1)) as server:
        load(server, tmp_path, 120)
        paths = [one.path for one in server.asked]
    first, second = [n for n, path in enumerate(paths) if path == INSERT][:2]
    assert any("sys_import_set" in path for path in paths[first:second])
    assert len(instance.stored()) == 120


def test_records_made_late_are_the_same_records():
    """Rows made block by block are what the whole frame gives, empty cells left out."""
    names = [None if n % 7 == 0 else f"näme {n}" for n in range(1203)]
    frame = pd.DataFrame(
        {"a": pd.array([f"k{n}" for n in range(1203)], dtype="str"), "b": pd.array(names, dtype="str")}
    )
    records = records_of(frame, ["a", "b"])
    assert isinstance(records, LazyRecords)
    assert list(records) == to_records(frame, ["a", "b"])
    assert records[500:502] == to_records(frame, ["a", "b"])[500:502]
    with pytest.raises(IndexError):
        records[1203]


def test_a_column_of_numbers_is_refused_before_anything_is_sent():
    """Import Sets take text only: the whole frame is looked at first where a column may hold anything else."""
    with pytest.raises(SetupWrong, match="text only"):
        records_of(pd.DataFrame({"a": ["x"] * 900 + [1]}), ["a"])


def test_verdicts_that_are_all_the_same_survive_in_a_few_bytes(tmp_path):
    """Another process reads the same verdicts, whichever way they were kept, and a later word replaces an earlier."""
    (tmp_path / "f.parquet").write_bytes(b"x")
    chunk = Chunk((0, 1, 5), ({"a": "1"}, {"a": "2"}, {"a": "3"}))
    same = [RowVerdict(row, Outcome.INSERTED, "", "s1") for row in chunk.rows]
    mixed = [*same[:2], RowVerdict(5, Outcome.ERROR, "no", "s1")]
    for noted in (same, mixed, same):
        Receipts(tmp_path / "f.parquet").note_verdicts(chunk, noted)
        read = Receipts(tmp_path / "f.parquet").read_verdicts()
        assert [tuple(row) for row in read.itertuples(index=False)] == [
            (v.row, v.outcome.value, v.message, v.import_set) for v in noted
        ]
