"""The doors through which statements go, over what a module's `indexed` and `tables` make."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import pytest

import hybridsearch
from hybridsearch import Database
from hybridsearch.sql.connection import Connection
from tests.conformance.pairs import Door


@pytest.fixture(scope="module")
def own(indexed: Database) -> Iterator[Connection]:
    with indexed.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def foreign(
    indexed: Database, tables: Callable[[Door], object]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to another database, which holds the user's tables but no document of ours."""
    with duckdb.connect() as connection:
        tables(connection)
        hybridsearch.attach(connection, indexed)
        yield connection


@pytest.fixture
def transaction(own: Connection) -> Iterator[Connection]:
    """A transaction that is rolled back, in which nothing may be tried that could fail."""
    own.begin()
    yield own
    own.rollback()
