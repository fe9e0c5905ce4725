"""Linear maps of the plane as grids."""

import pytest
import torch

from course import plots

TURN = [[0.0, 1.0], [-1.0, 0.0]]  # rows: e1 goes to [0, 1], e2 to [-1, 0]
PLAIN = [[1.0, 0.0], [0.0, 1.0]]


def traces(figure, name):
    return [trace for trace in figure.data if trace.name == name]


def test_the_unit_square_of_each_panel_lies_where_its_map_puts_it():
    figure = plots.moved_grids({"before": PLAIN, "after": TURN}, title="T")
    before, after = traces(figure, "square")
    assert list(zip(before.x, before.y, strict=True))[:3] == [(0, 0), (1, 0), (1, 1)]
    assert list(zip(after.x, after.y, strict=True))[:3] == [(0, 0), (0, 1), (-1, 1)]
    assert [note.text for note in figure.layout.annotations[:2]] == ["before", "after"]


def test_an_arrow_points_where_its_map_puts_it_and_carries_its_name():
    figure = plots.moved_grids({"before": PLAIN, "after": TURN}, arrows={"v": [2, 1]}, title="T")
    drawn = [note for note in figure.layout.annotations if note.showarrow]
    assert [(note.x, note.y) for note in drawn] == [(2, 1), (-1, 2)]
    assert sum(note.text == "<b>v</b>" for note in figure.layout.annotations) == 2


def test_a_circle_is_drawn_only_where_it_is_asked_for():
    assert traces(plots.moved_grids({"": PLAIN}, circle=True, title="T"), "circle")
    assert not traces(plots.moved_grids({"": PLAIN}, title="T"), "circle")


@pytest.mark.parametrize("panels", [1, 2, 4])
def test_panels_share_one_scale_and_are_as_wide_as_the_page(panels):
    maps = {str(n): [[1.0 + n, 0.0], [0.0, 1.0]] for n in range(panels)}
    figure = plots.moved_grids(maps, title="T")
    axes = [axis for axis in figure.layout if axis.startswith(("xaxis", "yaxis"))]
    assert len({tuple(figure.layout[axis].range) for axis in axes}) == 1
    assert figure.layout.width is None


def test_a_map_of_more_dimensions_is_refused_by_its_label():
    with pytest.raises(ValueError, match=r"moved_grids: 'wide' has shape \(2, 3\), not \(2, 2\)"):
        plots.moved_grids({"wide": [[1, 2, 3], [4, 5, 6]]}, title="T")
    with pytest.raises(ValueError, match="no maps were given"):
        plots.moved_grids({}, title="T")


def test_groups_of_complex_numbers_differ_by_more_than_colour_on_equal_axes():
    figure = plots.complex_plane({"a": [1 + 2j], "b": torch.tensor([3j, 0.5 + 0j])}, title="T")
    first, second = figure.data
    assert (first.x, first.y) == ((1,), (2,)) and (second.x, second.y) == ((0, 0.5), (3, 0))
    assert first.marker.symbol != second.marker.symbol
    assert figure.layout.yaxis.scaleanchor == "x"
