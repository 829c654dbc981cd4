"""``python -m include.sandbox``: what it prints, when it stops, what it refuses."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).parents[3]
SMALL = ("--devices", "12", "--apps-per-device", "4")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "include.sandbox", *arguments]


def _environment(**extra: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **extra}


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments), cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False, timeout=120
    )


@contextmanager
def _serving(*arguments: str, stop: signal.Signals = signal.SIGTERM, **environment: str) -> Iterator[dict[str, Any]]:
    """Serve until the block ends; afterwards nothing else may be on standard output, and the status is 0."""
    process = subprocess.Popen(
        _command("serve", *SMALL, *arguments),
        cwd=ROOT,
        env=_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield json.loads(line)
        process.send_signal(stop)
        rest, _ = process.communicate(timeout=60)
        assert (rest, process.returncode) == ("", 0)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def _devices(iru: dict[str, str], **options: Any) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {iru['token']}"}
    answer = requests.get(f"{iru['url']}/api/v1/devices", headers=headers, timeout=30, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _sign_in(servicenow: dict[str, str], **options: Any) -> requests.Response:
    form = {"grant_type": "password"} | {name: value for name, value in servicenow.items() if name != "url"}
    return requests.post(f"{servicenow['url']}/oauth_token.do", data=form, timeout=30, **options)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_one_line_of_json_and_both_servers_answer(stop: signal.Signals) -> None:
    """The line names addresses and credentials that work at once; either signal ends it with status 0."""
    with _serving(stop=stop) as line:
        assert set(line) == {"iru", "servicenow"}
        assert set(line["iru"]) == {"url", "token"}
        assert set(line["servicenow"]) == {"url", "client_id", "client_secret", "username", "password"}
        assert line["iru"]["url"].startswith("http://127.0.0.1:")
        assert len(_devices(line["iru"])) == 12
        assert _sign_in(line["servicenow"]).json()["access_token"]


def test_given_credentials_ports_and_switches_are_used(tmp_path: Path) -> None:
    """Options and environment fix the credentials; switches reach the service that has them."""
    given = ("--iru-token", "a-token", "--username", "u", "--switches", "prism_offset=true", "iru.prism_total=off")
    with _serving(*given, SANDBOX_PASSWORD="from-environment") as line:
        assert line["iru"]["token"] == "a-token"
        assert (line["servicenow"]["username"], line["servicenow"]["password"]) == ("u", "from-environment")
        assert _sign_in(line["servicenow"]).status_code == 200
        switches = requests.get(f"{line['iru']['url']}/_sandbox/switches", timeout=30).json()
        assert (switches["prism_offset"], switches["prism_total"]) == (True, False)


def test_state_goes_on_after_a_restart(tmp_path: Path) -> None:
    """On the same files, the fleet is as it was left, and the same credentials hold."""
    with _serving("--database-dir", str(tmp_path / "state")) as line:
        changed = _run("change", "--url", line["iru"]["url"], "--rename", "2", "--remove-devices", "1")
        assert changed.returncode == 0, changed.stderr
        assert len(json.loads(changed.stdout)["changes"]["rename"]) == 2
        before = _devices(line["iru"])
        credentials = line["iru"]["token"], line["servicenow"]["client_secret"]
    with _serving("--database-dir", str(tmp_path / "state")) as line:
        assert _devices(line["iru"]) == before
        assert (line["iru"]["token"], line["servicenow"]["client_secret"]) == credentials


def test_tls_has_an_authority_of_its_own(tmp_path: Path) -> None:
    """With TLS both servers are trusted through the named authority, and not without it."""
    with _serving("--tls", "--tls-dir", str(tmp_path)) as line:
        assert line["ca"] == str(tmp_path / "ca.pem")
        assert line["iru"]["url"].startswith("https://")
        assert len(_devices(line["iru"], verify=line["ca"])) == 12
        assert _sign_in(line["servicenow"], verify=line["ca"]).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            _devices(line["iru"])
        shown = _run("show", "--url", line["iru"]["url"], "--ca", line["ca"])
        assert "GET /api/v1/devices" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("serve", "--devices", "many"), "--devices"),
        (("serve", "--devices", "-1"), "devices"),
        (("serve", "--iru-port", "70000"), "--iru-port"),
        (("serve", "--bogus"), "--bogus"),
        (("serve", "--switches", "nope=1"), "iru.prism_offset"),
        (("serve", "--switches", "prism_offset"), "key=value"),
        (("serve", "--switches", "prism_offset=maybe"), "prism_offset"),
        (("serve", "--unassigned-share", "2"), "unassigned_share"),
        (("change", "--url", "http://127.0.0.1:1", "--rename", "-2"), "rename"),
        ((), "command"),
    ],
)
def test_bad_option_is_one_clear_line_and_status_2(arguments: tuple[str, ...], named: str) -> None:
    """A mistake is answered with one line that names it, nothing on standard output, and status 2."""
    answer = _run(*arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert named in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_port_in_use_is_an_error_not_a_hang() -> None:
    """A port that somebody else holds ends the start with one clear line."""
    with _serving() as line:
        port = line["iru"]["url"].rpartition(":")[2]
        answer = _run("serve", *SMALL, "--servicenow-port", port)
        assert answer.returncode == 2
        assert port in answer.stderr
        assert len(answer.stderr.splitlines()) == 1


def test_change_without_a_server_is_status_1() -> None:
    """A sandbox that is not there is said in one line."""
    answer = _run("change", "--url", "http://127.0.0.1:9", "--rename", "1")
    assert answer.returncode == 1
    assert "127.0.0.1:9" in answer.stderr
