"""Which vectors are probably near the query, at one bit a dimension?

A vector's code is the sign of each number after the segment's centre is taken away. A query's
probe is the sign of its own numbers (not centred: the centre adds the same amount to every
similarity), and it leaves out the two fifths of its dimensions that are smallest, whose signs
say the least. The distance is how many of the counted bits differ. Codes lie as columns, words x
vectors, so that a scan is a few passes over contiguous memory.

On 63,665 package descriptions and 256 dimensions the 1,300 least distances hold .995 of the ten
nearest; with a centred query and all bits 4,000 hold .982.

    codes = pack(vectors > centre)                       # uint64 [words, n]
    target = probe(query)
    distances = np.empty(n, target.dtype)
    scan(codes, target, distances)
    near = distances <= cut(distances, 1_300)            # at least 1,300 of them
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hybridsearch.arrays import Mask, Vectors

Words: TypeAlias = NDArray[np.uint64]
Distances: TypeAlias = NDArray[np.unsignedinteger[Any]]

Dtype: TypeAlias = np.dtype[np.unsignedinteger[Any]]

NARROW: Dtype = np.dtype(np.uint8)
WIDE: Dtype = np.dtype(np.uint16)
BLOCK = 16_384
SAMPLE = 1_024
UNCOUNTED = 0.4
SURPLUS = 1.15


@dataclass(frozen=True, slots=True)
class Probe:
    """A query's code: signs and counted bits, both uint64 [words, 1], and a distance's dtype."""

    signs: Words
    counted: Words
    dtype: Dtype


def words(dim: int) -> int:
    """How many 64 bit words hold a code of that many dimensions."""
    return -(-dim // 64)


def pack(signs: Mask) -> Words:
    """Signs bool [n, dim] as codes uint64 [words, n]; the bits past dim are zero."""
    count, dim = signs.shape
    octets = np.zeros((count, 8 * words(dim)), np.uint8)
    octets[:, : -(-dim // 8)] = np.packbits(signs, axis=1)
    return octets.view(np.uint64).T


def probe(query: Vectors) -> Probe:
    """The probe of a query float32 [dim]."""
    size = np.abs(query)
    at = int(UNCOUNTED * len(size))
    smallest = np.partition(size, at)[at]
    counted = (size >= smallest) & (size > 0)
    narrow = np.count_nonzero(counted) < np.iinfo(np.uint8).max
    return Probe(pack((query > 0)[None]), pack(counted[None]), NARROW if narrow else WIDE)


def scan(codes: Words, target: Probe, out: Distances) -> None:
    """Write into out [n] how many counted bits of each code uint64 [words, n] differ."""
    differing = np.empty((len(codes), min(BLOCK, len(out))), np.uint64)
    counts = np.empty(differing.shape, np.uint8)
    for start in range(0, len(out), BLOCK):
        end = min(start + BLOCK, len(out))
        bits, ones = differing[:, : end - start], counts[:, : end - start]
        np.bitwise_xor(codes[:, start:end], target.signs, out=bits)
        np.bitwise_and(bits, target.counted, out=bits)
        np.bitwise_count(bits, out=ones)
        np.add.reduce(ones, axis=0, dtype=out.dtype, out=out[start:end])


def exclude(distances: Distances, kept: Mask) -> None:
    """Put what is not kept, bool [n], past every distance that can occur."""
    distances |= np.negative(np.logical_not(kept).astype(distances.dtype))


def cut(distances: Distances, want: int) -> int:
    """A distance that at least `want` of the distances [n] do not exceed, and few more.

    Expects 1 <= want <= the number that is not excluded.
    """
    sample = np.sort(distances[:: max(1, len(distances) // SAMPLE)])
    at = int(sample[min(len(sample) - 1, want * len(sample) // len(distances))])
    count = np.count_nonzero(distances <= at)
    while count < want:
        at += 1
        count = np.count_nonzero(distances <= at)
    while count > SURPLUS * want and at > 0:
        count = np.count_nonzero(distances <= at - 1)
        if count < want:
            break
        at -= 1
    return at
