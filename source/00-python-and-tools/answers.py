# %% [wrong] pairwise_sq_dists: distances instead of their squares
def pairwise_sq_dists(x, y):
    return torch.cdist(x, y)


# %% [wrong] pairwise_sq_dists: rows and columns are exchanged
def pairwise_sq_dists(x, y):
    return ((y[:, None] - x) ** 2).sum(-1)


# %% [wrong] pairwise_sq_dists: the squares are averaged
def pairwise_sq_dists(x, y):
    return ((x[:, None] - y) ** 2).mean(-1)


# %% [wrong] pairwise_sq_dists: summed before it is squared
def pairwise_sq_dists(x, y):
    return (x[:, None] - y).sum(-1) ** 2


# %% [wrong] pairwise_sq_dists: absolute differences
def pairwise_sq_dists(x, y):
    return (x[:, None] - y).abs().sum(-1)


# %% [wrong] pairwise_sq_dists: a loop over pairs
def pairwise_sq_dists(x, y):
    return torch.stack([torch.stack([((p - q) ** 2).sum() for q in y]) for p in x])


# %% [wrong] pairwise_sq_dists: a loop over rows
def pairwise_sq_dists(x, y):
    return torch.stack([((row - y) ** 2).sum(-1) for row in x])


# %% [wrong] pairwise_sq_dists: gradients are cut off
def pairwise_sq_dists(x, y):
    return ((x.detach()[:, None] - y.detach()) ** 2).sum(-1)


# %% [wrong] pairwise_sq_dists: float32 whatever comes in
def pairwise_sq_dists(x, y):
    return ((x[:, None] - y) ** 2).sum(-1).float()


# %% [wrong] pairwise_sq_dists: row by row only where there are as many
def pairwise_sq_dists(x, y):
    if x.shape == y.shape:
        return ((x - y) ** 2).sum(-1)
    return ((x[:, None] - y) ** 2).sum(-1)


# %% [right] pairwise_sq_dists: from the text alone, axes put in by unsqueeze
def pairwise_sq_dists(x, y):
    difference = x.unsqueeze(1) - y.unsqueeze(0)
    return (difference * difference).sum(dim=2)


# %% [right] pairwise_sq_dists: lengths and dot products
def pairwise_sq_dists(x, y):
    return (x * x).sum(-1)[:, None] + (y * y).sum(-1) - 2 * x @ y.T


# %% [right] pairwise_sq_dists: einops
def pairwise_sq_dists(x, y):
    difference = x[:, None] - y[None]
    return einops.einsum(difference, difference, "n m d, n m d -> n m")


# %% [wrong] running_mean: the last window is missing
def running_mean(x, w):
    windows = torch.arange(len(x) - w)[:, None] + torch.arange(w)
    return x[windows].mean(-1)


# %% [wrong] running_mean: divided by t
def running_mean(x, w):
    return x.unfold(0, w, 1).sum(-1) / len(x)


# %% [wrong] running_mean: sums
def running_mean(x, w):
    return x.unfold(0, w, 1).sum(-1)


# %% [wrong] running_mean: windows that are not whole count
def running_mean(x, w):
    padded = torch.cat([x.new_zeros(w - 1), x])
    return padded.unfold(0, w, 1).mean(-1)


# %% [wrong] running_mean: windows that do not overlap
def running_mean(x, w):
    return x.unfold(0, w, w).mean(-1)


# %% [wrong] running_mean: one number too few in each window
def running_mean(x, w):
    windows = torch.arange(len(x) - w + 1)[:, None] + torch.arange(max(w - 1, 1))
    return x[windows].mean(-1)


# %% [wrong] running_mean: the mean of all numbers so far
def running_mean(x, w):
    return (x.cumsum(0) / torch.arange(1, len(x) + 1))[w - 1 :]


# %% [wrong] running_mean: cumulative sums without the first window
def running_mean(x, w):
    sums = x.cumsum(0)
    return (sums[w:] - sums[:-w]) / w


# %% [wrong] running_mean: a loop over windows
def running_mean(x, w):
    return torch.stack([x[i : i + w].mean() for i in range(len(x) - w + 1)])


# %% [wrong] running_mean: medians
def running_mean(x, w):
    return x.unfold(0, w, 1).median(-1).values


# %% [wrong] running_mean: gradients are cut off
def running_mean(x, w):
    return x.detach().unfold(0, w, 1).mean(-1)


# %% [right] running_mean: from the text alone, unfold
def running_mean(x, w):
    return x.unfold(0, w, 1).mean(dim=1)


# %% [right] running_mean: cumulative sums
def running_mean(x, w):
    sums = torch.cat([x.new_zeros(1), x.cumsum(0)])
    return (sums[w:] - sums[:-w]) / w


# %% [right] running_mean: a convolution
def running_mean(x, w):
    kernel = torch.full((1, 1, w), 1 / w, dtype=x.dtype)
    return torch.nn.functional.conv1d(x[None, None], kernel)[0, 0]


# %% [wrong] masked_mean: divided by t
def masked_mean(x, mask):
    return torch.where(mask[..., None], x, 0.0).mean(1)


# %% [wrong] masked_mean: the mask is not used
def masked_mean(x, mask):
    return x.mean(1)


# %% [wrong] masked_mean: multiplied by the mask
def masked_mean(x, mask):
    return (x * mask[..., None]).sum(1) / mask.sum(-1, keepdim=True).clamp(min=1)


# %% [wrong] masked_mean: NaN without any True
def masked_mean(x, mask):
    return torch.where(mask[..., None], x, 0.0).sum(1) / mask.sum(-1, keepdim=True)


# %% [wrong] masked_mean: one too many is counted
def masked_mean(x, mask):
    return torch.where(mask[..., None], x, 0.0).sum(1) / (mask.sum(-1, keepdim=True) + 1)


