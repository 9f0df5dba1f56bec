"""A server over a database in memory, and a client of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from hybridsearch import Database
from hybridsearch.server import app_for

MASTER = "masterKey"


@pytest.fixture
def client(memory: Database) -> Iterator[TestClient]:
    """May do everything; the server has no master key."""
    with TestClient(app_for(memory)) as found:
        yield found


@pytest.fixture
def locked(memory: Database) -> Iterator[Callable[[str | None], TestClient]]:
    """Makes clients with a key, or without one, of a server that has a master key."""
    with TestClient(app_for(memory, master_key=MASTER)) as found:

        def with_key(key: str | None) -> TestClient:
            found.headers.pop("Authorization", None)
            if key is not None:
                found.headers["Authorization"] = f"Bearer {key}"
            return found

        yield with_key
