"""How does a dump or a snapshot become a database?

A dump of `dumping`, or of Meilisearch 1.0 and later, whose format is the same, becomes a new
database: every index with its settings, documents and vectors; keys, webhooks and switches of
features. Tasks stay behind. A snapshot is a database already and only has its side folder built.
Both are made under another name and put in place when they are whole: whatever fails, or is
killed, leaves nothing at the path.

    import_dump(Path("shop.duckdb"), Path("20261122-153000123.dump")).documents     # 1200
"""

from __future__ import annotations

import gzip
import os
import re
import tarfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from hybridsearch.database import Database
from hybridsearch.database import open as open_database
from hybridsearch.dumping import FORMAT
from hybridsearch.errors import Conflict, HybridSearchError, InputError, NotFound
from hybridsearch.files import make_folder, refused, remove_folder, side_folder, sync_folder
from hybridsearch.jsontext import dumps, loads
from hybridsearch.settings import Settings
from hybridsearch.sources import batches
from hybridsearch.store import Store
from hybridsearch.writes import ADDITION

__all__ = ["Imported", "import_dump", "import_snapshot"]

AHEAD = 2
"""So many batches are accepted before the one in hand is done."""
FRESH, PARTS, LOG = ".import", ".import.parts", ".wal"
PACKED, DATABASE = b"\x1f\x8b", b"DUCK"
GROUPED = ("faceting",)
"""Settings that the API shows in a group and `Settings` does not."""
PART = re.compile(
    r"(?:\./)?(?:indexes/(?P<index>[A-Za-z0-9._-]{1,400})/)?"
    r"(?P<part>metadata\.json|settings\.json|documents\.jsonl|keys\.jsonl|webhooks\.json"
    r"|experimental-features\.json)"
)
BAD_ARCHIVE = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error)
BAD_PART = (ValueError, TypeError, KeyError, AttributeError)
"""What reading JSON of another shape than expected raises."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Imported:
    """What came in. left: what the dump holds that has no meaning here, a line for each."""

    indexes: int = 0
    documents: int = 0
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Unpacked:
    """The parts of a dump as files of ours: those of the whole, and of each index."""

    source: Path
    whole: dict[str, Path] = field(default_factory=dict)
    indexes: dict[str, dict[str, Path]] = field(default_factory=dict)


def import_dump(
    path: Path, dump: Path, *, progress: Progress = lambda documents: None, **options: Any
) -> Imported:
    """Make the database at the path from a dump; options are those of `hybridsearch.open`.

    progress is called with the number of documents of each batch that is done. Raises Conflict
    when there is a database already, NotFound when there is no dump, InputError when it is damaged
    or of another kind, what its settings and documents are refused with, and StorageError. There
    is nothing at the path then.
    """
    with _put_in_place(path) as fresh:
        unpacked = _unpack(dump, fresh.with_name(f"{path.name}{PARTS}"))
        _check_format(unpacked)
        with _about(dump), open_database(fresh, **options) as db:
            done = [
                _import_index(db, uid, parts, progress) for uid, parts in unpacked.indexes.items()
            ]
            _import_rest(db.store, unpacked)
    counted, left = sum(one.documents for one in done), [line for one in done for line in one.left]
    return Imported(len(done), counted, tuple(left))


def import_snapshot(path: Path, snapshot: Path, **options: Any) -> Imported:
    """Make the database at the path from a snapshot, whose files beside it are built; as above."""
    with _put_in_place(path) as fresh:
        start = _start(snapshot, "snapshot")
        if start[8:12] != DATABASE:
            hint = "; a dump goes to --import-dump" if start.startswith(PACKED) else ""
            raise InputError(
                f"{snapshot} is no snapshot: it must be a DuckDB file, as POST /snapshots writes"
                f" it{hint}",
                path=str(snapshot),
            )
        _copy(snapshot, fresh)
        with _about(snapshot), open_database(fresh, **options) as db:
            return Imported(len(db.indexes()), sum(index.count() for index in db.indexes()))


# The place


@contextmanager
def _put_in_place(path: Path) -> Iterator[Path]:
    """Where to make a database that is to be at the path; it is put there at the end."""
    if path.exists():
        raise Conflict(
            f"there is a database at {path} already; import into a new one, or leave the import out"
            " to serve it as it is",
            path=str(path),
        )
    make_folder(path.absolute().parent)
    fresh = path.with_name(f"{path.name}{FRESH}")
    _clear(path)
    try:
        yield fresh
        _move(fresh, path)
    finally:
        _clear(path)


def clear(path: Path) -> None:
    """Remove what an import that was killed left beside a database that is in its place."""
    if path.exists():
        _clear(path)


def _clear(path: Path) -> None:
    """Remove what an import to the path has made, or left when it was killed."""
    fresh = path.with_name(f"{path.name}{FRESH}")
    remove_folder(path.with_name(f"{path.name}{PARTS}"))
    remove_folder(side_folder(fresh))
    for file in (fresh, fresh.with_name(f"{fresh.name}{LOG}")):
        if file.exists():
            file.unlink()


def _move(fresh: Path, path: Path) -> None:
    """The database first: without its side folder it is whole, and the other way round is not."""
    try:
        os.link(fresh, path)  # which never replaces what another process put there
        remove_folder(side_folder(path))
        if side_folder(fresh).exists():
            side_folder(fresh).rename(side_folder(path))
        sync_folder(path.absolute().parent)
    except OSError as error:
        raise refused(path, error) from error


# The file


def _start(path: Path, kind: str) -> bytes:
    """The first bytes of the file. Raises NotFound or InputError."""
    try:
        with path.open("rb") as file:
            return file.read(12)
    except FileNotFoundError:
        raise NotFound(f"there is no {kind} at {path}", path=str(path)) from None
    except OSError as error:
        raise InputError(
            f"the {kind} {path} cannot be read: {error.strerror}", path=str(path)
        ) from None


def _unpack(dump: Path, folder: Path) -> _Unpacked:
    """The parts of the dump as files in the folder; every byte of it is read and checked."""
    start = _start(dump, "dump")
    if not start.startswith(PACKED):
        hint = "; a snapshot goes to --import-snapshot" if start[8:12] == DATABASE else ""
        raise _unfit(dump, f"it is no tar.gz{hint}")
    make_folder(folder)
    found = _Unpacked(dump)
    try:
        with gzip.open(dump) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
            for member in tar:
                _take(tar, member, folder, found)
            while packed.read(1 << 20):  # the checksum stands at the very end
                pass
    except BAD_ARCHIVE as error:
        raise _unfit(dump, f"it is damaged: {str(error) or type(error).__name__}") from None
    return found


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, found: _Unpacked) -> None:
    """Copy a member that is known to a name of our own."""
    named = PART.fullmatch(member.name)
    if named is None or not member.isfile():
        return
    uid, part = named["index"], named["part"]
    parts = found.whole if uid is None else found.indexes.setdefault(uid, {})
    if part in parts:
        raise tarfile.ReadError(f"{member.name:.80} stands in it twice")
    number = len(found.whole) + sum(map(len, found.indexes.values()))
    target = folder / f"{number}-{part}"
    _write(target, tar.extractfile(member))
    parts[part] = target


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file:
        _write(target, file)


def _write(target: Path, source: Any) -> None:
    with _opened(target) as file:
        while chunk := source.read(1 << 20):
            try:
                file.write(chunk)
            except OSError as error:
                raise refused(target, error) from error


@contextmanager
def _opened(target: Path) -> Iterator[BinaryIO]:
    try:
        file = target.open("wb")
    except OSError as error:
        raise refused(target, error) from error
    with file:
        yield file


def _check_format(found: _Unpacked) -> None:
    """Raise InputError for a dump of another format, or without what a dump has."""
    metadata = _read(found, found.whole, "metadata.json")
    version = metadata.get("dumpVersion") if isinstance(metadata, dict) else None
    if version != FORMAT:
        by = metadata.get("dbVersion") if isinstance(metadata, dict) else None
        maker = f", written by Meilisearch {by!s:.20}" if by else ""
        raise _unfit(
            found.source,
            f"its format is {version!s:.20}{maker}, and only {FORMAT} is read; import it into"
            " Meilisearch 1 and dump it there",
        )
    for uid, parts in found.indexes.items():
        for part in ("metadata.json", "settings.json", "documents.jsonl"):
            if part not in parts:
                raise _unfit(found.source, f"index {uid} lacks its {part}")


def _read(found: _Unpacked, parts: Mapping[str, Path], part: str) -> Any:
    if part not in parts:
        raise _unfit(found.source, f"it has no {part}")
    try:
        return loads(parts[part].read_bytes())
    except ValueError as error:
        raise _unfit(found.source, f"its {part} is no JSON: {error!s:.120}") from None


def _unfit(dump: Path, why: str) -> InputError:
    return InputError(
        f"{dump} cannot be imported: {why}. A dump is the file that POST /dumps writes, here or in"
        " Meilisearch 1",
        path=str(dump),
    )


@contextmanager
def _about(file: Path) -> Iterator[None]:
    """Errors raised within say which file they are about."""
    try:
        yield
    except HybridSearchError as error:
        if str(file) not in error.message:
            error.message = f"{file} cannot be imported: {error.message}"
        raise


# What it holds


def _import_index(
    db: Database, uid: str, parts: Mapping[str, Path], progress: Progress
) -> Imported:
    """Make one index with its documents."""
    try:
        metadata = loads(parts["metadata.json"].read_bytes())
        given = loads(parts["settings.json"].read_bytes())
        key, times = metadata["primaryKey"], (metadata["createdAt"], metadata["updatedAt"])
        created, updated = map(_time, times)
        known = {*Settings().to_json(), *GROUPED}
        settings = {name: value for name, value in given.items() if name in known}
    except BAD_PART as error:
        raise InputError(f"index {uid}: its metadata or settings are damaged: {error}") from None
    try:
        db.create_index(uid, primary_key=key, settings=settings)
        counted = _fill(db, uid, parts["documents.jsonl"], key, progress)
    except HybridSearchError as error:
        error.message = f"index {uid}: {error.message}"
        raise
    db.store.date_index(uid, created, updated)
    left = [f"setting {name} of index {uid} is not known here" for name in given.keys() - known]
    return Imported(1, counted, tuple(sorted(left)))


def _fill(db: Database, uid: str, documents: Path, key: str | None, progress: Progress) -> int:
    """Add the documents of a file in bounded memory; gives their number."""
    waiting: deque[int] = deque()
    counted = 0

    def finish(most: int) -> None:
        while len(waiting) > most:
            progress(int(db.wait(waiting.popleft()).details["received_documents"]))

    if not documents.stat().st_size:
        return 0
    for batch in batches(documents):
        arguments = {"mode": "replace", "primary_key": key, "start": batch.start}
        arguments |= {"count": len(batch.bodies), "strange_vectors": True}
        task = db.queue.submit(
            uid, ADDITION, arguments=arguments, bodies=batch.bodies, awaited=True
        )
        waiting.append(task.uid)
        counted += len(batch.bodies)
        finish(AHEAD)
    finish(0)
    return counted


def _import_rest(store: Store, found: _Unpacked) -> None:
    """Take over keys, webhooks and switches, where the dump has them."""
    try:
        features = _optional(found, "experimental-features.json", {})
        hooks = _optional(found, "webhooks.json", {"webhooks": {}})["webhooks"]
        keys = [_key(loads(line)) for line in _lines(found.whole.get("keys.jsonl"))]
        webhooks = [
            (str(uuid), str(one["url"]), dumps(dict(one["headers"])).decode())
            for uuid, one in hooks.items()
        ]
        switches = {str(name): bool(value) for name, value in features.items()}
    except BAD_PART as error:
        raise InputError(f"its keys, webhooks or features are damaged: {error!r:.120}") from None
    store.save_features(switches)
    with store.transaction() as cursor:
        for key in keys:
            cursor.execute(f"INSERT INTO hybridsearch.keys ({COLUMNS}) VALUES ({MARKS})", key)
        for webhook in webhooks:
            statement = "INSERT INTO hybridsearch.webhooks (uuid, url, headers) VALUES (?, ?, ?)"
            cursor.execute(statement, webhook)


COLUMNS = "uid, name, description, actions, indexes, expires_at, created_at, updated_at"
MARKS = "?, ?, ?, ?, ?, ?, ?, ?"


def _key(given: Mapping[str, Any]) -> tuple[object, ...]:
    """A key as its table holds it; Meilisearch writes the names of times in snake_case."""
    created = given.get("createdAt") or given["created_at"]
    times = (
        given.get("expiresAt") or given.get("expires_at"),
        created,
        given.get("updatedAt") or given.get("updated_at") or created,
    )
    lists = (_texts(given["actions"]), _texts(given["indexes"]))
    named = (str(given["uid"]), given.get("name"), given.get("description"))
    return (*named, *lists, *(time and _time(time) for time in times))


def _texts(value: Iterable[Any]) -> str:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{value!r:.60} is no array of texts")
    return dumps(value).decode()


def _optional(found: _Unpacked, part: str, default: Mapping[str, Any]) -> Any:
    return _read(found, found.whole, part) if part in found.whole else default


def _lines(file: Path | None) -> list[bytes]:
    return [] if file is None else [line for line in file.read_bytes().splitlines() if line.strip()]


def _time(text: str) -> datetime:
    """The time in UTC, without a zone, as the tables hold it."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)
