"""Which occasions a fault strikes, and what is refused when it is asked for."""

import pytest
import requests

from include.sandbox.common.switches import SwitchError
from include.sandbox.faults.kind import FaultKind, catalogue_of
from include.sandbox.faults.plan import FaultPlan

KINDS = catalogue_of(
    FaultKind(name="slip", point="row", summary="", options={"after": False, "wait_s": 1.0, "how": "a"},
              choices={"how": ("a", "b")}),
    FaultKind(name="trip", point="row", summary="", match="b*"),
    FaultKind(name="stall", point="table", summary=""),
)  # fmt: skip


def _struck(plan: FaultPlan, occasions: int, subject: str = "a", point: str = "row") -> list[int]:
    return [n for n in range(1, occasions + 1) if plan.take(point, subject)]


def _plan(**wanted: object) -> FaultPlan:
    plan = FaultPlan(KINDS)
    plan.add({"kind": "slip", **wanted})
    return plan


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [1]),
        ({"nth": 3}, [3]),
        ({"nth": [2, 5]}, [2, 5]),
        ({"nth": "2+5"}, [2, 5]),
        ({"nth": [2, 4, 6], "times": 2}, [2, 4]),
        ({"times": 3}, [1, 2, 3]),
        ({"times": "0"}, list(range(1, 11))),
        ({"share": 1}, list(range(1, 11))),
        ({"share": "1.0", "times": 2}, [1, 2]),
    ],
)
def test_occasions(wanted, expected):
    """A fault strikes the occasions that it names, as often as it may; once where it says nothing."""
    assert _struck(_plan(**wanted), 10) == expected


def test_only_matching_subjects_of_its_point_are_occasions():
    """Other subjects and other points neither are struck nor count."""
    plan = _plan(match="POST *", nth=2)
    subjects = ["GET /x", "POST /x", "GET /y", "POST /y"]
    assert [subject for subject in subjects if plan.take("row", subject)] == ["POST /y"]
    assert _struck(_plan(nth=1), 3, point="table") == []


def test_a_kinds_own_pattern_holds_unless_another_is_given():
    """A kind that strikes some subjects only does so by itself."""
    plan = FaultPlan(KINDS)
    plan.add({"kind": "trip", "times": 0})
    assert [subject for subject in ("a1", "b1") if plan.take("row", subject)] == ["b1"]


def test_a_share_is_about_that_share_and_the_same_for_a_seed():
    """The draw is reproducible, differs by seed, and comes out right."""
    first, again, other = (_struck(_plan(share=0.2, seed=seed), 5_000) for seed in (1, 1, 2))
    assert first == again != other
    assert abs(len(first) - 1_000) < 120


def test_by_subject_the_same_subjects_are_struck_each_time():
    """A share by subject draws once per subject, whatever the order of the occasions."""
    subjects = [f"row-{n}" for n in range(2_000)]
    plan = _plan(share=0.1, by_subject=True)
    first = {subject for subject in subjects if plan.take("row", subject)}
    again = {subject for subject in reversed(subjects) if plan.take("row", subject)}
    assert first == again
    assert abs(len(first) - 200) < 60


def test_the_first_fault_asked_for_strikes_and_the_next_sees_the_rest():
    """Of two faults at one point one strikes, and what it struck is no occasion of the other."""
    plan = _plan(nth=2)
    plan.add({"kind": "trip", "match": "*", "nth": 2})
    kinds = [fault.kind if (fault := plan.take("row", "a")) else None for _ in range(4)]
    assert kinds == [None, "slip", "trip", None]


