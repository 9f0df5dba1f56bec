"""How is one search answered on one unchanging state of an index?

A `Snapshot` goes through the stages: embed the query, plan, rank, count facets, load the page
alone. Whoever holds one goes on getting the same answers, whatever is written meanwhile.

The result set, on which totals, facets and pages agree: in keyword mode every row that matches;
in semantic mode the nearest `candidates` rows; in hybrid mode the union of both; without a query
every row. Only rows that pass the filter are in any of them.

    result = snapshot.search(SearchRequest("space opera", limit=5))
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from hybridsearch.arranging import rank
from hybridsearch.arrays import Mask, Rows
from hybridsearch.batches import pages
from hybridsearch.collecting import uncollected
from hybridsearch.errors import FilterError, QueryError
from hybridsearch.excerpts import Piece, shown
from hybridsearch.explaining import explanations
from hybridsearch.extraction import is_wanted, project
from hybridsearch.facets import listed
from hybridsearch.geo import GEO, GEOJSON
from hybridsearch.highlight import mark, positions
from hybridsearch.jsontext import loads
from hybridsearch.planning import Plan, asked, confined, plan
from hybridsearch.query import Query
from hybridsearch.questions import Question, questions
from hybridsearch.ranking import Fragment, Pages, Places, Ranked, members, page_places
from hybridsearch.relevance import relevance
from hybridsearch.request import Filter, Hit, SearchRequest, SearchResult
from hybridsearch.selection import known_attribute, opened_by
from hybridsearch.similar import has_vector, plan_like
from hybridsearch.state import State
from hybridsearch.suggesting import suggestions
from hybridsearch.ties import Order

MOST_NESTED = 32
"""So many nested attributes are counted by "*"; every one is when it is named."""
STAGES = ("embed", "plan", "rank", "load", "facets")
TOGETHER = 2048
"""Searches of a batch that are planned before the first of them is made."""


class Snapshot:
    """One state of one index, safe to search from any number of threads at once."""

    def __init__(self, state: State, whole: Snapshot | None = None) -> None:
        self.state = state
        self._whole = whole  # who holds it keeps its rows in the database

    def confined(self, filter: Filter) -> Snapshot:
        """What somebody sees who may know only of the documents that a filter keeps.

        Hits, totals, facets, pages, likes and reads are of those alone; what words weigh is still
        told by all documents. Raises FilterError.
        """
        state = confined(self.state, filter)
        return self if state is self.state else Snapshot(state, self)

    @property
    def count(self) -> int:
        """How many documents there are."""
        return len(self.state.living)

    def search(self, request: SearchRequest) -> SearchResult:
        """The page of hits that the request asks for.

        Where the embedder fails, a search that is not semantic alone goes by words, and the result
        says so in `degraded`. Raises QueryError, FilterError, VectorError or EmbedderError, naming
        what was wrong.
        """
        started = time.perf_counter()
        [question] = self._questions([request])
        return self._answer(question, started)

    def similar(self, id: str, request: SearchRequest) -> SearchResult:
        """The documents that are like the one of that id, without it; see `similar.plan_like`.

        Raises NotFound for an id that is not there, and what `search` raises.
        """
        started = time.perf_counter()
        return self._answered(
            plan_like(self.state, id, self._with_defaults(request)), started, started
        )

    def has_vector(self, id: str, embedder: str | None) -> bool:
        """Whether the document has a vector of that embedder. Raises NotFound for an unknown id."""
        return has_vector(self.state, id, embedder)

    def search_many(self, requests: Sequence[SearchRequest]) -> list[SearchResult]:
        """The answer to each request, in their order; the texts are embedded in one call."""
        started = time.perf_counter()
        with uncollected():
            return [
                self._told(question, made, started, time.perf_counter())
                for question, made in self._planned(requests)
            ]

    def places(
        self, requests: Sequence[SearchRequest], *, tied: Order | None = None
    ) -> list[Places]:
        """Where the hits of each request stand, in their order, without loading documents.

        tied: in which order rows of equal score stand; None for that of rows.
        """
        with uncollected():
            return [self._placed(replace(made, tied=tied)) for _, made in self._planned(requests)]

    def pages(self, request: SearchRequest, queries: Sequence[str], *, tied: Order) -> Pages | None:
        """The `places` of the request with each of these queries, several times as fast.

        None for a request that is not ranked by words alone. Raises what `search` raises.
        """
        with uncollected():
            return pages(
                self.state,
                self._with_defaults(request),
                queries,
                tied=tied,
                alone=lambda asked: self.places([asked], tied=tied)[0],
            )

    def _planned(self, requests: Sequence[SearchRequest]) -> Iterator[tuple[Question, Plan]]:
        """Each request and its plan, in order; the keyword arm is told of many beforehand."""
        questions = self._questions(requests)
        for start in range(0, len(questions), TOGETHER):
            some = questions[start : start + TOGETHER]
            made = [plan(self.state, one.request, one.vector) for one in some]
            worded = [one for one in made if not one.query.empty]
            if len(worded) > 1:
                self.state.keyword.foresee(
                    ((one.query, one.fields, one.match, one.tie) for one in worded),
                    limit=min(one.reach for one in worded),
                )
            yield from zip(some, made, strict=True)

    def places_like(self, id: str, request: SearchRequest, *, tied: Order | None = None) -> Places:
        """Where the hits of `similar` stand, without loading documents."""
        made = plan_like(self.state, id, self._with_defaults(request))
        return self._placed(replace(made, tied=tied))

    def counts(
        self, request: SearchRequest, attributes: Sequence[str]
    ) -> dict[str, dict[str | None, int]]:
        """attribute -> value -> how many of the request's result set have it, most first.

        Equal counts go by the value. None, the last of them, counts those without the attribute.
        Any attribute may be asked for, filterable or not. Raises QueryError for one that no
        document has.
        """
        member = self.members(request)
        return {name: self._counted(name, member) for name in dict.fromkeys(attributes)}

    def members(self, request: SearchRequest) -> Mask:
        """Which rows are in the request's result set, bool [size], whatever its page."""
        [question] = self._questions([replace(request, limit=0)])
        made = plan(self.state, question.request, question.vector)
        return members(self.state, made, rank(self.state, made))

    def facets_of(
        self, names: Sequence[str], member: Mask
    ) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
        """(counts, least and greatest numbers) of filterable attributes, or "*", over some rows.

        Ordered and cut as the settings say. Raises FilterError for one that is not filterable.
        """
        return self._facets_over(self._facet_names(names), member)

    def facet_counts(
        self, names: Sequence[str], member: Mask
    ) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
        """The same of every value there is, in no order."""
        return self._values_over(self._facet_names(names), member)

    def asked(self, request: SearchRequest) -> Query:
        """The request's text as it is read and looked for: what marking it in a text needs."""
        return asked(self.state, request)

    def vectors(self, rows: Rows) -> list[dict[str, dict[str, Any]]]:
        """For each row: embedder of the settings -> its `embeddings` and whether we made them."""
        given = self.state.selection.given_vectors(rows)
        names = [name for name in self.state.arms if name in self.state.settings.embedders]
        return [
            {name: self._vectors(name, row, given.get(row, {})) for name in names}
            for row in rows.tolist()
        ]

    def _vectors(
        self, name: str, row: int, given: Mapping[str, Sequence[Sequence[float]]]
    ) -> dict[str, Any]:
        if name in given:
            return {"embeddings": [list(vector) for vector in given[name]], "regenerate": False}
        made = self.state.arms[name].vectors.get(np.array([row], np.int64))[1]
        return {"embeddings": made.tolist(), "regenerate": True}

    def _placed(self, made: Plan) -> Places:
        found = page_places(made, rank(self.state, made))
        if not made.request.highlight:
            return found
        documents = self.documents(found.rows)
        return replace(found, highlights=tuple(self._found_in(made, d) for d in documents))

    def _found_in(self, made: Plan, document: dict[str, Any]) -> dict[str, list[Fragment]]:
        """The texts of each attribute in which something matched."""
        found = {
            name: list(self._fragments(made, name, value))
            for name, value in document.items()
            if is_wanted(name, made.request.highlight)
        }
        return {name: some for name, some in found.items() if some}

    def _fragments(self, made: Plan, attribute: str, value: Any) -> Iterator[Fragment]:
        """The texts of a value that match, in their order; only what was searched can."""
        if isinstance(value, dict):
            for name, item in value.items():
                yield from self._fragments(made, f"{attribute}.{name}", item)
        elif isinstance(value, list):
            for item in value:
                yield from self._fragments(made, attribute, item)
        elif isinstance(value, str) and made.fields.get(attribute, 0.0) > 0:
            query = made.query.inside(attribute)
            spans = positions(value, self.state.analyzers.of(attribute), query)
            if spans:
                whole = Piece(0, len(value))
                yield Fragment(shown(value, spans, whole, tags=made.request.highlight_tags), spans)

    def _counted(self, name: str, member: Mask) -> dict[str | None, int]:
        known_attribute(name, self.state.columns, "facets")
        column = self.state.selection.facet(name, self.state.columns, size=self.state.size)
        having = np.zeros(len(member), bool)
        having[column.rows] = True
        counts: dict[str | None, int] = dict(column.counts(member).items())
        if without := int(np.count_nonzero(member & ~having)):
            counts[None] = without
        order = sorted(counts.items(), key=lambda item: (-item[1], item[0] is None, item[0] or ""))
        return dict(order)

    def page(self, request: SearchRequest) -> tuple[Rows, int]:
        """(the rows of the page, how many fit in all) of a request without words.

        In the order asked, else in that of writing. Every document that passes counts: the
        settings' distinct attribute plays no part.
        """
        made = plan(self.state, request, None)
        if request.sort:
            ranked = rank(self.state, made)
            return page_places(made, ranked).rows, ranked.count()
        living = self.state.living
        rows = living if made.mask is None else living[made.mask[living]]
        return rows[request.offset : request.offset + request.limit], len(rows)

    def documents(self, rows: Rows) -> list[dict[str, Any]]:
        """The documents of the rows, in their order. Raises NotFound for a row that is not here."""
        return [loads(body) for body in self.bodies(rows)]

    def bodies(self, rows: Rows) -> list[bytes]:
        """The JSON texts of the same documents. Raises NotFound as well."""
        return self.state.keyword.bodies(rows)

    def suggestions(self, start: str, *, limit: int) -> list[tuple[str, int]]:
        """(word, in how many attributes of documents) of words that begin so, most first.

        Raises QueryError where only some documents may be known of: words are those of all.
        """
        if self.state.allowed is not None:
            raise QueryError(
                "suggestions come from the words of all documents, and only some may be seen here;"
                " look for words with search()",
                field="suggest",
            )
        return suggestions(self.state.keyword, self.state.analyzers, start, limit=limit)

    def _questions(self, requests: Sequence[SearchRequest]) -> list[Question]:
        return questions(self.state, [self._with_defaults(request) for request in requests])

    def _with_defaults(self, request: SearchRequest) -> SearchRequest:
        distinct = self.state.settings.distinct_attribute
        if request.distinct is not None or distinct is None or distinct not in self.state.columns:
            return request
        return replace(request, distinct=distinct)

    def _answer(self, question: Question, started: float) -> SearchResult:
        embedded_at = time.perf_counter()
        made = plan(self.state, question.request, question.vector)
        return self._told(question, made, started, embedded_at)

    def _told(
        self, question: Question, made: Plan, started: float, embedded_at: float
    ) -> SearchResult:
        found = self._answered(made, started, embedded_at)
        return found if question.degraded is None else replace(found, degraded=question.degraded)

    def _answered(self, made: Plan, started: float, embedded_at: float) -> SearchResult:
        times = [started, embedded_at, time.perf_counter()]
        ranked = rank(self.state, made)
        times.append(time.perf_counter())
        hits = self._page(made, ranked)
        times.append(time.perf_counter())
        facets, stats = self._facets(made, ranked)
        times.append(time.perf_counter())
        return SearchResult(
            hits=hits,
            count=ranked.count,
            facets=facets,
            facet_stats=stats,
            mode=made.mode,
            seconds=times[-1] - started,
            stages=dict(zip(STAGES, (b - a for a, b in pairwise(times)), strict=True)),
        )

    # The page

    def _page(self, made: Plan, ranked: Ranked) -> tuple[Hit, ...]:
        places = page_places(made, ranked)
        documents = self.documents(places.rows)
        shares = relevance(self.state, made, places.bases).tolist()
        figures = zip(*(column.tolist() for column in places.columns), strict=True)
        hits = [
            self._hit(made, document, share, *figure)
            for document, share, figure in zip(documents, shares, figures, strict=True)
        ]
        if made.request.explain:
            told = explanations(self.state, made, ranked, places)
            hits = [replace(hit, explanation=one) for hit, one in zip(hits, told, strict=True)]
        if made.request.rerank is not None:
            hits = [replace(hit, rerank_score=_judgment(ranked, hit.row)) for hit in hits]
        return tuple(hits)

    def _hit(
        self,
        made: Plan,
        document: dict[str, Any],
        share: float,
        row: int,
        score: float,
        words: int,
        bm25: float,
        near: int,
        cosine: float,
    ) -> Hit:
        hit = Hit(
            id=document.get(self.state.primary_key or "", ""),
            score=score,
            document=project(document, self.state.settings.displayed_attributes),
            keyword_rank=words or None,
            keyword_score=bm25 if words else None,
            semantic_rank=near or None,
            semantic_score=cosine if near else None,
            row=row,
            relevance=share,
        )
        if made.request.highlight:
            hit = replace(hit, highlights=self._highlights(made, hit.document))
        if made.request.passage:
            hit = replace(hit, passage=self._passage(made, hit.row, document))
        return hit

    def _passage(self, made: Plan, row: int, document: Mapping[str, Any]) -> str | None:
        """The embedded piece of the document's text that is nearest to the query."""
        if made.arm is None or made.vector is None:
            return None
        pieces = made.arm.texts.passages(
            document, without=self.state.primary_key or "", count=made.arm.embedder.pieces
        )
        vectors = made.arm.vectors.get(np.array([row], np.int64))[1]
        if len(pieces) != len(vectors):  # they came with the document
            return None
        return pieces[int((vectors @ made.vector).argmax())] if pieces else None

    def _highlights(self, made: Plan, document: Mapping[str, Any]) -> dict[str, Any]:
        wanted = made.request.highlight
        return {
            name: self._marked(made, name, value)
            for name, value in document.items()
            if is_wanted(name, wanted)
        }

    def _marked(self, made: Plan, attribute: str, value: Any) -> Any:
        if isinstance(value, str):
            before, after = made.request.highlight_tags
            analyzer = self.state.analyzers.of(attribute)
            return mark(value, analyzer, made.query.inside(attribute), pre=before, post=after)
        if isinstance(value, list):
            return [self._marked(made, attribute, item) for item in value]
        if isinstance(value, dict):
            return {n: self._marked(made, f"{attribute}.{n}", item) for n, item in value.items()}
        return value

    # Facets

    def _facets(
        self, made: Plan, ranked: Ranked
    ) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
        names, order = self._facet_names(made.request.facets), made.request.facet_order
        if not names:
            return {}, {}
        return self._facets_over(names, members(self.state, made, ranked), order=order)

    def _facets_over(
        self, names: Sequence[str], member: Mask, *, order: str | None = None
    ) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
        settings, (counts, stats) = self.state.settings, self._values_over(names, member)
        limit = settings.max_values_per_facet
        shown = {
            name: listed(own, order=order or settings.facet_order(name), limit=limit)
            for name, own in counts.items()
        }
        return shown, stats

    def _values_over(
        self, names: Sequence[str], member: Mask
    ) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
        state = self.state
        columns = {
            name: state.selection.facet(name, state.columns, size=state.size) for name in names
        }
        stats = {name: column.stats(member) for name, column in columns.items()}
        return (
            {name: column.counts(member) for name, column in columns.items()},
            {name: found for name, found in stats.items() if found is not None},
        )

    def _with_values(self) -> list[str]:
        """The attributes that have values of their own; of nested ones the first `MOST_NESTED`."""
        columns = self.state.columns
        plain = [name for name, column in columns.items() if column.kind != "json"]
        inside = [
            name
            for name in self.state.keyword.attributes
            if name not in columns and name.partition(".")[0] not in (GEO, GEOJSON)
        ]
        return [*plain, *inside[:MOST_NESTED]]

    def _facet_names(self, wanted: Sequence[str]) -> list[str]:
        allowed = self.state.settings.filterable
        names = list(dict.fromkeys(wanted))
        if "*" in names:
            found = [name for name in self._with_values() if is_wanted(name, allowed)]
            named = [name for name in allowed if "*" not in name]
            return list(dict.fromkeys([*found, *named]))
        for name in names:
            if not is_wanted(name, allowed):
                raise FilterError(
                    f'attribute "{name}" is not filterable, so it has no facets'
                    f"{opened_by('filterableAttributes', name, allowed)}",
                    code="invalid_search_facets",
                    field=name,
                )
        return names


def _judgment(ranked: Ranked, row: int) -> float | None:
    """What the reranker said of the row; None of one that it was not asked for."""
    score: float | None = ranked.told.get(row, {}).get("rerank", {}).get("score")
    return score
