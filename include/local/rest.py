"""The few calls of Airflow's REST API (v2) that a local run needs."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests

_HOUSEKEEPERS = ("task", "py.warnings", "airflow.dag_processing")
FINISHED_RUN_STATES = frozenset({"success", "failed"})


class AirflowApiError(RuntimeError):
    """Airflow's API answered with an error, or a DAG did not appear; the message says which."""


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """One task of one run, as the API shows it."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    duration_s: float | None
    hostname: str = ""

    @property
    def label(self) -> str:
        """Name the task, with its map index where it is mapped."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


class AirflowClient:
    """A signed-in client of one Airflow's REST API."""

    def __init__(self, url: str, *, username: str, password: str, timeout_s: float = 30.0) -> None:
        self.url = url
        self._credentials = {"username": username, "password": password}
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment must not see loopback requests

    def close(self) -> None:
        """Close the HTTP session."""
        self._session.close()

    def health(self) -> dict[str, str | None]:
        """Return the state of each component; an unreachable server gives an empty answer."""
        try:
            response = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=self._timeout_s)
            components: Mapping[str, Mapping[str, str | None]] = response.json()
        except (requests.RequestException, ValueError):
            return {}
        return {name: component.get("status") for name, component in components.items()}

    def sign_in(self) -> None:
        """Fetch a token and send it from now on."""
        response = self._session.post(f"{self.url}/auth/token", json=self._credentials, timeout=self._timeout_s)
        if response.status_code != requests.codes.created:
            raise AirflowApiError(f"Airflow refused the sign-in with status {response.status_code}")
        self._session.headers["Authorization"] = f"Bearer {response.json()['access_token']}"

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Send one request to ``/api/v2`` + ``path`` and return the JSON of its answer."""
        response = self._session.request(method, f"{self.url}/api/v2{path}", timeout=self._timeout_s, **options)
        if not response.ok:
            raise AirflowApiError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json() if response.content else None

    def import_errors(self) -> dict[str, str]:
        """Return the DAG files that do not import, with the reason."""
        errors = self.call("GET", "/importErrors")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in errors}

    def unpause(self, dag_id: str, *, within_s: float = 90.0) -> None:
        """Wait until Airflow has parsed ``dag_id``, then let it run.

        Raises:
            AirflowApiError: it did not appear in time; names the DAG files that failed to import.
        """
        deadline = time.monotonic() + within_s
        while not self._try_unpause(dag_id):
            errors = self.import_errors()
            if errors or time.monotonic() > deadline:
                raise AirflowApiError(_missing_dag(dag_id, errors))
            time.sleep(0.5)

    def _try_unpause(self, dag_id: str) -> bool:
        response = self._session.patch(
            f"{self.url}/api/v2/dags/{dag_id}",
            params={"update_mask": "is_paused"},
            json={"is_paused": False},
            timeout=self._timeout_s,
        )
        return response.ok

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, *, run_id: str | None = None) -> str:
        """Start a run with ``conf`` as its params and return its run id, which Airflow makes unless it is given."""
        body: dict[str, Any] = {"logical_date": None, "conf": dict(conf or {})}
        if run_id:
            body["dag_run_id"] = run_id
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return ``queued``, ``running``, ``success`` or ``failed``."""
        return str(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """Return the run's tasks, in the order in which they started; those that did not start come last."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found = self.call("GET", path, params={"limit": 100})["task_instances"]
        found.sort(key=lambda task: (task["start_date"] is None, task["start_date"] or ""))
        return [_task_instance(task) for task in found]

    def tries(self, dag_id: str, run_id: str, task: TaskInstance) -> list[TaskInstance]:
        """Return every try of a task, the first one first."""
        mapped = "" if task.map_index < 0 else f"/{task.map_index}"
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}{mapped}/tries"
        return [_task_instance(each) for each in self.call("GET", path)["task_instances"]]

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", *, map_index: int = -1) -> Any:
        """Return one value that a task pushed."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.call("GET", path, params={"deserialize": "true", "map_index": map_index})["value"]

    def task_log(self, dag_id: str, run_id: str, task: TaskInstance) -> str:
        """Return the text of a task's last try, one line an event, without Airflow's own housekeeping."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{max(task.try_number, 1)}"
        content = self.call("GET", path, params={"map_index": task.map_index})["content"]
        return "\n".join(_log_line(event) for event in content if not _is_housekeeping(event))

    def watch(
        self, dag_id: str, run_id: str, *, every_s: float = 0.5, check: Callable[[], None] = lambda: None
    ) -> Iterator[list[TaskInstance]]:
        """Yield the run's tasks again and again until the run has ended; ``check`` runs before each look."""
        while True:
            check()
            state = self.run_state(dag_id, run_id)
            yield self.task_instances(dag_id, run_id)
            if state in FINISHED_RUN_STATES:
                return
            time.sleep(every_s)


def _task_instance(told: Mapping[str, Any]) -> TaskInstance:
    return TaskInstance(
        task_id=told["task_id"],
        map_index=told["map_index"],
        state=told["state"],
        try_number=told["try_number"],
        duration_s=told["duration"],
        hostname=told["hostname"] or "",
    )


def _missing_dag(dag_id: str, errors: Mapping[str, str]) -> str:
    if not errors:
        return f"Airflow does not know a DAG {dag_id!r}"
    reasons = "; ".join(f"{name}: {trace.strip().splitlines()[-1]}" for name, trace in errors.items())
    return f"Airflow cannot load {dag_id!r}, these DAG files do not import: {reasons}"


def _is_housekeeping(event: Any) -> bool:
    if not isinstance(event, dict) or str(event.get("event", "")).startswith("::"):
        return True
    return event.get("level") != "error" and str(event.get("logger", "")).startswith(_HOUSEKEEPERS)


def _log_line(event: Any) -> str:
    if not isinstance(event, dict):
        return str(event)
    detail = "".join(
        f"\n  {error.get('exc_type')}: {error.get('exc_value')}" for error in event.get("error_detail") or []
    )
    return f"{event.get('level', ''):8} {event.get('event', '')}{detail}"
