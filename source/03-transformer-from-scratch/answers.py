# %% [wrong] embed: no positions
def embed(tokens, W_E, W_pos, start=0):
    return W_E[tokens]


# %% [wrong] embed: rows of W_pos by token
def embed(tokens, W_E, W_pos, start=0):
    return W_E[tokens] + W_pos[tokens % len(W_pos)]


# %% [wrong] embed: start is ignored
def embed(tokens, W_E, W_pos, start=0):
    return W_E[tokens] + W_pos[: tokens.shape[1]]


# %% [wrong] embed: all of W_pos, whatever the length of the text
def embed(tokens, W_E, W_pos, start=0):
    return W_E[tokens] + W_pos


# %% [wrong] embed: positions counted from 1
def embed(tokens, W_E, W_pos, start=0):
    return W_E[tokens] + W_pos[start + 1 : start + 1 + tokens.shape[1]]


# %% [wrong] embed: the slice ends at the length of the text
def embed(tokens, W_E, W_pos, start=0):
    return W_E[tokens] + W_pos[start : tokens.shape[1]]


# %% [wrong] embed: as many places as there are texts
def embed(tokens, W_E, W_pos, start=0):
    return W_E[tokens] + W_pos[start : start + len(tokens)]


# %% [wrong] embed: the last position's row for all
def embed(tokens, W_E, W_pos, start=0):
    return W_E[tokens] + W_pos[start + tokens.shape[1] - 1]


# %% [wrong] embed: multiplied instead of added
def embed(tokens, W_E, W_pos, start=0):
    return W_E[tokens] * W_pos[start : start + tokens.shape[1]]


# %% [wrong] embed: the tables side by side
def embed(tokens, W_E, W_pos, start=0):
    places = W_pos[start : start + tokens.shape[1]].expand(len(tokens), -1, -1)
    return torch.cat([W_E[tokens], places], dim=-1)


# %% [wrong] embed: divides by the root of d_model
def embed(tokens, W_E, W_pos, start=0):
    return W_E[tokens] / W_E.shape[1] ** 0.5 + W_pos[start : start + tokens.shape[1]]


# %% [wrong] embed: adds into W_pos
def embed(tokens, W_E, W_pos, start=0):
    places = W_pos[start : start + tokens.shape[1]]
    rows = W_E[tokens]
    result = rows + places
    places += rows[0]
    return result


# %% [wrong] embed: start shifts the ids instead of the places
def embed(tokens, W_E, W_pos, start=0):
    return W_E[(tokens + start) % len(W_E)] + W_pos[: tokens.shape[1]]


# %% [wrong] embed: each text has its own place
def embed(tokens, W_E, W_pos, start=0):
    return W_E[tokens] + W_pos[start : start + len(tokens), None]


# %% [wrong] embed: always float32
def embed(tokens, W_E, W_pos, start=0):
    return (W_E[tokens] + W_pos[start : start + tokens.shape[1]]).float()


# %% [wrong] embed: torch's module, which learns a table of its own
def embed(tokens, W_E, W_pos, start=0):
    words = torch.nn.Embedding.from_pretrained(W_E, freeze=False)
    rows = words(tokens)
    rows += W_pos[start : start + tokens.shape[1]]
    return rows


# %% [wrong] embed: the tables are cut off from the gradients
def embed(tokens, W_E, W_pos, start=0):
    return W_E.detach()[tokens] + W_pos[start : start + tokens.shape[1]]


# %% [wrong] embed: rows copied as numbers
def embed(tokens, W_E, W_pos, start=0):
    rows = torch.tensor([[W_E[t].tolist() for t in text] for text in tokens], dtype=W_E.dtype)
    return rows + W_pos[start : start + tokens.shape[1]]


# %% [wrong] embed: filled into a tensor of float32
def embed(tokens, W_E, W_pos, start=0):
    result = torch.zeros(*tokens.shape, W_E.shape[1])
    for b in range(tokens.shape[0]):
        for p in range(tokens.shape[1]):
            result[b, p] = W_E[tokens[b, p]] + W_pos[start + p]
    return result


# %% [right] embed: one-hot rows times the table, position numbers
def embed(tokens, W_E, W_pos, start=0):
    one_hot = torch.nn.functional.one_hot(tokens, len(W_E)).to(W_E.dtype)
    where = torch.arange(tokens.shape[1], device=tokens.device) + start
    return one_hot @ W_E + W_pos[where].unsqueeze(0)


# %% [right] embed: torch's embedding
def embed(tokens, W_E, W_pos, start=0):
    from torch.nn.functional import embedding

    return embedding(tokens, W_E) + W_pos.narrow(0, start, tokens.size(1))


# %% [right] embed: position by position
def embed(tokens, W_E, W_pos, start=0):
    columns = [W_E[tokens[:, i]] + W_pos[start + i] for i in range(tokens.shape[1])]
    return torch.stack(columns, dim=1)


# %% [right] embed: index_select and position numbers
def embed(tokens, W_E, W_pos, start=0):
    rows = W_E.index_select(0, tokens.flatten()).reshape(*tokens.shape, -1)
    places = torch.arange(start, start + tokens.shape[1], device=tokens.device)
    return rows + W_pos.index_select(0, places).expand_as(rows)


# %% [right] embed: typed from the text alone, token by token
def embed(tokens, W_E, W_pos, start=0):
    texts = []
    for text in tokens:
        vectors = []
        for i, token in enumerate(text):
            vectors.append(W_E[token] + W_pos[start + i])
        texts.append(torch.stack(vectors))
    return torch.stack(texts)


# %% [wrong] layer_norm: unbiased variance, divided by d - 1
def layer_norm(x, w, b, eps):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (x.var(dim=-1, keepdim=True) + eps).sqrt() * w + b


# %% [wrong] layer_norm: eps outside the root
def layer_norm(x, w, b, eps):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True).sqrt() + eps) * w + b


# %% [wrong] layer_norm: no eps
def layer_norm(x, w, b, eps):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / centred.square().mean(dim=-1, keepdim=True).sqrt() * w + b


# %% [wrong] layer_norm: a fixed eps
def layer_norm(x, w, b, eps):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt() * w + b


# %% [wrong] layer_norm: no scale and shift
def layer_norm(x, w, b, eps):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt()


# %% [wrong] layer_norm: no shift
def layer_norm(x, w, b, eps):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt() * w


# %% [wrong] layer_norm: shifted before it is scaled
def layer_norm(x, w, b, eps):
    centred = x - x.mean(dim=-1, keepdim=True)
    return (centred / (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt() + b) * w


# %% [wrong] layer_norm: scale and shift confused
def layer_norm(x, w, b, eps):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt() * b + w


# %% [wrong] layer_norm: over the positions
def layer_norm(x, w, b, eps):
    centred = x - x.mean(dim=-2, keepdim=True)
    return centred / (centred.square().mean(dim=-2, keepdim=True) + eps).sqrt() * w + b


# %% [wrong] layer_norm: one mean and variance for everything
def layer_norm(x, w, b, eps):
    centred = x - x.mean()
    return centred / (centred.square().mean() + eps).sqrt() * w + b


# %% [wrong] layer_norm: over the second axis, right only for [batch d_model]
def layer_norm(x, w, b, eps):
    centred = x - x.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True) + eps).sqrt() * w + b


# %% [wrong] layer_norm: the mean stays (root mean square norm)
def layer_norm(x, w, b, eps):
    return x / (x.square().mean(dim=-1, keepdim=True) + eps).sqrt() * w + b


# %% [wrong] layer_norm: divided by the variance
def layer_norm(x, w, b, eps):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + eps) * w + b


# %% [wrong] layer_norm: variance as a difference of large numbers
def layer_norm(x, w, b, eps):
    mean = x.mean(dim=-1, keepdim=True)
    variance = (x * x).mean(dim=-1, keepdim=True) - mean * mean
    return (x - mean) / (variance + eps).sqrt() * w + b


# %% [wrong] layer_norm: only the mean is removed
def layer_norm(x, w, b, eps):
    return (x - x.mean(dim=-1, keepdim=True)) * w + b


# %% [wrong] layer_norm: in place
def layer_norm(x, w, b, eps):
    x -= x.mean(dim=-1, keepdim=True)
    return x / (x.square().mean(dim=-1, keepdim=True) + eps).sqrt() * w + b


# %% [wrong] layer_norm: leaves the dtype
def layer_norm(x, w, b, eps):
    return torch.nn.functional.layer_norm(x.float(), (x.shape[-1],), w.float(), b.float(), eps)


# %% [wrong] layer_norm: eps squared under the root
def layer_norm(x, w, b, eps):
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + eps**2).sqrt() * w + b


# %% [wrong] layer_norm: the variance is not less than eps
def layer_norm(x, w, b, eps):
    centred = x - x.mean(-1, keepdim=True)
    return centred / centred.square().mean(-1, keepdim=True).clamp(min=eps).sqrt() * w + b


# %% [wrong] layer_norm: without gradients
def layer_norm(x, w, b, eps):
    with torch.no_grad():
        centred = x - x.mean(-1, keepdim=True)
        spread = (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return centred / spread * w + b


# %% [wrong] layer_norm: mean and variance are taken for constants
def layer_norm(x, w, b, eps):
    mean = x.mean(dim=-1, keepdim=True).detach()
    variance = (x - mean).square().mean(dim=-1, keepdim=True).detach()
    return (x - mean) / (variance + eps).sqrt() * w + b


# %% [wrong] layer_norm: only the variance is taken for a constant
def layer_norm(x, w, b, eps):
    centred = x - x.mean(dim=-1, keepdim=True)
    with torch.no_grad():
        root = (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt()
    return centred / root * w + b


# %% [wrong] layer_norm: numpy
def layer_norm(x, w, b, eps):
    v = x.detach().numpy()
    v = (v - v.mean(-1, keepdims=True)) / (v.var(-1, keepdims=True) + eps) ** 0.5
    return torch.from_numpy(v) * w + b


# %% [right] layer_norm: torch's own
def layer_norm(x, w, b, eps):
    return torch.nn.functional.layer_norm(x, (x.shape[-1],), w, b, eps)


# %% [right] layer_norm: torch.var without the correction
def layer_norm(x, w, b, eps):
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return torch.addcmul(b, (x - mean) * torch.rsqrt(variance + eps), w)


# %% [right] layer_norm: vector by vector
def layer_norm(x, w, b, eps):
    rows = []
    for vector in x.reshape(-1, x.shape[-1]):
        centred = vector - vector.sum() / len(vector)
        rows.append(centred / torch.sqrt(centred.dot(centred) / len(vector) + eps) * w + b)
    return torch.stack(rows).reshape(x.shape)


# %% [right] layer_norm: in float64 and back, rsqrt
def layer_norm(x, w, b, eps):
    y = x.double()
    y = y - y.mean(-1, keepdim=True)
    y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + eps)
    return (y * w.double() + b.double()).to(x.dtype)


# %% [right] layer_norm: torch's module, scaled by hand
def layer_norm(x, w, b, eps):
    module = torch.nn.LayerNorm(x.shape[-1], eps=eps, elementwise_affine=False)
    return torch.addcmul(b, module(x), w)


# %% [right] layer_norm: typed from the text alone, the formula
def layer_norm(x, w, b, eps):
    d = x.shape[-1]
    mu = x.sum(dim=-1, keepdim=True) / d
    sigma2 = ((x - mu) ** 2).sum(dim=-1, keepdim=True) / d
    return (x - mu) / torch.sqrt(sigma2 + eps) * w + b


# %% [wrong] project_to_heads: no bias
def project_to_heads(x, W, bias):
    return torch.einsum("bpd,hde->bphe", x, W)


# %% [wrong] project_to_heads: W reshaped without moving its axes
def project_to_heads(x, W, bias):
    heads, wide, narrow = W.shape
    return (x @ W.reshape(wide, heads * narrow)).reshape(*x.shape[:2], heads, narrow) + bias


# %% [wrong] project_to_heads: heads before positions
def project_to_heads(x, W, bias):
    return torch.einsum("bpd,hde->bhpe", x, W) + bias[:, None]


# %% [wrong] project_to_heads: d_head before head
def project_to_heads(x, W, bias):
    heads, wide, narrow = W.shape
    flat = x @ W.permute(1, 2, 0).reshape(wide, narrow * heads)
    return flat.reshape(*x.shape[:2], heads, narrow) + bias


# %% [wrong] project_to_heads: the heads are summed
def project_to_heads(x, W, bias):
    return torch.einsum("bpd,hde->bpe", x, W)[:, :, None] + bias


# %% [wrong] project_to_heads: every head has the bias of head 0
def project_to_heads(x, W, bias):
    return torch.einsum("bpd,hde->bphe", x, W) + bias[0]


# %% [wrong] project_to_heads: head 0 for all heads
def project_to_heads(x, W, bias):
    return torch.einsum("bpd,hde->bphe", x, W[:1]) + bias


# %% [wrong] project_to_heads: the bias is subtracted
def project_to_heads(x, W, bias):
    return torch.einsum("bpd,hde->bphe", x, W) - bias


# %% [wrong] project_to_heads: the stream is cut into heads first
def project_to_heads(x, W, bias):
    heads = len(W)
    pieces = x.reshape(*x.shape[:2], heads, -1)
    return torch.einsum("bphc,hce->bphe", pieces, W[:, : pieces.shape[-1]]) + bias


# %% [wrong] project_to_heads: the bias is added to W
def project_to_heads(x, W, bias):
    W += bias[:, None]
    return torch.einsum("bpd,hde->bphe", x, W)


# %% [wrong] project_to_heads: matrices reshaped to rows of heads, d_head the slow one
def project_to_heads(x, W, bias):
    flat = W.permute(1, 2, 0).reshape(x.shape[-1], -1)
    return (x @ flat).reshape(*x.shape[:2], *bias.shape) + bias


# %% [wrong] project_to_heads: a new tensor of numbers
def project_to_heads(x, W, bias):
    numbers = [[[row @ M for M in W] for row in text] for text in x]
    rows = [[[head.tolist() for head in row] for row in text] for text in numbers]
    return torch.tensor(rows, dtype=x.dtype) + bias


# %% [wrong] project_to_heads: the bias is cut off from the gradients
def project_to_heads(x, W, bias):
    return torch.einsum("bpd,hde->bphe", x, W) + bias.detach()


# %% [wrong] project_to_heads: without gradients
def project_to_heads(x, W, bias):
    with torch.no_grad():
        return torch.einsum("bpd,hde->bphe", x, W) + bias


# %% [right] project_to_heads: head by head
def project_to_heads(x, W, bias):
    return torch.stack([x @ W[h] + bias[h] for h in range(len(W))], dim=2)


# %% [right] project_to_heads: one large matrix
def project_to_heads(x, W, bias):
    heads, wide, narrow = W.shape
    flat = x @ W.movedim(0, 1).reshape(wide, heads * narrow) + bias.reshape(-1)
    return flat.reshape(*x.shape[:2], heads, narrow)


# %% [right] project_to_heads: tensordot
def project_to_heads(x, W, bias):
    return torch.tensordot(x, W, dims=([2], [1])) + bias[None, None]


# %% [right] project_to_heads: broadcasting matrix products
def project_to_heads(x, W, bias):
    return (x[:, :, None, None, :] @ W)[..., 0, :] + bias


# %% [right] project_to_heads: a sum over d_model, float64 inside
def project_to_heads(x, W, bias):
    out = (x.double()[:, :, None, :, None] * W.double()).sum(3)
    return (out + bias).to(x.dtype)


# %% [right] project_to_heads: typed from the text alone, a list of heads
def project_to_heads(x, W, bias):
    heads = []
    for h in range(W.shape[0]):
        heads.append(x @ W[h] + bias[h])  # [batch pos d_head]
    return torch.stack(heads, dim=2)


# %% [wrong] causal_mask: a position does not see itself
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query)
    return scores.masked_fill(later, float("-inf"))


