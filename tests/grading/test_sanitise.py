"""Students' text is shown, and none of it runs."""

from __future__ import annotations

import base64
import copy
import re
from pathlib import Path
from typing import Any

import jupytext
import pytest
from nbformat import from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from hub.grading.pipeline.hidden import hide_tests, split_hidden
from hub.grading.pipeline.sanitise import (
    describe_figure,
    safe_html,
    safe_markdown,
    safe_output,
    sanitise,
)

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><circle/></svg>",
    "[click](javascript:alert(1))",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<iframe src='//evil'></iframe><object data=x></object><embed src=x>",
    "<form action='//evil'><input name=p><button>go</button></form>",
    "<style>body{display:none}</style><div style='position:fixed'>over</div>",
    "<meta http-equiv=refresh content='0;//evil'><base href='//evil'>",
    "<img src='https://evil.example/spy.png'>",
    "$\\href{javascript:alert(1)}{x}$",
    "$\\text{<script>alert(1)</script><iframe src='//evil'>}$",
    "$$\\class{a}{\\style{position:fixed}{\\text{<style>*{}</style>}}}$$",
    "```\n</code></pre><script>alert(1)</script>\n```",
    "<math><mtext></mtext><mglyph><style><!--</style><img src onerror=alert(1)>",
]
RUNS = (
    "<script", "onerror=", "onload=", 'href="javascript', 'href="data', "<iframe", "<object",
    "<embed", "<form", "<input", "<style", "style=", "<meta", "<base", "evil.example", "\\href",
    "<svg",
)  # fmt: skip


def runs(html: str) -> list[str]:
    plain = html.replace("&#92;", "\\").replace("&#10;", "\n")
    return [sign for sign in RUNS if sign in plain.lower()]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_in_markdown_runs(attack: str) -> None:
    assert runs(safe_markdown(attack)) == []


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_in_an_html_output_runs(attack: str) -> None:
    assert runs(safe_html(attack)) == []


def test_formatting_tables_code_and_pasted_pictures_stay() -> None:
    attachments = {"a.png": {"image/png": "aGk="}}
    text = "**b** `1 < 2`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n![p](attachment:a.png) $x_1$"
    html = safe_markdown(text, attachments)
    assert "<strong>b</strong>" in html
    assert "<code>1 &lt; 2</code>" in html
    assert "<td>1</td>" in html
    assert 'src="data:image/png;base64,aGk="' in html
    assert "<msub><mi>x</mi><mn>1</mn></msub>" in html
    assert "\n" not in html


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("so $a < b$.", "<mrow><mi>a</mi><mo>&lt;</mo><mi>b</mi></mrow></math>."),
        ("$$\\frac12$$", '<math display="block"><mrow><mfrac><mn>1</mn><mn>2</mn></mfrac>'),
        ("\\begin{align}a&=b\\end{align}", "<mtd"),
        ("$\\text{if } x$", "<mtext>if\xa0</mtext>"),
    ],
)
def test_tex_is_drawn_by_the_browser_itself(text: str, shown: str) -> None:
    assert shown in safe_markdown(text)


@pytest.mark.parametrize("tex", ["\\frac", "{" * 5000, "x^1^2"])
def test_tex_that_cannot_be_read_is_shown_as_it_was_written(tex: str) -> None:
    shown = safe_markdown(f"${tex}$").replace("&#92;", "\\").replace("&#36;", "$")
    assert f"${tex}$" in shown
    assert "<math" not in shown


def test_a_formula_in_an_attribute_is_left_out() -> None:
    shown = safe_markdown(
        '![so $x$](a.png "and $y$") <a href="https://a.example" title="$z$">a</a>'
    )
    assert re.findall('(?:alt|title)="([^"]*)"', shown) == ["so ", "and &#36;y&#36;", "&#36;z&#36;"]


def test_a_formula_cannot_move_over_what_stands_beside_it() -> None:
    assert "-30em" not in safe_markdown("$\\hspace{-30em}x$")


def test_every_formula_of_our_assignments_can_be_drawn() -> None:
    root = Path(__file__).parents[2] / "source"
    for path in root.glob("*/*.py"):
        for cell in jupytext.read(path).cells:
            if cell.cell_type == "markdown":
                shown = re.sub("<code>.*?</code>", "", safe_markdown(cell.source), flags=re.S)
                assert "&#36;" not in shown, path


def test_sanitised_markdown_survives_a_second_rendering() -> None:
    notebook = new_notebook(cells=[new_markdown_cell("para\n\n    <b>code</b>\n\n* $x$ \\\\ y")])
    once = sanitise(copy.deepcopy(notebook)).cells[0].source
    from nbconvert.filters import markdown2html

    assert markdown2html(once).strip() == once


def test_raw_cells_are_shown_as_text() -> None:
    cell = new_raw_cell("<script>alert(1)</script>", metadata={"raw_mimetype": "text/html"})
    (shown,) = sanitise(new_notebook(cells=[cell])).cells
    assert shown.cell_type == "markdown"
    assert runs(shown.source) == []
    assert "raw_mimetype" not in shown.metadata


