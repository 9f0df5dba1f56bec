"""Which terms does a text hold?

One `Analyzer` answers for documents, queries, phrases and highlights alike, so all of them see
the same terms:

- letters and digits make words; everything else, emoji and punctuation too, separates them;
- case, accents, full-width and ligature forms are folded away, vowel signs that carry meaning stay;
- Han, Kana, Hangul, Thai, Lao, Khmer and Burmese runs become overlapping pairs of characters
  (a single character stays), because their words are not separated by spaces;
- with a language, words are stemmed by its Snowball stemmer.

No text makes it raise: lone surrogates, NUL and words of a megabyte are all plain input. A term
has at most 64 characters, none of them a space. Stop words are *indexed*: they only count as
dispensable in a query (`hybridsearch.query`), so phrases of them are found and changing the list
needs no new index.

>>> Analyzer().terms("Crème brûlée, 東京都!")
['creme', 'brulee', '東京', '京都']
>>> Analyzer("en").terms("The cities were running")
['the', 'citi', 'were', 'run']
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, islice
from operator import add
from threading import Lock

import Stemmer

from hybridsearch.folding import LONGEST_TERM, LONGEST_WRITTEN, UNSPACED, bare, fold, plain
from hybridsearch.languages import LANGUAGES, LISTED, UNACCENTED, language_code, stop_words
from hybridsearch.segmentation import (
    PLAIN_RULES,
    Token,
    WordRules,
    find,
    is_pair_script,
    pairs,
    settled,
    whole,
)

__all__ = [
    "ITEM",
    "LANGUAGES",
    "LONGEST_TERM",
    "LONGEST_WRITTEN",
    "Analyzer",
    "Token",
    "WordRules",
    "detect",
    "fold",
    "is_pair_script",
    "plain",
    "stop_words",
]

ITEM = "\x1e"
"""Stands between the items of a list, across which no phrase reaches; never part of a term."""
CACHED_WORDS = 1 << 16

_unspaced = re.compile(f"[{UNSPACED}]")
_find_ascii = re.compile(f"([a-z0-9]{{1,{LONGEST_TERM}}})[a-z0-9]*").findall


class _Words(dict[str, str]):
    """Surface word to term, filled when asked; forgets everything when it grows too large."""

    def __init__(self, term: Callable[[str], str]) -> None:
        self.term = term

    def __missing__(self, word: str) -> str:
        term = self.term(word)
        if len(word) <= LONGEST_TERM:
            if len(self) >= CACHED_WORDS:
                self.clear()
            self[word] = term
        return term


# Arabic "and" or "so" before an article, which its stemmer leaves; signs of vowels and stretching.
_and = re.compile("^[\u0648\u0641](?=(?:[\u0628\u0643]?\u0627\u0644|\u0644\u0644)..)")
_vowels = re.compile("[\u064b-\u0652\u0670]")
_persian = str.maketrans("\u064a\u0643", "\u06cc\u06a9")
_latin: dict[int, str] = {
    **dict(zip(map(ord, "абвгдежзијклмнопрстћуфхцчш"), "abvgdezzijklmnoprstcufhccs", strict=True)),
    **{0x452: "d", 0x459: "lj", 0x45A: "nj", 0x45F: "dz"},
}
_BEFORE: dict[str, Callable[[str], str]] = {
    "ar": lambda word: _and.sub("", _vowels.sub("", word)).replace("\u0649", "\u064a"),
    **{code: bare for code in UNACCENTED if code},
    "fa": lambda word: word.translate(_persian),
}
"""What is done to a plain word of a language before it is stemmed."""


def _stemmer(language: str) -> Callable[[str], str]:
    """A function from a surface word to its stem; a Snowball stemmer serves one thread a time."""
    stemmer, lock = Stemmer.Stemmer(LANGUAGES[language], 0), Lock()
    before = _BEFORE.get(language, str)

    def term(word: str) -> str:
        full = before(plain(word[:LONGEST_WRITTEN])[:LONGEST_TERM])
        with lock:
            stem: str = stemmer.stemWord(full)
        return bare(stem)[:LONGEST_TERM]

    return term


def _under(rules: WordRules, term: Callable[[str], str]) -> Callable[[str], str]:
    """The same function for words that the rules keep whole or join, which are not stemmed."""

    def ruled(word: str) -> str:
        if rules.is_whole(word):
            return whole(word)
        parts = rules.parts(word)
        if len(parts) == 1:
            return term(word)
        ends = [whole(part) if at % 2 else fold(part) for at, part in enumerate(parts)]
        return "".join(ends)[:LONGEST_TERM]

    return ruled


@lru_cache(maxsize=64)
def _words(language: str | None, rules: WordRules = PLAIN_RULES) -> _Words:
    term = fold if language is None else _stemmer(language)
    return _Words(_under(rules, term) if rules else term)


@dataclass(frozen=True)
class Analyzer:
    """Text to terms.

    language: two letters of `LANGUAGES`, or its English name; None stems nothing.
    stop_words: words that a query can do without. rules: what else separates and joins words.
    Raises SettingsError for a language that has no stemmer.
    """

    language: str | None = None
    stop_words: frozenset[str] = frozenset()
    rules: WordRules = PLAIN_RULES
    _cache: _Words = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        code = language_code(self.language)
        object.__setattr__(self, "language", code)
        object.__setattr__(self, "stop_words", frozenset(map(self.folded, self.stop_words)))
        object.__setattr__(self, "_cache", _words(code, self.rules))

    def terms(self, text: str) -> list[str]:
        """The terms of a text in reading order, repeats kept."""
        return self.read(text)[1]

    def read(self, text: str) -> tuple[list[str], list[str]]:
        """(words, terms) of a text in reading order: the words as they stand, and `terms`.

        A run of a script without spaces is one word; a word of the dictionary with spaces is none.
        """
        if self.rules:
            return self._read_by_rules(text)
        if text.isascii() and not self._dotless(text):
            words = _find_ascii(text.lower())
            return words, self._each(words)
        text = self._cased(text)
        words = find(text)
        if _unspaced.search(text):
            return words, list(chain.from_iterable(map(self._read, words)))
        return words, list(filter(None, map(self._cache.__getitem__, words)))

    def _read_by_rules(self, text: str) -> tuple[list[str], list[str]]:
        words = [match.group() for match in self.rules.walk(self._cased(text))]
        terms = [token.term for token in self._tokens(text)]
        return [word for word in words if len(word.split()) == 1], terms

    def _dotless(self, text: str) -> bool:
        """Whether the text has a Turkish capital that is no capital of "i"."""
        return self.language == "tr" and "I" in text

    def _cased(self, text: str) -> str:
        """The text, of the same length, in which no capital is another language's."""
        return text.replace("I", "\u0131") if self.language == "tr" else text

    def _each(self, words: list[str]) -> list[str]:
        return words if self.language is None else list(map(self._cache.__getitem__, words))

    def text(self, text: str) -> str:
        """The terms joined by single spaces: what the keyword index takes."""
        return " ".join(self.terms(text))

    def term(self, word: str) -> str:
        """The term of one word of a script with spaces; "" if no letter is left of it."""
        return self._cache[word]

    def folded(self, word: str) -> str:
        """The word without case and accents, not stemmed, in the letters that terms have."""
        found = _words(None, self.rules)[word]
        return found.translate(_latin) if self.language == "sr" else found

    def tokens(self, text: str) -> list[Token]:
        """The terms with their places in the text; the same terms, in the same order."""
        return list(self._tokens(text))

    def _read(self, found: str) -> Iterable[str]:
        """The terms of one word, or of one run of a script without spaces."""
        if not _unspaced.match(found):
            return filter(None, (self._cache[found],))
        if len(found) > 1 and settled(found):
            return map(add, found, islice(found, 1, None))
        return (token.term for token in pairs(found, 0))

    def _tokens(self, text: str) -> Iterator[Token]:
        cache, is_whole = self._cache, self.rules.is_whole
        for match in self.rules.walk(self._cased(text)):
            word = match.group()
            if _unspaced.match(word) and not is_whole(word):
                yield from pairs(word, match.start())
            elif term := cache[word.lower() if word.isascii() else word]:
                yield Token(term, match.start(), match.end())


def detect(
    texts: Iterable[str], *, among: Collection[str] = LISTED, words: int = 20_000
) -> str | None:
    """The language most of these texts are written in, as two letters, or None when unsure.

    Reads at most `words` words. Sure means: at least 20 words, at least one in ten a function
    word of the language, and a quarter more of them than for any other of the languages `among`
    which to choose.

    >>> detect(["The cat sat on the mat and it was happy with that. " * 3])
    'en'
    >>> detect(["Lorem 123"]) is None
    True
    """
    analyzer = Analyzer()
    sample = Counter(islice(chain.from_iterable(map(analyzer.terms, texts)), words))
    total = sum(sample.values())
    hits = {code: sum(sample[word] for word in stop_words(code)) for code in among}
    (first, most), (_, second) = Counter({"": 0, " ": 0, **hits}).most_common(2)
    sure = total >= 20 and most >= 0.1 * total and most >= 1.25 * second
    return first if sure else None
