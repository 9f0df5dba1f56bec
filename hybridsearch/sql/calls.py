"""What does one call of search() in SQL ask of the engine?

A call is a tuple of the values of `ARGUMENTS`, in their order; `request` makes it a checked
`SearchRequest`. DuckDB passes most of them as one JSON text (`options`), so that a value of a wrong
type is told by its parameter's name.

SQL differs from the other doors in this: without `k` the whole result set comes, words are complete
unless `match := 'prefix'` and mean themselves unless `typos` says more, a word counts in full in
every attribute unless `tie` says less, and a score fused under weights or an rrf_k that were given
is the plain sum.

    call = Call("movies", "space opera", None, None, None, None, *options('{"k": 5}'))
    request(call, count=1000)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from hybridsearch.arrays import Rows, Scores
from hybridsearch.errors import QueryError, near
from hybridsearch.fusion import rrf_best
from hybridsearch.jsontext import dumps, loads
from hybridsearch.planning import CANDIDATES
from hybridsearch.ranking import Places
from hybridsearch.request import MATCHES, SearchRequest

__all__ = [
    "ARGUMENTS",
    "COLUMNS",
    "DEFAULTS",
    "INSIDE",
    "OPTIONS",
    "STEADY",
    "Call",
    "fitted",
    "options",
    "packed",
    "request",
    "scores",
    "written",
]

ARGUMENTS = {
    "index": "VARCHAR",
    "query": "VARCHAR",
    "vector": "FLOAT[]",
    "ids": "VARCHAR[]",
    "rows": "BIGINT[]",
    "numbers": "BIGINT[]",
    "k": "BIGINT",
    "mode": "VARCHAR",
    "fields": "VARCHAR[]",
    "match": "VARCHAR",
    "weights": "JSON",
    "fusion": "VARCHAR",
    "rrf_k": "BIGINT",
    "candidates": "BIGINT",
    "filter": "VARCHAR",
    "min_score": "DOUBLE",
    "distinct_by": "VARCHAR",
    "exact": "BOOLEAN",
    "highlight": "BOOLEAN",
    "tie": "DOUBLE",
    "typos": "BIGINT",
    "embedder": "VARCHAR",
    "field_weights": "JSON",
    "min_similarity": "DOUBLE",
    "ef": "BIGINT",
    "locales": "VARCHAR[]",
    "boost": "VARCHAR",
    "diversity": "DOUBLE",
    "most": "BIGINT",
}
"""name -> DuckDB type; JSON is kept as text. ids and filter are what `filter :=` was; rows are
numbers of rows that the front end has found to be allowed; numbers are their ids or prints. most is
what k is where hits stand in the order of their scores."""
COLUMNS = {name: ARGUMENTS[name] for name in tuple(ARGUMENTS)[:6]}
"""Those that DuckDB passes each by itself; all others are fields of one JSON text."""
OPTIONS = {name: kind for name, kind in ARGUMENTS.items() if name not in COLUMNS}
DEFAULTS: dict[str, Any] = {
    "match": "any",
    "fusion": "rrf",
    "exact": False,
    "highlight": False,
    "tie": 1.0,
    "typos": 0,
}
"""What the macro gives for arguments that are left out; null for the others."""
INSIDE = "search_inside"
"""search() under another name, for one that stands among the arguments of another."""
STEADY = "search_steady"
"""search() for places where DuckDB takes nothing that may give another answer each time, as the
ORDER BY of a window; a plan that is kept keeps its answer."""
TYPES: dict[str, Any] = {
    "VARCHAR": str,
    "BIGINT": int,
    "DOUBLE": int | float,
    "FLOAT": int | float,
    "BOOLEAN": bool,
}
KINDS = {
    "BIGINT": "a whole number",
    "DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "VARCHAR": "text",
    "VARCHAR[]": "a list of texts",
}
TRUTHS = {"true": True, "false": False}
GREATEST = 2**63 - 1
LARGE = f"a whole number of at most {GREATEST}"
TAGS = ("<mark>", "</mark>")
"""What SQL puts around what matches."""
ARMS = ("keyword", "semantic")
PLAIN_K = 60
PLAIN_WEIGHTS = (1.0, 1.0)


class Call(NamedTuple):
    """One call; equal calls have equal answers.

    Lists are tuples, None is SQL's null; rows and numbers are the bytes of int64 numbers.
    """

    uid: str | None
    query: str | None
    vector: tuple[float, ...] | None
    ids: tuple[str, ...] | None
    rows: bytes | None
    numbers: bytes | None
    k: int | None
    mode: str | None
    fields: tuple[str, ...] | None
    match: str | None
    weights: str | None
    fusion: str | None
    rrf_k: int | None
    candidates: int | None
    filter: str | None
    min_score: float | None
    distinct_by: str | None
    exact: bool | None
    highlight: bool | None
    tie: float | None
    typos: int | None
    embedder: str | None
    field_weights: str | None
    min_similarity: float | None
    ef: int | None
    locales: tuple[str, ...] | None
    boost: str | None
    diversity: float | None
    most: int | None


@lru_cache(maxsize=1024)
def options(text: str, function: str = "search") -> tuple[Any, ...]:
    """The arguments that follow `COLUMNS`, from the JSON text of them by name.

    Raises QueryError for a value that the parameter does not take.

    >>> options('{"k": 5, "highlight": null}')[:2]
    (5, None)
    """
    return tuple(fitted(text, OPTIONS, function).values())


def packed(call: Call) -> str:
    """The JSON text from which `options` gives what the call has after `COLUMNS`."""
    given = zip(OPTIONS.items(), call[len(COLUMNS) :], strict=True)
    return dumps(
        {n: loads(str(value)) if kind == "JSON" and value else value for (n, kind), value in given}
    ).decode()


def fitted(text: str, kinds: Mapping[str, str], function: str) -> dict[str, Any]:
    """The values of these parameters of a function, of DuckDB types, from a JSON text of them.

    Raises QueryError for a value that the parameter does not take, naming it.
    """
    try:
        given = loads(text)
    except ValueError:
        raise QueryError(f"{function}() takes no number that is NaN or infinite") from None
    return {name: _taken(function, name, given.get(name), kind) for name, kind in kinds.items()}


def _taken(function: str, name: str, value: Any, kind: str) -> Any:
    given = _number(value) if kind in ("BIGINT", "DOUBLE", "BOOLEAN") else value
    try:
        return _fit(given, kind)
    except TypeError:
        shown = value if isinstance(value, str) else dumps(value).decode()
        large = kind == "BIGINT" and isinstance(given, int) and abs(given) > GREATEST
        raise QueryError(
            f"{function}() takes {LARGE if large else KINDS[kind]} as {name}, not {shown:.60}",
            field=name,
            function=function,
        ) from None


def _number(value: Any) -> Any:
    """The number, or truth, that a text says, as DuckDB reads texts that are written out."""
    if not isinstance(value, str):
        return value
    for read in (TRUTHS.__getitem__, int, float):
        try:
            return read(value.strip().lower())
        except (KeyError, ValueError):
            continue
    return value


def written(
    given: Mapping[str, Any], allowed: Rows | tuple[str, ...] | None, parameter: str = "rows"
) -> Call:
    """The call with these arguments, as values of Python; `filter` is a text or a list of ids.

    allowed: what the parameter, "rows", "numbers" or "ids", is to be.

    Raises TypeError for a value that DuckDB would have to convert.
    """
    values = {**DEFAULTS, **given}
    chosen = values.pop("filter", None)
    values["filter"] = chosen if isinstance(chosen, str) else None
    values["ids"] = None if chosen is None or isinstance(chosen, str) else _ids(chosen)
    values["uid"] = values.pop("index", None)
    names = zip(Call._fields, ARGUMENTS.values(), strict=True)
    found = {name: _fit(values.get(name), kind) for name, kind in names}
    if allowed is not None:
        found[parameter] = allowed if isinstance(allowed, tuple) else allowed.tobytes()
    return Call(**found)


def _ids(chosen: Any) -> list[str]:
    if not isinstance(chosen, list) or not all(isinstance(id_, str | int) for id_ in chosen):
        raise TypeError("ids")
    return [str(id_) for id_ in chosen]


def _fit(value: Any, kind: str) -> Any:
    """The value as a call holds it."""
    if value is None:
        return None
    if kind == "JSON":
        return dumps(value).decode()
    if kind.endswith("[]"):
        if not isinstance(value, list) or None in value:
            raise TypeError(kind)
        return tuple(_fit(item, kind[:-2]) for item in value)
    if isinstance(value, bool) != (kind == "BOOLEAN") or not isinstance(value, TYPES[kind]):
        raise TypeError(kind)
    if kind == "BIGINT" and abs(value) > GREATEST:
        raise TypeError(kind)
    if kind == "DOUBLE" and not isfinite(value):
        raise TypeError(kind)
    return float(value) if kind in ("DOUBLE", "FLOAT") else value


def request(call: Call, *, count: int) -> SearchRequest:
    """The call as a request; without `k` its page is the whole result set of `count` documents.

    Raises QueryError or VectorError, naming the parameter.
    """
    if call.k is not None and call.k < 0:
        raise QueryError(f"k must be 0 or more, not {call.k}", code="invalid_search_k", field="k")
    weights, rrf_k = _weights(call.weights), call.rrf_k
    if weights is not None or rrf_k is not None:
        weights, rrf_k = weights or PLAIN_WEIGHTS, PLAIN_K if rrf_k is None else rrf_k
    return SearchRequest(
        query=call.query,
        mode=call.mode,
        limit=count if call.k is None else call.k,
        filter=call.filter,
        highlight=("*",) if call.highlight else (),
        highlight_tags=TAGS,
        vector=call.vector,
        fusion=call.fusion or (None if weights is None else "rrf"),
        weights=weights,
        rrf_k=rrf_k,
        candidates=_candidates(call),
        match=match_of(call.match),
        attributes=call.fields,
        distinct=call.distinct_by,
        ids=call.ids,
        exact=bool(call.exact),
        prefix=call.match == "prefix",
        tie=call.tie,
        typos=call.typos,
        embedder=call.embedder,
        field_weights=None if call.field_weights is None else loads(call.field_weights.encode()),
        min_similarity=call.min_similarity,
        ef=call.ef,
        locales=call.locales,
        boost=call.boost,
        diversity=call.diversity or 0.0,
        rows=None if call.rows is None else np.frombuffer(call.rows, np.int64),
    )


def scores(asked: SearchRequest, found: Places) -> Scores:
    """The scores as SQL shows them: plain sums where weights or rrf_k were given.

    >>> 1 / 61 + 1 / 61 == rrf_best(k=60, weights=(1, 1))
    True
    """
    if found.mode != "hybrid" or asked.fusion != "rrf" or asked.weights is None:
        return found.scores
    best = rrf_best(k=asked.rrf_k or PLAIN_K, weights=asked.weights)
    return (found.scores.astype(np.float64) * best).astype(np.float32)


def _candidates(call: Call) -> int | None:
    """As many as hits are wanted, if nobody says how many and the usual number is not enough."""
    if call.candidates is not None or call.k is None:
        return call.candidates
    return call.k if call.k > CANDIDATES else None


def match_of(match: str | None) -> str:
    """What has to match, by the parameter `match`; "prefix" says it of the last word alone.

    Raises QueryError for what is none.
    """
    known = (*MATCHES, "prefix")
    if match is not None and match not in known:
        raise QueryError(
            f'unknown match "{match}"{near(match, known)}',
            code="invalid_search_match",
            field="match",
        )
    return "any" if match in (None, "prefix") else match


def _weights(text: str | None) -> tuple[float, float] | None:
    """(keyword, semantic) from the JSON of a struct or a list."""
    if text is None:
        return None
    given = loads(text.encode())
    if isinstance(given, dict):
        if sorted(given) != sorted(ARMS):
            raise QueryError(
                f"weights must be {{keyword: .., semantic: ..}} or [keyword, semantic], not {text}",
                field="weights",
            )
        given = [given[arm] for arm in ARMS]
    return tuple(given) if isinstance(given, list) else given