def test_options_are_read_as_the_kind_of_their_defaults():
    """Values may be strings, as the command line gives them."""
    plan = FaultPlan(KINDS)
    assert plan.add({"kind": "slip", "after": "yes", "wait_s": "2", "how": "b"}).options == {
        "after": True, "wait_s": 2.0, "how": "b",
    }  # fmt: skip
    assert plan.add({"kind": "slip"}).options == {"after": False, "wait_s": 1.0, "how": "a"}


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"kind": "slop"}, "'slop' is not known; known: slip, stall, trip"),
        ({}, "None is not known"),
        ({"kind": "slip", "weight": 3}, "does not take weight; it takes: match, nth"),
        ({"kind": "slip", "after": "maybe"}, "after of a fault takes true or false"),
        ({"kind": "slip", "by_subject": 3}, "by_subject of a fault takes true or false"),
        ({"kind": "slip", "wait_s": "long"}, "wait_s of a fault takes a number"),
        ({"kind": "slip", "wait_s": "inf"}, "wait_s of a fault takes a finite number"),
        ({"kind": "slip", "how": "c"}, "how of fault slip takes a or b"),
        ({"kind": "slip", "nth": 0}, "nth of a fault counts from 1"),
        ({"kind": "slip", "nth": "2;3"}, "nth of a fault takes a number"),
        ({"kind": "slip", "times": None}, "times of a fault takes a number"),
        ({"kind": "slip", "share": 1.5}, "share of a fault lies above 0"),
        ({"kind": "slip", "share": 0}, "share of a fault lies above 0"),
        ({"kind": "slip", "share": "nan"}, "share of a fault takes a finite number"),
    ],
)
def test_what_cannot_be_is_refused_by_name(wanted, named):
    """A wrong fault is not added, and the message says what is wrong with it."""
    plan = FaultPlan(KINDS)
    with pytest.raises(SwitchError) as refused:
        plan.add(wanted)
    assert named in str(refused.value)
    assert plan.snapshot()["faults"] == []


def test_requests_are_struck_by_pattern_and_number(servicenow):
    """Over HTTP too, the n-th matching request is struck, and the snapshot says which."""
    servicenow.strike("error_503", match="*/insertMultiple", nth="2+3", after=True)
    assert [servicenow.write().status_code for _ in range(4)] == [201, 503, 503, 201]
    seen = servicenow.admin("GET", "faults").json()
    assert [strike["occasion"] for strike in seen["strikes"]] == [2, 3]
    assert {strike["subject"].partition("/")[0] for strike in seen["strikes"]} == {"POST "}
    assert seen["faults"][0]["struck"] == 2


def test_paths_are_struck_by_subject(service):
    """With by_subject the same paths fail however often they are asked for."""
    service.strike("error_500", share=0.5, by_subject=True, seed=4)
    rounds = [
        [requests.get(f"{service.url}/path-{n}", timeout=30).status_code == 500 for n in range(20)] for _ in range(2)
    ]
    assert rounds[0] == rounds[1]
    assert 3 <= sum(rounds[0]) <= 17


def test_the_admin_api_lists_adds_and_clears(service):
    """Faults can be added one by one or as a list, seen beside the catalogue, and all ended."""
    assert service.admin("POST", "faults", json=[{"kind": "error_500"}, {"kind": "reset_before"}]).status_code == 201
    seen = service.admin("GET", "faults").json()
    assert [fault["kind"] for fault in seen["faults"]] == ["error_500", "reset_before"]
    assert seen["catalogue"]["error_503"]["options"]["retry_after_s"] == -1
    assert service.admin("DELETE", "faults").json() == {"faults": [], "strikes": []}
    assert service.write().ok


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('[{"kind": "error_500"}, {"kind": "nope"}]', "'nope' is not known"),
        ('{"kind": "error_500", "body": "xml"}', "json or html"),
        ('["error_500"]', "an object with its kind"),
        ("3", "an object with its kind"),
        ("{", "the body is not JSON"),
        ("", "the body is not JSON"),
    ],
)
def test_the_admin_api_refuses_all_of_a_wrong_list(service, body, named):
    """A mistake is answered with 400 and its reason, and nothing is added."""
    answer = service.admin("POST", "faults", data=body)
    assert answer.status_code == 400
    assert named in answer.json()["detail"]
    assert service.admin("GET", "faults").json()["faults"] == []