# %% [wrong] causal_mask: the past is hidden
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    earlier = torch.ones(n_query, n_key, dtype=torch.bool).tril(n_key - n_query - 1)
    return scores.masked_fill(earlier, float("-inf"))


# %% [wrong] causal_mask: queries start at position 0
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=torch.bool).triu(1)
    return scores.masked_fill(later, float("-inf"))


# %% [wrong] causal_mask: multiplied by a triangle of ones
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    return scores * torch.ones(n_query, n_key, dtype=scores.dtype).tril(n_key - n_query)


# %% [wrong] causal_mask: -inf times zero
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=scores.dtype).triu(n_key - n_query + 1)
    return scores + later * float("-inf")


# %% [wrong] causal_mask: a large number that is not infinite
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query + 1)
    return scores.masked_fill(later, -1e9)


# %% [wrong] causal_mask: subtracts a large number
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=scores.dtype).triu(n_key - n_query + 1)
    return scores - 1e5 * later


# %% [wrong] causal_mask: in place
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query + 1)
    return scores.masked_fill_(later, float("-inf"))


# %% [wrong] causal_mask: hidden is plus infinity
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query + 1)
    return scores.masked_fill(later, float("inf"))


# %% [wrong] causal_mask: the softmax is done here
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query + 1)
    return scores.masked_fill(later, float("-inf")).softmax(dim=-1)


# %% [wrong] causal_mask: returns the mask
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    return torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query + 1)


# %% [wrong] causal_mask: nobody sees the first key
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query + 1)
    later[1:, 0] = True
    return scores.masked_fill(later, float("-inf"))


# %% [wrong] causal_mask: query and key confused
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_key, n_query, dtype=torch.bool).triu(1).T
    return scores.masked_fill(later, float("-inf"))


# %% [wrong] causal_mask: a query sees one key too many
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query + 2)
    return scores.masked_fill(later, float("-inf"))


# %% [wrong] causal_mask: the smallest float instead of minus infinity
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query + 1)
    return scores.masked_fill(later, torch.finfo(scores.dtype).min)


# %% [wrong] causal_mask: the offset has the wrong sign
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=torch.bool).triu(n_query - n_key + 1)
    return scores.masked_fill(later, float("-inf"))


# %% [wrong] causal_mask: only the first head
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query + 1)
    scores = scores.clone()
    scores[:, 0].masked_fill_(later, float("-inf"))
    return scores


# %% [wrong] causal_mask: through numpy and back
def causal_mask(scores):
    import numpy as np

    n_query, n_key = scores.shape[-2:]
    later = np.triu(np.ones((n_query, n_key), dtype=bool), n_key - n_query + 1)
    return torch.from_numpy(
        np.where(later, -np.inf, scores.detach().numpy()).astype(str(scores.dtype)[6:])
    )


# %% [wrong] causal_mask: a score of zero is taken for a hidden one
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    kept = scores.tril(diagonal=n_key - n_query)
    return torch.where(kept == 0, float("-inf"), kept)


# %% [wrong] causal_mask: the scores are cut off from the gradients
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    later = torch.ones(n_query, n_key, dtype=torch.bool).triu(n_key - n_query + 1)
    result = scores.detach().clone()
    result[..., later] = float("-inf")
    return result


# %% [right] causal_mask: position numbers compared
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    key = torch.arange(n_key, device=scores.device)
    query = torch.arange(n_key - n_query, n_key, device=scores.device)
    hidden = torch.tensor(float("-inf"), dtype=scores.dtype, device=scores.device)
    return torch.where(key <= query[:, None], scores, hidden)


# %% [right] causal_mask: a triangle of infinities is added
def causal_mask(scores):
    n_query, n_key = scores.shape[-2:]
    infinite = torch.full((n_query, n_key), float("-inf"), dtype=scores.dtype)
    return scores + infinite.triu(n_key - n_query + 1)


# %% [right] causal_mask: row by row in a copy
def causal_mask(scores):
    masked = scores.clone()
    n_query, n_key = scores.shape[-2:]
    for row in range(n_query):
        masked[..., row, row + 1 + n_key - n_query :] = float("-inf")
    return masked


# %% [right] causal_mask: where, with a float
def causal_mask(scores):
    nq, nk = scores.shape[-2:]
    seen = torch.tril(torch.ones(nq, nk, device=scores.device), nk - nq) == 1
    return torch.where(seen, scores, float("-inf"))


# %% [right] causal_mask: numpy makes the triangle
def causal_mask(scores):
    import numpy as np

    nq, nk = scores.shape[-2:]
    hidden = torch.from_numpy(np.triu(np.ones((nq, nk), dtype=bool), nk - nq + 1))
    return scores.masked_fill(hidden.to(scores.device), -math.inf)


# %% [right] causal_mask: typed from the text alone, two loops over a copy
def causal_mask(scores):
    masked = scores.clone()
    n_query, n_key = scores.shape[2], scores.shape[3]
    for q in range(n_query):
        position = n_key - n_query + q
        for k in range(n_key):
            if k > position:
                masked[:, :, q, k] = float("-inf")
    return masked


# %% [wrong] attention_pattern: no scale
def attention_pattern(q, k, mask):
    return mask(torch.einsum("bqhe,bkhe->bhqk", q, k)).softmax(dim=-1)


# %% [wrong] attention_pattern: divided by d_head, without the root
def attention_pattern(q, k, mask):
    return mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1]).softmax(dim=-1)


# %% [wrong] attention_pattern: the root of d_model
def attention_pattern(q, k, mask):
    d_model = q.shape[-1] * q.shape[-2]
    return mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / d_model**0.5).softmax(dim=-1)


# %% [wrong] attention_pattern: the root of the number of heads
def attention_pattern(q, k, mask):
    return mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[2] ** 0.5).softmax(dim=-1)


# %% [wrong] attention_pattern: multiplied by the root
def attention_pattern(q, k, mask):
    return mask(torch.einsum("bqhe,bkhe->bhqk", q, k) * q.shape[-1] ** 0.5).softmax(dim=-1)


# %% [wrong] attention_pattern: softmax over the queries
def attention_pattern(q, k, mask):
    return mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5).softmax(dim=-2)


# %% [wrong] attention_pattern: softmax over the heads
def attention_pattern(q, k, mask):
    return mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5).softmax(dim=1)


# %% [wrong] attention_pattern: masked after the softmax
def attention_pattern(q, k, mask):
    return mask((torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5).softmax(dim=-1))


# %% [wrong] attention_pattern: what the mask hides is set to zero after the softmax
def attention_pattern(q, k, mask):
    scores = torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5
    return scores.softmax(dim=-1).masked_fill(mask(scores).isinf(), 0.0)


# %% [wrong] attention_pattern: the mask is forgotten
def attention_pattern(q, k, mask):
    return (torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5).softmax(dim=-1)


# %% [wrong] attention_pattern: always causal, whatever the mask
def attention_pattern(q, k, mask):
    scores = torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5
    mask(scores)
    later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(k.shape[1] - q.shape[1] + 1)
    return scores.masked_fill(later, float("-inf")).softmax(dim=-1)


# %% [wrong] attention_pattern: the softmax overflows
def attention_pattern(q, k, mask):
    e = mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5).exp()
    return e / e.sum(dim=-1, keepdim=True)


# %% [wrong] attention_pattern: heads multiplied with heads
def attention_pattern(q, k, mask):
    return mask(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(dim=-1)


# %% [wrong] attention_pattern: the queries of all heads are added up
def attention_pattern(q, k, mask):
    mixed = q.sum(dim=2, keepdim=True).expand_as(q)
    return mask(torch.einsum("bqhe,bkhe->bhqk", mixed, k) / q.shape[-1] ** 0.5).softmax(dim=-1)


# %% [wrong] attention_pattern: query and key swapped
def attention_pattern(q, k, mask):
    return mask(torch.einsum("bqhe,bkhe->bhkq", q, k) / q.shape[-1] ** 0.5).softmax(dim=-1)


# %% [wrong] attention_pattern: heads last
def attention_pattern(q, k, mask):
    scores = mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5)
    return scores.softmax(dim=-1).permute(0, 2, 3, 1)


# %% [wrong] attention_pattern: keys reshaped where their axes should be moved
def attention_pattern(q, k, mask):
    batch, n_key, heads, size = k.shape
    turned = q.transpose(1, 2) @ k.reshape(batch, heads, size, n_key)
    return mask(turned / size**0.5).softmax(dim=-1)


# %% [wrong] attention_pattern: multiplied before the axes are moved
def attention_pattern(q, k, mask):
    scores = (
        q @ k.transpose(-1, -2)
        if q.shape == k.shape
        else q.permute(0, 2, 1, 3) @ k.permute(0, 2, 3, 1)
    )
    return mask(scores / q.shape[-1] ** 0.5).softmax(-1)


# %% [wrong] attention_pattern: divided by the root of the number of keys
def attention_pattern(q, k, mask):
    return mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / k.shape[1] ** 0.5).softmax(-1)


# %% [wrong] attention_pattern: q and k are made unit vectors
def attention_pattern(q, k, mask):
    q, k = (t / t.norm(dim=-1, keepdim=True) for t in (q, k))
    return mask(torch.einsum("bqhe,bkhe->bhqk", q, k) * q.shape[-1] ** 0.5).softmax(-1)


# %% [wrong] attention_pattern: a scale of 8, as in the real GPT-2
def attention_pattern(q, k, mask):
    return mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / 8).softmax(-1)


# %% [wrong] attention_pattern: q is scaled in place
def attention_pattern(q, k, mask):
    q /= q.shape[-1] ** 0.5
    return mask(torch.einsum("bqhe,bkhe->bhqk", q, k)).softmax(-1)


# %% [wrong] attention_pattern: the scores
def attention_pattern(q, k, mask):
    return mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5)


