"""Airflow's own audit log, where people look for who did what."""

import json

from airflow.models.log import Log

EVENT = "iru_servicenow_order"


def entry(*, dag_id: str, user: str, about: dict[str, str | int]) -> Log:
    """Return an entry; ``about`` names no row, because keys are serial numbers."""
    return Log(event=EVENT, dag_id=dag_id, owner=user, owner_display_name=user, extra=json.dumps(about))
