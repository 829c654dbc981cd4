"""Several pairs of tenant and instance in one Airflow: which setting says what, and which mistake is told how."""

import json

import pytest

from include.errors import SetupWrong
from include.inventory.settings import Settings, pair_names


def environment(pairs: object, **others: str) -> dict[str, str]:
    """Return an environment that lists some pairs."""
    listed = pairs if isinstance(pairs, str) else json.dumps(pairs)
    return {"AIRFLOW_HOME": "/a", "IRU_SERVICENOW_PAIRS": listed} | others


def test_without_the_setting_there_is_one_pair_without_a_name():
    """Who has one tenant needs to know nothing of pairs: ids, connections and names are plain."""
    settings = Settings.of_pair(environment={"AIRFLOW_HOME": "/a"})
    assert pair_names({}) == pair_names(environment("")) == [""]
    assert (settings.iru_conn_id, settings.servicenow_conn_id) == ("iru_default", "servicenow_default")
    assert (settings.named("iru_devices"), settings.titled("Devices"), settings.tags) == ("iru_devices", "Devices", [])


def test_every_pair_has_connections_and_names_of_its_own():
    """A pair's name is part of its DAGs' ids, and its connections are called after it unless it names others."""
    given = environment({"emea": {}, "us": {"iru": "iru_prod"}})
    emea, us = (Settings.of_pair(name, given) for name in pair_names(given))
    assert (emea.iru_conn_id, emea.servicenow_conn_id) == ("iru_emea", "servicenow_emea")
    assert (us.iru_conn_id, us.servicenow_conn_id) == ("iru_prod", "servicenow_us")
    assert (emea.named("iru_devices"), us.titled("Devices"), us.tags) == ("iru_devices__emea", "Devices (us)", ["us"])


def test_a_pair_has_the_common_settings_where_it_has_none_for_itself():
    """A setting of the environment holds for every pair, and a pair may have its own schedule, mapping or guards."""
    given = environment(
        {"emea": {"devices_schedule": "none", "max_attempts": 2}, "us": {}}, IRU_SERVICENOW_DEVICES_SCHEDULE="@hourly"
    )
    emea, us = (Settings.of_pair(name, given) for name in ("emea", "us"))
    assert (emea.devices_schedule, emea.max_attempts) == (None, 2)
    assert (us.devices_schedule, us.max_attempts) == ("@hourly", 5)


@pytest.mark.parametrize(
    "listed",
    ["{", "[]", "{}", '"emea"', '{"EMEA": {}}', '{"a__b": {}}', '{"": {}}', '{"a b": {}}', '{"a": {}, "a": {}}',
     json.dumps({"x" * 41: {}})],
)  # fmt: skip
def test_a_list_that_cannot_be_read_is_refused_as_a_whole(listed):
    """Where not even the names can be told, there is nothing that could go on."""
    with pytest.raises(SetupWrong, match="IRU_SERVICENOW_PAIRS"):
        pair_names(environment(listed))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ([], "'us' must be a JSON object"),
        ({"schedule": "x"}, "'us' has unknown settings: schedule. Known are: .*devices_schedule"),
        ({"storage": "/x"}, "unknown settings: storage"),
        ({"max_attempts": "many"}, "Pair 'us': IRU_SERVICENOW_MAX_ATTEMPTS is 'many'"),
        ({"iru": True}, "'iru' of the pair 'us' must be a text"),
        ({"iru": "iru_emea", "servicenow": "servicenow_emea"}, "emea, us have the same two connections"),
    ],
)
def test_a_pair_that_is_wrong_is_named_and_takes_nothing_from_the_others(entry, words):
    """One message says which pair and which entry; the others' settings are read as if it were not there."""
    given = environment({"emea": {}, "us": entry})
    with pytest.raises(SetupWrong, match=words):
        Settings.of_pair("us", given)
    if "same two" not in words:
        assert Settings.of_pair("emea", given).pair == "emea"


def test_an_unknown_pair_is_not_taken_for_the_only_one():
    """A run of a pair that is no longer listed fails instead of working with somebody else's connections."""
    for name, given in (("asia", environment({"emea": {}})), ("", environment({"emea": {}})), ("asia", {})):
        with pytest.raises(SetupWrong, match="IRU_SERVICENOW_PAIRS has no pair"):
            Settings.of_pair(name, given)
