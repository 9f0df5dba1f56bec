"""What do accepted tasks do to one index?

`apply_tasks` reads the payloads of adjacent document tasks, puts them together into one change,
and lets the engine make it, with the tasks' outcome in the same transaction. A task with an unfit
document fails by itself and nothing of it is applied; the others go on.

    apply_tasks(engine, store, tasks)         # the tasks as they ended
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hybridsearch.arrays import Rows
from hybridsearch.course import READING
from hybridsearch.engine import Change, Engine
from hybridsearch.errors import (
    Conflict,
    FilterError,
    HybridSearchError,
    IndexBehind,
    SettingsError,
)
from hybridsearch.geo import GEO
from hybridsearch.intake import Incoming, infer_primary_key, merged, read_documents
from hybridsearch.jsontext import loads
from hybridsearch.settings import Settings
from hybridsearch.store import Connection, IndexRecord, Store, Task

ADDITION = "documentAdditionOrUpdate"
DELETION = "documentDeletion"
BUILT_IN = ("searchable_attributes", "language", "embedders")


def is_alone(task: Task) -> bool:
    """Whether the task must see what those before it did: it cannot share a batch."""
    return "filter" in task.arguments or bool(task.arguments.get("all"))


def apply_tasks(engine: Engine, store: Store, tasks: Sequence[Task]) -> list[Task]:
    """Apply document tasks of one index, in order; gives them back as they ended.

    A failing embedder fails the tasks that need it. Raises Conflict for an index that is filled
    from a source, and StorageError when the disk refuses:
    nothing was applied then, or, for IndexBehind, it is stored and will be found later.
    """
    check_own(engine.record)
    batch = Batch(engine)
    done = []
    for number, task in enumerate(tasks):
        engine.course.at(READING, number, len(tasks))
        done.append(_included(batch, store, task))
    ended: list[Task] = []

    def finish(cursor: Connection) -> None:
        ended.extend(store.finish(cursor, done))

    try:
        engine.apply(batch.change(), stamp=tasks[-1].uid, finish=finish)
    except IndexBehind as error:
        error.fields["tasks"] = ended
        raise
    except HybridSearchError as error:
        if len(tasks) > 1:
            return [end for task in tasks for end in apply_tasks(engine, store, [task])]
        return fail(store, tasks[0], batch.placed(error))
    return ended


def check_own(record: IndexRecord) -> None:
    """Raise Conflict for an index that is filled from a source of the user's."""
    if record.attached is not None:
        raise Conflict(
            f'index "{record.uid}" is filled from its source; write there, and it follows, or'
            " REFRESH SEARCH INDEX",
            code="search_index_is_filled",
            uid=record.uid,
        )


def check_built_in(record: IndexRecord, settings: Settings) -> None:
    """Raise Conflict when settings would change what the definition of a search index says."""
    if record.attached is None:
        return
    changed = [n for n in BUILT_IN if getattr(settings, n) != getattr(record.settings, n)]
    if changed:
        raise Conflict(
            f'{changed[0]} of search index "{record.uid}" is what its definition says; make the'
            " index anew with CREATE OR REPLACE SEARCH INDEX",
            code="search_index_is_filled",
            field=changed[0],
            uid=record.uid,
        )


def _names_places(settings: Settings) -> bool:
    """Whether places are to be filtered or sorted by, rather than all that there is."""
    return GEO in (*settings.filterable, *settings.sortable_attributes)


def fail(store: Store, task: Task, error: HybridSearchError) -> list[Task]:
    """Write down that the task failed. Raises StorageError when even that cannot be written."""
    with store.transaction() as cursor:
        return store.finish(cursor, [failed(task, error)])


def failed(task: Task, error: HybridSearchError) -> Task:
    """The task as failed, with the error in its JSON form."""
    return replace(task, status="failed", error=error.to_json())


def _included(batch: Batch, store: Store, task: Task) -> Task:
    try:
        details = batch.include(task, store)
    except HybridSearchError as error:
        return failed(task, error)
    return replace(task, status="succeeded", details=details)


