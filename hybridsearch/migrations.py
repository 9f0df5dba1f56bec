"""How does a database of an older format become one of the present?

`sql/schema/` holds one script for each format, run in order, each in a transaction of its own.

    migrate(connection)
"""

from __future__ import annotations

import uuid
from typing import Any

import duckdb

from hybridsearch import assets
from hybridsearch.errors import FormatTooNew

MIGRATIONS = "sql/schema"


def migrate(connection: Any) -> None:
    """Bring the database up to the present format. Raises FormatTooNew when it is beyond it."""
    scripts = assets.names(MIGRATIONS)
    found = _format(connection)
    if found > len(scripts):
        raise FormatTooNew(
            f"this database has format {found}, written by a later version of hybridsearch; this"
            f" version reads up to {len(scripts)}; upgrade hybridsearch",
            found=found,
            known=len(scripts),
        )
    for number, name in enumerate(scripts[found:], found + 1):
        connection.execute("BEGIN TRANSACTION")
        connection.execute(assets.text(f"{MIGRATIONS}/{name}"))
        if number == 1:
            connection.execute(
                "INSERT INTO hybridsearch.meta VALUES ('identity', ?)",
                [uuid.uuid4().hex],
            )
        connection.execute("DELETE FROM hybridsearch.meta WHERE name = 'format'")
        connection.execute("INSERT INTO hybridsearch.meta VALUES ('format', ?)", [str(number)])
        connection.execute("COMMIT")


def _format(connection: Any) -> int:
    """0 before the first script. Asking DuckDB for its list of tables would take 7 ms."""
    try:
        rows = connection.execute(
            "SELECT value FROM hybridsearch.meta WHERE name = 'format'"
        ).fetchall()
    except duckdb.CatalogException:
        return 0
    return int(rows[0][0]) if rows else 0
