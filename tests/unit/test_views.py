"""What becomes of an index whose name a table of the user's has taken?"""

from __future__ import annotations

from pathlib import Path

import pytest

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.errors import Conflict

TAKE = {
    "table": "DROP VIEW films; CREATE TABLE films AS SELECT 7 AS own",
    "view": "CREATE OR REPLACE VIEW films AS SELECT 7 AS own",
}


@pytest.fixture(params=TAKE)
def films(db: Database, request: pytest.FixtureRequest) -> Index:
    """An index that has lost its name in SQL to a table, or to a view of the user's."""
    found = db.create_index("films")
    found.update_settings({"language": "none"})
    with db.connect() as con:
        con.execute(TAKE[request.param])
    return found


def shown(db: Database, name: str) -> list[object]:
    with db.connect() as con:
        return list(con.execute(f"FROM {name}").fetchall())


def test_it_takes_new_attributes_and_the_table_stays(
    db: Database, films: Index, caplog: pytest.LogCaptureFixture
) -> None:
    films.add([{"id": 1, "title": "alien", "year": 1979}])
    assert films.search("alien", filter="year < 1990").total == 1
    assert shown(db, "search('films', 'alien')")
    assert shown(db, "films") == [(7,)]
    assert 'SQL does not show the documents of index "films": a table has its name' in caplog.text


def test_it_shows_all_attributes_once_the_name_is_free(
    db: Database, films: Index, path: Path
) -> None:
    films.add([{"id": 1, "title": "alien"}])
    films.rebuild()
    assert shown(db, "films") == [(7,)]
    with db.connect() as con:
        [(kind,)] = con.execute(
            "SELECT table_type FROM information_schema.tables WHERE table_name = 'films'"
        ).fetchall()
        con.execute(f"ALTER {kind.removeprefix('BASE ')} films RENAME TO mine")
    films.rebuild()
    assert shown(db, "films") == [(1, "alien")]
    assert shown(db, "mine") == [(7,)]
    db.close()
    assert hybridsearch.check(path) == []


def test_it_is_shown_under_another_name(db: Database, films: Index) -> None:
    films.add([{"id": 1, "title": "alien"}])
    db.queue.do("films", "indexUpdate", arguments={"new_uid": "movies"})
    assert shown(db, "movies") == [(1, "alien")]
    assert shown(db, "films") == [(7,)]


def test_it_takes_a_primary_key_but_no_name_of_a_table(db: Database, films: Index) -> None:
    db.queue.do("films", "indexUpdate", arguments={"primary_key": "key"})
    assert films.primary_key == "key"
    with db.connect() as con:
        con.execute("CREATE TABLE taken AS SELECT 1")
    with pytest.raises(Conflict, match='there is a table "taken"'):
        db.queue.do("films", "indexUpdate", arguments={"new_uid": "taken"})


def test_dropping_it_leaves_the_table(db: Database, films: Index) -> None:
    db.drop_index("films")
    assert shown(db, "films") == [(7,)]
