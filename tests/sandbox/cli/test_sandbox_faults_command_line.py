"""Faults on the command line, and in the specification of a sandbox in this process."""

import json
from types import SimpleNamespace

import pytest
import requests

from include.sandbox.cli import main
from include.sandbox.common.switches import SwitchError
from include.sandbox.fault_options import CATALOGUES
from include.sandbox.faults.mixes import TRANSIENT
from include.sandbox.fleet import FleetSpec
from include.sandbox.serve import Sandbox, SandboxSpec

TINY = FleetSpec(devices=1, apps_per_device=1)


def _serve(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, dict[str, list[dict[str, object]]]]:
    """Run ``serve`` to the moment when it would wait for a signal; return both services' faults as served."""
    seen: dict[str, list[dict[str, object]]] = {}

    class Look(Sandbox):
        def ready_line(self):
            line = super().ready_line()
            for service in CATALOGUES:
                url = line[service]["url"]
                seen[service] = requests.get(f"{url}/_sandbox/faults", timeout=30).json()["faults"]
            return line

    class NoWait:
        def wait(self) -> None:
            """Return at once."""

    monkeypatch.setattr("include.sandbox.cli.Sandbox", Look)
    monkeypatch.setattr("include.sandbox.cli.threading", SimpleNamespace(Event=NoWait))
    monkeypatch.setattr("include.sandbox.cli.signal.signal", lambda *_: None)
    return main(["serve", "--devices", "1", "--apps-per-device", "1", *arguments]), seen


def _refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line on standard error of a command that must end with status 2."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    assert (ended.value.code, out, len(err.splitlines())) == (2, "", 1)
    return err


def test_serve_takes_faults_and_strikes(monkeypatch, tmp_path):
    """Options, a file by service and a mix reach the service that each names, in this order."""
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"iru": [{"kind": "array_error", "nth": [2]}], "servicenow": []}))
    status, seen = _serve(
        monkeypatch,
        "--fault", "servicenow.error_503:after=true,match=*/insertMultiple,nth=3+4", "--fault", "bare_string_error",
        "--faults", str(file), "--mixed-faults", "0.1", "--faults-seed", "3",
    )  # fmt: skip
    assert status == 0
    first = seen["servicenow"][0]
    assert (first["kind"], first["match"], first["nth"]) == ("error_503", "*/insertMultiple", [3, 4])
    assert first["options"] == {"after": True, "body": "json", "retry_after_s": -1}
    assert [fault["kind"] for fault in seen["iru"]][:3] == ["bare_string_error", "array_error", "rate_limited"]
    assert len(seen["servicenow"]) == 1 + len(TRANSIENT["servicenow"])


def test_a_file_may_hold_one_list_for_both(monkeypatch, tmp_path):
    """In a plain list each kind names its service where both know it."""
    file = tmp_path / "faults.json"
    file.write_text('[{"kind": "iru.timeout", "hang_s": 3}, {"kind": "array_error"}]')
    status, seen = _serve(monkeypatch, "--faults", str(file))
    assert (status, [fault["kind"] for fault in seen["iru"]], seen["servicenow"]) == (0, ["timeout", "array_error"], [])


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("error_503", "write iru.error_503 or servicenow.error_503"),
        ("nope", "servicenow.reset_before"),
        ("servicenow.array_error", "'servicenow.array_error' is not known"),
        ("iru.error_503:after", "KIND[:key=value,...]"),
        ("iru.error_503:=1", "KIND[:key=value,...]"),
        ("iru.error_503:after=perhaps", "after"),
        ("iru.error_503:body=xml", "json or html"),
        ("iru.error_503:share=7", "share"),
        ("iru.error_503:weight=7", "does not take weight"),
        ("", "'' is not known"),
    ],
)
def test_a_wrong_fault_is_one_line_and_status_2(capsys, fault, named):
    """The mistake is named before anything is served."""
    assert named in _refused(capsys, "serve", "--fault", fault)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "is not JSON"),
        ("3", "no list of faults"),
        ('["error_503"]', "no list of faults"),
        ('{"jamf": []}', "known services: iru, servicenow"),
        ('{"iru": {"kind": "timeout"}}', "no list of faults"),
        ('{"iru": [{"kind": "timeout", "hang_s": "x"}]}', "hang_s"),
        ('[{"share": 0.1}]', "is not known"),
    ],
)
def test_a_wrong_file_is_one_line_and_status_2(capsys, tmp_path, content, named):
    """What a file gets wrong is named, with the file where its form is wrong."""
    file = tmp_path / "faults.json"
    file.write_text(content)
    assert named in _refused(capsys, "serve", "--faults", str(file))


