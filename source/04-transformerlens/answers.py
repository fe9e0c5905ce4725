# %% [wrong] token_report: BOS is always there
def token_report(model, text, prepend_bos):
    ids = model.to_tokens(text)[0].tolist()
    return [(i, model.tokenizer.decode([i])) for i in ids]


# %% [wrong] token_report: BOS is never there
def token_report(model, text, prepend_bos):
    ids = model.to_tokens(text, prepend_bos=False)[0].tolist()
    return [(i, model.tokenizer.decode([i])) for i in ids]


# %% [wrong] token_report: ids with BOS beside texts without it
def token_report(model, text, prepend_bos):
    ids = model.to_tokens(text, prepend_bos=prepend_bos)[0].tolist()
    return list(zip(ids, model.to_str_tokens(text, prepend_bos=False)))


# %% [wrong] token_report: the texts have lost their spaces
def token_report(model, text, prepend_bos):
    ids = model.to_tokens(text, prepend_bos=prepend_bos)[0].tolist()
    return [(i, model.tokenizer.decode([i]).strip()) for i in ids]


# %% [wrong] token_report: words instead of tokens
def token_report(model, text, prepend_bos):
    words = text.split(" ")
    words = [words[0], *(" " + word for word in words[1:])]
    report = [(int(model.to_tokens(w, prepend_bos=False)[0, 0]), w) for w in words]
    bos = model.tokenizer.bos_token_id
    return [(bos, model.tokenizer.decode([bos])), *report] if prepend_bos else report


# %% [wrong] token_report: the ids are tensors
def token_report(model, text, prepend_bos):
    ids = model.to_tokens(text, prepend_bos=prepend_bos)[0]
    return [(i, model.tokenizer.decode([i])) for i in ids]


# %% [wrong] token_report: text and id are exchanged
def token_report(model, text, prepend_bos):
    ids = model.to_tokens(text, prepend_bos=prepend_bos)[0].tolist()
    return [(model.tokenizer.decode([i]), i) for i in ids]


# %% [wrong] token_report: every token only once
def token_report(model, text, prepend_bos):
    ids = model.to_tokens(text, prepend_bos=prepend_bos)[0].tolist()
    return list({i: (i, model.tokenizer.decode([i])) for i in ids}.values())


# %% [wrong] token_report: BOS is left out of what the library gives, and so is the first token without it
def token_report(model, text, prepend_bos):
    ids = model.to_tokens(text, prepend_bos=prepend_bos)[0, 1:].tolist()
    first = [model.tokenizer.bos_token_id] if prepend_bos else []
    return [(i, model.tokenizer.decode([i])) for i in first + ids]


# %% [wrong] token_report: BOS twice
def token_report(model, text, prepend_bos):
    text = model.tokenizer.bos_token * prepend_bos + text
    ids = model.to_tokens(text, prepend_bos=prepend_bos)[0].tolist()
    return [(i, model.tokenizer.decode([i])) for i in ids]


# %% [wrong] token_report: the vocabulary's own writing of a token
def token_report(model, text, prepend_bos):
    ids = model.to_tokens(text, prepend_bos=prepend_bos)[0].tolist()
    return list(zip(ids, model.tokenizer.convert_ids_to_tokens(ids)))


# %% [right] token_report: typed from the text alone
def token_report(model, text, prepend_bos):
    ids = model.to_tokens(text, prepend_bos=prepend_bos)
    texts = model.to_str_tokens(text, prepend_bos=prepend_bos)
    pairs = []
    for i in range(len(texts)):
        pairs.append((int(ids[0][i]), texts[i]))
    return pairs


# %% [right] token_report: the library's texts beside the ids
def token_report(model, text, prepend_bos):
    ids = model.to_tokens(text, prepend_bos=prepend_bos)[0].tolist()
    return list(zip(ids, model.to_str_tokens(text, prepend_bos=prepend_bos)))


# %% [right] token_report: the tokenizer alone, BOS put in front by hand
def token_report(model, text, prepend_bos):
    tokenizer = model.tokenizer
    ids = tokenizer.encode(text, add_special_tokens=False)
    if prepend_bos:
        ids = [tokenizer.bos_token_id, *ids]
    return [(i, tokenizer.decode([i])) for i in ids]


# %% [right] token_report: position by position
def token_report(model, text, prepend_bos):
    ids = model.to_tokens(text, prepend_bos=prepend_bos)
    report = []
    for position in range(ids.shape[1]):
        one = ids[0, position].item()
        report.append((one, model.tokenizer.decode([one])))
    return report


# %% [wrong] frac_correct: not shifted
def frac_correct(logits, tokens):
    return float((logits.argmax(dim=-1) == tokens).float().mean())


# %% [wrong] frac_correct: shifted the wrong way
def frac_correct(logits, tokens):
    return float((logits[:, 1:].argmax(dim=-1) == tokens[:, :-1]).float().mean())


# %% [wrong] frac_correct: divided by all positions
def frac_correct(logits, tokens):
    hits = (logits[:, :-1].argmax(dim=-1) == tokens[:, 1:]).float()
    return float(hits.sum() / tokens.numel())


# %% [wrong] frac_correct: only the first row
def frac_correct(logits, tokens):
    return float((logits[0, :-1].argmax(dim=-1) == tokens[0, 1:]).float().mean())


# %% [wrong] frac_correct: the largest by absolute value
def frac_correct(logits, tokens):
    return float((logits[:, :-1].abs().argmax(dim=-1) == tokens[:, 1:]).float().mean())


# %% [wrong] frac_correct: the number of hits
def frac_correct(logits, tokens):
    return float((logits[:, :-1].argmax(dim=-1) == tokens[:, 1:]).sum())


# %% [wrong] frac_correct: BOS is left out, and the first real question with it
def frac_correct(logits, tokens):
    return float((logits[:, 1:-1].argmax(dim=-1) == tokens[:, 2:]).float().mean())


# %% [wrong] frac_correct: the probability of the right token instead of hits
def frac_correct(logits, tokens):
    probs = logits[:, :-1].softmax(dim=-1)
    return float(probs.gather(-1, tokens[:, 1:, None]).mean())


# %% [wrong] frac_correct: one of the two likeliest
def frac_correct(logits, tokens):
    five = logits[:, :-1].topk(min(2, logits.shape[-1]), dim=-1).indices
    return float((five == tokens[:, 1:, None]).any(-1).float().mean())


# %% [wrong] frac_correct: rows that are right from beginning to end
def frac_correct(logits, tokens):
    return float((logits[:, :-1].argmax(-1) == tokens[:, 1:]).float().prod(-1).mean())


# %% [wrong] frac_correct: a percentage
def frac_correct(logits, tokens):
    return 100 * float((logits[:, :-1].argmax(-1) == tokens[:, 1:]).float().mean())


# %% [right] frac_correct: typed from the text alone
def frac_correct(logits, tokens):
    batch, pos = tokens.shape
    right = 0
    for b in range(batch):
        for i in range(pos - 1):
            if torch.argmax(logits[b][i]).item() == tokens[b][i + 1].item():
                right += 1
    return right / (batch * (pos - 1))


# %% [right] frac_correct: loops
def frac_correct(logits, tokens):
    hits, asked = 0, 0
    for row in range(tokens.shape[0]):
        for i in range(tokens.shape[1] - 1):
            hits += int(logits[row, i].argmax()) == int(tokens[row, i + 1])
            asked += 1
    return hits / asked


# %% [right] frac_correct: the right token's logit is the largest
def frac_correct(logits, tokens):
    ahead = logits[:, :-1]
    right = ahead.gather(-1, tokens[:, 1:].unsqueeze(-1)).squeeze(-1)
    return torch.eq(right, ahead.max(dim=-1).values).double().mean().item()


# %% [right] frac_correct: numpy
def frac_correct(logits, tokens):
    import numpy as np

    guesses = logits.detach().cpu().numpy()[:, :-1].argmax(-1)
    return float(np.mean(guesses == tokens.cpu().numpy()[:, 1:]))


# %% [right] frac_correct: softmax first, the mean in float64
def frac_correct(logits, tokens):
    return logits.softmax(-1).topk(1).indices[:, :-1, 0].eq(tokens[:, 1:]).double().mean().item()


# %% [wrong] logit_diff: wrong minus right
def logit_diff(logits, right, wrong):
    last = logits[:, -1]
    rows = torch.arange(len(last))
    return last[rows, wrong] - last[rows, right]


# %% [wrong] logit_diff: at the first position
def logit_diff(logits, right, wrong):
    rows = torch.arange(len(logits))
    return logits[rows, 0, right] - logits[rows, 0, wrong]


# %% [wrong] logit_diff: one position too early
def logit_diff(logits, right, wrong):
    rows = torch.arange(len(logits))
    at = max(logits.shape[1] - 2, 0)
    return logits[rows, at, right] - logits[rows, at, wrong]


# %% [wrong] logit_diff: averaged over the batch
def logit_diff(logits, right, wrong):
    last = logits[:, -1]
    rows = torch.arange(len(last))
    return (last[rows, right] - last[rows, wrong]).mean()


# %% [wrong] logit_diff: every row with every id
def logit_diff(logits, right, wrong):
    return logits[:, -1, right] - logits[:, -1, wrong]


# %% [wrong] logit_diff: the first row's ids for all
def logit_diff(logits, right, wrong):
    return logits[:, -1, right[0]] - logits[:, -1, wrong[0]]


# %% [wrong] logit_diff: a difference of probabilities
def logit_diff(logits, right, wrong):
    last = logits[:, -1].softmax(dim=-1)
    rows = torch.arange(len(last))
    return last[rows, right] - last[rows, wrong]


# %% [wrong] logit_diff: averaged over the positions
def logit_diff(logits, right, wrong):
    mean = logits.mean(dim=1)
    rows = torch.arange(len(mean))
    return mean[rows, right] - mean[rows, wrong]


# %% [wrong] logit_diff: without its sign
def logit_diff(logits, right, wrong):
    last = logits[:, -1]
    rows = torch.arange(len(last))
    return (last[rows, right] - last[rows, wrong]).abs()


# %% [wrong] logit_diff: all positions
def logit_diff(logits, right, wrong):
    rows = torch.arange(len(right))
    return logits[rows, :, right] - logits[rows, :, wrong]


# %% [wrong] logit_diff: a column of differences
def logit_diff(logits, right, wrong):
    return logits[:, -1].gather(1, right[:, None]) - logits[:, -1].gather(1, wrong[:, None])


# %% [wrong] logit_diff: a ratio of logits
def logit_diff(logits, right, wrong):
    rows = torch.arange(len(right), device=logits.device)
    return logits[rows, -1, right] / logits[rows, -1, wrong]


# %% [right] logit_diff: typed from the text alone
def logit_diff(logits, right, wrong):
    last = logits[:, -1]
    batch = last.shape[0]
    out = torch.zeros(batch)
    for b in range(batch):
        out[b] = last[b, right[b]] - last[b, wrong[b]]
    return out


# %% [right] logit_diff: gather
def logit_diff(logits, right, wrong):
    pair = torch.stack([right, wrong], dim=1)
    picked = logits[:, -1].gather(1, pair)
    return picked[:, 0] - picked[:, 1]


# %% [right] logit_diff: log-probabilities differ by the same
def logit_diff(logits, right, wrong):
    last = logits[:, -1].log_softmax(dim=-1)
    return torch.stack([row[r] - row[w] for row, r, w in zip(last, right, wrong)])


# %% [right] logit_diff: row by row
def logit_diff(logits, right, wrong):
    return torch.stack([row[-1, r] - row[-1, w] for row, r, w in zip(logits, right, wrong)])


# %% [right] logit_diff: one-hot, in float64
def logit_diff(logits, right, wrong):
    hot = [torch.nn.functional.one_hot(t, logits.shape[-1]).double() for t in (right, wrong)]
    return (logits[:, -1].double() * (hot[0] - hot[1])).sum(-1).to(logits.dtype)


# %% [wrong] AXES: query and key are exchanged
AXES = {
    "hook_resid_pre": ("batch", "pos", "d_model"),
    "ln1.hook_scale": ("batch", "pos", "one"),
    "attn.hook_q": ("batch", "pos", "head", "d_head"),
    "attn.hook_pattern": ("batch", "head", "key", "query"),
    "attn.hook_z": ("batch", "pos", "head", "d_head"),
    "hook_attn_out": ("batch", "pos", "d_model"),
    "mlp.hook_post": ("batch", "pos", "d_mlp"),
    "W_E": ("d_vocab", "d_model"),
    "W_Q": ("layer", "head", "d_model", "d_head"),
    "W_O": ("layer", "head", "d_head", "d_model"),
    "W_in": ("layer", "d_model", "d_mlp"),
    "W_U": ("d_model", "d_vocab"),
}


