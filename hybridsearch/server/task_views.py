"""How do a task and a batch look to a client?

As in the Meilisearch API: type, camelCase details, RFC 3339 times, ISO 8601 durations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hybridsearch.course import Course
from hybridsearch.embedder_settings import masked
from hybridsearch.errors import MOST_REPORTED, HybridSearchError
from hybridsearch.server.wire import HIDDEN, error_json, status_of
from hybridsearch.setting_values import camel
from hybridsearch.store import Task

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")

ENDED = ("succeeded", "failed", "canceled")


def task_json(task: Task) -> dict[str, Any]:
    """A task as clients read it."""
    found: dict[str, Any] = {
        "uid": task.uid,
        "batchUid": task.batch,
        "indexUid": task.index_uid,
        "status": task.status,
        "type": task.kind,
        "canceledBy": task.canceled_by,
        "details": details_json(task),
        "error": None if task.error is None else task_error(task.error),
        "duration": duration(task.started_at, task.finished_at),
        "enqueuedAt": moment(task.enqueued_at),
        "startedAt": moment(task.started_at),
        "finishedAt": moment(task.finished_at),
    }
    if task.metadata is not None:
        found["customMetadata"] = task.metadata
    return found


def details_json(task: Task) -> dict[str, Any] | None:
    """What a task was asked and what it did, under the names that clients know."""
    return DETAILS[task.kind](task) or None if task.kind in DETAILS else None


def _counted(task: Task, name: str) -> int | None:
    """A count of what was done: nothing yet is null, nothing at the end is 0."""
    found = task.details.get(name)
    return int(found) if found is not None else 0 if task.status in ENDED else None


def _added(task: Task) -> dict[str, Any]:
    indexed = _counted(task, "indexed_documents")
    return {"receivedDocuments": task.arguments.get("count", 0), "indexedDocuments": indexed}


def _deleted(task: Task) -> dict[str, Any]:
    wanted = task.arguments.get("filter")
    return {
        "providedIds": len(task.arguments.get("ids", ())),
        "originalFilter": wanted if wanted is None or isinstance(wanted, str) else str(wanted),
        "deletedDocuments": _counted(task, "deleted_documents"),
    }


def _changed(task: Task) -> dict[str, Any]:
    new = task.arguments.get("new_uid")
    found = {"primaryKey": task.arguments.get("primary_key")}
    return {**found, "newIndexUid": new} if new else found


def _settings(task: Task) -> dict[str, Any]:
    """The settings as they were sent, without the secrets of embedders."""
    found = dict(task.arguments.get("settings", {}))
    if isinstance(found.get("embedders"), dict):
        found["embedders"] = {n: _without_secrets(e) for n, e in found["embedders"].items()}
    return found


def _without_secrets(embedder: Any) -> Any:
    if not isinstance(embedder, dict):
        return embedder
    found = dict(embedder)
    for name, value in found.items():
        if camel(name) == "apiKey" and isinstance(value, str):
            found[name] = masked(value)
        elif name == "headers" and isinstance(value, dict):
            found[name] = {header: masked(str(secret)) for header, secret in value.items()}
    return found


def _about_tasks(verb: str, name: str) -> Callable[[Task], dict[str, Any]]:
    def details(task: Task) -> dict[str, Any]:
        return {
            "matchedTasks": len(task.arguments["uids"]),
            verb: _counted(task, name),
            "originalFilter": task.arguments["filter"],
        }

    return details


def _compacted(task: Task) -> dict[str, Any]:
    """How large the index's files were and are; nothing before the end, and in memory."""
    names = {"preCompactionSize": "bytes_before", "postCompactionSize": "bytes_after"}
    found = {name: task.details.get(own) for name, own in names.items()}
    return {name: human(size) for name, size in found.items() if size is not None}


DETAILS: dict[str, Callable[[Task], dict[str, Any]]] = {
    "documentAdditionOrUpdate": _added,
    "documentDeletion": _deleted,
    "settingsUpdate": _settings,
    "indexCreation": lambda task: {"primaryKey": task.arguments.get("primary_key")},
    "indexUpdate": _changed,
    "indexDeletion": lambda task: {"deletedDocuments": _counted(task, "deleted_documents")},
    "indexSwap": lambda task: {"swaps": task.arguments["swaps"]},
    "taskCancelation": _about_tasks("canceledTasks", "canceled_tasks"),
    "taskDeletion": _about_tasks("deletedTasks", "deleted_tasks"),
    "dumpCreation": lambda task: {"dumpUid": task.details.get("dump_uid")},
    "indexCompaction": _compacted,
}


