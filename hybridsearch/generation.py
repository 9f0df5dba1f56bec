"""How are the text and the vectors of one index kept together as one state on disk?

A generation is a folder with the text index, the vectors of each embedder and the manifest that
names every file of both. `write` changes them, `seal` names the new state; a crash between the
two leaves files that are ahead of the manifest, which replaying the same rows repairs, because
`write` may be repeated. Without a folder it lives in memory.

    generation.write(deletes=dead, batch=prepared)
    generation.seal(task=17)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hybridsearch.arrays import Rows, Vectors
from hybridsearch.errors import IndexDamaged, StorageError
from hybridsearch.files import make_folder, refused, remove_folder
from hybridsearch.keyword import KeywordIndex
from hybridsearch.manifest import (
    Manifest,
    ahead,
    astray,
    marks,
    missing,
    problems,
    read_manifest,
    write_manifest,
)
from hybridsearch.vectors import VectorIndex


@dataclass(frozen=True)
class Prepared:
    """What a batch of new rows brings to the index.

    rows: int64 [n]. texts: attribute -> analysed text for each row. bodies: the JSON of each row.
    vectors: embedder -> (rows, vectors); a row may have several, or none. words: those of the
    texts that others may be mistaken for.
    """

    rows: Rows
    texts: Mapping[str, Sequence[str]]
    bodies: Sequence[bytes]
    vectors: Mapping[str, tuple[Rows, Vectors]] = field(default_factory=dict)
    words: Collection[str] = ()


class Generation:
    """One state of the derived files, with its writers open. One thread writes.

    outdated: whether it was opened in the state that its manifest names, and documents are newer.
    """

    def __init__(self, folder: Path | None, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.outdated = False
        if folder is not None:
            make_folder(folder)
        self.text = KeywordIndex.open(folder and folder / "text", slots=_slots(manifest))
        self.vectors: dict[str, VectorIndex] = {}
        try:
            for name, (_, dim) in manifest.embedders.items():
                self.vectors[name] = VectorIndex.open(folder and _place(folder, name), dim=dim)
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, folder: Path, *, last: int) -> Generation:
        """The generation in the folder, up to its manifest's task or, after a crash, further.

        last: the last task that changed a document. Only when the manifest is of that task must
        every file be the one it names: a crash in the middle of the next batch leaves files that
        are ahead of it. Every byte is read, for a damaged file could later end the process.
        Raises IndexDamaged when a file is not what was written.
        """
        manifest = read_manifest(folder)
        if manifest.task >= last:
            _require(folder, problems(folder, manifest))
            return cls(folder, manifest)
        _require(folder, [one for one in missing(folder, manifest) if ".json: the file" in one])
        found = cls(folder, manifest)
        try:
            _require(folder, astray(folder, manifest, found._files()))
            found.outdated = not ahead(folder, manifest)
        except IndexDamaged:
            found.close()
            raise
        return found

    def write(self, *, deletes: Rows, batch: Prepared) -> None:
        """Take the rows out and put the batch in; durable on return, not yet named.

        Raises StorageError when the disk refuses; writing the same again mends what was half done.
        """
        try:
            self._write(deletes, batch)
        except OSError as error:
            raise refused(self.folder or Path("memory"), error) from error

    def _write(self, deletes: Rows, batch: Prepared) -> None:
        for name, index in self.vectors.items():
            rows, vectors = batch.vectors[name]
            gone = np.setdiff1d(np.concatenate([deletes, batch.rows]), rows)
            index.apply(deletes=gone, rows=rows, vectors=vectors)
        self.text.apply(
            deletes=deletes,
            rows=batch.rows,
            texts=batch.texts,
            bodies=batch.bodies,
            words=batch.words,
        )

    def seal(self, *, task: int) -> None:
        """Name the present files as the state after the task. Raises StorageError."""
        manifest = replace(self.manifest, task=task)
        if self.folder is not None:
            try:
                files = marks(self.folder, self._files(), self.manifest.files)
            except OSError as error:
                raise refused(self.folder, error) from error
            manifest = replace(manifest, files=files)
            write_manifest(self.folder, manifest)
        self.manifest = manifest

    def _files(self) -> list[Path]:
        found = list(self.text.files())
        for index in self.vectors.values():
            found.extend(index.files())
        return found

    def is_gone(self) -> bool:
        """Whether somebody removed a folder of it, which can still be read but not written."""
        if self.folder is None:
            return False
        places = [self.folder / "text", *(_place(self.folder, name) for name in self.vectors)]
        return not all(place.is_dir() for place in places)

    def close(self) -> None:
        """Close the writers; the files stay."""
        self.text.close()
        for index in self.vectors.values():
            index.close()

    def remove(self) -> None:
        """Close it and remove its files; snapshots that are held stay good."""
        self.close()
        if self.folder is not None:
            remove_folder(self.folder)


def _require(folder: Path, wrong: Sequence[str]) -> None:
    if wrong:
        raise IndexDamaged(f"{folder}: {wrong[0]}", problems=list(wrong))


def generations(folder: Path) -> list[int]:
    """The numbers of the generations in an index's folder, ascending."""
    try:
        return sorted(int(item.name) for item in folder.iterdir() if item.name.isdigit())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(
            f"could not read {folder}: {error.strerror}; permit it, or move {folder.parent} away:"
            " what belongs in it is built anew",
            path=str(folder),
        ) from error


def sweep(folder: Path, *, keep: int) -> None:
    """Remove the generations in an index's folder but that of one number."""
    for number in generations(folder):
        if number != keep:
            remove_folder(folder / str(number))


def _place(folder: Path, embedder: str) -> Path:
    return folder / "vectors" / embedder


def _slots(manifest: Manifest) -> int:
    return int(manifest.text.get("slots", 16))
