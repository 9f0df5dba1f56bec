"""Which requests are there? One table, in the order of its documentation.

It drives routing, authorisation, the OpenAPI document and the tests of all three.
"""

from __future__ import annotations

from hybridsearch.server import documents, health, indexes, settings, sql, tasks
from hybridsearch.server.call import Body, Route

INDEX = "/indexes/{uid}"
DOCUMENTS = f"{INDEX}/documents"
SETTINGS = f"{INDEX}/settings"


def _setting(name: str) -> tuple[Route, ...]:
    """The routes of one setting."""
    path, verb = f"{SETTINGS}/{settings.kebab(name)}", "PUT"
    if name in settings.PATCHED:
        verb = "PATCH"
    return (
        Route("GET", path, "settings.get", settings.read_one(name), f"The setting {name}."),
        Route(
            verb,
            path,
            "settings.update",
            settings.change_one(name),
            f"Change {name}; null resets it.",
            body=settings.ANY,
            status=202,
        ),
        Route(
            "DELETE",
            path,
            "settings.update",
            settings.reset_one(name),
            f"Set {name} back to its default.",
            status=202,
        ),
    )


ROUTES: tuple[Route, ...] = (
    Route("GET", "/health", "", health.health, "Whether the server answers."),
    Route("GET", "/version", "version", health.version, "The version of the server."),
    # Indexes
    Route(
        "GET",
        "/indexes",
        "indexes.get",
        indexes.list_indexes,
        "The indexes, by name.",
        parameters=indexes.PAGING,
    ),
    Route(
        "POST",
        "/indexes",
        "indexes.create",
        indexes.create,
        "Make an index.",
        body=Body(fields=indexes.CREATED),
        status=202,
    ),
    Route("GET", INDEX, "indexes.get", indexes.one, "One index."),
    Route(
        "PATCH",
        INDEX,
        "indexes.update",
        indexes.update,
        "Change an index's primary key or name.",
        body=Body(fields=indexes.UPDATED),
        status=202,
    ),
    Route(
        "DELETE",
        INDEX,
        "indexes.delete",
        indexes.remove,
        "Remove an index with its documents.",
        status=202,
    ),
    Route(
        "POST",
        f"{INDEX}/compact",
        "indexes.compact",
        indexes.compact,
        "Write an index's files anew.",
        status=202,
    ),
    Route(
        "POST",
        "/swap-indexes",
        "indexes.swap",
        indexes.swap,
        "Exchange the names of pairs of indexes.",
        body=Body(kind="json"),
        status=202,
    ),
    # Documents
    Route(
        "POST",
        DOCUMENTS,
        "documents.add",
        documents.add,
        "Add documents; one with the same id is replaced.",
        body=documents.DOCUMENTS,
        parameters=documents.ADDED,
        slow=True,
        status=202,
    ),
    Route(
        "PUT",
        DOCUMENTS,
        "documents.add",
        documents.merge,
        "Add documents; attributes are laid over those of one with the same id.",
        body=documents.DOCUMENTS,
        parameters=documents.ADDED,
        slow=True,
        status=202,
    ),
    Route(
        "GET",
        DOCUMENTS,
        "documents.get",
        documents.fetch,
        "A page of the documents.",
        parameters=documents.FETCHED,
    ),
    Route(
        "POST",
        f"{DOCUMENTS}/fetch",
        "documents.get",
        documents.fetch,
        "A page of the documents.",
        body=Body(fields=documents.FETCHED),
    ),
    Route(
        "POST",
        f"{DOCUMENTS}/delete-batch",
        "documents.delete",
        documents.delete_batch,
        "Delete documents by their ids.",
        body=Body(kind="json"),
        parameters=(documents.METADATA,),
        slow=True,
        status=202,
    ),
    Route(
        "POST",
        f"{DOCUMENTS}/delete",
        "documents.delete",
        documents.delete_where,
        "Delete the documents that a filter keeps.",
        body=Body(fields=documents.FILTERED),
        parameters=(documents.METADATA,),
        status=202,
    ),
    Route(
        "DELETE",
        DOCUMENTS,
        "documents.delete",
        documents.delete_all,
        "Delete every document.",
        parameters=(documents.METADATA,),
        status=202,
    ),
    Route(
        "GET",
        f"{DOCUMENTS}/{{id}}",
        "documents.get",
        documents.one,
        "One document.",
        parameters=documents.ONE,
    ),
    Route(
        "DELETE",
        f"{DOCUMENTS}/{{id}}",
        "documents.delete",
        documents.delete_one,
        "Delete one document.",
        parameters=(documents.METADATA,),
        status=202,
    ),
    # Settings
    Route("GET", SETTINGS, "settings.get", settings.read, "Every setting of an index."),
    Route(
        "PATCH",
        SETTINGS,
        "settings.update",
        settings.change,
        "Change some settings; null resets one.",
        body=settings.ANY,
        status=202,
    ),
    Route(
        "DELETE",
        SETTINGS,
        "settings.update",
        settings.reset,
        "Set everything back to its default.",
        status=202,
    ),
    *(route for name in settings.NAMES for route in _setting(name)),
    # Tasks
    Route(
        "GET",
        "/tasks",
        "tasks.get",
        tasks.list_tasks,
        "The tasks, the last one first.",
        parameters=(*tasks.FILTERS, *tasks.PAGING),
    ),
    Route(
        "DELETE",
        "/tasks",
        "tasks.delete",
        tasks.delete,
        "Forget tasks that are finished.",
        parameters=tasks.FILTERS,
    ),
    Route(
        "POST",
        "/tasks/cancel",
        "tasks.cancel",
        tasks.cancel,
        "Cancel tasks that have not begun.",
        parameters=tasks.FILTERS,
    ),
    Route("GET", "/tasks/{task}", "tasks.get", tasks.one_task, "One task."),
    Route(
        "GET",
        "/batches",
        "tasks.get",
        tasks.list_batches,
        "The batches, the last one first.",
        parameters=(*tasks.FILTERS, *tasks.PAGING),
    ),
    Route("GET", "/batches/{batch}", "tasks.get", tasks.one_batch, "One batch."),
    *sql.ROUTES,
)
