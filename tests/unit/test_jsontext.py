"""Is JSON read and written without loss?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch.jsontext import dumps, loads

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(json_values)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert repr(loads(dumps(value))) == repr(value)


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**64, 2**80, -(2**63) - 1, 10**300])
def test_a_whole_number_of_any_size_stays_exact(number: int) -> None:
    assert loads(dumps({"n": [number]})) == {"n": [number]}


def test_text_and_bytes_are_read_alike() -> None:
    assert loads('{"a": "é"}') == loads('{"a": "é"}'.encode()) == {"a": "é"}


def test_json_is_written_without_spaces() -> None:
    assert (
        dumps({"a": [1, 2**70], "é": None}) == '{"a":[1,1180591620717411303424],"é":null}'.encode()
    )


@pytest.mark.parametrize(
    "text", ["", "{", "nul", '{"a":1}}', '{"a": NaN}', f'{{"a": NaN, "b": {10**30}}}']
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        loads(text)


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError):
        dumps(object())
