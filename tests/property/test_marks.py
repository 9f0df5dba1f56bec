"""What is marked in a text is what its operator matches there, and nothing of the text is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import hybridsearch
from hybridsearch.sql.connection import Connection
from tests.property.test_operators import pieces, texts, words

OPEN, CLOSE = "⟦", "⟧"
USUAL: Any = {"deadline": None, "suppress_health_check": list(HealthCheck)}
positive = st.one_of(
    words,
    words.map("{}*".format),
    st.builds("{}~{}".format, words, st.integers(1, 2)),
    st.builds('"{} {}"'.format, words, words),
    st.builds('"{} {}"~{}'.format, words, words, st.integers(0, 3)),
)
many = st.lists(texts, min_size=1, max_size=6)
FROM = "FROM (SELECT unnest($texts::VARCHAR[]) AS v)"


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    with hybridsearch.open(default_embedder=None) as db, db.connect() as made:
        yield made


def plain(marked: str) -> str:
    return marked.replace(OPEN, "").replace(CLOSE, "")


@settings(max_examples=50, **USUAL)
@given(many, st.lists(pieces, max_size=3).map(" ".join))
def test_only_marks_are_added(connection: Connection, given: list[str], query: str) -> None:
    rows = connection.execute(
        f"SELECT v, highlight(v, '{OPEN}', '{CLOSE}', query := $q) {FROM}",
        {"texts": given, "q": query},
    ).fetchall()
    assert [text for text, _ in rows] == given
    assert [plain(marked) for _, marked in rows] == given


@settings(max_examples=50, **USUAL)
@given(many, st.lists(positive, min_size=1, max_size=3).map(" ".join))
@example(["red shoe"], "shoes~1")
def test_what_an_operator_asks_is_marked_where_it_is_found(
    connection: Connection, given: list[str], query: str
) -> None:
    shown = f"v, highlight(v, '{OPEN}', '{CLOSE}'), snippet(v, '{OPEN}', '{CLOSE}', 12)"
    for operator in ("@@@", "|||", "&&&"):
        rows = connection.execute(
            f"SELECT {shown} {FROM} WHERE v {operator} $q", {"texts": given, "q": query}
        ).fetchall()
        for text, marked, piece in rows:
            assert OPEN in marked, (operator, text)
            assert OPEN in piece, (operator, text)
            assert plain(piece).strip("…") in text
            assert len(plain(piece).strip("…")) <= 12


@settings(max_examples=40, **USUAL)
@given(many, texts)
def test_a_text_has_marks_for_any_word_only_if_it_holds_one(
    connection: Connection, given: list[str], query: str
) -> None:
    rows = connection.execute(
        f"SELECT v, v ||| $q AS holds, highlight(v, '{OPEN}', '{CLOSE}') AS marked"
        f" {FROM} WHERE v ||| $q OR true",
        {"texts": given, "q": query},
    ).fetchall()
    assert [OPEN in marked for _, _, marked in rows] == [holds for _, holds, _ in rows]


@settings(max_examples=12, **USUAL)
@given(many, st.lists(words, min_size=1, max_size=2).map(" ".join), st.sampled_from(["none", "en"]))
def test_every_hit_of_a_search_has_a_mark(
    connection: Connection, given: list[str], query: str, stemmer: str
) -> None:
    connection.execute("CREATE OR REPLACE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", [[n, v] for n, v in enumerate(given)])
    connection.execute(
        f"CREATE OR REPLACE SEARCH INDEX t_idx ON t (v) WITH (stemmer = '{stemmer}')"
    )
    rows = connection.execute(
        f"SELECT v, highlight(v, '{OPEN}', '{CLOSE}') FROM search('t_idx', $q, typos := 1)",
        {"q": query},
    ).fetchall()
    for text, marked in rows:
        assert OPEN in marked, text
        assert plain(marked) == text
