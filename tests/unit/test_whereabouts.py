"""Where the rows of hits come from, their places in the table or the copy, does not show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from hybridsearch import Database
from hybridsearch.sql.connection import Connection
from hybridsearch.whereabouts import PATIENCE
from tests.unit import front_end
from tests.unit.front_end import ahead, settle

COUNT = 200
TABLE = f"""
CREATE TABLE t AS SELECT 'k' || (i * 37 % {COUNT}) AS name, i AS n,
    'word' || (i % 3) || ' shared' AS title, i * 7 % 10 AS digit FROM range({COUNT}) r(i)
"""
COLLATED = "ALTER TABLE t ADD COLUMN spoken VARCHAR COLLATE NOCASE"
"""The copy that an index has does not give back such a table."""
FOUND = "SELECT name, n, title, _rank, _score FROM search('i', 'word1', k := 50, mode := 'keyword')"
KEPT = f"{FOUND} WHERE digit < 4 AND n > 20"


@pytest.fixture(params=["from the copy", "by places"])
def con(request: pytest.FixtureRequest, db: Database, path: Path) -> Iterator[Connection]:
    with db.connect() as found:
        found.execute(TABLE)
        if request.param == "by places":
            found.execute(COLLATED)
        index(found)
        ready(found, path)
        yield found


def index(con: Connection, *, key: str = "name", options: str = "") -> None:
    given = f"key = '{key}', stemmer = none{options}"
    con.execute(f"CREATE OR REPLACE SEARCH INDEX i ON t (title) WITH ({given})")


def ready(con: Connection, path: Path, text: str = FOUND) -> None:
    """Long after the last commit, so many searches were made that the places are read."""
    settle(path)
    for _ in range(PATIENCE + 1):
        con.execute(text).fetchall()


def by_place(con: Connection, text: str = FOUND) -> bool:
    """Whether the statement finds the rows of the hits at their places."""
    made = ahead(con, text)
    assert made is not None
    return bool(made.signs)


def native(con: Connection, text: str) -> list[Any]:
    """What the functions give that know of no places; a WHERE goes with it as a list of keys."""
    found: list[Any] = front_end.native(con, text).fetchall()
    return found


def same(con: Connection, text: str) -> bool:
    found = con.execute(text).fetchall()
    return bool(found) and found == native(con, text)


@pytest.mark.parametrize("text", [FOUND, KEPT])
def test_what_is_found_at_its_place_is_what_is_found_by_key(con: Connection, text: str) -> None:
    assert by_place(con, text)
    assert same(con, text)


@pytest.mark.parametrize(
    ("kind", "value", "primary"),
    [
        ("UUID", "md5(n::VARCHAR)::UUID", False),
        ("TIMESTAMP", "TIMESTAMP '2020-01-01 01:02:03.004' + to_hours(n::INTEGER)", True),
        ("DECIMAL(9, 2)", "n", False),
        ("BLOB", "encode(name)", False),
        ("VARCHAR COLLATE NOCASE", "upper(name)", True),
    ],
)
def test_keys_of_any_type(
    con: Connection, path: Path, kind: str, value: str, primary: bool
) -> None:
    con.execute(f"ALTER TABLE t ADD COLUMN made {kind}")
    con.execute(f"UPDATE t SET made = {value}")
    if primary:
        con.execute("ALTER TABLE t ADD PRIMARY KEY (made)")
    index(con, key="made")
    ready(con, path)
    assert by_place(con)
    assert same(con, FOUND)
    assert same(con, KEPT)


def test_places_wait_until_enough_have_asked(con: Connection, path: Path) -> None:
    con.execute("CREATE TABLE other (x INTEGER)")
    assert not by_place(con)
    ready(con, path)
    assert by_place(con)


EDITS = (
    "DELETE FROM t WHERE n % 2 = 0",
    "UPDATE t SET title = 'word1 new', name = name || 'x' WHERE n < 60",
    "CREATE OR REPLACE TABLE t AS FROM t ORDER BY n DESC",
    "CREATE TABLE old AS FROM t; DELETE FROM t; INSERT INTO t FROM old ORDER BY n DESC",
    "UPDATE t SET name = CASE n WHEN 1 THEN 'k148' ELSE 'k37' END WHERE n IN (1, 4)",
)


def test_a_transaction_sees_its_own_rows(con: Connection) -> None:
    for edit in EDITS:
        con.execute("BEGIN")
        con.execute(edit)
        assert not by_place(con)
        assert same(con, FOUND)
        assert same(con, KEPT)
        con.execute("ROLLBACK")
        assert by_place(con)
        assert same(con, KEPT)


def test_what_another_commits_is_seen(db: Database, con: Connection, path: Path) -> None:
    before, with_condition = db.sql(FOUND), db.sql(KEPT)
    for edit in (*EDITS, "DELETE FROM t WHERE n < 100; CHECKPOINT"):
        with db.connect() as other:
            other.execute(edit)
        assert not by_place(con)
        assert same(con, FOUND)
        assert before.fetchall() == con.sql(FOUND).fetchall() == native(con, FOUND)
        ready(con, path)
        assert by_place(con)
        assert same(con, KEPT)
        assert with_condition.fetchall() == con.sql(KEPT).fetchall() == native(con, KEPT)


BEGINNINGS: tuple[Callable[[Connection], Any], ...] = (
    lambda con: con.execute("/**/ start transaction"),
    lambda con: con.query("BEGIN"),
    lambda con: con.begin(),
    lambda con: con.bare.execute("BEGIN"),
    lambda con: con.table("t").query("seen", "BEGIN"),
    lambda con: con.sql("FROM t").query("seen", "BEGIN"),
    lambda con: con.execute(con.extract_statements("BEGIN")[0]),
)


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_a_transaction_is_known_however_it_began(
    db: Database, begin: Callable[[Connection], Any]
) -> None:
    with db.connect() as con:
        con.execute("CREATE TABLE t (x INTEGER)")
        assert con._session.transactions.none()
        begin(con)
        assert not con._session.transactions.none()
        con.rollback()
        assert con._session.transactions.none()


def test_a_commit_in_the_middle_is_seen(db: Database, con: Connection) -> None:
    """Between looking for the allowed rows and reading them somebody moves every row."""
    calls: list[int] = []

    def moving(n: int) -> int:
        if not calls:
            with db.connect() as other:
                other.execute(EDITS[3])
        calls.append(n)
        return n

    con.create_function("moving", moving)
    text = f"{FOUND} WHERE moving(n) > 20"
    found = con.execute(text).fetchall()
    assert len(calls) > COUNT  # it was asked again
    assert found == native(con, f"{FOUND} WHERE n > 20")


@pytest.mark.parametrize(
    "source",
    [
        "CREATE VIEW t AS FROM s",
        "CREATE TABLE t AS SELECT *, 200 - n AS rowid FROM s",
        "CREATE VIEW t AS SELECT *, 200 - n AS rowid FROM s",
    ],
)
def test_what_has_no_places_goes_by_key(con: Connection, path: Path, source: str) -> None:
    con.execute("DROP SEARCH INDEX i; ALTER TABLE t RENAME TO s")
    con.execute(source)
    index(con)
    ready(con, path)
    assert not by_place(con)
    assert same(con, KEPT)


def test_a_key_that_stands_twice_gives_both_rows(con: Connection, path: Path) -> None:
    index(con, options=", refresh = manual")
    con.execute("INSERT INTO t FROM (SELECT * REPLACE (n + 1000 AS n) FROM t WHERE n = 1)")
    ready(con, path)
    assert not by_place(con)
    assert same(con, FOUND)
    assert len(con.execute(FOUND).fetchall()) == 51


def test_an_index_that_is_behind(con: Connection, path: Path) -> None:
    index(con, options=", refresh = manual")
    con.execute("DELETE FROM t WHERE n % 4 = 1; UPDATE t SET n = -n WHERE n % 4 = 0")
    ready(con, path)
    assert by_place(con)
    assert same(con, FOUND)
    con.execute("REFRESH SEARCH INDEX i")
    ready(con, path)
    assert by_place(con)
    assert same(con, FOUND)


# A relation of the database's own


def rows_of(frame: Any) -> list[tuple[Any, ...]]:
    return list(frame.itertuples(index=False, name=None))


WAYS: dict[str, Callable[[Any], Any]] = {
    "fetchall": lambda found: found.fetchall(),
    "df": lambda found: rows_of(found.df()),
    "to_df": lambda found: rows_of(found.to_df()),
    "fetchnumpy": lambda found: list(zip(*found.fetchnumpy().values(), strict=True)),
    "to_arrow_table": lambda found: rows_of(found.to_arrow_table().to_pandas()),
    "pl": lambda found: found.pl().rows(),
    "to_dicts": lambda found: [tuple(row.values()) for row in found.to_dicts()],
    "copied": lambda found: copy(found).fetchall(),
    "stream": lambda found: rows_of(pa.table(found).to_pandas()),
    "iter_rows": lambda found: list(found.iter_rows()),
    "derived": lambda found: found.filter("true").order("_rank").fetchall(),
    "joined": lambda found: (
        found.set_alias("a").join(found.set_alias("b"), "_rank").order("_rank").fetchall()
    ),
    "grouped": lambda found: found.group_by("_rank").agg("min(name)").order("_rank").fetchall(),
    "view": lambda found: found.query("seen", "FROM seen ORDER BY _rank").fetchall(),
    "shape": lambda found: (found.shape, len(found), found.columns, str(found)),
}


@pytest.mark.parametrize("text", [FOUND, KEPT])
def test_a_relation_gives_the_same_however_it_is_read(
    db: Database, con: Connection, text: str
) -> None:
    db.sql(text).fetchall()  # so that it was bound before, and stands for another
    assert by_place(con, text)
    [step] = con._session.steps(text) or []
    one, by_key = db.sql(text), con._session.lowered(step).text
    con.sql(text)
    for way, read in WAYS.items():
        found = read(con.sql(text)), read(db.sql(text)), read(one)
        assert con._session.transactions.idle == (way != "view")
        with con.cursor() as other:
            assert found == (read(other.bare.sql(by_key)),) * 3, way
        con._session.transactions.end()


def test_a_relation_that_could_not_be_read_can_be_read_again(db: Database, con: Connection) -> None:
    for found in (db.sql(FOUND), db.sql(FOUND)):
        with pytest.raises(TypeError):
            found.df(nothing=1)  # type: ignore[call-arg]  # which is the point
        assert found.fetchall() == native(con, FOUND)


def test_a_relation_is_what_the_transaction_sees_that_reads_it(
    db: Database, con: Connection
) -> None:
    found = db.sql(FOUND)
    assert found.fetchall() == native(con, FOUND)
    for edit in EDITS:
        con.execute("BEGIN")
        con.execute(edit)
        assert con.execute("FROM found ORDER BY _rank").fetchall() == native(con, FOUND)
        con.execute("ROLLBACK")


def test_a_relation_of_a_connection_is_what_its_transaction_sees(con: Connection) -> None:
    found = con.sql(FOUND), con.sql(FOUND)  # the second stands for another
    for edit in EDITS:
        assert {len(each.fetchall()) for each in found} == {50}
        con.execute("BEGIN")
        con.execute(edit)
        expected = native(con, FOUND)
        assert [each.fetchall() for each in (*found, con.sql(FOUND))] == [expected] * 3
        con.execute("ROLLBACK")
        assert con._session.transactions.none()


def test_a_relation_leaves_what_its_connection_was_asked(con: Connection) -> None:
    con.sql(KEPT)
    found = con.sql(KEPT)
    con.execute("SELECT 42 AS answer").fetchall()
    assert found.fetchall()
    assert [name for name, *_ in con.description] == ["answer"]
    con.execute("FROM range(100_000)")
    with pytest.raises(duckdb.ResourceInUseException):
        found.fetchall()
    assert len(con.fetchall()) == 100_000


@pytest.mark.parametrize("way", ["query", "grouped"])
def test_a_transaction_begun_by_a_relation_is_known(
    db: Database, con: Connection, way: str
) -> None:
    db.sql(FOUND).fetchall()
    found = db.sql(FOUND)
    groups = found.group_by("name").agg("count(*)") if way == "grouped" else found
    for text in ("BEGIN", *EDITS[3].split("; ")):
        groups.query("seen", text)
    assert found.fetchall() == native(con, FOUND)
    found.query("seen", "ROLLBACK")
    assert found.fetchall() == native(con, FOUND)


def test_a_commit_while_a_relation_is_read_is_seen(db: Database, con: Connection) -> None:
    """Between the look for places and the reading of rows somebody moves every row."""
    calls: list[int] = []

    def moving(n: int) -> int:
        if not calls:
            with db.connect() as other:
                other.execute(EDITS[3])
        calls.append(n)
        return n

    con.create_function("moving", moving)
    text = f"SELECT moving(n), * FROM ({FOUND})"
    found = db.sql(text)
    assert by_place(con, text)
    rows = found.fetchall()
    assert len(calls) == 2 * len(rows)  # it was asked again
    assert [row[1:] for row in rows] == native(con, FOUND)
