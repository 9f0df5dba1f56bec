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
from hybridsearch.views import keeping_tables

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
    behind: whether documents are stored that the files may not hold yet.
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
        kind = TEXT if record.attached is None else definition_of(record).key_type
        self.row_ids = RowIds(self.documents.keys, kind=kind)
        self._selection = Selection(self.documents)
        self._columns = Columns.read(record.columns)
        self._living = self.documents.living()
        self._dead = self.documents.dead_count()
        self._held: weakref.WeakSet[Snapshot] = weakref.WeakSet()
        self.behind = True
        self._newest = 0
        self._generation = self._opened() or self._built(record.settings, embedders)
        self._newest = self._generation.manifest.generation
        self.snapshot = self._first()
        self.course = course or self.course

    @property
    def task(self) -> int:
        """The last task whose documents can be searched; -1 before the first."""
        return self._generation.manifest.task

    # Opening

    def _first(self) -> Snapshot:
        """The newest state; where the disk refuses to bring the files there, the one they are of.

        Raises StorageError or EmbedderError where that failed and the files are of no one state.
        """
        outdated = self._generation.outdated
        older = self._publish(self.documents.living_at(self.task)) if outdated else None
        try:
            self.catch_up()
        except (StorageError, EmbedderError) as error:
            found = self._publish() if self._holds_all() else older
            if found is None:
                raise
            log.warning('index "%s" is searched as its files are: %s', self.record.uid, error)
            return found
        return self._publish()

    def _opened(self) -> Generation | None:
        """The generation on disk; None when there is none that is fit for use."""
        if self._folder is None or not (numbers := generations(self._folder)):
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
        self.behind |= self._generation.is_gone()
        if self.behind:
            self.catch_up()
            self.snapshot = self._publish()
        documents = self._numbered(change)
        found = self.documents.find([*change.puts, *change.gone])
        dead = np.union1d(np.fromiter(found.values(), np.int64, len(found)), change.gone_rows)
        if not len(self._living):
            self._speak([document.fields for document in documents[:SAMPLE]])
        key = self.record.primary_key or change.primary_key
        batch = self._made(self._generation, documents, self.embedders, key)
        self.course.settle()
        self._commit(change, documents, dead, stamp, finish)
        self.behind = True
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
                with keeping_tables():
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
        self.behind = False

    def rows_where(self, filter: Filter) -> Rows:
        """The rows of the living documents that a filter keeps, ascending. Raises FilterError."""
        tree = filters.parse(filter)
        if tree is None:
            return self._living
        where, values = filters.to_sql(tree, filter_columns(self._columns))
        mask = self.documents.rows_where(where, values, size=self.record.next_row)
        return self._living[mask[self._living]]

    # Bringing the files up to the documents

    def catch_up(self) -> None:
        """Write what the files lack: everything that was born or died since the manifest's task.

        Raises StorageError or EmbedderError; it can be called again.
        """
        if not self.behind:
            return
        since, last = self.task, self.documents.last_stamp()
        if self._generation.is_gone():
            self._replace(self.record.settings, self.embedders)
        elif last > since:
            if since == NOTHING_YET:  # or what the crash left would keep the language of nothing
                self._speak(self._sample())
            try:
                if since == NOTHING_YET or not self._holds_all():
                    self._replay(self._generation, since=since)
                self._generation.seal(task=last)
            except SlotsFull:
                self._replace(self.record.settings, self.embedders)
        self.behind = False

    def _holds_all(self) -> bool:
        """Whether the files hold every document already; text is written last of a batch."""
        return np.array_equal(self._generation.text.snapshot().rows(), self._living)

    def mend(self) -> bool:
        """Do what a failed write left undone; whether nothing is undone any more."""
        if not self.behind:
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
        self.behind = False
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
        old.remove()

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
            fresh.remove()
            raise
        return fresh

    # Language

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
                fresh.remove()
            raise
        self.record, self.embedders = record, embedders
        if fresh is not None:
            self._generation = fresh
            old.remove()
        self.snapshot = self._publish()

    def take_record(self, record: IndexRecord) -> None:
        """Go on under another name or primary key, which the caller has written down."""
        self.record = record
        if not self.behind:
            self.snapshot = self._publish()

    # Publishing

    def _publish(self, living: Rows | None = None) -> Snapshot:
        """The state that the files are of; living: its documents, where it is not the newest."""
        manifest, settings = self._generation.manifest, self.record.settings
        words = frozenset(settings.stop_words) or stop_words(manifest.text["found"])
        state = State(
            task=manifest.task,
            primary_key=self.record.primary_key,
            settings=settings,
            columns=self._columns,
            living=self._living if living is None else living,
            size=self.record.next_row,
            analyzers=analyzers_of(manifest).with_stop_words(words),
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

    def close(self) -> None:
        """Close the files."""
        self._generation.close()
