"""Whatever JSON a tenant answers, an extract ends in pages or in one of the project's errors, and shows no content."""

import contextlib
import tempfile
from pathlib import Path

import pytest
from factories import MAPPING, app, device, source_frame
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scripted import Asked, Reply, Scripted, serving

from include.errors import PipelineError
from include.inventory.extract import extract
from include.inventory.read_sources import source_fields
from include.inventory.run_folder import RunFolder
from include.iru.client import IruClient, IruSettings
from include.web.pace import Pace
from include.web.retry import RetryPolicy

FUZZ = hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

_ODD = ["NULL", "\ud800", "\x00", "=1+1", "\u202e", "../..", "0001-01-01", "9999-12-31T23:59:59Z", "x" * 10**6]
_TEXT = st.one_of(st.text(max_size=20), st.sampled_from(_ODD))
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXT)


def _nested(inner: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXT, inner, max_size=4))


ANY_JSON = st.recursive(_SCALARS, _nested, max_leaves=8)
_KEYS = ["data", "cursor", "total", "count", "approximate", "detail", "id", "status", "signed_url", "error_msg", "next"]
_ENVELOPES = st.dictionaries(st.sampled_from(_KEYS), ANY_JSON, max_size=6)
_ROWS = st.lists(st.dictionaries(st.sampled_from(["device_id", "name", "user", "path"]), ANY_JSON), max_size=3)
BODIES = st.one_of(ANY_JSON, _ENVELOPES, _ROWS, st.builds(lambda rows: {"data": rows, "cursor": None}, _ROWS))
_STATUS = st.sampled_from([200, 200, 200, 200, 400, 404])


@pytest.fixture(scope="module")
def server():
    """One server for many examples."""
    with serving(lambda _: Reply()) as running:
        yield running


def client_of(server: Scripted) -> IruClient:
    """Return a client that tries twice and neither sleeps nor paces itself."""
    retry = RetryPolicy(attempts=2, sleep=lambda _: None)
    return IruClient(IruSettings(server.url, "t"), retry=retry, pace=Pace(1e6))


def extract_all(server: Scripted, method: str) -> None:
    """Extract and read both sources; only the project's errors may come out."""
    for source in ("devices", "apps"):
        with tempfile.TemporaryDirectory() as folder:
            run = RunFolder(Path(folder))
            fields = source_fields(MAPPING, source)
            with contextlib.suppress(PipelineError):
                extract(client_of(server), source, run, fields=fields, method=method)
                source_frame(run, source)


@FUZZ
@given(st.lists(st.tuples(BODIES, _STATUS), min_size=1, max_size=8), st.sampled_from(["pages", "export"]))
def test_any_json_as_answers_ends_in_pages_or_an_error_of_ours(server, replies, method):
    """Each request in turn gets any JSON value with any usual status."""
    number = [0]

    def script(_: Asked) -> Reply:
        number[0] += 1
        body, status = replies[number[0] % len(replies)]
        return Reply(body, status) if number[0] < 60 else Reply([])

    server.script = script
    extract_all(server, method)


@FUZZ
@given(st.binary(max_size=60), st.sampled_from(["pages", "export"]))
def test_any_bytes_as_answers_end_in_an_error_of_ours(server, body, method):
    """Each request gets the same bytes, JSON or not."""
    server.script = lambda _: Reply(body)
    extract_all(server, method)


@FUZZ
@given(st.dictionaries(st.sampled_from([*device(), *app(), "prism"]), ANY_JSON, max_size=5))
def test_odd_fields_do_not_keep_valid_rows_from_arriving(server, changes):
    """Rows with any JSON value in any field are read beside valid ones, which stay as they are."""
    odd_device, odd_app = device(2) | changes, app(2) | changes

    def script(asked: Asked) -> Reply:
        name = asked.path.removeprefix("/api/v1/")
        if name == "devices":
            return Reply([device(1), odd_device, device(3)] if asked.query["offset"] == "0" else [])
        if name == "prism/count":
            return Reply({"count": 3})
        if name.startswith("devices/"):
            return Reply({}, 404)
        rows = [app(1), odd_app, app(3)]
        return Reply({"data": rows, "cursor": None, "total": 3})

    server.script = script
    for source, key in (("devices", "device_name"), ("apps", "name")):
        with tempfile.TemporaryDirectory() as folder:
            run = RunFolder(Path(folder))
            extract(client_of(server), source, run)
            frame = source_frame(run, source)
            assert len(frame) == 3
            valid = (device if source == "devices" else app)(3)
            assert frame[key].tolist()[2] == valid[key]
