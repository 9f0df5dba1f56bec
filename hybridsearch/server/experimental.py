"""Which experimental features does a client find switched on?

Meilisearch has features that must be switched on first. What we have of them is always there, so
the switches are kept and change nothing: a client that flips one first finds it flipped.
"""

from __future__ import annotations

from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.fields import Field
from hybridsearch.server.wire import Reply, json_reply

FEATURES = (
    *("chatCompletions", "compositeEmbedders", "containsFilter", "dynamicSearchRules"),
    *("editDocumentsByFunction", "foreignKeys", "getTaskDocumentsRoute", "logsRoute", "metrics"),
    *("multimodal", "network", "renderRoute", "taskQueueCompactionRoute", "vectorStoreSetting"),
)
FIELDS = tuple(Field(name, "boolean", "bad_request") for name in FEATURES)


def show(call: Call) -> Reply:
    """Every feature and whether it is switched on."""
    on = call.db.store.features()
    return json_reply({name: bool(on.get(name, False)) for name in FEATURES})


def change(call: Call) -> Reply:
    """Switch features on or off."""
    call.db.store.save_features({**call.db.store.features(), **call.fields})
    return show(call)


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/experimental-features", "experimental.get", show, "Which features are switched on."
    ),
    Route(
        "PATCH",
        "/experimental-features",
        "experimental.update",
        change,
        "Switch features on or off.",
        body=Body(fields=FIELDS),
    ),
)
