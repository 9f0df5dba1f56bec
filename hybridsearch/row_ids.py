"""Which id has each row, and which rows have these ids, without asking DuckDB each time?

A `RowIds` keeps the ids of one index by row, read when they are first asked for and then only as
far as there are new rows; a row never changes its id. Rows are found in a sorted array of the ids,
or of their prints where they are no whole numbers: 10,000 among a million in a millisecond.

    ids.of(rows)                                      # Arrow array, one id for each row
    ids.rows(np.array([7, 9]), size=1000)             # int64 [n]
    ids.among(["a", "b"], size=1000)                  # int64 [n]; None while few have asked
    ids.places(rows)                                  # int64 [n], in the order of ids
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hybridsearch.arrays import Rows
from hybridsearch.document_ids import DocumentIds

__all__ = ["INTEGERS", "TEXT", "Lookup", "RowIds"]

TEXT = "VARCHAR"
INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
"""Types whose values are whole numbers to JSON and to numpy; wider ones go as text."""


PATIENCE = 10
"""So many lists of ids are looked for in the table before the prints of all are kept, which takes
as long as they do."""
CALL = 300
"""Ids that can be put in order in the time that a call takes besides."""
SPARSE = 2
"""So many numbers for each that is a key take as much memory as the keys in order."""
ABSENT = -1
MOST_BYTES = 2**30
"""Ids in pieces are copied into one, unless it would be too large for Arrow: to take a few out of
several, Arrow copies all of them each time."""


class RowIds:
    """The ids of one index's rows; any thread may ask. kind: the DuckDB type of the ids."""

    def __init__(self, keys: DocumentIds, *, kind: str = TEXT) -> None:
        self.kind = kind
        self.whole = kind in INTEGERS
        self._keys = keys
        self._lock = threading.Lock()
        self._size = 0
        self._rows: Rows = np.empty(0, np.int64)
        self._ids: pa.ChunkedArray = pa.chunked_array([], pa.int64() if self.whole else pa.string())
        self._lookup: Lookup | None = None
        self._printed = 0, np.empty(0, np.int64), np.empty(0, np.int64)
        self._asked = 0
        self._spent = 0
        self._all: tuple[str, pa.ChunkedArray, Rows] | None = None

    def of(self, rows: Rows) -> pa.Array:
        """The id of each row, Arrow array of int64 or string; null for a row that was purged."""
        known, ids, _ = self._known(int(rows.max(initial=-1)) + 1)
        if not len(known):
            return pa.nulls(len(rows), ids.type)
        places = np.minimum(np.searchsorted(known, rows), len(known) - 1)
        return ids.take(pa.array(places, mask=known[places] != rows)).combine_chunks()

    def rows(self, wanted: Rows, *, size: int) -> Rows:
        """The rows below `size` that have one of the ids, in any order; dead ones too.

        wanted: the ids where they are whole numbers, else what `print_of` gives for them.
        """
        if self.whole:
            chosen = self._known(size)[2].of(wanted)
        else:  # in order, or each is looked for in another part of memory
            chosen = _looked_up(np.sort(wanted), *self._prints(size))
        return chosen[chosen < size]

    def among(self, ids: Sequence[str], *, size: int) -> Rows | None:
        """The rows below `size` that have one of the ids, in any order; dead ones too.

        ids: as `texts` gives them. None where the table is asked more cheaply, as it is until there
        have been enough of such lists since the last new row.
        """
        if self.whole:
            return self.rows(np.array([int(each) for each in ids], np.int64), size=size)
        if self._printed[0] < size:
            self._asked += 1
            if self._asked <= PATIENCE:
                return None
            self._asked = 0
        found = np.sort(self.rows(self._keys.prints_of(ids), size=size))
        alike = pc.is_in(self.of(found), value_set=pa.array(ids, pa.string()))
        kept: Rows = found[alike.to_numpy(zero_copy_only=False)]  # prints may be equal by chance
        return kept

    def places(self, rows: Rows, *, kind: str | None = None) -> Rows:
        """The place of each row in the order of ids, int64 [n]; equal for equal ids.

        kind: the DuckDB type in whose order they stand; their own where it is not given.
        """
        kind = kind or self.kind
        known, ids, _ = self._known(int(rows.max(initial=-1)) + 1)
        made = self._all
        if made is None or made[0] != kind or made[1] is not ids:
            self._spent += CALL + len(rows)
            if self._spent < len(ids) or not len(ids):
                return self._ranks(self.of(rows), kind)
            self._spent = 0  # as much as it costs to put all in order once, until there are others
            made = self._all = (kind, ids, self._ranks(ids, kind))
        return made[2][np.minimum(np.searchsorted(known, rows), len(known) - 1)]

    def _ranks(self, ids: pa.Array | pa.ChunkedArray, kind: str) -> Rows:
        if kind in INTEGERS:
            ids = ids.cast(pa.int64())
        elif kind != TEXT:
            return self._keys.id_places(ids, kind)
        ranks: Rows = pc.rank(ids, tiebreaker="min").to_numpy().astype(np.int64)
        return ranks

    def texts(self, ids: Sequence[str]) -> list[str]:
        """The ids as this index writes them: '1.5' for a key DECIMAL(5, 2) is '1.50'.

        What is no value of the key's type is left out.
        """
        if self.kind == TEXT:
            return list(ids)
        return self._keys.retyped(ids, self.kind)

    def _known(self, size: int) -> tuple[Rows, pa.ChunkedArray, Lookup]:
        """(rows ascending, their ids, what gives the rows of ids), from row 0 to `size` at least.

        The last is empty where ids are no whole numbers.
        """
        with self._lock:
            if self._lookup is None or self._size < size:
                rows, ids = self._keys.ids(self._size, size, kind=self._ids.type)
                self._rows = np.concatenate([self._rows, rows])
                chunks = [*self._ids.chunks, *ids.chunks]
                self._ids = _joined(pa.chunked_array(chunks, self._ids.type))
                whole = self._ids.to_numpy() if self.whole else np.empty(0, np.int64)
                self._lookup = Lookup(whole, self._rows[: len(whole)])
                self._size = max(size, self._size)
            return self._rows, self._ids, self._lookup

    def _prints(self, size: int) -> tuple[Rows, Rows]:
        """(prints of ids ascending, their rows), from row 0 to `size` at least."""
        with self._lock:
            start, prints, rows = self._printed
            if start < size:
                fresh = self._keys.prints(start, size)
                prints, rows = np.concatenate([prints, fresh[0]]), np.concatenate([rows, fresh[1]])
                order = np.argsort(prints, kind="stable")
                self._printed = size, prints[order], rows[order]
            return self._printed[1:]