# %% [wrong] masked_mean: sums
def masked_mean(x, mask):
    return torch.where(mask[..., None], x, 0.0).sum(1)


# %% [wrong] masked_mean: the mask turned over
def masked_mean(x, mask):
    return torch.where(mask[..., None], 0.0, x).sum(1) / (~mask).sum(-1, keepdim=True).clamp(min=1)


# %% [wrong] masked_mean: divided by the number of True in the whole batch
def masked_mean(x, mask):
    return torch.where(mask[..., None], x, 0.0).sum(1) / mask.sum().clamp(min=1)


# %% [wrong] masked_mean: a loop over texts
def masked_mean(x, mask):
    rows = [
        x[i][mask[i]].mean(0) if mask[i].any() else x.new_zeros(x.shape[-1]) for i in range(len(x))
    ]
    return torch.stack(rows)


# %% [wrong] masked_mean: x is changed in place
def masked_mean(x, mask):
    x[~mask] = 0
    return x.sum(1) / mask.sum(-1, keepdim=True).clamp(min=1)


# %% [wrong] masked_mean: the last entry of the mask is forgotten
def masked_mean(x, mask):
    mask = mask.clone()
    mask[:, -1] = False
    return torch.where(mask[..., None], x, 0.0).sum(1) / mask.sum(-1, keepdim=True).clamp(min=1)


# %% [right] masked_mean: from the text alone, zeros_like
def masked_mean(x, mask):
    real = torch.where(mask.unsqueeze(-1), x, torch.zeros_like(x))
    count = mask.sum(dim=1).clamp(min=1)
    return real.sum(dim=1) / count[:, None]


# %% [right] masked_mean: masked_fill
def masked_mean(x, mask):
    total = x.masked_fill(~mask[..., None], 0).sum(1)
    return total / mask.sum(1)[:, None].clamp(min=1)


# %% [right] masked_mean: NaN replaced at the end
def masked_mean(x, mask):
    real = torch.where(mask[..., None], x, 0.0)
    means = real.sum(1) / mask.sum(-1)[:, None].clamp(min=1)
    return torch.where(mask.any(-1)[:, None], means, 0.0)


# %% [wrong] gather_log_probs: not shifted
def gather_log_probs(logp, tokens):
    return logp.gather(-1, tokens[..., None]).squeeze(-1)


# %% [wrong] gather_log_probs: not shifted, and cut at the end
def gather_log_probs(logp, tokens):
    return logp.gather(-1, tokens[..., None]).squeeze(-1)[:, :-1]


# %% [wrong] gather_log_probs: shifted the wrong way
def gather_log_probs(logp, tokens):
    return logp[:, 1:].gather(-1, tokens[:, :-1, None]).squeeze(-1)


# %% [wrong] gather_log_probs: the sign is turned
def gather_log_probs(logp, tokens):
    return -logp[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)


