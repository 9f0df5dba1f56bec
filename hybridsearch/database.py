"""How does a program use a database: make indexes, write documents, search?

    with hybridsearch.open("shop.duckdb") as db:
        movies = db.create_index("movies", primary_key="id")
        movies.add([{"id": 1, "title": "Alien"}])
        movies.search("space horror").hits[0].document["title"]

`open` gives a `Database`, which gives an `Index` for each name. Writes are tasks: durable when
accepted, worked off in order by one thread, awaited unless `wait=False`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridsearch.aside import Aside
from hybridsearch.attached import ALTERING, Freshness, IndexReport, RefreshReport, SearchIndexes
from hybridsearch.attaching import Attaching, forget
from hybridsearch.chores import CREATION, Chores, show
from hybridsearch.course import Course, Step
from hybridsearch.database_file import claimed, released, resolved
from hybridsearch.definition import Item
from hybridsearch.document_table import DocumentTable
from hybridsearch.embedders import Embedder
from hybridsearch.embedders.function import EmbedFunction
from hybridsearch.embedders.making import STATIC, EmbedderMaker, Supplies, settled
from hybridsearch.engine import Engine
from hybridsearch.errors import (
    Conflict,
    DatabaseClosed,
    EmbedderError,
    HybridSearchError,
    InputError,
    NotFound,
)
from hybridsearch.files import remove_folder, side_folder, size_of
from hybridsearch.index import REBUILD, SETTINGS, Host, Index, check_key
from hybridsearch.inspection import folder_of
from hybridsearch.leaving import follow as follow_to_end
from hybridsearch.openings import Openings
from hybridsearch.piecework import OWN
from hybridsearch.prints import follow
from hybridsearch.request import Filter
from hybridsearch.settings import Settings
from hybridsearch.sql.connection import Connection, FrontEnd, Relation
from hybridsearch.sql.functions import Functions
from hybridsearch.sql.indexing import Indexing
from hybridsearch.store import Connection as Bare
from hybridsearch.store import IndexRecord, Store, Task, check_name
from hybridsearch.tasks import Queue
from hybridsearch.views import keeping_tables
from hybridsearch.writes import apply_tasks, check_built_in, fail

if TYPE_CHECKING:
    from hybridsearch.sql.sealed import Answer, Limits, Sealed, Values

REMOVAL = "indexDeletion"
FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What only a mistake of ours raises; a task that meets one must not come back at every opening."""


def open(
    path: str | Path | None = None,
    *,
    default_embedder: str | None = STATIC,
    functions: Mapping[str, EmbedFunction] | None = None,
    allowed_networks: Sequence[str] = (),
    second_process: bool = False,
) -> Database:
    """Open the database in a DuckDB file, made when absent; without a path, in memory.

    default_embedder: "static" gives every index without embedders of its own the bundled one,
    named "default"; None gives it none. functions: embedder's name -> callable, for embedders of
    the source "function". allowed_networks: where embedding services may be beside the public
    internet: "loopback" (this machine), "private", or networks such as "10.1.0.0/16".
    second_process: larger batches are prepared by a child process, so that searches of this one
    stay fast while much is written; a server does that. Raises DatabaseLocked when it is open
    elsewhere, FormatTooNew when a later version wrote it, InputError for a file of data (CSV,
    Parquet ...), StorageError when it cannot be opened.
    """
    if default_embedder not in (STATIC, None):
        raise InputError(f'default_embedder must be "static" or None, not {default_embedder!r}')
    where = resolved(path)
    folder = where and side_folder(where) / "embedded"
    supplies = Supplies(default_embedder, functions or {}, allowed_networks)
    embedders = EmbedderMaker(supplies, folder)
    return Database(claimed(where), embedders, Aside() if second_process else None)


def attach(connection: Bare | Connection, db: Database) -> None:
    """Make search() and its companions known on a DuckDB connection, whatever file it is on.

    They search the indexes of `db` as long as it is open. Nothing is written into the
    connection's file: the macros are temporary and this connection's own. Attaching again does
    no harm; another database takes the names over. Raises Conflict in a transaction that began
    before the functions were there.
    """
    bare = connection.bare if isinstance(connection, Connection) else connection
    if not isinstance(bare, Bare) or not isinstance(db, Database):
        raise InputError("attach takes a DuckDB connection and then an open hybridsearch.Database")
    db._functions_in_sql.attach(bare)


