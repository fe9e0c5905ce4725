"""Drawings as data: what they say, what is true of the models, what they weigh."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from nbformat.v4 import new_output

from course import drawings
from course.models import model
from hub.grading.pipeline.sanitise import safe_output

SVG = "{http://www.w3.org/2000/svg}"
TAPE: dict[str, Any] = {
    "x": 2.0,
    "n": 7.0,
    "p": ("mul", "x", "x"),
    "q": ("log", "x"),
    "y": ("add", "p", "q"),
}
VALUES = {"x": 2.0, "n": 7.0, "p": 4.0, "q": 0.6931, "y": 4.6931}
GRADIENTS = {"x": 4.5, "n": 0.0, "p": 1.0, "q": 1.0, "y": 1.0}


def every_drawing() -> dict[str, drawings.Drawing]:
    attention = torch.tensor([0.08, 0.05, 0.8, 0.02, 0.05])
    return {
        "residual_stream": drawings.residual_stream(),
        "residual_stream of attention only": drawings.residual_stream(3, mlps=False),
        "attention_head": drawings.attention_head(),
        "circuits": drawings.circuits(),
        "c_attn": drawings.c_attn(),
        "c_attn of GPT-2": drawings.c_attn(12),
        "induction": drawings.induction(),
        "two_back": drawings.two_back(),
        "hook_map": drawings.hook_map(),
        "hook_map of attention only": drawings.hook_map(1, mlp=False),
        "backward_pass": drawings.backward_pass(TAPE, VALUES, GRADIENTS),
        "backward_pass without gradients": drawings.backward_pass(TAPE, VALUES),
        "attention_shape": drawings.attention_shape("induction"),
        "superposition": drawings.superposition(),
        "arcs": drawings.arcs(list('<t"z&'), attention, prediction="z"),
    }


@pytest.mark.parametrize("name", every_drawing())
def test_a_drawing_is_small_well_formed_and_says_what_it_shows(name):
    drawing = every_drawing()[name]
    root = ElementTree.fromstring(drawing.svg())
    title, about = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None and title.text == drawing.title
    assert about is not None and len(about.text or "") > 60
    assert root.get("aria-labelledby") == f"{title.get('id')} {about.get('id')}"
    assert len(drawing.svg()) < 17_000
    assert "<script" not in drawing.svg() and "href" not in drawing.svg()


@pytest.mark.parametrize("name", every_drawing())
def test_no_letter_of_a_drawing_is_smaller_than_eleven_pixels(name):
    sizes = re.findall(r"(?:font-size:|font:)(\d+)px", every_drawing()[name].svg())
    assert sizes and min(map(int, sizes)) >= 11


def test_an_interactive_drawing_is_not_one_image_for_a_screen_reader():
    points = ElementTree.fromstring(drawings.hook_map().svg())
    assert points.get("role") == "group"
    buttons = [g for g in points.iter(f"{SVG}g") if g.get("role") == "button"]
    assert len(buttons) == len(drawings.hook_points())
    assert all(g.get("tabindex") == "0" and g.get("aria-label") for g in buttons)
    assert ElementTree.fromstring(drawings.induction().svg()).get("role") == "img"


def test_the_map_keeps_the_axes_to_itself_where_an_exercise_asks_for_them():
    assert "batch pos" in drawings.hook_map().svg()
    assert "batch" not in drawings.hook_map(axes=False).svg()


@pytest.mark.parametrize(("name", "mlp"), [("tiny-gpt2", True), ("induction-2l2h", False)])
def test_every_hook_point_on_the_map_is_in_the_model_with_these_axes(name, mlp):
    net = model(name)
    _, cache = net.run_with_cache(torch.randint(0, 60, (2, 5)))
    sizes = {
        **{"batch": 2, "pos": 5, "query": 5, "key": 5},
        **{axis: getattr(net.cfg, axis) for axis in ("d_model", "d_head", "d_mlp")},
        "head": net.cfg.n_heads,
    }
    for point in drawings.hook_points(mlp=mlp):
        activation = cache[f"blocks.1.{point.name}"]
        assert list(activation.shape) == [sizes[axis] for axis in point.axes.split()], point.name
        if point.short:
            assert torch.equal(cache[point.short, 1], activation), point.name


def test_arcs_name_the_positions_that_are_looked_at_and_how_much():
    drawing = drawings.arcs(["a", "b", " c"], [0.7, 0.01, 0.29], prediction="b")
    assert "Attention of ␣c at position 2: 70% to a at position 0, 29% stays" in drawing.description
    assert "The prediction is b." in drawing.description
    assert ">0.70<" in drawing.svg() and ">0.01<" not in drawing.svg()


def test_an_impossible_drawing_is_refused_in_words():
    with pytest.raises(ValueError, match="2 token labels for 3 positions"):
        drawings.arcs(["a", "b"], [0.5, 0.5, 0.0])
    with pytest.raises(ValueError, match="200 tokens are too long for one line"):
        drawings.arcs(["a"] * 200, [0.0] * 200)
    with pytest.raises(ValueError, match="1 to 3 layers can be drawn, not 4"):
        drawings.residual_stream(4)


def test_feedback_shows_a_drawing_as_a_picture_with_its_description():
    bundle = drawings.induction()._repr_mimebundle_()
    shown = safe_output(new_output("execute_result", data=bundle))["data"]["text/html"]
    assert shown.startswith('<img src="data:image/svg+xml;base64,')
    assert 'alt="Induction, step by step: The text is: A, B' in shown


def test_a_backward_pass_says_every_value_and_gradient():
    drawing = drawings.backward_pass(TAPE, VALUES, GRADIENTS)
    assert "x is 2, its gradient 4.5; n is 7, its gradient 0" in drawing.description
    assert "q is log of x, 0.693, its gradient 1" in drawing.description
    texts = [e.text for e in ElementTree.fromstring(drawing.svg()).iter(f"{SVG}text")]
    assert {"x = 2", "x × x", "log(x)", "p + q", "gradient 4.5"} <= set(texts)


def test_boxes_light_up_from_the_end_backwards_and_only_those_with_a_gradient():
    svg = drawings.backward_pass(TAPE, VALUES, GRADIENTS).svg()
    waits = re.findall(r'class="ll-lit" style="animation-delay:([\d.]+)s"', svg)
    in_order_of_the_tape = [float(wait) for wait in waits]  # x, p, q, y
    assert len(waits) == 4
    assert in_order_of_the_tape == sorted(in_order_of_the_tape, reverse=True)
    assert "prefers-reduced-motion:no-preference" in svg
    assert "ll-lit" not in drawings.backward_pass(TAPE, VALUES).svg().split("</style>")[1]


def test_an_input_that_is_used_twice_has_two_arrows():
    def arrows(tape):
        svg = drawings.backward_pass(tape, dict.fromkeys(tape, 1.0)).svg()
        return svg.split("</style>")[1].count("ll-tip")

    assert arrows({"x": 2.0, "p": ("log", "x")}) == 1
    assert arrows({"x": 2.0, "p": ("mul", "x", "x")}) == 2


def test_a_graph_too_long_for_a_page_is_refused():
    tape: dict[str, Any] = {"n0": 1.0, **{f"n{i}": ("log", f"n{i - 1}") for i in range(1, 9)}}
    with pytest.raises(ValueError, match="9 steps in a row are too many"):
        drawings.backward_pass(tape, dict.fromkeys(tape, 1.0))
