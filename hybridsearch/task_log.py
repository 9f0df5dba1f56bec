"""Which tasks were there, and which batches did they make up?

A `TaskFilter` says which; what it leaves open lets every task through.

    found, total = find(store, TaskFilter(statuses=("failed",)), limit=20)
    remove(cursor, [task.uid for task in found])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hybridsearch.store import WAITING, Connection, Store, Task

TIMES = ("enqueued_at", "started_at", "finished_at")


@dataclass(frozen=True)
class TaskFilter:
    """Which tasks; None and nothing given mean any.

    patterns: names of indexes, or their beginnings with * at the end; what belongs to no index
    fits only "*". before, after: (column, time) pairs, the column being one of TIMES; the time
    itself is left out. hidden: tasks that count as processing whatever is written of them.
    """

    uids: Sequence[int] | None = None
    batches: Sequence[int] | None = None
    statuses: Sequence[str] | None = None
    kinds: Sequence[str] | None = None
    indexes: Sequence[str] | None = None
    canceled_by: Sequence[int] | None = None
    patterns: Sequence[str] = ("*",)
    before: Sequence[tuple[str, datetime]] = ()
    after: Sequence[tuple[str, datetime]] = ()
    hidden: Sequence[int] = ()

    def condition(self) -> tuple[str, list[object]]:
        """The condition in SQL, with its values."""
        parts = list(self._members()) + list(self._moments())
        if "*" not in self.patterns:
            parts.append(
                (
                    "len(list_filter(?::VARCHAR[], lambda p: index_uid = p OR (ends_with(p, '*')"
                    " AND starts_with(index_uid, p[:-2])))) > 0",
                    list(self.patterns),
                )
            )
        return " AND ".join(text for text, _ in parts) or "true", [value for _, value in parts]

    def _members(self) -> Iterator[tuple[str, object]]:
        numbers = {"uid": self.uids, "batch": self.batches, "canceled_by": self.canceled_by}
        texts = {self._status: self.statuses, "kind": self.kinds, "index_uid": self.indexes}
        for kind, wanted in (("BIGINT", numbers), ("VARCHAR", texts)):
            for column, values in wanted.items():
                if values is not None:
                    yield f"{column} IN (SELECT unnest(?::{kind}[]))", list(values)

    @property
    def _status(self) -> str:
        numbers = ", ".join(f"{uid:d}" for uid in self.hidden)
        hidden = f"CASE WHEN uid IN ({numbers}) THEN 'processing' ELSE status END"
        return hidden if numbers else "status"

    def shown(self, task: Task) -> Task:
        """The task as it counts: one that is hidden has not ended yet."""
        if task.uid not in self.hidden or task.finished_at is None:
            return task
        return replace(task, status="processing", error=None, details={}, finished_at=None)

    def _moments(self) -> Iterator[tuple[str, object]]:
        for sign, moments in (("<", self.before), (">", self.after)):
            for column, time in moments:
                assert column in TIMES, column
                yield f"{column} {sign} ?", time
        ended = [column for column, _ in (*self.before, *self.after) if column == "finished_at"]
        if self.hidden and ended:
            yield "uid NOT IN (SELECT unnest(?::BIGINT[]))", list(self.hidden)


def find(
    store: Store,
    wanted: TaskFilter,
    *,
    limit: int | None = None,
    start: int | None = None,
    oldest_first: bool = False,
) -> tuple[list[Task], int]:
    """(a page of the tasks, the last accepted first, and how many there are in all).

    start: the number of the task that the page begins with, or would.
    """
    where, values = wanted.condition()
    [(total,)] = (
        store.cursor()
        .execute(f"SELECT count(*) FROM hybridsearch.tasks WHERE {where}", values)
        .fetchall()
    )
    if start is not None:
        where = f"{where} AND uid {'>=' if oldest_first else '<='} ?"
        values = [*values, start]
    order = "uid" if oldest_first else "uid DESC"
    found = store.tasks_where(where, values, order=order, limit=limit)
    return [wanted.shown(task) for task in found], int(total)


def find_batches(
    store: Store,
    wanted: TaskFilter,
    *,
    limit: int,
    start: int | None = None,
    oldest_first: bool = False,
) -> tuple[dict[int, list[Task]], int]:
    """(batch -> its tasks, for a page of the batches that hold a task that fits; how many batches).

    The last batch comes first. A batch has all of its tasks, also those that do not fit.
    """
    where, values = wanted.condition()
    rows = (
        store.cursor()
        .execute(
            f"SELECT DISTINCT batch FROM hybridsearch.tasks WHERE batch IS NOT NULL AND {where}"
            f" ORDER BY batch {'ASC' if oldest_first else 'DESC'}",
            values,
        )
        .fetchall()
    )
    numbers = [int(batch) for (batch,) in rows]
    page = [n for n in numbers if start is None or (n >= start if oldest_first else n <= start)]
    found: dict[int, list[Task]] = {number: [] for number in page[:limit]}
    for task in store.tasks_where(*TaskFilter(batches=list(found)).condition()):
        if task.batch is not None:
            found[task.batch].append(wanted.shown(task))
    return found, len(numbers)


def remove(cursor: Connection, uids: Sequence[int]) -> int:
    """Forget tasks that are finished, inside the caller's transaction; how many there were."""
    gone = cursor.execute(
        "DELETE FROM hybridsearch.tasks WHERE uid IN (SELECT unnest(?::BIGINT[]))"
        " AND status NOT IN (SELECT unnest(?::VARCHAR[]))",
        [list(uids), list(WAITING)],
    ).fetchall()
    return int(gone[0][0]) if gone else 0
