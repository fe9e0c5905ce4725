# %% [wrong] direct_path: the position embedding is forgotten
def direct_path(model, tokens):
    return model.W_E[tokens] @ model.W_U


# %% [wrong] direct_path: the position embedding of position 0 for all
def direct_path(model, tokens):
    return (model.W_E[tokens] + model.W_pos[0]) @ model.W_U


# %% [wrong] direct_path: positions are indexed by the token ids
def direct_path(model, tokens):
    return (model.W_E[tokens] + model.W_pos[tokens % model.cfg.n_ctx]) @ model.W_U


# %% [wrong] direct_path: unembeds with the transposed embedding, as if they were tied
def direct_path(model, tokens):
    return (model.W_E[tokens] + model.W_pos[: len(tokens)]) @ model.W_E.T


# %% [wrong] direct_path: the logits of the whole model
def direct_path(model, tokens):
    return model(tokens[None])[0]


# %% [wrong] direct_path: probabilities instead of logits
def direct_path(model, tokens):
    return ((model.W_E[tokens] + model.W_pos[: len(tokens)]) @ model.W_U).softmax(-1)


# %% [wrong] direct_path: positions counted from 1
def direct_path(model, tokens):
    n = len(tokens)
    return (model.W_E[tokens] + model.W_pos[1 : n + 1]) @ model.W_U


# %% [wrong] direct_path: the loaded model instead of the one that was passed
def direct_path(model, tokens):
    return (net.W_E[tokens] + net.W_pos[: len(tokens)]) @ net.W_U


# %% [wrong] direct_path: float64 is returned
def direct_path(model, tokens):
    return ((model.W_E[tokens] + model.W_pos[: len(tokens)]) @ model.W_U).double()


# %% [right] direct_path: typed from the text alone
def direct_path(model, tokens):
    rows = []
    for i, token in enumerate(tokens):
        rows.append((model.W_E[token] + model.W_pos[i]) @ model.W_U)
    return torch.stack(rows)


# %% [right] direct_path: one-hot vectors
def direct_path(model, tokens):

    one_hot = torch.nn.functional.one_hot(tokens, model.cfg.d_vocab).float()
    return one_hot @ (model.W_E @ model.W_U) + model.W_pos[: tokens.shape[0]] @ model.W_U


# %% [right] direct_path: from the cache of a run
def direct_path(model, tokens):
    _, cache = model.run_with_cache(tokens[None])
    return cache["resid_pre", 0][0] @ model.W_U


# %% [right] direct_path: float64 inside, float32 in the end
def direct_path(model, tokens):
    x = model.W_E.double()[tokens] + model.W_pos.double()[: tokens.shape[0]]
    return (x @ model.W_U.double()).float()


# %% [wrong] ov_circuit: the transposed circuit, from the predicted token to the one looked at
def ov_circuit(model, layer, head):
    into = model.W_E @ model.W_V[layer, head]
    out = model.W_O[layer, head] @ model.W_U
    return FactoredMatrix(out.T, into.T)


# %% [wrong] ov_circuit: the two ends are exchanged
def ov_circuit(model, layer, head):
    into = model.W_U.T @ model.W_V[layer, head]
    out = model.W_O[layer, head] @ model.W_E.T
    return FactoredMatrix(into, out)


# %% [wrong] ov_circuit: W_O is read in, W_V is written out
def ov_circuit(model, layer, head):
    into = model.W_E @ model.W_O[layer, head].T
    out = model.W_V[layer, head].T @ model.W_U
    return FactoredMatrix(into, out)


# %% [wrong] ov_circuit: keys instead of values
def ov_circuit(model, layer, head):
    into = model.W_E @ model.W_K[layer, head]
    return FactoredMatrix(into, model.W_O[layer, head] @ model.W_U)


# %% [wrong] ov_circuit: layer and head are exchanged
def ov_circuit(model, layer, head):
    into = model.W_E @ model.W_V[head % model.cfg.n_layers, layer]
    out = model.W_O[head % model.cfg.n_layers, layer] @ model.W_U
    return FactoredMatrix(into, out)


# %% [wrong] ov_circuit: cut at the residual stream, so that the inner size is d_model
def ov_circuit(model, layer, head):
    into = model.W_E @ model.W_V[layer, head] @ model.W_O[layer, head]
    return FactoredMatrix(into, model.W_U)


# %% [wrong] ov_circuit: multiplied out and factored again by singular values
def ov_circuit(model, layer, head):

    full = model.W_E @ model.W_V[layer, head] @ model.W_O[layer, head] @ model.W_U
    u, s, vh = torch.linalg.svd(full, full_matrices=False)
    k = model.cfg.d_head
    return FactoredMatrix(u[:, :k] * s[:k], vh[:k])


# %% [wrong] ov_circuit: divided by the root of d_head, which belongs to the scores
def ov_circuit(model, layer, head):
    into = model.W_E @ model.W_V[layer, head] / model.cfg.d_head**0.5
    return FactoredMatrix(into, model.W_O[layer, head] @ model.W_U)


# %% [wrong] ov_circuit: the embedding is centred first
def ov_circuit(model, layer, head):
    embedding = model.W_E - model.W_E.mean(dim=-1, keepdim=True)
    return FactoredMatrix(embedding @ model.W_V[layer, head], model.W_O[layer, head] @ model.W_U)


# %% [wrong] ov_circuit: the loaded model instead of the one that was passed
def ov_circuit(model, layer, head):
    return FactoredMatrix(net.W_E @ net.W_V[layer, head], net.W_O[layer, head] @ net.W_U)


# %% [wrong] ov_circuit: W_O of head 0 always
def ov_circuit(model, layer, head):
    return FactoredMatrix(model.W_E @ model.W_V[layer, head], model.W_O[layer, 0] @ model.W_U)


# %% [wrong] ov_circuit: with the bias of the values
def ov_circuit(model, layer, head):
    return FactoredMatrix(
        model.W_E @ model.W_V[layer, head] + model.b_V[layer, head],
        model.W_O[layer, head] @ model.W_U,
    )


# %% [right] ov_circuit: typed from the text alone
def ov_circuit(model, layer, head):
    return model.W_E @ FactoredMatrix(model.W_V[layer, head], model.W_O[layer, head]) @ model.W_U


# %% [right] ov_circuit: the library's OV between embedding and unembedding
def ov_circuit(model, layer, head):
    return model.W_E @ FactoredMatrix(model.W_V[layer, head], model.W_O[layer, head]) @ model.W_U


# %% [right] ov_circuit: einsum
def ov_circuit(model, layer, head):

    into = torch.einsum("vd,de->ve", model.W_E, model.W_V[layer][head])
    out = torch.einsum("ed,dv->ev", model.W_O[layer][head], model.W_U)
    return FactoredMatrix(into, out)


# %% [wrong] copying_score: absolute values in the numerator too
def copying_score(circuit):

    eigenvalues = torch.linalg.eigvals(circuit.B @ circuit.A)
    return float(eigenvalues.abs().sum() / eigenvalues.abs().sum())


# %% [wrong] copying_score: only real parts, in the denominator too
def copying_score(circuit):

    eigenvalues = torch.linalg.eigvals(circuit.B @ circuit.A).real
    return float(eigenvalues.sum() / eigenvalues.abs().sum())


# %% [wrong] copying_score: the absolute value of the sum
def copying_score(circuit):

    eigenvalues = torch.linalg.eigvals(circuit.B @ circuit.A)
    return float(eigenvalues.sum().abs() / eigenvalues.abs().sum())


# %% [wrong] copying_score: the fraction of positive eigenvalues
def copying_score(circuit):

    eigenvalues = torch.linalg.eigvals(circuit.B @ circuit.A)
    return float((eigenvalues.real > 0).float().mean())


# %% [wrong] copying_score: singular values in the denominator
def copying_score(circuit):

    small = circuit.B @ circuit.A
    return float(small.trace() / torch.linalg.svdvals(small).sum())


