"""Airflow's pages in headless Chromium, signed in: for screenshots, and for tests that look at what people look at.

Playwright drives whatever Chromium the machine has; it comes with the development requirements only.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from include.local.airflow import LocalAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Theme = Literal["light", "dark"]

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
_WAIT_MS = 30_000


class NoBrowserError(RuntimeError):
    """There is no Chromium on this machine."""


@contextmanager
def running_browser() -> Iterator["Browser"]:
    """Start Chromium without a screen; it ends with the block. Raises NoBrowserError."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise NoBrowserError(f"None of {', '.join(PROGRAMS)} is installed. On Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_OPTIONS)
        yield browser
        browser.close()


@contextmanager
def signed_in(
    browser: "Browser",
    airflow: LocalAirflow,
    *,
    theme: Theme = "light",
    size: tuple[int, int] = (1440, 1000),
    user: tuple[str, str] | None = None,
) -> Iterator["Page"]:
    """Open a page of a user who is signed in, the administrator unless another one's name and password are given.

    ``size`` is the window's, in pixels.
    """
    from playwright.sync_api import expect

    name, password = user or (airflow.username, airflow.password)
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="en-GB", timezone_id="UTC")
    context.add_init_script(f"window.localStorage.setItem('theme', '{theme}')")
    page = context.new_page()
    page.set_default_timeout(_WAIT_MS)
    page.goto(airflow.url)
    page.fill('input[name="username"]', name)
    page.fill('input[name="password"]', password)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Dags").first).to_be_visible()
    yield page
    context.close()
