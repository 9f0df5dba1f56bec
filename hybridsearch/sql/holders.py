"""Which rows of an index hold what a search operator asks for?

An operator reads every row of a table; an index over that table knows the rows at once, as long as
its copy is what the table is. `Holders` answers only then: a statement gives a print of keys and
texts as its own transaction sees them, and where the copy's print is another one the answer is
null, upon which the statement reads the rows itself. So what is not committed, or not yet in the
index, or in another table of that name, can never give a wrong row.

    holders.lists(uids, attributes, tests, texts, slops, prints)    # Arrow: a list of ids, or null

What an index cannot tell exactly (stems, words with typos, loose phrases) is asked of it loosely,
and the texts of the copy are then read with `matching`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from hybridsearch.analysis import Analyzer, is_pair_script
from hybridsearch.arrays import Rows, no_rows
from hybridsearch.errors import HybridSearchError
from hybridsearch.jsontext import loads
from hybridsearch.query import Other, Phrase, Query, Word
from hybridsearch.snapshot import Snapshot
from hybridsearch.sql.asking import Searchable
from hybridsearch.sql.matching import (
    PLAIN,
    Answers,
    Wanted,
    holds_all,
    holds_any,
    holds_asked,
    holds_phrase,
    holds_term,
    wanted,
)
from hybridsearch.sql.whole_rows import holds_attributes, named_parts
from hybridsearch.state import State
from hybridsearch.vocabulary import telling, typos

__all__ = [
    "NAMED",
    "TEXT",
    "WHOLE",
    "Asked",
    "Holders",
    "print_of",
    "rows_holding",
    "whole_rows_holding",
]

MOST_TERMS = 50_000
"""So many terms are looked through for those that begin in some way, or are near a word."""
MOST_READ = 20_000
"""So many texts are read again; for more the statement can as well read its own."""
KEPT_PRINTS = 64
NAMED, WHOLE = "named", "whole"
"""Tests of a whole row: the attributes are a JSON list; of WHOLE they are all the texts it has."""
LONGEST_SURE = 20
"""Letters of a word of which the index surely has kept every way to write it."""


class Asked(NamedTuple):
    """What a test asks: its kind as `matching` has it, its texts, and the slop of a phrase."""

    test: str
    texts: tuple[str, ...]
    slop: int = 0


TEXT = "VARCHAR"


class Find(Protocol):
    """Gives the index of a name, brought up to its source first if that is asked."""

    def __call__(self, uid: str | None, *, current: bool = False) -> Searchable: ...


class _Loose(NamedTuple):
    """A query that finds at least what is asked for; exact: and nothing else."""

    query: Query
    match: str
    exact: bool


class Holders:
    """Answers for the indexes that `find` gives; any thread may ask."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._prints: dict[tuple[str, ...], tuple[int, str]] = {}

    def lists(self, *columns: pa.ChunkedArray) -> pa.Array:
        """For each call the ids that hold what it asks, as texts, or null where it is not known.

        columns: index, attribute, kind of the test, its texts, slop, print.
        """
        calls = zip(*(column.to_pylist() for column in columns), strict=True)
        found = [self._ids(*call) for call in calls]
        ids = [pa.array([], pa.string()) if each is None else each for each in found]
        ends = pa.array(np.cumsum([0, *map(len, ids)]), pa.int32())
        absent = pa.array([each is None for each in found], pa.bool_())
        return pa.ListArray.from_arrays(
            ends, pa.concat_arrays([pa.array([], pa.string()), *ids]), mask=absent
        )

    def _ids(
        self,
        uid: str,
        attribute: str,
        test: str,
        texts: Sequence[str | None] | None,
        slop: int | None,
        seen: str,
    ) -> pa.Array | None:
        names = loads(attribute) if test in (NAMED, WHOLE) else [attribute]
        same = self._same(uid, names, seen)
        if same is None:
            return None
        engine, snapshot = same
        given = tuple(text for text in texts or () if text is not None)
        if test in (NAMED, WHOLE):
            rows = whole_rows_holding(snapshot, names, given, whole=test == WHOLE)
        else:
            rows = rows_holding(snapshot, attribute, Asked(test, given, slop or 0))
        if rows is None:
            return None
        return engine.row_ids.of(rows).cast(pa.string())

    def _same(
        self, uid: str, names: Sequence[str], seen: str
    ) -> tuple[Searchable, Snapshot] | None:
        """The index whose copy has this print, brought up to its source if need be."""
        try:
            for current in (False, True):
                engine = self._find(uid, current=current)
                snapshot = engine.snapshot
                if self._print(engine, snapshot.state, names) == seen:
                    return engine, snapshot
        except HybridSearchError:  # it is gone or cannot be read: then it knows nothing
            return None
        return None

    def _print(self, engine: Searchable, state: State, names: Sequence[str]) -> str | None:
        """The print of the copy in that state."""
        columns = [state.columns.get(name) for name in names]
        written = [column.name for column in columns if column and column.type == TEXT]
        if len(written) < len(names):
            return None
        place = engine.documents.table, *names
        known = self._prints.get(place)
        if known is None or known[0] != state.task:
            key = state.columns.get(state.primary_key or "")
            kind = engine.row_ids.kind if engine.record.attached or key is None else key.type
            row = print_of(f"TRY_CAST(id AS {kind})", *written)
            made = str(engine.documents.total(row, stamp=state.task))
            if len(self._prints) >= KEPT_PRINTS:
                self._prints.clear()
            known = self._prints[place] = state.task, made
        return known[1]


