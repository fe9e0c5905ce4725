"""A figure of each kind, for tests of what all of them share."""

from __future__ import annotations

import plotly.graph_objects as go
import torch

from course import plots


def pattern(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)).softmax(-1)


def every_kind() -> dict[str, go.Figure]:
    """A figure of each function, with labels as long as those in the notebooks."""
    words = "⊢| When| Mary| and| John| went| to| the| shop|,| John| gave| a| book| to".split("|")  # noqa: SIM905
    n = len(words)
    causal = torch.tril(pattern(4, n, n)) / torch.tril(pattern(4, n, n)).sum(-1, keepdim=True)
    signed = torch.randn(5, n, generator=torch.Generator().manual_seed(0))
    symbols = [*map(chr, range(65, 97))]
    four = {f"induction-2l2h: stripe − control {i}": pattern(2, 2) for i in range(4)}
    title = "A title of more words than there is room for in one line of a page"
    both = {"all four heads": range(4, 0, -1), "without 0.1 (previous token)": range(4)}
    return {
        "attention_heatmap": plots.attention_heatmap(causal[0], words, title),
        "attention_heatmap of 49": plots.attention_heatmap(pattern(49, 49), [*map(str, range(49))]),
        "attention_heads": plots.attention_heads(causal, words),
        "attention_heads of two layers": plots.attention_heads(
            pattern(2, 4, 12, 12), "abcdefghijkl"
        ),
        "head_grid": plots.head_grid([[0.1, 0.9], [0.2, 0.3]]),
        "head_grid of four": plots.head_grid(four, title),
        "head_grid of GPT-2": plots.head_grid({"a": pattern(12, 12), "b": pattern(12, 12)}),
        "matrix": plots.matrix(
            signed[:, :5], axes=("a", "b"), labels=(words[:5],) * 2, title=title
        ),
        "matrix of 32": plots.matrix(
            pattern(32, 32), axes=("a", "b"), labels=(symbols,) * 2, title=title
        ),
        "position_losses": plots.position_losses(both, vocab=64, repeat_at=2, title=title),
        "token_strip": plots.token_strip([list(range(n))], words),
        "token_strip of four": plots.token_strip(torch.randint(0, 64, (4, 33))),
        "loss_strip": plots.loss_strip(torch.rand(2 * n - 1), words * 2),
        "position_grid": plots.position_grid(signed, words, ["after the last layer"] * 4 + ["x"]),
        "lens_table": plots.lens_table(signed.sigmoid(), [words] * 5, words, ["embeddings"] * 5),
        "next_tokens": plots.next_tokens(
            {"before": signed[0].softmax(-1), "after": signed[1].softmax(-1)}, words, k=8
        ),
        "contributions": plots.contributions(both, ["embed", "0.0 → 1.0", "0_mlp", "bias"]),
        "curves": plots.curves(
            range(4), both, x_title="step", y_title="nats", levels={"reachable": 1.357}, title=title
        ),
        "descents": plots.descents(
            pattern(9, 12),
            range(12),
            range(9),
            {"learning rate 0.15": pattern(30, 2) * 8, "momentum 0.8": pattern(9, 2) * 8},
            title=title,
        ),
        "composition": plots.composition([[0.1, 0.0], [0.5, 0.25]]),
    }