class Database:
    """One DuckDB file with its indexes, open; a context manager that closes it."""

    def __init__(
        self, path: Path | None, embedders: EmbedderMaker, aside: Aside | None = None
    ) -> None:
        self._path = path
        self._aside = aside
        self._embedders = embedders.of
        self._lock = threading.RLock()
        self._engines: dict[int, Engine] = {}
        self._course = Course()
        self._openings = Openings(self._engine)
        self._closed = False
        try:
            self._store = Store.open(path)
        except BaseException:
            released(path)
            raise
        try:
            self._attaching = Attaching(
                self._store, engine=self._engine, submit=self._submit, release=self._release
            )
            with self._lock:  # the worker begins at once
                self._queue = Queue(self._store, self._work, self._course, self._mend)
            self._search_indexes = SearchIndexes(
                self._store, self._queue, self._engine, self.drop_index
            )
            self._host = Host(self._queue, self._store.index, self._current, self._embedders)
        except BaseException:
            self._store.close()
            released(path)
            raise
        self._functions_in_sql = Functions(
            self._store.identity, self._engine, self._current, Indexing(self._search_indexes)
        )
        self._front_end = FrontEnd(self._functions_in_sql, self._search_indexes)
        self._sealed: Sealed | None = None
        follow_to_end(self)

    @property
    def path(self) -> Path | None:
        """The DuckDB file, or None in memory."""
        return self._path

    @property
    def store(self) -> Store:
        """What is kept beside the documents: keys and webhooks of a server are among it."""
        return self._store

    @property
    def queue(self) -> Queue:
        """The tasks: to submit one that the caller has checked, and to find those there were."""
        return self._queue

    def create_index(
        self,
        uid: str,
        *,
        primary_key: str | None = None,
        settings: Mapping[str, Any] | None = None,
        exist_ok: bool = False,
    ) -> Index:
        """Make an index; its name is letters, digits, _, - and dots (not first), 400 at most.

        primary_key: the attribute that identifies a document; found in the first one when not
        given. exist_ok: an index of that name is given back as it is. Raises NameRefused,
        SettingsError, or Conflict when the name is taken.
        """
        check_name(uid)
        check_key(primary_key)
        checked = Settings().updated(settings or {})
        checked = settled(checked, self._embedders(checked))
        there = self._store.find_index(uid)
        if exist_ok and there is not None and there.uid == uid:
            return self.index(uid)
        arguments = {"primary_key": primary_key, "settings": checked.to_storage()}
        self._queue.do(uid, CREATION, arguments=arguments)
        return self.index(uid)

    def index(self, uid: str) -> Index:
        """The index of that name. Raises NotFound, with the nearest name there is."""
        if self._closed or self._opened_engine(uid) is None:  # asking the store takes 1 ms
            self._store.index(uid)
        return Index(self._host, uid)

    def opening(self, uid: str, seconds: float) -> tuple[Step, ...] | None:
        """None when the index can be searched at once, or after so long; else how far that is.

        It is begun with if need be. Raises NotFound, and what opening the index raises.
        """
        opened = not self._closed and self._opened_engine(uid) is not None
        return None if opened else self._openings.wait(uid, seconds)

    def indexes(self) -> list[Index]:
        """Every index, in the order of their names."""
        return [Index(self._host, record.uid) for record in self._store.indexes()]

    def drop_index(self, uid: str) -> None:
        """Remove the index with its documents. Raises NotFound."""
        self._store.index(uid)
        self._queue.do(uid, REMOVAL, arguments={})

    # Indexes over the user's own tables

    def create_search_index(
        self,
        name: str,
        source: str,
        items: Sequence[Item | str],
        *,
        where: str | None = None,
        options: Mapping[str, Any] | None = None,
        replace: bool = False,
        if_not_exists: bool = False,
    ) -> IndexReport:
        """Make a search index over a table, a view, files or a query, which stay the user's.

        source: SQL text: a name, a path or glob in single quotes, or a query in brackets, as it is
        committed. items: what is searched. where: a condition on the rows. options: see
        `definition.OPTIONS`; "key" names the column that identifies rows where no constraint does.
        Raises NotFound for the source, InputError or SettingsError for what does not fit it, and
        Conflict when the name is taken; no index is left behind then.
        """
        return self._search_indexes.create(
            name,
            source,
            items,
            where=where,
            options=options,
            replace=replace,
            if_not_exists=if_not_exists,
        )

    def refresh_search_index(self, name: str, *, full: bool = False) -> RefreshReport:
        """Bring the index up to its source, by what differs; full: from every row, read anew.

        Raises NotFound, or Conflict when the source cannot be read any more.
        """
        return self._search_indexes.refresh(name, full=full)

    def alter_search_index(self, name: str, options: Mapping[str, Any]) -> IndexReport:
        """Change what searches go by: refresh, stopwords, weights. Raises SettingsError."""
        return self._search_indexes.alter(name, options)

    def drop_search_index(self, name: str, *, if_exists: bool = False) -> bool:
        """Remove the index, not its source; whether there was one. Raises NotFound."""
        return self._search_indexes.drop(name, if_exists=if_exists)

    def search_indexes(self) -> list[IndexReport]:
        """Every search index over a source of the user's, in the order of their names."""
        return self._search_indexes.reports()

    def describe_search_index(self, name: str) -> IndexReport:
        """One search index as it is. Raises NotFound."""
        return self._search_indexes.describe(name)

    def freshness(self, name: str, *, cursor: Bare | Connection | None = None) -> Freshness:
        """How many rows of its source a search index lacks or holds otherwise; changes nothing.

        cursor: a connection to this database, whose transaction may see more than is committed.
        """
        bare = cursor.bare if isinstance(cursor, Connection) else cursor
        return self._search_indexes.freshness(name, cursor=bare)

    def task(self, uid: int) -> Task:
        """The task of that number. Raises NotFound."""
        found = self._store.tasks(uids=[uid]) if isinstance(uid, int) else []
        if not found:
            raise NotFound(f"there is no task {uid}", code="task_not_found", uid=uid)
        return found[0]

    def tasks(self) -> list[Task]:
        """Every task, in order of acceptance."""
        return self._store.tasks()

    def check_settings(self, settings: Settings) -> None:
        """Raise SettingsError when an embedder of the settings cannot be had."""
        self._embedders(settings)

    def wait(self, uid: int, *, timeout: float | None = None) -> Task:
        """The task once it is finished; raises what made it fail. See `Queue.wait`."""
        return self._queue.wait(uid, timeout=timeout)

    def connect(self) -> Connection:
        """A connection to the file, where each index is a relation of its name.

        It has the methods of a DuckDB connection. search() and its companions are attached, and
        a WHERE or LIMIT beside a search() counts before the best hits are taken.
        """
        return self._front_end.connection(self._store.new_cursor())

    def sql(self, text: str, params: object = None) -> Relation:
        """The result of a statement as a DuckDB relation, on a connection of its own.

        It is evaluated whenever it is read. A frame or table in a variable of the caller's can
        stand in FROM by its name.
        """
        return self._front_end.relation(self._store.new_cursor, text, params, sys._getframe(1))

    def ask(
        self,
        statement: str,
        values: Values = None,
        *,
        visible: Collection[str] | None = None,
        forced: Mapping[str, Filter] | None = None,
        limits: Limits | None = None,
    ) -> Answer:
        """The answer of a statement that somebody sent who is not trusted.

        It can read the documents of the indexes in `visible` (all when not given), search() and
        its companions included, and nothing else; see `sql.sealed`. values: of its parameters, by
        place or by name. forced: index -> a filter; of its documents there are only those for the
        statement that pass it. Raises QueryError.
        """
        uids = [record.uid for record in self._store.indexes()]
        seen = frozenset(uid for uid in uids if visible is None or uid in visible)
        return self._outside().ask(statement, values, visible=seen, forced=forced, limits=limits)

    def close(self) -> None:
        """Finish the batch in hand and close; tasks that wait are done after the next opening."""
        if self._closed:
            return
        self._openings.close()
        # The batch in hand is refused for good if it finds the database closed already.
        self._queue.close()
        self._closed = True
        self._front_end.close()
        if self._sealed is not None:
            self._sealed.close()
        for engine in self._engines.values():
            engine.close()
        if self._aside is not None:
            self._aside.close()
        self._store.close()
        released(self._path)

    def leave(self) -> None:
        """Close without the batch in hand, which is done after the next opening, if that can be.

        It is done at the end of a program; what has lasted too long then is left as it is.
        """
        self._openings.close()
        if not self._closed and self._queue.close_soon():
            self.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _outside(self) -> Sealed:
        from hybridsearch.sql.sealed import Sealed  # noqa: PLC0415  # pyarrow.dataset takes .2 s

        with self._lock:
            if self._sealed is None:
                self._sealed = Sealed(self._store.identity, self._current)
            return self._sealed

    # For Index

    def _opened_engine(self, uid: str) -> Engine | None:
        engines = list(self._engines.values())
        return next((engine for engine in engines if engine.record.uid == uid), None)

    def _engine(self, uid: str) -> Engine:
        if self._closed:
            raise DatabaseClosed("the database is closed; open it again with hybridsearch.open()")
        opened = self._opened_engine(uid)
        if opened is not None:
            return opened
        with self._lock:
            record = self._store.index(uid)
            if record.number not in self._engines:
                engine = self._engines[record.number] = self._opened(record)
                if engine.behind:
                    self._queue.recall(uid, after=engine.task)
            return self._engines[record.number]

    def _current(self, uid: str) -> Engine:
        """The index, to be searched: one over a source is refreshed before, if it has to be."""
        engine = self._engine(uid)
        if engine.record.attached is not None:
            self._search_indexes.current(engine.record)
        return engine

    def _opened(self, record: IndexRecord) -> Engine:
        return Engine(
            self._store,
            record,
            self._path and folder_of(self._path, record),
            embedders=self._embedders_of(record, record.settings),
            course=self._course,
            hands=self._aside or OWN,
            opening=self._openings.course(record.uid),
        )

    def _embedders_of(self, record: IndexRecord, settings: Settings) -> dict[str, Embedder]:
        """Nobody embeds the texts of a search index without being told to."""
        if record.attached is not None and not settings.embedders:
            return {}
        return self._embedders(settings)

    # The worker

    def _submit(self, uid: str, kind: str, arguments: Mapping[str, Any]) -> Task:
        with self._lock:  # at the first task of all the queue is not quite there
            queue = self._queue
        return queue.submit(uid, kind, arguments=arguments)

    def _work(self, run: Sequence[Task]) -> Sequence[Task]:
        first = run[0]
        steps = {REMOVAL: self._remove, REBUILD: self._rebuild, SETTINGS: self._change_settings}
        steps.update({ALTERING: self._change_settings, **self._attaching.steps})
        chores = Chores(self._store, self._engines, self._course)
        steps.update(chores.steps)
        try:
            chores.make_missing(first)
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

    def _mend(self) -> bool:
        """Finish what the disk refused; whether nothing is unfinished any more."""
        return all([engine.mend() for engine in list(self._engines.values())])

    def _remove(self, task: Task) -> Sequence[Task]:
        record = self._store.index(task.index_uid or "")
        documents = DocumentTable(self._store, record.number)
        details = {"deleted_documents": len(documents.living())}
        with self._store.transaction() as cursor:
            forget(self._store, cursor, record)
            done = self._store.finish(cursor, [replace(task, status="succeeded", details=details)])
        self._release(record)
        return done

    def _release(self, record: IndexRecord) -> None:
        """Close and remove what there is of an index outside the database."""
        engine = self._engines.pop(record.number, None)
        if engine is not None:
            engine.close()
        if self._path is not None:
            remove_folder(folder_of(self._path, record))

    def _change_settings(self, task: Task) -> Sequence[Task]:
        engine = self._engine(task.index_uid or "")
        settings = engine.record.settings.updated(task.arguments["settings"])
        definition = task.arguments.get("definition", engine.record.attached)
        done: list[Task] = []

        def finish(cursor: Bare) -> None:
            if definition is not None:
                follow(cursor, engine.record, definition)
            done.extend(self._store.finish(cursor, [replace(task, status="succeeded")]))

        try:
            check_built_in(engine.record, settings)
            settings = settled(settings, self._embedders_of(engine.record, settings))
            embedders = self._embedders_of(engine.record, settings)
            engine.change_settings(settings, embedders, finish=finish)
        except HybridSearchError as error:
            return fail(self._store, task, error)
        engine.record = replace(engine.record, attached=definition)
        return done

    def _rebuild(self, task: Task) -> Sequence[Task]:
        engine = self._engine(task.index_uid or "")
        folder = self._path and folder_of(self._path, engine.record)
        before = folder and size_of(folder)
        engine.rebuild(reuse=task.arguments["reuse"])
        details = {"bytes_before": before, "bytes_after": size_of(folder)} if folder else {}
        with self._store.transaction() as cursor:
            with keeping_tables():
                show(self._store, cursor, engine.record)
            done = replace(task, status="succeeded", details=details)
            return self._store.finish(cursor, [done])


__all__ = ["Database", "attach", "open"]
