"""What did a task bring: are these documents, with ids and vectors that an index can hold?

`read_documents` turns the JSON of a payload into checked documents, or raises the DocumentError
of the first that is unfit, with its position, id and field, and a report of the others that are;
then nothing of the payload counts.

    documents = read_documents([b'{"id": 7, "title": "Up"}'], primary_key="id", dims={})
    documents[0].id, documents[0].fields["title"]         # ("7", "Up")
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from hybridsearch.documents import DEEPEST, TOO_DEEP
from hybridsearch.errors import MOST_REPORTED, DocumentError, near
from hybridsearch.geo import GEO, complaint
from hybridsearch.jsontext import dumps, loads
from hybridsearch.turns import give_way

LONGEST_ID = 511
VECTORS = "_vectors"
PLACES = ("position", "id", "field")
OPENING, CLOSING = b"[{", b"]}"
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)

VectorsByEmbedder = Mapping[str, list[list[float]]]


@dataclass(frozen=True)
class Incoming:
    """One document on its way in.

    body: its JSON as sent, without `_vectors`. vectors: embedder -> vectors that came with it;
    an embedder with an empty list wants its old ones dropped.
    """

    id: str
    fields: Mapping[str, Any]
    body: bytes
    vectors: VectorsByEmbedder = field(default_factory=dict)


class Embedders(NamedTuple):
    """The length of each embedder's vectors, and whether vectors of others are kept."""

    dims: Mapping[str, int]
    strangers: bool


def read_documents(
    bodies: Sequence[bytes],
    *,
    primary_key: str,
    dims: Mapping[str, int],
    start: int = 0,
    strangers: bool = False,
    places: bool = False,
) -> list[Incoming]:
    """The documents of a payload, in order.

    dims: embedder -> length of its vectors. start: position of the first in the whole source.
    strangers: vectors of embedders that are not there are kept for the day when they are. places:
    a `_geo` that is no place is unfit.
    Raises DocumentError for the unfit ones; its `report` lists the first MOST_REPORTED of them,
    each with position, id, field, code and message.
    """
    known = Embedders(dims, strangers)
    found: list[Incoming] = []
    unfit: list[DocumentError] = []
    for at, body in enumerate(bodies, start):
        give_way()
        try:
            found.append(_read(body, primary_key, known, at))
            if places:
                _check_place(found[-1], at)
        except DocumentError as error:
            unfit.append(error)
    if unfit:
        raise _together(unfit)
    return found


def _together(unfit: Sequence[DocumentError]) -> DocumentError:
    """The first of the errors, with the report of all."""
    first, others = unfit[0], len(unfit) - 1
    more = f"; {others:,} more document{'s are' if others > 1 else ' is'} unfit" if others else ""
    report = [
        {**{name: error.fields.get(name) for name in PLACES}, "code": error.code,
         "message": error.message}
        for error in unfit[:MOST_REPORTED]
    ]  # fmt: skip
    told = {**first.fields, "unfit": len(unfit), "report": report}
    return DocumentError(first.message + more, code=first.code, **told)


def infer_primary_key(bodies: Sequence[bytes]) -> str:
    """The attribute that identifies documents: "id" or "_id", else the only one that ends in "id".

    Raises DocumentError when the first document has none, or several, which "id" and "_id" are.
    """
    names = [name for name in _object(bodies[0], 0) if name.lower().endswith("id")]
    likely = [name for name in names if name in ("id", "_id")] or names
    if len(likely) == 1:
        return likely[0]
    found = (
        f'several attributes end in "id": {", ".join(names)}'
        if names
        else ('no attribute of the first document ends in "id"')
    )
    raise DocumentError(
        f"cannot tell the primary key: {found}; name it with primary_key=",
        code=f"index_primary_key_{'multiple_candidates' if names else 'no_candidate'}_found",
        position=0,
    )


