"""How are webhooks made, read, changed and removed over HTTP?

What their headers hold is masked; the answer to making one shows all but `Authorization`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from hybridsearch.embedder_settings import masked
from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.fields import Field
from hybridsearch.server.webhook_store import MOST, MOST_HEADERS, Webhook, Webhooks
from hybridsearch.server.wire import Refused, Reply, json_reply, nothing

HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
VALUE = re.compile(r"[\t\x20-\x7e]{0,8000}")
SECRET = "authorization"
HEADERS = Field("headers", "object", "invalid_webhook_headers", null=True, help="To send along.")
MADE = (
    Field("url", "text", "invalid_webhook_url", missing="invalid_webhook_url", help="http(s)."),
    HEADERS,
)
CHANGED = (Field("url", "text", "invalid_webhook_url", help="http or https."), HEADERS)


def list_webhooks(call: Call) -> Reply:
    """Every webhook."""
    return json_reply({"results": [webhook_json(hook) for hook in _hooks(call).all()]})


def one(call: Call) -> Reply:
    """One webhook."""
    return json_reply(webhook_json(_found(call)))


def create(call: Call) -> Reply:
    """Make a webhook."""
    hooks = _hooks(call)
    if len(hooks.all()) >= MOST:
        raise Refused(f"There are {MOST} webhooks, the most there can be.", code="bad_request")
    headers = _headers(call.fields.get("headers") or {})
    hook = Webhook(str(uuid.uuid4()), _url(call.fields["url"]), headers)
    hooks.save(hook)
    shown = {n: masked(v) if n.lower() == SECRET else v for n, v in headers.items()}
    return json_reply({**webhook_json(hook), "headers": shown}, 201)


def update(call: Call) -> Reply:
    """Change a webhook's address, or some of its headers; null removes one, or all."""
    old = _found(call)
    change = call.fields.get("headers", {})
    kept = {} if change is None else {**old.headers, **change}
    headers = _headers({name: value for name, value in kept.items() if value is not None})
    hook = Webhook(old.uuid, _url(call.fields.get("url", old.url)), headers)
    _hooks(call).save(hook)
    return json_reply(webhook_json(hook))


def remove(call: Call) -> Reply:
    """Remove a webhook."""
    _hooks(call).remove(_found(call))
    return nothing()


def webhook_json(hook: Webhook) -> dict[str, Any]:
    """A webhook as clients read it: what its headers hold is masked."""
    headers = {name: masked(value) for name, value in hook.headers.items()}
    return {"uuid": hook.uuid, "url": hook.url, "headers": headers, "isEditable": True}


def _hooks(call: Call) -> Webhooks:
    return call.services.webhooks


def _found(call: Call) -> Webhook:
    try:
        number = str(uuid.UUID(call.path["uuid"]))
    except ValueError:
        raise Refused(
            f"`{call.path['uuid']:.80}` is not a valid uuid.", code="invalid_webhook_uuid"
        ) from None
    return _hooks(call).find(number)


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fit = False
    if not fit or not text.isascii() or not text.isprintable() or " " in text:
        raise Refused(f"`{text:.200}` is not an http or https address.", code="invalid_webhook_url")
    return text


def _headers(given: Mapping[str, Any]) -> dict[str, str]:
    if len(given) > MOST_HEADERS:
        raise Refused(f"Too many headers; at most {MOST_HEADERS}.", code="invalid_webhook_headers")
    for name, value in given.items():
        if not HEADER.fullmatch(name) or not isinstance(value, str) or not VALUE.fullmatch(value):
            raise Refused(
                f"`{name:.80}` is no header, or its value no text that a header can hold.",
                code="invalid_webhook_headers",
            )
    return dict(given)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/webhooks", "webhooks.get", list_webhooks, "The webhooks."),
    Route(
        "POST",
        "/webhooks",
        "webhooks.create",
        create,
        "Make a webhook: finished tasks are sent to it.",
        body=Body(fields=MADE),
        status=201,
    ),
    Route("GET", "/webhooks/{uuid}", "webhooks.get", one, "One webhook."),
    Route(
        "PATCH",
        "/webhooks/{uuid}",
        "webhooks.update",
        update,
        "Change a webhook's address or headers.",
        body=Body(fields=CHANGED),
    ),
    Route("DELETE", "/webhooks/{uuid}", "webhooks.delete", remove, "Remove a webhook.", status=204),
)
