"""How is the DuckDB file opened, and what do its failures say to the caller?

connection = connect(Path("shop.duckdb"))
with disk_errors(path):
    connection.execute("CHECKPOINT")        # StorageError where the disk refuses
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from hybridsearch.errors import DatabaseLocked, InputError, StorageError
from hybridsearch.files import refused, sync_folder

__all__ = [
    "Connection",
    "Cursor",
    "claimed",
    "connect",
    "disk_errors",
    "released",
    "resolved",
    "roll_back",
]

Connection = duckdb.DuckDBPyConnection
REFUSALS = (
    duckdb.IOException,
    duckdb.FatalException,  # after some failures DuckDB refuses everything until it is reopened
    duckdb.TransactionException,  # a COMMIT that could not be written
    duckdb.OutOfMemoryException,
)
DATA = (".parquet", ".csv", ".tsv", ".ndjson", ".jsonl", ".json", ".xlsx", ".arrow")
PACKED = (".gz", ".zst")
MAGIC = slice(8, 12), b"DUCK"
"""Where a database file says that it is one, and how."""
SCHEMA = "hybridsearch"
LOCKED = ("Could not set lock", "used by another process")

_open_paths: set[Path] = set()
_opening = threading.Lock()


def resolved(path: object) -> Path | None:
    """Where the database file of that path is, whatever links lead there; None for one in memory.

    Raises InputError for what is no path.
    """
    if path is None or str(path) == ":memory:":
        return None
    try:
        found = Path(path).resolve()  # type: ignore[arg-type]  # what it does not take is told
        found.exists()  # says whether there can be a file of that name
    except (OSError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{path!r:.80} cannot be the path of a database: {reason}; give one such as"
            " shop.duckdb",
            field="path",
        ) from None
    if not found.name:
        raise InputError(f"{found} is a folder; give a file such as shop.duckdb", field="path")
    return found


def claimed(path: Path | None) -> Path | None:
    """The path, `resolved`, now open in this process. Raises DatabaseLocked when it is already."""
    if path is None:
        return None
    with _opening:
        if path in _open_paths:
            raise DatabaseLocked(
                f"{path} is open in this process already; use that Database, or close it",
                path=str(path),
            )
        _open_paths.add(path)
    return path


def released(path: Path | None) -> None:
    """The path, which was claimed, is not open any more."""
    with _opening:
        if path is not None:
            _open_paths.discard(path)


@contextmanager
def disk_errors(path: Path | None) -> Iterator[None]:
    """What DuckDB cannot read or write inside is raised as StorageError, with the remedy."""
    try:
        yield
    except REFUSALS as error:
        raise StorageError(
            f"could not read or write {path or 'the database in memory'}: {_first_line(error)};"
            " free some space or permit writing, then open it again",
            path=str(path),
        ) from error


class Cursor:
    """A cursor whose statements raise StorageError when the disk refuses, or did so before."""

    def __init__(self, cursor: Connection, path: Path | None) -> None:
        self._cursor = cursor
        self._path = path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, *arguments: Any) -> Cursor:
        """Run a statement, as DuckDB's own method."""
        with disk_errors(self._path):
            self._cursor.execute(*arguments)
        return self

    def sql(self, *arguments: Any, **options: Any) -> duckdb.DuckDBPyRelation:
        """A statement as a relation, as DuckDB's own method."""
        with disk_errors(self._path):
            return self._cursor.sql(*arguments, **options)


def connect(path: Path | None) -> Connection:
    """A connection to the file, made when absent; None is a database in memory.

    Raises InputError for a file of data, which DuckDB would open as well, and for a name that
    cannot be, DatabaseLocked when another process has it, StorageError when it cannot be opened.
    """
    if path is None:
        return duckdb.connect()
    _check_name(path)
    _check_is_no_data(path)
    try:
        if not path.exists():
            _create(path)
        return duckdb.connect(str(path))
    except duckdb.IOException as error:
        if any(sign in str(error) for sign in LOCKED):
            raise DatabaseLocked(
                f"{path} is open in another process; close it there, or reach it through that"
                " process's server",
                path=str(path),
            ) from error
        raise StorageError(_cannot_be_opened(path, error), path=str(path)) from error
    except duckdb.ConnectionException as error:
        raise DatabaseLocked(
            f"{path} is open in this process with other settings, as read_only=True; close that"
            " connection, or ask through the Database: db.connect() gives connections",
            path=str(path),
        ) from error
    except duckdb.Error as error:
        raise StorageError(
            f"could not open {path}: {_first_line(error)}", path=str(path)
        ) from error


def _check_name(path: Path) -> None:
    """Raise InputError for a name that DuckDB takes for that of our schema.

    To DuckDB a database is named as its file is, up to the first dot that does not begin it.
    """
    if path.name.lstrip(".").partition(".")[0].lower() == SCHEMA:
        raise InputError(
            f'{path} cannot be used: DuckDB would call the database "{SCHEMA}", as the schema in it'
            " that holds what belongs to its indexes; give the file another name",
            field="path",
            path=str(path),
        )


def _cannot_be_opened(path: Path, error: Exception) -> str:
    folder = path.absolute().parent
    if not folder.is_dir():
        return f"could not open {path}: there is no folder {folder}; make it first"
    if not path.exists() and not os.access(folder, os.W_OK):
        return f"could not make {path}: nothing may be written in {folder}; permit it"
    if path.exists() and not os.access(path, os.W_OK):
        return (
            f"could not open {path}, which may not be written: searching needs that too, for what"
            " was left undone and to keep others out; permit it, or copy the database and the"
            f" folder {path.name}.search to where writing is allowed"
        )
    return f"could not open {path}: {_first_line(error)}"


def _check_is_no_data(path: Path) -> None:
    """Raise InputError for what is named like a file of data and is no database."""
    name = path.name.lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    if not name.endswith(DATA) or _is_database(path):
        return
    told = "holds data and is no database" if path.exists() else "is the name of a file of data"
    raise InputError(
        f"{path} {told}; give a database such as shop.duckdb, and put the data in by `hybridsearch"
        f" index shop.duckdb INDEX {path.name}`, or read it in SQL: SELECT * FROM '{path.name}'",
        field="path",
        path=str(path),
    )


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            where, sign = MAGIC
            return file.read(where.stop)[where] == sign
    except OSError:
        return False


def _create(path: Path) -> None:
    """Make an empty database in one step: a crash must not leave a file that is half of one."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        duckdb.connect(str(fresh)).close()
        os.link(fresh, path)  # which never replaces what another process put there
        sync_folder(path.parent)
    except FileExistsError:
        return
    except OSError as error:
        raise refused(path, error) from error
    finally:
        with suppress(OSError):  # where nothing may be written there is nothing to remove
            fresh.unlink(missing_ok=True)


def roll_back(cursor: Connection) -> None:
    """End the transaction, which a failed COMMIT may have done already."""
    try:
        cursor.execute("ROLLBACK")
    except (duckdb.Error, StorageError):
        return


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
