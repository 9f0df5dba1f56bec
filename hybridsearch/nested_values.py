"""Which texts, numbers and booleans stand at a path inside JSON values?

A path is the names on the way; a name in the JSON may hold dots itself, and lists on the way
stand for their items.

    values_at(['{"a": [{"b": 1}, {"b": 2}]}', '{"a.b": 3}'], ["a", "b"])    # ([2, 1], [1, 2, 3])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hybridsearch.jsontext import loads

SCALAR = (str, int, float)  # booleans are int


def values_at(texts: Sequence[str], path: Sequence[str]) -> tuple[list[int], list[Any]]:
    """(how many values each JSON text has at the path, the values of all, in order).

    Null, and what is neither text, number nor boolean, is left out. Raises ValueError for what is
    not JSON.
    """
    counts: list[int] = []
    values: list[Any] = []
    for value in loads("[" + ",".join(texts) + "]"):
        before = len(values)
        _gather(value, path, values)
        counts.append(len(values) - before)
    return counts, values


def _gather(value: Any, path: Sequence[str], found: list[Any]) -> None:
    if isinstance(value, dict):
        for length in range(1, len(path) + 1):
            name = path[0] if length == 1 else ".".join(path[:length])
            if name in value:
                _gather(value[name], path[length:], found)
    elif isinstance(value, list):
        for item in value:
            _gather(item, path, found)
    elif not path and isinstance(value, SCALAR):
        found.append(value)
