"""How does a search index come to be, and how does it go, on the worker's thread?

`Attaching` has a step for each kind of task about search indexes. Record, definition, tables and
the task's outcome are one transaction; the first part of filling the index is accepted before it.

    Attaching(store, engine=engine, submit=submit, release=release).steps[task.kind](task)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hybridsearch.change_log import ChangeLog
from hybridsearch.definition import Definition
from hybridsearch.document_table import DocumentTable
from hybridsearch.engine import Engine
from hybridsearch.prints import Prints, follow
from hybridsearch.refreshing import REFRESH, Refreshing
from hybridsearch.settings import Settings
from hybridsearch.store import Connection, IndexRecord, Store, Task

__all__ = ["ATTACHING", "Attaching", "forget"]

ATTACHING = "searchIndexCreation"

Submit = Callable[[str, str, Mapping[str, Any]], Task]


class Attaching:
    """The steps of search indexes in one database.

    engine: of the index of that name. submit: accepts a task of a kind. release: closes what is
    open of an index that is gone, and removes its files.
    """

    def __init__(
        self,
        store: Store,
        *,
        engine: Callable[[str], Engine],
        submit: Submit,
        release: Callable[[IndexRecord], None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._submit = submit
        self._release = release
        self._refreshing = Refreshing(store, lambda uid, given: submit(uid, REFRESH, given))
        self.steps: Mapping[str, Callable[[Task], Sequence[Task]]] = {
            ATTACHING: self._attach,
            REFRESH: self._refresh,
        }

    def _refresh(self, task: Task) -> Sequence[Task]:
        return self._refreshing.step(self._engine(task.index_uid or ""), task)

    def _attach(self, task: Task) -> Sequence[Task]:
        uid, arguments = task.index_uid or "", task.arguments
        old = self._store.find_index(uid)
        if old and not (arguments["replace"] and old.attached):
            self._store.check_free(uid)
        following = self._submit(uid, REFRESH, {"full": False}).uid
        with self._store.transaction() as cursor:
            if old:
                forget(self._store, cursor, old)
            self._add(cursor, uid, arguments)
            details = {"next": following}
            done = self._store.finish(cursor, [replace(task, status="succeeded", details=details)])
        if old:
            self._release(old)
        return done

    def _add(self, cursor: Connection, uid: str, arguments: Mapping[str, Any]) -> None:
        definition = arguments["definition"]
        record = self._store.add_index(cursor, uid, definition["key"])
        settings = Settings().updated(arguments["settings"])
        record = self._store.save_index(cursor, replace(record, settings=settings))
        follow(cursor, record, definition)
        DocumentTable(self._store, record.number).create(cursor)
        Prints(record.number).create(cursor)
        read = Definition.read(definition)
        if read.refresh == "auto":
            ChangeLog(record.number).create(cursor, read)


def forget(store: Store, cursor: Connection, record: IndexRecord) -> None:
    """Drop the tables and the record of any index, inside the caller's transaction."""
    shown = record.uid if record.attached is None else None
    DocumentTable(store, record.number).drop(cursor, shown)
    Prints(record.number).drop(cursor)
    ChangeLog(record.number).drop(cursor)
    store.remove_index(cursor, record)
