"""Which writes were accepted, what became of them, and how is one stopped?

Canceling and deleting are tasks themselves, over those that the filters matched when they were
asked for. `server.task_views` says how a task looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hybridsearch.errors import MOST_REPORTED, NotFound, near
from hybridsearch.jsontext import dumps, loads
from hybridsearch.server.call import Call, Route
from hybridsearch.server.fields import Field
from hybridsearch.server.task_views import batch_json, moment, report_json, task_json
from hybridsearch.server.wire import NDJSON, Refused, Reply, json_reply
from hybridsearch.store import Task
from hybridsearch.task_log import TIMES, TaskFilter
from hybridsearch.tasks import CANCELATION, TASK_DELETION

ACCEPTED = 202
PAGE = 20
ANY = "*"
STATUSES = ("enqueued", "processing", "succeeded", "failed", "canceled")
KINDS = (
    *("documentAdditionOrUpdate", "documentEdition", "documentDeletion", "settingsUpdate"),
    *("indexCreation", "indexDeletion", "indexUpdate", "indexSwap", "taskCancelation"),
    *("taskDeletion", "dumpCreation", "snapshotCreation", "export", "upgradeDatabase"),
    *("indexCompaction", "networkTopologyChange", "dsrUpdate", "dsrClear"),
)
_MOMENTS = {
    f"{sign}{column.title().replace('_', '')}": (sign, column)
    for sign in ("before", "after")
    for column in TIMES
}
FILTERS = (
    Field("uids", "texts", "invalid_task_uids", help="Numbers of tasks."),
    Field("batchUids", "texts", "invalid_batch_uids", help="Numbers of batches."),
    Field("statuses", "texts", "invalid_task_statuses", help=", ".join(STATUSES)),
    Field("types", "texts", "invalid_task_types", help=", ".join(KINDS)),
    Field("indexUids", "texts", "invalid_index_uid", help="Names of indexes."),
    Field("canceledBy", "texts", "invalid_task_canceled_by", help="Numbers of tasks."),
    *(
        Field(name, "text", f"invalid_task_{sign}_{column}", help="RFC 3339 time, date or `*`.")
        for name, (sign, column) in _MOMENTS.items()
    ),
)
PAGING = (
    Field("limit", "whole", "invalid_task_limit", help="How many; 20 when not given."),
    Field("from", "whole", "invalid_task_from", help="The number that the page begins with."),
    Field("reverse", "boolean", "invalid_task_reverse", help="The oldest first."),
)


def accepted(task: Task, status: int = ACCEPTED) -> Reply:
    """The answer to a write: which task it became."""
    return json_reply(
        {
            "taskUid": task.uid,
            "indexUid": task.index_uid,
            "status": "enqueued",
            "type": task.kind,
            "enqueuedAt": moment(task.enqueued_at),
        },
        status,
    )


def list_tasks(call: Call) -> Reply:
    """A page of the tasks that fit, the last one first."""
    limit = call.parameters.get("limit", PAGE)
    found, total = call.db.queue.find(_filter(call), limit=limit + 1, **_order(call))
    return _page([task_json(task) for task in found], total, limit)


def one_task(call: Call) -> Reply:
    """One task by its number."""
    return json_reply(task_json(_task(call)))


def errors(call: Call) -> Reply:
    """What was wrong with which of a task's documents."""
    return json_reply(report_json(_task(call)))


def documents(call: Call) -> Reply:
    """The documents that a task is waiting to write, as they were sent."""
    uid = _task(call).uid
    found = call.db.store.payload(uid)
    if not found:
        raise NotFound(
            f"The documents of task `{uid}` were not found: they are kept until it has ended.",
            code="task_file_not_found",
        )
    lines = (dumps(loads(body)) if b"\n" in body else body for body in found)
    return Reply(b"\n".join(lines) + b"\n", media=NDJSON)


def _task(call: Call) -> Task:
    uid = _number(call.path["task"], "invalid_task_uids")
    found, _ = call.db.queue.find(TaskFilter(uids=[uid], patterns=call.caller.indexes))
    if not found:
        raise NotFound(f"Task `{uid}` not found.", code="task_not_found")
    return found[0]


def cancel(call: Call) -> Reply:
    """Cancel the tasks that fit and have not ended."""
    return _about_tasks(call, CANCELATION)


def delete(call: Call) -> Reply:
    """Forget the tasks that fit and are finished."""
    return _about_tasks(call, TASK_DELETION)


def list_batches(call: Call) -> Reply:
    """A page of the batches that hold a task that fits, the last one first."""
    limit = call.parameters.get("limit", PAGE)
    found, total = call.db.queue.find_batches(_filter(call), limit=limit + 1, **_order(call))
    course = call.db.queue.course
    return _page([batch_json(uid, tasks, course) for uid, tasks in found.items()], total, limit)


