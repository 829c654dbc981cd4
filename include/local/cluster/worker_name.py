"""What a worker calls itself in Airflow, where several of them share one machine."""

import os
import socket

VARIABLE = "CLUSTER_WORKER"


def worker_name() -> str:
    """Return the name of the worker that this process belongs to; Airflow asks through ``hostname_callable``."""
    return os.environ.get(VARIABLE) or socket.gethostname()
