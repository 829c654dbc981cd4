"""Several pairs of tenant and instance: each has DAGs of its own, and a wrong one stops nobody else."""

import json
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from include.errors import SetupWrong

ROOT = Path(__file__).resolve().parents[2]


def _bag(monkeypatch: pytest.MonkeyPatch, pairs: object) -> DagBag:
    monkeypatch.setenv("IRU_SERVICENOW_PAIRS", json.dumps(pairs))
    return DagBag(str(ROOT / "dags"))


def test_each_pair_has_dags_with_its_own_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """The DAGs of a pair carry its name, load over its connection, and prepare its runs."""
    bag = _bag(monkeypatch, {"emea": {}, "us": {"servicenow": "snow_us", "devices_schedule": "none"}})
    assert bag.import_errors == {}
    assert {"iru_devices__emea", "iru_devices__us", "iru_apps__emea", "iru_apps__us"} <= set(bag.dags)
    assert "iru_devices" not in bag.dags
    for dag_id, connection in (("iru_devices__emea", "servicenow_emea"), ("iru_devices__us", "snow_us")):
        dag = bag.dags[dag_id]
        assert {task.servicenow_conn_id for task in dag.tasks if task.task_id.startswith("load.")} == {connection}
        assert dag.get_task("prepare").op_args[-1] == dag_id.partition("__")[2]
    assert bag.dags["iru_devices__us"].schedule is None


def test_a_wrong_pair_has_a_dag_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of a pair that cannot run shows what to correct, and the other pair's DAGs are as ever."""
    bag = _bag(monkeypatch, {"emea": {}, "us": {"max_attempts": "many"}})
    assert bag.import_errors == {}
    wrong = bag.dags["iru_devices__us"]
    assert "IRU_SERVICENOW_MAX_ATTEMPTS is 'many'" in (wrong.doc_md or "")
    assert "wrong set-up" in wrong.tags
    assert wrong.schedule is None
    with pytest.raises(SetupWrong, match="Pair 'us'"):
        wrong.get_task("prepare").python_callable()
    assert "plan" in bag.dags["iru_devices__emea"].task_dict
    DagSerialization.deserialize_dag(DagSerialization.serialize_dag(wrong))


def test_a_list_of_pairs_that_cannot_be_read_is_an_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's own page of import errors names the setting."""
    bag = _bag(monkeypatch, [])
    assert len(bag.import_errors) == len(list((ROOT / "dags").glob("*.py")))
    assert all("IRU_SERVICENOW_PAIRS" in error for error in bag.import_errors.values())