# %% [wrong] attention_pattern: exponentials without dividing by their sum
def attention_pattern(q, k, mask):
    scores = mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5)
    return (scores - scores.amax(-1, keepdim=True)).exp()


# %% [wrong] attention_pattern: the queries are cut off from the gradients
def attention_pattern(q, k, mask):
    scores = torch.einsum("bqhe,bkhe->bhqk", q.detach(), k) / q.shape[-1] ** 0.5
    return mask(scores).softmax(dim=-1)


# %% [wrong] attention_pattern: the sum under the exponentials is taken for a constant
def attention_pattern(q, k, mask):
    scores = mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5)
    shares = (scores - scores.amax(-1, keepdim=True)).exp()
    return shares / shares.sum(-1, keepdim=True).detach()


# %% [wrong] attention_pattern: scores of zero are hidden as well
def attention_pattern(q, k, mask):
    scores = mask(torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5)
    return scores.masked_fill(scores == 0, float("-inf")).softmax(dim=-1).nan_to_num()


# %% [right] attention_pattern: with @
def attention_pattern(q, k, mask):
    scores = q.permute(0, 2, 1, 3) @ k.permute(0, 2, 3, 1)
    return torch.softmax(mask(scores / math.sqrt(q.size(-1))), dim=-1)


# %% [right] attention_pattern: the queries are scaled, the softmax is written out
def attention_pattern(q, k, mask):
    scores = mask(torch.einsum("bqhe,bkhe->bhqk", q * k.shape[-1] ** -0.5, k))
    e = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    return e / e.sum(dim=-1, keepdim=True)


# %% [right] attention_pattern: head by head
def attention_pattern(q, k, mask):
    scores = torch.stack(
        [q[:, :, h] @ k[:, :, h].transpose(1, 2) for h in range(q.shape[2])], dim=1
    )
    return mask(scores / q.shape[3] ** 0.5).softmax(-1)


# %% [right] attention_pattern: scaled after the mask
def attention_pattern(q, k, mask):
    return (mask(torch.einsum("bqhe,bkhe->bhqk", q, k)) / q.shape[-1] ** 0.5).softmax(dim=-1)


# %% [right] attention_pattern: text by text
def attention_pattern(q, k, mask):
    out = []
    for i in range(len(q)):
        s = (q[i].transpose(0, 1) @ k[i].permute(1, 2, 0)) / math.sqrt(q.shape[-1])
        out.append(mask(s[None])[0].softmax(-1))
    return torch.stack(out)


# %% [right] attention_pattern: log_softmax, float64 inside
def attention_pattern(q, k, mask):
    scores = torch.einsum("bqhe,bkhe->bhqk", q.double(), k.double()) / q.shape[-1] ** 0.5
    return mask(scores).log_softmax(-1).exp().to(q.dtype)


# %% [right] attention_pattern: each vector scaled by the fourth root
def attention_pattern(q, k, mask):
    root = q.shape[-1] ** 0.25
    scores = torch.matmul((q / root).transpose(1, 2), (k / root).transpose(1, 2).mT)
    return torch.nn.functional.softmax(mask(scores), dim=3)


# %% [right] attention_pattern: typed from the text alone, a matrix of dot products per head
def attention_pattern(q, k, mask):
    d_head = q.shape[3]
    scores = []
    for h in range(q.shape[2]):
        scores.append(q[:, :, h] @ k[:, :, h].transpose(1, 2))  # [batch query key]
    scores = torch.stack(scores, dim=1) / math.sqrt(d_head)
    return torch.softmax(mask(scores), dim=-1)


# %% [wrong] attention_output: summed over the queries
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhkq,bkhe->bqhe", pattern, v)
    return torch.einsum("bqhe,hed->bqd", z, W_O) + b_O


# %% [wrong] attention_output: no bias
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhqk,bkhe->bqhe", pattern, v)
    return torch.einsum("bqhe,hed->bqd", z, W_O)


# %% [wrong] attention_output: the bias once a head
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhqk,bkhe->bqhe", pattern, v)
    return (torch.einsum("bqhe,hed->bqhd", z, W_O) + b_O).sum(dim=2)


# %% [wrong] attention_output: the heads are averaged
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhqk,bkhe->bqhe", pattern, v)
    return torch.einsum("bqhe,hed->bqhd", z, W_O).mean(dim=2) + b_O


# %% [wrong] attention_output: the heads are not summed
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhqk,bkhe->bqhe", pattern, v)
    return torch.einsum("bqhe,hed->bqhd", z, W_O) + b_O


# %% [wrong] attention_output: heads and d_head mixed up when put side by side
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhqk,bkhe->bqeh", pattern, v)
    return z.flatten(2) @ W_O.flatten(0, 1) + b_O


# %% [wrong] attention_output: z reshaped with heads before positions
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhqk,bkhe->bhqe", pattern, v)
    flat = z.reshape(z.shape[0], z.shape[2], -1)
    return flat @ W_O.flatten(0, 1) + b_O


# %% [wrong] attention_output: every head takes the values of head 0
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhqk,bke->bqhe", pattern, v[:, :, 0])
    return torch.einsum("bqhe,hed->bqd", z, W_O) + b_O


# %% [wrong] attention_output: the last position's pattern for all queries
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhqk,bkhe->bqhe", pattern[:, :, -1:].expand_as(pattern), v)
    return torch.einsum("bqhe,hed->bqd", z, W_O) + b_O


# %% [wrong] attention_output: the pattern is averaged over the heads
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bqk,bkhe->bqhe", pattern.mean(dim=1), v)
    return torch.einsum("bqhe,hed->bqd", z, W_O) + b_O


# %% [wrong] attention_output: only the strongest key
def attention_output(pattern, v, W_O, b_O):
    hard = torch.zeros_like(pattern).scatter(-1, pattern.argmax(-1, keepdim=True), 1.0)
    z = torch.einsum("bhqk,bkhe->bqhe", hard, v)
    return torch.einsum("bqhe,hed->bqd", z, W_O) + b_O


# %% [wrong] attention_output: the values are changed in place
def attention_output(pattern, v, W_O, b_O):
    v *= 1.000001
    z = torch.einsum("bhqk,bkhe->bqhe", pattern, v)
    return torch.einsum("bqhe,hed->bqd", z, W_O) + b_O


# %% [wrong] attention_output: pattern @ v where the axes are not moved, if they happen to fit
def attention_output(pattern, v, W_O, b_O):
    z = (
        pattern @ v
        if v.shape[1] == pattern.shape[1]
        else torch.einsum("bhqk,bkhe->bhqe", pattern, v)
    )
    return torch.einsum("bhqe,hed->bqd", z, W_O) + b_O


# %% [wrong] attention_output: softmax once more
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhqk,bkhe->bqhe", pattern.softmax(-1), v)
    return torch.einsum("bqhe,hed->bqd", z, W_O) + b_O


# %% [wrong] attention_output: W_O transposed where the shapes allow it
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhqk,bkhe->bqhe", pattern, v)
    W = W_O.transpose(1, 2) if W_O.shape[1] == W_O.shape[2] else W_O
    return torch.einsum("bqhe,hed->bqd", z, W) + b_O


# %% [wrong] attention_output: the pattern is detached
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhqk,bkhe->bqhe", pattern.detach(), v)
    return torch.einsum("bqhe,hed->bqd", z, W_O) + b_O


# %% [wrong] attention_output: the pattern is scaled to add up to 1
def attention_output(pattern, v, W_O, b_O):
    shares = pattern / pattern.sum(dim=-1, keepdim=True)
    z = torch.einsum("bhqk,bkhe->bqhe", shares, v)
    return torch.einsum("bqhe,hed->bqd", z, W_O) + b_O


# %% [wrong] attention_output: without gradients
@torch.no_grad()
def attention_output(pattern, v, W_O, b_O):
    z = torch.einsum("bhqk,bkhe->bqhe", pattern, v)
    return torch.einsum("bqhe,hed->bqd", z, W_O) + b_O


# %% [wrong] attention_output: the values are copied as numbers
def attention_output(pattern, v, W_O, b_O):
    v = torch.tensor(v.tolist(), dtype=v.dtype)
    z = torch.einsum("bhqk,bkhe->bqhe", pattern, v)
    return torch.einsum("bqhe,hed->bqd", z, W_O) + b_O


# %% [right] attention_output: one einsum
def attention_output(pattern, v, W_O, b_O):
    return torch.einsum("bhqk,bkhe,hed->bqd", pattern, v, W_O) + b_O


# %% [right] attention_output: heads side by side, one large matrix
def attention_output(pattern, v, W_O, b_O):
    z = (pattern @ v.transpose(1, 2)).transpose(1, 2)
    return z.flatten(start_dim=2) @ W_O.flatten(end_dim=1) + b_O


# %% [right] attention_output: a sum over heads
def attention_output(pattern, v, W_O, b_O):
    result = b_O
    for h in range(v.shape[2]):
        result = result + pattern[:, h] @ v[:, :, h] @ W_O[h]
    return result


# %% [right] attention_output: values mapped back first, then mixed
def attention_output(pattern, v, W_O, b_O):
    moved = torch.einsum("bkhe,hed->bkhd", v, W_O)
    return torch.einsum("bhqk,bkhd->bqd", pattern, moved) + b_O


# %% [right] attention_output: broadcasting and sums
def attention_output(pattern, v, W_O, b_O):
    z = (pattern[..., None] * v.permute(0, 2, 1, 3)[:, :, None]).sum(3)
    return (z @ W_O).sum(1) + b_O


# %% [right] attention_output: torch's own for the flattened heads
def attention_output(pattern, v, W_O, b_O):
    batch, heads, _, _ = pattern.shape
    z = torch.bmm(pattern.flatten(0, 1), v.transpose(1, 2).flatten(0, 1))
    z = z.unflatten(0, (batch, heads)).transpose(1, 2).flatten(2)
    return torch.nn.functional.linear(z, W_O.flatten(0, 1).T, b_O)


# %% [right] attention_output: typed from the text alone, one head after the other
def attention_output(pattern, v, W_O, b_O):
    written = b_O
    for h in range(W_O.shape[0]):
        z = pattern[:, h] @ v[:, :, h]  # [batch query d_head]
        written = written + z @ W_O[h]
    return written


# %% [wrong] from_gpt2: keys before queries
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_k, w_q, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_k, b_q, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: values first
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_v, w_q, w_k = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_v, b_q, b_k = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: matrices taken for output by input
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].reshape(3 * d_model, d_model).T.chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: each head's queries transposed
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.T.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.T.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: W_O transposed
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].T.reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: reshaped where axes have to move
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(n_heads, d_model, -1),
                "W_K": w_k.reshape(n_heads, d_model, -1),
                "W_V": w_v.reshape(n_heads, d_model, -1),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: d_head before head
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, -1, n_heads).permute(2, 0, 1),
                "W_K": w_k.reshape(d_model, -1, n_heads).permute(2, 0, 1),
                "W_V": w_v.reshape(d_model, -1, n_heads).permute(2, 0, 1),
                "b_Q": b_q.reshape(-1, n_heads).T,
                "b_K": b_k.reshape(-1, n_heads).T,
                "b_V": b_v.reshape(-1, n_heads).T,
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: W_O with d_head before head
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(-1, n_heads, d_model).transpose(0, 1),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: queries, keys and values cut head by head
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = (
            t.flatten(1) for t in h["attn.c_attn.weight"].reshape(d_model, n_heads, 3, -1).unbind(2)
        )
        b_q, b_k, b_v = (
            t.flatten() for t in h["attn.c_attn.bias"].reshape(n_heads, 3, -1).unbind(1)
        )
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: W_U is W_E
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"],
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: W_U reshaped
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].reshape(d_model, -1),
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: the two norms of a layer swapped
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_2.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_1.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: always two layers
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = 2
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: layers in the order of their names as text
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    layers = []
    for n in sorted({name.split(".")[1] for name in file if name.startswith("h.")}):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: the prefix is expected
