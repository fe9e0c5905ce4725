"""Bars, curves and matrices as data."""

import pytest
import torch

from course import plots

WORDS = [" Paris", "Lima", "\n", " Rome"]


def test_bars_show_the_likeliest_tokens_with_the_likeliest_on_top():
    figure = plots.next_tokens(torch.tensor([0.5, 0.1, 0.3, 0.1]), WORDS, top=3)
    assert list(figure.data[0].x) == [0.5, 0.3, 0.1]
    assert list(figure.layout.yaxis.ticktext) == ["␣Paris", "↵", "Lima"]
    assert figure.layout.yaxis.autorange == "reversed"


def test_two_rows_of_bars_are_of_the_same_tokens():
    rows = {"before": torch.tensor([0.1, 0.6, 0.3, 0.0]), "after": torch.tensor([0.7, 0, 0.1, 0.2])}
    figure = plots.next_tokens(rows, WORDS, top=2)
    assert [trace.name for trace in figure.data] == ["before", "after"]
    assert list(figure.data[1].x) == [0.0, 0.1]
    assert list(figure.layout.yaxis.ticktext) == ["Lima", "↵"]


def test_curves_carry_their_labels_axes_and_levels():
    figure = plots.curves(
        {"loss": [3.0, 2.0], "other": [1.0, 1.5]},
        axes=("step", "loss (nats)"),
        x=[0, 10],
        levels={"bigram": 1.66},
        title="Training",
    )
    assert list(figure.data[0].x) == [0, 10] and list(figure.data[1].y) == [1.0, 1.5]
    assert figure.layout.xaxis.title.text == "step"
    assert figure.layout.shapes[0].y0 == 1.66
    assert "bigram: 1.66" in figure.layout.annotations[0].text


@pytest.mark.parametrize(("low", "cmin"), [(-2.0, -4.0), (0.0, 0.0)])
def test_a_matrix_has_a_scale_with_a_middle_only_where_there_are_two_signs(low, cmin):
    figure = plots.matrix([[low, 4.0]], axes=("a", "b"), labels=(None, [" x", "y"]), title="M")
    assert figure.layout.coloraxis.cmin == cmin and figure.layout.coloraxis.cmax == 4.0
    assert list(figure.layout.xaxis.ticktext) == ["␣x", "y"]
    assert figure.layout.yaxis.title.text == "a"
    assert type(figure.data[0].z[0][0]) is float


def test_numbers_of_the_wrong_shape_are_refused_by_name():
    with pytest.raises(ValueError, match=r"matrix: expected \[row column\]"):
        plots.matrix([1.0], axes=("a", "b"), title="M")
    with pytest.raises(ValueError, match=r"next_tokens: expected \[vocab\]"):
        plots.next_tokens([[0.5]], ["a"])
