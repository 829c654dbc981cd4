"""What an operator sets is checked before anything happens, and a mistake is named."""

import json
from pathlib import Path

import pytest

from include.errors import SetupWrong
from include.inventory.guards import GuardLimits
from include.inventory.params import DEVICE_FAMILIES, RunParams, family
from include.inventory.settings import Settings

FEEDS = ("computer", "mdm")


def test_without_params_a_run_loads_everything():
    """The defaults of a run are: load, all feeds, all families, all blueprints, all guards."""
    params = RunParams.parse({}, feeds=FEEDS)
    assert (params.mode, params.feeds, params.device_families) == ("load", FEEDS, DEVICE_FAMILIES)
    assert (params.blueprints, params.full_resend, params.missing_devices, params.lift_guards) == (
        (), False, "ignore", (),
    )  # fmt: skip


def test_an_empty_choice_means_all():
    """A form that is left empty asks for everything."""
    params = RunParams.parse({"feeds": [], "device_families": [], "blueprints": None}, feeds=FEEDS)
    assert (params.feeds, params.device_families) == (FEEDS, DEVICE_FAMILIES)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mod": "plan"}, ["mod", "mode"]),
        ({"mode": "dry"}, ["'mode'", "dry", "plan, load"]),
        ({"feeds": ["apps"]}, ["'feeds'", "apps", "computer, mdm"]),
        ({"feeds": 3}, ["'feeds'", "3"]),
        ({"device_families": ["Windows"]}, ["'device_families'", "Windows", "AppleTV"]),
        ({"blueprints": [1]}, ["'blueprints'"]),
        ({"full_resend": "yes"}, ["'full_resend'", "yes"]),
        ({"missing_devices": "delete"}, ["'missing_devices'", "delete", "retire"]),
        ({"lift_guards": ["all"]}, ["'lift_guards'", "all", "incomplete_extract", "iru_quota"]),
        ({"release_parked": 7}, ["'release_parked'", "7", "list of texts"]),
        ({"release_parked": ["all", "SER1"]}, ["'release_parked'", "'all' alone"]),
        ({"serials": 7}, ["'serials'", "list of texts"]),
        ({"tags": ["x"], "missing_devices": "retire"}, ["'missing_devices' is 'retire'", "'tags' or 'serials'"]),
        ({"serials": ["x"], "missing_devices": "report"}, ["'missing_devices' is 'report'", "whole fleet"]),
        ({"feeds": ["mdm"], "missing_devices": "retire"}, ["'missing_devices' is 'retire'", "computer"]),
    ],
)
def test_a_wrong_param_is_named_with_what_it_may_be(values, words):
    """One clear error names the param, what it was, and what is allowed."""
    with pytest.raises(SetupWrong) as caught:
        RunParams.parse(values, feeds=FEEDS)
    assert all(word in str(caught.value) for word in words)


def test_tags_are_for_devices():
    """Prism lists no tags beside an app; the message names the filter that works."""
    with pytest.raises(SetupWrong, match=r"'tags' is for devices.*'serials'"):
        RunParams.parse({"tags": ["x"]}, feeds=("apps",))


@pytest.mark.parametrize(
    "values", [{"tags": ["a"]}, {"serials": ["S"]}, {"blueprints": ["b"]}, {"device_families": ["Mac"]}]
)
def test_a_filter_makes_a_run_of_a_part_of_the_fleet(values):
    """One place says whether a run is about the whole fleet."""
    assert not RunParams.parse(values, feeds=FEEDS).covers_fleet
    assert RunParams.parse({}, feeds=FEEDS).covers_fleet


def test_params_survive_their_file():
    """A later task reads the params that the first one checked."""
    params = RunParams.parse({"feeds": ["mdm"], "device_families": ["tvOS", "Mac"], "blueprints": "b"}, feeds=FEEDS)
    assert RunParams.from_json(json.loads(json.dumps(params.to_json()))) == params
    assert params.device_families == ("AppleTV", "Mac")


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("tvOS", "AppleTV"), ("iPod", "iPhone"), ("Mac", "Mac"), ("Newton", "Newton"), ("", None)],
)
def test_both_spellings_of_a_family_are_one(platform, expected):
    """Prism's tvOS is the AppleTV of /devices; an unknown platform stays itself."""
    assert family(platform) == expected


def test_settings_have_local_defaults():
    """Without settings, everything lies under AIRFLOW_HOME, and the DAGs run on their documented schedules."""
    settings = Settings.of_pair(environment={"AIRFLOW_HOME": "/home/airflow"})
    assert settings.storage == "/home/airflow/iru_servicenow"
    assert settings.ledger == "sqlite:////home/airflow/iru_servicenow/ledger.sqlite"
    assert (settings.guards, settings.max_attempts, settings.apps_extract) == (GuardLimits(), 5, "auto")
    assert (settings.mapping, settings.devices_schedule, settings.apps_schedule) == (None, "0 * * * *", "0 2 * * *")


def test_settings_are_read_from_the_environment():
    """Each setting has its variable; an empty schedule or "none" switches a DAG's schedule off."""
    names = {
        "STORAGE": "s3://bucket/x", "LEDGER": "postgresql+psycopg2://h/d", "MAPPING": "/etc/ours.toml",
        "DEVICES_SCHEDULE": "None", "APPS_SCHEDULE": " ", "MISSING_DEVICES": "report",
        "GUARDS": "many_changes=off", "MAX_ATTEMPTS": "3", "APPS_EXTRACT": "export",
        "PARTITIONS": "4", "CHUNK_ROWS": "2700", "RETRY_DELAY_S": "5",
    }  # fmt: skip
    settings = Settings.of_pair(environment={f"IRU_SERVICENOW_{name}": value for name, value in names.items()})
    assert settings == Settings(
        "s3://bucket/x", "postgresql+psycopg2://h/d", Path("/etc/ours.toml"), None, None, "report",
        GuardLimits(many_changes=None), 3, "export", 4, 2700, 5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("STORRAGE", "/x", "IRU_SERVICENOW_STORRAGE"),
        ("MISSING_DEVICES", "delete", "IRU_SERVICENOW_MISSING_DEVICES"),
        ("STORAGE", "s3://bucket/x", "IRU_SERVICENOW_LEDGER"),
        ("GUARDS", "many_removals=10", "IRU_SERVICENOW_GUARDS"),
        ("MAX_ATTEMPTS", "0", "IRU_SERVICENOW_MAX_ATTEMPTS is '0'"),
        ("MAX_ATTEMPTS", "many", "IRU_SERVICENOW_MAX_ATTEMPTS"),
        ("RETRY_DELAY_S", "0.5", "IRU_SERVICENOW_RETRY_DELAY_S"),
        ("APPS_EXTRACT", "csv", "IRU_SERVICENOW_APPS_EXTRACT.*auto, pages, export"),
    ],
)
def test_a_wrong_setting_is_named(name, value, words):
    """A misspelled variable, a wrong value, or a remote store without a ledger is one error that names it."""
    with pytest.raises(SetupWrong, match=words):
        Settings.of_pair(environment={f"IRU_SERVICENOW_{name}": value})


def test_a_file_url_is_a_local_store():
    """A storage root may be given as file://."""
    assert (
        Settings.of_pair(environment={"IRU_SERVICENOW_STORAGE": "file:///data"}).ledger
        == "sqlite:////data/ledger.sqlite"
    )
