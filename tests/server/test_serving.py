"""A server in a process of its own: what it accepted survives, clients that stall are cut."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

import hybridsearch
from hybridsearch.server import Limits, app_for, serving

ROOT = Path(__file__).parents[2]
SERVE = [sys.executable, "-m", "hybridsearch", "serve", "--port", "0", "--no-default-embedder"]
DOCUMENTS = 40
CANCELATION = -1


@contextmanager
def served(path: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], httpx2.Client]]:
    """A serving process and a client of it; the process is killed at the end if it still runs."""
    with subprocess.Popen(
        [*SERVE, *options, str(path)], stderr=subprocess.PIPE, cwd=ROOT, text=True
    ) as process:
        try:
            with httpx2.Client(base_url=address(process), timeout=60) as client:
                yield process, client
        finally:
            process.kill()


def address(process: subprocess.Popen[str]) -> str:
    """Where the process says it serves."""
    assert process.stderr is not None
    said = (word for line in process.stderr for word in line.split())
    return next(word for word in said if word.startswith("http://"))


def load_until_gone(client: httpx2.Client, start: int) -> list[tuple[int, int]]:
    """Add documents, one task after the other, until nobody answers; (task, batch) acknowledged.

    Every fourth is canceled at once, which is a task too.
    """
    told: list[tuple[int, int]] = []
    number = start
    try:
        while True:
            body = [{"id": f"{number}-{n}", "text": "words " * n} for n in range(DOCUMENTS)]
            reply = client.post("/indexes/films/documents", json=body)
            assert reply.status_code == 202
            told.append((reply.json()["taskUid"], number))
            if number % 4 == 3:
                uid = reply.json()["taskUid"]
                reply = client.post(f"/tasks/cancel?uids={uid}")
                told.append((reply.json()["taskUid"], CANCELATION))
            number += 1
    except httpx2.HTTPError:
        return told


def settled(client: httpx2.Client) -> list[dict[str, Any]]:
    """Every task, once none waits any more."""
    for _ in range(2_400):
        if not client.get("/tasks?statuses=enqueued,processing&limit=1").json()["total"]:
            break
        time.sleep(0.05)
    found: list[dict[str, Any]] = client.get("/tasks?limit=100000").json()["results"]
    return found


def check_kept(path: Path, told: list[tuple[int, int]]) -> None:
    with served(path) as (_, client):
        tasks = {task["uid"]: task["status"] for task in settled(client)}
        assert {tasks.get(uid) for uid, _ in told} <= {"succeeded", "canceled"}
        canceled = {number for uid, number in told if tasks[uid] == "canceled"}
        assert all(number % 4 == 3 for number in canceled)
        page = client.get(f"/indexes/films/documents?limit={10**6}&fields=id").json()["results"]
    kept = {document["id"] for document in page}
    numbers = {number for _, number in told if number != CANCELATION}
    wanted = {f"{number}-{n}" for number in numbers - canceled for n in range(DOCUMENTS)}
    assert wanted <= kept
    assert not {id_ for id_ in kept if int(id_.partition("-")[0]) in canceled}
    assert hybridsearch.check(path) == []


def survive(path: Path, kills: int, seed: int) -> int:
    chance = random.Random(seed)
    told: list[tuple[int, int]] = []
    for kill in range(kills):
        with served(path) as (process, client):
            timer = threading.Timer(chance.uniform(0.05, 1.5), process.kill)
            timer.start()
            told += load_until_gone(client, kill * 10_000)
            timer.cancel()
    check_kept(path, told)
    return len(told)


def test_kill_loses_no_acknowledged_task(path: Path) -> None:
    assert survive(path, 1, seed=3) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_many_kills_lose_no_acknowledged_task(path: Path, seed: int) -> None:
    assert survive(path, 6, seed) > 0


@pytest.mark.parametrize(
    "numbers",
    [[signal.SIGTERM], [signal.SIGINT], [signal.SIGINT] * 2],
    ids=["term", "int", "int twice"],
)
def test_a_signal_ends_the_server_and_leaves_what_waits_for_the_next(
    path: Path, numbers: list[signal.Signals]
) -> None:
    with served(path) as (process, client):
        told = []
        for batch in range(12):
            body = [{"id": f"{batch}-{n}", "text": "words"} for n in range(DOCUMENTS)]
            reply = client.post("/indexes/films/documents", json=body)
            told.append((reply.json()["taskUid"], batch))
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.02)  # two that come at once would be one
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    check_kept(path, told)


def test_a_third_interrupt_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr("os._exit", left.append)
    with hybridsearch.open(default_embedder=None) as db:
        server = serving.server_for(app_for(db))
        for wanted in ([], [], [130]):
            server.handle_exit(signal.SIGINT, None)
            assert left == wanted


# In this process


@contextmanager
def listening(limits: Limits | None = None) -> Iterator[tuple[str, int]]:
    with hybridsearch.open(default_embedder=None) as db:
        place = serving.listener("127.0.0.1", 0)
        server = serving.server_for(app_for(db, limits=limits))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            yield place.getsockname()[:2]
        finally:
            server.should_exit = True
            thread.join()


def test_an_answer_leaves_at_once_in_all_its_parts() -> None:
    with (
        closing(serving.listener("127.0.0.1", 0)) as place,
        socket.create_connection(place.getsockname()[:2]),
        closing(place.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def is_cut(place: tuple[str, int], *parts: bytes) -> bytes:
    """Send the parts and wait: what came before the server closed the connection."""
    with socket.create_connection(place, timeout=30) as client:
        for part in parts:
            client.sendall(part)
        found = b""
        while piece := client.recv(65536):
            found += piece
        return found


@pytest.mark.parametrize("parts", [(), (b"GET /health HT",), (b"GET /health HTTP/1.1\r\nX: y",)])
def test_half_a_header_is_cut(monkeypatch: pytest.MonkeyPatch, parts: tuple[bytes, ...]) -> None:
    monkeypatch.setattr(serving, "HEADER_SECONDS", 0.2)
    with listening() as place:
        assert is_cut(place, *parts) == b""


def test_half_a_body_is_cut() -> None:
    head = (
        b"POST /indexes/a/documents HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n[{"
    )
    with listening(Limits(stall_seconds=0.2)) as place:
        assert b"request_timeout" in is_cut(place, head)


def test_an_endless_header_is_refused() -> None:
    with listening() as place:
        answer = is_cut(place, b"GET /health HTTP/1.1\r\nX: " + b"a" * 100_000)
        assert answer.startswith(b"HTTP/1.1 400")


def test_a_header_of_too_many_lines_is_refused() -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1_000) for number in range(40))
    with listening() as place:
        answer = is_cut(place, b"GET /health HTTP/1.1\r\n" + lines + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 400")


def test_a_long_header_that_comes_in_pieces_is_read() -> None:
    lines = [b"X-%d: %s\r\n" % (number, b"a" * 1_000) for number in range(30)]
    head = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    with listening() as place:
        assert b"available" in is_cut(place, head, *lines, b"\r\n")


@pytest.mark.parametrize("length", [b"Content-Length: 12", b"Transfer-Encoding: chunked"])
def test_who_offers_another_protocol_is_answered_in_this_one(length: bytes) -> None:
    body = b'{"limit": 1}' if length.endswith(b"12") else b'C\r\n{"limit": 1}\r\n0\r\n\r\n'
    head = (
        b"POST /indexes/a/search HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEA\r\n"
    )
    last = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with listening() as place:
        whole = is_cut(place, head + length + b"\r\n\r\n" + body + last)
        pieces = is_cut(place, head, length + b"\r\n\r\n" + body[:5], body[5:], last)
    for answer in (whole, pieces):
        assert b"index_not_found" in answer
        assert b"available" in answer


def test_two_lengths_of_one_body_are_refused() -> None:
    head = (
        b"POST /indexes/a/search HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}"
    )
    with listening() as place:
        assert is_cut(place, head).startswith(b"HTTP/1.1 400")


def test_a_large_body_is_refused_before_it_is_read() -> None:
    head = (
        b"POST /indexes/a/documents HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n"
    )
    with listening() as place:
        assert b"payload_too_large" in is_cut(place, head)


def test_a_taken_port_is_said_in_one_line() -> None:
    with listening() as (host, port):
        found = subprocess.run(
            [*SERVE[:4], "--port", str(port), "--host", host, "nowhere.duckdb"],
            capture_output=True,
            cwd=ROOT,
            text=True,
            check=False,
        )
        assert found.returncode == 2
        assert found.stderr.startswith(f"error: cannot listen on {host}, port {port}")
        assert not (ROOT / "nowhere.duckdb").exists()


class Wire(asyncio.Transport):
    """Notes what is sent in which pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.sent.append(b"closed")

    def is_closing(self) -> bool:
        return b"closed" in self.sent


def test_head_and_body_of_an_answer_are_sent_in_one_piece() -> None:
    wire, large = Wire(), b"-" * (serving.JOINED_BYTES + 1)

    async def answers() -> None:
        joining = serving.Joining(wire)
        for piece in (b"head ", b"body"):
            joining.write(piece)
        assert wire.sent == []
        await asyncio.sleep(0)
        joining.write(b"head ")
        joining.write(large)  # waits for nothing, so that a slow client is noticed
        assert wire.sent == [b"head body", b"head " + large]
        joining.write(b"last words")
        joining.close()
        await asyncio.sleep(0)

    asyncio.run(answers())
    assert wire.sent[2:] == [b"last words", b"closed"]
