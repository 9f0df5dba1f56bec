"""Which fields may a request have, of which kind, and what is said of an unfit one?

A `Field` describes one field of a JSON body or one parameter of an address. `read_object` and
`read_parameters` check what came against them and give back only what was given; the same fields
become the schema in the OpenAPI document.

    LIMIT = Field("limit", "whole", "invalid_document_limit")
    read_parameters({"limit": "20"}, [LIMIT])         # {"limit": 20}
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hybridsearch.jsontext import loads
from hybridsearch.server.wire import Refused

LARGEST = 2**53 - 1
MOST_SHOWN = 20


@dataclass(frozen=True)
class Field:
    """One field. kind: a name in KINDS. code: of the error when the value is unfit.

    missing: code of the error when it is absent or null; "" when it may be. null: whether null
    reaches the handler; else it counts as not given.
    """

    name: str
    kind: str
    code: str
    missing: str = ""
    null: bool = False
    help: str = ""


@dataclass(frozen=True)
class Kind:
    """What a value of this kind is called and how it is told from others.

    parse: reads it from the text of a parameter, and raises ValueError.
    """

    called: str
    fits: Callable[[Any], bool]
    parse: Callable[[str], Any]
    schema: Mapping[str, Any]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.encode(errors="ignore").decode() == value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (isinstance(value, float) and math.isfinite(value)) or abs(value) <= LARGEST


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(_is_text(item) for item in value)


def _is_wholes(value: Any) -> bool:
    return isinstance(value, list) and all(_is_whole(item) for item in value)


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(_is_number(item) for item in value)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > MOST_SHOWN:
        raise ValueError(text)
    return int(text)


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _split(text: str) -> list[str]:
    return text.split(",")


def _filter(text: str) -> Any:
    """A filter as it stands in an address: a text, or a JSON array as in a body."""
    if text.lstrip().startswith("["):
        with suppress(ValueError):
            return loads(text)
    return text


def _list_of(kind: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": kind}}


KINDS: dict[str, Kind] = {
    "text": Kind("a string", _is_text, str, {"type": "string"}),
    "whole": Kind(
        "a positive integer",
        _is_whole,
        _whole,
        {"type": "integer", "minimum": 0, "maximum": LARGEST},
    ),
    "number": Kind("a number", _is_number, float, {"type": "number"}),
    "boolean": Kind("a boolean", lambda v: isinstance(v, bool), _boolean, {"type": "boolean"}),
    "texts": Kind("an array of strings", _is_texts, _split, _list_of("string")),
    "wholes": Kind(
        "an array of positive integers",
        _is_wholes,
        lambda text: [_whole(item) for item in _split(text)],
        _list_of("integer"),
    ),
    "numbers": Kind(
        "an array of numbers",
        _is_numbers,
        lambda text: [float(item) for item in _split(text)],
        _list_of("number"),
    ),
    "list": Kind("an array", lambda v: isinstance(v, list), _split, {"type": "array", "items": {}}),
    "object": Kind("an object", lambda v: isinstance(v, dict), str, {"type": "object"}),
    "filter": Kind("a filter", lambda v: True, _filter, {}),
    "any": Kind("a value", lambda v: True, str, {}),
}


def read_object(value: Any, fields: Sequence[Field], *, at: str = "") -> dict[str, Any]:
    """The fields that a JSON object has, checked. Raises Refused, naming the first unfit one.

    at: where the object stands, as ".federation", for messages.
    """
    if not isinstance(value, dict):
        raise Refused(
            f"Invalid value type{_at(at)}: expected an object, but found {named(value)}",
            code="bad_request",
        )
    known = {field.name: field for field in fields}
    for name in value:
        if name not in known:
            raise Refused(
                f"Unknown field `{name:.80}`{_inside(at)}: {_expected(known)}", code="bad_request"
            )
    found = {
        name: _fit(known[name], item, f"{at}.{name}")
        for name, item in value.items()
        if item is not None or known[name].null
    }
    _check_complete(found, fields, at)
    return found


def read_parameters(given: Mapping[str, str], fields: Sequence[Field]) -> dict[str, Any]:
    """The parameters of an address, checked. Raises Refused, naming the first unfit one."""
    known = {field.name: field for field in fields}
    found = {}
    for name, text in given.items():
        if name not in known:
            raise Refused(f"Unknown parameter `{name:.80}`: {_expected(known)}", code="bad_request")
        found[name] = _parsed(known[name], text)
    for field in fields:
        if field.missing and field.name not in found:
            raise Refused(f"Missing parameter `{field.name}`", code=field.missing)
    return found


def named(value: Any) -> str:
    """What kind of JSON value it is, with the value when it is short.

    >>> named(12)
    'a positive integer: `12`'
    """
    if value is None:
        return "null"
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "an object"
    if isinstance(value, str):
        return f"a string: `{value.encode(errors='replace').decode():.80}`"
    if isinstance(value, bool):
        return f"a boolean: `{str(value).lower()}`"
    if isinstance(value, float):
        return f"a number: `{value}`"
    shown = str(value) if abs(value) <= LARGEST else "of many digits"
    return f"a {'positive' if value >= 0 else 'negative'} integer: `{shown}`"


def _fit(field: Field, value: Any, at: str) -> Any:
    if value is not None and not KINDS[field.kind].fits(value):
        raise Refused(
            f"Invalid value type at `{at}`: expected {KINDS[field.kind].called},"
            f" but found {named(value)}",
            code=field.code,
        )
    return value


def _parsed(field: Field, text: str) -> Any:
    kind = KINDS[field.kind]
    try:
        value = kind.parse(text)
    except (ValueError, KeyError):
        value = None
    if value is None or not kind.fits(value):
        raise Refused(
            f"Invalid value in parameter `{field.name}`: could not parse `{text:.80}` as"
            f" {kind.called}",
            code=field.code,
        )
    return value


def _check_complete(found: Mapping[str, Any], fields: Sequence[Field], at: str) -> None:
    for field in fields:
        if field.missing and found.get(field.name) is None:
            raise Refused(f"Missing field `{field.name}`{_inside(at)}", code=field.missing)


def _expected(known: Mapping[str, Field]) -> str:
    if not known:
        return "none is known here"
    return "expected one of " + ", ".join(f"`{name}`" for name in known)


def _at(at: str) -> str:
    return f" at `{at}`" if at else ""


def _inside(at: str) -> str:
    return f" inside `{at}`" if at else ""
