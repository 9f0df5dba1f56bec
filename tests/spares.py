"""Databases in memory that a test left as it found them, for the next test that wants the same.

Making a database and an index takes far longer than what most tests ask of it. What a test leaves
is compared with what it was given, table by table, so a test may write whatever it likes: then the
next one gets a database of its own, made anew. Caches are not compared: a module whose tests look
at what a database remembers says FRESH = True.

    with spares.lend("movies", made) as db:
        db.index("movies").search("alien")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from hybridsearch import Database
from hybridsearch.errors import DatabaseClosed

Contents: TypeAlias = list[str]

CATALOG = """
SELECT 'table', schema_name, table_name, table_oid, sql FROM duckdb_tables() WHERE NOT internal
UNION ALL
SELECT 'view', schema_name, view_name, view_oid, sql FROM duckdb_views() WHERE NOT internal
UNION ALL SELECT 'schema', schema_name, '', oid, '' FROM duckdb_schemas() WHERE NOT internal
UNION ALL SELECT 'type', schema_name, type_name, type_oid, '' FROM duckdb_types() WHERE NOT internal
UNION ALL SELECT 'index', schema_name, index_name, index_oid, sql FROM duckdb_indexes()
UNION ALL SELECT 'trigger', schema_name, trigger_name, trigger_oid, sql FROM duckdb_triggers()
UNION ALL SELECT 'sequence', schema_name, sequence_name, last_value, sql FROM duckdb_sequences()
UNION ALL SELECT 'database', database_name, path, 0, '' FROM duckdb_databases()
UNION ALL SELECT 'setting', name, value, 0, '' FROM duckdb_settings() WHERE scope = 'GLOBAL'
"""


class Spares:
    """At most one spare database of each kind; `close` ends them."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Database, Contents]] = {}

    @contextmanager
    def lend(self, kind: str, make: Callable[[], Database]) -> Iterator[Database]:
        """A database as `make` makes it; it is closed unless it was left as it was."""
        if kind not in self._kept:
            self._kept[kind] = _with_contents(make())
        db, before = self._kept.pop(kind)
        try:
            yield db
        except BaseException:
            db.close()
            raise
        if _left(db, before):
            self._kept[kind] = db, before
        else:
            db.close()

    def close(self) -> None:
        for db, _ in self._kept.values():
            db.close()
        self._kept.clear()


def _with_contents(db: Database) -> tuple[Database, Contents]:
    return db, _contents(db)


def _left(db: Database, before: Contents) -> bool:
    if db._front_end._spare:  # a connection of db.sql(), which may hold temporary tables
        return False
    try:
        return _contents(db) == before
    except DatabaseClosed:
        return False


def _contents(db: Database) -> Contents:
    """Everything that is in the catalog, and a sum over the rows of each table."""
    with db.store.new_cursor() as connection:
        catalog: list[tuple[Any, ...]] = connection.execute(CATALOG).fetchall()
        sums = " UNION ALL ".join(
            f"SELECT {number}, count(*), sum(hash(t)) FROM {_quoted(schema)}.{_quoted(name)} t"
            for number, (kind, schema, name, *_) in enumerate(catalog)
            if kind == "table"
        )
        return sorted(map(str, catalog + connection.execute(sums).fetchall()))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
