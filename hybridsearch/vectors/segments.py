"""How do vectors lie on the disk and in memory, so that they are small, exact and never torn?

A segment is one immutable run of bytes, the same in a file and in memory: a header, the rows in
ascending order, a scale for each vector, the centre, the one bit codes and the vectors as 16 bit
integers (number = integer x scale, length one). Integers are as small as half floats, twenty
times as quick to widen in numpy, and more exact: a cosine is off by less than 0.00002. A file is
mapped, not read.

A part is a segment with marks for the vectors that died since. A row may own several vectors;
they lie in one segment, side by side.

    batch = encode(rows, vectors)
    segment = Segment.build(batch)                       # in memory
    write_atomic(path, segment.data)
    part = Part.whole(Segment.map(path, dim=256)).without(np.array([7]))
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hybridsearch.arrays import Mask, Rows, Scores, Vectors
from hybridsearch.errors import IndexDamaged
from hybridsearch.vectors import codes

MAGIC = b"HSVECTOR"
FORMAT = 1
HEADER = struct.Struct("<8sIIQ")
ALIGNMENT = 64
BLOCK = 512
PEAK = 32_767

Positions: TypeAlias = NDArray[np.int64]
Integers: TypeAlias = NDArray[np.int16]
Bytes: TypeAlias = NDArray[np.uint8]
Fields: TypeAlias = dict[str, tuple[int, type[np.generic], tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Encoded vectors by row ascending: rows [n], integers int16 [n, dim], scales [n]."""

    rows: Rows
    integers: Integers
    scales: Scores


def encode(rows: Rows, vectors: Vectors) -> Batch:
    """Finite vectors float32 [n, dim] of any length as a batch, sorted by row."""
    order = np.argsort(rows, kind="stable")
    integers = np.empty(vectors.shape, np.int16)
    scales = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), BLOCK):
        part = vectors[order[start : start + BLOCK]]
        peaks = np.abs(part).max(axis=1, keepdims=True)
        grid = np.rint(part / np.where(peaks > 0, peaks, 1) * PEAK)
        integers[start : start + BLOCK] = grid
        lengths = np.sqrt(np.vecdot(grid, grid))
        scales[start : start + BLOCK] = (lengths > 0) / np.where(lengths > 0, lengths, 1)
    return Batch(rows[order], integers, scales)


def join(batches: list[Batch]) -> Batch:
    """The batches as one, sorted by row."""
    rows = np.concatenate([batch.rows for batch in batches])
    integers = np.concatenate([batch.integers for batch in batches])
    scales = np.concatenate([batch.scales for batch in batches])
    if (rows[1:] >= rows[:-1]).all():
        return Batch(rows, integers, scales)
    order = np.argsort(rows, kind="stable")
    return Batch(rows[order], integers[order], scales[order])


