# %% [right] sample_categorical: from the text alone, ends counted
def sample_categorical(p, u):
    ends = torch.cumsum(p, dim=0)
    tokens = (ends.unsqueeze(0) <= u.unsqueeze(1)).sum(dim=1)
    possible = torch.nonzero(p).squeeze(1)
    return torch.minimum(tokens, possible[-1])


# %% [right] normal_from_uniform: from the text alone
def normal_from_uniform(u):
    return torch.erfinv(2 * u - 1) * 2**0.5


# %% [right] bias_and_variance: from the text alone, by hand
def bias_and_variance(estimates, truth):
    n = len(estimates)
    mean = sum(estimates.tolist()) / n
    squares = sum((x - mean) ** 2 for x in estimates.tolist())
    return mean - truth, squares / (n - 1)


# %% [right] merge_moments: from the text alone, both means against the new one
def merge_moments(a, b):
    n_a, mean_a, m2_a = a
    n_b, mean_b, m2_b = b
    n = n_a + n_b
    if n == 0:
        return 0, 0.0, 0.0
    mean = (n_a * mean_a + n_b * mean_b) / n
    m2 = m2_a + n_a * (mean_a - mean) ** 2 + m2_b + n_b * (mean_b - mean) ** 2
    return n, mean, m2


# %% [right] bootstrap_ci: from the text alone, resample by resample
def bootstrap_ci(x, u, level):
    means = []
    for row in u:
        picks = (row * len(x)).floor().long()
        means.append(x[picks].mean())
    means = torch.stack(means)
    tail = (1 - level) / 2
    return torch.quantile(means, tail).item(), torch.quantile(means, 1 - tail).item()


# %% [right] logsumexp: from the text alone, where and isinf
def logsumexp(x):
    m = x.max(dim=-1, keepdim=True).values
    m = torch.where(m.isinf(), torch.zeros_like(m), m)
    return m.squeeze(-1) + torch.log(torch.exp(x - m).sum(dim=-1))


# %% [right] log_softmax: from the text alone, with torch.logsumexp
def log_softmax(x):
    return x - torch.logsumexp(x, dim=-1, keepdim=True)


# %% [right] entropy: from the text alone, zeros replaced
def entropy(p):
    safe = torch.where(p > 0, p, torch.ones_like(p))
    return -(p * safe.log()).sum(dim=-1)


# %% [right] kl: from the text alone, case by case
def kl(p, q):
    safe_p = torch.where(p > 0, p, torch.ones_like(p))
    safe_q = torch.where(p > 0, q, torch.ones_like(q))
    return (p * (safe_p.log() - safe_q.log())).sum(-1)


# %% [right] cross_entropy: from the text alone, with torch's log_softmax
def cross_entropy(logits, tokens):
    log_probs = torch.log_softmax(logits, dim=-1)
    log_probs = log_probs[:, :-1, :]
    targets = tokens[:, 1:]
    return -log_probs.gather(dim=-1, index=targets.unsqueeze(-1)).squeeze(-1)


# %% [right] bigram_loss: from the text alone, with dictionaries
def bigram_loss(corpus):
    words = corpus.tolist()
    pairs, firsts = {}, {}
    for a, b in zip(words[:-1], words[1:]):
        pairs[a, b] = pairs.get((a, b), 0) + 1
        firsts[a] = firsts.get(a, 0) + 1
    total = 0.0
    for (a, _), count in pairs.items():
        total -= count * math.log(count / firsts[a])
    return total / (len(words) - 1)


# %% [right] finite_diff_grad: from the text alone, entry by entry of the flattened tensor
def finite_diff_grad(f, x, h):
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        up, down = x.clone(), x.clone()
        up.view(-1)[i] += h
        down.view(-1)[i] -= h
        grad.view(-1)[i] = (f(up) - f(down)) / (2 * h)
    return grad


# %% [right] sgd_step: from the text alone
def sgd_step(p, grad, velocity, lr, momentum):
    new_velocity = momentum * velocity + grad
    return p - lr * new_velocity, new_velocity


# %% [right] adam_step: from the text alone, line by line
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    beta1, beta2 = betas
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    p = p - lr * weight_decay * p
    p = p - lr * m_hat / (torch.sqrt(v_hat) + eps)
    return p, m, v


# %% [right] log_back: from the text alone
def log_back(grad, x):
    return grad / x


# %% [right] mul_back: from the text alone
def mul_back(grad, x, y):
    return grad * y, grad * x


# %% [right] unbroadcast: from the text alone, new axes first
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(dim=0)
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(dim=axis, keepdim=True)
    return grad


# %% [right] matmul_back: from the text alone
def matmul_back(grad, A, B):
    return grad @ B.T, A.T @ grad


# %% [right] softmax_ce_back: from the text alone, row by row
def softmax_ce_back(logits, tokens):
    b = logits.shape[0]
    grad = torch.softmax(logits, dim=-1)
    for row in range(b):
        grad[row, tokens[row]] -= 1
    return grad / b


# %% [right] topological_sort: from the text alone, depth first
def topological_sort(inputs, end):
    order = []

    def visit(name):
        if name in order:
            return
        for before in inputs[name]:
            visit(before)
        order.append(name)

    visit(end)
    return order


# %% [right] backprop: from the text alone, the tape backwards
def backprop(tape, end):
    values = values_of(tape)
    grads = {name: 0.0 for name in tape}
    grads[end] = 1.0
    for name in reversed(list(tape)):
        if isinstance(tape[name], float):
            continue
        operation, *names = tape[name]
        local = slopes(operation, [values[n] for n in names])
        for n, slope in zip(names, local):
            grads[n] += grads[name] * slope
    return grads


# %% [right] split_heads: from the text alone, einops
def split_heads(x, heads):
    return einops.rearrange(x, "batch pos (head d) -> batch pos head d", head=heads)


# %% [right] merge_heads: from the text alone, einops
def merge_heads(x):
    return einops.rearrange(x, "batch pos head d -> batch pos (head d)")


# %% [right] attend: from the text alone, three lines
def attend(q, k, v):
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k") / q.shape[-1] ** 0.5
    pattern = scores.softmax(dim=-1)
    return einops.einsum(pattern, v, "b h q k, b k h e -> b q h e")


# %% [right] checked_mix: from the text alone
def checked_mix():
    @jaxtyped(typechecker=beartype)
    def mix(
        pattern: Float[torch.Tensor, "batch query key"], v: Float[torch.Tensor, "batch key d"]
    ) -> Float[torch.Tensor, "batch query d"]:
        return pattern @ v

    return mix


# %% [right] attention_heatmap: from the text alone
def attention_heatmap(pattern, tokens):
    fig = go.Figure(go.Heatmap(z=pattern.tolist()))
    ticks = {"tickvals": list(range(len(tokens))), "ticktext": tokens}
    fig.update_layout(
        xaxis={"title": {"text": "key"}, **ticks},
        yaxis={"title": {"text": "query"}, "autorange": "reversed", **ticks},
    )
    return fig
