"""The comparison as a command: exit status 0 when both sides agree, 1 when they differ, 2 when it cannot be made."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import requests

from include.local.check.compare import compare
from include.local.check.http import CheckFailedError
from include.local.check.iru import read_fleet
from include.local.check.servicenow import SignIn, read_tables


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare both sides and print what differs."""
    options = _parse(arguments)
    sign_in = SignIn(
        username=options.username,
        password=options.password,
        client_id=options.client_id,
        client_secret=options.client_secret,
    )
    try:
        fleet = read_fleet(options.iru_url, options.iru_token)
        findings = compare(fleet, read_tables(options.servicenow_url, sign_in))
    except (CheckFailedError, requests.RequestException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(findings.lines()))
    return 0 if findings.agree else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    iru, servicenow = _connection("IRU_DEFAULT"), _connection("SERVICENOW_DEFAULT")
    extra = servicenow.get("extra") or {}
    parser = argparse.ArgumentParser(
        prog="python -m include.local.check",
        description="Compare ServiceNow's tables with the Iru fleet. What is not given comes from AIRFLOW_CONN_….",
    )
    for name, default in (
        ("--iru-url", iru.get("host")),
        ("--iru-token", iru.get("password")),
        ("--servicenow-url", servicenow.get("host")),
        ("--username", servicenow.get("login")),
        ("--password", servicenow.get("password")),
    ):
        parser.add_argument(name, default=default, required=default is None)
    parser.add_argument("--client-id", default=extra.get("client_id", ""), help="OAuth client; HTTP Basic without")
    parser.add_argument("--client-secret", default=extra.get("client_secret", ""))
    return parser.parse_args(arguments)


def _connection(name: str) -> dict[str, Any]:
    """Return a connection that the environment holds as JSON; nothing where there is none."""
    try:
        found: dict[str, Any] = json.loads(os.environ.get(f"AIRFLOW_CONN_{name}", "{}"))
    except ValueError:
        return {}
    if isinstance(found.get("extra"), str):
        found["extra"] = json.loads(found["extra"])
    return found


if __name__ == "__main__":
    sys.exit(main())
