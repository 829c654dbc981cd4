"""What Airflow demands of a DAG file, and what an on-call person demands of a DAG."""

import subprocess
import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

ROOT = Path(__file__).resolve().parents[2]
FLOW_IDS = ("iru_devices", "iru_apps")
DAG_IDS = (*FLOW_IDS, "iru_servicenow_preflight", "iru_servicenow_reconcile")

_IMPORT_EACH = """
import runpy, sys, warnings
warnings.filterwarnings("error")
warnings.filterwarnings("ignore", module=r"(pathspec|starlette|fastapi|cadwyn|httpx)\\b.*")
for path in sys.argv[1:]:
    runpy.run_path(path)
"""


@pytest.fixture(scope="module")
def bag() -> DagBag:
    """Return the DAGs of this project, parsed once."""
    return DagBag(str(ROOT / "dags"))


def test_every_dag_file_imports(bag: DagBag) -> None:
    """No DAG file has an import error, and all DAGs are there."""
    assert bag.import_errors == {}
    assert set(bag.dags) == set(DAG_IDS)


def test_dag_files_import_without_any_warning() -> None:
    """Importing a DAG file warns of nothing: no deprecated import, no unimportable exception in a retry rule."""
    files = [str(ROOT / "dags" / f"{dag_id}.py") for dag_id in DAG_IDS]
    ended = subprocess.run([sys.executable, "-c", _IMPORT_EACH, *files], capture_output=True, text=True, check=False,
                           env={"PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}", "PATH": "/usr/bin:/bin"})  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_a_dag_is_fit_for_operation(bag: DagBag, dag_id: str) -> None:
    """A DAG has tags, docs, retries, one active run at most, and no catch-up."""
    dag = bag.dags[dag_id]
    assert dag.tags
    assert dag.doc_md
    assert all(task_id in dag.doc_md for task_id in dag.task_dict)
    assert dag.max_active_runs == 1
    assert not dag.catchup
    assert all((task.retries or 0) >= 2 for task in dag.tasks)


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_a_dag_survives_serialisation(bag: DagBag, dag_id: str) -> None:
    """The scheduler sees the same tasks, order and rules as the DAG file."""
    dag = bag.dags[dag_id]
    seen = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    assert {task.task_id: sorted(task.upstream_task_ids) for task in seen.tasks} == {
        task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks
    }


def test_computers_are_loaded_before_what_refers_to_them(bag: DagBag) -> None:
    """MDM records refer to computers, so their load waits for that of the computers."""
    assert "load.computer" in bag.dags["iru_devices"].get_task("load.mdm").upstream_task_ids


def test_settle_runs_however_the_run_went_once_it_has_a_folder(bag: DagBag) -> None:
    """Every run leaves a report, after a failed extract or guard too; one whose set-up is wrong never began."""
    for dag_id in FLOW_IDS:
        settle = bag.dags[dag_id].get_task("settle")
        assert settle.trigger_rule == "all_done_min_one_success"
        loads = {task_id for task_id in bag.dags[dag_id].task_dict if task_id.startswith("load.")}
        assert settle.upstream_task_ids == {"prepare", *loads}


def test_a_schedule_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings decide when a DAG runs, and "none" means by trigger only."""
    monkeypatch.setenv("IRU_SERVICENOW_DEVICES_SCHEDULE", "none")
    monkeypatch.setenv("IRU_SERVICENOW_APPS_SCHEDULE", "30 3 * * *")
    dags = DagBag(str(ROOT / "dags")).dags
    assert dags["iru_devices"].schedule is None
    assert dags["iru_apps"].schedule == "30 3 * * *"


@pytest.mark.parametrize("partitions", [1, 4])
def test_the_number_of_tasks_is_constant(monkeypatch: pytest.MonkeyPatch, partitions: int) -> None:
    """A run has at most eight tasks, and each partition adds instances of them, never tasks."""
    monkeypatch.setenv("IRU_SERVICENOW_PARTITIONS", str(partitions))
    bag = DagBag(str(ROOT / "dags"))
    assert bag.import_errors == {}
    for dag_id in ("iru_devices", "iru_apps"):
        dag = bag.dags[dag_id]
        mapped = {task.task_id for task in dag.tasks if task.is_mapped}
        assert len(dag.tasks) <= 8
        loads = {task.task_id for task in dag.tasks if task.task_id.startswith("load.")}
        shares = {"extract_share"} if dag_id == "iru_apps" else set()
        assert mapped == ((loads | shares) if partitions > 1 else set())
        assert {"plan"} <= dag.get_task("settle").get_flat_relative_ids(upstream=True)
        DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))


def test_every_table_is_known_before_a_load_tells_of_it(bag: DagBag) -> None:
    """Loads that end together would each make the asset that their alias adds, and Airflow fails the second."""
    told = {
        task.target.name
        for dag_id in FLOW_IDS
        for task in bag.dags[dag_id].tasks
        if getattr(task, "told_by", None) is not None
    }
    [reader] = [task for task in bag.dags["iru_servicenow_reconcile"].tasks if task.inlets]
    assert told == {"servicenow_cmdb_ci_computer", "servicenow_x_kandj_kandji_mdm", "servicenow_cmdb_sam_sw_install"}
    assert told <= {asset.name for asset in reader.inlets}
