"""How does a request reach its handler?

`app_for(db)` is an ASGI application (Starlette) over an open database. It can be served as it is
or mounted inside another one. For each request it finds out who asks, reads the body within
limits, checks the request against its `Route`, runs the handler on one of a bounded number of
threads, and sends the `Reply`.

    app = app_for(hybridsearch.open("shop.duckdb"), master_key="...")
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybridsearch.database import Database
from hybridsearch.errors import HybridSearchError
from hybridsearch.jsontext import loads
from hybridsearch.outbound import Networks
from hybridsearch.server.access import Caller, Guard
from hybridsearch.server.bodies import Limits, receive, unpacked
from hybridsearch.server.call import Body, Call, Route, Services
from hybridsearch.server.fields import read_object, read_parameters
from hybridsearch.server.figures import Figures
from hybridsearch.server.key_store import Keys
from hybridsearch.server.routes import ROUTES
from hybridsearch.server.telling import Teller
from hybridsearch.server.threads import Gate
from hybridsearch.server.webhook_store import Webhooks
from hybridsearch.server.wire import Refused, Reply, error_json, error_reply, json_reply
from hybridsearch.turns import asking

log = logging.getLogger("hybridsearch")

A_DAY = 86_400
GONE = 499
HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}


def app_for(
    db: Database,
    *,
    master_key: str | None = None,
    limits: Limits | None = None,
    allowed_networks: Sequence[str] = (),
) -> Starlette:
    """The application over an open database, which it does not close.

    master_key: whoever has it may do everything; without one everybody may. allowed_networks:
    where webhooks may be beside the public internet, as in `hybridsearch.open`.
    """
    door = Door(db, master_key, limits or Limits(), allowed_networks)
    return Starlette(
        routes=[_path(door, route) for route in ROUTES],
        middleware=[
            Middleware(Patience, seconds=door.limits.send_seconds),
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["*"],
                allow_headers=["*"],
                max_age=A_DAY,
            ),
        ],
        exception_handlers={HTTPException: _refused},
        lifespan=door.lifespan,
    )


def _path(door: Door, route: Route) -> Path:
    async def endpoint(request: Request) -> Response:
        return _response(await door.answer(request, route))

    return Path(route.path, endpoint, methods=[route.method], name=f"{route.method} {route.path}")


class Door:
    """What the requests of one application share."""

    def __init__(
        self, db: Database, master_key: str | None, limits: Limits, networks: Sequence[str]
    ) -> None:
        self.limits = limits
        keys = None if master_key is None else Keys(db.store, master_key)
        webhooks = Webhooks(db.store)
        self._services = Services(db, webhooks, Figures(), ROUTES, keys)
        self._teller = Teller(db.queue, webhooks, Networks.of(networks))
        db.queue.listen(self._teller.finished)
        self._guard = Guard(master_key, keys)
        self._searches = Gate(
            "search", threads=limits.searches, at_once=limits.at_once, waiting=limits.waiting
        )
        self._writes = Gate("write", threads=limits.writes, waiting=limits.waiting)

    async def answer(self, request: Request, route: Route) -> Reply:
        """The reply to a request; whatever goes wrong is a reply too."""
        started = time.perf_counter()
        with nullcontext() if route.slow else asking():
            reply = await self._reply(request, route)
        seconds = time.perf_counter() - started
        self._services.figures.answered(route.method, route.path, reply.status, seconds)
        return reply

    async def _reply(self, request: Request, route: Route) -> Reply:
        gate = self._writes if route.slow else self._searches
        try:
            authorization = request.headers.get("authorization")
            caller = self._guard.caller(authorization, route.action, tenants=route.tenants)
            raw = b"" if route.body is None else await self._received(request)
            return await gate.run(lambda: self._handled(request, route, caller, raw))
        except HybridSearchError as error:
            return error_reply(error)
        except ClientDisconnect:
            return Reply(b"", GONE)
        except Exception:  # the last resort: no client sees a trace
            log.exception("%s %s", route.method, route.path)
            return error_reply(HybridSearchError("an unforeseen error"))

    async def _received(self, request: Request) -> bytes:
        size = request.headers.get("content-length")
        return await receive(aiter(request.stream()), self.limits, declared=size)

    def _handled(self, request: Request, route: Route, caller: Caller, raw: bytes) -> Reply:
        """The rest of the way, on a thread."""
        body, value = b"", None
        fields: dict[str, Any] = {}
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if route.body is not None:
            encoding = request.headers.get("content-encoding", "")
            body = unpacked(raw, encoding, self.limits.body_bytes)
            value, fields = _read(route.body, media, body)
        call = Call(
            services=self._services,
            caller=caller,
            path=request.path_params,
            parameters=_parameters(request, route),
            fields=fields,
            value=value,
            body=body,
            media=media,
            headers=request.headers,
            query=request.scope["query_string"].decode("latin-1"),
        )
        return route.handler(call)

    def lifespan(self, app: Starlette) -> AbstractAsyncContextManager[None]:
        """Closes the threads when the application ends."""

        @asynccontextmanager
        async def span() -> AsyncIterator[None]:
            yield
            self._teller.close()
            self._searches.close()
            self._writes.close()

        return span()


def _parameters(request: Request, route: Route) -> dict[str, Any]:
    given = dict(request.query_params)
    return given if route.parameters is None else read_parameters(given, route.parameters)


def _read(shape: Body, media: str, body: bytes) -> tuple[Any, dict[str, Any]]:
    """(the body's JSON, its fields). Raises Refused when it is of another kind."""
    _check_media(shape, media)
    if shape.kind == "bytes":
        return None, {}
    value = parsed(body)
    return value, read_object(value, shape.fields) if shape.kind == "object" else {}


def _check_media(shape: Body, media: str) -> None:
    known = ", ".join(f"`{name}`" for name in shape.media)
    if not media:
        raise Refused(
            "A Content-Type header is missing. Accepted values for the Content-Type header are:"
            f" {known}",
            code="missing_content_type",
        )
    if media not in shape.media:
        raise Refused(
            f"The Content-Type `{media:.80}` is invalid. Accepted values for the Content-Type"
            f" header are: {known}",
            code="invalid_content_type",
        )


def parsed(body: bytes) -> Any:
    """The JSON of a body. Raises Refused when it is empty or no JSON."""
    if not body.strip():
        raise Refused("A json payload is missing.", code="missing_payload")
    try:
        return loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(
            f"The json payload provided is malformed. `{error!s:.120}`.",
            code="malformed_payload",
        ) from None


def _response(reply: Reply) -> Response:
    kind: Any = Response if isinstance(reply.body, bytes) else StreamingResponse
    media = reply.media if reply.body else None
    found: Response = kind(reply.body, reply.status, dict(reply.headers), media)
    return found


def _refused(request: Request, error: Exception) -> Response:
    """What the router itself refuses: an unknown address, or a method it does not have."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = HTTP_CODES.get(status, "bad_request")
    message = f"There is no {request.method} {request.url.path:.200} here."
    found = json_reply(error_json(message, code, "invalid_request"), status)
    return _response(found)


class Patience:
    """Cuts clients that do not take their answer."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, with a limit on the time that each piece of its answer takes."""

        async def timed(message: Message) -> None:
            async with asyncio.timeout(self._seconds):
                await send(message)

        try:
            await self._app(scope, receive, timed if scope["type"] == "http" else send)
        except TimeoutError:
            log.warning("a client did not take its answer and was cut")
