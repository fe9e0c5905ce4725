"""Matrices as data."""

import pytest

from course import plots


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
