"""Certificates are verified against what the connection names, and nothing on the machine replaces a credential."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.errors import SetupWrong
from include.iru.client import IruClient, IruSettings
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec
from include.servicenow.client import ServiceNowClient
from include.servicenow.settings import read_settings


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Start both servers over TLS, with a certificate authority of their own."""
    folder = tmp_path_factory.mktemp("tls")
    with Sandbox(SandboxSpec(fleet=FleetSpec(devices=3, apps_per_device=1), tls=True, tls_dir=folder)) as sandbox:
        yield sandbox


def _iru(sandbox: Sandbox, **options: object) -> IruClient:
    return IruClient(IruSettings(sandbox.iru.url, sandbox.iru.token, **options))


def _servicenow(sandbox: Sandbox, **extra: object) -> ServiceNowClient:
    access = sandbox.servicenow
    extra = {"client_id": access.client_id, "client_secret": access.client_secret, **extra}
    settings = read_settings(
        "servicenow_default", host=access.url, port=None, login=access.username, password=access.password,
        scheme=None, extra=extra,
    )  # fmt: skip
    return ServiceNowClient(settings)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_connections_own_ca_beats_the_environments(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A CA file named in the extra is used for every request, the token's too, also where the machine has a bundle."""
    certifi = pytest.importorskip("certifi")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, certifi.where())
    assert _iru(sandbox, verify=str(sandbox.ca)).get("devices", limit=1)
    assert _servicenow(sandbox, verify=str(sandbox.ca)).get("table/sys_user", sysparm_limit=1)[0]["result"]


def test_an_unknown_certificate_is_refused(sandbox: Sandbox) -> None:
    """Without the CA neither service gets a credential, and the message names what to set."""
    with pytest.raises(SetupWrong, match="certificate"):
        _iru(sandbox).get("devices", limit=1)
    with pytest.raises(SetupWrong, match="certificate"):
        _servicenow(sandbox).check_sign_in()


def test_a_netrc_entry_does_not_replace_the_token(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .netrc of the worker's user that names the same host changes nothing."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert _iru(sandbox, verify=str(sandbox.ca)).get("devices", limit=1)
    assert _servicenow(sandbox, verify=str(sandbox.ca)).get("table/sys_user", sysparm_limit=1)[0]["result"]
