"""What a platform team starts from: image, pins and Helm values agree with the project, and hold no secret."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.configuration import conf

from include.inventory.pairs import PAIRS
from include.inventory.settings import IRU_CONN_ID, PREFIX, SERVICENOW_CONN_ID, Settings
from include.local.audit import loose_pins
from include.sizing.model import SLOW, Fleet
from include.sizing.resources import GIB, TASKS_PER_WORKER, resources_for

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CELERY, KUBERNETES, LOGS = "values-celery.yaml", "values-kubernetes.yaml", "values-logs-s3.yaml"
EXECUTORS = {CELERY: "CeleryExecutor", KUBERNETES: "KubernetesExecutor"}
SIZED_FOR = Fleet(10_000, 60)

CHART_KEYS = (Path(__file__).parent / "helm_chart_keys.txt").read_text(encoding="utf-8").split()
"""The keys of chart 1.22.0 that we use, as its documentation, release notes and schema have them; `config` besides."""

LISTS = {"secret": {"envName", "secretName", "secretKey"}, "env": {"name", "value"}}
SECRET_NAME = re.compile(r"pass(word)?$|secret$|token|fernetKey$|connection$|credential|(^|_)key$", re.IGNORECASE)
SECRET_VALUE = re.compile(r"://[^/\s]*:[^/\s]*@|(?=[A-Za-z+/_=-]*\d)[A-Za-z0-9+/_=-]{32,}|BEGIN [A-Z ]*PRIVATE KEY")


def values(name: str) -> dict[str, Any]:
    """Read one values file."""
    loaded = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def paths(node: Any, path: str = "") -> dict[str, Any]:
    """Return the leaves of a tree by dotted path; lists are leaves."""
    if not isinstance(node, dict):
        return {path: node}
    return {k: v for name, child in node.items() for k, v in paths(child, f"{path}.{name}".lstrip(".")).items()}


def pins(name: str) -> dict[str, str]:
    """Return the pins of a requirements file, markers included."""
    lines = (ROOT / name).read_text(encoding="utf-8").split("\n")
    return {line.partition(" ; ")[2] + line.partition("==")[0]: line for line in lines if line}


def environment(name: str) -> dict[str, str]:
    """Return the variables that a values file sets, and those that it takes from secrets."""
    given = values(name)
    taken = {entry["envName"]: f"sqlite:///{entry['secretName']}/{entry['secretKey']}" for entry in given["secret"]}
    return {entry["name"]: entry["value"] for entry in given["env"]} | taken


def memory(resources: dict[str, Any]) -> int:
    """Return the memory limit in bytes."""
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", resources["limits"]["memory"]).groups()  # type: ignore[union-attr]
    return int(number) * (GIB if unit == "Gi" else GIB // 1024)


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def copied() -> list[str]:
    """Return the sources of all COPY instructions."""
    words = [
        [w for w in shlex.split(rest) if not w.startswith("--")] for name, rest in instructions() if name == "COPY"
    ]
    return [source for sources in words for source in sources[:-1]]


def test_the_image_copies_what_there_is_and_the_builder_gets_it():
    """Every source of a COPY exists, is let through by .dockerignore, and is all that is let through."""
    sources = {source.rstrip("/") for source in copied()}
    assert sources == {
        "requirements.txt", "deploy/requirements-cluster.txt", "pyproject.toml", "plugins", "include", "dags"
    }  # fmt: skip
    assert [source for source in sources if not (ROOT / source).exists()] == []
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line.removeprefix("!") for line in ignore if line.startswith("!")} == sources
    assert "*" in ignore


def test_the_image_is_the_pinned_airflow_on_the_python_that_is_tested():
    """Base image and pins are of one version of Airflow, and nothing newer comes in by itself."""
    arguments = dict(rest.split("=", 1) for name, rest in instructions() if name == "ARG")
    version = pins("requirements.txt")["apache-airflow"].partition("==")[2]
    assert arguments["AIRFLOW_IMAGE"] == f"apache/airflow:slim-{version}-python3.11"
    assert {values(name)["airflowVersion"] for name in EXECUTORS} == {version}
    assert ("FROM", "${AIRFLOW_IMAGE}") in instructions()


def test_the_image_installs_both_sets_of_pins_and_the_connection_types():
    """Requirements are installed from the compiled files, the project itself without asking an index."""
    runs = [rest for name, rest in instructions() if name == "RUN"]
    installs = [run for run in runs if "pip install" in run]
    assert re.findall(r"-r \S*/(\S+)", installs[0]) == ["requirements.txt", "requirements-cluster.txt"]
    assert "--no-deps --no-build-isolation --editable ${AIRFLOW_HOME}" in installs[1]
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    assert set(build) <= set(pins("deploy/requirements-cluster.txt").values())


def test_the_image_finds_include_and_runs_without_roots_rights():
    """DAGs import `include` wherever they run; nothing runs as root at any time."""
    assert ("ENV", "PYTHONPATH=${AIRFLOW_HOME}") in instructions()
    users = [rest for name, rest in instructions() if name == "USER"]
    assert users == ["airflow"]
    assert instructions()[-1] == ("USER", "airflow")


def test_nothing_in_the_image_needs_what_is_left_out_of_it():
    """The sandbox and the local commands stay outside, and no module that is copied imports them."""
    left_out = ("include/sandbox", "include/local")
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert set(left_out) <= set(ignore)
    names = tuple(folder.replace("/", ".") for folder in left_out)
    files = [path for name in ("dags", "plugins", "include") for path in (ROOT / name).rglob("*.py")]
    inside = [path for path in files if not str(path.relative_to(ROOT)).startswith(left_out)]
    assert len(inside) > 100
    found = [path for path in inside if re.search(rf"^\s*(from|import) ({'|'.join(names)})\b", path.read_text(), re.M)]
    assert found == []


def test_the_clusters_pins_are_exact_and_agree_with_the_projects():
    """A package that both files name has one version, so that the image runs what the tests ran."""
    ours, cluster = pins("requirements.txt"), pins("deploy/requirements-cluster.txt")
    assert loose_pins((DEPLOY / "requirements-cluster.txt").read_text(encoding="utf-8")) == []
    assert len(ours.keys() & cluster.keys()) > 50
    assert {
        name: (ours[name], cluster[name]) for name in ours.keys() & cluster.keys() if ours[name] != cluster[name]
    } == {}


def test_the_clusters_pins_hold_what_the_values_need():
    """Executors, databases, the object store and the sign-in of the values are installed."""
    wanted = [
        re.split(r"[\s\[<#]", line)[0]
        for line in (DEPLOY / "requirements-cluster.in").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "-"))
    ]
    there = {line.partition("==")[0] for line in pins("deploy/requirements-cluster.txt").values()}
    assert len(wanted) > 6
    assert set(wanted) | {"s3fs"} <= there


@pytest.mark.parametrize("name", [*EXECUTORS, LOGS])
def test_values_have_only_keys_of_the_chart(name):
    """The chart refuses a key that it does not know, so none of ours may be misspelt."""
    unknown = [
        path
        for path in paths(values(name))
        if not path.startswith("config.") and not any(path == key or path.startswith(f"{key}.") for key in CHART_KEYS)
    ]
    assert unknown == []
    for key, allowed in LISTS.items():
        assert all(set(entry) == allowed for entry in values(name).get(key, []))


@pytest.mark.parametrize("name", [*EXECUTORS, LOGS])
def test_values_set_options_that_airflow_has(name):
    """A misspelt option of Airflow would be ignored without a word. Sections of providers are looked at elsewhere."""
    known = conf.configuration_description
    wrong = [
        (section, option)
        for section, options in values(name)["config"].items()
        for option in options
        if section in known and option not in known[section]["options"]
    ]
    assert wrong == []
    assert set(values(name)["config"]) - set(known) <= {"celery", "kubernetes_executor"}


@pytest.mark.parametrize("name", [*EXECUTORS, LOGS])
def test_values_hold_no_secret(name):
    """Whoever reads the repository learns names of secrets and nothing else."""
    found = [
        path
        for path, value in paths(values(name)).items()
        if (path not in LISTS and SECRET_NAME.search(path.rpartition(".")[2])) or SECRET_VALUE.search(json.dumps(value))
    ]
    assert found == []


def test_the_search_for_secrets_finds_some():
    """The check above is not passed by a pattern that matches nothing."""
    for text in ("postgresql://airflow:hunter2@db/airflow", "a1" * 16, "-----BEGIN RSA PRIVATE KEY-----"):
        assert SECRET_VALUE.search(text)
    for name in ("password", "fernetKey", "connection", "token", "pass", "client_secret"):
        assert SECRET_NAME.search(name)


@pytest.mark.parametrize("name", EXECUTORS)
def test_connections_and_ledger_come_from_secrets(name):
    """Both connections and the ledger's URL are references to secrets, for every component."""
    taken = {entry["envName"] for entry in values(name)["secret"]}
    connections = {f"AIRFLOW_CONN_{conn_id.upper()}" for conn_id in (IRU_CONN_ID, SERVICENOW_CONN_ID)}
    assert connections | {f"{PREFIX}LEDGER"} <= taken
    assert taken.isdisjoint(entry["name"] for entry in values(name)["env"])


