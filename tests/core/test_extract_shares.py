"""Apps that several tasks fetch beside each other are the apps that one would have fetched."""

from pathlib import Path

import pytest
from factories import MAPPING, Shaped, params, source_frame
from scripted import Asked, Reply, serving

from include.errors import RunUnsafe
from include.inventory.extract_shares import share_of
from include.inventory.run import Rules, Run
from include.inventory.run_folder import RunFolder
from include.inventory.stages import join_extract, run_extract, run_extract_share, run_shape
from include.iru.client import IruClient, IruSettings
from include.sandbox.fleet import FleetSpec, generate_fleet
from include.sandbox.iru import IruSettings as TenantSettings
from include.sandbox.iru import IruSwitches, create_app
from include.sandbox.server import Server
from include.web.retry import RetryPolicy

TOKEN = "11111111-2222-4333-8444-5555SECRET99"
SPEC = FleetSpec(devices=60, apps_per_device=8, seed=3)
SHARES = 3


@pytest.fixture(scope="module")
def tenant():
    """Serve a tenant with several blueprints."""
    switches = IruSwitches(export_delay_s=0.0)
    with Server(
        create_app(TenantSettings(spec=SPEC, fleet=generate_fleet(SPEC), token=TOKEN, switches=switches))
    ) as server:
        yield server


def client_of(url: str) -> IruClient:
    """Return a client that does not sleep."""
    return IruClient(IruSettings(url, TOKEN), retry=RetryPolicy(attempts=2, sleep=lambda _: None))


def run_in(folder: Path, method: str, partitions: int = SHARES) -> Run:
    """Return a run of the app flow."""
    rules = Rules(apps_extract=method, partitions=partitions)
    return Run("apps", params(("apps",)), MAPPING, RunFolder(folder), rules)


@pytest.mark.parametrize("method", ["pages", "export"])
def test_shares_are_together_what_one_extract_is(tenant, tmp_path, method):
    """Each row is there once, whichever way Prism is read, and the shaped rows are the same."""
    whole, shared = run_in(tmp_path / "one", method, 1), run_in(tmp_path / "shared", method)
    run_extract(whole, client_of(tenant.url))
    for number in range(SHARES):
        run_extract_share(shared, client_of(tenant.url), number)
    join_extract(shared)
    one, many = (source_frame(run.folder, "apps") for run in (whole, shared))
    order = ["device_id", "path", "name"]
    assert many.sort_values(order, ignore_index=True).equals(one.sort_values(order, ignore_index=True))
    for run in (whole, shared):
        run_shape(run)
    keys = [
        Shaped.read(run.folder, MAPPING.feeds["apps"]).rows["_key"].sort_values().tolist() for run in (whole, shared)
    ]
    assert keys[0] == keys[1]


def test_more_than_one_share_has_work(tenant):
    """The tenant's blueprints are spread."""
    assert len({share_of(each, SHARES) for each in client_of(tenant.url).blueprint_ids()}) > 1


def test_a_share_that_is_fetched_again_leaves_the_others_alone(tenant, tmp_path):
    """A task that is tried again replaces its own pages only."""
    run = run_in(tmp_path, "pages")
    for number in (*range(SHARES), 1, 0):
        run_extract_share(run, client_of(tenant.url), number)
    join_extract(run)
    told = run.folder.told_by("extract")
    assert (
        told["collections"]["apps"]["rows"]
        == told["collections"]["apps"]["expected"]
        == len(source_frame(run.folder, "apps"))
    )
    assert told["shares"] == SHARES


def test_shares_that_are_not_whole_together_stop_the_run(tmp_path):
    """A device whose blueprint nobody lists is missed by every share, and Iru's own count says so."""

    def script(asked: Asked) -> Reply:
        if asked.path.endswith("prism/count"):
            return Reply({"count": 5})
        if asked.path.endswith("blueprints"):
            return Reply({"count": 0, "results": []})
        raise AssertionError(asked.path)

    with serving(script) as server:
        run = run_in(tmp_path, "pages")
        for number in range(SHARES):
            run_extract_share(run, client_of(server.url), number)
    with pytest.raises(RunUnsafe, match="0 rows arrived, Iru counts 5"):
        join_extract(run)
    assert run.folder.told_by("extract")["stopped_by"] == ["incomplete_extract"]


def test_all_pages_of_blueprints_are_read():
    """The list of blueprints is walked to its end."""
    ids = [f"b{number}" for number in range(650)]

    def script(asked: Asked) -> Reply:
        offset, limit = int(asked.query["offset"]), int(asked.query["limit"])
        return Reply({"count": len(ids), "results": [{"id": each} for each in ids[offset : offset + limit]]})

    with serving(script) as server:
        assert client_of(server.url).blueprint_ids() == ids
