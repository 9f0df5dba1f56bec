"""SQL over HTTP reads what the key may see, in three forms, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jwt
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from hybridsearch import Index
from hybridsearch.server.sql import ARROW

ALIENS = "SELECT id, title FROM search('movies', $q) ORDER BY id"


def ask(client: TestClient, sql: str, accept: str = "*/*", **body: Any) -> Any:
    return client.post("/sql", json={"sql": sql, **body}, headers={"Accept": accept})


def value(client: TestClient, expression: str) -> Any:
    return ask(client, f"SELECT {expression}").json()["rows"][0][0]


def test_rows_and_columns_as_json(client: TestClient, movies: Index) -> None:
    found = ask(client, ALIENS, parameters={"q": "aliens"}).json()
    assert found.pop("processingTimeMs") >= 0
    assert found == {
        "columns": [{"name": "id", "type": "BIGINT"}, {"name": "title", "type": "VARCHAR"}],
        "rows": [[3, "Aliens"]],
        "rowCount": 1,
        "complete": True,
    }


def test_one_object_a_line(client: TestClient, movies: Index) -> None:
    answer = ask(client, "SELECT id, crew FROM movies WHERE id < 3 ORDER BY id",
                 "application/x-ndjson")  # fmt: skip
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert answer.headers["x-complete"] == "true"
    assert [json.loads(line) for line in answer.text.splitlines()] == [
        {"id": 1, "crew": None},
        {"id": 2, "crew": {"director": "Pete"}},
    ]


def test_arrow_stream(client: TestClient, movies: Index) -> None:
    answer = ask(client, "SELECT title, year FROM movies ORDER BY id", f"{ARROW}, */*;q=0.1")
    assert answer.headers["content-type"] == ARROW
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.column("year").to_pylist() == [1979, 2009, 1986, 1984]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1::HUGEINT * 2", 2),
        ("1.25::DECIMAL(9, 2)", 1.25),
        ("DATE '2026-11-22'", "2026-11-22"),
        ("TIMESTAMP '2026-11-22 15:00:00'", "2026-11-22T15:00:00"),
        ("'ab'::BLOB", "YWI="),
        ("{'a': [1, 2]}", {"a": [1, 2]}),
        ("'{\"a\": 1}'::JSON", {"a": 1}),
        ("MAP {'a': 1}", [["a", 1]]),
        ("'nan'::DOUBLE", None),
        ("{'a': (2::HUGEINT ** 100)::HUGEINT, 'b': 'nan'::DOUBLE}", {"a": 2**100, "b": None}),
        ("['{\"a\": 1}'::JSON]", ['{"a": 1}']),
        ("INTERVAL '1 day 2 seconds'", "P0M1DT2S"),
        ("TRUE", True),
        ("NULL", None),
        ("[DATE '2026-11-22']", ["2026-11-22"]),
    ],
)
def test_values_of_every_type(client: TestClient, expression: str, expected: Any) -> None:
    assert value(client, expression) == expected


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", ARROW])
def test_too_many_rows_are_cut_and_said_so(client: TestClient, accept: str) -> None:
    answer = ask(client, "FROM range(10)", accept, limit=3)
    if accept == "application/json":
        assert (answer.json()["rowCount"], answer.json()["complete"]) == (3, False)
    else:
        assert answer.headers["x-complete"] == "false"


@pytest.mark.parametrize("text", ["", " ;", "-- nothing"])
def test_no_statement_is_no_several_statements(client: TestClient, text: str) -> None:
    message = client.post("/sql", json={"sql": text}).json()["message"]
    assert message.startswith("there is no statement")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"sql": "DROP TABLE movies"}, "invalid_sql"),
        ({"sql": "FROM hybridsearch.tasks"}, "invalid_sql"),
        ({"sql": "SELECT $a"}, "invalid_sql"),
        ({"sql": "SELECT ?", "parameters": 5}, "invalid_sql"),
        ({"sql": 5}, "invalid_sql"),
        ({}, "invalid_sql"),
        ({"sql": "SELECT 1", "limit": -1}, "invalid_sql"),
        ({"sql": "SELECT 'infinity'::DATE AS ends"}, "invalid_sql"),
        ({"sql": "SELECT 1", "rows": 1}, "bad_request"),
        ({"sql": "SELECT string_agg('abcdefghijklmnop', '') FROM range(10000000)"}, "sql_limit"),
    ],
)
def test_unfit_statement_is_refused(client: TestClient, body: Any, code: str) -> None:
    answer = client.post("/sql", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_key_is_needed(locked: Callable[[str | None], TestClient]) -> None:
    assert ask(locked(None), "SELECT 1").status_code == 401
    assert ask(locked("wrong"), "SELECT 1").status_code == 403
    assert ask(locked("masterKey"), "SELECT 1").json()["rows"] == [[1]]


def with_key(locked: Callable[[str | None], TestClient], **given: Any) -> TestClient:
    """A client whose key may read SQL on the indexes given."""
    key = {"actions": ["sql"], "indexes": ["*"], "expiresAt": None, **given}
    made = locked("masterKey").post("/keys", json=key).json()
    return locked(made["key"])


def test_key_sees_its_own_indexes_alone(
    locked: Callable[[str | None], TestClient], movies: Index, hybrid_movies: Index
) -> None:
    client = with_key(locked, indexes=["mov*"])
    assert ask(client, "SHOW TABLES").json()["rows"] == [["movies"]]
    assert ask(client, "SELECT count(*) FROM search('movies', '')").json()["rows"] == [[4]]
    for statement in ("FROM hybrid", "FROM search('hybrid', '')", "FROM facets('hybrid', '')"):
        assert ask(client, statement).json()["code"] == "invalid_sql"


def test_key_for_searching_may_not_ask_in_sql(
    locked: Callable[[str | None], TestClient], movies: Index
) -> None:
    assert ask(with_key(locked, actions=["search"]), "SELECT 1").status_code == 403


def test_a_tenant_asks_about_what_its_filter_keeps(
    locked: Callable[[str | None], TestClient], movies: Index
) -> None:
    key = {"actions": ["sql", "search"], "indexes": ["*"], "expiresAt": None}
    made = locked("masterKey").post("/keys", json=key).json()
    rules = {"apiKeyUid": made["uid"], "searchRules": {"movies": {"filter": "year > 2000"}}}
    answer = ask(locked(jwt.encode(rules, made["key"])), "SELECT count(*) FROM movies")
    assert answer.json()["rows"] == [[1]]
