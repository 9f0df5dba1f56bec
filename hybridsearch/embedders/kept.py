"""How is a text not embedded twice?

A `KeptEmbedder` stands before one that is slow or costs money. Vectors of documents are kept in a
file, so that what was embedded stays so when a load is interrupted, given again, or a document
comes back with the same text; vectors of the last queries are kept in memory. Texts are embedded
in slices, and each slice is kept when it is done.

The file is derived and can be deleted. A record is the text's digest, a checksum, the vector; what
was torn by a crash does not pass the checksum and is made again.

    KeptEmbedder(model, folder).embed(["a text", "a text"])        # the model is asked for one
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridsearch.arrays import Vectors
from hybridsearch.embedders import Embedder
from hybridsearch.errors import EmbeddingsFailed, StorageError
from hybridsearch.files import make_folder, write_atomic

__all__ = ["KeptEmbedder"]

SLICE = 512
QUERIES = 1_000
MOST_BYTES = 2 << 30
SUFFIX = ".kept"
MIXING = np.uint64(0x9E3779B97F4A7C15)


class KeptEmbedder:
    """An embedder whose vectors are kept in a file of the folder; None keeps those of queries only.

    most_bytes: how large the file gets; an opening finds the older half gone then.
    """

    def __init__(
        self,
        inner: Embedder,
        folder: Path | None,
        *,
        name: str = "default",
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.inner = inner
        self.name = name
        self._folder = folder
        self._most_bytes = most_bytes
        self._kept: _File | None = None
        self._queries: dict[str, Vectors] = {}
        self._lock = threading.Lock()

    @property
    def dim(self) -> int:
        """As the embedder behind it says."""
        return self.inner.dim

    @property
    def weight(self) -> float:
        """As the embedder behind it says."""
        return self.inner.weight

    @property
    def rrf_k(self) -> int:
        """As the embedder behind it says."""
        return self.inner.rrf_k

    @property
    def passage_pieces(self) -> int:
        """As the embedder behind it says."""
        return self.inner.passage_pieces

    @property
    def fingerprint(self) -> str:
        """As the embedder behind it says."""
        return self.inner.fingerprint

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of documents, float32 [n, dim]; only texts without one are embedded.

        Raises EmbeddingsFailed when some texts are refused, after all others were kept, and
        EmbedderError when none can be had.
        """
        names = [_name(text) for text in texts]
        found = self._known(names)
        reasons: dict[int, str] = {}
        missing = _first_of_each(names, np.isnan(found[:, 0]).tolist())
        for start in range(0, len(missing), SLICE):
            some = missing[start : start + SLICE]
            made, refused = _tried(self.inner, [texts[at] for at in some])
            found[some] = made
            reasons.update({some[at]: why for at, why in refused.items()})
            self._keep([names[at] for at in some], made)
        return self._shared(names, found, reasons)

    def _shared(self, names: Sequence[bytes], found: Vectors, reasons: dict[int, str]) -> Vectors:
        """What one text got, for all texts that are the same."""
        first = {name: at for at, name in reversed(list(enumerate(names)))}
        source = np.array([first[name] for name in names], np.int64)
        found = found[source]
        if reasons:
            every = {at: reasons[to] for at, to in enumerate(source.tolist()) if to in reasons}
            raise EmbeddingsFailed(
                f'embedder "{self.name}": {len(every):,} of {len(names):,} texts could not be'
                " embedded",
                reasons=every,
                made=found,
                embedder=self.name,
            )
        return found

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        """The vectors of queries; the last thousand are remembered. Raises EmbedderError."""
        unknown = [text for text in dict.fromkeys(texts) if text not in self._queries]
        fresh: dict[str, Vectors] = {}
        if unknown:
            fresh = dict(zip(unknown, self.inner.embed_query(unknown), strict=True))
        with self._lock:
            known = {**self._queries, **fresh}
            self._queries = dict(list(known.items())[-QUERIES:])
        found = [known[text] for text in texts]
        return np.array(found, np.float32).reshape(len(texts), self.dim)

    def pieces(self, text: str) -> int:
        """As the embedder behind it says."""
        return self.inner.pieces(text)

    def known(self, text: str) -> float:
        """As the embedder behind it says."""
        return self.inner.known(text)

    # The file

    def _known(self, names: Sequence[bytes]) -> Vectors:
        """The vectors kept, float32 [n, dim], NaN for texts without one."""
        with self._lock:
            if self._kept is None:
                self._kept = _File(self._path(), self.dim, self._most_bytes)
            return self._kept.get(names)

    def _keep(self, names: Sequence[bytes], vectors: Vectors) -> None:
        whole = np.flatnonzero(np.isfinite(vectors).all(axis=1)).tolist()
        with self._lock:
            assert self._kept is not None  # it was asked before
            self._kept.add([names[at] for at in whole], vectors[whole])

    def _path(self) -> Path | None:
        if self._folder is None:
            return None
        label = hashlib.blake2b(self.fingerprint.encode(), digest_size=16).hexdigest()
        return self._folder / f"{label}{SUFFIX}"