class Batch:
    """The change that a run of tasks adds up to; a task that is refused leaves it as it was."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._puts: dict[str, Incoming] = {}
        self._gone: set[str] = set()
        self._gone_rows: Rows = np.empty(0, np.int64)
        self._primary_key = engine.record.primary_key
        self._positions: dict[str, int] = {}

    def placed(self, error: HybridSearchError) -> HybridSearchError:
        """The error, whose report says of each document at which position it was sent."""
        for one in error.fields.get("report", ()):
            one.setdefault("position", self._positions.get(one["id"]))
        return error

    def change(self) -> Change:
        """All of it, as the engine takes it."""
        gone = frozenset(self._gone - self._puts.keys())
        return Change(self._puts, gone, self._gone_rows, self._primary_key)

    def include(self, task: Task, store: Store) -> dict[str, Any]:
        """Take a task in; gives its details. Raises what makes the task fail."""
        if task.kind == ADDITION:
            return self._add(task, store.payload(task.uid))
        if is_alone(task):
            return self._remove_where(task)
        return self._remove(task.arguments["ids"])

    def _add(self, task: Task, bodies: Sequence[bytes]) -> dict[str, Any]:
        received = {"received_documents": len(bodies)}
        if not bodies:
            return {**received, "indexed_documents": 0, "replaced_in_batch": 0}
        key = self._key(task, bodies)
        strangers = bool(task.arguments.get("strange_vectors"))
        named = self._engine.record.settings.embedders if strangers else self._engine.embedders
        documents = read_documents(
            bodies,
            primary_key=key,
            dims={name: self._engine.embedders[name].dim for name in named},
            start=task.arguments.get("start", 0),
            strangers=strangers,
            places=_names_places(self._engine.record.settings),
        )
        if task.arguments.get("mode") == "merge":
            documents = self._merged(documents)
        if task.arguments.get("skip_creation"):
            known = self._known([document.id for document in documents])
            documents = [document for document in documents if document.id in known]
        start = task.arguments.get("start", 0)
        self._positions = {document.id: start + at for at, document in enumerate(documents)}
        by_id: dict[str, Incoming] = {}
        for document in documents:
            by_id.pop(document.id, None)
            by_id[document.id] = document
        self._primary_key = key
        for id_ in by_id:
            self._puts.pop(id_, None)
        self._puts.update(by_id)
        repeated = len(documents) - len(by_id)
        return {**received, "indexed_documents": len(by_id), "replaced_in_batch": repeated}

    def _key(self, task: Task, bodies: Sequence[bytes]) -> str:
        asked = task.arguments.get("primary_key")
        if self._primary_key is None:
            return str(asked or infer_primary_key(bodies))
        if asked not in (None, self._primary_key):
            raise SettingsError(
                f'the primary key of this index is "{self._primary_key}", not "{asked}"; make'
                " another index for documents with another key",
                code="index_primary_key_already_exists",
                field="primary_key",
            )
        return self._primary_key

    def _merged(self, documents: Sequence[Incoming]) -> list[Incoming]:
        """Each document over what is known of it so far, in the batch or in the index."""
        ids = [document.id for document in documents]
        known = self._stored([i for i in ids if i not in self._puts and i not in self._gone])
        known.update({id_: self._puts[id_] for id_ in ids if id_ in self._puts})
        found = []
        for document in documents:
            old = known.get(document.id)
            known[document.id] = merged(old, document) if old is not None else document
            found.append(known[document.id])
        return found

    def _known(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids that a document has, in the batch or in the index."""
        stored = self._engine.documents.find([id_ for id_ in ids if id_ not in self._gone])
        return stored.keys() | self._puts.keys()

    def _stored(self, ids: Sequence[str]) -> dict[str, Incoming]:
        rows = self._engine.documents.find(ids)
        return {
            document.id: Incoming(
                document.id, loads(document.body), document.body, document.vectors
            )
            for document in self._engine.documents.read(list(rows.values()))
        }

    def _remove(self, ids: Sequence[str]) -> dict[str, Any]:
        there = self._engine.documents.find(ids).keys() - self._gone | (
            self._puts.keys() & set(ids)
        )
        for id_ in ids:
            self._puts.pop(id_, None)
        self._gone.update(ids)
        return {"provided_ids": len(ids), "deleted_documents": len(there)}

    def _remove_where(self, task: Task) -> dict[str, Any]:
        wanted = task.arguments.get("filter")
        try:
            self._gone_rows = self._engine.rows_where(wanted)
        except FilterError as error:
            code = "invalid_document_filter"
            raise FilterError(error.message, code=code, **error.fields) from None
        return {"original_filter": wanted, "deleted_documents": len(self._gone_rows)}