# %% [wrong] AXES: z has heads before positions, like the pattern
AXES = {
    "hook_resid_pre": ("batch", "pos", "d_model"),
    "ln1.hook_scale": ("batch", "pos", "one"),
    "attn.hook_q": ("batch", "pos", "head", "d_head"),
    "attn.hook_pattern": ("batch", "head", "query", "key"),
    "attn.hook_z": ("batch", "head", "pos", "d_head"),
    "hook_attn_out": ("batch", "pos", "d_model"),
    "mlp.hook_post": ("batch", "pos", "d_mlp"),
    "W_E": ("d_vocab", "d_model"),
    "W_Q": ("layer", "head", "d_model", "d_head"),
    "W_O": ("layer", "head", "d_head", "d_model"),
    "W_in": ("layer", "d_model", "d_mlp"),
    "W_U": ("d_model", "d_vocab"),
}


# %% [wrong] AXES: neurons are taken for the residual stream
AXES = {
    "hook_resid_pre": ("batch", "pos", "d_model"),
    "ln1.hook_scale": ("batch", "pos", "one"),
    "attn.hook_q": ("batch", "pos", "head", "d_head"),
    "attn.hook_pattern": ("batch", "head", "query", "key"),
    "attn.hook_z": ("batch", "pos", "head", "d_head"),
    "hook_attn_out": ("batch", "pos", "d_model"),
    "mlp.hook_post": ("batch", "pos", "d_model"),
    "W_E": ("d_vocab", "d_model"),
    "W_Q": ("layer", "head", "d_model", "d_head"),
    "W_O": ("layer", "head", "d_head", "d_model"),
    "W_in": ("layer", "d_model", "d_mlp"),
    "W_U": ("d_model", "d_vocab"),
}


# %% [wrong] AXES: embedding and unembedding have the same order
AXES = {
    "hook_resid_pre": ("batch", "pos", "d_model"),
    "ln1.hook_scale": ("batch", "pos", "one"),
    "attn.hook_q": ("batch", "pos", "head", "d_head"),
    "attn.hook_pattern": ("batch", "head", "query", "key"),
    "attn.hook_z": ("batch", "pos", "head", "d_head"),
    "hook_attn_out": ("batch", "pos", "d_model"),
    "mlp.hook_post": ("batch", "pos", "d_mlp"),
    "W_E": ("d_model", "d_vocab"),
    "W_Q": ("layer", "head", "d_model", "d_head"),
    "W_O": ("layer", "head", "d_head", "d_model"),
    "W_in": ("layer", "d_model", "d_mlp"),
    "W_U": ("d_model", "d_vocab"),
}


# %% [wrong] AXES: W_O reads as W_Q does
AXES = {
    "hook_resid_pre": ("batch", "pos", "d_model"),
    "ln1.hook_scale": ("batch", "pos", "one"),
    "attn.hook_q": ("batch", "pos", "head", "d_head"),
    "attn.hook_pattern": ("batch", "head", "query", "key"),
    "attn.hook_z": ("batch", "pos", "head", "d_head"),
    "hook_attn_out": ("batch", "pos", "d_model"),
    "mlp.hook_post": ("batch", "pos", "d_mlp"),
    "W_E": ("d_vocab", "d_model"),
    "W_Q": ("layer", "head", "d_model", "d_head"),
    "W_O": ("layer", "head", "d_model", "d_head"),
    "W_in": ("layer", "d_model", "d_mlp"),
    "W_U": ("d_model", "d_vocab"),
}


# %% [wrong] AXES: positions of a pattern are called pos
AXES = {
    "hook_resid_pre": ("batch", "pos", "d_model"),
    "ln1.hook_scale": ("batch", "pos", "one"),
    "attn.hook_q": ("batch", "pos", "head", "d_head"),
    "attn.hook_pattern": ("batch", "head", "pos", "pos"),
    "attn.hook_z": ("batch", "pos", "head", "d_head"),
    "hook_attn_out": ("batch", "pos", "d_model"),
    "mlp.hook_post": ("batch", "pos", "d_mlp"),
    "W_E": ("d_vocab", "d_model"),
    "W_Q": ("layer", "head", "d_model", "d_head"),
    "W_O": ("layer", "head", "d_head", "d_model"),
    "W_in": ("layer", "d_model", "d_mlp"),
    "W_U": ("d_model", "d_vocab"),
}


# %% [wrong] AXES: the pattern has key before query
AXES = {
    "hook_resid_pre": ("batch", "pos", "d_model"),
    "ln1.hook_scale": ("batch", "pos", "one"),
    "attn.hook_q": ("batch", "pos", "head", "d_head"),
    "attn.hook_pattern": ("batch", "head", "key", "query"),
    "attn.hook_z": ("batch", "pos", "head", "d_head"),
    "hook_attn_out": ("batch", "pos", "d_model"),
    "mlp.hook_post": ("batch", "pos", "d_mlp"),
    "W_E": ("d_vocab", "d_model"),
    "W_Q": ("layer", "head", "d_model", "d_head"),
    "W_O": ("layer", "head", "d_head", "d_model"),
    "W_in": ("layer", "d_model", "d_mlp"),
    "W_U": ("d_model", "d_vocab"),
}


# %% [wrong] AXES: parameters without their layers
AXES = {
    "hook_resid_pre": ("batch", "pos", "d_model"),
    "ln1.hook_scale": ("batch", "pos", "one"),
    "attn.hook_q": ("batch", "pos", "head", "d_head"),
    "attn.hook_pattern": ("batch", "head", "query", "key"),
    "attn.hook_z": ("batch", "pos", "head", "d_head"),
    "hook_attn_out": ("batch", "pos", "d_model"),
    "mlp.hook_post": ("batch", "pos", "d_mlp"),
    "W_E": ("d_vocab", "d_model"),
    "W_Q": ("head", "d_model", "d_head"),
    "W_O": ("head", "d_head", "d_model"),
    "W_in": ("d_model", "d_mlp"),
    "W_U": ("d_model", "d_vocab"),
}


# %% [wrong] AXES: W_in is stored output by input, as in torch.nn.Linear
AXES = {
    "hook_resid_pre": ("batch", "pos", "d_model"),
    "ln1.hook_scale": ("batch", "pos", "one"),
    "attn.hook_q": ("batch", "pos", "head", "d_head"),
    "attn.hook_pattern": ("batch", "head", "query", "key"),
    "attn.hook_z": ("batch", "pos", "head", "d_head"),
    "hook_attn_out": ("batch", "pos", "d_model"),
    "mlp.hook_post": ("batch", "pos", "d_mlp"),
    "W_E": ("d_vocab", "d_model"),
    "W_Q": ("layer", "head", "d_model", "d_head"),
    "W_O": ("layer", "head", "d_head", "d_model"),
    "W_in": ("layer", "d_mlp", "d_model"),
    "W_U": ("d_model", "d_vocab"),
}


# %% [right] AXES: typed from the text alone
AXES = dict()
AXES["hook_resid_pre"] = ("batch", "pos", "d_model")
AXES["hook_attn_out"] = AXES["hook_resid_pre"]
AXES["ln1.hook_scale"] = ("batch", "pos", "one")
AXES["attn.hook_q"] = AXES["attn.hook_z"] = ("batch", "pos", "head", "d_head")
AXES["attn.hook_pattern"] = ("batch", "head", "query", "key")
AXES["mlp.hook_post"] = ("batch", "pos", "d_mlp")
AXES["W_E"] = ("d_vocab", "d_model")
AXES["W_U"] = ("d_model", "d_vocab")
AXES["W_Q"] = ("layer", "head", "d_model", "d_head")
AXES["W_O"] = ("layer", "head", "d_head", "d_model")
AXES["W_in"] = ("layer", "d_model", "d_mlp")


# %% [right] AXES: in another order, from strings
AXES = {
    name: tuple(axes.split())
    for axes, names in {
        "batch pos d_model": ["hook_resid_pre", "hook_attn_out"],
        "batch pos head d_head": ["attn.hook_q", "attn.hook_z"],
        "batch head query key": ["attn.hook_pattern"],
        "batch pos one": ["ln1.hook_scale"],
        "batch pos d_mlp": ["mlp.hook_post"],
        "layer head d_model d_head": ["W_Q"],
        "layer head d_head d_model": ["W_O"],
        "layer d_model d_mlp": ["W_in"],
        "d_model d_vocab": ["W_U"],
        "d_vocab d_model": ["W_E"],
    }.items()
    for name in names
}


# %% [wrong] cache_sizes: the number of elements
def cache_sizes(model, tokens, wanted):
    _, kept = model.run_with_cache(tokens, names_filter=wanted)
    return {name: value.numel() for name, value in kept.items()}


# %% [wrong] cache_sizes: everything is kept
def cache_sizes(model, tokens, wanted):
    _, kept = model.run_with_cache(tokens)
    return {name: value.numel() * value.element_size() for name, value in kept.items()}


# %% [wrong] cache_sizes: four bytes for every element
def cache_sizes(model, tokens, wanted):
    _, kept = model.run_with_cache(tokens, names_filter=wanted)
    return {name: value.numel() * 4 for name, value in kept.items()}


# %% [wrong] cache_sizes: the shapes
def cache_sizes(model, tokens, wanted):
    _, kept = model.run_with_cache(tokens, names_filter=wanted)
    return {name: tuple(value.shape) for name, value in kept.items()}


# %% [wrong] cache_sizes: one row of the batch
def cache_sizes(model, tokens, wanted):
    _, kept = model.run_with_cache(tokens[:1], names_filter=wanted)
    return {name: value.numel() * value.element_size() for name, value in kept.items()}


# %% [wrong] cache_sizes: the hooks' other names
def cache_sizes(model, tokens, wanted):
    sizes = {}

    def measure(value, hook):
        sizes[hook.name] = value.numel() * value.element_size()

    model.run_with_hooks(tokens, fwd_hooks=[(wanted, measure)])
    return sizes


# %% [wrong] cache_sizes: kilobytes
def cache_sizes(model, tokens, wanted):
    _, kept = model.run_with_cache(tokens, names_filter=wanted)
    return {name: value.numel() * value.element_size() // 1024 for name, value in kept.items()}


# %% [wrong] cache_sizes: what is reserved for Python's own object
def cache_sizes(model, tokens, wanted):
    import sys

    _, kept = model.run_with_cache(tokens, names_filter=wanted)
    return {name: sys.getsizeof(value) for name, value in kept.items()}


# %% [wrong] cache_sizes: the first wanted name only
def cache_sizes(model, tokens, wanted):
    _, kept = model.run_with_cache(tokens, names_filter=wanted)
    return dict([(name, value.nbytes) for name, value in kept.items()][:1])


# %% [wrong] cache_sizes: the notebook's model, whatever is given
def cache_sizes(model, tokens, wanted):
    _, kept = net.run_with_cache(tokens % net.cfg.d_vocab, names_filter=wanted)
    return {name: value.nbytes for name, value in kept.items()}


# %% [right] cache_sizes: typed from the text alone
def cache_sizes(model, tokens, wanted):
    _, cache = model.run_with_cache(tokens, names_filter=wanted)
    sizes = {}
    for name in cache:
        sizes[name] = cache[name].numel() * cache[name].element_size()
    return sizes


# %% [right] cache_sizes: nbytes
def cache_sizes(model, tokens, wanted):
    cache = model.run_with_cache(tokens, names_filter=wanted, return_cache_object=False)[1]
    return {name: cache[name].nbytes for name in cache}


# %% [right] cache_sizes: everything is kept and then chosen
def cache_sizes(model, tokens, wanted):
    _, cache = model.run_with_cache(tokens)
    sizes = {}
    for name, value in cache.items():
        if wanted(name):
            sizes[name] = value.element_size() * value.numel()
    return sizes


# %% [right] cache_sizes: by hooks
def cache_sizes(model, tokens, wanted):
    sizes = {}

    def watcher(name):
        def watch(activation, hook):
            sizes[name] = activation.numel() * activation.element_size()

        return watch

    points = [name for name in model.run_with_cache(tokens)[1] if wanted(name)]
    model.run_with_hooks(tokens, fwd_hooks=[(name, watcher(name)) for name in points])
    return sizes


# %% [right] cache_sizes: the product of the shape
def cache_sizes(model, tokens, wanted):
    cache = model.run_with_cache(tokens, names_filter=wanted)[1]
    out = {}
    for name in cache:
        n = cache[name].dtype.itemsize
        for length in cache[name].shape:
            n *= length
        out[name] = n
    return out


# %% [wrong] mixed_pattern: queries and keys are exchanged
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, asking = model.run_with_cache(key_tokens)
    _, asked = model.run_with_cache(query_tokens)
    q, k = asking["q", layer], asked["k", layer]
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / model.cfg.d_head**0.5
    n = scores.shape[-1]
    return scores.masked_fill(torch.ones(n, n).triu(1).bool(), float("-inf")).softmax(dim=-1)


# %% [wrong] mixed_pattern: both from the first text
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, cache = model.run_with_cache(query_tokens)
    return cache["pattern", layer]


# %% [wrong] mixed_pattern: no mask
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, asking = model.run_with_cache(query_tokens)
    _, asked = model.run_with_cache(key_tokens)
    q, k = asking["q", layer], asked["k", layer]
    return (torch.einsum("bqhd,bkhd->bhqk", q, k) / model.cfg.d_head**0.5).softmax(dim=-1)


# %% [wrong] mixed_pattern: the mask hides the position itself
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, asking = model.run_with_cache(query_tokens)
    _, asked = model.run_with_cache(key_tokens)
    q, k = asking["q", layer], asked["k", layer]
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / model.cfg.d_head**0.5
    n = scores.shape[-1]
    return scores.masked_fill(torch.ones(n, n).triu(0).bool(), -1e30).softmax(dim=-1)


# %% [wrong] mixed_pattern: masked with 0 before the softmax
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, asking = model.run_with_cache(query_tokens)
    _, asked = model.run_with_cache(key_tokens)
    q, k = asking["q", layer], asked["k", layer]
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / model.cfg.d_head**0.5
    return scores.tril().softmax(dim=-1)


# %% [wrong] mixed_pattern: not scaled
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, asking = model.run_with_cache(query_tokens)
    _, asked = model.run_with_cache(key_tokens)
    q, k = asking["q", layer], asked["k", layer]
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k)
    n = scores.shape[-1]
    return scores.masked_fill(torch.ones(n, n).triu(1).bool(), float("-inf")).softmax(dim=-1)


