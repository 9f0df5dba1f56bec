"""Every statement of sql/conformance gives the rows written below it, on either kind of connection.

A file holds tests separated by blank lines. A test is a line `#title`, one or more statements, an
optional line `? JSON` with parameters, a line of dashes, and the rows that the last statement must
give, their values separated by ` | `. `error: text` says that it must fail with that text. A
number is compared to as many decimals as are written. Other lines that begin with `#` are comments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

import hybridsearch
from hybridsearch import Database, HybridSearchError
from hybridsearch.sql.connection import Connection

FOLDER = Path(__file__).parents[2] / "sql" / "conformance"
SETUP = """
CREATE TABLE docs (id INTEGER PRIMARY KEY, title VARCHAR, body VARCHAR, brand VARCHAR,
    price DOUBLE, year INTEGER, emb FLOAT[3]);
INSERT INTO docs VALUES
(1, 'Red running shoes', 'light running shoes for road races', 'acme', 80, 2021, [1, 0, 0]),
(2, 'Blue trail shoes', 'trail running in mud and rain', 'acme', 95, 2022, [0.9, 0.1, 0]),
(3, 'Running socks', 'thin socks for long running days', 'zeta', 12, 2020, [0.8, 0.2, 0]),
(4, 'Leather boots', 'winter boots for snow', 'zeta', 150, 2019, [0.5, 0.5, 0]),
(5, 'Garden hose', 'green hose for the garden', 'hydro', 30, 2021, [0, 0, 1]),
(6, 'Sprinkler', 'water the lawn with this garden sprinkler', 'hydro', 25, 2023, [0, 0.1, 0.9]),
(7, 'Marathon training plan', 'a plan for road races and long runs', 'press', 20, 2018,
    [0.7, 0, 0.3]),
(8, 'Sneakers', 'soft sneakers', 'acme', 60, 2022, [0.95, 0.05, 0]),
(9, NULL, 'untitled note about shoes', NULL, 5, NULL, NULL),
(10, 'Café crème maker', 'brews café crème', 'hydro', 110, 2023, [0, 1, 0]);
CREATE TABLE queries (qid INTEGER, q VARCHAR, brand VARCHAR);
INSERT INTO queries VALUES (1, 'running', 'acme'), (2, 'garden', 'hydro'), (3, 'unicorn', 'zeta');
CREATE TABLE orders (oid INTEGER, doc_id INTEGER, qty INTEGER);
INSERT INTO orders VALUES (100, 1, 2), (101, 3, 5), (102, 5, 1), (103, 1, 1), (104, 9, 4);
"""
SETTINGS = {
    "language": "none",
    "searchable_attributes": ["title", "body"],
    "filterable_attributes": ["brand", "price", "year"],
    "embedders": {"emb": {"source": "userProvided", "dimensions": 3}},
}


@dataclass(frozen=True)
class Case:
    """One test of a file."""

    title: str
    statement: str
    parameters: Any
    expected: tuple[str, ...]


def cases(path: Path) -> Iterator[Case]:
    for block in path.read_text().split("\n\n"):
        lines = block.strip().splitlines()
        if "----" not in lines:
            assert all(line.startswith("#") for line in lines), f"{path.name}: no ---- in {block!r}"
            continue
        middle = lines.index("----")
        given = [line for line in lines[1:middle] if line.startswith("? ")]
        yield Case(
            title=lines[0].removeprefix("#").strip(),
            statement="\n".join(line for line in lines[1:middle] if line not in given),
            parameters=json.loads(given[0][2:]) if given else None,
            expected=tuple(lines[middle + 1 :]),
        )


DOORS = {"front": ("own", "transaction"), "native": ("foreign",), "define": ("own",)}
"""First word of a file's name -> the doors that its statements go through, if not both."""
BOTH = ("own", "foreign")
ALL = [
    pytest.param(case, door, id=f"{door}-{path.stem}: {case.title}")
    for path in sorted(FOLDER.glob("*.test"))
    for case in cases(path)
    for door in DOORS.get(path.stem.partition("_")[0], BOTH)
]


@pytest.fixture(scope="module")
def indexed() -> Iterator[Database]:
    """The index docs_idx beside the table docs that its documents came from."""
    with hybridsearch.open(default_embedder=None) as db:
        with db.connect() as own:
            own.execute(SETUP)
            rows = own.sql("FROM docs ORDER BY id").to_arrow_table().to_pylist()
        index = db.create_index("docs_idx", primary_key="id", settings=SETTINGS)
        index.add([{**row, "_vectors": {"emb": row["emb"]}} if row["emb"] else row for row in rows])
        yield db


@pytest.fixture(scope="module")
def own(indexed: Database) -> Iterator[Connection]:
    with indexed.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def foreign(indexed: Database) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to another database, which holds the user's tables but no document of ours."""
    with duckdb.connect() as connection:
        connection.execute(SETUP)
        hybridsearch.attach(connection, indexed)
        yield connection


@pytest.fixture
def transaction(own: Connection) -> Iterator[Connection]:
    """A transaction that is rolled back, in which nothing may be tried that could fail."""
    own.begin()
    yield own
    own.rollback()


@pytest.mark.parametrize(("case", "door"), ALL)
def test_statement(case: Case, door: str, request: pytest.FixtureRequest) -> None:
    connection: duckdb.DuckDBPyConnection | Connection = request.getfixturevalue(door)
    found = answer(connection, case)
    if not agree(found, case.expected):
        pytest.fail(difference(case, found), pytrace=False)


def answer(
    connection: duckdb.DuckDBPyConnection | Connection, case: Case
) -> list[tuple[Any, ...]] | str:
    """The rows, or the text of the error."""
    try:
        return connection.execute(case.statement, case.parameters).fetchall()
    except (duckdb.Error, HybridSearchError) as error:
        return str(error)


def agree(found: list[tuple[Any, ...]] | str, expected: tuple[str, ...]) -> bool:
    if isinstance(found, str):
        return len(expected) == 1 and expected[0].removeprefix("error: ") in found
    if len(found) != len(expected):
        return False
    pairs = zip(found, (row.split(" | ") for row in expected), strict=True)
    return all(len(row) == len(cells) and all(map(same, row, cells)) for row, cells in pairs)


def same(value: Any, cell: str) -> bool:
    if isinstance(value, float) and cell != "NULL":
        decimals = len(cell.partition(".")[2])
        return round(value, decimals) == float(cell)
    return shown(value) == cell.strip()


def shown(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value).lower() if isinstance(value, bool) else str(value)


def difference(case: Case, found: list[tuple[Any, ...]] | str) -> str:
    rows = (
        [f"error: {found}"]
        if isinstance(found, str)
        else [" | ".join(map(shown, r)) for r in found]
    )
    wanted = "\n".join(f"  - {row}" for row in case.expected) or "  - (no rows)"
    got = "\n".join(f"  + {row}" for row in rows) or "  + (no rows)"
    return f"{case.title}\n{case.statement}\nexpected\n{wanted}\nfound\n{got}"
