"""Makes notebooks safe to show: nothing a student wrote runs in a reader's browser. Pure.

Markdown and HTML are reduced to a list of allowed elements (nh3, the Rust sanitiser ammonia);
pictures are kept as data; TeX becomes MathML; scripts, widgets and everything else are named
instead of shown.
"""

from __future__ import annotations

import base64
import html
import re
import secrets
from functools import lru_cache
from typing import Any

import nh3
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode, from_dict

from hub.facts.text import uncontrolled
from hub.grading.pipeline.autograde import OURS
from hub.grading.pipeline.mathematics import mathml

MAX_MARKDOWN_CHARACTERS = 20_000  # deeply nested math takes quadratic time
MAX_TEXT_CHARACTERS = 50_000
MAX_HTML_CHARACTERS = 100_000
MAX_PICTURE_CHARACTERS = 4_000_000

TAGS = nh3.ALLOWED_TAGS - {"area", "map", "style", "article", "nav", "header"}
ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align", "scope"},
    "details": {"open"},
    "ol": {"start"},
}
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
TITLE_OR_DESCRIPTION = re.compile(r"<(?:title|desc)\b[^<>]*>([^<]*)<")
MAX_ALTERNATIVE_CHARACTERS = 2_000
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
# TeX commands with which MathJax would create links, styles or elements, in a page that
# uses it; ours do not.
ACTIVE_TEX = re.compile(r"(?<!\\)\\+(href|style|class|cssId|require|html\w*|unicode)\b")
# The render budget of one notebook, worst case, in seconds. Some text takes the
# parsers of Markdown and HTML time quadratic in its length, and rendering a page blocks everybody
# who is grading.
RENDER_SECONDS = 6.0
MARKDOWN_SECONDS = 1e-8  # per squared character
HTML_SECONDS = 4e-8  # per squared tag
CODE_SECONDS = 2e-5  # per character, except for SLOW_CODE
# Pygments takes quadratic or cubic time for these.
SLOW_CODE = re.compile(r"\s{40}|[\w.*]{100}")
PLAIN = "plain"  # in a code cell's metadata, under our name: shown without colours
# Placeholder for a formula while HTML is cleaned; unguessable.
MARK = f"{secrets.token_hex(16)}-{{}}-"
MARKS = re.compile(MARK.format(r"(\d+)"))


def safe_html(text: str) -> str:
    """`text` without anything that runs, loads from elsewhere or changes the page around it."""
    cleaned = nh3.clean(
        uncontrolled(text.encode("utf-8", "replace").decode()),  # drops lone surrogates
        tags=TAGS,
        clean_content_tags={"script", "style", "template", "noscript"},
        attributes=ATTRIBUTES,
        attribute_filter=_filter_attribute,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer",
    )
    return ACTIVE_TEX.sub(r"\1", cleaned)


def _filter_attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src":
        return value if PICTURE.fullmatch(value) or _is_relative(value) else None
    if name == "href" and value.strip().lower().startswith("data:"):
        return None
    return MARKS.sub("", value)


def _is_relative(url: str) -> bool:
    """A picture beside the notebook, which must not reach another page of the server."""
    return re.fullmatch(r"\w[\w./ -]*", url) is not None and ".." not in url


class RenderBudget:
    """What is left of one notebook's render budget; estimated from its text, so that the
    same notebook is always shown in the same way."""

    def __init__(self) -> None:
        self._left = RENDER_SECONDS

    def lasts(self, seconds: float) -> bool:
        """Whether the budget covers something with this worst case; if so, spends it."""
        if seconds > self._left:
            return False
        self._left -= seconds
        return True


