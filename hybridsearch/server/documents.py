"""How do documents come in, go out, and get deleted over HTTP?

A request with documents becomes one task: all of them or none. JSON, NDJSON and CSV are read when
they come, so that a malformed body is refused at once; what is in the documents is checked when
the task is worked off, and its error says which document is at fault.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from typing import Any

from hybridsearch.delimited import from_typed_csv
from hybridsearch.errors import FilterError, InputError, NotFound, QueryError
from hybridsearch.extraction import project
from hybridsearch.filters import parse
from hybridsearch.index import check_key
from hybridsearch.intake import VECTORS, document_id
from hybridsearch.request import SearchRequest
from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.fields import Field
from hybridsearch.server.indexes import CLOSED, INDEX, allowed
from hybridsearch.server.tasks import accepted
from hybridsearch.server.wire import CSV, JSON, NDJSON, Refused, Reply, json_reply
from hybridsearch.snapshot import Snapshot
from hybridsearch.sources import documents_in
from hybridsearch.writes import ADDITION, DELETION, check_own

PAGE = 20
COMMA = re.compile(r",(?![^(]*\))")
METADATA = Field("customMetadata", "text", "invalid_index_custom_metadata", help="Kept with it.")
ADDED = (
    Field("primaryKey", "text", "invalid_index_primary_key", help="What identifies a document."),
    Field("csvDelimiter", "text", "invalid_document_csv_delimiter", help="One character."),
    Field("skipCreation", "boolean", "invalid_document_skip_creation", help="Only known ids."),
    METADATA,
)
ANY_FORMAT = Body(kind="bytes", media=(JSON, NDJSON, CSV))
FETCHED = (
    Field("offset", "whole", "invalid_document_offset", help="How many to pass over."),
    Field("limit", "whole", "invalid_document_limit", help="How many; 20 when not given."),
    Field("fields", "texts", "invalid_document_fields", help="The attributes to give; else all."),
    Field("filter", "filter", "invalid_document_filter", help="Which documents."),
    Field("ids", "list", "invalid_document_ids", help="Only documents with these ids."),
    Field("sort", "texts", "invalid_document_sort", help='As "year:desc".'),
    Field("retrieveVectors", "boolean", "invalid_document_retrieve_vectors", help="With vectors."),
)
ONE = (FETCHED[2], FETCHED[6])
OTHERS = {
    codecs.BOM_UTF16_LE: "UTF-16; send UTF-8",
    codecs.BOM_UTF16_BE: "UTF-16; send UTF-8",
    b"\x1f\x8b": "packed by gzip; say so in a header, Content-Encoding: gzip",
    b"\x28\xb5\x2f\xfd": "packed by zstd; say so in a header, Content-Encoding: zstd",
}
"""How a body begins that is no text."""
FILTERED = (
    Field(
        "filter",
        "filter",
        "invalid_document_filter",
        missing="missing_document_filter",
        help="Which documents.",
    ),
)


def add(call: Call) -> Reply:
    """Put documents in the place of those with the same ids."""
    return _accepted(call, "replace")


def merge(call: Call) -> Reply:
    """Lay attributes over those of the documents with the same ids."""
    return _accepted(call, "merge")


def _accepted(call: Call, mode: str) -> Reply:
    uid, bodies = _writable(call), _bodies(call)
    key = call.parameters.get("primaryKey")
    check_key(key)
    arguments = {
        "mode": mode,
        "primary_key": key,
        "start": 0,
        "count": len(bodies),
        "skip_creation": call.parameters.get("skipCreation", False),
        "strange_vectors": True,
        "create": CLOSED if call.caller.may("indexes.create") else None,
    }
    metadata = call.parameters.get("customMetadata")
    return accepted(
        call.db.queue.submit(uid, ADDITION, arguments=arguments, bodies=bodies, metadata=metadata)
    )


def _writable(call: Call) -> str:
    """The index of the path, for documents. Raises Conflict for one that follows a source."""
    uid = allowed(call)
    record = call.db.store.find_index(uid)
    if record is not None and record.uid == uid:
        check_own(record)
    return uid


def _bodies(call: Call) -> list[bytes]:
    """The documents of the body, each as JSON. Raises Refused when it is malformed."""
    delimiter = call.parameters.get("csvDelimiter")
    if delimiter is not None:
        _check_delimiter(delimiter, call.media)
    if not call.body.strip():
        raise Refused(f"The {call.media} payload is missing.", code="missing_payload")
    readers: Mapping[str, Callable[[], list[bytes]]] = {
        JSON: lambda: documents_in(call.body, lines=False),
        NDJSON: lambda: documents_in(call.body, lines=True),
        CSV: lambda: from_typed_csv(call.body, delimiter=delimiter or ","),
    }
    try:
        for sign, what in OTHERS.items():
            if call.body.startswith(sign):
                raise InputError(f"it is {what}")
        return readers[call.media]()
    except InputError as error:
        raise Refused(
            f"The {call.media} payload provided is malformed: {error.message}.",
            code="malformed_payload",
        ) from None


def _check_delimiter(text: str, media: str) -> None:
    if media != CSV:
        raise Refused(
            f"The Content-Type `{media}` does not support the use of a csv delimiter, which only"
            f" goes with `{CSV}`.",
            code="invalid_content_type",
        )
    if len(text) != 1 or not text.isascii() or text in '"\r\n':
        raise Refused(
            f"csvDelimiter must be one ASCII character, not `{text:.20}`.",
            code="invalid_document_csv_delimiter",
        )


# Reading


def one(call: Call) -> Reply:
    """One document by its id."""
    id_ = _id(call.path["id"])
    found, _ = _found(call.snapshot(), {**call.parameters, "ids": [id_]})
    if not found:
        raise NotFound(f"Document `{id_}` not found.", code="document_not_found", id=id_)
    return json_reply(found[0])


def fetch(call: Call) -> Reply:
    """A page of the documents, by filter, ids and order."""
    given = dict(call.parameters) | dict(call.fields)
    found, total = _found(call.snapshot(), given)
    return json_reply(
        {
            "results": found,
            "offset": given.get("offset", 0),
            "limit": given.get("limit", PAGE),
            "total": total,
        }
    )


def _found(snapshot: Snapshot, given: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """(the page of documents as they are to be shown, how many fit in all)."""
    try:
        request = SearchRequest(
            limit=given.get("limit", PAGE),
            offset=given.get("offset", 0),
            filter=given.get("filter") or None,
            sort=_sort(given.get("sort", ())),
            ids=None if given.get("ids") is None else [_id(id_) for id_ in given["ids"]],
        )
        rows, total = snapshot.page(request)
    except FilterError as error:
        raise Refused(error.message, code="invalid_document_filter") from None
    except QueryError as error:
        raise Refused(error.message, code="invalid_document_sort") from None
    shown = [_shown(given, document) for document in snapshot.documents(rows)]
    if given.get("retrieveVectors"):
        for document, vectors in zip(shown, snapshot.vectors(rows), strict=True):
            document[VECTORS] = vectors
    return shown, total


def _sort(given: Any) -> list[str]:
    """Orders as a list, however many stand in one text; commas inside _geoPoint(...) stay."""
    return [one.strip() for text in given for one in COMMA.split(text) if one.strip()]


def _shown(given: Mapping[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    wanted = given.get("fields")
    return document if wanted is None or "*" in wanted else project(document, wanted)


def _id(value: Any) -> str:
    text = document_id(value)
    if text is None:
        raise Refused(
            f"Document identifier `{value!r:.80}` is invalid. An id is a whole number or a text of"
            " 1 to 511 bytes.",
            code="invalid_document_id",
        )
    return text


# Deleting


def delete_one(call: Call) -> Reply:
    """Delete one document by its id."""
    return _deleted(call, {"ids": [_id(call.path["id"])]})


def delete_batch(call: Call) -> Reply:
    """Delete documents by their ids."""
    if not isinstance(call.value, list):
        raise Refused("The body must be an array of document ids.", code="bad_request")
    return _deleted(call, {"ids": [_id(value) for value in call.value]})


def delete_where(call: Call) -> Reply:
    """Delete the documents that a filter keeps."""
    wanted = call.fields["filter"]
    try:
        empty = parse(wanted) is None
    except FilterError as error:
        raise Refused(error.message, code="invalid_document_filter") from None
    if empty:
        raise Refused("Sending an empty filter is forbidden.", code="invalid_document_filter")
    return _deleted(call, {"filter": wanted})


def delete_all(call: Call) -> Reply:
    """Delete every document; the index stays."""
    return _deleted(call, {"all": True})


def _deleted(call: Call, arguments: dict[str, Any]) -> Reply:
    metadata = call.parameters.get("customMetadata")
    return accepted(
        call.db.queue.submit(allowed(call), DELETION, arguments=arguments, metadata=metadata)
    )


DOCUMENTS = f"{INDEX}/documents"

ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        DOCUMENTS,
        "documents.add",
        add,
        "Add documents; one with the same id is replaced.",
        body=ANY_FORMAT,
        parameters=ADDED,
        slow=True,
        status=202,
    ),
    Route(
        "PUT",
        DOCUMENTS,
        "documents.add",
        merge,
        "Add documents; attributes are laid over those of one with the same id.",
        body=ANY_FORMAT,
        parameters=ADDED,
        slow=True,
        status=202,
    ),
    Route(
        "GET",
        DOCUMENTS,
        "documents.get",
        fetch,
        "A page of the documents.",
        parameters=FETCHED,
        tenants=True,
    ),
    Route(
        "POST",
        f"{DOCUMENTS}/fetch",
        "documents.get",
        fetch,
        "A page of the documents.",
        body=Body(fields=FETCHED),
        tenants=True,
    ),
    Route(
        "POST",
        f"{DOCUMENTS}/delete-batch",
        "documents.delete",
        delete_batch,
        "Delete documents by their ids.",
        body=Body(kind="json"),
        parameters=(METADATA,),
        slow=True,
        status=202,
    ),
    Route(
        "POST",
        f"{DOCUMENTS}/delete",
        "documents.delete",
        delete_where,
        "Delete the documents that a filter keeps.",
        body=Body(fields=FILTERED),
        parameters=(METADATA,),
        status=202,
    ),
    Route(
        "DELETE",
        DOCUMENTS,
        "documents.delete",
        delete_all,
        "Delete every document.",
        parameters=(METADATA,),
        status=202,
    ),
    Route(
        "GET",
        f"{DOCUMENTS}/{{id}}",
        "documents.get",
        one,
        "One document.",
        parameters=ONE,
        tenants=True,
    ),
    Route(
        "DELETE",
        f"{DOCUMENTS}/{{id}}",
        "documents.delete",
        delete_one,
        "Delete one document.",
        parameters=(METADATA,),
        status=202,
    ),
)
