"""Every source gives the same documents; what is refused is named."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hybridsearch.errors import InputError
from hybridsearch.sources import Batch, batches, count
from tests.unit.reading import bodies, documents, refused, written

NESTED: list[dict[str, Any]] = [
    {"id": 1, "title": "Naïve 猫", "price": 1.5, "ok": True, "tags": ["a", "b"], "v": [0.5, 1.0]},
    {"id": 2, "title": None, "price": None, "ok": False, "tags": [], "v": [0.25, -2.0]},
    {"id": 3, "title": 'two\nlines, "q"', "price": -2e-7, "ok": None, "tags": None, "v": None},
]
FLAT = [{key: row[key] for key in ("id", "title", "price", "ok")} for row in NESTED]


def ndjson(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def as_parquet(rows: list[dict[str, Any]], folder: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet", row_group_size=2)
    return folder / "a.parquet"


def as_csv(rows: list[dict[str, Any]], folder: Path) -> Path:
    with (folder / "a.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([{**row, "ok": str(row["ok"] or "").lower()} for row in rows])
    return folder / "a.csv"


def as_relation(rows: list[dict[str, Any]], folder: Path) -> duckdb.DuckDBPyRelation:
    return duckdb.connect().from_arrow(pa.Table.from_pylist(rows))


Make = Callable[[list[dict[str, Any]], Path], object]
TABLES: dict[str, Make] = {
    "table": lambda rows, folder: pa.Table.from_pylist(rows),
    "batch": lambda rows, folder: pa.RecordBatch.from_pylist(rows),
    "reader": lambda rows, folder: pa.Table.from_pylist(rows).to_reader(2),
    "slice": lambda rows, folder: pa.Table.from_pylist([rows[1], *rows, rows[0]]).slice(1, 3),
    "polars": lambda rows, folder: pl.DataFrame(rows),
    "lazy polars": lambda rows, folder: pl.LazyFrame(rows),
    "pandas": lambda rows, folder: pd.DataFrame(rows),
    "pandas on arrow": lambda rows, folder: pa.Table.from_pylist(rows).to_pandas(
        types_mapper=pd.ArrowDtype
    ),
    "relation": as_relation,
    "parquet": as_parquet,
}
TEXTS: dict[str, Make] = {
    "list": lambda rows, folder: rows,
    "generator": lambda rows, folder: (row for row in rows),
    "mappings": lambda rows, folder: [MappingProxyType(row) for row in rows],
    "ndjson": lambda rows, folder: written(folder / "a.ndjson", ndjson(rows)),
    "path as text": lambda rows, folder: str(written(folder / "a.jsonl", ndjson(rows))),
    "ndjson.gz": lambda rows, folder: written(folder / "a.ndjson.gz", ndjson(rows)),
    "bom": lambda rows, folder: written(folder / "a.ndjson", b"\xef\xbb\xbf" + ndjson(rows)),
    "json": lambda rows, folder: written(folder / "a.json", json.dumps(rows, indent=2)),
    "json.gz": lambda rows, folder: written(folder / "A.JSON.GZ", json.dumps(rows)),
    "objects in json": lambda rows, folder: written(folder / "a.json", ndjson(rows)),
}
ALL = TABLES | TEXTS


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_every_source_gives_the_same_documents(make: Make, tmp_path: Path) -> None:
    assert documents(make(NESTED, tmp_path)) == NESTED


@pytest.mark.parametrize("make", [*ALL.values(), as_csv], ids=[*ALL, "csv"])
def test_flat_documents_survive_csv_too(make: Make, tmp_path: Path) -> None:
    rows = [{**row, "ok": row["ok"] or None} for row in FLAT]
    assert documents(make(rows, tmp_path)) == rows


@pytest.mark.parametrize("make", [*TABLES.values(), as_csv], ids=[*TABLES, "csv"])
def test_keys_keep_the_order_of_the_columns(make: Make, tmp_path: Path) -> None:
    assert [list(row) for row in documents(make(FLAT, tmp_path))] == [list(FLAT[0])] * 3


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_long_tables_keep_their_order(make: Make, tmp_path: Path) -> None:
    rows = [{"id": i, "text": f"t{i}"} for i in range(5000)]
    expected = rows[:3] if make is TABLES["slice"] else rows
    assert documents(make(rows, tmp_path)) == expected


def test_one_dict_is_one_document() -> None:
    assert list(batches({"id": 1})) == [Batch(0, [b'{"id":1}'])]


def test_an_empty_source_has_no_batches() -> None:
    assert list(batches([])) == []


# ---- batches


def test_batches_say_where_they_start() -> None:
    found = list(batches(({"id": i} for i in range(5)), max_documents=2))
    assert [(batch.start, len(batch.bodies)) for batch in found] == [(0, 2), (2, 2), (4, 1)]


def test_a_batch_stays_below_its_bytes_and_a_large_document_comes_alone() -> None:
    rows = [{"t": "x" * size} for size in (10, 10, 200, 10)]
    sizes = [list(map(len, batch.bodies)) for batch in batches(rows, max_bytes=50)]
    assert sizes == [[18, 18], [208], [18]]


def test_a_source_is_read_no_further_than_asked() -> None:
    seen: list[int] = []

    def rows() -> Iterator[dict[str, int]]:
        for i in range(100):
            seen.append(i)
            yield {"id": i}

    next(batches(rows(), max_documents=10))
    assert len(seen) == 11


def test_what_a_generator_raises_passes() -> None:
    def rows() -> Iterator[dict[str, int]]:
        yield {"id": 1}
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        list(batches(rows()))


@pytest.mark.parametrize("limits", [{"max_documents": 0}, {"max_bytes": 0}])
def test_a_batch_must_have_room(limits: dict[str, int]) -> None:
    with pytest.raises(InputError, match="at least 1"):
        batches([], **limits)


# ---- count


def test_the_count_is_known_where_it_is_cheap(tmp_path: Path) -> None:
    makes = ["list", "table", "batch", "polars", "pandas", "parquet"]
    assert [count(ALL[name](FLAT, tmp_path)) for name in makes] == [3] * 6


@pytest.mark.parametrize("name", ["generator", "reader", "lazy polars", "relation", "ndjson"])
def test_the_count_is_unknown_where_it_is_not(name: str, tmp_path: Path) -> None:
    assert count(ALL[name](FLAT, tmp_path)) is None


def test_a_dict_counts_as_one() -> None:
    assert count({"id": 1, "title": "a"}) == 1


@pytest.mark.parametrize("source", [7, b"bytes", None, 1.5])
def test_other_things_are_no_source(source: object) -> None:
    with pytest.raises(InputError, match="cannot read documents from a"):
        batches(source)


# ---- files


def test_lines_stay_as_they_are(tmp_path: Path) -> None:
    lines = [b'{"n": 1.50,  "a":1e2}', b'{"a":1,"a":2}', b'{"big":123456789012345678901234567890}']
    path = written(tmp_path / "a.ndjson", b"\n \n" + b" \r\n\n".join(lines))
    assert bodies(path) == lines


def test_elements_of_an_array_stay_as_they_are(tmp_path: Path) -> None:
    elements = [b'{"n": 1.50,\n "a":"]},{"}', b"{}", b'{"big":123456789012345678901234567890}']
    path = written(tmp_path / "a.json", b"\n[ " + b" ,\n".join(elements) + b"\n]\n")
    assert bodies(path) == elements


@pytest.mark.parametrize("size", [900_000, 1_048_500, 3_000_000])
def test_elements_longer_than_what_is_read_at_once_stay_whole(size: int, tmp_path: Path) -> None:
    rows = [{"id": 1}, {"t": "é\\" * size}, {"id": 2}]
    path = written(tmp_path / "a.json", json.dumps(rows, ensure_ascii=False))
    assert documents(path) == rows


@pytest.mark.parametrize("text", ["[]", " [ ] \n"])
def test_an_empty_array_has_no_documents(text: str, tmp_path: Path) -> None:
    assert bodies(written(tmp_path / "a.json", text)) == []


def check_place(path: Path, position: int, line: int | None, column: int | None, said: str) -> None:
    """The file is refused, and the error says why and where; None for what need not be told."""
    error = refused(path)
    found = error.fields
    assert said in str(error)
    assert (found["position"], found["file"]) == (position, str(path))
    assert line in (None, found.get("line"))
    assert column in (None, found.get("column"))


@pytest.mark.parametrize(
    ("text", "position", "line", "column", "said"),
    [
        ('{"a":1}\n\n{"a":tru}\n', 1, 3, 6, "is not JSON"),
        ('{"a":1}\n  {"a":}', 1, 2, 8, "is not JSON"),
        ('{"a":NaN}', 0, 1, 6, "is not JSON"),
        ('{"a":"\\ud800"}', 0, 1, None, "is not JSON"),
        ('[{"a":1}]', 0, 1, 1, "no object"),
        ('{"a":1}\n7', 1, 2, 1, "no object"),
        ('{"a":1} {"a":2}', 0, 1, 9, "is not JSON"),
        ('{"a":' + "[" * 300 + "]" * 300 + "}", 0, None, None, "deeper than 200"),
    ],
)
def test_a_malformed_line_is_named(
    text: str, position: int, line: int | None, column: int | None, said: str, tmp_path: Path
) -> None:
    check_place(written(tmp_path / "a.ndjson", text), position, line, column, said)


@pytest.mark.parametrize(
    ("text", "position", "line", "column", "said"),
    [
        ('[{"a":1},\n {"a":tru}]', 1, 2, 7, "is not JSON"),
        ('[{"a":1},\n {"a":NaN}]', 1, 2, 7, "is not JSON"),
        ('[{"a":1},\n]', 1, 2, 1, "a comma stands"),
        ('[{"a":1}\n {"a":2}]', 1, 2, 2, "expected , or ]"),
        ('[{"a":1}', 1, 1, 9, "ends before its array"),
        ('[{"a":1', 0, None, None, "is not JSON"),
        ('[{"a":"x', 0, None, None, "is not JSON"),
        ("[1]", 0, 1, 2, "no object"),
        ('"text"', 0, 1, 1, "no object"),
        ('[{"a":1}] x', 1, 1, 11, "follows the end"),
        ("", 0, 1, 1, "empty"),
        ('[{"a":"\\ud800"}]', 0, 1, None, "is not JSON"),
        ('{"a":' * 100_000, 0, 1, 1, "deeper than 200"),
        ('[{"a":' + "[" * 300 + "]" * 300 + "}]", 0, None, None, "deeper than 200"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_malformed_array_is_named(
    text: str, position: int, line: int | None, column: int | None, said: str, tmp_path: Path
) -> None:
    check_place(written(tmp_path / "a.json", text), position, line, column, said)


def test_a_fault_early_in_a_long_file_is_found_early(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", b'[{"a":oops}' + b" " * 30_000_000)
    assert refused(path).fields["column"] == 7


@pytest.mark.parametrize(
    "name", ["a.ndjson", "a.json", "a.csv", "a.tsv", "a.ndjson.gz", "a.csv.gz"]
)
def test_text_that_is_not_utf8_is_refused_at_its_byte(name: str, tmp_path: Path) -> None:
    lines = [b'{"a":"\xc3\xa9"}\n', b'{"a":"b\xff"}\n'] if "json" in name else [b"a\n", b"b\xff\n"]
    path = written(tmp_path / name, b"".join(lines))
    assert f"not UTF-8 at byte {b''.join(lines).find(0xFF)}" in str(refused(path))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('{"a":1}'.encode("utf-16"), "is UTF-16; convert it"),
        (b"PAR1" + bytes(100), "is a Parquet file; its name must end in .parquet"),
        (gzip.compress(b'{"a":1}', mtime=0), "is packed by gzip; its name must end in .gz"),
    ],
)
@pytest.mark.parametrize("name", ["a.ndjson", "a.json"])
def test_a_file_of_another_kind_is_told(name: str, data: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        bodies(written(tmp_path / name, data))


@pytest.mark.parametrize("address", ["https://example.org/a.json", "s3://bucket/*.parquet"])
def test_an_address_is_no_file(address: str) -> None:
    with pytest.raises(InputError, match=f"no file .{re.escape(address)}.: only files are read"):
        batches(address)


@pytest.mark.parametrize("name", ["a.ndjson.gz", "a.json.gz", "a.csv.gz"])
@pytest.mark.parametrize("cut", ["short", "other"])
def test_a_damaged_gzip_file_is_refused(name: str, cut: str, tmp_path: Path) -> None:
    whole = gzip.compress(b'{"a":"b"}\n' * 100)
    path = tmp_path / name
    path.write_bytes(whole[:-12] if cut == "short" else b"no gzip at all")
    with pytest.raises(InputError, match=name):
        bodies(path)


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no readable Parquet"):
        bodies(written(tmp_path / "a.parquet", b"not parquet at all"))


def test_a_glob_is_read_in_the_order_of_the_names(tmp_path: Path) -> None:
    for name in ("b.ndjson", "a.ndjson", "c.ndjson"):
        written(tmp_path / name, f'{{"n":"{name}"}}\n')
    assert [row["n"][0] for row in documents(str(tmp_path / "*.ndjson"))] == ["a", "b", "c"]


def test_positions_run_on_over_files(tmp_path: Path) -> None:
    written(tmp_path / "a.ndjson", '{"id":1}\n{"id":2}\n')
    written(tmp_path / "b.json", '[{"id":3}, 4]')
    error = refused(tmp_path / "*.*json")
    assert (error.fields["position"], error.fields["file"]) == (3, str(tmp_path / "b.json"))


def test_a_file_with_a_star_in_its_name_is_that_file(tmp_path: Path) -> None:
    written(tmp_path / "a1.csv", "id\n9\n")
    assert documents(written(tmp_path / "a[1].csv", "id\n5\n")) == [{"id": 5}]


def test_a_folder_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; name its files"):
        batches(tmp_path)


def test_a_missing_file_is_refused_with_a_near_name(tmp_path: Path) -> None:
    written(tmp_path / "movies.csv", "id\n")
    with pytest.raises(InputError, match=r'did you mean "movies\.csv"'):
        batches(str(tmp_path / "movie.csv"))


@pytest.mark.parametrize("name", ["a.txt", "a.parquet.gz", "a"])
def test_a_file_of_an_unknown_kind_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its name must end in"):
        count(written(tmp_path / name, "x"))


@pytest.mark.parametrize("text", ['[{"id": 1}]' + " " * 5000, "a\x00b.csv", "/nowhere/at/all.csv"])
def test_text_that_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no file"):
        batches(text)


def test_a_source_may_be_a_mapping_of_ones_own() -> None:
    class Mine(Mapping[str, int]):
        def __getitem__(self, key: str) -> int:
            return {"id": 1}[key]

        def __iter__(self) -> Iterator[str]:
            return iter(["id"])

        def __len__(self) -> int:
            return 1

    assert documents(Mine()) == [{"id": 1}]
