"""Which texts, numbers and booleans stand at a path inside JSON values?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from hybridsearch.nested_values import values_at


@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        ({"a": {"b": 1}}, ["a", "b"], [1]),
        ({"a": [{"b": 1}, {"b": [2, "x"]}, 5]}, ["a", "b"], [1, 2, "x"]),
        ({"a.b": 1, "a": {"b": 2}}, ["a", "b"], [2, 1]),
        ({"a": {"b": None}}, ["a", "b"], []),
        ({"a": 1}, ["a", "b"], []),
        ([1, [True]], [], [1, True]),
        ({"a": 1}, [], []),
        ({"a": 2**80}, ["a"], [2**80]),
    ],
)
def test_the_scalars_at_a_path_are_found(value: Any, path: list[str], expected: list[Any]) -> None:
    assert values_at([json.dumps(value)], path) == ([len(expected)], expected)


def test_each_text_has_a_count_of_its_own() -> None:
    texts = ['{"a": [1, 2]}', "{}", "null", '{"a": "x"}']
    assert values_at(texts, ["a"]) == ([2, 0, 0, 1], [1, 2, "x"])


def test_no_texts_have_no_values() -> None:
    assert values_at([], ["a"]) == ([], [])
