"""Which living rows are most like a vector?

A snapshot answers on the parts it was made of, for ever the same. Three ways, by how many
vectors take part: all of them exactly; the few that a mask keeps, gathered, exactly; or the one
bit codes of all first and the best few thousand exactly. Each returns exactly as many rows as
were asked for and exist, best first, and a row has the same score whichever way found it.

    snapshot.top(vector, 10, mask=year > 1990)           # rows int64 [10], scores float32 [10]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hybridsearch.arrays import Mask, Rows, Scores, Vectors, no_rows
from hybridsearch.errors import VectorError
from hybridsearch.vectors import codes
from hybridsearch.vectors.segments import Part, Positions

Picks: TypeAlias = list[tuple[Part, Positions | None]]

Kept: TypeAlias = list[tuple[Part, Mask | None]]

ROUNDING = 4e-6
TOGETHER = 256
WIDENING = 4
BLOCK = 1_024
SAMPLE = 4_096
SAMPLE_EACH = 64


@dataclass(frozen=True, slots=True)
class Tiers:
    """When each way is taken, in vectors, and how many the codes hand on.

    exact: up to so many living vectors, no codes. gathered, fraction: a mask that keeps at most
    the greater of `gathered` and `fraction` of the living is gathered. The codes hand on
    `rescored` vectors and `each` more for each result asked for; when that is more than a third
    of what takes part, the codes are left out too. together, multiplied: so many queries, on at
    most so many vectors, are answered by multiplying matrices, which is exact and shares the
    reading of the vectors (where one query is answered exactly, two are enough).
    """

    exact: int = 10_000
    gathered: int = 4_000
    fraction: float = 1 / 16
    rescored: int = 1_300
    each: int = 3
    together: int = 64
    multiplied: int = 80_000


@dataclass(frozen=True, slots=True)
class VectorSnapshot:
    """An immutable view of the vectors; safe to search from any number of threads at once."""

    parts: tuple[Part, ...]
    dim: int
    tiers: Tiers

    @property
    def count(self) -> int:
        """How many living rows have a vector."""
        return sum(part.rows for part in self.parts)

    @property
    def memory_bytes(self) -> int:
        """Bytes of all segments (mapped, where they are files) and marks."""
        marks = sum(part.live.nbytes for part in self.parts if part.live is not None)
        return marks + sum(part.segment.data.nbytes for part in self.parts)

    def top(
        self,
        vector: Vectors,
        limit: int,
        *,
        mask: Mask | None = None,
        exact: bool = False,
        breadth: int | None = None,
    ) -> tuple[Rows, Scores]:
        """The rows most like the vector float32 [dim], of any length, that the mask keeps.

        Returns rows int64 [n] and cosines float32 [n] in -1..1, best first, equal ones by row,
        no row twice; n is limit, or all there are. With `exact`, recall is 1. breadth: at least so
        many vectors are compared exactly, instead of what the tiers say. A mask may be
        shorter than the highest row; rows past its end are not kept.
        Raises VectorError when the vector is not finite or not of this length.
        """
        query = unit(vector, self.dim)
        return self._top(query, limit, self._kept(mask), exact=exact, breadth=breadth)

    def _top(
        self,
        query: Vectors,
        limit: int,
        kept: Kept,
        *,
        exact: bool = False,
        breadth: int | None = None,
    ) -> tuple[Rows, Scores]:
        total = _total(kept)
        want = min(limit, total)
        while want > 0:
            handed_on = self._handed_on(want) if breadth is None else max(want, breadth)
            if exact or self._is_small(total, handed_on) or not query.any():
                picks = _everything(kept)
            else:
                picks = _near(kept, query, handed_on)
            rows, scores = _best(picks, query, want)
            if len(rows) >= limit or want == total:
                return rows[:limit], scores[:limit]
            want = min(WIDENING * want, total)
        return no_rows()

    def _is_small(self, total: int, handed_on: int) -> bool:
        tiers = self.tiers
        living = sum(part.vectors for part in self.parts)
        few = max(tiers.gathered, int(tiers.fraction * living))
        return living <= tiers.exact or total <= few or total <= 3 * handed_on

    def _handed_on(self, want: int) -> int:
        return max(want, self.tiers.rescored + self.tiers.each * want)

    def top_many(
        self, vectors: Vectors, limit: int, *, mask: Mask | None = None
    ) -> list[tuple[Rows, Scores]]:
        """What `top` returns for each of the vectors float32 [m, dim], in one pass over ours.

        Raises VectorError as `top` does.
        """
        queries = np.array([unit(vector, self.dim) for vector in vectors], np.float32)
        kept = self._kept(mask)
        want = min(limit, _total(kept))
        if want <= 0 or not self._multiplies(len(queries), _total(kept), want):
            return [self._top(query, limit, kept) for query in queries]
        found: list[tuple[Rows, Scores]] = []
        for start in range(0, len(queries), TOGETHER):
            group = queries[start : start + TOGETHER]
            for query, near in zip(group, _above(_everything(kept), group, want), strict=True):
                rows, scores = _best(near, query, want)
                if len(rows) < want:  # of rows with several vectors more must be looked at
                    rows, scores = self._top(query, limit, kept, exact=True)
                found.append((rows[:limit], scores[:limit]))
        return found

    def _multiplies(self, queries: int, total: int, want: int) -> bool:
        together = 2 if self._is_small(total, self._handed_on(want)) else self.tiers.together
        return queries >= together and total <= self.tiers.multiplied

    def _kept(self, mask: Mask | None) -> Kept:
        return [(part, part.keeps(mask)) for part in self.parts]

    def similarities(self, vector: Vectors, rows: Rows) -> Scores:
        """The exact cosines float32 [n] of the rows [n]; NaN where a row has no vector.

        A row with several vectors has the best of them. Raises VectorError as `top` does.
        """
        query = unit(vector, self.dim)
        found = np.full(len(rows), np.nan, np.float32)
        for part in self.parts:
            which, positions = part.locate(rows)
            np.fmax.at(found, which, part.segment.cosines(positions, query))
        return found

    def get(self, rows: Rows) -> tuple[Rows, Vectors]:
        """The vectors of the rows: rows int64 [n] and vectors float32 [n, dim] of length one.

        In the order asked; a row without a vector is left out, one with several is repeated.
        """
        which, vectors = [np.empty(0, np.int64)], [np.empty((0, self.dim), np.float32)]
        for part in self.parts:
            asked, positions = part.locate(rows)
            which.append(asked)
            vectors.append(part.segment.vectors(positions))
        asked = np.concatenate(which)
        order = np.argsort(asked, kind="stable")
        return rows[asked[order]], np.concatenate(vectors)[order]

    def rows(self) -> Rows:
        """The living rows that have a vector, ascending, each once."""
        living = [part.living_rows() for part in self.parts]
        return np.unique(np.concatenate([np.empty(0, np.int64), *living]))


def unit(vector: Vectors, dim: int) -> Vectors:
    """The vector as float32 [dim] of length one, or zeros. Raises VectorError if it is neither
    finite nor of that length."""
    given = np.asarray(vector, np.float32)
    if given.shape != (dim,):
        raise VectorError(
            f"the query vector has shape {given.shape}, the index holds vectors of {dim} numbers; "
            "embed the query with the index's own embedder",
            expected=dim,
            found=given.size,
        )
    if not np.isfinite(given).all():
        at = int(np.flatnonzero(~np.isfinite(given))[0])
        raise VectorError(f"the query vector is {given[at]} at position {at}; it must be finite")
    peak = np.abs(given).max(initial=0)
    if peak == 0:
        return given
    scaled: Vectors = given / peak
    return scaled / np.float32(np.sqrt(np.vecdot(scaled, scaled)))


def _total(kept: Kept) -> int:
    return sum(part.vectors if k is None else int(np.count_nonzero(k)) for part, k in kept)


def _everything(kept: Kept) -> Picks:
    return [(part, None if k is None else np.flatnonzero(k)) for part, k in kept]


def _near(kept: Kept, query: Vectors, want: int) -> Picks:
    """Positions of at least `want` vectors whose codes are nearest, over all parts."""
    target = codes.probe(query)
    ends = np.cumsum([len(part.segment.rows) for part, _ in kept])
    distances = np.empty(int(ends[-1]), target.dtype)
    pieces = np.split(distances, ends[:-1])
    for (part, k), piece in zip(kept, pieces, strict=True):
        codes.scan(part.segment.codes, target, piece)
        if k is not None:
            codes.exclude(piece, k)
    at = codes.cut(distances, want)
    return [
        (part, np.flatnonzero(piece <= at)) for (part, _), piece in zip(kept, pieces, strict=True)
    ]


def _above(picks: Picks, queries: Vectors, want: int) -> list[Picks]:
    """For each query float32 [m, dim] the picked that its `want` best are surely among."""
    floors = _floors(picks, queries, want)
    found: list[Picks] = [[] for _ in queries]
    for part, positions in picks:
        owner, place = _passing(part, positions, queries, floors)
        order = np.argsort(owner, kind="stable")
        ends = np.searchsorted(owner[order], np.arange(1, len(queries)))
        at = place if positions is None else positions[place]
        for near, mine in zip(found, np.split(at[order], ends), strict=True):
            near.append((part, mine))
    return found


def _passing(
    part: Part, positions: Positions | None, queries: Vectors, floors: Scores
) -> tuple[Positions, Positions]:
    """Pairs (number of the query, place among the positions) whose cosine reaches the floor."""
    count = len(part.segment.rows) if positions is None else len(positions)
    owners, places = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for start in range(0, count, BLOCK):
        block = slice(start, start + BLOCK)
        vectors = part.segment.vectors(block if positions is None else positions[block])
        passing = np.flatnonzero(vectors @ queries.T >= floors)  # flat: ten times quicker
        place, owner = np.divmod(passing, len(queries))
        owners.append(owner)
        places.append(place + start)
    return np.concatenate(owners), np.concatenate(places)


def _floors(picks: Picks, queries: Vectors, want: int) -> Scores:
    """For each query a cosine that at least `want` of the picked reach, from an even sample."""
    sizes = [part.vectors if at is None else len(at) for part, at in picks]
    ends = np.cumsum(sizes)
    size = min(int(ends[-1]), max(SAMPLE, SAMPLE_EACH * want))
    chosen = np.linspace(0, int(ends[-1]) - 1, size).astype(np.int64)
    sample = []
    for (part, at), mine, end, count in zip(
        picks, np.split(chosen, np.searchsorted(chosen, ends[:-1])), ends, sizes, strict=True
    ):
        local = mine - (int(end) - count)
        sample.append(part.segment.vectors(local if at is None else at[local]))
    products = queries @ np.concatenate(sample).T
    return np.partition(products, size - want, axis=1)[:, size - want] - np.float32(ROUNDING)


def _best(picks: Picks, query: Vectors, want: int) -> tuple[Rows, Scores]:
    """The rows of the `want` best vectors picked, and of their equals, best first, no repeats."""
    sifted = [part.segment.sift(positions, query) for part, positions in picks]
    every = np.concatenate(sifted)
    least = np.partition(every, len(every) - want)[len(every) - want] - ROUNDING
    rows, scores = [], []
    for (part, positions), piece in zip(picks, sifted, strict=True):
        chosen = np.flatnonzero(piece >= least)
        if len(chosen):
            at = chosen if positions is None else positions[chosen]
            if part.segment.repeats:  # the codes may have found a row, but not its best vector
                at = part.segment.locate(np.unique(part.segment.rows[at]))[1]
            rows.append(part.segment.rows[at])
            scores.append(part.segment.cosines(at, query))
    found = _ordered(np.concatenate(rows), np.concatenate(scores))
    return _once(*found) if any(part.segment.repeats for part, _ in picks) else found


def _ordered(rows: Rows, scores: Scores) -> tuple[Rows, Scores]:
    """Best first, equal scores by row."""
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order]


def _once(rows: Rows, scores: Scores) -> tuple[Rows, Scores]:
    """Of a repeated row only the first, in their order."""
    _, first = np.unique(rows, return_index=True)
    if len(first) < len(rows):
        first.sort()
        rows, scores = rows[first], scores[first]
    return rows, scores
