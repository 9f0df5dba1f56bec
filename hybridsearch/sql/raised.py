"""Which error did a function of ours raise, of which DuckDB tells only a text?

DuckDB keeps the class's name and the message of what a Python function raises; code and fields are
lost on the way. `remembering` keeps the last errors of a function, `recalled` gives one back.

    function = remembering(function)
    recalled("QueryError", "k must be 0 or more, not -1").code      # 'invalid_search_k'
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from hybridsearch import errors
from hybridsearch.errors import HybridSearchError

__all__ = ["recalled", "remembering"]

KEPT = 64
_Answer = TypeVar("_Answer")
_last: OrderedDict[tuple[str, str], HybridSearchError] = OrderedDict()


def remembering(function: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """The function, whose errors can be recalled."""

    @wraps(function)
    def call(*given: object) -> _Answer:
        try:
            return function(*given)
        except HybridSearchError as error:
            kept = type(error).__new__(type(error), error.message)  # without frames that it holds
            kept.__dict__.update(error.__dict__)
            _last[type(error).__name__, error.message] = kept
            while len(_last) > KEPT:
                _last.popitem(last=False)
            raise

    return call


def recalled(kind: str, message: str) -> HybridSearchError | None:
    """The error of that class and message; None where there is no such class of ours."""
    known = _last.get((kind, message))
    if known is not None:
        return known
    found = getattr(errors, kind, None)
    ours = isinstance(found, type) and issubclass(found, HybridSearchError)
    return found(message) if ours and found is not None else None
