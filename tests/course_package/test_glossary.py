"""The glossary that a notebook shows: what it finds, as text, in a browser, on a feedback page."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from nbformat.v4 import new_output
from playwright.sync_api import Browser, Page

from course import glossary
from course.terms import shown
from course.terms.terms import terms
from hub.grading.pipeline.sanitise import safe_output
from tests.e2e.browser import launched


def found(words: str) -> list[str]:
    return [term.name for term in glossary(words).terms]


def test_a_term_is_found_by_its_name_by_other_names_and_without_regard_to_capitals():
    assert found("OV circuit") == found("ov  Circuit ") == found("W_OV") == ["OV circuit"]
    assert found("K-composition") == ["composition"]
    assert found("queries") == ["query and key"]


def test_other_words_find_all_terms_that_mention_them_names_first():
    names = found("patching")
    assert names[:3] == ["activation patching", "attribution patching", "path patching"]
    assert "denoising and noising" in names[3:]
    assert found("repeats axis") == ["broadcasting"]


def test_what_nothing_mentions_is_refused_with_names_that_are_spelled_alike():
    with pytest.raises(LookupError, match="'induktion haed'; do you mean 'induction head'"):
        glossary("induktion haed")
    with pytest.raises(LookupError, match=r"glossary\(\) shows all"):
        glossary("qqqqqq")
    with pytest.raises(LookupError):
        glossary("  ")


def test_as_text_it_says_the_same():
    text = repr(glossary("previous-token head"))
    assert text.startswith("previous-token head\n    A head whose every position looks at the")
    assert '    >>> drawings.attention_shape("previous")\n' in text
    assert (
        "    exercise: 06-induction-heads, 3 · Who looks one step back?: prev_token_score" in text
    )
    assert "    see also: induction head, composition, relative position\n" in text
    assert "    paper: Elhage, Nanda, Olsson et al. 2021, A Mathematical Framework" in text
    prose = [
        line for line in repr(glossary()).splitlines() if not re.match(" +(>>>|exe|pap)", line)
    ]
    assert max(map(len, prose)) <= 88


def test_exercises_are_links_where_their_notebook_is_on_this_machine(tmp_path, monkeypatch):
    for folder in ("06-induction-heads", "my-notes"):
        (tmp_path / folder).mkdir()
    (tmp_path / "06-induction-heads" / "induction-heads.ipynb").touch()
    file = "06-induction-heads/induction-heads.ipynb#3-%C2%B7-Who-looks-one-step-back%3F"
    monkeypatch.chdir(tmp_path / "my-notes")
    html = glossary("previous-token head").html()
    assert f'<a href="../{file}">' in html
    assert "05-mathematical-framework" not in re.sub(r"<a .*?</a>", "", html)
    assert "<a " not in glossary("OV circuit").html()  # its notebooks were not fetched
    monkeypatch.chdir(tmp_path)
    assert f'<a href="./{file}">' in glossary("previous-token head").html()


def test_script_and_style_are_small_and_load_nothing():
    assert len(shown.SCRIPT) + len(shown.STYLE) < 8_000
    assert not re.search(r"https?:|import\(|fetch\(|src=|url\(", shown.SCRIPT + shown.STYLE)
    assert len(glossary().html()) < 150_000


def test_a_feedback_page_shows_terms_that_open_without_a_script():
    page = safe_output(new_output("display_data", data=glossary("circuit")._repr_mimebundle_()))
    html = page["data"]["text/html"]
    assert "<script" not in html and "<style" not in html and "<svg" not in html
    assert "<summary><b>circuit</b></summary><p>A part of a model" in html
    whole = safe_output(new_output("display_data", data=glossary()._repr_mimebundle_()))
    assert whole["data"]["text/html"].count("<details") > 100  # what is too long is cut off


def test_importing_something_of_the_course_does_not_load_the_glossary():
    code = (
        "import sys, course.calls; print([m for m in sys.modules if m.startswith('course.terms.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


def opened(browser: Browser, words: str = "", width: int = 848) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 720})
    page.set_content(glossary(words).html())
    return page


def visible(page: Page) -> list[str]:
    return page.locator("details:visible summary b").all_inner_texts()


@pytest.mark.browser
@pytest.mark.slow
def test_the_keyboard_searches_opens_a_term_and_comes_back(browser):
    page = opened(browser)
    assert len(visible(page)) == len(terms())
    page.keyboard.press("Tab")
    page.keyboard.type("ov circuit")
    assert visible(page)[0] == "OV circuit"
    assert page.get_by_role("status").inner_text().startswith(f"{len(visible(page))} of ")
    page.keyboard.press("Enter")
    assert page.get_by_text("W_E @ W_V @ W_O @ W_U").is_visible()
    page.keyboard.press("ArrowDown")
    focused = page.evaluate("document.activeElement.querySelector('b').textContent")
    assert focused == visible(page)[1]
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.type") == "search"
    assert visible(page) == [term.name for term in terms()]
    page.keyboard.type("there is no such thing")
    assert visible(page) == []


@pytest.mark.browser
@pytest.mark.slow
def test_a_letter_on_a_term_is_no_command_of_jupyterlab(browser):
    page = opened(browser)
    page.evaluate("heard = []; addEventListener('keydown', event => heard.push(event.key))")
    page.locator("summary").first.focus()
    for key in ("a", "d", "Escape", "Control+s"):
        page.keyboard.press(key)
    assert page.evaluate("heard") == ["Control", "s"]


@pytest.mark.browser
@pytest.mark.slow
def test_see_also_goes_to_the_other_term(browser):
    page = opened(browser)
    page.get_by_label("Search the glossary").fill("attention sink")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="softmax").click()
    assert page.get_by_text("Exponentials divided by their sum").is_visible()
    assert page.evaluate("document.activeElement.querySelector('b').textContent") == "softmax"
    assert page.get_by_label("Search the glossary").input_value() == ""


@pytest.mark.browser
@pytest.mark.slow
def test_a_term_alone_is_open_with_its_drawing_and_without_a_search(browser):
    page = opened(browser, "QK circuit")
    assert page.locator("svg.ll-drawing").is_visible()
    assert page.get_by_role("searchbox").count() == 0


@pytest.mark.browser
@pytest.mark.slow
def test_on_a_phone_nothing_is_cut_off(browser):
    page = opened(browser, width=360)
    page.get_by_label("Search the glossary").fill("copying score")
    page.keyboard.press("Enter")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.browser
@pytest.mark.slow
def test_without_scripts_terms_open_by_keyboard(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(glossary().html())
    assert not page.get_by_text("A library for annotations").is_visible()
    page.locator("summary", has_text="jaxtyping").focus()
    page.keyboard.press("Enter")
    assert page.get_by_text("A library for annotations").is_visible()
    context.close()
