"""Rules of the house that no other tool checks: who may import whom, and how big things may be."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIPELINE = (
    "errors",
    "privacy",
    "texts",
    "memory",
    "storage",
    "web",
    "iru",
    "servicenow",
    "loading",
    "inventory",
    "detection",
    "preflight",
    "reconcile",
    "insight",
    "sizing",
)
FILES = sorted(path for folder in ("include", "plugins", "dags") for path in (ROOT / folder).rglob("*.py"))
PIPELINE_FILES = [
    path for name in PIPELINE for path in [ROOT / "include" / f"{name}.py", *(ROOT / "include" / name).rglob("*.py")]
    if path.exists()
]  # fmt: skip
EDGES = [path for path in FILES if path.parts[len(ROOT.parts)] in ("plugins", "dags")]

HOMES = {
    "triggers": "airflow.triggers.base",
    "pages": "airflow.api_fastapi.core_api.security",
    "sync_files": "airflow.api_fastapi.core_api.security",
    "sync_api": "airflow.api_fastapi",
    "audit_log": "airflow.models.log",
    "pools": "airflow.models.pool",
    "iru_servicenow_plugin": "airflow.listeners",
    "lineage": "airflow.providers",
}
"""By folder or file, what is used of Airflow beside airflow.sdk, because it is nowhere else."""

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Yield the absolute names of all modules that a file imports, wherever in it."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)} imports relatively; that hides where a name comes from"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def under(module: str, *packages: str) -> bool:
    """Say whether a module is one of some packages or lies in it."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_the_rules_look_at_real_files():
    """The checks below are not passed by looking at nothing."""
    assert len(PIPELINE_FILES) > 30
    assert {path.name for path in EDGES} >= {"iru_devices.py", "iru_apps.py", "import_set.py"}
    assert "airflow.sdk.dag" in set(imports(ROOT / "dags/iru_devices.py"))
    assert under("airflow.sdk", "airflow")
    assert not under("airflowish", "airflow")


@pytest.mark.parametrize("path", PIPELINE_FILES, ids=_name)
def test_the_pipeline_runs_without_airflow_and_without_the_sandbox(path):
    """The core can be used and tested anywhere, and depends on nothing that only our sandbox does."""
    forbidden = ("airflow", "iru_servicenow", "include.sandbox", "include.local")
    assert [module for module in imports(path) if under(module, *forbidden)] == []


def test_sizing_is_arithmetic_alone():
    """What a fleet costs is computed without the pipeline, so that it can judge it."""
    files = [path for path in PIPELINE_FILES if "sizing" in path.parts]
    ours = {module for path in files for module in imports(path) if under(module, "include")}
    assert len(files) > 4
    assert {module for module in ours if not under(module, "include.sizing")} == set()


@pytest.mark.parametrize("path", EDGES, ids=_name)
def test_airflows_edges_know_nothing_of_the_sandbox(path):
    """What runs at a customer's does not import what only imitates his services."""
    assert [module for module in imports(path) if under(module, "include.sandbox", "include.local")] == []


@pytest.mark.parametrize("part", ["sandbox", "local"])
def test_the_sandbox_and_the_judge_share_no_code_with_the_pipeline(part):
    """The imitated services and the check of the demo cannot repeat the pipeline's mistakes."""
    forbidden = (*(f"include.{name}" for name in PIPELINE), "iru_servicenow")
    files = [path for path in FILES if path.is_relative_to(ROOT / "include" / part)]
    found = [(_name(path), module) for path in files for module in imports(path) if under(module, *forbidden)]
    assert found == []


def test_the_sandbox_runs_without_airflow():
    """The sandbox is of use to somebody who has no Airflow."""
    files = [path for path in FILES if path.is_relative_to(ROOT / "include" / "sandbox")]
    assert [_name(path) for path in files if any(under(module, "airflow") for module in imports(path))] == []


@pytest.mark.parametrize("path", EDGES, ids=_name)
def test_airflow_is_used_through_its_public_interface(path):
    """DAG files, hooks and operators import from airflow.sdk only; the rest of Airflow may change any day.

    What has no public home there has one in ``HOMES``.
    """
    allowed = ("airflow.sdk", HOMES.get(path.parent.name, "airflow.sdk"), HOMES.get(path.stem, "airflow.sdk"))
    assert [module for module in imports(path) if under(module, "airflow") and not under(module, *allowed)] == []


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_files_and_functions_stay_small(path):
    """A file fits into one's head and a function onto a screen."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_FILE_LINES
    functions = [n for n in ast.walk(_tree(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_functions_take_few_positional_arguments(path):
    """More than five positional arguments cannot be told apart at the call; options are named."""
    many = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
            if len([name for name in names if name not in ("self", "cls")]) > 5:
                many.append(node.name)
    assert many == []


TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("path", TESTS, ids=_name)
def test_every_test_says_which_promise_it_protects(path):
    """Each test has a docstring of one sentence."""
    functions = [n for n in ast.walk(_tree(path)) if isinstance(n, ast.FunctionDef)]
    assert [n.name for n in functions if n.name.startswith("test_") and not ast.get_docstring(n)] == []
