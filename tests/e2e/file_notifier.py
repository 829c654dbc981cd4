"""A notifier for tests: one line in a file for each time it is called."""

from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier


class FileNotifier(BaseNotifier):
    """Appends which DAG and run it was told about."""

    def __init__(self, *, path: str) -> None:
        super().__init__()
        self.path = path

    def notify(self, context: Any) -> None:
        """Write the line."""
        run = context["dag_run"]
        with Path(self.path).open("a") as file:
            file.write(f"{run.dag_id} {run.run_id}\n")
