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

from hybridsearch.analysis import Analyzer
from hybridsearch.arrays import Rows, no_rows
from hybridsearch.errors import HybridSearchError
from hybridsearch.jsontext import loads
from hybridsearch.query import Phrase, Query, Word
from hybridsearch.snapshot import Snapshot
from hybridsearch.sql.asking import Searchable
from hybridsearch.sql.matching import (
    Answers,
    Wanted,
    holds_all,
    holds_any,
    holds_asked,
    holds_phrase,
    holds_term,
    wanted,
)
from hybridsearch.state import State
from hybridsearch.vocabulary import typos

__all__ = ["Asked", "Holders", "print_of", "rows_holding"]

MOST_TERMS = 50_000
"""So many terms are looked through for those that begin in some way, or are near a word."""
MOST_READ = 20_000
"""So many texts are read again; for more the statement can as well read its own."""
KEPT_PRINTS = 64


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
        self._prints: dict[tuple[str, str], tuple[int, str]] = {}

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
        same = self._same(uid, attribute, seen)
        if same is None:
            return None
        engine, snapshot = same
        given = tuple(text for text in texts or () if text is not None)
        rows = rows_holding(snapshot, attribute, Asked(test, given, slop or 0))
        if rows is None:
            return None
        return engine.row_ids.of(rows).cast(pa.string())

    def _same(self, uid: str, attribute: str, seen: str) -> tuple[Searchable, Snapshot] | None:
        """The index whose copy has this print, brought up to its source if need be."""
        try:
            for current in (False, True):
                engine = self._find(uid, current=current)
                snapshot = engine.snapshot
                if self._print(engine, snapshot.state, attribute) == seen:
                    return engine, snapshot
        except HybridSearchError:  # it is gone or cannot be read: then it knows nothing
            return None
        return None

    def _print(self, engine: Searchable, state: State, attribute: str) -> str | None:
        """The print of the copy in that state."""
        column = state.columns.get(attribute)
        if column is None or column.type != TEXT:
            return None
        place = engine.documents.table, attribute
        known = self._prints.get(place)
        if known is None or known[0] != state.task:
            key = state.columns.get(state.primary_key or "")
            kind = engine.row_ids.kind if engine.record.attached or key is None else key.type
            row = print_of(f"TRY_CAST(id AS {kind})", column.name)
            made = str(engine.documents.total(row, stamp=state.task))
            if len(self._prints) >= KEPT_PRINTS:
                self._prints.clear()
            known = self._prints[place] = state.task, made
        return known[1]


def print_of(key: str, column: str) -> str:
    """An aggregate that tells rows with other keys or other values of the column apart.

    It is a text: how many rows there are, and the sum of their hashes, in whatever order.
    """
    return f"count(*) || ':' || coalesce(sum(hash({key}, {column})), 0)"


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
    analyzer = Analyzer(state.analyzer.language)
    exact = analyzer.language is None
    if not asked.texts:
        return _Loose(Query(), "all", exact)
    if asked.test == "term":
        return _of_terms(asked.texts, analyzer)
    if asked.test == "phrase":
        return _of_phrase(analyzer.terms(asked.texts[0]), asked.slop, exact)
    if asked.test == "asked":
        return _of_query(state, attribute, asked.texts[0], analyzer)
    return _Loose(_words(analyzer.terms(asked.texts[0])), asked.test, exact)


def _words(terms: Iterable[str]) -> Query:
    return Query(words=tuple(map(Word, dict.fromkeys(terms))))


def _of_terms(finished: Sequence[str], analyzer: Analyzer) -> _Loose | None:
    """Finished terms; in an index of stems each has to be one word, whose stem is known."""
    if analyzer.language is None:
        return _Loose(_words(finished), "any", True)
    stems = [analyzer.terms(term) for term in finished]
    if any(len(stem) != 1 for stem in stems):
        return None
    return _Loose(_words(stem for [stem] in stems), "any", False)


def _of_phrase(terms: Sequence[str], slop: int, exact: bool) -> _Loose:
    if slop or not terms:
        return _Loose(_words(terms), "all", False)
    return _Loose(Query(phrases=(Phrase(tuple(terms)),)), "all", exact)


def _of_query(state: State, attribute: str, text: str, analyzer: Analyzer) -> _Loose | None:
    """What `@@@` asks for: words and phrases, or if there are none, what may stand for a word."""
    want = wanted(text, analyzer)
    strict = [phrase for phrase in want.phrases if not phrase.slop]
    loose = {term for phrase in want.phrases if phrase.slop for term in phrase.terms}
    query = Query(_words(sorted(want.words | loose)).words, tuple(strict))
    if query.words or query.phrases:
        open_ended = want.beginnings or want.near or want.excluded or loose
        return _Loose(query, "all", analyzer.language is None and not open_ended)
    if want.empty:
        return _Loose(Query(), "all", True)
    terms = None if analyzer.language else _standing(state, attribute, want)
    return None if terms is None else _Loose(_words(terms), "any", False)


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
