# %% [wrong] repeated_tokens: bos stands in front of both copies
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(seed)
    block = torch.randint(0, d_vocab - 1, (n, period), generator=generator)
    block = block + (block >= bos)
    start = torch.full((n, 1), bos)
    return torch.cat([start, block, start, block], dim=1)


# %% [wrong] repeated_tokens: bos is drawn like any other id
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(seed)
    block = torch.randint(0, d_vocab, (n, period), generator=generator)
    return torch.cat([torch.full((n, 1), bos), block, block], dim=1)


# %% [wrong] repeated_tokens: takes bos to be the last id
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(seed)
    block = torch.randint(0, d_vocab - 1, (n, period), generator=generator)
    return torch.cat([torch.full((n, 1), bos), block, block], dim=1)


# %% [wrong] repeated_tokens: draws bos and writes its neighbour, which is then twice as likely
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(seed)
    block = torch.randint(0, d_vocab, (n, period), generator=generator)
    block[block == bos] = (bos + 1) % d_vocab
    return torch.cat([torch.full((n, 1), bos), block, block], dim=1)


# %% [wrong] repeated_tokens: all rows have the same block
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(seed)
    block = torch.randint(0, d_vocab - 1, (1, period), generator=generator)
    block = (block + (block >= bos)).expand(n, period)
    return torch.cat([torch.full((n, 1), bos), block, block], dim=1)


# %% [wrong] repeated_tokens: the second copy is drawn anew
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(seed)
    block = torch.randint(0, d_vocab - 1, (n, 2 * period), generator=generator)
    block = block + (block >= bos)
    return torch.cat([torch.full((n, 1), bos), block], dim=1)


# %% [wrong] repeated_tokens: the seed is ignored
def repeated_tokens(n, period, d_vocab, bos, seed):
    block = torch.randint(0, d_vocab - 1, (n, period))
    block = block + (block >= bos)
    return torch.cat([torch.full((n, 1), bos), block, block], dim=1)


# %% [wrong] repeated_tokens: every call is seeded with 0
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(0)
    block = torch.randint(0, d_vocab - 1, (n, period), generator=generator)
    block = block + (block >= bos)
    return torch.cat([torch.full((n, 1), bos), block, block], dim=1)


# %% [wrong] repeated_tokens: each symbol is doubled instead of the block
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(seed)
    block = torch.randint(0, d_vocab - 1, (n, period), generator=generator)
    block = block + (block >= bos)
    return torch.cat([torch.full((n, 1), bos), block.repeat_interleave(2, dim=1)], dim=1)


# %% [wrong] repeated_tokens: no id occurs twice in a block
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.tensor([i for i in range(d_vocab) if i != bos])
    rows = [allowed[torch.randperm(d_vocab - 1, generator=generator)[:period]] for _ in range(n)]
    block = torch.stack(rows)
    return torch.cat([torch.full((n, 1), bos), block, block], dim=1)


# %% [wrong] repeated_tokens: the block counts bos as one of its tokens
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(seed)
    block = torch.randint(0, d_vocab - 1, (n, period), generator=generator)
    block = block + (block >= bos)
    block[:, 0] = bos
    return torch.cat([block, block], dim=1)


# %% [wrong] repeated_tokens: the last allowed id is never drawn
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(seed)
    block = torch.randint(0, d_vocab - 2, (n, period), generator=generator)
    block = block + (block >= bos)
    return torch.cat([torch.full((n, 1), bos), block, block], dim=1)


# %% [wrong] repeated_tokens: shifted past bos with > instead of >=
def repeated_tokens(n, period, d_vocab, bos, seed):
    g = torch.Generator().manual_seed(seed)
    block = torch.randint(d_vocab - 1, (n, period), generator=g)
    block += (block > bos).long()
    return torch.cat([torch.full((n, 1), bos), block, block], dim=-1)


# %% [right] repeated_tokens: typed from the text alone
def repeated_tokens(n, period, d_vocab, bos, seed):
    torch.manual_seed(seed)
    ids = torch.randint(0, d_vocab - 1, (n, period))
    ids[ids >= bos] += 1
    return torch.cat([torch.full((n, 1), bos), ids, ids], dim=1)


# %% [right] repeated_tokens: a list of the allowed ids, indexed
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.tensor([i for i in range(d_vocab) if i != bos])
    block = allowed[torch.randint(0, len(allowed), (n, period), generator=generator)]
    return torch.hstack([torch.full((n, 1), bos), block.repeat(1, 2)])


# %% [right] repeated_tokens: loops and Python's own randomness
def repeated_tokens(n, period, d_vocab, bos, seed):
    import random

    source = random.Random(seed)
    allowed = [i for i in range(d_vocab) if i != bos]
    rows = []
    for _ in range(n):
        block = source.choices(allowed, k=period)
        rows.append([bos, *block, *block])
    return torch.tensor(rows)


# %% [right] repeated_tokens: a weight of zero for bos
def repeated_tokens(n, period, d_vocab, bos, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.ones(d_vocab)
    weight[bos] = 0
    block = torch.multinomial(weight, n * period, replacement=True, generator=generator)
    result = torch.full((n, 1 + 2 * period), bos)
    result[:, 1:] = block.view(n, period).tile(2)
    return result


# %% [right] repeated_tokens: drawn as a distance from bos
def repeated_tokens(n, period, d_vocab, bos, seed):
    g = torch.Generator().manual_seed(seed)
    block = (bos + torch.randint(1, d_vocab, (n, period), generator=g)) % d_vocab
    return torch.cat([torch.full((n, 1), bos), block, block], dim=1)


# %% [wrong] loss_by_position: not shifted, the bet is compared with the token it was made at
def loss_by_position(model, tokens):
    log_probs = model(tokens).log_softmax(dim=-1)
    losses = -log_probs.gather(-1, tokens[..., None])[..., 0]
    return losses[:, 1:].mean(dim=0)


# %% [wrong] loss_by_position: shifted the wrong way
def loss_by_position(model, tokens):
    log_probs = model(tokens)[:, 1:].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, :-1, None])[..., 0].mean(dim=0)


# %% [wrong] loss_by_position: averaged over positions too
def loss_by_position(model, tokens):
    log_probs = model(tokens)[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, 1:, None])[..., 0].mean()


# %% [wrong] loss_by_position: averaged over the positions, one loss a row
def loss_by_position(model, tokens):
    log_probs = model(tokens)[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, 1:, None])[..., 0].mean(dim=1)


# %% [wrong] loss_by_position: summed over the batch
def loss_by_position(model, tokens):
    log_probs = model(tokens)[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, 1:, None])[..., 0].sum(dim=0)


# %% [wrong] loss_by_position: only the first row of the batch
def loss_by_position(model, tokens):
    log_probs = model(tokens)[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, 1:, None])[0, :, 0]


# %% [wrong] loss_by_position: in bits
def loss_by_position(model, tokens):
    probs = model(tokens)[:, :-1].softmax(dim=-1)
    return -probs.gather(-1, tokens[:, 1:, None])[..., 0].log2().mean(dim=0)


# %% [wrong] loss_by_position: the logarithm of the mean probability
def loss_by_position(model, tokens):
    probs = model(tokens)[:, :-1].softmax(dim=-1)
    return -probs.gather(-1, tokens[:, 1:, None])[..., 0].mean(dim=0).log()


# %% [wrong] loss_by_position: logits taken for log-probabilities
def loss_by_position(model, tokens):
    logits = model(tokens)[:, :-1]
    return -logits.gather(-1, tokens[:, 1:, None])[..., 0].mean(dim=0)


# %% [wrong] loss_by_position: softmax over positions
def loss_by_position(model, tokens):
    log_probs = model(tokens)[:, :-1].log_softmax(dim=1)
    return -log_probs.gather(-1, tokens[:, 1:, None])[..., 0].mean(dim=0)


# %% [wrong] loss_by_position: the minus is missing
def loss_by_position(model, tokens):
    log_probs = model(tokens)[:, :-1].log_softmax(dim=-1)
    return log_probs.gather(-1, tokens[:, 1:, None])[..., 0].mean(dim=0)


# %% [wrong] loss_by_position: the loaded model instead of the one that was passed
def loss_by_position(model, tokens):
    logp = net(tokens)[:, :-1].log_softmax(-1)
    return -logp.gather(-1, tokens[:, 1:, None])[..., 0].mean(0)


# %% [wrong] loss_by_position: float64
def loss_by_position(model, tokens):
    logp = model(tokens)[:, :-1].double().log_softmax(-1)
    return -logp.gather(-1, tokens[:, 1:, None])[..., 0].mean(0)


# %% [wrong] loss_by_position: a small number inside the logarithm, so that it is never of zero
def loss_by_position(model, tokens):
    probs = model(tokens)[:, :-1].softmax(-1)
    right = probs.gather(-1, tokens[:, 1:, None])[..., 0]
    return -torch.log(right + 1e-7).mean(0)


# %% [wrong] loss_by_position: no loss is over 12 nats
def loss_by_position(model, tokens):
    log_probs = model(tokens)[:, :-1].log_softmax(dim=-1)
    losses = -log_probs.gather(-1, tokens[:, 1:, None])[..., 0]
    return losses.clamp(max=12).mean(dim=0)


# %% [right] loss_by_position: typed from the text alone
def loss_by_position(model, tokens):
    log_probs = torch.log_softmax(model(tokens), dim=-1)
    losses = []
    for i in range(tokens.shape[1] - 1):
        right = log_probs[torch.arange(len(tokens)), i, tokens[:, i + 1]]
        losses.append(-right.mean())
    return torch.stack(losses)


# %% [right] loss_by_position: the library's loss for each token
def loss_by_position(model, tokens):
    return model(tokens, return_type="loss", loss_per_token=True).mean(dim=0)


# %% [right] loss_by_position: cross_entropy, with the vocabulary moved to dimension 1
def loss_by_position(model, tokens):
    logits = model(tokens)[:, :-1].transpose(1, 2)
    losses = torch.nn.functional.cross_entropy(logits, tokens[:, 1:], reduction="none")
    return losses.mean(0)


# %% [right] loss_by_position: loops
def loss_by_position(model, tokens):
    logits = model(tokens)
    result = torch.zeros(tokens.shape[1] - 1, dtype=logits.dtype)
    for row in range(tokens.shape[0]):
        for i in range(tokens.shape[1] - 1):
            z = logits[row, i]
            result[i] += torch.logsumexp(z, 0) - z[tokens[row, i + 1]]
    return result / tokens.shape[0]


# %% [right] loss_by_position: logsumexp
def loss_by_position(model, tokens):
    logits = model(tokens)[:, :-1]
    chosen = (logits * torch.nn.functional.one_hot(tokens[:, 1:], logits.shape[-1])).sum(-1)
    return (logits.logsumexp(-1) - chosen).mean(0)


# %% [wrong] prev_token_score: the main diagonal, attention to itself
def prev_token_score(pattern):
    return pattern.diagonal(dim1=-2, dim2=-1)[..., 1:].mean(dim=(0, 2))