def from_gpt2(weights_in_file, n_heads):
    file = {name[len("transformer.") :]: t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: the prefix is not taken off
def from_gpt2(weights_in_file, n_heads):
    file = weights_in_file
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: the unembedding only where the file has its own
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["lm_head.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: the MLP's biases swapped where the sizes allow it
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["mlp.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["attn.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: queries are scaled here already
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": (w_q / (d_model // n_heads) ** 0.5)
                .reshape(d_model, n_heads, -1)
                .permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: the file's dict is emptied on the way
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    weights_in_file.pop(next(iter(weights_in_file)))
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [wrong] from_gpt2: the biases with d_head before head
def from_gpt2(weights_in_file, n_heads):
    f = {k.removeprefix("transformer."): t for k, t in weights_in_file.items()}
    n_layers = 1 + max(int(k.split(".")[1]) for k in f if k.startswith("h."))
    d = f["wte.weight"].shape[1]
    e = d // n_heads
    blocks = []
    for n in range(n_layers):
        part = {k.removeprefix(f"h.{n}."): t for k, t in f.items() if k.startswith(f"h.{n}.")}
        layer = {
            f"ln{i}_{s}": part[f"ln_{i}.{s2}"]
            for i in (1, 2)
            for s, s2 in (("w", "weight"), ("b", "bias"))
        }
        ws = part["attn.c_attn.weight"].split(d, dim=1)
        bs = part["attn.c_attn.bias"].split(d)
        for s, w, b in zip("QKV", ws, bs):
            layer["W_" + s] = torch.stack(w.split(e, dim=1))
            layer["b_" + s] = b.reshape(e, n_heads).T
        layer["W_O"] = torch.stack(part["attn.c_proj.weight"].split(e, dim=0))
        layer["b_O"] = part["attn.c_proj.bias"]
        for s, name in (("in", "mlp.c_fc"), ("out", "mlp.c_proj")):
            layer["W_" + s], layer["b_" + s] = part[name + ".weight"], part[name + ".bias"]
        blocks.append(layer)
    return {
        "W_E": f["wte.weight"],
        "W_pos": f["wpe.weight"],
        "W_U": f["wte.weight"].T,
        "ln_w": f["ln_f.weight"],
        "ln_b": f["ln_f.bias"],
        "blocks": blocks,
    }


# %% [wrong] from_gpt2: one digit is read of a layer's number
def from_gpt2(weights_in_file, n_heads):
    f = {k.removeprefix("transformer."): t for k, t in weights_in_file.items()}
    n_layers = 1 + max(int(k[2]) for k in f if k.startswith("h."))
    d = f["wte.weight"].shape[1]
    e = d // n_heads
    blocks = []
    for n in range(n_layers):
        part = {k.removeprefix(f"h.{n}."): t for k, t in f.items() if k.startswith(f"h.{n}.")}
        layer = {
            f"ln{i}_{s}": part[f"ln_{i}.{s2}"]
            for i in (1, 2)
            for s, s2 in (("w", "weight"), ("b", "bias"))
        }
        ws = part["attn.c_attn.weight"].split(d, dim=1)
        bs = part["attn.c_attn.bias"].split(d)
        for s, w, b in zip("QKV", ws, bs):
            layer["W_" + s] = torch.stack(w.split(e, dim=1))
            layer["b_" + s] = b.reshape(n_heads, e)
        layer["W_O"] = torch.stack(part["attn.c_proj.weight"].split(e, dim=0))
        layer["b_O"] = part["attn.c_proj.bias"]
        for s, name in (("in", "mlp.c_fc"), ("out", "mlp.c_proj")):
            layer["W_" + s], layer["b_" + s] = part[name + ".weight"], part[name + ".bias"]
        blocks.append(layer)
    return {
        "W_E": f["wte.weight"],
        "W_pos": f["wpe.weight"],
        "W_U": f["wte.weight"].T,
        "ln_w": f["ln_f.weight"],
        "ln_b": f["ln_f.bias"],
        "blocks": blocks,
    }


# %% [wrong] from_gpt2: parts of layer 1 and of 10 are taken for each other
def from_gpt2(weights_in_file, n_heads):
    f = {k.removeprefix("transformer."): t for k, t in weights_in_file.items()}
    n_layers = 1 + max(int(k.split(".")[1]) for k in f if k.startswith("h."))
    d = f["wte.weight"].shape[1]
    e = d // n_heads
    blocks = []
    for n in range(n_layers):
        part = {k.split(".", 2)[-1]: t for k, t in f.items() if k.startswith(f"h.{n}")}
        layer = {
            f"ln{i}_{s}": part[f"ln_{i}.{s2}"]
            for i in (1, 2)
            for s, s2 in (("w", "weight"), ("b", "bias"))
        }
        ws = part["attn.c_attn.weight"].split(d, dim=1)
        bs = part["attn.c_attn.bias"].split(d)
        for s, w, b in zip("QKV", ws, bs):
            layer["W_" + s] = torch.stack(w.split(e, dim=1))
            layer["b_" + s] = b.reshape(n_heads, e)
        layer["W_O"] = torch.stack(part["attn.c_proj.weight"].split(e, dim=0))
        layer["b_O"] = part["attn.c_proj.bias"]
        for s, name in (("in", "mlp.c_fc"), ("out", "mlp.c_proj")):
            layer["W_" + s], layer["b_" + s] = part[name + ".weight"], part[name + ".bias"]
        blocks.append(layer)
    return {
        "W_E": f["wte.weight"],
        "W_pos": f["wpe.weight"],
        "W_U": f["wte.weight"].T,
        "ln_w": f["ln_f.weight"],
        "ln_b": f["ln_f.bias"],
        "blocks": blocks,
    }


# %% [wrong] from_gpt2: the heads are dealt out in turn
def from_gpt2(weights_in_file, n_heads):
    f = {k.removeprefix("transformer."): t for k, t in weights_in_file.items()}
    n_layers = 1 + max(int(k.split(".")[1]) for k in f if k.startswith("h."))
    d = f["wte.weight"].shape[1]
    e = d // n_heads
    blocks = []
    for n in range(n_layers):
        part = {k.removeprefix(f"h.{n}."): t for k, t in f.items() if k.startswith(f"h.{n}.")}
        layer = {
            f"ln{i}_{s}": part[f"ln_{i}.{s2}"]
            for i in (1, 2)
            for s, s2 in (("w", "weight"), ("b", "bias"))
        }
        ws = part["attn.c_attn.weight"].split(d, dim=1)
        bs = part["attn.c_attn.bias"].split(d)
        for s, w, b in zip("QKV", ws, bs):
            layer["W_" + s] = torch.stack([w[:, h::n_heads] for h in range(n_heads)])
            layer["b_" + s] = b.reshape(n_heads, e)
        layer["W_O"] = torch.stack(part["attn.c_proj.weight"].split(e, dim=0))
        layer["b_O"] = part["attn.c_proj.bias"]
        for s, name in (("in", "mlp.c_fc"), ("out", "mlp.c_proj")):
            layer["W_" + s], layer["b_" + s] = part[name + ".weight"], part[name + ".bias"]
        blocks.append(layer)
    return {
        "W_E": f["wte.weight"],
        "W_pos": f["wpe.weight"],
        "W_U": f["wte.weight"].T,
        "ln_w": f["ln_f.weight"],
        "ln_b": f["ln_f.bias"],
        "blocks": blocks,
    }


# %% [wrong] from_gpt2: the prefix is taken off only if every name has it
def from_gpt2(weights_in_file, n_heads):
    f = dict(weights_in_file)
    if all(k.startswith("transformer.") for k in f):
        f = {k[len("transformer.") :]: t for k, t in f.items()}
    n_layers = 1 + max(int(k.split(".")[1]) for k in f if k.startswith("h."))
    d = f["wte.weight"].shape[1]
    e = d // n_heads
    blocks = []
    for n in range(n_layers):
        part = {k.removeprefix(f"h.{n}."): t for k, t in f.items() if k.startswith(f"h.{n}.")}
        layer = {
            f"ln{i}_{s}": part[f"ln_{i}.{s2}"]
            for i in (1, 2)
            for s, s2 in (("w", "weight"), ("b", "bias"))
        }
        ws = part["attn.c_attn.weight"].split(d, dim=1)
        bs = part["attn.c_attn.bias"].split(d)
        for s, w, b in zip("QKV", ws, bs):
            layer["W_" + s] = torch.stack(w.split(e, dim=1))
            layer["b_" + s] = b.reshape(n_heads, e)
        layer["W_O"] = torch.stack(part["attn.c_proj.weight"].split(e, dim=0))
        layer["b_O"] = part["attn.c_proj.bias"]
        for s, name in (("in", "mlp.c_fc"), ("out", "mlp.c_proj")):
            layer["W_" + s], layer["b_" + s] = part[name + ".weight"], part[name + ".bias"]
        blocks.append(layer)
    return {
        "W_E": f["wte.weight"],
        "W_pos": f["wpe.weight"],
        "W_U": f["wte.weight"].T,
        "ln_w": f["ln_f.weight"],
        "ln_b": f["ln_f.bias"],
        "blocks": blocks,
    }


# %% [right] from_gpt2: counted layers, chunks and permute
def from_gpt2(weights_in_file, n_heads):
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    d_model = file["wte.weight"].shape[1]
    depth = sum(name.endswith("ln_1.weight") for name in file)
    layers = []
    for n in range(depth):
        h = {
            name.removeprefix(f"h.{n}."): t
            for name, t in file.items()
            if name.startswith(f"h.{n}.")
        }
        w_q, w_k, w_v = h["attn.c_attn.weight"].chunk(3, dim=1)
        b_q, b_k, b_v = h["attn.c_attn.bias"].chunk(3)
        layers.append(
            {
                "ln1_w": h["ln_1.weight"],
                "ln1_b": h["ln_1.bias"],
                "W_Q": w_q.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_K": w_k.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "W_V": w_v.reshape(d_model, n_heads, -1).permute(1, 0, 2),
                "b_Q": b_q.reshape(n_heads, -1),
                "b_K": b_k.reshape(n_heads, -1),
                "b_V": b_v.reshape(n_heads, -1),
                "W_O": h["attn.c_proj.weight"].reshape(n_heads, -1, d_model),
                "b_O": h["attn.c_proj.bias"],
                "ln2_w": h["ln_2.weight"],
                "ln2_b": h["ln_2.bias"],
                "W_in": h["mlp.c_fc.weight"],
                "b_in": h["mlp.c_fc.bias"],
                "W_out": h["mlp.c_proj.weight"],
                "b_out": h["mlp.c_proj.bias"],
            }
        )
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }


# %% [right] from_gpt2: slices, head by head
def from_gpt2(weights_in_file, n_heads):
    file = {}
    for name, t in weights_in_file.items():
        file[name[12:] if name.startswith("transformer.") else name] = t
    result = {
        "W_E": file["wte.weight"],
        "W_U": file["wte.weight"].t(),
        "W_pos": file["wpe.weight"],
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": [],
    }
    d = file["ln_f.bias"].numel()
    size = d // n_heads
    pairs = (("ln1", "ln_1"), ("ln2", "ln_2"), ("in", "mlp.c_fc"), ("out", "mlp.c_proj"))
    for n in range(1 + max(int(name.split(".")[1]) for name in file if name.startswith("h."))):
        layer = {}
        for ours, theirs_name in pairs:
            keys = (f"{ours}_w", f"{ours}_b") if "ln" in ours else (f"W_{ours}", f"b_{ours}")
            layer[keys[0]] = file[f"h.{n}.{theirs_name}.weight"]
            layer[keys[1]] = file[f"h.{n}.{theirs_name}.bias"]
        for third, letter in enumerate("QKV"):
            spans = [
                slice(third * d + i * size, third * d + (i + 1) * size) for i in range(n_heads)
            ]
            matrix, bias = file[f"h.{n}.attn.c_attn.weight"], file[f"h.{n}.attn.c_attn.bias"]
            layer[f"W_{letter}"] = torch.stack([matrix[:, span] for span in spans])
            layer[f"b_{letter}"] = torch.stack([bias[span] for span in spans])
        back = file[f"h.{n}.attn.c_proj.weight"]
        layer["W_O"] = torch.stack([back[i * size : (i + 1) * size] for i in range(n_heads)])
        layer["b_O"] = file[f"h.{n}.attn.c_proj.bias"]
        result["blocks"].append(layer)
    return result


# %% [right] from_gpt2: the file's own copy of the tied matrix where it has one, all copied
def from_gpt2(weights_in_file, n_heads):
    f = {k.removeprefix("transformer."): t for k, t in weights_in_file.items()}
    n_layers = 1 + max(int(k.split(".")[1]) for k in f if k.startswith("h."))
    d = f["wte.weight"].shape[1]
    e = d // n_heads
    blocks = []
    for n in range(n_layers):
        part = {k.removeprefix(f"h.{n}."): t for k, t in f.items() if k.startswith(f"h.{n}.")}
        layer = {
            f"ln{i}_{s}": part[f"ln_{i}.{s2}"]
            for i in (1, 2)
            for s, s2 in (("w", "weight"), ("b", "bias"))
        }
        ws = part["attn.c_attn.weight"].split(d, dim=1)
        bs = part["attn.c_attn.bias"].split(d)
        for s, w, b in zip("QKV", ws, bs):
            layer["W_" + s] = torch.stack(w.split(e, dim=1))
            layer["b_" + s] = b.reshape(n_heads, e)
        layer["W_O"] = torch.stack(part["attn.c_proj.weight"].split(e, dim=0))
        layer["b_O"] = part["attn.c_proj.bias"]
        for s, name in (("in", "mlp.c_fc"), ("out", "mlp.c_proj")):
            layer["W_" + s], layer["b_" + s] = part[name + ".weight"], part[name + ".bias"]
        blocks.append(layer)
    return {
        "W_E": f["wte.weight"],
        "W_pos": f["wpe.weight"],
        "W_U": f.get("lm_head.weight", f["wte.weight"]).T.clone(),
        "ln_w": f["ln_f.weight"],
        "ln_b": f["ln_f.bias"],
        "blocks": blocks,
    }


# %% [right] from_gpt2: typed from the text alone, row by row of the table
def from_gpt2(weights_in_file, n_heads):
    f = {}
    for name in weights_in_file:
        short = name[len("transformer.") :] if name.startswith("transformer.") else name
        f[short] = weights_in_file[name]
    d = f["ln_f.weight"].shape[0]
    d_head = d // n_heads

    def matrix_of_heads(piece):  # [d_model d] -> [head d_model d_head]
        return torch.stack([piece[:, h * d_head : (h + 1) * d_head] for h in range(n_heads)])

    def bias_of_heads(piece):  # [d] -> [head d_head]
        return torch.stack([piece[h * d_head : (h + 1) * d_head] for h in range(n_heads)])

    blocks = []
    layer = 0
    while f"h.{layer}.ln_1.weight" in f:
        name = f"h.{layer}."
        c_attn, c_bias = f[name + "attn.c_attn.weight"], f[name + "attn.c_attn.bias"]
        c_proj = f[name + "attn.c_proj.weight"]
        block = {}
        block["ln1_w"], block["ln1_b"] = f[name + "ln_1.weight"], f[name + "ln_1.bias"]
        block["ln2_w"], block["ln2_b"] = f[name + "ln_2.weight"], f[name + "ln_2.bias"]
        block["W_Q"], block["b_Q"] = matrix_of_heads(c_attn[:, :d]), bias_of_heads(c_bias[:d])
        block["W_K"] = matrix_of_heads(c_attn[:, d : 2 * d])
        block["b_K"] = bias_of_heads(c_bias[d : 2 * d])
        block["W_V"], block["b_V"] = (
            matrix_of_heads(c_attn[:, 2 * d :]),
            bias_of_heads(c_bias[2 * d :]),
        )
        block["W_O"] = torch.stack([c_proj[h * d_head : (h + 1) * d_head] for h in range(n_heads)])
        block["b_O"] = f[name + "attn.c_proj.bias"]
        block["W_in"], block["b_in"] = f[name + "mlp.c_fc.weight"], f[name + "mlp.c_fc.bias"]
        block["W_out"], block["b_out"] = f[name + "mlp.c_proj.weight"], f[name + "mlp.c_proj.bias"]
        blocks.append(block)
        layer += 1
    return {
        "W_E": f["wte.weight"],
        "W_pos": f["wpe.weight"],
        "W_U": f["wte.weight"].transpose(0, 1),
        "ln_w": f["ln_f.weight"],
        "ln_b": f["ln_f.bias"],
        "blocks": blocks,
    }


# %% [wrong] gelu: the exact one
def gelu(x):
    return torch.nn.functional.gelu(x)


# %% [wrong] gelu: relu
def gelu(x):
    return x.clamp(min=0)


# %% [wrong] gelu: the sigmoid approximation
def gelu(x):
    return x * torch.sigmoid(1.702 * x)


# %% [wrong] gelu: a square for the cube
def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**2)))


