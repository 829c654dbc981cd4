"""What an operator writes into a connection reaches every request, and a slip is named without showing a secret."""

import json
import traceback
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from iru_servicenow.hooks.iru import IruHook
from iru_servicenow.hooks.servicenow import ServiceNowHook
from iru_servicenow.operators.import_set import ServiceNowImportSetOperator
from iru_servicenow.provider import get_provider_info

from include.errors import RetryLater, SetupWrong
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec
from include.servicenow import settings
from include.web.extras import HTTP_EXTRAS

Connect = Callable[..., None]


@pytest.fixture
def iru(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Define Iru's connection."""

    def connect(**changes: object) -> None:
        values = {"conn_type": "iru", "host": "https://acme.api.example", "password": "S3CRET"} | changes
        monkeypatch.setenv("AIRFLOW_CONN_IRU_DEFAULT", json.dumps(values))

    return connect


def test_the_address_that_irus_pages_show_works_too(iru: Connect) -> None:
    """Iru shows the API's address with its version; who pastes that gets the same tenant, and the same ledger."""
    iru(host="https://acme.api.example/api/v1/")
    assert IruHook().settings.base_url == "https://acme.api.example"


def test_a_token_that_was_pasted_with_white_space_works(iru: Connect) -> None:
    """A line break at the end of a pasted token is not part of it."""
    iru(password=" S3CRET\n")
    assert IruHook().settings.token == "S3CRET"


@pytest.mark.parametrize("password", ["", "  ", None])
def test_a_missing_token_is_named(iru: Connect, password: str | None) -> None:
    """A connection without a token is refused before Iru refuses it."""
    iru(password=password)
    with pytest.raises(SetupWrong, match=r"'iru_default' has no password"):
        _ = IruHook().settings


def test_a_misspelled_extra_is_named(iru: Connect) -> None:
    """A CA file under a misspelled name would silently not be used."""
    iru(extra={"verfy": "/ca.pem"})
    with pytest.raises(SetupWrong, match=r"verfy.*verify"):
        _ = IruHook().settings


def test_the_extras_reach_the_client(iru: Connect) -> None:
    """The CA file and the proxy of the connection are those of the client."""
    iru(extra={"verify": "/ca.pem", "proxies": {"https": "http://proxy:3128"}})
    settings = IruHook().get_conn().settings
    assert settings.verify == "/ca.pem"
    assert settings.proxies == {"https": "http://proxy:3128"}


def test_the_read_time_out_is_the_connections(iru: Connect) -> None:
    """A slow tenant may be given more time, and 90 s is the default."""
    iru(extra={"read_timeout_s": 120})
    assert IruHook().settings.read_timeout_s == 120.0
    iru()
    assert IruHook().settings.read_timeout_s == 90.0


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"verify": False}, "verify"), ({"verify": " "}, "verify"),
        ({"verify": 1}, "verify"),
        ({"proxies": "http://u:S3CRET@proxy"}, "proxies"), ({"proxies": {"https": 5}}, "proxies"),
        ({"proxies": ["S3CRET"]}, "proxies"), ({"read_timeout_s": 0}, "read_timeout_s"),
        ({"read_timeout_s": "soon"}, "read_timeout_s"), ({"read_timeout_s": True}, "read_timeout_s"),
        ({"read_timeout_s": 1e9}, "read_timeout_s"),
    ],
    ids=str,
)  # fmt: skip
def test_an_extra_that_makes_no_sense_is_named_and_not_shown(iru: Connect, extra: dict, named: str) -> None:
    """No certificate goes unverified by a slip, and no proxy's password is repeated."""
    iru(extra=extra)
    with pytest.raises(SetupWrong, match=f"'iru_default'.*'{named}'") as caught:
        _ = IruHook().settings
    assert "S3CRET" not in str(caught.value)


def test_what_a_form_leaves_empty_is_the_default(iru: Connect) -> None:
    """Airflow's form stores null, an empty text or an empty object for a field that nobody filled in."""
    iru(extra={"verify": None, "proxies": {}, "read_timeout_s": ""})
    assert (IruHook().settings.verify, IruHook().settings.read_timeout_s) == (True, 90.0)
    iru(extra={"read_timeout_s": "120"})
    assert IruHook().settings.read_timeout_s == 120.0


