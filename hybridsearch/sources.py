"""Which documents does a source hold, as JSON, in order, a batch at a time?

A source is a dict, an iterable of dicts, an Arrow table, batch or reader, a polars or pandas
frame, a DuckDB relation, or a path or glob of .parquet, .csv, .tsv, .ndjson, .jsonl and .json
files (the text ones also as .gz). Whatever it is, little more than one batch of it is in memory
at a time; what it holds comes out in its own order, a glob in the order of the names.

    >>> [batch.bodies for batch in batches([{"id": 1}, {"id": 2}])]
    [[b'{"id":1}', b'{"id":2}']]

- JSON files: each document byte for byte as it stands in the file (order, spaces, number forms).
  A .json file holds an array of objects, or one object after the other.
- What becomes of the values of dicts: see documents; of tables: see tables; of CSV: delimited.

What is refused raises DocumentError with `position` (from 0 over the whole source) and, where
known, `id`, `field`, `file`, `line` and `column` (both from 1). What a generator raises passes.
"""

from __future__ import annotations

import codecs
import gzip
import io
import itertools
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from glob import glob
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from hybridsearch.delimited import from_csv
from hybridsearch.documents import DEEPEST, TOO_DEEP, Fault, dumped, encoded, refusal, to_json
from hybridsearch.errors import InputError, near
from hybridsearch.tables import (
    ROWS,
    from_arrow,
    from_lazy_polars,
    from_pandas,
    from_polars,
    from_relation,
)
from hybridsearch.turns import give_way

__all__ = ["Batch", "batches", "count", "documents_in", "to_json"]

LONGEST = 100_000_000
"""Bytes that one document of a text file may have."""
_CHUNK = 1 << 20
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Batch:
    """Some documents in a row: `start` is the position of the first, from 0.

    bodies: one JSON object each, UTF-8, in the order of the source.
    """

    start: int
    bodies: list[bytes]


def batches(
    source: object, *, max_documents: int = 10_000, max_bytes: int = 32_000_000
) -> Iterator[Batch]:
    """The documents of a source, in order, in batches that are never empty.

    A batch holds at most `max_documents` documents and `max_bytes` bytes; a document larger
    than that comes alone. Nothing is read before the first batch is asked for.
    Raises InputError at once when the source is no source or a file is missing or unknown, and
    DocumentError or InputError from the iterator at the first thing that cannot be read.
    """
    if max_documents < 1 or max_bytes < 1:
        raise InputError("a batch needs max_documents and max_bytes of at least 1")
    return _batched(_bodies(source), max_documents, max_bytes)


def documents_in(text: bytes, *, lines: bool) -> list[bytes]:
    """The documents of a JSON text, each as its own bytes, in order.

    lines: one document a line; else an array of objects, or one object after the other. Raises
    DocumentError at the first thing that is no document.
    """
    found: list[bytes] = []
    try:
        raw: Any = io.BytesIO(text.removeprefix(_BOM))
        with io.BufferedReader(raw) as file:
            for body in _lines(file) if lines else _elements(_JsonText(file)):
                give_way()
                found.append(body)
    except Fault as fault:
        raise refusal(fault, len(found) + fault.ahead) from None
    return found


def count(source: object) -> int | None:
    """How many documents a source holds, when that is known without reading it, else None.

    Raises InputError when a file is missing or unknown.
    """
    if isinstance(source, Mapping):
        return 1
    if isinstance(source, str | os.PathLike):
        return _count_files(_files(source))
    if isinstance(source, pa.Table | pa.RecordBatch):
        return int(source.num_rows)
    # len() of a relation would run its query.
    if isinstance(source, Sized) and not isinstance(source, duckdb.DuckDBPyRelation):
        return len(source)
    return None


