"""What is on the page?"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.browser.conftest import Page


def titles(page: Page) -> list[str]:
    """The titles of the hits, once there are some."""
    page.wait_for_selector("#hits .open")
    found: list[str] = page.locator("#hits .open").all_inner_texts()
    return found


def total(page: Page, expected: int) -> None:
    """Wait until the page says that so many are found."""
    page.wait_for_function(
        "count => document.querySelector('#summary b')?.textContent === String(count)", arg=expected
    )


def tick(page: Page, value: str) -> Any:
    """The box of a facet's value."""
    return page.locator(".tick", has_text=value).locator("input")


def state(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)
