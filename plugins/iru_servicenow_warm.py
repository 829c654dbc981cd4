"""Import what tasks need once, in the process that forks their workers, instead of in every task anew.

Airflow imports its plugins in the scheduler before the LocalExecutor forks its workers, and in a Celery worker before
it forks its pool; a task that inherits pandas saves about a second.
"""

import iru_servicenow.tasks
from airflow.plugins_manager import AirflowPlugin


class WarmStart(AirflowPlugin):
    """Holds the imported tasks, and gives Airflow nothing else."""

    name = "iru_servicenow_warm"
    imported = iru_servicenow.tasks
