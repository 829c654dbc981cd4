"""Records that hold what no reader expects, beside good ones."""

import csv
import io
import json
import time
from collections import Counter
from typing import Any

import pytest
import requests

_NAME = {"devices": "device_name", "device_information": "device__name", "apps": "name"}
_SHAPES: dict[str, Any] = {
    "lone_surrogate": lambda value, good: value == f"{good}\ud800",
    "megabyte": lambda value, good: len(value) == 1 << 20 and value.startswith(good),
    "control_characters": lambda value, good: value.startswith(good) and "\x00" in value and "\x1b" in value,
    "null_word": lambda value, _good: value == "NULL",
    "formula": lambda value, _good: value.startswith("=HYPERLINK("),
    "rtl": lambda value, good: value.startswith("\u202e") and good in value,
    "nan_like": lambda value, _good: value == "NaN",
    "list_in_field": lambda value, good: value == [good, good],
    "object_in_field": lambda value, good: value == {"value": good},
}


def _read(tenant, kind: str, **params: Any) -> list[dict[str, Any]]:
    answer = tenant.get("/devices" if kind == "devices" else f"/prism/{kind}", limit=50, **params)
    assert answer.status_code == 200
    assert answer.content.decode("utf-8")
    body = answer.json()
    return body if kind == "devices" else body["data"]


@pytest.fixture(scope="module")
def good(api) -> dict[str, list[dict[str, Any]]]:
    """First pages as they are without faults."""
    return {kind: _read(api, kind) for kind in _NAME}


@pytest.mark.parametrize("kind", list(_NAME))
def test_text_of_one_record_is_hostile_and_the_others_are_good(faulty, good, kind: str) -> None:
    """Whatever stands in the name of one record, the answer can be read and differs nowhere else."""
    tenant = faulty()
    for position, (what, holds) in enumerate(_SHAPES.items()):
        before = good[kind][position]
        tenant.plan.clear()
        tenant.fault("hostile_row", what=what, match=f"{kind} {before['device_id']}")
        shown = _read(tenant, kind)
        changed = [place for place, row in enumerate(shown) if row != good[kind][place]]
        assert len(changed) == 1
        name, place = _NAME[kind], changed[0]
        assert holds(shown[place][name], good[kind][place][name]), what
        assert shown[place] == good[kind][place] | {name: shown[place][name]}
        assert _read(tenant, kind) == good[kind]


def test_lone_surrogate_travels_as_an_escape(faulty) -> None:
    """No encoding can hold it, so it is spelled out, as JSON allows."""
    tenant = faulty()
    tenant.fault("hostile_row", what="lone_surrogate")
    assert b"\\ud800" in tenant.get("/devices", limit=2).content


def test_field_of_choice_is_hit(faulty, good) -> None:
    """A fault may name the field, of whatever type it is."""
    tenant = faulty()
    tenant.fault("hostile_row", what="object_in_field", field="user")
    tenant.fault("hostile_row", what="list_in_field", field="serial_number", match="apps *")
    assert _read(tenant, "devices")[0]["user"] == {"value": str(good["devices"][0]["user"])}
    serial = good["apps"][0]["serial_number"]
    assert _read(tenant, "apps")[0]["serial_number"] == [serial, serial]


@pytest.mark.parametrize(("what", "year"), [("year_1", "0001-01-01"), ("year_9999", "9999-12-31")])
def test_times_keep_their_spelling_in_an_odd_year(faulty, good, what: str, year: str) -> None:
    """Every time of the record moves to the edge of the calendar and is spelled as before."""
    tenant = faulty()
    tenant.fault("hostile_row", what=what, match=f"devices {good['devices'][3]['device_id']}")
    row, before = _read(tenant, "devices")[3], good["devices"][3]
    moved = [name for name in row if row[name] != before[name]]
    assert moved == ["last_check_in", "first_enrollment", "last_enrollment"]
    assert all(row[name].startswith(year) and len(row[name]) == len(before[name]) for name in moved)
    assert row["last_check_in"][10] == "T"
    assert row["last_enrollment"][10] == " "
    tenant.fault("hostile_row", what=what, field="last_checkin", match="device_information *")
    shown, was = _read(tenant, "device_information")[0], good["device_information"][0]
    assert shown == was | {"last_checkin": shown["last_checkin"]}
    assert shown["last_checkin"].startswith(year)


