"""In what order are accepted writes worked off, and how does one wait for them?

A `Queue` has one worker thread. Tasks are durable before `submit` returns; those that an earlier
process left unfinished come first. Adjacent document tasks of one index are worked off together.

    queue = Queue(store, work)
    task = queue.submit("movies", "documentAdditionOrUpdate", arguments={}, bodies=bodies)
    queue.wait(task.uid)                    # the finished task; raises what made it fail
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from hybridsearch.errors import (
    DatabaseClosed,
    HybridSearchError,
    IndexBehind,
    NotFound,
    StorageError,
    revived,
)
from hybridsearch.store import WAITING, Store, Task
from hybridsearch.writes import ADDITION, DELETION, failed, is_alone

DOCUMENTS_AT_ONCE = 20_000
ERRORS_KEPT = 1_000

Work = Callable[[Sequence[Task]], Sequence[Task]]


class Queue:
    """The tasks of one database, in order. `work` is called with runs of them, on one thread."""

    def __init__(self, store: Store, work: Work) -> None:
        self._store = store
        self._work = work
        self._changed = threading.Condition()
        self._waiting: deque[Task] = deque(store.tasks(waiting=True))
        self._unfinished = {task.uid for task in self._waiting}
        self._errors: dict[int, BaseException] = {}
        self._refused: dict[int, BaseException] = {}
        self._closing = self._stopped = False
        self._thread = threading.Thread(target=self._run, name="hybridsearch", daemon=True)
        self._thread.start()

    def submit(
        self,
        index_uid: str | None,
        kind: str,
        *,
        arguments: Mapping[str, Any],
        bodies: Sequence[bytes] = (),
    ) -> Task:
        """Accept a write; it is durable on return. Raises StorageError when the disk refuses."""
        if self._closing:
            raise DatabaseClosed("the database is closed; open it again with hybridsearch.open()")
        return self._store.enqueue(
            index_uid, kind, arguments=arguments, bodies=bodies, accepted=self._accepted
        )

    def _accepted(self, task: Task) -> None:
        with self._changed:
            self._waiting.append(task)
            self._unfinished.add(task.uid)
            self._changed.notify_all()

    def wait(self, uid: int, *, timeout: float | None = None) -> Task:
        """The task once it is finished.

        Raises the error that made it fail, NotFound when there is no such task, TimeoutError when
        it takes longer than `timeout` seconds, and DatabaseClosed when the database closes first.
        """
        with self._changed:
            done = self._changed.wait_for(
                lambda: uid not in self._unfinished or self._stopped, timeout
            )
            error = self._errors.pop(uid, None)
        if not done:
            raise TimeoutError(f"task {uid} is not finished after {timeout} seconds")
        if error is not None:
            raise error
        return self._ended(uid)

    def _ended(self, uid: int) -> Task:
        if self._closing and uid in self._unfinished:
            raise DatabaseClosed(f"the database was closed before task {uid}; it is not lost")
        found = self._store.tasks(uids=[uid])
        if not found:
            raise NotFound(f"there is no task {uid}", code="task_not_found", uid=uid)
        task = found[0]
        if task.status == "failed" and task.error is not None:
            raise revived(task.error)
        return task

    def idle(self) -> bool:
        """Whether there is nothing left to do."""
        with self._changed:
            return not self._unfinished

    def close(self) -> None:
        """Stop after the batch in hand; what is left stays accepted and is done after opening."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._waiting)
                if self._closing:
                    self._stopped = True
                    self._changed.notify_all()
                    return
                run = self._next_run()
            self._process(run)

    def _next_run(self) -> list[Task]:
        """The next task with those after it that can share its batch."""
        run = [self._waiting.popleft()]
        documents = int(run[0].arguments.get("count", 0))
        while self._waiting and _join(run[0], self._waiting[0]):
            documents += int(self._waiting[0].arguments.get("count", 0))
            if documents > DOCUMENTS_AT_ONCE:
                break
            run.append(self._waiting.popleft())
        return run

    def _process(self, run: Sequence[Task]) -> None:
        errors: dict[int, BaseException] = {}
        try:
            self._settle()
            self._store.start([task.uid for task in run])
            self._work(run)
        except BaseException as error:  # whoever waits for these tasks gets it
            errors = self._blamed(run, error)
            self._refused.update(errors)
            with suppress(StorageError):
                self._settle()
        with self._changed:
            self._errors.update(errors)
            while len(self._errors) > ERRORS_KEPT:
                del self._errors[next(iter(self._errors))]
            self._unfinished.difference_update(task.uid for task in run)
            self._changed.notify_all()

    def _blamed(self, run: Sequence[Task], error: BaseException) -> dict[int, BaseException]:
        """task -> the error that whoever waits for it gets; tasks of the run that ended have none.

        IndexBehind is for the tasks that it names: what came after them was not begun.
        """
        if not isinstance(error, IndexBehind):
            return dict.fromkeys([task.uid for task in run], error)
        stored = {task.uid for task in error.fields.get("tasks", ())}
        undone = StorageError(f"not done, for the write before it could not be finished: {error}")
        with suppress(StorageError):
            found = self._store.tasks(uids=[task.uid for task in run])
            waiting = {task.uid for task in found if task.status in WAITING}
            return dict.fromkeys(stored, error) | dict.fromkeys(waiting, undone)
        return dict.fromkeys([task.uid for task in run], error)

    def _settle(self) -> None:
        """Write down which tasks were refused, before any later one is done: else they would be
        done after it, at the next opening."""
        if not self._refused:
            return
        found = self._store.tasks(uids=list(self._refused))
        open_ones = [task for task in found if task.status in WAITING]
        with self._store.transaction() as cursor:
            self._store.finish(cursor, [_refused(t, self._refused[t.uid]) for t in open_ones])
        self._refused.clear()


def _refused(task: Task, error: BaseException) -> Task:
    if isinstance(error, HybridSearchError):
        return failed(task, error)
    return failed(task, HybridSearchError(f"{type(error).__name__}: {error}"))


def _join(first: Task, second: Task) -> bool:
    return (
        first.index_uid == second.index_uid
        and all(task.kind in (ADDITION, DELETION) for task in (first, second))
        and not any(is_alone(task) for task in (first, second))
    )
