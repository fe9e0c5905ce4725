# %% [wrong] matrix_of: the places of the axes are columns
def matrix_of(f, n):
    return torch.stack([f(e) for e in torch.eye(n)], dim=1)


# %% [wrong] matrix_of: one call with all axes at once
def matrix_of(f, n):
    return f(torch.eye(n))


# %% [wrong] matrix_of: a call more, to learn how many numbers come back
def matrix_of(f, n):
    W = torch.zeros(n, len(f(torch.zeros(n))))
    for i in range(n):
        W[i] = f(torch.eye(n)[i])
    return W


# %% [wrong] matrix_of: the last axis is forgotten
def matrix_of(f, n):
    return torch.stack([f(e) for e in torch.eye(n)[:-1]] + [torch.zeros(len(f(torch.ones(n))))])


# %% [wrong] matrix_of: vectors of ones up to each axis
def matrix_of(f, n):
    return torch.stack([f(x) for x in torch.ones(n, n).tril()])


# %% [wrong] matrix_of: a square matrix, whatever comes back
def matrix_of(f, n):
    W = torch.zeros(n, n)
    for i in range(n):
        e = torch.zeros(n)
        e[i] = 1
        W[i] = f(e)
    return W


# %% [wrong] matrix_of: rows are made to have length 1
def matrix_of(f, n):
    W = torch.stack([f(e) for e in torch.eye(n)])
    return W / W.norm(dim=-1, keepdim=True)


# %% [wrong] matrix_of: a list of rows instead of a matrix
def matrix_of(f, n):
    return [f(e) for e in torch.eye(n)]


# %% [right] matrix_of: from the text alone, axis by axis
def matrix_of(f, n):
    rows = []
    for i in range(n):
        axis = torch.zeros(n)
        axis[i] = 1.0
        rows.append(f(axis))
    return torch.stack(rows)


# %% [right] matrix_of: longer axes, divided afterwards
def matrix_of(f, n):
    return torch.cat([f(4.0 * e)[None] / 4.0 for e in torch.eye(n)])


# %% [right] matrix_of: columns, turned over at the end
def matrix_of(f, n):
    basis = torch.eye(n)
    return torch.stack([f(basis[:, i]) for i in range(n)], dim=-1).T


# %% [wrong] pull_back: carries vectors forward where the shapes allow it
def pull_back(W, u):
    return u @ W if W.shape[0] == W.shape[1] else u @ W.T


# %% [wrong] pull_back: undoes the map by its pseudo-inverse
def pull_back(W, u):
    return u @ torch.linalg.pinv(W)


# %% [wrong] pull_back: u is not transposed back, so that the axes are exchanged
def pull_back(W, u):
    return W @ u.T


# %% [wrong] pull_back: the first reader only
def pull_back(W, u):
    return (W @ u[0])[None].repeat(len(u), 1)


# %% [wrong] pull_back: readers are made to have length 1
def pull_back(W, u):
    v = u @ W.T
    return v / v.norm(dim=-1, keepdim=True)


# %% [wrong] pull_back: the sign is lost
def pull_back(W, u):
    return (u @ W.T).abs()


# %% [wrong] pull_back: float32 whatever comes in
def pull_back(W, u):
    return (u.float() @ W.T.float()).float()


# %% [wrong] pull_back: u is changed in place
def pull_back(W, u):
    v = u @ W.T
    u /= u.norm()
    return v


# %% [right] pull_back: from the text alone, row by row
def pull_back(W, u):
    return torch.stack([torch.stack([(row * reader).sum() for row in W]) for reader in u])


# %% [right] pull_back: einsum
def pull_back(W, u):
    return torch.einsum("nm,km->kn", W, u)


# %% [right] pull_back: the gradient of what is read
def pull_back(W, u):
    x = torch.zeros(len(u), len(W), dtype=W.dtype, requires_grad=True)
    with torch.enable_grad():
        read = ((x @ W) * u).sum()
    return torch.autograd.grad(read, x)[0]