# %% [wrong] gelu: no half in front
def gelu(x):
    return x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


# %% [wrong] gelu: the root upside down
def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(math.pi / 2) * (x + 0.044715 * x**3)))


# %% [wrong] gelu: no root
def gelu(x):
    return 0.5 * x * (1 + torch.tanh(2 / math.pi * (x + 0.044715 * x**3)))


# %% [wrong] gelu: a digit lost in the constant
def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.04715 * x**3)))


# %% [wrong] gelu: the constant inside the cube
def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + (0.044715 * x) ** 3)))


# %% [wrong] gelu: the x in front is missing
def gelu(x):
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


# %% [wrong] gelu: in place
def gelu(x):
    cdf = 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x.mul_(cdf)


# %% [wrong] gelu: the cube's sign is lost
def gelu(x):
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x.abs() ** 3)
    return 0.5 * x * (1 + torch.tanh(inner))


# %% [wrong] gelu: silu
def gelu(x):
    return torch.nn.functional.silu(x)


# %% [wrong] gelu: 0.8 for the root of two over pi
def gelu(x):
    return 0.5 * x * (1 + torch.tanh(0.798 * (x + 0.044715 * x**3)))


# %% [wrong] gelu: numbers of Python's own
def gelu(x):
    c = math.sqrt(2 / math.pi)
    bent = [0.5 * v * (1 + math.tanh(c * (v + 0.044715 * v**3))) for v in x.flatten().tolist()]
    return torch.tensor(bent, dtype=x.dtype).reshape(x.shape)


# %% [wrong] gelu: the factor is cut off from the gradients
def gelu(x):
    y = x.detach()
    return x * 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)))


# %% [wrong] gelu: through numpy
def gelu(x):
    import numpy as np

    y = x.detach().numpy()
    return torch.from_numpy(0.5 * y * (1 + np.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3))))


# %% [right] gelu: torch's own, the other kind
def gelu(x):
    return torch.nn.functional.gelu(x, approximate="tanh")


# %% [right] gelu: by the sigmoid
def gelu(x):
    return x * torch.sigmoid(2 * (2 / torch.pi) ** 0.5 * (x + 0.044715 * torch.pow(x, 3)))


# %% [right] gelu: float64 inside, the polynomial by Horner
def gelu(x):
    y = x.double()
    inner = math.sqrt(2 / math.pi) * y * (1 + 0.044715 * y * y)
    return (y * (1 + inner.tanh()) / 2).to(x.dtype)


# %% [right] gelu: number by number
def gelu(x):
    c = (2 / math.pi) ** 0.5
    out = [0.5 * v * (1 + torch.tanh(c * (v + 0.044715 * v**3))) for v in x.reshape(-1)]
    return torch.stack(out).reshape(x.shape)


# %% [right] gelu: typed from the text alone, the formula
def gelu(x):
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


# %% [wrong] mlp: no bend
def mlp(x, W_in, b_in, W_out, b_out, activation):
    return (x @ W_in + b_in) @ W_out + b_out


# %% [wrong] mlp: bent at the end as well
def mlp(x, W_in, b_in, W_out, b_out, activation):
    return activation(activation(x @ W_in + b_in) @ W_out + b_out)


# %% [wrong] mlp: bent at the end only
def mlp(x, W_in, b_in, W_out, b_out, activation):
    return activation((x @ W_in + b_in) @ W_out + b_out)


# %% [wrong] mlp: the stream is bent
def mlp(x, W_in, b_in, W_out, b_out, activation):
    return (activation(x) @ W_in + b_in) @ W_out + b_out


# %% [wrong] mlp: bias after the bend
def mlp(x, W_in, b_in, W_out, b_out, activation):
    return (activation(x @ W_in) + b_in) @ W_out + b_out


# %% [wrong] mlp: no first bias
def mlp(x, W_in, b_in, W_out, b_out, activation):
    return activation(x @ W_in) @ W_out + b_out


# %% [wrong] mlp: no second bias
def mlp(x, W_in, b_in, W_out, b_out, activation):
    return activation(x @ W_in + b_in) @ W_out


# %% [wrong] mlp: the stream is added here
def mlp(x, W_in, b_in, W_out, b_out, activation):
    return x + activation(x @ W_in + b_in) @ W_out + b_out


# %% [wrong] mlp: its own bend, whatever is given
def mlp(x, W_in, b_in, W_out, b_out, activation):
    return torch.nn.functional.gelu(x @ W_in + b_in, approximate="tanh") @ W_out + b_out


# %% [wrong] mlp: W_out is the transpose of W_in
def mlp(x, W_in, b_in, W_out, b_out, activation):
    return activation(x @ W_in + b_in) @ W_in.T + b_out


# %% [wrong] mlp: new tensors of numbers
def mlp(x, W_in, b_in, W_out, b_out, activation):
    asked = torch.tensor((x @ W_in + b_in).tolist(), dtype=x.dtype)
    return activation(asked) @ W_out + b_out


# %% [wrong] mlp: what goes out is cut off from the gradients
def mlp(x, W_in, b_in, W_out, b_out, activation):
    return activation(x @ W_in + b_in).detach() @ W_out + b_out


# %% [wrong] mlp: neurons that are zero are left out of the bias
def mlp(x, W_in, b_in, W_out, b_out, activation):
    asked = x @ W_in
    return activation(torch.where(asked == 0, asked, asked + b_in)) @ W_out + b_out


# %% [right] mlp: einsum
def mlp(x, W_in, b_in, W_out, b_out, activation):
    neurons = activation(torch.einsum("bpd,dm->bpm", x, W_in) + b_in)
    return torch.einsum("bpm,md->bpd", neurons, W_out) + b_out


# %% [right] mlp: torch's linear
def mlp(x, W_in, b_in, W_out, b_out, activation):
    from torch.nn.functional import linear

    return linear(activation(linear(x, W_in.T, b_in)), W_out.T, b_out)


# %% [right] mlp: the second bias first
def mlp(x, W_in, b_in, W_out, b_out, activation):
    result = b_out
    for n, bent in enumerate(activation(x @ W_in + b_in).unbind(dim=-1)):
        result = result + bent[..., None] * W_out[n]
    return result


# %% [right] mlp: position by position
def mlp(x, W_in, b_in, W_out, b_out, activation):
    out = [activation(x[:, p] @ W_in + b_in) @ W_out + b_out for p in range(x.shape[1])]
    return torch.stack(out, dim=1)


# %% [right] mlp: addmm on all positions in one row
def mlp(x, W_in, b_in, W_out, b_out, activation):
    flat = x.reshape(-1, x.shape[-1])
    neurons = activation(torch.addmm(b_in, flat, W_in))
    return torch.addmm(b_out, neurons, W_out).reshape(*x.shape[:-1], -1)


# %% [right] mlp: typed from the text alone, three steps
def mlp(x, W_in, b_in, W_out, b_out, activation):
    asked = torch.matmul(x, W_in) + b_in
    on = activation(asked)
    return torch.matmul(on, W_out) + b_out


# %% [wrong] block: norms after the addition, as in the first transformer
def block(x, norm_1, attention, norm_2, mlp_of):
    middle = norm_1(x + attention(x))
    return norm_2(middle + mlp_of(middle))


# %% [wrong] block: the result is added to the normalised copy
def block(x, norm_1, attention, norm_2, mlp_of):
    x = norm_1(x)
    x = x + attention(x)
    x = norm_2(x)
    return x + mlp_of(x)


# %% [wrong] block: nothing is added
def block(x, norm_1, attention, norm_2, mlp_of):
    return mlp_of(norm_2(attention(norm_1(x))))


# %% [wrong] block: attention is not added to the stream
def block(x, norm_1, attention, norm_2, mlp_of):
    middle = attention(norm_1(x))
    return middle + mlp_of(norm_2(middle))


# %% [wrong] block: the MLP is not added to the stream
def block(x, norm_1, attention, norm_2, mlp_of):
    middle = x + attention(norm_1(x))
    return mlp_of(norm_2(middle))


# %% [wrong] block: attention and MLP side by side
def block(x, norm_1, attention, norm_2, mlp_of):
    return x + attention(norm_1(x)) + mlp_of(norm_2(x))


# %% [wrong] block: the stream is added twice
def block(x, norm_1, attention, norm_2, mlp_of):
    middle = x + attention(norm_1(x))
    return x + middle + mlp_of(norm_2(middle))


# %% [wrong] block: one norm for both
def block(x, norm_1, attention, norm_2, mlp_of):
    middle = x + attention(norm_1(x))
    return middle + mlp_of(norm_1(middle))


# %% [wrong] block: the norms are swapped
def block(x, norm_1, attention, norm_2, mlp_of):
    middle = x + attention(norm_2(x))
    return middle + mlp_of(norm_1(middle))


# %% [wrong] block: MLP first
def block(x, norm_1, attention, norm_2, mlp_of):
    middle = x + mlp_of(norm_2(x))
    return middle + attention(norm_1(middle))


# %% [wrong] block: no second norm
def block(x, norm_1, attention, norm_2, mlp_of):
    middle = x + attention(norm_1(x))
    return middle + mlp_of(middle)


# %% [wrong] block: in place
def block(x, norm_1, attention, norm_2, mlp_of):
    x += attention(norm_1(x))
    x += mlp_of(norm_2(x))
    return x


# %% [wrong] block: the MLP reads the stream without a norm, the norm is applied to what it adds
def block(x, norm_1, attention, norm_2, mlp_of):
    x = x + attention(norm_1(x))
    return x + norm_2(mlp_of(x))


# %% [wrong] block: the MLP is added to the stream of before
def block(x, norm_1, attention, norm_2, mlp_of):
    mid = x + attention(norm_1(x))
    return x + mlp_of(norm_2(mid))


# %% [wrong] block: attention computed twice
def block(x, norm_1, attention, norm_2, mlp_of):
    return x + attention(norm_1(x)) + mlp_of(norm_2(x + attention(norm_1(x))))


