# %% [wrong] sample_categorical: a dart on an end stays left
def sample_categorical(p, u):
    return (u[:, None] > p.cumsum(-1)).sum(-1).clamp(max=int(p.nonzero().max()))


# %% [wrong] sample_categorical: searchsorted with its usual side
def sample_categorical(p, u):
    return torch.searchsorted(p.cumsum(-1), u).clamp(max=int(p.nonzero().max()))


# %% [wrong] sample_categorical: tokens counted from 1
def sample_categorical(p, u):
    return (u[:, None] >= p.cumsum(-1)).sum(-1).clamp(max=int(p.nonzero().max())) + 1


# %% [wrong] sample_categorical: darts compared with the probabilities
def sample_categorical(p, u):
    return (u[:, None] >= p).sum(-1).clamp(max=len(p) - 1)


# %% [wrong] sample_categorical: equal pieces
def sample_categorical(p, u):
    return (u * len(p)).long()


# %% [wrong] sample_categorical: draws of its own
def sample_categorical(p, u):
    return torch.multinomial(p, len(u), replacement=True)


# %% [wrong] sample_categorical: beyond the last end comes the last token, possible or not
def sample_categorical(p, u):
    return torch.searchsorted(p.cumsum(-1), u, right=True).clamp(max=len(p) - 1)


# %% [wrong] sample_categorical: the likeliest token first
def sample_categorical(p, u):
    order = p.argsort(descending=True, stable=True)
    ends = p[order].cumsum(-1)
    return order[(u[:, None] >= ends).sum(-1).clamp(max=len(p) - 1)]


# %% [wrong] sample_categorical: int32
def sample_categorical(p, u):
    tokens = (u[:, None] >= p.cumsum(-1)).sum(-1).clamp(max=int(p.nonzero().max()))
    return tokens.to(torch.int32)


# %% [wrong] sample_categorical: a loop over darts
def sample_categorical(p, u):
    ends, last = p.cumsum(-1), p.nonzero().max()
    return torch.stack([torch.minimum((dart >= ends).sum(), last) for dart in u])


# %% [right] sample_categorical: from the text alone, ends counted
def sample_categorical(p, u):
    ends = torch.cumsum(p, dim=0)
    tokens = (ends.unsqueeze(0) <= u.unsqueeze(1)).sum(dim=1)
    possible = torch.nonzero(p).squeeze(1)
    return torch.minimum(tokens, possible[-1])


# %% [right] sample_categorical: searchsorted
def sample_categorical(p, u):
    found = torch.searchsorted(p.cumsum(0), u, right=True)
    return found.clamp(max=p.nonzero()[-1].item())


# %% [equivalent] sample_categorical: p has one axis, the first and the last
# ends = p.cumsum(0)


# %% [wrong] normal_from_uniform: √2 is missing
def normal_from_uniform(u):
    return torch.erfinv(2 * u - 1)


# %% [wrong] normal_from_uniform: divided by √2
def normal_from_uniform(u):
    return torch.erfinv(2 * u - 1) / 2**0.5


# %% [wrong] normal_from_uniform: erfinv of u itself
def normal_from_uniform(u):
    return 2**0.5 * torch.erfinv(u)


# %% [wrong] normal_from_uniform: from z to u
def normal_from_uniform(u):
    return 0.5 * (1 + torch.erf(u / 2**0.5))


# %% [wrong] normal_from_uniform: the upper share
def normal_from_uniform(u):
    return 2**0.5 * torch.erfinv(1 - 2 * u)


# %% [wrong] normal_from_uniform: random numbers of its own
def normal_from_uniform(u):
    return torch.randn_like(u)


# %% [wrong] normal_from_uniform: the logistic bell
def normal_from_uniform(u):
    return torch.logit(u) / 1.702


# %% [wrong] normal_from_uniform: float32 whatever comes in
def normal_from_uniform(u):
    return 2**0.5 * torch.erfinv(2 * u.float() - 1)


# %% [wrong] normal_from_uniform: u is changed in place
def normal_from_uniform(u):
    u *= 2
    u -= 1
    return 2**0.5 * torch.erfinv(u)


# %% [right] normal_from_uniform: from the text alone
def normal_from_uniform(u):
    return torch.erfinv(2 * u - 1) * 2**0.5


# %% [right] normal_from_uniform: torch.special.ndtri
def normal_from_uniform(u):
    return torch.special.ndtri(u)


# %% [wrong] bias_and_variance: divided by n
def bias_and_variance(estimates, truth):
    return float(estimates.mean()) - truth, float(estimates.var(correction=0))


# %% [wrong] bias_and_variance: the truth minus the mean
def bias_and_variance(estimates, truth):
    return truth - float(estimates.mean()), float(estimates.var())


# %% [wrong] bias_and_variance: the size of the bias only
def bias_and_variance(estimates, truth):
    return abs(float(estimates.mean()) - truth), float(estimates.var())


# %% [wrong] bias_and_variance: squares around the truth
def bias_and_variance(estimates, truth):
    squares = ((estimates - truth) ** 2).sum() / (len(estimates) - 1)
    return float(estimates.mean()) - truth, float(squares)


# %% [wrong] bias_and_variance: the mean squared error
def bias_and_variance(estimates, truth):
    return float(estimates.mean()) - truth, float(((estimates - truth) ** 2).mean())


# %% [wrong] bias_and_variance: the standard deviation
def bias_and_variance(estimates, truth):
    return float(estimates.mean()) - truth, float(estimates.std())


# %% [wrong] bias_and_variance: the mean instead of the bias
def bias_and_variance(estimates, truth):
    return float(estimates.mean()), float(estimates.var())


# %% [wrong] bias_and_variance: the median
def bias_and_variance(estimates, truth):
    return float(estimates.median()) - truth, float(estimates.var())


# %% [wrong] bias_and_variance: tensors
def bias_and_variance(estimates, truth):
    return estimates.mean() - truth, estimates.var()


# %% [wrong] bias_and_variance: a list
def bias_and_variance(estimates, truth):
    return [float(estimates.mean()) - truth, float(estimates.var())]


# %% [right] bias_and_variance: from the text alone, by hand
def bias_and_variance(estimates, truth):
    n = len(estimates)
    mean = sum(estimates.tolist()) / n
    squares = sum((x - mean) ** 2 for x in estimates.tolist())
    return mean - truth, squares / (n - 1)


# %% [right] bias_and_variance: the statistics module
def bias_and_variance(estimates, truth):
    import statistics

    numbers = [float(x) for x in estimates]
    return statistics.fmean(numbers) - truth, statistics.variance(numbers)


# %% [wrong] merge_moments: the mean of the means
def merge_moments(a, b):
    n = a[0] + b[0]
    if n == 0:
        return 0, 0.0, 0.0
    if not a[0] or not b[0]:
        return a if a[0] else b
    return n, (a[1] + b[1]) / 2, a[2] + b[2] + (a[1] - b[1]) ** 2 * a[0] * b[0] / n


# %% [wrong] merge_moments: the means' difference is left out
def merge_moments(a, b):
    n = a[0] + b[0]
    return n, (a[0] * a[1] + b[0] * b[1]) / n if n else 0.0, a[2] + b[2]


# %% [wrong] merge_moments: by E[x²] − E[x]²
def merge_moments(a, b):
    n = a[0] + b[0]
    if n == 0:
        return 0, 0.0, 0.0
    mean = (a[0] * a[1] + b[0] * b[1]) / n
    squares = a[2] + a[0] * a[1] ** 2 + b[2] + b[0] * b[1] ** 2
    return n, mean, squares - n * mean**2


# %% [wrong] merge_moments: the distances of the means count once
def merge_moments(a, b):
    n = a[0] + b[0]
    if n == 0:
        return 0, 0.0, 0.0
    mean = (a[0] * a[1] + b[0] * b[1]) / n
    if not a[0] or not b[0]:
        return n, mean, a[2] + b[2]
    return n, mean, a[2] + (a[1] - mean) ** 2 + b[2] + (b[1] - mean) ** 2


# %% [wrong] merge_moments: the distance is not squared
def merge_moments(a, b):
    n = a[0] + b[0]
    if n == 0:
        return 0, 0.0, 0.0
    apart = b[1] - a[1]
    return n, a[1] + apart * b[0] / n, a[2] + b[2] + abs(apart) * a[0] * b[0] / n


# %% [wrong] merge_moments: variances instead of sums
def merge_moments(a, b):
    n = a[0] + b[0]
    if n == 0:
        return 0, 0.0, 0.0
    apart = b[1] - a[1]
    return n, a[1] + apart * b[0] / n, (a[2] + b[2] + apart**2 * a[0] * b[0] / n) / n


# %% [wrong] merge_moments: fails where a batch is empty
def merge_moments(a, b):
    n = a[0] + b[0]
    apart = b[1] - a[1]
    return n, a[1] + apart * b[0] / n, a[2] + b[2] + apart**2 / (1 / a[0] + 1 / b[0])


# %% [wrong] merge_moments: the second is taken off
def merge_moments(a, b):
    n = a[0] + b[0]
    if n == 0:
        return 0, 0.0, 0.0
    apart = b[1] - a[1]
    return n, a[1] - apart * b[0] / n, a[2] + b[2] + apart**2 * a[0] * b[0] / n


# %% [wrong] merge_moments: n as a float
def merge_moments(a, b):
    n = float(a[0] + b[0])
    if n == 0:
        return 0.0, 0.0, 0.0
    apart = b[1] - a[1]
    return n, a[1] + apart * b[0] / n, a[2] + b[2] + apart**2 * a[0] * b[0] / n


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


