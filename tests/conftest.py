"""One Airflow home for the whole test session, set before anything imports Airflow."""

import os
import tempfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_FOREIGN = ("AIRFLOW", "IRU_SERVICENOW_")

for _name in [name for name in os.environ if name.startswith(_FOREIGN)]:
    del os.environ[_name]  # the tests of a machine must not depend on whose machine it is

os.environ |= {
    "AIRFLOW_HOME": tempfile.mkdtemp(prefix="airflow-tests-"),
    "AIRFLOW__CORE__DAGS_FOLDER": str(_ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(_ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
}