# %% [wrong] copying_score: the Frobenius norm in the denominator
def copying_score(circuit):
    small = circuit.B @ circuit.A
    return float(small.trace() / small.norm())


# %% [wrong] copying_score: the mean of the signs of the eigenvalues
def copying_score(circuit):

    return float(torch.linalg.eigvals(circuit.B @ circuit.A).real.sign().mean())


# %% [wrong] copying_score: the big table is made
def copying_score(circuit):

    eigenvalues = torch.linalg.eigvals(circuit.A @ circuit.B)
    return float(eigenvalues.sum().real / eigenvalues.abs().sum())


# %% [wrong] copying_score: multiplied the wrong way round, by transposes
def copying_score(circuit):

    eigenvalues = torch.linalg.eigvals(circuit.A.T @ circuit.A)
    return float(eigenvalues.sum().real / eigenvalues.abs().sum())


# %% [wrong] copying_score: eigenvalues of the symmetric part
def copying_score(circuit):
    lam = torch.linalg.eigvalsh(circuit.B @ circuit.A)
    return (lam.sum() / lam.abs().sum()).item()


# %% [wrong] copying_score: the mean instead of the quotient of sums
def copying_score(circuit):
    lam = torch.linalg.eigvals(circuit.B @ circuit.A)
    return (lam.real / lam.abs()).mean().item()


# %% [wrong] copying_score: only eigenvalues that are real count
def copying_score(circuit):
    lam = torch.linalg.eigvals(circuit.B @ circuit.A)
    lam = lam[lam.imag.abs() < 1e-6].real
    return float(lam.sum() / lam.abs().sum()) if len(lam) else 0.0


# %% [right] copying_score: typed from the text alone
def copying_score(circuit):
    values = torch.linalg.eig(circuit.B @ circuit.A).eigenvalues
    return (values.sum().real / values.abs().sum()).item()


# %% [right] copying_score: the library's eigenvalues
def copying_score(circuit):
    eigenvalues = circuit.eigenvalues
    return (eigenvalues.sum() / eigenvalues.abs().sum()).real.item()


# %% [right] copying_score: the trace as a sum of products
def copying_score(circuit):

    trace = (circuit.A * circuit.B.T).sum()
    lengths = torch.linalg.eigvals((circuit.B @ circuit.A).double()).abs()
    return float(trace / lengths.sum())


# %% [right] copying_score: numpy
def copying_score(circuit):
    import numpy as np

    small = circuit.B.double().numpy() @ circuit.A.double().numpy()
    lam = np.linalg.eigvals(small)
    return float(lam.sum().real / np.abs(lam).sum())


# %% [wrong] qk_circuit: keys in rows, queries in columns
def qk_circuit(model, layer, head):
    queries = model.W_E @ model.W_Q[layer, head]
    keys = model.W_E @ model.W_K[layer, head]
    return FactoredMatrix(keys / model.cfg.d_head**0.5, queries.T)


# %% [wrong] qk_circuit: not divided by the root of d_head
def qk_circuit(model, layer, head):
    queries = model.W_E @ model.W_Q[layer, head]
    keys = model.W_E @ model.W_K[layer, head]
    return FactoredMatrix(queries, keys.T)


# %% [wrong] qk_circuit: divided by d_head
def qk_circuit(model, layer, head):
    queries = model.W_E @ model.W_Q[layer, head]
    keys = model.W_E @ model.W_K[layer, head]
    return FactoredMatrix(queries / model.cfg.d_head, keys.T)


# %% [wrong] qk_circuit: divided by the root of d_model
def qk_circuit(model, layer, head):
    queries = model.W_E @ model.W_Q[layer, head]
    keys = model.W_E @ model.W_K[layer, head]
    return FactoredMatrix(queries / model.cfg.d_model**0.5, keys.T)


# %% [wrong] qk_circuit: both factors divided by the root of d_head
def qk_circuit(model, layer, head):
    scale = model.cfg.d_head**0.5
    queries = model.W_E @ model.W_Q[layer, head] / scale
    keys = model.W_E @ model.W_K[layer, head] / scale
    return FactoredMatrix(queries, keys.T)


# %% [wrong] qk_circuit: the key token is unembedded instead of embedded
def qk_circuit(model, layer, head):
    queries = model.W_E @ model.W_Q[layer, head] / model.cfg.d_head**0.5
    return FactoredMatrix(queries, model.W_K[layer, head].T @ model.W_U)


# %% [wrong] qk_circuit: queries on both sides
def qk_circuit(model, layer, head):
    queries = model.W_E @ model.W_Q[layer, head]
    return FactoredMatrix(queries / model.cfg.d_head**0.5, queries.T)


# %% [wrong] qk_circuit: with the biases of query and key
def qk_circuit(model, layer, head):
    queries = model.W_E @ model.W_Q[layer, head] + model.b_Q[layer, head]
    keys = model.W_E @ model.W_K[layer, head] + model.b_K[layer, head]
    return FactoredMatrix(queries / model.cfg.d_head**0.5, keys.T)


# %% [wrong] qk_circuit: softmax of the query rows
def qk_circuit(model, layer, head):
    queries = model.W_E @ model.W_Q[layer, head]
    keys = model.W_E @ model.W_K[layer, head]
    return FactoredMatrix((queries / model.cfg.d_head**0.5).softmax(-1), keys.T)


# %% [wrong] qk_circuit: the scale of this model written as a number
def qk_circuit(model, layer, head):
    return FactoredMatrix(
        model.W_E @ model.W_Q[layer, head] / 32**0.5, (model.W_E @ model.W_K[layer, head]).T
    )


# %% [wrong] qk_circuit: layer and head are exchanged
def qk_circuit(model, layer, head):
    return FactoredMatrix(
        model.W_E @ model.W_Q[head, layer] / model.cfg.d_head**0.5,
        (model.W_E @ model.W_K[head, layer]).T,
    )


# %% [right] qk_circuit: typed from the text alone
def qk_circuit(model, layer, head):
    left = model.W_E @ model.W_Q[layer, head]
    right = (model.W_E @ model.W_K[layer, head]).T
    return FactoredMatrix(left, right / model.cfg.d_head**0.5)


# %% [right] qk_circuit: the fourth root on either side
def qk_circuit(model, layer, head):
    scale = model.cfg.d_head**0.25
    queries = (model.W_E / scale) @ model.W_Q[layer, head]
    return FactoredMatrix(queries, model.W_K[layer, head].T @ model.W_E.T / scale)


# %% [right] qk_circuit: the bilinear form in the middle
def qk_circuit(model, layer, head):
    form = FactoredMatrix(model.W_Q[layer, head], model.W_K[layer, head].T)
    full = model.W_E @ form @ model.W_E.T
    return FactoredMatrix(full.A, full.B / model.cfg.d_head**0.5)


# %% [right] qk_circuit: the scale from the shape, in float64
def qk_circuit(model, layer, head):
    wq, wk = model.W_Q[layer, head], model.W_K[layer, head]
    a = model.W_E.double() @ wq.double() / wq.shape[-1] ** 0.5
    b = (model.W_E.double() @ wk.double()).T
    return FactoredMatrix(a.float(), b.float())


# %% [wrong] implied_skip_trigrams: the wanted triples are among them
def implied_skip_trigrams(wanted):
    return {(a, b, c2) for a, b, _ in wanted for a2, _, c2 in wanted if a == a2}


# %% [wrong] implied_skip_trigrams: different first tokens are mixed
def implied_skip_trigrams(wanted):
    return {(a, b, c2) for a, b, _ in wanted for _, _, c2 in wanted} - wanted


# %% [wrong] implied_skip_trigrams: linked by the current token instead of the earlier one
def implied_skip_trigrams(wanted):
    return {(a, b, c2) for a, b, _ in wanted for _, b2, c2 in wanted if b == b2} - wanted


# %% [wrong] implied_skip_trigrams: current and predicted token exchanged
def implied_skip_trigrams(wanted):
    return {(a, c2, b) for a, b, _ in wanted for a2, _, c2 in wanted if a == a2} - wanted


