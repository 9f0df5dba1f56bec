"""What does a search ask, and what does it answer, whichever door it came through?

Every door makes a `SearchRequest` and gets back a `SearchResult` of `Hit`s. A request is
checked when it is made, so that an engine never sees an unfit one.

    request = SearchRequest("space opera", mode="hybrid", limit=5, filter="year > 1990")
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hybridsearch.arrays import Rows
from hybridsearch.errors import QueryError, VectorError, near
from hybridsearch.expressions import parse
from hybridsearch.fusion_settings import FUSIONS
from hybridsearch.jsontext import dumps
from hybridsearch.languages import LANGUAGES, LOCALES, locale_of

if TYPE_CHECKING:
    import pandas
    import polars

MODES = ("hybrid", "keyword", "semantic")
NEEDING = ("last", "frequency")
MATCHES = ("any", "all", "phrase", "query", *NEEDING)
FACET_ORDERS = ("alpha", "count")
LONGEST_QUERY = 1_000_000
MOST_TYPOS = 2

Rerank = Callable[[str, list[dict[str, Any]]], Sequence[float]]
Filter = str | Sequence[str | Sequence[str]] | None


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """One search, checked: a value of the wrong kind or range raises QueryError.

    query: what the person typed; None or blank asks for every document. mode: None takes hybrid
    where the index has vectors and keyword elsewhere. limit, offset: the page, from 0. filter:
    Meilisearch's language; a list means AND, a list inside it OR. sort: "attribute:asc" or
    ":desc", first decides. facets: attributes to count, or ("*",). highlight: attributes to
    mark. facet_order: "alpha" or "count", which of their values come first; None as the index is
    set. vector: the query's vector, instead of embedding the text. embedder: by name, where the
    index has several. fusion: "rrf", "score", "linear" or "dbsf"; None as the index is set.
    weights: (keyword, semantic), 0 or more, not both 0, and rrf_k, the constant of reciprocal rank
    fusion: None as the index is set for this fusion, else the embedder's. candidates: how many
    nearest rows the semantic arm brings. match: which of the words a keyword match must hold:
    "any", "all", all as one "phrase"; "query": all that `hybridsearch.query_language` reads, which
    refuses what has no meaning and of which every hit holds, found by meaning too; or, as
    Meilisearch's strategies have it, "last": the first of them that is in the index, as words are
    dropped from the end, "frequency": the rarest of these. Ranking is by score in every case.
    attributes: where to look for words, None = the searchable
    ones. distinct: one hit per value of this attribute. ids: only documents with one of these ids;
    an empty list allows none. exact: scan every vector.
    prefix: the last word of the query also stands for longer ones, as while typing. tie: how much
    a word counts in all but its best attribute, 0..1; None takes the engine's. typos: how many
    typos a word may have at most, 0 to 2; None takes what the index's settings allow, which more
    never exceeds. lenient: words that are in the index are also taken for those near them, which
    then count less than half. rows: only these of our own numbers, int64 [n], in any order.
    threshold: only hits of at least this relevance, 0..1; the others are in no total and no facet.
    locales: the languages of the query, by ISO 639, as "fr" or "fra": their stop words are taken,
    and in attributes that are not stemmed words are found in their other forms too.
    field_weights: attribute -> what its BM25 is multiplied by, 0 or more, instead of what the
    settings say; attributes that are left out keep theirs. min_similarity: only rows of at least
    this cosine, -1..1, are found by meaning; words find others all the same. ef: how many vectors
    are compared exactly where codes are looked at first, at least; None takes what is usual.
    explain: say of each hit how its score came about. passage: give with each hit the piece of
    its text that is nearest to the query by meaning. boost: a formula over attributes that the
    score is multiplied by (`boosting`), "" for none; None as the index is set. diversity: 0..1, how
    much a hit loses for being like those before it (`diversity`). rerank: a callable, (query,
    documents as dicts) -> a score each, that puts the first `rerank_top` hits in a new order.
    """

    query: str | None = field(default=None, kw_only=False)
    mode: str | None = None
    limit: int = 10
    offset: int = 0
    filter: Filter = None
    sort: Sequence[str] = ()
    facets: Sequence[str] = ()
    facet_order: str | None = None
    highlight: Sequence[str] = ()
    highlight_tags: tuple[str, str] = ("<em>", "</em>")
    vector: Sequence[float] | None = None
    embedder: str | None = None
    fusion: str | None = None
    weights: tuple[float, float] | None = None
    rrf_k: int | None = None
    candidates: int | None = None
    match: str = "any"
    attributes: Sequence[str] | None = None
    distinct: str | None = None
    ids: Sequence[str | int] | None = None
    exact: bool = False
    prefix: bool = True
    tie: float | None = None
    typos: int | None = None
    lenient: bool = False
    rows: Rows | None = field(default=None, compare=False)
    threshold: float | None = None
    locales: Sequence[str] | None = None
    field_weights: Mapping[str, float] | None = None
    min_similarity: float | None = None
    ef: int | None = None
    explain: bool = False
    passage: bool = False
    boost: str | None = None
    diversity: float = 0.0
    rerank: Rerank | None = field(default=None, compare=False)
    rerank_top: int = 50

    def __post_init__(self) -> None:
        _check_query(self.query)
        _check_choice("mode", self.mode, MODES, optional=True)
        _check_choice("fusion", self.fusion, FUSIONS, optional=True)
        _check_choice("match", self.match, MATCHES)
        _check_choice("facet_order", self.facet_order, FACET_ORDERS, optional=True)
        for name, least in (("limit", 0), ("offset", 0), ("rerank_top", 1)):
            _check_number(name, getattr(self, name), least)
        for name in ("candidates", "rrf_k", "ef"):
            if getattr(self, name) is not None:
                _check_number(name, getattr(self, name), 1)
        for name in ("sort", "facets", "highlight", "attributes"):
            _check_names(name, getattr(self, name))
            if getattr(self, name) is None and name != "attributes":
                object.__setattr__(self, name, ())
        for name in ("distinct", "embedder"):
            _check_name(name, getattr(self, name))
        _check_tags(self.highlight_tags)
        _check_weights(self.weights)
        _check_vector(self.vector)
        _check_ids(self.ids)
        _check_share("tie", self.tie)
        _check_share("threshold", self.threshold)
        _check_field_weights(self.field_weights)
        _check_similarity(self.min_similarity)
        _check_share("diversity", self.diversity)
        _check_typos(self.typos)
        _check_locales(self.locales)
        _check_boost(self.boost)
        if self.rerank is not None and not callable(self.rerank):
            raise QueryError(f"rerank must be a callable, not {self.rerank!r:.40}", field="rerank")

    def asking(self, query: str | None) -> SearchRequest:
        """The same request with another query, which alone is checked. Raises QueryError."""
        _check_query(query)
        made = object.__new__(SearchRequest)
        vars(made).update(vars(self), query=query)
        return made

    @property
    def languages(self) -> tuple[str, ...]:
        """The two letters of each of its locales that has a stemmer, each once."""
        codes = dict.fromkeys(map(locale_of, self.locales or ()))
        return tuple(code for code in codes if code is not None and code in LANGUAGES)

    @property
    def text(self) -> str:
        """The query without blank ends on its left; "" when there is none."""
        return "" if self.query is None or not self.query.strip() else self.query.lstrip()


@dataclass(frozen=True)
class Hit:
    """One document that was found.

    id: the user's key. score: 0..1 in hybrid mode; BM25 in keyword mode, cosine similarity in
    semantic mode, 0.0 where nothing ranks. relevance: the same order on 0..1 in every mode; the
    module `relevance` says how. keyword_rank, semantic_rank: its place in each arm
    from 1, None where that arm did not find it. keyword_score, semantic_score: BM25 and cosine.
    rerank_score: what the reranker said of it, None where it was not asked.
    highlights: attribute -> marked text. explanation: the parts of the score, when asked for.
    passage: the piece of its text nearest to the query, when asked for and embedded from the text.
    """

    id: str | int
    score: float
    document: dict[str, Any]
    keyword_rank: int | None = None
    semantic_rank: int | None = None
    keyword_score: float | None = None
    semantic_score: float | None = None
    row: int = -1
    relevance: float = 1.0
    rerank_score: float | None = None
    highlights: Mapping[str, Any] = field(default_factory=dict)
    explanation: Mapping[str, Any] | None = None
    passage: str | None = None


@dataclass(frozen=True)
class SearchResult:
    """One page of hits, best first, with figures of the whole result set.

    count: counts the result set; see `total`. facets: attribute -> value -> how many documents
    of the set have it. facet_stats: attribute -> least and greatest number. mode: the one it
    ran in. degraded: why it went by words alone though its text should have been embedded, None if
    it did not. seconds: the time that the search took; stages: the same by stage.
    """

    hits: tuple[Hit, ...]
    count: Callable[[], int] = field(repr=False, compare=False)
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    facet_stats: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    mode: str = "keyword"
    degraded: str | None = None
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict, compare=False)

    @cached_property
    def total(self) -> int:
        """How many documents the result set holds, exactly, as they were when it was searched.

        It is counted when first read, which in hybrid mode takes about as long as the search.
        ARCHITECTURE.md, "What is counted?", says what the set is.
        """
        return self.count()

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def to_arrow(self) -> pa.Table:
        """The hits as a table: the documents' fields, then _rank, _score and each arm's rank.

        _rank counts from 1 within this page; a field of mixed types comes as JSON text.
        """
        names = list(dict.fromkeys(name for hit in self.hits for name in hit.document))
        table = {name: _column([hit.document.get(name) for hit in self.hits]) for name in names}
        table["_rank"] = pa.array(range(1, len(self.hits) + 1), pa.int64())
        table["_score"] = pa.array([hit.score for hit in self.hits], pa.float64())
        for arm in ("keyword", "semantic"):
            ranks = [getattr(hit, f"{arm}_rank") for hit in self.hits]
            table[f"_{arm}_rank"] = pa.array(ranks, pa.int64())
        return pa.table(table)

    def to_polars(self) -> polars.DataFrame:
        """The same table as a polars frame; needs the extra `polars`."""
        import polars  # noqa: PLC0415  an optional library

        frame = polars.from_arrow(self.to_arrow())
        assert isinstance(frame, polars.DataFrame)
        return frame

    def to_pandas(self) -> pandas.DataFrame:
        """The same table as a pandas frame; needs the extra `pandas`."""
        frame: pandas.DataFrame = self.to_arrow().to_pandas()
        return frame


def _column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        texts = [None if value is None else dumps(value).decode() for value in values]
        return pa.array(texts, pa.string())


def _check_query(query: object) -> None:
    if query is not None and not isinstance(query, str):
        raise QueryError(f"the query must be text, not {type(query).__name__}", field="query")
    if query is not None and len(query) > LONGEST_QUERY:
        raise QueryError(
            f"the query has {len(query):,} characters; at most {LONGEST_QUERY:,} are taken",
            field="query",
        )


def _check_choice(
    name: str, value: object, known: Sequence[str], *, optional: bool = False
) -> None:
    if value not in known and not (optional and value is None):
        raise QueryError(
            f'unknown {name} "{value}"{near(str(value), known)}',
            code=f"invalid_search_{name}",
            field=name,
        )


def _check_number(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise QueryError(
            f"{name} must be a whole number of {least} or more, not {value!r:.40}",
            code=f"invalid_search_{name}",
            field=name,
        )


def _check_names(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise QueryError(f"{name} must be a list of texts, not {value!r:.40}", field=name)
    for item in value:
        if not isinstance(item, str) or not item:
            raise QueryError(f"{name} must hold texts, not {item!r:.40}", field=name)


def _check_name(field: str, value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise QueryError(
            f"{field} must be a name, not {value!r:.40}",
            code=f"invalid_search_{field}",
            field=field,
        )


def _check_tags(tags: object) -> None:
    fit = isinstance(tags, Sequence) and not isinstance(tags, str) and len(tags) == 2
    if not fit or not all(isinstance(tag, str) for tag in tags):  # type: ignore[attr-defined]  # `fit` says it is a pair
        raise QueryError(
            f"highlight_tags must be two texts, before and after, not {tags!r:.40}",
            field="highlight_tags",
        )


def _check_weights(weights: object) -> None:
    if weights is None:
        return
    fit = isinstance(weights, Sequence) and len(weights) == 2
    if not fit or not all(_is_number(w) and w >= 0 for w in weights) or not any(weights):  # type: ignore[attr-defined, arg-type]  # `fit` says it is a pair
        raise QueryError(
            f"weights must be (keyword, semantic), 0 or more and not both 0, not {weights!r:.60}",
            field="weights",
        )


def _check_vector(vector: object) -> None:
    if vector is None:
        return
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused below
            numbers = np.asarray(vector, np.float32)
    except (TypeError, ValueError, OverflowError):
        numbers = np.empty((0, 0), np.float32)
    if numbers.ndim != 1:
        raise VectorError(f"vector must be a list of numbers, not {vector!r:.60}", field="vector")
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        raise VectorError(
            f"vector holds {numbers[wrong[0]]} at position {wrong[0]}; every number must be finite",
            field="vector",
        )


def _check_ids(ids: object) -> None:
    if ids is not None and (isinstance(ids, str) or not isinstance(ids, Sequence)):
        raise QueryError(f"ids must be a list of ids, not {ids!r:.40}", field="ids")


def _check_share(name: str, value: object) -> None:
    if value is not None and not (_is_number(value) and 0 <= value <= 1):  # type: ignore[operator]  # a number by then
        raise QueryError(f"{name} must be a number from 0 to 1, not {value!r:.40}", field=name)


def _check_field_weights(weights: object) -> None:
    if weights is None:
        return
    fit = isinstance(weights, Mapping) and all(isinstance(name, str) for name in weights)
    if not fit or not all(_is_number(w) and w >= 0 for w in weights.values()):  # type: ignore[attr-defined]  # `fit` says it is a mapping
        raise QueryError(
            "field_weights must give fields numbers of 0 or more, as in {title: 2}, not"
            f" {weights!r:.60}",
            field="field_weights",
        )


def _check_similarity(least: object) -> None:
    if least is not None and not (_is_number(least) and -1 <= least <= 1):  # type: ignore[operator]  # a number by then
        raise QueryError(
            f"min_similarity is a cosine, a number from -1 to 1, not {least!r:.40}",
            field="min_similarity",
        )


def _check_typos(typos: object) -> None:
    if typos is not None and (type(typos) is not int or not 0 <= typos <= MOST_TYPOS):
        raise QueryError(
            f"typos must be 0, 1 or 2, not {typos!r:.40}",
            code="invalid_search_typos",
            field="typos",
        )


def _check_boost(boost: object) -> None:
    if boost is not None and not isinstance(boost, str):
        raise QueryError(
            f"boost must be a formula, not {boost!r:.40}",
            code="invalid_search_boost",
            field="boost",
        )
    if boost and boost.strip():
        parse(boost)


def _check_locales(locales: object) -> None:
    if locales is None:
        return
    fit = not isinstance(locales, str) and isinstance(locales, Sequence)
    hint = "" if fit else f", as [{locales!r:.10}]"
    for locale in locales if fit else [locales]:  # type: ignore[attr-defined]  # `fit` says it is a sequence
        if not fit or not isinstance(locale, str) or locale_of(locale) is None:
            raise QueryError(
                f'locales must be a list of ISO 639 codes of languages, as "en" or "eng", not'
                f" {locale!r:.40}{hint or near(locale, LOCALES)}",
                code="invalid_search_locales",
                field="locales",
            )


def _is_number(value: object) -> bool:
    """Whether it is a number that a float can hold, and no boolean."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # false for NaN; exact for whole numbers of any size
