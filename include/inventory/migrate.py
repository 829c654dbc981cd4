"""Bring the ledger's database to the present form of its tables, with Alembic; see ``migrations/versions``."""

import logging
import threading
import time
from pathlib import Path

import sqlalchemy as sa

from include.errors import SetupWrong

log = logging.getLogger(__name__)

HEAD = "0003"
"""The newest migration; a test holds it against the folder."""

VERSION_TABLE = "iru_servicenow_version"
"""Not Alembic's own name: the ledger may share a database with Airflow, which has a history of its own there."""

LOCK = 7_114_270_301
"""Any number: what processes that migrate the same PostgreSQL database wait for."""

_TRIES, _PAUSE_S = 20, 0.25

_ONE_AT_A_TIME = threading.Lock()  # Alembic keeps its context in globals


def migrate(engine: sa.Engine) -> None:
    """Run the migrations that a database lacks; nothing where it has them all.

    Several processes may do so at once: each migration passes over what is there. Raises SetupWrong for a database of
    a newer release.
    """
    for attempt in range(_TRIES):
        if _is_up_to_date(engine):
            return
        try:
            _upgrade(engine)
        except sa.exc.DatabaseError:  # another process is at it
            if attempt == _TRIES - 1:
                raise
            time.sleep(_PAUSE_S)


def _is_up_to_date(engine: sa.Engine) -> bool:
    version = _version(engine)
    if version is not None and version > HEAD:
        raise SetupWrong(
            f"The ledger's database has the form {version} of a newer release; this one knows {HEAD}. Run the newer "
            "release, or point IRU_SERVICENOW_LEDGER at a copy from before its upgrade."
        )
    return version == HEAD


def _version(engine: sa.Engine) -> str | None:
    if not sa.inspect(engine).has_table(VERSION_TABLE):
        return None
    with engine.connect() as connection:
        return connection.execute(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE))).scalar()


def _upgrade(engine: sa.Engine) -> None:
    from alembic import command  # only where there is something to do: it takes a while to import
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    log.info("Bringing the ledger's database to form %s.", HEAD)
    with _ONE_AT_A_TIME, engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
