"""Laws of sources: what goes in comes out, whatever it is packed in."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridsearch.sources import batches, to_json

law = settings(deadline=None, max_examples=60)
texts = st.text(max_size=20)
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | floats | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
documents = st.dictionaries(texts, values, max_size=6)
awkward = documents | st.recursive(st.floats() | st.integers(), lambda inner: st.lists(inner))


def read(source: object, **limits: int) -> list[Any]:
    return [json.loads(body) for batch in batches(source, **limits) for body in batch.bodies]


def through_file(name: str, data: str) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_text(data, newline="")
        return read(path)


@law
@given(st.lists(documents, max_size=8))
def test_dicts_come_back_exactly(rows: list[dict[str, Any]]) -> None:
    assert repr(read(rows)) == repr(rows)


@law
@given(st.lists(documents, max_size=8), st.booleans())
def test_lines_come_back_exactly(rows: list[dict[str, Any]], ascii_only: bool) -> None:
    text = "\n".join(json.dumps(row, ensure_ascii=ascii_only) for row in rows)
    assert repr(through_file("a.ndjson", text)) == repr(rows)


@law
@given(st.lists(documents, max_size=8), st.sampled_from([None, 0, 3]))
def test_arrays_come_back_exactly(rows: list[dict[str, Any]], indent: int | None) -> None:
    text = json.dumps(rows, indent=indent, ensure_ascii=False)
    assert repr(through_file("a.json", text)) == repr(rows)


@law
@given(st.dictionaries(texts, awkward, max_size=4))
def test_a_document_is_exact_or_refused(document: dict[str, Any]) -> None:
    try:
        body = to_json(document)
    except ValueError:
        assert not _all_finite(document)
    else:
        assert _all_finite(document)
        assert repr(json.loads(body)) == repr(document)


def _all_finite(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(map(_all_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


@law
@given(
    st.lists(documents, max_size=20),
    st.integers(min_value=1, max_value=5),
    st.integers(min_value=1, max_value=200),
)
def test_batches_are_full_enough_and_in_order(
    rows: list[dict[str, Any]], most: int, room: int
) -> None:
    found = list(batches(rows, max_documents=most, max_bytes=room))
    flat = [body for batch in found for body in batch.bodies]
    starts = [sum(len(batch.bodies) for batch in found[:i]) for i in range(len(found))]
    assert flat == [to_json(row) for row in rows]
    assert [batch.start for batch in found] == starts
    assert all(1 <= len(batch.bodies) <= most for batch in found)
    assert all(len(b.bodies) == 1 or sum(map(len, b.bodies)) <= room for b in found)


columns = st.fixed_dictionaries(
    {
        "i": st.none() | st.integers(-(2**63), 2**63 - 1),
        "f": st.none() | floats,
        "t": st.none() | texts,
        "l": st.none() | st.lists(st.none() | floats, max_size=3),
        "d": st.none() | st.fixed_dictionaries({"a": st.none() | st.lists(texts, max_size=2)}),
    }
)
SCHEMA = pa.schema(
    [
        ("i", pa.int64()),
        ("f", pa.float64()),
        ("t", pa.string()),
        ("l", pa.list_(pa.float64())),
        ("d", pa.struct([("a", pa.list_(pa.string()))])),
    ]
)


@law
@given(st.lists(columns, max_size=10), st.integers(min_value=0, max_value=10))
def test_tables_come_back_exactly(rows: list[dict[str, Any]], skipped: int) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA).slice(skipped)
    assert read(table) == rows[skipped:]
