"""At which place of the user's table does the row of each hit stand?

DuckDB finds a row by its number in the table (`rowid`) without looking at any other, while a key
that is text costs a look at all of them. A `Standing` has the number for each row of an index, as
the last commit left them. Numbers change when rows are written or the file is tidied up, so it
holds as long as its `sign` is that of the database: then nothing at all was committed since.

    standing = whereabouts.standing(origin, sign)         # None while it would not pay
    standing.of(rows), standing.rows(places)
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hybridsearch.arrays import Rows
from hybridsearch.document_table import DocumentTable
from hybridsearch.errors import Conflict
from hybridsearch.freshness import Sign
from hybridsearch.origin import Origin
from hybridsearch.row_ids import INTEGERS, Lookup
from hybridsearch.store import Store, quoted

__all__ = ["FEW", "NOWHERE", "PATIENCE", "Standing", "Whereabouts", "is_table"]

NOWHERE = -1
"""The place of a row whose key the table has not."""
UNKNOWN = -2
PATIENCE = 10
"""So many searches go by key before the places are read, which takes as long as they do."""
FEW = 200_000
"""Up to so many whole numbers are looked through as fast as a row is found by its place."""
PLACE = "rowid"


@dataclass(frozen=True)
class Standing:
    """The place of every row of one index, of those that died too, by its key.

    sign: of what they were read of.
    """

    sign: Sign
    places: Rows

    def of(self, rows: Rows) -> Rows | None:
        """The place of each row, or `NOWHERE`; None if one of the rows came later."""
        if int(rows.max(initial=-1)) >= len(self.places):
            return None
        found = self.places[rows]
        return None if (found == UNKNOWN).any() else found

    def rows(self, places: Rows) -> Rows:
        """The rows whose keys stand at the places, in any order; a place of none is left out."""
        return self._by_place.of(places)

    @cached_property
    def _by_place(self) -> Lookup:
        rows = np.flatnonzero(self.places >= 0)
        return Lookup(self.places[rows], rows)


class Whereabouts:
    """The places of the rows of index `number`; any thread may ask."""

    def __init__(self, store: Store, number: int) -> None:
        self._store = store
        self._documents = DocumentTable(store, number)
        self._reading = threading.Lock()
        self._asked: tuple[Sign | None, int] = (None, 0)
        self._known: tuple[Sign, Standing | None] | None = None

    def standing(self, origin: Origin, sign: Sign | None) -> Standing | None:
        """What was read under this sign.

        None while few have asked, and for what is no table whose rows are told apart by one key.
        """
        if sign is None or not is_table(origin):
            return None
        known = self._known
        if known is not None and known[0] == sign:
            return known[1]
        self._asked = sign, 1 + (self._asked[1] if self._asked[0] == sign else 0)
        if self._asked[1] <= PATIENCE or not self._reading.acquire(blocking=False):
            return None
        try:
            found = self._read(origin, sign)
        finally:
            self._reading.release()
        self._known = sign, found
        return found

    def _read(self, origin: Origin, sign: Sign) -> Standing | None:
        definition, table = origin.definition, self._documents.table
        kind, key = definition.key_type, quoted(definition.key)
        cursor = self._store.cursor()
        [(count, size)] = cursor.execute(
            f"SELECT count(*), coalesce(max(row) + 1, 0) FROM {table}"
        ).fetchall()
        if kind in INTEGERS and count <= FEW:
            return None
        try:
            with origin.reading():
                found = cursor.execute(
                    f"SELECT d.row, coalesce(s.{PLACE}, {NOWHERE}) AS place FROM {table} d"
                    f" LEFT JOIN {definition.source} s ON s.{key} = CAST(d.id AS {kind})"
                ).fetchnumpy()
        except Conflict:  # a view has no places; the search itself goes on without
            return None
        rows = np.asarray(found["row"], np.int64)
        places = np.full(size, UNKNOWN, np.int64)
        places[rows] = np.asarray(found["place"], np.int64)
        alone = np.count_nonzero(places != UNKNOWN) == len(rows)  # no key stands there twice
        return Standing(sign, places) if alone else None


def is_table(origin: Origin) -> bool:
    """Whether each row of the index may be one of a table of this database."""
    definition = origin.definition
    hidden = any(name.lower() == PLACE for name, _ in definition.columns)
    return definition.parts == 2 and definition.where is None and not hidden
