"""Where does a text fall into words?

Letters and digits make words; everything else, emoji and punctuation too, separates them. A run of
a script that puts no spaces between words is one piece; its terms are its overlapping pairs of
characters. `WordRules` changes that for one index:

- separators: texts that separate words wherever they stand;
- joiners: texts that are part of the word they touch, so that "C++" is not "C";
- dictionary: words that are kept whole, whatever they consist of, in any case.

>>> [found.group() for found in WordRules().walk("re-use C++ 東京")]
['re', 'use', 'C', '東京']
>>> rules = WordRules(joiners=("+",), dictionary=("J. R. R.",))
>>> [found.group() for found in rules.walk("J. R. R. uses C++")]
['J. R. R.', 'uses', 'C++']
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import count, islice, pairwise
from operator import add
from typing import NamedTuple

from hybridsearch.folding import IGNORED, JOINTS, LONGEST_TERM, MARKS, UNSPACED, bare, plain

__all__ = ["PLAIN_RULES", "Token", "WordRules", "find", "is_pair_script", "pairs", "settled"]

_LETTER = f"[^\\W_{UNSPACED}]"
_RUN = f"[{UNSPACED}][{UNSPACED}{IGNORED}]*"
_WORD = f"{_LETTER}+(?:(?:[{MARKS}{IGNORED}]+|{JOINTS}){_LETTER}*)*"
_plain = re.compile(f"{_RUN}|{_WORD}")
find = _plain.findall
"""The words of a text, and its runs without spaces, as they stand."""
_unspaced = re.compile(f"[{UNSPACED}]").match
# What people see as one character: a Hangul syllable from its letters, a base with its marks.
_cluster = re.compile(
    "[\u1100-\u115f][\u1160-\u11a7]?[\u11a8-\u11ff]?"
    "|[\u0e48-\u0e4b]?(?:\u0e33|\u0e4d[\u0e48-\u0e4b]?\u0e32)"
    "|[\u0ec8-\u0ecb]?(?:\u0eb3|\u0ecd[\u0ec8-\u0ecb]?\u0eb2)"
    f"|.[\u3099\u309a\uff9e\uff9f{IGNORED}]*",
    re.DOTALL,
).finditer
settled = re.compile(
    "[\u0e01-\u0e32\u0e34-\u0e3a\u0e40-\u0e4c\u3005-\u3007\u3041-\u3096\u30a1-\u30fa\u30fc-\u30fe"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]+"
).fullmatch
"""Whether each character of a run is its own folded form, and one letter."""
_blank = re.compile(r"[\s\x00-\x1f\x7f]+")


class Token(NamedTuple):
    """A term and where it stands: characters `start` (inclusive) to `end` (exclusive)."""

    term: str
    start: int
    end: int


def is_pair_script(term: str) -> bool:
    """Whether the term belongs to a script that is indexed as pairs of characters."""
    return bool(_unspaced(term))


@lru_cache(maxsize=1 << 14)
def _letter(cluster: str) -> str:
    return bare(plain(cluster))


def pairs(run: str, start: int) -> Iterator[Token]:
    """Overlapping pairs of the characters of a run that starts at `start`."""
    if len(run) > 1 and settled(run):
        ends = count(start + 2)
        yield from map(Token, map(add, run, islice(run, 1, None)), count(start), ends)
        return
    folded = [(_letter(m.group()), m.start(), m.end()) for m in _cluster(run)]
    letters = [letter for letter in folded if letter[0]]
    if len(letters) == 1:
        yield Token(letters[0][0], start + letters[0][1], start + letters[0][2])
    for (a, begin, _), (b, _, end) in pairwise(letters):
        yield Token((a + b)[:LONGEST_TERM], start + begin, start + end)


def whole(text: str) -> str:
    """The text as one term, with its punctuation: case and accents folded, "_" for blanks.

    >>> whole("J. R. R."), whole("Côte d'Ivoire")
    ('j._r._r.', "cote_d'ivoire")
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    pieces = re.split(r"([^\w]|_)", _blank.sub("_", folded))
    return "".join(bare(piece) or piece for piece in pieces)[:LONGEST_TERM]


@dataclass(frozen=True)
class WordRules:
    """What separates and what joins in one index; see the module. All texts, none empty."""

    separators: tuple[str, ...] = ()
    joiners: tuple[str, ...] = ()
    dictionary: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.separators or self.joiners or self.dictionary)

    def walk(self, text: str) -> Iterator[re.Match[str]]:
        """Each word and each run without spaces of a text, in reading order."""
        found = self._pattern.finditer(text)
        return (match for match in found if match.lastgroup != "none") if self else found

    def is_whole(self, word: str) -> bool:
        """Whether the word is one of the dictionary."""
        return bool(self.dictionary) and self._kept.fullmatch(word) is not None

    def parts(self, word: str) -> list[str]:
        """The word between its joiners, these included; the word alone where it has none."""
        return self._joined.split(word) if self.joiners else [word]

    @cached_property
    def _kept(self) -> re.Pattern[str]:
        return re.compile(_dictionary(self.dictionary), re.IGNORECASE)

    @cached_property
    def _joined(self) -> re.Pattern[str]:
        return re.compile(f"({_either(self.joiners)})")

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        if not self:
            return _plain
        kept = f"(?i:{_dictionary(self.dictionary)})"
        cut = f"(?!{_either(self.separators)}|{kept})"
        letter = f"(?:{cut}{_LETTER})"
        glue = f"(?:{cut}(?:{_either(self.joiners)}))"
        inside = f"(?:{letter}|{glue}|{cut}(?:[{MARKS}{IGNORED}]|{JOINTS}))"
        run = f"(?:{cut}[{UNSPACED}])(?:{cut}[{UNSPACED}{IGNORED}])*"
        none = f"(?P<none>{_either(self.separators)}|{glue}++(?!{letter}))"
        return re.compile(f"{kept}|{none}|{run}|{glue}*+{letter}{inside}*+")


PLAIN_RULES = WordRules()


def _either(texts: Iterable[str]) -> str:
    """A pattern of any of the texts, the longest first; without texts one that never matches."""
    forms = {form for text in texts for form in (text, _composed(text), _decomposed(text))}
    return "|".join(map(re.escape, sorted(forms, key=lambda form: (-len(form), form)))) or "(?!)"


def _dictionary(words: Sequence[str]) -> str:
    """A pattern of any of the words, which does not begin or end inside another word."""
    forms = {form for word in words for form in (word, _composed(word), _decomposed(word))}
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return "|".join(map(_bounded, ordered)) or "(?!)"


def _bounded(word: str) -> str:
    pattern = r"\s+".join(map(re.escape, word.split()))
    before = f"(?<!{_LETTER})" if _spaced(word[0]) else ""
    after = f"(?!{_LETTER}|[{MARKS}])" if _spaced(word[-1]) else ""
    return f"{before}{pattern}{after}"


def _spaced(letter: str) -> bool:
    return letter.isalnum() and not _unspaced(letter)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)
