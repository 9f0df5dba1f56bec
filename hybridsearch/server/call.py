"""What does a handler get, and how is a route described?

A `Route` says method, path, needed action, handler, and what the request may hold; the table of
them (`server.routes`) drives routing, authorisation, the OpenAPI document and tests. A handler is
a plain function from a `Call`, already authorised and checked, to a `Reply`. It runs on a thread.

    def show(call: Call) -> Reply:
        return json_reply(call.index().stats())

    Route("GET", "/indexes/{uid}/stats", "stats.get", show, "Figures of one index.")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hybridsearch.course import Step
from hybridsearch.database import Database
from hybridsearch.errors import FilterError, NotFound, near
from hybridsearch.index import Index
from hybridsearch.server.access import WRONG_KEY, Caller
from hybridsearch.server.fields import Field
from hybridsearch.server.figures import Figures
from hybridsearch.server.key_store import Keys
from hybridsearch.server.webhook_store import Webhooks
from hybridsearch.server.wire import JSON, Refused, Reply
from hybridsearch.snapshot import Snapshot
from hybridsearch.store import NAMES

PATIENCE = 2.0
"""Seconds that a request waits for an index that is being opened."""
AGAIN = 1
"""Seconds after which it is worth asking again then."""


@dataclass(frozen=True)
class Body:
    """What the body of a request is.

    kind "object": JSON with `fields`; "json": any JSON; "bytes": as it came, in one of `media`.
    """

    kind: str = "object"
    fields: Sequence[Field] = ()
    media: Sequence[str] = (JSON,)
    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """One way in.

    action: what a key must allow; "" lets everybody in. tenants: whether a tenant token may come.
    body: None when there is none. parameters: None takes any. slow: it may take long, and gets
    threads that searches do not need.
    """

    method: str
    path: str
    action: str
    handler: Callable[[Call], Reply]
    summary: str
    body: Body | None = None
    parameters: Sequence[Field] | None = ()
    tenants: bool = False
    slow: bool = False
    status: int = 200


@dataclass(frozen=True)
class Services:
    """What handlers work with. keys: None without a master key."""

    db: Database
    webhooks: Webhooks
    figures: Figures
    routes: Sequence[Route] = ()
    keys: Keys | None = None


@dataclass(frozen=True)
class Call:
    """One request to one route, checked against it.

    path: the parts of the address that the route names. parameters, fields: what the address and
    the JSON object of the body hold. value: the body's JSON of whatever kind. body: its bytes,
    decompressed. headers: by lower-case name. query: the address after the "?", as it came.
    """

    services: Services
    caller: Caller = field(default_factory=Caller)
    path: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    value: Any = None
    body: bytes = b""
    media: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""

    @property
    def db(self) -> Database:
        """The database that is served."""
        return self.services.db

    @property
    def uid(self) -> str:
        """The name of the index in the path. Raises Refused when no index can have it."""
        return checked_uid(self.path["uid"])

    def index(self, uid: str | None = None) -> Index:
        """The index of the path, or of that name. Raises NotFound or Refused."""
        name = self.uid if uid is None else checked_uid(uid)
        self.must_see(name)
        try:
            return self.db.index(name)
        except NotFound:
            raise self.missing(name) from None

    def missing(self, uid: str) -> NotFound:
        """The error for an index that is not there; it offers only names that the caller sees."""
        seen = [one.uid for one in self.db.store.indexes() if self.caller.sees(one.uid)]
        return NotFound(f"Index `{uid}` not found{near(uid, seen)}", code="index_not_found")

    def snapshot(self, uid: str | None = None) -> Snapshot:
        """What there is of the index for the caller now: for a tenant, what its rules let through.

        Every handler that gives documents away, or counts them, goes by this one.
        """
        index = self.index(uid)
        self.must_be_ready(index.uid)
        try:
            return index.snapshot().confined(self.caller.forced_filter(index.uid))
        except FilterError as error:
            raise Refused(
                f"the filter of the tenant token does not fit index `{index.uid}`: {error.message}",
                code="invalid_search_filter",
            ) from None

    def must_be_ready(self, uid: str) -> None:
        """Raise Refused when the index is being made anew, which takes a while; with how far it is.

        Raises NotFound.
        """
        steps = self.db.opening(uid, PATIENCE)
        if steps is not None:
            raise Refused(
                f"Index `{uid}` is being made ready to be searched: {told(steps)}. Try again soon.",
                code="index_not_ready",
                retry_after=AGAIN,
            )

    def must_see(self, uid: str) -> None:
        """Raise Refused when the caller's key does not reach an index of this name."""
        if not self.caller.sees(uid):
            raise Refused(WRONG_KEY, code="invalid_api_key")


def told(steps: Sequence[Step]) -> str:
    """Where something is that takes a while, in words.

    >>> told([Step("indexing anew", 2_000, 61_000), Step("embedding texts", 0, 1_000)])
    'indexing anew, 2,000 of 61,000 documents'
    """
    step = steps[0]
    return (
        f"{step.name}, {step.finished:,} of {step.total:,} documents" if step.total else step.name
    )


def checked_uid(uid: str) -> str:
    """The name, when an index can have it. Raises Refused."""
    if not NAMES.fullmatch(uid):
        raise Refused(
            f"`{uid:.80}` is not a valid index uid. Index uid can be an integer or a string"
            " containing only alphanumeric characters, hyphens (-), underscores (_) and, but not"
            " first, dots, and can not be more than 400 bytes.",
            code="invalid_index_uid",
        )
    return uid