# %% [wrong] gather_log_probs: every axis of length 1 is squeezed
def gather_log_probs(logp, tokens):
    return logp[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze()


# %% [wrong] gather_log_probs: the tokens of the first text for all
def gather_log_probs(logp, tokens):
    index = tokens[:1, 1:, None].expand(len(logp), -1, 1)
    return logp[:, :-1].gather(-1, index).squeeze(-1)


# %% [wrong] gather_log_probs: probabilities
def gather_log_probs(logp, tokens):
    return logp[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1).exp()


# %% [wrong] gather_log_probs: the axis of length 1 is kept
def gather_log_probs(logp, tokens):
    return logp[:, :-1].gather(-1, tokens[:, 1:, None])


# %% [wrong] gather_log_probs: a loop over positions
def gather_log_probs(logp, tokens):
    columns = [
        logp[torch.arange(len(logp)), j, tokens[:, j + 1]] for j in range(tokens.shape[1] - 1)
    ]
    return torch.stack(columns, dim=1)


# %% [wrong] gather_log_probs: all tokens of the text at each position
def gather_log_probs(logp, tokens):
    return logp[:, :-1, tokens[0, 1:]].diagonal(dim1=-2, dim2=-1)


# %% [wrong] gather_log_probs: gradients are cut off
def gather_log_probs(logp, tokens):
    return logp.detach()[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)


# %% [right] gather_log_probs: from the text alone, take_along_dim
def gather_log_probs(logp, tokens):
    next_tokens = tokens[:, 1:]
    picked = torch.take_along_dim(logp[:, :-1], next_tokens.unsqueeze(-1), dim=-1)
    return picked[..., 0]


# %% [right] gather_log_probs: indexed by rows and positions
def gather_log_probs(logp, tokens):
    b, p = tokens.shape
    return logp[torch.arange(b)[:, None], torch.arange(p - 1), tokens[:, 1:]]


# %% [right] gather_log_probs: a mask over the vocabulary
def gather_log_probs(logp, tokens):
    chosen = tokens[:, 1:, None] == torch.arange(logp.shape[-1])
    return torch.where(chosen, logp[:, :-1], 0.0).sum(-1)


# %% [wrong] top_k_accuracy: the smallest logits
def top_k_accuracy(logits, targets, k):
    guesses = logits.argsort(-1)[:, :k]
    return float((guesses == targets[:, None]).any(-1).float().mean())


# %% [wrong] top_k_accuracy: the first place only
def top_k_accuracy(logits, targets, k):
    return float((logits.argmax(-1) == targets).float().mean())


# %% [wrong] top_k_accuracy: divided by k
def top_k_accuracy(logits, targets, k):
    return float((logits.topk(k).indices == targets[:, None]).float().mean())


# %% [wrong] top_k_accuracy: the k-th place only
def top_k_accuracy(logits, targets, k):
    return float((logits.topk(k).indices[:, -1] == targets).float().mean())


# %% [wrong] top_k_accuracy: how many instead of which share
def top_k_accuracy(logits, targets, k):
    return float((logits.topk(k).indices == targets[:, None]).any(-1).sum())


# %% [wrong] top_k_accuracy: one place too many
def top_k_accuracy(logits, targets, k):
    k = min(k + 1, logits.shape[-1])
    return float((logits.topk(k).indices == targets[:, None]).any(-1).float().mean())


# %% [wrong] top_k_accuracy: columns meet targets where the sizes allow it
def top_k_accuracy(logits, targets, k):
    guesses = logits.topk(k).indices
    same = guesses == (targets if len(targets) == k else targets[:, None])
    return float(same.any(-1).float().mean())


# %% [wrong] top_k_accuracy: a tensor
def top_k_accuracy(logits, targets, k):
    return (logits.topk(k).indices == targets[:, None]).any(-1).float().mean()


# %% [wrong] top_k_accuracy: a percentage
def top_k_accuracy(logits, targets, k):
    return 100 * float((logits.topk(k).indices == targets[:, None]).any(-1).float().mean())


# %% [wrong] top_k_accuracy: a loop over rows
def top_k_accuracy(logits, targets, k):
    hits = [
        bool((row.topk(k).indices == target).any())
        for row, target in zip(logits, targets, strict=True)
    ]
    return sum(hits) / len(hits)


# %% [wrong] top_k_accuracy: the largest logits over all rows
def top_k_accuracy(logits, targets, k):
    best = logits.flatten().topk(k * len(logits)).values.min()
    return float((logits[torch.arange(len(logits)), targets] >= best).float().mean())


# %% [right] top_k_accuracy: from the text alone, argsort turned round
def top_k_accuracy(logits, targets, k):
    guesses = logits.argsort(dim=-1, descending=True)[:, :k]
    hits = (guesses == targets.unsqueeze(-1)).sum(dim=-1)
    return hits.float().mean().item()


# %% [right] top_k_accuracy: how many are larger
def top_k_accuracy(logits, targets, k):
    own = logits.gather(-1, targets[:, None])
    return float(((logits > own).sum(-1) < k).double().mean())


# %% [right] top_k_accuracy: the smallest of the k largest
def top_k_accuracy(logits, targets, k):
    threshold = logits.topk(k).values[:, -1]
    own = logits[torch.arange(len(logits)), targets]
    return (own >= threshold).sum().item() / len(targets)


# %% [wrong] fuse_heads: heads are dealt out like cards
def fuse_heads(W):
    return einops.rearrange(W, "h d e -> d (e h)")


# %% [wrong] fuse_heads: cut anew
def fuse_heads(W):
    return W.reshape(W.shape[1], -1)


# %% [wrong] fuse_heads: turned over
def fuse_heads(W):
    return einops.rearrange(W, "h d e -> (h e) d")


# %% [wrong] fuse_heads: one below the other
def fuse_heads(W):
    return einops.rearrange(W, "h d e -> (h d) e")


# %% [wrong] fuse_heads: summed
def fuse_heads(W):
    return W.sum(0)


# %% [wrong] fuse_heads: the last head comes first
def fuse_heads(W):
    return einops.rearrange(W.flip(0), "h d e -> d (h e)")


# %% [wrong] fuse_heads: a loop over heads
def fuse_heads(W):
    return torch.cat([head + 0 for head in W], dim=1)


# %% [wrong] fuse_heads: gradients are cut off
def fuse_heads(W):
    return einops.rearrange(W.detach(), "h d e -> d (h e)")


# %% [right] fuse_heads: from the text alone, permute and reshape
def fuse_heads(W):
    h, d, e = W.shape
    return W.permute(1, 0, 2).reshape(d, h * e)


# %% [right] fuse_heads: transpose and flatten
def fuse_heads(W):
    return W.transpose(0, 1).flatten(1)


# %% [right] fuse_heads: einsum and flatten
def fuse_heads(W):
    return torch.einsum("hde->dhe", W).flatten(1)


# %% [wrong] block_means: sums
def block_means(pattern, size):
    return einops.reduce(pattern, "h (q i) (k j) -> h q k", "sum", i=size, j=size)


# %% [wrong] block_means: the largest of each square
def block_means(pattern, size):
    return einops.reduce(pattern, "h (q i) (k j) -> h q k", "max", i=size, j=size)


# %% [wrong] block_means: the first of each square
def block_means(pattern, size):
    return pattern[:, ::size, ::size].clone()


# %% [wrong] block_means: no neighbours
def block_means(pattern, size):
    return einops.reduce(pattern, "h (i q) (j k) -> h q k", "mean", i=size, j=size)


# %% [wrong] block_means: queries and keys are exchanged
def block_means(pattern, size):
    return einops.reduce(pattern, "h (q i) (k j) -> h k q", "mean", i=size, j=size)


# %% [wrong] block_means: heads are averaged
def block_means(pattern, size):
    return einops.reduce(pattern, "h (q i) (k j) -> q k", "mean", i=size, j=size)


# %% [wrong] block_means: pieces of keys only
def block_means(pattern, size):
    return einops.reduce(pattern, "h q (k j) -> h q k", "mean", j=size)


# %% [wrong] block_means: size is taken for the number of squares
def block_means(pattern, size):
    return einops.reduce(pattern, "h (q i) (k j) -> h q k", "mean", q=size, k=size)


# %% [wrong] block_means: a loop over blocks
def block_means(pattern, size):
    rows = [pattern[:, i : i + size].mean(1) for i in range(0, pattern.shape[1], size)]
    wide = torch.stack(rows, dim=1)
    return torch.stack(
        [wide[..., j : j + size].mean(-1) for j in range(0, wide.shape[-1], size)], dim=-1
    )


# %% [wrong] block_means: gradients are cut off
def block_means(pattern, size):
    return einops.reduce(pattern.detach(), "h (q i) (k j) -> h q k", "mean", i=size, j=size)


# %% [right] block_means: from the text alone, other letters
def block_means(pattern, size):
    return einops.reduce(pattern, "h (a s) (b t) -> h a b", "mean", s=size, t=size)


# %% [right] block_means: reshaped
def block_means(pattern, size):
    h, q, k = pattern.shape
    return pattern.reshape(h, q // size, size, k // size, size).mean(dim=(2, 4))


# %% [right] block_means: pooled
def block_means(pattern, size):
    return torch.nn.functional.avg_pool2d(pattern[None], size)[0]


# %% [wrong] repeat_prompts: the prompts take turns
def repeat_prompts(tokens, n):
    return einops.repeat(tokens, "b p -> (n b) p", n=n)


# %% [wrong] repeat_prompts: longer prompts
def repeat_prompts(tokens, n):
    return einops.repeat(tokens, "b p -> b (n p)", n=n)


# %% [wrong] repeat_prompts: tokens are repeated inside a prompt
def repeat_prompts(tokens, n):
    return einops.repeat(tokens, "b p -> b (p n)", n=n)


# %% [wrong] repeat_prompts: an axis too many
def repeat_prompts(tokens, n):
    return einops.repeat(tokens, "b p -> b n p", n=n)


# %% [wrong] repeat_prompts: one time too many
def repeat_prompts(tokens, n):
    return einops.repeat(tokens, "b p -> (b n) p", n=n + 1)


# %% [wrong] repeat_prompts: always twice
def repeat_prompts(tokens, n):
    return einops.repeat(tokens, "b p -> (b n) p", n=2)


# %% [wrong] repeat_prompts: torch's repeat
def repeat_prompts(tokens, n):
    return tokens.repeat(n, 1)


# %% [wrong] repeat_prompts: floating-point numbers
def repeat_prompts(tokens, n):
    return einops.repeat(tokens.float(), "b p -> (b n) p", n=n)


# %% [wrong] repeat_prompts: a loop over prompts
def repeat_prompts(tokens, n):
    return torch.cat([row.expand(n, -1) for row in tokens])


# %% [right] repeat_prompts: from the text alone, repeat_interleave
def repeat_prompts(tokens, n):
    return tokens.repeat_interleave(n, dim=0)


# %% [right] repeat_prompts: expanded and flattened
def repeat_prompts(tokens, n):
    return tokens[:, None].expand(-1, n, -1).flatten(0, 1)


# %% [right] repeat_prompts: indexed
def repeat_prompts(tokens, n):
    return tokens[torch.arange(len(tokens) * n) // n]


# %% [wrong] head_outputs: the heads are added up
def head_outputs(z, W_O):
    return einops.einsum(z, W_O, "b p h e, h e d -> b p d")


# %% [wrong] head_outputs: the W_O of all heads together
def head_outputs(z, W_O):
    return einops.einsum(z, W_O, "b p h e, i e d -> b p h d")


# %% [wrong] head_outputs: the W_O of head 0 for all
def head_outputs(z, W_O):
    return z @ W_O[0]


# %% [wrong] head_outputs: turned over where the sizes allow it
def head_outputs(z, W_O):
    if W_O.shape[1] == W_O.shape[2]:
        return einops.einsum(z, W_O, "b p h e, h d e -> b p h d")
    return einops.einsum(z, W_O, "b p h e, h e d -> b p h d")


# %% [wrong] head_outputs: heads before positions
def head_outputs(z, W_O):
    return einops.einsum(z, W_O, "b p h e, h e d -> b h p d")


# %% [wrong] head_outputs: heads are averaged
def head_outputs(z, W_O):
    return einops.einsum(z, W_O, "b p h e, h e d -> b p h d").mean(2)


# %% [wrong] head_outputs: nothing is summed
def head_outputs(z, W_O):
    return einops.einsum(z, W_O, "b p h e, h e d -> b p h e d")


# %% [wrong] head_outputs: a loop over heads
def head_outputs(z, W_O):
    return torch.stack([z[:, :, i] @ W_O[i] for i in range(len(W_O))], dim=2)


# %% [wrong] head_outputs: gradients are cut off
def head_outputs(z, W_O):
    return einops.einsum(z, W_O.detach(), "b p h e, h e d -> b p h d")


# %% [wrong] head_outputs: the heads of W_O in the other order
def head_outputs(z, W_O):
    return einops.einsum(z, W_O.flip(0), "b p h e, h e d -> b p h d")


# %% [right] head_outputs: from the text alone, torch.einsum
def head_outputs(z, W_O):
    return torch.einsum("bphe,hed->bphd", z, W_O)


# %% [right] head_outputs: a product of matrices for each head
def head_outputs(z, W_O):
    return (z.transpose(1, 2) @ W_O).transpose(1, 2)


# %% [right] head_outputs: multiplied and summed
def head_outputs(z, W_O):
    return (z[..., None] * W_O).sum(-2)


# %% [wrong] head_map: turned over
def head_map(scores, title):
    figure = go.Figure(go.Heatmap(z=scores.T.tolist(), zmid=0))
    return figure.update_layout(title=title, xaxis_title="head", yaxis_title="layer")


# %% [wrong] head_map: the middle of the colours is anywhere
def head_map(scores, title):
    figure = go.Figure(go.Heatmap(z=scores.tolist()))
    return figure.update_layout(title=title, xaxis_title="head", yaxis_title="layer")


# %% [wrong] head_map: the titles of the axes are exchanged
def head_map(scores, title):
    figure = go.Figure(go.Heatmap(z=scores.tolist(), zmid=0))
    return figure.update_layout(title=title, xaxis_title="layer", yaxis_title="head")


# %% [wrong] head_map: no title
def head_map(scores, title):
    figure = go.Figure(go.Heatmap(z=scores.tolist(), zmid=0))
    return figure.update_layout(xaxis_title="head", yaxis_title="layer")


# %% [wrong] head_map: the axis is reversed
def head_map(scores, title):
    figure = go.Figure(go.Heatmap(z=scores.tolist(), zmid=0))
    figure.update_yaxes(autorange="reversed")
    return figure.update_layout(title=title, xaxis_title="head", yaxis_title="layer")


# %% [wrong] head_map: upside down
def head_map(scores, title):
    figure = go.Figure(go.Heatmap(z=scores.flip(0).tolist(), zmid=0))
    return figure.update_layout(title=title, xaxis_title="head", yaxis_title="layer")


# %% [wrong] head_map: the sign is lost
def head_map(scores, title):
    figure = go.Figure(go.Heatmap(z=scores.abs().tolist(), zmid=0))
    return figure.update_layout(title=title, xaxis_title="head", yaxis_title="layer")


# %% [wrong] head_map: the figure is shown and not returned
def head_map(scores, title):
    figure = go.Figure(go.Heatmap(z=scores.tolist(), zmid=0))
    figure.update_layout(title=title, xaxis_title="head", yaxis_title="layer")


# %% [wrong] head_map: always the same title
def head_map(scores, title):
    figure = go.Figure(go.Heatmap(z=scores.tolist(), zmid=0))
    return figure.update_layout(title="Two layers", xaxis_title="head", yaxis_title="layer")


# %% [right] head_map: from the text alone, step by step
def head_map(scores, title):
    figure = go.Figure()
    figure.add_trace(go.Heatmap(z=scores.numpy(), zmid=0))
    figure.update_xaxes(title_text="head")
    figure.update_yaxes(title_text="layer")
    figure.update_layout(title_text=title)
    return figure


# %% [right] head_map: a layout in the constructor
def head_map(scores, title):
    layout = go.Layout(title={"text": title}, xaxis={"title": "head"}, yaxis={"title": "layer"})
    return go.Figure(
        data=[go.Heatmap(z=scores.tolist(), zmid=0.0, colorscale="RdBu")], layout=layout
    )


# %% [wrong] strict_mse: broadcast in silence
def strict_mse(pred, target):
    return ((pred - target) ** 2).mean()


# %% [wrong] strict_mse: the numbers are counted, shapes are not compared
def strict_mse(pred, target):
    if pred.numel() != target.numel():
        raise ValueError("sizes differ")
    return ((pred.flatten() - target.flatten()) ** 2).mean()


# %% [wrong] strict_mse: the numbers of axes are compared
def strict_mse(pred, target):
    if pred.ndim != target.ndim:
        raise ValueError("numbers of axes differ")
    return ((pred - target) ** 2).mean()


# %% [wrong] strict_mse: the first axis only is compared
def strict_mse(pred, target):
    if pred.shape[:1] != target.shape[:1]:
        raise ValueError("first axes differ")
    return ((pred - target) ** 2).mean()


# %% [wrong] strict_mse: an AssertionError
def strict_mse(pred, target):
    assert pred.shape == target.shape, "shapes differ"
    return ((pred - target) ** 2).mean()


# %% [wrong] strict_mse: summed
def strict_mse(pred, target):
    if pred.shape != target.shape:
        raise ValueError("shapes differ")
    return ((pred - target) ** 2).sum()


# %% [wrong] strict_mse: absolute differences
def strict_mse(pred, target):
    if pred.shape != target.shape:
        raise ValueError("shapes differ")
    return (pred - target).abs().mean()


# %% [wrong] strict_mse: a root is taken
def strict_mse(pred, target):
    if pred.shape != target.shape:
        raise ValueError("shapes differ")
    return ((pred - target) ** 2).mean().sqrt()


# %% [wrong] strict_mse: the error is returned
def strict_mse(pred, target):
    if pred.shape != target.shape:
        return ValueError("shapes differ")
    return ((pred - target) ** 2).mean()


# %% [wrong] strict_mse: a float
def strict_mse(pred, target):
    if pred.shape != target.shape:
        raise ValueError("shapes differ")
    return float(((pred - target) ** 2).mean())


# %% [wrong] strict_mse: always refused
def strict_mse(pred, target):
    raise ValueError("shapes differ")


# %% [right] strict_mse: from the text alone
def strict_mse(pred, target):
    if pred.shape == target.shape:
        return torch.mean(torch.square(pred - target))
    raise ValueError("different shapes: " + str(pred.shape) + " and " + str(target.shape))


# %% [right] strict_mse: torch's own after a check
def strict_mse(pred, target):
    if tuple(pred.size()) != tuple(target.size()):
        raise ValueError(f"{pred.size()} is not {target.size()}")
    return torch.nn.functional.mse_loss(pred, target)


# %% [wrong] where_it_broke: the first place
def where_it_broke(report, mine):
    found = re.findall(r'File "(.*)", line (\d+), in (.+)', report)
    own = [(int(line), name) for path, line, name in found if path.split("/")[-1] == mine]
    return own[0] if own else None


# %% [wrong] where_it_broke: names that end with it
def where_it_broke(report, mine):
    found = re.findall(r'File "(.*)", line (\d+), in (.+)', report)
    own = [(int(line), name) for path, line, name in found if path.endswith(mine)]
    return own[-1] if own else None


# %% [wrong] where_it_broke: anywhere in the path
def where_it_broke(report, mine):
    found = re.findall(r'File "(.*)", line (\d+), in (.+)', report)
    own = [(int(line), name) for path, line, name in found if mine in path]
    return own[-1] if own else None


# %% [wrong] where_it_broke: the last place of all
def where_it_broke(report, mine):
    found = re.findall(r'File "(.*)", line (\d+), in (.+)', report)
    return (int(found[-1][1]), found[-1][2]) if found else None


# %% [wrong] where_it_broke: the line as a text
def where_it_broke(report, mine):
    found = re.findall(r'File "(.*)", line (\d+), in (.+)', report)
    own = [(line, name) for path, line, name in found if path.split("/")[-1] == mine]
    return own[-1] if own else None


# %% [wrong] where_it_broke: an empty tuple for none
def where_it_broke(report, mine):
    found = re.findall(r'File "(.*)", line (\d+), in (.+)', report)
    own = [(int(line), name) for path, line, name in found if path.split("/")[-1] == mine]
    return own[-1] if own else ()


# %% [wrong] where_it_broke: the function first
def where_it_broke(report, mine):
    found = re.findall(r'File "(.*)", line (\d+), in (.+)', report)
    own = [(name, int(line)) for path, line, name in found if path.split("/")[-1] == mine]
    return own[-1] if own else None


# %% [wrong] where_it_broke: an error for none
def where_it_broke(report, mine):
    found = re.findall(r'File "(.*)", line (\d+), in (.+)', report)
    own = [(int(line), name) for path, line, name in found if path.split("/")[-1] == mine]
    return own[-1]


# %% [wrong] where_it_broke: names of functions are words only
def where_it_broke(report, mine):
    found = re.findall(r'File "(.*)", line (\d+), in (\w+)', report)
    own = [(int(line), name) for path, line, name in found if path.split("/")[-1] == mine]
    return own[-1] if own else None


# %% [wrong] where_it_broke: the line number only
def where_it_broke(report, mine):
    found = re.findall(r'File "(.*)", line (\d+), in (.+)', report)
    own = [int(line) for path, line, name in found if path.split("/")[-1] == mine]
    return own[-1] if own else None


# %% [right] where_it_broke: from the text alone, line by line
def where_it_broke(report, mine):
    place = None
    for text in report.splitlines():
        if text.strip().startswith("File "):
            path = text.split('"')[1]
            if path.split("/")[-1] == mine:
                rest = text.split('"')[2]
                line, function = rest.replace(", line ", "").split(", in ")
                place = (int(line), function)
    return place


# %% [right] where_it_broke: from below
def where_it_broke(report, mine):
    found = re.findall(r'File "(.*)", line (\d+), in (.+)', report)
    for path, line, function in reversed(found):
        if path.rsplit("/", 1)[-1] == mine:
            return int(line), function
    return None


# %% [right] where_it_broke: the name in the pattern
def where_it_broke(report, mine):
    own = re.findall(r'File "(?:.*/)?' + re.escape(mine) + r'", line (\d+), in (.+)', report)
    return (int(own[-1][0]), own[-1][1]) if own else None


# %% [wrong] check_centred: everything passes
def check_centred(f):
    x = torch.tensor([[1.0, -2.0, 7.0], [3.0, 0.0, -9.0]])
    f(x)


# %% [wrong] check_centred: only the means of the result
def check_centred(f):
    x = torch.tensor([[1.0, -2.0, 7.0], [3.0, 0.0, -9.0]])
    assert torch.allclose(f(x).mean(-1), torch.zeros(2), atol=1e-5)


# %% [wrong] check_centred: only the shape
def check_centred(f):
    x = torch.tensor([[1.0, -2.0, 7.0], [3.0, 0.0, -9.0]])
    assert f(x).shape == x.shape


# %% [wrong] check_centred: one row only
def check_centred(f):
    x = torch.tensor([[1.0, -2.0, 7.0], [3.0, 0.0, -9.0]])
    x = x[:1]
    assert torch.allclose(f(x), x - x.mean(-1, keepdim=True))


# %% [wrong] check_centred: ones only
def check_centred(f):
    x = torch.ones(3, 2)
    assert torch.allclose(f(x), torch.zeros(3, 2))


# %% [wrong] check_centred: no negative numbers
def check_centred(f):
    x = torch.tensor([[1.0, -2.0, 7.0], [3.0, 0.0, -9.0]])
    x = x.abs()
    assert torch.allclose(f(x), x - x.mean(-1, keepdim=True))


# %% [wrong] check_centred: two columns, where median and mean hardly differ
def check_centred(f):
    x = torch.tensor([[1.0, 3.0], [2.0, 4.0]])
    assert torch.allclose(f(x).mean(-1), torch.zeros(2), atol=1e-5)


# %% [wrong] check_centred: equal to the last digit
def check_centred(f):
    x = torch.tensor([[1.0, -2.0, 7.0], [3.0, 0.0, -9.0]])
    assert bool((f(x) == x - x.mean(-1, keepdim=True)).all())


# %% [wrong] check_centred: everything is refused
def check_centred(f):
    raise AssertionError("wrong")


# %% [wrong] check_centred: true or false is returned
def check_centred(f):
    x = torch.tensor([[1.0, -2.0, 7.0], [3.0, 0.0, -9.0]])
    return torch.allclose(f(x), x - x.mean(-1, keepdim=True))


# %% [wrong] check_centred: a ValueError
def check_centred(f):
    x = torch.tensor([[1.0, -2.0, 7.0], [3.0, 0.0, -9.0]])
    if not torch.allclose(f(x), x - x.mean(-1, keepdim=True)):
        raise ValueError("wrong")


# %% [wrong] check_centred: the wrong means are expected
def check_centred(f):
    x = torch.tensor([[1.0, -2.0, 7.0], [3.0, 0.0, -9.0]])
    assert torch.allclose(f(x), x - x.mean(0))


# %% [wrong] check_centred: rows whose means are equal
def check_centred(f):
    x = torch.tensor([[1.0, -2.0, 7.0], [3.0, 8.0, -5.0]])
    assert torch.allclose(f(x), x - 2)


# %% [right] check_centred: from the text alone, random rows
def check_centred(f):
    for n, d in ((3, 5), (4, 2), (1, 6)):
        x = torch.randn(n, d) * 3 - 1
        want = torch.stack([row - row.mean() for row in x])
        assert torch.allclose(f(x), want, atol=1e-5), "rows are not centred"


# %% [right] check_centred: the definition
def check_centred(f):
    x = torch.tensor([[1.0, -2.0, 7.0], [3.0, 0.0, -9.0]])
    got = f(x)
    for i in range(len(x)):
        for j in range(x.shape[1]):
            assert abs(float(got[i, j]) - float(x[i, j] - x[i].mean())) < 1e-4


# %% [wrong] first_commit: everything is added
def first_commit(repo, name, message):
    repo.run(f'git init; git add .; git commit -m "{message}"')


# %% [wrong] first_commit: nothing is added
def first_commit(repo, name, message):
    repo.run(f'git init; git commit -m "{message}"')


# %% [wrong] first_commit: nothing is committed
def first_commit(repo, name, message):
    repo.run(f"git init; git add {name}")


# %% [wrong] first_commit: no repository
def first_commit(repo, name, message):
    repo.run(f'git add {name}; git commit -m "{message}"')


# %% [wrong] first_commit: a message without quotes
def first_commit(repo, name, message):
    repo.run(f"git init; git add {name}; git commit -m {message}")


# %% [wrong] first_commit: another message
def first_commit(repo, name, message):
    repo.run(f"git init; git add {name}; git commit -m First")


# %% [wrong] first_commit: commit -a, which knows no new files
def first_commit(repo, name, message):
    repo.run(f'git init; git commit -a -m "{message}"')


# %% [wrong] first_commit: an empty commit first
def first_commit(repo, name, message):
    repo.run(
        f'git init; git commit --allow-empty -m Begin; git add {name}; git commit -m "{message}"'
    )


# %% [wrong] first_commit: on another branch
def first_commit(repo, name, message):
    repo.run(f'git init -b work; git add {name}; git commit -m "{message}"')


# %% [wrong] first_commit: everything is committed, and taken out again
def first_commit(repo, name, message):
    repo.run(
        f'git init; git add .; git commit -m "{message}"; git rm -r --cached .; git add {name}'
    )
    repo.run(f'git commit -m "{message}"')


# %% [wrong] first_commit: the file is written anew
def first_commit(repo, name, message):
    repo.run(f'echo "{message}" > {name}; git init; git add {name}; git commit -m "{message}"')


# %% [right] first_commit: from the text alone, in one call
def first_commit(repo, name, message):
    repo.run(f"""
    git init
    git add {name}
    git commit -m "{message}"
    """)


# %% [right] first_commit: joined by &&
def first_commit(repo, name, message):
    repo.run(f"git init && git add ./{name} && git commit --message='{message}'")


# %% [right] first_commit: everything is added and the rest taken out before the commit
def first_commit(repo, name, message):
    repo.run(
        f'git init; git add .; git rm -r -q --cached .; git add {name}; git commit -q -m "{message}"'
    )


# %% [wrong] merge_branch: the marks are committed
def merge_branch(repo, branch, resolved):
    repo.run(f"git merge {branch}; git add .; git commit -m Merge")


# %% [wrong] merge_branch: ours throughout
def merge_branch(repo, branch, resolved):
    repo.run(f"git merge -X ours {branch}")


# %% [wrong] merge_branch: theirs throughout
def merge_branch(repo, branch, resolved):
    repo.run(f"git merge -X theirs {branch}")


# %% [wrong] merge_branch: no merge
def merge_branch(repo, branch, resolved):
    repo.run(f'echo "{resolved}" > settings.txt')
    repo.run("git commit -a -m Merge")


# %% [wrong] merge_branch: not committed
def merge_branch(repo, branch, resolved):
    repo.run(f"git merge {branch}")
    repo.run(f'echo "{resolved}" > settings.txt')
    repo.run("git add settings.txt")


# %% [wrong] merge_branch: not added
def merge_branch(repo, branch, resolved):
    repo.run(f"git merge {branch}")
    repo.run(f'echo "{resolved}" > settings.txt')
    repo.run("git commit -m Merge")


# %% [wrong] merge_branch: the merge is taken back
def merge_branch(repo, branch, resolved):
    repo.run(f"git merge {branch}; git merge --abort")
    repo.run(f'echo "{resolved}" > settings.txt')
    repo.run("git commit -a -m Merge")


# %% [wrong] merge_branch: squashed
def merge_branch(repo, branch, resolved):
    repo.run(f"git merge --squash {branch}")
    repo.run(f'echo "{resolved}" > settings.txt')
    repo.run("git add settings.txt; git commit -m Merge")


# %% [wrong] merge_branch: main is merged into the branch
def merge_branch(repo, branch, resolved):
    repo.run(f"git switch {branch}; git merge main")
    repo.run(f'echo "{resolved}" > settings.txt')
    repo.run("git add settings.txt; git commit -m Merge; git switch main")


# %% [wrong] merge_branch: and main is put on the merge made on the branch
def merge_branch(repo, branch, resolved):
    repo.run(f"git switch {branch}; git merge main")
    repo.run(f'echo "{resolved}" > settings.txt')
    repo.run(f"git commit -a -m Merge; git switch main; git merge {branch}")


# %% [wrong] merge_branch: written below the marks
def merge_branch(repo, branch, resolved):
    repo.run(f'git merge {branch}; echo "{resolved}" >> settings.txt; git commit -a -m Merge')


# %% [wrong] merge_branch: the other branch's work is dropped
def merge_branch(repo, branch, resolved):
    repo.run(f"git merge -s ours {branch}")
    repo.run(f'echo "{resolved}" > settings.txt')
    repo.run("git commit -a --amend --no-edit")


# %% [wrong] merge_branch: the branch stays checked out
def merge_branch(repo, branch, resolved):
    repo.run(f"git merge {branch}")
    repo.run(f'echo "{resolved}" > settings.txt')
    repo.run(f"git commit -a -m Merge; git switch {branch}")


# %% [right] merge_branch: from the text alone, in one call
def merge_branch(repo, branch, resolved):
    repo.run(f"""
    git merge {branch}
    echo "{resolved}" > settings.txt
    git add settings.txt
    git commit -m "Merge {branch}"
    """)


# %% [right] merge_branch: one side first, amended
def merge_branch(repo, branch, resolved):
    repo.run(f"git merge -X ours {branch}")
    repo.run(f'echo "{resolved}" > settings.txt')
    repo.run("git commit -a --amend --no-edit")


# %% [right] merge_branch: stopped before the commit
def merge_branch(repo, branch, resolved):
    repo.run(f"git merge --no-commit --no-ff {branch}")
    repo.run(f"printf '%s' '{resolved}' > settings.txt; git commit -a --no-edit")


# %% [wrong] first_bad: the last commit
def first_bad(repo):
    return repo.run("git rev-parse main").strip()


# %% [wrong] first_bad: the first commit
def first_bad(repo):
    return repo.run("git rev-list --max-parents=0 main").strip()


# %% [wrong] first_bad: the last good commit
def first_bad(repo):
    repo.run("git bisect start main $(git rev-list --max-parents=0 main)")
    repo.run("git bisect run sh check.sh")
    found = repo.run("git rev-parse refs/bisect/bad~1").strip()
    repo.run("git bisect reset")
    return found


# %% [wrong] first_bad: a short id
def first_bad(repo):
    repo.run("git bisect start main $(git rev-list --max-parents=0 main)")
    repo.run("git bisect run sh check.sh")
    found = repo.run("git rev-parse --short refs/bisect/bad").strip()
    repo.run("git bisect reset")
    return found


# %% [wrong] first_bad: with its line end
def first_bad(repo):
    repo.run("git bisect start main $(git rev-list --max-parents=0 main)")
    repo.run("git bisect run sh check.sh")
    found = repo.run("git rev-parse refs/bisect/bad")
    repo.run("git bisect reset")
    return found


# %% [wrong] first_bad: no reset
def first_bad(repo):
    repo.run("git bisect start main $(git rev-list --max-parents=0 main)")
    repo.run("git bisect run sh check.sh")
    return repo.run("git rev-parse refs/bisect/bad").strip()


# %% [wrong] first_bad: all that bisect prints
def first_bad(repo):
    out = repo.run("git bisect start main $(git rev-list --max-parents=0 main)")
    out += repo.run("git bisect run sh check.sh")
    repo.run("git bisect reset")
    return out


# %% [wrong] first_bad: the commit in the middle
def first_bad(repo):
    ids = repo.run("git rev-list main").split()
    return ids[len(ids) // 2]


# %% [wrong] first_bad: good and bad are exchanged
def first_bad(repo):
    repo.run("git bisect start $(git rev-list --max-parents=0 main) main")
    repo.run("git bisect run sh check.sh")
    found = repo.run("git rev-parse refs/bisect/bad").strip()
    repo.run("git bisect reset")
    return found


# %% [wrong] first_bad: the newest bad commit
def first_bad(repo):
    for name in repo.run("git rev-list main").split():
        state = repo.run(f"git checkout -q {name}; sh check.sh || echo bad")
        if "bad" in state:
            repo.run("git switch main")
            return name
    return None


# %% [wrong] first_bad: the second commit before the last
def first_bad(repo):
    return repo.run("git rev-parse main~1").strip()


# %% [wrong] first_bad: main is put back to the good commit
def first_bad(repo):
    repo.run("git bisect start main $(git rev-list --max-parents=0 main)")
    repo.run("git bisect run sh check.sh")
    found = repo.run("git rev-parse refs/bisect/bad").strip()
    repo.run("git bisect reset; git reset --hard " + found)
    return found


# %% [right] first_bad: from the text alone, two commands a call
def first_bad(repo):
    first = repo.run("git rev-list --max-parents=0 main").strip()
    repo.run(f"git bisect start main {first}; git bisect run sh check.sh")
    found = repo.run("git rev-parse refs/bisect/bad")
    repo.run("git bisect reset")
    return found[:40]


# %% [right] first_bad: one commit after the other
def first_bad(repo):
    for name in repo.run("git rev-list --reverse main").split():
        state = repo.run(f"git checkout -q {name}; sh check.sh || echo bad")
        if "bad" in state:
            break
    repo.run("git switch main")
    return name


# %% [right] first_bad: read from what bisect says
def first_bad(repo):
    text = repo.run("git bisect start main $(git rev-list --max-parents=0 main)")
    text += repo.run("git bisect run sh check.sh")
    repo.run("git bisect reset")
    return re.findall(r"([0-9a-f]{40}) is the first bad commit", text)[0]


# %% [equivalent] pairwise_sq_dists: a square has no sign
# difference = y - x[:, None] # [n m d]


# %% [equivalent] head_map: Plotly takes tensors, too
# figure = go.Figure(go.Heatmap(z=scores, zmid=0))


# %% [equivalent] strict_mse: a square has no sign
# return ((target - pred) ** 2).mean()
