"""Opening a page of the report in headless Chromium, from the disk, as a person would."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium"
)
_running = ExitStack()


@cache
def _start_browser() -> Browser:
    """The one browser of a test module, from its first page until `stop_browser`."""
    playwright = _running.enter_context(sync_playwright())
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    _running.callback(browser.close)
    return browser


def stop_browser() -> None:
    """End the browser, if one runs: with it Playwright's event loop, beside which none can run."""
    _running.close()
    _start_browser.cache_clear()


@contextmanager
def open_page(path: Path, fragment: str = "", **context: Any) -> Iterator[Page]:
    """The loaded page; `context` goes to Playwright's new_context (viewport, color_scheme, ...).

    `page.requests` holds the addresses that it asked for, `page.complaints` the console's errors
    and warnings and uncaught exceptions.
    """
    with _start_browser().new_context(**context) as own:
        page = own.new_page()
        page.requests, page.complaints = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda message: _complain(page, message))
        page.goto(path.as_uri() + fragment)
        yield page


def _complain(page: Any, message: Any) -> None:
    if message.type in ("error", "warning"):
        page.complaints.append(message.text)