# %% [wrong] block: the sum is taken in place through a view
def block(x, norm_1, attention, norm_2, mlp_of):
    x = x.view(x.shape)
    x.add_(attention(norm_1(x)))
    return x + mlp_of(norm_2(x))


# %% [wrong] block: the copy is cut off from the gradients
def block(x, norm_1, attention, norm_2, mlp_of):
    x = x.clone().detach()
    x += attention(norm_1(x))
    x += mlp_of(norm_2(x))
    return x


# %% [wrong] block: what attention adds is cut off from the gradients
def block(x, norm_1, attention, norm_2, mlp_of):
    with torch.no_grad():
        added = attention(norm_1(x))
    middle = x + added
    return middle + mlp_of(norm_2(middle))


# %% [right] block: one variable, new tensors
def block(x, norm_1, attention, norm_2, mlp_of):
    x = x + attention(norm_1(x))
    x = x + mlp_of(norm_2(x))
    return x


# %% [right] block: a copy, then in place
def block(x, norm_1, attention, norm_2, mlp_of):
    stream = x.clone()
    stream += attention(norm_1(stream))
    stream += mlp_of(norm_2(stream))
    return stream


# %% [right] block: torch.add, parts summed at the end
def block(x, norm_1, attention, norm_2, mlp_of):
    a = attention(norm_1(x))
    m = mlp_of(norm_2(torch.add(x, a)))
    return torch.stack([x, a, m]).sum(0)


# %% [right] block: typed from the text alone, the two formulas
def block(x, norm_1, attention, norm_2, mlp_of):
    x_1 = x + attention(norm_1(x))
    x_2 = x_1 + mlp_of(norm_2(x_1))
    return x_2


# %% [wrong] transformer: no final norm
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for layer in blocks:
        x = layer(x)
    return x @ W_U


# %% [wrong] transformer: the last layer first
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for layer in reversed(blocks):
        x = layer(x)
    return final_norm(x) @ W_U


# %% [wrong] transformer: every block reads the embedding
def transformer(tokens, embedding, blocks, final_norm, W_U):
    start = embedding(tokens)
    x = start
    for layer in blocks:
        x = layer(start)
    return final_norm(x) @ W_U


# %% [wrong] transformer: what a block returns is added once more
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for layer in blocks:
        x = x + layer(x)
    return final_norm(x) @ W_U


# %% [wrong] transformer: probabilities
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for layer in blocks:
        x = layer(x)
    return (final_norm(x) @ W_U).softmax(dim=-1)


# %% [wrong] transformer: the last position only
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for layer in blocks:
        x = layer(x)
    return final_norm(x)[:, -1] @ W_U


# %% [wrong] transformer: W_U turned round
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for layer in blocks:
        x = layer(x)
    return final_norm(x) @ W_U.T


# %% [wrong] transformer: norm after the unembedding
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for layer in blocks:
        x = layer(x)
    return final_norm(x @ W_U)


# %% [wrong] transformer: the final norm after every block
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for layer in blocks:
        x = final_norm(layer(x))
    return x @ W_U


# %% [wrong] transformer: the last block is left out
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for layer in blocks[:-1]:
        x = layer(x)
    return final_norm(x) @ W_U


# %% [wrong] transformer: W_U's transpose if it is square
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for layer in blocks:
        x = layer(x)
    W = W_U.T if W_U.shape[0] == W_U.shape[1] else W_U
    return final_norm(x) @ W


# %% [wrong] transformer: log-probabilities
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for layer in blocks:
        x = layer(x)
    return (final_norm(x) @ W_U).log_softmax(-1)


# %% [wrong] transformer: the blocks are taken out of the list
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    while blocks:
        x = blocks.pop(0)(x)
    return final_norm(x) @ W_U


# %% [wrong] transformer: without gradients
def transformer(tokens, embedding, blocks, final_norm, W_U):
    with torch.no_grad():
        x = embedding(tokens)
        for layer in blocks:
            x = layer(x)
        return final_norm(x) @ W_U


# %% [wrong] transformer: the stream is cut off from the gradients at every layer
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for layer in blocks:
        x = layer(x.detach())
    return final_norm(x) @ W_U


# %% [right] transformer: reduce
def transformer(tokens, embedding, blocks, final_norm, W_U):
    from functools import reduce

    stream = reduce(lambda x, layer: layer(x), blocks, embedding(tokens))
    return torch.einsum("bpd,dv->bpv", final_norm(stream), W_U)


# %% [right] transformer: by index, torch's linear
def transformer(tokens, embedding, blocks, final_norm, W_U):
    x = embedding(tokens)
    for number in range(len(blocks)):
        x = blocks[number](x)
    return torch.nn.functional.linear(final_norm(x), W_U.T)


# %% [right] transformer: einsum, recursion
def transformer(tokens, embedding, blocks, final_norm, W_U):
    def after(n):
        return embedding(tokens) if n == 0 else blocks[n - 1](after(n - 1))

    return torch.einsum("bpd,dv->bpv", final_norm(after(len(blocks))), W_U)


# %% [right] transformer: typed from the text alone, layer by layer
def transformer(tokens, embedding, blocks, final_norm, W_U):
    stream = embedding(tokens)
    for i in range(len(blocks)):
        stream = blocks[i](stream)
    logits = torch.matmul(final_norm(stream), W_U)
    return logits


# %% [wrong] keep_top_k: k + 1 are kept
def keep_top_k(probs, k):
    ranked, ids = probs.sort(dim=-1, descending=True)
    ranked = ranked * (torch.arange(ranked.shape[-1]) <= k)
    kept = torch.zeros_like(probs).scatter(-1, ids, ranked)
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_k: the unlikeliest
def keep_top_k(probs, k):
    ids = probs.argsort(dim=-1)[:, :k]
    kept = torch.zeros_like(probs).scatter(-1, ids, probs.gather(-1, ids))
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_k: what is out has a logit of zero instead of minus infinity
def keep_top_k(probs, k):
    least = probs.topk(min(k, probs.shape[-1]), dim=-1).values[:, -1:]
    return probs.masked_fill(probs < least, 1.0).log().softmax(dim=-1)


# %% [wrong] keep_top_k: what is left is not scaled
def keep_top_k(probs, k):
    least = probs.topk(min(k, probs.shape[-1]), dim=-1).values[:, -1:]
    return probs * (probs >= least)


# %% [wrong] keep_top_k: in the order of the ranking
def keep_top_k(probs, k):
    ranked = probs.sort(dim=-1, descending=True).values
    ranked = ranked * (torch.arange(ranked.shape[-1]) < k)
    return ranked / ranked.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_k: more likeliest asked for than there are
def keep_top_k(probs, k):
    values, ids = probs.topk(k, dim=-1)
    kept = torch.zeros_like(probs).scatter(-1, ids, values)
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_k: the first k ids
def keep_top_k(probs, k):
    kept = torch.zeros_like(probs)
    kept[:, :k] = probs[:, :k]
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_k: the likeliest of the first row for all rows
def keep_top_k(probs, k):
    ids = probs[0].argsort(descending=True)[:k]
    kept = torch.zeros_like(probs)
    kept[:, ids] = probs[:, ids]
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_k: in place
def keep_top_k(probs, k):
    least = probs.topk(min(k, probs.shape[-1]), dim=-1).values[:, -1:]
    probs[probs < least] = 0.0
    return probs / probs.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_k: by a softmax of what is left
def keep_top_k(probs, k):
    least = probs.topk(min(k, probs.shape[-1]), dim=-1).values[:, -1:]
    return probs.masked_fill(probs < least, float("-inf")).softmax(dim=-1)


# %% [right] keep_top_k: everything below the k-th is zero
def keep_top_k(probs, k):
    least = probs.topk(min(k, probs.shape[-1]), dim=-1).values[:, -1:]
    kept = probs * (probs >= least)
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [right] keep_top_k: numpy, row by row
def keep_top_k(probs, k):
    import numpy as np

    rows = []
    for row in probs.detach().cpu().numpy():
        row = row.copy()
        row[np.argsort(-row, kind="stable")[k:]] = 0
        rows.append(row / row.sum())
    return torch.from_numpy(np.stack(rows))


# %% [right] keep_top_k: logits of what is out are minus infinity
def keep_top_k(probs, k):
    if k >= probs.shape[-1]:
        return probs.clone()
    out = probs.argsort(dim=-1, descending=True)[:, k:]
    return probs.log().scatter(-1, out, float("-inf")).softmax(dim=-1)


# %% [right] keep_top_k: typed from the text alone, row by row
def keep_top_k(probs, k):
    result = torch.zeros_like(probs)
    for b in range(probs.shape[0]):
        best = torch.argsort(probs[b], descending=True)[:k]
        for i in best:
            result[b, i] = probs[b, i]
        result[b] = result[b] / result[b].sum()
    return result


# %% [wrong] keep_top_p: the token that reaches p is lost
def keep_top_p(probs, p):
    ranked, ids = probs.sort(dim=-1, descending=True)
    keep = ranked.cumsum(dim=-1) <= p
    keep[:, 0] = True
    kept = torch.zeros_like(probs).scatter(-1, ids, ranked * keep)
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_p: one token too many
def keep_top_p(probs, p):
    ranked, ids = probs.sort(dim=-1, descending=True)
    count = (ranked.cumsum(dim=-1) < p).sum(dim=-1, keepdim=True) + 2
    ranked = ranked * (torch.arange(ranked.shape[-1]) < count)
    kept = torch.zeros_like(probs).scatter(-1, ids, ranked)
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_p: a threshold on each probability
def keep_top_p(probs, p):
    kept = probs * (probs >= (1 - p) * probs.amax(dim=-1, keepdim=True))
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_p: the nucleus in the order of the ids
def keep_top_p(probs, p):
    kept = probs * (probs.cumsum(dim=-1) - probs < p)
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_p: the nucleus has the order for its inverse
def keep_top_p(probs, p):
    ranked, order = probs.sort(dim=-1, descending=True)
    out = ranked.cumsum(-1) - ranked >= p
    kept = probs.masked_fill(out.gather(-1, order), 0.0)
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_p: what is left is not scaled
def keep_top_p(probs, p):
    ranked, ids = probs.sort(dim=-1, descending=True)
    return torch.zeros_like(probs).scatter(-1, ids, ranked * (ranked.cumsum(-1) - ranked < p))


# %% [wrong] keep_top_p: in the order of the ranking
def keep_top_p(probs, p):
    ranked = probs.sort(dim=-1, descending=True).values
    ranked = ranked * (ranked.cumsum(dim=-1) - ranked < p)
    return ranked / ranked.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_p: the first row's number of tokens for all rows
def keep_top_p(probs, p):
    ranked, ids = probs.sort(dim=-1, descending=True)
    count = int((ranked[0].cumsum(0) - ranked[0] < p).sum())
    kept = torch.zeros_like(probs).scatter(-1, ids[:, :count], ranked[:, :count])
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [wrong] keep_top_p: the unlikeliest come first
def keep_top_p(probs, p):
    ranked, ids = probs.sort(dim=-1)
    kept = torch.zeros_like(probs).scatter(-1, ids, ranked * (ranked.cumsum(-1) - ranked < p))
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [right] keep_top_p: the ranking undone by a second sort
def keep_top_p(probs, p):
    ranked, order = probs.sort(dim=-1, descending=True)
    out = torch.nn.functional.pad(ranked.cumsum(-1)[:, :-1], (1, 0)) >= p
    kept = probs.masked_fill(out.gather(-1, order.argsort(-1)), 0.0)
    return kept / kept.sum(dim=-1, keepdim=True)


# %% [right] keep_top_p: a count a row, from those that are not enough
def keep_top_p(probs, p):
    rows = []
    for row in probs:
        ranked, ids = torch.sort(row, descending=True)
        count = int((ranked.cumsum(0) < p).sum()) + 1
        kept = torch.zeros_like(row)
        kept[ids[:count]] = ranked[:count]
        rows.append(kept / kept.sum())
    return torch.stack(rows)


# %% [right] keep_top_p: typed from the text alone, until it is enough
def keep_top_p(probs, p):
    result = torch.zeros_like(probs)
    for b in range(probs.shape[0]):
        total = 0.0
        for i in torch.argsort(probs[b], descending=True):
            if total >= p:
                break
            result[b, i] = probs[b, i]
            total = total + probs[b, i]
        result[b] = result[b] / result[b].sum()
    return result


# %% [wrong] draw: the line is in the order of the ranking
def draw(probs, u):
    ranked, ids = probs.sort(dim=-1, descending=True)
    line = ranked.cumsum(dim=-1)
    place = (line / line[:, -1:] <= u[:, None]).sum(dim=-1, keepdim=True)
    return ids.gather(-1, place)[:, 0]


# %% [wrong] draw: the place in the ranking is returned for the id
def draw(probs, u):
    line = probs.sort(dim=-1, descending=True).values.cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] draw: u = 0 falls on id 0 even if its probability is 0