# %% [right] merge_moments: empty ones first
def merge_moments(a, b):
    if a[0] == 0:
        return b
    if b[0] == 0:
        return a
    n = a[0] + b[0]
    weight = b[0] / n
    shift = b[1] - a[1]
    return n, a[1] + weight * shift, a[2] + b[2] + shift * shift * weight * a[0]


# %% [wrong] bootstrap_ci: without replacement
def bootstrap_ci(x, u, level):
    means = x[u.argsort(-1)].mean(-1)
    tail = (1 - level) / 2
    return float(means.quantile(tail)), float(means.quantile(1 - tail))


# %% [wrong] bootstrap_ci: quantiles of the measurements
def bootstrap_ci(x, u, level):
    tail = (1 - level) / 2
    return float(x.quantile(tail)), float(x.quantile(1 - tail))


# %% [wrong] bootstrap_ci: quantiles of all that was drawn
def bootstrap_ci(x, u, level):
    drawn = x[(u * len(x)).long()].flatten()
    tail = (1 - level) / 2
    return float(drawn.quantile(tail)), float(drawn.quantile(1 - tail))


# %% [wrong] bootstrap_ci: all that lies outside is on one side
def bootstrap_ci(x, u, level):
    means = x[(u * len(x)).long()].mean(-1)
    return float(means.quantile(1 - level)), float(means.quantile(level))


# %% [wrong] bootstrap_ci: level is taken as the share outside
def bootstrap_ci(x, u, level):
    means = x[(u * len(x)).long()].mean(-1)
    return float(means.quantile(level / 2)), float(means.quantile(1 - level / 2))


# %% [wrong] bootstrap_ci: the mean and twice its standard error
def bootstrap_ci(x, u, level):
    means = x[(u * len(x)).long()].mean(-1)
    return float(means.mean() - 2 * means.std()), float(means.mean() + 2 * means.std())


# %% [wrong] bootstrap_ci: medians for means
def bootstrap_ci(x, u, level):
    medians = x[(u * len(x)).long()].median(-1).values
    tail = (1 - level) / 2
    return float(medians.quantile(tail)), float(medians.quantile(1 - tail))


# %% [wrong] bootstrap_ci: the smallest and the largest mean
def bootstrap_ci(x, u, level):
    means = x[(u * len(x)).long()].mean(-1)
    return float(means.min()), float(means.max())


# %% [wrong] bootstrap_ci: draws of its own
def bootstrap_ci(x, u, level):
    means = x[torch.randint(0, len(x), u.shape)].mean(-1)
    tail = (1 - level) / 2
    return float(means.quantile(tail)), float(means.quantile(1 - tail))


# %% [wrong] bootstrap_ci: tensors
def bootstrap_ci(x, u, level):
    means = x[(u * len(x)).long()].mean(-1)
    tail = (1 - level) / 2
    return means.quantile(tail), means.quantile(1 - tail)


# %% [right] bootstrap_ci: from the text alone, resample by resample
def bootstrap_ci(x, u, level):
    means = []
    for row in u:
        picks = (row * len(x)).floor().long()
        means.append(x[picks].mean())
    means = torch.stack(means)
    tail = (1 - level) / 2
    return torch.quantile(means, tail).item(), torch.quantile(means, 1 - tail).item()


# %% [right] bootstrap_ci: a list of means
def bootstrap_ci(x, u, level):
    means = torch.stack([x[(row * len(x)).long()].mean() for row in u])
    tail = (1 - level) / 2
    return float(means.quantile(tail)), float(means.quantile(1 - tail))


# %% [right] bootstrap_ci: both ends at once
def bootstrap_ci(x, u, level):
    picks = torch.floor(u * x.shape[0]).to(torch.int64)
    means = torch.gather(x.expand(len(u), -1), 1, picks).mean(dim=1)
    ends = torch.tensor([0.5 - level / 2, 0.5 + level / 2], dtype=x.dtype)
    low, high = torch.quantile(means, ends).tolist()
    return low, high


# %% [wrong] logsumexp: overflows
def logsumexp(x):
    return x.exp().sum(-1).log()


# %% [wrong] logsumexp: the largest entry does not come back
def logsumexp(x):
    m = x.amax(-1, keepdim=True)
    m = torch.where(m.isinf(), torch.zeros_like(m), m)
    return (x - m).exp().sum(-1).log()


# %% [wrong] logsumexp: NaN for nothing but −inf
def logsumexp(x):
    m = x.amax(-1, keepdim=True)
    return (x - m).exp().sum(-1).log() + m.squeeze(-1)


# %% [wrong] logsumexp: the mean
def logsumexp(x):
    m = x.amax(-1, keepdim=True)
    m = torch.where(m.isinf(), torch.zeros_like(m), m)
    return (x - m).exp().mean(-1).log() + m.squeeze(-1)


# %% [wrong] logsumexp: the maximum of the whole tensor
def logsumexp(x):
    m = x.max()
    m = torch.where(m.isinf(), torch.zeros_like(m), m)
    return (x - m).exp().sum(-1).log() + m


# %% [wrong] logsumexp: the plain maximum
def logsumexp(x):
    return x.amax(-1)


# %% [wrong] logsumexp: base 2
def logsumexp(x):
    m = x.amax(-1, keepdim=True)
    m = torch.where(m.isinf(), torch.zeros_like(m), m)
    return ((x - m).exp().sum(-1).log() + m.squeeze(-1)) / math.log(2)


# %% [wrong] logsumexp: the axis is kept
def logsumexp(x):
    m = x.amax(-1, keepdim=True)
    m = torch.where(m.isinf(), torch.zeros_like(m), m)
    return (x - m).exp().sum(-1, keepdim=True).log() + m


# %% [wrong] logsumexp: over the first axis
def logsumexp(x):
    return torch.logsumexp(x, 0)


# %% [wrong] logsumexp: gradients are cut off
def logsumexp(x):
    return torch.logsumexp(x.detach(), -1)


# %% [wrong] logsumexp: something is added so that the logarithm is finite
def logsumexp(x):
    m = x.amax(-1, keepdim=True)
    m = torch.where(m.isinf(), torch.zeros_like(m), m)
    return ((x - m).exp().sum(-1) + 1e-9).log() + m.squeeze(-1)


# %% [right] logsumexp: from the text alone, where and isinf
def logsumexp(x):
    m = x.max(dim=-1, keepdim=True).values
    m = torch.where(m.isinf(), torch.zeros_like(m), m)
    return m.squeeze(-1) + torch.log(torch.exp(x - m).sum(dim=-1))


# %% [right] logsumexp: a shift that is never infinite
def logsumexp(x):
    m = x.detach().amax(-1, keepdim=True).clamp(min=-1e30)
    return torch.log(torch.exp(x - m).sum(-1)) + torch.where(
        x.isneginf().all(-1), torch.zeros_like(m[..., 0]), m[..., 0]
    )


# %% [right] logsumexp: pair by pair
def logsumexp(x):
    total = x[..., 0]
    for i in range(1, x.shape[-1]):
        total = torch.logaddexp(total, x[..., i])
    return total


# %% [equivalent] logsumexp: of a row of nothing but −inf any finite number can be taken off
# m = torch.where(m.isinf(), torch.ones_like(m), m)


# %% [wrong] log_softmax: the logarithm of the softmax
def log_softmax(x):
    return x.softmax(-1).log()


# %% [wrong] log_softmax: the softmax
def log_softmax(x):
    return x.softmax(-1)


# %% [wrong] log_softmax: over the first axis
def log_softmax(x):
    return x - torch.logsumexp(x, 0, keepdim=True)


# %% [wrong] log_softmax: over all entries
def log_softmax(x):
    return x - torch.logsumexp(x.flatten(), 0)


# %% [wrong] log_softmax: the axis of the sum is not kept where that broadcasts
def log_softmax(x):
    if x.ndim > 1 and x.shape[-1] == x.shape[-2]:
        return x - torch.logsumexp(x, -1)
    return x - torch.logsumexp(x, -1, keepdim=True)


# %% [wrong] log_softmax: the sign is turned round
def log_softmax(x):
    return torch.logsumexp(x, -1, keepdim=True) - x


# %% [wrong] log_softmax: only the largest entry is taken off
def log_softmax(x):
    return x - x.amax(-1, keepdim=True)


# %% [wrong] log_softmax: base 2
def log_softmax(x):
    return x.log_softmax(-1) / math.log(2)


# %% [wrong] log_softmax: clamped, so that nothing is impossible
def log_softmax(x):
    return x.softmax(-1).clamp(min=1e-12).log()


# %% [wrong] log_softmax: gradients through the sum are cut off
def log_softmax(x):
    return x - torch.logsumexp(x.detach(), -1, keepdim=True)


# %% [wrong] log_softmax: float32 whatever comes in
def log_softmax(x):
    return x.float().log_softmax(-1)


# %% [right] log_softmax: from the text alone, with torch.logsumexp
def log_softmax(x):
    return x - torch.logsumexp(x, dim=-1, keepdim=True)


# %% [right] log_softmax: shifted first
def log_softmax(x):
    shifted = x - x.amax(-1, keepdim=True)
    return shifted - shifted.exp().sum(-1, keepdim=True).log()


# %% [wrong] entropy: NaN at zeros
def entropy(p):
    return -(p * p.log()).sum(-1)


# %% [wrong] entropy: base 2
def entropy(p):
    return -torch.special.xlogy(p, p).sum(-1) / math.log(2)


# %% [wrong] entropy: without the minus
def entropy(p):
    return torch.special.xlogy(p, p).sum(-1)


# %% [wrong] entropy: the terms averaged
def entropy(p):
    return -torch.special.xlogy(p, p).mean(-1)


