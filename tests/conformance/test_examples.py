"""Every statement of sql/examples runs and gives rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import hybridsearch
from hybridsearch.sql.connection import Connection

EXAMPLES = sorted((Path(__file__).parents[2] / "sql" / "examples").glob("*.sql"))
FILMS = [
    {
        "id": 1,
        "title": "Alien",
        "year": 1979,
        "genres": ["Horror", "Space"],
        "overview": "Horror on a space freighter: the crew of a ship far from home.",
    },
    {
        "id": 2,
        "title": "Up",
        "year": 2009,
        "genres": ["Animation", "Drama"],
        "overview": "A house flies away under balloons.",
    },
    {
        "id": 3,
        "title": "Solaris",
        "year": 1972,
        "genres": ["Drama", "Space"],
        "overview": "A space station, an ocean that thinks, and a space ship.",
    },
]


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    with hybridsearch.open() as db:
        films = db.create_index(
            "films", primary_key="id", settings={"filterable_attributes": ["year", "genres"]}
        )
        films.add(FILMS)
        with db.connect() as found:
            yield found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_gives_rows(example: Path, connection: Connection) -> None:
    statements = connection.extract_statements(example.read_text())
    assert all(connection.execute(statement).fetchall() for statement in statements)


def test_there_are_examples() -> None:
    assert EXAMPLES
