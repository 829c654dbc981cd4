"""The bench part that times the sync page's routes."""

from fastapi.routing import APIRoute

from bench import page
from bench.page_seed import Seeded


def test_every_route_of_the_api_is_timed():
    """A route that is added is measured too, but for those that ask other services or make files."""
    from iru_servicenow.sync_api.app import make_api

    elsewhere = {"/pairs", "/{pair}/devices/{device_id}/ask", "/{pair}/download"}
    there = {(method, each.path) for each in make_api().routes if isinstance(each, APIRoute) for method in each.methods}
    seeded = Seeded()
    asked = [ask(3) for ask in page.questions(seeded).values()]
    timed = {
        (method, "/{pair}" + path.partition("?")[0].replace(seeded.device_id(3 * 977 % 60), "{device_id}"))
        for method, path, _ in asked
    }
    assert {(method, path) for method, path in there if path not in elsewhere} == timed


def test_the_part_measures_over_http(monkeypatch):
    """A small fleet goes the way that the large one goes."""
    monkeypatch.setattr(page, "REPEATS", 3)
    found = page.measure(20, 1)
    assert found["devices"] == 100
    assert all(0 < one["p50_ms"] <= one["most_ms"] for one in found["routes"].values())
    assert len(list(page.table(found))) == len(found["routes"]) + 3
