"""A pin that is loose or has a known vulnerability stops the build; a missing network does not."""

from pathlib import Path
from typing import Any

import pytest
import requests

from include.local import audit

ROOT = Path(__file__).parents[2]
FOUND: dict[str, Any] = {
    "dependencies": [
        {"name": "good", "version": "1.0", "vulns": []},
        {
            "name": "bad",
            "version": "2.0",
            "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": ["CVE-2026-1"]}],
        },
        {"name": "own", "skip_reason": "not on PyPI"},
    ]
}


@pytest.mark.parametrize("name", audit.FILES)
def test_every_pin_of_this_project_is_exact(name: str) -> None:
    """Nothing is installed that the files do not name to the version."""
    text = (ROOT / name).read_text()
    assert text.count("==") > 20
    assert audit.loose_pins(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "requests",
        "requests>=2",
        "requests==2.*",
        "requests==2.34.2 --hash=sha256:x",
        "requests @ https://example.com/requests.whl",
        "requests==2.0 ; python_version < '3' @ https://x",
        "https://example.com/requests.whl",
        "git+ssh://git@example.com/x",
        "-r other.txt",
        "--index-url https://example.com/simple",
        "-e .",
        "./local",
    ],
)
def test_anything_but_an_exact_pin_is_named(line: str) -> None:
    """Ranges, addresses, options and local paths are refused."""
    assert audit.loose_pins(f"# fine\na==1.0\n{line}\nb[c]==2.0rc1 ; sys_platform == 'win32'\n") == [line]


def test_a_vulnerability_is_named_with_its_id_and_the_fixed_version() -> None:
    """A person reads which package, which advisory, and where to go."""
    assert audit.findings(FOUND, {}) == ["bad 2.0: PYSEC-1 (CVE-2026-1), fixed in 2.1"]


@pytest.mark.parametrize("name", ["PYSEC-1", "CVE-2026-1"])
def test_an_accepted_advisory_is_left_alone_until_nothing_has_it(name: str) -> None:
    """An accepted id, under any of its names, does not fail; one that is no longer needed does."""
    assert audit.findings(FOUND, {name: "of no concern"}) == []
    assert audit.findings({"dependencies": []}, {name: "of no concern"}) == [
        f"{name} is accepted, but nothing has it any more: remove it"
    ]


def test_every_accepted_advisory_has_a_reason() -> None:
    """Nobody has to guess why something was let through."""
    assert all(len(reason) > 20 for reason in audit.ACCEPTED.values())


def test_the_build_fails_on_a_vulnerability(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """Where the service answers and knows of something, the exit status is 1."""
    monkeypatch.setattr(audit, "_probe", lambda base_url, requirements: None)
    monkeypatch.setattr(audit, "_ask", lambda path: FOUND)
    assert audit.main() == 1
    assert "bad 2.0: PYSEC-1" in capsys.readouterr().err


def test_the_build_passes_without_a_network(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """Where the service cannot be reached, one line says so and the build goes on."""
    monkeypatch.setattr(audit, "_ADVISORIES", "http://127.0.0.1:9/pypi")
    assert audit.main() == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert "were not checked" in said[0]


def test_a_broken_audit_is_not_taken_for_a_missing_network() -> None:
    """Only a failed connection is forgiven; any other failure of pip-audit stops the build."""
    with pytest.raises(audit.ServiceSilent):
        audit.read_answer("", "ERROR: HTTPSConnectionPool: Max retries exceeded (connection refused)")
    with pytest.raises(RuntimeError, match="No module named pip_audit"):
        audit.read_answer("", "No module named pip_audit")


def test_a_mirror_without_advisories_is_told_from_pypi(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that answers without advisories is no clean bill of health."""
    answer = requests.Response()
    answer.status_code = 404
    asked: list[str] = []
    monkeypatch.setattr(requests, "get", lambda url, timeout: asked.append(url) or answer)
    with pytest.raises(audit.ServiceSilent, match="HTTP 404"):
        audit._probe("https://mirror.example", "a==1\nrequests==2.0\n")
    assert asked == ["https://mirror.example/requests/2.0/json"]
