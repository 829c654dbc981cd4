"""The sync page's API by itself on a port of 127.0.0.1, for the bench: everything is real but who is calling.

``python -m bench.page_server PORT``; the installation is in the environment.
"""

import sys

import uvicorn
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user
from airflow.utils.db import initdb
from iru_servicenow.sync_api import access
from iru_servicenow.sync_api.app import make_api


def main() -> None:
    """Serve until the process is ended; whoever calls may do everything."""
    initdb()  # orders are noted in Airflow's audit log
    access.requires_access_dag = lambda *_: lambda *_: None  # type: ignore[assignment]  # the bench measures no logins
    app = make_api()
    app.dependency_overrides[get_user] = lambda: SimpleAuthManagerUser(username="bench", role="ADMIN")
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
