"""Figures as data: what is in z, on the axes and in the saved file."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import course
from course import plots
from course.plots.style import FAINT, GRID, PAPER
from tests.course_package.figures import every_kind, pattern


def test_a_heatmap_has_queries_downwards_and_keys_to_the_right():
    p = pattern(4, 5)
    figure = plots.attention_heatmap(p, title="Head 1.0")
    assert np.allclose(figure.data[0].z, p.numpy(), atol=1e-4)
    assert figure.layout.xaxis.title.text == "key position"
    assert figure.layout.yaxis.title.text == "query position"
    assert figure.layout.yaxis.autorange == "reversed"
    assert figure.layout.title.text == "Head 1.0"
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)


def test_z_reads_as_rows_of_plain_floats_and_not_as_a_binary_blob():
    figure = plots.attention_heatmap(pattern(3, 3))
    assert isinstance(figure.data[0].z[0], (list, tuple))
    assert type(figure.data[0].z[0][0]) is float
    assert "bdata" not in figure.to_json()


def test_both_axes_of_a_heatmap_carry_the_token_labels():
    tokens = ["BOS", " the", " cat"]
    figure = plots.attention_heatmap(pattern(3, 3), tokens)
    assert list(figure.layout.xaxis.ticktext) == ["BOS", "␣the", "␣cat"]
    assert list(figure.layout.yaxis.ticktext) == ["BOS", "␣the", "␣cat"]
    assert list(figure.layout.xaxis.tickvals) == [0, 1, 2]


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
def test_tensors_with_gradients_arrays_and_lists_are_taken_alike(kind):
    p = pattern(3, 3)
    z = np.array(plots.attention_heatmap(p).data[0].z)
    as_tensor = plots.attention_heatmap(p.clone().to(kind).requires_grad_()).data[0].z
    assert np.allclose(as_tensor, z, atol=1e-2)
    assert np.array_equal(plots.attention_heatmap(p.numpy()).data[0].z, z)
    assert np.array_equal(plots.attention_heatmap(p.tolist()).data[0].z, z)


def test_a_wrong_number_of_axes_is_answered_with_the_axes_that_are_wanted():
    with pytest.raises(ValueError, match=r"expected \[query key\], got shape \(2, 3, 3\).*x\[0\]"):
        plots.attention_heatmap(pattern(2, 3, 3))
    with pytest.raises(ValueError, match=r"\[head query key\] or \[layer head query key\]"):
        plots.attention_heads(pattern(3, 3))
    with pytest.raises(ValueError, match=r"head_grid: expected \[layer head\]"):
        plots.head_grid(torch.rand(3))
    with pytest.raises(ValueError, match=r"position_losses: expected \[pos\]"):
        plots.position_losses(torch.rand(2, 3))


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="2 token labels for 3 positions"):
        plots.attention_heatmap(pattern(3, 3), ["a", "b"])
    with pytest.raises(ValueError, match="1 labels for 2 heads"):
        plots.attention_heads(pattern(2, 3, 3), labels=["only one"])


def test_every_head_gets_a_panel_named_by_layer_and_head():
    p = pattern(2, 3, 4, 4)
    figure = plots.attention_heads(p, list("abcd"))
    assert [t.name for t in figure.data] == ["L0H0", "L0H1", "L0H2", "L1H0", "L1H1", "L1H2"]
    assert np.allclose(figure.data[5].z, p[1, 2].numpy(), atol=1e-4)
    shown = [a.text for a in figure.layout.annotations]
    assert set(shown) >= {"L1H2", "key position", "query position"}
    assert list(figure.layout.xaxis6.ticktext) == list("abcd")
    assert len({t.coloraxis for t in figure.data}) == 1


def test_heads_without_layers_can_be_labelled():
    figure = plots.attention_heads(pattern(2, 3, 3), labels=["before", "after"])
    assert [t.name for t in figure.data] == ["before", "after"]
    assert plots.attention_heads(pattern(1, 3, 3)).data[0].name == "head 0"


def test_a_grid_of_heads_shows_its_numbers_and_starts_at_zero():
    figure = plots.head_grid([[0.1, 0.2, 0.3], [0.4, 0.5, 0.9]], unit="score")
    assert np.array_equal(figure.data[0].z, [[0.1, 0.2, 0.3], [0.4, 0.5, 0.9]])
    assert figure.data[0].texttemplate == "%{z:.2f}"
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("head", "layer")
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 0.9)


def test_a_signed_grid_has_zero_in_the_middle_of_another_scale():
    positive = plots.head_grid([[0.5, 2.0]]).layout.coloraxis
    signed = plots.head_grid([[-0.5, 2.0]]).layout.coloraxis
    assert (signed.cmin, signed.cmax) == (-2, 2)
    assert signed.colorscale != positive.colorscale


def test_two_grids_share_one_scale():
    figure = plots.head_grid({"repeated": [[0.9, 0.1]], "random": [[0.2, 0.0]]}, limit=1)
    assert [t.name for t in figure.data] == ["repeated", "random"]
    assert {t.coloraxis for t in figure.data} == {"coloraxis"}
    assert figure.layout.coloraxis.cmax == 1


def test_a_grid_of_zeros_or_with_nan_still_has_a_scale():
    assert plots.head_grid([[0.0, 0.0]]).layout.coloraxis.cmax == 1
    assert plots.head_grid([[float("nan"), 3.0]]).layout.coloraxis.cmax == 3


def test_losses_are_drawn_with_the_uniform_guess_and_the_start_of_the_repeat():
    figure = plots.position_losses(torch.tensor([4.0, 3.0, 0.5]), vocab=64, repeat_at=2)
    assert list(figure.data[0].y) == [4.0, 3.0, 0.5]
    assert list(figure.data[0].x) == [0, 1, 2]
    level, boundary = figure.layout.shapes
    assert level.y0 == level.y1 == pytest.approx(math.log(64))
    assert boundary.x0 == boundary.x1 == 2
    assert figure.layout.yaxis.title.text == "loss (nats)"
    assert any("ln 64 = 4.16" in a.text for a in figure.layout.annotations)


def test_several_losses_are_distinguished_by_more_than_colour():
    figure = plots.position_losses({"real": [1.0, 2.0], "impostor": [2.0, 1.0]})
    assert figure.layout.showlegend
    assert len({t.line.dash for t in figure.data}) == 2
    assert len({t.line.color for t in figure.data}) == 2


def test_a_token_strip_shows_ids_or_their_labels():
    figure = plots.token_strip(torch.tensor([[2, 0, 1]]))
    assert np.array_equal(figure.data[0].z, [[2, 0, 1]])
    assert [list(row) for row in figure.data[0].text] == [["2", "0", "1"]]
    labelled = plots.token_strip([2, 0], labels=["a", "b", "BOS"])
    assert [list(row) for row in labelled.data[0].text] == [["BOS", "a"]]


def test_the_uniform_guess_is_named_beside_the_plot_where_no_line_runs():
    figure = plots.position_losses({"a": [4.2] * 9, "b": [4.1] * 9}, vocab=64)
    (label,) = (a for a in figure.layout.annotations if "ln 64" in a.text)
    assert label.xref == "paper" and label.x > 1 and label.xanchor == "left"
    assert figure.layout.legend.y < 0


def test_a_loss_strip_leaves_the_first_token_without_a_loss_and_fills_rows():
    figure = plots.loss_strip(
        [0.5, 2.0, 0.1], ["<|endoftext|>", "When", " Mary", " and"], per_row=3
    )
    assert [list(row) for row in figure.data[0].z] == [[None, 0.5, 2.0], [0.1, None, None]]
    assert [list(row) for row in figure.data[0].text] == [["⊢", "When", "␣Mary"], ["␣and", "", ""]]
    assert figure.layout.annotations[0].text == "⊢"
    with pytest.raises(ValueError, match="3 losses for 3 tokens"):
        plots.loss_strip([0.5, 2.0, 0.1], ["a", "b", "c"])


def test_a_position_grid_carries_tokens_and_row_names_bottom_up():
    figure = plots.position_grid([[0.0, -1.0], [0.5, 2.0]], [" a", " b"], ["layer 0", "layer 1"])
    assert np.array_equal(figure.data[0].z, [[0.0, -1.0], [0.5, 2.0]])
    assert list(figure.layout.xaxis.ticktext) == ["␣a", "␣b"]
    assert list(figure.layout.yaxis.ticktext) == ["layer 0", "layer 1"]
    assert figure.layout.yaxis.autorange != "reversed"
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-2, 2)
    with pytest.raises(ValueError, match="1 row labels for 2 rows"):
        plots.position_grid([[0.0], [1.0]], ["a"], ["only one"])


def test_a_lens_table_shows_words_coloured_by_probability():
    figure = plots.lens_table([[0.2, 0.9]], [[" to", " Mary"]], ["a", "b"], ["after layer 0"])
    assert [list(row) for row in figure.data[0].text] == [["␣to", "␣Mary"]]
    assert np.array_equal(figure.data[0].z, [[0.2, 0.9]])
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)
    with pytest.raises(ValueError, match="must fit"):
        plots.lens_table([[0.2, 0.9]], [[" to"]], ["a", "b"], ["after layer 0"])


def test_next_tokens_shows_the_best_of_each_run_for_all_runs():
    words = ["a", " b", "c", "d"]
    figure = plots.next_tokens({"x": [0.7, 0.2, 0.1, 0], "y": [0.1, 0, 0.1, 0.8]}, words, k=1)
    assert [bar.name for bar in figure.data] == ["x", "y"]
    assert list(figure.data[0].x) == ["d", "a"] and list(figure.data[1].y) == [0.8, 0.1]
    assert len({bar.marker.pattern.shape for bar in figure.data}) == 2
    with pytest.raises(ValueError, match="4 words for 2 tokens in 'x'"):
        plots.next_tokens({"x": [0.5, 0.5]}, words)


def test_contributions_of_several_runs_stand_side_by_side_for_each_part():
    figure = plots.contributions({"with": [1.0, -2.0], "without": [0.0, 0.5]}, ["embed", "0_mlp"])
    assert [(bar.name, list(bar.x), list(bar.y)) for bar in figure.data] == [
        ("with", [1.0, -2.0], ["embed", "0_mlp"]),
        ("without", [0.0, 0.5], ["embed", "0_mlp"]),
    ]
    assert figure.layout.xaxis.title.text == "logits" and figure.layout.showlegend
    with pytest.raises(ValueError, match="1 values of 'a' for 2 parts"):
        plots.contributions({"a": [1.0]}, ["x", "y"])


def test_curves_are_distinguished_and_refuse_lines_of_another_length():
    figure = plots.curves(
        [0, 1], {"a": [1.0, 2.0], "b": [3.0, 4.0]}, x_title="dose", y_title="logits", title="t"
    )
    assert list(figure.data[1].y) == [3.0, 4.0] and list(figure.data[0].x) == [0, 1]
    assert len({line.line.dash for line in figure.data}) == 2
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("dose", "logits")
    with pytest.raises(ValueError, match="1 values of 'a' for 2 points"):
        plots.curves([0, 1], {"a": [1.0]}, x_title="", y_title="", title="")


def test_a_composition_diagram_draws_each_pair_as_wide_as_its_score():
    figure = plots.composition([[0.1, 0.0], [0.5, 0.25]], threshold=0.2)
    lines = {t.name: t for t in figure.data if t.mode == "lines"}
    assert set(lines) == {"0.1 → 1.0", "0.1 → 1.1"}
    assert lines["0.1 → 1.0"].line.width > lines["0.1 → 1.1"].line.width
    assert lines["0.1 → 1.0"].y[0] == 0 and lines["0.1 → 1.0"].y[-1] == 1
    dots = [t for t in figure.data if t.mode == "markers+text"]
    assert [list(t.text) for t in dots] == [["0.0", "0.1"], ["1.0", "1.1"]]
    with pytest.raises(ValueError, match="never negative"):
        plots.composition([[-0.1]])


def test_spaces_and_line_ends_of_tokens_are_shown():
    figure = plots.attention_heatmap(pattern(3, 3), ["<|endoftext|>", " a", "\n"])
    assert list(figure.layout.xaxis.ticktext) == ["⊢", "␣a", "⏎"]


def test_saved_figures_stay_under_300_kilobytes():
    tokens = [str(i) for i in range(49)]
    for figure in (
        plots.attention_heatmap(pattern(200, 200)),
        plots.attention_heads(pattern(2, 2, 49, 49), tokens),
        plots.attention_heads(pattern(12, 57, 57)),
        plots.head_grid(torch.randn(12, 12)),
        plots.position_losses(torch.rand(49)),
        plots.token_strip(torch.randint(0, 64, (8, 49))),
        plots.loss_strip(torch.rand(511), ["token"] * 512),
        plots.position_grid(torch.randn(40, 512), ["token"] * 512, ["a component"] * 40),
        plots.lens_table(
            torch.rand(13, 128), [["token"] * 128] * 13, ["token"] * 128, ["after a layer"] * 13
        ),
        plots.next_tokens({"a": torch.rand(50257), "b": torch.rand(50257)}, ["token"] * 50257),
        plots.composition(torch.rand(12, 12)),
    ):
        assert len(figure.to_json()) < 300_000


def test_a_picture_that_would_weigh_more_is_refused():
    with pytest.raises(ValueError, match="draw fewer heads or positions"):
        plots.attention_heads(np.zeros((12, 60, 60)))


def test_a_figure_has_the_width_of_its_page_and_a_height_for_what_is_in_it():
    for name, figure in every_kind().items():
        assert figure.layout.width is None, name
        assert 140 < figure.layout.height < 760, (name, figure.layout.height)


def test_no_letter_of_a_figure_is_smaller_than_eleven_pixels():
    def sizes(value, key=""):
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from sizes(inner, f"{key}.{name}")
        elif isinstance(value, (list, tuple)):
            for inner in value:
                yield from sizes(inner, key)
        elif key.endswith("font.size"):
            yield value

    for name, figure in every_kind().items():
        given = list(sizes(figure.to_plotly_json()))
        assert given and min(given) >= 11, name


def test_labels_that_would_overlap_are_thinned_out_at_their_positions():
    figure = plots.attention_heatmap(pattern(90, 90), [str(i) for i in range(90)])
    assert list(figure.layout.xaxis.tickvals) == list(range(0, 90, 3))
    assert list(figure.layout.xaxis.ticktext) == [str(i) for i in range(0, 90, 3)]


def test_labels_stay_level_where_they_have_room():
    few, many = (
        plots.matrix(pattern(n, n), axes=("", ""), labels=(None, [" then"] * n), title="")
        for n in (4, 20)
    )
    assert few.layout.xaxis.tickangle is None
    assert many.layout.xaxis.tickangle == -90


def test_what_is_masked_is_blank_and_what_is_merely_small_is_not():
    p = torch.tensor([[1.0, 0.0, 0.0], [0.99999, 0.00001, 0.0], [0.0, 0.5, 0.5]])
    figure = plots.attention_heatmap(p)
    z = np.array(figure.data[0].z)
    assert np.allclose(z, p, atol=1e-4)
    blank = figure.layout.coloraxis.colorscale[1][0]  # as far as this the colour is clear
    assert {colour for at, colour in figure.layout.coloraxis.colorscale if at <= blank} == {
        "rgba(0,0,0,0)"
    }
    assert (z[np.triu_indices(3, 1)] <= blank).all() and (z[np.tril_indices(3)] > blank).all()
    assert [*figure.data[0].text[0]] == ["1.00", "", ""]


def test_without_a_mask_nothing_is_blank():
    figure = plots.attention_heatmap([[0.5, 0.5], [0.0, 1.0]])
    assert "rgba(0,0,0,0)" not in [colour for _, colour in figure.layout.coloraxis.colorscale]


def test_small_tables_carry_their_numbers_and_large_ones_do_not():
    assert plots.matrix(pattern(5, 5), axes=("", ""), title="").data[0].texttemplate == "%{z:.2f}"
    assert plots.matrix(pattern(32, 32), axes=("", ""), title="").data[0].texttemplate is None
    assert plots.attention_heatmap(pattern(8, 8)).data[0].texttemplate
    assert not plots.attention_heatmap(pattern(9, 9)).data[0].texttemplate


def test_a_strip_and_a_lens_table_go_on_below_where_the_line_ends():
    words = ["␣Alexander"] * 14
    strip = plots.token_strip([list(range(14))], words)
    assert [list(row) for row in strip.data[0].z] == [
        list(range(9)),
        [9, 10, 11, 12, 13, None, None, None, None],
    ]
    first, second = plots.lens_table(pattern(2, 14), [words] * 2, words, ["a", "b"]).data
    assert [*first.x, *second.x] == list(range(14))


def test_paper_and_ink_are_those_that_jupyterlab_replaces_by_its_own():
    root = Path(course.__file__).parents[1]
    style = (
        root / "hub/singleuser/labextensions/logitlab-figures/static/remoteEntry.js"
    ).read_text()
    for colour in (PAPER, plots.INK, FAINT, GRID):
        red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        assert f"rgb({red}, {green}, {blue})" in style
    for name, figure in every_kind().items():
        assert figure.layout.paper_bgcolor == PAPER, name
        assert figure.layout.font.color == plots.INK, name
