"""A server over a database in memory, and a client of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
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


def done(client: TestClient, reply: httpx2.Response) -> dict[str, Any]:
    """The task that a write became, once it is finished."""
    assert reply.status_code in (200, 202), reply.text
    for _ in range(2_000):
        task: dict[str, Any] = client.get(f"/tasks/{reply.json()['taskUid']}").json()
        if task["status"] not in ("enqueued", "processing"):
            return task
        time.sleep(0.005)
    raise AssertionError(f"never finished: {task}")


def succeeded(client: TestClient, reply: httpx2.Response) -> dict[str, Any]:
    """The same, and it went well."""
    task = done(client, reply)
    assert task["status"] == "succeeded", task["error"]
    return task


def refusal(reply: httpx2.Response) -> tuple[int, str]:
    """The status and code of an error, whose body has the form that clients know."""
    found = reply.json()
    assert set(found) == {"message", "code", "type", "link"}, found
    return reply.status_code, found["code"]