# %% [wrong] prev_token_score: the diagonal above instead of below
def prev_token_score(pattern):
    return pattern.diagonal(offset=1, dim1=-2, dim2=-1).mean(dim=(0, 2))


# %% [wrong] prev_token_score: two steps back
def prev_token_score(pattern):
    return pattern.diagonal(offset=-2, dim1=-2, dim2=-1).mean(dim=(0, 2))


# %% [wrong] prev_token_score: everything below the diagonal counts
def prev_token_score(pattern):
    return pattern.tril(-1).sum(dim=-1)[..., 1:].mean(dim=(0, 2))


# %% [wrong] prev_token_score: divides by the number of positions, query 0 included
def prev_token_score(pattern):
    stripe = pattern.diagonal(offset=-1, dim1=-2, dim2=-1)
    return stripe.sum(dim=-1).mean(dim=0) / pattern.shape[-1]


# %% [wrong] prev_token_score: leaves out the query that looks at bos
def prev_token_score(pattern):
    return pattern.diagonal(offset=-1, dim1=-2, dim2=-1)[..., 1:].mean(dim=(0, 2))


# %% [wrong] prev_token_score: only the first row of the batch
def prev_token_score(pattern):
    return pattern[0].diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=-1)


# %% [wrong] prev_token_score: averages over heads, not over the batch
def prev_token_score(pattern):
    return pattern.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=(1, 2))


# %% [wrong] prev_token_score: the diagonal of batch and head
def prev_token_score(pattern):
    return pattern.diagonal(offset=-1).mean(dim=(0, 1))


# %% [wrong] prev_token_score: how often the previous token is the most attended
def prev_token_score(pattern):
    best = pattern.argmax(dim=-1)[..., 1:]
    before = torch.arange(pattern.shape[-1] - 1)
    return (best == before).to(pattern.dtype).mean(dim=(0, 2))


# %% [wrong] prev_token_score: float32 always
def prev_token_score(pattern):
    return pattern.diagonal(-1, 2, 3).float().mean((0, 2))


# %% [right] prev_token_score: typed from the text alone
def prev_token_score(pattern):
    entries = [pattern[:, :, q, q - 1] for q in range(1, pattern.shape[2])]
    return torch.stack(entries).mean(dim=(0, 1))


# %% [right] prev_token_score: a loop over queries
def prev_token_score(pattern):
    total = 0
    for q in range(1, pattern.shape[2]):
        total = total + pattern[:, :, q, q - 1].mean(dim=0)
    return total / (pattern.shape[2] - 1)


# %% [right] prev_token_score: einsum with a shifted identity
def prev_token_score(pattern):
    batch, _, n, _ = pattern.shape
    shifted = torch.diag(torch.ones(n - 1, dtype=pattern.dtype), -1)
    return torch.einsum("bhqk,qk->h", pattern, shifted) / (batch * (n - 1))


# %% [right] prev_token_score: numpy
def prev_token_score(pattern):
    import numpy as np

    p = pattern.numpy()
    d = np.diagonal(p, offset=-1, axis1=2, axis2=3)
    return torch.from_numpy(np.asarray(d.mean(axis=(0, 2)), dtype=p.dtype))


# %% [wrong] induction_score: looks at the earlier occurrence itself
def induction_score(pattern, period):
    queries = torch.arange(period + 1, pattern.shape[-2])
    return pattern[:, :, queries, queries - period].mean(dim=(0, 2))


# %% [wrong] induction_score: two after the earlier occurrence
def induction_score(pattern, period):
    queries = torch.arange(period + 1, pattern.shape[-2])
    keys = (queries - period + 2).clamp(max=pattern.shape[-1] - 1)
    return pattern[:, :, queries, keys].mean(dim=(0, 2))


# %% [wrong] induction_score: counts bos as part of the period
def induction_score(pattern, period):
    queries = torch.arange(period + 1, pattern.shape[-2])
    return pattern[:, :, queries, queries - (period + 1)].mean(dim=(0, 2))


# %% [wrong] induction_score: the whole diagonal, with two queries of the first copy
def induction_score(pattern, period):
    return pattern.diagonal(offset=-(period - 1), dim1=-2, dim2=-1).mean(dim=(0, 2))


# %% [wrong] induction_score: starts with the last query of the first copy
def induction_score(pattern, period):
    queries = torch.arange(period, pattern.shape[-2])
    return pattern[:, :, queries, queries - (period - 1)].mean(dim=(0, 2))


# %% [wrong] induction_score: the last query is left out
def induction_score(pattern, period):
    queries = torch.arange(period + 1, pattern.shape[-2] - 1)
    return pattern[:, :, queries, queries - (period - 1)].sum(dim=2).mean(dim=0) / period


# %% [wrong] induction_score: the diagonal above, from keys to queries
def induction_score(pattern, period):
    return pattern.diagonal(offset=period - 1, dim1=-2, dim2=-1)[..., 2:].mean(dim=(0, 2))


# %% [wrong] induction_score: divided by all positions of the line
def induction_score(pattern, period):
    stripe = pattern.diagonal(offset=-(period - 1), dim1=-2, dim2=-1)[..., 2:]
    return stripe.sum(dim=-1).mean(dim=0) / pattern.shape[-1]


# %% [wrong] induction_score: all attention from the second copy to the first
def induction_score(pattern, period):
    return pattern[:, :, period + 1 :, 1 : period + 1].sum(dim=-1).mean(dim=(0, 2))


# %% [wrong] induction_score: not averaged over the batch
def induction_score(pattern, period):
    queries = torch.arange(period + 1, pattern.shape[-2])
    return pattern[0][:, queries, queries - (period - 1)].mean(dim=-1)


# %% [wrong] induction_score: clears the first copy in the caller's pattern
def induction_score(pattern, period):
    pattern[:, :, : period + 1] = 0
    stripe = pattern.diagonal(offset=-(period - 1), dim1=-2, dim2=-1)
    return stripe.sum(dim=-1).mean(dim=0) / period


# %% [wrong] induction_score: the last period queries of the diagonal, one short
def induction_score(pattern, period):
    return pattern.diagonal(1 - period, 2, 3)[..., -period + 1 :].mean((0, 2))


# %% [right] induction_score: typed from the text alone
def induction_score(pattern, period):
    entries = [pattern[:, :, q, q - period + 1] for q in range(period + 1, pattern.shape[2])]
    return torch.stack(entries).mean(dim=(0, 1))


# %% [right] induction_score: the diagonal without its first two entries
def induction_score(pattern, period):
    return pattern.diagonal(offset=1 - period, dim1=-2, dim2=-1)[..., 2:].mean(dim=-1).mean(dim=0)


# %% [right] induction_score: loops
def induction_score(pattern, period):
    batch, heads, n, _ = pattern.shape
    result = torch.zeros(heads, dtype=pattern.dtype)
    for h in range(heads):
        entries = [
            pattern[b, h, q, q - period + 1] for b in range(batch) for q in range(period + 1, n)
        ]
        result[h] = sum(entries) / len(entries)
    return result


# %% [wrong] controlled_induction_score: no control
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    _, cache = model.run_with_cache(tokens_repeat)
    return torch.stack(
        [score(cache["pattern", layer], period) for layer in range(model.cfg.n_layers)]
    )


# %% [wrong] controlled_induction_score: control minus repeated
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    _, a = model.run_with_cache(tokens_repeat)
    _, b = model.run_with_cache(tokens_control)
    layers = range(model.cfg.n_layers)
    return torch.stack(
        [score(b["pattern", n], period) - score(a["pattern", n], period) for n in layers]
    )


# %% [wrong] controlled_induction_score: heads in rows
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    _, a = model.run_with_cache(tokens_repeat)
    _, b = model.run_with_cache(tokens_control)
    layers = range(model.cfg.n_layers)
    return torch.stack(
        [score(a["pattern", n], period) - score(b["pattern", n], period) for n in layers], dim=1
    )


# %% [wrong] controlled_induction_score: the last layer in every row
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    _, a = model.run_with_cache(tokens_repeat)
    _, b = model.run_with_cache(tokens_control)
    difference = score(a["pattern", -1], period) - score(b["pattern", -1], period)
    return difference.repeat(model.cfg.n_layers, 1)


# %% [wrong] controlled_induction_score: divided by the control instead of subtracted
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    _, a = model.run_with_cache(tokens_repeat)
    _, b = model.run_with_cache(tokens_control)
    layers = range(model.cfg.n_layers)
    return torch.stack(
        [score(a["pattern", n], period) / score(b["pattern", n], period) for n in layers]
    )


# %% [wrong] controlled_induction_score: negative differences are set to zero
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    _, a = model.run_with_cache(tokens_repeat)
    _, b = model.run_with_cache(tokens_control)
    layers = range(model.cfg.n_layers)
    return torch.stack(
        [score(a["pattern", n], period) - score(b["pattern", n], period) for n in layers]
    ).clamp(min=0)


# %% [wrong] controlled_induction_score: the repeated lines are their own control
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    _, a = model.run_with_cache(tokens_repeat)
    _, b = model.run_with_cache(tokens_repeat)
    layers = range(model.cfg.n_layers)
    return torch.stack(
        [score(a["pattern", n], period) - score(b["pattern", n], period) for n in layers]
    )


# %% [wrong] controlled_induction_score: the mean control of all heads is subtracted
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    _, a = model.run_with_cache(tokens_repeat)
    _, b = model.run_with_cache(tokens_control)
    layers = range(model.cfg.n_layers)
    return torch.stack(
        [score(a["pattern", n], period) - score(b["pattern", n], period).mean() for n in layers]
    )


# %% [wrong] controlled_induction_score: only the first line of each text
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    _, a = model.run_with_cache(tokens_repeat[:1])
    _, b = model.run_with_cache(tokens_control[:1])
    layers = range(model.cfg.n_layers)
    return torch.stack(
        [score(a["pattern", n], period) - score(b["pattern", n], period) for n in layers]
    )


# %% [wrong] controlled_induction_score: two layers, always
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    a, b = (model.run_with_cache(t)[1] for t in (tokens_repeat, tokens_control))
    return torch.stack(
        [score(a["pattern", i], period) - score(b["pattern", i], period) for i in (0, 1)]
    )


# %% [wrong] controlled_induction_score: line by line, then the mean
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    def grid(t):
        rows = []
        for line in t:
            cache = model.run_with_cache(line[None])[1]
            rows.append(
                torch.stack([score(cache["pattern", i], period) for i in range(model.cfg.n_layers)])
            )
        return torch.stack(rows).mean(0)

    return grid(tokens_repeat) - grid(tokens_control)


# %% [wrong] controlled_induction_score: the score of the difference of mean patterns
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    a, b = (model.run_with_cache(t)[1] for t in (tokens_repeat, tokens_control))
    return torch.stack(
        [
            score(
                a["pattern", i].mean(0, keepdim=True) - b["pattern", i].mean(0, keepdim=True),
                period,
            )
            for i in range(model.cfg.n_layers)
        ]
    )


