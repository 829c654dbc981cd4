"""A notifier for tests: one line in a file for each time it is called."""

from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier


class FileNotifier(BaseNotifier):
    """Appends which run it was told about, and whether that failed or is late."""

    def __init__(self, *, path: str) -> None:
        super().__init__()
        self.path = path

    def notify(self, context: Any) -> None:
        """Write the line; a deadline's context has the run as JSON, a failure's as an object."""
        run = context["dag_run"]
        late = "deadline" in context
        run_id = run["dag_run_id"] if isinstance(run, dict) else run.run_id
        with Path(self.path).open("a") as file:
            file.write(f"{'late' if late else 'failed'} {run_id}\n")
