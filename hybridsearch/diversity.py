"""How do hits become less like each other without losing the best?

`mmr` is maximal marginal relevance (Carbonell and Goldstein, "The Use of MMR, Diversity-Based
Reranking", SIGIR 1998). The next hit is always the one with the highest

    (1 - diversity) * relevance - diversity * (highest similarity to a hit that was chosen already)

which is their formula with lambda = 1 - diversity; the second term is 0 for the first hit.

>>> import numpy as np
>>> same = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
>>> mmr(np.array([1.0, 0.9, 0.8]), same, diversity=0.5).order.tolist()
[0, 2, 1]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridsearch.arrays import Rows, Vectors

__all__ = ["Diverse", "mmr", "similarities"]


@dataclass(frozen=True)
class Diverse:
    """order: the places in the order chosen, int64 [n]. nearest: float64 [n], the highest
    similarity of each chosen to those chosen before it, and values: what the formula gave it.
    """

    order: Rows
    nearest: NDArray[np.float64]
    values: NDArray[np.float64]


def mmr(
    relevance: NDArray[np.float64], similarity: NDArray[np.float64], *, diversity: float
) -> Diverse:
    """Choose one after the other; of equals the one that comes first.

    relevance: [n]. similarity: [n, n], symmetric. Both should be on about the same scale.
    Raises ValueError if diversity is outside 0..1.
    """
    if not 0.0 <= diversity <= 1.0:
        raise ValueError(f"diversity is {diversity}; give a number from 0 to 1")
    count = len(relevance)
    order = np.empty(count, np.int64)
    near, values = np.zeros(count), np.zeros(count)
    nearest = np.zeros(count)
    left = (1.0 - diversity) * relevance
    for place in range(count):
        gains = left - diversity * nearest
        chosen = int(gains.argmax())
        order[place], near[place], values[place] = chosen, nearest[chosen], gains[chosen]
        left[chosen] = -np.inf
        own = similarity[chosen]
        nearest = own.copy() if place == 0 else np.maximum(nearest, own)
    return Diverse(order, near, values)


def similarities(rows: Rows, found: tuple[Rows, Vectors]) -> NDArray[np.float64]:
    """The cosines of documents with each other, float64 [n, n]; 0 for one without a vector.

    rows: int64 [n], each once. found: (row of each vector, the vectors); of a document with several
    passages the mean of their directions counts.
    """
    owners, vectors = found
    order = np.argsort(rows)
    places = order[np.searchsorted(rows, owners, sorter=order)]
    means = np.zeros((len(rows), vectors.shape[1] if vectors.ndim == 2 else 0))
    np.add.at(means, places, _directions(vectors.astype(np.float64)))
    means = _directions(means)
    return np.asarray(means @ means.T)


def _directions(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0.0, lengths, 1.0))