# %% [right] controlled_induction_score: typed from the text alone
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    _, cache_repeat = model.run_with_cache(tokens_repeat)
    _, cache_control = model.run_with_cache(tokens_control)
    repeat, control = [], []
    for layer in range(model.cfg.n_layers):
        repeat.append(score(cache_repeat["pattern", layer], period))
        control.append(score(cache_control["pattern", layer], period))
    return torch.stack(repeat) - torch.stack(control)


# %% [right] controlled_induction_score: patterns collected by hooks
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    def scores(tokens):
        rows = []
        hooks = [
            (f"blocks.{n}.attn.hook_pattern", lambda p, hook: rows.append(score(p, period)))
            for n in range(model.cfg.n_layers)
        ]
        model.run_with_hooks(tokens, fwd_hooks=hooks)
        return torch.stack(rows)

    return scores(tokens_repeat) - scores(tokens_control)


# %% [right] controlled_induction_score: an empty matrix, filled row by row
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    result = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for tokens, sign in ((tokens_repeat, 1), (tokens_control, -1)):
        cache = model.run_with_cache(tokens)[1]
        for layer in range(model.cfg.n_layers):
            result[layer] += sign * score(cache[f"blocks.{layer}.attn.hook_pattern"], period)
    return result


# %% [right] controlled_induction_score: with names_filter
def controlled_induction_score(model, tokens_repeat, tokens_control, period, score):
    rows = []
    only = lambda name: name.endswith("hook_pattern")
    _, a = model.run_with_cache(tokens_repeat, names_filter=only)
    _, b = model.run_with_cache(tokens_control, names_filter=only)
    for i in range(model.cfg.n_layers):
        name = f"blocks.{i}.attn.hook_pattern"
        rows.append(score(a[name], period).sub(score(b[name], period)).tolist())
    return torch.tensor(rows)


# %% [wrong] ablate_and_measure: set to zero instead of to the mean
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = 0
        return z

    hooks = [(f"blocks.{layer}.attn.hook_z", ablate)]
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks)) - metric(model(tokens))


# %% [wrong] ablate_and_measure: all heads of the layer
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(z, hook):
        return z.mean(dim=(0, 1)).expand_as(z)

    hooks = [(f"blocks.{layer}.attn.hook_z", ablate)]
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks)) - metric(model(tokens))


# %% [wrong] ablate_and_measure: the pattern is averaged instead of z
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(pattern, hook):
        pattern = pattern.clone()
        pattern[:, head] = pattern[:, head].mean(dim=0)
        return pattern

    hooks = [(f"blocks.{layer}.attn.hook_pattern", ablate)]
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks)) - metric(model(tokens))


# %% [wrong] ablate_and_measure: the pattern is set to zero instead of z
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(pattern, hook):
        pattern = pattern.clone()
        pattern[:, head] = 0
        return pattern

    hooks = [(f"blocks.{layer}.attn.hook_pattern", ablate)]
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks)) - metric(model(tokens))


# %% [wrong] ablate_and_measure: clean minus ablated
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    hooks = [(f"blocks.{layer}.attn.hook_z", ablate)]
    return metric(model(tokens)) - metric(model.run_with_hooks(tokens, fwd_hooks=hooks))


# %% [wrong] ablate_and_measure: the hook is left on the model
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    clean = metric(model(tokens))
    model.add_hook(f"blocks.{layer}.attn.hook_z", ablate)
    return metric(model(tokens)) - clean


# %% [wrong] ablate_and_measure: the mean is over the batch only
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=0)
        return z

    hooks = [(f"blocks.{layer}.attn.hook_z", ablate)]
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks)) - metric(model(tokens))


# %% [wrong] ablate_and_measure: the mean is over positions only
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=1, keepdim=True)
        return z

    hooks = [(f"blocks.{layer}.attn.hook_z", ablate)]
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks)) - metric(model(tokens))


# %% [wrong] ablate_and_measure: one mean number for the whole head
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean()
        return z

    hooks = [(f"blocks.{layer}.attn.hook_z", ablate)]
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks)) - metric(model(tokens))


# %% [wrong] ablate_and_measure: a position is ablated instead of a head
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, head] = z[:, head].mean(dim=(0, 1))
        return z

    hooks = [(f"blocks.{layer}.attn.hook_z", ablate)]
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks)) - metric(model(tokens))


# %% [wrong] ablate_and_measure: always layer 0
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    hooks = [("blocks.0.attn.hook_z", ablate)]
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks)) - metric(model(tokens))


# %% [wrong] ablate_and_measure: the metric of the ablated model, not its rise
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    hooks = [(f"blocks.{layer}.attn.hook_z", ablate)]
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks))


# %% [wrong] ablate_and_measure: the hook changes a copy and does not return it
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))

    hooks = [(f"blocks.{layer}.attn.hook_z", ablate)]
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks)) - metric(model(tokens))


# %% [wrong] ablate_and_measure: the loaded model instead of the one that was passed
def ablate_and_measure(model, tokens, layer, head, metric):
    def f(z, hook):
        z[:, :, head] = z[:, :, head].mean((0, 1))
        return z

    ablated = net.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", f)])
    return metric(ablated) - metric(net(tokens))


# %% [wrong] ablate_and_measure: bos is left out of the mean
def ablate_and_measure(model, tokens, layer, head, metric):
    def f(z, hook):
        z[:, :, head] = z[:, 1:, head].mean((0, 1))
        return z

    ablated = model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", f)])
    return metric(ablated) - metric(model(tokens))


# %% [wrong] ablate_and_measure: values are averaged instead of z
def ablate_and_measure(model, tokens, layer, head, metric):
    def f(v, hook):
        v[:, :, head] = v[:, :, head].mean((0, 1))
        return v

    ablated = model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_v", f)])
    return metric(ablated) - metric(model(tokens))


# %% [right] ablate_and_measure: typed from the text alone
def ablate_and_measure(model, tokens, layer, head, metric):
    def hook_fn(z, hook):
        mean = z[:, :, head, :].mean(dim=0).mean(dim=0)
        z[:, :, head, :] = mean
        return z

    normal = metric(model(tokens))
    model.add_hook(f"blocks.{layer}.attn.hook_z", hook_fn)
    ablated = metric(model(tokens))
    model.reset_hooks()
    return ablated - normal


# %% [right] ablate_and_measure: the hooks context, z changed in place
def ablate_and_measure(model, tokens, layer, head, metric):
    def ablate(z, hook):
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))

    clean = metric(model(tokens))
    with model.hooks(fwd_hooks=[(f"blocks.{layer}.attn.hook_z", ablate)]):
        ablated = metric(model(tokens))
    return ablated - clean


# %% [right] ablate_and_measure: the mean from the cache, hooks reset by hand
def ablate_and_measure(model, tokens, layer, head, metric):
    logits, cache = model.run_with_cache(tokens)
    z = cache["z", layer].clone()
    z[:, :, head] = z[:, :, head].flatten(0, 1).mean(0)
    model.add_hook(f"blocks.{layer}.attn.hook_z", lambda old, hook: z)
    ablated = model(tokens)
    model.reset_hooks()
    return metric(ablated) - metric(logits)


# %% [right] ablate_and_measure: a mask and torch.where
def ablate_and_measure(model, tokens, layer, head, metric):
    def f(z, hook):
        mask = (torch.arange(z.shape[2]) == head)[:, None]
        return torch.where(mask, z.mean((0, 1), keepdim=True), z)

    ablated = model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", f)])
    return metric(ablated) - metric(model(tokens))


# %% [wrong] prefix_matching_score: looks at the earlier occurrence itself
def prefix_matching_score(pattern, tokens):
    same = (tokens[:, :, None] == tokens[:, None, :]).tril(-1)
    counted = same.any(dim=-1).sum()
    return (pattern * same[:, None]).sum(dim=(0, 2, 3)) / counted.clamp(min=1)


# %% [wrong] prefix_matching_score: shifted the wrong way, to the token before the occurrence
def prefix_matching_score(pattern, tokens):
    answers = torch.zeros_like(pattern[:, 0], dtype=torch.bool)
    answers[:, :, :-1] = tokens[:, :, None] == tokens[:, None, 1:]
    answers = answers.tril(-2)
    counted = answers.any(dim=-1).sum()
    return (pattern * answers[:, None]).sum(dim=(0, 2, 3)) / counted.clamp(min=1)


# %% [wrong] prefix_matching_score: averages over all queries, with an answer or without
def prefix_matching_score(pattern, tokens):
    answers = torch.zeros_like(pattern[:, 0], dtype=torch.bool)
    answers[:, :, 1:] = tokens[:, :, None] == tokens[:, None, :-1]
    answers = answers.tril()
    return (pattern * answers[:, None]).sum(dim=-1).mean(dim=(0, 2))


# %% [wrong] prefix_matching_score: divides by the number of answers instead of queries
def prefix_matching_score(pattern, tokens):
    answers = torch.zeros_like(pattern[:, 0], dtype=torch.bool)
    answers[:, :, 1:] = tokens[:, :, None] == tokens[:, None, :-1]
    answers = answers.tril()
    return (pattern * answers[:, None]).sum(dim=(0, 2, 3)) / answers.sum().clamp(min=1)


# %% [wrong] prefix_matching_score: only the latest earlier occurrence counts
def prefix_matching_score(pattern, tokens):
    answers = torch.zeros_like(pattern[:, 0], dtype=torch.bool)
    answers[:, :, 1:] = tokens[:, :, None] == tokens[:, None, :-1]
    answers = answers.tril()
    places = torch.arange(tokens.shape[1])
    latest = (answers * places).argmax(dim=-1)
    last = answers & (places == latest[..., None])
    return (pattern * last[:, None]).sum(dim=(0, 2, 3)) / answers.any(dim=-1).sum().clamp(min=1)


# %% [wrong] prefix_matching_score: queries whose twin lies ahead are counted too
def prefix_matching_score(pattern, tokens):
    answers = torch.zeros_like(pattern[:, 0], dtype=torch.bool)
    answers[:, :, 1:] = tokens[:, :, None] == tokens[:, None, :-1]
    twins = (tokens[:, :, None] == tokens[:, None, :]).sum(-1) > 1
    return (pattern * answers.tril()[:, None]).sum(dim=(0, 2, 3)) / twins.sum().clamp(min=1)


# %% [wrong] prefix_matching_score: k < q, so the second of two equal neighbours has no answer
def prefix_matching_score(pattern, tokens):
    answers = torch.zeros_like(pattern[:, 0], dtype=torch.bool)
    answers[:, :, 1:] = tokens[:, :, None] == tokens[:, None, :-1]
    answers = answers.tril(-1)
    counted = answers.any(dim=-1).sum()
    return (pattern * answers[:, None]).sum(dim=(0, 2, 3)) / counted.clamp(min=1)


# %% [wrong] prefix_matching_score: each line is averaged by itself and then the lines
def prefix_matching_score(pattern, tokens):
    answers = torch.zeros_like(pattern[:, 0], dtype=torch.bool)
    answers[:, :, 1:] = tokens[:, :, None] == tokens[:, None, :-1]
    answers = answers.tril()
    counted = answers.any(dim=-1).sum(dim=-1).clamp(min=1)
    return ((pattern * answers[:, None]).sum(dim=(2, 3)) / counted[:, None]).mean(dim=0)


