"""In which form do the rows of a statement leave the process?

`Rows` reads an answer in batches, so that only what is shown is held in memory. What a value looks
like is DuckDB's to say: a second, empty DuckDB turns the batches into text, JSON and Parquet.

    with asked(connection, "SELECT 1 AS n", {}) as rows:
        rows.head(40), rows.rest()          # [("1",)], 0

An error that a statement meets on the way, at whatever row, is raised as `StatementError`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from hybridsearch.errors import HybridSearchError
from hybridsearch.files import TEMPORARY, refused, sync_folder
from hybridsearch.jsontext import finite
from hybridsearch.sql.relation import literal
from hybridsearch.store import Connection, quoted

__all__ = ["MOST_DECIMALS", "Relation", "Rows", "Speaker", "StatementError", "asked"]

BATCH = 10_000
STREAM = "stream_of_rows"
MOST_DECIMALS = 17
PLAIN = (1e-3, 1e9)
"""Numbers between these can be rounded to some decimals without saying something else."""
QUOTE = '"'


_is_number = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|DECIMAL\(.*\)").fullmatch
_around = re.compile(
    rf"^.*'{STREAM}' failed: [^:]*: |\. Detail: Python exception:.*$"
    r"|^.*Python exception occurred while executing the UDF: \w+: ",
    re.DOTALL,
)


class StatementError(HybridSearchError):
    """A statement failed; the message is DuckDB's or the engine's."""

    default_code = "invalid_sql"


class Relation(Protocol):
    """What a connection gives for a statement; a relation of DuckDB's is one."""

    @property
    def description(self) -> Any:
        """(name, type, ...) of each column."""

    def to_arrow_reader(self, batch_size: int = ..., /) -> Any:
        """The rows as Arrow batches, once."""


class Speaker(Protocol):
    """The part of a connection that the shell uses; the one of `Database.connect` is one."""

    def sql(self, query: Any, /, *, params: Any = ...) -> Any:
        """The rows of a statement as a `Relation`; None for a text without a statement."""

    def interrupt(self) -> None:
        """Stop what another thread of this connection is doing."""


def asked(connection: Speaker, statement: str, parameters: Mapping[str, Any]) -> Rows | None:
    """Run a statement; None if there is nothing in it; see `Rows`.

    Raises StatementError.
    """
    with _errors():
        found = connection.sql(statement, params=dict(parameters) or None)
    return None if found is None else Rows(found)


