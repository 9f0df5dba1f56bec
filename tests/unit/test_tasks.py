"""Are accepted writes worked off in order, and does whoever waits learn how they ended?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hybridsearch.course import Course, Step
from hybridsearch.errors import (
    Conflict,
    DatabaseClosed,
    DocumentError,
    IndexBehind,
    NotFound,
    StorageError,
)
from hybridsearch.store import Store, Task
from hybridsearch.task_log import TaskFilter
from hybridsearch.tasks import CANCELATION, Queue
from hybridsearch.writes import ADDITION, DELETION, fail


class Worker:
    """Ends every task as succeeded, and remembers which it was given together.

    A task of the index "bad" is refused, one of the index "odd" meets a mistake of ours, and in
    the index "full" the disk is full after the first task of a run.
    """

    def __init__(self, store: Store) -> None:
        self.runs: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self._store = store

    def __call__(self, run: Sequence[Task]) -> Sequence[Task]:
        self.gate.wait()
        self.runs.append([task.uid for task in run])
        if run[0].index_uid == "bad":
            return fail(self._store, run[0], DocumentError("unfit", position=3))
        if run[0].index_uid == "odd":
            raise ZeroDivisionError("a mistake")
        behind = run[0].index_uid == "full"
        done = run[:1] if behind else run
        with self._store.transaction() as cursor:
            ended = self._store.finish(cursor, [replace(t, status="succeeded") for t in done])
        if behind:
            raise IndexBehind("the documents are stored", tasks=ended)
        return ended


@pytest.fixture
def store() -> Iterator[Store]:
    found = Store.open(None)
    yield found
    found.close()


@pytest.fixture
def worker(store: Store) -> Worker:
    return Worker(store)


@pytest.fixture
def queue(store: Store, worker: Worker) -> Iterator[Queue]:
    found = Queue(store, worker)
    yield found
    worker.gate.set()
    found.close()


def test_a_task_that_is_waited_for_comes_back_finished(queue: Queue) -> None:
    task = queue.submit("a", ADDITION, arguments={})
    assert queue.wait(task.uid, timeout=9).status == "succeeded"
    assert queue.idle()


def test_adjacent_document_tasks_of_one_index_share_a_run(queue: Queue, worker: Worker) -> None:
    worker.gate.clear()
    queue.submit("first", "settingsUpdate", arguments={})
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("a", ADDITION, {"count": 5}),
        ("a", DELETION, {"ids": ["1"]}),
        ("a", DELETION, {"filter": "n > 1"}),
        ("a", ADDITION, {}),
        ("b", ADDITION, {}),
        ("b", "settingsUpdate", {}),
        ("b", ADDITION, {}),
    ]
    for index, kind, arguments in asked:
        last = queue.submit(index, kind, arguments=arguments)
    worker.gate.set()
    queue.wait(last.uid, timeout=9)
    assert worker.runs == [[0], [1, 2], [3], [4], [5], [6], [7]]


def test_a_run_holds_no_more_documents_than_fit(queue: Queue, worker: Worker) -> None:
    worker.gate.clear()
    queue.submit("first", "settingsUpdate", arguments={})
    last = [queue.submit("a", ADDITION, arguments={"count": 9_000}) for _ in range(3)][-1]
    worker.gate.set()
    queue.wait(last.uid, timeout=9)
    assert worker.runs == [[0], [1, 2], [3]]


def test_whoever_waits_for_a_task_that_failed_gets_its_error_every_time(queue: Queue) -> None:
    task = queue.submit("bad", ADDITION, arguments={})
    for _ in range(2):
        with pytest.raises(DocumentError, match="unfit") as caught:
            queue.wait(task.uid, timeout=9)
        assert caught.value.fields == {"position": 3}


@pytest.mark.parametrize("index", ["bad", "odd", "full"])
def test_what_is_raised_to_whoever_waits_is_not_logged(
    queue: Queue, index: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises((DocumentError, ZeroDivisionError, IndexBehind)):
        queue.do(index, ADDITION, arguments={})
    task = queue.submit(index, ADDITION, arguments={}, awaited=True)
    while not queue.idle():
        time.sleep(0.001)
    with pytest.raises((DocumentError, ZeroDivisionError, IndexBehind)):
        queue.wait(task.uid)
    queue.close()
    assert caplog.text == ""


@pytest.mark.parametrize("way", ["nobody", "timeout", "left before", "left after", "closed"])
def test_a_failure_that_nobody_waits_for_is_logged_once(
    queue: Queue, worker: Worker, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker.gate.clear()
    task = queue.submit("bad", ADDITION, arguments={}, awaited=way != "nobody")
    if way == "timeout":
        with pytest.raises(TimeoutError):
            queue.wait(task.uid, timeout=0.01)
    if way == "left before":
        queue.leave([task.uid])
    worker.gate.set()
    while not queue.idle():
        time.sleep(0.001)
    if way == "left after":
        queue.leave([task.uid])
    queue.close()
    assert [record.message for record in caplog.records] == [
        f"task {task.uid} ({ADDITION}) failed: unfit"
    ]


def test_a_run_that_met_one_error_is_logged_in_one_line(
    queue: Queue, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.gate.clear()
    queue.submit("first", ADDITION, arguments={})
    for _ in range(3):
        queue.submit("odd", ADDITION, arguments={})
    worker.gate.set()
    while not queue.idle():
        time.sleep(0.001)
    assert [record.message for record in caplog.records] == ["tasks 1 to 3: a mistake"]


def test_what_a_task_submits_is_waited_for_as_it_is(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def work(run: Sequence[Task]) -> Sequence[Task]:
        if run[0].index_uid == "bad":
            return fail(store, run[0], DocumentError("unfit"))
        following = own.submit("bad", ADDITION, arguments={})
        with store.transaction() as cursor:
            details = {"next": following.uid}
            return store.finish(cursor, [replace(run[0], status="succeeded", details=details)])

    own = Queue(store, work)
    following = own.do("a", "settingsUpdate", arguments={}).details["next"]
    with pytest.raises(DocumentError):
        own.wait(following)
    assert caplog.text == ""
    own.submit("a", "settingsUpdate", arguments={})
    while not own.idle():
        time.sleep(0.001)
    own.close()
    assert caplog.text.count("failed: unfit") == 1


def test_a_task_behind_one_that_could_not_be_finished_is_not_called_stored(
    queue: Queue, worker: Worker, store: Store
) -> None:
    worker.gate.clear()
    first = queue.submit("other", ADDITION, arguments={})  # holds the worker until both are there
    tasks = [queue.submit("full", ADDITION, arguments={}) for _ in range(2)]
    worker.gate.set()
    queue.wait(first.uid)
    with pytest.raises(IndexBehind):
        queue.wait(tasks[0].uid)
    with pytest.raises(StorageError, match="not done"):
        queue.wait(tasks[1].uid)
    ended = store.tasks(uids=[task.uid for task in tasks])
    assert [task.status for task in ended] == ["succeeded", "failed"]
    assert str((ended[1].error or {})["message"]).startswith("not done")


def test_after_a_mistake_of_ours_the_queue_goes_on_and_the_task_has_failed(
    queue: Queue, store: Store
) -> None:
    odd = queue.submit("odd", ADDITION, arguments={})
    good = queue.submit("a", ADDITION, arguments={})
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        queue.wait(odd.uid, timeout=9)
    assert queue.wait(good.uid, timeout=9).status == "succeeded"
    assert store.tasks(uids=[odd.uid])[0].status == "failed"


def test_what_takes_too_long_is_not_waited_for(queue: Queue, worker: Worker) -> None:
    worker.gate.clear()
    task = queue.submit("a", ADDITION, arguments={})
    with pytest.raises(TimeoutError, match=r"task 0 is not finished after 0\.01 seconds"):
        queue.wait(task.uid, timeout=0.01)
    assert not queue.idle()


def test_a_task_that_was_never_accepted_is_not_found(queue: Queue) -> None:
    with pytest.raises(NotFound, match="no task 99") as caught:
        queue.wait(99)
    assert (caught.value.code, caught.value.fields) == ("task_not_found", {"uid": 99})


def test_after_closing_nothing_is_accepted(queue: Queue) -> None:
    queue.close()
    with pytest.raises(DatabaseClosed):
        queue.submit("a", ADDITION, arguments={})


def test_what_is_left_at_closing_is_done_after_opening_again_first_of_all(path: Path) -> None:
    store = Store.open(path)
    for _ in range(2):
        store.enqueue("a", ADDITION, arguments={}, bodies=[b"{}"])
    store.start([0])
    store.close()
    again = Store.open(path)
    worker = Worker(again)
    queue = Queue(again, worker)
    last = queue.submit("b", ADDITION, arguments={})
    queue.wait(last.uid, timeout=9)
    queue.close()
    assert worker.runs == [[0, 1], [2]]
    assert {task.status for task in again.tasks()} == {"succeeded"}
    again.close()


def test_whoever_waits_when_the_database_closes_is_told_that_nothing_is_lost(
    store: Store, worker: Worker
) -> None:
    worker.gate.clear()
    queue = Queue(store, worker)
    queue.submit("a", "settingsUpdate", arguments={})
    waiting = queue.submit("b", "settingsUpdate", arguments={})
    closing = threading.Thread(target=queue.close)
    closing.start()
    while not queue._closing:
        time.sleep(0.001)
    worker.gate.set()
    started = time.monotonic()
    with pytest.raises(DatabaseClosed, match="it is not lost"):
        queue.wait(waiting.uid, timeout=60)
    assert time.monotonic() - started < 30
    closing.join()


def test_what_is_behind_is_tried_again_until_it_is_done(
    store: Store, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hybridsearch.tasks.FIRST_PAUSE", 0.01)
    well, tried = threading.Event(), threading.Semaphore(0)
    heard: list[int] = []

    def mend() -> bool:
        tried.release()
        return well.is_set()

    queue = Queue(store, worker, None, mend)
    queue.listen(heard.extend)
    task = queue.submit("full", ADDITION, arguments={})
    with pytest.raises(IndexBehind):
        queue.wait(task.uid, timeout=9)
    for _ in range(2):
        assert tried.acquire(timeout=9)
    assert queue.find(TaskFilter())[0][0].status == "processing"
    assert heard == []
    well.set()
    while queue.find(TaskFilter())[0][0].status == "processing":
        time.sleep(0.001)
    queue.close()
    assert heard == [task.uid]
    assert [one.status for one in store.tasks()] == ["succeeded"]


def test_a_run_can_be_stopped_before_it_settles_and_not_after(store: Store) -> None:
    course = Course()
    at, go = threading.Semaphore(0), threading.Semaphore(0)

    def work(run: Sequence[Task]) -> Sequence[Task]:
        course.at("reading")
        at.release()
        assert go.acquire(timeout=9)
        course.settle()
        at.release()
        assert go.acquire(timeout=9)
        course.at("indexing")
        with store.transaction() as cursor:
            return store.finish(cursor, [replace(task, status="succeeded") for task in run])

    queue = Queue(store, work, course)
    stopped, firm = [queue.submit("a", "settingsUpdate", arguments={}) for _ in range(2)]
    assert at.acquire(timeout=9)
    first = queue.submit(None, CANCELATION, arguments={"uids": [stopped.uid], "filter": ""})
    go.release()
    for _ in range(2):  # the second task reads and settles
        assert at.acquire(timeout=9)
        go.release() if course.steps[-1].name == "reading" else None
    second = queue.submit(None, CANCELATION, arguments={"uids": [firm.uid], "filter": ""})
    go.release()
    assert queue.wait(firm.uid, timeout=9).status == "succeeded"
    with pytest.raises(Conflict, match="was canceled"):
        queue.wait(stopped.uid, timeout=9)
    counts = [queue.wait(task.uid, timeout=9).details["canceled_tasks"] for task in (first, second)]
    queue.close()
    assert counts == [1, 0]


def test_between_the_parts_of_a_larger_step_that_one_is_told() -> None:
    course = Course()
    with course.of("indexing anew", 0, 100):
        course.at("embedding texts", 1, 50)
        within = list(course.steps)
    after = list(course.steps)
    assert within == [Step("indexing anew", 0, 100), Step("embedding texts", 1, 50)]
    assert after == within[:1]
