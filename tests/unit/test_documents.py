"""What becomes of the values of a dict, and what is said of those that cannot be JSON."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hybridsearch.errors import DocumentError
from hybridsearch.sources import batches, to_json

NAN = float("nan")


def bodies(source: object, **limits: int) -> list[bytes]:
    return [body for batch in batches(source, **limits) for body in batch.bodies]


def refused(source: object) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        list(batches(source))
    return caught.value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (dt.date(2020, 1, 2), b'"2020-01-02"'),
        (dt.datetime(2020, 1, 2, 3, 4, 5), b'"2020-01-02T03:04:05"'),
        (dt.datetime(2020, 1, 2, tzinfo=dt.UTC), b'"2020-01-02T00:00:00+00:00"'),
        (dt.time(1, 2, 3), b'"01:02:03"'),
        (dt.time(1, 2, tzinfo=dt.UTC), b'"01:02:00+00:00"'),
        (pd.Timestamp("2020-01-02"), b'"2020-01-02T00:00:00"'),
        (dt.timedelta(seconds=90), b"90"),
        (dt.timedelta(milliseconds=1500), b"1.5"),
        (Decimal("19.99"), b"19.99"),
        (Decimal("20.00"), b"20"),
        (Decimal(2**80), str(2**80).encode()),
        (uuid.UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
        (2**64, b"18446744073709551616"),
        ([{"n": -(2**70)}], b'[{"n":-1180591620717411303424}]'),
        (np.float32(0.1), b"0.1"),
        (np.int8(3), b"3"),
        (np.array([1, 2]), b"[1,2]"),
        (np.zeros((2, 4))[:, ::2], b"[[0.0,0.0],[0.0,0.0]]"),
        ((1, "a"), b'[1,"a"]'),
        (MappingProxyType({"b": None}), b'{"b":null}'),
        (True, b"true"),
        ("null", b'"null"'),
        ([None, 1.5, "null"], b'[null,1.5,"null"]'),
        ("\x00", b'"\\u0000"'),
    ],
    ids=repr,
)
def test_values_become_json(value: Any, expected: bytes) -> None:
    assert to_json({"x": value, "y": None}) == b'{"x":' + expected + b',"y":null}'


@pytest.mark.parametrize(
    ("document", "field", "said"),
    [
        ({"x": NAN}, "x", "is nan"),
        ({"x": float("-inf")}, "x", "is -inf"),
        ({"x": np.float32("nan")}, "x", "is nan"),
        ({"x": Decimal("NaN")}, "x", "is NaN"),
        ({"x": {"y": [1, {"z": NAN}]}}, "x.y[1].z", "is nan"),
        ({"_vectors": {"default": [0.5, NAN]}}, "_vectors.default[1]", "is nan"),
        ({"_vectors": np.array([0.5, np.inf], "f4")}, "_vectors[1]", "is inf"),
        ({"x": "a\ud800"}, "x", "lone surrogate at character 1"),
        ({"a\udfff": 1}, "a\udfff", "lone surrogate in its name"),
        ({"x": {1: 2}}, "x", "has the key 1, a int"),
        ({"x": b"ab"}, "x", "holds bytes"),
        ({"x": {1, 2}}, "x", "holds a set"),
        ({"x": pd.NaT}, "x", "holds a NaTType"),
        ({"x": 10**5000}, "x", "too many digits"),
    ],
    ids=range(14),
)
def test_what_json_cannot_hold_is_named(document: Any, field: str, said: str) -> None:
    error = refused([{"id": "a"}, {"id": "b7", **document}])
    assert said in str(error)
    assert (error.fields["position"], error.fields["id"]) == (1, "b7")
    assert error.fields["field"] == field


@pytest.mark.parametrize("document", [7, None, "text", [1], b"{}", dt.date(2020, 1, 1), [("a", 1)]])
def test_documents_are_objects(document: object) -> None:
    error = refused([{"id": 1}, document])
    assert "not an object" in str(error)
    assert error.fields["position"] == 1


def test_a_key_of_the_document_must_be_text() -> None:
    assert "has the key 1, a int" in str(refused([{1: 2}]))


def test_deep_nesting_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    assert "deeper than 200" in str(refused([deep]))


def test_a_document_that_holds_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["a"] = [loop]
    assert "deeper than 200" in str(refused([loop]))


def test_to_json_says_the_position_it_is_given() -> None:
    with pytest.raises(DocumentError, match=r'^document 12 \(id 5\): field "x" is nan'):
        to_json({"id": 5, "x": NAN}, position=12)