def _batched(bodies: Iterator[bytes], max_documents: int, max_bytes: int) -> Iterator[Batch]:
    start, size = 0, 0
    held: list[bytes] = []
    try:
        for body in bodies:
            if held and (size + len(body) > max_bytes or len(held) >= max_documents):
                yield Batch(start, held)
                start, size, held = start + len(held), 0, []
            held.append(body)
            size += len(body)
    except Fault as fault:
        raise refusal(fault, start + len(held) + fault.ahead) from None
    if held:
        yield Batch(start, held)


def _bodies(source: Any) -> Iterator[bytes]:
    if isinstance(source, Mapping):
        return map(encoded, (source,))
    if isinstance(source, str | os.PathLike):
        return _from_files(_files(source))
    for is_kind, read in _TABLES:
        if is_kind(source):
            return read(source)
    if isinstance(source, Iterable) and not isinstance(source, bytes | bytearray | memoryview):
        return map(encoded, source)
    raise InputError(
        f"cannot read documents from a {type(source).__name__}; give dicts, an Arrow, polars or"
        " pandas table, a DuckDB relation, or a path"
    )


def _is_from(library: str, name: str) -> Callable[[object], bool]:
    """Whether an object is that library's, told without importing it."""

    def test(source: object) -> bool:
        family = type(source).__mro__
        return any(c.__name__ == name and c.__module__.split(".")[0] == library for c in family)

    return test


_TABLES: tuple[tuple[Callable[[object], bool], Callable[[Any], Iterator[bytes]]], ...] = (
    (lambda source: isinstance(source, pa.RecordBatch), lambda one: from_arrow([one])),
    (lambda source: isinstance(source, pa.Table), lambda table: from_arrow(table.to_batches())),
    (lambda source: isinstance(source, pa.RecordBatchReader), from_arrow),
    (lambda source: isinstance(source, duckdb.DuckDBPyRelation), from_relation),
    (_is_from("polars", "DataFrame"), from_polars),
    (_is_from("polars", "LazyFrame"), from_lazy_polars),
    (_is_from("pandas", "DataFrame"), from_pandas),
)


# ---- files


def _files(source: str | os.PathLike[str]) -> list[Path]:
    """The files of a path or glob, by name; each of a kind that can be read."""
    path = Path(source).expanduser()
    if not str(source):
        raise InputError('no file ""; give the path of one')
    try:
        found = [path] if path.exists() else sorted(map(Path, glob(str(path), recursive=True)))
    except (OSError, ValueError) as error:
        hint = "a text is taken for a path; read JSON text with json.loads first"
        raise InputError(f'no file "{str(path)[:80]}": {error}; {hint}') from None
    if path.is_dir():
        raise InputError(f'"{path}" is a folder; name its files, as in "{path / "*.ndjson"}"')
    files = [file for file in found if not file.is_dir()]
    if not files and _is_address(str(source)):
        hint = "only files are read; download it first, or let DuckDB read it: add(db.sql(...))"
        raise InputError(f'no file "{source!s:.200}": {hint}')
    if not files:
        raise InputError(f'no file "{path}"{_neighbours(path)}')
    for file in files:
        _kind(file)
    return files


_OTHERS = {
    b"\xff\xfe": "is UTF-16; convert it, as with iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "is UTF-16; convert it, as with iconv -f UTF-16 -t UTF-8",
    b"PAR1": "is a Parquet file; its name must end in .parquet",
    b"\x1f\x8b": "is packed by gzip; its name must end in .gz",
}
_is_address = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://").match


def _neighbours(path: Path) -> str:
    folder = path.parent
    return near(path.name, os.listdir(folder)) if folder.is_dir() else "; its folder does not exist"


def _kind(path: Path) -> str:
    """How a file is read, by the end of its name."""
    name = path.name.lower()
    kind = Path(name.removesuffix(".gz")).suffix
    if kind not in _READERS or (kind == ".parquet" and name.endswith(".gz")):
        known = ", ".join(_READERS)
        raise InputError(f'cannot tell what "{path}" holds; its name must end in {known} (or .gz)')
    return kind