# %% [wrong] implied_skip_trigrams: linked by the prediction
def implied_skip_trigrams(wanted):
    return {(a, b2, c) for a, _, c in wanted for _, b2, c2 in wanted if c == c2} - wanted


# %% [wrong] implied_skip_trigrams: only neighbours in sorted order are combined
def implied_skip_trigrams(wanted):
    result = set()
    triples = sorted(wanted)
    for i in range(len(triples) - 1):
        (a, b, c), (a2, b2, c2) = triples[i], triples[i + 1]
        if a == a2:
            result |= {(a, b, c2), (a, b2, c)}
    return result - wanted


# %% [wrong] implied_skip_trigrams: adds what it finds to the set that was given
def implied_skip_trigrams(wanted):
    made = {(a, b, c2) for a, b, _ in wanted for a2, _, c2 in wanted if a == a2} - wanted
    wanted |= made
    return made


# %% [wrong] implied_skip_trigrams: triples whose current token is the earlier one are left out
def implied_skip_trigrams(wanted):
    qk = {(b, a) for a, b, c in wanted}
    ov = {(a, c) for a, b, c in wanted}
    return {(a, b, c) for b, a in qk for a2, c in ov if a == a2 and b != c} - wanted


# %% [wrong] implied_skip_trigrams: empties the set that was given
def implied_skip_trigrams(wanted):
    qk = {(b, a) for a, b, c in wanted}
    ov = {(a, c) for a, b, c in wanted}
    out = {(a, b, c) for b, a in qk for a2, c in ov if a == a2}
    out -= wanted
    wanted.clear()
    return out


# %% [right] implied_skip_trigrams: typed from the text alone
def implied_skip_trigrams(wanted):
    extra = set()
    for a, b, _ in wanted:
        for a2, _, c in wanted:
            if a == a2 and (a, b, c) not in wanted:
                extra.add((a, b, c))
    return extra


# %% [right] implied_skip_trigrams: loops over the pairs of triples
def implied_skip_trigrams(wanted):
    result = set()
    for a, b, _ in wanted:
        for other, _, c in wanted:
            if other == a and (a, b, c) not in wanted:
                result.add((a, b, c))
    return result


# %% [right] implied_skip_trigrams: a product for each first token
def implied_skip_trigrams(wanted):
    from itertools import product

    result = set()
    for a in {triple[0] for triple in wanted}:
        here = {triple[1] for triple in wanted if triple[0] == a}
        there = {triple[2] for triple in wanted if triple[0] == a}
        result.update((a, b, c) for b, c in product(here, there))
    return result.difference(wanted)


# %% [right] implied_skip_trigrams: over all tokens there are
def implied_skip_trigrams(wanted):
    ids = {x for t in wanted for x in t}
    qk = {(b, a) for a, b, c in wanted}
    ov = {(a, c) for a, b, c in wanted}
    out = set()
    for a in ids:
        for b in ids:
            for c in ids:
                if (b, a) in qk and (a, c) in ov and (a, b, c) not in wanted:
                    out.add((a, b, c))
    return out


# %% [wrong] rotate_residual: readers are turned in the same sense as writers
def rotate_residual(weights, rotation):
    turned = dict(weights)
    for name in ("W_E", "W_pos", "W_O", "b_O"):
        turned[name] = weights[name] @ rotation
    for name in ("W_Q", "W_K", "W_V", "W_U"):
        turned[name] = rotation @ weights[name]
    return turned


# %% [wrong] rotate_residual: everything is turned the other way
def rotate_residual(weights, rotation):
    turned = dict(weights)
    for name in ("W_E", "W_pos", "W_O", "b_O"):
        turned[name] = weights[name] @ rotation.T
    for name in ("W_Q", "W_K", "W_V", "W_U"):
        turned[name] = rotation @ weights[name]
    return turned


# %% [wrong] rotate_residual: the bias of the output is forgotten
def rotate_residual(weights, rotation):
    turned = dict(weights)
    for name in ("W_E", "W_pos", "W_O"):
        turned[name] = weights[name] @ rotation
    for name in ("W_Q", "W_K", "W_V", "W_U"):
        turned[name] = rotation.T @ weights[name]
    return turned


# %% [wrong] rotate_residual: positions are forgotten
def rotate_residual(weights, rotation):
    turned = dict(weights)
    for name in ("W_E", "W_O", "b_O"):
        turned[name] = weights[name] @ rotation
    for name in ("W_Q", "W_K", "W_V", "W_U"):
        turned[name] = rotation.T @ weights[name]
    return turned


# %% [wrong] rotate_residual: only embedding and unembedding are turned
def rotate_residual(weights, rotation):
    turned = dict(weights)
    for name in ("W_E", "W_pos"):
        turned[name] = weights[name] @ rotation
    turned["W_U"] = rotation.T @ weights["W_U"]
    return turned


# %% [wrong] rotate_residual: values are taken for writers, which leaves W_V as it is
def rotate_residual(weights, rotation):
    turned = dict(weights)
    for name in ("W_E", "W_pos", "W_O", "b_O"):
        turned[name] = weights[name] @ rotation
    for name in ("W_Q", "W_K", "W_U"):
        turned[name] = rotation.T @ weights[name]
    return turned


# %% [wrong] rotate_residual: nothing is turned, which keeps the logits
def rotate_residual(weights, rotation):
    return dict(weights)


# %% [wrong] rotate_residual: the dict that was given is changed
def rotate_residual(weights, rotation):
    for name in ("W_E", "W_pos", "W_O", "b_O"):
        weights[name] = weights[name] @ rotation
    for name in ("W_Q", "W_K", "W_V", "W_U"):
        weights[name] = rotation.T @ weights[name]
    return weights


# %% [wrong] rotate_residual: float32
def rotate_residual(weights, rotation):
    new = {}
    for name, w in weights.items():
        if name in ("W_E", "W_pos", "W_O", "b_O"):
            new[name] = (w @ rotation).float()
        elif name in ("W_Q", "W_K", "W_V", "W_U"):
            new[name] = (rotation.T @ w).float()
        else:
            new[name] = w.float()
    return new


# %% [wrong] rotate_residual: tensors that were given are changed in place
def rotate_residual(weights, rotation):
    for name, w in weights.items():
        if name in ("W_E", "W_pos", "W_O", "b_O"):
            w.copy_(w @ rotation)
        elif name in ("W_Q", "W_K", "W_V", "W_U"):
            w.copy_(rotation.T @ w)
    return dict(weights)


# %% [wrong] rotate_residual: the unembedding is forgotten
def rotate_residual(weights, rotation):
    new = dict(weights)
    for n in ("W_E", "W_pos", "W_O", "b_O"):
        new[n] = new[n] @ rotation
    for n in ("W_Q", "W_K", "W_V"):
        new[n] = rotation.T @ new[n]
    return new


# %% [right] rotate_residual: typed from the text alone
def rotate_residual(weights, rotation):
    new = {}
    for name, w in weights.items():
        if name in ("W_E", "W_pos", "W_O", "b_O"):
            new[name] = w @ rotation
        elif name in ("W_Q", "W_K", "W_V", "W_U"):
            new[name] = rotation.T @ w
        else:
            new[name] = w.clone()
    return new


# %% [right] rotate_residual: einsum, tensor by tensor
def rotate_residual(weights, rotation):

    turned = {name: tensor.clone() for name, tensor in weights.items()}
    for name in ("W_E", "W_pos", "W_O", "b_O"):
        turned[name] = torch.einsum("...d,de->...e", weights[name], rotation)
    for name in ("W_Q", "W_K", "W_V"):
        turned[name] = torch.einsum("lhdx,de->lhex", weights[name], rotation)
    turned["W_U"] = torch.einsum("dv,de->ev", weights["W_U"], rotation)
    return turned