# %% [wrong] prefix_matching_score: rolled, so that the last token stands before the first
def prefix_matching_score(pattern, tokens):
    answers = tokens[:, :, None] == tokens.roll(1, dims=1)[:, None, :]
    answers = answers.tril()
    counted = answers.any(dim=-1).sum()
    return (pattern * answers[:, None]).sum(dim=(0, 2, 3)) / counted.clamp(min=1)


# %% [wrong] prefix_matching_score: nothing comes back, and the result is not a number
def prefix_matching_score(pattern, tokens):
    answers = torch.zeros_like(pattern[:, 0], dtype=torch.bool)
    answers[:, :, 1:] = tokens[:, :, None] == tokens[:, None, :-1]
    answers = answers.tril()
    return (pattern * answers[:, None]).sum(dim=(0, 2, 3)) / answers.any(dim=-1).sum()


# %% [wrong] prefix_matching_score: bos counts for no occurrence
def prefix_matching_score(pattern, tokens):
    n = tokens.shape[1]
    mask = torch.zeros(len(tokens), n, n, dtype=torch.bool)
    mask[:, 1:, 2:] = tokens[:, 1:, None] == tokens[:, None, 1:-1]
    mask &= torch.ones(n, n).tril().bool()
    has = mask.any(-1).sum().clamp(min=1)
    return (pattern * mask[:, None]).sum((0, 2, 3)) / has


# %% [wrong] prefix_matching_score: the largest attention to an answer
def prefix_matching_score(pattern, tokens):
    n = tokens.shape[1]
    mask = torch.zeros(len(tokens), n, n, dtype=torch.bool)
    mask[:, :, 1:] = tokens[:, :, None] == tokens[:, None, :-1]
    mask &= torch.ones(n, n).tril().bool()
    has = mask.any(-1).sum().clamp(min=1)
    return (pattern * mask[:, None]).amax(-1).sum((0, 2)) / has


# %% [wrong] prefix_matching_score: zeros of the default dtype where nothing comes back
def prefix_matching_score(pattern, tokens):
    before = torch.nn.functional.pad(tokens[:, :-1], (1, 0), value=-1)
    answers = (tokens[:, :, None] == before[:, None, :]).tril()
    if not answers.any():
        return torch.zeros(pattern.shape[1])
    return (pattern * answers[:, None]).sum(dim=(0, 2, 3)) / answers.any(dim=-1).sum()


# %% [right] prefix_matching_score: typed from the text alone
def prefix_matching_score(pattern, tokens):
    batch, heads, pos, _ = pattern.shape
    total = torch.zeros(heads, dtype=pattern.dtype)
    count = 0
    for b in range(batch):
        for q in range(pos):
            answers = [k for k in range(1, q + 1) if tokens[b, k - 1] == tokens[b, q]]
            if answers:
                count += 1
                for k in answers:
                    total += pattern[b, :, q, k]
    return total / count if count else total


# %% [right] prefix_matching_score: loops over lines and queries
def prefix_matching_score(pattern, tokens):
    sums = []
    for b in range(tokens.shape[0]):
        for q in range(1, tokens.shape[1]):
            keys = 1 + (tokens[b, :q] == tokens[b, q]).nonzero()[:, 0]
            if len(keys):
                sums.append(pattern[b, :, q, keys].sum(-1))
    return torch.stack(sums).mean(0) if sums else torch.zeros_like(pattern[0, :, 0, 0])


# %% [right] prefix_matching_score: an einsum over a mask that was moved by one
def prefix_matching_score(pattern, tokens):
    same = (tokens[:, :, None] == tokens[:, None, :]).tril(-1).to(pattern.dtype)
    answers = torch.nn.functional.pad(same[:, :, :-1], (1, 0))
    queries = int((answers.sum(-1) > 0).sum())
    return torch.einsum("bhqk,bqk->h", pattern, answers) / max(queries, 1)


# %% [right] prefix_matching_score: sums of selected queries
def prefix_matching_score(pattern, tokens):
    n = tokens.shape[1]
    mask = torch.zeros(len(tokens), n, n, dtype=torch.bool)
    mask[:, :, 1:] = tokens[:, :, None] == tokens[:, None, :-1]
    mask &= torch.ones(n, n).tril().bool()
    sums = (pattern * mask[:, None]).sum(-1).transpose(1, 2)[mask.any(-1)]  # [m head]
    if len(sums) == 0:
        return pattern.new_zeros(pattern.shape[1])
    return sums.mean(0)


# %% [wrong] k_composition: entered from the side of the query
def k_composition(W_V, W_O, W_Q, W_K):
    layers, heads = W_V.shape[:2]
    writes = W_V @ W_O
    reads = W_Q @ W_K.transpose(-1, -2)
    scores = torch.zeros(layers, heads, layers, heads, dtype=W_V.dtype)
    for layer in range(layers):
        for head in range(heads):
            note, later = writes[layer, head], reads[layer + 1 :]
            through = (note @ later).norm(dim=(-2, -1))
            scores[layer, head, layer + 1 :] = through / (note.norm() * later.norm(dim=(-2, -1)))
    return scores


# %% [wrong] k_composition: V-composition, what the later head carries
def k_composition(W_V, W_O, W_Q, W_K):
    layers, heads = W_V.shape[:2]
    writes = W_V @ W_O
    scores = torch.zeros(layers, heads, layers, heads, dtype=W_V.dtype)
    for layer in range(layers):
        for head in range(heads):
            note, later = writes[layer, head], writes[layer + 1 :]
            through = (note @ later).norm(dim=(-2, -1))
            scores[layer, head, layer + 1 :] = through / (note.norm() * later.norm(dim=(-2, -1)))
    return scores


# %% [wrong] k_composition: the largest singular value instead of the Frobenius norm
def k_composition(W_V, W_O, W_Q, W_K):
    layers, heads = W_V.shape[:2]
    writes = W_V @ W_O
    reads = W_K @ W_Q.transpose(-1, -2)
    scores = torch.zeros(layers, heads, layers, heads, dtype=W_V.dtype)
    for layer in range(layers - 1):
        for head in range(heads):
            note, later = writes[layer, head], reads[layer + 1 :]
            through = torch.linalg.matrix_norm(note @ later, 2)
            sizes = torch.linalg.matrix_norm(note, 2) * torch.linalg.matrix_norm(later, 2)
            scores[layer, head, layer + 1 :] = through / sizes
    return scores


# %% [wrong] k_composition: not divided by the sizes
def k_composition(W_V, W_O, W_Q, W_K):
    layers, heads = W_V.shape[:2]
    writes = W_V @ W_O
    reads = W_K @ W_Q.transpose(-1, -2)
    scores = torch.zeros(layers, heads, layers, heads, dtype=W_V.dtype)
    for layer in range(layers):
        for head in range(heads):
            scores[layer, head, layer + 1 :] = (writes[layer, head] @ reads[layer + 1 :]).norm(
                dim=(-2, -1)
            )
    return scores


# %% [wrong] k_composition: the later head comes first in the product
def k_composition(W_V, W_O, W_Q, W_K):
    layers, heads = W_V.shape[:2]
    writes = W_V @ W_O
    reads = W_K @ W_Q.transpose(-1, -2)
    scores = torch.zeros(layers, heads, layers, heads, dtype=W_V.dtype)
    for layer in range(layers):
        for head in range(heads):
            note, later = writes[layer, head], reads[layer + 1 :]
            through = (later @ note).norm(dim=(-2, -1))
            scores[layer, head, layer + 1 :] = through / (note.norm() * later.norm(dim=(-2, -1)))
    return scores


# %% [wrong] k_composition: heads of the same layer and of earlier ones read as well
def k_composition(W_V, W_O, W_Q, W_K):
    writes = W_V @ W_O
    reads = W_K @ W_Q.transpose(-1, -2)
    through = torch.einsum("lhab,mgbc->lhmgac", writes, reads).norm(dim=(-2, -1))
    sizes = writes.norm(dim=(-2, -1))[:, :, None, None] * reads.norm(dim=(-2, -1))
    return through / sizes


# %% [wrong] k_composition: only the layer that follows at once
def k_composition(W_V, W_O, W_Q, W_K):
    layers, heads = W_V.shape[:2]
    writes = W_V @ W_O
    reads = W_K @ W_Q.transpose(-1, -2)
    scores = torch.zeros(layers, heads, layers, heads, dtype=W_V.dtype)
    for layer in range(layers - 1):
        for head in range(heads):
            note, later = writes[layer, head], reads[layer + 1]
            through = (note @ later).norm(dim=(-2, -1))
            scores[layer, head, layer + 1] = through / (note.norm() * later.norm(dim=(-2, -1)))
    return scores


# %% [wrong] k_composition: the reader stands first in the result
def k_composition(W_V, W_O, W_Q, W_K):
    layers, heads = W_V.shape[:2]
    writes = W_V @ W_O
    reads = W_K @ W_Q.transpose(-1, -2)
    scores = torch.zeros(layers, heads, layers, heads, dtype=W_V.dtype)
    for layer in range(layers):
        for head in range(heads):
            note, later = writes[layer, head], reads[layer + 1 :]
            through = (note @ later).norm(dim=(-2, -1))
            scores[layer + 1 :, :, layer, head] = through / (note.norm() * later.norm(dim=(-2, -1)))
    return scores


# %% [wrong] k_composition: only what W_O writes and W_K reads
def k_composition(W_V, W_O, W_Q, W_K):
    layers, heads = W_V.shape[:2]
    scores = torch.zeros(layers, heads, layers, heads, dtype=W_V.dtype)
    for layer in range(layers):
        for head in range(heads):
            note, later = W_O[layer, head], W_K[layer + 1 :]
            through = (note @ later).norm(dim=(-2, -1))
            scores[layer, head, layer + 1 :] = through / (note.norm() * later.norm(dim=(-2, -1)))
    return scores


# %% [wrong] k_composition: OV transposed
def k_composition(W_V, W_O, W_Q, W_K):
    L, H = W_V.shape[:2]
    ov, kq = (W_V @ W_O).mT, W_K @ W_Q.mT
    out = torch.zeros(L, H, L, H)
    n = lambda x: x.norm(dim=(-2, -1))
    for i in range(L):
        for m in range(i + 1, L):
            out[i, :, m] = n(ov[i][:, None] @ kq[m][None]) / n(ov[i])[:, None] / n(kq[m])
    return out


# %% [wrong] k_composition: norms of whole layers in the denominator
def k_composition(W_V, W_O, W_Q, W_K):
    L, H = W_V.shape[:2]
    ov, kq = W_V @ W_O, W_K @ W_Q.mT
    out = torch.zeros(L, H, L, H)
    n = lambda x: x.norm(dim=(-2, -1))
    for i in range(L):
        for m in range(i + 1, L):
            out[i, :, m] = n(ov[i][:, None] @ kq[m][None]) / ov[i].norm() / kq[m].norm()
    return out


