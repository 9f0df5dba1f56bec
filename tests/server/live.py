"""A server on a port of this machine, for clients that are programs of their own."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

import hybridsearch
from hybridsearch import Database
from hybridsearch.arrays import Vectors
from hybridsearch.server.serving import listener
from tests.conftest import LETTERS, letters

PATIENCE = 20.0


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The address of the application as long as the block lasts."""
    socket = listener("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        _wait(server, thread)
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        socket.close()


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    end = time.monotonic() + PATIENCE
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def held_up(path: Path) -> Iterator[tuple[Database, threading.Event]]:
    """A database with an index "films" that has to be made anew, which lasts until the event."""
    go_on = threading.Event()

    def embed(texts: Sequence[str]) -> Vectors:
        assert go_on.wait(PATIENCE)
        return letters(texts)

    settings = {"embedders": {"letters": {"source": "function", "dimensions": LETTERS}}}
    with hybridsearch.open(path, functions={"letters": letters}) as db:
        index = db.create_index("films", primary_key="id", settings=settings)
        index.add([{"id": number, "title": f"Film {number}"} for number in range(3)])
    shutil.rmtree(path.with_name(path.name + ".search"))
    with hybridsearch.open(path, functions={"letters": embed}) as db:
        try:
            yield db, go_on
        finally:
            go_on.set()
