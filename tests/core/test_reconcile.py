"""Reconciliation: each kind of drift is found once and nothing else, and a repair brings both sides together again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from watching import Watch, watching

from include.inventory.ledger import Ledger, Pair
from include.inventory.sync_tables import COUNTS_SEEN
from include.reconcile.run import Asked, reconcile
from include.reconcile.show import FeedResult, summary, to_page
from include.sandbox.fleet import FleetSpec
from include.storage import read_frame

COMPUTER, MDM, INSTALL = "cmdb_ci_computer", "x_kandj_kandji_mdm", "cmdb_sam_sw_install"


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Start a fleet of twelve devices that ServiceNow holds as Iru lists them, users included."""
    with watching(tmp_path, FleetSpec(devices=12, apps_per_device=1, unknown_user_share=0.0)) as started:
        load(started, "1")
        yield started


def load(watch: Watch, turn: str) -> dict[str, dict[str, int]]:
    """Run both flows and return the counts of all feeds."""
    reports = [watch.flow().run(source, f"{source}-{turn}") for source in ("devices", "apps")]
    assert not any(report.failed for report in reports)
    return {name: dict(feed.counts) for report in reports for name, feed in report.feeds.items()}


def check(watch: Watch, asked: Asked | None = None) -> dict[str, FeedResult]:
    """Reconcile all feeds."""
    flow, results = watch.flow(), {}
    pair = Pair(watch.sandbox.iru.url, watch.sandbox.servicenow.url)
    ledger = Ledger(f"sqlite:///{watch.folder}/ledger.sqlite", pair)
    for source in ("devices", "apps"):
        results |= reconcile(
            source, ("computer", "mdm", "apps"), flow.mapping,
            (flow.connect_iru(), flow.connect_servicenow(), ledger), watch.folder / "reconciled",
            asked=asked or Asked(), run_id="rec",
        )  # fmt: skip
    return results


def drift(results: dict[str, FeedResult]) -> dict[str, dict[str, int]]:
    """Return the counts of what was found, without zeros."""
    found = {name: {kind: n for kind, n in result.counts().items() if n} for name, result in results.items()}
    return {name: kinds for name, kinds in found.items() if kinds}


class Instance:
    """ServiceNow's tables, as an administrator changes them by hand."""

    def __init__(self, watch: Watch) -> None:
        self.client = watch.flow().connect_servicenow()
        self.url = f"{watch.sandbox.servicenow.url}/api/now/table"

    def rows(self, table: str) -> list[dict[str, str]]:
        """Return a table's rows, oldest first."""
        body, _ = self.client.get(f"table/{table}", sysparm_exclude_reference_link="true", sysparm_limit=1000)
        return list(body["result"])

    def send(self, method: str, path: str, **body: Any) -> None:
        """Write through the Table API."""
        headers = {"Authorization": f"Bearer {self.client._tokens.bearer()}"}
        answer = requests.request(method, f"{self.url}/{path}", json=body or None, headers=headers, timeout=10)
        answer.raise_for_status()


def test_both_sides_that_agree_have_no_drift(watch):
    """After a load there is nothing to say: no kind of drift is found where there is none."""
    results = check(watch)
    assert drift(results) == {}
    assert {name: result.records for name, result in results.items()} == {"computer": 12, "mdm": 12, "apps": 12}


def test_the_sync_page_is_told_how_many_rows_there_are(watch):
    """Both sides are counted as after a load: what Iru has in scope, and ServiceNow's active records of ours."""
    instance = Instance(watch)
    instance.send("DELETE", f"{COMPUTER}/{instance.rows(COMPUTER)[3]['sys_id']}")
    instance.send("PATCH", f"{INSTALL}/{instance.rows(INSTALL)[0]['sys_id']}", active="false")
    check(watch)
    ledger = Ledger(
        f"sqlite:///{watch.folder}/ledger.sqlite", Pair(watch.sandbox.iru.url, watch.sandbox.servicenow.url)
    )
    asked = sa.select(COUNTS_SEEN.c["feed", "side", "rows", "told_by"])
    with ledger.engine.connect() as connection:
        found = {(feed, side): rows for feed, side, rows, by in connection.execute(asked) if by == "reconcile"}
    assert found == {
        ("computer", "iru"): 12, ("computer", "servicenow"): 11, ("mdm", "iru"): 12, ("mdm", "servicenow"): 12,
        ("apps", "iru"): 12, ("apps", "servicenow"): 11,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("table", "feed", "verdict"), [(COMPUTER, "computer", "inserted"), (INSTALL, "apps", "processed")]
)
def test_a_record_that_was_deleted_is_missing_and_comes_back(watch, table, feed, verdict):
    """The ledger believes what is not so; after a repair, the next run sends exactly that row."""
    instance = Instance(watch)
    instance.send("DELETE", f"{table}/{instance.rows(table)[3]['sys_id']}")
    found = check(watch)
    assert drift(found)[feed]["missing"] == 1
    assert {d.mended_by for d in found[feed].drifts} == {"repair"}
    assert check(watch, Asked(repair=("missing",)))[feed].repaired == 1
    assert load(watch, "2")[feed][verdict] == 1
    assert "missing" not in drift(check(watch)).get(feed, {})


