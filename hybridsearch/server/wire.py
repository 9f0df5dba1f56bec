"""How do values go out over HTTP, and what does an error look like there?

A handler returns a `Reply`. What goes wrong is an error of `hybridsearch.errors`, or a `Refused`
for what only this door knows; `error_reply` gives its body `{message, code, type, link}`. STATUS
is the one table from an error's code to its HTTP status and type.

    json_reply({"status": "available"})
    raise Refused('there is no index "films"', code="index_not_found")
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from hybridsearch.errors import (
    Conflict,
    EmbedderError,
    HybridSearchError,
    InputError,
    NotFound,
)
from hybridsearch.jsontext import dumps

log = logging.getLogger("hybridsearch")

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
LINK = "https://docs.meilisearch.com/errors#"
RETRY_AFTER = 10
"""Seconds, where an error says no other number."""
INVALID, AUTH, INTERNAL, SYSTEM = "invalid_request", "auth", "internal", "system"

STATUS: dict[str, tuple[int, str]] = {
    "missing_authorization_header": (HTTPStatus.UNAUTHORIZED, AUTH),
    "missing_master_key": (HTTPStatus.UNAUTHORIZED, AUTH),
    "invalid_api_key": (HTTPStatus.FORBIDDEN, AUTH),
    "not_found": (HTTPStatus.NOT_FOUND, INVALID),
    "index_not_found": (HTTPStatus.NOT_FOUND, INVALID),
    "document_not_found": (HTTPStatus.NOT_FOUND, INVALID),
    "task_not_found": (HTTPStatus.NOT_FOUND, INVALID),
    "task_file_not_found": (HTTPStatus.NOT_FOUND, INVALID),
    "batch_not_found": (HTTPStatus.NOT_FOUND, INVALID),
    "api_key_not_found": (HTTPStatus.NOT_FOUND, INVALID),
    "webhook_not_found": (HTTPStatus.NOT_FOUND, INVALID),
    "render_document_not_found": (HTTPStatus.NOT_FOUND, INVALID),
    "not_found_similar_id": (HTTPStatus.BAD_REQUEST, INVALID),
    "method_not_allowed": (HTTPStatus.METHOD_NOT_ALLOWED, INVALID),
    "request_timeout": (HTTPStatus.REQUEST_TIMEOUT, INVALID),
    "api_key_already_exists": (HTTPStatus.CONFLICT, INVALID),
    "index_already_exists": (HTTPStatus.CONFLICT, INVALID),
    "payload_too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, INVALID),
    "missing_content_type": (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, INVALID),
    "invalid_content_type": (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, INVALID),
    "unsupported_content_encoding": (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, INVALID),
    "too_many_search_requests": (HTTPStatus.SERVICE_UNAVAILABLE, SYSTEM),
    "index_not_ready": (HTTPStatus.SERVICE_UNAVAILABLE, SYSTEM),
    "database_closed": (HTTPStatus.SERVICE_UNAVAILABLE, SYSTEM),
    "storage_error": (HTTPStatus.INSUFFICIENT_STORAGE, SYSTEM),
    "index_behind": (HTTPStatus.INSUFFICIENT_STORAGE, SYSTEM),
    "internal": (HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL),
}
"""Codes that are not here are 400 and invalid_request when the request was at fault, else 500."""
BY_REQUEST = (InputError, NotFound, Conflict, EmbedderError)
HIDDEN = "the server could not do this; its log says why"
"""What a client reads of an error of the server's own, whose message may name files."""


class Refused(InputError):
    """A request that this door refuses; the code decides the status."""


@dataclass(frozen=True)
class Reply:
    """What goes back: whole, or in pieces as they come."""

    body: bytes | Iterable[bytes]
    status: int = HTTPStatus.OK
    media: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(
    value: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Reply:
    """The value as JSON."""
    return Reply(dumps(value), status, JSON, headers or {})


def nothing() -> Reply:
    """204: done, and nothing to say."""
    return Reply(b"", HTTPStatus.NO_CONTENT)


def error_reply(error: HybridSearchError) -> Reply:
    """The error as a client sees it; one of the server's own is logged and keeps its message."""
    status, kind = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, Refused):
        log.error("%s: %s", error.code, error.message)
        message = HIDDEN
    else:
        message = error.message
    headers = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(error.fields.get("retry_after", RETRY_AFTER))
    return json_reply(error_json(message, error.code, kind), status, headers)


def status_of(error: HybridSearchError) -> tuple[int, str]:
    """The HTTP status and the type of an error."""
    if error.code in STATUS:
        return STATUS[error.code]
    if isinstance(error, BY_REQUEST):
        return HTTPStatus.BAD_REQUEST, INVALID
    return HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL


def error_json(message: str, code: str, kind: str) -> dict[str, str]:
    """The body of an error."""
    return {"message": message, "code": code, "type": kind, "link": LINK + code}
