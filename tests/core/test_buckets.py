"""A source of any size is shaped and compared in portions of a bounded size, with the result of doing it at once."""

import json
from pathlib import Path

import pandas as pd
import pytest
from factories import MAPPING, Shaped, app, cells, device, keep_pages, params, reasons
from hypothesis import given
from hypothesis import strategies as st

from include.inventory import read_sources, shaper
from include.inventory.page_files import append_page, iter_pages, store_walk
from include.inventory.parts import Buckets, Collected, Parts, bucket_of
from include.inventory.run import Rules, Run
from include.inventory.run_folder import RunFolder
from include.inventory.stages import run_shape
from include.iru.raw_rows import RawRows, parse_envelope
from include.texts import text_series

FEED = MAPPING.feeds["apps"]


def shape_in_portions(tmp_path: Path, rows, *, batch: int, buckets: int, monkeypatch) -> tuple[Shaped, RunFolder]:
    """Shape apps with small batches and buckets."""
    folder = RunFolder(tmp_path / f"{batch}-{buckets}")
    keep_pages(folder, apps=[])
    for position in range(0, len(rows), 2):
        append_page(folder.pages("apps"), position // 2, rows[position : position + 2])
    monkeypatch.setattr(read_sources.iter_source, "__kwdefaults__", {"batch_rows": batch})
    monkeypatch.setattr(shaper, "BUCKET_ROWS", max(1, -(-len(rows) // buckets)))
    folder.note("extract", {"collections": {"apps": {"rows": len(rows)}}})
    run_shape(Run("apps", params(("apps",)), MAPPING, folder))
    return Shaped.read(folder, FEED), folder


ODD = [
    app(1), app(2), app(1), app(3, version="2", updated_at="2024-06-01T00:00:00Z"), app(4, name=None),
    app(3, version="1", updated_at="2024-05-01T00:00:00Z"), app(5, on=2), app(5, on=2),
    app(6, on=3, device__family="Windows"),
]  # fmt: skip
"""Repetitions, two versions of one key, a rejected and a filtered row."""


@pytest.mark.parametrize(("batch", "buckets"), [(1, 1), (2, 3), (3, 2), (100, 4)])
def test_portions_do_not_change_what_is_shaped(tmp_path, monkeypatch, batch, buckets):
    """Rows that repeat each other or share a key are found in whatever batches they lie."""
    at_once, _ = shape_in_portions(tmp_path, ODD, batch=1000, buckets=1, monkeypatch=monkeypatch)
    found, folder = shape_in_portions(tmp_path, ODD, batch=batch, buckets=buckets, monkeypatch=monkeypatch)
    assert int(folder.told_by("shape-apps")["buckets"]) >= min(buckets, 2)
    pd.testing.assert_frame_equal(found.rows, at_once.rows)
    assert sorted(found.seen["_key"]) == sorted(at_once.seen["_key"])
    assert reasons(found) == reasons(at_once)
    assert (found.told["filtered_because"], found.rejected) == (at_once.told["filtered_because"], at_once.rejected)
    assert [cells(found.rows, row)["version"] for row in range(len(found.rows))] == ["1.0", "1.0", "2", "1.0"]


def test_a_devices_rows_are_in_one_bucket(tmp_path, monkeypatch):
    """What is compared by device is never torn apart."""
    rows = [app(number, on=number % 7) for number in range(70)]
    _, folder = shape_in_portions(tmp_path, rows, batch=10, buckets=5, monkeypatch=monkeypatch)
    with Buckets(folder.rows("apps")) as buckets:
        found = [set(buckets.read(bucket)["_device"]) for bucket in range(5)]
    assert sum(map(len, found)) == 7
    assert len([devices for devices in found if devices]) > 1


def test_an_earlier_try_leaves_nothing(tmp_path, monkeypatch):
    """Shaping again replaces all parts, also where there are fewer now."""
    _, folder = shape_in_portions(tmp_path, ODD, batch=1, buckets=1, monkeypatch=monkeypatch)
    assert len(folder.rows("apps").paths()) > 2
    monkeypatch.setattr(read_sources.iter_source, "__kwdefaults__", {"batch_rows": 1000})
    run_shape(Run("apps", params(("apps",)), MAPPING, folder, Rules()))
    assert len(folder.rows("apps").paths()) == 1
    assert len(folder.rows("apps").read()) == 4


@given(st.lists(st.one_of(st.none(), st.text(alphabet=st.characters(codec="utf-8"))), max_size=30), st.integers(1, 9))
def test_a_bucket_is_a_texts_own(values, of):
    """Equal texts are in one bucket, which is one of those that there are, wherever they stand."""
    found = dict(zip(values, bucket_of(text_series(values), of).tolist(), strict=True))
    again = dict(zip(values[::-1], bucket_of(text_series(values[::-1]), of).tolist(), strict=True))
    assert found == again
    assert all(0 <= bucket < of for bucket in found.values())


def test_collected_rows_come_back_in_their_order(tmp_path):
    """Small portions are written as parts, an empty collection with its columns."""
    full, empty = Collected(Parts(tmp_path / "full")), Collected(Parts(tmp_path / "empty"))
    for number in range(5):
        full.add(pd.DataFrame({"n": [number]}))
    nothing = pd.DataFrame({"n": pd.Series(dtype="int64")})
    for collected in (full, empty):
        collected.close(nothing)
    assert Parts(tmp_path / "full").read()["n"].tolist() == [0, 1, 2, 3, 4]
    assert Parts(tmp_path / "empty").read().equals(nothing)


def test_pages_are_kept_as_they_were_received(tmp_path):
    """A page's own spelling is what lies in the run's folder, fields that no feed reads included."""
    body = b'{"data": [{"device_id": "d1", "odd":  [1.50, "\\u00e9"]}], "cursor": null, "total": 1}'
    page = parse_envelope(body)["data"]
    assert isinstance(page, RawRows)
    assert page.encoded == b'[{"device_id": "d1", "odd":  [1.50, "\\u00e9"]}]'
    store_walk(tmp_path, lambda _: [page])
    assert list(iter_pages(tmp_path)) == [[{"device_id": "d1", "odd": [1.5, "é"]}]]


@pytest.mark.parametrize("body", [b'{"data": [{"a": NaN}]}', b'{"data": [{"a": "\\ud800"}]}', b'{"data": [1]}', b"[]"])
def test_what_only_pythons_reader_takes_is_read_by_it(body):
    """The fast reader changes nothing of what is understood."""
    told = parse_envelope(body)
    assert json.dumps(told) == json.dumps(json.loads(body))


@pytest.mark.parametrize("body", [b'{"data": [{"a": "\xff"}]}', b'{"data": [{"a": 1,}]}', b'{"data"', b""])
def test_what_is_no_json_is_refused(body):
    """A cut or garbled answer is no page, also where a reader would pass over the place."""
    with pytest.raises(ValueError, match=r"JSON|decode|truncated|malformed|Expecting|Illegal"):
        parse_envelope(body)


def test_a_walk_of_many_pages_makes_few_files(tmp_path):
    """An object store is asked for a share of the pages' number, and the pages come back one by one."""
    pages = [[{"device_id": f"d{number}"}] for number in range(200)]
    stored = store_walk(tmp_path, lambda _: pages)
    assert (stored.pages, stored.rows, len(stored.device_ids)) == (200, 200, 200)
    assert len(list(tmp_path.glob("*.zst"))) < 50
    assert list(iter_pages(tmp_path)) == pages


def test_devices_are_read_from_the_list_and_prism_together(tmp_path):
    """A device in two pages counts once, the later row, whatever the batches."""
    folder = RunFolder(tmp_path)
    keep_pages(folder, devices=[device(1), device(2), device(1, device_name="newer")], device_information=[])
    run_shape(Run("devices", params(("computer",)), MAPPING, folder))
    found = Shaped.read(folder, MAPPING.feeds["computer"])
    assert found.rows["device_name"].tolist() == ["Mac 2", "newer"]
    assert found.told["filtered_because"] == {"a later page lists the same device again": 1}
