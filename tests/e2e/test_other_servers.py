"""The whole way of a row against servers that are not the sandbox: only what both APIs document."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fleets import app, device
from other_servers import APPS, CLIENT_ID, CLIENT_SECRET, COMPUTER, MDM, PASSWORD, TOKEN, USER, Iru, ServiceNow, serve
from runs import Access, Ended, access, run_dag


@dataclass
class Story:
    """Two servers and the runs against them, in the order in which they happened."""

    iru: Iru
    servicenow: ServiceNow
    connections: Access
    home: Path
    runs: dict[str, Ended]
    writes: dict[str, int]

    def run(self, name: str, dag_id: str, **conf: object) -> None:
        """Run a DAG and remember how it ended and how often it wrote."""
        before = len(self.servicenow.writes())
        self.runs[name] = run_dag(dag_id, self.connections, self.home, conf)
        self.writes[name] = len(self.servicenow.writes()) - before


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Play the story once: plan, load, change, load again."""
    devices = [device(number) for number in range(320)]
    devices += [device(900, serial_number=""), device(901, platform="Windows"), device(902, platform="Toaster")]
    devices[5]["device_name"] = "refuse this one"
    apps = [app(number, of) for of in range(12) for number in range(30)] + [app(1, 902)]
    iru, servicenow = Iru(devices, apps), ServiceNow()
    with serve(iru) as iru_url, serve(servicenow) as servicenow_url:
        names = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "username": USER, "password": PASSWORD}
        connections = access(iru_url, TOKEN, servicenow_url, **names)
        story = Story(iru, servicenow, connections, tmp_path_factory.mktemp("other"), {}, {})
        story.run("plan", "iru_devices", mode="plan")
        story.run("devices", "iru_devices")
        story.run("apps", "iru_apps")
        devices[5]["device_name"] = "let this one in"
        devices[1]["user"] = ""
        story.run("devices again", "iru_devices")
        story.run("devices unchanged", "iru_devices")
        apps.remove(app(7, 3))
        apps[0]["version"] = "2.0"
        story.run("apps again", "iru_apps")
        yield story


def test_a_plan_shows_the_fleet_and_writes_nothing(story: Story) -> None:
    """Plan mode makes no write request and holds every row that it would have sent."""
    assert story.runs["plan"].status == 0, story.runs["plan"].output
    assert story.writes["plan"] == 0
    assert story.runs["plan"].counts("computer") == {"extracted": 323, "filtered": 1, "rejected": 2, "held": 320}


def test_every_device_ends_in_one_verdict(story: Story) -> None:
    """Inserted, refused, rejected and filtered rows add up to what was extracted, in both feeds."""
    run = story.runs["devices"]
    assert run.status == 0, run.output
    expected = {"extracted": 323, "filtered": 1, "rejected": 2, "inserted": 319, "error": 1}
    assert run.counts("computer") == expected
    assert run.counts("mdm") == {"extracted": 323, "filtered": 1, "rejected": 1, "inserted": 320, "held": 1}


def test_refused_rows_carry_servicenows_own_words_and_go_again(story: Story) -> None:
    """A row that a business rule refused is reported with its message, and sent again by the next run."""
    assert "Refused by a business rule" in str(story.runs["devices"].report)
    assert story.runs["devices again"].counts("computer")["inserted"] == 1
    assert ("ser00005",) in story.servicenow.tables[COMPUTER]


def test_a_value_that_vanished_in_iru_is_emptied_in_servicenow(story: Story) -> None:
    """A device that lost its user loses it in ServiceNow too, though empty cells are otherwise left out."""
    assert story.servicenow.tables[COMPUTER][("ser00001",)]["assigned_user"] == ""
    assert story.servicenow.tables[COMPUTER][("ser00002",)]["assigned_user"] == "u2@acme.example"
    assert "assigned_user" not in story.servicenow.tables[COMPUTER][("ser00003",)]


def test_an_unchanged_fleet_costs_no_request_to_servicenow(story: Story) -> None:
    """The second run over an unchanged fleet neither writes nor reads."""
    run = story.runs["devices unchanged"]
    assert run.status == 0, run.output
    assert story.writes["devices unchanged"] == 0
    assert run.report
    assert run.report["requests"]["servicenow"] == 0
    assert run.counts("computer") == {"extracted": 323, "filtered": 1, "rejected": 2, "unchanged": 320}


def test_apps_wait_for_their_computer(story: Story) -> None:
    """An install whose computer ServiceNow does not have is held, the others are loaded."""
    run = story.runs["apps"]
    assert run.status == 0, run.output
    assert run.counts("apps") == {"extracted": 361, "inserted": 360 - 30, "held": 31}
    assert {row["installed"] for row in _installs(story)} >= {"SER00000", "SER00011"}


def test_a_removed_app_is_sent_once_more_whole_and_inactive(story: Story) -> None:
    """The app that left is kept with active = false and all its columns; the updated one keeps its record."""
    run = story.runs["apps again"]
    assert run.status == 0, run.output
    assert run.counts("apps")["removed"] == 1
    inactive = [row for row in story.servicenow.tables[APPS].values() if row["active"] == "false"]
    assert [(row["name"], row["serial_number"], row["version"]) for row in inactive] == [("App 7", "SER00003", "1.0")]
    assert len(story.servicenow.tables[APPS]) == 360
    assert sum(row["version"] == "2.0" for row in story.servicenow.tables[APPS].values()) == 1


def test_values_arrive_as_servicenow_needs_them(story: Story) -> None:
    """Operating systems, capacities and constants hold what the integration's documentation says."""
    held = story.servicenow.tables[COMPUTER][("ser00007",)]
    assert held == {
        "assigned_user": "u7@acme.example", "device_capacity": "128", "device_name": "mac 7",
        "discovery_source": "Kandji", "model_name": "MacBook Air", "os_type": "tvOS", "os_version": "14.4",
        "serial_number": "SER00007", "manufacturer": "Apple",
    }  # fmt: skip
    assert len(story.servicenow.tables[MDM]) == 320


def test_nobodys_secret_or_name_is_printed(story: Story) -> None:
    """Neither credentials nor assigned users appear in what the runs print."""
    printed = "".join(run.output for run in story.runs.values())
    for secret in (CLIENT_SECRET, PASSWORD, TOKEN, "the-access-token", "@acme.example"):
        assert secret not in printed


def _installs(story: Story) -> list[dict[str, str]]:
    return [row | {"installed": row["serial_number"]} for row in story.servicenow.tables[APPS].values()]
