"""Which documents hold the words, and how well?

A `KeywordIndex` keeps a BM25 inverted index (tantivy: k1 1.2, b 0.75) in one folder, or in memory.
Each `apply` ends in a commit and publishes an immutable `KeywordSnapshot` that any number of
threads may search while the next batch is written. It promises:

- a batch is in entirely or not at all, also after a kill or a full disk, and applying it again
  leaves the same index: rows are deleted, then added;
- counts, masks and match sets are exact, and ties are broken by row;
- the score is the sum over attributes of weight times BM25 of `hybridsearch.keyword_plan`.

    index = KeywordIndex.open(folder)
    index.apply(deletes=none, rows=np.array([0]), texts={"title": ["red shoes"]}, bodies=[b"{}"])
    ranking = index.snapshot().top(parse("shoe", analyzer), weights={"title": 1.0}, limit=10)

Attributes come and go while tantivy's schema is fixed: each attribute takes one of the text
fields t0, t1, ... for good, and a small file of ours says which. When they run out `apply` raises
SlotsFull, and a new index with more of them has to be built.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tantivy

from hybridsearch.analysis import ITEM
from hybridsearch.arrays import Rows
from hybridsearch.errors import DatabaseClosed, HybridSearchError, IndexDamaged, StorageError
from hybridsearch.files import make_folder, write_atomic
from hybridsearch.keyword_snapshot import KeywordSnapshot, Ranking
from hybridsearch.query import MOST_SLOP
from hybridsearch.turns import give_way
from hybridsearch.wordlists import WordLists

__all__ = ["KeywordIndex", "KeywordSnapshot", "Ranking", "SlotsFull"]

HEAP = 128_000_000
"""Bytes a writer may hold before it flushes a segment; used as needed, not reserved."""
SLOTS_FILE = "slots.json"

_Result = TypeVar("_Result")


class SlotsFull(StorageError):
    """The index has no field left for another attribute; build a new one with `needed` slots."""

    default_code = "slots_full"


class KeywordIndex:
    """One inverted index that one process writes; see the module for what it promises."""

    def __init__(self, index: tantivy.Index, path: Path | None, slots: _Slots) -> None:
        self._index = index
        self._path = path
        self._slots = slots
        self._words = WordLists(path)
        self._lock = threading.Lock()
        self._writer: tantivy.IndexWriter | None = None
        self._block: contextlib.ExitStack | None = None
        self._snapshot: KeywordSnapshot | None = self._published()

    @classmethod
    def open(cls, path: Path | None, *, slots: int = 16) -> KeywordIndex:
        """The index in this folder, created with room for `slots` attributes when absent.

        None opens an empty one in memory. Raises IndexDamaged when the files cannot be read, and
        StorageError when the folder may not be written.
        """
        if path is None:
            return cls(tantivy.Index(_schema(slots)), None, _Slots(slots))
        make_folder(path)
        if tantivy.Index.exists(str(path)):
            _check_writable(path)
            return _guarded(lambda: cls._read(path), lambda error: _damaged(path, error))
        return _guarded(lambda: cls._create(path, slots), lambda error: _refused(path, error))

    @classmethod
    def _read(cls, path: Path) -> KeywordIndex:
        slots = _Slots.read(path)
        index = tantivy.Index.open(str(path))
        index.searcher().doc_freq(f"t{slots.size - 1}", "")
        return cls(index, path, slots)

    @classmethod
    def _create(cls, path: Path, size: int) -> KeywordIndex:
        """The slots are written first, so that an index without them is a damaged one."""
        slots = _Slots(size)
        slots.write(path)
        return cls(tantivy.Index(_schema(size), path=str(path)), path, slots)

    def apply(
        self,
        *,
        deletes: Rows,
        rows: Rows,
        texts: Mapping[str, Sequence[str]],
        bodies: Sequence[bytes],
        words: Iterable[str] = (),
    ) -> None:
        """Delete the rows of `deletes`, put in `rows`, and publish.

        texts: by attribute, one analysed text for each of `rows`, "" where there is none; ITEM
        stands between items of a list.
        bodies: what to keep for each of `rows`. A row that is there already is replaced. words:
        for the vocabulary; those of a batch that is refused may stay in it.
        Raises SlotsFull for too many attributes and StorageError when the disk refuses; the
        index is then as before.
        """
        with self._lock:
            self._current()
            if not len(deletes) and not len(rows):
                return
            self._slots = self._slots.holding(_used(texts), self._path)
            fields = self._slots.fields
            columns = {fields[name]: column for name, column in texts.items() if name in fields}
            documents = _documents(rows, columns, bodies)
            gone = np.concatenate([deletes, rows]).tolist()
            self._words.add(words)
            if self._block is not None:
                self._writer = self._writer or self._block.enter_context(self._committing())
                self._put(self._writer, gone, documents)
                return
            with self._committing() as writer:
                self._put(writer, gone, documents)
            self._snapshot = _guarded(self._published, self._refused)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Put in the batches of the block with one commit, all of them or none.

        Each commit leaves a segment, and a search takes the longer the more there are. Until the
        end `snapshot` is what it was. A block without a batch costs nothing. Raises StorageError
        when the disk refuses.
        """
        with contextlib.ExitStack() as self._block:
            try:
                yield
            finally:
                self._block = self._writer = None
        self._snapshot = _guarded(self._published, self._refused)

    @contextlib.contextmanager
    def _committing(self) -> Iterator[tantivy.IndexWriter]:
        """A writer that commits at the end. Whatever happens it is let go: it locks the folder."""
        writer = _guarded(lambda: self._index.writer(HEAP, 1), self._refused)
        try:
            # What a killed writer left would stand in the way.
            _guarded(writer.garbage_collect_files, self._refused)
            yield writer
            _guarded(writer.commit, self._refused)
            _guarded(writer.wait_merging_threads, self._refused)
        except BaseException:
            _roll_back(writer)
            raise
        finally:
            del writer

    def _refused(self, error: BaseException) -> StorageError:
        return _refused(self._path, error)

    def snapshot(self) -> KeywordSnapshot:
        """The state after the last successful `apply`. Raises DatabaseClosed after `close`."""
        return self._current()

    def files(self) -> list[Path]:
        """Every file of the last commit; none in memory. Segments and word lists never change."""
        return [] if self._path is None else _committed(self._path) + self._words.files()

    def close(self) -> None:
        """Let the files go; snapshots handed out before stay usable."""
        with self._lock:
            self._snapshot = None

    def _current(self) -> KeywordSnapshot:
        if self._snapshot is None:
            raise DatabaseClosed("the keyword index is closed; open it again")
        return self._snapshot

    def _put(
        self, writer: tantivy.IndexWriter, gone: list[int], documents: Iterable[dict[str, Any]]
    ) -> None:
        _guarded(lambda: self._hand_over(writer, gone, documents), self._refused)

    def _hand_over(
        self, writer: tantivy.IndexWriter, gone: list[int], documents: Iterable[dict[str, Any]]
    ) -> None:
        schema = self._index.schema
        for row in gone:
            give_way()
            writer.delete_documents_by_term("row", row)
        for document in documents:
            give_way()
            writer.add_document(tantivy.Document.from_dict(document, schema))

    def _published(self) -> KeywordSnapshot:
        self._index.reload()
        fields = self._slots.fields
        return KeywordSnapshot(self._index.searcher(), self._index.schema, fields, self._words)


