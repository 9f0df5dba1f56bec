"""Whoever sees little, hears the page, or has no mouse uses it too."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.looking import total

CONTRAST = """([selector, what, part]) => {
  const lit = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const seen = (colours) => {
    colours.forEach((colour) => { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); });
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  return [...document.querySelectorAll(selector)].slice(0, 3).map((node) => {
    const grounds = [];
    for (let up = node; up; up = up.parentElement) grounds.unshift(getComputedStyle(up).backgroundColor);
    const [ground, ink] = [seen(grounds), seen([...grounds, getComputedStyle(node, part)[what]])];
    const [light, dark] = [lit(ground), lit(ink)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  });
}"""  # noqa: E501  # one program
READ = (
    *("body", ".open", ".passage", "mark", "dt", "dd span", ".count", "legend", ".mix span"),
    *("#mixed", ".summary small", ".keys span", ".choices button", "[aria-current]", ".plain"),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(visit: Open, scheme: str) -> None:
    page = visit("?q=sea&mix=0&is.genres=Drama&is.genres=Sea", color_scheme=scheme)
    page.wait_for_selector("#hits mark")
    found = {selector: page.evaluate(CONTRAST, [selector, "color", None]) for selector in READ}
    found["hint"] = page.evaluate(CONTRAST, [".ends input", "color", "::placeholder"])
    assert all(found.values())
    assert {name: values for name, values in found.items() if min(values) < 4.5} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("field", ["#query", "#sort", ".ends input"])
def test_every_field_shows_where_it_is(visit: Open, scheme: str, field: str) -> None:
    page = visit("?q=sea&mix=0", color_scheme=scheme)
    page.wait_for_selector("#facets .ends")
    page.locator("#hits").focus()
    assert min(page.evaluate(CONTRAST, [field, "borderTopColor", None])) >= 3


@pytest.mark.parametrize("width", [360, 1280])
def test_every_field_and_button_has_a_name_and_room(visit: Open, width: int) -> None:
    page = visit("?q=sea&mix=40&is.genres=Drama", viewport={"width": width, "height": 800})
    page.wait_for_selector("#hits .open")
    assert page.get_by_role("combobox", name="Sort by").is_visible()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input, select, button")].filter((node) =>
            !(node.labels?.length || node.getAttribute("aria-label") || node.textContent.trim())
        ).map((node) => node.outerHTML)"""
    )
    assert nameless == []
    small = page.evaluate(
        """() => [...document.querySelectorAll("button:not(.open), select, .tick, input:not([type=checkbox])")]
            .filter((node) => node.checkVisibility())
            .map((node) => [node.id || node.textContent, node.getBoundingClientRect()])
            .filter(([, { width, height }]) => Math.min(width, height) < 24)"""  # noqa: E501  # one program
    )
    assert small == []


def test_the_page_has_a_heading_and_tells_how_many_are_found(visit: Open) -> None:
    page = visit("?q=sea&mix=0")
    total(page, 60)
    assert page.get_by_role("heading", level=1).inner_text() == "Results"
    assert page.get_by_role("status").first.inner_text() == "60 results"


def test_who_wants_no_motion_gets_none(visit: Open) -> None:
    page = visit("?q=sea&mix=0", reduced_motion="reduce")
    total(page, 60)
    page.evaluate("document.body.classList.add('busy')")
    moving = "getComputedStyle(document.querySelector('#progress'), '::after').animationName"
    assert page.evaluate(moving) == "none"


@pytest.mark.parametrize("width", [360, 1280])
def test_what_has_the_focus_is_in_sight(visit: Open, width: int) -> None:
    page = visit("?q=sea&mix=0", viewport={"width": width, "height": 700})
    total(page, 60)
    for key in ["ArrowDown"] * 12 + ["ArrowUp"] * 11:
        page.keyboard.press(key)
        assert page.evaluate(
            """() => {
              const { top, bottom } = document.activeElement.getBoundingClientRect();
              const head = document.querySelector(".top").getBoundingClientRect().bottom;
              return top >= head && bottom <= innerHeight;
            }"""
        )


def test_on_glass_the_keyboard_goes_once_one_has_asked(visit: Open) -> None:
    page = visit("?mix=0", has_touch=True, is_mobile=True, viewport={"width": 360, "height": 700})
    total(page, 61)
    page.locator("#query").fill("sea")
    page.locator("#query").press("Enter")
    total(page, 60)
    assert page.evaluate("document.activeElement === document.body")
