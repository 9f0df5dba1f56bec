"""What was kept for a row, in one committed state of a keyword index?

tantivy finds what is stored by an address of its own. The bodies that are wanted are mostly those
of the rows that were just found, so the addresses of the last rankings are remembered. While people
type or turn pages the same documents come again and again, and reading one unpacks all that are
packed with it; so what pages read is kept, up to `KEPT_BYTES`.

    bodies.remember(rows, addresses)
    bodies.read(rows)
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence

import tantivy

from hybridsearch.arrays import Rows
from hybridsearch.cache import Cache
from hybridsearch.errors import NotFound
from hybridsearch.keyword_questions import Questions

__all__ = ["Bodies"]

REMEMBERED = 1 << 14
PAGE = 100
"""Rows that are read together at most where people turn pages."""
KEPT_BYTES = 4_000_000
OVERHEAD = 200


class Bodies:
    """The bodies of all rows; any thread may ask."""

    def __init__(self, searcher: tantivy.Searcher, ask: Questions) -> None:
        self._searcher = searcher
        self._ask = ask
        self._addresses: dict[int, tantivy.DocAddress] = {}
        self._kept = Cache[bytes](KEPT_BYTES, lambda body: len(body) + OVERHEAD)
        self._recent: deque[tuple[Rows, Sequence[tantivy.DocAddress]]] = deque(maxlen=8)

    def remember(self, rows: Rows, addresses: Sequence[tantivy.DocAddress]) -> None:
        """Where these rows are, in their order."""
        self._recent.append((rows, addresses))

    def read(self, rows: Rows) -> list[bytes]:
        """The body of each row, in the order of the rows. Raises NotFound for one absent."""
        read = self._read_again if len(rows) <= PAGE else self._read
        return [read(row) for row in rows.tolist()]

    def _read_again(self, row: int) -> bytes:
        """The same, perhaps from before."""
        body = self._kept.get(row)
        return self._kept.put(row, self._read(row)) if body is None else body

    def _read(self, row: int) -> bytes:
        document = self._searcher.doc(self._address(row))
        return document.get_first("body") or b""

    def _address(self, row: int) -> tantivy.DocAddress:
        if row not in self._addresses:
            self._recall()
        address = self._addresses.get(row)
        if address is None:
            hits = self._searcher.search(self._ask.row(row), limit=1, count=False).hits
            if not hits:
                raise NotFound(f"no row {row} in the keyword index; rebuild the index", row=row)
            address = self._addresses[row] = hits[0][1]
        return address

    def _recall(self) -> None:
        """Take in the addresses of the last rankings; forget the others when there are many."""
        if len(self._addresses) >= REMEMBERED:
            self._addresses.clear()
        while self._recent:
            with contextlib.suppress(IndexError):  # another thread took the last one
                rows, addresses = self._recent.popleft()
                self._addresses.update(zip(rows.tolist(), addresses, strict=True))
