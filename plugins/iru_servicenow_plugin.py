"""What Airflow loads at its start: the sync page, the pages of runs, and the tasks' modules, once for all tasks.

Airflow imports its plugins in the scheduler before the LocalExecutor forks its workers, and in a Celery worker before
it forks its pool; a task that inherits pandas saves about a second.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import iru_servicenow.tasks
from airflow.listeners import hookimpl
from airflow.sdk.plugins_manager import AirflowPlugin

_Message = MutableMapping[str, Any]


class Pages:
    """The app of all pages, made at its first request: workers and schedulers never need it."""

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


class MakePools:
    """Makes the pools when one of Airflow's components starts that have its database."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Make missing pools before a task is scheduled."""
        if type(component).__name__ == "Job":  # in a task it is a marker of the task runner
            from iru_servicenow.pools import make_pools

            make_pools()


class IruServiceNowPlugin(AirflowPlugin):
    """Serves the sync page and what runs leave for people, under ``/iru-servicenow``; makes the pools of the tasks."""

    name = "iru_servicenow"
    fastapi_apps = [  # noqa: RUF012 - Airflow's own declaration, which is no ClassVar
        {"app": Pages(), "url_prefix": "/iru-servicenow", "name": "Iru to ServiceNow: sync page and pages of runs"}
    ]
    external_views = [  # noqa: RUF012 - as above
        {
            "name": "Iru → ServiceNow",
            "href": "iru-servicenow/page/",  # without a slash before: Airflow may live below a path
            "url_route": "iru-servicenow",
            "destination": "nav",
            "icon": "iru-servicenow/page/icon.svg",
            "icon_dark_mode": "iru-servicenow/page/icon-dark.svg",
        }
    ]
    listeners = [MakePools()]  # noqa: RUF012 - as above
    imported = iru_servicenow.tasks
