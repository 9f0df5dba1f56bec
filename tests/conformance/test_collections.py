"""Searches of package descriptions and films give what plain SQL gives that ranks by hand.

The statements are in sql/conformance/*collections.test, and go through both doors where both know
them; collections.sql makes the tables and BM25 in SQL. `pairs` says how they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hybridsearch
from hybridsearch import Database
from hybridsearch.sql.connection import Connection
from tests.conformance.pairs import Case, Door, cases, check

FOLDER = Path(__file__).parents[2] / "sql" / "conformance"
DATA = Path(__file__).parents[2] / "../shared/data"
INDEXES = """
CREATE SEARCH INDEX packages_idx ON packages (title, body);
CREATE SEARCH INDEX films_idx ON films (title, mood);
"""
SETTINGS = {"language": "none", "searchable_attributes": ["title"]}
DOORS = {"collections": ("own", "foreign"), "front_collections": ("own", "transaction")}
ALL = [
    pytest.param(case, door, id=f"{door}-{stem}: {case.title}")
    for stem, doors in DOORS.items()
    for case in cases(FOLDER / f"{stem}.test")
    for door in doors
]
pytestmark = pytest.mark.skipif(
    not all((DATA / name / "corpus.jsonl.gz").exists() for name in ("packages", "movies")),
    reason="needs the collections packages and movies in ../shared/data, which are not there",
)


def fill(connection: Door) -> None:
    """Make the tables and macros of collections.sql."""
    connection.execute("SET VARIABLE data = $1", [str(DATA)])
    connection.execute((FOLDER / "collections.sql").read_text())


@pytest.fixture(scope="module")
def tables() -> Callable[[Door], None]:
    return fill


@pytest.fixture(scope="module")
def indexed() -> Iterator[Database]:
    """Search indexes over both tables, and the films as documents."""
    with hybridsearch.open(default_embedder=None) as db:
        with db.connect() as own:
            fill(own)
            own.execute(INDEXES)
            films = own.sql("SELECT * EXCLUDE (mood) FROM films ORDER BY id DESC")
            index = db.create_index("film_list", primary_key="id", settings=SETTINGS)
            index.add(films.to_arrow_table())
        yield db


@pytest.mark.parametrize(("case", "door"), ALL)
def test_statement(case: Case, door: str, request: pytest.FixtureRequest) -> None:
    connection: Door = request.getfixturevalue(door)
    bare = connection.bare if isinstance(connection, Connection) else connection
    with bare.cursor() as plain:
        check(connection, case, plain)