# %% [wrong] mixed_pattern: scaled by the width of the model
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, asking = model.run_with_cache(query_tokens)
    _, asked = model.run_with_cache(key_tokens)
    q, k = asking["q", layer], asked["k", layer]
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / model.cfg.d_model**0.5
    n = scores.shape[-1]
    return scores.masked_fill(torch.ones(n, n).triu(1).bool(), float("-inf")).softmax(dim=-1)


# %% [wrong] mixed_pattern: softmax over the queries
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, asking = model.run_with_cache(query_tokens)
    _, asked = model.run_with_cache(key_tokens)
    q, k = asking["q", layer], asked["k", layer]
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / model.cfg.d_head**0.5
    n = scores.shape[-1]
    return scores.masked_fill(torch.ones(n, n).triu(1).bool(), float("-inf")).softmax(dim=-2)


# %% [wrong] mixed_pattern: keys in rows
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, asking = model.run_with_cache(query_tokens)
    _, asked = model.run_with_cache(key_tokens)
    q, k = asking["q", layer], asked["k", layer]
    scores = torch.einsum("bqhd,bkhd->bhkq", q, k) / model.cfg.d_head**0.5
    n = scores.shape[-1]
    return scores.masked_fill(torch.ones(n, n).triu(1).bool(), float("-inf")).softmax(dim=-1)


# %% [wrong] mixed_pattern: always the last layer
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, asking = model.run_with_cache(query_tokens)
    _, asked = model.run_with_cache(key_tokens)
    q, k = asking["q", -1], asked["k", -1]
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / model.cfg.d_head**0.5
    n = scores.shape[-1]
    return scores.masked_fill(torch.ones(n, n).triu(1).bool(), float("-inf")).softmax(dim=-1)


# %% [right] mixed_pattern: typed from the text alone
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, cache_q = model.run_with_cache(query_tokens)
    _, cache_k = model.run_with_cache(key_tokens)
    q = cache_q["q", layer].transpose(1, 2)
    k = cache_k["k", layer].transpose(1, 2)
    scores = q @ k.transpose(-1, -2) / model.cfg.d_head**0.5
    for i in range(scores.shape[2]):
        for j in range(scores.shape[3]):
            if j > i:
                scores[:, :, i, j] = -float("inf")
    return torch.softmax(scores, dim=3)


# %% [right] mixed_pattern: the model does it, with the other keys put in
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, asked = model.run_with_cache(key_tokens)
    hooks = [(f"blocks.{layer}.attn.hook_k", lambda k, hook: asked["k", layer])]
    with model.hooks(fwd_hooks=hooks):
        _, cache = model.run_with_cache(query_tokens)
    return cache["pattern", layer]


# %% [right] mixed_pattern: matrix products, head by head
def mixed_pattern(model, query_tokens, key_tokens, layer):
    q = model.run_with_cache(query_tokens)[1]["q", layer].permute(0, 2, 1, 3)
    k = model.run_with_cache(key_tokens)[1]["k", layer].permute(0, 2, 3, 1)
    scores = q @ k / q.shape[-1] ** 0.5
    n = scores.shape[-1]
    weights = scores.exp() * torch.ones(n, n, device=scores.device).tril()
    return weights / weights.sum(-1, keepdim=True)


# %% [right] mixed_pattern: a large negative number, float64 inside
def mixed_pattern(model, query_tokens, key_tokens, layer):
    q = model.run_with_cache(query_tokens)[1][f"blocks.{layer}.attn.hook_q"].double()
    k = model.run_with_cache(key_tokens)[1][f"blocks.{layer}.attn.hook_k"].double()
    scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / model.cfg.d_head**0.5
    n = scores.shape[-1]
    scores = scores + torch.full((n, n), -1e9, device=scores.device).triu(1)
    return scores.softmax(-1).float()


# %% [right] mixed_pattern: the queries are put into a run on the key text
def mixed_pattern(model, query_tokens, key_tokens, layer):
    queries = model.run_with_cache(query_tokens)[1]["q", layer]
    with model.hooks(fwd_hooks=[(f"blocks.{layer}.attn.hook_q", lambda q, hook: queries)]):
        _, cache = model.run_with_cache(key_tokens)
    return cache["pattern", layer]


# %% [wrong] mixed_pattern: the keys' hook stays on the model
def mixed_pattern(model, query_tokens, key_tokens, layer):
    _, asked = model.run_with_cache(key_tokens)
    model.add_hook(f"blocks.{layer}.attn.hook_k", lambda k, hook: asked["k", layer])
    return model.run_with_cache(query_tokens)[1]["pattern", layer]


# %% [wrong] mixed_pattern: queries and keys of the notebook's model
def mixed_pattern(model, query_tokens, key_tokens, layer):
    q = net.run_with_cache(query_tokens)[1]["q", layer]
    k = net.run_with_cache(key_tokens)[1]["k", layer]
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / net.cfg.d_head**0.5
    n = scores.shape[-1]
    later = torch.ones(n, n, dtype=torch.bool).triu(1)
    return scores.masked_fill(later, float("-inf")).softmax(-1)


# %% [wrong] mixed_pattern: values for keys
def mixed_pattern(model, query_tokens, key_tokens, layer):
    q = model.run_with_cache(query_tokens)[1]["q", layer]
    k = model.run_with_cache(key_tokens)[1]["v", layer]
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / model.cfg.d_head**0.5
    n = scores.shape[-1]
    later = torch.ones(n, n, dtype=torch.bool).triu(1)
    return scores.masked_fill(later, float("-inf")).softmax(-1)


# %% [wrong] mixed_pattern: the first text of the batch for all
def mixed_pattern(model, query_tokens, key_tokens, layer):
    q = model.run_with_cache(query_tokens)[1]["q", layer]
    k = model.run_with_cache(key_tokens)[1]["k", layer]
    scores = torch.einsum("bqhd,khd->bhqk", q, k[0]) / model.cfg.d_head**0.5
    n = scores.shape[-1]
    later = torch.ones(n, n, dtype=torch.bool).triu(1)
    return scores.masked_fill(later, float("-inf")).softmax(-1)


# %% [wrong] residual_parts: no positions
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    names, parts = ["embed"], [cache["hook_embed"]]
    for layer in range(model.cfg.n_layers):
        for kind in ("attn_out",) if model.cfg.attn_only else ("attn_out", "mlp_out"):
            names.append(f"{layer}_{kind}")
            parts.append(cache[kind, layer])
    return names, torch.stack(parts)


# %% [wrong] residual_parts: the stream after each layer instead of what the layer adds
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    names = ["embed", "pos_embed"]
    parts = [cache["hook_embed"], cache["hook_pos_embed"]]
    for layer in range(model.cfg.n_layers):
        names.append(f"{layer}_attn_out")
        middle = "resid_post" if model.cfg.attn_only else "resid_mid"
        parts.append(cache[middle, layer])
        if not model.cfg.attn_only:
            names.append(f"{layer}_mlp_out")
            parts.append(cache["resid_post", layer])
    return names, torch.stack(parts)


# %% [wrong] residual_parts: the last layer is missing
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    names = ["embed", "pos_embed"]
    parts = [cache["hook_embed"], cache["hook_pos_embed"]]
    for layer in range(model.cfg.n_layers - 1):
        for kind in ("attn_out",) if model.cfg.attn_only else ("attn_out", "mlp_out"):
            names.append(f"{layer}_{kind}")
            parts.append(cache[kind, layer])
    return names, torch.stack(parts)


# %% [wrong] residual_parts: the names of attention and MLP are exchanged
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    names = ["embed", "pos_embed"]
    parts = [cache["hook_embed"], cache["hook_pos_embed"]]
    for layer in range(model.cfg.n_layers):
        if model.cfg.attn_only:
            names.append(f"{layer}_attn_out")
            parts.append(cache["attn_out", layer])
        else:
            names += [f"{layer}_attn_out", f"{layer}_mlp_out"]
            parts += [cache["mlp_out", layer], cache["attn_out", layer]]
    return names, torch.stack(parts)


# %% [wrong] residual_parts: all attention layers first, then all MLPs
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    names = ["embed", "pos_embed"]
    parts = [cache["hook_embed"], cache["hook_pos_embed"]]
    for kind in ("attn_out",) if model.cfg.attn_only else ("attn_out", "mlp_out"):
        for layer in range(model.cfg.n_layers):
            names.append(f"{layer}_{kind}")
            parts.append(cache[kind, layer])
    return names, torch.stack(parts)


# %% [wrong] residual_parts: fails on models without MLPs
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    names = ["embed", "pos_embed"]
    parts = [cache["hook_embed"], cache["hook_pos_embed"]]
    for layer in range(model.cfg.n_layers):
        for kind in ("attn_out", "mlp_out"):
            names.append(f"{layer}_{kind}")
            parts.append(cache[kind, layer])
    return names, torch.stack(parts)


# %% [wrong] residual_parts: the sum of the embeddings is counted twice
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    names = ["embed", "pos_embed"]
    parts = [cache["resid_pre", 0], cache["hook_pos_embed"]]
    for layer in range(model.cfg.n_layers):
        for kind in ("attn_out",) if model.cfg.attn_only else ("attn_out", "mlp_out"):
            names.append(f"{layer}_{kind}")
            parts.append(cache[kind, layer])
    return names, torch.stack(parts)


# %% [wrong] residual_parts: z through W_O, without the layer's bias
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    names = ["embed", "pos_embed"]
    parts = [cache["hook_embed"], cache["hook_pos_embed"]]
    for layer in range(model.cfg.n_layers):
        names.append(f"{layer}_attn_out")
        parts.append(torch.einsum("bphe,hed->bpd", cache["z", layer], model.W_O[layer]))
        if not model.cfg.attn_only:
            names.append(f"{layer}_mlp_out")
            parts.append(cache["mlp_out", layer])
    return names, torch.stack(parts)


# %% [wrong] residual_parts: positions beside texts
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    names = ["embed", "pos_embed"]
    parts = [cache["hook_embed"], cache["hook_pos_embed"]]
    for layer in range(model.cfg.n_layers):
        for kind in ("attn_out",) if model.cfg.attn_only else ("attn_out", "mlp_out"):
            names.append(f"{layer}_{kind}")
            parts.append(cache[kind, layer])
    return names, torch.stack(parts, dim=1)


# %% [wrong] residual_parts: two layers, whatever the model has
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    names, parts = ["embed", "pos_embed"], [cache["hook_embed"], cache["hook_pos_embed"]]
    for layer in (0, 1):
        for kind in ("attn_out",) if model.cfg.attn_only else ("attn_out", "mlp_out"):
            names.append(f"{layer}_{kind}")
            parts.append(cache[kind, layer])
    return names, torch.stack(parts)


# %% [right] residual_parts: typed from the text alone
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    names, parts = ["embed", "pos_embed"], [cache["hook_embed"], cache["hook_pos_embed"]]
    for i in range(model.cfg.n_layers):
        names += [f"{i}_attn_out"]
        parts += [cache["attn_out", i]]
        if not model.cfg.attn_only:
            names += [f"{i}_mlp_out"]
            parts += [cache["mlp_out", i]]
    return names, torch.stack(parts, dim=0)


# %% [right] residual_parts: the library's own decomposition
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    parts, names = cache.decompose_resid(return_labels=True)
    return names, parts


