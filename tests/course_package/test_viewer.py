"""The token viewer: as data, in a browser, and on a feedback page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from nbformat.v4 import new_output
from playwright.sync_api import Browser, Page

from course import viewer
from hub.grading.pipeline.sanitise import safe_output
from tests.e2e.browser import launched

WORDS = ["<|endoftext|>", " <b>", " &", " b"]
PATTERNS = np.array(
    [
        [[1, 0, 0, 0], [0.4, 0.6, 0, 0], [0, 0.97, 0.03, 0], [0.02, 0.03, 0.9, 0.05]],
        [[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]],
    ]
)


def shown() -> viewer.TokenViewer:
    return viewer.attention(PATTERNS, WORDS, ["0.0", "0.1"])


def test_script_and_style_together_are_small_and_load_nothing():
    assert len(viewer.SCRIPT) + len(viewer.STYLE) < 10_000
    assert not re.search(r"https?:|import\(|fetch\(|src=|url\(", viewer.SCRIPT + viewer.STYLE)


def test_a_feedback_page_shows_tables_that_open_without_a_script():
    page = safe_output(new_output("display_data", data=shown()._repr_mimebundle_()))
    html = page["data"]["text/html"]
    assert "<script" not in html and "<style" not in html and "data-view" not in html
    assert html.count("<details><summary>") == 4
    assert "<summary>3: <code>␣b</code> looks at …</summary>" in html
    assert "<td>2 ␣&amp; 0.90, 3 ␣b 0.05</td>" in html
    assert "<code>␣&lt;b&gt;</code>" in html


def test_one_pattern_is_a_head_of_its_own_and_what_does_not_fit_is_refused():
    assert viewer.attention(PATTERNS[0], WORDS).heads == ["head 0"]
    with pytest.raises(ValueError, match="3 token labels for 4 positions"):
        viewer.attention(PATTERNS, WORDS[:3])
    with pytest.raises(ValueError, match="1 labels for 2 heads"):
        viewer.attention(PATTERNS, WORDS, ["0.0"])
    with pytest.raises(ValueError, match="draw fewer heads or positions"):
        viewer.attention(np.zeros((12, 60, 60)), ["a"] * 60)


def test_saved_output_stays_light():
    patterns = np.full((6, 57, 57), 0.333)
    assert len(viewer.attention(patterns, ["token"] * 57).html()) < 140_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


def opened(browser: Browser, width: int = 848) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 720})
    page.set_content(shown().html())
    return page


def bars(page: Page, head: int) -> list[float]:
    """The heights of a head's bars, as shares of the tallest that there can be."""
    heights = (
        page.locator(".ll-text")
        .nth(head)
        .locator("i")
        .evaluate_all("nodes => nodes.map(node => parseFloat(node.style.height) / 26)")
    )
    return [round(height, 3) for height in heights]


@pytest.mark.browser
@pytest.mark.slow
def test_all_heads_show_where_the_token_under_the_mouse_looks(browser):
    page = opened(browser)
    assert bars(page, 0) == [0.02, 0.03, 0.9, 0.05]  # the last one, at first
    page.locator(".ll-text").nth(1).locator("span").nth(1).hover()
    assert (bars(page, 0), bars(page, 1)) == ([0.4, 0.6, 0, 0], [1, 0, 0, 0])
    assert page.locator(".ll-most").first.inner_text() == "␣<b> → ␣<b> (1) 0.60, ⊢ (0) 0.40"
    page.get_by_role("button", name="Who looks at it?").click()
    assert bars(page, 0) == [0, 0.6, 0.97, 0.03]


@pytest.mark.browser
@pytest.mark.slow
def test_the_keyboard_goes_from_token_to_token(browser):
    page = opened(browser)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert bars(page, 0) == [0, 0.97, 0.03, 0]
    page.keyboard.press("Home")
    assert page.locator(".ll-most").first.inner_text() == "⊢ → ⊢ (0) 1.00"


@pytest.mark.browser
@pytest.mark.slow
def test_without_scripts_a_token_opens_to_its_table(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(shown().html())
    assert not page.get_by_text("2 ␣& 0.90").is_visible()
    page.locator("summary").nth(3).focus()
    page.keyboard.press("Enter")
    assert page.get_by_text("2 ␣& 0.90").is_visible()
    context.close()


@pytest.mark.browser
@pytest.mark.slow
def test_on_a_phone_heads_stand_below_each_other_and_nothing_is_cut_off(browser):
    page = opened(browser, width=360)
    first, second = (head.bounding_box() for head in page.locator(".ll-text").all())
    assert first and second and second["y"] > first["y"] + 20
    assert page.evaluate("document.documentElement.scrollWidth") == 360
