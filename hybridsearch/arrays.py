"""The names of our arrays.

A *row* is an int64 number inside an index. A *score* grows with relevance. A *mask* is
indexed by row number: `mask[row]` says whether a row takes part.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.int64]
Scores: TypeAlias = NDArray[np.float32]
Vectors: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]


def no_rows() -> tuple[Rows, Scores]:
    """An empty ranking: rows int64 [0] and scores float32 [0]."""
    return np.empty(0, np.int64), np.empty(0, np.float32)
