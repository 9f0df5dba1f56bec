"""Where are the words of an index kept?

A `WordLists` keeps a vocabulary in a folder as lists, files of a word a line that never change:
what a batch brings is a new list, and lists are merged into larger ones, so that there are few and
each word is written a few times in all. Lists only grow: a word of which every document is gone
stays until the index is built anew, and does no harm, because how often a word occurs is asked of
the index itself. A list is written whole or not at all; whether its bytes are those that were
written says the manifest. Without a folder the words are in memory.

    lists = WordLists(folder)
    lists.add(["database"])
    lists.vocabulary.near("databse", most=1)       # [("database", 1)]
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from hybridsearch.files import write_atomic
from hybridsearch.vocabulary import Vocabulary

__all__ = ["WordLists"]

PREFIX, SUFFIX = "words-", ".txt"
MERGED = 2
"""A list is merged into a new one at most this many times as long."""


class WordLists:
    """The words of one index. One thread adds; any may read."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._unread = b"".join(path.read_bytes() for path in self.files())
        self._vocabulary = Vocabulary.of(())
        self._lock = threading.Lock()

    @property
    def vocabulary(self) -> Vocabulary:
        """All words so far; made of the lists when first asked for."""
        with self._lock:
            if self._unread:
                self._vocabulary = Vocabulary.of(self._unread.decode().split("\n")[:-1])
                self._unread = b""
            return self._vocabulary

    def add(self, words: Iterable[str]) -> None:
        """Take in these words, those that are there already too; durable on return.

        Raises StorageError when the disk refuses; what is there stays.
        """
        before = self.vocabulary
        new = before.missing(words)
        if not new:
            return
        if self._folder is not None:
            self._write(self._folder, new)
        with self._lock:
            self._vocabulary = before.with_words(new)

    def files(self) -> list[Path]:
        """The lists, the oldest first; none in memory."""
        if self._folder is None:
            return []
        return sorted(self._folder.glob(f"{PREFIX}*{SUFFIX}"), key=_number)

    def _write(self, folder: Path, new: list[str]) -> None:
        """A list of the words, together with those of the lists that it is large enough for."""
        lists = self.files()
        number = _number(lists[-1]) + 1 if lists else 1
        pieces, merged = [_text(new)], []
        while lists and lists[-1].stat().st_size <= MERGED * sum(map(len, pieces)):
            merged.append(lists.pop())
            pieces.append(merged[-1].read_bytes())
        write_atomic(folder / f"{PREFIX}{number}{SUFFIX}", b"".join(reversed(pieces)))
        for path in merged:
            path.unlink()


def _number(path: Path) -> int:
    return int(path.stem.removeprefix(PREFIX))


def _text(words: Iterable[str]) -> bytes:
    return b"".join(word.encode() + b"\n" for word in words)
