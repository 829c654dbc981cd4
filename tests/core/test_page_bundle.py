"""The sync page's bundle: what is committed is whole, loads nothing from elsewhere, and is what its sources make."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "plugins/iru_servicenow/sync_page"
DIST = PAGE / "dist"
SOURCES = (
    "src",
    "public",
    "mock",
    "index.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "licences.ts",
    ".npmrc",
)
MAX_BYTES = 1_500_000
BUILD_TIMEOUT_S = 180


class _Page(HTMLParser):
    """Collects what a page refers to, and the scripts and handlers that stand in it."""

    def __init__(self) -> None:
        super().__init__()
        self.refers: list[str] = []
        self.inline: list[str] = []
        self._is_in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_in_script = tag == "script"
        for name, value in attrs:
            if name in ("src", "href"):
                self.refers.append(value or "")
            if name.startswith("on") or (value or "").startswith("javascript:"):
                self.inline.append(f"{name}={value}")

    def handle_data(self, data: str) -> None:
        if self._is_in_script and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._is_in_script = False


def read_page() -> _Page:
    """Return what the bundle's only page refers to."""
    page = _Page()
    page.feed((DIST / "index.html").read_text(encoding="utf-8"))
    return page


def files(folder: Path) -> dict[str, bytes]:
    """Return each file of a folder by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_that_the_page_loads_is_in_the_bundle():
    """A site without internet, below any path prefix, gets a whole page: all references are relative and there."""
    refers = [name for name in read_page().refers if not name.startswith("data:")]
    assert any(name.endswith(".js") for name in refers)
    assert [name for name in refers if not name.startswith("./") or not (DIST / name).is_file()] == []
    loaded = {str((DIST / name).relative_to(DIST)) for name in refers}
    assert set(files(DIST)) == loaded | {"index.html", "LICENSES.txt", "icon.svg", "icon-dark.svg"}


def test_no_script_stands_in_the_page_itself():
    """The page's policy, script-src 'self', forbids inline scripts: with one the page would stay empty."""
    assert read_page().inline == []


def test_the_script_evaluates_no_text_and_loads_nothing_from_elsewhere():
    """No eval, no imported address, no source map, no style sheet or font of another host."""
    for name, content in files(DIST).items():
        if name.endswith((".js", ".css", ".html")):
            text = content.decode()
            assert re.findall(r"\beval\(|\bnew Function\(|sourceMappingURL", text) == []
            assert (
                re.findall(r"""(?:import\(|from|@import|url\(|src=|href=)\s*["'`]?(?:https?:)?//[\w.-]+""", text) == []
            )


def test_the_bundle_is_small_and_names_its_libraries():
    """A page opens quickly, and the licences of what is in it come along."""
    assert sum(map(len, files(DIST).values())) < MAX_BYTES
    licences = (DIST / "LICENSES.txt").read_text(encoding="utf-8")
    for library in ("@chakra-ui/react", "@tanstack/react-query", "chart.js", "react", "react-dom"):
        assert re.search(rf"^{re.escape(library)} \d", licences, re.MULTILINE), library


def test_neither_the_bundle_nor_the_lock_names_a_machine_or_a_registry():
    """Anybody can build it, from the registry that he uses."""
    lock = (PAGE / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
    for content in files(DIST).values():
        assert str(PAGE.parents[2]).encode() not in content


def test_versions_are_exact():
    """`npm ci` and the lock give everybody the same libraries."""
    pins = re.findall(
        r'^    "[@\w/.-]+": "([^"]+)",?$', (PAGE / "package.json").read_text(encoding="utf-8"), re.MULTILINE
    )
    versions = [pin for pin in pins if re.match(r"[\^~>=*\d]", pin) and not pin.startswith(">=")]
    assert len(versions) > 10
    assert [pin for pin in versions if not re.fullmatch(r"\d+\.\d+\.\d+", pin)] == []


@pytest.mark.timeout(2 * BUILD_TIMEOUT_S)
def test_a_fresh_build_gives_the_committed_bundle(tmp_path):
    """What is served is what the sources say, byte for byte; who changes them also runs `make page`."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed here; only who changes the page needs them")
    for name in SOURCES:
        source = PAGE / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    install = subprocess.run(
        [npm, "ci", "--prefer-offline"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    if install.returncode and re.search(r"ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN", install.stderr):
        pytest.skip("the npm registry cannot be reached from here")
    assert install.returncode == 0, install.stderr
    build = subprocess.run(
        [npm, "run", "build"], cwd=tmp_path, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
    )
    assert build.returncode == 0, build.stdout + build.stderr
    made, committed = files(tmp_path / "dist"), files(DIST)
    assert sorted(made) == sorted(committed), "run `make page` and commit dist/"
    assert [name for name in made if made[name] != committed[name]] == [], "run `make page` and commit dist/"
