"""Parts of the stored fleet back in the generator's form."""

import sqlite3

from include.sandbox.fleet import AppTitle, Blueprint, Tag, User
from include.sandbox.fleet.enrolment import Surroundings
from include.sandbox.iru.spelling import read_time
from include.sandbox.iru.tenant import Tenant


def read_surroundings(tenant: Tenant) -> Surroundings:
    """Return what a new device can belong to."""
    users = tenant.database.rows("SELECT * FROM users WHERE archived = 0 ORDER BY number")
    blueprints = tenant.database.rows("SELECT id, name, type FROM blueprints ORDER BY seq")
    tags = tenant.database.rows("SELECT id, name FROM tags ORDER BY seq")
    return Surroundings(
        users=tuple(map(_user, users)),
        blueprints=tuple(Blueprint(id=row["id"], name=row["name"], type=row["type"]) for row in blueprints),
        tags=tuple(Tag(id=row["id"], name=row["name"]) for row in tags),
    )


def read_titles(tenant: Tenant, *, on_mac: bool) -> list[AppTitle]:
    """Return the titles that a device can install; those of Macs have a path."""
    condition = "path <> ''" if on_mac else "path = ''"
    rows = tenant.database.rows(f"SELECT * FROM titles WHERE {condition} ORDER BY key")  # noqa: S608 - own text
    return [AppTitle(**dict(row)) for row in rows]


def _user(row: sqlite3.Row) -> User:
    return User(
        id=row["id"],
        number=row["number"],
        name=row["name"],
        email=row["email"],
        created_at=read_time(row["created_at"]),
        updated_at=read_time(row["updated_at"]),
    )