class Segment:
    """Immutable vectors: rows int64 [n], scales float32 [n], centre float32 [dim], codes
    uint64 [words, n], integers int16 [n, dim]; `repeats` when a row owns several."""

    __slots__ = ("centre", "codes", "contiguous", "data", "integers", "repeats", "rows", "scales")

    def __init__(self, data: Bytes) -> None:
        _, _, dim, count = HEADER.unpack(data[: HEADER.size].tobytes())
        fields, _ = layout(count, dim)
        self.data = data
        self.rows: Rows = _field(data, fields, "rows").view(np.int64)
        self.scales: Scores = _field(data, fields, "scales").view(np.float32)
        self.centre: Scores = _field(data, fields, "centre").view(np.float32)
        self.codes: codes.Words = _field(data, fields, "codes").view(np.uint64)
        self.integers: Integers = _field(data, fields, "integers").view(np.int16)
        self.repeats = bool((self.rows[1:] == self.rows[:-1]).any())
        span = int(self.rows[-1] - self.rows[0]) + 1 if count else 0
        self.contiguous = span == count and not self.repeats

    @classmethod
    def build(cls, batch: Batch, *, centre: Scores | None = None) -> Segment:
        """A segment in memory; without a centre, the batch's own mean is it."""
        count, dim = batch.integers.shape
        data: Bytes = np.zeros(layout(count, dim)[1], np.uint8)
        header = HEADER.pack(MAGIC, FORMAT, dim, count)
        data[: HEADER.size] = np.frombuffer(header, np.uint8)
        segment = cls(data)
        segment.rows[:] = batch.rows
        segment.scales[:] = batch.scales
        segment.integers[:] = batch.integers
        segment.centre[:] = segment._mean() if centre is None else centre
        for start in range(0, count, BLOCK):
            vectors = segment.vectors(slice(start, start + BLOCK))
            segment.codes[:, start : start + BLOCK] = codes.pack(vectors > segment.centre)
        data.flags.writeable = False
        return cls(data)

    @classmethod
    def map(cls, path: Path, *, dim: int) -> Segment:
        """The segment of a file, mapped. Raises IndexDamaged when the file is not one."""
        try:
            with path.open("rb") as file:
                data = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        except (OSError, ValueError) as error:
            raise damaged(path, f"cannot be read ({error})") from error
        if len(data) < HEADER.size:
            raise damaged(path, f"has only {len(data)} bytes")
        magic, version, held, count = HEADER.unpack(data[: HEADER.size].tobytes())
        if (magic, version, held) != (MAGIC, FORMAT, dim):
            raise damaged(path, f"does not start as vectors of {dim} numbers do")
        if len(data) != layout(count, dim)[1]:
            raise damaged(path, f"has {len(data)} bytes, not {layout(count, dim)[1]}")
        return cls(data)

    def _mean(self) -> Scores:
        total = np.zeros(self.integers.shape[1], np.float64)
        for start in range(0, len(self.rows), BLOCK):
            floats = self.integers[start : start + BLOCK].astype(np.float32)
            total += self.scales[start : start + BLOCK] @ floats
        return (total / max(1, len(self.rows))).astype(np.float32)

    def vectors(self, positions: Positions | slice) -> Vectors:
        """The vectors at the positions [n], of length one (or zero), float32 [n, dim]."""
        floats = self.integers[positions].astype(np.float32)
        floats *= self.scales[positions][:, None]
        return floats

    def sift(self, positions: Positions | None, query: Vectors) -> Scores:
        """Cosines float32 [n] at the positions (None: all), good to one millionth.

        The last bits depend on what else is asked for; `cosines` gives the final figure.
        """
        count = len(self.rows) if positions is None else len(positions)
        found = np.empty(count, np.float32)
        narrow = np.empty((min(BLOCK, count), len(query)), np.int16)
        wide = np.empty(narrow.shape, np.float32)
        for start in range(0, count, BLOCK):
            end = min(start + BLOCK, count)
            if positions is None:
                block = self.integers[start:end]
            else:
                block = narrow[: end - start]
                self.integers.take(positions[start:end], axis=0, out=block, mode="clip")
            np.copyto(wide[: end - start], block)
            np.matmul(wide[: end - start], query, out=found[start:end])
        found *= self.scales if positions is None else self.scales[positions]
        return found

    def cosines(self, positions: Positions, query: Vectors) -> Scores:
        """Cosines float32 [n] at the positions; each is the same whatever it is asked with."""
        products = np.vecdot(self.integers[positions].astype(np.float32), query)
        found: Scores = np.clip(products * self.scales[positions], -1, 1)
        return found

    def locate(self, rows: Rows) -> tuple[Positions, Positions]:
        """Where the rows [m] are: (i [n], positions [n]), vector positions[j] is of rows[i[j]]."""
        if self.contiguous:
            places = rows - self.rows[0]
            found = np.flatnonzero((places >= 0) & (places < len(self.rows)))
            return found, places[found]
        first = np.searchsorted(self.rows, rows, "left")
        if not self.repeats:
            found = np.flatnonzero(self.rows.take(first, mode="clip") == rows)
            return found, first[found]
        counts = np.searchsorted(self.rows, rows, "right") - first
        which = np.repeat(np.arange(len(rows)), counts)
        before = np.cumsum(counts) - counts
        return which, np.arange(len(which)) + np.repeat(first - before, counts)


