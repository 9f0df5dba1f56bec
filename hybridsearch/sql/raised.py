"""Which error did a function of ours meet, of which DuckDB tells only a text?

What a Python function raises reaches a statement within words of DuckDB's own, as a "Python
exception while executing the UDF". So most of our functions give what is wrong as a value beside
their answer (`as_values`), and the macros over them raise it by DuckDB's own error(), which says
the message alone. Class, code and fields are lost either way: the last errors are remembered by
their message, and `recalled` gives one back.

    function = as_values(function)          # a struct of value and error
    recalled("k must be 0 or more, not -1").code      # 'invalid_search_k'
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import pyarrow as pa

from hybridsearch.errors import HybridSearchError

__all__ = ["as_values", "recalled", "remembered", "remembering"]

KEPT = 64
_Answer = TypeVar("_Answer")
_last: OrderedDict[str, HybridSearchError] = OrderedDict()


def as_values(
    function: Callable[..., pa.Array], construct: str | None
) -> Callable[..., pa.StructArray]:
    """The function over Arrow columns, giving structs of value and error; one of them is null.

    construct: what people have written, which the error names. An error is that of all rows that
    were asked for together.
    """

    @wraps(function)
    def call(*columns: pa.ChunkedArray) -> pa.StructArray:
        count = len(columns[0])
        try:
            value, told = function(*columns), pa.nulls(count, pa.string())
        except HybridSearchError as error:
            text = remembered(error, construct)
            value, told = pa.nulls(count), pa.array([text] * count, pa.string())
        return pa.StructArray.from_arrays([value, told], names=["value", "error"])

    return call


def remembering(function: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """The function, whose errors can be recalled."""

    @wraps(function)
    def call(*given: object) -> _Answer:
        try:
            return function(*given)
        except HybridSearchError as error:
            remembered(error)
            raise

    return call


def remembered(error: HybridSearchError, construct: str | None = None) -> str:
    """The error's message, with the construct that it comes from, by which it can be recalled."""
    kept = type(error).__new__(type(error), error.message)  # without frames that it holds
    kept.__dict__.update(error.__dict__)
    named = construct is None or "function" in error.fields
    text = error.message if named else f"{error.message} (in {construct})"
    _last[text] = kept
    _last.move_to_end(text)
    while len(_last) > KEPT:
        _last.popitem(last=False)
    return text


def recalled(message: str) -> HybridSearchError | None:
    """The last error of that message; None where it is none of ours."""
    return _last.get(message)
