"""How does a file reach the disk whole, or not at all?

Every file of the side folder is written by `write_atomic`: to a temporary name, fsynced, put in
place by `os.replace`, and the folder fsynced, so that a reader finds the old bytes or the new
ones whatever moment the power fails at.

    write_atomic(folder / "MANIFEST.json", b"{}")
    digest(folder / "MANIFEST.json")            # 'f1c8...', 32 hexadecimal digits
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path

from hybridsearch.errors import StorageError

TEMPORARY = ".tmp"


def write_atomic(path: Path, data: bytes | memoryview) -> None:
    """Put the bytes at the path, durable on return; an earlier file there is replaced.

    Raises StorageError when the disk refuses; the earlier file is then still there.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise refused(path, error) from error


def side_folder(database: Path) -> Path:
    """Where everything is that can be built anew from the database file at the path."""
    return database.with_name(database.name + ".search")


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files under a folder; 0 where nothing is."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def sync_folder(path: Path) -> None:
    """Make the folder's list of names durable (a no-op where folders cannot be opened)."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Create the folder and its parents, durably. Raises StorageError when the disk refuses."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise refused(path, error) from error


def remove_folder(path: Path) -> None:
    """Remove the folder with all it holds; one that is not there, or will not go, is let be."""
    shutil.rmtree(path, ignore_errors=True)


def digest(path: Path) -> str:
    """The file's BLAKE2b-128 as 32 hexadecimal digits. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def refused(path: Path, error: OSError) -> StorageError:
    """The error to raise when the operating system refused to write the path."""
    reason = error.strerror or str(error)
    return StorageError(
        f"could not write {path}: {reason}; free some space or permit writing, then try again",
        path=str(path),
    )