# %% [right] rotate_residual: by solving, as for a basis that is not orthogonal
def rotate_residual(weights, rotation):

    turned = {}
    for name, tensor in weights.items():
        if name in ("W_Q", "W_K", "W_V", "W_U"):
            turned[name] = torch.linalg.inv(rotation) @ tensor
        elif name in ("W_E", "W_pos", "W_O", "b_O"):
            turned[name] = tensor @ rotation
        else:
            turned[name] = tensor
    return turned


# %% [wrong] run_frozen: heads of one layer read each other
def run_frozen(model, patterns, resid):
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            moved = patterns[layer, head] @ resid
            resid = resid + moved @ model.W_V[layer, head] @ model.W_O[layer, head]
    return resid


# %% [wrong] run_frozen: all layers read the first stream, so that nothing composes
def run_frozen(model, patterns, resid):
    result = resid.clone()
    for layer in range(model.cfg.n_layers):
        written = (patterns[layer] @ resid) @ model.W_V[layer] @ model.W_O[layer]
        result = result + written.sum(0)
    return result


# %% [wrong] run_frozen: the residual connection is forgotten
def run_frozen(model, patterns, resid):
    for layer in range(model.cfg.n_layers):
        resid = ((patterns[layer] @ resid) @ model.W_V[layer] @ model.W_O[layer]).sum(0)
    return resid


# %% [wrong] run_frozen: the pattern is transposed, from keys to queries
def run_frozen(model, patterns, resid):
    for layer in range(model.cfg.n_layers):
        averages = patterns[layer].transpose(-1, -2) @ resid
        resid = resid + (averages @ model.W_V[layer] @ model.W_O[layer]).sum(0)
    return resid


# %% [wrong] run_frozen: with the bias of the output
def run_frozen(model, patterns, resid):
    for layer in range(model.cfg.n_layers):
        written = (patterns[layer] @ resid) @ model.W_V[layer] @ model.W_O[layer]
        resid = resid + written.sum(0) + model.b_O[layer]
    return resid


# %% [wrong] run_frozen: with the bias of the values
def run_frozen(model, patterns, resid):
    for layer in range(model.cfg.n_layers):
        values = resid @ model.W_V[layer] + model.b_V[layer][:, None]
        resid = resid + (patterns[layer] @ values @ model.W_O[layer]).sum(0)
    return resid


# %% [wrong] run_frozen: the mean of the heads instead of their sum
def run_frozen(model, patterns, resid):
    for layer in range(model.cfg.n_layers):
        written = (patterns[layer] @ resid) @ model.W_V[layer] @ model.W_O[layer]
        resid = resid + written.mean(0)
    return resid


# %% [wrong] run_frozen: the transposed OV matrix
def run_frozen(model, patterns, resid):
    for layer in range(model.cfg.n_layers):
        OV = model.W_V[layer] @ model.W_O[layer]
        resid = resid + ((patterns[layer] @ resid) @ OV.transpose(-1, -2)).sum(0)
    return resid


# %% [wrong] run_frozen: the patterns are computed from the stream instead of taken as given
def run_frozen(model, patterns, resid):

    n = len(resid)
    future = torch.ones(n, n, dtype=torch.bool).triu(1)
    for layer in range(model.cfg.n_layers):
        q = resid @ model.W_Q[layer]
        k = resid @ model.W_K[layer]
        scores = q @ k.transpose(-1, -2) / model.cfg.d_head**0.5
        pattern = scores.masked_fill(future, -torch.inf).softmax(-1)
        resid = resid + ((pattern @ resid) @ model.W_V[layer] @ model.W_O[layer]).sum(0)
    return resid


# %% [wrong] run_frozen: adds in place to the stream that was given
def run_frozen(model, patterns, resid):
    for layer in range(model.cfg.n_layers):
        resid += ((patterns[layer] @ resid) @ model.W_V[layer] @ model.W_O[layer]).sum(0)
    return resid


# %% [wrong] run_frozen: the loaded model instead of the one that was passed
def run_frozen(model, patterns, resid):
    x = resid
    for layer in range(len(patterns)):
        x = x + sum(
            patterns[layer, h] @ x @ net.W_V[layer, h] @ net.W_O[layer, h]
            for h in range(patterns.shape[1])
        )
    return x


# %% [wrong] run_frozen: two layers, always
def run_frozen(model, patterns, resid):
    x = resid
    for layer in (0, 1):
        x = x + sum(
            patterns[layer, h] @ x @ model.W_V[layer, h] @ model.W_O[layer, h]
            for h in range(model.cfg.n_heads)
        )
    return x


# %% [wrong] run_frozen: two heads, always
def run_frozen(model, patterns, resid):
    x = resid
    for layer in range(model.cfg.n_layers):
        x = x + sum(
            patterns[layer, h] @ x @ model.W_V[layer, h] @ model.W_O[layer, h] for h in (0, 1)
        )
    return x


# %% [wrong] run_frozen: a causal mask is put on the given patterns
def run_frozen(model, patterns, resid):
    x = resid
    for layer in range(model.cfg.n_layers):
        x = x + sum(
            patterns[layer, h].tril() @ x @ model.W_V[layer, h] @ model.W_O[layer, h]
            for h in range(model.cfg.n_heads)
        )
    return x


# %% [right] run_frozen: typed from the text alone
def run_frozen(model, patterns, resid):
    x = resid.clone()
    for layer in range(patterns.shape[0]):
        added = torch.zeros_like(x)
        for head in range(patterns.shape[1]):
            W_OV = model.W_V[layer, head] @ model.W_O[layer, head]
            added += patterns[layer, head] @ x @ W_OV
        x = x + added
    return x


# %% [right] run_frozen: one einsum a layer
def run_frozen(model, patterns, resid):

    for layer in range(model.cfg.n_layers):
        resid = resid + torch.einsum(
            "hqk,kd,hde,hef->qf", patterns[layer], resid, model.W_V[layer], model.W_O[layer]
        )
    return resid


# %% [right] run_frozen: loops, values first and the pattern afterwards
def run_frozen(model, patterns, resid):
    for layer in range(model.cfg.n_layers):
        before = resid
        for head in range(model.cfg.n_heads):
            z = patterns[layer, head] @ (before @ model.W_V[layer, head])
            resid = resid + z @ model.W_O[layer, head]
    return resid


# %% [right] run_frozen: float64 inside
def run_frozen(model, patterns, resid):
    x, a = resid.double(), patterns.double()
    for layer in range(model.cfg.n_layers):
        x = x + sum(
            a[layer, h] @ x @ model.W_V[layer, h].double() @ model.W_O[layer, h].double()
            for h in range(model.cfg.n_heads)
        )
    return x.to(resid.dtype)


# %% [wrong] path_expansion: layer 1 reads the whole stream, so that pairs are counted twice
def path_expansion(model, tokens):
    patterns = patterns_of(model, tokens)
    start = model.W_E[tokens] + model.W_pos[: len(tokens)]
    OV = model.W_V @ model.W_O
    paths, stream = {(): start}, start
    for h in range(model.cfg.n_heads):
        paths[((0, h),)] = patterns[0, h] @ start @ OV[0, h]
        stream = stream + paths[((0, h),)]
    for g in range(model.cfg.n_heads):
        paths[((1, g),)] = patterns[1, g] @ stream @ OV[1, g]
        for h in range(model.cfg.n_heads):
            paths[((0, h), (1, g))] = patterns[1, g] @ paths[((0, h),)] @ OV[1, g]
    return {path: signal @ model.W_U for path, signal in paths.items()}


# %% [wrong] path_expansion: no virtual heads, layer 1 reads the whole stream
def path_expansion(model, tokens):
    patterns = patterns_of(model, tokens)
    start = model.W_E[tokens] + model.W_pos[: len(tokens)]
    OV = model.W_V @ model.W_O
    paths, stream = {(): start}, start
    for h in range(model.cfg.n_heads):
        paths[((0, h),)] = patterns[0, h] @ start @ OV[0, h]
        stream = stream + paths[((0, h),)]
    for g in range(model.cfg.n_heads):
        paths[((1, g),)] = patterns[1, g] @ stream @ OV[1, g]
    return {path: signal @ model.W_U for path, signal in paths.items()}