# %% [wrong] volume_factor: factors are added
def volume_factor(maps):
    return float(sum(torch.linalg.det(W) for W in maps))


# %% [wrong] volume_factor: without its sign
def volume_factor(maps):
    factor = 1.0
    for W in maps:
        factor *= abs(float(torch.linalg.det(W)))
    return factor


# %% [wrong] volume_factor: the determinant of the sum
def volume_factor(maps):
    return float(torch.linalg.det(sum(maps))) if maps else 1.0


# %% [wrong] volume_factor: an empty list has the factor 0
def volume_factor(maps):
    factor = 1.0 if maps else 0.0
    for W in maps:
        factor *= float(torch.linalg.det(W))
    return factor


# %% [wrong] volume_factor: the last map only
def volume_factor(maps):
    return float(torch.linalg.det(maps[-1])) if maps else 1.0


# %% [wrong] volume_factor: the product of the diagonals
def volume_factor(maps):
    factor = 1.0
    for W in maps:
        factor *= float(W.diagonal().prod())
    return factor


# %% [wrong] volume_factor: traces for determinants
def volume_factor(maps):
    factor = 1.0
    for W in maps:
        factor *= float(W.trace())
    return factor


# %% [wrong] volume_factor: a tensor instead of a float
def volume_factor(maps):
    factor = torch.tensor(1.0, dtype=torch.float64)
    for W in maps:
        factor = factor * torch.linalg.det(W)
    return factor


# %% [wrong] volume_factor: the list is emptied
def volume_factor(maps):
    factor = 1.0
    while maps:
        factor *= float(torch.linalg.det(maps.pop()))
    return factor


# %% [right] volume_factor: from the text alone, the product first
def volume_factor(maps):
    if len(maps) == 0:
        return 1.0
    W = maps[0]
    for after in maps[1:]:
        W = W @ after
    return torch.linalg.det(W).item()


# %% [right] volume_factor: from the eigenvalues
def volume_factor(maps):
    factor = 1.0
    for W in maps:
        factor *= float(torch.linalg.eigvals(W.double()).prod().real)
    return factor


# %% [right] volume_factor: math.prod
def volume_factor(maps):
    return float(math.prod(W.det().item() for W in maps))


# %% [wrong] undo: the first map is taken off first
def undo(A, B, y):
    return torch.linalg.solve(B, torch.linalg.solve(A, y, left=False), left=False)


# %% [wrong] undo: inverses in the right order
def undo(A, B, y):
    return y @ torch.linalg.inv(B) @ torch.linalg.inv(A)


# %% [wrong] undo: the inverse of the product
def undo(A, B, y):
    return y @ torch.linalg.inv(A @ B)


# %% [wrong] undo: inverses in the wrong order
def undo(A, B, y):
    return y @ torch.linalg.inv(A) @ torch.linalg.inv(B)


# %% [wrong] undo: x stands on the right
def undo(A, B, y):
    return torch.linalg.solve(A @ B, y.T).T


# %% [wrong] undo: transposes for inverses
def undo(A, B, y):
    return y @ B.T @ A.T


# %% [wrong] undo: only the second map is undone
def undo(A, B, y):
    return torch.linalg.solve(B, y, left=False)


# %% [wrong] undo: the pseudo-inverse
def undo(A, B, y):
    return y @ torch.linalg.pinv(A @ B)


# %% [wrong] undo: float64 is returned
def undo(A, B, y):
    return torch.linalg.solve(A.double() @ B.double(), y.double(), left=False)


# %% [right] undo: from the text alone, transposed systems
def undo(A, B, y):
    z = torch.linalg.solve(B.T, y.T).T
    return torch.linalg.solve(A.T, z.T).T


# %% [right] undo: one system with the product
def undo(A, B, y):
    return torch.linalg.solve(A @ B, y, left=False)


