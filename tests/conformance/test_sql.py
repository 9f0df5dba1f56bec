"""Every statement of sql/conformance gives the rows written below it, on either kind of connection.

`pairs` says how they are written. Those of the files `*collections.test` are in test_collections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hybridsearch
from hybridsearch import Database
from tests.conformance.pairs import Case, Door, cases, check

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


DOORS = {"front": ("own", "transaction"), "native": ("foreign",), "define": ("own",)}
"""First word of a file's name -> the doors that its statements go through, if not both."""
BOTH = ("own", "foreign")
ALL = [
    pytest.param(case, door, id=f"{door}-{path.stem}: {case.title}")
    for path in sorted(FOLDER.glob("*.test"))
    if not path.stem.endswith("collections")
    for case in cases(path)
    for door in DOORS.get(path.stem.partition("_")[0], BOTH)
]


@pytest.fixture(scope="module")
def tables() -> Callable[[Door], object]:
    return lambda connection: connection.execute(SETUP)


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


@pytest.mark.parametrize(("case", "door"), ALL)
def test_statement(
    case: Case, door: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection: Door = request.getfixturevalue(door)
    if "COPY" in case.statement:
        monkeypatch.chdir(request.getfixturevalue("tmp_path"))
    check(connection, case)