def test_a_field_that_was_changed_by_hand_is_different_and_is_set_right(watch):
    """The page shows both values; after a repair, the next run sends an update and nothing else."""
    instance = Instance(watch)
    row = instance.rows(COMPUTER)[0]
    instance.send("PATCH", f"{COMPUTER}/{row['sys_id']}", name="changed <b>by hand</b>", os_version="0")
    result = check(watch)["computer"]
    assert sorted((d.kind, d.column) for d in result.drifts) == [
        ("different", "device_name"),
        ("different", "os_version"),
    ]
    assert b"changed &lt;b&gt;by hand&lt;/b&gt;" in to_page({"computer": result})
    assert check(watch, Asked(repair=("different",)))["computer"].repaired == 1
    assert load(watch, "2")["computer"]["updated"] == 1
    assert drift(check(watch)) == {}


def test_a_change_that_the_next_run_carries_needs_no_repair(watch):
    """What changed in Iru since the last run is told apart from what the ledger believes wrongly."""
    watch.change_fleet(rename=1)
    [found] = check(watch)["computer"].drifts
    assert (found.kind, found.column, found.mended_by) == ("different", "device_name", "next run")
    assert check(watch, Asked(repair=("different",)))["computer"].repaired == 0


def test_records_that_iru_does_not_list_are_orphaned(watch):
    """A deleted device leaves its records; of apps, the next run says by itself that they are gone."""
    device_id = next(row["device_id"] for page in watch.flow().connect_iru().iter_devices() for row in page)
    watch.delete(device_id)
    found = drift(check(watch))
    assert found["computer"] == {"orphaned": 1}
    assert found["mdm"] == {"orphaned": 1}
    assert {d.mended_by for d in check(watch)["apps"].drifts} <= {"next run"}


def test_a_move_leaves_an_mdm_record(watch):
    """The record of the earlier blueprint is named as what it is, and left to a person."""
    watch.change_fleet(move_blueprint=1)
    load(watch, "2")
    found = check(watch)
    assert drift(found) == {"mdm": {"left_by_move": 1}}
    assert found["mdm"].drifts[0].mended_by == "a person"


def test_records_with_one_key_are_duplicated(watch):
    """A second computer with the same serial number, in other letters, is found."""
    instance = Instance(watch)
    serial = instance.rows(COMPUTER)[0]["serial_number"]
    instance.send("POST", COMPUTER, serial_number=serial.lower(), name="copy", discovery_source="Kandji")
    found = [d for d in check(watch)["computer"].drifts if d.kind == "duplicated"]
    assert [(d.actual, d.mended_by) for d in found] == [("2", "a person")]


def test_a_user_whom_servicenow_does_not_know_is_told_as_such(watch):
    """An empty assigned user is no wrong field but an unknown user."""
    instance = Instance(watch)
    row = next(row for row in instance.rows(COMPUTER) if row["assigned_to"])
    instance.send("PATCH", f"{COMPUTER}/{row['sys_id']}", assigned_to="")
    assert drift(check(watch)) == {"computer": {"unknown_user": 1}}


def test_a_record_of_another_discovery_source_is_no_missing_one(watch):
    """Another tool that took a computer over is a field that differs, not a row that is gone."""
    instance = Instance(watch)
    instance.send("PATCH", f"{COMPUTER}/{instance.rows(COMPUTER)[0]['sys_id']}", discovery_source="Other")
    [found] = check(watch)["computer"].drifts
    assert (found.kind, found.column, found.actual) == ("different", "discovery_source", "Other")


def test_a_lost_ledger_is_rebuilt_and_nothing_is_sent_again(watch):
    """After the ledger was lost, what ServiceNow holds rightly costs no resend, and what is wrong is set right."""
    instance = Instance(watch)
    instance.send("PATCH", f"{COMPUTER}/{instance.rows(COMPUTER)[0]['sys_id']}", os_version="0")
    (watch.folder / "ledger.sqlite").unlink()
    rebuilt = check(watch, Asked(rebuild=True))
    assert {name: result.rebuilt for name, result in rebuilt.items()} == {"computer": 11, "mdm": 12, "apps": 12}
    counts = load(watch, "2")
    assert counts["computer"]["unchanged"] == 11
    assert counts["computer"]["updated"] == 1
    assert (counts["mdm"]["unchanged"], counts["apps"]["unchanged"]) == (12, 12)


def test_a_rebuilt_ledger_knows_apps_that_iru_no_longer_lists(watch):
    """Removed software is told as removed even when the ledger was lost in between."""
    watch.change_fleet(remove_apps=2)
    (watch.folder / "ledger.sqlite").unlink()
    check(watch, Asked(rebuild=True))
    assert load(watch, "2")["apps"]["removed"] == 2


def test_a_rebuild_leaves_what_the_ledger_knows(watch):
    """Entries that are there are not replaced by a reading of the tables."""
    assert {result.rebuilt for result in check(watch, Asked(rebuild=True)).values()} == {0}


def test_without_sam_pro_the_apps_are_skipped(watch):
    """The other feeds are compared all the same."""
    url = f"{watch.sandbox.servicenow.url}/_sandbox/switches"
    requests.patch(url, json={"sam_pro": False}, timeout=10).raise_for_status()
    results = check(watch)
    assert INSTALL in results["apps"].skipped
    assert results["computer"].records == 12
    assert "cannot be read" in summary(results)


def test_differences_are_kept_as_parquet(watch):
    """The file holds every difference with both values."""
    watch.change_fleet(rename=2)
    check(watch)
    frame = read_frame(watch.folder / "reconciled" / "drift" / "computer.parquet")
    assert len(frame) == 2
    assert set(frame["column"]) == {"device_name"}
    assert not (watch.folder / "reconciled" / "devices").exists(), "pages are not kept"
