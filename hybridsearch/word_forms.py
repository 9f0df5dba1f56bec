"""Which other words of an index are forms of a word, or are made of it?

- forms: where an attribute is not stemmed but its languages, or those of the query, are known, the
  words of the index that have the same stem in one of them: "cities" for "city";
- the same word with other accents, where a stemmer takes the two apart: "préférés" for "preferes";
- compounds, in languages that write several words as one (German, Dutch, Danish, Norwegian,
  Swedish): the words of the index that a compound is made of, or if there is more to it, those
  that it ends and begins with; and the compounds that a word ends or begins. What a compound ends
  with says what it is, so fewer letters will do there.

Nothing of this is in the index: it holds words as they stand, and these are found when they are
asked for, in the vocabulary. So phrases stay exact, and highlights mark what was found.

>>> known = {"rindfleisch", "etikett", "fleisch", "arbeit", "zimmer"}.__contains__
>>> parts("rindfleischetikett", known), parts("arbeitszimmer", known), parts("zimmermann", known)
(['rindfleisch', 'etikett'], ['arbeit', 'zimmer'], [])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice

from hybridsearch.analysis import Analyzer, WordRules, fold
from hybridsearch.keyword import KeywordSnapshot
from hybridsearch.localized import Analyzers
from hybridsearch.query import Other, Word

__all__ = ["compounds_of", "forms_of", "parts", "written_otherwise"]

FORM = 0.95
"""What another form of a word counts."""
ACCENTED = 0.8
"""What a word counts that has other accents than what was typed."""
PART = 0.5
"""What a word of a compound counts where no document holds the compound, and a compound itself."""
BEHIND = 0.6
"""What is left of that where the word as typed is there."""
MOST = 16
SHORTEST_PART = 4
SHORTEST_END, SHORTEST_START = 6, 8
"""Letters of a word at the end and at the start of a compound of which the rest is unknown."""
LINKS = ("", "s", "es", "n", "en", "er", "e")
"""Letters between the words of a compound; what is longer is tried last."""
SHORTEST_STEM = 3
MOST_BEGINNING = 1000


def forms_of(
    word: Word,
    attributes: Iterable[str],
    *,
    keyword: KeywordSnapshot,
    analyzers: Analyzers,
    languages: tuple[str, ...],
) -> tuple[Other, ...]:
    """The other forms of a word in the attributes that are not stemmed, the most frequent first.

    languages: of the query, where they were told; else those of each attribute are taken.
    """
    by_language: dict[str, list[str]] = {}
    for name in attributes if word.typed else ():
        if analyzers.of(name).language is None:
            for code in languages or analyzers.languages(name):
                by_language.setdefault(code, []).append(name)
    found: dict[str, int] = {}
    for code, names in by_language.items():
        analyzer = _analyzer(code, analyzers.usual.rules)
        found.update(_with_stem(word, names, keyword, analyzer))
    ordered = sorted(found, key=lambda term: (-found[term], term))[:MOST]
    return tuple(Other((term,), FORM, "form", term) for term in ordered)


@lru_cache(maxsize=64)
def _analyzer(code: str, rules: WordRules) -> Analyzer:
    return Analyzer(code, rules=rules)


def _with_stem(
    word: Word, attributes: list[str], keyword: KeywordSnapshot, analyzer: Analyzer
) -> Iterator[tuple[str, int]]:
    """(term, frequency) of the terms in these attributes that have the stem of the word."""
    own = analyzer.folded(word.typed)
    stems = {analyzer.term(word.typed), analyzer.term(own)}
    shortest = min(map(len, stems))
    start = own[: max(SHORTEST_STEM, shortest - 2)]
    for term, _ in keyword.terms(start, limit=MOST_BEGINNING):
        count = keyword.frequency(term, attributes) if analyzer.term(term) in stems else 0
        if count and term != own:
            yield term, count


def written_otherwise(
    word: Word, *, keyword: KeywordSnapshot, analyzers: Sequence[Analyzer], known: bool
) -> tuple[Other, ...]:
    """The words of the index that differ from a word in accents alone, and so have other stems.

    known: whether the index has the word; one that is typed with its accents then means itself.
    """
    if not word.typed or (known and fold(word.typed) != word.typed):
        return ()
    stems = [(analyzer, analyzer.term(word.typed)) for analyzer in analyzers]
    near = keyword.vocabulary.near(word.typed, most=0)
    found = [other for other, _ in near if any(a.term(other) != stem for a, stem in stems)]
    return tuple(
        Other((analyzers[0].term(other),), ACCENTED, "form", other) for other in found[:MOST]
    )


def compounds_of(
    word: Word, attributes: tuple[str, ...], *, keyword: KeywordSnapshot, analyzer: Analyzer
) -> tuple[Other, ...]:
    """The words that a compound is made of, and the compounds that are made of a word."""
    typed = word.typed
    if len(typed) < SHORTEST_PART or not typed.isalpha():
        return ()

    def known(part: str) -> bool:
        return keyword.frequency(analyzer.term(part), attributes) > 0

    there = known(typed)
    factor = PART * (BEHIND if there else 1.0)
    made_of = parts(typed, lambda part: part != typed and known(part))
    if not made_of:
        made_of = [*_at_the_end(typed, known), *_at_the_start(typed, known)]
    longer = [
        whole
        for whole in keyword.vocabulary.bordered(typed)
        if _is_made_with(whole, typed, known) and known(whole)
    ]
    own = {word.term}
    counts: dict[str, tuple[int, str]] = {}
    for meant in (*made_of, *longer):
        term = analyzer.term(meant)
        if term not in own:
            counts.setdefault(term, (keyword.frequency(term, attributes), meant))
    ordered = sorted(counts.items(), key=lambda item: (-item[1][0], item[0]))[:MOST]
    return tuple(Other((term,), factor, "compound", meant) for term, (_, meant) in ordered)


def _at_the_end(compound: str, known: Callable[[str], bool]) -> list[str]:
    """The longest word that it ends with, as a list of one, or none."""
    starts = range(SHORTEST_PART, len(compound) - SHORTEST_END + 1)
    return list(islice(filter(known, (compound[start:] for start in starts)), 1))


def _at_the_start(compound: str, known: Callable[[str], bool]) -> list[str]:
    """The longest word that it begins with, as a list of one, or none."""
    ends = range(len(compound) - SHORTEST_PART, SHORTEST_START - 1, -1)
    return list(islice(filter(known, (compound[:end] for end in ends)), 1))


def _is_made_with(whole: str, word: str, known: Callable[[str], bool]) -> bool:
    """Whether a longer word is a compound of a word that it begins or ends with."""
    ends = whole.endswith(word)
    rest = whole.removesuffix(word) if ends else whole.removeprefix(word)
    shortest = SHORTEST_END if ends else SHORTEST_START
    if len(word) >= shortest and len(rest) >= SHORTEST_PART:
        return True
    others = _without_link(rest) if ends else _behind_link(rest)
    return any(parts(other, known) for other in others)


def _behind_link(rest: str) -> Iterator[str]:
    """What stands behind a word in a compound, without the letters that link them, if any."""
    return (rest.removeprefix(link) for link in LINKS if rest.startswith(link))


def _without_link(rest: str) -> Iterator[str]:
    """What stands before a word in a compound, without the letters that link them, if any."""
    return (rest.removesuffix(link) for link in LINKS if rest.endswith(link))


def parts(compound: str, known: Callable[[str], bool]) -> list[str]:
    """The words that a compound consists of, with the longest first word; itself if it is one.

    Empty where it cannot be taken apart into words of four letters and more. `known` says what is
    a word; letters that link two of them belong to neither.
    """
    memory: dict[str, list[str]] = {}
    return _parts(compound, known, memory)


def _parts(rest: str, known: Callable[[str], bool], memory: dict[str, list[str]]) -> list[str]:
    if rest not in memory:
        memory[rest] = []
        memory[rest] = next(_splits(rest, known, memory), [])
    return memory[rest]


def _splits(
    rest: str, known: Callable[[str], bool], memory: dict[str, list[str]]
) -> Iterator[list[str]]:
    if len(rest) >= SHORTEST_PART and known(rest):
        yield [rest]
    for end in range(len(rest) - SHORTEST_PART, SHORTEST_PART - 1, -1):
        if not known(rest[:end]):
            continue
        for link in LINKS:
            if rest[end:].startswith(link):
                others = _parts(rest[end + len(link) :], known, memory)
                if others:
                    yield [rest[:end], *others]
