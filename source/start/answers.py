# %% [wrong] likeliest: the largest number itself, not its place
def likeliest(logits):
    return int(logits.max())


# %% [wrong] likeliest: the least likely symbol
def likeliest(logits):
    return int(logits.argmin())


# %% [wrong] likeliest: the entry of the largest absolute value
def likeliest(logits):
    return int(logits.abs().argmax())


# %% [wrong] likeliest: sorted upwards, and the first taken
def likeliest(logits):
    return logits.argsort().tolist()[0]


# %% [wrong] likeliest: counted from 1
def likeliest(logits):
    return int(logits.argmax()) + 1


# %% [wrong] likeliest: a tensor instead of an int
def likeliest(logits):
    return logits.argmax()


# %% [wrong] likeliest: the first entry above zero
def likeliest(logits):
    return next((i for i, x in enumerate(logits.tolist()) if x > 1), 0)


# %% [wrong] likeliest: rounded to whole numbers first
def likeliest(logits):
    rounded = [round(value) for value in logits.tolist()]
    return rounded.index(max(rounded))


# %% [wrong] likeliest: cut off to whole numbers
def likeliest(logits):
    return int(logits.long().argmax())


# %% [wrong] likeliest: printed with two decimals
def likeliest(logits):
    shown = [f"{value:.2f}" for value in logits.tolist()]
    return shown.index(f"{max(logits.tolist()):.2f}")


# %% [wrong] likeliest: probabilities without care for large logits
def likeliest(logits):
    probs = logits.exp() / logits.exp().sum()
    return int(probs.argmax())


# %% [wrong] likeliest: the search begins with 0 as the best
def likeliest(logits):
    best, place = 0.0, 0
    for i, value in enumerate(logits.tolist()):
        if value > best:
            best, place = value, i
    return place


# %% [wrong] likeliest: the last is never looked at
def likeliest(logits):
    return int(logits[:-1].argmax()) if len(logits) > 1 else 0


# %% [wrong] likeliest: the first is never looked at
def likeliest(logits):
    return 1 + int(logits[1:].argmax()) if len(logits) > 1 else 0


# %% [wrong] likeliest: the largest of the text's letters only
def likeliest(logits):
    return int(logits[:52].argmax())


# %% [right] likeliest: a list and its index
def likeliest(logits):
    values = logits.tolist()
    return values.index(max(values))


# %% [right] likeliest: top-k with k = 1
def likeliest(logits):
    return logits.topk(1).indices.item()


# %% [right] likeliest: typed from the text alone, one after the other
def likeliest(logits):
    best = 0
    for i in range(len(logits)):
        if logits[i] > logits[best]:
            best = i
    return best


# %% [right] likeliest: probabilities first
def likeliest(logits):
    return int(logits.softmax(dim=-1).argmax())


# %% [right] likeliest: by numpy
def likeliest(logits):
    return int(logits.numpy().argmax())
