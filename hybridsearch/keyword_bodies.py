"""What was kept for a row, in one committed state of a keyword index?

tantivy finds what is stored by an address of its own. The bodies that are wanted are mostly those
of the rows that were just found, so the addresses of the last rankings are remembered.

    bodies.remember(rows, addresses)
    bodies.read(rows)
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence

import tantivy

from hybridsearch.arrays import Rows
from hybridsearch.errors import NotFound
from hybridsearch.keyword_questions import Questions

__all__ = ["Bodies"]

REMEMBERED = 1 << 14


class Bodies:
    """The bodies of all rows; any thread may ask."""

    def __init__(self, searcher: tantivy.Searcher, ask: Questions) -> None:
        self._searcher = searcher
        self._ask = ask
        self._addresses: dict[int, tantivy.DocAddress] = {}
        self._recent: deque[tuple[Rows, Sequence[tantivy.DocAddress]]] = deque(maxlen=8)

    def remember(self, rows: Rows, addresses: Sequence[tantivy.DocAddress]) -> None:
        """Where these rows are, in their order."""
        self._recent.append((rows, addresses))

    def read(self, rows: Rows) -> list[bytes]:
        """The body of each row, in the order of the rows. Raises NotFound for one absent."""
        documents = [self._searcher.doc(self._address(row)) for row in rows.tolist()]
        return [document.get_first("body") or b"" for document in documents]

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
