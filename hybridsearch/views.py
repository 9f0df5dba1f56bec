"""Under which name does SQL show the documents of an index, and who else may have it?

An index is made under a name that no table has. A user may drop its view later and make a table, or
another view, of that name: it stays then, and the index goes on without a view.

    check_free(cursor, "films")            # raises Conflict where a table has the name
    with keeping_tables():
        documents.show(cursor, "films", columns, "id")
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from hybridsearch.errors import Conflict
from hybridsearch.store import Connection

__all__ = ["check_free", "is_shown", "keeping_tables"]

OURS = "contains(sql, 'hybridsearch.documents_')"
"""What tells a view that shows documents from others."""
log = logging.getLogger("hybridsearch")


def is_shown(cursor: Connection, uid: str) -> bool:
    """Whether the view of the index is there: a user can drop it, and put a table there."""
    views = (
        "SELECT count(*) FROM duckdb_views() WHERE database_name = current_database()"
        f" AND schema_name = 'main' AND view_name = ? AND {OURS}"
    )
    return bool(cursor.execute(views, [uid]).fetchall()[0][0])


def check_free(cursor: Connection, uid: str) -> None:
    """Raise Conflict when a table or view that is not ours has the index's name."""
    taken = cursor.execute(
        "SELECT count(*) FROM ("
        " SELECT table_name AS name FROM duckdb_tables()"
        "  WHERE database_name = current_database() AND schema_name = 'main'"
        " UNION ALL SELECT view_name FROM duckdb_views()"
        "  WHERE database_name = current_database() AND schema_name = 'main'"
        f" AND NOT ({OURS} AND lower(view_name) IN (SELECT lower(uid) FROM hybridsearch.indexes"
        "   WHERE number NOT IN (SELECT number FROM hybridsearch.attached)))"
        ") WHERE lower(name) = lower(?)",
        [uid],
    ).fetchall()
    if taken[0][0]:
        raise Conflict(
            f'there is a table "{uid}" in this database already; name the index otherwise',
            uid=uid,
        )


@contextmanager
def keeping_tables() -> Iterator[None]:
    """A table that has taken an index's name stays; that the documents are not shown is logged."""
    try:
        yield
    except Conflict as error:
        uid = error.fields["uid"]
        log.warning(
            'SQL does not show the documents of index "%s": a table has its name; rename the table'
            " and rebuild the index, or rename the index",
            uid,
        )
