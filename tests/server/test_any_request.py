"""Whatever a request holds, the server answers it with something better than an error of its own.

schemathesis makes requests out of our OpenAPI document: fit ones, and ones that are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import hybridsearch
from hybridsearch.server import app_for
from hybridsearch.server.call import Route
from hybridsearch.server.routes import ROUTES
from tests.conftest import MOVIES, letters
from tests.server.live import served

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

EXAMPLES = 6
OWN_FAULT = 500


@pytest.fixture(scope="module")
def described() -> Iterator[Any]:
    """The schema of a server over a database in memory, with the server behind it."""
    with hybridsearch.open(default_embedder=None, functions={"letters": letters}) as db:
        db.create_index("movies", primary_key="id").add(list(MOVIES))
        with served(app_for(db)) as address:
            yield schemathesis.openapi.from_url(f"{address}/openapi.json")


@pytest.mark.slow
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_no_request_brings_the_server_to_an_error_of_its_own(described: Any, route: Route) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=described[route.path][route.method].as_strategy())
    def ask(case: Any) -> None:
        if "uid" in (case.path_parameters or {}):
            case.path_parameters["uid"] = "movies"  # so that most of them get further
        answer = case.call()
        assert answer.status_code < OWN_FAULT, (answer.status_code, answer.text)

    ask()