# %% [right] k_composition: typed from the text alone
def k_composition(W_V, W_O, W_Q, W_K):
    layers, heads = W_V.shape[0], W_V.shape[1]
    result = torch.zeros(layers, heads, layers, heads)
    for a in range(layers):
        for h in range(heads):
            for m in range(a + 1, layers):
                for g in range(heads):
                    ov = W_V[a, h] @ W_O[a, h]
                    kq = W_K[m, g] @ W_Q[m, g].T
                    result[a, h, m, g] = (ov @ kq).norm() / (ov.norm() * kq.norm())
    return result


# %% [right] k_composition: four loops
def k_composition(W_V, W_O, W_Q, W_K):
    layers, heads = W_V.shape[:2]
    result = torch.zeros(layers, heads, layers, heads, dtype=W_V.dtype)
    for a in range(layers):
        for h in range(heads):
            writes = W_V[a, h] @ W_O[a, h]
            for b in range(a + 1, layers):
                for j in range(heads):
                    reads = W_Q[b, j] @ W_K[b, j].T
                    through = torch.sqrt(((reads @ writes.T) ** 2).sum())
                    result[a, h, b, j] = through / writes.norm() / reads.norm()
    return result


# %% [right] k_composition: one einsum and a mask over layers
def k_composition(W_V, W_O, W_Q, W_K):
    layers = W_V.shape[0]
    writes = torch.einsum("lhae,lheb->lhab", W_V, W_O)
    reads = torch.einsum("mgbe,mgce->mgbc", W_K, W_Q)
    through = torch.einsum("lhab,mgbc->lhmgac", writes, reads).flatten(-2).norm(dim=-1)
    sizes = torch.einsum(
        "lh,mg->lhmg", writes.flatten(-2).norm(dim=-1), reads.flatten(-2).norm(dim=-1)
    )
    later = torch.ones(layers, layers).triu(1).bool()
    return torch.where(later[:, None, :, None], through / sizes, torch.zeros_like(through))


# %% [right] k_composition: traces of small matrices only
def k_composition(W_V, W_O, W_Q, W_K):
    L, H = W_V.shape[:2]
    out = torch.zeros(L, H, L, H)
    for i in range(L):
        for m in range(i + 1, L):
            for h in range(H):
                for g in range(H):
                    a = W_V[i, h].T @ W_V[i, h]
                    mid = W_O[i, h] @ W_K[m, g]
                    b = W_Q[m, g].T @ W_Q[m, g]
                    top = torch.trace(mid @ b @ mid.T @ a)
                    ov = torch.trace(W_O[i, h] @ W_O[i, h].T @ a)
                    kq = torch.trace(W_K[m, g].T @ W_K[m, g] @ b)
                    out[i, h, m, g] = (top / ov / kq).sqrt()
    return out.to(W_V.dtype)


# %% [wrong] cut_doors: every hook puts in the tensor of the last door
def cut_doors(model, tokens, head, doors, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", ablate)]):
        _, without = model.run_with_cache(tokens)
    closed = []
    for door in doors:
        closed.append((f"blocks.1.attn.hook_{door}", lambda old, hook: without[door, 1]))
    return metric(model.run_with_hooks(tokens, fwd_hooks=closed)) - metric(model(tokens))


# %% [wrong] cut_doors: all doors are closed at once, by ablating the head itself
def cut_doors(model, tokens, head, doors, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    hooks = [("blocks.0.attn.hook_z", ablate)] if doors else []
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks)) - metric(model(tokens))


