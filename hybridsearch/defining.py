"""What does CREATE SEARCH INDEX mean, said of this source?

`define` reads a statement against the relation that it names: names become those of the source,
kinds are inferred from types, the key is found. Every text of the user's is used as one
expression, condition or query of one SELECT, and as nothing else.

    define(cursor, "docs_idx", "docs", [Item("title")])        # a Definition, or an error
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from hybridsearch.definition import (
    ITEM_OPTIONS,
    KINDS,
    OPTIONS,
    Attribute,
    Definition,
    Item,
    check_mode,
    check_weights,
    checked_options,
)
from hybridsearch.errors import InputError, NotFound, SettingsError, StorageError, near
from hybridsearch.origin import Columns, columns_of, first_line
from hybridsearch.store import Connection, quoted

__all__ = ["define"]

NAME = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\W\d][\w$]*))\s*(\.|$)')
FIXED = re.compile(r"(?:FLOAT|DOUBLE)\[(\d+)\]")
LISTS = ("FLOAT[]", "DOUBLE[]")
EMBEDDER = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class _Source:
    """A source as a statement names it (shown) and as SQL that can follow FROM (text).

    kind: "table", "files" or "query".
    """

    cursor: Connection
    shown: str
    text: str
    kind: str
    columns: Columns


def define(
    cursor: Connection,
    name: str,
    source: str,
    items: Sequence[Item | str],
    *,
    where: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Definition:
    """The definition, complete: names as the source writes them, kinds inferred, the key found.

    Raises InputError or SettingsError, naming what does not fit the source, and NotFound when
    there is no such source.
    """
    chosen = checked_options(options, OPTIONS, "a search index")
    origin = _source(cursor, source)
    if where is not None:
        _typed(origin, where, f"the condition of {name}")
    read = [Item(item) if isinstance(item, str) else item for item in items]
    attributes = tuple(_attribute(origin, item) for item in read)
    _check_names(attributes, origin)
    key = _key(origin, chosen.pop("key", None))
    found = Definition(
        name, origin.text, origin.kind, attributes, key, origin.columns, where, chosen
    )
    check_weights(found)
    check_mode(found)
    if found.refresh == "auto" and found.parts != 2:
        raise SettingsError("refresh = 'auto' needs a table of this database", field="refresh")
    return found


def _source(cursor: Connection, text: str) -> _Source:
    """A source: a table's name, a path in quotes, or a query in brackets."""
    shown = text.strip() if isinstance(text, str) else ""
    kind = {"(": "query", "'": "files"}.get(shown[:1], "table")
    found = _table(cursor, _parts(shown)) if kind == "table" else shown
    if kind == "files" and not re.fullmatch(r"'(?:[^']|'')+'", shown):
        raise InputError(f"{shown:.60} is no path in quotes", field="source")
    _check_single(cursor, f"FROM {found}", "the source")
    try:
        columns = columns_of(cursor, f"FROM {found}")
    except (duckdb.Error, StorageError) as error:
        cause = error.__cause__  # where it is the disk, it is that of the source, not of our file
        cause = cause if isinstance(cause, duckdb.Error) else error
        raise InputError(
            f"cannot read {shown:.200}: {first_line(cause)}", field="source"
        ) from error
    return _Source(cursor, shown, found, kind, columns)


def _parts(text: str) -> list[str]:
    """The parts of a name with dots, without their quotes. Raises InputError."""
    parts, at = [], 0
    while found := NAME.match(text, at):
        parts.append((found[1] or "").replace('""', '"') or found[2])
        at = found.end()
        if not found[3]:
            return parts
    raise InputError(
        f"{text!r:.60} is no source; give the name of a table or view, a file in quotes as"
        " 'docs.parquet', or a query in brackets",
        field="source",
    )


def _table(cursor: Connection, parts: Sequence[str]) -> str:
    """The table or view of that name, with its schema, and its catalog if it is not ours."""
    found = cursor.execute(
        "SELECT database_name, schema_name, name, database_name = current_database() FROM ("
        " SELECT database_name, schema_name, table_name AS name FROM duckdb_tables()"
        " UNION ALL SELECT database_name, schema_name, view_name FROM duckdb_views()"
        " WHERE NOT internal) WHERE schema_name <> 'hybridsearch' AND database_name <> 'temp'"
    ).fetchall()
    wanted = [part.lower() for part in parts]
    for catalog, schema, table, ours in found:
        full = [catalog.lower(), schema.lower(), table.lower()]
        short = [full[2]] if ours and schema == "main" else []
        longer = full[1:] if ours else [full[0], full[2]] if schema == "main" else []
        if wanted in (full, short, longer):
            return ".".join(map(quoted, (schema, table) if ours else (catalog, schema, table)))
    name = ".".join(parts)
    known = [table for _, _, table, ours in found if ours]
    raise NotFound(
        f'there is no table or view "{name}" that is committed{near(name, known)}',
        code="search_index_source_not_found",
        field="source",
    )


def _check_single(cursor: Connection, statement: str, what: str) -> None:
    """Raise InputError unless the text is exactly one SELECT."""
    try:
        found = cursor.extract_statements(statement)
    except duckdb.Error as error:
        raise InputError(f"{what} is no SQL: {first_line(error)}") from error
    if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
        raise InputError(f"{what} must be one SELECT or expression, and nothing after it")