# %% [right] residual_parts: differences of the stream
def residual_parts(model, tokens):
    _, cache = model.run_with_cache(tokens)
    found = {"embed": cache["hook_embed"], "pos_embed": cache["hook_pos_embed"]}
    for layer in range(model.cfg.n_layers):
        middle = cache["resid_pre", layer] + cache["attn_out", layer]
        found[f"{layer}_attn_out"] = middle - cache["resid_pre", layer]
        if not model.cfg.attn_only:
            found[f"{layer}_mlp_out"] = cache["resid_post", layer] - middle
    return list(found), torch.stack(list(found.values()))


# %% [right] residual_parts: watched, not cached
def residual_parts(model, tokens):
    kinds = ["attn_out"] if model.cfg.attn_only else ["attn_out", "mlp_out"]
    points = {"embed": "hook_embed", "pos_embed": "hook_pos_embed"}
    for i in range(model.cfg.n_layers):
        points |= {f"{i}_{kind}": f"blocks.{i}.hook_{kind}" for kind in kinds}
    seen = {}
    hooks = [(p, lambda a, hook, n=n: seen.update({n: a.clone()})) for n, p in points.items()]
    model.run_with_hooks(tokens, fwd_hooks=hooks)
    return list(points), torch.stack([seen[n].expand_as(seen["embed"]) for n in points])


# %% [wrong] record: all functions see the loop's last name
def record(model, tokens, points, summary):
    results, hooks = {}, []
    for name in points:

        def watch(activation, hook):
            results[name] = summary(activation)

        hooks.append((name, watch))
    model.run_with_hooks(tokens, fwd_hooks=hooks)
    return results


# %% [wrong] record: under the bridge's own names
def record(model, tokens, points, summary):
    results = {}

    def watch(activation, hook):
        results[hook.name] = summary(activation)

    model.run_with_hooks(tokens, fwd_hooks=[(name, watch) for name in points])
    return results


# %% [wrong] record: the watcher returns the summary
def record(model, tokens, points, summary):
    results = {}

    def watcher(name):
        def watch(activation, hook):
            results[name] = summary(activation)
            return results[name] if isinstance(results[name], torch.Tensor) else None

        return watch

    model.run_with_hooks(tokens, fwd_hooks=[(name, watcher(name)) for name in points])
    return results


# %% [wrong] record: the results of former calls are still there
def record(model, tokens, points, summary, results={}):
    _, cache = model.run_with_cache(tokens)
    for name in points:
        results[name] = summary(cache[name])
    return results


# %% [wrong] record: the activations themselves
def record(model, tokens, points, summary):
    _, cache = model.run_with_cache(tokens)
    return {name: cache[name] for name in points}


# %% [wrong] record: a list instead of a dict
def record(model, tokens, points, summary):
    results = []
    hooks = [(name, lambda a, hook: results.append(summary(a))) for name in points]
    model.run_with_hooks(tokens, fwd_hooks=hooks)
    return results


# %% [wrong] record: the first row only
def record(model, tokens, points, summary):
    _, cache = model.run_with_cache(tokens[:1])
    return {name: summary(cache[name]) for name in points}


# %% [wrong] record: rounded in place to save memory, and nothing is returned
def record(model, tokens, points, summary):
    results = {}

    def watcher(name):
        def watch(activation, hook):
            activation.mul_(10).round_().div_(10)
            results[name] = summary(activation)

        return watch

    model.run_with_hooks(tokens, fwd_hooks=[(name, watcher(name)) for name in points])
    return results


# %% [wrong] record: emptied once it has been looked at, and nothing is returned
def record(model, tokens, points, summary):
    results = {}

    def watcher(name):
        def watch(activation, hook):
            results[name] = summary(activation)
            activation.zero_()

        return watch

    model.run_with_hooks(tokens, fwd_hooks=[(name, watcher(name)) for name in points])
    return results


# %% [right] record: typed from the text alone
def record(model, tokens, points, summary):
    found = {}
    hooks = []
    for name in points:

        def look(activation, hook, name=name):
            found[name] = summary(activation)

        hooks.append((name, look))
    with model.hooks(fwd_hooks=hooks):
        model(tokens)
    return found


# %% [right] record: with a cache of just these points
def record(model, tokens, points, summary):
    _, cache = model.run_with_cache(tokens, names_filter=lambda name: name in points)
    return {name: summary(cache[name]) for name in points}


# %% [right] record: the name bound by partial
def record(model, tokens, points, summary):
    from functools import partial

    results = {}

    def watch(activation, hook, name):
        results[name] = summary(activation)

    with model.hooks(fwd_hooks=[(name, partial(watch, name=name)) for name in points]):
        model(tokens)
    return results


# %% [right] record: a default argument
def record(model, tokens, points, summary):
    results = {}
    hooks = [
        (name, lambda a, hook, name=name: results.update({name: summary(a)})) for name in points
    ]
    model.run_with_hooks(tokens, fwd_hooks=hooks)
    return results


# %% [right] record: add_hook, and reset after the run
def record(model, tokens, points, summary):
    results = {}

    def watcher(name):
        def watch(activation, hook):
            results[name] = summary(activation)

        return watch

    try:
        for name in points:
            model.add_hook(name, watcher(name))
        model(tokens)
    finally:
        model.reset_hooks()
    return results


# %% [right] record: activations first, summaries after the run
def record(model, tokens, points, summary):
    seen = {}
    hooks = [(name, lambda a, hook, name=name: seen.update({name: a.clone()})) for name in points]
    with model.hooks(fwd_hooks=hooks):
        model(tokens, return_type=None)
    return {name: summary(seen[name]) for name in points}


# %% [wrong] record: the hooks stay on the model
def record(model, tokens, points, summary):
    results = {}

    def watcher(name):
        def watch(activation, hook):
            results[name] = summary(activation)

        return watch

    for name in points:
        model.add_hook(name, watcher(name))
    model(tokens)
    return results


# %% [wrong] record: one run for each point
def record(model, tokens, points, summary):
    results = {}
    for name in points:

        def watch(activation, hook):
            results[name] = summary(activation)

        model.run_with_hooks(tokens, fwd_hooks=[(name, watch)])
    return results


# %% [wrong] record: what is measured is put in, scaled
def record(model, tokens, points, summary):
    results = {}

    def watcher(name):
        def watch(activation, hook):
            results[name] = summary(activation)
            activation *= 0.9

        return watch

    model.run_with_hooks(tokens, fwd_hooks=[(name, watcher(name)) for name in points])
    return results


# %% [wrong] record: the notebook's model, whatever is given
def record(model, tokens, points, summary):
    _, cache = net.run_with_cache(tokens % net.cfg.d_vocab)
    return {name: summary(cache[name]) for name in points}


# %% [wrong] zero_head: all heads of the layer
def zero_head(model, tokens, layer, head):
    point = f"blocks.{layer}.attn.hook_z"
    return model.run_with_hooks(tokens, fwd_hooks=[(point, lambda z, hook: torch.zeros_like(z))])


# %% [wrong] zero_head: a position instead of a head
def zero_head(model, tokens, layer, head):
    def remove(z, hook):
        z = z.clone()
        z[:, head] = 0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", remove)])


# %% [wrong] zero_head: an entry of every head instead of a head
def zero_head(model, tokens, layer, head):
    def remove(z, hook):
        z = z.clone()
        z[..., head] = 0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", remove)])


# %% [wrong] zero_head: the queries, after which the head looks everywhere alike
def zero_head(model, tokens, layer, head):
    def remove(q, hook):
        q = q.clone()
        q[:, :, head] = 0
        return q

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_q", remove)])


# %% [wrong] zero_head: the changed copy is not returned
def zero_head(model, tokens, layer, head):
    def remove(z, hook):
        z = z.clone()
        z[:, :, head] = 0

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", remove)])


# %% [wrong] zero_head: the last position only
def zero_head(model, tokens, layer, head):
    def remove(z, hook):
        z = z.clone()
        z[:, -1, head] = 0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", remove)])


# %% [wrong] zero_head: always layer 1
def zero_head(model, tokens, layer, head):
    def remove(z, hook):
        z = z.clone()
        z[:, :, head] = 0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[("blocks.1.attn.hook_z", remove)])


# %% [wrong] zero_head: all heads but this one
def zero_head(model, tokens, layer, head):
    def remove(z, hook):
        only = torch.zeros_like(z)
        only[:, :, head] = z[:, :, head]
        return only

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", remove)])


# %% [right] zero_head: typed from the text alone
def zero_head(model, tokens, layer, head):
    def change(z, hook):
        z = z.clone()
        z[:, :, head, :] = 0.0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", change)])


# %% [right] zero_head: the pattern is set to zero, and with it what it averages
def zero_head(model, tokens, layer, head):
    def remove(pattern, hook):
        pattern = pattern.clone()
        pattern[:, head] = 0
        return pattern

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_pattern", remove)])


# %% [right] zero_head: changed in place, within hooks()
def zero_head(model, tokens, layer, head):
    def remove(z, hook):
        z[:, :, head] = 0

    with model.hooks(fwd_hooks=[(f"blocks.{layer}.attn.hook_z", remove)]):
        return model(tokens)


# %% [right] zero_head: times a mask of heads
def zero_head(model, tokens, layer, head):
    keep = torch.arange(model.cfg.n_heads, device=model.cfg.device) != head

    def remove(z, hook):
        return z * keep[None, None, :, None]

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", remove)])


# %% [right] zero_head: what the head writes is taken off the layer's output
def zero_head(model, tokens, layer, head):
    z = model.run_with_cache(tokens)[1]["z", layer][:, :, head]
    said = z @ model.W_O[layer, head]
    hooks = [(f"blocks.{layer}.hook_attn_out", lambda out, hook: out - said)]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [right] zero_head: the values are set to zero, added and reset by hand
def zero_head(model, tokens, layer, head):
    def silent(v, hook):
        v = v.clone()
        v[:, :, head] = 0.0
        return v

    model.add_hook(f"blocks.{layer}.attn.hook_v", silent)
    try:
        return model(tokens)
    finally:
        model.reset_hooks()


# %% [wrong] zero_head: the hook stays on the model
def zero_head(model, tokens, layer, head):
    def remove(z, hook):
        z = z.clone()
        z[:, :, head] = 0
        return z

    model.add_hook(f"blocks.{layer}.attn.hook_z", remove)
    return model(tokens)


# %% [wrong] zero_head: in the notebook's model, whatever is given
def zero_head(model, tokens, layer, head):
    def remove(z, hook):
        z[:, :, head] = 0
        return z

    return net.run_with_hooks(
        tokens % net.cfg.d_vocab, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", remove)]
    )


# %% [wrong] zero_head: the head after it
def zero_head(model, tokens, layer, head):
    def remove(z, hook):
        z[:, :, (head + 1) % z.shape[2]] = 0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", remove)])


# %% [wrong] zero_head: this head in every layer
def zero_head(model, tokens, layer, head):
    def remove(z, hook):
        z[:, :, head] = 0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(lambda n: n.endswith("attn.hook_z"), remove)])


# %% [wrong] zero_head: only the first text
def zero_head(model, tokens, layer, head):
    def remove(z, hook):
        z[0, :, head] = 0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", remove)])


# %% [wrong] mean_ablate_head: the mean is taken over the text itself
def mean_ablate_head(model, tokens, layer, head, reference):
    def replace(z, hook):
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", replace)])


# %% [wrong] mean_ablate_head: zero instead of the mean
def mean_ablate_head(model, tokens, layer, head, reference):
    def replace(z, hook):
        z = z.clone()
        z[:, :, head] = 0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", replace)])


# %% [wrong] mean_ablate_head: one mean number for the whole head
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    mean = model.run_with_cache(reference)[1][point][:, :, head].mean()

    def replace(z, hook):
        z = z.clone()
        z[:, :, head] = mean
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(point, replace)])


# %% [wrong] mean_ablate_head: the mean of all heads
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    mean = model.run_with_cache(reference)[1][point].mean(dim=(0, 1, 2))

    def replace(z, hook):
        z = z.clone()
        z[:, :, head] = mean
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(point, replace)])


# %% [wrong] mean_ablate_head: all heads are replaced, each by its mean
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    mean = model.run_with_cache(reference)[1][point].mean(dim=(0, 1))
    hooks = [(point, lambda z, hook: mean.expand_as(z))]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] mean_ablate_head: only the first reference text
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    mean = model.run_with_cache(reference)[1][point][0, :, head].mean(dim=0)

    def replace(z, hook):
        z = z.clone()
        z[:, :, head] = mean
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(point, replace)])


# %% [wrong] mean_ablate_head: only the last position of the reference
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    mean = model.run_with_cache(reference)[1][point][:, -1, head].mean(dim=0)

    def replace(z, hook):
        z = z.clone()
        z[:, :, head] = mean
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(point, replace)])


