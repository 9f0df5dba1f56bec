"""What are the rows of hits, where no statement reads them?

The index keeps the body of each row: a document as JSON, or the copy of a row of the user's table.

    bodies(engine, rows)                                # Arrow texts
    from_copy(engine, rows, (("title", "VARCHAR"),))       # ({"title": Arrow texts}, {})
"""

from __future__ import annotations

import pyarrow as pa

from hybridsearch.arrays import Rows
from hybridsearch.copies import unfolded
from hybridsearch.definition import definition_of
from hybridsearch.errors import NotFound
from hybridsearch.origin import Columns
from hybridsearch.sql.asking import Searchable

__all__ = ["bodies", "from_copy"]

AT_ONCE = 400
"""From so many bodies on one look into the table of documents is cheaper than one for each."""


def bodies(engine: Searchable, rows: Rows) -> pa.Array:
    """The bodies of the rows: few from the text index, many or replaced ones from the documents."""
    if len(rows) > AT_ONCE:
        return engine.documents.bodies(rows)
    try:
        return pa.array(engine.snapshot.bodies(rows), pa.binary()).cast(pa.string())
    except NotFound:
        return engine.documents.bodies(rows)


def from_copy(
    engine: Searchable, rows: Rows, columns: Columns
) -> tuple[dict[str, pa.Array], dict[str, str]]:
    """These columns of the rows of the user's table as the copy has them.

    The second are expressions for columns that are of another type than their array.
    """
    definition = definition_of(engine.record)
    texts = bodies(engine, rows).to_pylist() if columns else []
    return unfolded(texts, columns, definition.key, definition.key_type)
