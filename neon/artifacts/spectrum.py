"""The graph of nearest neighbours of rows, and the spectrum of its Laplacian."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.csgraph import laplacian
from scipy.sparse.linalg import eigsh
from sklearn.neighbors import kneighbors_graph

__all__ = ["eigengap", "spectrum"]

_DENSE = 1000  # rows up to which all of the matrix is held


def spectrum(rows: np.ndarray, n_neighbors: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The smallest eigenvalues of the normalized Laplacian, ascending, and what their eigenvectors say of each row.

    ``L = I - D^(-1/2) W D^(-1/2)``; W joins each row with itself and its nearest neighbours, by 1 where both count each
    other among them and ½ where one does, as scikit-learn's `SpectralClustering` does.

    Returns
    -------
    eigenvalues : (count,)
    embedding : (n_rows, count)
        ``D^(-1/2)`` times the eigenvectors: constant on parts of the graph that nothing connects.
    """
    graph = kneighbors_graph(rows, n_neighbors, include_self=True)
    matrix, roots = laplacian((graph + graph.T) / 2, normed=True, return_diag=True)
    if len(rows) <= _DENSE:
        eigenvalues, vectors = eigh(matrix.toarray(), subset_by_index=[0, count - 1])
    else:  # around a point a little below 0, where the matrix can be inverted
        start = np.random.default_rng(0).normal(size=len(rows))
        eigenvalues, vectors = eigsh(matrix.tocsc(), count, sigma=-1e-2, v0=start)
        order = np.argsort(eigenvalues)
        eigenvalues, vectors = eigenvalues[order], vectors[:, order]
    return np.clip(eigenvalues, 0.0, None), vectors / roots[:, None]


def eigengap(eigenvalues: np.ndarray) -> int:
    """The number k ≥ 2 of clusters with the largest gap from the k-th eigenvalue to the next (von Luxburg 2007).

    The gap behind the first one is left out: it is large wherever the graph holds together, and one cluster tells
    nothing from anything.
    """
    return int(np.argmax(np.diff(eigenvalues[1:]))) + 2 if len(eigenvalues) > 2 else 1
