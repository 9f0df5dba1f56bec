"""Headless Chromium on the search page of a real server; skipped where there is no browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import pytest

import hybridsearch
from hybridsearch import Database
from hybridsearch.server import app_for
from tests.conftest import letters
from tests.server.live import served

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
Page: TypeAlias = Any
Open: TypeAlias = Callable[..., Page]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOSTILE = '<img src=x onerror="window.broken = 1"><script>window.broken = 1</script>'
KINDS = ("Drama", "Comedy", "Horror")
MASTER = "masterKey"


def films() -> Iterator[dict[str, Any]]:
    """Sixty films in a row; one of them is a danger to pages that trust it."""
    for number in range(60):
        yield {
            "id": number,
            "title": f"Film {number} of the sea",
            "overview": f"A long story about the sea, told in {number} parts. " * 3,
            "year": 1960 + number,
            "genres": [KINDS[number % 3], "Sea"] if number % 2 else [KINDS[number % 3]],
        }
    yield {"id": 99, "title": HOSTILE, "overview": f"danger {HOSTILE}", "genres": [HOSTILE]}


def filled() -> Database:
    """A database in memory with an index "films" and a small one, "notes"."""
    db = hybridsearch.open(default_embedder=None, functions={"letters": letters})
    settings = {
        "searchable_attributes": ["title", "overview"],
        "filterable_attributes": ["genres", "year"],
        "sortable_attributes": ["year"],
        "embedders": {"letters": {"source": "function"}},
    }
    db.create_index("films", primary_key="id", settings=settings).add(list(films()))
    db.create_index("notes", primary_key="id").add([{"id": 1, "note": "buy bread"}])
    db.create_index("goods", primary_key="id").add(
        [
            {
                "id": number,
                "name": f"Shirt {number}",
                "details": {"colour": ["red", "blue"][number % 2], "size": {"cm": 170}},
                "label": ["", "new"][number % 2],
                "offers": [{"shop": "Nord"}, {"shop": "Sued"}],
            }
            for number in range(8)
        ]
    )
    return db


@pytest.fixture(scope="module")  # while it lives, no other test of the thread has an event loop
def browser() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium on this machine; apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a server with films that everybody may search."""
    with filled() as db, served(app_for(db)) as url:
        yield url


@pytest.fixture(scope="module")
def locked() -> Iterator[str]:
    """Of a server that asks for a key."""
    with filled() as db, served(app_for(db, master_key=MASTER)) as url:
        yield url


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Open]:
    """Opens the page at an address' search part; what it complains of is in `page.complaints`."""
    with ExitStack() as stack:

        def opened(search: str = "", *, at: str = address, **options: Any) -> Page:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(15_000)
            page.complaints = []
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
            page.goto(f"{at}/{search}")
            return page

        yield opened