def task_error(error: Mapping[str, Any]) -> dict[str, Any]:
    """Why a task failed; which document is at fault where that is known."""
    raised = HybridSearchError(str(error["message"]), code=str(error["code"]))
    kind = "internal" if error.get("class") in ("HybridSearchError", "StorageError") else None
    shown = HIDDEN if kind and status_of(raised)[0] >= 500 else raised.message
    if raised.code == "index_not_found":  # the message offers names that not everybody may know
        shown = f"Index `{error.get('uid', '?')}` not found."
    shown = shown.replace("with primary_key=", "in the address, as ?primaryKey=name")
    found: dict[str, Any] = dict(error_json(shown, raised.code, kind or "invalid_request"))
    for name in ("position", "id", "field"):
        if error.get(name) is not None:
            found[name] = error[name]
    return found


def batch_json(uid: int, tasks: Sequence[Task], course: Course) -> dict[str, Any]:
    """Tasks that were worked off together, as clients read them.

    course: how far the batch is that is in hand, if it is this one.
    """
    ended = [task.finished_at for task in tasks if task.finished_at]
    started = min((task.started_at for task in tasks if task.started_at), default=None)
    running = sum(task.status == "processing" for task in tasks)
    finished = None if running or not ended else max(ended)
    return {
        "uid": uid,
        "progress": _progress(course) if running else None,
        "details": _together([details_json(task) or {} for task in tasks]),
        "stats": {
            "totalNbTasks": len(tasks),
            "status": dict(Counter(task.status for task in tasks)),
            "types": dict(Counter(task.kind for task in tasks)),
            "indexUids": dict(Counter(task.index_uid for task in tasks if task.index_uid)),
            "progressTrace": {},  # no step is timed
        },
        "duration": duration(started, finished),
        "startedAt": moment(started),
        "finishedAt": moment(finished),
        "batchStrategy": "adjacent document tasks of one index are worked off together",
    }


def _progress(course: Course) -> dict[str, Any]:
    steps = [
        {"currentStep": step.name, "finished": step.finished, "total": step.total}
        for step in course.steps
    ]
    return {"steps": steps, "percentage": round(100 * course.share, 2)}


def report_json(task: Task) -> dict[str, Any]:
    """What was wrong with which document: the first ones in full, and how many there were."""
    error = task.error or {}
    results = [
        {name: one.get(name) for name in ("position", "id", "field", "code", "message")}
        for one in error.get("report", ())
    ]
    return {"results": results, "limit": MOST_REPORTED, "total": error.get("unfit", len(results))}


def _together(details: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Numbers added up; of other things the last."""
    found: dict[str, Any] = {}
    for one in details:
        for name, value in one.items():
            old = found.get(name)
            both = type(value) is int and type(old) is int
            found[name] = value + old if both else value
    return found


def human(size: int) -> str:
    """A number of bytes for people.

    >>> human(0), human(1024), human(5 << 30)
    ('0 B', '1.00 KiB', '5.00 GiB')
    """
    power = min((max(size, 1).bit_length() - 1) // 10, len(UNITS) - 1)
    return f"{size} B" if power == 0 else f"{size / 1024**power:.2f} {UNITS[power]}"


def moment(time: datetime | None) -> str | None:
    """A time in UTC as RFC 3339, with the microseconds that Meilisearch's Python client reads.

    >>> moment(datetime(2026, 11, 22, 15, 30))
    '2026-11-22T15:30:00.000000Z'
    """
    return None if time is None else time.isoformat(timespec="microseconds") + "Z"


def duration(start: datetime | None, end: datetime | None) -> str | None:
    """The time between, as ISO 8601.

    >>> duration(datetime(2026, 1, 1), datetime(2026, 1, 1, 0, 1, 2, 500000))
    'PT62.500000S'
    """
    if start is None or end is None:
        return None
    return f"PT{(end - start).total_seconds():.6f}S"
