"""How is a request's body read, within limits?

`receive` takes it off the network: at most so many bytes, at most so many seconds, and a client
that stalls is cut. `unpacked` undoes its Content-Encoding, with the same limit on what comes out,
so that a small body cannot become an enormous one.

    raw = await receive(request.stream(), limits, declared=request.headers.get("content-length"))
    body = unpacked(raw, "gzip", limits.body_bytes)
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pyarrow as pa

from hybridsearch.server.wire import Refused

MEGABYTE = 1_000_000
PIECE = 1 << 20
PATIENCE = 4
"""Times the limit that is read of a body before its client is cut."""


@dataclass(frozen=True)
class Limits:
    """What one client may ask of the server.

    body_bytes: of a body, packed or unpacked. stall_seconds: between two pieces of a body.
    body_seconds: for all of it. send_seconds: for the client to take a piece of an answer.
    searches, writes: threads for each. at_once: how many searches run that have not lasted long.
    waiting: requests that wait for a thread; more get 503.
    """

    body_bytes: int = 100 * MEGABYTE
    stall_seconds: float = 15.0
    body_seconds: float = 300.0
    send_seconds: float = 60.0
    searches: int = 16
    at_once: int = 2
    writes: int = 4
    waiting: int = 1000


async def receive(
    pieces: AsyncIterator[bytes], limits: Limits, *, declared: str | None = None
) -> bytes:
    """The body as it came. Raises Refused when it is too large or comes too slowly.

    A client that sends too much reads no answer before it has sent all, so what is too much is
    read on, up to a limit, and let go of.
    """
    most, size = limits.body_bytes, 0
    if declared is not None and declared.isdigit() and int(declared) > PATIENCE * most:
        raise too_large(most)
    held = bytearray()
    now = asyncio.get_running_loop().time
    end = now() + limits.body_seconds
    try:
        async with asyncio.timeout_at(min(now() + limits.stall_seconds, end)) as patience:
            async for piece in pieces:
                size += len(piece)
                if size > PATIENCE * most:
                    break
                if size > most:
                    held.clear()
                else:
                    held += piece
                patience.reschedule(min(now() + limits.stall_seconds, end))
    except TimeoutError:
        raise Refused("The body came too slowly.", code="request_timeout") from None
    if size > most:
        raise too_large(most)
    return bytes(held)


def unpacked(raw: bytes, encoding: str, most: int) -> bytes:
    """The body without its Content-Encoding: gzip, deflate, br, zstd or identity.

    Raises Refused when it is of another, damaged, or more than `most` bytes.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return raw
    if name not in UNPACK:
        raise Refused(
            f"The encoding `{name:.40}` is not supported; use one of {', '.join(UNPACK)}.",
            code="unsupported_content_encoding",
        )
    try:
        return UNPACK[name](raw, most)
    except (zlib.error, OSError, pa.ArrowException) as error:
        raise Refused(
            f"The body is not valid {name} ({str(error).partition(chr(10))[0]:.200}); send all of"
            " it, or leave out the header Content-Encoding.",
            code="malformed_payload",
        ) from None


def _deflate(raw: bytes, most: int) -> bytes:
    """With zlib's header, as it should come, or without, as some send it."""
    try:
        return _inflated(raw, zlib.MAX_WBITS, most)
    except zlib.error:
        return _inflated(raw, -zlib.MAX_WBITS, most)


def _inflated(raw: bytes, bits: int, most: int) -> bytes:
    machine = zlib.decompressobj(bits)
    found = machine.decompress(raw, most + 1)
    if len(found) > most:
        raise too_large(most)
    if not machine.eof:
        raise zlib.error("it ends too early")
    return found


def _arrow(codec: str) -> Callable[[bytes, int], bytes]:
    def unpack(raw: bytes, most: int) -> bytes:
        held = bytearray()
        with pa.CompressedInputStream(pa.BufferReader(raw), codec) as stream:
            while piece := stream.read(PIECE):
                held += piece
                if len(held) > most:
                    raise too_large(most)
        return bytes(held)

    return unpack


UNPACK: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _arrow("gzip"),
    "deflate": _deflate,
    "br": _arrow("brotli"),
    "zstd": _arrow("zstd"),
}


def too_large(most: int) -> Refused:
    """The error for a body above the limit."""
    return Refused(
        f"The provided payload reached the size limit. The maximum accepted payload size is"
        f" {most / MEGABYTE:g} MB.",
        code="payload_too_large",
    )
