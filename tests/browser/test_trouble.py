"""Where something is wrong, the page says what, and how to go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

from hybridsearch.server import app_for
from tests.browser.conftest import MASTER, Open, Page, filled
from tests.browser.looking import titles, total
from tests.server.live import served


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[str, str]]:
    """(address, a key that may search and nothing else) of a server that asks for one."""
    with filled() as db, served(app_for(db, master_key=MASTER)) as url:
        asked = Request(f"{url}/keys", headers={"Authorization": f"Bearer {MASTER}"})
        with urlopen(asked) as answer:
            keys = {key["name"]: key["key"] for key in json.load(answer)["results"]}
        yield url, keys["Default Search API Key"]


def enter(page: Page, key: str, index: str = "") -> None:
    page.wait_for_selector("dialog[open]")
    page.get_by_label("Key", exact=True).fill(key)
    page.locator("#named").fill(index)
    page.keyboard.press("Enter")


@pytest.mark.parametrize(
    ("search", "code"),
    [
        ("?q=sea&sort=colour:asc", "invalid_search_sort"),
        ("?q=sea&is.colour=red", "invalid_search_filter"),
        ("?q=sea&index=nowhere", "index_not_found"),
    ],
)
def test_a_link_that_does_not_fit_offers_a_new_start(visit: Open, search: str, code: str) -> None:
    page = visit(search)
    page.wait_for_selector(".trouble")
    assert page.locator(".trouble code").inner_text() == code
    assert "queries[" not in page.locator(".trouble").inner_text()
    assert page.locator("#query").input_value() == "sea"
    page.get_by_role("button", name="Start anew").click()
    total(page, 61)
    assert page.locator(".trouble").count() == 0


def test_a_server_that_has_no_time_is_asked_again(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    answers = [503, 503]
    told = '{"message": "Too busy.", "code": "too_many_search_requests"}'

    def busy(route: Page) -> None:
        if answers:
            headers = {"Retry-After": "1"}
            route.fulfill(status=answers.pop(), headers=headers, body=told)
        else:
            route.continue_()

    page.route("**/multi-search", busy)
    page.locator("#query").fill("film 3")
    page.wait_for_selector(".patience")
    assert page.locator(".patience").inner_text() == "Too busy."
    page.wait_for_selector(".patience", state="detached")
    assert titles(page)[0] == "Film 3 of the sea"


def test_a_key_that_may_only_search_needs_the_name_of_an_index(
    visit: Open, guarded: tuple[str, str]
) -> None:
    url, key = guarded
    page = visit(at=url)
    enter(page, key)
    page.wait_for_function(
        "() => document.querySelector('#refusal').textContent.includes('name one')"
    )
    enter(page, key, "films")
    total(page, 61)
    page.reload()
    total(page, 61)
    assert page.evaluate("localStorage.length") == 0


def test_without_a_key_the_page_says_so(visit: Open, guarded: tuple[str, str]) -> None:
    page = visit("?mix=0&q=sea", at=guarded[0])
    page.wait_for_selector("dialog[open]")
    page.get_by_role("button", name="Cancel").click()
    page.locator(".trouble button", has_text="Enter a key").click()
    enter(page, MASTER)
    total(page, 60)


def test_colours_are_those_of_the_system_before_anything_runs(visit: Open) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = visit(color_scheme="dark")
    titles(dark)
    plain = visit(color_scheme="dark", java_script_enabled=False)
    found = plain.locator("body").evaluate(f"() => {ground}")
    assert found == dark.evaluate(ground)


def test_nothing_is_asked_of_anybody_else(visit: Open, address: str) -> None:
    page = visit()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    titles(page)
    page.locator("#hits .open").first.click()
    assert asked
    assert all(url.startswith(f"{address}/") for url in asked)
    assert page.complaints == []
