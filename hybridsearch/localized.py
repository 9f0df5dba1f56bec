"""By which analyser is each attribute read, where one index holds several languages?

`Analyzers` has the index's usual analyser and those of attributes whose language was set by the
setting `localizedAttributes`. An attribute for which one language with a stemmer is named is
stemmed by it. One for which several are named is not stemmed, since each document may be in any of
them: its words are found in their other forms when they are asked for (`hybridsearch.spelling`).

>>> both = Analyzers(Analyzer("en"), (Rule(("*_fr",), Analyzer("fr"), ("fr",)),))
>>> both.of("title_fr").terms("chevaux"), both.of("title").terms("horses")
(['cheval'], ['hors'])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hybridsearch.analysis import Analyzer
from hybridsearch.filterable import fits
from hybridsearch.languages import LANGUAGES, locale_of

__all__ = ["Analyzers", "Rule", "read_localized"]


@dataclass(frozen=True)
class Rule:
    """Attributes, by names and patterns, with their analyser and the languages named for them."""

    patterns: tuple[str, ...]
    analyzer: Analyzer
    languages: tuple[str, ...]


@dataclass(frozen=True)
class Analyzers:
    """The analysers of one index; the first rule whose patterns an attribute fits decides."""

    usual: Analyzer
    rules: tuple[Rule, ...] = ()
    _found: dict[str, Rule] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, attribute: str) -> Analyzer:
        """The analyser of an attribute; nested ones are named with dots."""
        return self._rule(attribute).analyzer if self.rules else self.usual

    def languages(self, attribute: str) -> tuple[str, ...]:
        """The languages in which words of an attribute are not stemmed but may be; else none."""
        if not self.rules:
            return ()
        rule = self._rule(attribute)
        return () if rule.analyzer.language else rule.languages

    @property
    def all(self) -> tuple[Analyzer, ...]:
        """Every analyser, the usual one first, each once."""
        return tuple(dict.fromkeys([self.usual, *(rule.analyzer for rule in self.rules)]))

    def with_stop_words(self, words: frozenset[str]) -> Analyzers:
        """The same, where a query can do without these words."""
        return replace(self, usual=replace(self.usual, stop_words=words))

    def _rule(self, attribute: str) -> Rule:
        rule = self._found.get(attribute)
        if rule is None:
            usual = Rule(("*",), self.usual, ())
            of_it = (r for r in self.rules if any(fits(attribute, p) for p in r.patterns))
            rule = self._found[attribute] = next(of_it, usual)
        return rule


def read_localized(setting: Sequence[Mapping[str, Any]] | None) -> list[list[list[str]]]:
    """(patterns, languages with a stemmer) of each rule of the setting that names a language.

    >>> read_localized([{"attributePatterns": ["*_ja"], "locales": ["jpn", "eng"]}])
    [[['*_ja'], ['en']]]
    """
    return [
        [list(rule["attributePatterns"]), _stemmed(rule["locales"])]
        for rule in setting or ()
        if rule["locales"]
    ]


def _stemmed(locales: Sequence[str]) -> list[str]:
    codes = dict.fromkeys(map(locale_of, locales))
    return [code for code in codes if code is not None and code in LANGUAGES]
