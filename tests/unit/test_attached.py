"""An index over the user's own rows: made from them, following them, and never in their way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import hybridsearch
from hybridsearch import Database, Item
from hybridsearch.errors import Conflict, InputError, SettingsError
from hybridsearch.sql.connection import Connection
from tests.conftest import refused
from tests.unit.attached_docs import SETUP, both, docs_in, ids, make


@pytest.fixture
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with docs_in(request, tmp_path) as found:
        yield found


@pytest.fixture
def con(db: Database) -> Iterator[Connection]:
    with db.connect() as found:
        yield found


def test_report_of_a_new_index(db: Database) -> None:
    found = make(db)
    assert (found.name, found.key, found.rows, found.text, found.kind) == (
        *("i", "id", 5, ("title", "body"), "table"),
    )
    assert [(v.name, v.dimensions, v.metric, v.rows) for v in found.vectors] == [
        ("emb", 3, "cosine", 4)
    ]


def test_words_and_vectors_are_found(db: Database) -> None:
    make(db)
    index = db.index("i")
    assert ids(db, "running") == [1, 2, 3]
    near = index.search(mode="semantic", vector=[0, 0, 1], limit=1)
    assert [hit.id for hit in near] == [4]


def test_every_column_filters_the_copy(db: Database) -> None:
    make(db)
    assert ids(db, "shoes", filter="brand = acme AND price < 90") == [1]


@both
@pytest.mark.parametrize(
    ("edit", "query", "expected"),
    [
        ("INSERT INTO docs VALUES (9, 'Running cap', '', NULL, 1, NULL)", "running", [1, 2, 3, 9]),
        ("DELETE FROM docs WHERE id = 2", "running", [1, 3]),
        ("UPDATE docs SET title = 'Lawn' WHERE id = 3", "running", [1, 2]),
        ("UPDATE docs SET id = 33 WHERE id = 3", "running", [1, 2, 33]),
        ("DELETE FROM docs", "running", []),
    ],
)
def test_search_follows_the_table(
    db: Database, con: Connection, edit: str, query: str, expected: list[int]
) -> None:
    make(db)
    assert ids(db, query) == [1, 2, 3]
    con.execute(edit)
    assert ids(db, query) == expected


def test_refresh_counts_what_it_did(db: Database, con: Connection) -> None:
    make(db, options={"refresh": "manual"})
    con.execute("INSERT INTO docs VALUES (9, 'Running cap', '', NULL, 1, NULL)")
    con.execute("UPDATE docs SET price = 1 WHERE id = 3")
    con.execute("DELETE FROM docs WHERE id = 1")
    assert db.freshness("i").stale == 3
    assert ids(db, "running") == [1, 2, 3]
    report = db.refresh_search_index("i")
    assert (report.added, report.updated, report.deleted) == (1, 1, 1)
    assert db.freshness("i").stale == 0
    assert ids(db, "running") == [2, 3, 9]


def test_refresh_of_nothing_does_nothing(db: Database) -> None:
    make(db)
    report = db.refresh_search_index("i")
    assert (report.added, report.updated, report.deleted) == (0, 0, 0)


def test_full_refresh_reads_every_row(db: Database) -> None:
    make(db)
    report = db.refresh_search_index("i", full=True)
    assert (report.added, report.updated, report.deleted) == (0, 5, 0)
    assert ids(db, "running") == [1, 2, 3]


def test_uncommitted_rows_are_seen_by_their_own_connection_alone(
    db: Database, con: Connection
) -> None:
    make(db)
    con.execute("BEGIN")
    con.execute("INSERT INTO docs VALUES (9, 'Running cap', '', NULL, 1, NULL)")
    assert (db.freshness("i", cursor=con).stale, db.freshness("i").stale) == (1, 0)
    assert ids(db, "cap") == []
    con.execute("ROLLBACK")
    assert db.freshness("i", cursor=con).stale == 0


@both
def test_parts_of_a_large_refresh_follow_one_another(
    db: Database, con: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hybridsearch.refreshing.PART", 100)
    con.execute(
        "INSERT INTO docs SELECT i, 'word ' || i, NULL, NULL, i, NULL FROM range(10, 360) r(i)"
    )
    assert make(db).rows == 355
    con.execute("DELETE FROM docs WHERE id >= 110")
    con.execute("UPDATE docs SET body = 'new' WHERE id < 20")
    report = db.refresh_search_index("i")
    assert (report.added, report.updated, report.deleted) == (0, 15, 250)
    assert len(ids(db, "word", limit=500)) == 100


def test_a_part_ends_before_it_is_too_large(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybridsearch.refreshing.PART_BYTES", 200)
    assert make(db).rows == 5
    assert ids(db, "shoes") == [1, 2, 5]


def test_condition_chooses_rows(db: Database, con: Connection) -> None:
    make(db, where="price < 50 -- cheap")
    assert ids(db, "shoes running") == [3, 5]
    con.execute("UPDATE docs SET price = 20 WHERE id = 1")
    assert ids(db, "shoes running") == [1, 3, 5]


def test_expressions_are_searched_under_their_names(db: Database) -> None:
    make(db, Item("title || ' by ' || brand", alias="named"), Item("body", kind="KEYWORD"))
    assert ids(db, "zeta") == [3]
    assert ids(db, "rain") == []


@both
def test_expression_over_another_table_is_followed(db: Database, con: Connection) -> None:
    con.execute("CREATE TABLE brands AS SELECT 'acme' AS brand, 'sport' AS kind")
    lookup = "(SELECT kind FROM brands b WHERE b.brand = docs.brand)"
    make(db, "title", Item(lookup, alias="sort"))
    assert ids(db, "sport") == [1, 2]
    con.execute("UPDATE brands SET kind = 'leisure'")
    assert ids(db, "sport") == []


def test_embedded_text_is_searched_by_meaning(db: Database) -> None:
    found = make(db, "title", Item("title || ' ' || body", alias="meaning", kind="EMBED"))
    assert [(v.name, v.rows) for v in found.vectors] == [("meaning", 4)]
    assert next(iter(db.index("i").search("watering plants", mode="semantic"))).id == 4


def test_weights_of_items_and_of_alter(db: Database) -> None:
    make(db, Item("title", options={"weight": 0}), "body")
    first = db.index("i").search("shoes", mode="keyword", limit=1).hits[0].id
    db.alter_search_index("i", {"weights": {"title": 9, "body": 1}})
    assert (first, db.index("i").search("shoes", limit=1).hits[0].id) == (5, 1)


def test_stemmer_and_stop_words(db: Database) -> None:
    make(db, "title", options={"stemmer": "english", "stopwords": ["red"]})
    assert ids(db, "run shoe") == [1, 2, 3]
    assert ids(db, "red socks") == [3]


def test_or_replace_and_if_not_exists(db: Database) -> None:
    make(db)
    assert make(db, "title", if_not_exists=True).created is False
    assert make(db, "body", replace=True).text == ("body",)
    assert ids(db, "running") == [2]


def test_dropping_leaves_the_source(db: Database, con: Connection) -> None:
    make(db, name="docs")
    assert db.drop_search_index("DOCS")
    assert con.execute("SELECT count(*) FROM docs").fetchall() == [(5,)]
    assert db.search_indexes() == []
    assert db.drop_search_index("docs", if_exists=True) is False


def test_names_of_tables_and_views_stay_the_users(db: Database, con: Connection) -> None:
    con.execute("CREATE VIEW v AS SELECT id, title FROM docs WHERE price > 50")
    make(db, "title", name="v", source="v", options={"key": "id"})
    con.execute("ALTER TABLE docs ADD COLUMN extra VARCHAR")
    db.refresh_search_index("v")
    assert con.execute("FROM v ORDER BY id").fetchall() == [
        (1, "Red running shoes"),
        (2, "Blue trail shoes"),
    ]
    db.drop_search_index("v")
    assert len(con.execute("FROM v").fetchall()) == 2


def test_writes_from_outside_are_refused(db: Database) -> None:
    make(db)
    index = db.index("i")
    for write in (lambda: index.add([{"id": 1}]), lambda: index.delete(ids=[1])):
        refused(write, Conflict, "search_index_is_filled", "is filled from its source")


def test_settings_that_the_definition_says_are_refused(db: Database) -> None:
    make(db)
    index = db.index("i")
    other = {"emb": {"source": "userProvided", "dimensions": 4}}
    changes: list[dict[str, Any]] = [
        *({"searchable_attributes": ["body"]}, {"language": "en"}, {"embedders": other}),
    ]
    for change in changes:
        with pytest.raises(Conflict, match="CREATE OR REPLACE SEARCH INDEX"):
            index.update_settings(change)
    index.update_settings({"filterable_attributes": ["brand"], "distinct_attribute": "brand"})
    assert ids(db, "shoes") == [1, 5]


def test_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    with hybridsearch.open(path) as db, db.connect() as con:
        con.execute(SETUP)
        make(db)
    with hybridsearch.open(path) as db, db.connect() as con:
        con.execute("DELETE FROM docs WHERE id = 1")
        assert ids(db, "running") == [2, 3]
        assert db.describe_search_index("I").rows == 4
    assert hybridsearch.check(path) == []


# Sources


def test_query_is_a_source(db: Database, con: Connection) -> None:
    source = "(SELECT brand, string_agg(title, ' ' ORDER BY id) AS titles FROM docs GROUP BY brand)"
    where = "brand IS NOT NULL"
    found = make(db, "titles", source=source, options={"key": "brand"}, where=where)
    assert (found.kind, found.rows, ids(db, "trail")) == ("query", 3, ["acme"])
    con.execute("UPDATE docs SET title = 'trail socks' WHERE id = 3")
    assert ids(db, "trail") == ["acme", "zeta"]


@both
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_files_are_a_source(db: Database, con: Connection, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"it's {kind}.{kind}"
    source = f"'{str(path).replace(chr(39), chr(39) * 2)}'"
    con.execute(f"COPY (SELECT id, title, price FROM docs) TO {source}")
    assert make(db, "title", source=source, options={"key": "id"}).kind == "files"
    assert ids(db, "running") == [1, 3]
    con.execute(f"COPY (SELECT id, title, price FROM docs WHERE id > 1) TO {source}")
    assert ids(db, "running") == [3]
    path.unlink()
    with pytest.raises(Conflict, match=r"No files found .*; put it back") as raised:
        ids(db, "running")
    assert "free some space" not in raised.value.message


def test_lists_of_numbers_are_vectors(db: Database, con: Connection) -> None:
    con.execute("CREATE TABLE l AS SELECT id, emb::DOUBLE[] AS emb FROM docs")
    assert make(db, "emb", source="l", options={"key": "id"}).vectors[0].rows == 4


@pytest.mark.parametrize(
    "key",
    [
        *("id::BIGINT", "id::UTINYINT", "id::HUGEINT", "id::VARCHAR", "'k' || id", "id + .5"),
        *("DATE '2020-01-01' + id::INTEGER", "TIMESTAMP '2020-01-01' + to_days(id::INTEGER)"),
        *("md5(id::VARCHAR)::UUID", "(id / 4)::DOUBLE", "[id]", "{'a': id}"),
    ],
)
def test_keys_of_any_type(db: Database, con: Connection, key: str) -> None:
    con.execute(f"CREATE TABLE k AS SELECT {key} AS k, title FROM docs WHERE title IS NOT NULL")
    make(db, "title", source="k", options={"key": "k"})
    con.execute("DELETE FROM k WHERE title LIKE 'Red%'")
    assert len(ids(db, "running")) == 1


def test_values_of_every_kind_are_carried(db: Database, con: Connection) -> None:
    con.execute(
        "CREATE TABLE t AS SELECT 1 AS id, 'word' AS w, 'nan'::DOUBLE AS n,"
        " [1.5::DOUBLE, 'inf'] AS l, DATE '2020-01-02' AS d, 1.50::DECIMAL(5, 2) AS m,"
        " {'a': [1]} AS s, 'x'::BLOB AS b,"
        " 12345678901234567890123::HUGEINT AS h, INTERVAL 1 DAY AS i, '[1]'::JSON AS j"
    )
    make(db, "w", source="t", options={"key": "id"})
    assert db.index("i").get(1) == {
        **{"id": 1, "w": "word", "n": None, "l": [1.5, None], "d": "2020-01-02", "m": 1.5},
        **{"s": {"a": [1]}, "h": 12345678901234567890123, "i": "1 day", "j": [1]},
    }


# Keeping


def test_check_knows_the_source(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    with hybridsearch.open(path) as db, db.connect() as con:
        con.execute(SETUP)
        make(db)
    with duckdb.connect(str(path)) as plain:
        plain.execute("INSERT INTO hybridsearch.prints_1 VALUES ('77', 7)")
    assert "its copy lacks 1 rows; REFRESH SEARCH INDEX i FULL" in "".join(hybridsearch.check(path))
    with hybridsearch.open(path) as db:
        db.refresh_search_index("i", full=True)
        assert ids(db, "running") == [1, 2, 3]
    assert hybridsearch.check(path) == []
    with duckdb.connect(str(path)) as plain:
        plain.execute("DROP TABLE docs")
    assert "its source docs cannot be read" in "".join(hybridsearch.check(path))


def test_export_and_import_carry_the_index(tmp_path: Path) -> None:
    with hybridsearch.open(tmp_path / "a.duckdb") as db, db.connect() as con:
        con.execute(SETUP)
        make(db)
        con.execute(f"EXPORT DATABASE '{tmp_path / 'out'}'")
    with duckdb.connect(str(tmp_path / "b.duckdb")) as plain:
        plain.execute(f"IMPORT DATABASE '{tmp_path / 'out'}'")
        plain.execute("UPDATE docs SET title = 'Lawn' WHERE id = 3")
    with hybridsearch.open(tmp_path / "b.duckdb") as db:
        assert ids(db, "running") == [1, 2]
        assert db.describe_search_index("i").vectors[0].rows == 4
    assert hybridsearch.check(tmp_path / "b.duckdb") == []


def test_edits_of_another_program_are_seen_at_the_next_opening(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    with hybridsearch.open(path) as db, db.connect() as con:
        con.execute(SETUP)
        make(db)
    with duckdb.connect(str(path)) as plain:
        plain.execute("DELETE FROM docs WHERE id = 1")
    with hybridsearch.open(path) as db:
        assert ids(db, "running") == [2, 3]


def test_many_changes_wait_for_refresh_and_are_told(
    db: Database, con: Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hybridsearch.attached.AT_ONCE", 2)
    make(db)
    con.execute("UPDATE docs SET title = 'Lawn'")
    assert ids(db, "lawn") == []
    assert db.freshness("i").stale == 5
    assert 'search index "i" is behind its source by 5 rows' in caplog.text
    db.refresh_search_index("i")
    assert ids(db, "lawn") == [1, 2, 3, 4, 5]


# Triggers


def auto(db: Database) -> None:
    make(db, options={"refresh": "auto"})


@both
@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ("INSERT INTO docs VALUES (9, 'Running cap', '', NULL, 1, NULL)", [1, 2, 3, 9]),
        ("UPDATE docs SET id = 33 WHERE id = 3", [1, 2, 33]),
        ("UPDATE docs SET title = 'Lawn' WHERE id = 3; DELETE FROM docs WHERE id = 2", [1]),
        ("TRUNCATE docs", []),
        ("CREATE OR REPLACE TABLE docs AS FROM docs WHERE id > 1", [2, 3]),
        ("BEGIN; DELETE FROM docs; ROLLBACK", [1, 2, 3]),
    ],
)
def test_triggers_tell_what_was_written(
    db: Database, con: Connection, edit: str, expected: list[int]
) -> None:
    auto(db)
    con.execute(edit)
    assert ids(db, "running") == expected
    con.execute("DELETE FROM docs WHERE id = 3")
    assert ids(db, "running") == [id_ for id_ in expected if id_ != 3]
    assert db.freshness("i").stale == 0


def test_refresh_by_triggers_counts_only_what_differs(db: Database, con: Connection) -> None:
    auto(db)
    con.execute("UPDATE docs SET price = price WHERE id = 1")
    con.execute("UPDATE docs SET price = 7 WHERE id = 2")
    report = db.refresh_search_index("i")
    assert (report.added, report.updated, report.deleted) == (0, 1, 0)


def test_triggers_go_with_the_index(db: Database, con: Connection) -> None:
    auto(db)
    with pytest.raises(duckdb.Error, match="ON CONFLICT DO UPDATE is not yet supported"):
        con.execute("INSERT OR REPLACE INTO docs (id) VALUES (1)")
    make(db, replace=True)
    con.execute("INSERT OR REPLACE INTO docs (id, title) VALUES (1, 'running')")
    make(db, replace=True, options={"refresh": "auto"})
    db.drop_search_index("i")
    assert con.execute("SELECT count(*) FROM duckdb_triggers()").fetchall() == [(0,)]
    con.execute("DROP TABLE docs")


def test_triggers_are_for_tables(db: Database, con: Connection) -> None:
    con.execute("CREATE VIEW v AS FROM docs")
    for source in ("v", "(FROM docs)"):
        with pytest.raises(SettingsError, match="refresh = 'auto' needs a table"):
            make(db, "title", source=source, options={"key": "id", "refresh": "auto"})
    assert db.search_indexes() == []
    make(db)
    with pytest.raises(SettingsError, match="CREATE OR REPLACE"):
        db.alter_search_index("i", {"refresh": "auto"})


def test_writes_of_another_program_are_logged_too(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    with hybridsearch.open(path) as db, db.connect() as con:
        con.execute(SETUP)
        auto(db)
    with duckdb.connect(str(path)) as plain:
        plain.execute("DELETE FROM docs WHERE id = 1")
    with hybridsearch.open(path) as db:
        assert db.freshness("i").stale == 1
        assert ids(db, "running") == [2, 3]


def test_a_refresh_of_all_rows_that_breaks_off_is_begun_again(
    db: Database, con: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hybridsearch.refreshing.PART", 2)
    auto(db)
    con.execute("UPDATE docs SET emb = [1, 'nan'::FLOAT, 0] WHERE id = 4")
    with pytest.raises(InputError, match="of key '4'"):
        db.refresh_search_index("i", full=True)
    con.execute("UPDATE docs SET emb = NULL WHERE id = 4")
    con.execute("CREATE OR REPLACE TABLE docs AS FROM docs WHERE id <> 5")
    db.refresh_search_index("i")
    assert ids(db, "shoes hose") == [1, 2, 4]
    assert db.freshness("i").stale == 0


def test_search_indexes_over_a_table_are_found_by_its_name(db: Database) -> None:
    with db.connect() as connection:
        connection.execute('CREATE SCHEMA other; CREATE TABLE "My ""Docs" (id INTEGER, t VARCHAR)')
        connection.execute("CREATE TABLE other.docs (id INTEGER, t VARCHAR)")
        for name, source in (("a", '"My ""Docs"'), ("b", "other.docs"), ("c", "(FROM other.docs)")):
            connection.execute(f"CREATE SEARCH INDEX {name} ON {source} (t) WITH (key = id)")
    found = {table: db._search_indexes.over(table) for table in ('MY "docs', "docs", "a", "")}
    assert {table: [report.name for report in reports] for table, reports in found.items()} == {
        'MY "docs': ["a"],
        "docs": ["b"],
        "a": [],
        "": [],
    }
