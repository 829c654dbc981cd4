"""Rows that ServiceNow would fold into one record are not sent, where its transform maps may be read."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import requests
from between import between, inserts
from factories import MAPPING, device
from scripted import Asked, Reply
from test_flow import Taker, Tenant, flow_of, writes

from include.errors import RunUnsafe, SetupWrong
from include.inventory.coalesce import count_ambiguous
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec
from include.servicenow.transform_maps import ENTRIES, MAPS, ROBUST, TransformMapInfo, read_transform_map
from include.storage import read_json

COMPUTER, MDM, APPS = (MAPPING.feeds[name].staging_table for name in ("computer", "mdm", "apps"))
FAST = {"iru.rate_limit": False, "servicenow.transform_pickup_delay_s": 0.0}


def sandbox(**switches) -> Sandbox:
    """Return both services with a small fleet."""
    return Sandbox(SandboxSpec(fleet=FleetSpec(devices=30, apps_per_device=1, seed=3), switches=FAST | switches))


def patch(running: Sandbox, folder: Path, table: str, query: str, **values: str) -> None:
    """Change configuration records of the instance."""
    client = flow_of(running, folder).servicenow()
    headers = {"Authorization": f"Bearer {client._tokens.bearer()}"}
    found, _ = client.get(f"table/{table}", sysparm_query=query)
    assert found["result"]
    for row in found["result"]:
        url = f"{running.servicenow.url}/api/now/table/{table}/{row['sys_id']}"
        answer = requests.patch(url, json=values, headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def standard() -> Iterator[Sandbox]:
    """Give an instance as the vendor's app sets it up."""
    with sandbox() as running:
        yield running


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (COMPUTER, TransformMapInfo(True, False, ("serial_number",))),
        (MDM, TransformMapInfo(True, False, ("blueprint_id", "device_id"))),
        (APPS, TransformMapInfo(True, True)),
        ("u_nothing", TransformMapInfo(False, False)),
    ],
)
def test_the_instances_own_map_says_what_the_key_is(standard, tmp_path, table, expected):
    """The key is read from the active map; a robust transformer is known to be there, its key is not."""
    assert read_transform_map(flow_of(standard, tmp_path).servicenow(), table) == expected


def test_an_account_that_may_not_read_maps_loads_all_the_same(tmp_path, caplog):
    """The documented roles may not suffice for the check; that is said, and the load goes on."""
    with sandbox(**{"servicenow.config_tables_readable": False}) as running:
        counts = flow_of(running, tmp_path).run("devices")
    assert counts["mdm"]["inserted"] > 20
    assert f"What transforms {MDM} cannot be told" in caplog.text


def test_a_key_that_tells_rows_apart_badly_stops_the_run(tmp_path):
    """Read literally, the documentation folds all devices of a blueprint into one record: nothing of it is sent."""
    with sandbox(**{"servicenow.mdm_coalesce": "blueprint"}) as running:
        flow = flow_of(running, tmp_path)
        with pytest.raises(RunUnsafe, match=r"mdm: \d+ of \d+ rows share their blueprint_id .*ambiguous_key"):
            flow.prepare("devices")
        assert writes(running) == 0
        flow.run("devices", mode="plan")
        assert [found["guard"] for found in read_json(flow.last.report)["guards"]] == ["ambiguous_key"]
        assert flow.run("devices", lift_guards=["ambiguous_key"])["computer"]["inserted"] > 20


def test_a_table_that_nothing_transforms_is_named(tmp_path):
    """Rows would be stored in the staging table and go no further, so that is told before they are sent."""
    with sandbox() as running:
        patch(running, tmp_path, "sys_transform_map", f"source_table={COMPUTER}", active="false")
        with pytest.raises(SetupWrong, match=f"No transform map and no robust transformer of {COMPUTER} is active"):
            flow_of(running, tmp_path).prepare("devices")
        assert writes(running) == 0


def frame(**columns: list[str | None]) -> pd.DataFrame:
    """Return a frame of texts."""
    return pd.DataFrame({name: pd.Series(values, dtype="str") for name, values in columns.items()})


