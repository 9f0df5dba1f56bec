"""What can a task do to whole indexes: rename, exchange, copy?

Each function does one accepted task to its end, in one transaction: names and views change
together or not at all. The open engines learn of their new names.

    rename(Indexes(store, engines), task)         # [the task, succeeded]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hybridsearch.columns import Columns
from hybridsearch.document_table import DocumentTable
from hybridsearch.engine import Engine
from hybridsearch.errors import Conflict, InputError, NotFound, SettingsError, near
from hybridsearch.files import make_folder
from hybridsearch.sql.relation import literal
from hybridsearch.store import Connection, IndexRecord, Store, Task, quoted

UPDATE, SWAP, SNAPSHOT = "indexUpdate", "indexSwap", "snapshotCreation"
COPY = "hybridsearch_copy"


@dataclass(frozen=True)
class Indexes:
    """The indexes of a database: their records in the store, their engines by number."""

    store: Store
    engines: Mapping[int, Engine]

    def records(self) -> dict[str, IndexRecord]:
        """name -> record."""
        return {record.uid: record for record in self.store.indexes()}

    def found(self, *uids: str) -> list[IndexRecord]:
        """The records of these names. Raises NotFound, naming what is missing."""
        records = self.records()
        missing = [uid for uid in uids if uid not in records]
        if missing:
            names = ", ".join(f'"{uid}"' for uid in missing)
            raise NotFound(
                f"there is no index {names}{near(missing[0], records)}", code="index_not_found"
            )
        return [records[uid] for uid in uids]

    def tell(self, records: Sequence[IndexRecord]) -> None:
        """Let the open engines know their records."""
        for record in records:
            if record.number in self.engines:
                self.engines[record.number].take_record(record)

    def free(self, uid: str, *, of: IndexRecord) -> None:
        """Raise Conflict when another index than this one has the name, in whatever case."""
        for record in self.records().values():
            if record.number != of.number and record.uid.lower() == uid.lower():
                raise Conflict(f'there is an index "{record.uid}" already', uid=record.uid)


def update(indexes: Indexes, task: Task) -> list[Task]:
    """Give an index another name, another primary key, or both.

    Raises NotFound, Conflict when the name is taken, SettingsError when documents have a key.
    """
    [old] = indexes.found(task.index_uid or "")
    name = task.arguments.get("new_uid") or old.uid
    key = task.arguments.get("primary_key") or old.primary_key
    documents = DocumentTable(indexes.store, old.number)
    if key != old.primary_key and len(documents.living()):
        raise SettingsError(
            f'index "{old.uid}" has documents already, so its primary key stays'
            f' "{old.primary_key}"; make another index for another key',
            code="index_primary_key_already_exists",
            field="primary_key",
        )
    indexes.free(name, of=old)
    with indexes.store.transaction() as cursor:
        _hide(cursor, old)
        new = indexes.store.save_index(cursor, replace(old, uid=name, primary_key=key))
        _show(indexes.store, cursor, new)
        done = indexes.store.finish(cursor, [replace(task, status="succeeded")])
    indexes.tell([new])
    return done


def swap(indexes: Indexes, task: Task) -> list[Task]:
    """Exchange the names of pairs of indexes, all at once; with "rename" the second is new.

    Raises NotFound or Conflict, and then no name has changed.
    """
    before = indexes.records()
    after = _exchanged(indexes, task, before)
    changed = [
        replace(record, uid=uid) for uid, record in after.items() if before.get(uid) != record
    ]
    store = indexes.store
    with store.transaction() as cursor:
        for record in changed:
            _hide(cursor, next(old for old in before.values() if old.number == record.number))
        saved = [store.save_index(cursor, record) for record in changed]
        for record in saved:
            _show(store, cursor, record)
        done = store.finish(cursor, [replace(task, status="succeeded")])
    indexes.tell(saved)
    return done


def _exchanged(
    indexes: Indexes, task: Task, before: Mapping[str, IndexRecord]
) -> dict[str, IndexRecord]:
    after = dict(before)
    for pair in task.arguments["swaps"]:
        one, other = pair["indexes"]
        if pair.get("rename"):
            [record] = indexes.found(one)
            indexes.free(other, of=record)
            after[other] = after.pop(one)
        else:
            indexes.found(one, other)
            after[one], after[other] = after[other], after[one]
    return after


def copy_database(store: Store, task: Task, folder: Path | None) -> list[Task]:
    """Copy the whole database into the folder, under its own name; the copy before is replaced.

    Raises InputError in memory, StorageError when the disk refuses.
    """
    if folder is None or store.path is None:
        raise InputError("a database in memory cannot be copied to a file; open one in a file")
    make_folder(folder)
    fresh, kept = folder / f"{store.path.name}.new", folder / store.path.name
    fresh.unlink(missing_ok=True)
    cursor = store.cursor()
    cursor.execute(f"ATTACH {literal(str(fresh))} AS {COPY}")
    try:
        here = cursor.execute("SELECT current_database()").fetchall()[0][0]
        cursor.execute(f"COPY FROM DATABASE {quoted(here)} TO {COPY}")
    finally:
        cursor.execute(f"DETACH {COPY}")
    fresh.replace(kept)
    with store.transaction() as cursor:
        return store.finish(cursor, [replace(task, status="succeeded")])


def _hide(cursor: Connection, record: IndexRecord) -> None:
    cursor.execute(f"DROP VIEW IF EXISTS main.{quoted(record.uid)}")


def _show(store: Store, cursor: Connection, record: IndexRecord) -> None:
    table, columns = DocumentTable(store, record.number), Columns.read(record.columns)
    table.show(cursor, record.uid, columns, record.primary_key)