class _File:
    """Digest -> vector, in a file that is only added to; without a path nothing is kept."""

    def __init__(self, path: Path | None, dim: int, most_bytes: int) -> None:
        self._path = path
        self._record = np.dtype([("name", "V16"), ("check", "<u8"), ("vector", "<f4", (dim,))])
        self._most = max(2, most_bytes // self._record.itemsize)
        self._places: dict[bytes, int] = {}
        self._records: NDArray[Any] = self._read()
        names = self._records["name"]
        self._places = {name.tobytes(): at for at, name in enumerate(names)}
        self._fresh: list[Vectors] = []

    def _read(self) -> NDArray[Any]:
        nothing = np.zeros(0, self._record)
        if self._path is None or not self._path.is_file():
            return nothing
        with suppress(OSError, StorageError):  # what cannot be read is made again
            size = self._path.stat().st_size
            count = size // self._record.itemsize
            found = np.fromfile(self._path, self._record, count)
            sound = found[found["check"] == _checks(found["name"], found["vector"])]
            if len(sound) >= self._most:
                sound = sound[len(sound) - self._most // 2 :]
            if len(sound) * self._record.itemsize != size:
                write_atomic(self._path, sound.tobytes())
            return np.asarray(sound)
        return nothing

    def get(self, names: Sequence[bytes]) -> Vectors:
        places = np.array([self._places.get(name, -1) for name in names], np.int64)
        found = np.full((len(names), self._record["vector"].shape[0]), np.nan, np.float32)
        old = (places >= 0) & (places < len(self._records))
        found[old] = self._records["vector"][places[old]]
        for at in np.flatnonzero(places >= len(self._records)):
            found[at] = self._fresh[places[at] - len(self._records)]
        return found

    def add(self, names: Sequence[bytes], vectors: Vectors) -> None:
        if self._path is None or not names:
            return
        records = np.zeros(len(names), self._record)
        records["name"] = [np.void(name) for name in names]
        records["vector"] = vectors
        records["check"] = _checks(records["name"], records["vector"])
        if len(self._places) + len(names) > self._most:
            return
        with suppress(OSError, StorageError):  # a full disk costs the keeping, not the load
            make_folder(self._path.parent)
            with self._path.open("ab") as file:
                file.write(records.tobytes())
        start = len(self._records) + len(self._fresh)
        self._places.update({name: start + at for at, name in enumerate(names)})
        self._fresh.extend(vectors)


def _name(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _first_of_each(names: Sequence[bytes], wanted: Sequence[bool]) -> list[int]:
    first: dict[bytes, int] = {}
    for at, (name, want) in enumerate(zip(names, wanted, strict=True)):
        if want:
            first.setdefault(name, at)
    return list(first.values())


def _checks(names: NDArray[Any], vectors: NDArray[Any]) -> NDArray[np.uint64]:
    """A checksum of each record, uint64 [n]; sums may wrap."""
    words = np.ascontiguousarray(vectors).view("<u4").reshape(len(vectors), -1).astype(np.uint64)
    factors = np.arange(1, words.shape[1] + 1, dtype=np.uint64) * MIXING
    halves = np.ascontiguousarray(names).view("<u8").reshape(len(names), 2)
    return np.asarray(words @ factors + halves[:, 0] * MIXING + halves[:, 1])


def _tried(inner: Embedder, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
    """The vectors, NaN for texts refused, and why those were. Raises EmbedderError."""
    try:
        return inner.embed(texts), {}
    except EmbeddingsFailed as error:
        return error.made, error.reasons