class _Renderer(IPythonRenderer):
    """Markdown to HTML, with a placeholder for each valid formula."""

    def __init__(self, attachments: dict[str, dict[str, str]]) -> None:
        super().__init__(escape=False, attachments=attachments, exclude_anchor_links=True)
        self._formulas: list[str] = []

    def block_code(self, code: str, info: str | None = None) -> str:
        # Colours would be removed again, and pygments can be made to take hours.
        return f"<pre><code>{html.escape(code)}</code></pre>\n"

    def inline_math(self, body: str) -> str:
        return self._mark(mathml(body)) or super().inline_math(body)

    def block_math(self, body: str) -> str:
        return self._mark(mathml(body, block=True)) or super().block_math(body)

    def latex_environment(self, name: str, body: str) -> str:
        tex = f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return self._mark(mathml(tex, block=True)) or super().latex_environment(name, body)

    def _mark(self, formula: str | None) -> str:
        if formula is None:
            return ""
        self._formulas.append(formula)
        return MARK.format(len(self._formulas) - 1)

    def with_formulas(self, cleaned: str) -> str:
        """Cleaned HTML, with placeholders only in its text, with the formulas filled in."""
        return MARKS.sub(lambda mark: self._formulas[int(mark[1])], cleaned)


def safe_markdown(
    text: str,
    attachments: dict[str, dict[str, str]] | None = None,
    budget: RenderBudget | None = None,
) -> str:
    """Markdown as one line of safe HTML, which any Markdown renderer passes through unchanged.

    If `budget` is exhausted, shows the text itself.
    """
    renderer = _Renderer(attachments or {})
    budget = budget or RenderBudget()
    if len(text) > MAX_MARKDOWN_CHARACTERS:
        rendered = f"<pre>{html.escape(text[:MAX_MARKDOWN_CHARACTERS])}</pre><p>(cut here)</p>"
    elif not budget.lasts(MARKDOWN_SECONDS * len(text) ** 2):
        rendered = f"<pre>{html.escape(text)}</pre>"
    else:
        try:
            rendered = MarkdownWithMath(renderer=renderer).render(text)
        except Exception:
            # A reference to a missing attachment, and whatever else students write:
            # one cell that cannot be rendered must not cost its owner the page.
            rendered = f"<pre>{html.escape(text)}</pre>"
    return _one_line(renderer.with_formulas(safe_html(rendered)))


def _one_line(cleaned: str) -> str:
    """Encode as character references, so that a second rendering sees no line ends, TeX or links,
    for which it searches in quadratic time."""
    for character in "\\$\n[":
        cleaned = cleaned.replace(character, f"&#{ord(character)};")
    return f"<div>{cleaned}</div>"


def sanitise(notebook: NotebookNode) -> NotebookNode:
    """Make `notebook` safe to render to HTML, in place, and return it."""
    budget = RenderBudget()
    for cell in notebook.cells:
        cell.source = uncontrolled(cell.source)
        if cell.cell_type == "code":
            if SLOW_CODE.search(cell.source) or not budget.lasts(CODE_SECONDS * len(cell.source)):
                cell.metadata.setdefault(OURS, {})[PLAIN] = True
            cell.outputs = [safe_output(output, budget) for output in cell.outputs]
        else:
            _sanitise_text_cell(cell, budget)
    return notebook


def highlighted(source: str, metadata: Any = None) -> str:
    """A sanitised code cell in colours: nbconvert's filter `highlight_code`. Always as Python: a
    student could name another language in the first line, and so a slow parser."""
    if (metadata or {}).get(OURS, {}).get(PLAIN):
        return f'<div class="highlight"><pre>{html.escape(source)}</pre></div>'
    return _highlighted(source)


@lru_cache(maxsize=1024)
def _highlighted(source: str) -> str:
    # Kept, as the given cells and the tests are the same on everybody's page.
    return _HIGHLIGHT(source)


_HIGHLIGHT = Highlight2HTML(pygments_lexer="ipython3")


