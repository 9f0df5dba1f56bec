"""How does a program use a database: make indexes, write documents, search?

    with hybridsearch.open("shop.duckdb") as db:
        movies = db.create_index("movies", primary_key="id")
        movies.add([{"id": 1, "title": "Alien"}])
        movies.search("space horror").hits[0].document["title"]

`open` gives a `Database`, which gives an `Index` for each name. Writes are tasks: durable when
accepted, worked off in order by one thread, awaited unless `wait=False`.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from hybridsearch import sources
from hybridsearch.columns import Columns
from hybridsearch.document_table import DocumentTable, check_free
from hybridsearch.embedders import Embedder
from hybridsearch.embedders.function import EmbedFunction, FunctionEmbedder
from hybridsearch.embedders.provided import ProvidedEmbedder
from hybridsearch.embedders.static import StaticEmbedder
from hybridsearch.errors import (
    Conflict,
    DatabaseClosed,
    DatabaseLocked,
    EmbedderError,
    HybridSearchError,
    IndexDamaged,
    InputError,
    NameRefused,
    NotFound,
    QueryError,
    SettingsError,
    near,
)
from hybridsearch.files import remove_folder
from hybridsearch.filters import parse
from hybridsearch.generation import generations
from hybridsearch.index import Engine
from hybridsearch.intake import document_id
from hybridsearch.jsontext import loads
from hybridsearch.manifest import problems, read_manifest
from hybridsearch.request import SearchRequest, SearchResult
from hybridsearch.settings import EmbedderSettings, Settings
from hybridsearch.snapshot import Snapshot
from hybridsearch.sql.functions import Functions
from hybridsearch.store import Connection, IndexRecord, Store, Task
from hybridsearch.tasks import Queue
from hybridsearch.writes import ADDITION, DELETION, apply_tasks, fail

NAMES = re.compile(r"[A-Za-z0-9_-]{1,400}")
CREATION, REMOVAL = "indexCreation", "indexDeletion"
SETTINGS, REBUILD = "settingsUpdate", "indexRebuild"
AHEAD = 2
FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What only a mistake of ours raises; a task that meets one must not come back at every opening."""
STATIC = "static"

Progress = Callable[[int], None]

_open_paths: set[Path] = set()
_opening = threading.Lock()


def open(
    path: str | Path | None = None,
    *,
    default_embedder: str | None = STATIC,
    functions: Mapping[str, EmbedFunction] | None = None,
) -> Database:
    """Open the database in a DuckDB file, made when absent; without a path, in memory.

    default_embedder: "static" gives every index without embedders of its own the bundled one,
    named "default"; None gives it none. functions: embedder's name -> callable, for embedders of
    the source "function". Raises DatabaseLocked when it is open elsewhere, FormatTooNew when a
    later version wrote it, StorageError when it cannot be opened.
    """
    if default_embedder not in (STATIC, None):
        raise InputError(f'default_embedder must be "static" or None, not {default_embedder!r}')
    where = None if path is None or str(path) == ":memory:" else Path(path).absolute()
    return Database(_claimed(where), default_embedder, functions or {})


def check(path: str | Path) -> list[str]:
    """What is wrong with the files beside the database: every byte is read, nothing is changed.

    Each problem names its file; an empty list means that all is as it was written. Raises
    DatabaseLocked, FormatTooNew or StorageError when the DuckDB file itself cannot be opened.
    """
    where = Path(path).absolute()
    if not where.is_file():
        raise NotFound(f"there is no database at {where}", path=str(where))
    store = Store.open(where)
    try:
        return [
            f"{record.uid}: {problem}"
            for record in store.indexes()
            for problem in _problems(store, record, _folder(where, record))
        ]
    finally:
        store.close()


def attach(connection: Connection, db: Database) -> None:
    """Make search() and its companions known on a DuckDB connection, whatever file it is on.

    They search the indexes of `db` as long as it is open. Nothing is written into the
    connection's file: the macros are temporary and this connection's own. Attaching again does
    no harm; another database takes the names over. Raises Conflict in a transaction that began
    before the functions were there.
    """
    db._functions_in_sql.attach(connection)