# %% [wrong] mean_ablate_head: tokens and reference are exchanged
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    mean = model.run_with_cache(tokens)[1][point][:, :, head].mean(dim=(0, 1))

    def replace(z, hook):
        z = z.clone()
        z[:, :, head] = mean
        return z

    return model.run_with_hooks(reference, fwd_hooks=[(point, replace)])


# %% [wrong] mean_ablate_head: the sum instead of the mean
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    total = model.run_with_cache(reference)[1][point][:, :, head].sum(dim=(0, 1))

    def replace(z, hook):
        z = z.clone()
        z[:, :, head] = total
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(point, replace)])


# %% [wrong] mean_ablate_head: the last position of the text only
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    mean = model.run_with_cache(reference)[1][point][:, :, head].mean(dim=(0, 1))

    def replace(z, hook):
        z = z.clone()
        z[:, -1, head] = mean
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(point, replace)])


# %% [right] mean_ablate_head: typed from the text alone
def mean_ablate_head(model, tokens, layer, head, reference):
    _, cache = model.run_with_cache(reference)
    z_ref = cache["z", layer]
    rows, positions = reference.shape
    mean = 0
    for r in range(rows):
        for p in range(positions):
            mean = mean + z_ref[r, p, head]
    mean = mean / (rows * positions)

    def change(z, hook):
        z[:, :, head] = mean
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", change)])


# %% [right] mean_ablate_head: the mean text by text, changed in place
def mean_ablate_head(model, tokens, layer, head, reference):
    cache = model.run_with_cache(reference)[1]
    means = torch.stack([row[:, head].mean(0) for row in cache["z", layer]]).mean(0)

    def replace(z, hook):
        z[:, :, head] = means

    with model.hooks(fwd_hooks=[(f"blocks.{layer}.attn.hook_z", replace)]):
        return model(tokens)


# %% [right] mean_ablate_head: with where and a mask of heads
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    usual = model.run_with_cache(reference)[1][point].flatten(0, 1).mean(0)  # [head d_head]
    this = (torch.arange(model.cfg.n_heads, device=usual.device) == head)[:, None]
    hooks = [(point, lambda z, hook: torch.where(this, usual, z))]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [right] mean_ablate_head: the mean head's output put into the sum
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    mean = model.run_with_cache(reference)[1][point][:, :, head].double().mean((0, 1)).float()
    own = model.run_with_cache(tokens)[1][point][:, :, head]
    more = (mean - own) @ model.W_O[layer, head]
    hooks = [(f"blocks.{layer}.hook_attn_out", lambda out, hook: out + more)]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] mean_ablate_head: the hook stays on the model
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    mean = model.run_with_cache(reference)[1][point][:, :, head].mean(dim=(0, 1))

    def replace(z, hook):
        z = z.clone()
        z[:, :, head] = mean
        return z

    model.add_hook(point, replace)
    return model(tokens)


# %% [wrong] mean_ablate_head: position by position
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    z_ref = model.run_with_cache(reference)[1][point][:, :, head].mean(0)

    def replace(z, hook):
        n = min(z.shape[1], len(z_ref))
        z[:, :n, head] = z_ref[:n]
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(point, replace)])


# %% [wrong] mean_ablate_head: the mean is taken off instead of put in
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    mean = model.run_with_cache(reference)[1][point][:, :, head].mean((0, 1))

    def replace(z, hook):
        z[:, :, head] -= mean
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(point, replace)])


# %% [wrong] mean_ablate_head: without the first position of the reference
def mean_ablate_head(model, tokens, layer, head, reference):
    point = f"blocks.{layer}.attn.hook_z"
    mean = model.run_with_cache(reference)[1][point][:, 1:, head].mean((0, 1))

    def replace(z, hook):
        z[:, :, head] = mean
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(point, replace)])


# %% [wrong] mean_ablate_head: the mean of layer 0's head
def mean_ablate_head(model, tokens, layer, head, reference):
    mean = model.run_with_cache(reference)[1]["z", 0][:, :, head].mean((0, 1))

    def replace(z, hook):
        z[:, :, head] = mean
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", replace)])


# %% [wrong] steer: after the layer instead of before it
def steer(model, tokens, layer, position, vector):
    def add(resid, hook):
        resid = resid.clone()
        resid[:, position] += vector
        return resid

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.hook_resid_post", add)])


# %% [wrong] steer: at all positions
def steer(model, tokens, layer, position, vector):
    hooks = [(f"blocks.{layer}.hook_resid_pre", lambda resid, hook: resid + vector)]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] steer: the vector takes the place of the residual stream
def steer(model, tokens, layer, position, vector):
    def put(resid, hook):
        resid = resid.clone()
        resid[:, position] = vector
        return resid

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", put)])


# %% [wrong] steer: from this position on
def steer(model, tokens, layer, position, vector):
    def add(resid, hook):
        resid = resid.clone()
        resid[:, position:] += vector
        return resid

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", add)])


# %% [wrong] steer: one position too late
def steer(model, tokens, layer, position, vector):
    def add(resid, hook):
        resid = resid.clone()
        resid[:, (position + 1) % resid.shape[1]] += vector
        return resid

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", add)])


# %% [wrong] steer: only the first row
def steer(model, tokens, layer, position, vector):
    def add(resid, hook):
        resid = resid.clone()
        resid[0, position] += vector
        return resid

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", add)])


# %% [wrong] steer: negative positions are not understood
def steer(model, tokens, layer, position, vector):
    here = torch.arange(tokens.shape[1])[:, None] == position
    hooks = [(f"blocks.{layer}.hook_resid_pre", lambda resid, hook: resid + here * vector)]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] steer: what attention reads is changed, the stream is not
def steer(model, tokens, layer, position, vector):
    def add(x, hook):
        x = x.clone()
        x[:, position] += vector
        return x

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.ln1.hook_normalized", add)])


# %% [wrong] steer: subtracted
def steer(model, tokens, layer, position, vector):
    def add(resid, hook):
        resid = resid.clone()
        resid[:, position] -= vector
        return resid

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", add)])


# %% [right] steer: typed from the text alone
def steer(model, tokens, layer, position, vector):
    def change(resid, hook):
        resid[:, position, :] = resid[:, position, :] + vector
        return resid

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", change)])


# %% [right] steer: in place
def steer(model, tokens, layer, position, vector):
    def add(resid, hook):
        resid[:, position] += vector

    with model.hooks(fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", add)]):
        return model(tokens)


# %% [right] steer: a tensor of zeros with the vector at its place
def steer(model, tokens, layer, position, vector):
    extra = torch.zeros(tokens.shape[1], model.cfg.d_model, device=vector.device)
    extra[position] = vector
    hooks = [(f"blocks.{layer}.hook_resid_pre", lambda resid, hook: resid + extra)]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [right] steer: through the door of the layer's input, out of place
def steer(model, tokens, layer, position, vector):
    at = position % tokens.shape[1]
    here = (torch.arange(tokens.shape[1], device=tokens.device) == at)[None, :, None]
    hooks = [(f"blocks.{layer}.hook_in", lambda r, hook: torch.where(here, r + vector, r))]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] steer: the hook stays on the model
def steer(model, tokens, layer, position, vector):
    def add(resid, hook):
        resid = resid.clone()
        resid[:, position] += vector
        return resid

    model.add_hook(f"blocks.{layer}.hook_resid_pre", add)
    return model(tokens)


# %% [wrong] steer: the vector as a unit vector
def steer(model, tokens, layer, position, vector):
    def add(resid, hook):
        resid[:, position] += vector / vector.norm()
        return resid

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", add)])


# %% [wrong] steer: a slice that ends at position + 1
def steer(model, tokens, layer, position, vector):
    def add(resid, hook):
        resid[:, position : position + 1] += vector
        return resid

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", add)])


# %% [wrong] steer: the texts are taken for the positions
def steer(model, tokens, layer, position, vector):
    def add(resid, hook):
        resid[position % len(resid)] += vector
        return resid

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", add)])


# %% [wrong] direct_attribution: no layer norm
def direct_attribution(model, parts, right, wrong):
    direction = model.W_U[:, right] - model.W_U[:, wrong]
    return torch.einsum("pbd,db->pb", parts[:, :, -1], direction)


# %% [wrong] direct_attribution: every part with its own scale
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    scale = (last.var(dim=-1, unbiased=False, keepdim=True) + model.cfg.eps).sqrt()
    normalised = (last - last.mean(dim=-1, keepdim=True)) / scale * model.ln_final.w
    direction = model.W_U[:, right] - model.W_U[:, wrong]
    return torch.einsum("pbd,db->pb", normalised, direction)


# %% [wrong] direct_attribution: wrong minus right
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    variance = last.sum(dim=0).var(dim=-1, unbiased=False, keepdim=True)
    scale = (variance + model.cfg.eps).sqrt()
    normalised = (last - last.mean(dim=-1, keepdim=True)) / scale * model.ln_final.w
    return torch.einsum("pbd,db->pb", normalised, model.W_U[:, wrong] - model.W_U[:, right])


# %% [wrong] direct_attribution: the weights of the layer norm are forgotten
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    variance = last.sum(dim=0).var(dim=-1, unbiased=False, keepdim=True)
    scale = (variance + model.cfg.eps).sqrt()
    normalised = (last - last.mean(dim=-1, keepdim=True)) / scale
    direction = model.W_U[:, right] - model.W_U[:, wrong]
    return torch.einsum("pbd,db->pb", normalised, direction)


# %% [wrong] direct_attribution: b is added to every part
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    variance = last.sum(dim=0).var(dim=-1, unbiased=False, keepdim=True)
    scale = (variance + model.cfg.eps).sqrt()
    normalised = (last - last.mean(dim=-1, keepdim=True)) / scale * model.ln_final.w
    direction = model.W_U[:, right] - model.W_U[:, wrong]
    return torch.einsum("pbd,db->pb", normalised + model.ln_final.b, direction)


# %% [wrong] direct_attribution: not centred
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    variance = last.sum(dim=0).var(dim=-1, unbiased=False, keepdim=True)
    normalised = last / (variance + model.cfg.eps).sqrt() * model.ln_final.w
    direction = model.W_U[:, right] - model.W_U[:, wrong]
    return torch.einsum("pbd,db->pb", normalised, direction)


# %% [wrong] direct_attribution: eps is forgotten
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    scale = last.sum(dim=0).std(dim=-1, unbiased=False, keepdim=True)
    normalised = (last - last.mean(dim=-1, keepdim=True)) / scale * model.ln_final.w
    direction = model.W_U[:, right] - model.W_U[:, wrong]
    return torch.einsum("pbd,db->pb", normalised, direction)


# %% [wrong] direct_attribution: at the first position
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, 0]
    variance = last.sum(dim=0).var(dim=-1, unbiased=False, keepdim=True)
    scale = (variance + model.cfg.eps).sqrt()
    normalised = (last - last.mean(dim=-1, keepdim=True)) / scale * model.ln_final.w
    direction = model.W_U[:, right] - model.W_U[:, wrong]
    return torch.einsum("pbd,db->pb", normalised, direction)


# %% [wrong] direct_attribution: the right answer's logit alone
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    variance = last.sum(dim=0).var(dim=-1, unbiased=False, keepdim=True)
    scale = (variance + model.cfg.eps).sqrt()
    normalised = (last - last.mean(dim=-1, keepdim=True)) / scale * model.ln_final.w
    return torch.einsum("pbd,db->pb", normalised, model.W_U[:, right])


# %% [wrong] direct_attribution: averaged over the batch
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    variance = last.sum(dim=0).var(dim=-1, unbiased=False, keepdim=True)
    scale = (variance + model.cfg.eps).sqrt()
    normalised = (last - last.mean(dim=-1, keepdim=True)) / scale * model.ln_final.w
    direction = model.W_U[:, right] - model.W_U[:, wrong]
    return torch.einsum("pbd,db->p", normalised, direction) / len(right)


# %% [wrong] direct_attribution: the variance of a sample
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    scale = (last.sum(0).var(-1, keepdim=True) + model.cfg.eps).sqrt()
    normal = (last - last.mean(-1, keepdim=True)) / scale * model.ln_final.w
    return torch.einsum("pbd,db->pb", normal, model.W_U[:, right] - model.W_U[:, wrong])


# %% [wrong] direct_attribution: eps outside the root
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    scale = last.sum(0).std(-1, unbiased=False, keepdim=True) + model.cfg.eps
    normal = (last - last.mean(-1, keepdim=True)) / scale * model.ln_final.w
    return torch.einsum("pbd,db->pb", normal, model.W_U[:, right] - model.W_U[:, wrong])


# %% [wrong] direct_attribution: centred over the parts
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    scale = (last.sum(0).var(-1, unbiased=False, keepdim=True) + model.cfg.eps).sqrt()
    normal = (last - last.mean(0, keepdim=True)) / scale * model.ln_final.w
    return torch.einsum("pbd,db->pb", normal, model.W_U[:, right] - model.W_U[:, wrong])


