"""How can many objects be made without Python's collector looking through them all?

The collector counts objects that are made and, every so many, looks for cycles among all that the
process holds. Where thousands are made that hold no cycle, it looks again and again and finds
nothing, which takes longer than making them.

    with uncollected():
        hits = [make(row) for row in rows]
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["uncollected"]


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector out until the end of the block, unless it is switched off anyway.

    Blocks may lie in each other; where those of several threads overlap, the collector is let in
    again by the one that kept it out, perhaps before the others end.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
