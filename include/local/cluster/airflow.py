"""Airflow with two Celery workers, one of which can be killed and started again."""

import time
from collections.abc import Mapping
from typing import Self

from include.local import processes
from include.local.airflow import COMPONENTS, AirflowFailedError, LocalAirflow
from include.local.cluster.worker_name import VARIABLE

WORKERS = ("worker-1", "worker-2")
_READY = " ready."
_READY_WITHIN_S = 120.0


class ClusterAirflow(LocalAirflow):
    """``LocalAirflow`` whose tasks run in two Celery workers, processes that share nothing but servers."""

    def __enter__(self) -> Self:
        """Start every component and both workers, and wait until all of them are ready."""
        super().__enter__()
        try:
            for name in WORKERS:
                self._wait_for_worker(name, turn=1)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    @property
    def components(self) -> Mapping[str, tuple[str, ...]]:
        """The processes of one machine, and the workers."""
        return COMPONENTS | {name: self._worker(name) for name in WORKERS}

    def _worker(self, name: str) -> tuple[str, ...]:
        pid_file = str(self.home / f"{name}.pid")
        return ("celery", "worker", "--celery-hostname", name, "--skip-serve-logs", "--pid", pid_file)

    @property
    def workers(self) -> list[str]:
        """The workers that are alive."""
        return [name for name in WORKERS if name in self._children]

    def kill_worker(self, name: str) -> int:
        """Kill a worker with all its tasks' processes, and return the number that its process had."""
        child = self._children.pop(name)
        processes.kill(child)
        return child.pid

    def start_worker_again(self, name: str) -> None:
        """Start a worker that was killed, as whatever watches over workers would, and wait until it is ready."""
        turn = self._times_ready(name) + 1
        self._children[name] = self._start(name, self.components[name], again=True)
        self._wait_for_worker(name, turn=turn)

    def _environment(self, component: str) -> dict[str, str]:
        """Return the environment of a component's process; a worker's has its name."""
        name = {VARIABLE: component} if component in WORKERS else {}
        return super()._environment(component) | name

    def _wait_for_worker(self, name: str, *, turn: int) -> None:
        deadline = time.monotonic() + _READY_WITHIN_S
        while self._times_ready(name) < turn:
            self.check()
            if time.monotonic() > deadline:
                raise AirflowFailedError(self._failure(f"{name} is not ready", name))
            time.sleep(0.3)

    def _times_ready(self, name: str) -> int:
        """Return how often the worker has told its log that it takes tasks."""
        return self._log_path(name).read_text(errors="replace").count(f"{name}{_READY}")