# %% [right] undo: row by row
def undo(A, B, y):
    rows = []
    for row in y:
        z = torch.linalg.solve(B.T, row)
        rows.append(torch.linalg.solve(A.T, z))
    return torch.stack(rows)


# %% [right] undo: factored first
def undo(A, B, y):
    z = torch.linalg.lu_solve(*torch.linalg.lu_factor(B), y, left=False)
    return torch.linalg.lu_solve(*torch.linalg.lu_factor(A), z, left=False)


# %% [wrong] change_of_basis: the other way, from the basis to the usual axes
def change_of_basis(W, B):
    return torch.linalg.inv(B) @ W @ B


# %% [wrong] change_of_basis: the transpose for the inverse
def change_of_basis(W, B):
    return B @ W @ B.T


# %% [wrong] change_of_basis: the way back is forgotten
def change_of_basis(W, B):
    return B @ W


# %% [wrong] change_of_basis: the way there is forgotten
def change_of_basis(W, B):
    return W @ torch.linalg.inv(B)


# %% [wrong] change_of_basis: there twice
def change_of_basis(W, B):
    return B @ W @ B


# %% [wrong] change_of_basis: basis vectors as columns
def change_of_basis(W, B):
    return B.T @ W @ torch.linalg.inv(B.T)


# %% [wrong] change_of_basis: the basis is made to have length 1 first
def change_of_basis(W, B):
    B = B / B.norm(dim=-1, keepdim=True)
    return B @ W @ torch.linalg.inv(B)


# %% [wrong] change_of_basis: the basis is put at right angles first
def change_of_basis(W, B):
    Q = torch.linalg.qr(B.T).Q.T
    return Q @ W @ Q.T


# %% [wrong] change_of_basis: float64 is returned
def change_of_basis(W, B):
    return B.double() @ W.double() @ torch.linalg.inv(B.double())


# %% [right] change_of_basis: from the text alone, with the inverse
def change_of_basis(W, B):
    return B @ W @ torch.linalg.inv(B)


# %% [right] change_of_basis: coordinates of each moved basis vector
def change_of_basis(W, B):
    return torch.stack([torch.linalg.solve(B.T, b @ W) for b in B])


# %% [right] change_of_basis: in float64 inside
def change_of_basis(W, B):
    wide = B.double()
    return (wide @ W.double() @ torch.linalg.inv(wide)).to(W.dtype)


# %% [wrong] cosine_matrix: dot products
def cosine_matrix(X, Y):
    return X @ Y.T


# %% [wrong] cosine_matrix: NaN for a row of zeros
def cosine_matrix(X, Y):
    return X @ Y.T / (X.norm(dim=-1)[:, None] * Y.norm(dim=-1))


# %% [wrong] cosine_matrix: divided by the lengths of X only
def cosine_matrix(X, Y):
    return (X / X.norm(dim=-1, keepdim=True).clamp(min=1e-20)) @ Y.T


# %% [wrong] cosine_matrix: a loop over pairs
def cosine_matrix(X, Y):
    out = torch.zeros(len(X), len(Y), dtype=X.dtype)
    for i in range(len(X)):
        if X[i].norm() > 0:
            out[i] = (Y / Y.norm(dim=-1, keepdim=True).clamp(min=1e-20)) @ (X[i] / X[i].norm())
    return out


# %% [wrong] cosine_matrix: lengths along the wrong axis
def cosine_matrix(X, Y):
    x = X / X.norm(dim=0, keepdim=True).clamp(min=1e-20)
    y = Y / Y.norm(dim=0, keepdim=True).clamp(min=1e-20)
    return x @ y.T


# %% [wrong] cosine_matrix: something is added to the lengths, which a short row feels
def cosine_matrix(X, Y):
    x = X / (X.norm(dim=-1, keepdim=True) + 1e-6)
    y = Y / (Y.norm(dim=-1, keepdim=True) + 1e-6)
    return x @ y.T


