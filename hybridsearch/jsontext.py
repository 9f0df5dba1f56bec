"""How is JSON read and written, with whole numbers of any size kept exact?

loads(dumps({"n": 2**80})) == {"n": 2**80}
"""

from __future__ import annotations

import json
from typing import Any

import orjson

# Every digit to "0" and the rest to a space: a search for a long number that costs next to nothing.
DIGITS = bytes(ord("0") if chr(code).isdigit() and code < 128 else ord(" ") for code in range(256))
LONG_NUMBER = b"0" * 19


def loads(data: bytes | str) -> Any:
    """The value of a JSON text. Raises ValueError (a JSONDecodeError with its place)."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if LONG_NUMBER in raw.translate(DIGITS):
        return json.loads(raw, parse_constant=_refused)
    return orjson.loads(raw)


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def finite(text: bytes) -> bytes:
    """The JSON text with null for NaN and infinity, which DuckDB writes and JSON has not."""
    if b"NaN" not in text and b"Infinity" not in text:
        return text
    return dumps(json.loads(text, parse_constant=lambda name: None))


def dumps(value: Any) -> bytes:
    """The value as compact JSON. Raises TypeError for what JSON cannot hold."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        ).encode()
