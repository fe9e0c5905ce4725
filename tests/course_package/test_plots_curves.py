"""Curves with heights to compare them with."""

from course import plots


def drawn(points: int, **more):
    line = {"loss": [1.0] * points}
    return plots.curves(
        range(points), line, x_title="step", y_title="nats", title="Training", **more
    )


def test_a_level_is_a_labelled_line_across_the_figure():
    figure = drawn(3, levels={"counting pairs": 1.664})
    assert figure.layout.shapes[0].y0 == figure.layout.shapes[0].y1 == 1.664
    assert figure.layout.annotations[0].text == "counting pairs: 1.66"


def test_many_points_are_joined_without_marks():
    assert drawn(400).data[0].mode == "lines"
    assert drawn(3).data[0].mode == "lines+markers"