def test_the_form_has_a_field_for_every_extra() -> None:
    """Whatever a hook takes can be typed, every field has help, and secrets are masked."""
    forms = {each["connection-type"]: each["conn-fields"] for each in get_provider_info()["connection-types"]}
    assert set(forms["iru"]) == set(HTTP_EXTRAS)
    assert set(forms["servicenow"]) == settings._KNOWN_EXTRAS
    assert all(field["description"] and field["label"] for form in forms.values() for field in form.values())
    masked = {name for name, field in forms["servicenow"].items() if field["schema"].get("format") == "password"}
    assert masked == {"client_secret", "refresh_token"}


def test_only_loopback_may_go_without_verified_certificates(iru: Connect) -> None:
    """A sandbox of one's own on this machine needs no CA file."""
    iru(host="https://127.0.0.1:8443", extra={"verify": False})
    assert IruHook().settings.verify is False


@pytest.mark.parametrize("extra", ["[1]", '"text"', "{not json"])
def test_an_extra_that_is_no_object_is_named(monkeypatch: pytest.MonkeyPatch, extra: str) -> None:
    """A slip in the JSON of the extra is told as such."""
    values = {"conn_type": "iru", "host": "https://acme.api.example", "password": "S3CRET", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_IRU_DEFAULT", json.dumps(values))
    with pytest.raises(SetupWrong, match="'iru_default'"):
        _ = IruHook().settings


@pytest.mark.parametrize("text", ["iru://me:S3CRET/x@acme.example", '{"password": "S3CRET", "port": "S3CRET"}'])
def test_a_connection_that_cannot_be_read_shows_nothing_of_itself(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Neither the message nor the traceback in the task's log holds a part of the connection."""
    monkeypatch.setenv("AIRFLOW_CONN_IRU_DEFAULT", text)
    with pytest.raises(SetupWrong) as caught:
        _ = IruHook().settings
    assert "S3CRET" not in "".join(traceback.format_exception(caught.value))


# --- ServiceNow's, over the sandbox --------------------------------------------------------------------------------


def _servicenow(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, **extra: str) -> None:
    access = sandbox.servicenow
    known = {"client_id": access.client_id, "client_secret": access.client_secret}
    values = {
        "conn_type": "servicenow", "host": access.url, "login": access.username, "password": access.password,
        "extra": known | extra,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_SERVICENOW_DEFAULT", json.dumps(values))


def _operator(folder: Path, **options: object) -> ServiceNowImportSetOperator:
    path = folder / "frame.parquet"
    pd.DataFrame({"serial_number": ["X1"], "device_name": ["a"]}).to_parquet(path)
    table = "x_kandj_kandji_kandji_import_set_computer"
    return ServiceNowImportSetOperator(
        task_id="load", staging_table=table, frame_uri=str(path), key_columns=["serial_number"], **options
    )


def test_the_connection_says_what_insert_multiple_takes_as_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On an instance that takes column names, the connection's extra is enough for the operator."""
    switches = {"servicenow.insert_multiple_keys": "name", "servicenow.transform_pickup_delay_s": 0.0}
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=1, apps_per_device=1), switches=switches)) as sandbox:
        _servicenow(monkeypatch, sandbox, column_keys="name")
        assert _operator(tmp_path).execute({})["outcomes"]["inserted"] == 1


def test_a_load_waits_no_longer_for_a_transform_than_it_was_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The operator's own time limit ends the waiting, and Airflow tries the task again later."""
    switches = {"servicenow.transform_pickup_delay_s": 3.0}
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=1, apps_per_device=1), switches=switches)) as sandbox:
        _servicenow(monkeypatch, sandbox)
        with pytest.raises(RetryLater, match="has not ended after 0 s"):
            _operator(tmp_path, transform_timeout_s=0.0).execute({})


def test_a_wrong_client_secret_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection test signs in, so that wrong credentials are told and not shown."""
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=1, apps_per_device=1))) as sandbox:
        _servicenow(monkeypatch, sandbox, client_secret="not-it")
        good, message = ServiceNowHook().test_connection()
    assert not good
    assert "servicenow_default" in message
    assert "not-it" not in message


def test_a_missing_role_is_told_beside_a_good_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that work for an account without the role are no failure of the connection; the role is named."""
    switches = {"servicenow.import_tables_readable": False}
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=1, apps_per_device=1), switches=switches)) as sandbox:
        _servicenow(monkeypatch, sandbox)
        good, message = ServiceNowHook().test_connection()
    assert good
    assert "import_transformer" in message