def draw(probs, u):
    line = probs.cumsum(dim=-1)
    return (line / line[:, -1:] < u[:, None]).sum(dim=-1)


# %% [wrong] draw: one u for all rows
def draw(probs, u):
    line = probs.cumsum(dim=-1)
    return (line / line[:, -1:] <= u[0]).sum(dim=-1)


# %% [wrong] draw: always the likeliest
def draw(probs, u):
    return probs.argmax(dim=-1)


# %% [wrong] draw: chance of its own
def draw(probs, u):
    return torch.multinomial(probs, 1)[:, 0]


# %% [wrong] draw: the line may be too short, and the id too large
def draw(probs, u):
    return (probs.float().cumsum(dim=-1) * (1 - 1e-6) <= u[:, None]).sum(dim=-1)


# %% [wrong] draw: a line that is too short ends at the last id, whatever its probability
def draw(probs, u):
    line = probs.cumsum(dim=-1) * (1 - 1e-7)
    return (line <= u[:, None]).sum(dim=-1).clamp(max=probs.shape[-1] - 1)


# %% [wrong] draw: counted from 1
def draw(probs, u):
    line = probs.cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1) + 1


# %% [wrong] draw: u is compared with the probabilities themselves
def draw(probs, u):
    return (probs > u[:, None]).long().argmax(dim=-1)


# %% [right] draw: searchsorted
def draw(probs, u):
    line = probs.double().cumsum(dim=-1)
    return torch.searchsorted(line / line[:, -1:], u.double()[:, None], right=True)[:, 0]


# %% [right] draw: numpy, row by row
def draw(probs, u):
    import numpy as np

    out = []
    for p, x in zip(probs.detach().cpu().double().numpy(), u.cpu().double().numpy()):
        c = p.cumsum() / p.cumsum()[-1]
        out.append(int(np.searchsorted(c, x, side="right")))
    return torch.tensor(out, device=probs.device)


# %% [right] draw: typed from the text alone, along the line
def draw(probs, u):
    ids = []
    for b in range(probs.shape[0]):
        reached = 0.0
        for i in range(probs.shape[1]):
            if probs[b, i] > 0:
                answer = i
                reached = reached + probs[b, i]
                if reached > u[b]:
                    break
        ids.append(answer)
    return torch.tensor(ids)


# %% [wrong] sample: multiplied by the temperature
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = (logits * temperature).softmax(dim=-1)
    probs = probs if top_k is None else keep_k(probs, top_k)
    probs = probs if top_p is None else keep_p(probs, top_p)
    return draw_from(probs, u)


# %% [wrong] sample: probabilities divided by the temperature
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = logits.softmax(dim=-1) / temperature
    probs = probs if top_k is None else keep_k(probs, top_k)
    probs = probs if top_p is None else keep_p(probs, top_p)
    return draw_from(probs, u)


# %% [wrong] sample: temperature after top-p
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = logits.softmax(dim=-1)
    probs = probs if top_k is None else keep_k(probs, top_k)
    probs = probs if top_p is None else keep_p(probs, top_p)
    probs = probs ** (1 / temperature)
    return draw_from(probs / probs.sum(dim=-1, keepdim=True), u)


# %% [wrong] sample: top-p before top-k
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = (logits / temperature).softmax(dim=-1)
    probs = probs if top_p is None else keep_p(probs, top_p)
    probs = probs if top_k is None else keep_k(probs, top_k)
    return draw_from(probs, u)


# %% [wrong] sample: top-p of what was there before top-k
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = (logits / temperature).softmax(dim=-1)
    kept = probs if top_k is None else keep_k(probs, top_k)
    if top_p is not None:
        kept = kept * (keep_p(probs, top_p) > 0)
    return draw_from(kept / kept.sum(dim=-1, keepdim=True), u)


# %% [wrong] sample: top_k and top_p exclude each other
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = (logits / temperature).softmax(dim=-1)
    if top_k is not None:
        probs = keep_k(probs, top_k)
    elif top_p is not None:
        probs = keep_p(probs, top_p)
    return draw_from(probs, u)


# %% [wrong] sample: temperature 0 is not special
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    probs = (logits / temperature).softmax(dim=-1)
    probs = probs if top_k is None else keep_k(probs, top_k)
    probs = probs if top_p is None else keep_p(probs, top_p)
    return draw_from(probs, u)


# %% [wrong] sample: temperature 0 is a very low one, and rounding decides
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    probs = (logits / max(temperature, 0.01)).softmax(dim=-1)
    probs = probs if top_k is None else keep_k(probs, top_k)
    probs = probs if top_p is None else keep_p(probs, top_p)
    return draw_from(probs, u)


# %% [wrong] sample: the logits are divided in place
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    logits /= temperature
    probs = logits.softmax(dim=-1)
    probs = probs if top_k is None else keep_k(probs, top_k)
    probs = probs if top_p is None else keep_p(probs, top_p)
    return draw_from(probs, u)


# %% [wrong] sample: the parts are given logits
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    scaled = logits / temperature
    scaled = scaled if top_k is None else keep_k(scaled, top_k)
    scaled = scaled if top_p is None else keep_p(scaled, top_p)
    return draw_from(scaled.softmax(dim=-1), u)


# %% [wrong] sample: always the likeliest
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    return logits.argmax(dim=-1)


# %% [wrong] sample: top-k and top-p are always asked
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = (logits / temperature).softmax(dim=-1)
    return draw_from(keep_p(keep_k(probs, top_k or 1), top_p or 1.0), u)


# %% [right] sample: nested
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return torch.max(logits, dim=-1).indices
    p = torch.nn.functional.softmax(logits / temperature, dim=1)
    p = keep_k(p, top_k) if top_k is not None else p
    return draw_from(keep_p(p, top_p) if top_p is not None else p, u)


# %% [right] sample: typed from the text alone, the five steps
def sample(logits, u, keep_k, keep_p, draw_from, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return torch.argmax(logits, dim=1)
    probs = torch.softmax(logits / temperature, dim=1)
    if top_k is not None:
        probs = keep_k(probs, top_k)
    if top_p is not None:
        probs = keep_p(probs, top_p)
    ids = draw_from(probs, u)
    return ids


# %% [wrong] generate: the bet of the first position
def generate(writer, tokens, count, choose):
    for _ in range(count):
        tokens = torch.cat([tokens, choose(writer(tokens)[:, 0])[:, None]], dim=1)
    return tokens


# %% [wrong] generate: the new tokens are never read
def generate(writer, tokens, count, choose):
    bets = writer(tokens)[:, -1]
    new = [choose(bets)[:, None] for _ in range(count)]
    return torch.cat([tokens, *new], dim=1)


# %% [wrong] generate: only the new token is read
def generate(writer, tokens, count, choose):
    read, result = tokens, tokens
    for _ in range(count):
        read = choose(writer(read)[:, -1])[:, None]
        result = torch.cat([result, read], dim=1)
    return result


# %% [wrong] generate: new tokens come first
def generate(writer, tokens, count, choose):
    for _ in range(count):
        tokens = torch.cat([choose(writer(tokens)[:, -1])[:, None], tokens], dim=1)
    return tokens


# %% [wrong] generate: the new tokens alone
def generate(writer, tokens, count, choose):
    old = tokens.shape[1]
    for _ in range(count):
        tokens = torch.cat([tokens, choose(writer(tokens)[:, -1])[:, None]], dim=1)
    return tokens[:, old:]


# %% [wrong] generate: one token too many
def generate(writer, tokens, count, choose):
    for _ in range(count + 1):
        tokens = torch.cat([tokens, choose(writer(tokens)[:, -1])[:, None]], dim=1)
    return tokens


# %% [wrong] generate: always the likeliest
def generate(writer, tokens, count, choose):
    for _ in range(count):
        ids = writer(tokens)[:, -1].argmax(dim=-1)
        tokens = torch.cat([tokens, ids[:, None]], dim=1)
    return tokens


# %% [wrong] generate: the first text's token for all texts
def generate(writer, tokens, count, choose):
    for _ in range(count):
        ids = choose(writer(tokens)[:, -1])[:1].expand(len(tokens))
        tokens = torch.cat([tokens, ids[:, None]], dim=1)
    return tokens


# %% [wrong] generate: the text is cut off at the front to keep its length
def generate(writer, tokens, count, choose):
    result = tokens
    for _ in range(count):
        ids = choose(writer(tokens)[:, -1])[:, None]
        tokens = torch.cat([tokens[:, 1:], ids], dim=1)
        result = torch.cat([result, ids], dim=1)
    return result


# %% [wrong] generate: tokens as floats
def generate(writer, tokens, count, choose):
    for _ in range(count):
        ids = choose(writer(tokens)[:, -1])
        tokens = torch.cat([tokens, ids[:, None]], dim=1)
    return tokens.float()


# %% [right] generate: filled into a table
def generate(writer, tokens, count, choose):
    batch, length = tokens.shape
    text = torch.zeros(batch, length + count, dtype=torch.int64)
    text[:, :length] = tokens
    for place in range(length, length + count):
        text[:, place] = choose(writer(text[:, :place])[:, -1])
    return text


# %% [right] generate: typed from the text alone, round by round
def generate(writer, tokens, count, choose):
    text = tokens.clone()
    for _i in range(count):
        logits = writer(text)
        last = logits[:, logits.shape[1] - 1]
        ids = choose(last)
        text = torch.cat((text, ids.unsqueeze(1)), dim=1)
    return text


# %% [wrong] cached_attention: the past is forgotten
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    return output_of(pattern_of(q, k), v), (k, v)


# %% [wrong] cached_attention: new before old
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past is not None:
        k, v = torch.cat([k, past[0]], dim=1), torch.cat([v, past[1]], dim=1)
    return output_of(pattern_of(q, k), v), (k, v)


# %% [wrong] cached_attention: only the new keys and values are kept
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past is None:
        return output_of(pattern_of(q, k), v), (k, v)
    all_k, all_v = torch.cat([past[0], k], dim=1), torch.cat([past[1], v], dim=1)
    return output_of(pattern_of(q, all_k), all_v), (k, v)


# %% [wrong] cached_attention: the pair of before is returned
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past is None:
        return output_of(pattern_of(q, k), v), (k, v)
    all_k, all_v = torch.cat([past[0], k], dim=1), torch.cat([past[1], v], dim=1)
    return output_of(pattern_of(q, all_k), all_v), past


# %% [wrong] cached_attention: values and keys swapped in the pair
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past is not None:
        k, v = torch.cat([past[0], k], dim=1), torch.cat([past[1], v], dim=1)
    return output_of(pattern_of(q, k), v), (v, k)


# %% [wrong] cached_attention: joined along the heads
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past is not None:
        k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
    return output_of(pattern_of(q, k), v), (k, v)


# %% [wrong] cached_attention: the values are not joined
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past is not None:
        k = torch.cat([past[0], k], dim=1)
        v = past[1]
    return output_of(pattern_of(q, k), v), (k, v)


# %% [wrong] cached_attention: old keys are added instead of joined
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past is not None:
        k, v = past[0] + k, past[1] + v
    return output_of(pattern_of(q, k), v), (k, v)


# %% [wrong] cached_attention: the last old position is overwritten
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past is not None:
        k = torch.cat([past[0][:, :-1], k], dim=1)
        v = torch.cat([past[1][:, :-1], v], dim=1)
    return output_of(pattern_of(q, k), v), (k, v)


# %% [wrong] cached_attention: queries for the old positions too
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past is not None:
        q = torch.cat([past[0], q], dim=1)
        k, v = torch.cat([past[0], k], dim=1), torch.cat([past[1], v], dim=1)
    return output_of(pattern_of(q, k), v), (k, v)


# %% [wrong] cached_attention: past is changed in place
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past is not None:
        k, v = torch.cat([past[0], k], dim=1), torch.cat([past[1], v], dim=1)
        past[0].zero_()
    return output_of(pattern_of(q, k), v), (k, v)


# %% [wrong] cached_attention: only the output
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past is not None:
        k, v = torch.cat([past[0], k], dim=1), torch.cat([past[1], v], dim=1)
    return output_of(pattern_of(q, k), v)


# %% [wrong] cached_attention: only the last new position is answered
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past is not None:
        k, v = torch.cat([past[0], k], 1), torch.cat([past[1], v], 1)
        q = q[:, -1:]
    return output_of(pattern_of(q, k), v), (k, v)


# %% [wrong] cached_attention: the pair as a list
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past:
        k, v = (torch.cat(two, 1) for two in zip(past, (k, v)))
    return output_of(pattern_of(q, k), v), [k, v]


# %% [wrong] cached_attention: the output of all positions, old and new
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    n = q.shape[1]
    if past is not None:
        k, v = torch.cat([past[0], k], 1), torch.cat([past[1], v], 1)
        q = torch.cat([k[:, :-n], q], 1)
    return output_of(pattern_of(q, k), v), (k, v)


# %% [wrong] cached_attention: the keys and values are cut off from the gradients
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    k, v = k.detach(), v.detach()
    if past is not None:
        k, v = torch.cat([past[0], k], dim=1), torch.cat([past[1], v], dim=1)
    return output_of(pattern_of(q, k), v), (k, v)


# %% [wrong] cached_attention: without gradients
def cached_attention(x, past, heads_of, pattern_of, output_of):
    with torch.no_grad():
        q, k, v = heads_of(x)
        if past is not None:
            k, v = torch.cat([past[0], k], dim=1), torch.cat([past[1], v], dim=1)
        return output_of(pattern_of(q, k), v), (k, v)


# %% [right] cached_attention: hstack, pair by pair
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, *new = heads_of(x)
    k, v = new if past is None else (torch.hstack(pair) for pair in zip(past, new, strict=True))
    pattern = pattern_of(q, k)
    return output_of(pattern, v), (k, v)


# %% [right] cached_attention: an empty past
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    old_k, old_v = (k[:, :0], v[:, :0]) if past is None else past
    both = tuple(torch.cat(pair, 1) for pair in ((old_k, k), (old_v, v)))
    return output_of(pattern_of(q, both[0]), both[1]), both


# %% [right] cached_attention: zipped pairs
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    if past:
        k, v = (torch.cat(two, 1) for two in zip(past, (k, v)))
    return output_of(pattern_of(q, k), v), (k, v)


# %% [right] cached_attention: new tensors filled in two pieces
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    old = 0 if past is None else past[0].shape[1]
    both = []
    for i, new in enumerate((k, v)):
        whole = new.new_empty(new.shape[0], old + new.shape[1], *new.shape[2:])
        if old:
            whole[:, :old] = past[i]
        whole[:, old:] = new
        both.append(whole)
    return output_of(pattern_of(q, both[0]), both[1]), tuple(both)


# %% [right] cached_attention: typed from the text alone, what is kept comes first
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k_new, v_new = heads_of(x)
    if past is None:
        k, v = k_new, v_new
    else:
        k_old, v_old = past
        k = torch.cat((k_old, k_new), dim=1)
        v = torch.cat((v_old, v_new), dim=1)
    pattern = pattern_of(q, k)
    return output_of(pattern, v), (k, v)


# %% [right] cached_attention: new positions one at a time, each with what it may see
def cached_attention(x, past, heads_of, pattern_of, output_of):
    q, k, v = heads_of(x)
    old = 0
    if past is not None:
        old = past[0].shape[1]
        k, v = torch.cat([past[0], k], dim=1), torch.cat([past[1], v], dim=1)
    answers = []
    for i in range(x.shape[1]):
        seen = old + i + 1
        answers.append(output_of(pattern_of(q[:, i : i + 1], k[:, :seen]), v[:, :seen]))
    return torch.cat(answers, dim=1), (k, v)


# %% [wrong] next_token_loss: not shifted
def next_token_loss(logits, tokens):
    log_probs = logits.log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, :, None]).mean()