@dataclass(frozen=True, slots=True)
class Part:
    """A segment, which of its vectors live (None: all), and how many vectors and rows do."""

    segment: Segment
    live: Mask | None
    vectors: int
    rows: int

    @classmethod
    def of(cls, segment: Segment, live: Mask | None) -> Part:
        """The part with those live vectors, bool [n]."""
        rows = segment.rows if live is None else segment.rows[live]
        distinct = np.count_nonzero(rows[1:] != rows[:-1]) + 1 if len(rows) else 0
        return cls(segment, live, len(rows), int(distinct))

    def without(self, rows: Rows) -> Part:
        """The part after the rows, ascending, died; itself when it had none of them alive."""
        own = self.segment.rows
        if not len(own) or not len(rows) or rows[0] > own[-1] or rows[-1] < own[0]:
            return self
        live = np.ones(len(own), np.bool_) if self.live is None else self.live.copy()
        live[self.segment.locate(rows)[1]] = False
        return self if np.count_nonzero(live) == self.vectors else Part.of(self.segment, live)

    def keeps(self, mask: Mask | None) -> Mask | None:
        """Which vectors live and are of rows the mask keeps, bool [n]; None when all do."""
        if mask is None:
            return self.live
        kept = self._by_position(mask)
        if self.live is not None:
            return kept & self.live
        return None if kept.all() else kept

    def _by_position(self, mask: Mask) -> Mask:
        rows = self.segment.rows
        end = int(np.searchsorted(rows, len(mask)))
        if self.segment.contiguous:
            kept = mask[int(rows[0]) : int(rows[0]) + end]
        else:
            kept = mask[rows[:end]]
        if end == len(rows):
            return kept
        return np.concatenate([kept, np.zeros(len(rows) - end, np.bool_)])

    def locate(self, rows: Rows) -> tuple[Positions, Positions]:
        """As Segment.locate, living vectors only."""
        which, positions = self.segment.locate(rows)
        if self.live is None:
            return which, positions
        living = self.live[positions]
        return which[living], positions[living]

    def living_rows(self) -> Rows:
        """The rows of the living vectors, ascending, repeated where they own several."""
        return self.segment.rows if self.live is None else self.segment.rows[self.live]

    def batch(self) -> Batch:
        """The living vectors."""
        own = self.segment
        if self.live is None:
            return Batch(own.rows, own.integers, own.scales)
        return Batch(own.rows[self.live], own.integers[self.live], own.scales[self.live])


def layout(count: int, dim: int) -> tuple[Fields, int]:
    """Where each field lies: ({name: (offset, dtype, shape)}, size of all), in bytes."""
    shapes: list[tuple[str, type[np.generic], tuple[int, ...]]] = [
        ("rows", np.int64, (count,)),
        ("scales", np.float32, (count,)),
        ("centre", np.float32, (dim,)),
        ("codes", np.uint64, (codes.words(dim), count)),
        ("integers", np.int16, (count, dim)),
    ]
    fields, at = {}, ALIGNMENT
    for name, dtype, shape in shapes:
        fields[name] = (at, dtype, shape)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        at += -(-size // ALIGNMENT) * ALIGNMENT
    return fields, at


def _field(data: Bytes, fields: Fields, name: str) -> NDArray[np.generic]:
    at, dtype, shape = fields[name]
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return data[at : at + size].view(dtype).reshape(shape)


def damaged(path: Path, what: str) -> IndexDamaged:
    """The error for a file that is not what was written."""
    return IndexDamaged(f"{path} {what}; run `hybridsearch rebuild`", path=str(path))