# %% [wrong] cosine_matrix: without its sign
def cosine_matrix(X, Y):
    x = torch.nn.functional.normalize(X, dim=-1)
    return (x @ torch.nn.functional.normalize(Y, dim=-1).T).abs()


# %% [wrong] cosine_matrix: divided by the squares of the lengths
def cosine_matrix(X, Y):
    x = X / (X * X).sum(-1, keepdim=True).clamp(min=1e-30)
    y = Y / (Y * Y).sum(-1, keepdim=True).clamp(min=1e-30)
    return x @ y.T


# %% [wrong] cosine_matrix: centred first, which is a correlation
def cosine_matrix(X, Y):
    x = torch.nn.functional.normalize(X - X.mean(-1, keepdim=True), dim=-1)
    return x @ torch.nn.functional.normalize(Y - Y.mean(-1, keepdim=True), dim=-1).T


# %% [wrong] cosine_matrix: the arguments are divided in place
def cosine_matrix(X, Y):
    X /= X.norm(dim=-1, keepdim=True).clamp(min=1e-20)
    Y /= Y.norm(dim=-1, keepdim=True).clamp(min=1e-20)
    return X @ Y.T


# %% [right] cosine_matrix: from the text alone, zeros put in afterwards
def cosine_matrix(X, Y):
    dots = X @ Y.T
    x_lengths = (X * X).sum(dim=1).sqrt()
    y_lengths = (Y * Y).sum(dim=1).sqrt()
    cosines = dots / x_lengths.unsqueeze(1) / y_lengths.unsqueeze(0)
    cosines[x_lengths == 0, :] = 0
    cosines[:, y_lengths == 0] = 0
    return cosines


# %% [right] cosine_matrix: normalize
def cosine_matrix(X, Y):
    x, y = (torch.nn.functional.normalize(Z, dim=-1) for Z in (X, Y))
    return torch.einsum("nd,md->nm", x, y)


# %% [right] cosine_matrix: nan_to_num
def cosine_matrix(X, Y):
    lengths = X.norm(dim=-1)[:, None] * Y.norm(dim=-1)
    return torch.nan_to_num(X @ Y.T / lengths, nan=0.0)


# %% [equivalent] cosine_matrix: any number far below the length of every row that is not zero
# x = X / X.norm(dim=-1, keepdim=True).clamp(min=2e-20) # [n d]
# y = Y / Y.norm(dim=-1, keepdim=True).clamp(min=2e-20) # [m d]


# %% [wrong] project: not divided by v · v
def project(X, v):
    return (X @ v)[:, None] * v


# %% [wrong] project: divided by the length of v once
def project(X, v):
    return (X @ v / v.norm())[:, None] * v


# %% [wrong] project: the rest instead of the part along v
def project(X, v):
    return X - (X @ v / (v @ v))[:, None] * v


# %% [wrong] project: the amounts instead of vectors
def project(X, v):
    return X @ v / (v @ v)


# %% [wrong] project: on the rows of X instead of on v
def project(X, v):
    return (X @ v / (X * X).sum(-1))[:, None] * X


# %% [wrong] project: entry by entry
def project(X, v):
    return X * v * v / (v @ v)


# %% [wrong] project: a loop over rows
def project(X, v):
    return torch.stack([(x @ v) / (v @ v) * v for x in X])


# %% [wrong] project: the length only, never reversed
def project(X, v):
    return (X @ v).abs()[:, None] / (v @ v) * v


# %% [wrong] project: v is made to have length 1 in place
def project(X, v):
    v /= v.norm()
    return (X @ v)[:, None] * v


# %% [wrong] project: something is added to v · v, which a short v feels
def project(X, v):
    return (X @ v / (v @ v + 1e-6))[:, None] * v


# %% [right] project: from the text alone, by a direction of length 1
def project(X, v):
    unit = v / v.norm()
    along = X @ unit
    return along.unsqueeze(1) * unit


# %% [right] project: by the matrix of the projection
def project(X, v):
    return X @ (torch.outer(v, v) / v.dot(v))