def _guarded(action: Callable[[], _Result], wrap: Callable[[BaseException], Exception]) -> _Result:
    """What the action returns; failures of tantivy, panics too, are raised as `wrap` makes them."""
    try:
        return action()
    except HybridSearchError:
        raise
    except Exception as error:
        raise wrap(error) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise wrap(error) from error


def _roll_back(writer: tantivy.IndexWriter) -> None:
    """Forget what is not committed; a writer that cannot even do that is dropped as it is."""
    with contextlib.suppress(StorageError):
        _guarded(writer.rollback, lambda error: StorageError(str(error)))


def _refused(path: Path | None, error: BaseException) -> StorageError:
    where = str(path or "memory")
    return StorageError(
        f"could not write the keyword index in {where}: {error}; nothing was applied; free some"
        " space or permit writing, then try again",
        path=where,
    )


def _check_writable(path: Path) -> None:
    """Raise StorageError where tantivy could not lock the files, which is no damage."""
    if not os.access(path, os.W_OK | os.X_OK):
        raise StorageError(
            f"{path} may not be written, which searching needs too, to keep others out; permit it",
            path=str(path),
        )


def _damaged(path: Path, error: BaseException) -> IndexDamaged:
    return IndexDamaged(
        f"the keyword index in {path} cannot be read: {error}; rebuild the index", path=str(path)
    )