def _typed(source: _Source, expression: str, what: str) -> str:
    """The type of an expression over the source."""
    statement = f"SELECT ({expression}\n) AS x FROM {source.text}"
    _check_single(source.cursor, statement, what)
    try:
        found = columns_of(source.cursor, statement)
    except duckdb.Error as error:
        raise InputError(f"{what}: {first_line(error)}") from error
    if len(found) != 1:
        raise InputError(f"{what} must be one expression")
    return found[0][1]


def _attribute(source: _Source, item: Item) -> Attribute:
    column = _column(source, item.expression)
    name = item.alias or column
    if name is None:
        raise InputError(
            f"the expression {item.expression.strip()!r:.60} needs a name; write it as"
            f" ({item.expression.strip():.60}) AS name",
            field="items",
        )
    expression = quoted(column) if column else item.expression
    type_ = _typed(source, expression, f'item "{name}"')
    kind = _kind(item.kind, type_, name)
    return Attribute(
        name=name,
        expression=expression,
        kind=kind,
        column=column,
        dim=_dim(source, expression, type_, name) if kind == "VECTOR" else 0,
        options=checked_options(item.options, ITEM_OPTIONS[kind], f'{kind} item "{name}"'),
    )


def _column(source: _Source, expression: str) -> str | None:
    """The column's name as the source writes it; None for an expression.

    Raises InputError for a name that is no column.
    """
    found = NAME.fullmatch(expression)
    if found is None or found[3]:
        return None
    return _known(source, (found[1] or "").replace('""', '"') or found[2], "items")


def _known(source: _Source, wanted: str, field: str) -> str:
    """The column's name as the source writes it. Raises InputError, with the nearest one."""
    names = [name for name, _ in source.columns]
    for name in names:
        if name.lower() == wanted.lower():
            return name
    raise InputError(f'no column "{wanted}" in {source.shown}{near(wanted, names)}', field=field)


def _kind(kind: str | None, type_: str, name: str) -> str:
    if kind is not None:
        if kind.upper() not in KINDS:
            raise InputError(f'unknown kind "{kind}" of item "{name}"{near(kind.upper(), KINDS)}')
        return kind.upper()
    if FIXED.fullmatch(type_) or type_ in LISTS:
        return "VECTOR"
    if type_ in ("VARCHAR", "VARCHAR[]", "JSON") or type_.startswith("ENUM("):
        return "TEXT"
    raise InputError(
        f'item "{name}" is {type_}, neither text nor a vector; every column can be filtered by'
        f" without being named here, and its words are searched with {name} TEXT",
        field="items",
    )


def _dim(source: _Source, expression: str, type_: str, name: str) -> int:
    """The length of the vectors."""
    fixed = FIXED.fullmatch(type_)
    if fixed:
        return int(fixed[1])
    if type_ not in LISTS:
        raise InputError(
            f'vector "{name}" is {type_}; it must be FLOAT[n], DOUBLE[n] or a list of these, as'
            f" in (CAST({expression} AS FLOAT[3])) AS {name}",
            field="items",
        )
    [(least, most)] = source.cursor.execute(
        f"SELECT min(n), max(n) FROM (SELECT len(({expression}\n)) AS n FROM {source.text})"
    ).fetchall()
    if not least or least != most:
        why = "holds no vector" if least is None else f"holds vectors of {least} to {most} numbers"
        raise InputError(f'vector "{name}" {why}; all must be of one length', field="items")
    return int(most)


def _check_names(attributes: Sequence[Attribute], source: _Source) -> None:
    if not attributes:
        raise InputError(f"name at least one column of {source.shown} to search", field="items")
    taken = {name.lower(): name for name, _ in source.columns}
    seen: set[str] = set()
    for item in attributes:
        lower = item.name.lower()
        other = taken.get(lower)
        if lower in seen or (other is not None and item.column != other):
            raise InputError(
                f'there are two items or columns "{item.name}"; name one otherwise with AS',
                field="items",
            )
        seen.add(lower)
        if item.kind in ("VECTOR", "EMBED") and not EMBEDDER.fullmatch(item.name):
            raise InputError(
                f'a vector may not be called "{item.name}": letters, digits, _ and -, 64 at most;'
                " name it otherwise with AS",
                field="items",
            )


def _key(source: _Source, asked: str | None) -> str:
    """The column that identifies rows: the one asked for, or the table's own key."""
    if asked is not None:
        return _known(source, asked, "key")
    found = _constrained(source) if source.kind == "table" else None
    if found is None:
        names = {name.lower(): name for name, _ in source.columns}
        like = names.get("id", source.columns[0][0])
        raise InputError(
            f"{source.shown} has no key of one column that is unique and NOT NULL; name the column"
            f" that identifies its rows, as in WITH (key = '{like}')",
            field="key",
        )
    return found


def _constrained(source: _Source) -> str | None:
    """The column of the primary key, or else one that is unique and not null."""
    catalog, schema, table = [None, *_parts(source.text)][-3:]
    rows = source.cursor.execute(
        "SELECT constraint_type, constraint_column_names FROM duckdb_constraints()"
        " WHERE database_name = coalesce(?, current_database())"
        " AND schema_name = ? AND table_name = ?",
        [catalog, schema, table],
    ).fetchall()
    single = {(kind, names[0]) for kind, names in rows if len(names) == 1}
    for kind, name in sorted(single):
        if kind == "PRIMARY KEY" or (kind == "UNIQUE" and ("NOT NULL", name) in single):
            return str(name)
    return None
