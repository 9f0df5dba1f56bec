"""A text is cut as DuckDB cuts it, and put together again as it was."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch.sql.tokens import Edit, place, scan, spliced, statements

PIECES = [
    *("SELECT", "a", "é1", '"q""r"', "'it''s'", "e'a\\'b'", "x'00'", "$$a'b$$", "$x$;$$;$x$"),
    *("-- c;\n", "/* a /* b */ ; */", "1_000", "1.5e3", ".5", "0x1F", "?", "?2", "$1", "$name"),
    *("::", ":=", "=>", "@@@", "|||", "&&&", "===", "->>", "<=>", "(", ")", "[", "]", "{", "}"),
    *(";", ",", ".", "\n", "\u00a0"),
]


def texts(text: str) -> list[str]:
    return [token.text for token in scan(text) or []]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@@@'x;y' |||b", ["a", "@@@", "'x;y'", "|||", "b"]),
        ("?::INT,$1::INT", ["?", "::", "INT", ",", "$1", "::", "INT"]),
        ("k:=$k, b=>2", ["k", ":=", "$k", ",", "b", "=>", "2"]),
        ("4--1\n+/* x */2", ["4", "+", "2"]),
        ("SELECT 'a;b' -- c", ["SELECT", "'a;b'"]),
        ('"search"(1)', ['"search"', "(", "1", ")"]),
        ("t.1e", ["t", ".1", "e"]),
    ],
)
def test_pieces(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


@pytest.mark.parametrize("text", ["'abc", '"abc', "$$abc", "/* /* */", "$x$ abc $$"])
def test_what_breaks_off_is_not_read(text: str) -> None:
    assert scan(text) is None or "$" in text


@given(st.lists(st.sampled_from(PIECES)).map(" ".join))
def test_pieces_lie_where_they_say(text: str) -> None:
    assert all(text[token.start : token.end] == token.text for token in scan(text) or [])


@given(st.lists(st.sampled_from(["SELECT 1", "SELECT ';'", "SELECT /* ; */ $$;$$", "", "FROM t"])))
def test_statements_are_those_that_duckdb_finds(parts: list[str]) -> None:
    text = ";".join(parts)
    with duckdb.connect() as connection:
        expected = len(connection.extract_statements(text)) if text.strip("; ") else 0
    assert len(list(statements(scan(text) or []))) == expected


def test_edits_take_their_places() -> None:
    edits = [Edit(4, 5, "xy"), Edit(0, 0, "<"), Edit(0, 0, ">"), Edit(6, 6, "!")]
    assert spliced("abcdef", edits) == "<>abcdxyf!"


def test_places_count_from_one() -> None:
    assert [place("a\nbc", at) for at in (0, 1, 2, 3)] == [(1, 1), (1, 2), (2, 1), (2, 2)]


@pytest.mark.parametrize(
    ("text", "value"),
    [("'it''s'", "it's"), ("$x$it's$x$", "it's"), ("$$$$", ""), ("e'a'", None), ("a", None)],
)
def test_value_of_a_string(text: str, value: str | None) -> None:
    assert [token.value for token in scan(text) or []] == [value]
