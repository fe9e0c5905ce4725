"""TeX in Markdown as MathML, which browsers draw by themselves: no script, no network. Pure.

latex2mathml parses the TeX; its output for a student's TeX is text in elements, and only
elements and attributes that are listed here get into a page.
"""

from __future__ import annotations

import html
import re
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

MAX_TEX_CHARACTERS = 4_000

ELEMENTS = re.compile(
    r"mi|mn|mo|ms|mtext|mspace|mrow|mfrac|msqrt|mroot|mstyle|mpadded|mphantom|merror|menclose"
    r"|msub|msup|msubsup|munder|mover|munderover|mtable|mtr|mtd"
)
ATTRIBUTES = re.compile(
    r"mathvariant|mathcolor|displaystyle|scriptlevel|stretchy|fence|separator|form|largeop"
    r"|movablelimits|symmetric|accent|accentunder|minsize|maxsize|lspace|rspace|width|height|depth"
    r"|linethickness|notation|columnalign|columnspacing|columnlines|rowspacing|rowlines"
)
# No sign, so that nothing can move over its neighbours.
VALUE = re.compile(r"#?[A-Za-z0-9.% ]{1,40}")


def mathml(tex: str, block: bool = False) -> str | None:
    """`tex`, without its dollars, as one `<math>` element; None if it cannot be parsed."""
    if len(tex) > MAX_TEX_CHARACTERS:
        return None
    try:
        found = convert_to_element(tex.strip(), display="block" if block else "inline")
        inside = "".join(_markup(child) for child in found)
    except Exception:  # invalid TeX raises more types than the library documents
        return None
    return f'<math display="{"block" if block else "inline"}">{inside}</math>'


def _markup(element: Element) -> str:
    inside = "".join(_markup(child) for child in element)
    if not ELEMENTS.fullmatch(element.tag):
        return f"<mrow>{inside}</mrow>"
    attributes = "".join(
        f' {name}="{value}"'
        for name, value in element.attrib.items()
        if ATTRIBUTES.fullmatch(name) and VALUE.fullmatch(value)
    )
    # latex2mathml's own text is full of character references.
    text = html.escape(html.unescape(element.text or ""))
    return f"<{element.tag}{attributes}>{text}{inside}</{element.tag}>"