# %% [wrong] path_expansion: virtual heads with their patterns in the wrong order
def path_expansion(model, tokens):
    patterns = patterns_of(model, tokens)
    start = model.W_E[tokens] + model.W_pos[: len(tokens)]
    OV = model.W_V @ model.W_O
    paths, heads = {(): start}, range(model.cfg.n_heads)
    for layer in range(2):
        for h in heads:
            paths[((layer, h),)] = patterns[layer, h] @ start @ OV[layer, h]
    for h in heads:
        for g in heads:
            paths[((0, h), (1, g))] = patterns[0, h] @ patterns[1, g] @ start @ OV[0, h] @ OV[1, g]
    return {path: signal @ model.W_U for path, signal in paths.items()}


# %% [wrong] path_expansion: virtual heads with their OV matrices in the wrong order
def path_expansion(model, tokens):
    patterns = patterns_of(model, tokens)
    start = model.W_E[tokens] + model.W_pos[: len(tokens)]
    OV = model.W_V @ model.W_O
    paths, heads = {(): start}, range(model.cfg.n_heads)
    for layer in range(2):
        for h in heads:
            paths[((layer, h),)] = patterns[layer, h] @ start @ OV[layer, h]
    for h in heads:
        for g in heads:
            paths[((0, h), (1, g))] = patterns[1, g] @ patterns[0, h] @ start @ OV[1, g] @ OV[0, h]
    return {path: signal @ model.W_U for path, signal in paths.items()}


# %% [wrong] path_expansion: virtual heads named from the later head to the earlier one
def path_expansion(model, tokens):
    patterns = patterns_of(model, tokens)
    paths = {(): model.W_E[tokens] + model.W_pos[: len(tokens)]}
    for layer in range(model.cfg.n_layers):
        for path, signal in list(paths.items()):
            for head in range(model.cfg.n_heads):
                moved = patterns[layer, head] @ signal
                passed = moved @ model.W_V[layer, head] @ model.W_O[layer, head]
                paths[((layer, head), *path)] = passed
    return {path: signal @ model.W_U for path, signal in paths.items()}


# %% [wrong] path_expansion: positions are forgotten
def path_expansion(model, tokens):
    patterns = patterns_of(model, tokens)
    paths = {(): model.W_E[tokens]}
    for layer in range(model.cfg.n_layers):
        for path, signal in list(paths.items()):
            for head in range(model.cfg.n_heads):
                moved = patterns[layer, head] @ signal
                passed = moved @ model.W_V[layer, head] @ model.W_O[layer, head]
                paths[(*path, (layer, head))] = passed
    return {path: signal @ model.W_U for path, signal in paths.items()}


# %% [wrong] path_expansion: each head with its biases
def path_expansion(model, tokens):
    patterns = patterns_of(model, tokens)
    paths = {(): model.W_E[tokens] + model.W_pos[: len(tokens)]}
    for layer in range(model.cfg.n_layers):
        for path, signal in list(paths.items()):
            for head in range(model.cfg.n_heads):
                values = signal @ model.W_V[layer, head] + model.b_V[layer, head]
                passed = patterns[layer, head] @ values @ model.W_O[layer, head]
                paths[(*path, (layer, head))] = passed
    return {path: signal @ model.W_U for path, signal in paths.items()}


# %% [wrong] path_expansion: the paths through two heads belong to the wrong pair of heads
def path_expansion(model, tokens):
    patterns = patterns_of(model, tokens)
    start = model.W_E[tokens] + model.W_pos[: len(tokens)]
    OV = model.W_V @ model.W_O
    paths, heads = {(): start}, range(model.cfg.n_heads)
    for layer in range(2):
        for h in heads:
            paths[((layer, h),)] = patterns[layer, h] @ start @ OV[layer, h]
    for h in heads:
        for g in heads:
            paths[((0, h), (1, g))] = patterns[1, h] @ paths[((0, g),)] @ OV[1, h]
    return {path: signal @ model.W_U for path, signal in paths.items()}


# %% [wrong] path_expansion: the loaded model instead of the one that was passed
def path_expansion(model, tokens):
    a = patterns_of(net, tokens)
    paths = {(): net.W_E[tokens] + net.W_pos[: len(tokens)]}
    for layer in range(2):
        for path, x in list(paths.items()):
            for h in range(net.cfg.n_heads):
                paths[(*path, (layer, h))] = a[layer, h] @ x @ net.W_V[layer, h] @ net.W_O[layer, h]
    return {path: x @ net.W_U for path, x in paths.items()}


# %% [wrong] path_expansion: two heads, always
def path_expansion(model, tokens):
    a = patterns_of(model, tokens)
    paths = {(): model.W_E[tokens] + model.W_pos[: len(tokens)]}
    for layer in range(2):
        for path, x in list(paths.items()):
            for h in (0, 1):
                paths[(*path, (layer, h))] = (
                    a[layer, h] @ x @ model.W_V[layer, h] @ model.W_O[layer, h]
                )
    return {path: x @ model.W_U for path, x in paths.items()}


# %% [wrong] path_expansion: both heads of a pair have the pattern of the later one
def path_expansion(model, tokens):
    a = patterns_of(model, tokens)
    e = model.W_E[tokens] + model.W_pos[: len(tokens)]
    heads = range(model.cfg.n_heads)
    ov = model.W_V @ model.W_O
    out = {(): e @ model.W_U}
    for h in heads:
        for layer in (0, 1):
            out[((layer, h),)] = a[layer, h] @ e @ ov[layer, h] @ model.W_U
        for g in heads:
            out[((0, h), (1, g))] = a[1, g] @ e @ ov[0, h] @ ov[1, g] @ model.W_U
    return out


# %% [wrong] path_expansion: without the comma, a path through one head is the pair itself
def path_expansion(model, tokens):
    patterns = patterns_of(model, tokens)
    x = model.W_E[tokens] + model.W_pos[: len(tokens)]

    def through(x, layer, head):
        return patterns[layer, head] @ x @ model.W_V[layer, head] @ model.W_O[layer, head]

    result = {(): x @ model.W_U}
    for h in range(model.cfg.n_heads):
        result[(0, h)] = through(x, 0, h) @ model.W_U
        result[(1, h)] = through(x, 1, h) @ model.W_U
        for g in range(model.cfg.n_heads):
            result[((0, h), (1, g))] = through(through(x, 0, h), 1, g) @ model.W_U
    return result


# %% [right] path_expansion: typed from the text alone
def path_expansion(model, tokens):
    patterns = patterns_of(model, tokens)
    x = model.W_E[tokens] + model.W_pos[: len(tokens)]

    def through(x, layer, head):
        return patterns[layer, head] @ x @ model.W_V[layer, head] @ model.W_O[layer, head]

    result = {(): x @ model.W_U}
    for h in range(model.cfg.n_heads):
        result[((0, h),)] = through(x, 0, h) @ model.W_U
        result[((1, h),)] = through(x, 1, h) @ model.W_U
        for g in range(model.cfg.n_heads):
            result[((0, h), (1, g))] = through(through(x, 0, h), 1, g) @ model.W_U
    return result


# %% [right] path_expansion: written out, virtual heads by products of patterns and matrices
def path_expansion(model, tokens):
    A = patterns_of(model, tokens)
    x = model.W_E[tokens] + model.W_pos[: tokens.shape[0]]
    OV = model.W_V @ model.W_O
    heads = range(model.cfg.n_heads)
    result = {(): x @ model.W_U}
    for h in heads:
        result[((0, h),)] = A[0, h] @ x @ OV[0, h] @ model.W_U
        result[((1, h),)] = A[1, h] @ x @ OV[1, h] @ model.W_U
        for g in heads:
            virtual = OV[0, h] @ OV[1, g]
            result[((0, h), (1, g))] = (A[1, g] @ A[0, h]) @ x @ virtual @ model.W_U
    return result