def print_of(key: str, *columns: str) -> str:
    """An aggregate that tells rows with other keys or other values of the columns apart.

    It is a text: how many rows there are, and the sum of their hashes, in whatever order.
    """
    return f"count(*) || ':' || coalesce(sum(hash({', '.join([key, *columns])})), 0)"


def rows_holding(snapshot: Snapshot, attribute: str, asked: Asked) -> Rows | None:
    """The rows whose attribute holds what is asked, int64 ascending; None if that costs too much.

    Exactly those for which the operator would be true.
    """
    keyword = snapshot.state.keyword
    loose = _loose(snapshot.state, attribute, asked)
    if loose is None:
        return None
    if attribute not in keyword.attributes or not (loose.query.words or loose.query.phrases):
        return no_rows()[0]
    rows = keyword.matches(loose.query, weights={attribute: 1.0}, match=loose.match)
    if loose.exact:
        return rows
    return _read_again(snapshot, attribute, asked, rows) if len(rows) <= MOST_READ else None


def whole_rows_holding(
    snapshot: Snapshot, names: Sequence[str], texts: Sequence[str], *, whole: bool
) -> Rows | None:
    """The rows of which `row @@@ text` is true, int64 ascending; None if that is not known.

    names: the attributes that are known; whole: the row has no other texts.
    """
    parts = named_parts(texts[0]) if texts else ()
    if not parts:
        return no_rows()[0]
    known = {name.lower(): name for name in names}
    found: Rows | None = None
    for part in parts:
        if part.name not in known and (part.name is not None or not whole):
            return None
        where = list(names) if part.name is None else [known[part.name]]
        rows = _may_hold(snapshot.state, where, part.query)
        if rows is not None:
            found = rows if found is None else np.intersect1d(found, rows, assume_unique=True)
    if found is None or len(found) > MOST_READ:
        return None
    bodies = map(loads, snapshot.bodies(found))
    answers = [
        holds_attributes({name: body.get(name) for name in names}, texts[0]) for body in bodies
    ]
    chosen: Rows = found[np.array(answers, bool)]
    return chosen


def _may_hold(state: State, names: Sequence[str], query: str) -> Rows | None:
    """Rows that are all that hold a part between these attributes; None where any row may."""
    readings = {state.analyzers.of(name) for name in names}
    asked = Asked("asked", (query,))
    want = _wanted(asked)
    if len(readings) > 1 or not (want.words or want.phrases or len(names) == 1):
        return None
    loose = _loose(state, names[0], asked)
    if loose is None or want.empty:
        return None
    there = {name: 1.0 for name in names if name in state.keyword.attributes}
    if not there or not (loose.query.words or loose.query.phrases):
        return no_rows()[0]
    return state.keyword.matches(loose.query, weights=there, match=loose.match)


