"""Figures as a browser draws them: nothing is cut off, and the theme's ink is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import plotly
import pytest
from playwright.sync_api import Browser, Page

import course
from course import drawings
from tests.course_package.figures import every_kind
from tests.course_package.test_drawings import every_drawing
from tests.e2e.browser import launched

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(course.__file__).parents[1]
PLOTLY = Path(plotly.__file__).parent / "package_data/plotly.min.js"
EXTENSION = ROOT / "hub/singleuser/labextensions/logitlab-figures/static/remoteEntry.js"
LAB, PHONE = 848, 360  # pixels of a cell's output in JupyterLab at 1280, and on a phone

# Texts that stick out of their figure, and figures wider than their page.
CUT_OFF = """node => [...node.querySelectorAll(".main-svg")].flatMap(svg => {
  const page = node.getBoundingClientRect(), paper = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].filter(text => text.textContent.trim());
  const out = texts.filter(text => {
    const box = text.getBoundingClientRect();
    return box.left < paper.left - 1 || box.right > paper.right + 1
        || box.top < paper.top - 1 || box.bottom > paper.bottom + 1;
  });
  return [...out.map(text => text.textContent), ...(paper.right > page.right + 1 ? ["paper"] : [])];
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


def drawn(browser: Browser, width: int, style: str = "") -> Page:
    """A page with every kind of figure, as wide as the output of a cell."""
    page = browser.new_page(viewport={"width": width, "height": 720})
    page.set_content(
        f"<style>body {{ margin: 0; {style} }}</style>"
        + "".join(
            f"<div class=jp-RenderedPlotly id={i} data-name={name!r}></div>"
            for i, name in enumerate(every_kind())
        )
    )
    page.add_script_tag(path=PLOTLY)
    for i, figure in enumerate(every_kind().values()):
        page.evaluate(f"(f => Plotly.react('{i}', f.data, f.layout))({figure.to_json()})")
    return page


@pytest.mark.parametrize("width", [LAB, PHONE])
def test_nothing_is_cut_off(browser, width):
    page = drawn(browser, width)
    cut_off = {
        node.get_attribute("data-name"): node.evaluate(CUT_OFF)
        for node in page.locator(".jp-RenderedPlotly").all()
    }
    assert {name: texts for name, texts in cut_off.items() if texts} == {}


def test_in_jupyterlab_paper_is_the_themes_and_so_is_ink(browser):
    page = drawn(
        browser, LAB, "--jp-layout-color0: #111; --jp-ui-font-color1: #eeeeee; background: #111"
    )
    fill = "node => getComputedStyle(node).fill"
    title = page.locator(".gtitle").first
    assert title.evaluate(fill) == "rgb(34, 34, 34)"
    page.add_script_tag(path=EXTENSION)
    page.evaluate("""async () => {
      const factory = await window._JUPYTERLAB["logitlab-figures"].get();
      factory().default.activate();
    }""")
    assert title.evaluate(fill) == "rgb(238, 238, 238)"
    for paper in page.locator(".main-svg").all():
        assert (
            paper.evaluate("node => getComputedStyle(node).backgroundColor") == "rgba(0, 0, 0, 0)"
        )


def with_drawings(browser: Browser, width: int, style: str = "") -> Page:
    """A page with every drawing, as the outputs of cells."""
    page = browser.new_page(viewport={"width": width, "height": 720})
    outputs = [drawing._repr_mimebundle_()["text/html"] for drawing in every_drawing().values()]
    page.set_content(f"<style>body {{ margin: 0; {style} }}</style>" + "".join(outputs))
    return page


@pytest.mark.parametrize("width", [LAB, PHONE])
def test_no_word_of_a_drawing_is_cut_off_and_none_widens_the_page(browser, width):
    page = with_drawings(browser, width)
    cut_off = """node => [...node.querySelectorAll("text")].filter(text => {
      const box = text.getBoundingClientRect(), all = node.getBoundingClientRect();
      return box.left < all.left - 1 || box.right > all.right + 1
          || box.top < all.top - 1 || box.bottom > all.bottom + 1;
    }).map(text => text.textContent)"""
    assert [text for node in page.locator("svg").all() for text in node.evaluate(cut_off)] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_ink_of_a_drawing_is_the_themes(browser):
    page = with_drawings(browser, LAB, "--jp-ui-font-color1: #eeeeee; --jp-layout-color0: #111")
    for text in page.locator("svg text").all():
        assert text.evaluate("node => getComputedStyle(node).fill") == "rgb(238, 238, 238)"


def test_a_hook_point_tells_its_name_to_the_mouse_and_to_the_keyboard(browser):
    page = browser.new_page(viewport={"width": LAB, "height": 720})
    page.set_content(drawings.hook_map(1).svg())
    about = page.get_by_text("blocks.1.attn.hook_z", exact=True).locator("..")
    visible = "node => getComputedStyle(node).opacity"
    assert about.evaluate(visible) == "0"
    page.get_by_text("attn.hook_z", exact=True).click()
    page.mouse.move(0, 700)
    assert about.evaluate(visible) == "1"  # and stays, to be copied
    page.keyboard.press("Tab")
    assert about.evaluate(visible) == "0"
    written = page.get_by_text("blocks.1.hook_attn_out", exact=True).locator("..")
    assert written.evaluate(visible) == "1"
