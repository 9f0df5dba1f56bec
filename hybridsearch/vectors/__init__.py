"""Which rows are like this vector? One embedder's vectors of one index, in numpy alone.

    index = VectorIndex.open(folder, dim=256)
    index.apply(deletes=deletes, rows=rows, vectors=vectors)   # durable on return
    rows, scores = index.snapshot().top(vector, 10, mask=mask)

In order: `codes` (one bit a dimension), `segments` (immutable bytes), `nearest` (a snapshot's
answers), `index` (durability and merging).
"""

from hybridsearch.vectors.index import VectorIndex
from hybridsearch.vectors.nearest import Tiers, VectorSnapshot

__all__ = ["Tiers", "VectorIndex", "VectorSnapshot"]