def _sanitise_text_cell(cell: NotebookNode, budget: RenderBudget) -> None:
    if cell.cell_type == "raw":
        # nbconvert copies raw cells into the page as they are.
        cell.source = _one_line(f"<pre>{html.escape(cell.source[:MAX_TEXT_CHARACTERS])}</pre>")
        cell.cell_type = "markdown"
        cell.metadata.pop("raw_mimetype", None)
    else:
        cell.source = safe_markdown(cell.source, cell.pop("attachments", None), budget)


def safe_output(output: NotebookNode, budget: RenderBudget | None = None) -> NotebookNode:
    """The output without active content; pictures, tables and text stay."""
    if output.output_type == "stream":
        return from_dict({**output, "text": _shown(output.text)})
    if output.output_type == "error":
        return from_dict({**output, "traceback": [_shown(str(line)) for line in output.traceback]})
    return from_dict(
        {**output, "data": _safe_bundle(output.data, budget or RenderBudget()), "metadata": {}}
    )


def _safe_bundle(data: dict[str, Any], budget: RenderBudget) -> dict[str, str]:
    text = _shown(str(data.get("text/plain", "")))
    if figure := data.get("application/vnd.plotly.v1+json"):
        return {"text/html": describe_figure(figure), "text/plain": text}
    for kind in ("image/png", "image/jpeg"):
        picture = str(data.get(kind, ""))
        if picture and len(picture) <= MAX_PICTURE_CHARACTERS and BASE64.fullmatch(picture):
            return {kind: picture, "text/plain": text}
    if drawing := str(data.get("image/svg+xml", "")):
        # As an image, an SVG cannot run scripts.
        encoded = base64.b64encode(drawing.encode()).decode()
        source = f"data:image/svg+xml;base64,{encoded}"
        return {
            "text/html": f'<img src="{source}" alt="{_alternative(drawing)}">',
            "text/plain": text,
        }
    if page := str(data.get("text/html", ""))[:MAX_HTML_CHARACTERS]:
        if not budget.lasts(HTML_SECONDS * page.count("<") ** 2):
            return {"text/plain": text or _shown(page)}
        return {"text/html": safe_html(page), "text/plain": text}
    if source := str(data.get("text/markdown", ""))[:MAX_MARKDOWN_CHARACTERS]:
        return {"text/html": safe_markdown(source, budget=budget), "text/plain": text}
    if text:
        return {"text/plain": text}
    kinds = ", ".join(sorted(data)) or "nothing"
    return {"text/plain": f"(this output is not shown here: {kinds})"}


def _alternative(drawing: str) -> str:
    """For a screen reader: title and description of an SVG, to which an <img> gives no access."""
    parts = [match[1] for match in TITLE_OR_DESCRIPTION.finditer(drawing[:MAX_TEXT_CHARACTERS])]
    words = html.unescape(": ".join(parts[:2])).split()
    return html.escape(uncontrolled(" ".join(words))[:MAX_ALTERNATIVE_CHARACTERS])


def _shown(text: str) -> str:
    text = uncontrolled(text, colours=True)
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    return text[:MAX_TEXT_CHARACTERS] + "\n[… cut here: too long for this page]\n"


def describe_figure(figure: Any) -> str:
    """A description of a Plotly figure, instead of 4.8 MB of script per page."""
    figure = figure if isinstance(figure, dict) else {}
    layout = figure.get("layout")
    title = layout.get("title") if isinstance(layout, dict) else None
    title = title.get("text") if isinstance(title, dict) else title
    traces = figure.get("data") if isinstance(figure.get("data"), list) else []
    kinds = [str(trace.get("type", "scatter")) for trace in traces if isinstance(trace, dict)]
    counted = ", ".join(f"{kinds.count(kind)} × {kind}" for kind in dict.fromkeys(kinds))
    named = f" “{html.escape(title[:200])}”" if isinstance(title, str) and title else ""
    return (
        f"<p><em>Interactive figure{named} ({html.escape(counted[:200]) or 'empty'}): "
        "run the cell to see it.</em></p>"
    )