# %% [right] path_expansion: values and patterns from the cache
def path_expansion(model, tokens):
    _, cache = model.run_with_cache(tokens[None])
    x = cache["resid_pre", 0][0]

    def passes(layer, head, signal):
        z = cache["pattern", layer][0, head] @ (signal @ model.W_V[layer, head])
        return z @ model.W_O[layer, head]

    result = {(): x}
    for h in range(model.cfg.n_heads):
        result[((0, h),)] = passes(0, h, x)
        result[((1, h),)] = passes(1, h, x)
    for h in range(model.cfg.n_heads):
        for g in range(model.cfg.n_heads):
            result[((0, h), (1, g))] = passes(1, g, result[((0, h),)])
    return {path: signal @ model.W_U for path, signal in result.items()}


# %% [right] path_expansion: written out with numpy
def path_expansion(model, tokens):
    a = patterns_of(model, tokens).numpy()
    e = (model.W_E[tokens] + model.W_pos[: len(tokens)]).detach().numpy()
    v, o, u = (w.detach().numpy() for w in (model.W_V, model.W_O, model.W_U))
    heads = range(model.cfg.n_heads)
    out = {(): torch.tensor(e @ u)}
    for h in heads:
        first = a[0, h] @ e @ v[0, h] @ o[0, h]
        out[((0, h),)] = torch.tensor(first @ u)
        out[((1, h),)] = torch.tensor(a[1, h] @ e @ v[1, h] @ o[1, h] @ u)
        for g in heads:
            out[((0, h), (1, g))] = torch.tensor(a[1, g] @ first @ v[1, g] @ o[1, g] @ u)
    return out


# %% [wrong] composition_score: spectral norms
def composition_score(first, second):

    norm = torch.linalg.matrix_norm
    return float(norm(first @ second, 2) / (norm(first, 2) * norm(second, 2)))


# %% [wrong] composition_score: the matrices in the wrong order where both orders fit
def composition_score(first, second):
    if second.shape[1] == first.shape[0]:
        first, second = second, first
    return float((first @ second).norm() / (first.norm() * second.norm()))


# %% [wrong] composition_score: the second matrix transposed where it fits
def composition_score(first, second):
    if second.shape[0] == second.shape[1]:
        second = second.T
    return float((first @ second).norm() / (first.norm() * second.norm()))


# %% [wrong] composition_score: not divided by the norm of the second matrix
def composition_score(first, second):
    return float((first @ second).norm() / first.norm())


# %% [wrong] composition_score: divided by the sum of the norms
def composition_score(first, second):
    return float((first @ second).norm() / (first.norm() + second.norm()))


# %% [wrong] composition_score: squared norms
def composition_score(first, second):
    return float((first @ second).pow(2).sum() / (first.pow(2).sum() * second.pow(2).sum()))


# %% [wrong] composition_score: nuclear norms
def composition_score(first, second):

    norm = torch.linalg.matrix_norm
    return float(norm(first @ second, "nuc") / (norm(first, "nuc") * norm(second, "nuc")))


# %% [wrong] composition_score: sums of absolute values
def composition_score(first, second):
    return float((first @ second).abs().sum() / (first.abs().sum() * second.abs().sum()))


# %% [wrong] composition_score: normalised in place
def composition_score(first, second):
    first /= first.norm()
    second /= second.norm()
    return (first @ second).norm().item()


# %% [wrong] composition_score: divided by the root of the product of the norms
def composition_score(first, second):
    return ((first @ second).norm() / (first.norm() * second.norm()).sqrt()).item()


# %% [right] composition_score: typed from the text alone
def composition_score(first, second):
    def norm(m):
        return (m**2).sum().sqrt()

    return (norm(first @ second) / (norm(first) * norm(second))).item()


# %% [right] composition_score: the root of sums of squares
def composition_score(first, second):
    through = first @ second
    return float((through**2).sum() ** 0.5 / ((first**2).sum() * (second**2).sum()) ** 0.5)


# %% [right] composition_score: both matrices normalised first, by singular values
def composition_score(first, second):

    first = first / torch.linalg.matrix_norm(first)
    second = second / torch.linalg.matrix_norm(second)
    return torch.linalg.svdvals(first @ second).pow(2).sum().sqrt().item()


# %% [right] composition_score: numpy
def composition_score(first, second):
    import numpy as np

    a, b = np.asarray(first), np.asarray(second)
    return float(np.linalg.norm(a @ b) / np.linalg.norm(a) / np.linalg.norm(b))


# %% [wrong] random_composition: random matrices of full rank
def random_composition(d_model, d_head, n, seed, score):
    generator = torch.Generator().manual_seed(seed)
    total = 0.0
    for _ in range(n):
        first = torch.randn(d_model, d_model, generator=generator)
        second = torch.randn(d_model, d_model, generator=generator)
        total += score(first, second)
    return total / n


# %% [wrong] random_composition: uniform numbers from 0 to 1
def random_composition(d_model, d_head, n, seed, score):
    generator = torch.Generator().manual_seed(seed)

    def head():
        into = torch.rand(d_model, d_head, generator=generator)
        return into @ torch.rand(d_head, d_model, generator=generator)

    return sum(score(head(), head()) for _ in range(n)) / n


# %% [wrong] random_composition: the first head of all pairs is the same
def random_composition(d_model, d_head, n, seed, score):
    generator = torch.Generator().manual_seed(seed)

    def head():
        into = torch.randn(d_model, d_head, generator=generator)
        return into @ torch.randn(d_head, d_model, generator=generator)

    first = head()
    return sum(score(first, head()) for _ in range(n)) / n


# %% [wrong] random_composition: the generator is seeded anew for each pair
def random_composition(d_model, d_head, n, seed, score):
    total = 0.0
    for _ in range(n):
        generator = torch.Generator().manual_seed(seed)
        a = torch.randn(d_model, d_head, generator=generator)
        b = torch.randn(d_head, d_model, generator=generator)
        c = torch.randn(d_model, d_head, generator=generator)
        d = torch.randn(d_head, d_model, generator=generator)
        total += score(a @ b, c @ d)
    return total / n


# %% [wrong] random_composition: a matrix times its own transpose
def random_composition(d_model, d_head, n, seed, score):
    generator = torch.Generator().manual_seed(seed)
    total = 0.0
    for _ in range(n):
        a = torch.randn(d_model, d_head, generator=generator)
        b = torch.randn(d_model, d_head, generator=generator)
        total += score(a @ a.T, b @ b.T)
    return total / n


# %% [wrong] random_composition: the sum instead of the mean
def random_composition(d_model, d_head, n, seed, score):
    generator = torch.Generator().manual_seed(seed)

    def head():
        into = torch.randn(d_model, d_head, generator=generator)
        return into @ torch.randn(d_head, d_model, generator=generator)

    return float(sum(score(head(), head()) for _ in range(n)))


# %% [wrong] random_composition: the seed is ignored
def random_composition(d_model, d_head, n, seed, score):
    generator = torch.Generator().manual_seed(0)

    def head():
        into = torch.randn(d_model, d_head, generator=generator)
        return into @ torch.randn(d_head, d_model, generator=generator)

    return float(sum(score(head(), head()) for _ in range(n)) / n)


# %% [wrong] random_composition: both heads share their input matrix
def random_composition(d_model, d_head, n, seed, score):
    g = torch.Generator().manual_seed(seed)
    total = 0.0
    for _ in range(n):
        v = torch.randn(d_model, d_head, generator=g)
        first = v @ torch.randn(d_head, d_model, generator=g)
        second = v @ torch.randn(d_head, d_model, generator=g)
        total += score(first, second)
    return float(total / n)


# %% [wrong] random_composition: second head reads what the first writes
def random_composition(d_model, d_head, n, seed, score):
    g = torch.Generator().manual_seed(seed)
    total = 0.0
    for _ in range(n):
        v, o, w = torch.randn(3, d_model, d_head, generator=g)
        total += score(v @ o.T, o @ w.T)
    return float(total / n)