def _schema(slots: int) -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("row", fast=True, indexed=True)
    builder.add_bytes_field("body", stored=True)
    for slot in range(slots):
        builder.add_text_field(f"t{slot}", tokenizer_name="whitespace", index_option="position")
    return builder.build()


@dataclass(frozen=True)
class _Slots:
    """Which text field each attribute has: the i-th attribute has field ti."""

    size: int
    attributes: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> _Slots:
        """What the file says. Raises OSError without one, ValueError or KeyError for nonsense."""
        said = json.loads((folder / SLOTS_FILE).read_bytes())
        return cls(int(said["size"]), tuple(map(str, said["attributes"])))

    def write(self, folder: Path) -> None:
        said = {"size": self.size, "attributes": self.attributes}
        write_atomic(folder / SLOTS_FILE, json.dumps(said).encode())

    @property
    def fields(self) -> dict[str, str]:
        return {name: f"t{slot}" for slot, name in enumerate(self.attributes)}

    def holding(self, names: Sequence[str], folder: Path | None) -> _Slots:
        """These slots with room for the names, written down before any document uses them."""
        new = [name for name in names if name not in self.attributes]
        if not new:
            return self
        attributes = (*self.attributes, *new)
        if len(attributes) > self.size:
            raise SlotsFull(
                f"the keyword index has {self.size} fields and {len(attributes)} attributes;"
                f" rebuild it with at least {len(attributes)} slots",
                needed=len(attributes),
            )
        grown = replace(self, attributes=attributes)
        if folder is not None:
            grown.write(folder)
        return grown


def _used(texts: Mapping[str, Sequence[str]]) -> list[str]:
    """The attributes that hold any text."""
    return [name for name, column in texts.items() if any(column)]


def _documents(
    rows: Rows, columns: Mapping[str, Sequence[str]], bodies: Sequence[bytes]
) -> Iterator[dict[str, Any]]:
    """What tantivy takes for each row; empty texts are left out, which saves their lengths."""
    for at, (row, body) in enumerate(zip(rows.tolist(), bodies, strict=True)):
        texts = {name: _spaced(column[at]) for name, column in columns.items() if column[at]}
        yield {"row": row, "body": body, **texts}


def _spaced(text: str) -> str | list[str]:
    """The text as tantivy takes it: each value moves those after it one place on, empty ones too,
    so that the items of a list are further apart than any phrase may be loose."""
    if ITEM not in text:
        return text
    apart = [""] * MOST_SLOP
    return [value for item in text.split(ITEM) for value in (item, *apart)]


def _committed(folder: Path) -> list[Path]:
    """The files that meta.json names, with itself, tantivy's list of files and ours."""
    segments = json.loads((folder / "meta.json").read_bytes())["segments"]
    names = [folder / name for name in ("meta.json", ".managed.json", SLOTS_FILE)]
    for segment in segments:
        stem = segment["segment_id"].replace("-", "")
        deletes = segment.get("deletes") or {}
        removed = f"{stem}.{deletes.get('opstamp')}.del"
        found = folder.glob(f"{stem}.*")
        names += [path for path in found if path.suffix != ".del" or path.name == removed]
    return sorted(names)
