"""The hook of a ServiceNow instance."""

from functools import cached_property

from airflow.sdk import BaseHook

from include.errors import PipelineError
from include.servicenow.client import ServiceNowClient
from include.servicenow.settings import ServiceNowSettings, read_settings
from include.servicenow.table_api import Sight, look_at
from iru_servicenow.hooks.connection import read_connection


class ServiceNowHook(BaseHook):
    """Reads a connection and gives a client of the instance.

    host = instance URL, login and password = service account, extra = client_id, client_secret, grant_type
    (password, client_credentials or refresh_token), column_keys (label or name).
    """

    conn_name_attr = "servicenow_conn_id"
    default_conn_name = "servicenow_default"
    conn_type = "servicenow"
    hook_name = "ServiceNow"

    def __init__(self, servicenow_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.servicenow_conn_id = servicenow_conn_id

    @cached_property
    def settings(self) -> ServiceNowSettings:
        """The connection, checked without a request; SetupWrong names it and what is wrong."""
        connection, extra = read_connection(self.servicenow_conn_id)
        return read_settings(
            self.servicenow_conn_id,
            host=connection.host,
            port=connection.port,
            login=connection.login,
            password=connection.password,
            scheme=connection.schema,
            extra=extra,
        )

    def get_conn(self) -> ServiceNowClient:
        """Return a client, which threads may share."""
        return ServiceNowClient(self.settings)

    def test_connection(self) -> tuple[bool, str]:
        """Sign in and read one import set, write nothing."""
        try:
            client = self.get_conn()
            client.check_sign_in()
            if look_at(client, "sys_import_set") is Sight.DENIED:
                return (
                    True,
                    "Signed in, but the account may not read import sets; it needs the role import_transformer.",
                )
        except PipelineError as error:
            return False, str(error)
        return True, f"Signed in to {self.settings.base_url}."