def test_a_missing_file_and_a_wrong_mix_are_refused(capsys, tmp_path):
    """The other options about faults are checked too."""
    assert "nowhere.json" in _refused(capsys, "serve", "--faults", str(tmp_path / "nowhere.json"))
    assert "between 0 and 1" in _refused(capsys, "serve", "--mixed-faults", "1.5")
    assert "--mixed-faults" in _refused(capsys, "serve", "--mixed-faults", "many")
    assert "--faults-seed" in _refused(capsys, "serve", "--faults-seed", "x")


def test_the_catalogue_names_every_kind_and_what_it_takes(capsys):
    """``faults`` lists all kinds once, those of both services together, with their options."""
    assert main(["faults"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")]
    assert sorted(listed) == sorted(set(CATALOGUES["iru"]) | set(CATALOGUES["servicenow"]))
    assert any("retry_after_s=-1" in line and "json|html" in line for line in lines)
    assert max(map(len, lines)) <= 120
    assert lines.index("both services:") < lines.index("iru:")


def test_a_running_sandbox_is_given_faults_and_cleared(capsys):
    """``fault`` adds to what is asked for, and with --clear begins anew."""
    with Sandbox(SandboxSpec(fleet=TINY)) as sandbox:
        url = sandbox.iru.url
        assert main(["fault", "--url", url, "error_500:times=2", "array_error"]) == 0
        assert [fault["kind"] for fault in json.loads(capsys.readouterr().out)] == ["error_500", "array_error"]
        assert requests.get(f"{url}/api/v1/devices", timeout=30).status_code == 500
        assert main(["fault", "--url", url, "--clear", "reset_before:nth=9"]) == 0
        assert [fault["kind"] for fault in json.loads(capsys.readouterr().out)] == ["reset_before"]
        assert main(["fault", "--url", url, "--clear"]) == 0
        assert json.loads(capsys.readouterr().out) == []
        assert main(["fault", "--url", sandbox.servicenow.url, "array_error"]) == 1
        assert "'array_error' is not known" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "--clear"),
        (("nope",), "'nope' is not known"),
        (("iru.timeout",), "write 'timeout'"),
        (("timeout:hang_s=x",), "hang_s"),
    ],
)
def test_a_wrong_fault_for_a_running_sandbox_is_status_2(capsys, arguments, named):
    """A mistake is named before anything is sent."""
    assert named in _refused(capsys, "fault", "--url", "http://127.0.0.1:9", *arguments)


def test_fault_without_a_server_is_status_1(capsys):
    """A sandbox that is not there is said in one line."""
    assert main(["fault", "--url", "http://127.0.0.1:9", "timeout"]) == 1
    assert "127.0.0.1:9" in capsys.readouterr().err


def test_a_specification_names_faults_and_a_wrong_one_starts_nothing():
    """In this process faults are given as data, and both plans are at hand."""
    spec = SandboxSpec(fleet=TINY, faults=[{"kind": "iru.unauthorized"}, {"kind": "servicenow.html_200", "nth": 2}])
    with Sandbox(spec) as sandbox:
        assert requests.get(f"{sandbox.iru.url}/x", timeout=30).status_code == 401
        answers = [requests.get(f"{sandbox.servicenow.url}/x", timeout=30).status_code for _ in range(3)]
        assert answers == [400, 200, 400]
        assert [strike["occasion"] for strike in sandbox.servicenow_faults.snapshot()["strikes"]] == [2]
        sandbox.iru_faults.clear()
        assert requests.get(f"{sandbox.iru.url}/x", timeout=30).status_code == 404
    with pytest.raises(SwitchError, match="both services"), Sandbox(SandboxSpec(fleet=TINY, faults=[{"kind": "huge"}])):
        pass


def test_the_help_names_the_options_about_faults(capsys):
    """Who looks for faults in --help finds them, and the command that lists them."""
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    text = capsys.readouterr().out
    assert all(option in text for option in ("--fault ", "--faults ", "--mixed-faults", "--faults-seed", "'faults'"))
