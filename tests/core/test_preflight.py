"""The set-up check: every question is answered rightly when all is well, when it is not, and when nobody may look."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from factories import MAPPING
from instance import settings as account
from scripted import Reply, serving

from include.iru.client import IruClient, IruSettings
from include.preflight.check import check_all
from include.preflight.finding import Finding, failing, ok, wrong
from include.preflight.show import summary, to_json, to_page, to_text
from include.preflight.subject import Subject, read_fleet
from include.preflight.user_checks import digest
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec
from include.servicenow.client import ServiceNowClient
from include.web.retry import RetryPolicy

QUICK = RetryPolicy(attempts=1, sleep=lambda _: None)
APPS = "x_kandj_kandji_kandji_import_set_apps"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Start both services once; every test puts its switches back."""
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=12, apps_per_device=1))) as running:
        yield running


def client_of(sandbox: Sandbox, **changes: Any) -> ServiceNowClient:
    """Return a client of the sandbox's instance."""
    snow = sandbox.servicenow
    known = {
        "client_id": snow.client_id, "client_secret": snow.client_secret,
        "username": snow.username, "password": snow.password,
    }  # fmt: skip
    return ServiceNowClient(account(snow.url, **(known | changes)), retry=QUICK)


def check(sandbox: Sandbox, *, token: str = "", fleet: Path | None = None, **options: Any) -> dict[str, Finding]:
    """Check the sandbox and return the findings by name; ``fleet`` is where its rows are kept."""
    show_users = options.pop("show_users", False)
    iru = IruClient(IruSettings(sandbox.iru.url, token or sandbox.iru.token), retry=QUICK)
    rows = read_fleet(iru, MAPPING, fleet) if fleet else None
    subject = Subject(iru, client_of(sandbox, **options), MAPPING, rows, show_users)
    return {finding.check: finding for finding in check_all(subject)}


@contextmanager
def switched(sandbox: Sandbox, **switches: Any) -> Iterator[None]:
    """Set switches of the instance for a while."""
    url = f"{sandbox.servicenow.url}/_sandbox/switches"
    before = requests.get(url, timeout=10).json()
    requests.patch(url, json=switches, timeout=10).raise_for_status()
    try:
        yield
    finally:
        requests.patch(url, json={name: before[name] for name in switches}, timeout=10).raise_for_status()


def test_a_set_up_that_is_right_passes(sandbox, tmp_path):
    """Nothing is wrong but the users whom ServiceNow does not know; a loopback host has no region."""
    found = check(sandbox, fleet=tmp_path)
    assert failing(found.values()) == []
    assert {name for name, finding in found.items() if finding.state == "cannot_tell"} == {
        "iru.region", "apps.coalesce",
    }  # fmt: skip
    assert found["mdm.coalesce"].seen == "Yes: blueprint_id, device_id, 12 rows."
    assert found["servicenow.refresh"].seen == "By refresh token."


def test_nothing_is_written(sandbox, tmp_path):
    """A check sends reading requests only, tokens aside."""
    counters = {
        name: f"{url}/_sandbox/counters" for name, url in (("i", sandbox.iru.url), ("s", sandbox.servicenow.url))
    }
    before = {name: requests.get(url, timeout=10).json()["by_method_and_path"] for name, url in counters.items()}
    check(sandbox, fleet=tmp_path)
    for name, url in counters.items():
        after = requests.get(url, timeout=10).json()["by_method_and_path"]
        new = [what for what, n in after.items() if n != before[name].get(what, 0)]
        assert [what for what in new if not what.startswith("GET ") and "oauth_token" not in what] == []


@pytest.mark.parametrize(
    ("switches", "name", "loses"),
    [
        ({"maps_inactive": [APPS]}, "apps.map", True),
        ({"missing_columns": [f"{APPS}.version"]}, "apps.column version", True),
        ({"account_time_zone": "US/Pacific"}, "servicenow.time_zone", True),
        ({"roles": ["cmdb_read", "rest_api_explorer"]}, "servicenow.roles", True),
        ({"roles": ["cmdb_read"]}, "servicenow.read sys_import_set", True),
        ({"roles": ["import_transformer"]}, "servicenow.read cmdb_ci_computer", False),
        ({"sam_pro": False}, "servicenow.sam_pro", False),
        ({"kandji_choice": False}, "servicenow.discovery_source", False),
        ({"max_content_length_mb": 5}, "servicenow.payload", False),
        ({"mdm_coalesce": "blueprint"}, "mdm.coalesce", True),
        ({"password_expired": True}, "servicenow.oauth", True),
    ],
    ids=str,
)
def test_each_wrong_set_up_is_found(sandbox, tmp_path, switches, name, loses):
    """A finding says what is wrong and what to do, and fails the check where data would be lost."""
    with switched(sandbox, **switches):
        finding = check(sandbox, fleet=tmp_path)[name]
    assert (finding.state, finding.fails) == ("wrong", loses)
    assert finding.to_do


def test_keys_that_do_not_fit_are_found(sandbox):
    """A connection that says names where the instance takes labels would lose every value."""
    finding = check(sandbox, column_keys="name")["computer.keys"]
    assert finding.fails
    assert '"column_keys" to "label"' in finding.to_do