class Lookup:
    """Which values, 0 or more, have these keys? Both are int64; a key may have several.

    Keys that lie as close together as numbers given in turn are the places of an array.

    >>> Lookup(np.array([7, 3, 7]), np.array([0, 1, 2])).of(np.array([7, 8])).tolist()
    [0, 2]
    """

    def __init__(self, keys: Rows, values: Rows) -> None:
        self._start = int(keys.min(initial=0))
        self._at = self._placed(keys, values)
        self._sorted = None if self._at is not None else _ascending(keys, values)

    def _placed(self, keys: Rows, values: Rows) -> Rows | None:
        """The value of each whole number from the start on, ABSENT where it is no key."""
        span = int(keys.max(initial=0)) - self._start + 1
        if span > SPARSE * len(keys):
            return None
        found = np.full(span, ABSENT, np.int64)
        found[keys - self._start] = values
        return found if np.array_equal(found[keys - self._start], values) else None

    def of(self, wanted: Rows) -> Rows:
        """The values of all keys that are wanted, in any order."""
        if self._sorted is not None:
            return _looked_up(wanted, *self._sorted)
        assert self._at is not None  # one of them is there
        end = self._start + len(self._at)
        found: Rows = self._at[wanted[(wanted >= self._start) & (wanted < end)] - self._start]
        there: Rows = found[found != ABSENT]
        return there


def _ascending(keys: Rows, values: Rows) -> tuple[Rows, Rows]:
    order = np.argsort(keys, kind="stable")
    return keys[order], values[order]


def _looked_up(wanted: Rows, keys: Rows, values: Rows) -> Rows:
    """The values of all keys that are wanted, in any order; the keys ascend, and may repeat."""
    first = np.searchsorted(keys, wanted, "left")
    last = np.searchsorted(keys, wanted, "right")
    found: list[Rows] = []
    while len(first):  # once, and again only for keys that repeat, as ids with a row that died
        there = first < last
        first, last = first[there], last[there]
        found.append(values[first])
        first = first + 1
    return np.concatenate([np.empty(0, np.int64), *found])


def _joined(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same in one piece, unless they are too many."""
    if ids.num_chunks == 1 or ids.nbytes > MOST_BYTES:
        return ids
    return pa.chunked_array([ids.combine_chunks()])
