"""Wrong settings end in one message that names them, before any request that writes."""

from dataclasses import replace
from pathlib import Path

import pytest
from fleets import app, device
from other_servers import CLIENT_ID, CLIENT_SECRET, PASSWORD, TOKEN, USER, Iru, ServiceNow, serve
from runs import access, run_dag

_ACCOUNT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "username": USER, "password": PASSWORD}


@pytest.mark.parametrize(
    ("conf", "mapping", "said"),
    [
        ({"moode": "plan"}, "", "Unknown param moode"),
        ({"feeds": ["computers"]}, "", "feeds"),
        ({}, '[feeds.computer.columns]\nasset = { from = "asset_tagg" }', "asset_tagg"),
        ({}, '[feeds.computer]\nstaging_tabel = "x"', "staging_tabel"),
    ],
)
def test_a_wrong_param_or_mapping_is_named_before_any_request(
    tmp_path: Path, conf: dict[str, object], mapping: str, said: str
) -> None:
    """A mistake in a param or the mapping fails the run with its name and costs neither server a request."""
    iru, servicenow = Iru([device(1)], [app(1, 1)]), ServiceNow()
    override = tmp_path / "override.toml"
    override.write_text(mapping)
    with serve(iru) as iru_url, serve(servicenow) as servicenow_url:
        connections = access(iru_url, TOKEN, servicenow_url, **_ACCOUNT)
        ended = run_dag("iru_devices", connections, tmp_path, conf, IRU_SERVICENOW_MAPPING=str(override))
    assert ended.status != 0
    assert said in ended.output
    assert iru.seen == servicenow.seen == []


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("host", "http://acme.service-now.com", "plain http"),
        ("host", "", "has no host"),
        ("login", "", "lacks login"),
        ("extra", "{not json", "is not a JSON object"),
    ],
)
def test_a_wrong_connection_is_named_before_any_request(tmp_path: Path, field: str, value: str, said: str) -> None:
    """A connection that lacks something or would send credentials in the clear is refused by name."""
    iru = Iru([device(1)], [])
    with serve(iru) as iru_url:
        connections = access(iru_url, TOKEN, "https://acme.service-now.com", **_ACCOUNT)
        wrong = replace(connections, servicenow=connections.servicenow | {field: value})
        ended = run_dag("iru_devices", wrong, tmp_path)
    assert ended.status == 1
    assert "servicenow_default" in ended.output
    assert said in ended.output
    assert PASSWORD not in ended.output
    assert iru.seen == []
