"""How is a plan asked of tantivy?

`Questions` makes queries of tantivy's out of the clauses of `hybridsearch.keyword_plan`, term by
term: no text of a user reaches tantivy's parser.

    questions = Questions(schema, {"title": "t0"}, statistics)
    searcher.search(questions.whole(plan), limit=10)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import product

import tantivy

from hybridsearch.arrays import Rows
from hybridsearch.keyword_plan import LAST, Clause, Plan, Unit
from hybridsearch.keyword_terms import Terms, words_from

__all__ = ["Questions"]

MOST_LAYOUTS = 200
"""A loose phrase with a word that comes twice is asked as so many phrases at most."""

_SPECIAL = frozenset(r"\.+*?()|[]{}^$#&-~")

_Should, _Must, _Not = tantivy.Occur.Should, tantivy.Occur.Must, tantivy.Occur.MustNot


class Questions:
    """Queries over the fields of one state of an index; fields: attribute -> its field."""

    def __init__(
        self, schema: tantivy.Schema, fields: Mapping[str, str], statistics: Terms
    ) -> None:
        self._schema = schema
        self._fields = fields
        self._statistics = statistics

    def whole(self, laid: Plan) -> tantivy.Query:
        """The plan as a query of tantivy's."""
        flat = [*laid.should, *laid.near] if laid.tie == 1.0 else laid.near
        parts = [(_Should, self._weighted(*option)) for clause in flat for option in clause]
        parts += [(_Must, self.clause(clause, laid.tie)) for clause in laid.must]
        if laid.tie != 1.0:
            parts += [(_Should, self.clause(clause, laid.tie)) for clause in laid.should]
        parts += [(_Not, self.unit(unit)) for unit in laid.excluded]
        if not laid.must and not laid.should:
            everything = tantivy.Query.const_score_query(tantivy.Query.all_query(), 0.0)
            parts.append((_Must, everything))
        return tantivy.Query.boolean_query(parts)

    def clause(self, clause: Clause, tie: float) -> tantivy.Query:
        """One word or phrase in every attribute: the best, and `tie` of what the others score."""
        if not clause:
            return tantivy.Query.empty_query()
        options = [self._weighted(unit, weight) for unit, weight in clause]
        return tantivy.Query.disjunction_max_query(options, tie)

    def _weighted(self, unit: Unit, weight: float) -> tantivy.Query:
        query = self.unit(unit)
        return query if weight == 1.0 else tantivy.Query.boost_query(query, weight)

    def unit(self, unit: Unit) -> tantivy.Query:
        """The best of the alternatives in one attribute."""
        field = self._fields[unit.attribute]
        options = [self._alternative(field, *option, unit.slop) for option in unit.alternatives]
        if unit.start:
            options.append(self._beginning(field, unit))
        return options[0] if len(options) == 1 else tantivy.Query.disjunction_max_query(options)

    def _beginning(self, field: str, unit: Unit) -> tantivy.Query:
        """Every row with a term that begins so, at the score of those."""
        head = unit.alternatives[0][0][:-1]
        if not head:
            return tantivy.Query.const_score_query(
                words_from(self._schema, field, unit.start), LAST
            )
        exact = [_escaped(term) for term in head]
        options = [
            tantivy.Query.regex_phrase_query(
                self._schema, field, [*exact, _escaped(letters) + (".*" if longer else "")]
            )
            for letters, longer in self._statistics.pieces(field, unit.start)
        ]
        return tantivy.Query.const_score_query(tantivy.Query.disjunction_max_query(options), LAST)

    def _alternative(
        self, field: str, terms: tuple[str, ...], factor: float, slop: int
    ) -> tantivy.Query:
        if len(terms) == 1:
            query = tantivy.Query.term_query(self._schema, field, terms[0])
        else:
            query = self._phrase(field, terms, slop)
        return query if factor == 1.0 else tantivy.Query.boost_query(query, factor)

    def _phrase(self, field: str, terms: tuple[str, ...], slop: int) -> tantivy.Query:
        """The terms at as many places; tantivy lets one place serve a term that comes twice."""
        together = tantivy.Query.phrase_query(self._schema, field, list(terms), slop)
        if not slop or len(set(terms)) == len(terms):
            return together
        laid = _layouts(terms, slop)
        if len(laid) <= MOST_LAYOUTS:
            return tantivy.Query.disjunction_max_query(
                [tantivy.Query.phrase_query(self._schema, field, list(each)) for each in laid]
            )
        twice = next(term for term in terms if terms.count(term) > 1)
        apart = [
            tantivy.Query.phrase_query(self._schema, field, [(0, twice), (steps, twice)])
            for steps in range(1, len(terms) + slop)
        ]
        several = tantivy.Query.const_score_query(tantivy.Query.disjunction_max_query(apart), 0.0)
        return tantivy.Query.boolean_query([(_Must, together), (_Must, several)])

    def among(self, laid: Plan, rows: Rows) -> tantivy.Query:
        """The plan, restricted to a few rows."""
        return tantivy.Query.boolean_query([(_Must, self.whole(laid)), (_Must, self._one_of(rows))])

    def matching(self, laid: Plan, rows: Rows) -> tantivy.Query:
        """Which of a few rows the plan matches; as nothing is scored, in half the time."""
        if laid.must or laid.excluded or laid.near or not laid.should:
            return self.among(laid, rows)
        both = [(_Must, self.any_of(laid.should)), (_Must, self._one_of(rows))]
        return tantivy.Query.const_score_query(tantivy.Query.boolean_query(both), 1.0)

    def any_of(self, clauses: Iterable[Clause]) -> tantivy.Query:
        """What any of the clauses matches, for counting: all score alike."""
        words = [self._matching(unit) for clause in clauses for unit, _ in clause]
        found = tantivy.Query.boolean_query([(_Should, query) for some in words for query in some])
        return tantivy.Query.const_score_query(found, 1.0)

    def _matching(self, unit: Unit) -> list[tantivy.Query]:
        """Any of these matches where the unit does."""
        field, ask = self._fields[unit.attribute], self._alternative
        options = [ask(field, terms, 1.0, unit.slop) for terms, _ in unit.alternatives]
        return [*options, self._beginning(field, unit)] if unit.start else options

    def _one_of(self, rows: Rows) -> tantivy.Query:
        ask = tantivy.Query.term_query
        options = [(_Should, ask(self._schema, "row", row)) for row in rows.tolist()]
        return tantivy.Query.const_score_query(tantivy.Query.boolean_query(options), 0.0)

    def row(self, row: int) -> tantivy.Query:
        """This row, if it is there."""
        return tantivy.Query.term_query(self._schema, "row", row)

    def at(self, unit: Unit, row: int) -> tantivy.Query:
        """This row, if it matches, with what the unit scores there."""
        wanted = tantivy.Query.const_score_query(self.row(row), 0.0)
        return tantivy.Query.boolean_query([(_Must, self.unit(unit)), (_Must, wanted)])


def _escaped(text: str) -> str:
    """A regular expression of tantivy's for the text itself."""
    return "".join([f"\\{letter}" if letter in _SPECIAL else letter for letter in text])


@lru_cache(maxsize=64)
def _layouts(terms: tuple[str, ...], slop: int) -> tuple[tuple[tuple[int, str], ...], ...]:
    """Every way to lay the terms out, each at a place of its own, at most `slop` steps off.

    The first `MOST_LAYOUTS` + 1 of them, (place from 0, term) by place.

    >>> _layouts(("so", "so"), 1)
    (((0, 'so'), (1, 'so')), ((0, 'so'), (2, 'so')))
    """
    found: dict[tuple[tuple[int, str], ...], None] = {}
    for shifts in product(range(slop + 1), repeat=len(terms)):
        places = [number + shift for number, shift in enumerate(shifts)]
        if len(set(places)) == len(places):
            first = min(places)
            laid = sorted(zip((place - first for place in places), terms, strict=True))
            found[tuple(laid)] = None
        if len(found) > MOST_LAYOUTS:
            break
    return tuple(found)
