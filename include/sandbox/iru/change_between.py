"""A device that enrolls while somebody reads the list, so that it sorts before what is still to be read."""

import random
import sqlite3
from collections.abc import Callable
from typing import Any

from include.sandbox.fleet.enrolment import Surroundings
from include.sandbox.iru.audit import device_enrolled, record_events
from include.sandbox.iru.change import draw_new
from include.sandbox.iru.change_apps import install_on_new
from include.sandbox.iru.fleet_reader import read_surroundings
from include.sandbox.iru.store import insert_rows
from include.sandbox.iru.tenant import Tenant

_TRIES = 300


def enroll_before(tenant: Tenant, draw: random.Random, earlier: Callable[[], set[str]]) -> None:
    """Enroll a device that ``earlier`` then lists; where no drawn one does, the last of them enrolls all the same.

    Its place in the order of entry, and that of its apps, is before all others: their numbers are made negative, so
    that none comes twice.
    """
    around = read_surroundings(tenant)
    with tenant.database.transaction() as connection:
        for tried in range(1, _TRIES + 1):
            connection.execute("SAVEPOINT try")
            row = _enroll_first(tenant, connection, draw, around)
            if row["id"] in earlier() or tried == _TRIES:
                break
            connection.execute("ROLLBACK TO try")
        record_events(connection, [device_enrolled(row, at=tenant.now())])


def _enroll_first(
    tenant: Tenant, connection: sqlite3.Connection, draw: random.Random, around: Surroundings
) -> dict[str, Any]:
    device, row = draw_new(tenant, draw, around)
    insert_rows(connection, "devices", [row])
    connection.execute("UPDATE devices SET seq = -seq WHERE id = ?", (device.id,))
    install_on_new(tenant, draw, device)
    own = "device_seq = (SELECT seq FROM devices WHERE id = ?)"
    connection.execute(f"UPDATE apps SET seq = -seq WHERE {own}", (device.id,))  # noqa: S608 - own text
    return row
