"""A person with a browser finds what she looks for, by hand, by keyboard, on a telephone."""

from __future__ import annotations

from pathlib import Path

import pytest

import hybridsearch
from hybridsearch.server import app_for
from tests.browser.conftest import HOSTILE, MASTER, Open
from tests.browser.looking import state, tick, titles, total
from tests.server.live import held_up, served


def test_hits_come_while_typing_with_what_matched_marked(visit: Open) -> None:
    page = visit("?mix=0")
    total(page, 61)
    page.keyboard.type("film 17")
    page.wait_for_function("() => document.querySelector('#hits mark')?.textContent.length > 0")
    page.wait_for_function("() => location.search.includes('q=film+17')")
    page.wait_for_selector("#hits li:first-child .open:text('Film 17 of the sea')")
    assert {"Film", "17"} <= set(page.locator("#hits li:first-child mark").all_inner_texts())
    assert page.complaints == []


def test_markup_in_a_document_is_text(visit: Open) -> None:
    page = visit("?mix=0&q=danger")
    total(page, 1)
    assert titles(page) == [HOSTILE]
    page.locator("#hits .open").click()
    assert HOSTILE in page.locator("#hits").inner_text()
    assert page.locator("#hits img, #hits script, #facets img").count() == 0
    assert page.evaluate("window.broken") is None
    assert page.complaints == []


def test_a_value_without_a_letter_can_be_told_and_ticked(visit: Open) -> None:
    page = visit("?index=goods")
    total(page, 8)
    tick(page, "(empty)").check()
    total(page, 4)
    assert page.locator("#choices button").first.inner_text().startswith("label: (empty)")
    assert page.complaints == []


