"""Which rows of an index's source are not what the copy was made of?

Beside the documents of an attached index stands a table of prints: the id and a hash of every row
that the copy holds, written in the transaction that writes the copy. What differs from the source
is found by one join.

    changes = prints.changes(cursor, origin, documents.table)
    prints.settle(cursor, changes.name, first=1, last=10_000, fresh=table)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hybridsearch.jsontext import dumps
from hybridsearch.origin import Origin
from hybridsearch.store import Connection, IndexRecord, registered

__all__ = ["Changes", "Prints", "follow"]


@dataclass(frozen=True)
class Changes:
    """What differed when it was looked at: `count` rows in a temporary table of the cursor's.

    It holds n (from 1), id VARCHAR, state ("deleted", "added" or "updated"): what is gone comes
    first, the rest in the order of keys.
    """

    name: str
    count: int


def follow(cursor: Connection, record: IndexRecord, definition: Mapping[str, Any]) -> IndexRecord:
    """Write down what the index follows, inside the caller's transaction; its record then."""
    cursor.execute("DELETE FROM hybridsearch.attached WHERE number = ?", [record.number])
    text = dumps(definition).decode()
    cursor.execute("INSERT INTO hybridsearch.attached VALUES (?, ?)", [record.number, text])
    return replace(record, attached=definition)


class Prints:
    """The prints of index `number`."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.table = f"hybridsearch.prints_{number}"

    def create(self, cursor: Connection) -> None:
        """Make the empty table, inside the caller's transaction."""
        cursor.execute(f"CREATE TABLE {self.table} (id VARCHAR NOT NULL, print UBIGINT NOT NULL)")

    def drop(self, cursor: Connection) -> None:
        """Remove the table and what the index follows, inside the caller's transaction."""
        cursor.execute("DELETE FROM hybridsearch.attached WHERE number = ?", [self._number])
        cursor.execute(f"DROP TABLE IF EXISTS {self.table}")

    def forget(self, cursor: Connection) -> None:
        """Let every row count as changed, inside the caller's transaction."""
        cursor.execute(f"DELETE FROM {self.table}")

    def without(self, cursor: Connection, documents: str) -> int:
        """How many prints belong to no living document, of which there should be none."""
        [(count,)] = cursor.execute(
            f"SELECT count(*) FROM {self.table} p ANTI JOIN"
            f" (FROM {documents} WHERE died IS NULL) d ON p.id = d.id"
        ).fetchall()
        return int(count)

    def same(self, cursor: Connection, origin: Origin) -> bool:
        """Whether the source is what the copy was made of."""
        mine = f"SELECT (count(*), sum(print)) FROM {self.table}"
        with origin.reading():
            found = cursor.execute(
                f"SELECT ({origin.total}) IS NOT DISTINCT FROM ({mine})"
            ).fetchall()
        return bool(found[0][0])

    def differing(self, cursor: Connection, origin: Origin) -> int:
        """How many rows are new, gone or otherwise."""
        with origin.reading():
            found = cursor.execute(
                f"SELECT count(*) FROM ({origin.prints}) s FULL JOIN {self.table} p"
                " ON s.id = p.id WHERE s.print IS DISTINCT FROM p.print"
            ).fetchall()
        return int(found[0][0])

    def changes(
        self, cursor: Connection, origin: Origin, documents: str, *, among: str | None = None
    ) -> Changes:
        """All that differs between source and copy; `documents` is the copy's table.

        among: a table with the ids that alone can differ.
        """
        some = f" WHERE id IN (SELECT id FROM {among})" if among else ""
        name = f"hybridsearch_changes_{self._number}"
        with origin.reading():
            cursor.execute(
                f"CREATE OR REPLACE TEMP TABLE {name} AS"
                " SELECT row_number() OVER (ORDER BY state <> 'deleted', key, id) AS n, id, state"
                " FROM (SELECT coalesce(s.id, c.id) AS id, s.key, CASE WHEN s.id IS NULL"
                " THEN 'deleted' WHEN c.id IS NULL THEN 'added' ELSE 'updated' END AS state"
                f" FROM (FROM ({origin.keyed_prints}){some}) s FULL JOIN (FROM"
                f" (SELECT d.id, p.print FROM {documents} d LEFT JOIN {self.table} p ON d.id = p.id"
                f" WHERE d.died IS NULL){some}) c ON s.id = c.id"
                " WHERE s.id IS NULL OR c.id IS NULL OR s.print IS DISTINCT FROM c.print)"
            )
        [(count,)] = cursor.execute(f"SELECT count(*) FROM {name}").fetchall()
        return Changes(name, int(count))

    def settle(
        self, cursor: Connection, changes: Changes, *, first: int, last: int, fresh: Any
    ) -> None:
        """Write down, inside the caller's transaction, that the changes n = first to last are in.

        fresh: an Arrow table of (id, print), the rows as they were read.
        """
        cursor.execute(
            f"DELETE FROM {self.table} WHERE id IN"
            f" (SELECT id FROM {changes.name} WHERE n BETWEEN ? AND ?)",
            [first, last],
        )
        with registered(cursor, fresh) as batch:
            cursor.execute(f"INSERT INTO {self.table} SELECT id, print FROM {batch}")
