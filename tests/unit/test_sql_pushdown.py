"""Which conditions and LIMITs are pushed into a search, and that ties go by key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import hybridsearch
from hybridsearch import Database
from hybridsearch.sql.connection import Connection

DOCS = """
CREATE TABLE docs (id INTEGER PRIMARY KEY, title VARCHAR, brand VARCHAR, price DOUBLE);
INSERT INTO docs VALUES (1, 'red shoes', 'acme', 80), (2, 'blue shoes', 'zeta', 5),
    (3, 'red boots', 'acme', 20), (4, 'shoes', NULL, 10);
CREATE TABLE others (id INTEGER, price DOUBLE);
INSERT INTO others VALUES (2, 1), (4, 2);
CREATE SEQUENCE numbers;
CREATE MACRO mostly(x) AS x > 0 AND random() < 2;
CREATE SEARCH INDEX docs_idx ON docs (title);
"""
S = "search('docs_idx', 'red shoes', mode := 'keyword')"
K = S.replace(")", ", k := 2)")


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    with hybridsearch.open(default_embedder=None) as db, db.connect() as found:
        found.execute(DOCS)
        yield found


def said(connection: Connection, statement: str, what: str) -> list[str]:
    """What EXPLAIN SEARCH says behind that word."""
    lines = [line for (line,) in connection.execute(f"EXPLAIN SEARCH {statement}").fetchall()]
    return [line.removeprefix(f"{what}: ") for line in lines if line.startswith(f"{what}: ")]


PUSHED_AROUND = [
    (f"SELECT id FROM (FROM {S}) WHERE price < 50", ["price < 50"]),
    (f"SELECT id FROM (SELECT * FROM {S}) AS h WHERE h.price < 50 AND id > 1", 2),
    (f"SELECT * FROM (SELECT id, price FROM {S}) WHERE price < 50", ["price < 50"]),
    (f"WITH h AS (FROM {S}) SELECT count(*) FROM h WHERE price < 50", ["price < 50"]),
    (f"WITH h AS NOT MATERIALIZED (FROM {S}) SELECT g.id FROM h g WHERE g.price < 50", 1),
    (f"SELECT id FROM (FROM {S}) WHERE id IN (SELECT id FROM others)", 1),
    (f"SELECT id FROM (FROM {S} WHERE price > 6) WHERE price < 50", 2),
    (f"SELECT o.id FROM others o WHERE EXISTS (SELECT id FROM (FROM {S}) WHERE price < 50)", 1),
]
NOT_PUSHED_AROUND = {
    "a k": f"SELECT id FROM (FROM {K}) WHERE price < 50",
    "a LIMIT": f"SELECT id FROM (FROM {S} LIMIT 2) WHERE price < 50",
    "a window": f"SELECT id FROM (SELECT *, count(*) OVER () FROM {S}) WHERE price < 50",
    "DISTINCT": f"SELECT price FROM (SELECT DISTINCT price FROM {S}) WHERE price < 50",
    "groups": f"SELECT price FROM (SELECT price FROM {S} GROUP BY price) WHERE price < 50",
    "a UNION": f"SELECT id FROM (FROM {S} UNION ALL FROM {S}) WHERE price < 50",
    "another meaning": f"SELECT id FROM (SELECT id, -price AS price FROM {S}) WHERE price < 50",
    "ranks that are seen": f"SELECT id, _rank FROM (FROM {S}) WHERE price < 50",
    "ranks under a star": f"SELECT * FROM (FROM {S}) WHERE price < 50",
    "ranks in a row": f"SELECT h FROM (FROM {S}) h WHERE price < 50",
    "ranks by COLUMNS": f"SELECT COLUMNS(lambda c: c = '_rank') FROM (FROM {S}) WHERE price < 50",
    "ranks that decide": f"SELECT id FROM (FROM {S} WHERE _rank < 3) WHERE price < 50",
    "FROM first": f"FROM (FROM {S}) WHERE price < 50",
    "a CTE that is read twice": f"WITH h AS (FROM {S}) SELECT h.id FROM h WHERE price < 50"
    " UNION ALL SELECT id FROM h",
    "a join": f"SELECT h.id FROM (FROM {S}) h, others o WHERE h.price < 50 AND o.id = h.id",
    "one best of each": f"SELECT id FROM (FROM {S.replace(')', ', distinct_by := $$brand$$)')})"
    " WHERE price < 50",
    "both arms": "SELECT id FROM (FROM search('docs_idx', 'red shoes')) WHERE price < 50",
    "a name of another query": "SELECT price FROM others o WHERE EXISTS (SELECT id FROM"
    f" (SELECT id FROM {S}) WHERE price < 50)",
    "volatile": f"SELECT id FROM (FROM {S}) WHERE random() < 2",
}


@pytest.mark.parametrize(("statement", "conditions"), PUSHED_AROUND)
def test_a_condition_around_a_subquery_is_pushed(
    connection: Connection, statement: str, conditions: Any
) -> None:
    found = said(connection, statement, "pushed")
    assert found == conditions if isinstance(conditions, list) else len(found) == conditions
    assert by_hand(connection, statement) == sorted(connection.execute(statement).fetchall())


@pytest.mark.parametrize("statement", NOT_PUSHED_AROUND.values(), ids=NOT_PUSHED_AROUND.keys())
def test_but_not_where_it_would_show(connection: Connection, statement: str) -> None:
    assert said(connection, statement, "pushed") == []
    found = connection.execute(statement).fetchall()
    assert by_hand(connection, statement) == sorted(found, key=str)


def by_hand(connection: Connection, statement: str) -> list[tuple[Any, ...]]:
    """What the statement gives without the front end, and so without any pushdown."""
    return sorted(connection.bare.execute(statement).fetchall(), key=str)


VOLATILE = ["random() < 2", "nextval('numbers') > 0", "uuid()::VARCHAR <> title", "mostly(price)"]


@pytest.mark.parametrize("condition", VOLATILE)
def test_a_volatile_condition_stays_after_the_search(
    connection: Connection, condition: str
) -> None:
    statement = f"SELECT id FROM {S} WHERE price > 0 AND {condition} LIMIT 3"
    assert said(connection, statement, "pushed") == ["price > 0"]
    [one, limit] = said(connection, statement, "not pushed")
    assert "may give another value at each call" in one
    assert "a condition stays after the search" in limit
    assert said(connection, statement, "k from LIMIT") == []
    assert connection.execute(statement).fetchall() == [(1,), (3,), (4,)]


RANKED = {
    "": True,
    "ORDER BY _rank": True,
    "ORDER BY h._rank ASC": True,
    "ORDER BY _rank, price DESC": True,
    "ORDER BY _score DESC": True,
    "ORDER BY _score DESC, id": True,
    "ORDER BY h._score DESC, h.ID ASC": True,
    'ORDER BY "_score" DESC, "id", price': True,
    "ORDER BY _score DESC, _rank": True,
    "ORDER BY _rank DESC": False,
    "ORDER BY _score": False,
    "ORDER BY _score DESC, id DESC": False,
    "ORDER BY _score DESC, price": False,
    "ORDER BY _score DESC, id + 0": False,
    "ORDER BY id": False,
    "ORDER BY ALL": False,
}


@pytest.mark.parametrize(("order", "pushed"), RANKED.items())
def test_a_limit_says_k_under_the_order_of_ranks(
    connection: Connection, order: str, pushed: bool
) -> None:
    statement = f"SELECT h.id FROM {S} h {order} LIMIT 2 OFFSET 1"
    assert said(connection, statement, "k from LIMIT") == (["2 + 1"] if pushed else [])
    whole = f"SELECT h.id FROM {S} h {order or 'ORDER BY _rank'}"
    expected = connection.bare.execute(whole).fetchall()[1:3]
    assert connection.execute(statement).fetchall() == expected


@pytest.mark.parametrize("name", ["id", "_score", "_rank"])
def test_a_name_that_is_given_to_something_else_is_another_order(
    connection: Connection, name: str
) -> None:
    statement = f"SELECT -price AS {name} FROM {S} ORDER BY _score DESC, {name} LIMIT 1"
    assert said(connection, statement, "k from LIMIT") == []
    expected = connection.bare.execute(statement).fetchall()
    assert connection.execute(statement).fetchall() == expected


# Ties

KEYS = {
    "INTEGER": [30, 4, -1, 200, 9],
    "VARCHAR": ["b", "ä", "B", "10", "9", " "],
    "DECIMAL(6, 2)": ["10.25", "9.9", "-3", "-20"],
    "DATE": ["2021-05-01", "0900-01-01", "2020-12-31"],
    "HUGEINT": [2**70, 3, -(2**70)],
}


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    with hybridsearch.open(default_embedder=None) as found:
        yield found


@pytest.mark.parametrize(("kind", "keys"), KEYS.items())
@pytest.mark.parametrize("query", ["'same'", "''"])
def test_equal_scores_go_by_key_in_the_order_of_its_type(
    db: Database, kind: str, keys: list[Any], query: str
) -> None:
    with db.connect() as con:
        con.execute(f"CREATE OR REPLACE TABLE tied (k {kind}, t VARCHAR)")
        for key in keys:
            con.execute("INSERT INTO tied VALUES ($1, 'same')", [key])
        con.execute("CREATE OR REPLACE SEARCH INDEX tied_idx ON tied (t) WITH (key = k)")
        ordered = con.execute("SELECT k FROM tied ORDER BY k").fetchall()
        for count in range(1, len(keys) + 2):
            call = f"search('tied_idx', {query}, mode := 'keyword', k := {count})"
            for door in (con, con.bare):
                found = door.execute(f"SELECT k, _rank FROM {call} ORDER BY _rank").fetchall()
                assert [key for key, _ in found] == [key for (key,) in ordered[:count]]
                assert [rank for _, rank in found] == list(range(1, len(found) + 1))


@pytest.mark.parametrize("ids", [[30, 4, 200, 9], ["b", "10", "9", "a"]])
def test_in_a_managed_index_too_and_an_update_moves_nothing(db: Database, ids: list[Any]) -> None:
    index = db.create_index(f"managed{ids[0]}", primary_key="id")
    index.add([{"id": id_, "t": "same"} for id_ in ids])
    index.add([{"id": min(ids), "t": "same"}])
    with db.connect() as con:
        for count in range(1, 5):
            call = f"SELECT id FROM search('managed{ids[0]}', 'same', k := {count})"
            assert con.execute(call).fetchall() == [(id_,) for id_ in sorted(ids)[:count]]


def test_more_ties_than_were_looked_at(db: Database) -> None:
    with db.connect() as con:
        con.execute("CREATE TABLE many AS SELECT 30000 - range AS id, 'a b' AS t FROM range(30000)")
        con.execute("INSERT INTO many VALUES (40000, 'a a')")
        con.execute("CREATE SEARCH INDEX many_idx ON many (t) WITH (key = id)")
        found = "SELECT id FROM search('many_idx', 'a', mode := 'keyword'"
        assert con.execute(f"{found}, k := 4)").fetchall() == [(40000,), (1,), (2,), (3,)]
        low = con.execute(f"{found}, k := 2) WHERE id < 50 AND id > 7").fetchall()
        assert low == [(8,), (9,)]
        page = con.execute(f"{found}) ORDER BY _score DESC, id LIMIT 2 OFFSET 20000").fetchall()
        assert page == [(20000,), (20001,)]
        assert con.execute(f"{found}, distinct_by := 't')").fetchall() == [(40000,), (1,)]


def test_k_rows_come_by_meaning_beyond_the_usual_candidates(db: Database) -> None:
    with db.connect() as con:
        con.execute(
            "CREATE TABLE near AS SELECT range AS id, [range, 100]::FLOAT[2] AS v FROM range(900)"
        )
        con.execute("CREATE SEARCH INDEX near_idx ON near (v) WITH (key = id)")
        call = "search('near_idx', '', vector := [1, 0]"
        count = "SELECT count(*), max(_rank) FROM"
        assert con.execute(f"{count} {call}, k := 500)").fetchall() == [(500, 500)]
        assert con.execute(f"{count} {call})").fetchall() == [(200, 200)]
        # LIMIT changes nothing in what there is.
        for limit in ("500", "$1"):
            found = con.execute(f"FROM {call}) LIMIT {limit}", [500] if limit == "$1" else None)
            assert len(found.fetchall()) == 200
            relation = con.sql(
                f"FROM {call}) LIMIT {limit}", params=[500] if limit == "$1" else None
            )
            assert len(relation.fetchall()) == 200


BY_SCORE = (
    "SELECT id FROM search('goods', 'shoe', mode := 'keyword') ORDER BY _score DESC, id LIMIT 3"
)
AROUND = "SELECT id FROM (FROM search('goods', 'shoe', mode := 'keyword')) WHERE price > 3"


GOODS = [
    {"id": n, "title": "shoe " * (1 + n % 5) + "box " * (n % 7), "price": n, "kind": n % 3}
    for n in range(60)
]


@pytest.fixture
def goods(db: Database) -> Iterator[hybridsearch.Index]:
    index = db.create_index("goods", primary_key="id")
    index.add(GOODS)
    yield index
    db.drop_index("goods")


def test_a_limit_by_score_is_right_where_rules_of_the_index_go_before_scores(
    db: Database, goods: hybridsearch.Index
) -> None:
    with db.connect() as connection:
        by_score = connection.execute(BY_SCORE).fetchall()
        goods.update_settings({"rankingRules": ["price:desc", "words", "sort"]})
        assert connection.execute(BY_SCORE).fetchall() == by_score
        assert said(connection, BY_SCORE, "k from LIMIT") == []
        by_rank = BY_SCORE.replace("_score DESC, id", "_rank")
        assert connection.execute(by_rank).fetchall() == [(59,), (58,), (57,)]
        assert said(connection, by_rank, "k from LIMIT") == ["3"]


def test_a_limit_by_score_of_what_is_kept_holds_while_hits_stand_in_that_order(
    db: Database, goods: hybridsearch.Index
) -> None:
    with db.connect() as connection:
        best = connection.execute(BY_SCORE).fetchall()
        for kept in ("CREATE TEMP VIEW best AS", "PREPARE best AS"):
            [step] = connection._session.steps(f"{kept} {BY_SCORE}") or []
            lowered = connection._session.lowered(step).text
            assert "most := 3" in lowered
            connection.execute(step.text)
        found = "SELECT count(*) FROM search('goods', 'shoe', most := 3)"
        for settings, count in ((["words"], 3), (["price:desc", "words", "sort"], len(GOODS))):
            goods.update_settings({"rankingRules": settings})
            assert connection.bare.execute(found).fetchall() == [(count,)]
            assert connection.execute("FROM best").fetchall() == best
            assert connection.execute("EXECUTE best").fetchall() == best


def test_a_condition_around_one_hit_for_each_value_stays_around_it(
    db: Database, goods: hybridsearch.Index
) -> None:
    with db.connect() as connection:
        assert len(connection.execute(AROUND).fetchall()) == 56
        goods.update_settings({"distinctAttribute": "kind"})
        first = connection.execute("SELECT id FROM search('goods', 'shoe', mode := 'keyword')")
        kept = [row for row in first.fetchall() if row[0] > 3]
        assert sorted(connection.execute(AROUND).fetchall()) == sorted(kept)


def test_a_limit_by_score_is_right_beside_diversity() -> None:
    searched = "search('goods', 'shoe', diversity := 0.7)"
    with hybridsearch.open() as db, db.connect() as connection:
        db.create_index("goods", primary_key="id").add(GOODS)
        every = connection.execute(f"SELECT id, _score FROM {searched}").fetchall()
        best = sorted(every, key=lambda row: (-row[1], row[0]))[:3]
        assert [row[0] for row in every[:3]] != [row[0] for row in best]
        cut = f"SELECT id, _score FROM {searched} ORDER BY _score DESC, id LIMIT 3"
        assert connection.execute(cut).fetchall() == best


KEPT = "search('kept', 'red', mode := 'keyword')"
KEPT_QUERIES = {
    "by_score": f"SELECT id FROM {KEPT} ORDER BY _score DESC, id LIMIT 2",
    "around": f"SELECT id FROM (FROM {KEPT}) WHERE price > 2 ORDER BY id",
}
CHANGES: list[dict[str, Any]] = [
    {"ranking_rules": ["price:desc", "words"]},
    {"distinct_attribute": "brand"},
    {"ranking_rules": ["price:desc"], "distinct_attribute": "brand"},
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_kept_gives_the_same_after_settings_were_changed(
    memory: Database, change: dict[str, Any]
) -> None:
    rows = [
        ("red red red", "a", 1),
        ("red shoe", "a", 5),
        ("red shoe hat", "b", 9),
        ("red", "b", 3),
    ]
    names = ("title", "brand", "price")
    index = memory.create_index("kept", primary_key="id", settings={"language": "none"})
    index.add([{"id": n, **dict(zip(names, row, strict=True))} for n, row in enumerate(rows, 1)])
    with memory.connect() as con:
        for name, query in KEPT_QUERIES.items():
            con.execute(f"CREATE VIEW {name} AS {query}")
            con.execute(f"PREPARE {name} AS {query}")
        index.update_settings(change)
        for name, query in KEPT_QUERIES.items():
            expected = con.execute(query).fetchall()
            assert con.execute(f"FROM {name}").fetchall() == expected
            assert con.execute(f"EXECUTE {name}").fetchall() == expected
