"""The glossary and the notebooks agree: words, exercises, links, code, the page in docs/."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from typing import Any

import einops
import pytest
import torch
from jaxtyping import Float

from course import drawings
from course.models import model
from course.terms.page import anchor, page
from course.terms.terms import Term, terms
from tests.course.glossary import EXERCISES, PAGE, ROOT, bold_words, exercises_file

# Bold words that are no terms of the field, by the reason why not.
NO_TERMS = {
    "a common word, on which its sentence leans": (
        "add up|added|adds|after|all|all its answers|along|and|answers|any model|arguments|"
        "backwards|before|besides those wanted|by itself|closest|complex|every|first|first copy|"
        "freeze it|largest absolute difference|last|layer 0|mean|new|no particular order|not|"
        "not symmetric|nowhere else|once|one|other|reads|rows|two|vectors are rows|what|where|"
        "without fooling yourself|writes|no layernorm"
    ),
    "opens a paragraph": "for all exercises|in a terminal",
    "a side, a number or a shape": "top|0|p + 1|position × position",
    "a button or a key": "feedback|shift+enter|submit|validate",
    "torch's own word": "dtype",
    "the everyday word for what a head reads and writes; see attention head": "input|inputs|output",
    "a sentence of its own, of three words": "copying becomes summing",
}


def no_terms() -> set[str]:
    return {word for words in NO_TERMS.values() for word in words.split("|")}


def known() -> set[str]:
    return {name for term in terms() for name in term.names}


def test_every_bold_word_of_a_notebook_is_a_term_or_listed_as_none():
    missing = {
        word: path for word, path in bold_words().items() if word not in known() | no_terms()
    }
    assert not missing, "add them to course/terms/terms.toml, or to NO_TERMS with a reason"


def test_words_listed_as_no_terms_are_bold_somewhere_and_no_terms():
    assert no_terms() <= bold_words().keys()
    assert not no_terms() & known()


def test_there_are_many_terms_each_once_in_alphabetical_order():
    names = [term.name.casefold() for term in terms()]
    assert len(names) >= 60
    assert names == sorted(names)
    twice = [name for name, n in Counter(n for t in terms() for n in t.names).items() if n > 1]
    assert not twice


@pytest.mark.parametrize("term", terms(), ids=lambda term: term.name)
def test_a_term_is_short_and_leads_to_others(term: Term):
    assert 5 <= len(term.says.split()) <= 55
    assert term.says.endswith(".") and term.says.count("`") % 2 == 0
    assert term.see and term.name not in term.see
    assert set(term.see) <= {other.name for other in terms()}
    assert term.exercises or term.paper, "it leads nowhere"


def test_exercises_and_page_are_those_of_the_notebooks_of_today():
    assert EXERCISES.read_text("utf-8") == exercises_file(), "run make glossary"
    assert PAGE.read_text("utf-8") == page(terms()), "run make glossary"


def test_all_links_of_the_page_lead_somewhere():
    text = PAGE.read_text("utf-8")
    headings = {anchor(heading) for heading in re.findall(r"^## (.+)$", text, re.M)}
    assert len(headings) == len(terms())
    within = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert within and within <= headings
    for path in set(re.findall(r"\]\(\.\./(.+?)\)", text)):
        assert Path(ROOT, path).is_file(), path


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What lines of code are about, as the page says: with a small model and one of its heads."""
    torch.manual_seed(0)
    net = model("induction-2l2h")
    block = torch.randint(0, 64, (2, 16))
    tokens = torch.cat([torch.full((2, 1), 64), block, block], dim=1)
    logits, cache = net.run_with_cache(tokens)
    W_Q, W_K, W_V, W_O = (
        getattr(net, name)[1, 0].detach() for name in ("W_Q", "W_K", "W_V", "W_O")
    )
    W_V0, W_O0 = net.W_V[0, 1].detach(), net.W_O[0, 1].detach()
    return {
        **{"torch": torch, "einops": einops, "Float": Float, "drawings": drawings},
        **{"net": net, "tokens": tokens, "logits": logits, "cache": cache, "bridge": net},
        **{"W_E": net.W_E, "W_U": net.W_U, "W_Q": W_Q, "W_K": W_K, "W_V": W_V, "W_O": W_O},
        **{"W_OV": W_V @ W_O, "W_QK": W_Q @ W_K.T, "W_OV0": W_V0 @ W_O0},
        **{"W": torch.randn(5, 5), "u": torch.randn(5), "v": torch.randn(5), "x": torch.randn(9)},
        **{"p": torch.rand(7).softmax(0), "q": torch.rand(7).softmax(0)},
    }


WITH_CODE = [term for term in terms() if term.code and term.name != "compatibility mode"]


@pytest.mark.parametrize("term", WITH_CODE, ids=lambda term: term.name)
def test_code_of_a_term_runs(term: Term, names: dict[str, Any]):
    assert len(term.code) <= 105
    *before, last = ast.parse(term.code).body
    here = dict(names)
    exec(compile(ast.Module(before, []), term.name, "exec"), here)
    if not isinstance(last, ast.Expr):
        exec(compile(ast.Module([last], []), term.name, "exec"), here)
        return
    value = eval(compile(ast.Expression(last.value), term.name, "eval"), here)
    if re.search(r"# 0\b", term.code):
        assert value.abs().max() < 1e-5


@pytest.mark.parametrize(
    "term", [term for term in terms() if term.drawing], ids=lambda term: term.name
)
def test_drawing_of_a_term_is_one(term: Term):
    name, *arguments = term.drawing
    assert isinstance(getattr(drawings, name)(*arguments), drawings.Drawing)
