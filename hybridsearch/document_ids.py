"""Which ids have the documents of an index, as its table has them?

Ids are texts. `print_of` is a whole number for each, by which they are told apart more quickly.

    keys = DocumentIds(store, "hybridsearch.documents_1")
    keys.rows_with_ids(["a", "b"], size=1000)         # bool [1000], True where the row has one
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from hybridsearch.arrays import Mask, Rows
from hybridsearch.store import Store, registered

__all__ = ["DocumentIds", "print_of", "said"]


def print_of(text: str) -> str:
    """An expression for a whole number, BIGINT, that tells the values of one for texts apart.

    It is DuckDB's hash of 64 bits without its last, so that a million texts have two that are alike
    in one of ten million cases.
    """
    return f"CAST(hash({text}) >> 1 AS BIGINT)"


def said(text: str, kind: str) -> str:
    """A condition: the text says a value of that type, and no number beside it, as 2.5 beside 2."""
    value = f"CAST(TRY_CAST({text} AS {kind}) AS VARCHAR)"
    alike = f"TRY_CAST({text} AS DOUBLE) = TRY_CAST({value} AS DOUBLE)"
    return f"{value} IS NOT NULL AND coalesce({alike}, true)"


class DocumentIds:
    """The ids in one table of documents; any thread may ask."""

    def __init__(self, store: Store, table: str) -> None:
        self._store = store
        self._table = table

    def ids(self, start: int, size: int, *, kind: pa.DataType) -> tuple[Rows, pa.ChunkedArray]:
        """(rows ascending, their ids as that type) from row `start` to `size`; dead ones too."""
        relation = self._store.cursor().sql(
            f"SELECT row, id FROM {self._table} WHERE row >= ? AND row < ? ORDER BY row",
            params=[start, size],
        )
        found: pa.Table = relation.to_arrow_table()
        return found["row"].to_numpy(), found["id"].cast(kind)

    def prints(self, start: int, size: int) -> tuple[Rows, Rows]:
        """(`print_of` each id, rows) from row `start` to `size`, in any order; dead ones too."""
        found = (
            self._store.cursor()
            .execute(
                f"SELECT {print_of('id')} AS print, row FROM {self._table}"
                " WHERE row >= ? AND row < ?",
                [start, size],
            )
            .fetchnumpy()
        )
        return np.asarray(found["print"], np.int64), np.asarray(found["row"], np.int64)

    def prints_of(self, ids: Sequence[str]) -> Rows:
        """`print_of` each id, int64 [n], in any order."""
        cursor = self._store.cursor()
        with registered(cursor, pa.table({"id": pa.array(ids, pa.string())})) as batch:
            found = cursor.execute(f"SELECT {print_of('id')} AS print FROM {batch}").fetchnumpy()
        return np.asarray(found["print"], np.int64)

    def id_places(self, ids: pa.Array | pa.ChunkedArray, kind: str) -> Rows:
        """The place of each id, a text, in the order of values of that type, int64 [n]."""
        cursor = self._store.cursor()
        numbered = pa.table({"n": np.arange(len(ids)), "id": ids})
        with registered(cursor, numbered) as batch:
            found = cursor.execute(
                f"SELECT rank() OVER (ORDER BY TRY_CAST(id AS {kind}), id) AS place FROM {batch}"
                " ORDER BY n"
            ).fetchnumpy()
        return np.asarray(found["place"], np.int64)

    def retyped(self, ids: Sequence[str], kind: str) -> list[str]:
        """The ids as DuckDB writes values of that type; what is none is left out."""
        rows = self._store.cursor().execute(
            f"SELECT CAST(TRY_CAST(text AS {kind}) AS VARCHAR)"
            f" FROM (SELECT unnest(?::VARCHAR[]) AS text) WHERE {said('text', kind)}",
            [list(ids)],
        )
        return [id_ for (id_,) in rows.fetchall()]

    def rows_with_ids(self, ids: Sequence[str], *, size: int) -> Mask:
        """Which of the rows below `size` have one of the ids, bool [size]; dead ones too."""
        mask = np.zeros(size, bool)
        if ids:
            cursor = self._store.cursor()
            with registered(cursor, pa.table({"id": pa.array(ids, pa.string())})) as batch:
                found = cursor.execute(
                    f"SELECT row FROM {self._table} d SEMI JOIN {batch} b ON d.id = b.id"
                    " WHERE row < ?",
                    [size],
                ).fetchnumpy()
            mask[np.asarray(found["row"], np.int64)] = True
        return mask
