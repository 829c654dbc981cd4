"""A server of Amazon's S3 API on 127.0.0.1 (moto's), for as long as a ``with`` block lasts."""

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from upath import UPath

from include.local.airflow import free_port
from include.local.cluster.waiting import answers, running_server
from include.local.environment import python_environment

BUCKET = "iru-servicenow"
CONN_ID = "aws_default"
_REGION = "us-east-1"
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """Where the server listens, and the key that signs requests to it."""

    url: str
    key: str
    secret: str = field(repr=False)

    @property
    def storage(self) -> str:
        """The storage root as the pipeline takes it: a bucket, through Airflow's connection."""
        return f"s3://{CONN_ID}@{BUCKET}/pipeline"

    @property
    def root(self) -> UPath:
        """The storage root as this process reads it, always afresh."""
        return UPath(
            f"s3://{BUCKET}/pipeline",
            key=self.key,
            secret=self.secret,
            endpoint_url=self.url,
            use_listings_cache=False,
        )

    def connection(self) -> dict[str, str]:
        """Return the variable with Airflow's connection."""
        extra = {"endpoint_url": self.url, "region_name": _REGION}
        connection = {"conn_type": "aws", "login": self.key, "password": self.secret, "extra": extra}
        return {f"AIRFLOW_CONN_{CONN_ID.upper()}": json.dumps(connection)}


@contextmanager
def running_object_store(*, log_path: Path) -> Iterator[ObjectStore]:
    """Run the server with an empty bucket."""
    port = free_port()
    store = ObjectStore(f"http://127.0.0.1:{port}", secrets.token_hex(10), secrets.token_hex(20))
    with running_server(
        "The S3 server",
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        environment=python_environment(),
        log_path=log_path,
        is_ready=lambda: answers(port),
    ):
        with requests.Session() as session:
            session.trust_env = False
            session.put(f"{store.url}/{BUCKET}", timeout=_TIMEOUT_S).raise_for_status()
        yield store
