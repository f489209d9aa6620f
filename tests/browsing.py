"""Opening a page of the report in headless Chromium, from the disk, as a person would."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium"
)


@contextmanager
def open_page(path: Path, fragment: str = "", **context: Any) -> Iterator[Page]:
    """The loaded page; `context` goes to Playwright's new_context (viewport, color_scheme, ...).

    `page.requests` holds the addresses that it asked for, `page.complaints` the console's errors
    and warnings and uncaught exceptions.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = browser.new_context(**context).new_page()
            page.requests, page.complaints = [], []
            page.on("request", lambda request: page.requests.append(request.url))
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.on("console", lambda message: _complain(page, message))
            page.goto(path.as_uri() + fragment)
            yield page
        finally:
            browser.close()


def _complain(page: Any, message: Any) -> None:
    if message.type in ("error", "warning"):
        page.complaints.append(message.text)
