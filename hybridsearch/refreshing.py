"""How does the copy that an attached index holds come to be what its source is?

The worker's half. A refresh is one task, or a chain of them: each reads a part of what differs,
and puts documents, prints and its own outcome into one transaction. Before it begins, it has the
next part accepted, so that a chain which a crash interrupts is finished at the next opening; a
part that comes without the list of differences makes it anew.

    Refreshing(store, submit).step(engine, task)        # the task as it ended
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hybridsearch.change_log import ChangeLog
from hybridsearch.definition import Attribute, Definition, definition_of
from hybridsearch.engine import Change, Engine
from hybridsearch.errors import IndexBehind, InputError
from hybridsearch.intake import Incoming
from hybridsearch.jsontext import finite, loads
from hybridsearch.origin import Columns, Origin
from hybridsearch.prints import Changes, Prints, follow
from hybridsearch.store import Connection, Store, Task

__all__ = ["REFRESH", "Refreshing"]

REFRESH = "searchIndexRefresh"
PART = 10_000
PART_BYTES = 64_000_000
STATES = ("added", "updated", "deleted")

Submit = Callable[[str, Mapping[str, Any]], Task]


@dataclass(frozen=True)
class _Chain:
    """A refresh under way: the source as it was seen, what differed, and how far it came."""

    first: int
    columns: Columns
    changes: Changes
    done: int


class Refreshing:
    """Refreshes the attached indexes of one database, on the worker's thread.

    submit: accepts the next part of a chain, given the index's name and the arguments.
    """

    def __init__(self, store: Store, submit: Submit) -> None:
        self._store = store
        self._submit = submit
        self._chains: dict[int, _Chain] = {}

    def step(self, engine: Engine, task: Task) -> Sequence[Task]:
        """Do the task's part; its details count what was done and name the next task, if any.

        Raises Conflict when the source cannot be read, InputError for an unfit key or vector,
        EmbedderError or StorageError; what was done before stays.
        """
        engine.course.settle()  # the task that follows is accepted before this one is done
        chain = self._chain(engine, task)
        definition = replace(definition_of(engine.record), columns=chain.columns)
        part = _Part(self._store, Origin(definition), chain.changes, chain.done + 1)
        following = None
        if part.last < chain.changes.count:
            arguments = {**task.arguments, "full": False, "first": chain.first}
            following = self._submit(engine.record.uid, arguments).uid
        done = self._apply(engine, definition, part, task, following)
        if following is None:
            self._chains.pop(engine.record.number, None)
        else:
            self._chains[engine.record.number] = replace(chain, done=part.last)
        return done

    def _chain(self, engine: Engine, task: Task) -> _Chain:
        known = self._chains.pop(engine.record.number, None)
        if known is not None and known.first == task.arguments.get("first"):
            return known
        cursor, prints = self._store.cursor(), Prints(engine.record.number)
        before = definition_of(engine.record)
        columns = Origin(before).check(cursor)
        definition = replace(before, columns=columns)
        origin = Origin(definition)
        anew = bool(task.arguments.get("full")) or columns != before.columns
        if anew:
            with self._store.transaction() as inside:
                prints.forget(inside)
                engine.record = follow(inside, engine.record, definition.to_json())
        among = self._written(engine, definition, anew=anew)
        origin.check_keys(cursor, among=among)
        table = engine.documents.table
        changes = prints.changes(cursor, origin, table, among=among)
        return _Chain(task.uid, columns, changes, 0)

    def _written(self, engine: Engine, definition: Definition, *, anew: bool) -> str | None:
        """A table of the ids that alone can differ; None where any can."""
        if definition.refresh != "auto":
            return None
        log, cursor = ChangeLog(engine.record.number), self._store.cursor()
        with self._store.transaction() as inside:
            log.create(inside, definition)
            if anew:
                log.mark(inside)
        name = log.seen(cursor)
        [(marks,)] = cursor.execute(f"SELECT count(*) FROM {name} WHERE id IS NULL").fetchall()
        return None if marks else name

    def _apply(
        self,
        engine: Engine,
        definition: Definition,
        part: _Part,
        task: Task,
        following: int | None,
    ) -> list[Task]:
        incoming = part.incoming()
        details = {**part.counts(), **({} if following is None else {"next": following})}
        done = replace(task, status="succeeded", details=details)
        ended: list[Task] = []

        def finish(cursor: Connection) -> None:
            part.settle(cursor, Prints(engine.record.number))
            if definition.refresh == "auto" and following is None:
                ChangeLog(engine.record.number).settle(cursor)
            ended.extend(self._store.finish(cursor, [done]))

        gone = part.gone()
        if not incoming and not gone:
            with self._store.transaction() as cursor:
                finish(cursor)
            return ended
        change = Change(incoming, gone, primary_key=definition.key)
        try:
            engine.apply(change, stamp=task.uid, finish=finish)
        except IndexBehind as error:
            error.fields["tasks"] = ended
            raise
        return ended


class _Part:
    """Some of the changes, n = first to last, with the rows of the source as they are now."""

    def __init__(self, store: Store, origin: Origin, changes: Changes, first: int) -> None:
        self._origin = origin
        self._changes = changes
        self._cursor = store.cursor()
        self._first = first
        self.last = min(first + PART - 1, changes.count)
        with origin.reading():
            self._table = self._cursor.sql(
                f"SELECT s.*, c.n FROM ({origin.documents}) s JOIN {changes.name} c ON s.id = c.id"
                f" WHERE c.n BETWEEN {first} AND {self.last} AND c.state <> 'deleted' ORDER BY c.n"
            ).to_arrow_table()
        self._bodies = [body.encode() for body in self._table["body"].to_pylist()]
        self._shorten()

    def _shorten(self) -> None:
        """Leave to the next part what would not fit into memory."""
        room = int(np.searchsorted(np.cumsum(list(map(len, self._bodies))), PART_BYTES))
        if room < len(self._bodies) - 1:
            self._bodies = self._bodies[: room + 1]
            self._table = self._table.slice(0, room + 1)
            self.last = int(self._table["n"][room].as_py())

    def incoming(self) -> dict[str, Incoming]:
        """id -> document. Raises InputError for a vector that is none."""
        ids = self._table["id"].to_pylist()
        vectors: list[dict[str, list[list[float]]]] = [{} for _ in ids]
        for number, item in enumerate(self._origin.definition.of_kind("VECTOR")):
            column = self._table[f"v{number}"].to_pylist()
            _check_vectors(item, ids, column)
            for found, vector in zip(vectors, column, strict=True):
                found[item.name] = [] if vector is None else [vector]
        bodies = map(finite, self._bodies)
        return {
            id_: Incoming(id_, loads(body), body, {k: v for k, v in own.items() if v})
            for id_, body, own in zip(ids, bodies, vectors, strict=True)
        }

    def gone(self) -> frozenset[str]:
        """The ids of rows that the source has no more."""
        rows = self._cursor.execute(
            f"SELECT id FROM {self._changes.name} WHERE n BETWEEN ? AND ? AND state = 'deleted'",
            [self._first, self.last],
        ).fetchall()
        return frozenset(id_ for (id_,) in rows)

    def counts(self) -> dict[str, int]:
        """How many rows were added, updated and deleted."""
        rows = self._cursor.execute(
            f"SELECT state, count(*) FROM {self._changes.name}"
            " WHERE n BETWEEN ? AND ? GROUP BY state",
            [self._first, self.last],
        ).fetchall()
        return {**dict.fromkeys(STATES, 0), **dict(rows)}

    def settle(self, cursor: Connection, prints: Prints) -> None:
        """Write the prints down, inside the caller's transaction."""
        fresh = self._table.select(["id", "print"])
        prints.settle(cursor, self._changes, first=self._first, last=self.last, fresh=fresh)


def _check_vectors(item: Attribute, ids: Sequence[str], vectors: Sequence[Any]) -> None:
    for id_, vector in zip(ids, vectors, strict=True):
        if vector is None:
            continue
        numbers = np.array(vector, np.float32)  # a null becomes NaN
        if len(numbers) != item.dim or not np.isfinite(numbers).all():
            what = (
                f"{len(numbers)} numbers" if len(numbers) != item.dim else "NULL, NaN or infinity"
            )
            raise InputError(
                f'vector "{item.name}" of key {id_!r:.60} holds {what}; it must be NULL or'
                f" {item.dim} finite numbers",
                code="invalid_vector_dimensions",
                field=item.name,
                id=id_,
            )
