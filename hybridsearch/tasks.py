"""In what order are accepted writes worked off, and how does one wait for them?

A `Queue` has one worker thread. Tasks are durable before `submit` returns; those that an earlier
process left unfinished come first. Adjacent document tasks of one index are worked off together.

    queue = Queue(store, work)
    task = queue.submit("movies", "documentAdditionOrUpdate", arguments={}, bodies=bodies)
    queue.wait(task.uid)                    # the finished task; raises what made it fail

What is raised to somebody is not logged as well; what nobody waits for is.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from hybridsearch.course import Course, Stopped
from hybridsearch.errors import (
    Conflict,
    DatabaseClosed,
    HybridSearchError,
    IndexBehind,
    NotFound,
    StorageError,
    revived,
)
from hybridsearch.store import WAITING, Store, Task
from hybridsearch.task_log import TaskFilter, find, find_batches, remove
from hybridsearch.writes import ADDITION, DELETION, failed, is_alone

DOCUMENTS_AT_ONCE = 20_000
ERRORS_KEPT = 1_000
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before the first and between later attempts to finish what the disk refused."""
PATIENCE = 10.0
"""Seconds that the end of a program waits at most."""
CANCELATION, TASK_DELETION = "taskCancelation", "taskDeletion"
FIRST = (CANCELATION, TASK_DELETION)
"""Kinds that are worked off before everything that waits."""

log = logging.getLogger("hybridsearch")
Found = TypeVar("Found")
Work = Callable[[Sequence[Task]], Sequence[Task]]


