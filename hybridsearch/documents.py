"""How does one document become JSON, and what is said when it cannot?

    >>> to_json({"id": 2**70, "at": None})
    b'{"id":1180591620717411303424,"at":null}'

What a value becomes, here and in every table:
- Dates and times: ISO 8601 text. Durations: seconds. UUID: text. numpy: numbers and lists.
- Decimals: an integer when integral, else the nearest double. Integers of any size stay exact.
- NaN, infinity, bytes, lone surrogates, keys that are no text and whatever else has no JSON form
  are refused: the reader of a source raises Fault, which says what is wrong, and whoever knows
  the position of the document makes the DocumentError of it by refusal().
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import orjson

from hybridsearch.errors import DocumentError

__all__ = [
    "DEEPEST",
    "TOO_DEEP",
    "Fault",
    "dumped",
    "encoded",
    "encoded_with_care",
    "mended",
    "refusal",
    "to_json",
]

DEEPEST = 200
"""Levels a document may nest; orjson writes 253."""
TOO_DEEP = f"is nested deeper than {DEEPEST} levels; make it flatter"
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATACLASS
_HARMLESS = {str, int, bool, type(None)}


def to_json(document: Mapping[str, Any], *, position: int | None = None) -> bytes:
    """One document as JSON, UTF-8, keys in their order.

    Raises DocumentError, with `position` when it is given, when the document cannot be JSON.

    >>> to_json({"id": 2**70})
    b'{"id":1180591620717411303424}'
    """
    try:
        return encoded(document)
    except Fault as fault:
        raise refusal(fault, position) from None


class Fault(Exception):
    """What is wrong with the document `ahead` documents after the one to be read next."""

    def __init__(self, reason: str, **fields: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fields = fields
        self.ahead = 0


def refusal(fault: Fault, position: int | None) -> DocumentError:
    """The error to raise about the document at a position, from 0."""
    fields = {key: value for key, value in fault.fields.items() if value is not None}
    place = [] if position is None else [str(position)]
    place += [f"(id {json.dumps(fields['id'])})"] if "id" in fields else []
    spots = [f"{key} {fields[key]}" for key in ("line", "column") if key in fields]
    if "file" in fields:
        place.append(", ".join([f'in "{fields["file"]}"', *spots]))
    elif spots:
        place.append(f"at {', '.join(spots)}")
    named = f'field "{_printable(fields["field"])}" ' if "field" in fields else ""
    message = f"{' '.join(['document', *place])}: {named}{fault.reason}"
    return DocumentError(message, position=position, **fields)


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _identity(document: object) -> str | int | None:
    value = document.get("id") if isinstance(document, Mapping) else None
    return value if isinstance(value, str | int) else None


def dumped(document: object) -> bytes:
    """JSON of what orjson can write, NaN as null; raises TypeError at the rest."""
    return orjson.dumps(document, _plain, _OPTIONS)


def encoded(document: object) -> bytes:
    """One document as JSON. Raises Fault when it cannot be."""
    try:
        body = dumped(document)
    except TypeError:
        return encoded_with_care(document)
    # orjson writes NaN as null, so only a body with a null can hide one.
    if body[0] != 123 or (b"null" in body and not _is_finite(document)):
        return encoded_with_care(document)
    return body


def _is_finite(value: object) -> bool:
    """Whether a value that was written as JSON surely holds no NaN and no infinity."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)  # type: ignore[arg-type]  # it is a float
    if kind is dict:
        parts = value.values()  # type: ignore[attr-defined]  # it is a dict
        return all(type(part) in _HARMLESS or _is_finite(part) for part in parts)
    return kind in _HARMLESS or _is_sound(value)


def encoded_with_care(document: object) -> bytes:
    """The same, slowly: it names the field at fault and writes integers of any size."""
    try:
        if not isinstance(document, Mapping):
            raise Fault(f"is a {type(document).__name__}, not an object; give a dict")
        return dumped({_key(key, ""): mended(part, key, 1) for key, part in document.items()})
    except Fault as fault:
        fault.fields.setdefault("id", _identity(document))
        raise
    except TypeError:  # every part can be written, the whole is too deep
        raise Fault(TOO_DEEP, id=_identity(document)) from None


def _plain(value: Any) -> Any:
    """What orjson cannot write, as something that it can."""
    for kinds, convert in _PLAIN:
        if isinstance(value, kinds):
            return convert(value)
    raise TypeError


def _number(value: Decimal) -> Any:
    if not value.is_finite():
        raise TypeError
    return _boxed(int(value)) if value == value.to_integral_value() else float(value)


def _boxed(value: int) -> Any:
    return value if -(2**63) <= value < 2**64 else orjson.Fragment(str(value).encode())


def _moment(value: dt.date | dt.time) -> str | None:
    return value.isoformat() if value == value else None  # pandas' NaT equals nothing


def _seconds(value: dt.timedelta) -> float | int:
    seconds = value.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


_PLAIN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Decimal, _number),
    ((dt.date, dt.time), _moment),
    (dt.timedelta, _seconds),
    (Mapping, dict),
    (tuple, list),
    (np.ndarray, np.ndarray.tolist),
)


def mended(value: Any, path: str, depth: int) -> Any:
    """The value with integers of any size made writable; Fault names what cannot be JSON."""
    if depth > DEEPEST:
        raise Fault(TOO_DEEP, field=path[:80])
    if isinstance(value, int):
        return _mended_int(value, path)
    if value is None or _is_sound(value):
        return value
    if isinstance(value, dt.date | dt.time) and value == value:  # orjson knows few time zones
        return value.isoformat()
    if isinstance(value, Mapping):
        return {
            _key(key, path): mended(part, f"{path}.{key}", depth + 1) for key, part in value.items()
        }
    if isinstance(value, list | tuple | np.ndarray):
        return [mended(part, f"{path}[{i}]", depth + 1) for i, part in enumerate(value)]
    raise Fault(_complaint(value), field=path)


def _is_sound(value: Any) -> bool:
    try:
        return b"null" not in dumped(value) or isinstance(value, str)
    except TypeError:
        return False


def _mended_int(value: int, path: str) -> Any:
    try:
        return _boxed(value)
    except ValueError as error:  # Python refuses to print thousands of digits
        raise Fault(f"has too many digits: {error}", field=path) from None


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        reason = f"has the key {key!r}, a {type(key).__name__}; keys are text"
        raise Fault(reason, field=path or None)
    if not _is_sound(key):
        raise Fault("has a lone surrogate in its name", field=f"{path}.{key}".lstrip("."))
    return key


def _complaint(value: Any) -> str:
    if isinstance(value, str):
        at = next(i for i, letter in enumerate(value) if "\ud800" <= letter <= "\udfff")
        return f"has a lone surrogate at character {at}, which is no text; remove it"
    if isinstance(value, float | np.floating | Decimal):
        return f"is {value}, which JSON cannot hold; give None for a missing value"
    if isinstance(value, bytes | bytearray | memoryview):
        return "holds bytes, which JSON cannot hold; give text, or base64"
    return f"holds a {type(value).__name__}, which JSON cannot hold; give text, a number or a list"
