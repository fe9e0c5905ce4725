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


# %% [right] gelu: torch's own, the other kind
def gelu(x):
    return torch.nn.functional.gelu(x, approximate="tanh")


# %% [right] gelu: by the sigmoid
def gelu(x):
    return x * torch.sigmoid(2 * (2 / torch.pi) ** 0.5 * (x + 0.044715 * torch.pow(x, 3)))


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


# %% [wrong] sample: multiplied by the temperature
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits * temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
        ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] sample: probabilities divided by the temperature
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits.softmax(dim=-1) / temperature).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
    ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] sample: temperature after top-p
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = logits.softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
        ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    ranked = ranked ** (1 / temperature)
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] sample: top-p loses the token that reaches p
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
        ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    if top_p is not None:
        keep = ranked.cumsum(dim=-1) <= top_p
        keep[:, 0] = True
        ranked = ranked * keep
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] sample: top-p keeps one token too many
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
        ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    if top_p is not None:
        count = (ranked.cumsum(dim=-1) < top_p).sum(dim=-1, keepdim=True) + 2
        ranked = ranked * (torch.arange(ranked.shape[-1]) < count)
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] sample: top-p is a threshold on each probability
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
        ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ranked = ranked * (ranked >= (1 - top_p) * ranked[:, :1])
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] sample: top-p before top-k
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] sample: not scaled between top-k and top-p
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] sample: top-k keeps k + 1
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) <= top_k)
        ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] sample: top-k of the unlikeliest
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = (logits / temperature).softmax(dim=-1)
    if top_k is not None:
        ids = probs.argsort(dim=-1)[:, :top_k]
        probs = torch.zeros_like(probs).scatter(-1, ids, probs.gather(-1, ids))
        probs = probs / probs.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ranked, ids = probs.sort(dim=-1, descending=True)
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
        probs = torch.zeros_like(probs).scatter(-1, ids, ranked)
    line = probs.cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] sample: top-k logits are set to zero instead of minus infinity
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    logits = logits / temperature
    if top_k is not None:
        least = logits.topk(top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < least, 0.0)
    ranked, ids = logits.softmax(dim=-1).sort(dim=-1, descending=True)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] sample: what is left is not scaled
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line <= u[:, None]).sum(dim=-1).clamp(max=logits.shape[-1] - 1)


# %% [wrong] sample: the line is in the order of the ranking
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
        ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    line = ranked.cumsum(dim=-1)
    place = (line / line[:, -1:] <= u[:, None]).sum(dim=-1, keepdim=True)
    return ids.gather(-1, place)[:, 0]


# %% [wrong] sample: the place in the ranking is returned for the id
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, _ = (logits / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
        ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    line = ranked.cumsum(dim=-1)
    return (line / line[:, -1:] <= u[:, None]).sum(dim=-1)


# %% [wrong] sample: u = 0 falls on id 0 even if it is out of the game
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
        ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line / line[:, -1:] < u[:, None]).sum(dim=-1)


# %% [wrong] sample: one u for all rows
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
        ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    line = torch.zeros_like(ranked).scatter(-1, ids, ranked).cumsum(dim=-1)
    return (line / line[:, -1:] <= u[0]).sum(dim=-1)


# %% [wrong] sample: always the likeliest
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    return logits.argmax(dim=-1)


# %% [wrong] sample: chance of its own
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    ranked, ids = (logits / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(ranked.shape[-1]) < top_k)
        ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    probs = torch.zeros_like(ranked).scatter(-1, ids, ranked)
    return torch.multinomial(probs, 1)[:, 0]


# %% [right] sample: minus infinity for what is out, row by row
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return torch.tensor([int(row.argmax()) for row in logits])
    drawn_ids = []
    for row, chance in zip(logits.double() / temperature, u.tolist(), strict=True):
        order = row.argsort(descending=True).tolist()
        if top_k is not None:
            row[order[top_k:]] = float("-inf")
        if top_p is not None:
            probs, reached = row.softmax(-1).tolist(), 0.0
            for i in order:
                if reached >= top_p:
                    row[i] = float("-inf")
                reached += probs[i]
        passed, last_passed, answer = 0.0, 0.0, None
        for i, p in enumerate(row.softmax(-1).tolist()):
            passed += p
            if p > 0 and (answer is None or last_passed <= chance):
                answer = i
            last_passed = passed
        drawn_ids.append(answer)
    return torch.tensor(drawn_ids)


# %% [right] sample: topk and searchsorted
def sample(logits, u, temperature=1.0, top_k=None, top_p=None):
    if temperature == 0:
        return torch.max(logits, dim=-1).indices
    probs = torch.softmax(logits.double() / temperature, dim=-1)
    if top_k is not None:
        values, ids = probs.topk(top_k, dim=-1)
        probs = torch.zeros_like(probs).scatter_(-1, ids, values)
        probs /= probs.sum(dim=-1, keepdim=True)
    if top_p is not None:
        ids = probs.argsort(dim=-1, descending=True)
        ranked = probs.gather(-1, ids)
        out = torch.nn.functional.pad(ranked.cumsum(-1)[:, :-1], (1, 0)) >= top_p
        probs = probs.masked_fill(torch.zeros_like(out).scatter(-1, ids, out), 0)
    line = probs.cumsum(-1)
    line = line / line[:, -1:]
    return torch.searchsorted(line, u.double()[:, None], right=True)[:, 0]


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


# %% [same] sample: the last dimension is what sort takes anyway
# ranked, ids = (logits / temperature).softmax(dim=-1).sort(descending=True)