def display(**data: Any) -> Any:
    bundle = {kind.replace("__", "+").replace("_", "/", 1): value for kind, value in data.items()}
    return from_dict({"output_type": "display_data", "data": bundle, "metadata": {"x": "y"}})


def test_scripts_widgets_and_unknown_kinds_are_named_instead_of_shown() -> None:
    for kind in ("application_javascript", "application_pdf", "text_latex"):
        shown = safe_output(display(**{kind: "alert(1)"}))
        assert list(shown.data) == ["text/plain"]
        assert "not shown here" in shown.data["text/plain"]
        assert shown.metadata == {}


def test_an_svg_becomes_a_picture_in_which_no_script_runs() -> None:
    drawing = "<svg onload='alert(1)'/>"
    shown = safe_output(display(**{"image_svg__xml": drawing})).data["text/html"]
    assert runs(shown) == []
    assert base64.b64encode(drawing.encode()).decode() in shown


def test_a_picture_that_is_not_base64_is_not_shown() -> None:
    shown = safe_output(display(image_png='"><script>alert(1)</script>', text_plain="figure"))
    assert dict(shown.data) == {"text/plain": "figure"}


@pytest.mark.parametrize("figure", [None, [], {"data": 3, "layout": 4}, {"data": [None]}])
def test_any_figure_can_be_described(figure: Any) -> None:
    assert "Interactive figure" in describe_figure(figure)


def test_a_plotly_figure_is_described_without_its_script() -> None:
    figure = {"data": [{"type": "heatmap"}, {}], "layout": {"title": {"text": "<b>Layer 1</b>"}}}
    bundle = {"application/vnd.plotly.v1+json": figure, "text/html": "<script>" + "p" * 5_000_000}
    output = from_dict({"output_type": "display_data", "data": bundle, "metadata": {}})
    shown = safe_output(output).data["text/html"]
    assert "1 × heatmap, 1 × scatter" in shown
    assert "&lt;b&gt;Layer 1" in shown
    assert len(shown) < 300


HIDDEN = (
    "assert f(1) == 1\n### BEGIN HIDDEN TESTS\nsecret = 4711\n"
    "assert f(secret) == secret, 'f fails'\n### END HIDDEN TESTS\n"
)
MARKS = {"nbgrader": {"grade": True, "solution": False, "locked": True, "grade_id": "t"}}


def test_hidden_lines_are_distinguished_from_visible_ones() -> None:
    visible, hidden = split_hidden(HIDDEN)
    assert "4711" not in visible
    assert "assert f(1) == 1" in visible
    assert hidden == ["secret = 4711", "assert f(secret) == secret, 'f fails'"]


def test_hidden_tests_leave_cells_tracebacks_and_warnings_but_not_their_message() -> None:
    frame = (
        "\x1b[36mCell\x1b[39m In[2], line 4\n\x1b[32m      2\x1b[39m ### BEGIN HIDDEN TESTS\n"
        "\x1b[32m      3\x1b[39m secret = \x1b[32m4711\x1b[39m\n"
        "\x1b[32m----> 4\x1b[39m \x1b[38;5;28;01massert\x1b[39;00m f(secret) == secret, 'f fails'"
    )
    error = {"output_type": "error", "ename": "AssertionError", "evalue": "f fails"}
    warning = "cell.py:3: UserWarning: careful\n  secret = 4711\n"
    cell = new_code_cell(HIDDEN, metadata=MARKS)
    cell.outputs = [
        from_dict({"output_type": "stream", "name": "stdout", "text": warning}),
        from_dict({**error, "traceback": [frame, "AssertionError: f fails"]}),
    ]
    hide_tests(new_notebook(cells=[cell]))
    assert "4711" not in str(cell)
    assert "f(secret)" not in str(cell)
    assert "f fails" in str(cell)
    assert "careful" in str(cell)


def test_a_students_cell_hides_nothing_by_using_the_marker() -> None:
    cell = new_code_cell(HIDDEN)
    hide_tests(new_notebook(cells=[cell]))
    assert cell.source == HIDDEN


@pytest.mark.parametrize(
    "text",
    ["![x](attachment:gone.png)", "![x](attachment:)", "a \ud800 b", "\\begin{a}" * 2000],
    ids=["missing attachment", "no name", "lone surrogate", "deep mathematics"],
)
def test_a_text_that_cannot_be_rendered_is_shown_as_it_is(text):
    assert safe_markdown(text).startswith("<div>")


@pytest.mark.parametrize("url", ["a/../../../hub/logout", "..%2f..%2fhub/logout", "/hub/logout"])
def test_a_picture_cannot_reach_another_page_of_the_server(url):
    assert "logout" not in safe_markdown(f"![x]({url})")
    assert "logout" not in safe_html(f'<img src="{url}">')


@pytest.mark.parametrize("name", ["href", "style", "class"])
def test_a_tex_command_does_not_survive_in_two_halves(name):
    assert f"\\{name}" not in safe_html(f"$\\\\{name}{{javascript:alert(1)}}$")
    assert f"\\{name}" not in safe_html(f"$\\\\\\{name}{{javascript:alert(1)}}$")
