"""Which terms, in which attributes, at which weight, make up the answer to a query?

`plan` turns the tree of `hybridsearch.query` into flat clauses that any engine can evaluate:
each is one word or phrase in one attribute, with the alternatives that may stand for it. The
score of a document is

    sum over words: (1 - tie) * best attribute + tie * sum over attributes
    + bonus * sum over neighbouring words, over attributes: weight * near

where an attribute scores weight * times asked * best alternative. With tie 1, the default, this is
the plain sum over attributes; below, a word that is in the title and in the text counts less than
two words would. An alternative scores its factor times its BM25 (Robertson and Zaragoza, "The
Probabilistic Relevance Framework", 2009) and the best of them counts alone, so that expansions do
not add up above an exact hit: both are Lucene's DisjunctionMax. `near` is the BM25 of two words
in order with at most `SLOP` words between (sequential dependence, Metzler and Croft, SIGIR 2005).

>>> query = Query(words=(Word("red"), Word("shoes")))
>>> p = plan(query, {"title": 2.0}, expand=lambda attribute, word: ())
>>> [(unit.attribute, unit.alternatives, weight) for clause in p.should for unit, weight in clause]
[('title', ((('red',), 1.0),), 2.0), ('title', ((('shoes',), 1.0),), 2.0)]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from hybridsearch.errors import QueryError, near
from hybridsearch.extraction import is_wanted
from hybridsearch.query import Phrase, Query, Word

__all__ = ["LAST", "SLOP", "Clause", "Plan", "Unit", "plan"]

SLOP = 1
LAST = 1e-12
"""Less than any word scores, and nothing beside it."""
MATCHES = ("any", "all", "phrase")
_SAID = ("synonym", "form", "prefix")
"""What a word means also in attributes that take no typos."""

Alternatives: TypeAlias = tuple[tuple[tuple[str, ...], float], ...]
Expand: TypeAlias = Callable[[str, Word], Alternatives]
"""The other terms, with factors below 1, that may stand for a word in an attribute."""

Begins: TypeAlias = Callable[[str, Word], str]
"""Letters with which more terms of an attribute begin than stand for the word; "" if none do."""


class Unit(NamedTuple):
    """One word or phrase in one attribute; its score is that of its best alternative.

    alternatives: (terms side by side, factor) each. slop: words allowed in between. start: where no
    alternative is, a term that begins so in place of the first one's last term scores `LAST`.
    """

    attribute: str
    alternatives: Alternatives
    slop: int = 0
    start: str = ""


Clause: TypeAlias = tuple[tuple[Unit, float], ...]
"""One word or phrase in every attribute, with weights; the scores add up."""


class Plan(NamedTuple):
    """A document answers if all of `must`, or where there is none any of `should`, matches and
    none of `excluded` does; with neither, every document answers, at score 0. `near` only adds.

    tie: how much of a word's score in all but its best attribute counts.
    """

    should: tuple[Clause, ...] = ()
    must: tuple[Clause, ...] = ()
    excluded: tuple[Unit, ...] = ()
    near: tuple[Clause, ...] = ()
    tie: float = 1.0

    @property
    def scored(self) -> tuple[Clause, ...]:
        """Every clause that adds to the score."""
        return (*self.must, *self.should, *self.near)

    @property
    def listed(self) -> Plan:
        """The same without terms that are none of a unit's alternatives."""
        return self._replace(should=_listed(self.should), must=_listed(self.must))

    @property
    def is_open(self) -> bool:
        """Whether such terms only add rows, which stand behind all others."""
        if self.excluded or self.near or (self.must and len(self.must) + len(self.should) > 1):
            return False
        return any([unit.start for clause in (*self.should, *self.must) for unit, _ in clause])

    @property
    def units(self) -> list[Unit]:
        """Every word or phrase that adds to the score, in each attribute."""
        return [unit for clause in self.scored for unit, _ in clause]


def _listed(clauses: tuple[Clause, ...]) -> tuple[Clause, ...]:
    return tuple(
        [tuple([(unit._replace(start=""), weight) for unit, weight in one]) for one in clauses]
    )


