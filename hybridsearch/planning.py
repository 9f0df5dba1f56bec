"""What exactly has to be done for one request on one state?

`plan` checks the request against the index, chooses the mode, reads the query, takes the query's
vector and turns the filter into a mask, so that no later stage looks twice.

    plan(state, SearchRequest("space opera"), vector)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from hybridsearch.analysis import Analyzer, stop_words
from hybridsearch.arrays import Mask, Vectors
from hybridsearch.embedders.provided import ProvidedEmbedder
from hybridsearch.errors import QueryError, VectorError, near
from hybridsearch.expressions import Formula
from hybridsearch.expressions import parse as parse_formula
from hybridsearch.extraction import is_wanted
from hybridsearch.kept_settings import custom_rules
from hybridsearch.query import Query, parse
from hybridsearch.query_language import plain_text, read
from hybridsearch.request import Filter, SearchRequest
from hybridsearch.selection import known_attribute
from hybridsearch.state import Arm, State
from hybridsearch.ties import Order

CANDIDATES = 200
USUAL_K = 60
USUAL_FUSION = "rrf"
Rules = tuple[tuple[str, ...], tuple[str, ...]]
TIE = 0.5  # how much of a word counts in its second-best attributes; see ARCHITECTURE.md


@dataclass(frozen=True)
class Plan:
    """One request made ready.

    mode: the one it runs in: "everything" without a query, else keyword, semantic or hybrid.
    vector: float32 [dim] where the semantic arm takes part. mask: the rows that pass the filter,
    bool [size], None for all. semantic_mask: the same for the semantic arm, which the query's
    exclusions and phrases narrow too. fields: attribute -> weight of its BM25. fusion: how the
    arms become one. weights: (keyword, semantic). doubted: whether the semantic one becomes less
    where the words are sure, and known: how much of the query its model knows, 0..1. needed: how
    many rows of the ranking the page reaches down to. without: a row that is in no ranking and no
    count. boost: what scores are multiplied by. rules: the index's own, "attribute:asc" or ":desc",
    that come before relevance and that come behind it. tied: in which order rows of equal score
    stand; None for that of rows.
    """

    request: SearchRequest
    mode: str
    query: Query
    vector: Vectors | None
    arm: Arm | None
    mask: Mask | None
    semantic_mask: Mask | None
    fields: Mapping[str, float]
    fusion: str
    weights: tuple[float, float]
    doubted: bool
    known: float
    k: int
    candidates: int
    needed: int
    without: int | None = None
    boost: Formula | None = None
    rules: Rules = ((), ())
    tied: Order | None = None

    @property
    def tie(self) -> float:
        """How much a word counts in all but its best attribute."""
        return TIE if self.request.tie is None else self.request.tie

    @property
    def match(self) -> str:
        """Which of the words a match by words must hold; all that the query language asks for."""
        return "all" if self.request.match == "query" else self.request.match

    @property
    def whole(self) -> bool:
        """Whether the whole result set has to be ranked, not only what the page reaches."""
        asked = self.request
        anew = asked.sort or asked.distinct or asked.threshold
        return bool(anew or self.boost or any(self.rules))

    @property
    def reach(self) -> int:
        """How many rows of the ranking have to be there for what looks further than the page."""
        asked = self.request
        diverse = self.candidates if asked.diversity else 0
        return max(self.needed, diverse, asked.rerank_top if asked.rerank else 0)


def must_embed(state: State, request: SearchRequest) -> bool:
    """Whether the request's text has to be embedded."""
    if request.vector is not None or request.mode == "keyword" or not meaning(request):
        return False
    arm = state.arm(request.embedder)
    if arm is None or not arm.vectors.count:
        return False
    return request.mode == "semantic" or not isinstance(arm.embedder, ProvidedEmbedder)


def meaning(request: SearchRequest) -> str:
    """The text that is embedded: without the signs of the query language."""
    return plain_text(request.text) if request.match == "query" else request.text


def plan(state: State, request: SearchRequest, vector: Vectors | None) -> Plan:
    """The request made ready for the state.

    Raises QueryError, FilterError or VectorError for what does not fit this index.
    """
    _check(state, request, vector)
    arm = state.arm(request.embedder)
    mode = _mode(state, request, vector)
    fields = _fields(state, request)
    query = _query(state, request, fields) if mode in ("keyword", "hybrid") else Query()
    mask = _mask(state, request)
    fusion, weights, k = _fusion(state, request, arm)
    doubted = _is_doubted(state, request, fusion, arm)
    return Plan(
        request=request,
        mode=mode,
        query=query,
        vector=vector,
        arm=arm,
        mask=mask,
        semantic_mask=_semantic_mask(state, request, mode, query, mask, fields),
        fields=fields,
        fusion=fusion,
        weights=weights,
        doubted=doubted,
        known=_known(request, arm) if doubted and mode == "hybrid" else 1.0,
        k=k,
        candidates=min(request.candidates or CANDIDATES, max(len(state.living), 1)),
        needed=min(request.offset + request.limit, len(state.living)),
        boost=_boost(state, request),
        rules=custom_rules(state.settings.kept),
    )


