"""How are one embedder's vectors kept, through every crash?

An index is a folder of immutable segments and one file, `segments.json`, that names them with
size and checksum and says which of their vectors died. A batch writes its segment first and then
replaces that file, so a crash leaves the state before or after, never between; files that it
does not name are swept away on the next opening. Segments of like size are merged as they come,
so that there are few and each vector is written a few times only.

    index = VectorIndex.open(folder, dim=256)
    index.apply(deletes=gone, rows=rows, vectors=vectors)      # durable on return
    rows, scores = index.snapshot().top(vector, 10)
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zlib import compress, decompress
from zlib import error as NotCompressed

import numpy as np

from hybridsearch.arrays import Mask, Rows, Vectors
from hybridsearch.errors import DatabaseClosed, FormatTooNew, VectorError
from hybridsearch.files import TEMPORARY, digest, make_folder, write_atomic
from hybridsearch.vectors.nearest import Tiers, VectorSnapshot
from hybridsearch.vectors.segments import (
    FORMAT,
    Part,
    Segment,
    damaged,
    encode,
    join,
)

CATALOG = "segments.json"
SUFFIX = ".vec"
SMALL = 512
MERGE_RATIO = 2
MOST_DEAD = 0.25


@dataclass(frozen=True, slots=True)
class Stored:
    """A part and the file its segment lies in, with the file's checksum ("" in memory)."""

    part: Part
    file: str
    checksum: str


class VectorIndex:
    """The vectors of one embedder in one index. One thread writes; any number read snapshots."""

    def __init__(
        self, path: Path | None, stored: Sequence[Stored], *, dim: int, tiers: Tiers, number: int
    ) -> None:
        self._path = path
        self._dim = dim
        self._tiers = tiers
        self._number = number
        self._stored = tuple(stored)
        self._snapshot = self._view()
        self._closed = False

    @classmethod
    def open(cls, path: Path | None, *, dim: int, tiers: Tiers | None = None) -> VectorIndex:
        """The index of a folder, which is created when absent; None keeps it in memory.

        Raises IndexDamaged when the files are not what was written, FormatTooNew when a later
        version wrote them, StorageError when the disk refuses.
        """
        tiers = tiers or Tiers()
        if path is None:
            return cls(None, (), dim=dim, tiers=tiers, number=0)
        make_folder(path)
        if not (path / CATALOG).exists():
            if any(path.glob("*" + SUFFIX)):
                raise damaged(path / CATALOG, "is missing")
            write_atomic(path / CATALOG, _catalog((), dim=dim, number=0))
        return cls._load(path, _read(path / CATALOG, dim), tiers)

    @classmethod
    def _load(cls, path: Path, catalog: dict[str, Any], tiers: Tiers) -> VectorIndex:
        dim = catalog["dim"]
        stored = [_stored(path, entry, dim) for entry in catalog["segments"]]
        index = cls(path, stored, dim=dim, tiers=tiers, number=catalog["number"])
        index._sweep()
        return index

    def apply(self, *, deletes: Rows, rows: Rows, vectors: Vectors) -> None:
        """Delete rows, then put these vectors in the place of all that their rows had.

        rows int64 [n] may repeat (a row with several vectors); vectors float32 [n, dim], of any
        length, zero allowed. Durable on return; may be repeated after a crash. An error leaves
        everything as it was.
        Raises VectorError when a vector is not finite or not of this index's length,
        StorageError when the disk refuses, DatabaseClosed after close().
        """
        if self._closed:
            raise DatabaseClosed("the vectors are closed; open the database again")
        rows, vectors = np.asarray(rows, np.int64), np.asarray(vectors, np.float32)
        _check(rows, vectors, self._dim)
        dying = np.unique(np.concatenate([np.asarray(deletes, np.int64), rows]))
        after = [self._without(one, dying) for one in self._stored]
        if not len(rows) and all(a is b for a, b in zip(after, self._stored, strict=True)):
            return
        self._commit(self._compacted(self._merged(after, rows, vectors)))

    def _without(self, one: Stored, rows: Rows) -> Stored:
        part = one.part.without(rows)
        return one if part is one.part else Stored(part, one.file, one.checksum)

    def _merged(self, stored: Iterable[Stored], rows: Rows, vectors: Vectors) -> list[Stored]:
        """The parts with the new vectors, joined with those that are not much larger."""
        keep = sorted(
            (one for one in stored if one.part.vectors), key=lambda one: -one.part.vectors
        )
        if not len(rows):
            return keep
        batches, total = [encode(rows, vectors)], len(rows)
        while keep and keep[-1].part.vectors <= max(SMALL, MERGE_RATIO * total):
            part = keep.pop().part
            batches.append(part.batch())
            total += part.vectors
        centre = keep[0].part.segment.centre if keep else None
        return [*keep, self._write(Segment.build(join(batches), centre=centre))]

    def _compacted(self, stored: list[Stored]) -> list[Stored]:
        return [
            self._write(Segment.build(one.part.batch())) if _is_sparse(one.part) else one
            for one in stored
        ]

    def _write(self, segment: Segment) -> Stored:
        # A number is never used twice, so a failed batch cannot leave a name to be overwritten.
        self._number += 1
        name = f"{self._number:08}{SUFFIX}"
        if self._path is None:
            return Stored(Part.of(segment, None), name, "")
        write_atomic(self._path / name, segment.data.data)
        mapped = Segment.map(self._path / name, dim=self._dim)
        return Stored(Part.of(mapped, None), name, digest(self._path / name))

    def _commit(self, stored: Sequence[Stored]) -> None:
        if self._path is not None:
            data = _catalog(stored, dim=self._dim, number=self._number)
            write_atomic(self._path / CATALOG, data)
        self._stored = tuple(stored)
        self._snapshot = self._view()
        self._sweep()

    def _view(self) -> VectorSnapshot:
        return VectorSnapshot(tuple(one.part for one in self._stored), self._dim, self._tiers)

    def _sweep(self) -> None:
        """Remove what no reader will look for; a file that will not go is left for next time."""
        if self._path is None:
            return
        named = {CATALOG, *(one.file for one in self._stored)}
        for path in self._path.iterdir():
            if path.name not in named and path.suffix in (SUFFIX, TEMPORARY):
                _discard(path)

    def snapshot(self) -> VectorSnapshot:
        """The vectors as they are now; what is applied later does not change it."""
        return self._snapshot

    def files(self) -> list[Path]:
        """The catalogue, then the segments it names; all but the catalogue are immutable."""
        if self._path is None:
            return []
        return [self._path / CATALOG, *(self._path / one.file for one in self._stored)]

    def verify(self) -> None:
        """Read every file whole. Raises IndexDamaged when a checksum is not what was written."""
        if self._path is None:
            return
        _read(self._path / CATALOG, self._dim)
        for one in self._stored:
            path = self._path / one.file
            if not path.exists() or digest(path) != one.checksum:
                raise damaged(path, "is missing or was changed")

    def close(self) -> None:
        """Let go of the files; snapshots that are held stay good."""
        self._stored = ()
        self._snapshot = self._view()
        self._closed = True