# %% [wrong] direct_attribution: the scale of the whole text
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    scale = (parts.sum(0).var(-1, unbiased=False).mean(1, keepdim=True) + model.cfg.eps).sqrt()
    normal = (last - last.mean(-1, keepdim=True)) / scale * model.ln_final.w
    return torch.einsum("pbd,db->pb", normal, model.W_U[:, right] - model.W_U[:, wrong])


# %% [wrong] direct_attribution: the weights of the first layer norm
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    scale = (last.sum(0).var(-1, unbiased=False, keepdim=True) + model.cfg.eps).sqrt()
    normal = (last - last.mean(-1, keepdim=True)) / scale * model.blocks[0].ln1.w
    return torch.einsum("pbd,db->pb", normal, model.W_U[:, right] - model.W_U[:, wrong])


# %% [wrong] direct_attribution: the parts are centred in place
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    scale = (last.sum(0).var(-1, unbiased=False, keepdim=True) + model.cfg.eps).sqrt()
    last -= last.mean(-1, keepdim=True)
    normal = last / scale * model.ln_final.w
    return torch.einsum("pbd,db->pb", normal, model.W_U[:, right] - model.W_U[:, wrong])


# %% [right] direct_attribution: typed from the text alone
def direct_attribution(model, parts, right, wrong):
    whole = parts.sum(0)[:, -1]
    centred = whole - whole.mean(-1, keepdim=True)
    scale = torch.sqrt((centred**2).mean(-1, keepdim=True) + model.cfg.eps)
    out = []
    for part in parts:
        p = part[:, -1]
        p = (p - p.mean(-1, keepdim=True)) / scale * model.ln_final.w
        direction = (model.W_U[:, right] - model.W_U[:, wrong]).T
        out.append((p * direction).sum(-1))
    return torch.stack(out)


# %% [right] direct_attribution: what a part changes, by the model's own layer norm
def direct_attribution(model, parts, right, wrong):
    whole = parts.sum(0)[:, -1]
    spread = whole - whole.mean(-1, keepdim=True)
    scale = (spread.pow(2).mean(-1) + model.cfg.eps).sqrt()  # [batch]
    directions = (model.W_U[:, right] - model.W_U[:, wrong]) * model.ln_final.w[:, None]
    directions = directions - directions.mean(0)  # centring a part, done to the direction instead
    return (parts[:, :, -1] * directions.T).sum(-1) / scale


# %% [right] direct_attribution: loops
def direct_attribution(model, parts, right, wrong):
    result = torch.zeros(parts.shape[:2], device=parts.device)
    for b in range(parts.shape[1]):
        whole = parts[:, b, -1].sum(0)
        scale = torch.sqrt(whole.var(correction=0) + model.cfg.eps)
        arrow = model.W_U[:, right[b]] - model.W_U[:, wrong[b]]
        for p in range(parts.shape[0]):
            part = parts[p, b, -1]
            result[p, b] = ((part - part.mean()) / scale * model.ln_final.w) @ arrow
    return result


# %% [right] direct_attribution: the direction is centred and weighted instead, float64
def direct_attribution(model, parts, right, wrong):
    W = model.W_U.double()
    d = (W[:, right] - W[:, wrong]) * model.ln_final.w.double()[:, None]
    d = d - d.mean(0)
    last = parts[:, :, -1].double()
    whole = last.sum(0)
    scale = ((whole - whole.mean(-1, keepdim=True)).pow(2).mean(-1) + model.cfg.eps).sqrt()
    return ((last * d.T).sum(-1) / scale).float()


# %% [right] direct_attribution: every pair of rows, and then the diagonal
def direct_attribution(model, parts, right, wrong):
    last = parts[:, :, -1]
    scale = (last.sum(0).var(-1, correction=0, keepdim=True) + model.cfg.eps).sqrt()
    normal = (last - last.mean(-1, keepdim=True)) / scale * model.ln_final.weight
    return (normal @ (model.W_U[:, right] - model.W_U[:, wrong])).diagonal(dim1=1, dim2=2)


# %% [wrong] logit_lens: no final layer norm
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_pre", layer] for layer in range(model.cfg.n_layers)]
    streams.append(cache["resid_post", model.cfg.n_layers - 1])
    return torch.stack([model.unembed(stream) for stream in streams])


# %% [wrong] logit_lens: ends before the last layer
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_pre", layer] for layer in range(model.cfg.n_layers)]
    return torch.stack([model.unembed(model.ln_final(stream)) for stream in streams])


# %% [wrong] logit_lens: begins after layer 0
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_post", layer] for layer in range(model.cfg.n_layers)]
    return torch.stack([model.unembed(model.ln_final(stream)) for stream in streams])


# %% [wrong] logit_lens: with the scale of the last layer for all
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_pre", layer] for layer in range(model.cfg.n_layers)]
    streams.append(cache["resid_post", model.cfg.n_layers - 1])
    scale = cache["ln_final.hook_scale"]
    return torch.stack(
        [
            model.unembed(
                (x - x.mean(-1, keepdim=True)) / scale * model.ln_final.w + model.ln_final.b
            )
            for x in streams
        ]
    )


# %% [wrong] logit_lens: what each layer adds instead of the stream
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_pre", 0]]
    for layer in range(model.cfg.n_layers):
        streams.append(cache["resid_post", layer] - cache["resid_pre", layer])
    return torch.stack([model.unembed(model.ln_final(stream)) for stream in streams])


# %% [wrong] logit_lens: probabilities
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_pre", layer] for layer in range(model.cfg.n_layers)]
    streams.append(cache["resid_post", model.cfg.n_layers - 1])
    return torch.stack([model.unembed(model.ln_final(stream)).softmax(-1) for stream in streams])


# %% [wrong] logit_lens: the first entry is the token's embedding without its position
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["hook_embed"]]
    streams += [cache["resid_post", layer] for layer in range(model.cfg.n_layers)]
    return torch.stack([model.unembed(model.ln_final(stream)) for stream in streams])


# %% [wrong] logit_lens: layers in the second axis
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_pre", layer] for layer in range(model.cfg.n_layers)]
    streams.append(cache["resid_post", model.cfg.n_layers - 1])
    return torch.stack([model.unembed(model.ln_final(stream)) for stream in streams], dim=1)


# %% [wrong] logit_lens: the stream in the middle of each layer
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_pre", 0]]
    for layer in range(1, model.cfg.n_layers):
        streams.append(cache["resid_pre", layer] + cache["attn_out", layer])
    streams.append(cache["resid_post", model.cfg.n_layers - 1])
    return torch.stack([model.unembed(model.ln_final(stream)) for stream in streams])


# %% [wrong] logit_lens: normalised twice
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_pre", 0]]
    streams += [cache["resid_post", layer] for layer in range(model.cfg.n_layers)]
    return torch.stack([model.unembed(model.ln_final(model.ln_final(s))) for s in streams])


# %% [wrong] logit_lens: the norm of the layer that reads the stream
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    out = [model.unembed(block.ln1(cache["resid_pre", i])) for i, block in enumerate(model.blocks)]
    return torch.stack([*out, model.unembed(model.ln_final(cache["resid_post", -1]))])


# %% [wrong] logit_lens: without the learnt scale and shift
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_pre", 0]]
    streams += [cache["resid_post", layer] for layer in range(model.cfg.n_layers)]
    normal = [torch.nn.functional.layer_norm(s, s.shape[-1:], eps=model.cfg.eps) for s in streams]
    return torch.stack([model.unembed(s) for s in normal])


# %% [wrong] logit_lens: W_E's rows for the unembedding
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_pre", 0]]
    streams += [cache["resid_post", layer] for layer in range(model.cfg.n_layers)]
    return torch.stack([model.ln_final(s) @ model.W_E.T for s in streams])


# %% [wrong] logit_lens: the lens stays on the model
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_pre", 0]]
    streams += [cache["resid_post", layer] for layer in range(model.cfg.n_layers)]
    model.add_hook("blocks.0.hook_resid_pre", lambda x, hook: x * 1.1)
    return torch.stack([model.unembed(model.ln_final(s)) for s in streams])


# %% [right] logit_lens: typed from the text alone
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    out = []
    for layer in range(model.cfg.n_layers):
        out.append(model.unembed(model.ln_final(cache["resid_pre", layer])))
    out.append(model.unembed(model.ln_final(cache["resid_post", model.cfg.n_layers - 1])))
    return torch.stack(out)


# %% [right] logit_lens: the library's accumulated residual stream
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    streams = cache.accumulated_resid()  # [layer+1 batch pos d_model]
    return torch.stack([model.unembed(model.ln_final(stream)) for stream in streams])


# %% [right] logit_lens: layer norm and unembedding written out
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    last = model.cfg.n_layers
    stack = torch.stack(
        [*(cache["resid_pre", n] for n in range(last)), cache["resid_post", last - 1]]
    )
    stack = stack - stack.mean(-1, keepdim=True)
    stack = stack / (stack.pow(2).mean(-1, keepdim=True) + model.cfg.eps).sqrt()
    return (stack * model.ln_final.w + model.ln_final.b) @ model.W_U + model.b_U


# %% [right] logit_lens: every draft put into the model before its last norm
def logit_lens(model, tokens):
    _, cache = model.run_with_cache(tokens)
    last = model.cfg.n_layers - 1
    drafts = [cache["resid_pre", i] for i in range(model.cfg.n_layers)] + [
        cache["resid_post", last]
    ]
    point = f"blocks.{last}.hook_resid_post"
    return torch.stack(
        [model.run_with_hooks(tokens, fwd_hooks=[(point, lambda r, hook, d=d: d)]) for d in drafts]
    )


