"""Is it worth asking a service that failed a moment ago?

An `Outage` remembers that it failed. For FIRST seconds whoever would ask is told so at once; then
one caller looks whether it is over, while the others are told as before. Each time it is not, the
pause doubles, up to LONGEST. As soon as somebody is answered, nothing is remembered any more.

    with outage.watched() as looking:       # raises what the service failed with before
        ask(tries=1 if looking else 2)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hybridsearch.errors import EmbedderError, EmbeddingsFailed

__all__ = ["NotAsked", "Outage"]

FIRST = 1.0
LONGEST = 30.0


class NotAsked(EmbedderError):
    """The service failed a moment ago, and was not asked again."""


class Outage:
    """What is remembered of one service; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._error: EmbedderError | None = None
        self._pause = 0.0
        self._over_at = 0.0
        self._looking = False

    @contextmanager
    def watched(self) -> Iterator[bool]:
        """Around a call of the service; gives whether the call is there to look if it is over.

        A text that the service refuses is an answer. Raises NotAsked at once, with what the
        service failed with, as long as nobody has to look; and what the call itself raises.
        """
        looking = self._admitted()
        try:
            yield looking
        except EmbeddingsFailed:
            self.over()
            raise
        except EmbedderError as error:
            self._failed(error, looking=looking)
            raise
        else:
            self.over()
        finally:
            if looking:
                self._looking = False

    def over(self) -> None:
        """The service has answered."""
        with self._lock:
            self._error, self._pause = None, 0.0

    def _admitted(self) -> bool:
        with self._lock:
            if self._error is None:
                return False
            left = self._over_at - time.monotonic()
            if left > 0 or self._looking:
                when = "now, for another search" if self._looking else f"in {left:.1f} s"
                raise NotAsked(
                    f"{self._error.message}; it is asked again {when}", **self._error.fields
                )
            self._looking = True
            return True

    def _failed(self, error: EmbedderError, *, looking: bool) -> None:
        """Of several calls that were under way when it failed, only the first begins a pause."""
        with self._lock:
            if self._error is not None and not looking:
                return
            self._error = error
            self._pause = min(LONGEST, 2.0 * self._pause) if looking else FIRST
            self._over_at = time.monotonic() + self._pause
