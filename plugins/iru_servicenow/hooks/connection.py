"""Read an Airflow connection, with one clear message when it is missing or cannot be read."""

import json
from typing import Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from include.errors import SetupWrong


def read_connection(conn_id: str) -> tuple[Connection, dict[str, Any]]:
    """Return a connection and its extra; SetupWrong names the connection and never shows what is in it.

    Extras that are null, empty or {} are left out: that is how Airflow's form stores a field that nobody filled in.
    """
    try:
        connection: Connection = BaseHook.get_connection(conn_id)
    except (AirflowNotFoundException, ValueError) as error:
        raise SetupWrong(
            f"Connection {conn_id!r} is not defined, or what defines it cannot be read. Add it under "
            f"Admin > Connections, or set AIRFLOW_CONN_{conn_id.upper()} to JSON such as "
            '{"conn_type": "…", "host": "https://…", "password": "…"}.'
        ) from (None if isinstance(error, ValueError) else error)
    return connection, _extra(conn_id, connection.extra)


def _extra(conn_id: str, text: str | None) -> dict[str, Any]:
    try:
        extra = json.loads(text) if text else {}
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise SetupWrong(f"The extra of connection {conn_id!r} is not a JSON object.")
    return {name: value for name, value in extra.items() if value not in (None, "", {})}
