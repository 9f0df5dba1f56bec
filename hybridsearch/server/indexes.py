"""Which indexes are there, and how is one made, renamed, exchanged, compacted, removed?"""

from __future__ import annotations

from typing import Any

from hybridsearch.chores import CREATION, SWAP, UPDATE
from hybridsearch.database import REMOVAL
from hybridsearch.index import REBUILD, check_key
from hybridsearch.server.call import Body, Call, Route, checked_uid
from hybridsearch.server.fields import Field, read_object
from hybridsearch.server.task_views import moment
from hybridsearch.server.tasks import accepted
from hybridsearch.server.wire import Refused, Reply, json_reply
from hybridsearch.store import IndexRecord

PAGE = 20
CLOSED: dict[str, Any] = {"filterableAttributes": [], "sortableAttributes": []}
"""What an index made over HTTP does not allow before it is set, as in Meilisearch."""
PAGING = (
    Field("offset", "whole", "invalid_index_offset", help="How many to pass over."),
    Field("limit", "whole", "invalid_index_limit", help="How many; 20 when not given."),
)
CREATED = (
    Field("uid", "text", "invalid_index_uid", missing="missing_index_uid", help="Its name."),
    Field("primaryKey", "text", "invalid_index_primary_key", help="What identifies a document."),
)
UPDATED = (
    Field("uid", "text", "invalid_index_uid", help="Its new name."),
    Field("primaryKey", "text", "invalid_index_primary_key", help="What identifies a document."),
)
SWAPPED = (
    Field("indexes", "texts", "invalid_swap_indexes", missing="missing_swap_indexes"),
    Field("rename", "boolean", "invalid_swap_rename"),
)


def list_indexes(call: Call) -> Reply:
    """A page of the indexes, by name."""
    visible = [r for r in call.db.store.indexes() if call.caller.sees(r.uid)]
    offset, limit = call.parameters.get("offset", 0), call.parameters.get("limit", PAGE)
    return json_reply(
        {
            "results": [index_json(record) for record in visible[offset : offset + limit]],
            "offset": offset,
            "limit": limit,
            "total": len(visible),
        }
    )


def one(call: Call) -> Reply:
    """One index by its name."""
    return json_reply(index_json(record_of(call)))


def create(call: Call) -> Reply:
    """Make an index."""
    uid = allowed(call, call.fields["uid"])
    key = _key(call)
    return accepted(
        call.db.queue.submit(uid, CREATION, arguments={"primary_key": key, "settings": CLOSED})
    )


def update(call: Call) -> Reply:
    """Change an index's primary key or name."""
    new = call.fields.get("uid")
    arguments = {
        "primary_key": _key(call),
        "new_uid": None if new is None else allowed(call, new),
    }
    return accepted(call.db.queue.submit(allowed(call), UPDATE, arguments=arguments))


def _key(call: Call) -> str | None:
    key: str | None = call.fields.get("primaryKey")
    check_key(key)
    return key


def remove(call: Call) -> Reply:
    """Remove an index with its documents."""
    return accepted(call.db.queue.submit(allowed(call), REMOVAL, arguments={}))


def compact(call: Call) -> Reply:
    """Write an index's files anew, without what is dead in them."""
    record_of(call)
    return accepted(call.db.queue.submit(call.uid, REBUILD, arguments={"reuse": True}))


def swap(call: Call) -> Reply:
    """Exchange the names of pairs of indexes, all at once."""
    if not isinstance(call.value, list):
        raise Refused("The body must be an array of swaps.", code="bad_request")
    swaps = [_swap(call, item, number) for number, item in enumerate(call.value)]
    names = [uid for one in swaps for uid in one["indexes"]]
    twice = sorted({uid for uid in names if names.count(uid) > 1})
    if twice:
        raise Refused(
            f"Indexes must be declared only once during a swap: {', '.join(twice)} is not.",
            code="invalid_swap_duplicate_index_found",
        )
    return accepted(call.db.queue.submit(None, SWAP, arguments={"swaps": swaps}))


def _swap(call: Call, item: Any, number: int) -> dict[str, Any]:
    given = read_object(item, SWAPPED, at=f"[{number}]")
    if len(given["indexes"]) != 2:
        raise Refused(
            f"Two indexes must be given for each swap; {len(given['indexes'])} were, in"
            f" `[{number}].indexes`.",
            code="invalid_swap_indexes",
        )
    names = [allowed(call, uid) for uid in given["indexes"]]
    return {"indexes": names, "rename": given.get("rename", False)}


def allowed(call: Call, uid: str | None = None) -> str:
    """A name that an index can have and the caller may use; that of the path when not given."""
    name = call.uid if uid is None else checked_uid(uid)
    call.must_see(name)
    return name


def record_of(call: Call) -> IndexRecord:
    """What is known of the index in the path. Raises NotFound."""
    uid = allowed(call)
    for record in call.db.store.indexes():
        if record.uid == uid:
            return record
    raise call.missing(uid)


def index_json(record: IndexRecord) -> dict[str, Any]:
    """An index as clients read it."""
    return {
        "uid": record.uid,
        "createdAt": moment(record.created_at),
        "updatedAt": moment(record.updated_at),
        "primaryKey": record.primary_key,
    }


INDEX = "/indexes/{uid}"

ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/indexes",
        "indexes.get",
        list_indexes,
        "The indexes, by name.",
        parameters=PAGING,
    ),
    Route(
        "POST",
        "/indexes",
        "indexes.create",
        create,
        "Make an index.",
        body=Body(fields=CREATED),
        status=202,
    ),
    Route("GET", INDEX, "indexes.get", one, "One index."),
    Route(
        "PATCH",
        INDEX,
        "indexes.update",
        update,
        "Change an index's primary key or name.",
        body=Body(fields=UPDATED),
        status=202,
    ),
    Route(
        "DELETE",
        INDEX,
        "indexes.delete",
        remove,
        "Remove an index with its documents.",
        status=202,
    ),
    Route(
        "POST",
        f"{INDEX}/compact",
        "indexes.compact",
        compact,
        "Write an index's files anew.",
        status=202,
    ),
    Route(
        "POST",
        "/swap-indexes",
        "indexes.swap",
        swap,
        "Exchange the names of pairs of indexes.",
        body=Body(kind="json"),
        status=202,
    ),
)