def _from_files(files: list[Path]) -> Iterator[bytes]:
    for kind, group in itertools.groupby(files, key=_kind):
        yield from _READERS[kind](list(group))


def _count_files(files: list[Path]) -> int | None:
    if any(_kind(file) != ".parquet" for file in files):
        return None
    total = 0
    for file in files:
        with _parquet(file) as table:
            total += int(table.metadata.num_rows)
    return total


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    try:
        # Otherwise Arrow would keep all that it reads ahead.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_CHUNK) as table:
            yield table
    except pa.ArrowInvalid as error:
        raise InputError(f'"{path}" is no readable Parquet file: {error}') from None


def _from_parquet(files: list[Path]) -> Iterator[bytes]:
    for path in files:
        with _parquet(path) as table:
            yield from _named(from_arrow(table.iter_batches(ROWS)), path)


def _named(bodies: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """The same documents; a fault among them names the file."""
    try:
        yield from bodies
    except Fault as fault:
        fault.fields.setdefault("file", str(path))
        raise


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    """The bytes of a text file, unpacked, past its byte order mark."""
    packed = path.name.lower().endswith(".gz")
    raw: Any = gzip.GzipFile(path) if packed else io.FileIO(path)
    try:
        with raw, io.BufferedReader(raw) as file:
            _check_is_text(path, file.peek(4)[:4])
            if file.peek(3)[:3] == _BOM:
                file.read(3)
            yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f'"{path}" is no whole gzip file: {error}') from None


def _check_is_text(path: Path, head: bytes) -> None:
    """Raise InputError for what begins as another kind of file does."""
    for sign, remedy in _OTHERS.items():
        if head.startswith(sign):
            raise InputError(f'"{path}" {remedy}')


# ---- JSON text


def _from_ndjson(files: list[Path]) -> Iterator[bytes]:
    for path in files:
        with _opened(path) as file:
            yield from _named(_lines(file), path)


def _lines(file: io.BufferedReader) -> Iterator[bytes]:
    for number, line in enumerate(iter(partial(file.readline, LONGEST), b""), 1):
        body = line.strip()
        if len(line) == LONGEST:
            raise Fault(f"is longer than {LONGEST} bytes; one document a line", line=number)
        if body:
            start = file.tell() - len(line) + line.find(body)
            yield _checked(body, start=start, line=number, column=1 + line.find(body))


def _checked(body: bytes, *, start: int, line: int, column: int) -> bytes:
    """A document's own bytes, once they are known to be a JSON object.

    start: its offset in the file. line, column: where it begins, from 1.
    """
    try:
        value = orjson.loads(body)
        if not isinstance(value, dict):
            raise Fault("is no object; each document is {...}", line=line, column=column)
        if body.count(b"{") + body.count(b"[") > DEEPEST:
            dumped(value)
    except TypeError:
        raise Fault(TOO_DEEP, line=line, column=column) from None
    except orjson.JSONDecodeError as error:
        raise _syntax(body, error, start=start, line=line, column=column) from None
    return body


def _syntax(
    body: bytes, error: json.JSONDecodeError, *, start: int, line: int, column: int
) -> Fault:
    column = error.colno + (column - 1 if error.lineno == 1 else 0)
    where = {"line": line + error.lineno - 1, "column": column}
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body)  # the end may be cut
    except UnicodeDecodeError as wrong:
        return Fault(f"is not UTF-8 at byte {start + wrong.start}", **where)
    return Fault(f"is not JSON: {error.msg}", **where)


def _from_json(files: list[Path]) -> Iterator[bytes]:
    for path in files:
        with _opened(path) as file:
            yield from _named(_elements(_JsonText(file)), path)


