"""Where is the truth kept: which indexes there are, which writes were accepted?

One DuckDB file. Schema `hybridsearch` in it holds the indexes with their settings, the tasks and
their payloads; the module `document_table` keeps the documents of one index. A write is durable
when the function that makes it returns. Nothing here knows of text indexes or vectors.

    store = Store.open(Path("shop.duckdb"))
    store.enqueue("movies", "documentDeletion", arguments={"ids": ["7"]}, bodies=[])
"""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa

from hybridsearch.database_file import Connection, Cursor, connect, disk_errors, roll_back
from hybridsearch.errors import Conflict, DatabaseClosed, NameRefused, NotFound, near
from hybridsearch.kept_settings import still_fit
from hybridsearch.migrations import migrate
from hybridsearch.payloads import packed, unpacked
from hybridsearch.settings import Settings

__all__ = [
    "Connection",
    "IndexRecord",
    "Store",
    "Task",
    "check_name",
    "now",
    "quoted",
    "registered",
]

OPTIONS = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
)
"""What the connection that looks after the file is told first.

A replacement is looked for where a table is not there, as before the first migration, by calling
Python, and an interruption that comes then is lost.
"""
NAMES = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,400}")
WAITING = ("enqueued", "processing")
TASK = (
    "uid, index_uid, kind, status, arguments, details, error, enqueued_at, started_at, finished_at,"
    " batch, canceled_by, metadata"
)


@dataclass(frozen=True)
class Task:
    """One accepted write.

    uid: its number, in order of acceptance. kind: as in the REST contract
    (documentAdditionOrUpdate, documentDeletion, settingsUpdate, ...). status: enqueued,
    processing, succeeded, failed or canceled. arguments: what was asked. details: what was done.
    error: {message, code, type, ...fields} when it failed. Times are UTC. batch: the number of the
    batch it was worked off in. canceled_by: the task that canceled it. metadata: the caller's own.
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
    batch: int | None = None
    canceled_by: int | None = None
    metadata: str | None = None


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

        Raises InputError for a file of data, DatabaseLocked when another process has it,
        FormatTooNew when a later version of this library wrote it, StorageError when the path
        cannot be opened as a DuckDB file.
        """
        store = cls(connect(path), path)
        try:
            with disk_errors(path):
                for option in OPTIONS:
                    store._root.execute(option)
                migrate(store._root)
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
            found = cast(Connection, Cursor(self._root.cursor(), self._path))
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
        with disk_errors(self._path):
            try:
                cursor.execute("BEGIN TRANSACTION")
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                roll_back(cursor)
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
                Settings().updated(still_fit(orjson.loads(settings))),
                tuple(tuple(column) for column in orjson.loads(columns)),
                next_row,
                created,
                updated,
                None if definition is None else orjson.loads(definition),
            )
            for number, uid, key, settings, columns, next_row, created, updated, definition in rows
        ]

    def find_index(self, uid: object) -> IndexRecord | None:
        """The index of that name, in whatever case: in SQL two such would be one relation."""
        lower = str(uid).lower()
        return next((record for record in self.indexes() if record.uid.lower() == lower), None)

    def index(self, uid: str) -> IndexRecord:
        """The index of exactly that name. Raises NotFound, with the nearest name there is."""
        records = {record.uid: record for record in self.indexes()}
        if uid not in records:
            raise NotFound(
                f'there is no index "{uid}"{near(uid, records)}', code="index_not_found", uid=uid
            )
        return records[uid]

    def check_free(self, uid: str, *, of: IndexRecord | None = None) -> None:
        """Raise Conflict when another index than this one has the name, in whatever case."""
        found = self.find_index(uid)
        if found is not None and (of is None or found.number != of.number):
            raise Conflict(f'there is an index "{found.uid}" already', uid=found.uid)

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

    def date_index(self, uid: str, created: datetime, updated: datetime) -> None:
        """Write down when an index that came from elsewhere was made and changed; durable then."""
        with self.transaction() as cursor:
            cursor.execute(
                "UPDATE hybridsearch.indexes SET created_at = ?, updated_at = ? WHERE uid = ?",
                [created, updated, uid],
            )

    def remove_index(self, cursor: Connection, record: IndexRecord) -> None:
        """Forget the index's record, inside the caller's transaction."""
        cursor.execute("DELETE FROM hybridsearch.indexes WHERE number = ?", [record.number])

    def features(self) -> dict[str, bool]:
        """What a server's callers switched on or off, by name."""
        rows = self.cursor().execute("SELECT value FROM hybridsearch.meta WHERE name = 'features'")
        found: dict[str, bool] = {}
        for (value,) in rows.fetchall():
            found.update(orjson.loads(value))
        return found

    def save_features(self, features: Mapping[str, bool]) -> None:
        """Keep the switches; durable on return."""
        with self.transaction() as cursor:
            cursor.execute("DELETE FROM hybridsearch.meta WHERE name = 'features'")
            cursor.execute(
                "INSERT INTO hybridsearch.meta VALUES ('features', ?)", [_json(features)]
            )

    # Tasks

    def enqueue(
        self,
        index_uid: str | None,
        kind: str,
        *,
        arguments: Mapping[str, Any],
        bodies: Sequence[bytes],
        metadata: str | None = None,
        accepted: Callable[[Task], None] = lambda task: None,
    ) -> Task:
        """Accept a write: task and payload are durable when this returns.

        `accepted` is called with the task before another one can be accepted, so that a queue
        learns of tasks in their order. Raises StorageError when the disk refuses; nothing was
        accepted then. Ctrl-C may come after it was.
        """
        with self._enqueuing:
            task = Task(
                *(self._next_task, index_uid, kind, "enqueued", arguments),
                enqueued_at=now(),
                metadata=metadata,
            )
            self._next_task += 1  # or another task would get this number, if what follows is cut
            try:
                self._insert(task, bodies)
            except BaseException:
                if self.tasks(uids=[task.uid]):
                    accepted(task)
                raise
            accepted(task)
        return task

    def _insert(self, task: Task, bodies: Sequence[bytes]) -> None:
        with self.transaction() as cursor:
            cursor.execute(
                "INSERT INTO hybridsearch.tasks"
                " VALUES (?, ?, ?, ?, ?, '{}', NULL, ?, NULL, NULL, NULL, NULL, ?)",
                [
                    *(task.uid, task.index_uid, task.kind, task.status, _json(task.arguments)),
                    *(task.enqueued_at, task.metadata),
                ],
            )
            if bodies:
                cursor.execute(
                    "INSERT INTO hybridsearch.payloads VALUES (?, ?, ?, ?)",
                    [task.uid, *packed(bodies)],
                )

    def payload(self, uid: int) -> list[bytes]:
        """The documents of an unfinished task, as they were sent, in order."""
        rows = (
            self.cursor()
            .execute("SELECT lengths, size, data FROM hybridsearch.payloads WHERE task = ?", [uid])
            .fetchall()
        )
        return unpacked(*rows[0]) if rows else []

    @property
    def last_batch(self) -> int:
        """The number of the last batch that was begun; -1 before the first."""
        [(last,)] = self.cursor().execute("SELECT max(batch) FROM hybridsearch.tasks").fetchall()
        return -1 if last is None else int(last)

    def start(self, uids: Sequence[int], *, batch: int | None = None) -> None:
        """Mark tasks as being worked on, together, as the batch of that number."""
        with self.transaction() as cursor:
            cursor.execute(
                "UPDATE hybridsearch.tasks SET status = 'processing', started_at = ?, batch = ?"
                " WHERE uid IN (SELECT unnest(?::BIGINT[]))",
                [now(), batch, list(uids)],
            )

    def finish(self, cursor: Connection, tasks: Iterable[Task]) -> list[Task]:
        """Write the tasks' outcome and drop their payloads, inside the caller's transaction."""
        time = now()
        done = [replace(task, finished_at=time) for task in tasks]
        for task in done:
            cursor.execute(
                "UPDATE hybridsearch.tasks SET status = ?, details = ?, error = ?, finished_at = ?,"
                " canceled_by = ? WHERE uid = ?",
                [
                    *(task.status, _json(task.details), task.error and _json(task.error)),
                    *(time, task.canceled_by, task.uid),
                ],
            )
            cursor.execute("DELETE FROM hybridsearch.payloads WHERE task = ?", [task.uid])
        return done

    def tasks(self, *, uids: Sequence[int] | None = None, waiting: bool = False) -> list[Task]:
        """Tasks in order of acceptance: all, those with the given numbers, or the unfinished."""
        conditions: list[str] = []
        values: list[object] = []
        if uids is not None:
            conditions.append("uid IN (SELECT unnest(?::BIGINT[]))")
            values.append(list(uids))
        if waiting:
            conditions.append("status IN (SELECT unnest(?::VARCHAR[]))")
            values.append(list(WAITING))
        return self.tasks_where(" AND ".join(conditions) or "true", values)

    def tasks_where(
        self, where: str, values: Sequence[object], *, order: str = "uid", limit: int | None = None
    ) -> list[Task]:
        """The tasks that fit a condition, which `task_log` writes; the first `limit` of them."""
        cut = "" if limit is None else f" LIMIT {limit:d}"
        text = f"SELECT {TASK} FROM hybridsearch.tasks WHERE {where} ORDER BY {order}{cut}"
        return [_task(row) for row in self.cursor().execute(text, list(values)).fetchall()]


