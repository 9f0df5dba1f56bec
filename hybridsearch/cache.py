"""What was computed before and may be asked for again?

A `Cache` holds values by key up to a number of bytes; what was not used for longest goes first.
Any thread may ask.

>>> cache = Cache[str](4, len)
>>> [cache.put(word, word) for word in ("ab", "cd", "ef")], cache.get("ab"), cache.get("ef")
(['ab', 'cd', 'ef'], None, 'ef')
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Cache"]

_Value = TypeVar("_Value")


class Cache(Generic[_Value]):
    """Values by key, up to `most` bytes.

    weigh: how many bytes one takes. least: so many are kept whatever they take. dropped: is told
    the key of what has to go.
    """

    def __init__(
        self,
        most: int,
        weigh: Callable[[_Value], int],
        *,
        least: int = 0,
        dropped: Callable[[Hashable], None] = lambda key: None,
    ) -> None:
        self._most = most
        self._weigh = weigh
        self._least = least
        self._dropped = dropped
        self._size = 0
        self._values: OrderedDict[Hashable, _Value] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable) -> _Value | None:
        """The value, now the last one to go; None if it is not here."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: Hashable, value: _Value) -> _Value:
        """Keep the value in place of the one before, and let go what is too much then, which may
        be the value itself; gives it back."""
        with self._lock:
            before = self._values.pop(key, None)
            if before is not None:
                self._size -= self._weigh(before)
            self._values[key] = value
            self._size += self._weigh(value)
            while self._size > self._most and len(self._values) > self._least:
                gone, old = self._values.popitem(last=False)
                self._size -= self._weigh(old)
                self._dropped(gone)
        return value