# %% [right] project: einsum
def project(X, v):
    return torch.einsum("kn,n,m->km", X, v, v) / torch.einsum("n,n->", v, v)


# %% [wrong] orthogonal_complement: the rows that span V
def orthogonal_complement(V):
    return torch.linalg.svd(V).Vh[: V.shape[1] - len(V)]


# %% [wrong] orthogonal_complement: columns of Vh for its rows
def orthogonal_complement(V):
    return torch.linalg.svd(V).Vh.T[len(V) :]


# %% [wrong] orthogonal_complement: the matrix that projects on it
def orthogonal_complement(V):
    Q = torch.linalg.qr(V.T).Q
    return torch.eye(V.shape[1], dtype=V.dtype) - Q @ Q.T


# %% [wrong] orthogonal_complement: V is taken to be at right angles already
def orthogonal_complement(V):
    unit = V / V.norm(dim=-1, keepdim=True)
    rest = torch.eye(V.shape[1], dtype=V.dtype) - unit.T @ unit
    return torch.linalg.svd(rest).Vh[: V.shape[1] - len(V)]


# %% [wrong] orthogonal_complement: at right angles to V, but not to each other
def orthogonal_complement(V):
    C = torch.linalg.svd(V).Vh[len(V) :].clone()
    C[1:] = (C[1:] + C[:1]) / 2**0.5
    return C


# %% [wrong] orthogonal_complement: rows of another length
def orthogonal_complement(V):
    return torch.linalg.svd(V).Vh[len(V) :] * V.norm()


# %% [wrong] orthogonal_complement: one vector only
def orthogonal_complement(V):
    return torch.linalg.svd(V).Vh[-1:]


# %% [wrong] orthogonal_complement: as columns
def orthogonal_complement(V):
    return torch.linalg.svd(V).Vh[len(V) :].T


# %% [wrong] orthogonal_complement: one row too many
def orthogonal_complement(V):
    return torch.linalg.svd(V).Vh[len(V) - 1 :]


# %% [wrong] orthogonal_complement: at right angles to the first direction only
def orthogonal_complement(V):
    return torch.linalg.svd(V[:1]).Vh[len(V) :]


# %% [right] orthogonal_complement: from the text alone, Gram and Schmidt
def orthogonal_complement(V):
    n = V.shape[1]
    basis = []
    for candidate in [*V, *torch.eye(n, dtype=V.dtype)]:
        rest = candidate.clone()
        for _ in range(2):
            for b in basis:
                rest = rest - (rest @ b) * b
        if rest.norm() > 1e-4 * candidate.norm() and len(basis) < n:
            basis.append(rest / rest.norm())
    return torch.stack(basis[len(V) :])


# %% [right] orthogonal_complement: the complete QR decomposition
def orthogonal_complement(V):
    Q = torch.linalg.qr(V.T, mode="complete").Q
    return Q[:, V.shape[0] :].T


# %% [right] orthogonal_complement: eigenvectors of the Gram matrix
def orthogonal_complement(V):
    unit = (V / V.norm(dim=-1, keepdim=True)).double()
    vectors = torch.linalg.eigh(unit.T @ unit).eigenvectors
    return vectors[:, : V.shape[1] - len(V)].T.to(V.dtype)


# %% [wrong] numerical_rank: an absolute tolerance
def numerical_rank(W, tol):
    return int((torch.linalg.svdvals(W) > tol).sum())


# %% [wrong] numerical_rank: the tolerance relative to the sum
def numerical_rank(W, tol):
    s = torch.linalg.svdvals(W)
    return int((s > tol * s.sum()).sum())


# %% [wrong] numerical_rank: the tolerance relative to the mean
def numerical_rank(W, tol):
    s = torch.linalg.svdvals(W)
    return int((s > tol * s.mean()).sum())


# %% [wrong] numerical_rank: squares of singular values
def numerical_rank(W, tol):
    s = torch.linalg.svdvals(W) ** 2
    return int((s > tol * s[0]).sum())


