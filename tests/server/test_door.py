"""Every request is answered in JSON, by its route, within limits."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from hybridsearch.errors import InputError
from hybridsearch.server.bodies import Limits, receive, unpacked
from hybridsearch.server.fields import Field, read_object, read_parameters
from hybridsearch.server.serving import check_address, is_loopback
from hybridsearch.server.threads import LONG_SECONDS, Gate
from hybridsearch.server.wire import STATUS, Refused, error_reply
from tests.conftest import refused
from tests.server.conftest import MASTER

LIMIT = Field("limit", "whole", "invalid_document_limit")
UID = Field("uid", "text", "invalid_index_uid", missing="missing_index_uid")


def test_health_is_open_to_all(locked: Callable[[str | None], TestClient]) -> None:
    assert locked(None).get("/health").json() == {"status": "available"}


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        (None, 401, "missing_authorization_header"),
        ("wrong", 403, "invalid_api_key"),
        ("é", 403, "invalid_api_key"),
        (MASTER, 200, None),
    ],
)
def test_master_key_opens_everything_else(
    locked: Callable[[str | None], TestClient], key: str | None, status: int, code: str | None
) -> None:
    header = {} if key is None else {"Authorization": f"Bearer {key}".encode()}
    found = locked(None).get("/version", headers=header)  # type: ignore[arg-type]  # bytes are fit
    assert (found.status_code, found.json().get("code")) == (status, code)


def test_unknown_address_is_an_error_in_json(client: TestClient) -> None:
    found = client.get("/nowhere")
    assert (found.status_code, found.json()["code"]) == (404, "not_found")


def test_unknown_method_is_an_error_in_json(client: TestClient) -> None:
    found = client.post("/health")
    assert (found.status_code, found.json()["code"]) == (405, "method_not_allowed")


def test_unknown_parameter_names_the_known_ones(client: TestClient) -> None:
    found = client.get("/health?x=1")
    assert (found.status_code, found.json()["code"]) == (400, "bad_request")
    assert "`x`" in found.json()["message"]


def test_pages_of_other_origins_may_ask(client: TestClient) -> None:
    found = client.get("/health", headers={"Origin": "https://shop.example"})
    assert found.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("code", STATUS)
def test_every_code_of_the_table_becomes_an_error(code: str) -> None:
    reply = error_reply(Refused("what was wrong", code=code))
    assert reply.status == STATUS[code][0]
    assert isinstance(reply.body, bytes)
    assert f'"code":"{code}"'.encode() in reply.body


# Fields


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ([], "bad_request", "expected an object, but found an array"),
        ({}, "missing_index_uid", "Missing field `uid`"),
        ({"uid": None}, "missing_index_uid", "Missing field `uid`"),
        ({"uid": 7}, "invalid_index_uid", "`.uid`: expected a string, but found a positive"),
        ({"uid": "a", "limit": -1}, "invalid_document_limit", "a negative integer: `-1`"),
        ({"uid": "a", "limit": 10**400}, "invalid_document_limit", "of many digits"),
        ({"uid": "a", "limit": True}, "invalid_document_limit", "a boolean: `true`"),
        ({"uid": "\ud800"}, "invalid_index_uid", "found a string: `?`"),
        ({"uid": "a", "x": 1}, "bad_request", "expected one of `uid`, `limit`"),
    ],
)
def test_unfit_object_names_its_field(value: object, code: str, message: str) -> None:
    refused(lambda: read_object(value, [UID, LIMIT]), Refused, code, message)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("whole", "20", 20),
        ("boolean", "true", True),
        ("texts", "a,b", ["a", "b"]),
        ("numbers", "0.5,1", [0.5, 1.0]),
        ("wholes", "1,2", [1, 2]),
        ("number", "1.5", 1.5),
    ],
)
def test_parameters_are_read_by_kind(kind: str, text: str, value: object) -> None:
    assert read_parameters({"a": text}, [Field("a", kind, "bad_request")]) == {"a": value}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("whole", "-1"),
        ("whole", "9" * 5000),
        ("boolean", "yes"),
        ("numbers", "a"),
        ("number", "nan"),
    ],
)
def test_unfit_parameters_are_refused(kind: str, text: str) -> None:
    fields = [Field("a", kind, "invalid_a")]
    refused(lambda: read_parameters({"a": text}, fields), Refused, "invalid_a", "parameter `a`")


# Bodies

BODY = b'{"a": 1}' * 50


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", BODY),
        ("gzip", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", zlib.compress(BODY, wbits=-15)),
        ("br", pa.compress(BODY, "brotli", asbytes=True)),
        ("zstd", pa.compress(BODY, "zstd", asbytes=True)),
    ],
    ids=["plain", "gzip", "deflate", "raw deflate", "br", "zstd"],
)
def test_packed_bodies_are_unpacked(encoding: str, packed: bytes) -> None:
    assert unpacked(packed, encoding, len(BODY)) == BODY


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_damaged_bodies_are_refused(encoding: str) -> None:
    refused(lambda: unpacked(b"\xff\x00 no", encoding, 99), Refused, "malformed_payload", encoding)


@pytest.mark.parametrize(
    ("encoding", "codec"), [("gzip", "gzip"), ("br", "brotli"), ("zstd", "zstd")]
)
def test_a_body_that_was_cut_off_is_refused(encoding: str, codec: str) -> None:
    cut = pa.compress(BODY, codec, asbytes=True)[:-5]
    refused(lambda: unpacked(cut, encoding, 9_999), Refused, "malformed_payload", "send all of it")


def test_small_body_cannot_become_an_enormous_one() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    for encoding, packed in [("gzip", bomb), ("deflate", zlib.compress(bytes(10_000_000)))]:
        refused(
            lambda packed=packed, encoding=encoding: unpacked(packed, encoding, 1_000_000),  # type: ignore[misc]  # bound at once
            Refused,
            "payload_too_large",
            "1 MB",
        )


async def _pieces(*pieces: bytes, wait: float = 0.0) -> AsyncIterator[bytes]:
    for piece in pieces:
        await asyncio.sleep(wait)
        yield piece


def test_large_body_is_refused_while_it_comes() -> None:
    limits = Limits(body_bytes=10)
    refused(
        lambda: asyncio.run(receive(_pieces(b"123456", b"789012"), limits)),
        Refused,
        "payload_too_large",
        "size limit",
    )


@pytest.mark.parametrize("declared", [None, "150", "9000"])
def test_what_is_too_much_is_read_on_so_that_its_client_hears_why(declared: str | None) -> None:
    """A hundred tens are sent: of 50 allowed four times as much is read, else none at all."""
    taken: list[bytes] = []

    async def noted() -> AsyncIterator[bytes]:
        async for piece in _pieces(*[b"1234567890"] * 100):
            taken.append(piece)
            yield piece

    act = lambda: asyncio.run(receive(noted(), Limits(body_bytes=50), declared=declared))  # noqa: E731  one line says it
    refused(act, Refused, "payload_too_large", "size limit")
    assert len(taken) == (0 if declared == "9000" else 21)


def test_declared_size_is_refused_before_it_comes() -> None:
    act = lambda: asyncio.run(receive(_pieces(), Limits(), declared="999999999"))  # noqa: E731  one line says it
    refused(act, Refused, "payload_too_large", "100 MB")


def test_stalling_client_is_cut() -> None:
    limits = Limits(stall_seconds=0.01)
    refused(
        lambda: asyncio.run(receive(_pieces(b"a", wait=5), limits)),
        Refused,
        "request_timeout",
        "slowly",
    )


# Threads


async def crowd() -> list[object]:
    """What a second request hears while the only thread is taken, and what the first got."""
    gate, held = Gate("test", threads=1, waiting=0), threading.Event()
    first = asyncio.create_task(gate.run(lambda: held.wait(10)))
    await asyncio.sleep(0)
    answers: list[object] = []
    try:
        await gate.run(lambda: True)
    except Refused as error:
        answers.append(error.code)
    held.set()
    answers.append(await first)
    gate.close()
    return answers


def test_whoever_comes_when_too_many_wait_is_told_to_come_back() -> None:
    assert asyncio.run(crowd()) == ["too_many_search_requests", True]


async def running(gate: Gate, works: Sequence[Callable[[], object]]) -> list[asyncio.Task[object]]:
    """The works as tasks, each of which has asked for its turn."""
    tasks = [asyncio.create_task(gate.run(work)) for work in works]
    await asyncio.sleep(0)
    return tasks


async def in_turn() -> list[int]:
    """In which order works begin of which one runs at a time."""
    gate, began = Gate("test", threads=4, at_once=1, waiting=9), list[int]()
    await asyncio.gather(*await running(gate, [partial(began.append, n) for n in range(6)]))
    gate.close()
    return began


def test_who_comes_first_is_first() -> None:
    assert asyncio.run(in_turn()) == list(range(6))


async def past_one_that_lasts() -> bool:
    """Whether a work ends that one before it, with the only turn, waits for."""
    gate, told = Gate("test", threads=2, at_once=1, waiting=9), threading.Event()
    waits, _ = await running(gate, [lambda: told.wait(10), told.set])
    found = await waits
    gate.close()
    return bool(found)


def test_work_that_lasts_keeps_nobody_back() -> None:
    assert asyncio.run(past_one_that_lasts())


async def with_one_thread() -> list[object]:
    """What the last of three works gives after the second was given up while it waited."""
    gate, held = Gate("test", threads=1, at_once=1, waiting=9), threading.Event()
    first, second, third = await running(gate, [lambda: held.wait(10), lambda: 2, lambda: 3])
    second.cancel()
    await asyncio.sleep(2 * LONG_SECONDS)  # its turn has ended, and there is no other thread
    held.set()
    found = [await first, await third, second.cancelled(), await gate.run(lambda: 4)]
    gate.close()
    return found


def test_whoever_gives_up_while_waiting_takes_no_place_with_him() -> None:
    assert asyncio.run(with_one_thread()) == [True, 3, True, 4]


async def given_up_when_admitted() -> object:
    """What the next work gives after one was given up that had just been let in."""
    gate = Gate("test", threads=1, at_once=1, waiting=9)

    async def first() -> None:
        await gate.run(lambda: 1)  # whose end lets the second in
        second.cancel()

    began = asyncio.create_task(first())
    await asyncio.sleep(0)
    second = asyncio.create_task(gate.run(lambda: 2))
    await asyncio.wait([began, second])
    found = second.cancelled(), await gate.run(lambda: 3)
    gate.close()
    return found


def test_whoever_gives_up_when_admitted_gives_his_place_back() -> None:
    assert asyncio.run(given_up_when_admitted()) == (True, 3)


# Addresses


def test_strangers_need_a_key() -> None:
    refused(
        lambda: check_address("0.0.0.0", None),
        InputError,
        "bad_request",
        "--master-key",
    )
    check_address("0.0.0.0", "key")
    assert is_loopback("127.0.0.2")
