"""Faults of single rows: each strikes the row that it names, in every way to load, and writes nothing of it."""

from typing import Any

import pytest

COMPUTER = "x_kandj_kandji_kandji_import_set_computer"
MDM = "x_kandj_kandji_kandji_import_set_mdm"
APPS = "x_kandj_kandji_kandji_import_set_apps"
TARGETS = {COMPUTER: ("serial_number", "cmdb_ci_computer"), APPS: ("instance_key", "cmdb_sam_sw_install")}
NAMES = {COMPUTER: "device_name", APPS: "name"}
MODES = ("single", "sync", "async")
NOT_PRESENT = "Unable to resolve target record, coalesce values not present"
IGNORED = "Row transform ignored by onBefore script"
KINDS = [
    ("row_reference_rejected", "error", "Reference field value rejected: ", "100"),
    ("row_choice_rejected", "error", "Choice field value rejected: ", "200"),
    ("row_mandatory_missing", "error", "Mandatory field(s) missing: ", "800"),
    ("row_script_error", "error", "Transform script error: ", "900"),
    ("row_skipped", "skipped", NOT_PRESENT, ""),
    ("row_ignored_by_script", "ignored", IGNORED, ""),
]


@pytest.fixture
def snow(shared: Any) -> Any:
    """The module's instance without the faults and counts of other tests; every test brings keys of its own."""
    shared.instance.faults.clear()
    shared.call("DELETE", "/_sandbox/counters")
    return shared


def _record(table: str, key: str) -> dict[str, str]:
    return {TARGETS[table][0]: key, NAMES[table]: "a name"}


def _targets(snow: Any, table: str, prefix: str) -> list[str]:
    key, target = TARGETS[table]
    return sorted(row[key] for row in snow.rows(target, f"{key}STARTSWITH{prefix}"))