# %% [wrong] numerical_rank: eigenvalues of a square matrix
def numerical_rank(W, tol):
    if W.shape[0] == W.shape[1]:
        s = torch.linalg.eigvals(W).abs()
        return int((s > tol * s.max()).sum())
    s = torch.linalg.svdvals(W)
    return int((s > tol * s[0]).sum())


# %% [wrong] numerical_rank: at least instead of larger than
def numerical_rank(W, tol):
    s = torch.linalg.svdvals(W)
    return int((s >= tol * s[0]).sum())


# %% [wrong] numerical_rank: how many are lost
def numerical_rank(W, tol):
    s = torch.linalg.svdvals(W)
    return int((s <= tol * s[0]).sum())


# %% [wrong] numerical_rank: a tensor instead of an int
def numerical_rank(W, tol):
    s = torch.linalg.svdvals(W)
    return (s > tol * s[0]).sum()


# %% [wrong] numerical_rank: rows that are not nearly zero
def numerical_rank(W, tol):
    lengths = W.norm(dim=-1)
    return int((lengths > tol * lengths.max()).sum())


# %% [wrong] numerical_rank: torch's rank with an absolute tolerance
def numerical_rank(W, tol):
    return int(torch.linalg.matrix_rank(W, atol=tol, rtol=0.0))


# %% [right] numerical_rank: from the text alone, a loop
def numerical_rank(W, tol):
    values = torch.linalg.svdvals(W).tolist()
    count = 0
    for value in values:
        if value > tol * values[0]:
            count += 1
    return count


# %% [right] numerical_rank: torch's rank with a relative tolerance
def numerical_rank(W, tol):
    return torch.linalg.matrix_rank(W, atol=0.0, rtol=tol).item()


# %% [right] numerical_rank: from the whole decomposition
def numerical_rank(W, tol):
    s = torch.linalg.svd(W, full_matrices=False).S
    return int(torch.count_nonzero(s > s.max() * tol))


# %% [wrong] svd_low_rank: V for Vh
def svd_low_rank(W, k):
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    if W.shape[0] == W.shape[1]:
        Vh = Vh.T
    return (U[:, :k] * S[:k]) @ Vh[:k]


# %% [wrong] svd_low_rank: the smallest terms
def svd_low_rank(W, k):
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    r = len(S)
    return (U[:, r - k :] * S[r - k :]) @ Vh[r - k :]


# %% [wrong] svd_low_rank: without the singular values
def svd_low_rank(W, k):
    U, _, Vh = torch.linalg.svd(W, full_matrices=False)
    return U[:, :k] @ Vh[:k]


# %% [wrong] svd_low_rank: one term too many
def svd_low_rank(W, k):
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    return (U[:, : k + 1] * S[: k + 1]) @ Vh[: k + 1]


# %% [wrong] svd_low_rank: rows of U for its columns
def svd_low_rank(W, k):
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    if U.shape[0] == U.shape[1]:
        U = U.T
    return (U[:, :k] * S[:k]) @ Vh[:k]


# %% [wrong] svd_low_rank: the square roots of the singular values
def svd_low_rank(W, k):
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    return (U[:, :k] * S[:k].sqrt()) @ Vh[:k]


# %% [wrong] svd_low_rank: the first k rows are kept
def svd_low_rank(W, k):
    out = torch.zeros_like(W)
    out[:k] = W[:k]
    return out


# %% [wrong] svd_low_rank: the k-th term alone
def svd_low_rank(W, k):
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    i = max(k - 1, 0)
    return (U[:, i : i + 1] * S[i : i + 1]) @ Vh[i : i + 1] if k else torch.zeros_like(W)


# %% [wrong] svd_low_rank: the matrix of what is left out
def svd_low_rank(W, k):
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    return (U[:, k:] * S[k:]) @ Vh[k:]


# %% [wrong] svd_low_rank: writes into the matrix it was given
def svd_low_rank(W, k):
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    W.copy_((U[:, :k] * S[:k]) @ Vh[:k])
    return W.clone()