def test_values_of_a_facet_add_to_each_other(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    tick(page, "Drama").check()
    total(page, 20)
    tick(page, "Comedy").check()
    total(page, 40)
    counts = page.locator("#facets .tick", has_text="Horror").locator(".count").inner_text()
    assert counts == "20"  # as if nothing of the facet were chosen
    assert state(page)["is.genres"] == ["Drama", "Comedy"]
    page.get_by_role("button", name="Remove the filter genres: Drama").click()
    total(page, 20)
    assert not tick(page, "Drama").is_checked()


def test_numbers_are_narrowed_by_their_ends(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    page.get_by_label("year, at least").fill("2000")
    page.keyboard.press("Enter")
    total(page, 20)
    page.get_by_label("year, at most").fill("2004")
    page.keyboard.press("Enter")
    total(page, 5)
    assert state(page)["in.year"] == ["2000,2004"]


def test_address_holds_the_whole_search(visit: Open) -> None:
    page = visit("?index=films&q=sea&mix=0&sort=year:desc&page=2&is.genres=Drama&is.genres=Horror")
    total(page, 40)
    assert page.get_by_label("Search", exact=True).input_value() == "sea"
    assert page.get_by_label("Sort by").input_value() == "year:desc"
    assert tick(page, "Drama").is_checked()
    assert page.locator("[aria-current=page]").inner_text() == "2"
    assert titles(page)[0] == "Film 29 of the sea"


def test_going_back_takes_a_choice_back(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    tick(page, "Drama").check()
    total(page, 20)
    page.go_back()
    total(page, 60)
    assert not tick(page, "Drama").is_checked()


def test_pages_follow_each_other(visit: Open) -> None:
    page = visit("?q=sea&mix=0&sort=year:asc")
    total(page, 60)
    first = titles(page)
    page.get_by_role("button", name="Next page").click()
    page.wait_for_selector("[aria-current=page]:text('2')")
    assert len(first) == 20
    assert set(first).isdisjoint(titles(page))
    assert page.get_by_role("button", name="Page 3").count() == 1


def test_order_is_chosen(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    page.get_by_label("Sort by").select_option("year:desc")
    page.wait_for_selector("#hits .open:text('Film 59')")
    assert titles(page)[:2] == ["Film 59 of the sea", "Film 58 of the sea"]


def test_slider_goes_from_words_to_meaning(visit: Open) -> None:
    page = visit("?q=danger&mix=0")
    total(page, 1)
    page.get_by_label("From words to meaning").fill("100")
    page.wait_for_function("() => Number(document.querySelector('#summary b').textContent) > 1")
    assert page.locator("#mixed").inner_text() == "meaning only"
    assert state(page)["mix"] == ["100"]


def test_index_without_embedder_is_searched_by_words(visit: Open) -> None:
    page = visit("?index=notes&q=bread")
    total(page, 1)
    assert page.get_by_label("From words to meaning").is_disabled()
    page.get_by_label("Index", exact=True).select_option("films")
    page.wait_for_function("() => location.search.includes('index=films')")
    page.wait_for_selector("#facets .tick")
    assert page.get_by_label("From words to meaning").is_enabled()


def test_nested_values_are_shown_and_counted_under_their_names(visit: Open) -> None:
    page = visit("?index=goods&q=shirt")
    page.wait_for_selector("#facets .tick")
    names = page.locator("#hits .hit").first.locator("dt").all_inner_texts()
    assert names == ["details.colour", "details.size.cm", "offers.shop"]
    shops = page.locator("#hits .hit").first.locator("dd").last.locator("span").all_inner_texts()
    assert shops == ["Nord", "Sued"]
    page.get_by_role("checkbox", name="blue").check()
    page.wait_for_function("() => document.querySelectorAll('#hits .hit').length === 4")


def test_keyboard_is_enough(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    focused = "document.activeElement.textContent || document.activeElement.id"
    page.locator("#sort").focus()
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "query"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == titles(page)[1]
    page.keyboard.press("Enter")
    assert '"overview"' in page.locator("#hits .whole:visible").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#hits .whole:visible").count() == 0
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == "query"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("/")
    assert page.evaluate(focused) == "query"
    page.keyboard.press("Escape")
    total(page, 61)
    assert page.locator("#query").input_value() == ""


def test_nothing_found_offers_ways_on(visit: Open) -> None:
    page = visit("?q=qqqq&mix=0&is.genres=Drama")
    page.wait_for_selector(".empty")
    assert "Nothing is found for “qqqq”." in page.locator(".empty").inner_text()
    page.get_by_role("button", name="Show every document").click()
    total(page, 61)


def test_page_past_the_last_one_leads_back(visit: Open) -> None:
    page = visit("?q=sea&mix=0&page=77")
    page.get_by_role("button", name="Go to the first page").click()
    total(page, 60)
    assert len(titles(page)) == 20


def test_database_without_an_index_says_how_to_make_one(visit: Open) -> None:
    with hybridsearch.open(default_embedder=None) as db, served(app_for(db)) as url:
        page = visit(at=url)
        page.wait_for_selector(".empty")
        assert "hybridsearch index" in page.locator(".empty").inner_text()


def test_unknown_index_is_told(visit: Open) -> None:
    page = visit("?index=filmz")
    page.wait_for_selector(".trouble")
    assert page.locator(".trouble code").inner_text() == "index_not_found"


def test_key_is_asked_for_until_it_is_right(visit: Open, locked: str) -> None:
    page = visit("?q=sea&mix=0", at=locked)
    page.wait_for_selector("dialog[open]")
    page.get_by_label("Key", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('refusal').textContent !== ''")
    page.get_by_label("Key", exact=True).fill(MASTER)
    page.keyboard.press("Enter")
    total(page, 60)
    assert MASTER not in page.content()
    assert MASTER not in page.url


LATE = """() => {
  const real = fetch;
  window.late = 0;
  window.fetch = (address, sent) => {
    if (!String(sent.body).includes('"q":"danger"')) return real(address, sent);
    window.late += 1;
    const waited = new Promise((done) => setTimeout(done, 1200));
    return waited.then(() => real(address, { ...sent, signal: undefined })).then((answer) => {
      setTimeout(() => (window.late -= 1), 200);
      return answer;
    });
  };
}"""
"""A network that brings the answers about danger late, and cannot be told to stop."""


def test_answer_that_comes_late_is_not_shown(visit: Open) -> None:
    page = visit("?mix=0")
    total(page, 61)
    page.evaluate(LATE)
    page.locator("#query").fill("danger")
    page.wait_for_function("() => window.late === 1")
    page.locator("#query").fill("film 3")
    page.wait_for_selector("#hits .open:text('Film 3 of')")
    page.wait_for_function("() => window.late === 0")
    assert HOSTILE not in titles(page)


def test_server_that_is_gone_is_told_and_asked_again(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    page.route("**/multi-search", lambda route: route.abort())
    page.locator("#query").fill("film")
    page.wait_for_selector(".trouble")
    assert "cannot be reached" in page.locator("[role=alert]").first.inner_text()
    page.unroute("**/multi-search")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(".trouble", state="detached")
    total(page, 60)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_sticks_out_at_any_width(visit: Open, width: int) -> None:
    page = visit("?q=danger+sea&is.genres=Drama&is.genres=Sea",
                 viewport={"width": width, "height": 800})  # fmt: skip
    page.wait_for_selector("#hits .open")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    if width < 800:
        assert not tick(page, "Drama").is_visible()
        page.get_by_text("Filters").click()
        assert tick(page, "Drama").is_visible()


def test_page_stays_still_while_it_loads(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    shifted = page.evaluate(
        """() => new Promise((done) => {
          const moved = (list) => done(list.getEntries().map((entry) =>
            [entry.value, ...entry.sources.map((source) => source.node?.outerHTML?.slice(0, 60))]));
          new PerformanceObserver(moved).observe({ type: "layout-shift", buffered: true });
          setTimeout(() => done([]), 500);
        })"""
    )
    assert sum(value for value, *_ in shifted) < 0.1, shifted


def test_theme_is_that_of_the_system_until_another_is_chosen(visit: Open) -> None:
    page = visit("?q=sea", color_scheme="dark")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("button", name="Change to light colours").click()
    assert page.locator("html").get_attribute("data-theme") == "light"
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "light"


@pytest.mark.parametrize(
    "search",
    ["", "?index=a&q=x+y&mix=0&sort=b%3Aasc&page=3&is.g=1&is.g=2&in.y=1%2C&in.z=%2C9.5"],
)
def test_address_and_state_are_the_same_thing(visit: Open, search: str) -> None:
    page = visit()
    assert page.evaluate(
        "async (s) => { const a = await import('./web/address.js'); return a.write(a.read(s)); }",
        search,
    ) == search  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a \uE0F0b\uE0F1 c", "a |<b>| c"),
        ("\uE0F0<i>\uE0F1", "<<i>>"),
        ("\uE0F1a\uE0F0b", "a|<b>"),
        ("\uE0F0\uE0F1", ""),
        ("plain", "plain"),
    ],
)  # fmt: skip
def test_marks_are_nodes(visit: Open, text: str, expected: str) -> None:
    page = visit()
    assert page.evaluate(
        """async (text) => {
            const { marked } = await import('./web/marks.js');
            return marked(text).map((node) =>
                node.nodeName === "MARK" ? `<${node.textContent}>` : node.textContent).join("|");
        }""",
        text,
    ) == expected  # fmt: skip


def test_an_index_that_is_made_anew_says_so_and_then_answers(visit: Open, tmp_path: Path) -> None:
    with held_up(tmp_path / "films.duckdb") as (db, go_on), served(app_for(db)) as url:
        page = visit(at=url)
        notice = page.locator("#notice")
        page.wait_for_function("() => document.querySelector('#notice').textContent.length > 0")
        assert "Index `films` is being made ready" in notice.inner_text()
        go_on.set()
        total(page, 3)
        assert notice.inner_text() == ""
