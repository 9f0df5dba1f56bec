"""How are indexes over the user's own tables made, kept up to date, described and dropped?

An attached index is an index like any other whose documents are a copy of a source's rows. What
is here runs on the caller's thread; the copy is written by `refreshing`, on the worker's.

    indexes.create("docs_idx", "docs", [Item("title"), Item("emb")])
    indexes.current(record)             # before a search: refreshed if it has to be and may be
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hybridsearch.attaching import ATTACHING
from hybridsearch.change_log import ChangeLog
from hybridsearch.copies import Copies, Copy
from hybridsearch.defining import define
from hybridsearch.definition import (
    ALTERABLE,
    OPTIONS,
    Item,
    check_mode,
    check_weights,
    checked_options,
    definition_of,
    settings_of,
    table_of,
)
from hybridsearch.engine import Engine
from hybridsearch.errors import Conflict, EmbedderError, NotFound, SettingsError, StorageError, near
from hybridsearch.freshness import Sign, Signs
from hybridsearch.origin import Origin
from hybridsearch.prints import Prints
from hybridsearch.refreshing import REFRESH, STATES
from hybridsearch.store import Connection, IndexRecord, Store, check_name
from hybridsearch.tasks import Queue
from hybridsearch.whereabouts import Standing, Whereabouts

__all__ = [
    "ALTERING",
    "Freshness",
    "IndexReport",
    "RefreshReport",
    "SearchIndexes",
    "VectorReport",
]

log = logging.getLogger("hybridsearch")

ALTERING = "searchIndexUpdate"
ALTERED = {"weights": "attributeWeights", "stopwords": "stopWords", "synonyms": "synonyms"}
"""option -> the setting of the index that it is"""
AT_ONCE = 10_000
"""So many rows that differ are put in before a search goes on; more have to be asked for."""


@dataclass(frozen=True)
class VectorReport:
    """One vector of an index: its name and length, and how many rows have one."""

    name: str
    dimensions: int
    rows: int
    metric: str = "cosine"


@dataclass(frozen=True)
class IndexReport:
    """One search index as it is.

    name; source: SQL text that can follow FROM; kind: "table", "files" or "query"; key and
    key_type: the column that identifies rows; rows: how many can be found; text: the attributes
    searched by words; vectors; refresh: "check", "manual" or "auto"; where: the condition;
    options: those that were given; columns: (name, type) of the source; created: False when IF NOT
    EXISTS found it there.
    """

    name: str
    source: str
    kind: str
    key: str
    key_type: str
    rows: int
    text: tuple[str, ...]
    vectors: tuple[VectorReport, ...]
    refresh: str
    where: str | None
    options: Mapping[str, Any]
    columns: tuple[tuple[str, str], ...]
    created: bool = True


@dataclass(frozen=True)
class RefreshReport:
    """What a refresh did: how many rows of the copy were added, updated and deleted."""

    name: str
    added: int
    updated: int
    deleted: int


@dataclass(frozen=True)
class Freshness:
    """How far an index is behind its source: `stale` rows are new, gone or otherwise there."""

    name: str
    refresh: str
    stale: int


@dataclass(frozen=True)
class _Look:
    """The last look at a source."""

    sign: Sign | None
    stale: int


class SearchIndexes:
    """The attached indexes of one database; any thread may call any method but the worker's.

    engine: of the index of that name, as it is. drop: removes the index of that name.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        engine: Callable[[str], Engine],
        drop: Callable[[str], None],
    ) -> None:
        self._store = store
        self._queue = queue
        self._engine = engine
        self._drop = drop
        self._signs = Signs(store)
        self._whereabouts: dict[int, Whereabouts] = {}
        self._copies = Copies(store)
        self._looks: dict[int, _Look] = {}
        self._origins: dict[int, tuple[Any, Origin]] = {}
        self._locks: dict[int, threading.Lock] = {}
        self._locking = threading.Lock()
        self.edition = 0
        """How many indexes were made since the database was opened."""

    # Statements

    def create(
        self,
        name: str,
        source: str,
        items: Sequence[Item | str],
        *,
        where: str | None = None,
        options: Mapping[str, Any] | None = None,
        replace: bool = False,
        if_not_exists: bool = False,
    ) -> IndexReport:
        """Make the index and fill it; nothing is left behind when that fails. See `Database`."""
        check_name(name)
        there = self._store.find_index(name)
        if there is not None and if_not_exists:
            return _existing(self.describe(name))
        if there is not None and (not replace or there.attached is None):
            what = "a search index" if there.attached else "an index over documents"
            raise Conflict(f'there is {what} "{there.uid}" already', uid=there.uid)
        cursor = self._store.cursor()
        definition = define(cursor, name, source, items, where=where, options=options)
        Origin(definition).check_keys(cursor)
        settings = settings_of(definition).to_storage()
        arguments = {"definition": definition.to_json(), "settings": settings, "replace": replace}
        task = self._queue.do(name, ATTACHING, arguments=arguments)
        try:
            self._followed(name, int(task.details["next"]))
        except Exception:
            self.drop(name, if_exists=True)
            raise
        self.edition += 1
        return self.describe(name)

    def refresh(self, name: str, *, full: bool = False) -> RefreshReport:
        """Let the copy be what the source is; full: read every row again.

        Raises NotFound, or Conflict when the source cannot be read any more.
        """
        uid = self.record(name).uid
        first = self._queue.submit(uid, REFRESH, arguments={"full": full}, awaited=True)
        return self._followed(uid, first.uid)

    def alter(self, name: str, options: Mapping[str, Any]) -> IndexReport:
        """Change options that hold for searches to come: see `ALTERABLE`.

        Raises SettingsError for one that the index is made with, or that is unknown.
        """
        record = self.record(name)
        known = checked_options(options, OPTIONS, "a search index")
        for option in known:
            if option not in ALTERABLE:
                raise SettingsError(
                    f"option {option} is built into the index; make it anew with CREATE OR REPLACE"
                    f" SEARCH INDEX (what can be altered: {', '.join(ALTERABLE)})",
                    field=option,
                )
        before = definition_of(record)
        definition = replace(before, options={**before.options, **known})
        if "auto" in (before.refresh, definition.refresh) and before.refresh != definition.refresh:
            raise SettingsError(
                "refresh = 'auto' is built of triggers; to or from it make the index anew with"
                " CREATE OR REPLACE SEARCH INDEX",
                field="refresh",
            )
        check_weights(definition)
        check_mode(definition)
        settings = settings_of(definition).to_json()
        arguments = {
            "definition": definition.to_json(),
            "settings": {s: settings[s] for option, s in ALTERED.items() if option in known},
        }
        self._queue.do(record.uid, ALTERING, arguments=arguments)
        self._looks.pop(record.number, None)
        return self.describe(name)

    def drop(self, name: str, *, if_exists: bool = False) -> bool:
        """Remove the index; the source stays as it is. Whether there was one.

        Raises NotFound, unless if_exists.
        """
        found = self._store.find_index(name)
        if if_exists and (found is None or found.attached is None):
            return False
        record = self.record(name)
        self._drop(record.uid)
        self._whereabouts.pop(record.number, None)
        return True

    def describe(self, name: str) -> IndexReport:
        """The index as it is. Raises NotFound."""
        record = self.record(name)
        definition = definition_of(record)
        state = self._engine(record.uid).snapshot.state
        return IndexReport(
            name=record.uid,
            source=definition.source,
            kind=definition.kind,
            key=definition.key,
            key_type=definition.key_type,
            rows=len(state.living),
            text=tuple(item.name for item in definition.of_kind("TEXT")),
            vectors=tuple(
                VectorReport(name, arm.embedder.dim, arm.vectors.count)
                for name, arm in state.arms.items()
            ),
            refresh=definition.refresh,
            where=definition.where,
            options=definition.options,
            columns=definition.columns,
        )

    def reports(self) -> list[IndexReport]:
        """Every search index, in the order of their names."""
        return [self.describe(record.uid) for record in self._store.indexes() if record.attached]

    def over(self, table: str) -> list[IndexReport]:
        """The search indexes over a table or view of that name, whatever its case and schema."""
        return [
            self.describe(record.uid)
            for record in self._store.indexes()
            if record.attached and (table_of(record.attached) or "").lower() == table.lower() != ""
        ]

    def record(self, name: str) -> IndexRecord:
        """The record of that search index. Raises NotFound, with the names there are."""
        found = self._store.find_index(name)
        if found is not None and found.attached is None:
            raise NotFound(
                f'the index "{name}" follows no source, it holds documents of its own;'
                " Database.index writes to it, `hybridsearch drop` removes it",
                code="index_not_found",
                uid=name,
            )
        if found is None:
            known = [record.uid for record in self._store.indexes() if record.attached]
            raise NotFound(
                f'there is no search index "{name}"{near(str(name), known)}',
                code="index_not_found",
                uid=name,
            )
        return found

    def _followed(self, name: str, uid: int) -> RefreshReport:
        """What a chain of refreshes did, once it is done."""
        counts = dict.fromkeys(STATES, 0)
        following: int | None = uid
        while following is not None:
            details = self._queue.wait(following).details
            counts = {state: counts[state] + int(details[state]) for state in STATES}
            following = details.get("next")
        return RefreshReport(name, **counts)

    # Freshness

    def freshness(self, name: str, *, cursor: Connection | None = None) -> Freshness:
        """How far the index is behind what the cursor sees of its source, which nothing changes.

        cursor: a connection to the database, in a transaction perhaps; else what is committed.
        Raises NotFound, or Conflict when the source cannot be read any more.
        """
        record = self.record(name)
        definition = definition_of(record)
        stale = _stale(record, cursor or self._store.cursor())
        return Freshness(record.uid, definition.refresh, stale)

    def current(self, record: IndexRecord) -> None:
        """Before a search: look whether the source has changed, and refresh if that is little.

        Where more than `AT_ONCE` rows differ the search goes on with the copy as it is, which
        `freshness` tells. Raises Conflict when the source cannot be read any more, and InputError
        when a key has come to be twice there or null.
        """
        origin = self._origin(record)
        if origin.definition.refresh == "manual":
            return
        sign = self._signs.of(record.number, origin)
        if self._seen(record, sign):
            return
        with self._lock(record):
            if self._seen(record, sign):
                return
            stale = _stale(record, self._store.cursor())
            if 0 < stale <= AT_ONCE:
                stale = self._refreshed(record, stale)
            if stale:
                log.warning('search index "%s" is behind its source by %d rows', record.uid, stale)
            self._looks[record.number] = _Look(sign, stale)

    def standing(self, record: IndexRecord) -> Standing | None:
        """Where the rows of the index stand in its table, as of the last commit.

        None where that is not known, as always for what is no table. It holds for whoever is in no
        transaction, as long as `stands` says so.
        """
        origin = self._origin(record)
        with self._locking:
            known = self._whereabouts.setdefault(
                record.number, Whereabouts(self._store, record.number)
            )
        return known.standing(origin, self._signs.of(record.number, origin))

    def copy(self, record: IndexRecord) -> Copy | None:
        """What the copy of the index's table gives back; None where they may not be the same.

        It holds as the places do.
        """
        origin = self._origin(record)
        sign = self._signs.of(record.number, origin)
        look = self._seen(record, sign)
        if sign is None or look is None or look.stale or self._engine(record.uid).behind:
            return None
        return self._copies.copy(record.number, origin, sign)

    def stands(self, record: IndexRecord, sign: Sign) -> bool:
        """Whether nothing was committed since that was the sign of the database."""
        return self._signs.of(record.number, self._origin(record)) == sign

    def _origin(self, record: IndexRecord) -> Origin:
        known = self._origins.get(record.number)
        if known is None or known[0] is not record.attached:
            known = record.attached, Origin(definition_of(record))
            self._origins[record.number] = known
        return known[1]

    def _seen(self, record: IndexRecord, sign: Sign | None) -> _Look | None:
        """The last look at the source, if it was under this sign."""
        look = self._looks.get(record.number)
        return look if sign is not None and look is not None and look.sign == sign else None

    def _refreshed(self, record: IndexRecord, stale: int) -> int:
        """How many rows are still stale after a refresh."""
        try:
            self.refresh(record.uid)
        except (EmbedderError, StorageError) as error:
            log.warning('search index "%s" could not be refreshed: %s', record.uid, error)
            return stale
        return 0

    def _lock(self, record: IndexRecord) -> threading.Lock:
        with self._locking:
            return self._locks.setdefault(record.number, threading.Lock())


def _stale(record: IndexRecord, cursor: Connection) -> int:
    """How many rows of the copy are not what the source has now."""
    definition = definition_of(record)
    columns = Origin(definition).check(cursor)
    origin, prints = Origin(replace(definition, columns=columns)), Prints(record.number)
    if definition.refresh == "auto" and columns == definition.columns:
        written = ChangeLog(record.number).count(cursor)
        if written is not None:
            return written
    if columns == definition.columns and prints.same(cursor, origin):
        return 0
    differing = max(1, prints.differing(cursor, origin))  # rows that are alike count as one
    if columns == definition.columns:
        return differing
    with origin.reading():  # a column that came, went or has another name is in every row
        [(count,)] = cursor.execute(f"SELECT count(*) {origin.rows}").fetchall()
    return max(int(count), differing)


def _existing(report: IndexReport) -> IndexReport:
    return replace(report, created=False)