def one_batch(call: Call) -> Reply:
    """One batch by its number."""
    uid = _number(call.path["batch"], "invalid_batch_uids")
    wanted = TaskFilter(batches=[uid], patterns=call.caller.indexes)
    found, _ = call.db.queue.find_batches(wanted, limit=1)
    if not found:
        raise NotFound(f"Batch `{uid}` not found.", code="batch_not_found")
    return json_reply(batch_json(uid, found[uid], call.db.queue.course))


def _about_tasks(call: Call, kind: str) -> Reply:
    if not call.parameters:
        names = ", ".join(f"`{field.name}`" for field in FILTERS)
        raise Refused(
            f"Query parameters to filter the tasks are missing; give one of {names}.",
            code="missing_task_filters",
        )
    found, _ = call.db.queue.find(_filter(call))
    arguments = {"uids": [task.uid for task in found], "filter": f"?{call.query}"}
    return accepted(call.db.queue.submit(None, kind, arguments=arguments), 200)


def _filter(call: Call) -> TaskFilter:
    given = call.parameters
    moments: dict[str, list[tuple[str, datetime]]] = {"before": [], "after": []}
    for name, (sign, column) in _MOMENTS.items():
        if given.get(name, ANY) != ANY:
            code = f"invalid_task_{sign}_{column}"
            moments[sign].append((column, _time(given[name], code, whole_day=sign == "after")))
    return TaskFilter(
        uids=_numbers(given, "uids", "invalid_task_uids"),
        batches=_numbers(given, "batchUids", "invalid_batch_uids"),
        statuses=_choices(given, "statuses", STATUSES, "invalid_task_statuses"),
        kinds=_choices(given, "types", KINDS, "invalid_task_types"),
        indexes=_texts(given, "indexUids"),
        canceled_by=_numbers(given, "canceledBy", "invalid_task_canceled_by"),
        patterns=call.caller.indexes,
        before=moments["before"],
        after=moments["after"],
    )


def _order(call: Call) -> dict[str, Any]:
    return {
        "start": call.parameters.get("from"),
        "oldest_first": call.parameters.get("reverse", False),
    }


def _texts(given: Mapping[str, Any], name: str) -> list[str] | None:
    """The texts of a parameter; None when any will do."""
    texts = given.get(name, [ANY])
    return None if texts == [ANY] else texts


def _numbers(given: Mapping[str, Any], name: str, code: str) -> list[int] | None:
    texts = _texts(given, name)
    return None if texts is None else [_number(text, code, name) for text in texts]


def _number(text: str, code: str, name: str = "uid") -> int:
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    raise Refused(
        f"Invalid value in parameter `{name}`: could not parse `{text:.80}` as a positive integer",
        code=code,
    )


def _choices(
    given: Mapping[str, Any], name: str, known: Sequence[str], code: str
) -> list[str] | None:
    texts = _texts(given, name)
    by_lower = {choice.lower(): choice for choice in known}
    for text in texts or ():
        if text.lower() not in by_lower:
            raise Refused(
                f"Invalid value in parameter `{name}`: `{text:.80}` is unknown{near(text, known)}",
                code=code,
            )
    return None if texts is None else [by_lower[text.lower()] for text in texts]


def _time(text: str, code: str, *, whole_day: bool) -> datetime:
    """The moment; a date means its beginning, or with whole_day its end."""
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + of the zone
        if len(text) == len("2042-04-02") and whole_day:
            found += timedelta(days=1)
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError):
        raise Refused(
            f"`{text:.80}` is not a date; write it as 2042-04-02 or 2042-04-02T10:30:00Z.",
            code=code,
        ) from None


def _page(results: list[dict[str, Any]], total: int, limit: int) -> Reply:
    """One more result than asked for tells where the next page begins."""
    shown = results[:limit]
    return json_reply(
        {
            "results": shown,
            "total": total,
            "limit": limit,
            "from": shown[0]["uid"] if shown else None,
            "next": results[limit]["uid"] if len(results) > limit else None,
        }
    )


ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/tasks",
        "tasks.get",
        list_tasks,
        "The tasks, the last one first.",
        parameters=(*FILTERS, *PAGING),
    ),
    Route(
        "DELETE",
        "/tasks",
        "tasks.delete",
        delete,
        "Forget tasks that are finished.",
        parameters=FILTERS,
    ),
    Route(
        "POST",
        "/tasks/cancel",
        "tasks.cancel",
        cancel,
        "Cancel tasks that wait, and the one in hand while nothing of it is stored.",
        parameters=FILTERS,
    ),
    Route("GET", "/tasks/{task}", "tasks.get", one_task, "One task."),
    Route(
        "GET",
        "/tasks/{task}/errors",
        "tasks.get",
        errors,
        f"Which documents made a task fail, and why: the first {MOST_REPORTED}, and how many.",
    ),
    Route(
        "GET",
        "/tasks/{task}/documents",
        "tasks.get",
        documents,
        "The documents that a task is waiting to write, one a line.",
    ),
    Route(
        "GET",
        "/batches",
        "tasks.get",
        list_batches,
        "The batches, the last one first.",
        parameters=(*FILTERS, *PAGING),
    ),
    Route("GET", "/batches/{batch}", "tasks.get", one_batch, "One batch."),
)