def _staged(snow: Any, table: str, key: str) -> list[dict[str, str]]:
    return snow.rows(table, f"{TARGETS[table][0]}={key}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("table", TARGETS)
@pytest.mark.parametrize(("kind", "state", "comment", "code"), KINDS)
def test_a_struck_row_fails_alone(snow: Any, kind: str, state: str, comment: str, code: str, *, table: str, mode: str):
    """Its state, comment and error code are the real ones, its target is not written, its neighbour's is."""
    bad, good = f"{kind}-{mode}-bad", f"{kind}-{mode}-good"
    snow.fault(kind, match=f"{table} {bad}", times=0)
    snow.bring(mode, table, [_record(table, bad), _record(table, good)])
    assert _targets(snow, table, f"{kind}-{mode}") == [good]
    (row,) = _staged(snow, table, bad)
    assert (row["sys_import_state"], row["sys_target_sys_id"]) == (state, "")
    assert row["sys_import_state_comment"].startswith(comment)
    errors = snow.rows("sys_import_set_row_error", f"row={row['sys_id']}")
    assert [error["error_code"] for error in errors] == ([code] if code else [])
    fine = "processed" if table == APPS else "inserted"
    assert snow.counters()["rows_by_state"] == {table: {fine: 1, state: 1}}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("table", TARGETS)
def test_the_same_row_goes_through_when_it_is_sent_again(snow: Any, table: str, mode: str) -> None:
    """A fault that strikes once leaves the second attempt alone, and the row is written once."""
    key = f"again-{mode}"
    snow.fault("row_script_error", match=f"{table} {key}")
    for _ in range(2):
        snow.bring(mode, table, [_record(table, key)])
    states = {row["sys_import_state"] for row in _staged(snow, table, key)}
    assert states == {"error", "processed" if table == APPS else "inserted"}
    assert _targets(snow, table, key) == [key]


def test_a_single_post_shows_a_row_ignored_by_a_script_as_an_error(snow: Any) -> None:
    """Status error with both messages, as recorded from a real instance; reading the row again says the same."""
    snow.fault("row_ignored_by_script", match=f"{COMPUTER} odd")
    shown = snow.post(COMPUTER, {"serial_number": "odd"})
    assert shown == {
        "transform_map": "Kandji Computer", "table": "cmdb_ci_computer", "status": "error",
        "error_message": "Target record not found", "status_message": IGNORED,
    }  # fmt: skip
    (row,) = _staged(snow, COMPUTER, "odd")
    assert snow.call("GET", f"import/{COMPUTER}/{row['sys_id']}").json()["result"] == [shown]


@pytest.mark.parametrize(("kind", "status", "key"), [("row_script_error", "error", "error_message"),
                                                     ("row_skipped", "skipped", "status_message")])  # fmt: skip
def test_a_single_post_shows_a_struck_row(snow: Any, kind: str, status: str, key: str) -> None:
    """HTTP 201 with the row's status and its message; a skipped row names itself."""
    snow.fault(kind, match=f"{COMPUTER} {kind}")
    shown = snow.post(COMPUTER, {"serial_number": kind})
    assert shown["status"] == status
    assert shown[key]
    if status == "skipped":
        assert shown["sys_id"] == _staged(snow, COMPUTER, kind)[0]["sys_id"]


def test_a_rejected_reference_names_the_field_and_its_value(snow: Any) -> None:
    """The message holds what was sent, personal or not, as a real one does; a fault may name another column."""
    record = {"serial_number": "refused", "assigned_user": "no@example.com", "manufacturer": "Apple"}
    snow.fault("row_reference_rejected", match=f"{COMPUTER} refused")
    snow.fault("row_reference_rejected", match=f"{COMPUTER} refused", column="manufacturer")
    messages = [snow.post(COMPUTER, record)["error_message"] for _ in range(2)]
    rejected = "Reference field value rejected: "
    assert messages == [f"{rejected}assigned_to=no@example.com", f"{rejected}manufacturer=Apple"]


def test_error_code_800_may_be_asked_for(snow: Any) -> None:
    """A script error can come as an invalid target too."""
    snow.fault("row_script_error", match=f"{COMPUTER} invalid", code=800)
    assert snow.post(COMPUTER, {"serial_number": "invalid"})["error_message"] == "Invalid target record or field"


def test_a_row_is_named_by_all_its_coalesce_values(snow: Any) -> None:
    """With two coalesce fields both values are in the subject, so that one row of a device can be struck."""
    snow.fault("row_skipped", match=f"{MDM} d1 b2")
    records = [{"device_id": "d1", "blueprint_id": blueprint} for blueprint in ("b1", "b2")]
    snow.bring("async", MDM, records)
    states = {row["blueprint_id"]: row["sys_import_state"] for row in snow.rows(MDM, "device_id=d1")}
    assert states == {"b1": "inserted", "b2": "skipped"}
    assert [row["kandji_blueprint_id"] for row in snow.rows("x_kandj_kandji_mdm", "kandji_device_id=d1")] == ["b1"]


def test_a_share_by_subject_strikes_the_same_rows_each_time(snow: Any) -> None:
    """Half of forty rows fail; sent again, the same ones fail."""
    snow.fault("row_script_error", match=f"{COMPUTER} share-*", share=0.5, by_subject=True, seed=3)
    failed = []
    for mode in ("sync", "async"):
        snow.bring(mode, COMPUTER, [_record(COMPUTER, f"share-{number}") for number in range(40)])
        newest = max(snow.rows("sys_import_set"), key=lambda each: each["number"])["sys_id"]
        rows = snow.rows(COMPUTER, f"sys_import_set={newest}^sys_import_state=error")
        failed.append({row["serial_number"] for row in rows})
    assert failed[0] == failed[1]
    assert 10 < len(failed[0]) < 30
    assert set(_targets(snow, COMPUTER, "share-")) == {f"share-{number}" for number in range(40)} - failed[0]


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("table", TARGETS)
def test_a_row_that_is_too_large_is_not_stored(snow: Any, table: str, mode: str) -> None:
    """The set holds the other row only, and the import log says why."""
    bad, good = f"large-{mode}-bad", f"large-{mode}-good"
    snow.fault("row_too_large", match=f"{table} {bad}")
    snow.bring(mode, table, [_record(table, bad), _record(table, good)])
    assert _targets(snow, table, f"large-{mode}") == [good]
    assert _staged(snow, table, bad) == []
    import_set = _staged(snow, table, good)[0]["sys_import_set"]
    (entry,) = snow.rows("import_log", f"import_set={import_set}")
    assert "Row 0 skipped: it exceeds the maximum row size of 8126 bytes" in entry["message"]
    assert snow.counters()["staged_rows"] == {table: 1}


def test_a_single_row_that_is_too_large_is_skipped(snow: Any) -> None:
    """Nothing of it is stored, so that the transform finds no key."""
    snow.fault("row_too_large", match=f"{COMPUTER} large-single")
    assert snow.post(COMPUTER, {"serial_number": "large-single"})["status"] == "skipped"
    assert _targets(snow, COMPUTER, "large-single") == []