class Database:
    """One DuckDB file with its indexes, open; a context manager that closes it."""

    def __init__(
        self,
        path: Path | None,
        default_embedder: str | None,
        functions: Mapping[str, EmbedFunction],
    ) -> None:
        self._path = path
        self._default = default_embedder
        self._functions = functions
        self._lock = threading.RLock()
        self._engines: dict[int, Engine] = {}
        self._closed = False
        try:
            self._store = Store.open(path)
        except BaseException:
            _release(path)
            raise
        self._queue = Queue(self._store, self._work)
        self._functions_in_sql = Functions(self._store.identity, self._engine)

    @property
    def path(self) -> Path | None:
        """The DuckDB file, or None in memory."""
        return self._path

    def create_index(
        self,
        uid: str,
        *,
        primary_key: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Index:
        """Make an index; its name is letters, digits, _ and -, 400 at most.

        primary_key: the attribute that identifies a document; found in the first one when not
        given. Raises NameRefused, SettingsError, or Conflict when the name is taken.
        """
        if not isinstance(uid, str) or not NAMES.fullmatch(uid):
            raise NameRefused(
                f"{uid!r:.60} cannot be the name of an index; use letters, digits, _ and -,"
                " 400 at most",
                uid=str(uid),
            )
        _check_key(primary_key)
        checked = Settings().updated(settings or {})
        self._embedders(checked)
        arguments = {"primary_key": primary_key, "settings": checked.to_json()}
        self._queue.wait(self._queue.submit(uid, CREATION, arguments=arguments).uid)
        return self.index(uid)

    def index(self, uid: str) -> Index:
        """The index of that name. Raises NotFound, with the nearest name there is."""
        self._record(uid)
        return Index(self, uid)

    def indexes(self) -> list[Index]:
        """Every index, in the order of their names."""
        return [Index(self, record.uid) for record in self._store.indexes()]

    def drop_index(self, uid: str) -> None:
        """Remove the index with its documents. Raises NotFound."""
        self._record(uid)
        self._queue.wait(self._queue.submit(uid, REMOVAL, arguments={}).uid)

    def task(self, uid: int) -> Task:
        """The task of that number. Raises NotFound."""
        found = self._store.tasks(uids=[uid])
        if not found:
            raise NotFound(f"there is no task {uid}", code="task_not_found", uid=uid)
        return found[0]

    def tasks(self) -> list[Task]:
        """Every task, in order of acceptance."""
        return self._store.tasks()

    def wait(self, uid: int, *, timeout: float | None = None) -> Task:
        """The task once it is finished; raises what made it fail. See `Queue.wait`."""
        return self._queue.wait(uid, timeout=timeout)

    def connect(self) -> Connection:
        """A DuckDB connection to the file, where each index is a relation of its name.

        search() and its companions are attached; see `attach`.
        """
        connection = self._store.new_cursor()
        self._functions_in_sql.attach(connection)
        return connection

    def close(self) -> None:
        """Finish the batch in hand and close; tasks that wait are done after the next opening."""
        if self._closed:
            return
        self._closed = True
        self._queue.close()
        for engine in self._engines.values():
            engine.close()
        self._store.close()
        _release(self._path)

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # For Index

    def _record(self, uid: str) -> IndexRecord:
        records = {record.uid: record for record in self._store.indexes()}
        if uid not in records:
            raise NotFound(
                f'there is no index "{uid}"{near(uid, records)}', code="index_not_found", uid=uid
            )
        return records[uid]

    def _engine(self, uid: str) -> Engine:
        if self._closed:
            raise DatabaseClosed("the database is closed; open it again with hybridsearch.open()")
        for engine in list(self._engines.values()):
            if engine.record.uid == uid:
                return engine
        with self._lock:
            record = self._record(uid)
            if record.number not in self._engines:
                self._engines[record.number] = self._opened(record)
            return self._engines[record.number]

    def _opened(self, record: IndexRecord) -> Engine:
        return Engine(
            self._store,
            record,
            self._path and _folder(self._path, record),
            embedders=self._embedders(record.settings),
        )

    def _embedders(self, settings: Settings) -> dict[str, Embedder]:
        if not settings.embedders:
            return {} if self._default is None else {"default": StaticEmbedder()}
        return {name: self._embedder(name, item) for name, item in settings.embedders.items()}

    def _embedder(self, name: str, settings: EmbedderSettings) -> Embedder:
        if settings.source == "static":
            return StaticEmbedder()
        if settings.source == "userProvided":
            return ProvidedEmbedder(settings.dimensions or 0, name=name)
        function = self._functions.get(name)
        if function is None:
            raise SettingsError(
                f'embedder "{name}" is a function that was not given; open the database with'
                f' functions={{"{name}": ...}}',
                field=f"embedders.{name}",
            )
        return FunctionEmbedder(function, name=name, dim=settings.dimensions)

    # The worker

    def _work(self, run: Sequence[Task]) -> Sequence[Task]:
        first = run[0]
        steps = {CREATION: self._create, REMOVAL: self._remove}
        steps.update({SETTINGS: self._change_settings, REBUILD: self._rebuild})
        try:
            if first.kind in steps:
                return steps[first.kind](first)
            return apply_tasks(self._engine(first.index_uid or ""), self._store, run)
        except (InputError, NotFound, Conflict, EmbedderError) as error:
            return [ended for task in run for ended in fail(self._store, task, error)]
        except FAULTS as error:
            if len(run) > 1:
                return [ended for task in run for ended in self._work([task])]
            fault = HybridSearchError(f"{type(error).__name__}: {error}")
            for task in self._store.tasks(uids=[first.uid], waiting=True):
                fail(self._store, task, fault)
            raise

    def _create(self, task: Task) -> Sequence[Task]:
        uid, arguments = task.index_uid or "", task.arguments
        for record in self._store.indexes():
            if record.uid.lower() == uid.lower():  # in SQL they would be one relation
                raise Conflict(f'there is an index "{record.uid}" already', uid=record.uid)
        with self._store.transaction() as cursor:
            check_free(cursor, uid)
            record = self._store.add_index(cursor, uid, arguments["primary_key"])
            settings = Settings().updated(arguments["settings"])
            record = self._store.save_index(cursor, replace(record, settings=settings))
            documents = DocumentTable(self._store, record.number)
            documents.create(cursor)
            documents.show(cursor, uid, Columns(), record.primary_key)
            return self._store.finish(cursor, [replace(task, status="succeeded")])

    def _remove(self, task: Task) -> Sequence[Task]:
        record = self._record(task.index_uid or "")
        with self._store.transaction() as cursor:
            DocumentTable(self._store, record.number).drop(cursor, record.uid)
            self._store.remove_index(cursor, record)
            done = self._store.finish(cursor, [replace(task, status="succeeded")])
        engine = self._engines.pop(record.number, None)
        if engine is not None:
            engine.close()
        if self._path is not None:
            remove_folder(_folder(self._path, record))
        return done

    def _change_settings(self, task: Task) -> Sequence[Task]:
        engine = self._engine(task.index_uid or "")
        settings = engine.record.settings.updated(task.arguments["settings"])
        done: list[Task] = []
        try:
            engine.change_settings(
                settings,
                self._embedders(settings),
                finish=lambda cursor: done.extend(
                    self._store.finish(cursor, [replace(task, status="succeeded")])
                ),
            )
        except HybridSearchError as error:
            return fail(self._store, task, error)
        return done

    def _rebuild(self, task: Task) -> Sequence[Task]:
        self._engine(task.index_uid or "").rebuild(reuse=task.arguments["reuse"])
        with self._store.transaction() as cursor:
            return self._store.finish(cursor, [replace(task, status="succeeded")])


class Index:
    """One index of a database, by name."""

    def __init__(self, database: Database, uid: str) -> None:
        self._database = database
        self.uid = uid

    def __repr__(self) -> str:
        return f"<Index {self.uid!r}>"

    @property
    def primary_key(self) -> str | None:
        """The attribute that identifies a document; None before the first document."""
        return self._database._record(self.uid).primary_key

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._database._record(self.uid).settings

    # Writing

    def add(
        self,
        documents: object,
        *,
        mode: str = "replace",
        primary_key: str | None = None,
        wait: bool = True,
        progress: Progress | None = None,
    ) -> Task:
        """Add documents: dicts, Arrow, polars, pandas, a DuckDB relation, or a path or glob of
        .parquet .csv .ndjson .jsonl .json files.

        mode "replace" puts a document in the place of one with the same id, "merge" lays its
        attributes over the old one's. They go in batches of 10,000, each a task of its own, in
        bounded memory; with an id twice in a batch the last one wins, which `details` counts.
        progress is called with the number of documents of each batch that is done.
        Returns the last task; its details sum up all. Raises DocumentError for an unfit document,
        of whose batch nothing is applied; batches before it stay.
        """
        if mode not in ("replace", "merge"):
            raise InputError(f'mode must be "replace" or "merge", not {mode!r}', field="mode")
        _check_key(primary_key)
        queue, uids, done = self._database._queue, [], _Sum(progress)
        for batch in sources.batches(documents):
            arguments = {"mode": mode, "primary_key": primary_key, "start": batch.start}
            arguments["count"] = len(batch.bodies)
            task = queue.submit(self.uid, ADDITION, arguments=arguments, bodies=batch.bodies)
            uids.append(task.uid)
            if wait and len(uids) > AHEAD:
                done.add(queue.wait(uids[-1 - AHEAD]))
        if not uids:
            arguments = {"mode": mode, "primary_key": primary_key, "start": 0, "count": 0}
            task = queue.submit(self.uid, ADDITION, arguments=arguments)
            uids.append(task.uid)
        if not wait:
            return replace(task, details={"task_uids": uids})
        for uid in uids[-AHEAD:]:
            done.add(queue.wait(uid))
        return done.task(uids)

    def delete(
        self,
        *,
        ids: Sequence[str | int] | None = None,
        filter: str | None = None,
        all: bool = False,
        wait: bool = True,
    ) -> Task:
        """Delete documents by id, by filter, or all of them; ids that are not there are let be.

        Returns the task; its details say how many were deleted.
        Raises InputError unless exactly one of the three is given, and FilterError.
        """
        if (ids is not None) + (filter is not None) + all != 1:
            raise InputError("delete needs exactly one of ids=, filter= and all=True")
        if isinstance(ids, str) or not isinstance(ids, Iterable | None):
            raise InputError(f"ids must be a list of ids, not {ids!r:.60}", field="ids")
        if filter is not None and parse(filter) is None:
            raise InputError("the filter is empty; delete everything with all=True", field="filter")
        arguments: dict[str, Any] = {"all": True} if all else {"filter": filter}
        if ids is not None:
            arguments = {"ids": [_id(id_) for id_ in ids]}
        self._database._record(self.uid)
        queue = self._database._queue
        task = queue.submit(self.uid, DELETION, arguments=arguments)
        return queue.wait(task.uid) if wait else task

    def update_settings(self, settings: Mapping[str, Any], *, wait: bool = True) -> Task:
        """Change settings, named as in the REST API or in snake_case; null resets one.

        What has to be indexed anew for them is, before they are in force. Raises SettingsError.
        """
        checked = self.settings.updated(settings)
        self._database._embedders(checked)
        queue = self._database._queue
        changes = json.loads(json.dumps(settings, default=_plain))
        task = queue.submit(self.uid, SETTINGS, arguments={"settings": changes})
        return queue.wait(task.uid) if wait else task

    def rebuild(self, *, reuse_vectors: bool = True) -> None:
        """Write every derived file anew from the documents.

        reuse_vectors: take over the vectors that the present embedders made.
        """
        queue = self._database._queue
        queue.wait(queue.submit(self.uid, REBUILD, arguments={"reuse": reuse_vectors}).uid)

    # Reading

    def search(self, query: str | None = None, **options: Any) -> SearchResult:
        """The documents that fit the query best; options are the fields of `SearchRequest`.

        Raises QueryError, FilterError, VectorError or EmbedderError, naming what was wrong.
        """
        return self.snapshot().search(_request(query, options))

    def search_many(self, queries: Sequence[str | None], **options: Any) -> list[SearchResult]:
        """The answer to each query, in order, in one batch: much cheaper than a loop."""
        return self.snapshot().search_many([_request(query, options) for query in queries])

    def snapshot(self) -> Snapshot:
        """The present state, to hold: its answers stay the same whatever is written meanwhile."""
        return self._database._engine(self.uid).snapshot

    def get(self, id: str | int) -> dict[str, Any]:
        """The document of that id, as it was sent. Raises NotFound."""
        documents = self._database._engine(self.uid).documents
        rows = documents.find([_id(id)])
        if not rows:
            raise NotFound(
                f'there is no document "{id}" in index "{self.uid}"',
                code="document_not_found",
                id=str(id),
            )
        found: dict[str, Any] = loads(documents.read(list(rows.values()))[0].body)
        return found

    def count(self) -> int:
        """How many documents there are to be found."""
        return self.snapshot().count

    def stats(self) -> dict[str, Any]:
        """Figures of the index: documents, attributes with their types, and vectors."""
        state = self.snapshot().state
        return {
            "documents": len(state.living),
            "primary_key": state.primary_key,
            "language": state.analyzer.language,
            "attributes": {name: column.type for name, column in state.columns.items()},
            "embedders": {
                name: {"dimensions": arm.embedder.dim, "documents": arm.vectors.count}
                for name, arm in state.arms.items()
            },
        }


class _Sum:
    """The details of several tasks added up."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._details: dict[str, int] = {}
        self._last: Task | None = None

    def add(self, task: Task) -> None:
        for name, value in task.details.items():
            self._details[name] = self._details.get(name, 0) + int(value)
        self._last = task
        if self._progress:
            self._progress(int(task.details.get("received_documents", 0)))

    def task(self, uids: Sequence[int]) -> Task:
        assert self._last is not None  # there is always one task
        return replace(self._last, details={**self._details, "task_uids": list(uids)})


def _request(query: str | None, options: Mapping[str, Any]) -> SearchRequest:
    known = SearchRequest.__dataclass_fields__
    for name in options:
        if name not in known:
            raise QueryError(f'unknown search option "{name}"{near(name, known)}', field=name)
    return SearchRequest(query=query, **options)


def _plain(value: Any) -> Any:
    """A set or a mapping that is no dict, as JSON knows it."""
    return dict(value) if isinstance(value, Mapping) else sorted(value)


def _check_key(name: object) -> None:
    if name is not None and not (isinstance(name, str) and name):
        raise InputError(
            f"primary_key must be the name of an attribute, not {name!r:.60}", field="primary_key"
        )


def _id(value: str | int) -> str:
    text = document_id(value)
    if text is None:
        raise InputError(
            f"{value!r:.60} cannot be an id; an id is a whole number or a text of 1 to 511 bytes",
            code="invalid_document_id",
        )
    return text


def _folder(path: Path, record: IndexRecord) -> Path:
    return path.with_name(path.name + ".search") / str(record.number)


def _problems(store: Store, record: IndexRecord, folder: Path) -> list[str]:
    numbers = generations(folder)
    if not numbers:
        return [f"{folder}: there are no files; the next opening builds them"]
    newest = folder / str(numbers[-1])
    try:
        manifest = read_manifest(newest)
    except IndexDamaged as error:
        return [error.message]
    if manifest.database != store.identity or manifest.index != record.number:
        return [f"{newest}: it belongs to another database"]
    if manifest.task < DocumentTable(store, record.number).last_stamp():
        return [f"{newest}: it lacks the last documents; the next opening puts them in"]
    return [f"{newest}: {problem}" for problem in problems(newest, manifest)]


def _claimed(path: Path | None) -> Path | None:
    if path is None:
        return None
    path = path.resolve()
    with _opening:
        if path in _open_paths:
            raise DatabaseLocked(
                f"{path} is open in this process already; use that Database, or close it",
                path=str(path),
            )
        _open_paths.add(path)
    return path


def _release(path: Path | None) -> None:
    with _opening:
        if path is not None:
            _open_paths.discard(path)


__all__ = ["Database", "Index", "attach", "check", "open"]
