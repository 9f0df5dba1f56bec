"""Which files make up one state of an index, and are they what was written?

MANIFEST.json names every file of a generation with its size and BLAKE2b digest, the last task
that the files hold, and what the text and the vectors were made with. It is replaced as a whole,
last of all, so that the state it names is complete. It carries its own digest.

    manifest = read_manifest(folder)            # raises IndexDamaged
    problems(folder, manifest)                  # ["text/ab.idx: ..."], [] when all is well
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from hybridsearch.errors import IndexDamaged
from hybridsearch.files import digest, write_atomic

NAME = "MANIFEST.json"
FORMAT = 1
STATES = ("meta.json", "segments.json")
"""The files that say which others the text, and the vectors of an embedder, consist of."""


@dataclass(frozen=True)
class FileMark:
    """One file as it was written."""

    size: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    """One state of one generation.

    database: identity of the DuckDB file. index: its number there. task: the last task whose
    documents the files hold. text: what the text was analysed with. embedders: name -> fingerprint
    of what made the vectors, and their length. evidence: words seen for guessing the language.
    files: path inside the generation's folder -> mark.
    """

    database: str
    index: int
    generation: int
    task: int
    text: Mapping[str, Any]
    embedders: Mapping[str, tuple[str, int]]
    files: Mapping[str, FileMark] = field(default_factory=dict)
    format: int = FORMAT


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest in place, durably. Raises StorageError."""
    body = orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2)
    sealed = orjson.dumps({"manifest": orjson.Fragment(body), "digest": _digest(body)})
    write_atomic(folder / NAME, sealed)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a generation. Raises IndexDamaged when it is absent, altered or too new."""
    try:
        sealed = (folder / NAME).read_bytes()
    except OSError as error:
        raise IndexDamaged(f"{folder / NAME} cannot be read: {error.strerror}") from error
    try:
        body, found = _opened(sealed)
        values = orjson.loads(body)
        files = {name: FileMark(**mark) for name, mark in values.pop("files").items()}
        embedders = {name: (key, dim) for name, (key, dim) in values.pop("embedders").items()}
        manifest = Manifest(files=files, embedders=embedders, **values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexDamaged(f"{folder / NAME} is not what was written") from error
    if found != _digest(body) or manifest.format != FORMAT:
        raise IndexDamaged(f"{folder / NAME} is not what was written")
    return manifest


def marks(
    folder: Path, files: Iterable[Path], known: Mapping[str, FileMark]
) -> dict[str, FileMark]:
    """The mark of each file, by its path in the folder.

    Files named in `known` with the same size are not read again, unless they are small ones, which
    are the only ones that may be replaced under the same name.
    """
    found: dict[str, FileMark] = {}
    for path in sorted(files):
        name = path.relative_to(folder).as_posix()
        size = path.stat().st_size
        before = known.get(name)
        if before is None or before.size != size or path.suffix in (".json", ".lock"):
            before = FileMark(size, digest(path))
        found[name] = before
    return found


def missing(folder: Path, manifest: Manifest) -> list[str]:
    """What is wrong at a glance: files that are absent or of another size."""
    found = []
    for name, mark in manifest.files.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name}: the file is missing")
        elif path.stat().st_size != mark.size:
            found.append(f"{name}: it has {path.stat().st_size} bytes instead of {mark.size}")
    return found


def problems(folder: Path, manifest: Manifest) -> list[str]:
    """What is wrong when every byte is read: absent files, other sizes, other contents."""
    found = missing(folder, manifest)
    for name, mark in manifest.files.items():
        path = folder / name
        if path.is_file() and path.stat().st_size == mark.size and digest(path) != mark.digest:
            found.append(f"{name}: its bytes are not those that were written")
    return found


def astray(folder: Path, manifest: Manifest, present: Iterable[Path]) -> list[str]:
    """What is wrong with files that a crash may have left ahead of their manifest.

    present: the files that the text and the vectors say they consist of. Their lists may be newer
    than the manifest's, and files that only older lists named may be gone; whatever else the
    manifest names must be as it was written.
    """
    names = {path.relative_to(folder).as_posix() for path in present}
    stems = {name.partition(".")[0] for name in names}
    found = []
    for problem in problems(folder, manifest):
        name = problem.partition(": ")[0]
        newer = name in names and name.endswith(".json")
        left = name.endswith(".del") or name.partition(".")[0] not in stems
        if not newer and not (left and name not in names):
            found.append(problem)
    return found


def ahead(folder: Path, manifest: Manifest) -> bool:
    """Whether the text or any vectors are of a later state than the manifest's."""
    known = manifest.files.items()
    return any(digest(folder / name) != mark.digest for name, mark in known if _names_state(name))


def _names_state(file: str) -> bool:
    return file.rpartition("/")[2] in STATES


def _opened(sealed: bytes) -> tuple[bytes, str]:
    """The exact bytes of the manifest inside its envelope, and the digest that stands there."""
    head, tail = b'{"manifest":', b',"digest":"'
    body, comma, rest = sealed[len(head) :].rpartition(tail)
    if not sealed.startswith(head) or not comma or not rest.endswith(b'"}'):
        raise ValueError("not a manifest")
    return body, rest[:-2].decode()


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