@pytest.mark.parametrize(
    ("columns", "key", "ambiguous"),
    [
        ({"a": ["x", "y", "z"]}, ("a",), 0),
        ({"a": ["x", "X", "y"]}, ("a",), 2),
        ({"a": ["x", "x", "x"], "b": ["1", "2", "2"]}, ("a", "b"), 2),
        ({"a": [None, None, "x"]}, ("a",), 0),
        ({"a": ["x", "x"], "b": [None, None]}, ("a", "b"), 2),
        ({"a": ["x", "y"]}, ("a", "other"), 0),
        ({"a": ["x", "y"]}, ("other",), 2),
        ({"a": ["x"]}, ("other",), 0),
        ({"a": []}, ("a",), 0),
    ],
)
def test_rows_are_told_apart_as_servicenow_does(columns, key, ambiguous):
    """Without case, by the columns that are filled; an empty key finds no record at all."""
    assert count_ambiguous(frame(**columns), key) == ambiguous


# --- odd instances ---------------------------------------------------------------------------------------------------


class Configured(Taker):
    """A scripted instance with configuration tables; a table that is not given answers 403."""

    tables: dict[str, list[dict[str, str]]]

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        name = asked.path.rpartition("/")[2]
        if name in (MAPS, ENTRIES, ROBUST):
            if name not in self.tables:
                return Reply({"error": {"message": "no"}}, 403)
            return self._list(self.tables[name])
        return super().__call__(asked)


MAP = {"sys_id": "m1", "source_table": COMPUTER, "active": "true", "order": "100"}
ENTRY = {"sys_id": "e1", "map": "m1", "source_field": "serial_number", "coalesce": "true", "use_source_script": "false"}
LATER = MAP | {"sys_id": "m2", "order": "1,000"}


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({MAPS: [MAP], ENTRIES: [ENTRY], ROBUST: []}, TransformMapInfo(True, False, ("serial_number",))),
        ({MAPS: [MAP], ENTRIES: [ENTRY]}, TransformMapInfo(True, False, ("serial_number",))),
        ({MAPS: [LATER, MAP], ENTRIES: [ENTRY, ENTRY | {"map": "m2", "source_field": "os"}], ROBUST: []},
         TransformMapInfo(True, False, ("serial_number",))),
        ({MAPS: [MAP], ENTRIES: [ENTRY | {"use_source_script": "true"}], ROBUST: []}, TransformMapInfo(True, False)),
        ({MAPS: [MAP], ENTRIES: [ENTRY | {"coalesce": "false"}], ROBUST: []}, TransformMapInfo(True, False)),
        ({MAPS: [MAP], ROBUST: []}, None),
        ({MAPS: [MAP | {"active": "false"}], ROBUST: []}, TransformMapInfo(False, False)),
        ({MAPS: [MAP | {"active": "false"}]}, None),
        ({MAPS: [MAP | {"source_table": "u_other"}], ROBUST: []}, TransformMapInfo(False, False)),
        ({MAPS: [], ROBUST: []}, None),
        ({ROBUST: [MAP]}, TransformMapInfo(True, True)),
        ({}, None),
    ],
    ids=["plain", "no look at robust", "lowest order", "by script", "no key", "no look at entries", "inactive",
         "inactive, but robust may be", "of another table", "all hidden", "robust only", "no look at all"],
)  # fmt: skip
def test_what_cannot_be_told_is_not_guessed_at(tmp_path, tables, expected):
    """A refused or hidden table is no missing map, and a filter that the instance ignores misleads nobody."""
    taker = Configured()
    taker.tables = tables
    with between(tmp_path, Tenant(), taker) as flow:
        assert read_transform_map(flow.servicenow(), COMPUTER) == expected


def test_the_whole_frame_is_judged_and_not_only_what_is_sent(tmp_path):
    """A new row whose key an unchanged one has would take that one's record."""
    taker = Configured()
    taker.tables = {MAPS: [MAP], ENTRIES: [ENTRY | {"source_field": "device_name"}], ROBUST: []}
    tenant = Tenant(devices=[device(1)])
    with between(tmp_path, tenant, taker) as flow:
        flow.run("devices", feeds=["computer"])
        tenant.devices = [device(1), device(2, device_name="MAC 1")]
        sent = inserts(flow)
        with pytest.raises(RunUnsafe, match="2 of 2 rows share their device_name"):
            flow.prepare("devices", feeds=["computer"])
        assert inserts(flow) == sent


def test_an_unchanged_fleet_asks_for_no_map(tmp_path):
    """The check costs nothing where nothing is to be sent."""
    taker = Configured()
    taker.tables = {MAPS: [MAP], ENTRIES: [ENTRY], ROBUST: []}
    with between(tmp_path, Tenant(devices=[device(1)]), taker) as flow:
        flow.run("devices", feeds=["computer"])
        asked = len(flow.asked)
        flow.run("devices", feeds=["computer"])
        assert len(flow.asked) == asked
