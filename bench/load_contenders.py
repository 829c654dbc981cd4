"""Ways to bring rows into ServiceNow, each against the same fresh instance; each returns the seconds that it took."""

import gc
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from json import dumps
from pathlib import Path
from typing import Any

import requests

from bench.load_pysnow_home import pysnow_python
from bench.load_rows import KEY, STAGING, TARGET, Row, frame_of, target_record
from bench.load_stage import SLOTS, Access
from include.loading.load import load_frame
from include.loading.spec import LoadSpec
from include.servicenow.client import ServiceNowClient
from include.storage import write_frame
from include.web.retry import RetryPolicy

CHUNK_ROWS = 500
BATCH_ROWS = 100


def ours(access: Access, rows: Sequence[Row], *, retry: Mapping[str, Any], quota_s: float) -> tuple[float, int]:
    """Load a frame as the pipeline does, from the Parquet file to the last verdict; return the requests too.

    ``quota_s`` is for how long the instance may be at work on a request whose answer was lost.
    """
    spec = LoadSpec(
        table=STAGING, key_columns=(KEY,), chunk_rows=CHUNK_ROWS, concurrency=SLOTS, lost_answer_wait_s=quota_s
    )
    with tempfile.TemporaryDirectory(prefix="iru-load-") as folder:
        path = Path(folder) / "to_send.parquet"
        write_frame(path, frame_of(rows))
        gc.collect()
        gc.freeze()  # as Airflow does before it forks a worker
        since_s = time.perf_counter()
        result = load_frame(ServiceNowClient(access.settings, retry=RetryPolicy(**retry)), spec, path)
        took_s = time.perf_counter() - since_s
        gc.unfreeze()
    if result.outcomes["processed"] != len(rows):
        raise RuntimeError(f"{len(rows)} rows were loaded, and the verdicts are {result.outcomes}")
    return took_s, result.requests


def row_by_row(access: Access, rows: Sequence[Row]) -> float:
    """Post each row to the Import Set API, as a plain script with one session does."""
    with requests.Session() as session:
        session.auth, session.headers["Accept"] = access.basic, "application/json"
        since_s = time.perf_counter()
        for row in rows:
            answer = session.post(f"{access.url}/api/now/import/{STAGING}", json=row, timeout=60)
            answer.raise_for_status()
        return time.perf_counter() - since_s


def pysnc_batch(access: Access, rows: Sequence[Row]) -> float:
    """Write the target table with PySNC's batch API; it is told the computers' sys_ids beforehand."""
    from pysnc import ServiceNowClient as PySnc  # a tool of this comparison alone
    from pysnc.auth import ServiceNowPasswordGrantFlow

    records = [target_record(row, computers) for computers in [access.computers()] for row in rows]
    failed: list[Any] = []
    account = (access.username, access.password, access.client_id, access.client_secret)
    since_s = time.perf_counter()
    os.environ["REQUESTS_CA_BUNDLE"] = access.ca  # PySNC's batch API does not pass its own ``verify`` on
    client: Any = PySnc(access.url, ServiceNowPasswordGrantFlow(*account))

    def judge(answer: Any) -> None:
        if answer is None or answer.status_code != 201:
            failed.append(answer)

    for first in range(0, len(records), BATCH_ROWS):
        for record in records[first : first + BATCH_ROWS]:
            glide = client.GlideRecord(TARGET)
            glide.initialize()
            for name, value in record.items():
                glide.set_value(name, value)
            client.batch_api.post(glide, judge)
        client.batch_api.execute()
    took_s = time.perf_counter() - since_s
    del os.environ["REQUESTS_CA_BUNDLE"]
    client.session.close()
    if failed:
        raise RuntimeError(f"PySNC's batch left {len(failed)} of {len(rows)} rows")
    return took_s


def pysnow_row_by_row(access: Access, rows: Sequence[Row]) -> float:
    """Create each row with pysnow, which needs a Python environment of its own."""
    asked = {"host": access.url.removeprefix("http://"), "account": access.basic, "table": STAGING, "rows": rows}
    done = subprocess.run(  # noqa: S603 - our own script
        [pysnow_python(), Path(__file__).with_name("load_pysnow.py")],
        input=dumps(asked), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)
