"""What Airflow loads at its start: the pages of runs, and the tasks' modules, once for all tasks.

Airflow imports its plugins in the scheduler before the LocalExecutor forks its workers, and in a Celery worker before
it forks its pool; a task that inherits pandas saves about a second.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import iru_servicenow.tasks
from airflow.sdk.plugins_manager import AirflowPlugin

_Message = MutableMapping[str, Any]


class Pages:
    """The app of the runs' pages, made at its first request: workers and schedulers never need it."""

    def __init__(self) -> None:
        self._app: Callable[..., Awaitable[None]] | None = None

    async def __call__(
        self, scope: _Message, receive: Callable[[], Awaitable[_Message]], send: Callable[[_Message], Awaitable[None]]
    ) -> None:
        """Serve one request (ASGI)."""
        if self._app is None:
            from iru_servicenow.pages import make_app

            self._app = make_app()
        await self._app(scope, receive, send)


class IruServiceNowPlugin(AirflowPlugin):
    """Serves what runs leave for people, under ``/iru-servicenow``."""

    name = "iru_servicenow"
    fastapi_apps = [  # noqa: RUF012 - Airflow's own declaration, which is no ClassVar
        {"app": Pages(), "url_prefix": "/iru-servicenow", "name": "Iru to ServiceNow: pages of runs"}
    ]
    imported = iru_servicenow.tasks