# %% [wrong] cut_doors: the named doors are left open and the others closed
def cut_doors(model, tokens, head, doors, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", ablate)]):
        _, without = model.run_with_cache(tokens)
    closed = [
        (f"blocks.1.attn.hook_{door}", lambda old, hook, door=door: without[door, 1])
        for door in "qkv"
        if door not in doors
    ]
    return metric(model.run_with_hooks(tokens, fwd_hooks=closed)) - metric(model(tokens))


# %% [wrong] cut_doors: zero-ablated instead of the mean
def cut_doors(model, tokens, head, doors, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = 0
        return z

    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", ablate)]):
        _, without = model.run_with_cache(tokens)
    closed = [
        (f"blocks.1.attn.hook_{door}", lambda old, hook, door=door: without[door, 1])
        for door in doors
    ]
    return metric(model.run_with_hooks(tokens, fwd_hooks=closed)) - metric(model(tokens))


# %% [wrong] cut_doors: all heads of layer 0 are silenced
def cut_doors(model, tokens, head, doors, metric):
    def ablate(z, hook):
        return z.mean(dim=(0, 1)).expand_as(z)

    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", ablate)]):
        _, without = model.run_with_cache(tokens)
    closed = [
        (f"blocks.1.attn.hook_{door}", lambda old, hook, door=door: without[door, 1])
        for door in doors
    ]
    return metric(model.run_with_hooks(tokens, fwd_hooks=closed)) - metric(model(tokens))


# %% [wrong] cut_doors: the doors of one head of layer 1 only
def cut_doors(model, tokens, head, doors, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", ablate)]):
        _, without = model.run_with_cache(tokens)

    def close(old, hook, door):
        old = old.clone()
        old[:, :, 0] = without[door, 1][:, :, 0]
        return old

    closed = [
        (f"blocks.1.attn.hook_{door}", lambda old, hook, door=door: close(old, hook, door))
        for door in doors
    ]
    return metric(model.run_with_hooks(tokens, fwd_hooks=closed)) - metric(model(tokens))


# %% [wrong] cut_doors: the ablating hook is still there in the second run
def cut_doors(model, tokens, head, doors, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    clean = metric(model(tokens))
    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", ablate)]):
        _, without = model.run_with_cache(tokens)
        closed = [
            (f"blocks.1.attn.hook_{door}", lambda old, hook, door=door: without[door, 1])
            for door in doors
        ]
        return metric(model.run_with_hooks(tokens, fwd_hooks=closed)) - clean


# %% [wrong] cut_doors: recorded from the model as it is, so nothing is cut
def cut_doors(model, tokens, head, doors, metric):
    _, without = model.run_with_cache(tokens)
    closed = [
        (f"blocks.1.attn.hook_{door}", lambda old, hook, door=door: without[door, 1])
        for door in doors
    ]
    return metric(model.run_with_hooks(tokens, fwd_hooks=closed)) - metric(model(tokens))


# %% [wrong] cut_doors: doors of layer 0
def cut_doors(model, tokens, head, doors, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", ablate)]):
        _, without = model.run_with_cache(tokens)
    closed = [
        (f"blocks.0.attn.hook_{door}", lambda old, hook, door=door: without[door, 1])
        for door in doors
    ]
    return metric(model.run_with_hooks(tokens, fwd_hooks=closed)) - metric(model(tokens))


# %% [wrong] cut_doors: clean minus cut
def cut_doors(model, tokens, head, doors, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", ablate)]):
        _, without = model.run_with_cache(tokens)
    closed = [
        (f"blocks.1.attn.hook_{door}", lambda old, hook, door=door: without[door, 1])
        for door in doors
    ]
    return metric(model(tokens)) - metric(model.run_with_hooks(tokens, fwd_hooks=closed))


# %% [wrong] cut_doors: the hooks are left on the model
def cut_doors(model, tokens, head, doors, metric):
    def ablate(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    clean = metric(model(tokens))
    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", ablate)]):
        _, without = model.run_with_cache(tokens)
    for door in doors:
        model.add_hook(f"blocks.1.attn.hook_{door}", lambda old, hook, door=door: without[door, 1])
    return metric(model(tokens)) - clean


# %% [wrong] cut_doors: the mean over the positions only
def cut_doors(model, tokens, head, doors, metric):
    def mean(z, hook):
        z[:, :, head] = z[:, :, head].mean(1, keepdim=True)
        return z

    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", mean)]):
        cache = model.run_with_cache(tokens)[1]
    put = [
        (f"blocks.1.attn.hook_{d}", lambda x, hook, d=d: cache[f"blocks.1.attn.hook_{d}"])
        for d in doors
    ]
    return metric(model.run_with_hooks(tokens, fwd_hooks=put)) - metric(model(tokens))


# %% [wrong] cut_doors: compared with the run in which all doors are closed
def cut_doors(model, tokens, head, doors, metric):
    def mean(z, hook):
        z[:, :, head] = z[:, :, head].mean((0, 1), keepdim=True)
        return z

    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", mean)]):
        crippled, cache = model.run_with_cache(tokens)
    put = [
        (f"blocks.1.attn.hook_{d}", lambda x, hook, d=d: cache[f"blocks.1.attn.hook_{d}"])
        for d in doors
    ]
    return metric(model.run_with_hooks(tokens, fwd_hooks=put)) - metric(crippled)


# %% [right] cut_doors: typed from the text alone
def cut_doors(model, tokens, head, doors, metric):
    recorded = {}

    def ablate(z, hook):
        z[:, :, head] = z[:, :, head].mean((0, 1))
        return z

    def save(value, hook):
        recorded[hook.name] = value.clone()

    def put(value, hook):
        return recorded[hook.name]

    names = [f"blocks.1.attn.hook_{door}" for door in "qkv"]
    hooks = [("blocks.0.attn.hook_z", ablate)] + [(name, save) for name in names]
    model.run_with_hooks(tokens, fwd_hooks=hooks)
    closed = [(f"blocks.1.attn.hook_{door}", put) for door in doors]
    return metric(model.run_with_hooks(tokens, fwd_hooks=closed)) - metric(model(tokens))


# %% [right] cut_doors: recorded by hooks of its own into a dict
def cut_doors(model, tokens, head, doors, metric):
    recorded = {}

    def ablate(z, hook):
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))

    def record(door):
        def keep(value, hook):
            recorded[door] = value.clone()

        return keep

    points = {door: f"blocks.1.attn.hook_{door}" for door in doors}
    model.run_with_hooks(
        tokens,
        fwd_hooks=[
            ("blocks.0.attn.hook_z", ablate),
            *((point, record(door)) for door, point in points.items()),
        ],
    )
    clean = metric(model(tokens))
    cut = model.run_with_hooks(
        tokens,
        fwd_hooks=[(points[door], lambda old, hook, new=recorded[door]: new) for door in doors],
    )
    return metric(cut) - clean


# %% [right] cut_doors: hooks added by hand and reset
def cut_doors(model, tokens, head, doors, metric):
    clean = metric(model(tokens))
    _, cache = model.run_with_cache(tokens)
    z = cache["z", 0].clone()
    z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
    model.add_hook("blocks.0.attn.hook_z", lambda old, hook: z)
    _, blind = model.run_with_cache(tokens)
    model.reset_hooks()
    for door in set(doors):
        tensor = blind[f"blocks.1.attn.hook_{door}"]
        model.add_hook(f"blocks.1.attn.hook_{door}", lambda old, hook, tensor=tensor: tensor)
    cut = metric(model(tokens))
    model.reset_hooks()
    return cut - clean


# %% [right] cut_doors: replaced in place by copy_
def cut_doors(model, tokens, head, doors, metric):
    def mean(z, hook):
        z[:, :, head] = z[:, :, head].mean((0, 1), keepdim=True)

    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", mean)]):
        cache = model.run_with_cache(tokens)[1]

    def put(x, hook):
        x[:] = cache[hook.name]
        return x

    before = metric(model(tokens))
    with model.hooks(fwd_hooks=[(f"blocks.1.attn.hook_{d}", put) for d in doors]):
        after = metric(model(tokens))
    return after - before


# %% [wrong] match_circuit: head 0 is taken for no head
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if not via:
            return model.W_E
        return model.W_E @ model.W_V[0, via] @ model.W_O[0, via]

    queries = seen(query_via) @ model.W_Q[1, head]
    keys = seen(key_via) @ model.W_K[1, head]
    return FactoredMatrix(queries / model.cfg.d_head**0.5, keys.T)


# %% [wrong] match_circuit: the scale is missing
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if via is None:
            return model.W_E
        return model.W_E @ model.W_V[0, via] @ model.W_O[0, via]

    queries = seen(query_via) @ model.W_Q[1, head]
    keys = seen(key_via) @ model.W_K[1, head]
    return FactoredMatrix(queries, keys.T)


# %% [wrong] match_circuit: the ways of query and key are exchanged
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if via is None:
            return model.W_E
        return model.W_E @ model.W_V[0, via] @ model.W_O[0, via]

    queries = seen(key_via) @ model.W_Q[1, head]
    keys = seen(query_via) @ model.W_K[1, head]
    return FactoredMatrix(queries / model.cfg.d_head**0.5, keys.T)


# %% [wrong] match_circuit: rows are keys
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if via is None:
            return model.W_E
        return model.W_E @ model.W_V[0, via] @ model.W_O[0, via]

    queries = seen(query_via) @ model.W_Q[1, head]
    keys = seen(key_via) @ model.W_K[1, head]
    return FactoredMatrix(keys / model.cfg.d_head**0.5, queries.T)


# %% [wrong] match_circuit: the notes are those of heads of layer 1
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if via is None:
            return model.W_E
        return model.W_E @ model.W_V[1, via] @ model.W_O[1, via]

    queries = seen(query_via) @ model.W_Q[1, head]
    keys = seen(key_via) @ model.W_K[1, head]
    return FactoredMatrix(queries / model.cfg.d_head**0.5, keys.T)


# %% [wrong] match_circuit: the embedding is added to the note
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if via is None:
            return model.W_E
        return model.W_E + model.W_E @ model.W_V[0, via] @ model.W_O[0, via]

    queries = seen(query_via) @ model.W_Q[1, head]
    keys = seen(key_via) @ model.W_K[1, head]
    return FactoredMatrix(queries / model.cfg.d_head**0.5, keys.T)


# %% [wrong] match_circuit: always the same head of layer 1
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if via is None:
            return model.W_E
        return model.W_E @ model.W_V[0, via] @ model.W_O[0, via]

    queries = seen(query_via) @ model.W_Q[1, 0]
    keys = seen(key_via) @ model.W_K[1, 0]
    return FactoredMatrix(queries / model.cfg.d_head**0.5, keys.T)


# %% [wrong] match_circuit: multiplied out
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if via is None:
            return model.W_E
        return model.W_E @ model.W_V[0, via] @ model.W_O[0, via]

    queries = seen(query_via) @ model.W_Q[1, head]
    keys = seen(key_via) @ model.W_K[1, head]
    return queries @ keys.T / model.cfg.d_head**0.5


# %% [wrong] match_circuit: keys with the matrix of queries
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if via is None:
            return model.W_E
        return model.W_E @ model.W_V[0, via] @ model.W_O[0, via]

    queries = seen(query_via) @ model.W_Q[1, head]
    keys = seen(key_via) @ model.W_Q[1, head]
    return FactoredMatrix(queries / model.cfg.d_head**0.5, keys.T)


# %% [wrong] match_circuit: the scale of this model written as a number
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if via is None:
            return model.W_E
        return model.W_E @ model.W_V[0, via] @ model.W_O[0, via]

    return FactoredMatrix(
        seen(query_via) @ model.W_Q[1, head] / 32**0.5, (seen(key_via) @ model.W_K[1, head]).T
    )


# %% [wrong] match_circuit: the last layer instead of layer 1
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if via is None:
            return model.W_E
        return model.W_E @ model.W_V[0, via] @ model.W_O[0, via]

    return FactoredMatrix(
        seen(query_via) @ model.W_Q[-1, head] / model.cfg.d_head**0.5,
        (seen(key_via) @ model.W_K[-1, head]).T,
    )


# %% [wrong] match_circuit: the note with the bias of values and output
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if via is None:
            return model.W_E
        v = model.W_E @ model.W_V[0, via] + model.b_V[0, via]
        return v @ model.W_O[0, via] + model.b_O[0]

    return FactoredMatrix(
        seen(query_via) @ model.W_Q[1, head] / model.cfg.d_head**0.5,
        (seen(key_via) @ model.W_K[1, head]).T,
    )


# %% [right] match_circuit: typed from the text alone
def match_circuit(model, head, query_via, key_via):
    query_stream = model.W_E
    if query_via is not None:
        query_stream = query_stream @ model.W_V[0, query_via] @ model.W_O[0, query_via]
    key_stream = model.W_E
    if key_via is not None:
        key_stream = key_stream @ model.W_V[0, key_via] @ model.W_O[0, key_via]
    left = query_stream @ model.W_Q[1, head]
    right = (key_stream @ model.W_K[1, head]).T
    return FactoredMatrix(left, right / model.cfg.d_head**0.5)


# %% [right] match_circuit: loops over the two sides, the scale shared by both
def match_circuit(model, head, query_via, key_via):
    factors = []
    for via, reader in ((query_via, model.W_Q), (key_via, model.W_K)):
        stream = model.W_E
        if via is not None:
            stream = stream @ (model.W_V[0, via] @ model.W_O[0, via])
        factors.append(stream @ reader[1, head] / model.cfg.d_head**0.25)
    return FactoredMatrix(factors[0], factors[1].transpose(0, 1))


# %% [right] match_circuit: the library's own products, the scale on the right
def match_circuit(model, head, query_via, key_via):
    def reads(via, weight):
        if via is None:
            return model.W_E @ weight
        note = FactoredMatrix(model.W_V[0, via], model.W_O[0, via])
        return (model.W_E @ note) @ weight

    def dense(x):
        return x.AB if isinstance(x, FactoredMatrix) else x

    queries = dense(reads(query_via, model.W_Q[1, head]))
    keys = dense(reads(key_via, model.W_K[1, head]))
    return FactoredMatrix(queries, keys.T / model.cfg.d_head**0.5)


# %% [right] match_circuit: OV and QK multiplied first
def match_circuit(model, head, query_via, key_via):
    def seen(via):
        if via is None:
            return model.W_E
        return model.W_E @ (model.W_V[0, via] @ model.W_O[0, via])

    q = seen(query_via).double() @ model.W_Q[1, head].double()
    k = seen(key_via).double() @ model.W_K[1, head].double()
    return FactoredMatrix(q.float(), (k.T / model.W_K.shape[-1] ** 0.5).float())


# %% [wrong] diagonal_accuracy: columns are compared, not rows
def diagonal_accuracy(circuit):
    n = circuit.A.shape[0]
    hits = 0
    for start in range(0, n, 256):
        columns = circuit.A @ circuit.B[:, start : start + 256]
        own = torch.arange(start, start + columns.shape[1])
        hits += int((columns.argmax(dim=0) == own).sum())
    return hits / n


# %% [wrong] diagonal_accuracy: every block begins to count at 0 again
def diagonal_accuracy(circuit):
    n = circuit.A.shape[0]
    hits = 0
    for start in range(0, n, 256):
        rows = circuit.A[start : start + 256] @ circuit.B
        hits += int((rows.argmax(dim=1) == torch.arange(len(rows))).sum())
    return hits / n


# %% [wrong] diagonal_accuracy: the mean of the shares of blocks
def diagonal_accuracy(circuit):
    shares = []
    for start in range(0, circuit.A.shape[0], 256):
        rows = circuit.A[start : start + 256] @ circuit.B
        own = torch.arange(start, start + len(rows))
        shares.append(float((rows.argmax(dim=1) == own).double().mean()))
    return sum(shares) / len(shares)


# %% [wrong] diagonal_accuracy: the last, shorter block is left out
def diagonal_accuracy(circuit):
    n = circuit.A.shape[0]
    hits = 0
    for block in range(max(n // 256, 1)):
        rows = circuit.A[block * 256 : block * 256 + 256] @ circuit.B
        own = torch.arange(block * 256, block * 256 + len(rows))
        hits += int((rows.argmax(dim=1) == own).sum())
    return hits / n


# %% [wrong] diagonal_accuracy: the whole table at once
def diagonal_accuracy(circuit):
    table = circuit.A @ circuit.B
    own = torch.arange(len(table))
    return float((table.argmax(dim=1) == own).double().mean())


# %% [wrong] diagonal_accuracy: the largest absolute value
def diagonal_accuracy(circuit):
    n = circuit.A.shape[0]
    hits = 0
    for start in range(0, n, 256):
        rows = (circuit.A[start : start + 256] @ circuit.B).abs()
        hits += int((rows.argmax(dim=1) == torch.arange(start, start + len(rows))).sum())
    return hits / n


# %% [wrong] diagonal_accuracy: only whether the diagonal is positive
def diagonal_accuracy(circuit):
    own = (circuit.A * circuit.B.T).sum(dim=1)
    return float((own > 0).double().mean())


# %% [wrong] diagonal_accuracy: blocks of 512 rows
def diagonal_accuracy(circuit):
    n, hits = circuit.A.shape[0], 0
    for i in range(0, n, 512):
        best = (circuit.A[i : i + 512] @ circuit.B).argmax(-1)
        hits += int((best == torch.arange(i, i + len(best))).sum())
    return hits / n


# %% [wrong] diagonal_accuracy: blocks of rows compared with the same block of columns
def diagonal_accuracy(circuit):
    n, hits = circuit.A.shape[0], 0
    for i in range(0, n, 256):
        best = (circuit.A[i : i + 256] @ circuit.B[:, i : i + 256]).argmax(-1)
        hits += int((best == torch.arange(len(best))).sum())
    return hits / n


# %% [right] diagonal_accuracy: typed from the text alone
def diagonal_accuracy(circuit):
    hits = []
    for i in range(0, circuit.A.shape[0], 256):
        block = circuit.A[i : i + 256] @ circuit.B
        for j, row in enumerate(block):
            hits.append(int(row.argmax()) == i + j)
    return sum(hits) / len(hits)


# %% [right] diagonal_accuracy: split into blocks, compared by the largest entry
def diagonal_accuracy(circuit):
    own = (circuit.A * circuit.B.T).sum(dim=1)
    best = torch.cat([(rows @ circuit.B).max(dim=1).values for rows in circuit.A.split(200)])
    return int((own >= best - 1e-6 * best.abs()).sum()) / len(own)


# %% [right] diagonal_accuracy: one row after the other
def diagonal_accuracy(circuit):
    right = 0
    for i, row in enumerate(circuit.A):
        right += int(torch.argmax(row @ circuit.B)) == i
    return right / (i + 1)


# %% [right] diagonal_accuracy: numpy, blocks of 100
def diagonal_accuracy(circuit):
    import numpy as np

    A, B = circuit.A.numpy(), circuit.B.numpy()
    hits = 0
    for i in range(0, len(A), 100):
        best = (A[i : i + 100] @ B).argmax(1)
        hits += int((best == np.arange(i, i + len(best))).sum())
    return hits / len(A)


# %% [wrong] neighbour_in_key: the key of the exchanged token itself
def neighbour_in_key(model, tokens, position, other):
    changed = tokens.clone()
    changed[:, position] = other
    _, before = model.run_with_cache(tokens)
    _, after = model.run_with_cache(changed)
    rows = []
    for layer in range(model.cfg.n_layers):
        key = before["k", layer][:, position]
        moved = after["k", layer][:, position] - key
        rows.append((moved.norm(dim=-1) / key.norm(dim=-1)).mean(dim=0))
    return torch.stack(rows)


# %% [wrong] neighbour_in_key: the key before the exchanged token
def neighbour_in_key(model, tokens, position, other):
    changed = tokens.clone()
    changed[:, position] = other
    _, before = model.run_with_cache(tokens)
    _, after = model.run_with_cache(changed)
    rows = []
    for layer in range(model.cfg.n_layers):
        key = before["k", layer][:, position - 1]
        moved = after["k", layer][:, position - 1] - key
        rows.append((moved.norm(dim=-1) / key.norm(dim=-1)).mean(dim=0))
    return torch.stack(rows)


# %% [wrong] neighbour_in_key: queries instead of keys
def neighbour_in_key(model, tokens, position, other):
    changed = tokens.clone()
    changed[:, position] = other
    _, before = model.run_with_cache(tokens)
    _, after = model.run_with_cache(changed)
    rows = []
    for layer in range(model.cfg.n_layers):
        key = before["q", layer][:, position + 1]
        moved = after["q", layer][:, position + 1] - key
        rows.append((moved.norm(dim=-1) / key.norm(dim=-1)).mean(dim=0))
    return torch.stack(rows)


# %% [wrong] neighbour_in_key: not divided by the length of the key
def neighbour_in_key(model, tokens, position, other):
    changed = tokens.clone()
    changed[:, position] = other
    _, before = model.run_with_cache(tokens)
    _, after = model.run_with_cache(changed)
    rows = []
    for layer in range(model.cfg.n_layers):
        moved = after["k", layer][:, position + 1] - before["k", layer][:, position + 1]
        rows.append(moved.norm(dim=-1).mean(dim=0))
    return torch.stack(rows)


# %% [wrong] neighbour_in_key: the quotient of the means instead of the mean of the quotients
def neighbour_in_key(model, tokens, position, other):
    changed = tokens.clone()
    changed[:, position] = other
    _, before = model.run_with_cache(tokens)
    _, after = model.run_with_cache(changed)
    rows = []
    for layer in range(model.cfg.n_layers):
        key = before["k", layer][:, position + 1]
        moved = after["k", layer][:, position + 1] - key
        rows.append(moved.norm(dim=-1).mean(dim=0) / key.norm(dim=-1).mean(dim=0))
    return torch.stack(rows)


# %% [wrong] neighbour_in_key: the given tokens are changed
def neighbour_in_key(model, tokens, position, other):
    _, before = model.run_with_cache(tokens)
    tokens[:, position] = other
    _, after = model.run_with_cache(tokens)
    rows = []
    for layer in range(model.cfg.n_layers):
        key = before["k", layer][:, position + 1]
        moved = after["k", layer][:, position + 1] - key
        rows.append((moved.norm(dim=-1) / key.norm(dim=-1)).mean(dim=0))
    return torch.stack(rows)


# %% [wrong] neighbour_in_key: a change of the length, not the length of the change
def neighbour_in_key(model, tokens, position, other):
    changed = tokens.clone()
    changed[:, position] = other
    _, before = model.run_with_cache(tokens)
    _, after = model.run_with_cache(changed)
    rows = []
    for layer in range(model.cfg.n_layers):
        key = before["k", layer][:, position + 1].norm(dim=-1)
        moved = after["k", layer][:, position + 1].norm(dim=-1)
        rows.append(((moved - key).abs() / key).mean(dim=0))
    return torch.stack(rows)


# %% [wrong] neighbour_in_key: all lines get the first line's new token
def neighbour_in_key(model, tokens, position, other):
    changed = tokens.clone()
    changed[:, position] = other[0]
    _, before = model.run_with_cache(tokens)
    _, after = model.run_with_cache(changed)
    rows = []
    for layer in range(model.cfg.n_layers):
        key = before["k", layer][:, position + 1]
        moved = after["k", layer][:, position + 1] - key
        rows.append((moved.norm(dim=-1) / key.norm(dim=-1)).mean(dim=0))
    return torch.stack(rows)


# %% [wrong] neighbour_in_key: one norm over all heads
def neighbour_in_key(model, tokens, position, other):
    changed = tokens.clone()
    changed[:, position] = other
    _, before = model.run_with_cache(tokens)
    _, after = model.run_with_cache(changed)
    rows = []
    for layer in range(model.cfg.n_layers):
        key = before["k", layer][:, position + 1].flatten(1)
        moved = after["k", layer][:, position + 1].flatten(1) - key
        share = (moved.norm(dim=-1) / key.norm(dim=-1)).mean(dim=0)
        rows.append(share.expand(model.cfg.n_heads))
    return torch.stack(rows)


# %% [wrong] neighbour_in_key: divided by the length of the new key
def neighbour_in_key(model, tokens, position, other):
    changed = tokens.clone()
    changed[:, position] = other
    a, b = (model.run_with_cache(t)[1] for t in (tokens, changed))
    rows = []
    for i in range(model.cfg.n_layers):
        k, k2 = a["k", i][:, position + 1], b["k", i][:, position + 1]
        rows.append(((k2 - k).norm(dim=-1) / k2.norm(dim=-1)).mean(0))
    return torch.stack(rows)


# %% [wrong] neighbour_in_key: the change of the mean key
def neighbour_in_key(model, tokens, position, other):
    changed = tokens.clone()
    changed[:, position] = other
    a, b = (model.run_with_cache(t)[1] for t in (tokens, changed))
    rows = []
    for i in range(model.cfg.n_layers):
        k, k2 = a["k", i][:, position + 1].mean(0), b["k", i][:, position + 1].mean(0)
        rows.append((k2 - k).norm(dim=-1) / k.norm(dim=-1))
    return torch.stack(rows)


# %% [right] neighbour_in_key: typed from the text alone
def neighbour_in_key(model, tokens, position, other):
    changed = tokens.clone()
    changed[:, position] = other
    _, cache = model.run_with_cache(tokens)
    _, cache2 = model.run_with_cache(changed)
    result = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for layer in range(model.cfg.n_layers):
        for h in range(model.cfg.n_heads):
            quotients = []
            for b in range(len(tokens)):
                k = cache["k", layer][b, position + 1, h]
                k2 = cache2["k", layer][b, position + 1, h]
                quotients.append((k2 - k).norm() / k.norm())
            result[layer, h] = sum(quotients) / len(quotients)
    return result


# %% [right] neighbour_in_key: both texts in one batch, keys caught by hooks
def neighbour_in_key(model, tokens, position, other):
    changed = torch.cat([tokens[:, :position], other[:, None], tokens[:, position + 1 :]], dim=1)
    keys = []
    model.run_with_hooks(
        torch.cat([tokens, changed]),
        fwd_hooks=[
            (f"blocks.{n}.attn.hook_k", lambda k, hook: keys.append(k[:, position + 1].clone()))
            for n in range(model.cfg.n_layers)
        ],
    )
    before, after = torch.stack(keys).chunk(2, dim=1)  # [layer batch head d_head]
    share = torch.linalg.vector_norm(after - before, dim=-1) / before.norm(dim=-1)
    return share.mean(dim=1)


# %% [right] neighbour_in_key: filled head by head
def neighbour_in_key(model, tokens, position, other):
    changed = tokens.clone()
    for line, token in enumerate(other.tolist()):
        changed[line, position] = token
    before = model.run_with_cache(tokens)[1]
    after = model.run_with_cache(changed)[1]
    result = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            name = f"blocks.{layer}.attn.hook_k"
            k = before[name][:, position + 1, head]
            k2 = after[name][:, position + 1, head]
            shares = ((k2 - k) ** 2).sum(-1).sqrt() / (k**2).sum(-1).sqrt()
            result[layer, head] = shares.mean()
    return result


# %% [right] neighbour_in_key: line by line
def neighbour_in_key(model, tokens, position, other):
    L, H = model.cfg.n_layers, model.cfg.n_heads
    out = torch.zeros(L, H)
    for line, o in zip(tokens, other):
        new = line.clone()
        new[position] = o
        a, b = (model.run_with_cache(t[None])[1] for t in (line, new))
        for i in range(L):
            k, k2 = a["k", i][0, position + 1], b["k", i][0, position + 1]
            out[i] += (k2 - k).norm(dim=-1) / k.norm(dim=-1)
    return out / len(tokens)


# %% [wrong] context_gain: the first token of the second copy counts
def context_gain(losses, period):
    return float(losses[:period].mean() - losses[period:].mean())


# %% [wrong] context_gain: entries are taken for positions
def context_gain(losses, period):
    return float(losses[1 : period + 1].mean() - losses[period + 2 :].mean())


# %% [wrong] context_gain: second copy minus first
def context_gain(losses, period):
    return float(losses[period + 1 :].mean() - losses[:period].mean())


# %% [wrong] context_gain: sums instead of means
def context_gain(losses, period):
    return float(losses[:period].sum() - losses[period + 1 :].sum())


# %% [wrong] context_gain: the first token of the first copy is left out too
def context_gain(losses, period):
    return float(losses[1:period].mean() - losses[period + 1 :].mean())


# %% [wrong] context_gain: the last token of the first copy is left out
def context_gain(losses, period):
    return float(losses[: period - 1].mean() - losses[period + 1 :].mean())


# %% [wrong] context_gain: the loss of the last token compared with that of the first
def context_gain(losses, period):
    return float(losses[0] - losses[-1])


# %% [wrong] context_gain: the whole text compared with the second copy
def context_gain(losses, period):
    return float(losses.mean() - losses[period + 1 :].mean())


# %% [wrong] context_gain: the last entry is left out
def context_gain(losses, period):
    return (losses[:period].mean() - losses[period + 1 : 2 * period - 1].mean()).item()


# %% [right] context_gain: typed from the text alone
def context_gain(losses, period):
    return (losses[:period].mean() - losses[period + 1 :].mean()).item()


# %% [right] context_gain: sums, divided by how many there are
def context_gain(losses, period):
    first = sum(losses[i].item() for i in range(period)) / period
    second = sum(losses[i].item() for i in range(period + 1, 2 * period)) / (period - 1)
    return first - second


# %% [right] context_gain: from the end
def context_gain(losses, period):
    first, second = losses.split(period)
    return first.mean().item() - second[1:].mean().item()


# %% [right] context_gain: Python lists
def context_gain(losses, period):
    x = losses.tolist()
    return sum(x[:period]) / period - sum(x[period + 1 :]) / (period - 1)


# %% [wrong] when_did_it_form: the first step above the threshold, dips forgotten
def when_did_it_form(steps, values, share):
    in_order = sorted(zip(steps, values))
    final = in_order[-1][1]
    return next(step for step, value in in_order if value >= share * final)


# %% [wrong] when_did_it_form: steps taken in the order in which they are given
def when_did_it_form(steps, values, share):
    formed, final = steps[-1], values[-1]
    for step, value in reversed(list(zip(steps, values))):
        if value < share * final:
            break
        formed = step
    return formed


# %% [wrong] when_did_it_form: half of the largest value, not of the final one
def when_did_it_form(steps, values, share):
    in_order = sorted(zip(steps, values))
    top = max(values)
    formed = in_order[-1][0]
    for step, value in reversed(in_order):
        if value < share * top:
            break
        formed = step
    return formed


# %% [wrong] when_did_it_form: more than, not at least
def when_did_it_form(steps, values, share):
    in_order = sorted(zip(steps, values))
    formed, final = in_order[-1]
    for step, value in reversed(in_order):
        if value <= share * final:
            break
        formed = step
    return formed


# %% [wrong] when_did_it_form: the last step that was too low
def when_did_it_form(steps, values, share):
    in_order = sorted(zip(steps, values))
    final = in_order[-1][1]
    low = [step for step, value in in_order if value < share * final]
    return low[-1] if low else in_order[0][0]


# %% [wrong] when_did_it_form: the index instead of the step
def when_did_it_form(steps, values, share):
    in_order = sorted(zip(steps, values))
    final = in_order[-1][1]
    for i in range(len(in_order)):
        if all(value >= share * final for _, value in in_order[i:]):
            return i
    return len(in_order) - 1


# %% [wrong] when_did_it_form: the step with the steepest rise
def when_did_it_form(steps, values, share):
    in_order = sorted(zip(steps, values))
    if len(in_order) == 1:
        return in_order[0][0]
    rises = [in_order[i + 1][1] - in_order[i][1] for i in range(len(in_order) - 1)]
    return in_order[rises.index(max(rises)) + 1][0]


# %% [wrong] when_did_it_form: share taken as an absolute threshold
def when_did_it_form(steps, values, share):
    in_order = sorted(zip(steps, values))
    formed = in_order[-1][0]
    for step, value in reversed(in_order):
        if value < share:
            break
        formed = step
    return formed


# %% [wrong] when_did_it_form: the given lists are sorted in place
def when_did_it_form(steps, values, share):
    pairs = sorted(zip(steps, values))
    steps.sort()
    values[:] = [value for _, value in pairs]
    formed, final = steps[-1], values[-1]
    for step, value in zip(reversed(steps), reversed(values)):
        if value < share * final:
            break
        formed = step
    return formed


# %% [wrong] when_did_it_form: the final value is the last one given
def when_did_it_form(steps, values, share):
    bar = share * values[-1]
    pairs = sorted(zip(steps, values))
    step = pairs[-1][0]
    for s, v in reversed(pairs):
        if v < bar:
            break
        step = s
    return step


# %% [wrong] when_did_it_form: the step after the last low one, which may be missing
def when_did_it_form(steps, values, share):
    pairs = sorted(zip(steps, values))
    bar = share * pairs[-1][1]
    low = [i for i, (s, v) in enumerate(pairs) if v < bar]
    return pairs[low[-1] + 1][0]


# %% [right] when_did_it_form: typed from the text alone
def when_did_it_form(steps, values, share):
    value_at = dict(zip(steps, values))
    final = value_at[max(steps)]
    for step in sorted(steps):
        if all(value_at[s] >= share * final for s in steps if s >= step):
            return step


# %% [right] when_did_it_form: every step is tried
def when_did_it_form(steps, values, share):
    measured = dict(zip(steps, values))
    least = share * measured[max(steps)]
    return min(s for s in steps if all(measured[t] >= least for t in steps if t >= s))


# %% [right] when_did_it_form: the step after the last one that is too low
def when_did_it_form(steps, values, share):
    order = sorted(range(len(steps)), key=lambda i: steps[i])
    least = share * values[order[-1]]
    too_low = [place for place, i in enumerate(order) if values[i] < least]
    return steps[order[too_low[-1] + 1]] if too_low else steps[order[0]]


# %% [right] when_did_it_form: numpy minimum from the end
def when_did_it_form(steps, values, share):
    import numpy as np

    order = np.argsort(steps)
    v = np.array(values)[order]
    least = np.minimum.accumulate(v[::-1])[::-1]
    return int(np.array(steps)[order][np.argmax(least >= share * v[-1])])


# %% [equivalent] loss_by_position: the last axis has one entry, which is the first and the last
# return -log_probs.gather(-1, target)[..., -1].mean(dim=0) # [pos-1]


# %% [equivalent] prev_token_score: a mean over two axes, in either order
# return stripe.mean(dim=(2, 0)) # [head]


# %% [equivalent] induction_score: a mean over two axes, in either order; patterns are square
# return stripe.mean(dim=(2, 0)) # [head]
# queries = torch.arange(period + 1, pattern.shape[-1], device=pattern.device)


# %% [equivalent] ablate_and_measure: what a hook edits in place is of this run alone; two axes, any order
# z = z
# z[:, :, head] = z[:, :, head].mean(dim=(1, 0))


# %% [equivalent] prefix_matching_score: sums over axes in any order; -2 is no id either
# before = torch.nn.functional.pad(tokens[:, :-1], (1, 0), value=-2) # [batch pos]
# attention = (pattern * answers[:, None]).sum(dim=(2, 0, 3)) # [head]
# attention = (pattern * answers[:, None]).sum(dim=(0, 3, 2)) # [head]


# %% [equivalent] prefix_matching_score: a symbol said m times makes m - 1 queries and m - 1 keys
# counted = answers.any(dim=-2).sum() # the number of queries that have an answer


# %% [equivalent] k_composition: nothing is later than the last layer; a norm over two axes, in either order
# for layer in range(layers - 1):
# through = (note @ later).norm(dim=(-1, -2)) # [later layer, head]
# scores[layer, head, layer + 1 :] = through / (note.norm() * later.norm(dim=(-1, -2)))


# %% [equivalent] cut_doors: what a hook edits in place is of this run alone; two axes, any order
# z = z
# z[:, :, head] = z[:, :, head].mean(dim=(1, 0))


# %% [equivalent] neighbour_in_key: only the length of the difference counts
# moved = key - after["k", layer][:, position + 1]


# %% [wrong] WORDS: the two circuits are exchanged
WORDS = {
    "a": "OV circuit",
    "b": "QK circuit",
    "c": "prefix matching",
    "d": "relative position",
    "e": "K-composition",
    "f": "attention sink",
    "g": "destination",
    "h": "source",
    "i": "parameter",
    "j": "activation",
}


# %% [wrong] WORDS: destination and source are exchanged
WORDS = {
    "a": "QK circuit",
    "b": "OV circuit",
    "c": "prefix matching",
    "d": "relative position",
    "e": "K-composition",
    "f": "attention sink",
    "g": "source",
    "h": "destination",
    "i": "parameter",
    "j": "activation",
}


# %% [wrong] WORDS: the matrices are taken for activations
WORDS = {
    "a": "QK circuit",
    "b": "OV circuit",
    "c": "prefix matching",
    "d": "relative position",
    "e": "K-composition",
    "f": "attention sink",
    "g": "destination",
    "h": "source",
    "i": "activation",
    "j": "parameter",
}


# %% [wrong] WORDS: finding the place is taken for what is then said
WORDS = {
    "a": "QK circuit",
    "b": "OV circuit",
    "c": "copying",
    "d": "relative position",
    "e": "K-composition",
    "f": "attention sink",
    "g": "destination",
    "h": "source",
    "i": "parameter",
    "j": "activation",
}


# %% [wrong] WORDS: a head that compares tokens is taken for one that counts positions
WORDS = {
    "a": "QK circuit",
    "b": "OV circuit",
    "c": "relative position",
    "d": "prefix matching",
    "e": "K-composition",
    "f": "attention sink",
    "g": "destination",
    "h": "source",
    "i": "parameter",
    "j": "activation",
}


# %% [wrong] WORDS: what is found by its key is taken for what is carried on
WORDS = {
    "a": "QK circuit",
    "b": "OV circuit",
    "c": "prefix matching",
    "d": "relative position",
    "e": "V-composition",
    "f": "attention sink",
    "g": "destination",
    "h": "source",
    "i": "parameter",
    "j": "activation",
}


# %% [wrong] WORDS: a fixed distance is taken for an attention sink, and the other way round
WORDS = {
    "a": "QK circuit",
    "b": "OV circuit",
    "c": "prefix matching",
    "d": "attention sink",
    "e": "K-composition",
    "f": "relative position",
    "g": "destination",
    "h": "source",
    "i": "parameter",
    "j": "activation",
}


# %% [wrong] WORDS: resting on the first position is taken for copying it
WORDS = {
    "a": "QK circuit",
    "b": "OV circuit",
    "c": "prefix matching",
    "d": "relative position",
    "e": "K-composition",
    "f": "copying",
    "g": "destination",
    "h": "source",
    "i": "parameter",
    "j": "activation",
}


# %% [wrong] WORDS: the axes' names instead of the words for positions
WORDS = {
    "a": "QK circuit",
    "b": "OV circuit",
    "c": "prefix matching",
    "d": "relative position",
    "e": "K-composition",
    "f": "attention sink",
    "g": "query",
    "h": "key",
    "i": "parameter",
    "j": "activation",
}


# %% [wrong] WORDS: half of an induction head is taken for the whole
WORDS = {
    "a": "QK circuit",
    "b": "OV circuit",
    "c": "induction head",
    "d": "relative position",
    "e": "K-composition",
    "f": "attention sink",
    "g": "destination",
    "h": "source",
    "i": "parameter",
    "j": "activation",
}


# %% [right] WORDS: typed from the text alone
WORDS = dict(a="QK circuit", b="OV circuit", c="prefix matching", d="relative position")
WORDS.update(e="K-composition", f="attention sink", g="destination", h="source")
WORDS["i"], WORDS["j"] = "parameter", "activation"


# %% [right] WORDS: zipped, in another order
WORDS = dict(
    zip(
        "jihgfedcba",
        [
            *("activation", "parameter", "source", "destination", "attention sink"),
            *("K-composition", "relative position", "prefix matching", "OV circuit", "QK circuit"),
        ],
        strict=True,
    )
)