def plan(
    query: Query,
    weights: Mapping[str, float],
    *,
    expand: Expand,
    begins: Begins = lambda attribute, word: "",
    match: str = "any",
    tie: float = 1.0,
    bonus: float = 0.0,
    needed: Word | None = None,
) -> Plan:
    """Lay out a query over the attributes of `weights`; those of weight 0 or less are left out.

    match: "any" word, "all" words, or all as one "phrase". Raises QueryError for another.
    needed: a word of the query that no match may lack, whatever `match` says.
    """
    if match not in MATCHES:
        raise QueryError(f'unknown match "{match}"{near(match, MATCHES)}', field="match")
    over = _Layout([item for item in weights.items() if item[1] > 0], expand, begins, query)
    excluded = tuple(unit for item in query.excluded for unit, _ in over.item(item, 1))
    if match == "phrase":
        must = over.sequence() if query.sequence else ()
        return Plan(must=must, excluded=excluded, tie=tie)
    words = [(word, over.item(word, times)) for word, times in _counted(query.words)]
    phrases = tuple([over.item(phrase, 1) for phrase in query.phrases])
    must = tuple([clause for word, clause in words if match == "all" or word == needed])
    should = tuple([clause for word, clause in words if match != "all" and word != needed])
    pairs = over.pairs(bonus) if bonus > 0 else ()
    return Plan(should, (*must, *phrases), excluded, near=pairs, tie=tie)


def _counted(words: tuple[Word, ...]) -> Iterable[tuple[Word, int]]:
    """Each different word with how often it is asked for."""
    once = len(set(words)) == len(words)
    return [(word, 1) for word in words] if once else Counter(words).items()


class _Layout(NamedTuple):
    weights: list[tuple[str, float]]
    expand: Expand
    begins: Begins
    query: Query

    def item(self, item: Word | Phrase, times: int) -> Clause:
        """A word or phrase in every attribute."""
        weights = self.weights if item.only is None else self.inside(item.only)
        if isinstance(item, Word) and (item.prefix or item.others):
            return tuple((self.open(name, item), weight * times) for name, weight in weights)
        if self.query.analyzers is None:
            options: Alternatives = ((_terms(item), 1.0),)
            slop = item.slop if isinstance(item, Phrase) else 0
            return tuple([(Unit(name, options, slop), weight * times) for name, weight in weights])
        return tuple((self.closed(name, item), weight * times) for name, weight in weights)

    def inside(self, attribute: str) -> list[tuple[str, float]]:
        """An attribute with what is nested in it; nothing if it is not searched."""
        return [one for one in self.weights if is_wanted(one[0], (attribute,))]

    def open(self, name: str, word: Word) -> Unit:
        """A word in one attribute, where it may stand for others."""
        word = self.query.item(word, name)
        alternatives = (((word.term,), 1.0), *self.others(name, word))
        return Unit(name, alternatives, start=self.begins(name, word) if word.prefix else "")

    def closed(self, name: str, item: Word | Phrase) -> Unit:
        """A word or phrase in one attribute, as that is read."""
        item = self.query.item(item, name)
        return Unit(name, ((_terms(item), 1.0),), item.slop if isinstance(item, Phrase) else 0)

    def others(self, name: str, word: Word) -> Alternatives:
        if name in self.query.strict:
            meant = tuple(other for other in word.others if other.how in _SAID)
            word = word._replace(others=meant)
        return self.expand(name, word)

    def sequence(self) -> tuple[Clause, ...]:
        """All that is asked for as one phrase, whose last word may be open."""
        query = self.query
        last = query.words[-1] if query.words else None
        is_open = last is not None and last.prefix and last.term == query.sequence[-1]
        last = last._replace(others=()) if last is not None and is_open else None
        return (tuple((self.run(name, last), weight) for name, weight in self.weights),)

    def run(self, name: str, last: Word | None) -> Unit:
        """The sequence in one attribute; the last word stands for what may begin so."""
        terms = self.query.sequence_in(name)
        options: Alternatives = ((terms, 1.0),)
        if last is None:
            return Unit(name, options)
        last = self.query.item(last, name)
        options += tuple((terms[:-1] + end, factor) for end, factor in self.expand(name, last))
        return Unit(name, options, start=self.begins(name, last))

    def pairs(self, bonus: float) -> tuple[Clause, ...]:
        """Neighbouring words, near each other and in order."""
        found = {(a.term, b.term): (a, b) for a, b in pairwise(self.query.words)}
        return tuple(self.pair(a, b, bonus) for (one, two), (a, b) in found.items() if one != two)

    def pair(self, one: Word, two: Word, bonus: float) -> Clause:
        read = self.query.item
        return tuple(
            (
                Unit(name, (((read(one, name).term, read(two, name).term), 1.0),), SLOP),
                weight * bonus,
            )
            for name, weight in self.weights
        )


def _terms(item: Word | Phrase) -> tuple[str, ...]:
    return item.terms if isinstance(item, Phrase) else (item.term,)
