"""What can a task do to whole indexes: make, rename, exchange, copy?

Each step does one accepted task to its end, in one transaction: names and views change together
or not at all. The open engines learn of their new names.

    Chores(store, engines).steps[task.kind](task)        # [the task, succeeded]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hybridsearch.columns import Columns
from hybridsearch.course import Course
from hybridsearch.document_table import DocumentTable
from hybridsearch.dumping import write_dump
from hybridsearch.engine import Engine
from hybridsearch.errors import InputError, NotFound, SettingsError, near
from hybridsearch.files import make_folder
from hybridsearch.settings import Settings
from hybridsearch.sql.relation import literal
from hybridsearch.store import Connection, IndexRecord, Store, Task, quoted
from hybridsearch.views import check_free, is_shown, keeping_tables

CREATION, UPDATE = "indexCreation", "indexUpdate"
SWAP, SNAPSHOT, DUMP = "indexSwap", "snapshotCreation", "dumpCreation"
COPY = "hybridsearch_copy"


def show(store: Store, cursor: Connection, record: IndexRecord) -> None:
    """Make the view of an index's documents, unless it is over a relation of the user's.

    One like that hides none of his names. Raises Conflict when a table has the name.
    """
    if record.attached is None:
        table, columns = DocumentTable(store, record.number), Columns.read(record.columns)
        table.show(cursor, record.uid, columns, record.primary_key)


@dataclass(frozen=True)
class Chores:
    """The steps over whole indexes in one database.

    engines: the open ones by the number of their index. course: is told how far a dump is.
    """

    store: Store
    engines: Mapping[int, Engine]
    course: Course = field(default_factory=Course)

    @property
    def steps(self) -> dict[str, Callable[[Task], Sequence[Task]]]:
        """kind of task -> what does it; each may raise what is wrong with the task."""
        return {
            CREATION: self._create,
            UPDATE: self._update,
            SWAP: self._swap,
            SNAPSHOT: self._copy,
            DUMP: self._dump,
        }

    def make_missing(self, task: Task) -> None:
        """Make the index that a task is about, where the task says that it may be made."""
        settings, uid = task.arguments.get("create"), task.index_uid or ""
        if settings and uid not in self._records():
            with self.store.transaction() as cursor:
                self._make(cursor, uid, None, settings)

    def _create(self, task: Task) -> list[Task]:
        with self.store.transaction() as cursor:
            key, settings = task.arguments["primary_key"], task.arguments["settings"]
            self._make(cursor, task.index_uid or "", key, settings)
            return self.store.finish(cursor, [replace(task, status="succeeded")])

    def _make(
        self, cursor: Connection, uid: str, primary_key: str | None, settings: Mapping[str, Any]
    ) -> None:
        self.store.check_free(uid)
        check_free(cursor, uid)
        record = self.store.add_index(cursor, uid, primary_key)
        checked = Settings().updated(settings)
        record = self.store.save_index(cursor, replace(record, settings=checked))
        DocumentTable(self.store, record.number).create(cursor)
        show(self.store, cursor, record)

    def _update(self, task: Task) -> list[Task]:
        """Give an index another name, another primary key, or both.

        Raises NotFound, Conflict when the name is taken, SettingsError when documents have a key.
        """
        [old] = self._found(task.index_uid or "")
        name = task.arguments.get("new_uid") or old.uid
        key = task.arguments.get("primary_key") or old.primary_key
        if key != old.primary_key and len(DocumentTable(self.store, old.number).living()):
            raise SettingsError(
                f'index "{old.uid}" has documents already, so its primary key stays'
                f' "{old.primary_key}"; make another index for another key',
                code="index_primary_key_already_exists",
                field="primary_key",
            )
        self.store.check_free(name, of=old)
        with self.store.transaction() as cursor:
            _hide(cursor, old)
            new = self.store.save_index(cursor, replace(old, uid=name, primary_key=key))
            with keeping_tables() if name == old.uid else nullcontext():
                show(self.store, cursor, new)
            done = self.store.finish(cursor, [replace(task, status="succeeded")])
        self._tell([new])
        return done

    def _swap(self, task: Task) -> list[Task]:
        """Exchange the names of pairs of indexes, all at once; with "rename" the second is new.

        Raises NotFound or Conflict, and then no name has changed.
        """
        before = self._records()
        numbered = {record.number: record for record in before.values()}
        after = self._exchanged(task.arguments["swaps"], before)
        changed = [replace(r, uid=uid) for uid, r in after.items() if before.get(uid) != r]
        with self.store.transaction() as cursor:
            for record in changed:
                _hide(cursor, numbered[record.number])
            saved = [self.store.save_index(cursor, record) for record in changed]
            for record in saved:
                show(self.store, cursor, record)
            done = self.store.finish(cursor, [replace(task, status="succeeded")])
        self._tell(saved)
        return done

    def _exchanged(
        self, swaps: Sequence[Mapping[str, Any]], before: Mapping[str, IndexRecord]
    ) -> dict[str, IndexRecord]:
        after = dict(before)
        for pair in swaps:
            one, other = pair["indexes"]
            if pair.get("rename"):
                [record] = self._found(one)
                self.store.check_free(other, of=record)
                after[other] = after.pop(one)
            else:
                self._found(one, other)
                after[one], after[other] = after[other], after[one]
        return after

    def _copy(self, task: Task) -> list[Task]:
        """Copy the whole database, under its own name; the copy before is replaced.

        Raises InputError in memory, StorageError when the disk refuses.
        """
        kept = self._folder("snapshots") / self._path.name
        make_folder(kept.parent)
        fresh = kept.with_name(f"{kept.name}.new")
        fresh.unlink(missing_ok=True)
        cursor = self.store.cursor()
        cursor.execute(f"ATTACH {literal(str(fresh))} AS {COPY}")
        try:
            [(here,)] = cursor.execute("SELECT current_database()").fetchall()
            cursor.execute(f"COPY FROM DATABASE {quoted(here)} TO {COPY}")
            # Or the copy would make one of itself when it is opened.
            cursor.execute(f"DELETE FROM {COPY}.hybridsearch.tasks WHERE uid = ?", [task.uid])
        finally:
            cursor.execute(f"DETACH {COPY}")
        fresh.replace(kept)
        with self.store.transaction() as cursor:
            return self.store.finish(cursor, [replace(task, status="succeeded")])

    def _dump(self, task: Task) -> list[Task]:
        """Write everything into one file; raises as `_copy` does."""
        details = {"dump_uid": write_dump(self.store, self._folder("dumps"), self.course)}
        with self.store.transaction() as cursor:
            return self.store.finish(cursor, [replace(task, status="succeeded", details=details)])

    @property
    def _path(self) -> Path:
        if self.store.path is None:
            raise InputError("a database in memory has no folder to write to; open one in a file")
        return self.store.path

    def _folder(self, kind: str) -> Path:
        """The folder beside the database, for copies of one kind."""
        return self._path.with_name(f"{self._path.name}.{kind}")

    def _records(self) -> dict[str, IndexRecord]:
        return {record.uid: record for record in self.store.indexes()}

    def _found(self, *uids: str) -> list[IndexRecord]:
        """The records of these names. Raises NotFound, naming what is missing."""
        records = self._records()
        missing = [uid for uid in uids if uid not in records]
        if missing:
            names = ", ".join(f'"{uid}"' for uid in missing)
            raise NotFound(
                f"there is no index {names}{near(missing[0], records)}",
                code="index_not_found",
                uid="`, `".join(missing),
            )
        return [records[uid] for uid in uids]

    def _tell(self, records: Sequence[IndexRecord]) -> None:
        for record in records:
            if record.number in self.engines:
                self.engines[record.number].take_record(record)


def _hide(cursor: Connection, record: IndexRecord) -> None:
    if record.attached is None and is_shown(cursor, record.uid):
        cursor.execute(f"DROP VIEW IF EXISTS main.{quoted(record.uid)}")