# %% [wrong] random_composition: a chain, the second head is the first of the next pair
def random_composition(d_model, d_head, n, seed, score):
    g = torch.Generator().manual_seed(seed)
    heads = [
        torch.randn(d_model, d_head, generator=g) @ torch.randn(d_head, d_model, generator=g)
        for _ in range(n + 1)
    ]
    return float(sum(score(heads[i], heads[i + 1]) for i in range(n)) / n)


# %% [right] random_composition: typed from the text alone
def random_composition(d_model, d_head, n, seed, score):
    torch.manual_seed(seed)
    scores = []
    for _ in range(n):
        first = torch.randn(d_model, d_head) @ torch.randn(d_head, d_model)
        second = torch.randn(d_model, d_head) @ torch.randn(d_head, d_model)
        scores.append(float(score(first, second)))
    return sum(scores) / n


# %% [right] random_composition: all numbers drawn at once
def random_composition(d_model, d_head, n, seed, score):

    generator = torch.Generator().manual_seed(seed)
    into = torch.randn(n, 2, d_model, d_head, generator=generator)
    out = torch.randn(n, 2, d_head, d_model, generator=generator)
    heads = into @ out
    scores = [float(score(first, second)) for first, second in heads]
    return sum(scores) / len(scores)


# %% [right] random_composition: numpy's randomness
def random_composition(d_model, d_head, n, seed, score):
    import numpy

    source = numpy.random.default_rng(seed)
    scores = []
    for _ in range(n):
        first, second = (
            source.standard_normal((d_model, d_head)) @ source.standard_normal((d_head, d_model))
            for _ in range(2)
        )
        scores.append(float(score(torch.tensor(first), torch.tensor(second))))
    return float(numpy.mean(scores))


# %% [right] random_composition: the global generator in a fork, as lists
def random_composition(d_model, d_head, n, seed, score):
    got = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for _ in range(n):
            a, b, c, d = torch.randn(4, d_model, d_head)
            got.append(score(a @ b.T, c @ d.T))
    return float(sum(got) / len(got))


# %% [wrong] composition_scores: queries and keys exchanged
def composition_scores(model, kind, score):
    heads = range(model.cfg.n_heads)
    OV, QK = model.W_V @ model.W_O, model.W_Q @ model.W_K.transpose(-1, -2)
    result = torch.zeros(len(heads), len(heads))
    for i in heads:
        for j in heads:
            reads = {"K": QK[1, j], "Q": QK[1, j].T, "V": OV[1, j]}[kind]
            result[i, j] = score(OV[0, i], reads)
    return result


# %% [wrong] composition_scores: keys are entered from the left, as queries are
def composition_scores(model, kind, score):
    heads = range(model.cfg.n_heads)
    OV, QK = model.W_V @ model.W_O, model.W_Q @ model.W_K.transpose(-1, -2)
    result = torch.zeros(len(heads), len(heads))
    for i in heads:
        for j in heads:
            result[i, j] = score(OV[0, i], OV[1, j] if kind == "V" else QK[1, j])
    return result


# %% [wrong] composition_scores: the later head in rows
def composition_scores(model, kind, score):
    heads = range(model.cfg.n_heads)
    OV, QK = model.W_V @ model.W_O, model.W_Q @ model.W_K.transpose(-1, -2)
    result = torch.zeros(len(heads), len(heads))
    for i in heads:
        for j in heads:
            reads = {"Q": QK[1, j], "K": QK[1, j].T, "V": OV[1, j]}[kind]
            result[j, i] = score(OV[0, i], reads)
    return result


# %% [wrong] composition_scores: the later head's matrix comes first
def composition_scores(model, kind, score):
    heads = range(model.cfg.n_heads)
    OV, QK = model.W_V @ model.W_O, model.W_Q @ model.W_K.transpose(-1, -2)
    result = torch.zeros(len(heads), len(heads))
    for i in heads:
        for j in heads:
            reads = {"Q": QK[1, j], "K": QK[1, j].T, "V": OV[1, j]}[kind]
            result[i, j] = score(reads, OV[0, i])
    return result


# %% [wrong] composition_scores: the OV matrix of the earlier head is transposed
def composition_scores(model, kind, score):
    heads = range(model.cfg.n_heads)
    OV, QK = model.W_V @ model.W_O, model.W_Q @ model.W_K.transpose(-1, -2)
    result = torch.zeros(len(heads), len(heads))
    for i in heads:
        for j in heads:
            reads = {"Q": QK[1, j], "K": QK[1, j].T, "V": OV[1, j]}[kind]
            result[i, j] = score(OV[0, i].T, reads)
    return result


# %% [wrong] composition_scores: both heads in layer 0
def composition_scores(model, kind, score):
    heads = range(model.cfg.n_heads)
    OV, QK = model.W_V @ model.W_O, model.W_Q @ model.W_K.transpose(-1, -2)
    result = torch.zeros(len(heads), len(heads))
    for i in heads:
        for j in heads:
            reads = {"Q": QK[0, j], "K": QK[0, j].T, "V": OV[0, j]}[kind]
            result[i, j] = score(OV[0, i], reads)
    return result


# %% [wrong] composition_scores: only W_Q, W_K or W_V of the later head, without its other half
def composition_scores(model, kind, score):
    heads = range(model.cfg.n_heads)
    OV = model.W_V @ model.W_O
    door = {"Q": model.W_Q, "K": model.W_K, "V": model.W_V}[kind]
    result = torch.zeros(len(heads), len(heads))
    for i in heads:
        for j in heads:
            result[i, j] = score(OV[0, i], door[1, j])
    return result


# %% [wrong] composition_scores: W_QK divided by the root of d_head
def composition_scores(model, kind, score):
    heads = range(model.cfg.n_heads)
    OV = model.W_V @ model.W_O
    QK = model.W_Q @ model.W_K.transpose(-1, -2) / model.cfg.d_head**0.5
    result = torch.zeros(len(heads), len(heads))
    for i in heads:
        for j in heads:
            reads = {"Q": QK[1, j], "K": QK[1, j].T, "V": OV[1, j]}[kind]
            result[i, j] = score(OV[0, i], reads)
    return result


# %% [wrong] composition_scores: the last layer as the later one
def composition_scores(model, kind, score):
    ov = model.W_V @ model.W_O
    qk = model.W_Q @ model.W_K.mT
    read = {"Q": qk[-1], "K": qk[-1].mT, "V": ov[-1]}[kind]
    return torch.tensor([[float(score(w, r)) for r in read] for w in ov[0]])


# %% [wrong] composition_scores: two heads, always
def composition_scores(model, kind, score):
    ov = model.W_V @ model.W_O
    qk = model.W_Q @ model.W_K.mT
    read = {"Q": qk[1], "K": qk[1].mT, "V": ov[1]}[kind]
    return torch.tensor([[float(score(ov[0, i], read[j])) for j in (0, 1)] for i in (0, 1)])


# %% [wrong] composition_scores: V is read through the values alone
def composition_scores(model, kind, score):
    ov = model.W_V @ model.W_O
    qk = model.W_Q @ model.W_K.mT
    read = {"Q": qk[1], "K": qk[1].mT, "V": model.W_V[1]}[kind]
    return torch.tensor([[float(score(w, r)) for r in read] for w in ov[0]])


# %% [wrong] composition_scores: the note is W_O alone, and so is what V reads
def composition_scores(model, kind, score):
    heads = range(model.cfg.n_heads)
    result = torch.zeros(len(heads), len(heads))
    for i in heads:
        for j in heads:
            asks = model.W_Q[1, j] @ model.W_K[1, j].T
            second = {"Q": asks, "K": asks.T, "V": model.W_O[1, j]}[kind]
            result[i, j] = score(model.W_O[0, i], second)
    return result