def _check(rows: Rows, vectors: Vectors, dim: int) -> None:
    if vectors.ndim != 2 or vectors.shape != (len(rows), dim):
        raise VectorError(
            f"the vectors have shape {vectors.shape}, but {len(rows)} rows of {dim} numbers are "
            "needed; embed with the embedder the index was made with",
            expected=dim,
            found=vectors.shape[-1] if vectors.ndim else 0,
        )
    finite = np.isfinite(vectors)
    if not finite.all():
        position, at = (int(place[0]) for place in np.nonzero(~finite))
        raise VectorError(
            f"vector {position} is {vectors[position, at]} at position {at}; "
            "every number must be finite",
            position=position,
            row=int(rows[position]),
        )


def _is_sparse(part: Part) -> bool:
    total = len(part.segment.rows)
    return total - part.vectors > MOST_DEAD * total


def _discard(path: Path) -> None:
    try:
        path.unlink()
    except OSError:
        return


def _catalog(stored: Sequence[Stored], *, dim: int, number: int) -> bytes:
    segments = [
        {
            "file": one.file,
            "size": one.part.segment.data.nbytes,
            "checksum": one.checksum,
            "dead": _marks(one.part.live),
        }
        for one in stored
    ]
    body = {"format": FORMAT, "dim": dim, "number": number, "segments": segments}
    return json.dumps({**body, "checksum": _checksum(body)}).encode()


def _checksum(body: dict[str, Any]) -> str:
    return blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=16).hexdigest()


def _marks(live: Mask | None) -> str:
    return "" if live is None else b64encode(compress(np.packbits(~live).tobytes())).decode()


def _read(path: Path, dim: int) -> dict[str, Any]:
    try:
        catalog: dict[str, Any] = json.loads(path.read_bytes())
        checksum, version = catalog.pop("checksum"), int(catalog["format"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, "cannot be read") from error
    if version > FORMAT:
        raise FormatTooNew(
            f"{path} has format {version}, this version reads {FORMAT}; update hybridsearch",
            found=version,
        )
    if checksum != _checksum(catalog):
        raise damaged(path, "was changed")
    if catalog["dim"] != dim:
        raise damaged(path, f"holds vectors of {catalog['dim']} numbers, not {dim}")
    return catalog


def _stored(path: Path, entry: dict[str, Any], dim: int) -> Stored:
    file = path / entry["file"]
    segment = Segment.map(file, dim=dim)
    if segment.data.nbytes != entry["size"]:
        raise damaged(file, f"has {segment.data.nbytes} bytes, not {entry['size']}")
    if not entry["dead"]:
        return Stored(Part.of(segment, None), entry["file"], entry["checksum"])
    try:
        marks = np.frombuffer(decompress(b64decode(entry["dead"])), np.uint8)
        dead = np.unpackbits(marks, count=len(segment.rows)).astype(np.bool_)
    except (NotBase64, NotCompressed, ValueError) as error:
        raise damaged(path / CATALOG, f"has bad marks for {entry['file']}") from error
    return Stored(Part.of(segment, ~dead), entry["file"], entry["checksum"])
