"""How do accepted writes become one searchable state of an index, and how is it found again?

An `Engine` owns one index: its documents in DuckDB and the generation of derived files beside
them. `apply` commits a batch to DuckDB first, then writes vectors and text, then the manifest,
then publishes a snapshot by one assignment. The derived files always hold the documents up to the
manifest's task: `catch_up` brings them there after a crash or a failed write, and `rebuild` does
the same from nothing. One thread writes; any thread may search the published `snapshot`.

    engine.apply(Change(puts), stamp=task.uid, finish=finish)
    engine.snapshot.search(SearchRequest("space opera"))
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hybridsearch import filters
from hybridsearch.analysis import stop_words
from hybridsearch.arrays import Rows
from hybridsearch.columns import Columns, values_of
from hybridsearch.course import INDEXING, Course
from hybridsearch.definition import definition_of
from hybridsearch.document_table import Document, DocumentTable
from hybridsearch.embedders import Embedder
from hybridsearch.errors import EmbedderError, IndexBehind, IndexDamaged, StorageError
from hybridsearch.files import remove_folder
from hybridsearch.generation import Generation, Prepared, generations, sweep
from hybridsearch.intake import Incoming
from hybridsearch.jsontext import loads
from hybridsearch.keyword import SlotsFull
from hybridsearch.manifest import Manifest
from hybridsearch.piecework import OWN, Hands
from hybridsearch.preparation import (
    Known,
    analyzers_of,
    follows,
    language_of,
    prepare,
    recipe,
    reusable,
    texts_of,
)
from hybridsearch.request import Filter
from hybridsearch.row_ids import TEXT, RowIds
from hybridsearch.selection import Selection, filter_columns
from hybridsearch.settings import Settings
from hybridsearch.snapshot import Snapshot
from hybridsearch.state import Arm, State
from hybridsearch.store import Connection, IndexRecord, Store
from hybridsearch.turns import give_way

log = logging.getLogger("hybridsearch")

CHUNK = 10_000
SURE_AFTER = 1_000
SAMPLE = 300
SLOTS = 16
PURGE_AFTER = 10_000
NOTHING_YET = -1

Finish = Callable[[Connection], None]


@dataclass(frozen=True)
class Change:
    """What a batch does: the documents to put, by id, and the ids and rows to remove."""

    puts: Mapping[str, Incoming] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    gone_rows: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    primary_key: str | None = None


class Engine:
    """One index, open for writing and searching.

    embedders: name -> embedder, for every embedder of the record's settings. folder: where the
    generations are, None in memory. course: is told how far a write is, and may stop it. hands: who
    prepares its batches. opening: is told how far making the files anew is, if they have to be.
    """

    def __init__(
        self,
        store: Store,
        record: IndexRecord,
        folder: Path | None,
        *,
        embedders: Mapping[str, Embedder],
        course: Course | None = None,
        hands: Hands = OWN,
        opening: Course | None = None,
    ) -> None:
        self.record = record
        self.course = opening or Course()  # whoever opens the index is not the worker
        self.embedders = embedders
        self._hands = hands
        self.documents = DocumentTable(store, record.number)
        self._store = store
        self._folder = folder
        self._identity = store.identity
        self.row_ids = RowIds(self.documents.keys, kind=_id_type(record))
        self._selection = Selection(self.documents)
        self._columns = Columns.read(record.columns)
        self._living = self.documents.living()
        self._dead = self.documents.dead_count()
        self._held: weakref.WeakSet[Snapshot] = weakref.WeakSet()
        self._behind = True
        self._newest = 0
        self._generation = self._opened() or self._built(record.settings, embedders)
        self._newest = self._generation.manifest.generation
        self.catch_up()
        self.course = course or self.course
        self.snapshot = self._publish()

    @property
    def task(self) -> int:
        """The last task whose documents can be searched; -1 before the first."""
        return self._generation.manifest.task

    # Opening

    def _opened(self) -> Generation | None:
        """The generation on disk; None when there is none that is fit for use."""
        numbers = [] if self._folder is None else generations(self._folder)
        if self._folder is None or not numbers:
            return None
        try:
            last = self.documents.last_stamp()
            found = Generation.open(self._folder / str(numbers[-1]), last=last)
        except IndexDamaged as error:
            log.warning('index "%s" is built anew: %s', self.record.uid, error)
            return None
        if self._fits(found.manifest):
            sweep(self._folder, keep=numbers[-1])
            return found
        found.close()
        log.warning('index "%s" is built anew: its files are of another state', self.record.uid)
        return None

    def _fits(self, manifest: Manifest) -> bool:
        """Whether the files were made from this database, under its present settings."""
        return (
            manifest.database == self._identity
            and manifest.index == self.record.number
            and follows(manifest, self.record.settings, self.embedders)
        )

    # Writing documents

    def apply(self, change: Change, *, stamp: int, finish: Finish) -> None:
        """Make the change: durable and searchable on return.

        stamp: the task that it is part of, greater than any before. `finish` runs inside the
        transaction, for what becomes true together with it. Raises EmbedderError before anything
        is written; StorageError when the disk refuses and nothing was written; IndexBehind when
        the documents are in, but not searchable before the next `apply` or `catch_up`.
        """
        self._behind |= self._generation.is_gone()
        if self._behind:
            self.catch_up()
            self.snapshot = self._publish()
        documents = self._numbered(change)
        found = self.documents.find([*change.puts, *change.gone])
        dead = np.union1d(np.fromiter(found.values(), np.int64, len(found)), change.gone_rows)
        if not len(self._living):
            self._speak([document.fields for document in documents[:SAMPLE]])
        batch = self._prepared(documents, primary_key=change.primary_key)
        self.course.settle()
        self._commit(change, documents, dead, stamp, finish)
        self._behind = True
        self._advance(dead, batch, stamp)
        self.snapshot = self._publish()
        try:
            self._tidy()
        except (StorageError, EmbedderError) as error:  # the change is made, and the next one tries
            log.warning('index "%s" could not be tidied: %s', self.record.uid, error)

    def _numbered(self, change: Change) -> list[Document]:
        found = []
        for row, new in enumerate(change.puts.values(), self.record.next_row):
            give_way()
            found.append(Document(row, new.id, new.body, new.fields, new.vectors))
        return found

    def _commit(
        self,
        change: Change,
        documents: Sequence[Document],
        dead: Rows,
        stamp: int,
        finish: Finish,
    ) -> None:
        columns = self._columns.widened(values_of(document.fields for document in documents))
        record = replace(
            self.record,
            columns=columns.record(),
            next_row=self.record.next_row + len(documents),
            primary_key=self.record.primary_key or change.primary_key,
        )
        with self._store.transaction() as cursor:
            self.documents.evolve(cursor, self._columns, columns)
            self.documents.add(cursor, documents, columns=columns, stamp=stamp)
            self.documents.kill(cursor, dead, stamp=stamp)
            if record.columns != self.record.columns and record.attached is None:
                self.documents.show(cursor, record.uid, columns, record.primary_key)
            record = self._store.save_index(cursor, record)
            finish(cursor)
        self.record, self._columns = record, columns
        born = np.array([document.row for document in documents], np.int64)
        self._living = np.concatenate([np.setdiff1d(self._living, dead), born])
        self._dead += len(dead)

    def _advance(self, dead: Rows, batch: Prepared, stamp: int) -> None:
        """Bring the files from the state before a committed batch to the one after it."""
        self.course.at(INDEXING)
        try:
            try:
                self._generation.write(deletes=dead, batch=batch)
                self._generation.seal(task=stamp)
            except SlotsFull:
                self._replace(self.record.settings, self.embedders)
        except (StorageError, EmbedderError) as error:
            raise IndexBehind(
                "the documents are stored, but they cannot be found before the next write or"
                f" opening succeeds: {error}",
            ) from error
        self._behind = False

    def rows_where(self, filter: Filter) -> Rows:
        """The rows of the living documents that a filter keeps, ascending. Raises FilterError."""
        tree = filters.parse(filter)
        if tree is None:
            return self._living
        where, values = filters.to_sql(tree, filter_columns(self._columns))
        mask = self.documents.rows_where(where, values, size=self.record.next_row)
        return self._living[mask[self._living]]

    def document(self, id_: str) -> dict[str, Any] | None:
        """The document of that id, as it was sent; None when there is none."""
        with self._store.transaction():  # between the two the row may die and be purged
            rows = self.documents.find([id_])
            found = self.documents.texts(list(rows.values()))
        return loads(found[0][2]) if found else None

    # Bringing the files up to the documents

    def catch_up(self) -> None:
        """Write what the files lack: everything that was born or died since the manifest's task.

        Raises StorageError or EmbedderError; it can be called again.
        """
        if not self._behind:
            return
        since, last = self.task, self.documents.last_stamp()
        if self._generation.is_gone():
            self._replace(self.record.settings, self.embedders)
        elif last > since:
            if since == NOTHING_YET:  # or what the crash left would keep the language of nothing
                self._speak(self._sample())
            try:
                self._replay(self._generation, since=since)
                self._generation.seal(task=last)
            except SlotsFull:
                self._replace(self.record.settings, self.embedders)
        self._behind = False

    def mend(self) -> bool:
        """Do what a failed write left undone; whether nothing is undone any more."""
        if not self._behind:
            return True
        try:
            self.catch_up()
        except (StorageError, EmbedderError) as error:
            log.warning('index "%s" is still behind: %s', self.record.uid, error)
            return False
        self.snapshot = self._publish()
        return True

    def _replay(
        self,
        generation: Generation,
        *,
        since: int,
        embedders: Mapping[str, Embedder] | None = None,
        known: Known | None = None,
    ) -> None:
        embedders = self.embedders if embedders is None else embedders
        key = self.record.primary_key
        dead, done = self.documents.died_since(since), 0
        for chunk in self.documents.born_since(since, size=CHUNK):
            documents = [replace(document, fields=loads(document.body)) for document in chunk]
            with self.course.of("indexing anew", done, len(self._living)):
                batch = self._made(generation, documents, embedders, key, known)
            generation.write(deletes=dead, batch=batch)
            dead = dead[:0]
            done += len(documents)
        if len(dead):
            nothing = self._made(generation, [], embedders, key)
            generation.write(deletes=dead, batch=nothing)

    def rebuild(self, *, reuse: bool = True) -> None:
        """Write every file anew from the documents, and search them.

        reuse: keep the vectors that the present embedders made, which is exact and saves the
        embedding. Raises StorageError or EmbedderError; the files before stay in use then.
        """
        self._replace(self.record.settings, self.embedders, reuse=reuse)
        self._behind = False
        self.snapshot = self._publish()

    def _replace(
        self,
        settings: Settings,
        embedders: Mapping[str, Embedder],
        *,
        reuse: bool = True,
    ) -> None:
        old = self._generation
        self._generation = self._built(settings, embedders, old if reuse else None)
        self._retire(old)

    def _retire(self, old: Generation) -> None:
        old.close()
        if old.folder is not None:
            remove_folder(old.folder)

    def _built(
        self,
        settings: Settings,
        embedders: Mapping[str, Embedder],
        old: Generation | None = None,
    ) -> Generation:
        slots = SLOTS
        while True:
            try:
                return self._build(settings, embedders, old, slots)
            except SlotsFull as error:
                slots = max(2 * slots, int(error.fields.get("needed", 0)))

    def _build(
        self,
        settings: Settings,
        embedders: Mapping[str, Embedder],
        old: Generation | None,
        slots: int,
    ) -> Generation:
        listed = [] if self._folder is None else generations(self._folder)
        number = self._newest = max([self._newest, *listed]) + 1
        wanted = recipe(settings, embedders)
        found = language_of(settings, self._sample())
        manifest = Manifest(
            database=self._identity,
            index=self.record.number,
            generation=number,
            task=NOTHING_YET,
            text={**wanted["text"], "slots": slots, "found": found},
            embedders=wanted["embedders"],
        )
        fresh = Generation(None if self._folder is None else self._folder / str(number), manifest)
        try:
            with fresh.text.together():
                self._replay(
                    fresh,
                    since=NOTHING_YET,
                    embedders=embedders,
                    known=reusable(old, fresh),
                )
            fresh.seal(task=self.documents.last_stamp())
        except BaseException:
            self._retire(fresh)
            raise
        return fresh

    # Language

    def _prepared(self, documents: Sequence[Document], *, primary_key: str | None) -> Prepared:
        key = self.record.primary_key or primary_key
        return self._made(self._generation, documents, self.embedders, key)

    def _made(
        self,
        generation: Generation,
        documents: Sequence[Document],
        embedders: Mapping[str, Embedder],
        key: str | None,
        known: Known | None = None,
    ) -> Prepared:
        return prepare(
            documents,
            generation.manifest,
            embedders,
            primary_key=key,
            known=known,
            hands=self._hands,
            course=self.course,
        )

    def _speak(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Let the generation, which is empty, have the language of its first documents."""
        manifest = self._generation.manifest
        found = language_of(self.record.settings, documents)
        self._generation.manifest = replace(manifest, text={**manifest.text, "found": found})

    def _sample(self) -> list[Any]:
        """Some of the documents, to tell their language."""
        rows = self._living[:SAMPLE].tolist()
        return [loads(body) for _, _, body in self.documents.texts(rows)]

    def _tidy(self) -> None:
        """After a batch: stem otherwise if a young index turns out so, and drop dead rows."""
        if len(self._living) < SURE_AFTER:
            found = language_of(self.record.settings, self._sample())
            if found is not None and found != self._generation.manifest.text["found"]:
                self.rebuild()
        if self._dead > max(PURGE_AFTER, len(self._living) // 4):
            oldest = min((held.state.task for held in self._held), default=self.task)
            with self._store.transaction() as cursor:
                self._dead -= self.documents.purge(cursor, stamp=min(oldest, self.task))

    # Settings

    def change_settings(
        self,
        settings: Settings,
        embedders: Mapping[str, Embedder],
        *,
        finish: Finish,
    ) -> None:
        """Take other settings; what they change in the files is built first.

        Raises EmbedderError or StorageError; the settings before stay in force then.
        """
        self.catch_up()
        old, fresh = self._generation, None
        if not follows(old.manifest, settings, embedders):
            fresh = self._built(settings, embedders, old)
        try:
            self.course.settle()
            with self._store.transaction() as cursor:
                record = self._store.save_index(cursor, replace(self.record, settings=settings))
                finish(cursor)
        except BaseException:
            if fresh is not None:
                self._retire(fresh)
            raise
        self.record, self.embedders = record, embedders
        if fresh is not None:
            self._generation = fresh
            self._retire(old)
        self.snapshot = self._publish()

    def take_record(self, record: IndexRecord) -> None:
        """Go on under another name or primary key, which the caller has written down."""
        self.record = record
        self.snapshot = self._publish()

    # Publishing

    def _publish(self) -> Snapshot:
        manifest = self._generation.manifest
        state = State(
            task=manifest.task,
            primary_key=self.record.primary_key,
            settings=self.record.settings,
            columns=self._columns,
            living=self._living,
            size=self.record.next_row,
            analyzers=analyzers_of(manifest).with_stop_words(self._stop_words(manifest)),
            keyword=self._generation.text.snapshot(),
            arms={
                name: Arm(self.embedders[name], index.snapshot(), texts_of(manifest, name))
                for name, index in self._generation.vectors.items()
            },
            selection=self._selection,
        )
        snapshot = Snapshot(state)
        self._held.add(snapshot)
        return snapshot

    def _stop_words(self, manifest: Manifest) -> frozenset[str]:
        """The words set, or those of the language when none are."""
        given = frozenset(self.record.settings.stop_words)
        return given or stop_words(manifest.text["found"])

    def close(self) -> None:
        """Close the files."""
        self._generation.close()


def _id_type(record: IndexRecord) -> str:
    """The DuckDB type of the ids: that of the source's key, or text."""
    return TEXT if record.attached is None else definition_of(record).key_type