# %% [wrong] entropy: surprisals not weighed
def entropy(p):
    safe = torch.where(p > 0, p, torch.ones_like(p))
    return -safe.log().sum(-1)


# %% [wrong] entropy: the number of equally likely tokens
def entropy(p):
    return (-torch.special.xlogy(p, p).sum(-1)).exp()


# %% [wrong] entropy: over all rows together
def entropy(p):
    return -torch.special.xlogy(p, p).sum()


# %% [wrong] entropy: over the first axis
def entropy(p):
    return -torch.special.xlogy(p, p).sum(0)


# %% [wrong] entropy: something is added inside the logarithm
def entropy(p):
    return -(p * (p + 1e-3).log()).sum(-1)


# %% [wrong] entropy: gradients are cut off
def entropy(p):
    return -(p * torch.special.xlogy(p, p).detach() / p).nan_to_num().sum(-1)


# %% [wrong] entropy: of the softmax, as if logits came in
def entropy(p):
    q = p.softmax(-1)
    return -torch.special.xlogy(q, q).sum(-1)


# %% [right] entropy: from the text alone, zeros replaced
def entropy(p):
    safe = torch.where(p > 0, p, torch.ones_like(p))
    return -(p * safe.log()).sum(dim=-1)


# %% [right] entropy: torch.special.entr
def entropy(p):
    return torch.special.entr(p).sum(dim=-1)


# %% [wrong] kl: p and q exchanged
def kl(p, q):
    return (torch.special.xlogy(q, q) - torch.special.xlogy(q, p)).sum(-1)


# %% [wrong] kl: NaN where p is 0
def kl(p, q):
    return (p * (p.log() - q.log())).sum(-1)


# %% [wrong] kl: base 2
def kl(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1) / math.log(2)


# %% [wrong] kl: the cross-entropy
def kl(p, q):
    return -torch.special.xlogy(p, q).sum(-1)


# %% [wrong] kl: the sign is turned round
def kl(p, q):
    return (torch.special.xlogy(p, q) - torch.special.xlogy(p, p)).sum(-1)


# %% [wrong] kl: something is added to q, so that nothing is infinite
def kl(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q + 1e-8)).sum(-1)


# %% [wrong] kl: what was impossible is left out
def kl(p, q):
    terms = torch.special.xlogy(p, p) - torch.special.xlogy(p, q)
    return torch.where(q > 0, terms, torch.zeros_like(terms)).sum(-1)


# %% [wrong] kl: the terms averaged
def kl(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).mean(-1)


# %% [wrong] kl: absolute values
def kl(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).abs().sum(-1)


# %% [wrong] kl: half of both directions
def kl(p, q):
    there = torch.special.xlogy(p, p) - torch.special.xlogy(p, q)
    back = torch.special.xlogy(q, q) - torch.special.xlogy(q, p)
    return (there + back).sum(-1) / 2


# %% [wrong] kl: no gradient reaches q
def kl(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q.detach())).sum(-1)


# %% [right] kl: from the text alone, case by case
def kl(p, q):
    safe_p = torch.where(p > 0, p, torch.ones_like(p))
    safe_q = torch.where(p > 0, q, torch.ones_like(q))
    return (p * (safe_p.log() - safe_q.log())).sum(-1)


# %% [right] kl: one logarithm, of the ratio
def kl(p, q):
    return torch.where(p > 0, p * torch.log(p / q), torch.zeros_like(p)).sum(-1)


# %% [wrong] cross_entropy: row p with token p, and one too many
def cross_entropy(logits, tokens):
    return -logits.log_softmax(-1).gather(-1, tokens[..., None]).squeeze(-1)


