"""How does a program write and search one index?

    films = db.index("films")
    films.add([{"id": 1, "title": "Alien"}])
    films.search("space horror").hits[0].document["title"]

An `Index` is a name with the database behind it. Writes are tasks: durable when accepted, worked
off in order, awaited unless `wait=False`. Searches run on the state that is published then;
`snapshot` holds one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from hybridsearch import sources
from hybridsearch.embedders import Embedder
from hybridsearch.engine import Engine
from hybridsearch.errors import InputError, NotFound, QueryError, near
from hybridsearch.filters import parse
from hybridsearch.intake import document_id
from hybridsearch.jsontext import loads
from hybridsearch.presence import doubts
from hybridsearch.request import SearchRequest, SearchResult
from hybridsearch.settings import Settings
from hybridsearch.snapshot import Snapshot
from hybridsearch.store import IndexRecord, Task
from hybridsearch.tasks import Queue
from hybridsearch.writes import ADDITION, DELETION, check_own

SETTINGS, REBUILD = "settingsUpdate", "indexCompaction"
AHEAD = 2

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Host:
    """What an index needs of its database.

    record, engine: of the index of that name; they raise NotFound. embedders: those of the
    settings; it raises SettingsError when one cannot be had.
    """

    queue: Queue
    record: Callable[[str], IndexRecord]
    engine: Callable[[str], Engine]
    embedders: Callable[[Settings], Mapping[str, Embedder]]


class Index:
    """One index of a database, by name."""

    def __init__(self, host: Host, uid: str) -> None:
        self._host = host
        self.uid = uid

    def __repr__(self) -> str:
        return f"<Index {self.uid!r}>"

    @property
    def primary_key(self) -> str | None:
        """The attribute that identifies a document; None before the first document."""
        return self._host.record(self.uid).primary_key

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._host.record(self.uid).settings

    # Writing

    def add(
        self,
        documents: object,
        *,
        mode: str = "replace",
        primary_key: str | None = None,
        wait: bool = True,
        progress: Progress | None = None,
    ) -> Task:
        """Add documents: dicts, Arrow, polars, pandas, a DuckDB relation, or a path or glob of
        .parquet .csv .ndjson .jsonl .json files.

        mode "replace" puts a document in the place of one with the same id, "merge" lays its
        attributes over the old one's. They go in batches of 10,000, each a task of its own, in
        bounded memory; with an id twice in a batch the last one wins, which `details` counts.
        progress is called with the number of documents of each batch that is done.
        Returns the last task; its details sum up all. Raises DocumentError for an unfit document,
        of whose batch nothing is applied; batches before it stay.
        """
        if mode not in ("replace", "merge"):
            raise InputError(f'mode must be "replace" or "merge", not {mode!r}', field="mode")
        check_key(primary_key)
        self._check_own()
        tasks = self._additions(documents, mode, primary_key, awaited=wait)
        if not wait:
            accepted = list(tasks)
            return replace(accepted[-1], details={"task_uids": [task.uid for task in accepted]})
        queue, uids, done = self._host.queue, [], _Sum(progress)
        try:
            for task in tasks:
                uids.append(task.uid)
                if len(uids) > AHEAD:
                    done.add(queue.wait(uids[-1 - AHEAD]))
            for uid in uids[-AHEAD:]:
                done.add(queue.wait(uid))
        finally:
            queue.leave(uids)
        return done.task(uids)

    def _additions(
        self, documents: object, mode: str, primary_key: str | None, *, awaited: bool
    ) -> Iterator[Task]:
        """The tasks that add the documents, at least one, each accepted when it is asked for."""
        common = {"mode": mode, "primary_key": primary_key}
        found = sources.batches(documents)
        first = next(found, sources.Batch(0, []))
        for batch in chain([first], found):
            arguments = {**common, "start": batch.start, "count": len(batch.bodies)}
            yield self._host.queue.submit(
                self.uid, ADDITION, arguments=arguments, bodies=batch.bodies, awaited=awaited
            )

    def delete(
        self,
        *,
        ids: Sequence[str | int] | None = None,
        filter: str | None = None,
        all: bool = False,
        wait: bool = True,
    ) -> Task:
        """Delete documents by id, by filter, or all of them; ids that are not there are let be.

        Returns the task; its details say how many were deleted.
        Raises InputError unless exactly one of the three is given, and FilterError.
        """
        if (ids is not None) + (filter is not None) + all != 1:
            raise InputError("delete needs exactly one of ids=, filter= and all=True")
        if isinstance(ids, str) or not isinstance(ids, Iterable | None):
            raise InputError(f"ids must be a list of ids, not {ids!r:.60}", field="ids")
        if filter is not None and parse(filter) is None:
            raise InputError("the filter is empty; delete everything with all=True", field="filter")
        arguments: dict[str, Any] = {"all": True} if all else {"filter": filter}
        if ids is not None:
            arguments = {"ids": [_id(id_) for id_ in ids]}
        self._check_own()
        queue = self._host.queue
        return (queue.do if wait else queue.submit)(self.uid, DELETION, arguments=arguments)

    def update_settings(self, settings: Mapping[str, Any], *, wait: bool = True) -> Task:
        """Change settings, named as in the REST API or in snake_case; null resets one.

        What has to be indexed anew for them is, before they are in force. Raises SettingsError.
        """
        checked = self.settings.updated(settings)
        self._host.embedders(checked)
        arguments = {"settings": json.loads(json.dumps(settings, default=_plain))}
        queue = self._host.queue
        return (queue.do if wait else queue.submit)(self.uid, SETTINGS, arguments=arguments)

    def rebuild(self, *, reuse_vectors: bool = True) -> None:
        """Write every derived file anew from the documents.

        reuse_vectors: take over the vectors that the present embedders made.
        """
        self._host.queue.do(self.uid, REBUILD, arguments={"reuse": reuse_vectors})

    def _check_own(self) -> None:
        """Raise Conflict for an index that is filled from a source of the user's."""
        check_own(self._host.record(self.uid))

    # Reading

    def search(self, query: str | None = None, **options: Any) -> SearchResult:
        """The documents that fit the query best; options are the fields of `SearchRequest`.

        Raises QueryError, FilterError, VectorError or EmbedderError, naming what was wrong.
        """
        return self.snapshot().search(_request(query, options))

    def search_many(self, queries: Sequence[str | None], **options: Any) -> list[SearchResult]:
        """The answer to each query, in order, on one state; the texts are embedded in one call."""
        if isinstance(queries, str):
            raise QueryError(f"queries must be a list of texts, not {queries!r:.60}")
        return self.snapshot().search_many([_request(query, options) for query in queries])

    def similar(self, id: str | int, **options: Any) -> SearchResult:
        """The documents that are most like the one of that id, without it; options as in `search`.

        mode: "semantic", by the document's vector of `embedder`, where it has one; "keyword", by
        the words that tell it apart, where not; "hybrid" fuses both. Raises NotFound for an id
        that is not there, and what `search` raises.
        """
        return self.snapshot().similar(_id(id), _request(None, options))

    def snapshot(self) -> Snapshot:
        """The present state, to hold: its answers stay the same whatever is written meanwhile."""
        return self._host.engine(self.uid).snapshot

    def get(self, id: str | int) -> dict[str, Any]:
        """The document of that id, as it was sent. Raises NotFound."""
        text = self._host.engine(self.uid).documents.text(_id(id))
        if text is None:
            raise NotFound(
                f'there is no document "{id}" in index "{self.uid}"',
                code="document_not_found",
                id=str(id),
            )
        found: dict[str, Any] = loads(text)
        return found

    def known(self, ids: Iterable[str | int]) -> set[str]:
        """Those of the ids, as texts, of which there is a document. Raises InputError for no id."""
        wanted = list(dict.fromkeys(_id(id_) for id_ in ids))
        return set(self._host.engine(self.uid).documents.find(wanted))

    def count(self) -> int:
        """How many documents there are to be found."""
        return self.snapshot().count

    def doubts(self) -> list[str]:
        """What the settings may have misspelt: a line for each attribute that no document has.

        Documents to come may have it, so nothing is refused for that. An index without documents
        gives none.
        """
        engine = self._host.engine(self.uid)
        state = engine.snapshot.state
        known = len(state.living)
        return doubts(state.settings, engine.documents, state.columns) if known else []

    def stats(self) -> dict[str, Any]:
        """Figures of the index: documents, attributes with their types, and vectors.

        behind: whether documents are stored that cannot be found yet, since the disk refused.
        """
        engine = self._host.engine(self.uid)
        state = engine.snapshot.state
        return {
            "documents": len(state.living),
            "behind": engine.behind,
            "primary_key": state.primary_key,
            "language": state.analyzer.language,
            "attributes": {name: column.type for name, column in state.columns.items()},
            "embedders": {
                name: {"dimensions": arm.embedder.dim, "documents": arm.vectors.count}
                for name, arm in state.arms.items()
            },
        }


