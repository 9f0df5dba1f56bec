"""How are the documents of a task packed while they wait?

One lz4 block with the JSON of all of them, and the length of each.

    >>> unpacked(*packed([b'{"id":1}', b'{"id":2}']))
    [b'{"id":1}', b'{"id":2}']
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa

CODEC = "lz4"


def packed(bodies: Sequence[bytes]) -> tuple[bytes, int, bytes]:
    """(the lengths as int64, bytes when unpacked, the block)."""
    lengths = np.fromiter(map(len, bodies), np.int64, len(bodies))
    data = pa.compress(b"".join(bodies), codec=CODEC, asbytes=True)
    return lengths.tobytes(), int(lengths.sum()), data


def unpacked(lengths: bytes, size: int, data: bytes) -> list[bytes]:
    """The documents, as they were packed, in order."""
    joined = pa.decompress(data, decompressed_size=size, codec=CODEC, asbytes=True)
    ends = np.cumsum(np.frombuffer(lengths, np.int64)).tolist()
    return [joined[start:stop] for start, stop in pairwise([0, *ends])]
