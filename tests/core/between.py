"""A flow between two scripted services, for the length of a with block."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from instance import settings as account
from scripted import Script, serving
from test_flow import QUIET, Flow

from include.inventory.guards import GuardLimits
from include.inventory.run import Rules
from include.iru.client import IruClient, IruSettings
from include.servicenow.client import ServiceNowClient

OF_SMALL_FLEETS = Rules(limits=GuardLimits(floor_rows=20))
"""Guards that twenty rows are enough for."""


@contextmanager
def between(folder: Path, tenant: Script, taker: Script, *, rules: Rules = OF_SMALL_FLEETS) -> Iterator[Flow]:
    """Start both services and give the flow; ``asked`` is what ServiceNow saw."""
    with serving(tenant) as iru, serving(taker) as snow:
        yield Flow(
            folder,
            iru=lambda: IruClient(IruSettings(iru.url, "t"), retry=QUIET),
            servicenow=lambda: ServiceNowClient(account(snow.url), retry=QUIET),
            asked=snow.asked,
            rules=rules,
        )


def inserts(flow: Flow) -> int:
    """Return how many requests tried to write into ServiceNow."""
    return sum("/import/" in asked.path for asked in flow.asked)
