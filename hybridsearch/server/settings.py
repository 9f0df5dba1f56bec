"""How are an index's settings read and changed over HTTP, whole or one at a time?

Every setting has an address of its own, its name in kebab-case. What Meilisearch leaves closed is
closed here too: an index made over HTTP has no filterable and no sortable attributes until they
are set, and resetting them closes them again. Settings of ours that Meilisearch does not know, and
those that it shows behind a switch, are shown once they are set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from hybridsearch.errors import NotFound, SettingsError
from hybridsearch.index import SETTINGS
from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.indexes import CLOSED, INDEX, allowed, record_of
from hybridsearch.server.tasks import accepted
from hybridsearch.server.wire import Refused, Reply, json_reply
from hybridsearch.settings import DEFAULTS, FACETING, Settings

OURS = ("attributeWeights", "boost", "fusion", "language")
UNFINISHED = ("chat", "foreignKeys")
PATCHED = ("typoTolerance", "faceting", "pagination", "embedders", "chat")
SORTED = ("filterableAttributes", "sortableAttributes")
ANY = Body(kind="json")


def settings_json(settings: Settings) -> dict[str, Any]:
    """The settings as clients read them."""
    found = settings.to_json()
    defaults = DEFAULTS.to_json()
    for name in (*OURS, *UNFINISHED):
        if found[name] == defaults[name]:
            del found[name]
    found["faceting"] = {name: found.pop(name) for name in FACETING}
    for name in SORTED:
        found[name] = sorted(found[name], key=str)
    return found


NAMES = tuple(sorted({*settings_json(DEFAULTS), *OURS, *UNFINISHED}))
"""Every setting that has an address."""


def kebab(name: str) -> str:
    """The name as it stands in an address.

    >>> kebab("typoTolerance")
    'typo-tolerance'
    """
    return re.sub(r"[A-Z]", lambda letter: "-" + letter.group().lower(), name)


def read(call: Call) -> Reply:
    """Every setting of an index."""
    return json_reply(settings_json(record_of(call).settings))


def change(call: Call) -> Reply:
    """Change the settings that the body names; null resets one."""
    if not isinstance(call.value, dict):
        raise Refused("Settings must be an object.", code="bad_request")
    return _accepted(call, call.value)


def reset(call: Call) -> Reply:
    """Set everything back to its default."""
    return _accepted(call, dict.fromkeys(NAMES), create=False)


def read_one(name: str) -> Callable[[Call], Reply]:
    """The handler that shows one setting."""

    def handler(call: Call) -> Reply:
        return json_reply(
            settings_json(record_of(call).settings).get(name, DEFAULTS.to_json().get(name))
        )

    return handler


def change_one(name: str) -> Callable[[Call], Reply]:
    """The handler that changes one setting."""
    return lambda call: _accepted(call, {name: call.value})


def reset_one(name: str) -> Callable[[Call], Reply]:
    """The handler that sets one setting back to its default."""
    return lambda call: _accepted(call, {name: None}, create=False)


def _accepted(call: Call, changes: Mapping[str, Any], *, create: bool = True) -> Reply:
    uid = allowed(call)
    settings = {
        name: CLOSED.get(name) if value is None else value for name, value in changes.items()
    }
    _check(call, uid, settings)
    arguments: dict[str, Any] = {"settings": settings}
    if create and call.caller.may("indexes.create"):
        arguments["create"] = CLOSED
    return accepted(call.db.queue.submit(uid, SETTINGS, arguments=arguments))


def _check(call: Call, uid: str, changes: Mapping[str, Any]) -> None:
    """Raise Refused when the settings are unfit, before they are accepted."""
    try:
        before = call.db.index(uid).settings
    except NotFound:
        before = DEFAULTS
    try:
        after = before.updated(changes)
        _check_folders(before, after)
        call.db.check_settings(after)
    except SettingsError as error:
        head = re.split(r"\W", str(error.fields.get("field", "")))[0]
        head = "faceting" if head in FACETING else head
        known = kebab(head).replace("-", "_")
        code = f"invalid_settings_{known}" if head in NAMES else "bad_request"
        raise Refused(error.message, code=code) from None


def _check_folders(before: Settings, after: Settings) -> None:
    """Raise SettingsError for a new embedder that would read a folder of this machine."""
    for name, own in after.embedders.items():
        if own.source == "onnx" and before.embedders.get(name) != own:
            raise SettingsError(
                f'embedder "{name}": a model in a local folder is set by a program on the server\'s'
                " machine, not over HTTP; a model of the hub has the source huggingFace",
                field=f"embedders.{name}",
            )


ADDRESS = f"{INDEX}/settings"


def _setting(name: str) -> tuple[Route, ...]:
    """The routes of one setting."""
    path, verb = f"{ADDRESS}/{kebab(name)}", "PUT"
    if name in PATCHED:
        verb = "PATCH"
    return (
        Route("GET", path, "settings.get", read_one(name), f"The setting {name}."),
        Route(
            verb,
            path,
            "settings.update",
            change_one(name),
            f"Change {name}; null resets it.",
            body=ANY,
            status=202,
        ),
        Route(
            "DELETE",
            path,
            "settings.update",
            reset_one(name),
            f"Set {name} back to its default.",
            status=202,
        ),
    )


ROUTES: tuple[Route, ...] = (
    Route("GET", ADDRESS, "settings.get", read, "Every setting of an index."),
    Route(
        "PATCH",
        ADDRESS,
        "settings.update",
        change,
        "Change some settings; null resets one.",
        body=ANY,
        status=202,
    ),
    Route(
        "DELETE",
        ADDRESS,
        "settings.update",
        reset,
        "Set everything back to its default.",
        status=202,
    ),
    *(route for name in NAMES for route in _setting(name)),
)
