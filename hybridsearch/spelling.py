"""What may a person have meant by a word that no document holds?

`Speller.spelled` gives the words of a query that are not in the index what they may have been
mistyped for: every word of the vocabulary that is one typo away, from 5 letters on, or two, from
9 on (`hybridsearch.vocabulary` says what a typo is). A last word that is still being typed, and of
which none is near, may also be the beginning of a longer one, with one typo. Words that are in the
index mean themselves: so exact words are never outweighed, and cost nothing more; what a word may
be the beginning of outweighs what it may be a misspelling of. Numbers, and what the settings
exempt, are never taken for anything else.

    speller = Speller(snapshot, analyzer, TypoTolerance())
    speller.spelled(parse("databse", analyzer), ["title"]).words[0].others
    # (Other(terms=("databas",), factor=0.9, how="typo", word="database"),)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from hybridsearch.analysis import Analyzer, fold
from hybridsearch.extraction import is_wanted
from hybridsearch.keyword import KeywordSnapshot
from hybridsearch.query import Other, Query, Word
from hybridsearch.word_settings import TypoTolerance

__all__ = ["Speller"]

MOST = 16
"""Words that one word is taken for, at most."""
FACTORS = (0.95, 0.8, 0.6)
"""What a word counts that is 0 (but for accents), 1 or 2 typos away."""
BEHIND_PREFIX = 0.5
"""What is left of that where the word as typed is there, or is the beginning of another."""
BEGUN = 0.5
"""What a word counts of which the beginning is one typo away."""


@dataclass(frozen=True)
class Speller:
    """How words are taken for others in one state of an index.

    most: typos a word may have at most; None takes what the tolerance says. lenient: words that
    are in the index are also taken for those near them, far behind.
    """

    keyword: KeywordSnapshot
    analyzer: Analyzer
    tolerance: TypoTolerance
    most: int | None = None
    lenient: bool = False

    def spelled(self, query: Query, attributes: Sequence[str]) -> Query:
        """The query, in which each word has what else it may mean in these attributes."""
        if not self.tolerance.enabled or self.most == 0:
            return query
        words = tuple([self._spelled(word, attributes) for word in query.words])
        exempt = self.tolerance.disable_on_attributes
        strict = frozenset(name for name in attributes if is_wanted(name, exempt))
        return query if words == query.words else replace(query, words=words, strict=strict)

    def _spelled(self, word: Word, attributes: Sequence[str]) -> Word:
        typos = self._allowed(word.typed)
        known = self.keyword.frequency(word.term, attributes) > 0
        if not typos or (known and not self.lenient):
            return word
        return word._replace(others=tuple(self._others(word, typos, attributes)))

    def _others(self, word: Word, typos: int, attributes: Sequence[str]) -> Iterator[Other]:
        """The words that are near and in the attributes, each term once, the likeliest first."""
        vocabulary, begun = self.keyword.vocabulary, False
        if word.prefix:
            begun = self.keyword.begins(word.prefix, attributes)
        behind = begun or self.keyword.frequency(word.term, attributes) > 0
        factors = [factor * (BEHIND_PREFIX if behind else 1.0) for factor in FACTORS]
        near = [(w, factors[apart]) for w, apart in vocabulary.near(word.typed, most=typos)]
        found = self._there(word, near, attributes)
        if not found and word.prefix and not behind:
            near = [(w, BEGUN) for w, _ in vocabulary.starting(word.typed, most=1)]
            found = self._there(word, near, attributes)
        for factor, _, meant, term in found[:MOST]:
            yield Other((term,), -factor, "typo", meant)

    def _there(
        self, word: Word, near: Sequence[tuple[str, float]], attributes: Sequence[str]
    ) -> list[tuple[float, int, str, str]]:
        """(-factor, -frequency, word, term) of those that the attributes hold, ascending."""
        terms: dict[str, tuple[float, str]] = {}
        for meant, factor in near:
            terms.setdefault(self.analyzer.term(meant), (factor, meant))
        terms.pop(word.term, None)
        counted = [
            (-factor, -self.keyword.frequency(term, attributes), meant, term)
            for term, (factor, meant) in terms.items()
        ]
        return sorted(one for one in counted if one[1])

    def _allowed(self, typed: str) -> int:
        """How many typos the word may have."""
        exempt = _folded(self.tolerance.disable_on_words)
        if not any(map(str.isalpha, typed)) or fold(typed) in exempt:
            return 0
        if self.tolerance.disable_on_numbers and any(map(str.isdigit, typed)):
            return 0
        sizes = (self.tolerance.one_typo, self.tolerance.two_typos)
        allowed = sum(len(typed) >= size for size in sizes)
        return allowed if self.most is None else min(allowed, self.most)


@lru_cache(maxsize=64)
def _folded(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(fold, words))