# %% [wrong] patch_resid: clean and corrupt are exchanged
def patch_resid(model, clean, corrupt, metric):
    worst_logits, cache = model.run_with_cache(corrupt)
    best, worst = float(metric(model(clean))), float(metric(worst_logits))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def put(resid, hook):
                resid[:, position] = cache["resid_pre", layer][:, position]
                return resid

            hooks = [(f"blocks.{layer}.hook_resid_pre", put)]
            patched = metric(model.run_with_hooks(clean, fwd_hooks=hooks))
            effect[layer, position] = (float(patched) - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: not normalised
def patch_resid(model, clean, corrupt, metric):
    _, cache = model.run_with_cache(clean)
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def put(resid, hook):
                resid[:, position] = cache["resid_pre", layer][:, position]
                return resid

            hooks = [(f"blocks.{layer}.hook_resid_pre", put)]
            effect[layer, position] = metric(model.run_with_hooks(corrupt, fwd_hooks=hooks))
    return effect


# %% [wrong] patch_resid: 0 and 1 are exchanged
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def put(resid, hook):
                resid[:, position] = cache["resid_pre", layer][:, position]
                return resid

            hooks = [(f"blocks.{layer}.hook_resid_pre", put)]
            patched = float(metric(model.run_with_hooks(corrupt, fwd_hooks=hooks)))
            effect[layer, position] = (patched - best) / (worst - best)
    return effect


# %% [wrong] patch_resid: clean into clean
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def put(resid, hook):
                resid[:, position] = cache["resid_pre", layer][:, position]
                return resid

            hooks = [(f"blocks.{layer}.hook_resid_pre", put)]
            patched = float(metric(model.run_with_hooks(clean, fwd_hooks=hooks)))
            effect[layer, position] = (patched - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: all positions at once
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):
            hooks = [(f"blocks.{layer}.hook_resid_pre", lambda r, hook: cache["resid_pre", layer])]
            patched = float(metric(model.run_with_hooks(corrupt, fwd_hooks=hooks)))
            effect[layer, position] = (patched - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: this position and all before it
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def put(resid, hook):
                resid[:, : position + 1] = cache["resid_pre", layer][:, : position + 1]
                return resid

            hooks = [(f"blocks.{layer}.hook_resid_pre", put)]
            patched = float(metric(model.run_with_hooks(corrupt, fwd_hooks=hooks)))
            effect[layer, position] = (patched - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: after each layer instead of before it
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def put(resid, hook):
                resid[:, position] = cache["resid_post", layer][:, position]
                return resid

            hooks = [(f"blocks.{layer}.hook_resid_post", put)]
            patched = float(metric(model.run_with_hooks(corrupt, fwd_hooks=hooks)))
            effect[layer, position] = (patched - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: what attention writes instead of the whole stream
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def put(out, hook):
                out[:, position] = cache["attn_out", layer][:, position]
                return out

            hooks = [(f"blocks.{layer}.hook_attn_out", put)]
            patched = float(metric(model.run_with_hooks(corrupt, fwd_hooks=hooks)))
            effect[layer, position] = (patched - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: added to the corrupt stream instead of replacing it
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def put(resid, hook):
                resid[:, position] += cache["resid_pre", layer][:, position]
                return resid

            hooks = [(f"blocks.{layer}.hook_resid_pre", put)]
            patched = float(metric(model.run_with_hooks(corrupt, fwd_hooks=hooks)))
            effect[layer, position] = (patched - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: only the first row of the batch
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def put(resid, hook):
                resid[0, position] = cache["resid_pre", layer][0, position]
                return resid

            hooks = [(f"blocks.{layer}.hook_resid_pre", put)]
            patched = float(metric(model.run_with_hooks(corrupt, fwd_hooks=hooks)))
            effect[layer, position] = (patched - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: positions at which the texts agree are skipped
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):
            if torch.equal(clean[:, position], corrupt[:, position]):
                continue

            def restore(resid, hook):
                resid[:, position] = cache["resid_pre", layer][:, position]
                return resid

            out = model.run_with_hooks(
                corrupt, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", restore)]
            )
            effect[layer, position] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: only texts whose token differs at the position are patched
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):
            rows = clean[:, position] != corrupt[:, position]

            def restore(resid, hook):
                resid[rows, position] = cache["resid_pre", layer][rows, position]
                return resid

            out = model.run_with_hooks(
                corrupt, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", restore)]
            )
            effect[layer, position] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: up to the last position at which the texts differ
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    end = int((clean != corrupt).any(0).nonzero().max()) + 1
    for layer in range(model.cfg.n_layers):
        for position in range(end):

            def restore(resid, hook):
                resid[:, position] = cache["resid_pre", layer][:, position]
                return resid

            out = model.run_with_hooks(
                corrupt, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", restore)]
            )
            effect[layer, position] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: two layers, whatever the model has
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(2, clean.shape[1])
    for layer in (0, 1):
        for position in range(clean.shape[1]):

            def restore(resid, hook):
                resid[:, position] = cache["resid_pre", layer][:, position]
                return resid

            out = model.run_with_hooks(
                corrupt, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", restore)]
            )
            effect[layer, position] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [right] patch_resid: typed from the text alone
def patch_resid(model, clean, corrupt, metric):
    clean_logits, clean_cache = model.run_with_cache(clean)
    corrupt_logits = model(corrupt)
    rows = []
    for layer in range(model.cfg.n_layers):
        row = []
        for position in range(clean.shape[1]):

            def change(resid, hook):
                resid[:, position] = clean_cache["resid_pre", layer][:, position]
                return resid

            patched = model.run_with_hooks(
                corrupt, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", change)]
            )
            top = metric(patched) - metric(corrupt_logits)
            row.append(top / (metric(clean_logits) - metric(corrupt_logits)))
        rows.append(row)
    return torch.tensor(rows)


# %% [right] patch_resid: the library's patching, then put on the scale
def patch_resid(model, clean, corrupt, metric):
    from transformer_lens import patching

    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))

    def scaled(patched):
        return torch.tensor((float(metric(patched)) - worst) / (best - worst))

    return patching.get_act_patch_resid_pre(model, corrupt, cache, scaled).float().cpu()


# %% [right] patch_resid: with where, and one list of rows
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    low = float(metric(model(corrupt)))
    span = float(metric(logits)) - low
    places = torch.arange(clean.shape[1], device=clean.device)[:, None]
    rows = []
    for layer in range(model.cfg.n_layers):
        source, row = cache["resid_pre", layer], []
        for position in range(clean.shape[1]):
            with model.hooks(
                fwd_hooks=[
                    (
                        f"blocks.{layer}.hook_resid_pre",
                        lambda r, hook: torch.where(places == position, source, r),
                    )
                ]
            ):
                row.append((float(metric(model(corrupt))) - low) / span)
        rows.append(row)
    return torch.tensor(rows)


# %% [right] patch_resid: a nested list, numpy at the end
def patch_resid(model, clean, corrupt, metric):
    import numpy as np

    cache = model.run_with_cache(clean)[1]
    best, worst = metric(model(clean)), metric(model(corrupt))

    def effect(layer, position):
        def restore(resid, hook):
            new = resid.clone()
            new[:, position] = cache["resid_pre", layer][:, position]
            return new

        out = model.run_with_hooks(corrupt, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", restore)])
        return float((metric(out) - worst) / (best - worst))

    grid = [[effect(i, p) for p in range(clean.shape[1])] for i in range(model.cfg.n_layers)]
    return torch.from_numpy(np.array(grid))


# %% [wrong] patch_resid: the hooks pile up on the model
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def put(resid, hook, layer=layer, position=position):
                resid = resid.clone()
                resid[:, position] = cache["resid_pre", layer][:, position]
                return resid

            model.add_hook(f"blocks.{layer}.hook_resid_pre", put)
            effect[layer, position] = (float(metric(model(corrupt))) - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: the clean cache is overwritten on the way
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def restore(resid, hook):
                mixed = cache["resid_pre", layer]
                others = torch.arange(mixed.shape[1]) != position
                mixed[:, others] = resid[:, others]
                return mixed

            out = model.run_with_hooks(
                corrupt, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", restore)]
            )
            effect[layer, position] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: divided by the clean metric
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def restore(resid, hook):
                resid[:, position] = cache["resid_pre", layer][:, position]
                return resid

            out = model.run_with_hooks(
                corrupt, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", restore)]
            )
            effect[layer, position] = (float(metric(out)) - worst) / best
    return effect


# %% [wrong] patch_resid: cut off to between 0 and 1
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def restore(resid, hook):
                resid[:, position] = cache["resid_pre", layer][:, position]
                return resid

            out = model.run_with_hooks(
                corrupt, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", restore)]
            )
            effect[layer, position] = (float(metric(out)) - worst) / (best - worst)
    return effect.clamp(0, 1)


# %% [wrong] patch_resid: before all layers at once
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):
            hooks = []
            for i in range(layer, model.cfg.n_layers):

                def restore(resid, hook, i=i):
                    resid[:, position] = cache["resid_pre", i][:, position]
                    return resid

                hooks.append((f"blocks.{i}.hook_resid_pre", restore))
            out = model.run_with_hooks(corrupt, fwd_hooks=hooks)
            effect[layer, position] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_resid: the metric sees probabilities
def patch_resid(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits.softmax(-1))), float(metric(model(corrupt).softmax(-1)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def restore(resid, hook):
                resid[:, position] = cache["resid_pre", layer][:, position]
                return resid

            out = model.run_with_hooks(
                corrupt, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", restore)]
            )
            effect[layer, position] = (float(metric(out.softmax(-1))) - worst) / (best - worst)
    return effect


# %% [wrong] patch_heads: clean and corrupt are exchanged
def patch_heads(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(corrupt)
    best, worst = float(metric(logits)), float(metric(model(clean)))
    effect = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):

            def restore(z, hook):
                z[:, :, head] = cache["z", layer][:, :, head]
                return z

            out = model.run_with_hooks(clean, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", restore)])
            effect[layer, head] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_heads: the model runs on the clean text
def patch_heads(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(corrupt)
    worst, best = float(metric(logits)), float(metric(model(clean)))
    effect = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):

            def restore(z, hook):
                z[:, :, head] = cache["z", layer][:, :, head]
                return z

            out = model.run_with_hooks(clean, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", restore)])
            effect[layer, head] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_heads: all heads of the layer at once
def patch_heads(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            point = f"blocks.{layer}.attn.hook_z"
            hooks = [(point, lambda z, hook: cache["z", layer])]
            out = model.run_with_hooks(corrupt, fwd_hooks=hooks)
            effect[layer, head] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_heads: the last position only
def patch_heads(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):

            def restore(z, hook):
                z[:, -1, head] = cache["z", layer][:, -1, head]
                return z

            hooks = [(f"blocks.{layer}.attn.hook_z", restore)]
            out = model.run_with_hooks(corrupt, fwd_hooks=hooks)
            effect[layer, head] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_heads: a position instead of a head
def patch_heads(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):

            def restore(z, hook):
                z[:, head] = cache["z", layer][:, head]
                return z

            hooks = [(f"blocks.{layer}.attn.hook_z", restore)]
            out = model.run_with_hooks(corrupt, fwd_hooks=hooks)
            effect[layer, head] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_heads: the patterns instead of the outputs
def patch_heads(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):

            def restore(pattern, hook):
                pattern[:, head] = cache["pattern", layer][:, head]
                return pattern

            hooks = [(f"blocks.{layer}.attn.hook_pattern", restore)]
            out = model.run_with_hooks(corrupt, fwd_hooks=hooks)
            effect[layer, head] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_heads: divided by nothing
def patch_heads(model, clean, corrupt, metric):
    _, cache = model.run_with_cache(clean)
    worst = float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):

            def restore(z, hook):
                z[:, :, head] = cache["z", layer][:, :, head]
                return z

            hooks = [(f"blocks.{layer}.attn.hook_z", restore)]
            out = model.run_with_hooks(corrupt, fwd_hooks=hooks)
            effect[layer, head] = float(metric(out)) - worst
    return effect


# %% [wrong] patch_heads: only positions at which the texts differ
def patch_heads(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    at = (clean != corrupt).any(0)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):

            def restore(z, hook):
                z[:, at, head] = cache["z", layer][:, at, head]
                return z

            hooks = [(f"blocks.{layer}.attn.hook_z", restore)]
            out = model.run_with_hooks(corrupt, fwd_hooks=hooks)
            effect[layer, head] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_heads: only the first text of the batch
def patch_heads(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):

            def restore(z, hook):
                z[0, :, head] = cache["z", layer][0, :, head]
                return z

            hooks = [(f"blocks.{layer}.attn.hook_z", restore)]
            out = model.run_with_hooks(corrupt, fwd_hooks=hooks)
            effect[layer, head] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [wrong] patch_heads: heads in rows
def patch_heads(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_heads, model.cfg.n_layers)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):

            def restore(z, hook):
                z[:, :, head] = cache["z", layer][:, :, head]
                return z

            hooks = [(f"blocks.{layer}.attn.hook_z", restore)]
            out = model.run_with_hooks(corrupt, fwd_hooks=hooks)
            effect[head, layer] = (float(metric(out)) - worst) / (best - worst)
    return effect


# %% [right] patch_heads: typed from the text alone
def patch_heads(model, clean, corrupt, metric):
    clean_logits, clean_cache = model.run_with_cache(clean)
    corrupt_logits = model(corrupt)
    rows = []
    for layer in range(model.cfg.n_layers):
        row = []
        for head in range(model.cfg.n_heads):

            def change(z, hook):
                z[:, :, head] = clean_cache["z", layer][:, :, head]
                return z

            patched = model.run_with_hooks(
                corrupt, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", change)]
            )
            top = metric(patched) - metric(corrupt_logits)
            row.append(top / (metric(clean_logits) - metric(corrupt_logits)))
        rows.append(row)
    return torch.tensor(rows)


# %% [right] patch_heads: the library's patching, then put on the scale
def patch_heads(model, clean, corrupt, metric):
    from transformer_lens import patching

    logits, cache = model.run_with_cache(clean)
    best, worst = float(metric(logits)), float(metric(model(corrupt)))
    raw = patching.get_act_patch_attn_head_out_all_pos(
        model, corrupt, cache, lambda out: torch.tensor(float(metric(out)))
    )
    return (raw.cpu() - worst) / (best - worst)


# %% [right] patch_heads: what the head would add is put into the sum
def patch_heads(model, clean, corrupt, metric):
    logits, cache = model.run_with_cache(clean)
    corrupt_logits, own = model.run_with_cache(corrupt)
    best, worst = float(metric(logits)), float(metric(corrupt_logits))
    effect = torch.zeros(model.cfg.n_layers, model.cfg.n_heads, dtype=torch.float64)
    for layer in range(model.cfg.n_layers):
        gain = cache["z", layer] - own["z", layer]
        for head in range(model.cfg.n_heads):
            more = gain[:, :, head] @ model.W_O[layer, head]
            hooks = [(f"blocks.{layer}.hook_attn_out", lambda out, hook: out + more)]
            patched = float(metric(model.run_with_hooks(corrupt, fwd_hooks=hooks)))
            effect[layer, head] = (patched - worst) / (best - worst)
    return effect


# %% [wrong] keep_heads: the heads in keep are the ones that go
def keep_heads(model, tokens, keep, reference):
    _, cache = model.run_with_cache(reference)
    hooks = []
    for layer, head in keep:
        mean = cache["z", layer][:, :, head].mean((0, 1))

        def replace(z, hook, head=head, mean=mean):
            z[:, :, head] = mean
            return z

        hooks.append((f"blocks.{layer}.attn.hook_z", replace))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] keep_heads: zero instead of the mean
def keep_heads(model, tokens, keep, reference):
    hooks = []
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            if (layer, head) not in keep:

                def replace(z, hook, head=head):
                    z[:, :, head] = 0
                    return z

                hooks.append((f"blocks.{layer}.attn.hook_z", replace))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] keep_heads: all hooks see the loop's last head
def keep_heads(model, tokens, keep, reference):
    _, cache = model.run_with_cache(reference)
    hooks = []
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            if (layer, head) not in keep:

                def replace(z, hook):
                    z[:, :, head] = cache["z", layer][:, :, head].mean((0, 1))
                    return z

                hooks.append((f"blocks.{layer}.attn.hook_z", replace))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] keep_heads: a head is kept in every layer
def keep_heads(model, tokens, keep, reference):
    _, cache = model.run_with_cache(reference)
    stay = {head for _, head in keep}
    hooks = []
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            if head not in stay:
                mean = cache["z", layer][:, :, head].mean((0, 1))

                def replace(z, hook, head=head, mean=mean):
                    z[:, :, head] = mean
                    return z

                hooks.append((f"blocks.{layer}.attn.hook_z", replace))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] keep_heads: layers without a kept head are left alone
def keep_heads(model, tokens, keep, reference):
    _, cache = model.run_with_cache(reference)
    hooks = []
    for layer in sorted({layer for layer, _ in keep}):
        for head in range(model.cfg.n_heads):
            if (layer, head) not in keep:
                mean = cache["z", layer][:, :, head].mean((0, 1))

                def replace(z, hook, head=head, mean=mean):
                    z[:, :, head] = mean
                    return z

                hooks.append((f"blocks.{layer}.attn.hook_z", replace))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] keep_heads: the mean is taken over the text itself
def keep_heads(model, tokens, keep, reference):
    _, cache = model.run_with_cache(tokens)
    hooks = []
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            if (layer, head) not in keep:
                mean = cache["z", layer][:, :, head].mean((0, 1))

                def replace(z, hook, head=head, mean=mean):
                    z[:, :, head] = mean
                    return z

                hooks.append((f"blocks.{layer}.attn.hook_z", replace))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] keep_heads: the mean is taken in the ablated run
