"""What a person chooses is kept, counted truly, and not in her way while she goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import hybridsearch
from hybridsearch.server import app_for
from tests.browser.conftest import Open, Page
from tests.browser.looking import state, tick, titles, total
from tests.conftest import letters
from tests.server.live import served

FOCUSED = "document.activeElement.getAttribute('aria-label') || document.activeElement.id"


def asked(page: Page, act: Callable[[], object]) -> Any:
    """The query that the page sends upon it."""
    with page.expect_request("**/multi-search") as sent:
        act()
    return json.loads(sent.value.post_data)["queries"][0]


def test_how_much_meaning_counts_is_left_to_the_server_until_somebody_says(visit: Open) -> None:
    page = visit("?index=films")
    total(page, 61)
    query = asked(page, lambda: page.locator("#query").fill("sea"))
    assert query["hybrid"] == {"embedder": "letters"}
    assert page.locator("#mixed").inner_text() == "automatic"
    query = asked(page, lambda: page.locator("#mix").press("ArrowLeft"))
    assert query["hybrid"] == {"embedder": "letters", "semanticRatio": 0.45}
    assert page.locator("#mix").get_attribute("aria-valuetext") == "45 % meaning"
    assert state(page)["mix"] == ["45"]
    query = asked(page, page.get_by_role("button", name="Reset").click)
    assert query["hybrid"] == {"embedder": "letters"}
    assert page.evaluate(FOCUSED) == "mix"
    assert "mix" not in state(page)


def test_a_facet_of_many_values_shows_the_most_frequent(visit: Open) -> None:
    names = [f"a{number:03}" for number in range(150)] * 2 + ["z"] * 9
    documents = [{"id": n, "title": f"No. {n}", "by": name} for n, name in enumerate(names)]
    with hybridsearch.open(default_embedder=None) as db, served(app_for(db)) as url:
        db.create_index("films", primary_key="id").add(documents)
        page = visit(at=url)
        total(page, len(names))
        first = page.locator("#facets .tick").first
        assert first.inner_text().split() == ["z", "9"]
        assert page.locator("#facets legend").all_inner_texts() == ["BY"]


def test_a_value_that_is_ticked_counts_what_is_found(visit: Open) -> None:
    documents = [{"id": n, "title": f"No. {n}", "kind": ["a", "b"][n % 2]} for n in range(500)]
    settings = {"embedders": {"letters": {"source": "function"}}}
    with hybridsearch.open(functions={"letters": letters}) as db, served(app_for(db)) as url:
        db.create_index("films", primary_key="id", settings=settings).add(documents)
        page = visit("?q=no&mix=100&is.kind=a", at=url)
        total(page, 200)  # the nearest of those that fit
        counts = page.locator("#facets .tick .count").all_inner_texts()
        assert counts[0] == "200"
        assert int(counts[1]) < 200


def test_ticks_that_come_before_the_answer_are_all_kept(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    routes: list[Any] = []
    page.route("**/multi-search", lambda route: routes.append(route))  # it marks what it calls
    for value in ("Drama", "Comedy", "Horror"):
        tick(page, value).check()
    tick(page, "Comedy").uncheck()
    routes[-1].continue_()
    total(page, 40)
    assert state(page)["is.genres"] == ["Drama", "Horror"]


def test_half_a_number_outlives_an_answer(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    page.get_by_label("year, at least").click()
    page.keyboard.type("2000")
    page.keyboard.press("Tab")
    page.keyboard.type("20")
    total(page, 20)
    page.keyboard.type("04")
    page.keyboard.press("Enter")
    total(page, 5)
    page.go_back()
    total(page, 20)
    assert page.get_by_label("year, at most").input_value() == ""


def test_the_focus_stays_where_one_goes_on(visit: Open) -> None:
    page = visit("?q=sea&mix=0&is.genres=Drama&is.genres=Horror")
    total(page, 40)
    tick(page, "Comedy").focus()
    page.keyboard.press("Space")
    total(page, 60)
    assert tick(page, "Comedy").evaluate("box => box === document.activeElement")
    page.get_by_role("button", name="Remove the filter genres: Drama").focus()
    page.keyboard.press("Enter")
    total(page, 40)
    assert page.evaluate(FOCUSED) == "Remove the filter genres: Horror"
    page.get_by_role("button", name="Clear all").focus()
    page.keyboard.press("Enter")
    total(page, 60)
    assert page.evaluate(FOCUSED) == "query"
    page.get_by_role("button", name="Next page").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-current=page]:text('2')")
    page.wait_for_function("() => document.activeElement.id === 'hits'")
    page.keyboard.press("ArrowDown")
    assert page.locator("#hits .open").first.evaluate("title => title === document.activeElement")


def test_asking_the_same_again_is_no_step_to_go_back(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    steps = page.evaluate("history.length")
    page.locator("#query").press("Enter")
    page.locator("#query").press("Enter")
    assert page.evaluate("history.length") == steps
    page.locator("#query").fill("film 3")
    page.wait_for_selector("#hits .open:text('Film 3 of')")
    assert page.evaluate("history.length") == steps


def test_keys_of_an_input_method_are_left_to_it(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    page.locator("#query").focus()
    page.evaluate(
        """() => document.activeElement.dispatchEvent(
            new KeyboardEvent("keydown", { key: "ArrowDown", isComposing: true, bubbles: true }))"""
    )
    assert page.evaluate(FOCUSED) == "query"


def test_filters_that_nothing_fits_are_named_as_the_reason(visit: Open) -> None:
    page = visit("?mix=0&is.genres=Nothing")
    page.wait_for_selector(".empty")
    assert "No document fits these filters." in page.locator(".empty").inner_text()
    page.get_by_role("button", name="Search without filters").click()
    total(page, 61)


ODD = [
    {"id": 2**53 + 1, "n": 7, "at": "2024-01-01", "blank": " ", "kind": "first of all"},
    {"id": 2, "n": 8, "title": "שלום עולם: ספר", "kind": "x" * 3000},
    {"id": 3, "n": 0, "flag": True, "list": [1, [2]], "none": None, "empty": {}},
]


@pytest.fixture
def odd(visit: Open) -> Any:
    """The page over documents that are not as one expects."""
    with hybridsearch.open(default_embedder=None) as db, served(app_for(db)) as url:
        db.create_index("odd", primary_key="id").add(ODD)
        yield visit("?sort=n:asc", at=url)


def test_what_stands_for_a_hit_is_a_text_else_its_id(odd: Page) -> None:
    assert titles(odd) == ["3", "first of all", "שלום עולם: ספר"]
    names = odd.locator("#hits .hit").nth(1).locator("dt").all_inner_texts()
    assert names == ["n", "at"]


def test_whole_numbers_are_shown_as_they_are(odd: Page) -> None:
    titles(odd)
    odd.locator("#hits .open").nth(1).click()
    assert f'"id": {2**53 + 1},' in odd.locator("#hits .whole:visible").inner_text()


def test_what_is_read_from_the_right_begins_there(odd: Page) -> None:
    titles(odd)
    right = "node => getComputedStyle(node).direction"
    assert odd.locator("#hits h2").nth(2).evaluate(right) == "rtl"
    assert odd.locator("#hits h2").nth(1).evaluate(right) == "ltr"


def test_a_word_without_end_does_not_fill_the_page(odd: Page) -> None:
    titles(odd)
    assert odd.locator("#hits .hit").nth(2).bounding_box()["height"] < 500


def test_attributes_and_values_may_have_any_name(visit: Open) -> None:
    names = ("constructor", "toString", "__proto__")
    documents = [{"id": n, **dict.fromkeys(names, "valueOf")} for n in range(20)]
    for number, document in enumerate(documents[:14]):
        document["constructor"] = f"made by {number % 7}"
    with hybridsearch.open(default_embedder=None) as db, served(app_for(db)) as url:
        db.create_index("races", primary_key="id").add(documents)
        page = visit(at=url)
        total(page, 20)
        assert page.locator("#facets legend").all_inner_texts() == [n.upper() for n in names]
        tick(page, "made by 3").check()
        total(page, 2)
        page.locator("fieldset", has_text="__proto__").locator("input").check()
        total(page, 2)
        assert state(page) == {
            "index": ["races"], "is.constructor": ["made by 3"], "is.__proto__": ["valueOf"],
        }  # fmt: skip
        page.reload()
        total(page, 2)
        page.get_by_role("button", name="Clear all").click()
        total(page, 20)
        assert page.complaints == []
