"""Mixed faults: their total, their spread, and what a client with retries gets through."""

from collections import Counter

import pytest
import requests

from include.sandbox.common.switches import SwitchError
from include.sandbox.fault_options import CATALOGUES
from include.sandbox.faults.mixes import TRANSIENT, mixed_faults
from include.sandbox.faults.plan import FaultPlan
from include.sandbox.faults.request_kinds import REQUEST

OCCASIONS = 20_000


def _play(service: str, share: float, seed: int, occasions: int = OCCASIONS) -> list[str | None]:
    plan = FaultPlan(CATALOGUES[service])
    plan.add_all(mixed_faults(service, share, seed))
    taken = [plan.take(REQUEST, "GET /api/v1/devices") for _ in range(occasions)]
    return [f"{fault.kind}/{fault.options.get('after')}" if fault else None for fault in taken]


@pytest.mark.parametrize("service", ["iru", "servicenow"])
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_the_total_share_comes_out_right_and_evenly(service, share):
    """All kinds together strike the share asked for, and each as often as another.

    A kind that strikes at another point than a request's arrival has its part of the share there.
    """
    struck = Counter(kind for kind in _play(service, share, 3) if kind)
    mixed = TRANSIENT[service]
    assert len(struck) == len([fault for fault in mixed if CATALOGUES[service][fault["kind"]].point == REQUEST])
    each = share * OCCASIONS / len(mixed)
    assert abs(struck.total() - each * len(struck)) < 0.05 * share * OCCASIONS + 50
    assert max(abs(count - each) for count in struck.values()) < 5 * each**0.5


def test_a_whole_share_strikes_everything_and_none_nothing():
    """Both ends of the range mean what they say."""
    assert None not in _play("iru", 1.0, 1, 500)
    assert mixed_faults("iru", 0.0, 1) == []


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_is_refused(share):
    """What is no share is named."""
    with pytest.raises(SwitchError, match="between 0 and 1"):
        mixed_faults("servicenow", share, 1)


def test_seeds_and_services_differ_and_repeat():
    """The same seed strikes the same occasions; another seed, and the other service, other ones."""
    first = _play("iru", 0.1, 3, 2_000)
    assert first == _play("iru", 0.1, 3, 2_000)
    assert first != _play("iru", 0.1, 4, 2_000)
    assert [bool(kind) for kind in first] != [bool(kind) for kind in _play("servicenow", 0.1, 3, 2_000)]


def test_every_mixed_fault_is_transient_for_a_real_client(service):
    """Over HTTP each of them passes when the request is sent again, and the admin API is left alone."""
    name = type(service).__name__.lower()
    service.faults.add_all([{**fault, "times": 1, "share": 1.0, "match": "P*"} for fault in mixed_faults(name, 0.1, 3)])
    failures = 0
    while not _got_through(service):
        failures += 1
        assert service.admin("GET", "counters").ok
    assert len(service.faults.snapshot()["strikes"]) == len(TRANSIENT[name])
    assert failures >= len(TRANSIENT[name]) - 1  # a dropped request may lie behind a fault that does the work first
    assert service.write().ok


def _got_through(service) -> bool:
    try:
        answer = service.write()
        answer.json()
    except requests.RequestException:
        return False
    return answer.status_code in (200, 201)
