"""How do webhooks hear of finished tasks?

A `Teller` has a thread of its own. Whatever tasks have finished since it last called go to every
webhook together, as gzipped JSON lines. A call that fails is tried again a few times and then let
be; the tasks can still be asked for. Only addresses that `outbound` permits are called.

    teller = Teller(queue, webhooks, Networks.of(["loopback"]))
    queue.listen(teller.finished)
"""

from __future__ import annotations

import gzip
import logging
import threading
from collections.abc import Sequence

from hybridsearch.errors import HybridSearchError
from hybridsearch.jsontext import dumps
from hybridsearch.leaving import follow as follow_to_end
from hybridsearch.outbound import Caller, Networks
from hybridsearch.server.task_views import task_json
from hybridsearch.server.webhook_store import Webhook, Webhooks
from hybridsearch.server.wire import NDJSON
from hybridsearch.task_log import TaskFilter
from hybridsearch.tasks import Queue

log = logging.getLogger("hybridsearch")

SECONDS = 10.0
LEAVING = 0.2
PAUSES = (0.5, 2.0)
AT_ONCE = 1_000
MOST_WAITING = 100_000


class Teller:
    """Tells the webhooks of one database, until it is closed or the program ends."""

    def __init__(self, queue: Queue, webhooks: Webhooks, networks: Networks) -> None:
        self._queue = queue
        self._webhooks = webhooks
        self._caller = Caller(networks, seconds=SECONDS)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._news: list[int] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hybridsearch-hooks", daemon=True)
        self._thread.start()
        follow_to_end(self)  # else the thread keeps the database from being destroyed in order

    def finished(self, uids: Sequence[int]) -> None:
        """Take note of tasks that have finished; returns at once."""
        with self._lock:
            self._news = [*self._news, *uids][-MOST_WAITING:]
            self._changed.notify()

    def close(self) -> None:
        """Stop after the call in hand."""
        self._stop()
        self._thread.join()

    def leave(self) -> None:
        """Stop as at the end of a program, which does not wait for a call for long."""
        self._stop()
        self._thread.join(LEAVING)

    def _stop(self) -> None:
        self._closed.set()
        with self._lock:
            self._changed.notify()

    def _run(self) -> None:
        while not self._closed.is_set():
            with self._lock:
                self._changed.wait_for(lambda: self._news or self._closed.is_set())
                some, self._news = self._news[:AT_ONCE], self._news[AT_ONCE:]
            try:
                if some and not self._closed.is_set():
                    self._tell(some)
            except HybridSearchError as error:
                log.warning("webhooks were not told: %s", error)

    def _tell(self, uids: Sequence[int]) -> None:
        hooks = self._webhooks.all()
        if not hooks:
            return
        tasks, _ = self._queue.find(TaskFilter(uids=uids), oldest_first=True)
        body = gzip.compress(b"".join(dumps(task_json(task)) + b"\n" for task in tasks))
        for hook in hooks:
            self._call(hook, body)

    def _call(self, hook: Webhook, body: bytes) -> None:
        headers = {**hook.headers, "Content-Type": NDJSON, "Content-Encoding": "gzip"}
        for pause in (*PAUSES, None):
            try:
                status = self._caller.post(hook.url, content=body, headers=headers).status
                if status < 300:
                    return
                reason = f"it answered {status}"
            except HybridSearchError as error:
                reason = str(error)
            if pause is None or self._closed.wait(pause):
                log.warning("webhook %s was not told: %s", hook.uuid, reason)
                return
