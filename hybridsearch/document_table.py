"""What does one index know of its documents, and which of them does a condition keep?

The documents of an index are rows of one DuckDB table: `row` (never reused), `id`, `born` and
`died` (the last task of the batch that did it), `body` (the JSON as it was sent) and a typed
column for each attribute. A row never changes but for `died`; an update is a new row. Dead rows
stay until `purge`, so that a held snapshot can still be filtered. People see the living ones in
a view with the index's name.

    documents.rows_where("c3 > ?", [1990], size=1000)   # bool [1000], True where the row fits
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hybridsearch.arrays import Mask, Rows
from hybridsearch.columns import Columns, StoredColumn, nested, shown
from hybridsearch.document_ids import DocumentIds
from hybridsearch.nested_values import values_at
from hybridsearch.sorting import SortKey, sort_terms
from hybridsearch.store import Connection, Store, quoted, registered
from hybridsearch.turns import give_way
from hybridsearch.views import check_free, is_shown

BATCH, PIECE = 10_000, 250  # rows read, and documents made into Arrow, at once


@dataclass(frozen=True)
class Document:
    """One version of one document.

    body: the JSON text as sent, without `_vectors`. fields: the same, read. vectors: embedder ->
    the vectors that came with it, float lists.
    """

    row: int
    id: str
    body: bytes
    fields: Mapping[str, Any]
    vectors: Mapping[str, list[list[float]]] = field(default_factory=dict)


class DocumentTable:
    """The documents of index `number`. Reading is safe from any thread; one thread writes."""

    def __init__(self, store: Store, number: int) -> None:
        self._store = store
        self._table = f"hybridsearch.documents_{number}"
        self._vectors = f"hybridsearch.vectors_{number}"
        self.keys = DocumentIds(store, self._table)

    @property
    def table(self) -> str:
        """The table's name with its schema, fit for SQL."""
        return self._table

    @property
    def vectors_table(self) -> str:
        """The name of the table of vectors that came with documents, fit for SQL."""
        return self._vectors

    # Writing, inside the caller's transaction

    def create(self, cursor: Connection) -> None:
        """Make the empty tables."""
        cursor.execute(
            f"CREATE TABLE {self._table} (row BIGINT NOT NULL, id VARCHAR NOT NULL,"
            " born BIGINT NOT NULL, died BIGINT, body VARCHAR NOT NULL)"
        )
        cursor.execute(
            f"CREATE TABLE {self._vectors} (row BIGINT NOT NULL, embedder VARCHAR NOT NULL,"
            " passage INTEGER NOT NULL, vector FLOAT[] NOT NULL)"
        )

    def drop(self, cursor: Connection, uid: str | None) -> None:
        """Remove the tables, and the view if it has one, with that name."""
        if uid is not None and is_shown(cursor, uid):
            cursor.execute(f"DROP VIEW IF EXISTS main.{quoted(uid)}")
        cursor.execute(f"DROP TABLE IF EXISTS {self._table}")
        cursor.execute(f"DROP TABLE IF EXISTS {self._vectors}")

    def evolve(self, cursor: Connection, old: Columns, new: Columns) -> None:
        """Make the table's columns those of `new`, which holds every attribute of `old`."""
        changed = [(old.get(name), column) for name, column in new.items() if name not in old]
        changed += [(old[name], new[name]) for name in old if new[name] != old[name]]
        for before, column in changed:
            name, kind = column.name, column.type
            if before is None or before.name != name:
                cursor.execute(f"ALTER TABLE {self._table} ADD COLUMN {name} {kind}")
            else:
                cursor.execute(f"ALTER TABLE {self._table} ALTER {name} TYPE {kind}")
        for before, column in changed:
            if before is not None and before.name != column.name:
                cursor.execute(f"UPDATE {self._table} SET {column.name} = to_json({before.name})")

    def show(self, cursor: Connection, uid: str, columns: Columns, primary_key: str | None) -> None:
        """Make the view that people see. Raises Conflict when the name is taken by a table."""
        check_free(cursor, uid)
        listed = ", ".join(
            f"{column.name} AS {quoted(name)}" for name, column in shown(columns).items()
        )
        listed = listed or f"id AS {quoted(primary_key or 'id')}"
        cursor.execute(
            f"CREATE OR REPLACE VIEW main.{quoted(uid)} AS"
            f" SELECT {listed} FROM {self._table} WHERE died IS NULL"
        )

    def add(
        self, cursor: Connection, documents: Sequence[Document], *, columns: Columns, stamp: int
    ) -> None:
        """Insert documents that were born at the stamp."""
        if not documents:
            return
        starts = range(0, len(documents), PIECE)
        table = pa.concat_tables(_table(documents[i : i + PIECE], columns, stamp) for i in starts)
        names = ", ".join(table.column_names)
        with registered(cursor, table) as batch:
            cursor.execute(f"INSERT INTO {self._table} ({names}) SELECT {names} FROM {batch}")
        self._add_vectors(cursor, documents)

    def _add_vectors(self, cursor: Connection, documents: Sequence[Document]) -> None:
        given = [
            (document.row, embedder, passage, vector)
            for document in documents
            for embedder, vectors in document.vectors.items()
            for passage, vector in enumerate(vectors)
        ]
        if not given:
            return
        row, embedder, passage, vector = zip(*given, strict=True)
        table = pa.table(
            {
                "row": pa.array(row, pa.int64()),
                "embedder": pa.array(embedder, pa.string()),
                "passage": pa.array(passage, pa.int32()),
                "vector": pa.array(vector, pa.list_(pa.float32())),
            }
        )
        with registered(cursor, table) as batch:
            cursor.execute(f"INSERT INTO {self._vectors} SELECT * FROM {batch}")

    def kill(self, cursor: Connection, rows: Rows, *, stamp: int) -> None:
        """Mark rows as dead since the stamp."""
        if not len(rows):
            return
        with registered(cursor, pa.table({"row": rows})) as batch:
            cursor.execute(
                f"UPDATE {self._table} SET died = ? WHERE row IN (SELECT row FROM {batch})", [stamp]
            )

    def purge(self, cursor: Connection, *, stamp: int) -> int:
        """Remove rows that died at the stamp or before; how many there were."""
        cursor.execute(
            f"DELETE FROM {self._vectors} WHERE row IN"
            f" (SELECT row FROM {self._table} WHERE died <= ?)",
            [stamp],
        )
        gone = cursor.execute(f"DELETE FROM {self._table} WHERE died <= ?", [stamp]).fetchall()
        return int(gone[0][0]) if gone else 0

    # Reading

    def find(self, ids: Sequence[str]) -> dict[str, int]:
        """id -> row of those living documents that have one of the ids."""
        if not ids:
            return {}
        cursor = self._store.cursor()
        with registered(cursor, pa.table({"id": pa.array(ids, pa.string())})) as batch:
            found = cursor.execute(
                f"SELECT d.id, d.row FROM {self._table} d SEMI JOIN {batch} b ON d.id = b.id"
                " WHERE d.died IS NULL"
            ).fetchall()
        return {str(id_): int(row) for id_, row in found}

    def read(self, rows: Sequence[int]) -> list[Document]:
        """The documents of the rows, with their vectors, in order of row, without absent rows."""
        found = self.texts(rows)
        vectors = self._vectors_of([row for row, _, _ in found])
        return [
            Document(row, id_, body.encode(), {}, vectors.get(row, {})) for row, id_, body in found
        ]

    def text(self, id_: str) -> str | None:
        """The JSON text of the living document of that id; None when there is none."""
        found = self._store.cursor().execute(
            f"SELECT body FROM {self._table} WHERE id = ? AND died IS NULL", [id_]
        )
        return str(text[0]) if (text := found.fetchone()) else None

    def texts(self, rows: Sequence[int]) -> list[tuple[int, str, str]]:
        """Row, id and JSON text of each, in order of row, without absent rows."""
        if not len(rows):
            return []
        cursor = self._store.cursor().execute(
            f"SELECT row, id, body FROM {self._table}"
            " WHERE row IN (SELECT unnest(?::BIGINT[])) ORDER BY row",
            [list(rows)],
        )
        return cursor.fetchall()

    def bodies(self, rows: Rows) -> pa.Array:
        """The JSON text of each row, in their order, null for an absent one; dead ones too."""
        cursor = self._store.cursor()
        with registered(cursor, pa.table({"row": np.unique(rows)})) as batch:
            relation = cursor.sql(
                f"SELECT row, body FROM {self._table} SEMI JOIN {batch} USING (row)"
            )
            found: pa.Table = relation.to_arrow_table().combine_chunks()
        known = found["row"].to_numpy()
        if not len(known):
            return pa.nulls(len(rows), pa.string())
        order = np.argsort(known)
        places = order[np.minimum(np.searchsorted(known, rows, sorter=order), len(known) - 1)]
        return found["body"].take(pa.array(places, mask=known[places] != rows)).combine_chunks()

    def living_columns(
        self, columns: Mapping[str, StoredColumn], *, rows: Rows | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Batches of the living documents, in no order: the columns by the names given, in order.

        rows: those of a snapshot instead, whether they live on or not. A value that its column's
        type no longer holds, since it widened, is null.
        """
        listed = ", ".join(
            f"TRY_CAST({column.name} AS {column.type}) AS c{place}"
            for place, column in enumerate(columns.values())
        )
        chosen = f"SELECT {listed} FROM {self._table}"
        with self._store.new_cursor() as cursor:
            if rows is None:
                yield from _batches(cursor, f"{chosen} WHERE died IS NULL", columns)
                return
            with registered(cursor, pa.table({"row": rows})) as batch:
                yield from _batches(cursor, f"{chosen} SEMI JOIN {batch} USING (row)", columns)

    def born_since(self, stamp: int, *, size: int) -> Iterator[list[Document]]:
        """Living documents born after the stamp, in order of row, in lists of `size` at most."""
        last = 0
        while True:
            rows = self._column(
                f"SELECT row FROM {self._table} WHERE born > ? AND died IS NULL AND row > ?"
                " ORDER BY row LIMIT ?",
                [stamp, last, size],
            )
            if not len(rows):
                return
            last = int(rows[-1])
            yield self.read(rows.tolist())

    def died_since(self, stamp: int) -> Rows:
        """Rows that died after the stamp and were born at it or before, ascending."""
        return self._column(
            f"SELECT row FROM {self._table} WHERE died > ? AND born <= ? ORDER BY row",
            [stamp, stamp],
        )

    def living(self) -> Rows:
        """The rows of every living document, ascending."""
        return self._column(f"SELECT row FROM {self._table} WHERE died IS NULL ORDER BY row", [])

    def living_at(self, stamp: int) -> Rows:
        """The rows of every document that lived at the stamp, ascending."""
        return self._column(
            f"SELECT row FROM {self._table} WHERE born <= $1 AND (died IS NULL OR died > $1)"
            " ORDER BY row",
            [stamp],
        )

    def last_stamp(self) -> int:
        """The last stamp at which a document was born or died; -1 when there was none."""
        cursor = self._store.cursor()
        [(stamp,)] = cursor.execute(
            f"SELECT greatest(max(born), max(died)) FROM {self._table}"
        ).fetchall()
        return -1 if stamp is None else int(stamp)

    def dead_count(self) -> int:
        """How many dead rows wait for `purge`."""
        return len(self._column(f"SELECT row FROM {self._table} WHERE died IS NOT NULL", []))

    def size(self) -> int:
        """The bytes of the living documents' JSON."""
        cursor = self._store.cursor().execute(
            f"SELECT coalesce(sum(strlen(body)), 0) FROM {self._table} WHERE died IS NULL"
        )
        [(size,)] = cursor.fetchall()
        return int(size)

    def filled(self, columns: Columns) -> dict[str, int]:
        """attribute -> how many living documents have a value for it that is not null."""
        if not columns:
            return {}
        counts = ", ".join(f"count({column.name})" for column in columns.values())
        cursor = self._store.cursor().execute(
            f"SELECT {counts} FROM {self._table} WHERE died IS NULL"
        )
        [found] = cursor.fetchall()
        return {name: int(n) for name, n in zip(columns, found, strict=True) if n}

    def rows_where(
        self, where: str, values: Sequence[object], *, size: int, start: int = 0
    ) -> Mask:
        """Which of the rows `start` to `size` fit the condition, bool [size - start].

        `where` must come from `filters.to_sql`; dead rows are among them.
        """
        rows = self._column(
            f"SELECT row FROM {self._table} WHERE row >= ? AND row < ? AND ({where})",
            [start, size, *values],
        )
        mask = np.zeros(size - start, bool)
        mask[rows - start] = True
        return mask

    def any_where(self, where: str, values: Sequence[object]) -> bool:
        """Whether any row fits such a condition, dead ones too."""
        found = self._store.cursor().execute(
            f"SELECT 1 FROM {self._table} WHERE ({where}) LIMIT 1", list(values)
        )
        return found.fetchone() is not None

    def numbers(
        self, expression: str, values: Sequence[object], *, size: int, start: int = 0
    ) -> NDArray[np.float64]:
        """What the expression is for the rows `start` to `size`, float64; NaN where it is null.

        It must come from `boosting.factor_sql`; absent rows have NaN.
        """
        cursor = self._store.cursor()
        found = cursor.execute(
            f"SELECT row, {expression} AS number FROM {self._table} WHERE row >= ? AND row < ?",
            [*values, start, size],
        ).fetchnumpy()
        numbers = np.full(size - start, np.nan)
        given = np.ma.filled(np.ma.asarray(found["number"], np.float64), np.nan)
        numbers[np.asarray(found["row"], np.int64) - start] = given
        return numbers

    def holds(self, attribute: str) -> bool:
        """Whether any living document has the attribute, be it null; it looks at all of them."""
        pointer = "/" + attribute.replace("~", "~0").replace("/", "~1")
        return bool(
            self._store.cursor()
            .execute(
                f"SELECT 1 FROM {self._table} WHERE died IS NULL AND json_exists(body, ?) LIMIT 1",
                [pointer],
            )
            .fetchall()
        )

    def total(self, expression: str, *, stamp: int) -> object:
        """An aggregate, made by ourselves, over the documents that lived at the stamp."""
        living = f"FROM {self._table} WHERE born <= $1 AND (died IS NULL OR died > $1)"
        found = self._store.cursor().execute(f"SELECT {expression} {living}", [stamp]).fetchall()
        return found[0][0]

    def order(self, by: Sequence[SortKey], columns: Columns, *, size: int) -> Rows:
        """The place of every row below `size` in the order asked, int64 [size], 0 = first.

        by: the first that tells two rows apart decides. Texts compare without case, then with;
        lists by their least item ascending and their greatest descending; documents without the
        attribute come last in both directions. Rows with equal values share a place.
        """
        terms: list[str] = []
        values: list[object] = []
        for key in by:
            for expression, given in sort_terms(key, columns):
                terms.append(f"{expression} {'DESC' if key.descending else 'ASC'} NULLS LAST")
                values.extend(given)
        return self._places(", ".join(terms) or "NULL", values, size)

    def id_order(self, *, size: int) -> Rows:
        """The place of every row below `size` in the order of ids: numbers first, then texts."""
        return self._places("try_cast(id AS HUGEINT) NULLS LAST, id", [], size)

    def _places(self, terms: str, values: Sequence[object], size: int) -> Rows:
        cursor = self._store.cursor()
        found = cursor.execute(
            f"SELECT row, dense_rank() OVER (ORDER BY {terms}) - 1 AS place"
            f" FROM {self._table} WHERE row < ?",
            [*values, size],
        ).fetchnumpy()
        rows = np.asarray(found["row"], np.int64)
        places = np.full(size, len(rows), np.int64)
        places[rows] = found["place"]
        return places

    def values(
        self, attribute: str, columns: Columns, *, size: int, start: int = 0
    ) -> tuple[Rows, list[Any] | pa.Array]:
        """(row, value) of an attribute for the rows `start` to `size`, one for each list item.

        Only texts, numbers and booleans.
        """
        column = columns.get(attribute)
        if column is None or column.kind == "json":
            return self._json_values(attribute, columns, start, size)
        value = f"unnest({column.name})" if column.kind == "list" else column.name
        relation = self._store.cursor().sql(
            f"SELECT row, value FROM (SELECT row, {value} AS value FROM {self._table}"
            " WHERE row >= ? AND row < ?) WHERE value IS NOT NULL",
            params=[start, size],
        )
        table: pa.Table = relation.to_arrow_table()
        return table["row"].to_numpy(), table["value"].combine_chunks()

    def _json_values(
        self, attribute: str, columns: Columns, start: int, size: int
    ) -> tuple[Rows, list[Any]]:
        column, path = nested(attribute, columns)
        if column is None or column.kind != "json":
            return np.empty(0, np.int64), []
        cursor = self._store.cursor().execute(
            f"SELECT row, CAST({column.name} AS VARCHAR) FROM {self._table}"
            f" WHERE row >= ? AND row < ? AND {column.name} IS NOT NULL",
            [start, size],
        )
        rows: list[int] = []
        values: list[Any] = []
        while pairs := cursor.fetchmany(BATCH):
            counts, found = values_at([text for _, text in pairs], path)
            rows.extend(np.repeat([row for row, _ in pairs], counts).tolist())
            values.extend(found)
        return np.array(rows, np.int64), values

    def _vectors_of(self, rows: Sequence[int]) -> dict[int, dict[str, list[list[float]]]]:
        cursor = self._store.cursor().execute(
            f"SELECT row, embedder, vector FROM {self._vectors}"
            " WHERE row IN (SELECT unnest(?::BIGINT[])) ORDER BY row, embedder, passage",
            [list(rows)],
        )
        found: dict[int, dict[str, list[list[float]]]] = {}
        for row, embedder, vector in cursor.fetchall():
            found.setdefault(row, {}).setdefault(embedder, []).append(vector)
        return found

    def _column(self, statement: str, values: Sequence[object]) -> Rows:
        found = self._store.cursor().execute(statement, list(values)).fetchnumpy()
        return np.asarray(found["row"], np.int64)


def _table(documents: Sequence[Document], columns: Columns, stamp: int) -> pa.Table:
    """The rows of some documents, with every column of the table."""
    give_way()
    known: dict[str, Any] = {
        "row": pa.array([document.row for document in documents], pa.int64()),
        "id": pa.array([document.id for document in documents], pa.string()),
        "born": pa.array([stamp] * len(documents), pa.int64()),
        "died": pa.nulls(len(documents), pa.int64()),
        "body": pa.array([document.body for document in documents], pa.string()),
    }
    return pa.table({**known, **columns.arrays([document.fields for document in documents])})


def _batches(
    cursor: Connection, query: str, columns: Mapping[str, StoredColumn]
) -> Iterator[pa.RecordBatch]:
    for batch in cursor.sql(query).to_arrow_reader(BATCH):
        yield batch.rename_columns(list(columns))
