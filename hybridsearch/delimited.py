"""What are the rows of CSV and TSV files, as JSON?

The first line names the fields; an empty cell is null. A column is numbers, or true and false,
only when every cell of it, in all the files given together, would print back as the same value
(1.50 may become 1.5): 007, +44 and numbers too long to be exact stay text, and so do dates, as
written. The files are read twice for that, in blocks, never whole. CSV is parted by the one of
, ; tab | that its first line has most of; a cell in quotes may hold anything, line ends too.

    bodies = from_csv([Path("a.csv"), Path("b.csv")])

Raises InputError for a file whose rows differ in length, whose names repeat or that is not UTF-8.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from hybridsearch.documents import Fault, refusal
from hybridsearch.errors import DocumentError, InputError
from hybridsearch.tables import distinct, from_arrow

__all__ = ["from_csv", "from_typed_csv"]

_BLOCKS = (1 << 20, 1 << 24, 1 << 27)
"""Bytes read at once, the least that holds each row; some forty blocks are in memory."""
_KINDS = {
    pa.int64(): r"^(0|-?[1-9][0-9]{0,17})$",
    pa.float64(): r"^-?((0|[1-9][0-9]{0,14})(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$",
    pa.bool_(): r"^(?i:true|false)$",
}
"""What a cell must look like to survive as a value of the type; the first that fits is taken."""
_NAMED_KINDS: dict[str, tuple[Any, ...]] = {
    "string": (),
    "number": (pa.int64(), pa.float64()),
    "boolean": (pa.bool_(),),
}
"""What a header may call a column, and the types that are tried for it."""
_QUOTED = re.compile(r'"[^"]*"')


def from_csv(files: list[Path], *, delimiter: str | None = None) -> Iterator[bytes]:
    """The rows of the files, in order; a delimiter of None is told from each first line.

    Raises InputError when a file is no such file, and documents.Fault when a value is refused.
    """
    fitting: dict[str, list[Any]] = {}
    blocks = [_noted(path, delimiter, fitting) for path in files]
    kinds = {name: left[0] for name, left in fitting.items() if left}
    for path, block in zip(files, blocks, strict=True):
        try:
            yield from from_arrow(_typed(batch, kinds) for batch in _texts(path, delimiter, block))
        except Fault as fault:
            fault.fields.setdefault("file", str(path))
            raise


def from_typed_csv(data: bytes, *, delimiter: str = ",") -> list[bytes]:
    """The rows of a CSV text whose first line may name types: "price:number", "sold:boolean".

    A column without one is text, and so is one named "a:string"; an empty cell is null. Raises
    DocumentError for a cell that is not of its column's type, and InputError as from_csv does.
    """
    found: list[bytes] = []
    try:
        for body in _typed_rows(data, delimiter):
            found.append(body)
    except Fault as fault:
        raise refusal(fault, len(found) + fault.ahead) from None
    return found


def _typed_rows(data: bytes, delimiter: str) -> Iterator[bytes]:
    try:
        text = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="")
        lines = csv.reader(text, delimiter=delimiter)
        first = next(lines, [])
        if next(lines, None) is None:  # a header at most
            return
        header = distinct(first)
        source = pa.BufferReader(data.removeprefix(codecs.BOM_UTF8))
        with closing(_reader(source, header, delimiter, len(data))) as reader:
            yield from from_arrow(_of_types(batch, header) for batch in reader)
    except (UnicodeDecodeError, csv.Error, pa.ArrowInvalid) as error:
        _refuse_other_encoding(data)
        reason = str(error).partition("\n")[0]
        raise InputError(f"the CSV cannot be read: {reason}") from None


def _refuse_other_encoding(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        at = f"at byte {error.start}, in line {line}"
        raise InputError(f"the CSV is not UTF-8 {at}; convert it, as with iconv -t UTF-8") from None


def _of_types(batch: Any, header: list[str]) -> Any:
    """The texts as the header says; a name keeps a colon that no known type follows."""
    names, columns = [], []
    for text, column in zip(header, batch.columns, strict=True):
        name, _, kind = text.rpartition(":")
        names.append(name if kind in _NAMED_KINDS else text)
        columns.append(_of_type(names[-1], column, kind))
    return pa.record_batch(columns, names=distinct(names))


def _of_type(name: str, column: Any, kind: str) -> Any:
    wanted = _NAMED_KINDS.get(kind, ())
    if not wanted:
        return column
    bare = pc.utf8_trim_whitespace(column)
    found = _cast(bare, wanted)
    if found is None:
        alone = (_cast(bare.slice(row, 1), wanted) for row in range(len(bare)))
        row = next(row for row, cell in enumerate(alone) if cell is None)
        fault = Fault(f'is "{column[row].as_py():.40}", which is no {kind}', field=name)
        fault.ahead = row
        raise fault
    return found


def _cast(column: Any, kinds: tuple[Any, ...]) -> Any:
    """The column as the first of the types that takes every cell; None if none does."""
    for kind in kinds:
        with suppress(pa.ArrowInvalid):
            return pc.cast(column, kind)
    return None


def _noted(path: Path, delimiter: str | None, fitting: dict[str, list[Any]]) -> int:
    """Keep the types that fit every cell of each column; returns the block that holds a row."""
    for block in _BLOCKS:
        try:
            batch = None
            for batch in _texts(path, delimiter, block):
                _note(batch, fitting)
            _refuse_open_quote(path, batch)
            return block
        except _RowTooLong:
            pass
    message = f'"{path}" has a row longer than {_BLOCKS[-1]} bytes; is a quote never closed?'
    raise DocumentError(message, file=str(path))


def _note(batch: Any, fitting: dict[str, list[Any]]) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        left = fitting.get(name, list(_KINDS))
        fitting[name] = [kind for kind in left if _fits(column, _KINDS[kind])]


def _fits(column: Any, pattern: str) -> bool:
    first = column.slice(0, 64)
    return _all_match(first, pattern) and _all_match(column, pattern)


def _all_match(column: Any, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(column, pattern)).as_py() is not False


def _typed(batch: Any, kinds: dict[str, Any]) -> Any:
    names = batch.schema.names
    columns = zip(names, batch.columns, strict=True)
    cast = [column.cast(kinds[name]) if name in kinds else column for name, column in columns]
    return pa.record_batch(cast, names=names)


def _texts(path: Path, delimiter: str | None, block: int) -> Iterator[Any]:
    """The rows of one file as record batches of text."""
    with _refused(path):
        names, delimiter = _header(path, delimiter)
        if not names:
            return
        with _stream(path) as stream, closing(_reader(stream, names, delimiter, block)) as reader:
            yield from reader


def _reader(stream: Any, names: list[str], delimiter: str, block: int) -> Any:
    return pa_csv.open_csv(
        stream,
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=block),
        parse_options=pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


def _stream(path: Path) -> Any:
    packed = path.name.lower().endswith(".gz")
    return pa.input_stream(str(path), compression="gzip" if packed else None)


def _header(path: Path, delimiter: str | None) -> tuple[list[str], str]:
    """The names of the columns, none in an empty file, and what parts them."""
    with _stream(path) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
        lines = iter(text)
        first = next((line for line in lines if line.strip("\r\n")), "")
        parted = delimiter or _delimiter(first)
        names = next(csv.reader(itertools.chain([first], lines), delimiter=parted), [])
    return distinct(names), parted


def _delimiter(header: str) -> str:
    bare = _QUOTED.sub("", header)
    return max(",;\t|", key=bare.count)


def _refuse_open_quote(path: Path, last: Any) -> None:
    """Arrow takes all that follows a quote never closed for one cell; it would be the last."""
    cells = last.slice(last.num_rows - 1).to_pylist() if last else []
    if not any("\n" in (cell or "") for row in cells for cell in row.values()):
        return
    with _stream(path) as stream:
        quotes = sum(chunk.count(b'"') for chunk in iter(partial(stream.read, 1 << 20), b""))
    if quotes % 2:
        message = f'"{path}" has a quote that is never closed; close it, or double quotes in quotes'
        raise DocumentError(message, file=str(path))


class _RowTooLong(Exception):
    """A row does not fit into the block."""


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    """What goes wrong while the file is read, as an InputError that names it."""
    try:
        yield
    except (UnicodeDecodeError, csv.Error, pa.ArrowInvalid) as error:
        if "straddl" in str(error):
            raise _RowTooLong from None
        _refuse_other_encodings(path)
        reason = str(error).partition("\n")[0]
        raise DocumentError(f'"{path}" cannot be read: {reason}', file=str(path)) from None
    except InputError as error:
        raise InputError(f'"{path}": {error.message}', file=str(path)) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise InputError(f'"{path}" is no whole gzip file: {error}') from None


def _refuse_other_encodings(path: Path) -> None:
    decoder, start = codecs.getincrementaldecoder("utf-8")(), 0
    with _stream(path) as stream:
        for chunk in iter(partial(stream.read, 1 << 20), b""):
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                at = start - held + error.start
                message = f'"{path}" is not UTF-8 at byte {at}; convert it, as with iconv -t UTF-8'
                raise DocumentError(message, file=str(path)) from None
            start += len(chunk)