@pytest.mark.parametrize("name", EXECUTORS)
def test_settings_are_those_that_the_pipeline_reads(name):
    """The pipeline accepts the environment that the chart gives it, and keeps files and ledger away from the pods."""
    given = environment(name)
    settings = Settings.of_pair(environment=given)
    assert settings.storage.startswith("s3://")
    assert settings.ledger == given[f"{PREFIX}LEDGER"]
    assert PAIRS not in given
    assert all(isinstance(entry["value"], str) for entry in values(name)["env"])


@pytest.mark.parametrize("name", EXECUTORS)
def test_nothing_runs_by_itself_before_the_first_load(name):
    """DAGs begin paused and the watcher off, so that a person starts the first load."""
    assert values(name)["config"]["core"]["dags_are_paused_at_creation"] == "True"
    assert not Settings.of_pair(environment=environment(name)).watch
    assert values(name)["createUserJob"]["enabled"] is False


@pytest.mark.parametrize(("name", "executor"), EXECUTORS.items())
def test_every_component_that_the_pipeline_needs_is_there(name, executor):
    """The executor is the file's, the watcher's triggerer runs, and databases are PostgreSQL from outside the chart."""
    given = values(name)
    assert given["executor"] == executor
    assert given["triggerer"]["enabled"] is True
    assert given["triggerer"]["replicas"] > 1
    assert given["postgresql"]["enabled"] is False
    assert given["pgbouncer"]["enabled"] is True
    assert given["redis"]["enabled"] is (executor == "CeleryExecutor")
    assert list(given["workers"]) == ["celery" if executor == "CeleryExecutor" else "kubernetes"]


