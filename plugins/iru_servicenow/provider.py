"""What Airflow's provider manager reads of this package (entry point ``apache_airflow_provider``)."""

from typing import Any

from iru_servicenow import __version__


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
                    "hidden-fields": ["schema", "port", "login"],
                    "relabeling": {"host": "API base URL", "password": "API token"},
                    "placeholders": {"host": "https://yourtenant.api.iru.com"},
                },
            },
            {
                "connection-type": "servicenow",
                "hook-name": "ServiceNow",
                "hook-class-name": "iru_servicenow.hooks.servicenow.ServiceNowHook",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port"],
                    "relabeling": {"host": "Instance URL", "login": "Service account"},
                    "placeholders": {"host": "https://yourinstance.service-now.com"},
                },
                "conn-fields": {
                    "grant_type": {
                        "label": "OAuth grant",
                        "schema": {
                            "type": ["string", "null"],
                            "enum": ["password", "client_credentials", "refresh_token"],
                            "default": "password",
                        },
                    },
                    "client_id": {"label": "Client ID", "schema": {"type": ["string", "null"]}},
                    "client_secret": {
                        "label": "Client secret",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "column_keys": {
                        "label": "insertMultiple keys",
                        "schema": {"type": ["string", "null"], "enum": ["label", "name"], "default": "label"},
                    },
                },
            },
        ],
    }
