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