class _Sum:
    """The details of several tasks added up."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._details: dict[str, int] = {}
        self._last: Task | None = None

    def add(self, task: Task) -> None:
        for name, value in task.details.items():
            self._details[name] = self._details.get(name, 0) + int(value)
        self._last = task
        if self._progress:
            self._progress(int(task.details.get("received_documents", 0)))

    def task(self, uids: Sequence[int]) -> Task:
        assert self._last is not None  # there is always one task
        return replace(self._last, details={**self._details, "task_uids": list(uids)})


def _request(query: str | None, options: Mapping[str, Any]) -> SearchRequest:
    known = SearchRequest.__dataclass_fields__
    for name in options:
        if name not in known:
            raise QueryError(f'unknown search option "{name}"{near(name, known)}', field=name)
    return SearchRequest(query=query, **options)


def _plain(value: Any) -> Any:
    """A set or a mapping that is no dict, as JSON knows it."""
    return dict(value) if isinstance(value, Mapping) else sorted(value)


def check_key(name: object) -> None:
    """Raise InputError when the name cannot be that of an attribute; None is fit."""
    fit = isinstance(name, str) and name and name.encode(errors="ignore").decode() == name
    if name is not None and not fit:
        raise InputError(
            f"a primary key must be the name of an attribute, not {name!r:.60}",
            code="invalid_index_primary_key",
            field="primary_key",
        )


def _id(value: str | int) -> str:
    text = document_id(value)
    if text is None:
        raise InputError(
            f"{value!r:.60} cannot be an id; an id is a whole number or a text of 1 to 511 bytes",
            code="invalid_document_id",
        )
    return text
