"""Where is the truth kept: which indexes there are, which writes were accepted?

One DuckDB file. Schema `hybridsearch` in it holds the indexes with their settings, the tasks and
their payloads; the module `document_table` keeps the documents of one index. A write is durable
when the function that makes it returns. Nothing here knows of text indexes or vectors.

    store = Store.open(Path("shop.duckdb"))
    store.enqueue("movies", "documentDeletion", arguments={"ids": ["7"]}, bodies=[])
"""

from __future__ import annotations

import os
import threading
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import duckdb
import numpy as np
import orjson
import pyarrow as pa

from hybridsearch import assets
from hybridsearch.errors import DatabaseClosed, DatabaseLocked, FormatTooNew, StorageError
from hybridsearch.files import refused, sync_folder
from hybridsearch.settings import Settings

Connection = duckdb.DuckDBPyConnection
MIGRATIONS = "sql/schema"
OPTIONS = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
)
REFUSALS = (
    duckdb.IOException,
    duckdb.FatalException,  # after some failures DuckDB refuses everything until it is reopened
    duckdb.TransactionException,  # a COMMIT that could not be written
    duckdb.OutOfMemoryException,
)
LOCKED = ("Could not set lock", "used by another process")
CODEC = "lz4"
WAITING = ("enqueued", "processing")


@dataclass(frozen=True)
class Task:
    """One accepted write.

    uid: its number, in order of acceptance. kind: as in the REST contract
    (documentAdditionOrUpdate, documentDeletion, settingsUpdate, ...). status: enqueued,
    processing, succeeded, failed or canceled. arguments: what was asked. details: what was done.
    error: {message, code, type, ...fields} when it failed. Times are UTC.
    """

    uid: int
    index_uid: str | None
    kind: str
    status: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class IndexRecord:
    """What the store knows of one index; `columns` and `definition` read its columns, attached."""

    number: int
    uid: str
    primary_key: str | None
    settings: Settings
    columns: tuple[tuple[str, ...], ...]
    next_row: int
    created_at: datetime
    updated_at: datetime
    attached: Mapping[str, Any] | None = None