# %% [right] svd_low_rank: from the text alone, a sum of terms
def svd_low_rank(W, k):
    U, S, Vh = torch.linalg.svd(W)
    total = torch.zeros_like(W)
    for i in range(k):
        total = total + S[i] * torch.outer(U[:, i], Vh[i])
    return total


# %% [right] svd_low_rank: small singular values set to zero
def svd_low_rank(W, k):
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    S = S.clone()
    S[k:] = 0
    return U @ torch.diag(S) @ Vh


# %% [right] svd_low_rank: projected on the first directions that are read
def svd_low_rank(W, k):
    U = torch.linalg.svd(W, full_matrices=False).U[:, :k]
    return U @ (U.T @ W)


# %% [equivalent] svd_low_rank: the further columns and rows are cut off by k anyway
# U, S, Vh = torch.linalg.svd(W, full_matrices=True) # [n r], [r], [r m]


# %% [wrong] trace_of_product: the product of the traces
def trace_of_product(A, B):
    return A.diagonal().sum() * B.diagonal().sum()


# %% [wrong] trace_of_product: builds the large product
def trace_of_product(A, B):
    return (A @ B).trace()


# %% [wrong] trace_of_product: sums all entries of the product
def trace_of_product(A, B):
    return A.sum(0) @ B.sum(1)


# %% [wrong] trace_of_product: B is laid over A without turning it
def trace_of_product(A, B):
    return (A * B.reshape(A.shape)).sum()


# %% [wrong] trace_of_product: builds the large product by einsum
def trace_of_product(A, B):
    return torch.einsum("ir,rj->ij", A, B).diagonal().sum()


# %% [wrong] trace_of_product: a loop over rows
def trace_of_product(A, B):
    total = torch.zeros((), dtype=A.dtype)
    for i in range(len(A)):
        total = total + A[i] @ B[:, i]
    return total


# %% [wrong] trace_of_product: a vector of the diagonal
def trace_of_product(A, B):
    return (A * B.T).sum(-1)


# %% [wrong] trace_of_product: a float instead of a tensor
def trace_of_product(A, B):
    return float((A * B.T).sum())


# %% [wrong] trace_of_product: the mean of the diagonal
def trace_of_product(A, B):
    return (A * B.T).sum(-1).mean()


# %% [wrong] trace_of_product: float32 whatever comes in
def trace_of_product(A, B):
    return (A * B.T).sum().float()


# %% [right] trace_of_product: from the text alone, the small product
def trace_of_product(A, B):
    return torch.trace(B @ A)


# %% [right] trace_of_product: einsum
def trace_of_product(A, B):
    return torch.einsum("nr,rn->", A, B)


# %% [right] trace_of_product: flattened
def trace_of_product(A, B):
    return A.flatten() @ B.T.flatten()


# %% [wrong] eigs_of_low_rank: builds the large product
def eigs_of_low_rank(A, B):
    values = torch.linalg.eigvals(A @ B)
    return values[values.abs().argsort(descending=True)[: A.shape[1]]]


# %% [wrong] eigs_of_low_rank: singular values
def eigs_of_low_rank(A, B):
    return torch.linalg.svdvals(B @ A) + 0j


# %% [wrong] eigs_of_low_rank: eigenvalues as if it were symmetric
def eigs_of_low_rank(A, B):
    return torch.linalg.eigvalsh(B @ A) + 0j


# %% [wrong] eigs_of_low_rank: real parts only
def eigs_of_low_rank(A, B):
    return torch.linalg.eigvals(B @ A).real + 0j


# %% [wrong] eigs_of_low_rank: absolute values
def eigs_of_low_rank(A, B):
    return torch.linalg.eigvals(B @ A).abs() + 0j


# %% [wrong] eigs_of_low_rank: not as complex numbers
def eigs_of_low_rank(A, B):
    return torch.linalg.eigvals(B @ A).real


