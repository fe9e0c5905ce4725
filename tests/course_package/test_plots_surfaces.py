"""Descents on a surface."""

import pytest
import torch

from course import plots

ACROSS, UP = [0.0, 1.0, 2.0], [0.0, 1.0]
HEIGHTS = [[0.0, 1.0, 4.0], [2.0, 3.0, 6.0]]  # [up across]
PATHS = {
    "slow": torch.tensor([[2.0, 1.0], [1.5, 1.0], [1.0, 0.5]]),
    "fast": torch.tensor([[2.0, 1.0], [0.0, 0.0]]),
}


def figure(**paths):
    return plots.descents(HEIGHTS, ACROSS, UP, paths or PATHS, title="T")


def test_a_surface_lies_under_its_paths_with_its_places_on_the_axes():
    surface, slow, fast = figure().data
    assert [list(row) for row in surface.z] == HEIGHTS
    assert (list(surface.x), list(surface.y)) == (ACROSS, UP)
    assert list(slow.x) == [2.0, 1.5, 1.0] and list(slow.y) == [1.0, 1.0, 0.5]
    assert list(fast.x) == [2.0, 0.0]


def test_paths_differ_by_more_than_colour():
    _, slow, fast = figure().data
    assert slow.marker.symbol != fast.marker.symbol and slow.line.dash != fast.line.dash


def test_the_slider_takes_every_path_back_to_its_start_and_down_to_its_end():
    (slider,) = figure().layout.sliders
    first, last = slider.steps[0], slider.steps[-1]
    assert first.args[0] == {"x": [[2.0], [2.0]], "y": [[1.0], [1.0]]}
    assert last.args[0]["x"] == [[2.0, 1.5, 1.0], [2.0, 0.0]]
    assert list(first.args[1]) == [1, 2] and slider.active == len(slider.steps) - 1
    assert [step.label for step in slider.steps] == ["0", "1", "2"]


def test_a_long_path_has_few_stops():
    (slider,) = figure(long=torch.rand(500, 2)).layout.sliders
    assert len(slider.steps) <= 21 and slider.steps[-1].label == "499"


def test_what_of_a_path_is_not_finite_is_left_out():
    path = torch.tensor([[2.0, 1.0], [1.0, float("inf")], [float("nan"), 0.0]])
    assert list(figure(wild=path).data[1].x) == [2.0]


def test_sizes_that_do_not_fit_are_refused_with_their_numbers():
    with pytest.raises(ValueError, match=r"heights \(2, 3\) for 3 rows and 2 columns"):
        plots.descents(HEIGHTS, UP, ACROSS, {}, title="T")
    with pytest.raises(ValueError, match=r"'flat' has shape \(2, 3\), not \(steps, 2\)"):
        figure(flat=torch.zeros(2, 3))