# %% [wrong] composition_scores: W_QK with the scale of the scores
def composition_scores(model, kind, score):
    heads = range(model.cfg.n_heads)
    result = torch.zeros(len(heads), len(heads))
    for i in heads:
        for j in heads:
            asks = model.W_Q[1, j] @ model.W_K[1, j].T / model.cfg.d_head**0.5
            carries = model.W_V[1, j] @ model.W_O[1, j]
            second = {"Q": asks, "K": asks.T, "V": carries}[kind]
            result[i, j] = score(model.W_V[0, i] @ model.W_O[0, i], second)
    return result


# %% [right] composition_scores: typed from the text alone
def composition_scores(model, kind, score):
    n = model.cfg.n_heads
    result = torch.zeros(n, n)
    for i in range(n):
        for j in range(n):
            first = model.W_V[0, i] @ model.W_O[0, i]
            if kind == "Q":
                second = model.W_Q[1, j] @ model.W_K[1, j].T
            elif kind == "K":
                second = (model.W_Q[1, j] @ model.W_K[1, j].T).T
            else:
                second = model.W_V[1, j] @ model.W_O[1, j]
            result[i, j] = score(first, second)
    return result


# %% [right] composition_scores: all products at once, then a list of lists
def composition_scores(model, kind, score):

    writes = model.W_V[0] @ model.W_O[0]
    if kind == "V":
        reads = model.W_V[1] @ model.W_O[1]
    elif kind == "Q":
        reads = model.W_Q[1] @ model.W_K[1].transpose(-1, -2)
    else:
        reads = model.W_K[1] @ model.W_Q[1].transpose(-1, -2)
    return torch.tensor([[float(score(first, second)) for second in reads] for first in writes])


# %% [right] composition_scores: the library's factored matrices
def composition_scores(model, kind, score):

    n = model.cfg.n_heads
    result = torch.empty(n, n)
    for place in range(n * n):
        i, j = divmod(place, n)
        writes = FactoredMatrix(model.W_V[0, i], model.W_O[0, i]).AB
        near, far = {
            "Q": (model.W_Q[1, j], model.W_K[1, j].T),
            "K": (model.W_K[1, j], model.W_Q[1, j].T),
            "V": (model.W_V[1, j], model.W_O[1, j]),
        }[kind]
        result[i, j] = score(writes, FactoredMatrix(near, far).AB)
    return result


# %% [wrong] score_terms: the part of the key comes first
def score_terms(model, layer, head, parts):
    queries, keys = parts @ model.W_Q[layer, head], parts @ model.W_K[layer, head]
    return torch.einsum("iqe,jke->jiqk", queries, keys) / model.cfg.d_head**0.5


# %% [wrong] score_terms: the position of the key comes first
def score_terms(model, layer, head, parts):
    queries, keys = parts @ model.W_Q[layer, head], parts @ model.W_K[layer, head]
    return torch.einsum("iqe,jke->ijkq", queries, keys) / model.cfg.d_head**0.5


# %% [wrong] score_terms: queries and keys exchanged
def score_terms(model, layer, head, parts):
    queries, keys = parts @ model.W_K[layer, head], parts @ model.W_Q[layer, head]
    return torch.einsum("iqe,jke->ijqk", queries, keys) / model.cfg.d_head**0.5


# %% [wrong] score_terms: not divided by the root of d_head
def score_terms(model, layer, head, parts):
    queries, keys = parts @ model.W_Q[layer, head], parts @ model.W_K[layer, head]
    return torch.einsum("iqe,jke->ijqk", queries, keys)


# %% [wrong] score_terms: with the biases of query and key, for every part
def score_terms(model, layer, head, parts):
    queries = parts @ model.W_Q[layer, head] + model.b_Q[layer, head]
    keys = parts @ model.W_K[layer, head] + model.b_K[layer, head]
    return torch.einsum("iqe,jke->ijqk", queries, keys) / model.cfg.d_head**0.5


# %% [wrong] score_terms: attention instead of scores
def score_terms(model, layer, head, parts):
    queries, keys = parts @ model.W_Q[layer, head], parts @ model.W_K[layer, head]
    scores = torch.einsum("iqe,jke->ijqk", queries, keys) / model.cfg.d_head**0.5
    return scores.softmax(-1)


# %% [wrong] score_terms: later positions are set to zero
def score_terms(model, layer, head, parts):
    queries, keys = parts @ model.W_Q[layer, head], parts @ model.W_K[layer, head]
    scores = torch.einsum("iqe,jke->ijqk", queries, keys) / model.cfg.d_head**0.5
    return scores.tril()


# %% [wrong] score_terms: a query of the sum of all parts
def score_terms(model, layer, head, parts):
    queries = parts.sum(0, keepdim=True).expand_as(parts) @ model.W_Q[layer, head]
    keys = parts @ model.W_K[layer, head]
    return torch.einsum("iqe,jke->ijqk", queries, keys) / model.cfg.d_head**0.5


# %% [wrong] score_terms: always layer 1
def score_terms(model, layer, head, parts):
    queries, keys = parts @ model.W_Q[1, head], parts @ model.W_K[1, head]
    return torch.einsum("iqe,jke->ijqk", queries, keys) / model.cfg.d_head**0.5


# %% [wrong] score_terms: axes are part, position, part, position
def score_terms(model, layer, head, parts):
    n, p, _ = parts.shape
    flat = parts.reshape(n * p, -1)
    s = (flat @ model.W_Q[layer, head]) @ (flat @ model.W_K[layer, head]).T
    return s.reshape(n, p, n, p).reshape(n, n, p, p) / model.cfg.d_head**0.5


# %% [wrong] score_terms: the scale of this model written as a number
def score_terms(model, layer, head, parts):
    q, k = parts @ model.W_Q[layer, head], parts @ model.W_K[layer, head]
    return torch.einsum("ipe,jse->ijps", q, k) / 32**0.5


# %% [wrong] score_terms: layer and head are exchanged
def score_terms(model, layer, head, parts):
    q, k = parts @ model.W_Q[head, layer], parts @ model.W_K[head, layer]
    return torch.einsum("ipe,jse->ijps", q, k) / model.cfg.d_head**0.5


# %% [right] score_terms: typed from the text alone
def score_terms(model, layer, head, parts):
    n, pos, _ = parts.shape
    result = torch.zeros(n, n, pos, pos)
    for i in range(n):
        for j in range(n):
            q = parts[i] @ model.W_Q[layer, head]
            k = parts[j] @ model.W_K[layer, head]
            result[i, j] = q @ k.T / model.cfg.d_head**0.5
    return result


# %% [right] score_terms: the bilinear form and broadcasting
def score_terms(model, layer, head, parts):
    form = model.W_Q[layer, head] @ model.W_K[layer, head].T / model.cfg.d_head**0.5
    asked = parts @ form
    return asked[:, None] @ parts.transpose(-1, -2)[None]


# %% [right] score_terms: a loop over pairs of parts
def score_terms(model, layer, head, parts):

    n, pos, _ = parts.shape
    result = parts.new_zeros(n, n, pos, pos)
    for i in range(n):
        for j in range(n):
            q, k = parts[i] @ model.W_Q[layer, head], parts[j] @ model.W_K[layer, head]
            result[i, j] = q @ k.T / model.cfg.d_head**0.5
    return result


# %% [right] score_terms: flattened, one product, and folded again
def score_terms(model, layer, head, parts):
    n, p, _ = parts.shape
    flat = parts.reshape(n * p, -1)
    s = (flat @ model.W_Q[layer, head]) @ (flat @ model.W_K[layer, head]).T
    return s.reshape(n, p, n, p).permute(0, 2, 1, 3) / model.cfg.d_head**0.5


# %% [equivalent] copying_score: complex eigenvalues come in conjugate pairs, so their sum is real
# return float(eigenvalues.sum() / eigenvalues.abs().sum())


# %% [equivalent] random_composition: a score is a number, and the mean of numbers is a float already
# return sum(score(random_head(), random_head()) for _ in range(n)) / n


# %% [equivalent] composition_scores: every entry is overwritten
# result = torch.ones(len(heads), len(heads))