# %% [wrong] eigs_of_low_rank: A with its own transpose
def eigs_of_low_rank(A, B):
    return torch.linalg.eigvals(A.T @ A)


# %% [wrong] eigs_of_low_rank: the diagonal of the small product
def eigs_of_low_rank(A, B):
    return (B @ A).diagonal() + 0j


# %% [wrong] eigs_of_low_rank: squares of the factors
def eigs_of_low_rank(A, B):
    return torch.linalg.eigvals(B @ A) ** 2


# %% [wrong] eigs_of_low_rank: the largest one only
def eigs_of_low_rank(A, B):
    values = torch.linalg.eigvals(B @ A)
    return values[values.abs().argmax()][None]


# %% [right] eigs_of_low_rank: from the text alone, with eigenvectors and in another order
def eigs_of_low_rank(A, B):
    return torch.linalg.eig(torch.einsum("rn,ns->rs", B, A)).eigenvalues.flip(0)


# %% [right] eigs_of_low_rank: of the transposed small product
def eigs_of_low_rank(A, B):
    return torch.linalg.eigvals(A.T @ B.T)


# %% [right] eigs_of_low_rank: in float64 inside
def eigs_of_low_rank(A, B):
    values = torch.linalg.eigvals(B.double() @ A.double())
    return values.to(torch.complex64 if A.dtype == torch.float32 else torch.complex128)


# %% [wrong] bilinear: query and key matrices are exchanged
def bilinear(X, Y, W_Q, W_K):
    return (X @ W_K) @ (Y @ W_Q).T


# %% [wrong] bilinear: W_K is transposed where the shapes allow it
def bilinear(X, Y, W_Q, W_K):
    if W_K.shape[0] == W_K.shape[1]:
        return (X @ W_Q) @ (Y @ W_K.T).T
    return (X @ W_Q) @ (Y @ W_K).T


# %% [wrong] bilinear: divided by the root of d_head
def bilinear(X, Y, W_Q, W_K):
    return (X @ W_Q) @ (Y @ W_K).T / W_Q.shape[1] ** 0.5


# %% [wrong] bilinear: rows are looked at
def bilinear(X, Y, W_Q, W_K):
    return (Y @ W_K) @ (X @ W_Q).T


# %% [wrong] bilinear: the matrices are left out
def bilinear(X, Y, W_Q, W_K):
    return X @ Y.T


# %% [wrong] bilinear: only pairs with the same number
def bilinear(X, Y, W_Q, W_K):
    n = min(len(X), len(Y))
    return ((X[:n] @ W_Q) * (Y[:n] @ W_K)).sum(-1)


# %% [wrong] bilinear: a loop over queries
def bilinear(X, Y, W_Q, W_K):
    return torch.stack([(Y @ W_K) @ (x @ W_Q) for x in X])


# %% [wrong] bilinear: queries on both sides
def bilinear(X, Y, W_Q, W_K):
    return (X @ W_Q) @ (Y @ W_Q).T


# %% [wrong] bilinear: a softmax on top
def bilinear(X, Y, W_Q, W_K):
    return ((X @ W_Q) @ (Y @ W_K).T).softmax(-1)


# %% [wrong] bilinear: float32 whatever comes in
def bilinear(X, Y, W_Q, W_K):
    return ((X @ W_Q) @ (Y @ W_K).T).float()


# %% [right] bilinear: from the text alone, the matrix in the middle
def bilinear(X, Y, W_Q, W_K):
    return X @ (W_Q @ W_K.T) @ Y.T


# %% [right] bilinear: einsum of all four
def bilinear(X, Y, W_Q, W_K):
    return torch.einsum("qd,de,ce,kc->qk", X, W_Q, W_K, Y)


# %% [right] bilinear: what each query looks for first
def bilinear(X, Y, W_Q, W_K):
    looked_for = (X @ W_Q) @ W_K.transpose(0, 1)
    return looked_for @ Y.mT
