"""What Airflow's provider manager reads of this package (entry point ``apache_airflow_provider``)."""

from typing import Any

from iru_servicenow import __version__
from iru_servicenow.connection_fields import HTTP_FIELDS, SERVICENOW_FIELDS

_HIDDEN = ["schema", "port", "extra"]


def get_provider_info() -> dict[str, Any]:
    """Describe the connection types, so that Airflow's connection form knows them."""
    return {
        "package-name": "iru-servicenow",
        "name": "Iru to ServiceNow",
        "description": "Apple device and application inventory from Iru Endpoint into ServiceNow.",
        "versions": [__version__],
        "connection-types": [
            {
                "connection-type": "iru",
                "hook-name": "Iru Endpoint",
                "hook-class-name": "iru_servicenow.hooks.iru.IruHook",
                "ui-field-behaviour": {
                    "hidden-fields": [*_HIDDEN, "login"],
                    "relabeling": {"host": "API base URL", "password": "API token"},
                    "placeholders": {
                        "host": "https://yourtenant.api.iru.com",
                        "password": "of Access > API tokens in Iru",
                    },
                },
                "conn-fields": HTTP_FIELDS,
            },
            {
                "connection-type": "servicenow",
                "hook-name": "ServiceNow",
                "hook-class-name": "iru_servicenow.hooks.servicenow.ServiceNowHook",
                "ui-field-behaviour": {
                    "hidden-fields": _HIDDEN,
                    "relabeling": {"host": "Instance URL", "login": "Service account"},
                    "placeholders": {
                        "host": "https://yourinstance.service-now.com",
                        "login": "svc.iru",
                        "password": "of the service account; empty for client credentials",
                    },
                },
                "conn-fields": SERVICENOW_FIELDS | HTTP_FIELDS,
            },
        ],
    }