def asked(state: State, request: SearchRequest) -> Query:
    """The request's text as it is read, whichever arms take part, with what may be meant."""
    return _query(state, request, _fields(state, request))


def reads_words(state: State, request: SearchRequest) -> Analyzer | None:
    """The analyser of the request's words; None where these may mean more than themselves."""
    silent = state.speller.is_silent(most=request.typos, languages=request.languages)
    return _analyzer(state, request) if silent and not _is_open(state, request) else None


def _is_open(state: State, request: SearchRequest) -> bool:
    """Whether the last word may be the beginning of a longer one."""
    return request.prefix and state.settings.kept.get("prefixSearch") != "disabled"


def _fusion(
    state: State, request: SearchRequest, arm: Arm | None
) -> tuple[str, tuple[float, float], int]:
    """(mode, weights, k) of fusion: the request's, else the index's for that mode, else the
    embedder's."""
    own = state.settings.fusion
    mode = request.fusion or (own.mode if own else USUAL_FUSION)
    set_weights, set_k = (own.weights, own.k) if own and own.mode == mode else (None, None)
    share, k = (arm.embedder.weight, arm.embedder.rrf_k) if arm is not None else (0.0, USUAL_K)
    return mode, request.weights or set_weights or (1.0 - share, share), request.rrf_k or set_k or k


def _boost(state: State, request: SearchRequest) -> Formula | None:
    """The request's formula, else the index's; a request may only look at what may be sorted by."""
    if request.boost is None:
        return parse_formula(state.settings.boost) if state.settings.boost else None
    if not request.boost.strip():
        return None
    found = parse_formula(request.boost)
    allowed = state.settings.sortable_attributes
    for name in found.attributes:
        if not is_wanted(name, allowed):
            raise QueryError(
                f'attribute "{name}" is not sortable, so no boost may look at it'
                f"{near(name, allowed)}",
                code="invalid_search_boost",
                field="boost",
            )
    return found


def _is_doubted(state: State, request: SearchRequest, fusion: str, arm: Arm | None) -> bool:
    """Whether nobody has said how much the semantic arm weighs, so that it depends on the query.

    Vectors that people bring are taken at their word.
    """
    if arm is None or isinstance(arm.embedder, ProvidedEmbedder):
        return False
    own = state.settings.fusion
    told = request.weights or (own.weights if own and own.mode == fusion else None)
    return told is None


def _known(request: SearchRequest, arm: Arm | None) -> float:
    return 1.0 if arm is None else arm.embedder.known(meaning(request))


def _query(state: State, request: SearchRequest, fields: Mapping[str, float]) -> Query:
    written, most = request.match == "query", request.typos
    query = _written(state, request) if written else _typed(state, request)
    names = tuple(name for name, weight in fields.items() if weight > 0)
    return state.speller.spelled(
        query,
        names,
        most=0 if written and most is None else most,
        lenient=request.lenient,
        languages=request.languages,
    )


def _typed(state: State, request: SearchRequest) -> Query:
    return parse(
        request.text,
        _analyzer(state, request),
        prefix=_is_open(state, request),
        attributes=state.keyword.attributes,
        analyzers=state.analyzers if state.analyzers.rules else None,
    )


def _written(state: State, request: SearchRequest) -> Query:
    """The text as the query language reads it."""
    named = (name for name in state.settings.searchable_attributes if name != "*")
    return read(
        request.query or "",
        _analyzer(state, request),
        attributes=(*state.keyword.attributes, *named),
        analyzers=state.analyzers if state.analyzers.rules else None,
    )


def _analyzer(state: State, request: SearchRequest) -> Analyzer:
    """The usual analyser, with the words that this query can do without."""
    if state.settings.stop_words:
        return state.analyzer
    if request.match in ("all", "query"):  # nobody said that some do not matter
        return replace(state.analyzer, stop_words=frozenset())
    return _among(state.analyzer, request.languages) if request.locales else state.analyzer


@lru_cache(maxsize=64)
def _among(analyzer: Analyzer, languages: tuple[str, ...]) -> Analyzer:
    """The analyser with the stop words of these languages."""
    return replace(analyzer, stop_words=frozenset().union(*map(stop_words, languages)))


def confined(state: State, filter: Filter) -> State:
    """The same state for somebody who may know only of the rows that a filter keeps.

    Nothing that is planned on it finds, counts or loads any other. Raises FilterError.
    """
    mask = _filtered(state, filter)
    if mask is None:
        return state
    allowed = mask if state.allowed is None else mask & state.allowed
    return replace(state, living=state.living[allowed[state.living]], allowed=allowed)


def _filtered(state: State, filter: Filter) -> Mask | None:
    """The rows that pass the filter, bool [size]; None for all."""
    allowed = state.settings.filterable_attributes
    provided = (n for n, arm in state.arms.items() if isinstance(arm.embedder, ProvidedEmbedder))
    return state.selection.mask(
        filter,
        state.columns,
        size=state.size,
        allowed=allowed,
        makers=sorted(state.arms.keys() - set(provided)),
    )