def check_name(uid: object) -> None:
    """Raise NameRefused unless an index may have the name."""
    if not isinstance(uid, str) or not NAMES.fullmatch(uid):
        raise NameRefused(
            f"{uid!r:.60} cannot be the name of an index; use letters, digits, _, - and,"
            " but not first, dots; 400 at most",
            uid=str(uid),
        )


def now() -> datetime:
    """The time in UTC, without a zone, as the tables hold it."""
    return datetime.now(UTC).replace(tzinfo=None)


def quoted(name: str) -> str:
    """The name as an SQL identifier, whatever characters it holds."""
    return '"' + name.replace('"', '""') + '"'


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _task(row: tuple[Any, ...]) -> Task:
    uid, index_uid, kind, status, arguments, details, error, *rest = row
    return Task(
        uid,
        index_uid,
        kind,
        status,
        orjson.loads(arguments),
        orjson.loads(details),
        None if error is None else orjson.loads(error),
        *rest,
    )


@contextmanager
def registered(cursor: Connection, table: pa.Table) -> Iterator[str]:
    """The name under which statements on this cursor can read the Arrow table, for a while."""
    cursor.register("hybridsearch_batch", table)
    try:
        yield "hybridsearch_batch"
    finally:
        cursor.unregister("hybridsearch_batch")


def _next_task(connection: Connection) -> int:
    rows = connection.execute("SELECT coalesce(max(uid) + 1, 0) FROM hybridsearch.tasks").fetchall()
    return int(rows[0][0])