def test_a_rate_limit_rule_is_shown(sandbox):
    """The rule's own number is told."""
    with switched(sandbox, rate_limit_per_hour=1234):
        assert "1234 an hour" in check(sandbox)["servicenow.rate_limits"].seen


def test_an_account_that_may_not_look_is_told_so(sandbox):
    """With the documented roles alone, what needs more cannot be told, and nothing fails for that."""
    with switched(sandbox, config_tables_readable=False):
        found = check(sandbox)
    assert failing(found.values()) == []
    unknown = {name for name, finding in found.items() if finding.state == "cannot_tell"}
    assert {"computer.column os_type", "computer.keys", "mdm.map", "servicenow.roles", "servicenow.discovery_source",
            "servicenow.rate_limits", "servicenow.payload"} <= unknown  # fmt: skip


@pytest.mark.parametrize(
    ("denied", "path", "loses"),
    [
        ("GET /devices/*", "GET /devices/{id}", True),
        ("GET /prism/apps", "GET /prism/apps", True),
        ("GET /audit/*", "GET /audit/events", False),
        ("GET /prism/count", "GET /prism/count", False),
    ],
)
def test_each_permission_that_a_token_lacks_is_named(sandbox, denied, path, loses):
    """The message is the permission as Iru's own page spells it."""
    url = f"{sandbox.iru.url}/_sandbox/tokens"
    token = requests.post(url, json={"denied": [denied]}, timeout=10).json()["token"]
    finding = check(sandbox, token=token)[f"iru.permission {path}"]
    assert (finding.state, finding.fails) == ("wrong", loses)
    assert path in finding.to_do


def test_a_token_that_is_none_fails_the_check(sandbox):
    """A wrong token is one line that fails, and the ServiceNow half is checked all the same."""
    found = check(sandbox, token="nobody")
    assert found["iru.token"].fails
    assert found["computer.map"].state == "ok"
    assert "nobody" not in json.dumps(to_json(found.values()))


def test_unknown_users_are_counted_by_digest(sandbox, tmp_path):
    """Nobody's address is shown unless the operator asks; the digest tells who it is to whoever knows the address."""
    iru = IruClient(IruSettings(sandbox.iru.url, sandbox.iru.token))
    people = {row["user"]["email"] for page in iru.iter_devices() for row in page if row["user"]}
    with switched(sandbox, import_tables_readable=True):
        _forget_users(sandbox)
        hidden = check(sandbox, fleet=tmp_path / "a")["computer.known assigned_user"]
        shown = check(sandbox, fleet=tmp_path / "b", show_users=True)["computer.known assigned_user"]
    assert hidden.state == "wrong"
    assert hidden.seen.startswith(f"{len(people)} of {len(people)}")
    assert not [email for email in people if email in hidden.seen]
    assert digest(sorted(people)[0].upper()) in hidden.seen
    assert sorted(people)[0] in shown.seen


def _forget_users(sandbox: Sandbox) -> None:
    client = client_of(sandbox)
    body, _ = client.get("table/sys_user", sysparm_query="emailISNOTEMPTY", sysparm_fields="sys_id")
    token = client._tokens.bearer()
    for row in body["result"]:
        url = f"{sandbox.servicenow.url}/api/now/table/sys_user/{row['sys_id']}"
        requests.delete(url, headers={"Authorization": f"Bearer {token}"}, timeout=10).raise_for_status()


@pytest.mark.parametrize("body", [b"<html>maintenance</html>", b"[]", b'{"result": 7}', b"null", b""])
def test_hostile_answers_are_findings(body):
    """Whatever both services answer, the check ends with findings and never with a traceback."""
    with serving(lambda _: Reply(body)) as server:
        iru = IruClient(IruSettings(server.url, "t"), retry=QUICK)
        subject = Subject(iru, ServiceNowClient(account(server.url), retry=QUICK), MAPPING)
        found = check_all(subject)
    assert found
    assert not [finding for finding in found if finding.state == "ok" and finding.check.startswith("computer.column")]


def test_a_check_with_a_defect_does_not_stop_the_others(sandbox):
    """One broken check is one line that cannot tell."""

    def broken(subject: Subject) -> Iterator[Finding]:
        """Is it broken?"""
        raise ZeroDivisionError

    def fine(subject: Subject) -> Iterator[Finding]:
        yield ok("fine", "?", "yes")

    subject = Subject(IruClient(IruSettings(sandbox.iru.url, "t")), client_of(sandbox), MAPPING)
    found = check_all(subject, [broken, fine])
    assert [(finding.question, finding.state) for finding in found] == [("Is it broken?", "cannot_tell"), ("?", "ok")]


def test_the_page_is_escaped():
    """What a server said is text, not markup, on the page and in the log."""
    found = [wrong("x.y", "<q>", "<script>alert(1)</script> [red]", "do & that", loses_data=True)]
    assert "<script>alert" not in to_page(found).decode()
    assert "[red]" in to_text(found)
    assert "1 would lose data: x.y" in summary(found)
    assert to_json(found)[0]["fails"] is True
