"""The pools of a pair's tasks: how many at a time ask Iru, and how many load ServiceNow.

A task whose pool does not exist never runs, and tasks may not make pools. So a listener of this plugin makes those that
are missing when Airflow's components start; one that is there keeps its size, which is the operator's.
"""

import logging
from dataclasses import dataclass

from airflow.models.pool import Pool
from sqlalchemy.exc import IntegrityError

from include.errors import SetupWrong
from include.inventory.settings import IRU_POOL, SERVICENOW_POOL, Settings, pair_names

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """One pool; a slot is one task, which has up to four requests under way at ServiceNow and one at Iru."""

    name: str
    slots: int
    description: str


def pools_of(settings: Settings) -> list[PoolSpec]:
    """Return a pair's pools with safe sizes: devices are loaded while the nightly applications are."""
    whose = f" of {settings.pair}" if settings.pair else ""
    return [
        PoolSpec(settings.named(IRU_POOL), 2, f"Tasks that ask Iru{whose}"),
        PoolSpec(settings.named(SERVICENOW_POOL), 2, f"Tasks that load ServiceNow{whose}: up to four requests each"),
    ]


def make_pools() -> None:
    """Make missing pools; a failure is said, and never stops the component that starts."""
    try:
        if made := make_missing_pools():
            log.info("Made the pools %s.", ", ".join(made))
    except Exception:
        log.exception("The pools could not be made; make them with: airflow pools set iru 2 Iru")


def make_missing_pools() -> list[str]:
    """Make the pools of all pairs that Airflow does not have, and return their names; never in a task."""
    made: list[str] = []
    for pair in pair_names():
        try:
            wanted = pools_of(Settings.of_pair(pair))
        except SetupWrong as error:
            log.warning("No pools for a pair whose settings are wrong: %s", error)
            continue
        made += [pool.name for pool in wanted if _make(pool)]
    return made


def _make(pool: PoolSpec) -> bool:
    """Make one pool where it is missing; several of Airflow's components may do so at the same moment."""
    if Pool.get_pool(pool.name) is not None:
        return False
    try:
        Pool.create_or_update_pool(pool.name, pool.slots, pool.description, include_deferred=False)
    except IntegrityError:
        return False
    return True
