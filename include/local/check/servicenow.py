"""Read the tables that the integration writes, over ServiceNow's Table API.

Pages: https://www.servicenow.com/docs/ (Table API; OAuth 2.0 password grant).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import requests

from include.local.check.http import CheckFailedError, get
from include.local.check.rows import Row

_PAGE = 5000
_COMPUTER = ("sys_id", "serial_number", "name", "os", "os_version", "disk_space", "assigned_to", "discovery_source")
_MDM = ("sys_id", "kandji_device_id", "kandji_blueprint_id", "computer", "discovery_source")
_INSTALL = (
    "sys_id", "instance_key", "name", "display_name", "version", "publisher", "install_location", "installed_on",
    "last_used", "active", "discovery_source",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How to sign in: OAuth's password grant with a client, HTTP Basic without one."""

    username: str
    password: str = field(repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceNowTables:
    """The rows of each table; ``model`` and ``manufacturer`` of computers are display values."""

    computers: Sequence[Row]
    mdm: Sequence[Row]
    installs: Sequence[Row]
    emails: dict[str, str]
    """sys_id of each user by e-mail in lower case."""


def read_tables(url: str, sign_in: SignIn) -> ServiceNowTables:
    """Fetch every table.

    Raises:
        CheckFailedError: sign-in or a request was refused, or a table returned other than the rows it counts.
    """
    with requests.Session() as session:
        session.trust_env = False
        _sign_in(session, url.rstrip("/"), sign_in)
        reader = _Reader(session, f"{url.rstrip('/')}/api/now/table")
        return ServiceNowTables(
            computers=_computers(reader),
            mdm=reader.rows("x_kandj_kandji_mdm", _MDM),
            installs=reader.rows("cmdb_sam_sw_install", _INSTALL, query="discovery_source=Kandji"),
            emails=_emails(reader),
        )


@dataclass(frozen=True, slots=True)
class _Reader:
    session: requests.Session
    api: str

    def rows(self, table: str, fields: Sequence[str], *, query: str = "", display: str = "false") -> list[Row]:
        """Return every row of a table, page by page in a stable order."""
        rows: list[Row] = []
        while True:
            params = {
                "sysparm_fields": ",".join(fields),
                "sysparm_query": f"{query}^ORDERBYsys_id" if query else "ORDERBYsys_id",
                "sysparm_limit": _PAGE,
                "sysparm_offset": len(rows),
                "sysparm_display_value": display,
                "sysparm_exclude_reference_link": "true",
            }
            response = get(self.session, f"{self.api}/{table}", params=params)
            page: list[Row] = response.json()["result"]
            rows += page
            total = int(response.headers.get("X-Total-Count", len(rows)))
            if not page or len(rows) >= total:
                break
        if len(rows) != total:
            raise CheckFailedError(f"{table} counts {total} rows and returned {len(rows)}")
        return rows


def _sign_in(session: requests.Session, url: str, sign_in: SignIn) -> None:
    if not sign_in.client_id:
        session.auth = (sign_in.username, sign_in.password)
        return
    form = {
        "grant_type": "password",
        "client_id": sign_in.client_id,
        "client_secret": sign_in.client_secret,
        "username": sign_in.username,
        "password": sign_in.password,
    }
    response = session.post(f"{url}/oauth_token.do", data=form, timeout=60)
    if not response.ok:
        raise CheckFailedError(f"ServiceNow refused the sign-in with status {response.status_code}")
    session.headers["Authorization"] = f"Bearer {response.json()['access_token']}"


def _computers(reader: _Reader) -> list[Row]:
    """Return the computers; references other than the user are read by what they display."""
    rows = reader.rows("cmdb_ci_computer", _COMPUTER)
    shown = reader.rows("cmdb_ci_computer", ("sys_id", "model", "model_id", "manufacturer"), display="true")
    by_id = {row["sys_id"]: row for row in shown}
    return [row | _references(by_id.get(row["sys_id"], {})) for row in rows]


def _references(shown: Row) -> Row:
    return {
        "model": shown.get("model") or shown.get("model_id") or "",
        "manufacturer": shown.get("manufacturer", ""),
    }


def _emails(reader: _Reader) -> dict[str, str]:
    users = reader.rows("sys_user", ("sys_id", "email"))
    return {row["email"].lower(): row["sys_id"] for row in users if row["email"]}