def _mask(state: State, request: SearchRequest) -> Mask | None:
    """The rows that are allowed, pass the filter and are among the ids and rows, bool [size]; None
    for all."""
    mask = _filtered(state, request.filter)
    if state.allowed is not None:
        mask = state.allowed if mask is None else mask & state.allowed
    if request.ids is not None:
        chosen = state.selection.with_ids([str(id_) for id_ in request.ids], size=state.size)
        mask = chosen if mask is None else chosen & mask
    if request.rows is not None:
        chosen = np.zeros(state.size, bool)
        chosen[request.rows[request.rows < state.size]] = True
        mask = chosen if mask is None else chosen & mask
    return mask


def _mode(state: State, request: SearchRequest, vector: Vectors | None) -> str:
    semantic = vector is not None and request.mode != "keyword"
    if not request.text and not semantic:
        return "everything"
    if vector is None and not meaning(request):
        return "keyword"
    if request.mode == "semantic" or (semantic and not request.text):
        return "semantic"
    return "hybrid" if semantic else "keyword"


def _check(state: State, request: SearchRequest, vector: Vectors | None) -> None:
    allowed = state.settings.filterable
    for parameter in ("facets", "highlight"):
        for name in getattr(request, parameter):
            if name != "*":
                known_attribute(name, state.columns, parameter, allowed)
    if request.distinct is not None:
        known_attribute(request.distinct, state.columns, "distinct", allowed)
    known = state.keyword.attributes
    named = [name for name in state.settings.searchable_attributes if name != "*"]
    for name in (*(request.attributes or ()), *(request.field_weights or ())):
        if not any(is_wanted(attribute, [name]) for attribute in (*known, *named)):
            weighed = name not in (request.attributes or ())
            raise QueryError(
                f'no searchable attribute "{name}"{near(name, known)}',
                code="invalid_search_attributes_to_search_on",
                field="field_weights" if weighed else "attributes",
            )
    _check_vector(state, request, vector)
    _check_order(state, request)


def _check_order(state: State, request: SearchRequest) -> None:
    """Raise QueryError for what cannot decide on the order beside a sort, or without vectors."""
    for name, there in (("diversity", request.diversity), ("rerank", request.rerank)):
        if there and request.sort:
            raise QueryError(
                f"{name} and sort each say in what order hits stand; leave one of them out",
                code=f"invalid_search_{name}",
                field=name,
            )
    arm = state.arm(request.embedder)
    if request.diversity and (arm is None or not arm.vectors.count):
        raise QueryError(
            "diversity compares the vectors of documents, and this index has none; set an embedder"
            ' under "embedders"',
            code="invalid_search_diversity",
            field="diversity",
        )


def _check_vector(state: State, request: SearchRequest, vector: Vectors | None) -> None:
    arm = state.arm(request.embedder)
    if arm is None and (vector is not None or request.mode == "semantic"):
        raise QueryError(
            "this index has no embedder, so it cannot search by meaning; set one under"
            ' "embedders", or search with mode="keyword"',
            field="mode",
        )
    if arm is not None and vector is not None and len(vector) != arm.embedder.dim:
        raise VectorError(
            f"the vector has {len(vector)} numbers; this embedder's have {arm.embedder.dim}",
            field="vector",
        )


def _fields(state: State, request: SearchRequest) -> dict[str, float]:
    """attribute -> weight of the attributes to look for words in."""
    weights = {**state.settings.attribute_weights, **(request.field_weights or {})}
    wanted = request.attributes
    return {
        name: _weight(name, weights)
        for name in state.keyword.attributes
        if wanted is None or is_wanted(name, wanted)
    }


def _weight(name: str, weights: Mapping[str, float]) -> float:
    while name not in weights and "." in name:
        name = name.rpartition(".")[0]
    return weights.get(name, 1.0)


def _semantic_mask(
    state: State,
    request: SearchRequest,
    mode: str,
    query: Query,
    mask: Mask | None,
    fields: Mapping[str, float],
) -> Mask | None:
    """The mask for the semantic arm: what is excluded, or lacks a phrase, is not near either.

    What the query language asks for holds of every hit, whichever arm finds it.
    """
    if request.match == "query" and mode in ("hybrid", "semantic") and request.text:
        written = _query(state, request, fields) if mode == "semantic" else query
        return _narrowed(state, written, mask, fields)
    if mode != "hybrid" or not (query.excluded or query.phrases):
        return mask
    return _narrowed(state, replace(query, words=(), sequence=(), typed=()), mask, fields)


def _narrowed(
    state: State, query: Query, mask: Mask | None, fields: Mapping[str, float]
) -> Mask | None:
    """The rows of the mask that hold all that is asked for."""
    narrowed = np.zeros(state.size, bool)
    narrowed[state.keyword.matches(query, weights=fields, match="all")] = True
    return narrowed if mask is None else narrowed & mask
