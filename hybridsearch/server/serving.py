"""How is the application served over HTTP, and how does that end?

`serve` runs uvicorn until SIGINT or SIGTERM: then it takes no more connections, finishes the
requests in hand and returns. Who sends half a header and waits is cut.

    serve(app_for(db), host="127.0.0.1", port=7700)
"""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import signal
import socket
import sys
from types import FrameType
from typing import Any, cast

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hybridsearch.errors import InputError

HEADER_SECONDS = 10.0
HEADER_BYTES = 32_768
IDLE_SECONDS = 30
CONNECTIONS = 2_000
BACKLOG = 2_048
LAST_SECONDS = 30
JOINED_BYTES = 65_536
"""A piece of an answer beyond this waits for no other."""
TURN_SECONDS = 0.0005
"""How long a thread may go on while another waits for the interpreter.

A search gives it up a few dozen times, in tantivy, numpy and DuckDB; by Python's own 5 ms a task
that runs beside it would make it wait so long each time.
"""

COLLECTED_AFTER = (50_000, 5, 100)
"""New objects after which Python looks for cycles among them; collections after which it looks at
those that stayed, and at all.

It stops every thread meanwhile. Documents that are on their way in are many objects without a
cycle, and by Python's own numbers it looked at all of them again and again, .2 s each time. What
was there before the first request is never looked at.
"""


def check_address(host: str, master_key: str | None) -> None:
    """Raise InputError when others than this machine could come in without a key."""
    if master_key is None and not is_loopback(host):
        raise InputError(
            f"refusing to listen on {host} without a master key, for anybody on the network could"
            " read and write; give --master-key, or listen on 127.0.0.1",
            field="master_key",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address.

    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes any. Raises InputError when it cannot.

    What connects does not wait to fill packets: the head of an answer and its body are written one
    after the other, and the body would else wait up to 40 ms, until the client has acknowledged the
    head. asyncio sees to that itself only for sockets that name their protocol.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another with"
            " --port",
            field="port",
        ) from None


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Answer requests on the socket until a signal says stop; closes the socket."""
    sys.setswitchinterval(TURN_SECONDS)
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)
    try:
        server_for(app).run(sockets=[listening])
    finally:
        gc.unfreeze()


def server_for(app: ASGIApp) -> Server:
    """A server that is not running yet; should_exit ends it."""
    return Server(
        uvicorn.Config(
            app,
            http=ImpatientProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=LAST_SECONDS,
        )
    )


class Server(uvicorn.Server):
    """uvicorn's server; a signal ends it, and is not raised again after it."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Finish what is in hand; a second SIGINT waits for nobody to read, a third for nothing."""
        if self.force_exit and sig == signal.SIGINT:
            os._exit(128 + sig)  # costs nothing but the time to catch up at the next opening
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Also close the application where nothing is waited for, or it would be cut off."""
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()


class HeaderTooLarge(Exception):
    """More bytes before a body than `HEADER_BYTES`; the parser makes a refusal of it."""


class ImpatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, which closes a connection whose request is not begun in time, and
    refuses one whose header does not end."""

    _deadline: asyncio.TimerHandle | None = None
    _in_header = True
    _unread_bytes = 0
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for a request."""
        super().connection_made(cast(asyncio.Transport, Joining(transport)))
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Some bytes came; wait for the rest of a header, not for that of a body."""
        self._unset_keepalive_if_required()
        self._feed(data)
        if self._in_header:
            self._unread_bytes += len(data)
            if self._unread_bytes > HEADER_BYTES and not self.transport.is_closing():
                self.send_400_response("The header is too large.")
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side went away."""
        self._unwatch()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The first bytes of a request."""
        self._in_header, self._unread_bytes, self._header_bytes = True, 0, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line of a header. Raises HeaderTooLarge for one too many."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEADER_BYTES:
            raise HeaderTooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The body is next, if there is one."""
        self._in_header = False
        if not self._is_offer():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is there; one that offers another protocol is read again."""
        if not self._is_offer():
            super().on_message_complete()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _is_offer(self) -> bool:
        """Whether the request would like another protocol, and says what it wants in this one."""
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _stay(self, rest: bytes) -> None:
        """Read a request as if it had not offered another protocol.

        The parser ends with the header of one that does. Java's own client offers HTTP/2 with
        each first request of a connection.
        """
        if self._is_offer():
            kept = [b": ".join(line) for line in self.headers if line[0] != b"upgrade"]
            head = [self.parser.get_method() + b" " + self.url + b" HTTP/1.1", *kept, b"", b""]
            self.parser = httptools.HttpRequestParser(self)
            self._feed(b"\r\n".join(head) + rest)

    def _watch(self) -> None:
        if not self._in_header:
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._expired)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expired(self) -> None:
        """Close, unless an earlier request is still being answered: then wait once more."""
        self._deadline = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self._watch()


class Joining:
    """A transport that sends what is written in one turn of the loop in one piece.

    uvicorn writes the head of an answer and its body one after the other; sent apart, each of them
    is a call of the system and wakes the client.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._pieces: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send this with what else is written before the loop goes on; much of it, at once."""
        if not self._pieces:
            asyncio.get_running_loop().call_soon(self._send)
        self._pieces.append(data)
        if len(data) > JOINED_BYTES:
            self._send()

    def close(self) -> None:
        """Close the connection once all is sent."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        pieces, self._pieces = self._pieces, []
        if pieces and not self._transport.is_closing():
            self._transport.write(b"".join(pieces))
