"""What an index over the user's own rows refuses, and what is left of it then: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hybridsearch import Database, Item
from hybridsearch.errors import Conflict, InputError, NotFound, SettingsError
from hybridsearch.sql.connection import Connection
from tests.conftest import refused
from tests.unit.attached_docs import both, docs_in, ids, make


@pytest.fixture
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with docs_in(request, tmp_path) as found:
        yield found


@pytest.fixture
def con(db: Database) -> Iterator[Connection]:
    with db.connect() as found:
        yield found


@pytest.mark.parametrize(
    ("items", "more", "kind", "message"),
    [
        (["titel"], {}, InputError, 'no column "titel" in docs; did you mean "title"?'),
        (["title"], {"source": "dcos"}, NotFound, 'no table or view "dcos" that is committed'),
        (["title"], {"source": "a.b.c.d"}, NotFound, 'no table or view "a.b.c.d"'),
        (["title"], {"source": "docs; DROP TABLE docs"}, InputError, "is no source"),
        (["title"], {"source": "''"}, InputError, "is no path in quotes"),
        (["title"], {"source": "'none.parquet'"}, InputError, "cannot read 'none.parquet'"),
        (["title"], {"source": "(SELECT 1); SELECT (2)"}, InputError, "nothing after it"),
        (["title"], {"source": "(FROM docs)"}, InputError, "WITH (key = 'id')"),
        (["price"], {}, InputError, "price TEXT"),
        ([Item("title", kind="VECTOR")], {}, InputError, "must be FLOAT[n]"),
        ([Item("title", kind="TXT")], {}, InputError, 'unknown kind "TXT"'),
        (["title", "TITLE"], {}, InputError, 'two items or columns "title"'),
        ([Item("body", alias="title")], {}, InputError, 'two items or columns "title"'),
        ([Item("emb", alias="a b")], {}, InputError, "letters, digits, _ and -"),
        (["lower(title)"], {}, InputError, "needs a name"),
        ([Item("lowr(title)", alias="x")], {}, InputError, 'item "x"'),
        ([Item("title); DROP TABLE docs; SELECT (1", alias="x")], {}, InputError, "nothing after"),
        ([Item("title), (body", alias="x")], {}, InputError, "one expression"),
        ([], {}, InputError, "at least one column"),
        (["title"], {"where": "prise > 1"}, InputError, "the condition of i"),
        (["title"], {"where": "true), (false"}, InputError, "one expression"),
        (["title"], {"options": {"key": "brand"}}, InputError, "holds NULL"),
        (["title"], {"options": {"key": "idd"}}, InputError, 'did you mean "id"?'),
        (["title"], {"options": {"keyy": "id"}}, SettingsError, 'did you mean "key"?'),
        (["title"], {"options": {"refresh": "often"}}, SettingsError, "check or manual or auto"),
        (["title"], {"options": {"stemmer": "klingon"}}, SettingsError, "no stemmer"),
        (["title"], {"options": {"k1": 2}}, SettingsError, "can only be 1.2"),
        (["title"], {"options": {"m": 16}}, SettingsError, "no graph to build"),
        (["title"], {"options": {"path": "x"}}, SettingsError, "leave it out"),
        (["title"], {"options": {"weights": {"body": 2}}}, SettingsError, "no TEXT item"),
        ([Item("title", options={"wight": 1})], {}, SettingsError, 'did you mean "weight"?'),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    db: Database, items: list[Any], more: dict[str, Any], kind: type[Exception], message: str
) -> None:
    arguments = {"name": "i", "source": "docs", "items": items, **more}
    with pytest.raises(kind) as caught:
        db.create_search_index(**arguments)
    assert message in str(caught.value)
    assert db.search_indexes() == []
    assert [index.uid for index in db.indexes()] == []


def test_key_that_is_twice_there_names_the_value(db: Database, con: Connection) -> None:
    con.execute("CREATE TABLE twice AS SELECT unnest(['a', 'b', 'b']) AS k, 'word' AS w")
    with pytest.raises(InputError, match="'b' 2 times"):
        make(db, "w", source="twice", options={"key": "k"})
    assert db.search_indexes() == []


def test_unfit_vector_names_its_row_and_leaves_nothing(db: Database, con: Connection) -> None:
    con.execute("CREATE TABLE v AS SELECT 7 AS id, [1::FLOAT, 'nan', 0]::FLOAT[3] AS e")
    with pytest.raises(InputError, match="\"e\" of key '7' holds NULL, NaN or infinity"):
        make(db, "e", source="v", options={"key": "id"})
    assert db.search_indexes() == []


def test_name_that_is_taken(db: Database) -> None:
    db.create_index("movies", primary_key="id")
    make(db)
    refused(lambda: make(db), Conflict, "index_already_exists", 'a search index "i" already')
    message = 'an index over documents "Movies" already'
    with pytest.raises(Conflict, match=message.replace("Movies", "movies")):
        make(db, name="Movies", replace=True)
    refused(lambda: db.create_index("I"), Conflict, "index_already_exists", 'index "i" already')


def test_what_is_no_search_index(db: Database) -> None:
    db.create_index("movies", primary_key="id")
    for act in (db.refresh_search_index, db.drop_search_index, db.describe_search_index):
        with pytest.raises(NotFound, match='no search index "moovies"; there is:'):
            act("moovies")
        with pytest.raises(NotFound, match='"movies" follows no source, it holds documents'):
            act("movies")


def test_options_that_are_built_in_cannot_be_altered(db: Database) -> None:
    make(db)
    with pytest.raises(SettingsError, match="CREATE OR REPLACE SEARCH INDEX"):
        db.alter_search_index("i", {"stemmer": "en"})


@both
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("DROP TABLE docs", "docs cannot be read: Table with name docs does not exist"),
        ("ALTER TABLE docs RENAME TO papers", "its source docs cannot be read"),
        ("ALTER TABLE docs DROP COLUMN body", 'docs has no column "body" any more'),
        ("ALTER TABLE docs ALTER emb TYPE FLOAT[4] USING [1, 2, 3, 4]", '"emb" as FLOAT[4]'),
    ],
)
def test_source_that_is_gone_is_named(
    db: Database, con: Connection, edit: str, message: str
) -> None:
    make(db)
    con.execute(edit)
    for act in (lambda: ids(db, "running"), lambda: db.refresh_search_index("i")):
        with pytest.raises(Conflict) as caught:
            act()
        assert message in str(caught.value)
        assert "DROP SEARCH INDEX i" in str(caught.value)
    assert db.drop_search_index("i")


@both
@pytest.mark.parametrize(
    ("edit", "field", "value"),
    [
        ("ALTER TABLE docs ADD COLUMN colour VARCHAR DEFAULT 'red'", "colour", "red"),
        ("ALTER TABLE docs RENAME COLUMN price TO cost", "cost", 80),
        ("ALTER TABLE docs DROP COLUMN price", "price", None),
        ("ALTER TABLE docs ALTER price TYPE INTEGER", "price", 80),
    ],
)
def test_other_columns_may_come_and_go(
    db: Database, con: Connection, edit: str, field: str, value: object
) -> None:
    make(db)
    con.execute(edit)
    assert ids(db, "running") == [1, 2, 3]
    assert db.index("i").get(1).get(field) == value
    assert db.freshness("i").stale == 0


@both
def test_key_that_comes_to_be_twice_there_is_named(db: Database, con: Connection) -> None:
    con.execute("CREATE TABLE k AS SELECT unnest(['a', 'b']) AS k, 'word' AS w")
    make(db, "w", source="k", options={"key": "k"})
    con.execute("INSERT INTO k VALUES ('a', 'word')")
    with pytest.raises(InputError, match="holds 'a' 2 times"):
        ids(db, "word")
    con.execute("DELETE FROM k WHERE k = 'a'")
    assert ids(db, "word") == ["b"]
