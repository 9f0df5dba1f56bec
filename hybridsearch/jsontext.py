"""How is JSON read and written, with whole numbers of any size kept exact?

loads(dumps({"n": 2**80})) == {"n": 2**80}
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

LONG_NUMBER = re.compile(rb"\d{19}")


def loads(data: bytes | str) -> Any:
    """The value of a JSON text. Raises ValueError (a JSONDecodeError with its place)."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if LONG_NUMBER.search(raw):
        return json.loads(raw)
    return orjson.loads(raw)


def dumps(value: Any) -> bytes:
    """The value as compact JSON. Raises TypeError for what JSON cannot hold."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        ).encode()
