"""The environment in which this project's Airflow runs on one machine."""

import os
import sys
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]
STORAGE = "iru_servicenow"
_SETTINGS = ("AIRFLOW_", "IRU_SERVICENOW_")


def airflow_home() -> Path:
    """Return ``AIRFLOW_HOME`` of the environment, or ``.airflow`` in the checkout."""
    return Path(os.environ.get("AIRFLOW_HOME") or PROJECT_ROOT / ".airflow").absolute()


def storage_root(home: Path) -> str:
    """Return where the runs keep their files: ``IRU_SERVICENOW_STORAGE``, or a folder in ``home``."""
    return os.environ.get("IRU_SERVICENOW_STORAGE") or str(home / STORAGE)


def airflow_defaults(home: Path) -> dict[str, str]:
    """Return the settings that this project needs and that the caller's environment may override.

    SQLite as Airflow's own database locks up with the default of 32 parallel tasks, so it gets 4. A new DAG
    file would appear only after 300 s by default.
    """
    defaults = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "IRU_SERVICENOW_STORAGE": storage_root(home),
    }
    if "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in os.environ:
        defaults["AIRFLOW__CORE__PARALLELISM"] = "4"
    return defaults


def python_environment() -> dict[str, str]:
    """Return a copy of the environment in which our modules import and the venv's commands are found.

    ``PYTHONDONTWRITEBYTECODE`` is dropped: with it every Airflow process compiles hundreds of modules again.
    """
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPATH"] = str(PROJECT_ROOT)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    return environment


def airflow_environment(home: Path) -> dict[str, str]:
    """Return the whole environment of an Airflow process: ours where the caller's sets nothing else."""
    return airflow_defaults(home) | python_environment()


def isolated_environment(home: Path) -> dict[str, str]:
    """Return the environment of an Airflow that takes no setting, connection or storage from the caller's."""
    base = {name: value for name, value in python_environment().items() if not name.startswith(_SETTINGS)}
    defaults = airflow_defaults(home) | {"IRU_SERVICENOW_STORAGE": str(home / STORAGE)}
    return defaults | {"AIRFLOW__CORE__PARALLELISM": "4"} | base
