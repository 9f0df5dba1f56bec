"""Which terms does one committed state hold, how often, and which of them stand for a word?

`Terms` counts documents, which is all that BM25's idf asks, and gives the alternatives of a word in
an attribute: longer terms that it may be the beginning of, and what else may be meant by it. An
alternative that is rarer than the word would score higher; it counts no more than the word itself
would or, where no document has that, than the most frequent alternative.

    terms.expand("title", Word("sho", prefix="sho"))        # ((("shoes",), 0.8),)

Documents that are gone may still be counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

import tantivy

from hybridsearch.keyword_plan import Alternatives, Clause
from hybridsearch.query import Word

__all__ = ["Terms", "counted", "words_from"]

EXPANSIONS = 16
"""How many of the longer words that a word may be the start of are scored, in each attribute; the
others match all the same, behind these."""
SMALL = 1_000
"""Up to so many documents, `MOST_EXPANSIONS` are scored, so that all are in their places."""
MOST_EXPANSIONS = 1_000
SUMMED = 300
"""Of so many words that begin alike the documents are summed up, of more they are counted, which
takes as long as a search for them, unless these may be in all documents by themselves."""
PREFIX = 0.8
"""What a longer word counts where no document holds the word as typed."""
BEHIND_EXACT = 0.5
"""What it counts where some do, so that a higher frequency or a shorter text rarely wins."""
SHORTEST_STEM = 4
TOGETHER = 10_000
"""Words that begin alike of which tantivy takes all into one phrase; at 16,384 it refuses."""
MOST_WORDS = 1 << 20
"""So many of them tell which letters come next."""
MOST_TERMS = 1000
"""Terms of one attribute that are looked at for suggestions."""
REMEMBERED = 1 << 14
USUALS = 1 << 12


def words_from(schema: tantivy.Schema, field: str, start: str) -> tantivy.Query:
    """Every row with a word in the field that begins so; all score alike."""
    return tantivy.Query.fuzzy_term_query(schema, field, start, distance=0, prefix=True)


def counted(searcher: tantivy.Searcher, question: tantivy.Query) -> int:
    """How many rows the question matches."""
    found: int = searcher.search(question, limit=1).count  # type: ignore[attr-defined]  # missing in tantivy's stub
    return found


class Terms:
    """The terms of one state of an index of `count` documents; fields: attribute -> its field."""

    def __init__(
        self,
        searcher: tantivy.Searcher,
        schema: tantivy.Schema,
        fields: Mapping[str, str],
        count: int,
    ) -> None:
        self._searcher = searcher
        self._schema = schema
        self._fields = fields
        self._count = count
        self._expanded: dict[tuple[str, Word], tuple[Alternatives, str]] = {}
        self._beginning: dict[tuple[str, str], int] = {}
        self._counted: dict[tuple[str, str], int] = {}
        self._usuals: dict[Clause, float] = {}

    @property
    def scored(self) -> int:
        """How many of the longer words that a word may be the start of are scored."""
        return MOST_EXPANSIONS if self._count <= SMALL else EXPANSIONS

    def idf(self, frequency: int) -> float:
        """How much a term of so many documents tells: ln(1 + (n - f + .5) / (f + .5))."""
        return math.log1p((max(self._count - frequency, 0) + 0.5) / (frequency + 0.5))

    def rarest(self, attribute: str, terms: Iterable[str]) -> int:
        """In how many documents the attribute has the rarest of these terms."""
        field = self._fields[attribute]
        return min(self._documents(field, term) for term in terms)

    def weight(self, attribute: str, terms: Iterable[str]) -> float:
        """The idf of terms side by side, which is their sum; 0 where one is in no document."""
        field = self._fields[attribute]
        counts = [self._documents(field, term) for term in terms]
        return sum(map(self.idf, counts)) if all(counts) else 0.0

    def usual(self, clause: Clause) -> float:
        """What a clause scores in a text of average length, in its best attribute."""
        usual = self._usuals.get(clause)
        if usual is None:
            if len(self._usuals) >= USUALS:
                self._usuals.clear()
            usual = self._usuals[clause] = self._reckoned(clause)
        return usual

    def _reckoned(self, clause: Clause) -> float:
        most = max(
            (
                weight * factor * self.weight(unit.attribute, terms)
                for unit, weight in clause
                for terms, factor in unit.alternatives
            ),
            default=0.0,
        )
        return most or max((weight for _, weight in clause), default=0.0) * self.idf(0)

    def frequency(self, term: str, attributes: Iterable[str]) -> int:
        """How many documents have the term in these attributes, counted once for each of them."""
        fields = (self._fields[name] for name in attributes if name in self._fields)
        return sum(self._documents(field, term) for field in fields)

    def holds(self, terms: tuple[str, ...], attributes: Iterable[str]) -> bool:
        """Whether any document has these two terms or more side by side in one attribute."""
        return any(
            self.rarest(name, terms) and self._side_by_side(self._fields[name], terms)
            for name in attributes
            if name in self._fields
        )

    def _side_by_side(self, field: str, terms: tuple[str, ...]) -> bool:
        phrase = tantivy.Query.phrase_query(self._schema, field, list(terms))
        return bool(self._searcher.search(phrase, limit=1, count=False).hits)

    def begins(self, start: str, attributes: Iterable[str]) -> bool:
        """Whether any term in these attributes begins so."""
        fields = (self._fields[name] for name in attributes if name in self._fields)
        return any(self._searcher.terms_with_prefix(field, start, limit=1) for field in fields)

    def starting(self, start: str, *, limit: int) -> list[tuple[str, int]]:
        """(term, occurrences) of the `limit` most frequent terms that begin so, most first.

        Occurrences are documents, counted once for each attribute; equal ones go by the alphabet.
        """
        found: Counter[str] = Counter()
        for field in self._fields.values():
            found.update(dict(self._searcher.terms_with_prefix(field, start, limit=MOST_TERMS)))
        return sorted(found.items(), key=lambda item: (-item[1], item[0]))[:limit]

    def beginning(self, attribute: str, start: str, *, most: int) -> list[str] | None:
        """Every term of the attribute that begins so; None where there are more than `most`."""
        field = self._fields.get(attribute)
        if field is None:
            return []
        found = self._searcher.terms_with_prefix(field, start, limit=most + 1)
        return [term for term, _ in found] if len(found) <= most else None

    def expand(self, attribute: str, word: Word) -> Alternatives:
        """The longer words that the word may be the start of, and what else may be meant."""
        return self._meant(attribute, word)[0]

    def unlisted(self, attribute: str, word: Word) -> str:
        """The letters with which more words begin than `expand` has, if there are such."""
        return self._meant(attribute, word)[1]

    def beginners(self, attribute: str, start: str) -> int:
        """At least as many as the documents that have a word with an `unlisted` beginning."""
        field = self._fields[attribute]
        most = self._beginning.get((field, start))
        return self._begun(field, start) if most is None else most

    def pieces(self, field: str, start: str) -> list[tuple[str, bool]]:
        """(letters, whether words go on) that between them are all words that begin so.

        Of each of them there are at most `TOGETHER`; the field's terms are looked at.
        """
        if len(self._searcher.terms_with_prefix(field, start, limit=TOGETHER + 1)) <= TOGETHER:
            return [(start, True)]
        found = self._searcher.terms_with_prefix(field, start, limit=MOST_WORDS)
        after = len(start) + 1
        longer = sorted({term[:after] for term, _ in found if len(term) >= after})
        return [(start, False), *[piece for one in longer for piece in self.pieces(field, one)]]

    def _begun(self, field: str, start: str) -> int:
        """How many documents have a word in the field that begins so."""
        question = words_from(self._schema, field, start)
        return self._bound(field, start, counted(self._searcher, question))

    def _bound(self, field: str, start: str, most: int) -> int:
        if len(self._beginning) >= REMEMBERED:
            self._beginning.clear()
        self._beginning[field, start] = most
        return most

    def _meant(self, attribute: str, word: Word) -> tuple[Alternatives, str]:
        key = (attribute, word)
        found = self._expanded.get(key)
        if found is None:
            if len(self._expanded) >= REMEMBERED:
                self._expanded.clear()
            longer, start = self._longer(attribute, word) if word.prefix else ((), "")
            found = self._expanded[key] = longer + self._others(attribute, word), start
        return found

    def _documents(self, field: str, term: str) -> int:
        """How many documents have the term in the field."""
        count = self._counted.get((field, term))
        if count is None:
            if len(self._counted) >= REMEMBERED:
                self._counted.clear()
            count = self._counted[field, term] = self._searcher.doc_freq(field, term)
        return count

    def _others(self, attribute: str, word: Word) -> Alternatives:
        """What else may be meant and is there."""
        found = [(other, self.weight(attribute, other.terms)) for other in word.others]
        there = [(other, idf) for other, idf in found if idf]
        usual = self.weight(attribute, (word.term,)) or min((idf for _, idf in there), default=0.0)
        return tuple((other.terms, other.factor * min(1.0, usual / idf)) for other, idf in there)

    def _longer(self, attribute: str, word: Word) -> tuple[Alternatives, str]:
        """The most frequent terms that begin so, and the beginning if there are more."""
        typed, field = word.prefix or word.term, self._fields[attribute]
        looked_at = max(self.scored, SUMMED) + 2  # the word itself, and one to tell of more
        found = self._searcher.terms_with_prefix(field, typed, limit=looked_at)
        longer = [(term, count) for term, count in found if term != word.term]
        more = len(longer) > self.scored
        bound = min(self._count, sum([count for _, count in found]))
        if more and (len(found) < looked_at or bound == self._count):
            self._bound(field, typed, bound)
        longer = longer[: self.scored]
        if not longer and word.stemmed:
            longer = self._shortened(field, word, typed)
        exact = self._documents(field, word.term)
        idf = self.idf(exact or max((count for _, count in longer), default=1))
        factor = BEHIND_EXACT if exact else PREFIX
        alternatives = (((t,), factor * min(1.0, idf / self.idf(n))) for t, n in longer)
        return tuple(alternatives), typed if more else ""

    def _shortened(self, field: str, word: Word, typed: str) -> list[tuple[str, int]]:
        """The stem that the typed letters run past: "relat" for "relativi"."""
        for end in range(len(typed) - 1, max(SHORTEST_STEM, len(typed) - 5) - 1, -1):
            count = self._documents(field, typed[:end])
            if count:
                return [(typed[:end], count)] if typed[:end] != word.term else []
        return []
