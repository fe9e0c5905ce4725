"""The course's page in a browser: readable in light and dark, on a screen and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from hub.exchange.access import Access, Caller
from hub.exchange.overview import CourseInfo
from hub.exchange.page import page as rendered
from hub.exchange.records import Points
from hub.exchange.store import Store
from tests.e2e.browser import launched
from tests.exchange.samples import COURSE, Clock, give_feedback, notebook, release, submit
from tests.exchange.test_page import INFO, hand_out

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

LONG = "Superposition, polysemanticity and Donaudampfschifffahrtsgesellschaftskapitänsmütze " * 2

# Text whose contrast with what is behind it is below 4.5 (WCAG 2.2, 1.4.3).
FAINT = """() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = numbers(colour).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    if (![...element.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.push(`${element.textContent.trim().slice(0, 40)}: ${contrast}`);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as running:
        yield running


def empty(store: Store, clock: Clock) -> None:
    store.unrelease(COURSE, "06-induction-heads", by="prof")


def ten(store: Store, clock: Clock) -> None:
    hand_out(store, "start", "Start here")
    for number in range(1, 9):
        due = clock.now + timedelta(days=7 * number, hours=10, minutes=59)
        hand_out(store, f"{number:02}-part", f"Part {number}: what a model does", 54, due)
    release(store, due=clock.now + timedelta(hours=1))
    give_feedback(store, submit(store, notebook("first")), points=Points(50, 54, 5))
    clock.now += timedelta(hours=2)
    submit(store, notebook("second"))
    hand_out(store, "99-" + "long-" * 18, LONG)


STATES = {"empty": empty, "ten": ten}


def shown(browser: Browser, html: str, width: int, scheme: Literal["light", "dark"]) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.set_content(html)
    return page


@pytest.mark.parametrize("state", STATES)
def test_the_page_is_readable_at_every_width_in_light_and_dark(
    browser, store, clock, tmp_path: Path, state
):
    STATES[state](store, clock)
    groups = frozenset({f"nbgrader-{COURSE}", f"formgrade-{COURSE}"})
    access = Access(store, Caller("alice", groups), {COURSE})
    html = rendered(access, {COURSE: CourseInfo("Interpretability", INFO.zone)}, "/hub/", clock.now)
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        for width in (360, 390, 1280):
            page = shown(browser, html, width, scheme)
            if page.locator("summary").count():
                page.locator("summary").first.click()
            page.screenshot(path=tmp_path / f"{state}-{scheme}-{width}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.evaluate(FAINT) == []
            page.close()
