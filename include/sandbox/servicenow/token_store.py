"""Access and refresh tokens that the instance gave out."""

import secrets
from dataclasses import dataclass

from include.sandbox.servicenow.instance import Instance

_TABLE = """CREATE TABLE IF NOT EXISTS sandbox_tokens (
    token TEXT PRIMARY KEY, kind TEXT, client TEXT, user TEXT, expires_s REAL)"""


@dataclass(frozen=True, slots=True)
class Token:
    """One token; ``expires_s`` is a POSIX timestamp of the sandbox's clock."""

    token: str
    user: str
    expires_s: float


def create_token_table(instance: Instance) -> None:
    """Create the table that tokens are kept in."""
    with instance.database.transaction() as connection:
        connection.execute(_TABLE)


def current_token(instance: Instance, kind: str, client: str, user: str, *, life_s: float) -> Token:
    """Return the unexpired token of a client and user, a new one where there is none.

    Source: ServiceNow, "OAuth API response parameters": requests within the life of the access token always return
    the current one.
    """
    now_s = instance.clock.now().timestamp()
    with instance.database.transaction() as connection:
        row = connection.execute(
            "SELECT token, user, expires_s FROM sandbox_tokens WHERE kind = ? AND client = ? AND user = ?"
            " AND expires_s >= ? ORDER BY expires_s DESC",
            (kind, client, user, now_s + 1),
        ).fetchone()
        if row:
            return Token(**dict(row))
        made = Token(secrets.token_hex(43), user, now_s + life_s)
        connection.execute(
            "INSERT INTO sandbox_tokens VALUES (?, ?, ?, ?, ?)", (made.token, kind, client, user, made.expires_s)
        )
    return made


def find_token(instance: Instance, kind: str, token: str) -> Token | None:
    """Return an unexpired token of a kind."""
    rows = instance.database.rows(
        "SELECT token, user, expires_s FROM sandbox_tokens WHERE kind = ? AND token = ? AND expires_s > ?",
        (kind, token, instance.clock.now().timestamp()),
    )
    return Token(**dict(rows[0])) if rows else None


def user_of_token(instance: Instance, token: str) -> str | None:
    """Return the user that an access token speaks for."""
    found = find_token(instance, "access", token)
    return found.user if found else None


def revoke_token(instance: Instance, token: str) -> None:
    """Let a token expire; one that is not known is no error."""
    now_s = instance.clock.now().timestamp()
    with instance.database.transaction() as connection:
        connection.execute("UPDATE sandbox_tokens SET expires_s = ? WHERE token = ?", (now_s, token))
