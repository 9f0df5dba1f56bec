"""Are the files beside a database those that were written?

check("shop.duckdb")            # [] or what is wrong, a line for each file
"""

from __future__ import annotations

from pathlib import Path

from hybridsearch.database_file import resolved
from hybridsearch.definition import definition_of
from hybridsearch.document_table import DocumentTable
from hybridsearch.errors import Conflict, IndexDamaged, NotFound
from hybridsearch.files import side_folder
from hybridsearch.generation import generations
from hybridsearch.manifest import problems, read_manifest
from hybridsearch.origin import Origin
from hybridsearch.prints import Prints
from hybridsearch.store import IndexRecord, Store
from hybridsearch.views import is_shown


def check(path: str | Path) -> list[str]:
    """What is wrong with the files beside the database: every byte is read, nothing is changed.

    Of an index over a source of the user's it is also said when that cannot be read any more, or
    when the copy lacks rows that it is said to hold. Each problem names its file or index; an
    empty list means that all is as it was written. Raises DatabaseLocked, FormatTooNew or
    StorageError when the DuckDB file itself cannot be opened.
    """
    where = resolved(path)
    if where is None or not where.is_file():
        raise NotFound(f"there is no database at {where or path}", path=str(where or path))
    store = Store.open(where)
    try:
        return [
            f"{record.uid}: {problem}"
            for record in store.indexes()
            for problem in (
                *_problems(store, record, folder_of(where, record)),
                *_source_problems(store, record),
                *_view_problems(store, record),
            )
        ]
    finally:
        store.close()


def folder_of(path: Path, record: IndexRecord) -> Path:
    """Where the generations of an index are, beside the database at the path."""
    return side_folder(path) / str(record.number)


def _problems(store: Store, record: IndexRecord, folder: Path) -> list[str]:
    numbers = generations(folder)
    if not numbers:
        return [f"{folder}: there are no files; the next opening builds them"]
    newest = folder / str(numbers[-1])
    try:
        manifest = read_manifest(newest)
    except IndexDamaged as error:
        return [error.message]
    if manifest.database != store.identity or manifest.index != record.number:
        return [f"{newest}: it belongs to another database; the next opening builds it anew"]
    if manifest.task < DocumentTable(store, record.number).last_stamp():
        return [f"{newest}: it lacks the last documents; the next opening puts them in"]
    return [f"{newest}: {problem}" for problem in problems(newest, manifest)]


def _source_problems(store: Store, record: IndexRecord) -> list[str]:
    """What is wrong with the source of an index, and with the copy that follows it."""
    if record.attached is None:
        return []
    origin, cursor = Origin(definition_of(record)), store.cursor()
    try:
        origin.check(cursor)
    except Conflict as error:
        return [error.message]
    documents = DocumentTable(store, record.number).table
    lacking = Prints(record.number).without(cursor, documents)
    if not lacking:
        return []
    return [f"its copy lacks {lacking} rows; REFRESH SEARCH INDEX {record.uid} FULL puts them in"]


def _view_problems(store: Store, record: IndexRecord) -> list[str]:
    """Whether SQL still shows the documents under the name of the index."""
    if record.attached is not None or is_shown(store.cursor(), record.uid):
        return []
    return [
        f'the view "{record.uid}" of its documents is gone; `hybridsearch rebuild` makes it anew,'
        " where no table has the name"
    ]