class _JsonText:
    """JSON objects in a file that need not fit in memory, read from its front."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        # One character a byte, so that a place in the text is a place in the file.
        self._text, self._at = "", 0
        self._counted, self._start, self._line, self._column = 0, file.tell(), 1, 1

    def peek(self) -> str:
        """The next character that is not blank; "" at the end."""
        while True:
            while self._text[self._at : self._at + 1] in _BLANKS:
                self._at += 1
            if self._at < len(self._text) or not self._read():
                return self._text[self._at : self._at + 1]

    def take(self, wanted: str) -> bool:
        """Whether the next character that is not blank is the wanted one, now passed."""
        found = self.peek() == wanted
        self._at += found
        return found

    def value(self) -> bytes:
        """The object that begins here, as its own bytes, and pass it."""
        first = self.peek()
        if first != "{":
            raise self.fault(_MISSING.get(first, "is no object; each document is {...}"))
        end = self._end()
        self._count(self._at)
        body = self._text[self._at : end].encode("latin-1")
        _checked(body, start=self._start, line=self._line, column=self._column)
        self._at = end
        return body

    def fault(self, reason: str) -> Fault:
        """What is wrong with the document here."""
        self._count(self._at)
        return Fault(reason, line=self._line, column=self._column)

    def _end(self) -> int:
        while True:
            try:
                return _DECODER.raw_decode(self._text, self._at)[1]
            except json.JSONDecodeError as error:
                if not self._may_continue(error) or not self._read():
                    raise self._syntax(error) from None
            except RecursionError:
                raise self.fault(TOO_DEEP) from None

    def _may_continue(self, error: json.JSONDecodeError) -> bool:
        """Whether it may be only the end of what was read that is wrong."""
        if len(self._text) - self._at > LONGEST:
            return False
        return error.msg.startswith("Unterminated") or error.pos > len(self._text) - 16

    def _syntax(self, error: json.JSONDecodeError) -> Fault:
        self._count(self._at)
        body = self._text[self._at : error.pos + 1].encode("latin-1")
        where = {"start": self._start, "line": self._line, "column": self._column}
        return _syntax(
            body, json.JSONDecodeError(error.msg, body.decode("latin-1"), len(body) - 1), **where
        )

    def _read(self) -> bool:
        """Let go of what was passed and read on; twice as much when one object is long."""
        chunk = self._file.read(max(_CHUNK, len(self._text) - self._at))
        if not chunk:
            return False
        self._count(self._at)
        self._text = self._text[self._at :] + chunk.decode("latin-1")
        self._at = self._counted = 0
        return True

    def _count(self, end: int) -> None:
        """Count bytes, lines and columns up to a place of the text."""
        newlines = self._text.count("\n", self._counted, end)
        last = self._text.rfind("\n", self._counted, end)
        self._column = end - last if newlines else self._column + end - self._counted
        self._line += newlines
        self._start += end - self._counted
        self._counted = end


def _elements(text: _JsonText) -> Iterator[bytes]:
    """The documents of an array of objects, or of objects one after the other."""
    if text.take("["):
        yield from _array(text)
    elif not text.peek():
        raise text.fault("is missing; the file is empty, and [] would say so")
    else:
        while text.peek() == "{":
            yield text.value()
    if text.peek():
        raise text.fault("is no object, or follows the end of the array")


def _array(text: _JsonText) -> Iterator[bytes]:
    if text.take("]"):
        return
    yield text.value()
    while text.take(","):
        yield text.value()
    if not text.take("]"):
        other = "is not JSON: expected , or ] after an element of the array"
        raise text.fault(other if text.peek() else _MISSING[""])


_MISSING = {
    "": "is missing: the text ends before its array is closed",
    "]": "is missing: a comma stands before the end of the array",
}
_BLANKS = frozenset(" \t\r\n")
_DECODER = json.JSONDecoder()
_READERS: dict[str, Callable[[list[Path]], Iterator[bytes]]] = {
    ".parquet": _from_parquet,
    ".csv": partial(from_csv, delimiter=None),
    ".tsv": partial(from_csv, delimiter="\t"),
    ".ndjson": _from_ndjson,
    ".jsonl": _from_ndjson,
    ".json": _from_json,
}
