"""The hook of an Iru Endpoint tenant."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from airflow.sdk import BaseHook

from include.errors import PipelineError, SetupWrong
from include.iru.client import IruClient, IruSettings
from include.web.address import base_url
from include.web.extras import HTTP_EXTRAS, read_proxies, read_timeout_s, read_verify
from iru_servicenow.hooks.connection import read_connection


class IruHook(BaseHook):
    """Reads a connection (host = API base URL, password = API token, extra = verify, proxies, read_timeout_s)."""

    conn_name_attr = "iru_conn_id"
    default_conn_name = "iru_default"
    conn_type = "iru"
    hook_name = "Iru Endpoint"

    def __init__(self, iru_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.iru_conn_id = iru_conn_id

    @cached_property
    def settings(self) -> IruSettings:
        """The connection, checked without a request; SetupWrong names it and what is wrong."""
        connection, extra = read_connection(self.iru_conn_id)
        _refuse_unknown(self.iru_conn_id, extra)
        token = (connection.password or "").strip()
        if not token:
            raise SetupWrong(f"Connection {self.iru_conn_id!r} has no password: set it to the tenant's API token.")
        address = base_url(connection.host, connection=self.iru_conn_id, scheme=connection.schema, port=connection.port)
        return IruSettings(
            base_url=address.removesuffix("/api/v1"),
            token=token,
            verify=read_verify(self.iru_conn_id, extra, base_url=address),
            proxies=read_proxies(self.iru_conn_id, extra),
            read_timeout_s=read_timeout_s(self.iru_conn_id, extra),
        )

    def get_conn(self) -> IruClient:
        """Return a client for this thread."""
        return IruClient(self.settings)

    def test_connection(self) -> tuple[bool, str]:
        """Read one device, write nothing."""
        try:
            self.get_conn().get("devices", limit=1)
        except PipelineError as error:
            return False, str(error)
        return True, f"Signed in to {self.settings.base_url}."


def _refuse_unknown(connection: str, extra: Mapping[str, Any]) -> None:
    unknown = sorted(set(extra) - HTTP_EXTRAS)
    if unknown:
        known = ", ".join(sorted(HTTP_EXTRAS))
        raise SetupWrong(f"Connection {connection!r} has unknown extras: {', '.join(unknown)}. Known are: {known}.")
