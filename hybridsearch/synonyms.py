"""Which words stand for others because somebody said so?

`Synonyms` holds the setting of that name: a word, or several in order, and what else a query with
them also asks for. It is one way: {"phone": ["mobile"]} finds mobiles for "phone" and not the other
way round. Keys and synonyms go through the analyser, so case, accents and endings do not matter.

>>> synonyms = Synonyms.of({"New York": ["NYC", "the big apple"]}, Analyzer())
>>> [(found.start, found.stop, found.texts) for found in synonyms.among(["in", "new", "york"])]
[(1, 3, ('NYC', 'the big apple'))]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hybridsearch.analysis import Analyzer

__all__ = ["Found", "Synonyms"]


class Found(NamedTuple):
    """The words from start (inclusive) to stop (exclusive), and the texts that stand for them."""

    start: int
    stop: int
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Synonyms:
    """What stands for which terms; `by_first` has the keys by their first term."""

    by_first: Mapping[str, Sequence[tuple[tuple[str, ...], tuple[str, ...]]]]

    @classmethod
    def of(cls, given: Mapping[str, Sequence[str]], analyzer: Analyzer) -> Synonyms:
        """The synonyms of the setting; stop words in a key do not count, as in a query."""
        found: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
        for key, texts in given.items():
            terms = analyzer.terms(key)
            telling = tuple(t for t in terms if t not in analyzer.stop_words) or tuple(terms)
            if telling and texts:
                found.setdefault(telling[0], []).append((telling, tuple(texts)))
        return cls(found)

    def __bool__(self) -> bool:
        return bool(self.by_first)

    def among(self, terms: Sequence[str]) -> Iterator[Found]:
        """Each run of terms that something stands for."""
        for start, term in enumerate(terms):
            for key, texts in self.by_first.get(term, ()):
                stop = start + len(key)
                if tuple(terms[start:stop]) == key:
                    yield Found(start, stop, texts)
