"""The documented example responses against ours: every key that is published is there."""

import json
from pathlib import Path
from typing import Any

import pytest

EXAMPLES: dict[str, Any] = json.loads(Path(__file__).with_name("documented_keys.json").read_text())


def _keys(value: Any, prefix: str = "") -> set[str]:
    if isinstance(value, list):
        return set().union(*(_keys(item, f"{prefix}[]") for item in value)) if value else set()
    if isinstance(value, dict):
        return set().union(*({f"{prefix}.{k}"} | _keys(v, f"{prefix}.{k}") for k, v in value.items()))
    return set()


@pytest.fixture(scope="module")
def answers(api) -> dict[str, Any]:
    """Our answers, by the documented path."""
    rows = api.json("/devices", limit=300)
    ipad = next(r for r in rows if r["platform"] == "iPad" and r["user"])
    phone = next(r for r in rows if r["platform"] == "iPhone")
    user = api.json("/users")["results"][0]
    blueprint = api.json("/blueprints")["results"][0]
    export = api.call("POST", "/prism/export", json={"category": "device_information"}).json()
    path = f"/devices/{ipad['device_id']}"
    return {
        "GET /devices": rows,
        "GET /devices/{device_id}": api.json(path),
        "PATCH /devices/{device_id}": api.call("PATCH", path, json={}).json(),
        "GET /devices/{device_id}/details": api.json(f"{path}/details"),
        "GET /devices/{device_id}/apps": api.json(f"/devices/{phone['device_id']}/apps"),
        "GET /prism/apps": api.json("/prism/apps"),
        "GET /prism/device_information": api.json("/prism/device_information"),
        "GET /prism/count": api.json("/prism/count", category="apps"),
        "POST /prism/export": export,
        "GET /prism/export/{export_id}": api.json(f"/prism/export/{export['id']}"),
        "GET /audit/events": api.json("/audit/events"),
        "GET /users": api.json("/users"),
        "GET /users/{user_id}": api.json(f"/users/{user['id']}"),
        "GET /blueprints": api.json("/blueprints"),
        "GET /blueprints/{blueprint_id}": api.json(f"/blueprints/{blueprint['id']}"),
        "GET /tags": api.json("/tags"),
        "GET /settings/licensing": api.json("/settings/licensing"),
    }


@pytest.mark.parametrize("endpoint", sorted(EXAMPLES))
def test_every_documented_key_is_there(answers, endpoint) -> None:
    """A client written from the documentation finds each key it reads, at every depth."""
    assert set(EXAMPLES[endpoint]) - _keys(answers[endpoint]) == set()


@pytest.mark.parametrize("category", ["apps", "device_information"])
def test_prism_has_no_key_that_is_not_documented(answers, category) -> None:
    """Prism rows show the documented keys and no others, so nobody builds on what does not exist."""
    endpoint = f"GET /prism/{category}"
    assert _keys(answers[endpoint]) == set(EXAMPLES[endpoint])
