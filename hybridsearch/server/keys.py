"""How are keys made, read, renamed and removed over HTTP?"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

from hybridsearch.errors import near
from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.fields import Field
from hybridsearch.server.key_store import Key, Keys, fresh
from hybridsearch.server.task_views import moment
from hybridsearch.server.wire import Refused, Reply, json_reply, nothing
from hybridsearch.store import now

PAGE = 20
PATTERN = re.compile(r"(?!\.)([A-Za-z0-9._-]{0,400}\*|[A-Za-z0-9._-]{1,400})")
SUBJECTS = {
    "documents": ("add", "get", "delete"),
    "indexes": ("create", "get", "update", "delete", "swap", "compact"),
    "tasks": ("get", "cancel", "delete"),
    "settings": ("get", "update"),
    "stats": ("get",),
    "metrics": ("get",),
    "dumps": ("create",),
    "snapshots": ("create",),
    "keys": ("create", "get", "update", "delete"),
    "experimental": ("get", "update"),
    "webhooks": ("create", "get", "update", "delete"),
    "network": ("get", "update"),
    "chats": ("get", "delete"),
    "chatsSettings": ("get", "update"),
    "dynamicSearchRules": ("create", "get", "update", "delete"),
}
ACTIONS = (
    *("*", "*.get", "search", "sql", "version", "export", "chatCompletions"),
    *(f"{subject}.{verb}" for subject, verbs in SUBJECTS.items() for verb in ("*", *verbs)),
)
PAGING = (
    Field("offset", "whole", "invalid_api_key_offset", help="How many to pass over."),
    Field("limit", "whole", "invalid_api_key_limit", help="How many; 20 when not given."),
)
NAMED = (
    Field("name", "text", "invalid_api_key_name", null=True, help="For people."),
    Field("description", "text", "invalid_api_key_description", null=True, help="For people."),
)
MADE = (
    *NAMED,
    Field("uid", "text", "invalid_api_key_uid", help="A UUID of version 4; made when not given."),
    Field("actions", "texts", "invalid_api_key_actions", missing="missing_api_key_actions",
          help="What it allows: the words in brackets here, as search, documents.* or *."),
    Field("indexes", "texts", "invalid_api_key_indexes", missing="missing_api_key_indexes",
          help="Where: names of indexes, as films, film* or *."),
    Field("expiresAt", "text", "invalid_api_key_expires_at", null=True,
          help="Needed. When it ends, as RFC 3339; null for never."),
)  # fmt: skip
KEPT = "Refused: it stays as it was made."
FIXED = ("uid", "actions", "indexes", "expiresAt", "createdAt", "updatedAt")
CHANGED = (*NAMED, *(Field(name, "any", "bad_request", null=True, help=KEPT) for name in FIXED))


def list_keys(call: Call) -> Reply:
    """A page of the keys, the last one made first."""
    keys = _keys(call)
    found = keys.all()
    offset, limit = call.parameters.get("offset", 0), call.parameters.get("limit", PAGE)
    shown = [key_json(keys, key) for key in found[offset : offset + limit]]
    return json_reply({"results": shown, "offset": offset, "limit": limit, "total": len(found)})


def one(call: Call) -> Reply:
    """One key, by its value or uid."""
    keys = _keys(call)
    return json_reply(key_json(keys, keys.find(call.path["key"])))


def create(call: Call) -> Reply:
    """Make a key."""
    keys, given = _keys(call), call.fields
    if "expiresAt" not in given:
        raise Refused("Missing field `expiresAt`", code="missing_api_key_expires_at")
    key = fresh(
        uid=_uid(keys, given.get("uid")),
        name=given.get("name"),
        description=given.get("description"),
        actions=_actions(given["actions"]),
        indexes=_patterns(given["indexes"]),
        expires_at=_end(given["expiresAt"]),
    )
    keys.add(key)
    return json_reply(key_json(keys, key), 201)


def update(call: Call) -> Reply:
    """Change a key's name or description; nothing else of it can be changed."""
    keys = _keys(call)
    for name in FIXED:
        if name in call.fields:
            raise Refused(
                f"Immutable field `{name}`: expected one of `description`, `name`",
                code=f"immutable_api_key_{SNAKE.get(name, name)}",
            )
    key = keys.find(call.path["key"])
    texts = {"name": key.name, "description": key.description, **call.fields}
    return json_reply(key_json(keys, keys.change(key, **texts)))


def remove(call: Call) -> Reply:
    """Remove a key; whoever has it is out at once."""
    keys = _keys(call)
    keys.remove(keys.find(call.path["key"]))
    return nothing()


SNAKE = {"expiresAt": "expires_at", "createdAt": "created_at", "updatedAt": "updated_at"}


def _keys(call: Call) -> Keys:
    if call.services.keys is None:
        raise Refused(
            "The server runs without a master key, so it has no keys; start it with --master-key.",
            code="missing_master_key",
        )
    return call.services.keys


def _uid(keys: Keys, given: str | None) -> str | None:
    if given is None:
        return None
    try:
        uid = uuid.UUID(given)
    except ValueError:
        uid = uuid.UUID(int=0)
    if uid.version != 4 or str(uid) != given.lower():
        raise Refused(
            f"`uid` is `{given:.80}`, which is no UUID of version 4.", code="invalid_api_key_uid"
        )
    if keys.with_uid(str(uid)) is not None:
        raise Refused(
            f"`uid` field value `{uid}` is already an API key.", code="api_key_already_exists"
        )
    return str(uid)


def _actions(given: list[str]) -> list[str]:
    for action in given:
        if action not in ACTIONS:
            raise Refused(
                f"Unknown action `{action:.80}`{near(action, ACTIONS)}",
                code="invalid_api_key_actions",
            )
    return given


def _patterns(given: list[str]) -> list[str]:
    for pattern in given:
        if not PATTERN.fullmatch(pattern):
            raise Refused(
                f"`{pattern:.80}` is not a valid index uid pattern: the name of an index, or its"
                " beginning and *.",
                code="invalid_api_key_indexes",
            )
    return given


def _end(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError):
        raise Refused(
            f"`{text:.80}` is not a time; write it as 2042-04-02T10:30:00Z.",
            code="invalid_api_key_expires_at",
        ) from None
    if found <= now():
        raise Refused(f"`{text}` is not in the future.", code="invalid_api_key_expires_at")
    return found


def key_json(keys: Keys, key: Key) -> dict[str, Any]:
    """A key as clients read it, with its value."""
    return {
        "name": key.name,
        "description": key.description,
        "key": keys.value(key),
        "uid": key.uid,
        "actions": list(key.actions),
        "indexes": list(key.indexes),
        "expiresAt": moment(key.expires_at),
        "createdAt": moment(key.created_at),
        "updatedAt": moment(key.updated_at),
    }


ROUTES: tuple[Route, ...] = (
    Route("GET", "/keys", "keys.get", list_keys, "The keys.", parameters=PAGING),
    Route(
        "POST", "/keys", "keys.create", create, "Make a key.", body=Body(fields=MADE), status=201
    ),
    Route("GET", "/keys/{key}", "keys.get", one, "One key, by its value or uid."),
    Route(
        "PATCH",
        "/keys/{key}",
        "keys.update",
        update,
        "Change a key's name or description.",
        body=Body(fields=CHANGED),
    ),
    Route("DELETE", "/keys/{key}", "keys.delete", remove, "Remove a key.", status=204),
)