def test_numbers_and_texts_change_places(faulty, good) -> None:
    """Numbers come as text, text that reads as a number comes as one, and booleans stay."""
    tenant = faulty()
    tenant.fault("hostile_row", what="numbers_as_strings", match="device_information *")
    row, before = _read(tenant, "device_information")[0], good["device_information"][0]
    assert row["device_capacity"] == str(before["device_capacity"])
    assert row["device__user_id"] == int(before["device__user_id"])
    assert row["mdm_enabled"] is True


def test_serial_number_can_be_empty(faulty, good) -> None:
    """A record comes without its serial number, devices and apps alike."""
    tenant = faulty()
    for kind in _NAME:
        tenant.fault("hostile_row", what="empty_serial", match=f"{kind} *")
        assert _read(tenant, kind)[0] == good[kind][0] | {"serial_number": ""}


@pytest.mark.parametrize("kind", list(_NAME))
def test_keys_can_be_doubled(faulty, good, kind: str) -> None:
    """A record takes another's key once, or all records of a page take the same; nothing is added or left out."""
    tenant = faulty()
    key = ("device_id", "serial_number", "bundle_id", "path") if kind == "apps" else ("serial_number",)

    def keys() -> Counter[tuple[Any, ...]]:
        return Counter(tuple(row[name] for name in key) for row in _read(tenant, kind))

    normal = keys()
    tenant.fault("hostile_row", what="duplicate_key", match=f"{kind} {good[kind][-1]['device_id']}")
    assert (normal.total(), keys().total()) == (50, 50)
    tenant.plan.clear()
    tenant.fault("hostile_row", what="duplicate_key", share=1.0)
    assert len(normal) > 40
    assert list(keys().values()) == [50]
    if kind != "apps":
        assert len({row["device_id"] for row in _read(tenant, kind)}) == 50


def test_share_of_devices_is_hostile_every_time(faulty) -> None:
    """Drawn by subject, the same records are hostile on every reading."""
    tenant = faulty()
    tenant.fault("hostile_row", what="null_word", share=0.3, by_subject=True, seed=4)
    first, again = _read(tenant, "devices"), _read(tenant, "devices")
    assert first == again
    assert 5 < sum(row["device_name"] == "NULL" for row in first) < 25


def test_exported_file_is_hostile_too(faulty) -> None:
    """A record of the file holds the same: half a surrogate pair as bytes that are no UTF-8, an object as JSON."""
    tenant = faulty(export_delay_s=0.0)
    first, second = tenant.prism("device_information")[:2]
    tenant.fault("hostile_row", match=f"device_information {first['device_id']}")
    tenant.fault("hostile_row", what="object_in_field", match=f"device_information {second['device_id']}")
    state = tenant.call("POST", "/prism/export", json={"category": "device_information"}).json()
    deadline = time.monotonic() + 60
    while state["status"] == "pending" and time.monotonic() < deadline:
        time.sleep(0.02)
        state = tenant.json(f"/prism/export/{state['id']}")
    content = requests.get(state["signed_url"], timeout=30).content
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8", "surrogatepass"), newline="")))
    assert rows[0]["device__name"] == f"{first['device__name']}\ud800"
    assert json.loads(rows[1]["device__name"]) == {"value": second["device__name"]}
    assert [row["device__name"] for row in rows[2:5]] == [
        row["device__name"] for row in tenant.prism("device_information")[2:5]
    ]