def keep_heads(model, tokens, keep, reference):
    hooks = []
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            if (layer, head) not in keep:

                def replace(z, hook, head=head):
                    z[:, :, head] = z[:, :, head].mean((0, 1))
                    return z

                hooks.append((f"blocks.{layer}.attn.hook_z", replace))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] keep_heads: the mean of each position by itself
def keep_heads(model, tokens, keep, reference):
    _, cache = model.run_with_cache(reference)
    hooks = []
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            if (layer, head) not in keep:
                mean = cache["z", layer][:, :, head].mean(0)

                def replace(z, hook, head=head, mean=mean):
                    size = min(len(mean), z.shape[1])
                    z[:, :size, head] = mean[:size]
                    return z

                hooks.append((f"blocks.{layer}.attn.hook_z", replace))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [wrong] keep_heads: the hooks stay on the model
def keep_heads(model, tokens, keep, reference):
    _, cache = model.run_with_cache(reference)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            if (layer, head) not in keep:
                mean = cache["z", layer][:, :, head].mean((0, 1))

                def replace(z, hook, head=head, mean=mean):
                    z[:, :, head] = mean
                    return z

                model.add_hook(f"blocks.{layer}.attn.hook_z", replace)
    return model(tokens)


# %% [wrong] keep_heads: two layers, whatever the model has
def keep_heads(model, tokens, keep, reference):
    _, cache = model.run_with_cache(reference)
    hooks = []
    for layer in (0, 1):
        for head in range(model.cfg.n_heads):
            if (layer, head) not in keep:
                mean = cache["z", layer][:, :, head].mean((0, 1))

                def replace(z, hook, head=head, mean=mean):
                    z[:, :, head] = mean
                    return z

                hooks.append((f"blocks.{layer}.attn.hook_z", replace))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [right] keep_heads: typed from the text alone
def keep_heads(model, tokens, keep, reference):
    _, cache = model.run_with_cache(reference)

    def make_hook(layer):
        def change(z, hook):
            for head in range(model.cfg.n_heads):
                if (layer, head) not in keep:
                    z[:, :, head] = cache["z", layer][:, :, head].mean(0).mean(0)
            return z

        return change

    hooks = [(f"blocks.{i}.attn.hook_z", make_hook(i)) for i in range(model.cfg.n_layers)]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)


# %% [right] keep_heads: a mask for each layer
def keep_heads(model, tokens, keep, reference):
    cache = model.run_with_cache(reference)[1]
    hooks = []
    for layer in range(model.cfg.n_layers):
        stays = torch.tensor([(layer, h) in keep for h in range(model.cfg.n_heads)])[:, None]
        mean = cache["z", layer].flatten(0, 1).mean(0)  # [head d_head]
        hooks.append(
            (
                f"blocks.{layer}.attn.hook_z",
                lambda z, hook, stays=stays, mean=mean: torch.where(stays.to(z.device), z, mean),
            )
        )
    with model.hooks(fwd_hooks=hooks):
        return model(tokens)


# %% [wrong] compare_modes: two names for one bridge
def compare_modes(folder, tokens):
    one = TransformerBridge.boot_transformers(folder, device="cpu")
    two = one
    two.enable_compatibility_mode(disable_warnings=True)
    (a, ca), (b, cb) = one.run_with_cache(tokens), two.run_with_cache(tokens)
    last = one.cfg.n_layers - 1
    pairs = {
        "logits": (a, b),
        "log_probs": (a.log_softmax(-1), b.log_softmax(-1)),
        "pattern": (ca["pattern", 0], cb["pattern", 0]),
        "resid_post": (ca["resid_post", last], cb["resid_post", last]),
    }
    return {name: float((x - y).abs().max()) for name, (x, y) in pairs.items()}


# %% [wrong] compare_modes: compatibility mode is never switched on
def compare_modes(folder, tokens):
    one = TransformerBridge.boot_transformers(folder, device="cpu")
    two = TransformerBridge.boot_transformers(folder, device="cpu")
    (a, ca), (b, cb) = one.run_with_cache(tokens), two.run_with_cache(tokens)
    last = one.cfg.n_layers - 1
    pairs = {
        "logits": (a, b),
        "log_probs": (a.log_softmax(-1), b.log_softmax(-1)),
        "pattern": (ca["pattern", 0], cb["pattern", 0]),
        "resid_post": (ca["resid_post", last], cb["resid_post", last]),
    }
    return {name: float((x - y).abs().max()) for name, (x, y) in pairs.items()}


# %% [wrong] compare_modes: probabilities over the positions
def compare_modes(folder, tokens):
    one = TransformerBridge.boot_transformers(folder, device="cpu")
    two = TransformerBridge.boot_transformers(folder, device="cpu")
    two.enable_compatibility_mode(disable_warnings=True)
    (a, ca), (b, cb) = one.run_with_cache(tokens), two.run_with_cache(tokens)
    last = one.cfg.n_layers - 1
    pairs = {
        "logits": (a, b),
        "log_probs": (a.log_softmax(1), b.log_softmax(1)),
        "pattern": (ca["pattern", 0], cb["pattern", 0]),
        "resid_post": (ca["resid_post", last], cb["resid_post", last]),
    }
    return {name: float((x - y).abs().max()) for name, (x, y) in pairs.items()}


# %% [wrong] compare_modes: the mean difference
def compare_modes(folder, tokens):
    one = TransformerBridge.boot_transformers(folder, device="cpu")
    two = TransformerBridge.boot_transformers(folder, device="cpu")
    two.enable_compatibility_mode(disable_warnings=True)
    (a, ca), (b, cb) = one.run_with_cache(tokens), two.run_with_cache(tokens)
    last = one.cfg.n_layers - 1
    pairs = {
        "logits": (a, b),
        "log_probs": (a.log_softmax(-1), b.log_softmax(-1)),
        "pattern": (ca["pattern", 0], cb["pattern", 0]),
        "resid_post": (ca["resid_post", last], cb["resid_post", last]),
    }
    return {name: float((x - y).abs().mean()) for name, (x, y) in pairs.items()}


# %% [wrong] compare_modes: the largest difference with its sign
def compare_modes(folder, tokens):
    one = TransformerBridge.boot_transformers(folder, device="cpu")
    two = TransformerBridge.boot_transformers(folder, device="cpu")
    two.enable_compatibility_mode(disable_warnings=True)
    (a, ca), (b, cb) = one.run_with_cache(tokens), two.run_with_cache(tokens)
    last = one.cfg.n_layers - 1
    pairs = {
        "logits": (a, b),
        "log_probs": (a.log_softmax(-1), b.log_softmax(-1)),
        "pattern": (ca["pattern", 0], cb["pattern", 0]),
        "resid_post": (ca["resid_post", last], cb["resid_post", last]),
    }
    return {name: float((x - y).max()) for name, (x, y) in pairs.items()}


# %% [wrong] compare_modes: the stream after the first layer
def compare_modes(folder, tokens):
    one = TransformerBridge.boot_transformers(folder, device="cpu")
    two = TransformerBridge.boot_transformers(folder, device="cpu")
    two.enable_compatibility_mode(disable_warnings=True)
    (a, ca), (b, cb) = one.run_with_cache(tokens), two.run_with_cache(tokens)
    pairs = {
        "logits": (a, b),
        "log_probs": (a.log_softmax(-1), b.log_softmax(-1)),
        "pattern": (ca["pattern", 0], cb["pattern", 0]),
        "resid_post": (ca["resid_post", 0], cb["resid_post", 0]),
    }
    return {name: float((x - y).abs().max()) for name, (x, y) in pairs.items()}


# %% [right] compare_modes: typed from the text alone
def compare_modes(folder, tokens):
    bridge1 = TransformerBridge.boot_transformers(folder, device="cpu")
    bridge2 = TransformerBridge.boot_transformers(folder, device="cpu")
    bridge2.enable_compatibility_mode(disable_warnings=True)
    logits1, cache1 = bridge1.run_with_cache(tokens)
    logits2, cache2 = bridge2.run_with_cache(tokens)
    result = {}
    result["logits"] = (logits1 - logits2).abs().max().item()
    lp1 = torch.log_softmax(logits1, dim=-1)
    lp2 = torch.log_softmax(logits2, dim=-1)
    result["log_probs"] = (lp1 - lp2).abs().max().item()
    result["pattern"] = (cache1["pattern", 0] - cache2["pattern", 0]).abs().max().item()
    result["resid_post"] = (cache1["resid_post", -1] - cache2["resid_post", -1]).abs().max().item()
    return result


# %% [right] compare_modes: one bridge, run before and after
def compare_modes(folder, tokens):
    bridge = TransformerBridge.boot_transformers(folder, device="cpu")
    runs = []
    for _ in range(2):
        logits, cache = bridge.run_with_cache(tokens)
        stream = cache[f"blocks.{bridge.cfg.n_layers - 1}.hook_resid_post"].clone()
        seen = [logits, logits.log_softmax(-1), cache["pattern", 0].clone(), stream]
        runs.append(seen)
        if len(runs) == 1:
            bridge.enable_compatibility_mode(disable_warnings=True)
    names = ("logits", "log_probs", "pattern", "resid_post")
    return {n: (a - b).abs().max().item() for n, a, b in zip(names, *runs)}


# %% [equivalent] token_report: one text is a batch of one, whose first row is its last
# ids = model.to_tokens(text, prepend_bos=prepend_bos)[-1].tolist()


# %% [equivalent] mixed_pattern: both texts have one length, so scores are square
# length = scores.shape[-2]


# %% [equivalent] mean_ablate_head: a mean over two axes, in either order; the filter only saves memory
# mean = cache[point][:, :, head].mean(dim=(1, 0)) # [d_head]
# _, cache = model.run_with_cache(reference)


# %% [equivalent] patch_resid: a tensor with one number becomes that number where it is stored
# best, worst = metric(clean_logits), float(metric(model(corrupt)))
# best, worst = float(metric(clean_logits)), metric(model(corrupt))
# effect[layer, position] = (patched - worst) / (best - worst)


# %% [equivalent] patch_heads: a tensor with one number becomes that number where it is stored
# best, worst = metric(clean_logits), float(metric(model(corrupt)))
# best, worst = float(metric(clean_logits)), metric(model(corrupt))
# effect[layer, head] = (patched - worst) / (best - worst)


# %% [equivalent] keep_heads: a mean over two axes, in either order
# mean = cache["z", layer][:, :, head].mean(dim=(1, 0)) # [d_head]


# %% [equivalent] compare_modes: the last of two layers, both bridges' names, and warnings
# processed.enable_compatibility_mode(disable_warnings=False)
# "resid_post": cache["resid_post", -1],
# "resid_post": cache["resid_post", 1 - bridge.cfg.n_layers],
# return {name: float((found[1][name] - found[0][name]).abs().max()) for name in found[0]}
# return {name: float((found[0][name] - found[1][name]).abs().max()) for name in found[1]}
# return {name: float((found[0][name] - found[1][name]).abs().max()) for name in found[-1]}


# %% [equivalent] compare_modes: what does not change differs by rounding, in each layer and either form
# "pattern": cache["pattern", 1],
# "pattern": cache["pattern", -1],
# "log_probs": logits.softmax(dim=-1),
# "log_probs": cache["pattern", 0], "pattern": logits.log_softmax(dim=-1),