def test_memory_is_what_the_model_says():
    """Workers and pods are given at least what the sizing computes for the fleet that the files name."""
    needed = resources_for(SIZED_FOR, SLOW)
    assert f"{SIZED_FOR.devices:,} devices" in (DEPLOY / CELERY).read_text(encoding="utf-8")
    assert memory(values(CELERY)["workers"]["celery"]["resources"]) >= needed.worker_bytes
    assert memory(values(KUBERNETES)["workers"]["kubernetes"]["resources"]) >= needed.task_bytes
    assert int(values(CELERY)["config"]["celery"]["worker_concurrency"]) == TASKS_PER_WORKER
    assert values(CELERY)["workers"]["celery"]["replicas"] >= needed.workers


def test_both_executors_are_given_the_same_pipeline():
    """Changing the executor changes neither settings nor secrets nor the other components."""
    own = ("executor", "workers", "redis", "data.resultBackend", "data.broker", "config.celery", "config.kubernetes")
    celery, kubernetes = (
        {path: value for path, value in paths(values(name)).items() if not path.startswith(own)} for name in EXECUTORS
    )
    assert celery == kubernetes
    assert len(celery) > 40


def _documented_commands(name: str) -> list[str]:
    blocks = re.findall(r"```(?:bash)?\n(.*?)```", (DEPLOY / name).read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_pages_name_every_secret_that_the_values_take():
    """Who follows README.md of deploy/ has made all secrets before the chart looks for them."""
    page = "\n".join(_documented_commands("README.md"))
    taken = [
        value
        for name in EXECUTORS
        for path, value in paths(values(name)).items()
        if (path.endswith("SecretName") and "." in path) or path.endswith("KeySecretName") or path == "jwtSecretName"
    ]
    wanted = {*taken, *(entry["secretName"] for name in EXECUTORS for entry in values(name)["secret"])}
    assert len(wanted) > 8
    assert {name for name in wanted if name not in page} == set()


@pytest.mark.parametrize("name", ["README.md", "SIZING.md", "RUNBOOK.md"])
def test_links_of_the_pages_lead_somewhere(name):
    """No page of deploy/ sends its reader to a file that is not there."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("http")]
    assert links
    assert [link for link in links if link and not (DEPLOY / link).exists()] == []


def test_the_run_book_names_dags_params_and_settings_that_exist():
    """What an operator is told to type is what the DAGs and the settings know."""
    text = (DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8")
    dag_ids = set(re.findall(r"airflow dags (?:trigger|unpause|pause|list-runs) (\w+)", text))
    assert {"iru_devices", "iru_apps", "iru_servicenow_preflight", "iru_servicenow_reconcile"} <= dag_ids
    assert [dag for dag in dag_ids if not (ROOT / "dags" / f"{dag}.py").exists()] == []
    settings = set(re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", text))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert settings
    assert [name for name in settings if name not in readme] == []