class Store:
    """One DuckDB file, open. Any thread may call any method; each thread has its own cursor."""

    def __init__(self, connection: Connection, path: Path | None) -> None:
        self._root = connection
        self._path = path
        self._local = threading.local()
        self._cursors: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._enqueuing = threading.Lock()
        self._next_task = 0
        self._closed = False

    @classmethod
    def open(cls, path: Path | None) -> Store:
        """Open or create the file; None is a database in memory.

        Raises DatabaseLocked when another process has it, FormatTooNew when a later version of
        this library wrote it, StorageError when the path cannot be opened as a DuckDB file.
        """
        store = cls(_connect(path), path)
        try:
            with _disk_errors(path):
                for option in OPTIONS:
                    store._root.execute(option)
                _migrate(store._root)
                store._next_task = _next_task(store._root)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def path(self) -> Path | None:
        """The file, or None in memory."""
        return self._path

    @property
    def identity(self) -> str:
        """A number that no other database has, hexadecimal; it ties side folders to their file."""
        rows = (
            self.cursor()
            .execute("SELECT value FROM hybridsearch.meta WHERE name = 'identity'")
            .fetchall()
        )
        return str(rows[0][0])

    def cursor(self) -> Connection:
        """This thread's own cursor. Raises DatabaseClosed after close()."""
        if self._closed:
            raise DatabaseClosed("the database is closed; open it again with hybridsearch.open()")
        found: Connection | None = getattr(self._local, "cursor", None)
        if found is None:
            found = cast(Connection, _Cursor(self._root.cursor(), self._path))
            self._local.cursor = found
            self._cursors.add(found)
        return found

    def new_cursor(self) -> Connection:
        """A cursor for the caller to keep and close."""
        self.cursor()
        return self._root.cursor()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction on this thread's cursor: committed at the end, rolled back on an error.

        Raises StorageError when DuckDB cannot write.
        """
        cursor = self.cursor()
        with _disk_errors(self._path):
            cursor.execute("BEGIN TRANSACTION")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                _rollback(cursor)
                raise

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._closed = True
        for cursor in list(self._cursors):
            cursor.close()
        self._root.close()

    # Indexes

    def indexes(self) -> list[IndexRecord]:
        """Every index, in the order of their names."""
        rows = (
            self.cursor()
            .execute(
                "SELECT number, uid, primary_key, settings, columns, next_row, created_at,"
                " updated_at, definition FROM hybridsearch.indexes"
                " LEFT JOIN hybridsearch.attached USING (number) ORDER BY uid"
            )
            .fetchall()
        )
        return [
            IndexRecord(
                number,
                uid,
                key,
                Settings().updated(orjson.loads(settings)),
                tuple(tuple(column) for column in orjson.loads(columns)),
                next_row,
                created,
                updated,
                None if definition is None else orjson.loads(definition),
            )
            for number, uid, key, settings, columns, next_row, created, updated, definition in rows
        ]

    def add_index(self, cursor: Connection, uid: str, primary_key: str | None) -> IndexRecord:
        """Write down a new index, inside the caller's transaction; gives its record back."""
        top = cursor.execute(
            "SELECT value FROM hybridsearch.meta WHERE name = 'last_index'"
        ).fetchall()
        number = int(top[0][0]) + 1 if top else 1
        cursor.execute("DELETE FROM hybridsearch.meta WHERE name = 'last_index'")
        cursor.execute("INSERT INTO hybridsearch.meta VALUES ('last_index', ?)", [str(number)])
        time = now()
        record = IndexRecord(number, uid, primary_key, Settings(), (), 1, time, time)
        cursor.execute(
            "INSERT INTO hybridsearch.indexes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [number, uid, primary_key, _json(record.settings.to_storage()), "[]", 1, time, time],
        )
        return record

    def save_index(self, cursor: Connection, record: IndexRecord) -> IndexRecord:
        """Write the record over the one of the same number, inside the caller's transaction."""
        record = replace(record, updated_at=now())
        cursor.execute(
            "UPDATE hybridsearch.indexes SET uid = ?, primary_key = ?, settings = ?, columns = ?,"
            " next_row = ?, updated_at = ? WHERE number = ?",
            [
                record.uid,
                record.primary_key,
                _json(record.settings.to_storage()),
                _json([list(column) for column in record.columns]),
                record.next_row,
                record.updated_at,
                record.number,
            ],
        )
        return record

    def remove_index(self, cursor: Connection, record: IndexRecord) -> None:
        """Forget the index's record, inside the caller's transaction."""
        cursor.execute("DELETE FROM hybridsearch.indexes WHERE number = ?", [record.number])

    # Tasks

    def enqueue(
        self,
        index_uid: str | None,
        kind: str,
        *,
        arguments: Mapping[str, Any],
        bodies: Sequence[bytes],
        accepted: Callable[[Task], None] = lambda task: None,
    ) -> Task:
        """Accept a write: task and payload are durable when this returns.

        `accepted` is called with the task before another one can be accepted, so that a queue
        learns of tasks in their order. Raises StorageError when the disk refuses; nothing was
        accepted then.
        """
        with self._enqueuing:
            task = Task(self._next_task, index_uid, kind, "enqueued", arguments, enqueued_at=now())
            with self.transaction() as cursor:
                cursor.execute(
                    "INSERT INTO hybridsearch.tasks"
                    " VALUES (?, ?, ?, ?, ?, '{}', NULL, ?, NULL, NULL)",
                    [task.uid, index_uid, kind, task.status, _json(arguments), task.enqueued_at],
                )
                if bodies:
                    _insert_payload(cursor, task.uid, bodies)
            self._next_task += 1
            accepted(task)
        return task

    def payload(self, uid: int) -> list[bytes]:
        """The documents of an unfinished task, as they were sent, in order."""
        rows = (
            self.cursor()
            .execute("SELECT lengths, size, data FROM hybridsearch.payloads WHERE task = ?", [uid])
            .fetchall()
        )
        return _unpacked(*rows[0]) if rows else []

    def start(self, uids: Sequence[int]) -> None:
        """Mark tasks as being worked on."""
        with self.transaction() as cursor:
            cursor.execute(
                "UPDATE hybridsearch.tasks SET status = 'processing', started_at = ?"
                " WHERE uid IN (SELECT unnest(?::BIGINT[]))",
                [now(), list(uids)],
            )

    def finish(self, cursor: Connection, tasks: Iterable[Task]) -> list[Task]:
        """Write the tasks' outcome and drop their payloads, inside the caller's transaction."""
        time = now()
        done = [replace(task, finished_at=time) for task in tasks]
        for task in done:
            cursor.execute(
                "UPDATE hybridsearch.tasks SET status = ?, details = ?, error = ?, finished_at = ?"
                " WHERE uid = ?",
                [
                    task.status,
                    _json(task.details),
                    task.error and _json(task.error),
                    time,
                    task.uid,
                ],
            )
            cursor.execute("DELETE FROM hybridsearch.payloads WHERE task = ?", [task.uid])
        return done

    def tasks(self, *, uids: Sequence[int] | None = None, waiting: bool = False) -> list[Task]:
        """Tasks in order of acceptance: all, those with the given numbers, or the unfinished."""
        text = (
            "SELECT uid, index_uid, kind, status, arguments, details, error, enqueued_at,"
            " started_at, finished_at FROM hybridsearch.tasks"
        )
        conditions: list[str] = []
        values: list[object] = []
        if uids is not None:
            conditions.append("uid IN (SELECT unnest(?::BIGINT[]))")
            values.append(list(uids))
        if waiting:
            conditions.append("status IN (SELECT unnest(?::VARCHAR[]))")
            values.append(list(WAITING))
        where = " WHERE " + " AND ".join(conditions) if conditions else ""
        rows = self.cursor().execute(f"{text}{where} ORDER BY uid", values).fetchall()
        return [_task(row) for row in rows]


