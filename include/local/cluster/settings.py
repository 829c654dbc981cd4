"""The settings that turn the demo's Airflow into one of several machines."""

import base64
import secrets

from include.local.cluster.object_store import ObjectStore
from include.local.cluster.postgres import Postgres
from include.local.cluster.worker_name import worker_name

PARTITIONS = 4

_CELERY = "AIRFLOW__CELERY__"
_RECOVERY = {
    # A task of which nobody has heard for 20 s is given up and tried again; by default after 5 minutes.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # A task that a worker took from the queue and did not begin is queued again; by default after 10 minutes.
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "2",
    # Redis hands a task out again that nobody has finished after so long: later than any task may take.
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "10800",
    "IRU_SERVICENOW_RETRY_DELAY_S": "2",
}


def cluster_environment(postgres: Postgres, broker: str, store: ObjectStore) -> dict[str, str]:
    """Return what every process of the cluster is told; nothing of it lies in a folder of this machine."""
    airflow = postgres.create("airflow")
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__PARALLELISM": "16",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": f"{worker_name.__module__}.{worker_name.__name__}",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(32),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow,
        f"{_CELERY}BROKER_URL": broker,
        f"{_CELERY}RESULT_BACKEND": f"db+{airflow}",
        f"{_CELERY}WORKER_CONCURRENCY": "2",
        "IRU_SERVICENOW_LEDGER": postgres.create("ledger"),
        "IRU_SERVICENOW_STORAGE": store.storage,
        "IRU_SERVICENOW_PARTITIONS": str(PARTITIONS),
        **store.connection(),
        **_RECOVERY,
    }