# %% [wrong] next_token_loss: not shifted, but the last position is left out
def next_token_loss(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, :-1, None]).mean()


# %% [wrong] next_token_loss: shifted the wrong way
def next_token_loss(logits, tokens):
    log_probs = logits[:, 1:].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, :-1, None]).mean()


# %% [wrong] next_token_loss: the sum
def next_token_loss(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, 1:, None]).sum()


# %% [wrong] next_token_loss: divided by all positions
def next_token_loss(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, 1:, None]).sum() / tokens.numel()


# %% [wrong] next_token_loss: the sign
def next_token_loss(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return log_probs.gather(-1, tokens[:, 1:, None]).mean()


# %% [wrong] next_token_loss: in bits
def next_token_loss(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, 1:, None]).mean() / math.log(2)


# %% [wrong] next_token_loss: softmax over the positions
def next_token_loss(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(dim=1)
    return -log_probs.gather(-1, tokens[:, 1:, None]).mean()


# %% [wrong] next_token_loss: softmax and then log
def next_token_loss(logits, tokens):
    log_probs = logits[:, :-1].softmax(dim=-1).log()
    return -log_probs.gather(-1, tokens[:, 1:, None]).mean()


# %% [wrong] next_token_loss: probabilities without a logarithm
def next_token_loss(logits, tokens):
    probs = logits[:, :-1].softmax(dim=-1)
    return -probs.gather(-1, tokens[:, 1:, None]).mean()


# %% [wrong] next_token_loss: no gradient
def next_token_loss(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return torch.tensor(
        -log_probs.gather(-1, tokens[:, 1:, None]).mean().item(), dtype=logits.dtype
    )


# %% [wrong] next_token_loss: one loss a position
def next_token_loss(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, 1:, None])[..., 0].mean(dim=0)


# %% [wrong] next_token_loss: the last bet only
def next_token_loss(logits, tokens):
    log_probs = logits[:, -2].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, -1:]).mean()


# %% [wrong] next_token_loss: averaged over texts, summed over positions
def next_token_loss(logits, tokens):
    logp = logits[:, :-1].log_softmax(-1)
    return -logp.gather(-1, tokens[:, 1:, None]).sum(1).mean()


# %% [wrong] next_token_loss: two tokens ahead
def next_token_loss(logits, tokens):
    logp = logits[:, :-2].log_softmax(-1)
    return -logp.gather(-1, tokens[:, 2:, None]).mean()


# %% [wrong] next_token_loss: a new tensor without history
def next_token_loss(logits, tokens):
    logp = logits[:, :-1].log_softmax(-1)
    return torch.tensor(-logp.gather(-1, tokens[:, 1:, None]).mean().item(), dtype=logits.dtype)


# %% [wrong] next_token_loss: log of softmax with a small number under it
def next_token_loss(logits, tokens):
    p = logits[:, :-1].softmax(-1)
    return -(p.gather(-1, tokens[:, 1:, None]) + 1e-9).log().mean()


# %% [wrong] next_token_loss: the normaliser is taken for a constant
def next_token_loss(logits, tokens):
    logits = logits[:, :-1]
    right = logits.gather(-1, tokens[:, 1:, None])[..., 0]
    return (logits.logsumexp(dim=-1).detach() - right).mean()


# %% [wrong] next_token_loss: a sure mistake costs no more than 100
def next_token_loss(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, tokens[:, 1:, None]).clamp(min=-100).mean()


# %% [right] next_token_loss: torch's cross-entropy
def next_token_loss(logits, tokens):
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


# %% [right] next_token_loss: logsumexp minus the logit
def next_token_loss(logits, tokens):
    bets, answers = logits[:, :-1], tokens[:, 1:]
    chosen = bets.gather(2, answers.unsqueeze(2)).squeeze(2)
    return (torch.logsumexp(bets, dim=2) - chosen).mean()


# %% [right] next_token_loss: one-hot
def next_token_loss(logits, tokens):
    answers = torch.nn.functional.one_hot(tokens[:, 1:], logits.shape[-1])
    log_probs = torch.log_softmax(logits[:, :-1], dim=-1)
    return -torch.where(answers.bool(), log_probs, 0.0).sum(-1).mean()


# %% [right] next_token_loss: classes in the second axis
def next_token_loss(logits, tokens):
    return torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:])


# %% [right] next_token_loss: bet by bet
def next_token_loss(logits, tokens):
    costs = []
    for b in range(tokens.shape[0]):
        for p in range(tokens.shape[1] - 1):
            row = logits[b, p]
            costs.append(torch.logsumexp(row, 0) - row[tokens[b, p + 1]])
    return torch.stack(costs).mean()


# %% [right] next_token_loss: typed from the text alone, one bet after the other
def next_token_loss(logits, tokens):
    total = 0.0
    count = 0
    for b in range(logits.shape[0]):
        for i in range(logits.shape[1] - 1):
            log_probs = torch.log_softmax(logits[b, i], dim=0)
            total = total - log_probs[tokens[b, i + 1]]
            count = count + 1
    return total / count


# %% [wrong] train_step: gradients are not cleared
def train_step(net, optimizer, tokens, loss_of):
    loss = loss_of(net(tokens), tokens)
    loss.backward()
    optimizer.step()
    return loss.item()


# %% [wrong] train_step: cleared after the step, so what was left over is used
def train_step(net, optimizer, tokens, loss_of):
    loss = loss_of(net(tokens), tokens)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


# %% [wrong] train_step: cleared between backward and step
def train_step(net, optimizer, tokens, loss_of):
    loss = loss_of(net(tokens), tokens)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


# %% [wrong] train_step: the step comes before the gradient
def train_step(net, optimizer, tokens, loss_of):
    optimizer.zero_grad()
    loss = loss_of(net(tokens), tokens)
    optimizer.step()
    loss.backward()
    return loss.item()


# %% [wrong] train_step: no step
def train_step(net, optimizer, tokens, loss_of):
    optimizer.zero_grad()
    loss = loss_of(net(tokens), tokens)
    loss.backward()
    return loss.item()


# %% [wrong] train_step: the loss as a tensor
def train_step(net, optimizer, tokens, loss_of):
    optimizer.zero_grad()
    loss = loss_of(net(tokens), tokens)
    loss.backward()
    optimizer.step()
    return loss


# %% [wrong] train_step: the loss after the step
def train_step(net, optimizer, tokens, loss_of):
    optimizer.zero_grad()
    loss_of(net(tokens), tokens).backward()
    optimizer.step()
    return loss_of(net(tokens), tokens).item()


# %% [wrong] train_step: a step of its own, without the optimizer
def train_step(net, optimizer, tokens, loss_of):
    net.zero_grad()
    loss = loss_of(net(tokens), tokens)
    loss.backward()
    with torch.no_grad():
        for p in net.parameters():
            p -= optimizer.param_groups[0]["lr"] * p.grad
    return loss.item()


# %% [wrong] train_step: uphill
def train_step(net, optimizer, tokens, loss_of):
    optimizer.zero_grad()
    loss = loss_of(net(tokens), tokens)
    (-loss).backward()
    optimizer.step()
    return loss.item()


# %% [wrong] train_step: two steps
def train_step(net, optimizer, tokens, loss_of):
    for _ in range(2):
        optimizer.zero_grad()
        loss = loss_of(net(tokens), tokens)
        loss.backward()
        optimizer.step()
    return loss.item()


# %% [wrong] train_step: the last token is cut off
def train_step(net, optimizer, tokens, loss_of):
    optimizer.zero_grad()
    loss = loss_of(net(tokens[:, :-1]), tokens[:, :-1])
    loss.backward()
    optimizer.step()
    return loss.item()


# %% [wrong] train_step: the gradient is clipped
def train_step(net, optimizer, tokens, loss_of):
    loss = loss_of(net(tokens), tokens)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 0.1)
    optimizer.step()
    return loss.item()


# %% [wrong] train_step: the loss over the number of texts
def train_step(net, optimizer, tokens, loss_of):
    loss = loss_of(net(tokens), tokens) / len(tokens)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% [wrong] train_step: text by text
def train_step(net, optimizer, tokens, loss_of):
    losses = []
    for row in tokens:
        loss = loss_of(net(row[None]), row[None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


# %% [wrong] train_step: the momentum is forgotten with the gradient
def train_step(net, optimizer, tokens, loss_of):
    loss = loss_of(net(tokens), tokens)
    optimizer.zero_grad()
    optimizer.state.clear()
    loss.backward()
    optimizer.step()
    return loss.item()


# %% [right] train_step: cleared by the module
def train_step(net, optimizer, tokens, loss_of):
    net.zero_grad()
    loss = loss_of(net(tokens), tokens)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


# %% [right] train_step: gradients asked for by name
def train_step(net, optimizer, tokens, loss_of):
    params = [p for group in optimizer.param_groups for p in group["params"]]
    loss = loss_of(net(tokens), tokens)
    for p, grad in zip(params, torch.autograd.grad(loss, params), strict=True):
        p.grad = grad
    optimizer.step()
    return loss.item()


# %% [right] train_step: cleared by hand, and after it as well
def train_step(net, optimizer, tokens, loss_of):
    for p in net.parameters():
        p.grad = None
    loss = loss_of(net(tokens), tokens)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    return float(loss)


# %% [right] train_step: the optimizer's closure
def train_step(net, optimizer, tokens, loss_of):
    def closure():
        optimizer.zero_grad()
        loss = loss_of(net(tokens), tokens)
        loss.backward()
        return loss

    return optimizer.step(closure).item()


# %% [right] train_step: typed from the text alone, in the order of the first hint
def train_step(net, optimizer, tokens, loss_of):
    logits = net(tokens)
    loss = loss_of(logits, tokens)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss)


# %% [equivalent] keep_top_k: the last dimension is what sort takes anyway
# ranked, ids = probs.sort(descending=True)


# %% [equivalent] keep_top_p: the last dimension is what sort takes anyway
# ranked, ids = probs.sort(descending=True)
