"""What may a person have meant beside the words that were typed?

`Speller.spelled` gives the words of a query what else they may mean:

- typos: a word that no document holds may be any word of the vocabulary that is one typo away,
  from 5 letters on, or two, from 9 on (`hybridsearch.vocabulary` says what a typo is). A last word
  that is still being typed, and of which none is near, may also begin a longer one, with one typo.
  A word that is in the index means itself: exact words are never outweighed, and cost nothing
  more; what a word may be the beginning of outweighs what it may be a misspelling of. Numbers, and
  what the settings exempt, are never taken for anything else;
- "data base" may be "database", and "database" may be "data base" where a document has that;
- forms and compounds (`hybridsearch.word_forms`);
- what the query language asks for: all words that begin so, or that are so many typos away;
- synonyms (`hybridsearch.synonyms`).

    speller = Speller(snapshot, Analyzers(analyzer))
    speller.spelled(parse("databse", analyzer), ("title",)).words[0].others
    # (Other(terms=("databas",), factor=0.8, how="typo", word="database"),)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from itertools import chain, pairwise
from typing import TypeVar

from hybridsearch.analysis import Analyzer, fold
from hybridsearch.errors import QueryError
from hybridsearch.extraction import is_wanted
from hybridsearch.keyword import KeywordSnapshot
from hybridsearch.languages import COMPOUNDING, UNACCENTED
from hybridsearch.localized import Analyzers
from hybridsearch.query import Other, Phrase, Query, Word
from hybridsearch.synonyms import Synonyms
from hybridsearch.vocabulary import typos
from hybridsearch.word_forms import compounds_of, forms_of, written_otherwise
from hybridsearch.word_settings import TypoTolerance

__all__ = ["Speller"]

MOST = 16
"""Words that one word is taken for, at most."""
MOST_BEGUN = 300
"""Words that a beginning with a typo is taken for, at most: the most frequent."""
FACTORS = (0.95, 0.8, 0.6)
"""What a word counts that is 0 (but for accents), 1 or 2 typos away."""
BEHIND_PREFIX = 0.5
"""What is left of that where the word as typed is there, or is the beginning of another."""
BEGUN = 0.5
"""What a word counts of which the beginning is one typo away."""
JOINED = 0.8
LONGER = 0.8
"""What a word counts of which the beginning was asked for."""
MOST_MEANT = 1000
"""Words that one may stand for where all of them were asked for. More that are near are refused, of
more that begin so the most frequent are scored."""
SYNONYM = 0.9
SHORTEST_JOINED = 5
SHORTEST_PART = 3
"""Letters of each part of a word that is in the index; of one that is not, parts may have 2."""
MOST_TERMS = 50_000
"""Terms of an attribute that are looked at for those that begin in some way."""
SURELY_KNOWN = range(5, 39)
"""Letters of a word of which the vocabulary has whatever is one or two typos away."""
REMEMBERED = 1 << 14

_Others = tuple[Other, ...]
_Item = TypeVar("_Item", Word, Word | Phrase)


@dataclass(frozen=True)
class Speller:
    """How words are taken for others in one state of an index."""

    keyword: KeywordSnapshot
    analyzers: Analyzers
    tolerance: TypoTolerance = field(default_factory=TypoTolerance)
    synonyms: Synonyms = field(default_factory=lambda: Synonyms({}))
    _alike: dict[tuple[str, ...], _Others] = field(default_factory=dict, repr=False)
    _typos: dict[tuple[Hashable, ...], _Others] = field(default_factory=dict, repr=False)

    def spelled(
        self,
        query: Query,
        attributes: tuple[str, ...],
        *,
        most: int | None = None,
        lenient: bool = False,
        languages: tuple[str, ...] = (),
    ) -> Query:
        """The query, in which each word has what else it may mean in these attributes.

        most: typos a word may have at most; None takes what the tolerance says. lenient: words
        that are in the index are also taken for those near them, far behind. languages: of the
        query, in which its words have other forms where attributes are not stemmed.
        """
        others = self._meant(query.words) if self.synonyms else [()] * len(query.words)
        if self._accented or languages or self.analyzers.rules:
            alike = [self._made(word, attributes, languages) for word in query.words]
            others = [one + more for one, more in zip(others, alike, strict=True)]
        if self.tolerance.enabled and most != 0:
            mistyped = (self._mistyped(w, attributes, most, lenient) for w in query.words)
            joined = self._joined(query.words, attributes)
            others = [sum(three, ()) for three in zip(mistyped, joined, others, strict=True)]
        if any(others):
            query = self._with_others(query, others, attributes)
        if any(isinstance(item, Word) and item.loose for item in (*query.words, *query.excluded)):
            opened = partial(self._opened, attributes=attributes)
            words, excluded = map(opened, query.words), map(opened, query.excluded)
            return replace(query, words=tuple(words), excluded=tuple(excluded))
        return query

    def _with_others(
        self, query: Query, others: Sequence[_Others], attributes: tuple[str, ...]
    ) -> Query:
        exempt = self.tolerance.disable_on_attributes
        return replace(
            query,
            words=tuple(
                word._replace(others=other) if other else word
                for word, other in zip(query.words, others, strict=True)
            ),
            strict=frozenset(name for name in attributes if is_wanted(name, exempt)),
        )

    def is_silent(self, *, most: int | None = None, languages: tuple[str, ...] = ()) -> bool:
        """Whether `spelled` gives every query back as it is."""
        alike = self._accented or languages or self.analyzers.rules
        return not (self.synonyms or alike or (self.tolerance.enabled and most != 0))

    # What the query language asks for

    def _opened(self, item: _Item, *, attributes: tuple[str, ...]) -> _Item:
        """A word with all that begins so, or is near; with the letters alone where it is too much
        that begins so. Raises QueryError where too much is near."""
        loose = isinstance(item, Word) and item.loose
        return self._with_meant(item, attributes) if loose else item  # type: ignore[arg-type]  # a Word by then

    def _with_meant(self, item: Word, attributes: tuple[str, ...]) -> Word:
        if item.only is not None:
            attributes = tuple(name for name in attributes if is_wanted(name, (item.only,)))
        if item.begins and self._begins_many(item.begins, attributes):
            return item._replace(prefix=item.begins)
        ask = self._beginning if item.begins else self._apart
        meant = ask(item, attributes)
        found: dict[Hashable, Other] = {}
        for name in attributes:
            for other in self._of_words(meant, name, "prefix" if item.begins else "typo"):
                key = (other.terms, other.word) if self.analyzers.rules else other.terms
                found.setdefault(key, other)
        meaning = [other for other in found.values() if other.terms != (item.term,)]
        if item.begins and len(meaning) > MOST_MEANT:
            return item._replace(prefix=item.begins)
        _check_meant(item, len(meaning))
        return item._replace(others=(*item.others, *meaning))

    def _begins_many(self, start: str, attributes: Sequence[str]) -> bool:
        """Whether more words of an attribute begin so than one may stand for."""
        terms = self.keyword.statistics.beginning
        return any(terms(name, start, most=MOST_MEANT) is None for name in attributes)

    def _of_words(self, meant: Mapping[str, float], name: str, how: str) -> Iterator[Other]:
        """Those of the words that an attribute holds, as it has them."""
        analyzer, frequency = self.analyzers.of(name), self.keyword.statistics.frequency
        for word, factor in meant.items():
            term = analyzer.term(word)
            if frequency(term, (name,)):
                yield Other((term,), factor, how, word)

    def _beginning(self, word: Word, attributes: Sequence[str]) -> dict[str, float]:
        """The words that begin so, and what they count; the vocabulary has no numbers."""
        words = self.keyword.vocabulary.starting(word.begins, most=0)
        terms = self._terms(word, word.begins, attributes)
        return dict.fromkeys(chain((one for one, _ in words), terms), LONGER)

    def _apart(self, word: Word, attributes: Sequence[str]) -> dict[str, float]:
        """The words that are as many typos away, and what they count."""
        typed, most = word.typed, word.typos
        near = dict(self.keyword.vocabulary.near(typed, most=most))
        if not (typed.isalpha() and len(typed) in SURELY_KNOWN):
            for term in self._terms(word, typed[:1] if most == 1 else "", attributes):
                near.setdefault(term, typos(fold(typed), term, most=most))
        return {one: FACTORS[apart] for one, apart in near.items() if apart <= most}

    def _terms(self, word: Word, start: str, attributes: Sequence[str]) -> Iterator[str]:
        """Every term of the attributes that begins so."""
        for name in attributes:
            terms = self.keyword.statistics.beginning(name, start, most=MOST_TERMS)
            _check_meant(word, MOST_TERMS if terms is None else 0)
            yield from terms or ()

    @property
    def analyzer(self) -> Analyzer:
        """The usual analyser."""
        return self.analyzers.usual

    def _frequency(self, text: str, term: str, attributes: Sequence[str]) -> int:
        """How many documents have the word, whose usual term this is, in these attributes."""
        frequency = self.keyword.statistics.frequency
        if not self.analyzers.rules:
            return frequency(term, attributes)
        of = self.analyzers.of
        return sum(frequency(of(name).term(text) if text else term, (name,)) for name in attributes)

    # Forms and compounds

    @cached_property
    def _accented(self) -> bool:
        """Whether there are stemmers to which accents matter; all that join words are of these."""
        return any(one.language not in UNACCENTED for one in self.analyzers.all)

    @cached_property
    def _compounding(self) -> Analyzer | None:
        """The first of the analysers whose language writes several words as one."""
        return next((one for one in self.analyzers.all if one.language in COMPOUNDING), None)

    def _made(self, word: Word, attributes: tuple[str, ...], languages: tuple[str, ...]) -> _Others:
        """The other forms of a word, and what it is made of or makes."""
        key = (word.typed, *attributes, "", *languages)
        if key not in self._alike:
            if len(self._alike) >= REMEMBERED:
                self._alike.clear()
            self._alike[key] = self._alike_now(word, attributes, languages)
        return self._alike[key]

    def _alike_now(
        self, word: Word, attributes: tuple[str, ...], languages: tuple[str, ...]
    ) -> _Others:
        keyword = self.keyword
        found: _Others = ()
        if self._accented:
            known = self._frequency(word.typed, word.term, attributes) > 0
            found = written_otherwise(
                word, keyword=keyword, analyzers=self.analyzers.all, known=known
            )
        if languages or self.analyzers.rules:
            found += forms_of(
                word, attributes, keyword=keyword, analyzers=self.analyzers, languages=languages
            )
        if self._compounding is None:
            return found
        analyzer = self._compounding
        names = tuple(n for n in attributes if self.analyzers.of(n).language == analyzer.language)
        return found + compounds_of(word, names, keyword=keyword, analyzer=analyzer)

    # Synonyms

    def _meant(self, words: Sequence[Word]) -> list[_Others]:
        """The synonyms of each word, and of several words for each of them."""
        found: list[_Others] = [()] * len(words)
        for start, stop, texts in self.synonyms.among([word.term for word in words]):
            terms = [(tuple(self.analyzer.terms(text)), text) for text in texts]
            others = tuple(Other(some, SYNONYM, "synonym", text) for some, text in terms if some)
            for place in range(start, stop):
                found[place] += others
        return found

    # Words put together and taken apart

    def _joined(self, words: Sequence[Word], attributes: tuple[str, ...]) -> list[_Others]:
        """The words that neighbours make together, for both of them."""
        found: list[_Others] = [()] * len(words)
        for place, (one, two) in enumerate(pairwise(words)):
            whole = one.typed + two.typed
            if not (one.typed and two.typed) or len(whole) < SHORTEST_JOINED:
                continue
            term = self.analyzer.term(whole)
            if self._frequency(whole, term, attributes):
                other = Other((term,), JOINED, "joined", whole)
                found[place] += (other,)
                found[place + 1] += (other,)
        return found

    def _split(self, typed: str, attributes: Sequence[str], shortest: int) -> Iterator[Other]:
        """The two words side by side that the word may be, where a document has them so."""
        for end in range(shortest, len(typed) - shortest + 1):
            left = self.analyzer.term(typed[:end])
            if not left or not self._frequency(typed[:end], left, attributes):
                continue  # most beginnings of words are no words
            terms = (left, self.analyzer.term(typed[end:]))
            if terms[1] and self._holds((typed[:end], typed[end:]), terms, attributes):
                yield Other(terms, JOINED, "split", f"{typed[:end]} {typed[end:]}")

    def _holds(
        self, texts: tuple[str, str], terms: tuple[str, ...], attributes: Sequence[str]
    ) -> bool:
        """Whether any document has the two words side by side."""
        holds = self.keyword.statistics.holds
        if not self.analyzers.rules:
            return holds(terms, attributes)
        own = ((name, self.analyzers.of(name)) for name in attributes)
        return any(holds(tuple(map(one.term, texts)), (name,)) for name, one in own)

    # Typos

    def _mistyped(
        self, word: Word, attributes: tuple[str, ...], most: int | None, lenient: bool
    ) -> _Others:
        """The words that a word may have been mistyped for, or taken apart into."""
        key = (word, attributes, most, lenient)
        found = self._typos.get(key)
        if found is None:
            if len(self._typos) >= REMEMBERED:
                self._typos.clear()
            found = self._typos[key] = self._mistyped_now(*key)
        return found

    def _mistyped_now(
        self, word: Word, attributes: tuple[str, ...], most: int | None, lenient: bool
    ) -> _Others:
        if not word.typed.isalpha() and not any(map(str.isalpha, word.typed)):
            return ()
        if word.only is not None:
            attributes = tuple(name for name in attributes if is_wanted(name, (word.only,)))
        known = self._frequency(word.typed, word.term, attributes) > 0
        shortest = SHORTEST_PART if known else SHORTEST_PART - 1
        split = tuple(self._split(word.typed, attributes, shortest))
        typos = 0 if known and not lenient else self._allowed(word.typed, most)
        if not typos:
            return split
        begun = word.prefix and self.keyword.statistics.begins(word.prefix, attributes)
        return (*self._near(word, typos, attributes, behind=known or bool(begun)), *split)

    def _near(
        self, word: Word, typos: int, attributes: Sequence[str], *, behind: bool
    ) -> Iterator[Other]:
        """The words that are near and in the attributes, each term once, the likeliest first."""
        vocabulary = self.keyword.vocabulary
        factors = [factor * (BEHIND_PREFIX if behind else 1.0) for factor in FACTORS]
        near = [(w, factors[apart]) for w, apart in vocabulary.near(word.typed, most=typos)]
        found = self._there(word, near, attributes)[:MOST]
        if not found and word.prefix and not behind:
            near = [(w, BEGUN) for w, _ in vocabulary.starting(word.typed, most=1)]
            found = self._there(word, near, attributes)[:MOST_BEGUN]
        for factor, _, meant, term in found:
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
            (-factor, -self._frequency(meant, term, attributes), meant, term)
            for term, (factor, meant) in terms.items()
        ]
        return sorted(one for one in counted if one[1])

    def _allowed(self, typed: str, most: int | None) -> int:
        """How many typos the word may have."""
        if fold(typed) in _folded(self.tolerance.disable_on_words):
            return 0
        if self.tolerance.disable_on_numbers and any(map(str.isdigit, typed)):
            return 0
        sizes = (self.tolerance.one_typo, self.tolerance.two_typos)
        allowed = sum(len(typed) >= size for size in sizes)
        return allowed if most is None else min(allowed, most)


@lru_cache(maxsize=64)
def _folded(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(fold, words))


def _check_meant(word: Word, count: int) -> None:
    """Raise QueryError where a word of the query language stands for too many others."""
    if count > MOST_MEANT:
        raise QueryError(
            f'"{word.typed}~{word.typos}" stands for {count:,} words of this index or more, and'
            f" at most {MOST_MEANT:,} are looked for; give more letters",
            field="query",
        )
