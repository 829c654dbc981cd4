"""The sandbox as tests use it: both servers in this process."""

import pytest
import requests

from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

SPEC = FleetSpec(devices=30, apps_per_device=3, unknown_user_share=0.2)


def test_both_servers_run_while_the_block_lasts() -> None:
    """Inside the block both answer; after it neither does."""
    with Sandbox(SandboxSpec(fleet=SPEC)) as sandbox:
        addresses = (sandbox.iru.url, sandbox.servicenow.url)
        assert requests.get(f"{sandbox.iru.url}/_sandbox/fleet", timeout=30).json()["devices"] == 30
        for url in addresses:
            assert requests.get(f"{url}/_sandbox/counters", timeout=30).status_code == 200
    for url in addresses:
        with pytest.raises(requests.ConnectionError):
            requests.get(url, timeout=5)


def test_servicenow_knows_all_users_but_a_share() -> None:
    """Users of the fleet exist in sys_user, except for those the spec keeps unknown."""
    with Sandbox(SandboxSpec(fleet=SPEC)) as sandbox:
        account = (sandbox.servicenow.username, sandbox.servicenow.password)
        answer = requests.get(
            f"{sandbox.servicenow.url}/api/now/table/sys_user",
            params={"sysparm_fields": "email", "sysparm_limit": 1000},
            auth=account,
            timeout=30,
        )
        known = {row["email"] for row in answer.json()["result"]}
        headers = {"Authorization": f"Bearer {sandbox.iru.token}"}
        users = requests.get(f"{sandbox.iru.url}/api/v1/users", headers=headers, timeout=30).json()["results"]
        unknown = {user["email"] for user in users} - known
        assert len(users) == 24
        assert len(unknown) == round(24 * 0.2)


def test_windows_switch_brings_such_devices() -> None:
    """Switching other platforms on puts some into the fleet unless a share is given."""
    spec = SandboxSpec(fleet=FleetSpec(devices=200, apps_per_device=1), switches={"windows_android": True})
    with Sandbox(spec) as sandbox:
        families = requests.get(f"{sandbox.iru.url}/_sandbox/fleet", timeout=30).json()["devices_by_family"]
        assert {"Windows", "Android"} & set(families)