def _read_again(snapshot: Snapshot, attribute: str, asked: Asked, rows: Rows) -> Rows:
    """Those of the rows for which the test is true."""
    texts = [loads(body).get(attribute) for body in snapshot.bodies(rows)]
    if asked.test == "term":
        answers = holds_term(texts, [asked.texts] * len(texts))
    else:
        queries = [asked.texts[0]] * len(texts)
        answers = _TESTS[asked.test](texts, queries, asked.slop)
    chosen: Rows = rows[np.array([answer is True for answer in answers], bool)]
    return chosen


_TESTS: dict[str, Callable[[Sequence[str | None], Sequence[str | None], int], Answers]] = {
    "asked": lambda texts, queries, _: holds_asked(texts, queries),
    "any": lambda texts, queries, _: holds_any(texts, queries),
    "all": lambda texts, queries, _: holds_all(texts, queries),
    "phrase": lambda texts, queries, slop: holds_phrase(texts, queries, [slop] * len(texts)),
}


# What the index is asked


def _loose(state: State, attribute: str, asked: Asked) -> _Loose | None:
    """What finds every row that the test is true of; None where nothing does that is cheap."""
    analyzer = state.analyzers.of(attribute)
    if analyzer.rules:  # other words than those that the operators read
        return None
    want = _wanted(asked)
    if analyzer.language:
        return _stemmed(want, asked.test, _Stems(state, analyzer))
    if want.empty:
        return _Loose(Query(), "all", True)
    if want.words or want.phrases:
        return _folded(want, asked.test)
    terms = _standing(state, attribute, want)
    return None if terms is None else _Loose(_words(terms), "any", False)


def _wanted(asked: Asked) -> Wanted:
    """What a text must hold, of which any or all: folded words, not stemmed."""
    if asked.test == "term":
        return Wanted(frozenset(asked.texts))
    text = asked.texts[0] if asked.texts else ""
    if asked.test == "asked":
        return wanted(text, PLAIN)
    terms = tuple(PLAIN.terms(text))
    if asked.test == "phrase" and terms:
        return Wanted(frozenset(), (Phrase(terms, asked.slop),))
    return Wanted(frozenset(terms))


def _folded(want: Wanted, test: str) -> _Loose:
    """Words and phrases, where the index has the terms that the operators read."""
    strict = tuple(phrase for phrase in want.phrases if not phrase.slop)
    loose = {term for phrase in want.phrases if phrase.slop for term in phrase.terms}
    query = Query(_words(sorted(want.words | loose)).words, strict)
    open_ended = want.beginnings or want.near or want.without or loose
    return _Loose(query, _match(test), not open_ended)


def _match(test: str) -> str:
    return "any" if test in ("term", "any") else "all"


def _words(terms: Iterable[str]) -> Query:
    return Query(words=tuple(map(Word, dict.fromkeys(terms))))


class _Stems(NamedTuple):
    """The stems that a folded word may have in an index, whatever its accents there."""

    state: State
    analyzer: Analyzer

    def word(self, term: str) -> Word | None:
        """The word with its stems; None where they are not known."""
        own = self.analyzer.term(term) or term
        if is_pair_script(term) or term.isdecimal() or " " in term:
            return Word(term)
        if not telling([term]) or len(term) > LONGEST_SURE:
            return None
        near = self.state.keyword.vocabulary.near(term, most=0)
        stems = dict.fromkeys(self.analyzer.term(word) for word, _ in near)
        others = (Other((stem,), 1.0, "form", stem) for stem in stems if stem not in ("", own))
        return Word(own, others=tuple(others))


def _stemmed(want: Wanted, test: str, stems: _Stems) -> _Loose | None:
    """The same where the index has stems: of phrases all words."""
    terms = want.words.union(*(phrase.terms for phrase in want.phrases))
    if not terms and not want.empty:
        return None
    words = [stems.word(term) for term in sorted(terms)]
    known = tuple(word for word in words if word is not None)
    return _Loose(Query(known), _match(test), False) if len(known) == len(words) else None


def _standing(state: State, attribute: str, want: Wanted) -> list[str] | None:
    """The terms of which one must be there for a beginning or a word with typos."""
    beginning = state.keyword.statistics.beginning
    if want.beginnings:
        return beginning(attribute, want.beginnings[0], most=MOST_TERMS)
    if not want.near:
        return None
    word, most = want.near[0]
    terms = beginning(attribute, word[:1] if most == 1 else "", most=MOST_TERMS)
    if terms is None:
        return None
    return [term for term in terms if typos(word, term, most=most) <= most]