class Queue:
    """The tasks of one database, in order of acceptance, those of the kinds FIRST before all.

    `work` is called with runs of them, on one thread. course: on which that says how far it is; a
    run of which a task is canceled before it has settled is stopped, and what is left of it begins
    anew. mend: called from time to time after IndexBehind, until it says that nothing is behind.
    """

    def __init__(
        self,
        store: Store,
        work: Work,
        course: Course | None = None,
        mend: Callable[[], bool] = lambda: True,
    ) -> None:
        self.course = course or Course()
        self._store = store
        self._work = work
        self._mend = mend
        self._pause: float | None = None
        self._unseen: tuple[int, ...] = ()
        self._lock = threading.RLock()  # whose `with` Ctrl-C cannot leave locked
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[Task] = deque(_in_turn(store.tasks(waiting=True)))
        self._batch = store.last_batch
        self._in_hand: tuple[int, ...] = ()
        self._unfinished = {task.uid for task in self._waiting}
        self._errors: dict[int, BaseException] = {}
        self._refused: dict[int, BaseException] = {}
        self._awaited: set[int] = set()
        self._untold: dict[int, str] = {}
        self._listeners: list[Callable[[Sequence[int]], None]] = []
        self._own: dict[str, Work] = {CANCELATION: self._cancel, TASK_DELETION: self._delete}
        self._closing = self._stopped = self._recalled = False
        self._thread = threading.Thread(target=self._run, name="hybridsearch", daemon=True)
        self._thread.start()

    def submit(
        self,
        index_uid: str | None,
        kind: str,
        *,
        arguments: Mapping[str, Any],
        bodies: Sequence[bytes] = (),
        metadata: str | None = None,
        awaited: bool = False,
    ) -> Task:
        """Accept a write, which the caller has checked; it is durable on return.

        index_uid: the index it is about; one that is not there is made first, with the settings
        that stand under "create" among the arguments. metadata: kept with the task. awaited: the
        caller goes on to `wait`, or says by `leave` that it does not. Raises StorageError when the
        disk refuses.
        """
        if self._closing:
            raise DatabaseClosed("the database is closed; open it again with hybridsearch.open()")
        return self._store.enqueue(
            index_uid,
            kind,
            arguments=arguments,
            bodies=bodies,
            metadata=metadata,
            accepted=partial(self._accepted, awaited=awaited),
        )

    def do(self, index_uid: str | None, kind: str, *, arguments: Mapping[str, Any]) -> Task:
        """Accept a write and wait until it is finished; raises what both do."""
        task = self.submit(index_uid, kind, arguments=arguments, awaited=True)
        return self.wait(task.uid)

    def _accepted(self, task: Task, awaited: bool) -> None:
        with self._lock:
            self._waiting.append(task)
            if task.kind in FIRST:
                self._waiting = deque(_in_turn(self._waiting))
                self.course.stop(task.arguments["uids"] if task.kind == CANCELATION else ())
            self._unfinished.add(task.uid)
            of_awaited = threading.current_thread() is self._thread and self._in_hand
            if awaited or (of_awaited and of_awaited[0] in self._awaited):
                self._awaited.add(task.uid)
            self._changed.notify_all()

    def wait(self, uid: int, *, timeout: float | None = None) -> Task:
        """The task once it is finished.

        Raises the error that made it fail, NotFound when there is no such task, TimeoutError when
        it takes longer than `timeout` seconds, and DatabaseClosed when the database closes first.
        """
        try:
            with self._lock:
                if uid in self._unfinished:
                    self._awaited.add(uid)
                done = self._changed.wait_for(
                    lambda: uid not in self._unfinished or self._stopped, timeout
                )
                error = self._errors.pop(uid, None)
                if done:
                    self._untold.pop(uid, None)
        finally:
            self.leave([uid])
        if not done:
            raise TimeoutError(f"task {uid} is not finished after {timeout} seconds")
        if error is not None:
            raise error
        return self._ended(uid)

    def leave(self, uids: Sequence[int]) -> None:
        """Wait no more for these tasks: how they failed is logged, unless it was raised."""
        with self._lock:
            self._awaited.difference_update(uids)
            untold = {uid: self._untold.pop(uid) for uid in uids if uid in self._untold}
        self._log(untold)

    def _log(self, failures: Mapping[int, str]) -> None:
        """Log how tasks failed, each text once, but for what somebody waits for."""
        with self._lock:
            awaited = self._awaited.intersection(failures)
            self._untold.update({uid: failures[uid] for uid in awaited})
        for text in dict.fromkeys(failures[uid] for uid in failures if uid not in awaited):
            log.warning(text)

    def _ended(self, uid: int) -> Task:
        if self._closing and uid in self._unfinished:
            raise DatabaseClosed(f"the database was closed before task {uid}; it is not lost")
        if uid in self._unseen:
            raise IndexBehind(f"what task {uid} wrote is stored, but cannot be found yet", uid=uid)
        found = self._store.tasks(uids=[uid])
        if not found:
            raise NotFound(f"there is no task {uid}", code="task_not_found", uid=uid)
        task = found[0]
        if task.status == "failed" and task.error is not None:
            raise revived(task.error)
        if task.status == "canceled":
            raise Conflict(f"task {uid} was canceled", code="task_canceled", uid=uid)
        return task

    def listen(self, listener: Callable[[Sequence[int]], None]) -> None:
        """Call it with the numbers of tasks that have finished; it must return at once."""
        self._listeners.append(listener)

    def find(self, wanted: TaskFilter, **page: Any) -> tuple[list[Task], int]:
        """(a page of the tasks that fit, how many fit); see `task_log.find`.

        A task is shown as processing until what it did can be searched.
        """
        return self._seen(lambda hidden: find(self._store, replace(wanted, hidden=hidden), **page))

    def find_batches(self, wanted: TaskFilter, **page: Any) -> tuple[dict[int, list[Task]], int]:
        """(a page of the batches with such tasks, how many there are); see the same there."""
        return self._seen(
            lambda hidden: find_batches(self._store, replace(wanted, hidden=hidden), **page)
        )

    def _seen(self, look: Callable[[Sequence[int]], Found]) -> Found:
        """What one sees of the tasks, those in hand being still in hand.

        The outcome of a task is written in the transaction of its documents, before the index is;
        whoever reads it there would search too early. So those that are behind count as in hand.
        """
        while True:
            hidden = self._in_hand + self._unseen
            found = look(hidden)
            if self._in_hand + self._unseen == hidden:
                return found

    def recall(self, index_uid: str, *, after: int) -> None:
        """Have an index mended that lacks what the tasks after one did; they count as in hand."""
        done, _ = find(self._store, TaskFilter(indexes=[index_uid], statuses=["succeeded"]))
        with self._lock:
            self._unseen += tuple(task.uid for task in done if task.uid > after)
            self._pause = self._pause or FIRST_PAUSE
            self._recalled = True
            self._changed.notify_all()

    def idle(self) -> bool:
        """Whether there is nothing left to do."""
        with self._lock:
            return not self._unfinished

    def close(self) -> None:
        """Stop after the batch in hand; what is left stays accepted and is done after opening."""
        with self._lock:
            self._close()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self.leave(list(self._untold))

    def close_soon(self) -> bool:
        """Stop without the batch in hand, if that still can be; whether it has within `PATIENCE`.

        What is left stays accepted.
        """
        with self._lock:
            self._close()
            self.course.stop(self._in_hand)
        self._thread.join(PATIENCE)
        return not self._thread.is_alive()

    def _close(self) -> None:
        self._closing = True
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._changed.wait_for(self._is_called, self._pause)
                if self._recalled:
                    self._recalled = False
                    continue
                if self._closing:
                    self._stopped = True
                    self._changed.notify_all()
                    return
                run = self._next_run() if self._waiting else []
                self._in_hand = tuple(task.uid for task in run)
                self.course.begin(self._in_hand)
            if run:
                self._process(run)
            if self._pause is not None:
                self._catch_up()

    def _is_called(self) -> bool:
        return bool(self._closing or self._waiting or self._recalled)

    def _catch_up(self) -> None:
        """Try again what the disk refused; a longer pause follows each time that it still does."""
        if self._mend():
            self._pause, seen, self._unseen = None, self._unseen, ()
            self._tell(seen)
        elif self._pause is not None:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

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
            self._batch += 1
            self._store.start([task.uid for task in run], batch=self._batch)
            ended = self._own.get(run[0].kind, self._work)(run)
            self._log({task.uid: _failure(task) for task in ended if task.status == "failed"})
        except Stopped:
            self._put_back(run)
            return
        except BaseException as error:  # whoever waits for these tasks gets it
            text = f"tasks {run[0].uid} to {run[-1].uid}: {error}"
            self._log(dict.fromkeys([task.uid for task in run], text))
            errors = self._blamed(run, error)
            self._refused.update(errors)
            with suppress(StorageError):
                self._settle()
        with self._lock:
            self._errors.update(errors)
            while len(self._errors) > ERRORS_KEPT:
                del self._errors[next(iter(self._errors))]
        behind = [uid for uid, error in errors.items() if isinstance(error, IndexBehind)]
        if behind:
            self._pause = self._pause or FIRST_PAUSE
            self._unseen += tuple(behind)
        self._in_hand = ()
        self._settled(run)

    def _put_back(self, run: Sequence[Task]) -> None:
        """The tasks of a run that was stopped wait again, behind what cancels some of them."""
        with self._lock:
            self._waiting = _merged(run, self._waiting)
            self._in_hand = ()

    def _settled(self, tasks: Sequence[Task]) -> None:
        """Say that the tasks need not be waited for any more."""
        uids = [task.uid for task in tasks]
        with self._lock:
            self._unfinished.difference_update(uids)
            self._changed.notify_all()
        self._tell([uid for uid in uids if uid not in self._unseen])

    def _tell(self, uids: Sequence[int]) -> None:
        for listener in self._listeners if uids else ():
            listener(uids)

    # Tasks about tasks

    def _cancel(self, run: Sequence[Task]) -> Sequence[Task]:
        """Cancel what still waits of the tasks asked for, as a run does that could be stopped."""
        [task] = run
        wanted = task.arguments["uids"]
        with self._withdrawn(wanted) as taken, self._store.transaction() as cursor:
            gone = [replace(one, status="canceled", canceled_by=task.uid) for one in taken]
            details = {"matched_tasks": len(wanted), "canceled_tasks": len(gone)}
            return self._store.finish(cursor, [*gone, _done(task, details)])

    def _delete(self, run: Sequence[Task]) -> Sequence[Task]:
        [task] = run
        wanted = task.arguments["uids"]
        with self._store.transaction() as cursor:
            details = {"matched_tasks": len(wanted), "deleted_tasks": remove(cursor, wanted)}
            return self._store.finish(cursor, [_done(task, details)])

    @contextmanager
    def _withdrawn(self, uids: Sequence[int]) -> Iterator[list[Task]]:
        """Take waiting tasks out of the queue; they go back into it if an error comes out.

        Those that do not wait any more are left out.
        """
        wanted = set(uids)
        with self._lock:
            taken = [task for task in self._waiting if task.uid in wanted]
            self._waiting = deque(task for task in self._waiting if task.uid not in wanted)
        try:
            yield taken
        except BaseException:
            with self._lock:
                self._waiting = _merged(taken, self._waiting)
            raise
        self._settled(taken)

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


def _done(task: Task, details: Mapping[str, Any]) -> Task:
    named = {"original_filter": task.arguments.get("filter", "")}
    return replace(task, status="succeeded", details={**details, **named})


def _failure(task: Task) -> str:
    return f"task {task.uid} ({task.kind}) failed: {(task.error or {}).get('message')}"


def _in_turn(tasks: Iterable[Task]) -> list[Task]:
    """The tasks in the order in which they are worked off."""
    return sorted(tasks, key=lambda task: task.kind not in FIRST)


def _merged(some: Iterable[Task], others: Iterable[Task]) -> deque[Task]:
    """Both in the order in which they are worked off."""
    return deque(_in_turn(sorted([*some, *others], key=lambda task: task.uid)))


def _refused(task: Task, error: BaseException) -> Task:
    if isinstance(error, HybridSearchError):
        return failed(task, error)
    return failed(task, HybridSearchError(f"{type(error).__name__}: {error}"))


def _join(first: Task, second: Task) -> bool:
    return (
        first.index_uid == second.index_uid
        and first.arguments.get("create") == second.arguments.get("create")
        and all(task.kind in (ADDITION, DELETION) for task in (first, second))
        and not any(is_alone(task) for task in (first, second))
    )