class Rows:
    """The rows of one statement, to be read once, from the first to the last, and then closed.

    names: of the columns, as they are. numbers: which of them stand to the right. A statement that
    gives no rows has one column, "Success" or "Count".
    """

    def __init__(self, relation: Relation) -> None:
        described = [(str(column[0]), str(column[1])) for column in relation.description]
        self.names = [name for name, _ in described]
        self.types = [kind for _, kind in described]
        self.numbers = [bool(_is_number(kind)) for kind in self.types]
        with _errors():
            self._reader = relation.to_arrow_reader(BATCH)
        self._waiting: pa.RecordBatch | None = None

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.close()

    def head(self, count: int, *, decimals: int = MOST_DECIMALS) -> list[tuple[str | None, ...]]:
        """The next `count` rows as texts, None for null; fewer when there are no more.

        decimals: to which floating numbers are rounded, unless they are very small or great.
        """
        cells = [_cell(*c, decimals) for c in zip(self._columns, self.types, strict=True)]
        found: list[tuple[str | None, ...]] = []
        while len(found) < count and (batch := self._next()) is not None:
            wanted = count - len(found)
            found += self._texts(batch.slice(0, wanted), cells)
            self._waiting = batch.slice(wanted) if batch.num_rows > wanted else None
        return found

    def rest(self) -> int:
        """How many rows follow; none of them is kept."""
        return sum(batch.num_rows for batch in self._batches())

    def csv(self) -> Iterator[str]:
        """The rows as CSV, in pieces of whole lines, names first.

        Null is empty and an empty text is "", but in a single column null is "" too.
        """
        yield ",".join(map(_quoted_if_needed, self.names)) + "\n"
        null = "''" if len(self.names) > 1 else "'\"\"'"
        cells = ", ".join(_csv_cell(name, null) for name in self._columns)
        for batch in self._batches():
            yield _lines(self._projected(batch, f"concat_ws(',', {cells})"))

    def json_lines(self) -> Iterator[str]:
        """The rows as JSON, in pieces of whole lines, one object a line.

        The second of two columns with one name is called name_1. A number that JSON does not
        know, as infinity, is null.
        """
        values = [_json_value(*column) for column in zip(self._columns, self.types, strict=True)]
        names = map(quoted, _distinct(self.names))
        fields = ", ".join(f"{n} := {value}" for n, value in zip(names, values, strict=True))
        for batch in self._batches():
            found = self._projected(batch, f"to_json(struct_pack({fields}))::VARCHAR")
            yield _lines(finite(line.encode()).decode() for line in found)

    def parquet(self, path: Path) -> None:
        """Write the rows to a Parquet file, which is there whole or not at all.

        A link keeps leading to it. Raises StorageError when the disk refuses.
        """
        path = path.resolve()
        temporary = path.with_name(path.name + TEMPORARY)
        try:
            temporary.touch()
        except OSError as error:
            raise refused(path, error) from error
        try:
            with _errors():
                self._scratch.register(STREAM, self._stream())
                target = literal(str(temporary))
                self._scratch.execute(f"COPY (FROM {STREAM}) TO {target} (FORMAT parquet)")
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    @cached_property
    def _scratch(self) -> Connection:
        return duckdb.connect()

    @property
    def _columns(self) -> list[str]:
        """What the columns are called where their own names could clash."""
        return [f"c{number}" for number in range(len(self.names))]

    def _batches(self) -> Iterator[pa.RecordBatch]:
        while (batch := self._next()) is not None:
            yield batch

    def _next(self) -> pa.RecordBatch | None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            return waiting
        with _errors():
            try:
                return self._reader.read_next_batch()
            except StopIteration:
                return None

    def _stream(self) -> pa.RecordBatchReader:
        """The rows, with names that differ."""
        schema = _renamed(self._reader.schema, _distinct(self.names))
        batches = (pa.RecordBatch.from_arrays(b.columns, schema=schema) for b in self._batches())
        return pa.RecordBatchReader.from_batches(schema, batches)

    def _texts(self, batch: pa.RecordBatch, cells: Sequence[str]) -> list[tuple[str | None, ...]]:
        return self._selected(batch, ", ".join(cells)).fetchall() if batch.num_rows else []

    def _projected(self, batch: pa.RecordBatch, expression: str) -> list[str]:
        """One text for each row."""
        found = self._selected(batch, expression).fetchnumpy()
        return list(next(iter(found.values())))

    def _selected(self, batch: pa.RecordBatch, expression: str) -> Connection:
        schema = _renamed(batch.schema, self._columns)
        named = pa.RecordBatch.from_arrays(batch.columns, schema=schema)
        self._scratch.register(STREAM, pa.RecordBatchReader.from_batches(schema, [named]))
        return self._scratch.execute(f"SELECT {expression} FROM {STREAM}")


@contextmanager
def _errors() -> Iterator[None]:
    """What DuckDB or the engine says is wrong, as a StatementError."""
    try:
        yield
    except duckdb.Error as error:
        raise StatementError(_told(error)) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise StatementError(_told(error)) from error  # Arrow's word for a stream that failed
    except HybridSearchError as error:
        raise StatementError(error.message) from error


def _told(error: Exception) -> str:
    """The message without what the ways of the stream have put around it."""
    return _around.sub("", str(error))


def _renamed(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    return pa.schema([f.with_name(name) for f, name in zip(schema, names, strict=True)])


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number after one that came before; case does not tell names apart.

    >>> _distinct(["a", "A", "a_1", "a"])
    ['a', 'A_1', 'a_1_1', 'a_2']
    """
    found: dict[str, str] = {}
    for name in names:
        number, tried = 0, name
        while tried.lower() in found:
            number += 1
            tried = f"{name}_{number}"
        found[tried.lower()] = tried
    return list(found.values())


def _cell(column: str, kind: str, decimals: int) -> str:
    """A cell of a column as an expression."""
    if kind not in ("DOUBLE", "FLOAT") or decimals >= MOST_DECIMALS:
        return f"{column}::VARCHAR"
    usual = f"abs({column}) BETWEEN {PLAIN[0]} AND {PLAIN[1]}"
    rounded = f"round({column}::DOUBLE, {decimals})::VARCHAR"
    return f"CASE WHEN {usual} THEN {rounded} ELSE {column}::VARCHAR END"


def _csv_cell(column: str, null: str) -> str:
    """The cell of a column as an expression, quoted where it has to be."""
    text = f"{column}::VARCHAR"
    inside = f"""'"' || replace({text}, '"', '""') || '"'"""
    needed = f"{text} = '' OR regexp_matches({text}, '[\",\r\n]')"
    return f"CASE WHEN {column} IS NULL THEN {null} WHEN {needed} THEN {inside} ELSE {text} END"


def _quoted_if_needed(text: str) -> str:
    return f'"{text.replace(QUOTE, QUOTE * 2)}"' if set(text) & set('",\r\n') else text


def _json_value(column: str, kind: str) -> str:
    return f"{column}::{kind}" if kind in ("JSON", "JSON[]") else column


def _lines(texts: Iterable[str]) -> str:
    return "".join(f"{text}\n" for text in texts)