def document_id(value: Any) -> str | None:
    """A primary key's value as the text that identifies a document; None when it cannot be one.

    Whole numbers and texts can; 7 and "7" are the same document.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        text = str(value)
        size = len(text.encode())
    except ValueError:  # half of a surrogate pair, or more digits than Python prints
        return None
    return text if 0 < size <= LONGEST_ID and "\0" not in text else None


def merged(old: Incoming, new: Incoming) -> Incoming:
    """The new document laid over the old one: its attributes and vectors win, others stay."""
    fields = {**old.fields, **new.fields}
    return Incoming(new.id, fields, dumps(fields), {**old.vectors, **new.vectors})


def _read(body: bytes, primary_key: str, known: Embedders, position: int) -> Incoming:
    fields = _object(body, position)
    id_ = document_id(fields.get(primary_key))
    if id_ is None:
        raise _unfit_id(fields, primary_key, position)
    if VECTORS not in fields:
        return Incoming(id_, fields, body)
    given = fields.pop(VECTORS)
    return Incoming(id_, fields, dumps(fields), _vectors(given, known, position, id_))


def _object(body: bytes, position: int) -> dict[str, Any]:
    if body.count(b"[") + body.count(b"{") > DEEPEST and _depth(body) > DEEPEST:
        raise DocumentError(f"document {position} {TOO_DEEP}", position=position)
    try:
        found = loads(body)
    except ValueError as error:
        raise DocumentError(
            f"document {position} is not JSON: {error}", code="malformed_payload", position=position
        ) from error
    if not isinstance(found, dict):
        raise DocumentError(
            f"document {position} is {_kind(found)}, not an object; give each document as"
            ' {"attribute": value, ...}',
            code="malformed_payload",
            position=position,
        )
    return found


def _depth(body: bytes) -> int:
    """How deep the brackets of a JSON text are nested, those inside strings left out."""
    data = np.frombuffer(STRINGS.sub(b"", body), np.uint8)
    opened = np.isin(data, np.frombuffer(OPENING, np.uint8)).astype(np.int64)
    closed = np.isin(data, np.frombuffer(CLOSING, np.uint8)).astype(np.int64)
    return int(np.cumsum(opened - closed).max(initial=0))


def _unfit_id(fields: Mapping[str, Any], primary_key: str, position: int) -> DocumentError:
    if primary_key not in fields:
        return DocumentError(
            f'document {position} has no primary key "{primary_key}"{near(primary_key, fields)}',
            code="missing_document_id",
            position=position,
            field=primary_key,
        )
    value = fields[primary_key]
    return DocumentError(
        f'document {position}: "{primary_key}" is {_told(value)}; an id is a whole'
        f" number or a text of 1 to {LONGEST_ID} bytes",
        code="invalid_document_id",
        position=position,
        id=value if isinstance(value, str) else None,
        field=primary_key,
    )


def _check_place(document: Incoming, position: int) -> None:
    """Raise DocumentError when geo filters and sorts would pass over what the document says."""
    wrong = complaint(document.fields.get(GEO))
    if wrong:
        raise DocumentError(
            f'document {position} (id {document.id}): "{GEO}" {wrong}; write a place as'
            ' {"lat": 48.85, "lng": 2.35}',
            code="invalid_document_geo_field",
            position=position,
            id=document.id,
            field=GEO,
        )


def _vectors(given: Any, known: Embedders, position: int, id_: str) -> dict[str, list[list[float]]]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise _unfit_vector("must be an object of embedder: vector", position, id_, VECTORS)
    found = {}
    for embedder, value in given.items():
        name = f"{VECTORS}.{embedder}"
        if embedder not in known.dims and not known.strangers:
            raise _unfit_vector(
                f"names an embedder the index does not have{near(embedder, known.dims)}",
                position,
                id_,
                name,
            )
        vectors = _listed(value)
        wrong = _complaint(vectors, known.dims.get(embedder))
        if vectors is None or wrong:
            raise _unfit_vector(wrong or "is not a vector", position, id_, name)
        found[embedder] = vectors
    return found


def _listed(value: Any) -> list[list[float]] | None:
    """The forms that a vector may come in, as a list of vectors; None for any other."""
    if isinstance(value, dict):
        value = value.get("embeddings")
    if value is None:
        return []
    if not isinstance(value, list):
        return None
    if value and all(isinstance(item, list) for item in value):
        return value
    return [value] if value else []


def _complaint(vectors: list[list[float]] | None, dim: int | None) -> str:
    for vector in vectors or []:
        if not all(type(number) in (int, float) for number in vector):
            return "holds something that is not a number"
        if dim is not None and len(vector) != dim:
            return f"has {len(vector)} numbers where the embedder's vectors have {dim}"
        with np.errstate(over="ignore"):
            kept = np.asarray(vector, np.float32)
        if not np.isfinite(kept).all():
            return "holds a number that float32 cannot hold"
    return ""


def _unfit_vector(what: str, position: int, id_: str, name: str) -> DocumentError:
    return DocumentError(
        f'document {position} (id {id_}): "{name}" {what}',
        code="invalid_vectors_type" if "object" in what else "invalid_vector_dimensions",
        position=position,
        id=id_,
        field=name,
    )


def _told(value: Any) -> str:
    return "null" if value is None else f"{_kind(value)} {value!r:.60}"


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}
    if value is None:
        return "null"
    return kinds.get(type(value), "a number")