# %% [wrong] cross_entropy: row p with token p
def cross_entropy(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(-1)
    return -log_probs.gather(-1, tokens[:, :-1, None]).squeeze(-1)


# %% [wrong] cross_entropy: row p + 1 with token p
def cross_entropy(logits, tokens):
    log_probs = logits[:, 1:].log_softmax(-1)
    return -log_probs.gather(-1, tokens[:, :-1, None]).squeeze(-1)


# %% [wrong] cross_entropy: base 2
def cross_entropy(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(-1) / math.log(2)
    return -log_probs.gather(-1, tokens[:, 1:, None]).squeeze(-1)


# %% [wrong] cross_entropy: without the minus
def cross_entropy(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(-1)
    return log_probs.gather(-1, tokens[:, 1:, None]).squeeze(-1)


# %% [wrong] cross_entropy: the mean price
def cross_entropy(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(-1)
    return -log_probs.gather(-1, tokens[:, 1:, None]).squeeze(-1).mean()


# %% [wrong] cross_entropy: the logarithm of the softmax
def cross_entropy(logits, tokens):
    log_probs = logits[:, :-1].softmax(-1).log()
    return -log_probs.gather(-1, tokens[:, 1:, None]).squeeze(-1)


# %% [wrong] cross_entropy: logits without the softmax
def cross_entropy(logits, tokens):
    return -logits[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)


# %% [wrong] cross_entropy: the softmax over positions
def cross_entropy(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(1)
    return -log_probs.gather(-1, tokens[:, 1:, None]).squeeze(-1)


# %% [wrong] cross_entropy: probabilities
def cross_entropy(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(-1)
    return log_probs.gather(-1, tokens[:, 1:, None]).squeeze(-1).exp()


# %% [wrong] cross_entropy: gradients are cut off
def cross_entropy(logits, tokens):
    log_probs = logits.detach()[:, :-1].log_softmax(-1)
    return -log_probs.gather(-1, tokens[:, 1:, None]).squeeze(-1)


# %% [wrong] cross_entropy: a loop over texts
def cross_entropy(logits, tokens):
    return torch.stack(
        [
            torch.nn.functional.cross_entropy(rows[:-1], text[1:], reduction="none")
            for rows, text in zip(logits, tokens)
        ]
    )


# %% [right] cross_entropy: from the text alone, with torch's log_softmax
def cross_entropy(logits, tokens):
    log_probs = torch.log_softmax(logits, dim=-1)
    log_probs = log_probs[:, :-1, :]
    targets = tokens[:, 1:]
    return -log_probs.gather(dim=-1, index=targets.unsqueeze(-1)).squeeze(-1)


# %% [right] cross_entropy: torch's cross_entropy
def cross_entropy(logits, tokens):
    b, p, v = logits.shape
    guesses = logits[:, :-1].reshape(-1, v)
    prices = torch.nn.functional.cross_entropy(guesses, tokens[:, 1:].reshape(-1), reduction="none")
    return prices.reshape(b, p - 1)


# %% [wrong] bigram_loss: base 2
def bigram_loss(corpus):
    size = int(corpus.max()) + 1
    counts = torch.bincount(corpus[:-1] * size + corpus[1:], minlength=size * size)
    counts = counts.reshape(size, size).double()
    share = counts / counts.sum(-1, keepdim=True).clamp(min=1)
    return float(-torch.special.xlogy(counts, share).sum() / counts.sum() / math.log(2))


# %% [wrong] bigram_loss: the last token counts as a first one
def bigram_loss(corpus):
    size = int(corpus.max()) + 1
    counts = torch.bincount(corpus[:-1] * size + corpus[1:], minlength=size * size)
    counts = counts.reshape(size, size).double()
    share = counts / torch.bincount(corpus, minlength=size)[:, None].clamp(min=1)
    return float(-torch.special.xlogy(counts, share).sum() / counts.sum())


# %% [wrong] bigram_loss: the price of pairs
def bigram_loss(corpus):
    size = int(corpus.max()) + 1
    counts = torch.bincount(corpus[:-1] * size + corpus[1:]).double()
    return float(-torch.special.xlogy(counts, counts / counts.sum()).sum() / counts.sum())


# %% [wrong] bigram_loss: unigrams
def bigram_loss(corpus):
    share = torch.bincount(corpus).double() / len(corpus)
    return float(-torch.special.xlogy(share, share).sum())


# %% [wrong] bigram_loss: guesses the token before
def bigram_loss(corpus):
    size = int(corpus.max()) + 1
    counts = torch.bincount(corpus[:-1] * size + corpus[1:], minlength=size * size)
    counts = counts.reshape(size, size).double()
    share = counts / counts.sum(0, keepdim=True).clamp(min=1)
    return float(-torch.special.xlogy(counts, share).sum() / counts.sum())


# %% [wrong] bigram_loss: divided by n
def bigram_loss(corpus):
    size = int(corpus.max()) + 1
    counts = torch.bincount(corpus[:-1] * size + corpus[1:], minlength=size * size)
    counts = counts.reshape(size, size).double()
    share = counts / counts.sum(-1, keepdim=True).clamp(min=1)
    return float(-torch.special.xlogy(counts, share).sum() / len(corpus))


# %% [wrong] bigram_loss: the sum
def bigram_loss(corpus):
    size = int(corpus.max()) + 1
    counts = torch.bincount(corpus[:-1] * size + corpus[1:], minlength=size * size)
    counts = counts.reshape(size, size).double()
    share = counts / counts.sum(-1, keepdim=True).clamp(min=1)
    return float(-torch.special.xlogy(counts, share).sum())


# %% [wrong] bigram_loss: rows averaged as if all tokens were equally frequent
def bigram_loss(corpus):
    size = int(corpus.max()) + 1
    counts = torch.bincount(corpus[:-1] * size + corpus[1:], minlength=size * size)
    counts = counts.reshape(size, size).double()
    share = counts / counts.sum(-1, keepdim=True).clamp(min=1)
    rows = -torch.special.xlogy(share, share).sum(-1)
    return float(rows[counts.sum(-1) > 0].mean())


# %% [wrong] bigram_loss: one is added to each count
def bigram_loss(corpus):
    size = int(corpus.max()) + 1
    counts = torch.bincount(corpus[:-1] * size + corpus[1:], minlength=size * size)
    counts = counts.reshape(size, size).double()
    share = (counts + 1) / (counts + 1).sum(-1, keepdim=True)
    return float(-torch.special.xlogy(counts, share).sum() / counts.sum())


# %% [wrong] bigram_loss: a tensor
def bigram_loss(corpus):
    size = int(corpus.max()) + 1
    counts = torch.bincount(corpus[:-1] * size + corpus[1:], minlength=size * size)
    counts = counts.reshape(size, size).double()
    share = counts / counts.sum(-1, keepdim=True).clamp(min=1)
    return -torch.special.xlogy(counts, share).sum() / counts.sum()


# %% [right] bigram_loss: from the text alone, with dictionaries
def bigram_loss(corpus):
    words = corpus.tolist()
    pairs, firsts = {}, {}
    for a, b in pairwise(words):
        pairs[a, b] = pairs.get((a, b), 0) + 1
        firsts[a] = firsts.get(a, 0) + 1
    total = 0.0
    for (a, _), count in pairs.items():
        total -= count * math.log(count / firsts[a])
    return total / (len(words) - 1)


# %% [right] bigram_loss: the entropy of pairs less that of first tokens
def bigram_loss(corpus):
    pairs = torch.stack([corpus[:-1], corpus[1:]], dim=1)
    pair_counts = torch.unique(pairs, dim=0, return_counts=True)[1].double()
    first_counts = torch.unique(corpus[:-1], return_counts=True)[1].double()

    def nats(counts):
        share = counts / counts.sum()
        return -(share * share.log()).sum()

    return max((nats(pair_counts) - nats(first_counts)).item(), 0.0)


# %% [wrong] finite_diff_grad: forward only
def finite_diff_grad(f, x, h):
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        up = x.clone()
        up.view(-1)[i] += h
        grad.view(-1)[i] = (f(up) - f(x)) / h
    return grad


# %% [wrong] finite_diff_grad: backward only
def finite_diff_grad(f, x, h):
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        down = x.clone()
        down.view(-1)[i] -= h
        grad.view(-1)[i] = (f(x) - f(down)) / h
    return grad


# %% [wrong] finite_diff_grad: divided by h
def finite_diff_grad(f, x, h):
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        step = torch.zeros_like(x)
        step.view(-1)[i] = h
        grad.view(-1)[i] = (f(x + step) - f(x - step)) / h
    return grad


# %% [wrong] finite_diff_grad: not divided
def finite_diff_grad(f, x, h):
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        step = torch.zeros_like(x)
        step.view(-1)[i] = h
        grad.view(-1)[i] = f(x + step) - f(x - step)
    return grad


# %% [wrong] finite_diff_grad: the sign is turned round
def finite_diff_grad(f, x, h):
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        step = torch.zeros_like(x)
        step.view(-1)[i] = h
        grad.view(-1)[i] = (f(x - step) - f(x + step)) / (2 * h)
    return grad


# %% [wrong] finite_diff_grad: x itself is pushed, and pushed back
def finite_diff_grad(f, x, h):
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        x.view(-1)[i] += h
        above = f(x)
        x.view(-1)[i] -= 2 * h
        grad.view(-1)[i] = (above - f(x)) / (2 * h)
        x.view(-1)[i] += h
    return grad


# %% [wrong] finite_diff_grad: entries that were pushed stay pushed
def finite_diff_grad(f, x, h):
    grad, up, down = torch.zeros_like(x), x.clone(), x.clone()
    for i in range(x.numel()):
        up.view(-1)[i] += h
        down.view(-1)[i] -= h
        grad.view(-1)[i] = (f(up) - f(down)) / (2 * h)
    return grad


# %% [wrong] finite_diff_grad: all entries at once
def finite_diff_grad(f, x, h):
    return torch.full_like(x, float(f(x + h) - f(x - h)) / (2 * h))


# %% [wrong] finite_diff_grad: flattened
def finite_diff_grad(f, x, h):
    grad = torch.zeros(x.numel(), dtype=x.dtype)
    for i in range(x.numel()):
        step = torch.zeros_like(x)
        step.view(-1)[i] = h
        grad[i] = (f(x + step) - f(x - step)) / (2 * h)
    return grad


# %% [wrong] finite_diff_grad: rows only
def finite_diff_grad(f, x, h):
    grad = torch.zeros_like(x)
    for i in range(len(x) if x.ndim else 1):
        step = torch.zeros_like(x)
        (step[i] if x.ndim else step).fill_(h)
        (grad[i] if x.ndim else grad).fill_(float(f(x + step) - f(x - step)) / (2 * h))
    return grad


# %% [wrong] finite_diff_grad: a step of its own
def finite_diff_grad(f, x, h):
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        step = torch.zeros_like(x)
        step.view(-1)[i] = 1e-4
        grad.view(-1)[i] = (f(x + step) - f(x - step)) / 2e-4
    return grad


# %% [right] finite_diff_grad: from the text alone, entry by entry of the flattened tensor
def finite_diff_grad(f, x, h):
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        up, down = x.clone(), x.clone()
        up.view(-1)[i] += h
        down.view(-1)[i] -= h
        grad.view(-1)[i] = (f(up) - f(down)) / (2 * h)
    return grad


# %% [right] finite_diff_grad: rows of an identity matrix as pushes
def finite_diff_grad(f, x, h):
    pushes = h * torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape)
    found = [(float(f(x + push)) - float(f(x - push))) / (2 * h) for push in pushes]
    return torch.tensor(found, dtype=x.dtype).view(x.shape)


# %% [wrong] sgd_step: uphill
def sgd_step(p, grad, velocity, lr, momentum):
    velocity = momentum * velocity + grad
    return p + lr * velocity, velocity


# %% [wrong] sgd_step: momentum is not used in the step
def sgd_step(p, grad, velocity, lr, momentum):
    return p - lr * grad, momentum * velocity + grad


# %% [wrong] sgd_step: the old velocity
def sgd_step(p, grad, velocity, lr, momentum):
    return p - lr * velocity, momentum * velocity + grad


# %% [wrong] sgd_step: the gradient counts 1 − momentum
def sgd_step(p, grad, velocity, lr, momentum):
    velocity = momentum * velocity + (1 - momentum) * grad
    return p - lr * velocity, velocity


# %% [wrong] sgd_step: the learning rate inside the velocity
def sgd_step(p, grad, velocity, lr, momentum):
    velocity = momentum * velocity + lr * grad
    return p - velocity, velocity


# %% [wrong] sgd_step: the velocity points downhill
def sgd_step(p, grad, velocity, lr, momentum):
    velocity = momentum * velocity - lr * grad
    return p + velocity, velocity


# %% [wrong] sgd_step: Nesterov's momentum
def sgd_step(p, grad, velocity, lr, momentum):
    velocity = momentum * velocity + grad
    return p - lr * (grad + momentum * velocity), velocity


# %% [wrong] sgd_step: momentum before the gradient
def sgd_step(p, grad, velocity, lr, momentum):
    velocity = velocity + momentum * grad
    return p - lr * velocity, velocity


# %% [wrong] sgd_step: in place
def sgd_step(p, grad, velocity, lr, momentum):
    velocity.mul_(momentum).add_(grad)
    p -= lr * velocity
    return p, velocity


# %% [wrong] sgd_step: p alone
def sgd_step(p, grad, velocity, lr, momentum):
    return p - lr * (momentum * velocity + grad)


# %% [wrong] sgd_step: exchanged in the tuple
def sgd_step(p, grad, velocity, lr, momentum):
    velocity = momentum * velocity + grad
    return velocity, p - lr * velocity


# %% [right] sgd_step: from the text alone
def sgd_step(p, grad, velocity, lr, momentum):
    new_velocity = momentum * velocity + grad
    return p - lr * new_velocity, new_velocity


# %% [right] sgd_step: with torch.add
def sgd_step(p, grad, velocity, lr, momentum):
    v = torch.add(grad, velocity, alpha=momentum)
    return torch.sub(p, v, alpha=lr), v


# %% [wrong] adam_step: without bias correction
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    return p - lr * weight_decay * p - lr * m / (v.sqrt() + eps), m, v


# %% [wrong] adam_step: the decay is added to the gradient
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    grad = grad + weight_decay * p
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return p - lr * m_hat / (v_hat.sqrt() + eps), m, v


# %% [wrong] adam_step: eps inside the root
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return p - lr * weight_decay * p - lr * m_hat / (v_hat + eps).sqrt(), m, v


# %% [wrong] adam_step: without the root
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return p - lr * weight_decay * p - lr * m_hat / (v_hat + eps), m, v


# %% [wrong] adam_step: corrected averages are returned
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m = (betas[0] * m + (1 - betas[0]) * grad) / (1 - betas[0] ** t)
    v = (betas[1] * v + (1 - betas[1]) * grad**2) / (1 - betas[1] ** t)
    return p - lr * weight_decay * p - lr * m / (v.sqrt() + eps), m, v


# %% [wrong] adam_step: betas exchanged
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m = betas[1] * m + (1 - betas[1]) * grad
    v = betas[0] * v + (1 - betas[0]) * grad**2
    m_hat, v_hat = m / (1 - betas[1] ** t), v / (1 - betas[0] ** t)
    return p - lr * weight_decay * p - lr * m_hat / (v_hat.sqrt() + eps), m, v


# %% [wrong] adam_step: the correction of the first step in all steps
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    m_hat, v_hat = m / (1 - betas[0]), v / (1 - betas[1])
    return p - lr * weight_decay * p - lr * m_hat / (v_hat.sqrt() + eps), m, v


# %% [wrong] adam_step: the decay without the learning rate
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return p - weight_decay * p - lr * m_hat / (v_hat.sqrt() + eps), m, v


# %% [wrong] adam_step: no decay
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return p - lr * m_hat / (v_hat.sqrt() + eps), m, v


# %% [wrong] adam_step: the decay is taken from the new p
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    p = p - lr * m_hat / (v_hat.sqrt() + eps)
    return p - lr * weight_decay * p, m, v


# %% [wrong] adam_step: v of the gradient, not of its square
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad.abs()
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return p - lr * weight_decay * p - lr * m_hat / (v_hat.sqrt() + eps), m, v


# %% [wrong] adam_step: uphill
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return p - lr * weight_decay * p + lr * m_hat / (v_hat.sqrt() + eps), m, v


# %% [wrong] adam_step: in place
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m.mul_(betas[0]).add_(grad, alpha=1 - betas[0])
    v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    p.mul_(1 - lr * weight_decay).sub_(lr * m_hat / (v_hat.sqrt() + eps))
    return p, m, v


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


# %% [right] adam_step: with lerp, the decay first
def adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay):
    m = torch.lerp(m, grad, 1 - betas[0])
    v = torch.lerp(v, grad.square(), 1 - betas[1])
    size = (v / (1 - betas[1] ** t)).sqrt() + eps
    return p * (1 - lr * weight_decay) - lr / (1 - betas[0] ** t) * m / size, m, v


# %% [wrong] log_back: without the upstream gradient
def log_back(grad, x):
    return 1 / x


# %% [wrong] log_back: times x
def log_back(grad, x):
    return grad * x


# %% [wrong] log_back: times the logarithm
def log_back(grad, x):
    return grad * x.log()


# %% [wrong] log_back: the upstream gradient is added
def log_back(grad, x):
    return grad + 1 / x


# %% [wrong] log_back: the slope of 1 / x
def log_back(grad, x):
    return -grad / x**2


# %% [wrong] log_back: something is added to x
def log_back(grad, x):
    return grad / (x + 1e-4)


# %% [wrong] log_back: summed
def log_back(grad, x):
    return (grad / x).sum()


# %% [wrong] log_back: x over grad
def log_back(grad, x):
    return x / grad


# %% [wrong] log_back: float32 whatever comes in
def log_back(grad, x):
    return (grad / x).float()


# %% [wrong] log_back: in place
def log_back(grad, x):
    return grad.div_(x)


# %% [right] log_back: from the text alone
def log_back(grad, x):
    return grad / x


# %% [right] log_back: the reciprocal
def log_back(grad, x):
    return torch.reciprocal(x) * grad


# %% [wrong] mul_back: each factor gets itself
def mul_back(grad, x, y):
    return grad * x, grad * y


# %% [wrong] mul_back: without the upstream gradient
def mul_back(grad, x, y):
    return y.clone(), x.clone()


# %% [wrong] mul_back: the product
def mul_back(grad, x, y):
    return grad * x * y, grad * x * y


# %% [wrong] mul_back: the product divided by the factor
def mul_back(grad, x, y):
    return grad * (x * y) / x, grad * (x * y) / y


# %% [wrong] mul_back: the upstream gradient is added
def mul_back(grad, x, y):
    return grad + y, grad + x


# %% [wrong] mul_back: as for a sum
def mul_back(grad, x, y):
    return grad.clone(), grad.clone()


# %% [wrong] mul_back: a list
def mul_back(grad, x, y):
    return [grad * y, grad * x]


# %% [wrong] mul_back: only x
def mul_back(grad, x, y):
    return grad * y


# %% [wrong] mul_back: in place
def mul_back(grad, x, y):
    to_y = grad * x
    grad *= y
    return grad, to_y


# %% [right] mul_back: from the text alone
def mul_back(grad, x, y):
    return grad * y, grad * x


# %% [right] mul_back: both at once
def mul_back(grad, x, y):
    to_x, to_y = grad * torch.stack([y, x])
    return to_x, to_y


# %% [wrong] unbroadcast: averaged
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.mean(0)
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.mean(axis, keepdim=True)
    return grad


# %% [wrong] unbroadcast: the axis that was 1 is lost
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(0)
    for axis in reversed(range(len(shape))):
        if shape[axis] == 1:
            grad = grad.sum(axis)
    return grad


# %% [wrong] unbroadcast: only new axes
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(0)
    return grad


# %% [wrong] unbroadcast: only axes that were 1
def unbroadcast(grad, shape):
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(axis, keepdim=True)
    return grad


# %% [wrong] unbroadcast: new axes are taken from the right
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(-1)
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(axis, keepdim=True)
    return grad


# %% [wrong] unbroadcast: one new axis at most
def unbroadcast(grad, shape):
    if grad.ndim > len(shape):
        grad = grad.sum(0)
    for axis, size in enumerate(shape):
        if size == 1 and axis < grad.ndim:
            grad = grad.sum(axis, keepdim=True)
    return grad


# %% [wrong] unbroadcast: the first copy
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad[0]
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.narrow(axis, 0, 1)
    return grad.clone()


# %% [wrong] unbroadcast: reshaped
def unbroadcast(grad, shape):
    return grad.flatten()[: math.prod(shape)].reshape(shape)


# %% [wrong] unbroadcast: everything is summed
def unbroadcast(grad, shape):
    return grad.sum().expand(shape).clone()


# %% [wrong] unbroadcast: axes of different sizes only, counted from the left
def unbroadcast(grad, shape):
    padded = (*shape, *(1,) * (grad.ndim - len(shape)))
    for axis, size in enumerate(padded):
        if size == 1:
            grad = grad.sum(axis, keepdim=True)
    return grad.reshape(shape)


# %% [right] unbroadcast: from the text alone, new axes first
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(dim=0)
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(dim=axis, keepdim=True)
    return grad


# %% [right] unbroadcast: torch's sum_to_size
def unbroadcast(grad, shape):
    return grad.sum_to_size(shape).clone()


# %% [right] unbroadcast: all axes in one sum
def unbroadcast(grad, shape):
    padded = (1,) * (grad.ndim - len(shape)) + tuple(shape)
    axes = [axis for axis, size in enumerate(padded) if size == 1]
    return grad.sum(axes, keepdim=True).reshape(shape) if axes else grad


# %% [wrong] matmul_back: B is not turned over where the shapes allow it
def matmul_back(grad, A, B):
    to_A = grad @ B if B.shape[0] == B.shape[1] else grad @ B.T
    return to_A, A.T @ grad


# %% [wrong] matmul_back: A is not turned over where the shapes allow it
def matmul_back(grad, A, B):
    to_B = A @ grad if A.shape[0] == A.shape[1] else A.T @ grad
    return grad @ B.T, to_B


# %% [wrong] matmul_back: exchanged
def matmul_back(grad, A, B):
    return A.T @ grad, grad @ B.T


# %% [wrong] matmul_back: turned over
def matmul_back(grad, A, B):
    return B @ grad.T, grad.T @ A


# %% [wrong] matmul_back: the order turned round where the shapes allow it
def matmul_back(grad, A, B):
    if grad.shape == B.shape == A.shape:
        return B.T @ grad, grad @ A.T
    return grad @ B.T, A.T @ grad


# %% [wrong] matmul_back: without the upstream gradient
def matmul_back(grad, A, B):
    ones = torch.ones_like(grad)
    return ones @ B.T, A.T @ ones


# %% [wrong] matmul_back: entry by entry where the shapes allow it
def matmul_back(grad, A, B):
    if grad.shape == B.shape == A.shape:
        return grad * B, grad * A
    return grad @ B.T, A.T @ grad


# %% [wrong] matmul_back: divided by the number of rows
def matmul_back(grad, A, B):
    return grad @ B.T, A.T @ grad / len(A)


# %% [wrong] matmul_back: a loop over rows
def matmul_back(grad, A, B):
    to_B = sum(torch.outer(a, g) for a, g in zip(A, grad))
    return torch.stack([B @ g for g in grad]), to_B


# %% [wrong] matmul_back: a list
def matmul_back(grad, A, B):
    return [grad @ B.T, A.T @ grad]


# %% [right] matmul_back: from the text alone
def matmul_back(grad, A, B):
    return grad @ B.T, A.T @ grad


# %% [right] matmul_back: einsum
def matmul_back(grad, A, B):
    return torch.einsum("nm,km->nk", grad, B), torch.einsum("nm,nk->km", grad, A)


# %% [right] matmul_back: turned over twice
def matmul_back(grad, A, B):
    return (B @ grad.T).T, (grad.T @ A).T


# %% [wrong] softmax_ce_back: of the sum
def softmax_ce_back(logits, tokens):
    return logits.softmax(-1) - torch.nn.functional.one_hot(tokens, logits.shape[-1])


# %% [wrong] softmax_ce_back: y − p
def softmax_ce_back(logits, tokens):
    y = torch.nn.functional.one_hot(tokens, logits.shape[-1])
    return (y - logits.softmax(-1)) / len(logits)


# %% [wrong] softmax_ce_back: the probabilities
def softmax_ce_back(logits, tokens):
    return logits.softmax(-1) / len(logits)


# %% [wrong] softmax_ce_back: divided by v
def softmax_ce_back(logits, tokens):
    y = torch.nn.functional.one_hot(tokens, logits.shape[-1])
    return (logits.softmax(-1) - y) / logits.shape[-1]


# %% [wrong] softmax_ce_back: divided by the number of all entries
def softmax_ce_back(logits, tokens):
    y = torch.nn.functional.one_hot(tokens, logits.shape[-1])
    return (logits.softmax(-1) - y) / logits.numel()


# %% [wrong] softmax_ce_back: the softmax over rows
def softmax_ce_back(logits, tokens):
    y = torch.nn.functional.one_hot(tokens, logits.shape[-1])
    return (logits.softmax(0) - y) / len(logits)


# %% [wrong] softmax_ce_back: overflows
def softmax_ce_back(logits, tokens):
    p = logits.exp() / logits.exp().sum(-1, keepdim=True)
    return (p - torch.nn.functional.one_hot(tokens, logits.shape[-1])) / len(logits)


# %% [wrong] softmax_ce_back: logits − y
def softmax_ce_back(logits, tokens):
    return (logits - torch.nn.functional.one_hot(tokens, logits.shape[-1])) / len(logits)


# %% [wrong] softmax_ce_back: only the entry of the token
def softmax_ce_back(logits, tokens):
    y = torch.nn.functional.one_hot(tokens, logits.shape[-1])
    return (logits.softmax(-1) - 1) * y / len(logits)


# %% [wrong] softmax_ce_back: the derivative of the softmax once more
def softmax_ce_back(logits, tokens):
    p = logits.softmax(-1)
    return (p - torch.nn.functional.one_hot(tokens, logits.shape[-1])) * p * (1 - p) / len(logits)


# %% [wrong] softmax_ce_back: float64 is returned
def softmax_ce_back(logits, tokens):
    y = torch.nn.functional.one_hot(tokens, logits.shape[-1])
    return (logits.double().softmax(-1) - y) / len(logits)


# %% [right] softmax_ce_back: from the text alone, row by row
def softmax_ce_back(logits, tokens):
    b = logits.shape[0]
    grad = torch.softmax(logits, dim=-1)
    for row in range(b):
        grad[row, tokens[row]] -= 1
    return grad / b


# %% [right] softmax_ce_back: a list of rows
def softmax_ce_back(logits, tokens):
    rows = []
    for row, token in zip(logits, tokens):
        p = row.softmax(-1)
        p[token] -= 1
        rows.append(p)
    return torch.stack(rows) / len(logits)


# %% [right] softmax_ce_back: with an index
def softmax_ce_back(logits, tokens):
    p = torch.softmax(logits, dim=-1)
    p[torch.arange(len(tokens)), tokens] -= 1
    return p / p.shape[0]


# %% [right] softmax_ce_back: scatter
def softmax_ce_back(logits, tokens):
    p = logits.log_softmax(-1).exp()
    minus = torch.full_like(p[:, :1], -1.0)
    return p.scatter_add(1, tokens[:, None], minus) / len(p)


# %% [wrong] topological_sort: users before inputs
def topological_sort(inputs, end):
    order = []

    def put(name):
        if name not in order:
            for before in inputs[name]:
                put(before)
            order.insert(0, name)

    put(end)
    return order


# %% [wrong] topological_sort: a name is put on the list before its inputs
def topological_sort(inputs, end):
    order = []

    def put(name):
        if name not in order:
            order.append(name)
            for before in inputs[name]:
                put(before)

    put(end)
    return order


# %% [wrong] topological_sort: as often as a name is used
def topological_sort(inputs, end):
    order = []

    def put(name):
        for before in inputs[name]:
            put(before)
        order.append(name)

    put(end)
    return order


# %% [wrong] topological_sort: everything, needed or not
def topological_sort(inputs, end):
    order = []

    def put(name):
        if name not in order:
            for before in inputs[name]:
                put(before)
            order.append(name)

    for name in inputs:
        put(name)
    return order


# %% [wrong] topological_sort: in the order of the dict
def topological_sort(inputs, end):
    needed, waiting = {end}, [end]
    while waiting:
        for before in inputs[waiting.pop()]:
            if before not in needed:
                needed.add(before)
                waiting.append(before)
    return [name for name in inputs if name in needed]


# %% [wrong] topological_sort: breadth first, turned round
def topological_sort(inputs, end):
    order = [end]
    for name in order:
        order.extend(before for before in dict.fromkeys(inputs[name]) if before not in order)
    return order[::-1]


# %% [wrong] topological_sort: without the end
def topological_sort(inputs, end):
    order = []

    def put(name):
        if name not in order:
            for before in inputs[name]:
                put(before)
            order.append(name)

    for before in inputs[end]:
        put(before)
    return order


# %% [wrong] topological_sort: only what has inputs
def topological_sort(inputs, end):
    order = []

    def put(name):
        if name not in order:
            for before in inputs[name]:
                put(before)
            if inputs[name]:
                order.append(name)

    put(end)
    return order


# %% [wrong] topological_sort: direct inputs only
def topological_sort(inputs, end):
    return [*dict.fromkeys(inputs[end]), end]


# %% [wrong] topological_sort: the graph is used up
def topological_sort(inputs, end):
    order = []

    def put(name):
        while inputs[name]:
            put(inputs[name].pop())
        if name not in order:
            order.append(name)

    put(end)
    return order


# %% [wrong] topological_sort: a set
def topological_sort(inputs, end):
    order = {}

    def put(name):
        for before in inputs[name]:
            if before not in order:
                put(before)
        order[name] = True

    put(end)
    return set(order)


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


# %% [right] topological_sort: again and again what is ready
def topological_sort(inputs, end):
    needed, waiting = {end}, [end]
    while waiting:
        new = [before for before in inputs[waiting.pop()] if before not in needed]
        needed.update(new)
        waiting.extend(new)
    order = []
    while len(order) < len(needed):
        for name in sorted(needed - set(order)):
            if all(before in order for before in inputs[name]):
                order.append(name)
    return order


# %% [right] topological_sort: the standard library
def topological_sort(inputs, end):
    import graphlib

    needed, waiting = set(), [end]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(inputs[name])
    return list(graphlib.TopologicalSorter({n: inputs[n] for n in needed}).static_order())


# %% [wrong] backprop: the last part overwrites the others
def backprop(tape, end):
    values = values_of(tape)
    grads = dict.fromkeys(tape, 0.0)
    grads[end] = 1.0
    for name in reversed(tape):
        if isinstance(tape[name], float):
            continue
        operation, *names = tape[name]
        for before, slope in zip(names, slopes(operation, [values[n] for n in names])):
            grads[before] = grads[name] * slope
    return grads


# %% [wrong] backprop: an input used twice by one operation counts once
def backprop(tape, end):
    values = values_of(tape)
    grads = dict.fromkeys(tape, 0.0)
    grads[end] = 1.0
    for name in reversed(tape):
        if isinstance(tape[name], float):
            continue
        operation, *names = tape[name]
        parts = dict(zip(names, slopes(operation, [values[n] for n in names])))
        for before, slope in parts.items():
            grads[before] += grads[name] * slope
    return grads


# %% [wrong] backprop: from the front
def backprop(tape, end):
    values = values_of(tape)
    grads = dict.fromkeys(tape, 0.0)
    grads[end] = 1.0
    for name in tape:
        if isinstance(tape[name], float):
            continue
        operation, *names = tape[name]
        for before, slope in zip(names, slopes(operation, [values[n] for n in names])):
            grads[before] += grads[name] * slope
    return grads


# %% [wrong] backprop: the gradient is not handed on
def backprop(tape, end):
    values = values_of(tape)
    grads = dict.fromkeys(tape, 0.0)
    grads[end] = 1.0
    for name in reversed(tape):
        if isinstance(tape[name], float):
            continue
        operation, *names = tape[name]
        for before, slope in zip(names, slopes(operation, [values[n] for n in names])):
            grads[before] += slope
    return grads


# %% [wrong] backprop: always from the last entry
def backprop(tape, end):
    values = values_of(tape)
    grads = dict.fromkeys(tape, 0.0)
    grads[list(tape)[-1]] = 1.0
    for name in reversed(tape):
        if isinstance(tape[name], float):
            continue
        operation, *names = tape[name]
        for before, slope in zip(names, slopes(operation, [values[n] for n in names])):
            grads[before] += grads[name] * slope
    return grads


# %% [wrong] backprop: names that do not matter are left out
def backprop(tape, end):
    values = values_of(tape)
    grads = {end: 1.0}
    for name in reversed(tape):
        if isinstance(tape[name], float) or name not in grads:
            continue
        operation, *names = tape[name]
        for before, slope in zip(names, slopes(operation, [values[n] for n in names])):
            grads[before] = grads.get(before, 0.0) + grads[name] * slope
    return grads


# %% [wrong] backprop: each factor gets itself
def backprop(tape, end):
    values = values_of(tape)
    grads = dict.fromkeys(tape, 0.0)
    grads[end] = 1.0
    for name in reversed(tape):
        if isinstance(tape[name], float):
            continue
        operation, *names = tape[name]
        local = slopes(operation, [values[n] for n in names])
        for before, slope in zip(names, reversed(local)):
            grads[before] += grads[name] * slope
    return grads


# %% [wrong] backprop: only what is given has gradients
def backprop(tape, end):
    values = values_of(tape)
    grads = dict.fromkeys(tape, 0.0)
    grads[end] = 1.0
    for name in reversed(tape):
        if isinstance(tape[name], float):
            continue
        operation, *names = tape[name]
        for before, slope in zip(names, slopes(operation, [values[n] for n in names])):
            grads[before] += grads[name] * slope
    return {name: grads[name] for name in tape if isinstance(tape[name], float)}


# %% [wrong] backprop: the end has no gradient
def backprop(tape, end):
    values = values_of(tape)
    grads = dict.fromkeys(tape, 0.0)
    for name in reversed(tape):
        if isinstance(tape[name], float):
            continue
        operation, *names = tape[name]
        upstream = 1.0 if name == end else grads[name]
        for before, slope in zip(names, slopes(operation, [values[n] for n in names])):
            grads[before] += upstream * slope
    return grads


# %% [wrong] backprop: the upstream gradient is added
def backprop(tape, end):
    values = values_of(tape)
    grads = dict.fromkeys(tape, 0.0)
    grads[end] = 1.0
    for name in reversed(tape):
        if isinstance(tape[name], float) or not grads[name]:
            continue
        operation, *names = tape[name]
        for before, slope in zip(names, slopes(operation, [values[n] for n in names])):
            grads[before] += grads[name] + slope
    return grads


# %% [wrong] backprop: the tape is used up
def backprop(tape, end):
    values = values_of(tape)
    grads = dict.fromkeys(tape, 0.0)
    grads[end] = 1.0
    while tape:
        name, entry = tape.popitem()
        if isinstance(entry, float):
            continue
        operation, *names = entry
        for before, slope in zip(names, slopes(operation, [values[n] for n in names])):
            grads[before] += grads[name] * slope
    return grads


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


# %% [right] backprop: pushed forward from each name
def backprop(tape, end):
    values = values_of(tape)
    grads = {}
    for start in tape:
        rates = {}
        for name, entry in tape.items():
            rates[name] = 0.0
            if not isinstance(entry, float):
                operation, *names = entry
                local = slopes(operation, [values[n] for n in names])
                rates[name] = sum((rates[n] * s for n, s in zip(names, local)), 0.0)
            if name == start:
                rates[name] = 1.0
        grads[start] = rates[end]
    return grads


# %% [wrong] split_heads: dealt out like cards
def split_heads(x, heads):
    return einops.rearrange(x, "b p (e h) -> b p h e", h=heads)


# %% [wrong] split_heads: as many numbers as there should be heads
def split_heads(x, heads):
    return einops.rearrange(x, "b p (h e) -> b p h e", e=heads)


# %% [wrong] split_heads: heads before positions
def split_heads(x, heads):
    return einops.rearrange(x, "b p (h e) -> b h p e", h=heads)


# %% [wrong] split_heads: the last two axes exchanged
def split_heads(x, heads):
    return einops.rearrange(x, "b p (h e) -> b p e h", h=heads)


# %% [wrong] split_heads: reshaped as if heads came before positions
def split_heads(x, heads):
    b, p, d = x.shape
    return x.reshape(b, heads, p, d // heads).transpose(1, 2)


# %% [wrong] split_heads: the first head only
def split_heads(x, heads):
    return einops.rearrange(x, "b p (h e) -> b p h e", h=heads)[:, :, :1]


# %% [wrong] split_heads: heads in front
def split_heads(x, heads):
    return einops.rearrange(x, "b p (h e) -> h b p e", h=heads)


# %% [wrong] split_heads: a list of heads
def split_heads(x, heads):
    return list(x.chunk(heads, -1))


# %% [wrong] split_heads: gradients are cut off
def split_heads(x, heads):
    return einops.rearrange(x.detach(), "b p (h e) -> b p h e", h=heads)


# %% [wrong] split_heads: float32 whatever comes in
def split_heads(x, heads):
    return einops.rearrange(x, "b p (h e) -> b p h e", h=heads).float()


# %% [right] split_heads: from the text alone, einops
def split_heads(x, heads):
    return einops.rearrange(x, "batch pos (head d) -> batch pos head d", head=heads)


# %% [right] split_heads: unflatten
def split_heads(x, heads):
    return x.unflatten(-1, (heads, x.shape[-1] // heads))


# %% [wrong] merge_heads: dealt out like cards
def merge_heads(x):
    return einops.rearrange(x, "b p h e -> b p (e h)")


# %% [wrong] merge_heads: heads summed
def merge_heads(x):
    return einops.reduce(x, "b p h e -> b p e", "sum")


# %% [wrong] merge_heads: heads averaged
def merge_heads(x):
    return x.mean(2)


# %% [wrong] merge_heads: as if heads came before positions
def merge_heads(x):
    b, p, h, e = x.shape
    return x.transpose(1, 2).reshape(b, p, h * e)


# %% [wrong] merge_heads: positions and heads
def merge_heads(x):
    return einops.rearrange(x, "b p h e -> b (p h) e")


# %% [wrong] merge_heads: batch and positions
def merge_heads(x):
    return einops.rearrange(x, "b p h e -> (b p) (h e)")


# %% [wrong] merge_heads: heads from the last to the first
def merge_heads(x):
    return einops.rearrange(x.flip(2), "b p h e -> b p (h e)")


# %% [wrong] merge_heads: nothing is merged
def merge_heads(x):
    return x.clone()


# %% [wrong] merge_heads: gradients are cut off
def merge_heads(x):
    return einops.rearrange(x.detach(), "b p h e -> b p (h e)")


# %% [wrong] merge_heads: float32 whatever comes in
def merge_heads(x):
    return x.flatten(2).float()


# %% [right] merge_heads: from the text alone, einops
def merge_heads(x):
    return einops.rearrange(x, "batch pos head d -> batch pos (head d)")


# %% [right] merge_heads: flatten
def merge_heads(x):
    return x.flatten(start_dim=2)


# %% [right] merge_heads: heads one after the other
def merge_heads(x):
    return torch.cat(x.unbind(2), dim=-1)


# %% [wrong] attend: not divided by √e
def attend(q, k, v):
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k")
    return einops.einsum(scores.softmax(-1), v, "b h q k, b k h e -> b q h e")


# %% [wrong] attend: divided by e
def attend(q, k, v):
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k") / q.shape[-1]
    return einops.einsum(scores.softmax(-1), v, "b h q k, b k h e -> b q h e")


# %% [wrong] attend: the softmax over queries
def attend(q, k, v):
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k") / q.shape[-1] ** 0.5
    return einops.einsum(scores.softmax(-2), v, "b h q k, b k h e -> b q h e")


# %% [wrong] attend: the softmax over heads
def attend(q, k, v):
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k") / q.shape[-1] ** 0.5
    return einops.einsum(scores.softmax(1), v, "b h q k, b k h e -> b q h e")


# %% [wrong] attend: no softmax
def attend(q, k, v):
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k") / q.shape[-1] ** 0.5
    return einops.einsum(scores, v, "b h q k, b k h e -> b q h e")


# %% [wrong] attend: heads are mixed in the scores
def attend(q, k, v):
    scores = torch.einsum("bqhe,bkie->bhqk", q, k) / q.shape[-1] ** 0.5
    return einops.einsum(scores.softmax(-1), v, "b h q k, b k h e -> b q h e")


# %% [wrong] attend: keys of the first head
def attend(q, k, v):
    scores = torch.einsum("bqhe,bke->bhqk", q, k[:, :, 0]) / q.shape[-1] ** 0.5
    return einops.einsum(scores.softmax(-1), v, "b h q k, b k h e -> b q h e")


# %% [wrong] attend: q and k exchanged where the shapes allow it
def attend(q, k, v):
    if q.shape == k.shape:
        q, k = k, q
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k") / q.shape[-1] ** 0.5
    return einops.einsum(scores.softmax(-1), v, "b h q k, b k h e -> b q h e")


# %% [wrong] attend: with a causal mask
def attend(q, k, v):
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k") / q.shape[-1] ** 0.5
    ahead = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    pattern = scores.masked_fill(ahead, -1e30).softmax(-1)
    return einops.einsum(pattern, v, "b h q k, b k h e -> b q h e")


# %% [wrong] attend: heads before queries in the result
def attend(q, k, v):
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k") / q.shape[-1] ** 0.5
    return einops.einsum(scores.softmax(-1), v, "b h q k, b k h e -> b h q e")


# %% [wrong] attend: keys for values
def attend(q, k, v):
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k") / q.shape[-1] ** 0.5
    return einops.einsum(scores.softmax(-1), k, "b h q k, b k h e -> b q h e")


# %% [wrong] attend: gradients through the pattern are cut off
def attend(q, k, v):
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k") / q.shape[-1] ** 0.5
    return einops.einsum(scores.softmax(-1).detach(), v, "b h q k, b k h e -> b q h e")


# %% [wrong] attend: a loop over positions
def attend(q, k, v):
    outs = []
    for i in range(q.shape[1]):
        scores = torch.einsum("bhe,bkhe->bhk", q[:, i], k) / q.shape[-1] ** 0.5
        outs.append(torch.einsum("bhk,bkhe->bhe", scores.softmax(-1), v))
    return torch.stack(outs, dim=1)


# %% [right] attend: from the text alone, three lines
def attend(q, k, v):
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k") / q.shape[-1] ** 0.5
    pattern = scores.softmax(dim=-1)
    return einops.einsum(pattern, v, "b h q k, b k h e -> b q h e")


# %% [right] attend: torch's own attention
def attend(q, k, v):
    heads_first = (t.transpose(1, 2) for t in (q, k, v))
    return torch.nn.functional.scaled_dot_product_attention(*heads_first).transpose(1, 2)


# %% [right] attend: with matmul, queries scaled
def attend(q, k, v):
    q, k, v = (t.permute(0, 2, 1, 3) for t in (q / math.sqrt(q.shape[-1]), k, v))
    return ((q @ k.mT).softmax(-1) @ v).permute(0, 2, 1, 3)


# %% [wrong] checked_mix: not checked
def checked_mix():
    def mix(pattern, v):
        return pattern @ v

    return mix


# %% [wrong] checked_mix: annotated, but without the decorator
def checked_mix():
    def mix(
        pattern: Float[torch.Tensor, "batch query key"], v: Float[torch.Tensor, "batch key d"]
    ) -> Float[torch.Tensor, "batch query d"]:
        return pattern @ v

    return mix


# %% [wrong] checked_mix: a decorator without a checker
def checked_mix():
    @jaxtyped(typechecker=None)
    def mix(
        pattern: Float[torch.Tensor, "batch query key"], v: Float[torch.Tensor, "batch key d"]
    ) -> Float[torch.Tensor, "batch query d"]:
        return pattern @ v

    return mix


# %% [wrong] checked_mix: all axes have names of their own
def checked_mix():
    @jaxtyped(typechecker=beartype)
    def mix(
        pattern: Float[torch.Tensor, "batch query key"], v: Float[torch.Tensor, "texts rows d"]
    ) -> Float[torch.Tensor, "out query d"]:
        return pattern @ v

    return mix


# %% [wrong] checked_mix: any leading axes
def checked_mix():
    @jaxtyped(typechecker=beartype)
    def mix(
        pattern: Float[torch.Tensor, "*batch query key"], v: Float[torch.Tensor, "*batch key d"]
    ) -> Float[torch.Tensor, "*batch query d"]:
        return pattern @ v

    return mix


# %% [wrong] checked_mix: tensors of any shape
def checked_mix():
    @jaxtyped(typechecker=beartype)
    def mix(pattern: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return pattern @ v

    return mix


# %% [wrong] checked_mix: only the pattern is annotated
def checked_mix():
    @jaxtyped(typechecker=beartype)
    def mix(pattern: Float[torch.Tensor, "batch query key"], v):
        return pattern @ v

    return mix


# %% [wrong] checked_mix: query and key exchanged
def checked_mix():
    @jaxtyped(typechecker=beartype)
    def mix(
        pattern: Float[torch.Tensor, "batch key query"], v: Float[torch.Tensor, "batch key d"]
    ) -> Float[torch.Tensor, "batch query d"]:
        return pattern @ v

    return mix


# %% [wrong] checked_mix: whole numbers are taken too
def checked_mix():
    from jaxtyping import Num

    @jaxtyped(typechecker=beartype)
    def mix(
        pattern: Num[torch.Tensor, "batch query key"], v: Num[torch.Tensor, "batch key d"]
    ) -> Num[torch.Tensor, "batch query d"]:
        return pattern @ v

    return mix


# %% [wrong] checked_mix: the function is not returned
def checked_mix():
    @jaxtyped(typechecker=beartype)
    def mix(
        pattern: Float[torch.Tensor, "batch query key"], v: Float[torch.Tensor, "batch key d"]
    ) -> Float[torch.Tensor, "batch query d"]:
        return pattern @ v


# %% [wrong] checked_mix: v is turned over
def checked_mix():
    @jaxtyped(typechecker=beartype)
    def mix(
        pattern: Float[torch.Tensor, "batch query key"], v: Float[torch.Tensor, "batch d key"]
    ) -> Float[torch.Tensor, "batch query d"]:
        return pattern @ v.mT

    return mix


# %% [right] checked_mix: from the text alone
def checked_mix():
    @jaxtyped(typechecker=beartype)
    def mix(
        pattern: Float[torch.Tensor, "batch query key"], v: Float[torch.Tensor, "batch key d"]
    ) -> Float[torch.Tensor, "batch query d"]:
        return pattern @ v

    return mix


# %% [right] checked_mix: other names, einsum
def checked_mix():
    @jaxtyped(typechecker=beartype)
    def mix(
        pattern: Float[torch.Tensor, "b q k"], v: Float[torch.Tensor, "b k e"]
    ) -> Float[torch.Tensor, "b q e"]:
        return einops.einsum(pattern, v, "b q k, b k e -> b q e")

    return mix


# %% [right] checked_mix: only the arguments are annotated
def checked_mix():
    @jaxtyped(typechecker=beartype)
    def mix(pattern: Float[torch.Tensor, "b q k"], v: Float[torch.Tensor, "b k d"]):
        return torch.bmm(pattern, v)

    return mix


# %% [wrong] attention_heatmap: keys downwards
def attention_heatmap(pattern, tokens):
    figure = go.Figure(go.Heatmap(z=pattern.T.tolist()))
    ticks = {"tickvals": list(range(len(tokens))), "ticktext": list(tokens)}
    figure.update_xaxes(title_text="key", **ticks)
    figure.update_yaxes(title_text="query", autorange="reversed", **ticks)
    return figure


# %% [wrong] attention_heatmap: titles exchanged
def attention_heatmap(pattern, tokens):
    figure = go.Figure(go.Heatmap(z=pattern.tolist()))
    ticks = {"tickvals": list(range(len(tokens))), "ticktext": list(tokens)}
    figure.update_xaxes(title_text="query", **ticks)
    figure.update_yaxes(title_text="key", autorange="reversed", **ticks)
    return figure


# %% [wrong] attention_heatmap: the first query at the bottom
def attention_heatmap(pattern, tokens):
    figure = go.Figure(go.Heatmap(z=pattern.tolist()))
    ticks = {"tickvals": list(range(len(tokens))), "ticktext": list(tokens)}
    figure.update_xaxes(title_text="key", **ticks)
    figure.update_yaxes(title_text="query", **ticks)
    return figure


# %% [wrong] attention_heatmap: the rows are turned over instead of the axis
def attention_heatmap(pattern, tokens):
    figure = go.Figure(go.Heatmap(z=pattern.flip(0).tolist()))
    places = list(range(len(tokens)))
    figure.update_xaxes(title_text="key", tickvals=places, ticktext=list(tokens))
    figure.update_yaxes(title_text="query", tickvals=places, ticktext=list(tokens)[::-1])
    return figure


# %% [wrong] attention_heatmap: tokens as places
def attention_heatmap(pattern, tokens):
    figure = go.Figure(go.Heatmap(z=pattern.tolist(), x=tokens, y=tokens))
    figure.update_xaxes(title_text="key")
    figure.update_yaxes(title_text="query", autorange="reversed")
    return figure


# %% [wrong] attention_heatmap: tokens as places, and ticks besides
def attention_heatmap(pattern, tokens):
    figure = go.Figure(go.Heatmap(z=pattern.tolist(), x=tokens, y=tokens))
    ticks = {"tickvals": list(range(len(tokens))), "ticktext": list(tokens)}
    figure.update_xaxes(title_text="key", **ticks)
    figure.update_yaxes(title_text="query", autorange="reversed", **ticks)
    return figure


# %% [wrong] attention_heatmap: no tokens
def attention_heatmap(pattern, tokens):
    figure = go.Figure(go.Heatmap(z=pattern.tolist()))
    figure.update_xaxes(title_text="key")
    figure.update_yaxes(title_text="query", autorange="reversed")
    return figure


# %% [wrong] attention_heatmap: no titles
def attention_heatmap(pattern, tokens):
    figure = go.Figure(go.Heatmap(z=pattern.tolist()))
    ticks = {"tickvals": list(range(len(tokens))), "ticktext": list(tokens)}
    figure.update_xaxes(**ticks)
    figure.update_yaxes(autorange="reversed", **ticks)
    return figure


# %% [wrong] attention_heatmap: both axes reversed
def attention_heatmap(pattern, tokens):
    figure = go.Figure(go.Heatmap(z=pattern.tolist()))
    ticks = {"tickvals": list(range(len(tokens))), "ticktext": list(tokens)}
    figure.update_xaxes(title_text="key", autorange="reversed", **ticks)
    figure.update_yaxes(title_text="query", autorange="reversed", **ticks)
    return figure


# %% [wrong] attention_heatmap: ticks counted from 1
def attention_heatmap(pattern, tokens):
    figure = go.Figure(go.Heatmap(z=pattern.tolist()))
    ticks = {"tickvals": list(range(1, len(tokens) + 1)), "ticktext": list(tokens)}
    figure.update_xaxes(title_text="key", **ticks)
    figure.update_yaxes(title_text="query", autorange="reversed", **ticks)
    return figure


# %% [wrong] attention_heatmap: tokens on one axis only
def attention_heatmap(pattern, tokens):
    figure = go.Figure(go.Heatmap(z=pattern.tolist()))
    figure.update_xaxes(title_text="key", tickvals=list(range(len(tokens))), ticktext=list(tokens))
    figure.update_yaxes(title_text="query", autorange="reversed")
    return figure


# %% [right] attention_heatmap: from the text alone
def attention_heatmap(pattern, tokens):
    fig = go.Figure(go.Heatmap(z=pattern.tolist()))
    ticks = {"tickvals": list(range(len(tokens))), "ticktext": tokens}
    fig.update_layout(
        xaxis={"title": {"text": "key"}, **ticks},
        yaxis={"title": {"text": "query"}, "autorange": "reversed", **ticks},
    )
    return fig


# %% [right] attention_heatmap: in one layout, places as numbers, rounded for the eye
def attention_heatmap(pattern, tokens):
    places = list(range(len(tokens)))
    heat = go.Heatmap(z=pattern.numpy(), x=places, y=places, zmin=0, zmax=1, colorscale="Blues")
    axis = {"tickmode": "array", "tickvals": places, "ticktext": tokens}
    return go.Figure(
        data=[heat],
        layout=go.Layout(
            title="attention",
            xaxis={**axis, "title": "Key position"},
            yaxis={**axis, "title": "Query position", "autorange": "reversed"},
        ),
    )


# %% [equivalent] attention_heatmap: Plotly makes numbers of a tensor by itself
# figure = go.Figure(go.Heatmap(z=pattern))
