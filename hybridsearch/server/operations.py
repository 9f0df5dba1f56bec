"""Which writes does an Elasticsearch bulk body ask for?

A line says what to do and where, the next one holds the document; a deletion has no document:

    {"index": {"_index": "films", "_id": "1"}}
    {"title": "Alien"}
    {"delete": {"_index": "films", "_id": "2"}}

`operations` reads them all or raises Refused, which says which line is at fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hybridsearch.jsontext import loads
from hybridsearch.server.wire import Refused

KINDS = ("index", "create", "update", "delete")
CODE = "malformed_payload"


@dataclass(frozen=True)
class Operation:
    """One write. id: None when the server is to choose one. source: the line with the document."""

    kind: str
    index: str
    id: str | None
    source: Mapping[str, Any] = field(default_factory=dict)


def operations(body: bytes, default_index: str | None) -> list[Operation]:
    """The writes of a body, in order. default_index: of the address, for lines that name none."""
    lines = [line for line in enumerate(body.split(b"\n"), 1) if line[1].strip()]
    if not lines:
        raise Refused("request body is required", code="missing_payload")
    return list(_read(lines, default_index))


def _read(lines: Sequence[tuple[int, bytes]], default_index: str | None) -> Iterator[Operation]:
    rest = iter(lines)
    for number, line in rest:
        kind, target = _action(_object(line, number), number)
        index = target.get("_index", default_index)
        if not isinstance(index, str) or not index:
            raise _malformed(number, "no index is named, neither here nor in the address")
        id_ = _id(target.get("_id"), number)
        if kind in ("update", "delete") and id_ is None:
            raise _malformed(number, f"{kind} needs an _id")
        if kind == "delete":
            yield Operation(kind, index, id_)
        else:
            yield Operation(kind, index, id_, _source(rest, number))


def _source(rest: Iterator[tuple[int, bytes]], number: int) -> Mapping[str, Any]:
    following = next(rest, None)
    if following is None:
        raise _malformed(number, "the line with its document is missing")
    return _object(following[1], following[0])


def _action(line: Mapping[str, Any], number: int) -> tuple[str, Mapping[str, Any]]:
    kind = next(iter(line), None)
    if len(line) != 1 or kind not in KINDS or not isinstance(line[kind], dict):
        known = ", ".join(KINDS)
        raise _malformed(number, f'expected {{"...": {{...}}}} with one of {known}')
    return str(kind), line[kind]


def _id(value: Any, number: int) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _malformed(number, "_id must be a text or a whole number")
    return str(value)


def _object(line: bytes, number: int) -> dict[str, Any]:
    try:
        found = loads(line)
    except (ValueError, RecursionError) as error:
        raise _malformed(number, str(error)[:120]) from None
    if not isinstance(found, dict):
        raise _malformed(number, "expected an object")
    return found


def _malformed(number: int, why: str) -> Refused:
    return Refused(f"Malformed action/metadata or document in line [{number}]: {why}", code=CODE)
