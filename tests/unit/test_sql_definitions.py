"""Statements about search indexes are read as they were written, and errors say where."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch.definition import Item
from hybridsearch.errors import QueryError
from hybridsearch.sql.definitions import (
    Alter,
    Create,
    Definition,
    Described,
    Drop,
    Explain,
    Refresh,
    Show,
    read_definition,
)
from hybridsearch.sql.lowering import read


def definition(text: str) -> Definition | None:
    statement = read(text)
    assert statement is not None
    return read_definition(statement)


TITLE = (Item("title"),)
WHOLE = """
    create or replace search index if not exists "My Index" on main."the docs" (
        title, body TEXT (weight = 2, tokenizer = 'unicode_words'), brand KEYWORD,
        (title || ' ' || body) AS whole TEXT, emb VECTOR(metric = cosine),
        EMBED(lower(body)) AS meaning VECTOR(m = 16), price::TEXT, EMBED(title)
    )
    WHERE price > 3 AND (year IS NULL OR brand = 'with')  -- a reason
    WITH (key = 'id', stopwords = ['a', 'the'], weights = {title: 2, 'body': 0.5}, k1 = -1.5,
          refresh = manual, ascii_folding = true)
"""


def test_a_whole_definition() -> None:
    assert definition(WHOLE) == Create(
        name="My Index",
        source='main."the docs"',
        items=(
            Item("title"),
            Item("body", None, "TEXT", {"weight": 2, "tokenizer": "unicode_words"}),
            Item("brand", None, "KEYWORD"),
            Item("(title || ' ' || body)", "whole", "TEXT"),
            Item("emb", None, "VECTOR", {"metric": "cosine"}),
            Item("lower(body)", "meaning", "EMBED", {"m": 16}),
            Item("price::TEXT"),
            Item("title", None, "EMBED"),
        ),
        where="price > 3 AND (year IS NULL OR brand = 'with')",
        options={
            "key": "id",
            "stopwords": ["a", "the"],
            "weights": {"title": 2, "body": 0.5},
            "k1": -1.5,
            "refresh": "manual",
            "ascii_folding": True,
        },
        replace=True,
        if_not_exists=True,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CREATE SEARCH INDEX a ON t (title)", Create("a", "t", TITLE)),
        ("CREATE SEARCH INDEX a ON 'd/*.parquet' (title)", Create("a", "'d/*.parquet'", TITLE)),
        ("CREATE SEARCH INDEX a ON (FROM t, u) (title)", Create("a", "(FROM t, u)", TITLE)),
        ("CREATE SEARCH INDEX a ON x.y.z (text)", Create("a", "x.y.z", (Item("text"),))),
        ("REFRESH SEARCH INDEX a", Refresh("a")),
        ("Refresh Search Index a Full", Refresh("a", full=True)),
        ("ALTER SEARCH INDEX a SET (refresh = 'auto')", Alter("a", {"refresh": "auto"})),
        ("DROP SEARCH INDEX a", Drop("a")),
        ('DROP SEARCH INDEX IF EXISTS "a""b"', Drop('a"b', if_exists=True)),
        ("SHOW SEARCH INDEXES", Show()),
        ("DESCRIBE SEARCH INDEX a", Described("a")),
        ("DESC SEARCH INDEX a", Described("a")),
        ("EXPLAIN SEARCH FROM t", Explain(15)),
        ("EXPLAIN SEARCH ANALYZE SELECT 1", Explain(23, analyze=True)),
    ],
)
def test_statements(text: str, expected: Definition) -> None:
    assert definition(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE search (index INTEGER)",
        "CREATE INDEX search ON t (a)",
        "SELECT * FROM search",
        "DESCRIBE search",
        "EXPLAIN SELECT 1",
        "SHOW search",
        "DROP TABLE search",
        "ALTER TABLE search RENAME TO index",
        "FROM search",
        "search index",
    ],
)
def test_other_statements_are_left_alone(text: str) -> None:
    assert definition(text) is None


@pytest.mark.parametrize(
    ("text", "message", "token"),
    [
        ("CREATE SEARCH INDEX", "expected the name of the index, found the end", 2),
        ("CREATE SEARCH INDEX ON t (b)", "expected a name for the index, as in CREATE SEARCH", 3),
        ("CREATE SEARCH INDEX IF NOT EXISTS ON t", "expected a name for the index", 6),
        ("CREATE SEARCH INDEX a t (b)", 'expected ON, found "t"', 4),
        ("CREATE SEARCH INDEX a ON 5 (b)", "expected a table, 'files' or (a query)", 5),
        ("CREATE SEARCH INDEX a ON t", 'expected "(" with what is to be searched', 5),
        ("CREATE SEARCH INDEX a ON t ()", "there is nothing to be searched", 7),
        ("CREATE SEARCH INDEX a ON t (b) WHERE", "expected a condition, found the end", 9),
        ("CREATE SEARCH INDEX a ON t (b) WITH k = 1", 'expected "(" with options', 10),
        ("CREATE SEARCH INDEX a ON t (b) WITH (k)", 'expected "=", found the end', 12),
        ("CREATE SEARCH INDEX a ON t (b) WITH (k = 1, K = 2)", 'option "k" is given twice', 15),
        ("CREATE SEARCH INDEX a ON t (b) ON", 'expected the end of the statement, found "ON"', 9),
        ("CREATE SEARCH INDEX IF EXISTS a ON t (b)", "expected ON", 4),
        ("REFRESH SEARCH INDEX a HALF", "expected the end of the statement", 4),
        ("ALTER SEARCH INDEX a (b = 1)", 'expected SET, found "("', 4),
        ("ALTER SEARCH INDEX a SET (b = -)", 'expected a value, found "-"', 8),
        ("DROP SEARCH INDEX 'a'", "expected the name of the index, found \"'a'\"", 3),
        ("SHOW SEARCH INDEX", 'expected INDEXES, found "INDEX"', 2),
        ("EXPLAIN SEARCH ANALYZE", "EXPLAIN SEARCH needs a statement", 2),
    ],
)
def test_errors_say_what_was_wanted_and_where(text: str, message: str, token: int) -> None:
    with pytest.raises(QueryError) as caught:
        definition(text)
    assert message in caught.value.message
    assert caught.value.fields["token"] == token


@given(st.lists(st.sampled_from(WHOLE.replace("(", " ( ").replace(")", " ) ").split())))
def test_nothing_else_is_ever_raised(words: list[str]) -> None:
    statement = read("CREATE SEARCH INDEX " + " ".join(words))
    if statement is not None:
        with suppress(QueryError):
            read_definition(statement)
