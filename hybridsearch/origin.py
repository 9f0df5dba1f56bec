"""Where do the rows of a search index come from, and what are they now?

The origin of an index is a relation of the user's: a table, a view, files or a query. An `Origin`
gives the SQL that reads its rows, and says what is wrong when they cannot be read any more.

    Origin(definition).prints          # SELECT of (id, print): a hash of each row
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from hybridsearch.definition import Definition
from hybridsearch.errors import Conflict, InputError, StorageError
from hybridsearch.row_ids import INTEGERS
from hybridsearch.store import Connection, quoted

__all__ = ["Columns", "Origin", "columns_of", "first_line"]

Columns = tuple[tuple[str, str], ...]

LONGEST_KEY = 511
UNSEEN = ("BLOB",)
"""Columns that the copy of a row goes without: they are large, and nothing to search."""


class Origin:
    """The SQL over the source of one definition."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.source = definition.source
        self.rows = f"FROM {definition.source}" + (
            f" WHERE ({definition.where}\n)" if definition.where else ""
        )

    @property
    def id(self) -> str:
        """The expression of a row's key as text."""
        return f"CAST({quoted(self.definition.key)} AS VARCHAR)"

    @property
    def print(self) -> str:
        """The expression of a hash over all that the copy of a row is made of."""
        hashed = [quoted(name) for name, _ in self.definition.columns]
        hashed += [
            f"({item.expression}\n)" for item in self.definition.attributes if not item.column
        ]
        return f"hash({', '.join(hashed)})"

    @property
    def prints(self) -> str:
        """A SELECT of id VARCHAR and print UBIGINT of every row."""
        return f"SELECT {self.id} AS id, {self.print} AS print {self.rows}"

    @property
    def keyed_prints(self) -> str:
        """The same with the key as `key`, in its own type."""
        key = quoted(self.definition.key)
        return f"SELECT {self.id} AS id, {self.print} AS print, {key} AS key {self.rows}"

    @property
    def total(self) -> str:
        """A SELECT of one row that changes when any row does: their number, the sum of prints."""
        return f"SELECT (count(*), sum(print)) FROM ({self.prints})"

    @property
    def documents(self) -> str:
        """A SELECT of id, print, body (JSON text) and v0, v1, ... (FLOAT[]) of every row."""
        vectors = "".join(
            f", CAST(({item.expression}\n) AS FLOAT[]) AS v{number}"
            for number, item in enumerate(self.definition.of_kind("VECTOR"))
        )
        return (
            f"SELECT {self.id} AS id, {self.print} AS print,"
            f" CAST(to_json(struct_pack({self._fields()})) AS VARCHAR) AS body{vectors} {self.rows}"
        )

    @property
    def carried(self) -> Columns:
        """(name, type) of the columns that the copy holds."""
        vectors = {item.column for item in self.definition.of_kind("VECTOR")}
        return tuple(
            (name, kind)
            for name, kind in self.definition.columns
            if name not in vectors and kind not in UNSEEN
        )

    def _fields(self) -> str:
        fields = {name: quoted(name) for name, _ in self.carried}
        if self.definition.key_type not in INTEGERS:
            fields[self.definition.key] = self.id
        for item in self.definition.attributes:
            if item.kind != "VECTOR" and item.name != item.column:
                fields[item.name] = f"({item.expression}\n)"
        return ", ".join(f"{quoted(name)} := {value}" for name, value in fields.items())

    def check(self, cursor: Connection) -> Columns:
        """(name, type) of the source's columns as they are now.

        Raises Conflict, naming index, source and remedy, when it cannot be read any more or when
        the key or a vector has another type, or a text has become a BLOB.
        """
        with self.reading():
            found = columns_of(cursor, f"FROM {self.source}")
        now, before = dict(found), dict(self.definition.columns)
        used = {item.column: item.kind for item in self.definition.attributes if item.column}
        for name, kind in {**used, self.definition.key: "KEY"}.items():
            if name not in now:
                raise self._lost(f'has no column "{name}" any more')
            fixed = kind in ("KEY", "VECTOR") or now[name] in UNSEEN
            if fixed and now[name] != before[name]:
                raise self._lost(f'has column "{name}" as {now[name]}, no more as {before[name]}')
        return found

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Statements over the source: what DuckDB says of it is raised as Conflict, as above."""
        try:
            yield
        except (duckdb.Error, StorageError) as error:
            own = error.__cause__ if isinstance(error, StorageError) else None
            raise self._lost(f"cannot be read: {first_line(own or error)}") from error

    def check_keys(self, cursor: Connection, *, among: str | None = None) -> None:
        """Raise InputError for the first key that is null, twice there, or too long for an id.

        among: a table with the ids that alone have to be looked at.
        """
        some = f" WHERE id IN (SELECT id FROM {among})" if among else ""
        key = quoted(self.definition.key)
        with self.reading():
            found = cursor.execute(
                f"SELECT id, count(*) AS number FROM (SELECT {self.id} AS id {self.rows}){some}"
                " GROUP BY id HAVING count(*) > 1 OR id IS NULL OR id = '' OR contains(id, chr(0))"
                " OR strlen(id) > ? ORDER BY id IS NULL DESC, id LIMIT 1",
                [LONGEST_KEY],
            ).fetchall()
        if not found:
            return
        value, number = found[0]
        what = f"{value!r:.60} {number} times" if number > 1 else f"{value!r:.60}"
        rule = f"a key is unique, not NULL, and has 1 to {LONGEST_KEY} bytes without NUL"
        if value is None:
            what = "NULL"
        raise InputError(
            f'search index "{self.definition.name}": key {key} of {self.definition.shown} holds'
            f" {what}; {rule}",
            code="invalid_document_id",
            field=self.definition.key,
        )

    def _lost(self, what: str) -> Conflict:
        name = self.definition.name
        return Conflict(
            f'search index "{name}": its source {self.definition.shown} {what}; put it back, make'
            f" the index anew with CREATE OR REPLACE SEARCH INDEX {name}, or DROP SEARCH INDEX"
            f" {name}",
            code="search_index_source_changed",
            uid=name,
        )


def columns_of(cursor: Connection, rows: str) -> Columns:
    """(name, DuckDB type) of each column of `FROM ...`."""
    return tuple((row[0], row[1]) for row in cursor.execute(f"DESCRIBE {rows}").fetchall())


def first_line(error: BaseException) -> str:
    """The first line of an error's text, without DuckDB's name for its kind."""
    line = str(error).strip().partition("\n")[0]
    return re.sub(r"^[A-Z]\w+(?: [A-Z]\w+)? Error: ", "", line)