def now() -> datetime:
    """The time in UTC, without a zone, as the tables hold it."""
    return datetime.now(UTC).replace(tzinfo=None)


def quoted(name: str) -> str:
    """The name as an SQL identifier, whatever characters it holds."""
    return '"' + name.replace('"', '""') + '"'


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _task(row: tuple[Any, ...]) -> Task:
    uid, index_uid, kind, status, arguments, details, error, *times = row
    return Task(
        uid,
        index_uid,
        kind,
        status,
        orjson.loads(arguments),
        orjson.loads(details),
        None if error is None else orjson.loads(error),
        *times,
    )


def _insert_payload(cursor: Connection, uid: int, bodies: Sequence[bytes]) -> None:
    lengths = np.fromiter(map(len, bodies), np.int64, len(bodies))
    data = pa.compress(b"".join(bodies), codec=CODEC, asbytes=True)
    cursor.execute(
        "INSERT INTO hybridsearch.payloads VALUES (?, ?, ?, ?)",
        [uid, lengths.tobytes(), int(lengths.sum()), data],
    )


def _unpacked(lengths: bytes, size: int, data: bytes) -> list[bytes]:
    joined = pa.decompress(data, decompressed_size=size, codec=CODEC, asbytes=True)
    ends = np.cumsum(np.frombuffer(lengths, np.int64)).tolist()
    return [joined[start:stop] for start, stop in pairwise([0, *ends])]


@contextmanager
def registered(cursor: Connection, table: pa.Table) -> Iterator[str]:
    """The name under which statements on this cursor can read the Arrow table, for a while."""
    cursor.register("hybridsearch_batch", table)
    try:
        yield "hybridsearch_batch"
    finally:
        cursor.unregister("hybridsearch_batch")


def _connect(path: Path | None) -> Connection:
    if path is None:
        return duckdb.connect()
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
        raise StorageError(
            f"could not open {path}: {_first_line(error)}", path=str(path)
        ) from error
    except duckdb.Error as error:
        raise StorageError(
            f"could not open {path}: {_first_line(error)}", path=str(path)
        ) from error


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
        fresh.unlink(missing_ok=True)


def _migrate(connection: Connection) -> None:
    scripts = assets.names(MIGRATIONS)
    found = _format(connection)
    if found > len(scripts):
        raise FormatTooNew(
            f"this database has format {found}, written by a later version of hybridsearch; this"
            f" version reads up to {len(scripts)}; upgrade hybridsearch",
            found=found,
            known=len(scripts),
        )
    for number, name in enumerate(scripts[found:], found + 1):
        connection.execute("BEGIN TRANSACTION")
        connection.execute(assets.text(f"{MIGRATIONS}/{name}"))
        if number == 1:
            connection.execute(
                "INSERT INTO hybridsearch.meta VALUES ('identity', ?)",
                [uuid.uuid4().hex],
            )
        connection.execute("DELETE FROM hybridsearch.meta WHERE name = 'format'")
        connection.execute("INSERT INTO hybridsearch.meta VALUES ('format', ?)", [str(number)])
        connection.execute("COMMIT")


def _next_task(connection: Connection) -> int:
    rows = connection.execute("SELECT coalesce(max(uid) + 1, 0) FROM hybridsearch.tasks").fetchall()
    return int(rows[0][0])


def _format(connection: Connection) -> int:
    there = connection.execute(
        "SELECT count(*) FROM duckdb_tables()"
        " WHERE database_name = current_database() AND schema_name = 'hybridsearch'"
        " AND table_name = 'meta'"
    ).fetchall()
    if not there[0][0]:
        return 0
    rows = connection.execute(
        "SELECT value FROM hybridsearch.meta WHERE name = 'format'"
    ).fetchall()
    return int(rows[0][0]) if rows else 0


@contextmanager
def _disk_errors(path: Path | None) -> Iterator[None]:
    try:
        yield
    except REFUSALS as error:
        raise StorageError(
            f"could not read or write {path or 'the database in memory'}: {_first_line(error)};"
            " free some space or permit writing, then open it again",
            path=str(path),
        ) from error


class _Cursor:
    """A cursor whose statements raise StorageError when the disk refuses, or did so before."""

    def __init__(self, cursor: Connection, path: Path | None) -> None:
        self._cursor = cursor
        self._path = path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, *arguments: Any) -> _Cursor:
        with _disk_errors(self._path):
            self._cursor.execute(*arguments)
        return self

    def sql(self, *arguments: Any, **options: Any) -> duckdb.DuckDBPyRelation:
        with _disk_errors(self._path):
            return self._cursor.sql(*arguments, **options)


def _rollback(cursor: Connection) -> None:
    try:
        cursor.execute("ROLLBACK")
    except (duckdb.Error, StorageError):  # a failed COMMIT has rolled back already
        return


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
