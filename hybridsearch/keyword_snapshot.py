"""Which rows match a query best, in one committed state of a keyword index?

`KeywordSnapshot` asks tantivy for the best rows of an unfiltered query. tantivy takes no mask and
hands over matches one Python object at a time, so everything that needs *all* of them (masks,
exact totals under a mask, match sets, scores of given rows) is summed in numpy
(`hybridsearch.keyword_scores`) over postings that tantivy computed: they are fetched once a term
and kept, up to `CACHED_BYTES` a snapshot. Where few rows are allowed and the postings are not
there yet, the rows become a clause of the query. All ways give the same rows and, but for the
rounding of float32, the same scores.

    snapshot.top(parse("red shoes", analyzer), weights={"title": 2.0, "text": 1.0}, limit=10)
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tantivy

from hybridsearch.arrays import Mask, Rows, Scores, no_rows
from hybridsearch.errors import NotFound
from hybridsearch.extraction import is_wanted
from hybridsearch.keyword_plan import Clause, Plan, Unit, plan
from hybridsearch.keyword_scores import Postings, at_rows, best, evaluate, in_rows
from hybridsearch.keyword_terms import Terms
from hybridsearch.query import Query, Word
from hybridsearch.request import NEEDING
from hybridsearch.vocabulary import Vocabulary
from hybridsearch.wordlists import WordLists

__all__ = ["KeywordSnapshot", "Ranking"]

CACHED_BYTES = 32_000_000
COST_OF_ROW = 30
"""How many postings can be fetched in the time that one row takes as a clause of a query."""
EXTRA = 6
"""Hits fetched past the limit, to see whether a tie crosses it."""
REMEMBERED = 1 << 14

_Should, _Must, _Not = tantivy.Occur.Should, tantivy.Occur.Must, tantivy.Occur.MustNot


@dataclass(frozen=True)
class Ranking:
    """Rows int64 [n] and scores float32 [n], best first, ties by row, ascending.

    total: how many rows match in all, exactly.
    """

    rows: Rows
    scores: Scores
    total: int


class KeywordSnapshot:
    """One committed state, for any number of threads.

    count: documents in it. attributes: those that any document ever had text in.
    Weights are by attribute; those that are unknown, or of weight 0 or less, are not searched.
    """

    def __init__(
        self,
        searcher: tantivy.Searcher,
        schema: tantivy.Schema,
        fields: Mapping[str, str],
        words: WordLists,
    ) -> None:
        self.count: int = searcher.num_docs
        self.attributes = tuple(fields)
        self._searcher = searcher
        self._fields = dict(fields)
        self._schema = schema
        self._words = words
        self._postings = _Cache(CACHED_BYTES)
        self.statistics = Terms(searcher, schema, self._fields, self.count)
        self._addresses: dict[int, tantivy.DocAddress] = {}
        self._recent: deque[tuple[Rows, Sequence[tantivy.DocAddress]]] = deque(maxlen=8)

    def top(
        self,
        query: Query,
        *,
        weights: Mapping[str, float],
        limit: int,
        match: str = "any",
        mask: Mask | None = None,
        tie: float = 1.0,
        bonus: float = 0.0,
    ) -> Ranking:
        """The `limit` best rows, among those of the mask if there is one.

        match: "any", "all" or "phrase". tie: how much a word counts in all but its best
        attribute; .5 ranks better than the plain sum, 1, and takes longer. bonus: weight of
        neighbouring words being near.
        Raises QueryError for another `match`.
        """
        laid = self._plan(query, weights, match, tie, bonus)
        if mask is None:
            return self._search(self._question(laid), limit)
        if self._cheap(laid, int(np.count_nonzero(mask))):
            return self._search(self._among(laid, np.flatnonzero(mask)), limit)
        found = self._evaluate(laid, mask)
        return Ranking(*best(*found, limit), total=len(found[0]))

    def matches(self, query: Query, *, weights: Mapping[str, float], match: str = "any") -> Rows:
        """Every row that matches, int64, ascending."""
        return self._evaluate(self._plan(query, weights, match, 1.0, 0.0), None)[0]

    def scores(
        self,
        query: Query,
        rows: Rows,
        *,
        weights: Mapping[str, float],
        match: str = "any",
        tie: float = 1.0,
        bonus: float = 0.0,
    ) -> Scores:
        """What `top` gives these rows, in their order: float32 [n], 0 where one does not match."""
        laid = self._plan(query, weights, match, tie, bonus)
        if self._cheap(laid, len(rows)):
            found = self._search(self._among(laid, np.unique(rows)), max(1, len(rows)))
            order = np.argsort(found.rows)
            at, scores = at_rows((found.rows[order], found.scores[order]), rows)
        else:
            there = evaluate(
                laid, size=len(rows), project=lambda unit: at_rows(self._fetch(unit), rows)
            )
            return there.scores.astype(np.float32)
        result = np.zeros(len(rows), np.float32)
        result[at] = scores
        return result

    def reference(self, query: Query, *, weights: Mapping[str, float], match: str = "any") -> float:
        """The score of a text of average length with every word once, each where it counts most.

        Above 0: a word that no text holds counts like the rarest one there could be.
        """
        laid = self._plan(query, weights, match, 1.0, 0.0)
        return sum(self._usual(clause) for clause in (*laid.must, *laid.should)) or 1.0

    def bodies(self, rows: Rows) -> list[bytes]:
        """What was kept for each row, in the order of the rows. Raises NotFound for one absent."""
        documents = [self._searcher.doc(self._address(row)) for row in rows.tolist()]
        return [document.get_first("body") or b"" for document in documents]

    def explain(
        self,
        query: Query,
        row: int,
        *,
        weights: Mapping[str, float],
        match: str = "any",
        tie: float = 1.0,
        bonus: float = 0.0,
    ) -> dict[str, Any]:
        """How a row's score comes about: {"score": float, "parts": [...]}.

        Each part has attribute, term, kind ("word", "phrase" or "near"), weight and score, and
        the scores of the parts add up to the score. Where the term stands for what was typed, the
        part also has `for`, the term of that, and `how`: "prefix", "typo", "joined", "split",
        "form", "compound" or "synonym". A row that does not match has no parts.
        """
        laid = self._plan(query, weights, match, tie, bonus)
        rows = np.array([row], np.int64)
        score = self.scores(query, rows, weights=weights, match=match, tie=tie, bonus=bonus).item()
        clauses = [(clause, laid.tie) for clause in (*laid.must, *laid.should)]
        parts = [part for clause, share in clauses for part in self._parts(clause, row, share)]
        near = [part for clause in laid.near for part in self._parts(clause, row, 1.0)]
        parts += [{**part, "kind": "near"} for part in near]
        words = [word for reading in query.readings() for word in reading.words]
        how = {" ".join(other.terms): other.how for word in words for other in word.others}
        for part in parts:
            if "for" in part:
                part["how"] = how.get(part["term"], "prefix")
        return {"score": score, "parts": parts if score > 0 else []}

    @property
    def vocabulary(self) -> Vocabulary:
        """The words of all documents that ever were; those of newer ones may be among them."""
        return self._words.vocabulary

    def terms(self, start: str, *, limit: int) -> list[tuple[str, int]]:
        """(term, occurrences) of the `limit` most frequent terms that begin so, most first."""
        return self.statistics.starting(start, limit=limit)

    def frequency(self, term: str, attributes: Iterable[str]) -> int:
        """How many documents have the term in these attributes, counted once for each of them."""
        return self.statistics.frequency(term, attributes)

    # What to ask

    def _plan(
        self, query: Query, weights: Mapping[str, float], match: str, tie: float, bonus: float
    ) -> Plan:
        known = {name: weights[name] for name in weights if name in self._fields}
        needed = None
        if match in NEEDING:
            needed, match = self._needed(query, known, match), "any"
        return plan(
            query,
            known,
            expand=self.statistics.expand,
            match=match,
            needed=needed,
            tie=tie,
            bonus=bonus,
        )

    def _needed(self, query: Query, known: Mapping[str, float], match: str) -> Word | None:
        """The word that a match may not lack: the first, or the rarest, of those that are there."""
        there = [word for word in query.words if self._occurrences(word, query, known)]
        if not there:
            return query.words[0] if query.words else None
        return (
            there[0] if match == "last" else min(there, key=lambda w: self._number(w, query, known))
        )

    def _number(self, word: Word, query: Query, known: Mapping[str, float]) -> int:
        """How many documents hold the word or what may stand for it, in whatever attribute."""
        alone = Query((word,), strict=query.strict, analyzers=query.analyzers)
        laid = plan(alone, known, expand=self.statistics.expand)
        found: int = self._searcher.search(self._question(laid), limit=1).count  # type: ignore[attr-defined]  # missing in tantivy's stub
        return found

    def _occurrences(self, word: Word, query: Query, known: Mapping[str, float]) -> int:
        """In how many documents the word, or what may stand for it, is; at least."""
        read = {
            name: query.item(word, name)
            for name, weight in known.items()
            if weight > 0 and (word.only is None or is_wanted(name, (word.only,)))
        }
        return sum(
            self.statistics.rarest(name, terms)
            for name, own in read.items()
            for terms, _ in (((own.term,), 1.0), *self.statistics.expand(name, own))
        )

    def _usual(self, clause: Clause) -> float:
        """What a clause scores in a text of average length, in its best attribute."""
        most = max(
            (
                weight * factor * self.statistics.weight(unit.attribute, terms)
                for unit, weight in clause
                for terms, factor in unit.alternatives
            ),
            default=0.0,
        )
        return most or max((weight for _, weight in clause), default=0.0) * self.statistics.idf(0)

    # Asking tantivy

    def _question(self, laid: Plan) -> tantivy.Query:
        """The plan as a query of tantivy's."""
        flat = [*laid.should, *laid.near] if laid.tie == 1.0 else laid.near
        parts = [(_Should, self._weighted(*option)) for clause in flat for option in clause]
        parts += [(_Must, self._clause(clause, laid.tie)) for clause in laid.must]
        if laid.tie != 1.0:
            parts += [(_Should, self._clause(clause, laid.tie)) for clause in laid.should]
        parts += [(_Not, self._unit(unit)) for unit in laid.excluded]
        if not laid.must and not laid.should:
            everything = tantivy.Query.const_score_query(tantivy.Query.all_query(), 0.0)
            parts.append((_Must, everything))
        return tantivy.Query.boolean_query(parts)

    def _clause(self, clause: Clause, tie: float) -> tantivy.Query:
        if not clause:
            return tantivy.Query.empty_query()
        options = [self._weighted(unit, weight) for unit, weight in clause]
        return tantivy.Query.disjunction_max_query(options, tie)

    def _weighted(self, unit: Unit, weight: float) -> tantivy.Query:
        query = self._unit(unit)
        return query if weight == 1.0 else tantivy.Query.boost_query(query, weight)

    def _unit(self, unit: Unit) -> tantivy.Query:
        field = self._fields[unit.attribute]
        if len(unit.alternatives) == 1:
            return self._alternative(field, *unit.alternatives[0], unit.slop)
        options = [self._alternative(field, *option, unit.slop) for option in unit.alternatives]
        return tantivy.Query.disjunction_max_query(options)

    def _alternative(
        self, field: str, terms: tuple[str, ...], factor: float, slop: int
    ) -> tantivy.Query:
        if len(terms) == 1:
            query = tantivy.Query.term_query(self._schema, field, terms[0])
        else:
            query = tantivy.Query.phrase_query(self._schema, field, list(terms), slop)
        return query if factor == 1.0 else tantivy.Query.boost_query(query, factor)

    def _among(self, laid: Plan, rows: Rows) -> tantivy.Query:
        """The plan, restricted to a few rows."""
        options = [
            (_Should, tantivy.Query.term_query(self._schema, "row", row)) for row in rows.tolist()
        ]
        allowed = tantivy.Query.const_score_query(tantivy.Query.boolean_query(options), 0.0)
        return tantivy.Query.boolean_query([(_Must, self._question(laid)), (_Must, allowed)])

    def _search(self, question: tantivy.Query, limit: int) -> Ranking:
        """The best rows; fetches on while a tie crosses the limit, for ties go by row."""
        size = limit + EXTRA
        while True:
            found = self._searcher.search(question, limit=size)
            hits = found.hits
            if len(hits) < size or limit == 0 or hits[-1][0] < hits[limit - 1][0]:
                break
            size *= 2
        total: int = found.count  # type: ignore[attr-defined]  # missing in tantivy's stub
        if not hits or not limit:
            return Ranking(*no_rows(), total=total)
        if len(hits) > limit and hits[limit][0] < hits[limit - 1][0]:
            del hits[limit:]
        found_scores, addresses = zip(*hits, strict=True)
        scores = np.array(found_scores, np.float32)
        rows = np.array(self._searcher.fast_field_values("row", list(addresses)), np.int64)
        self._recent.append((rows, addresses))
        if len(set(found_scores)) < len(scores):
            rows, scores = best(rows, scores, limit)
        return Ranking(rows, scores, total=total)

    # Summing up

    def _evaluate(self, laid: Plan, mask: Mask | None) -> Postings:
        """Every row that matches, ascending, and its score."""
        if not laid.must and not laid.should:
            rows = np.array(self._listed(self._question(laid)), np.int64)
            rows = (
                rows if mask is None else in_rows((rows, np.zeros(len(rows), np.float32)), mask)[0]
            )
            return rows, np.zeros(len(rows), np.float32)
        if mask is None:
            found = evaluate(laid, size=self._size, project=self._fetch)
        else:
            found = evaluate(laid, size=len(mask), project=lambda u: in_rows(self._fetch(u), mask))
        rows = np.flatnonzero(found.matched)
        return rows, found.scores[rows].astype(np.float32)

    def _cheap(self, laid: Plan, kept: int) -> bool:
        """Whether asking tantivy about `kept` rows costs less than the postings still to fetch."""
        units = [unit for clause in laid.scored for unit, _ in clause]
        cost = kept * COST_OF_ROW
        if not units or cost >= self.count * len(units):
            return False
        return cost < sum(self._most(unit) for unit in units if unit not in self._postings)

    def _most(self, unit: Unit) -> int:
        """At least as many as the documents that the unit matches."""
        return sum(self.statistics.rarest(unit.attribute, terms) for terms, _ in unit.alternatives)

    def _fetch(self, unit: Unit) -> Postings:
        """Every row that a unit matches, ascending, and its score there."""
        postings = self._postings.get(unit)
        if postings is None:
            postings = self._fetched(unit)
            self._postings.put(unit, postings)
        return postings

    def _fetched(self, unit: Unit) -> Postings:
        most = self._most(unit)
        if not most:
            return no_rows()
        hits = self._searcher.search(self._unit(unit), limit=most, count=False).hits
        if not hits:
            return no_rows()
        found, addresses = zip(*hits, strict=True)
        rows = np.array(self._searcher.fast_field_values("row", list(addresses)), np.int64)
        scores = np.array(found, np.float32)
        order = np.argsort(rows)
        return rows[order], scores[order]

    def _listed(self, question: tantivy.Query) -> list[int]:
        """Every row that answers, ascending, whatever its score."""
        limit = max(1, self.count)
        found = self._searcher.search(
            question, limit=limit, count=False, order_by_field="row", order=tantivy.Order.Asc
        )
        return [row for row, _ in found.hits]

    @cached_property
    def _size(self) -> int:
        """One more than the highest row."""
        last = self._searcher.search(
            tantivy.Query.all_query(), limit=1, count=False, order_by_field="row"
        )
        return int(last.hits[0][0]) + 1 if last.hits else 0

    # One row

    def _address(self, row: int) -> tantivy.DocAddress:
        """Where a row is: what was just found is what bodies are wanted of next."""
        if row not in self._addresses:
            self._recall()
        address = self._addresses.get(row)
        if address is None:
            question = tantivy.Query.term_query(self._schema, "row", row)
            hits = self._searcher.search(question, limit=1, count=False).hits
            if not hits:
                raise NotFound(f"no row {row} in the keyword index; rebuild the index", row=row)
            address = self._addresses[row] = hits[0][1]
        return address

    def _recall(self) -> None:
        """Take in the addresses of the last rankings; forget the others when there are many."""
        if len(self._addresses) >= REMEMBERED:
            self._addresses.clear()
        while self._recent:
            with contextlib.suppress(IndexError):  # another thread took the last one
                rows, addresses = self._recent.popleft()
                self._addresses.update(zip(rows.tolist(), addresses, strict=True))

    def _parts(self, clause: Clause, row: int, tie: float) -> Iterator[dict[str, Any]]:
        """What each attribute adds to the score of a row, from its best alternative."""
        found = [self._part(unit, weight, row) for unit, weight in clause]
        matched = [part for part in found if part["score"] > 0]
        for place, part in enumerate(sorted(matched, key=lambda part: -part["score"])):
            yield {**part, "score": part["score"] * (tie if place else 1.0)}

    def _part(self, unit: Unit, weight: float, row: int) -> dict[str, Any]:
        """What one attribute scores by itself, from its best alternative."""
        options = [unit._replace(alternatives=(option,)) for option in unit.alternatives]
        scores = [self._score(option, row) for option in options]
        (asked, _), (terms, factor) = (
            unit.alternatives[0],
            unit.alternatives[scores.index(max(scores))],
        )
        return {
            "attribute": unit.attribute,
            "term": " ".join(terms),
            "kind": "word" if len(terms) == 1 else "phrase",
            "weight": weight * factor,
            "score": weight * max(scores),
            **({} if terms == asked else {"for": " ".join(asked)}),
        }

    def _score(self, unit: Unit, row: int) -> float:
        wanted = tantivy.Query.const_score_query(
            tantivy.Query.term_query(self._schema, "row", row), 0.0
        )
        question = tantivy.Query.boolean_query([(_Must, self._unit(unit)), (_Must, wanted)])
        hits = self._searcher.search(question, limit=1, count=False).hits
        return float(hits[0][0]) if hits else 0.0


class _Cache:
    """Postings by unit up to a number of bytes; what was not used for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[Unit, Postings] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, unit: Unit) -> bool:
        return unit in self._kept

    def get(self, unit: Unit) -> Postings | None:
        with self._lock:
            postings = self._kept.get(unit)
            if postings is not None:
                self._kept.move_to_end(unit)
            return postings

    def put(self, unit: Unit, postings: Postings) -> None:
        with self._lock:
            if unit not in self._kept:
                self._kept[unit] = postings
                self._size += _bytes(postings)
            while self._size > self._most and self._kept:
                self._size -= _bytes(self._kept.popitem(last=False)[1])


def _bytes(postings: Postings) -> int:
    return postings[0].nbytes + postings[1].nbytes + 500
