"""Laws of a result set: totals, facets and pages agree with each other and with brute force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from random import Random
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hybridsearch
from hybridsearch import Database, Hit, Index
from hybridsearch.planning import CANDIDATES
from tests.conftest import BY_MEANING, Document, letters

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord")
GROUPS = ("oak", "Elm", "fir")
TAGS = ("x", "y", "z")
FUSIONS = ("rrf", "score", "dbsf")
CLOSE = 2e-3
"""How far apart two similarities may be and yet be taken for equal: vectors are kept as float16."""
SETTINGS = {**BY_MEANING, "searchableAttributes": ["text"], "language": "none"}

Page: TypeAlias = list[Hit]
Collection: TypeAlias = tuple[Index, list[Document]]

SIZES = (1, 2, 5, 9, 14, 40, 320)
"""The largest has more documents than the semantic arm takes candidates when nobody says."""
PLACES = range(len(SIZES))

_databases: list[Database] = []
_kept: list[Collection] = []


@pytest.fixture(scope="module", autouse=True)
def shared() -> Iterator[None]:
    """One database for all the examples of this file, with a collection of each size."""
    _databases.append(hybridsearch.open(default_embedder=None, functions={"letters": letters}))
    random = Random(20_11)
    _kept.extend(stored([drawn(random, number) for number in range(size)]) for size in SIZES)
    yield
    _kept.clear()
    _databases.pop().close()


def drawn(random: Random, number: int) -> Document:
    """A document with some of the attributes."""
    fields = {
        "n": random.choice([None, -3, -2, -1, 0, 0.5, 1, 2, 3]),
        "group": random.choice([None, *GROUPS]),
        "tags": random.choices(TAGS, k=random.randrange(4)),
        "place": {"floor": random.randrange(3), "door": random.choice(TAGS)},
        "open": random.random() < 0.5,
    }
    names = random.sample(sorted(fields), random.randrange(len(fields) + 1))
    words = random.choices(WORDS, k=random.randrange(1, 6))
    return {"id": number, "text": " ".join(words), **{name: fields[name] for name in names}}


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
documents = st.fixed_dictionaries(
    {"text": texts},
    optional={
        "n": st.none() | st.integers(-3, 3) | st.sampled_from([0.5, -1.5]),
        "group": st.none() | st.sampled_from(GROUPS),
        "tags": st.lists(st.sampled_from(TAGS), max_size=3),
        "place": st.fixed_dictionaries({"floor": st.integers(0, 2), "door": st.sampled_from(TAGS)}),
        "open": st.booleans(),
    },
)
collections = st.lists(documents, min_size=1, max_size=14).map(
    lambda items: [{"id": number, **item} for number, item in enumerate(items)]
)


@dataclass(frozen=True)
class Condition:
    """One filter: in our language, as SQL over the view, and what it means."""

    text: str
    sql: str
    holds: Callable[[Document], bool]


def compared(sign: str, number: float) -> Condition:
    signs: dict[str, Callable[[float], bool]] = {
        ">": lambda n: n > number,
        "<=": lambda n: n <= number,
        "=": lambda n: n == number,
    }
    return Condition(
        f"n {sign} {number}",
        f"coalesce(n {sign} {number}, false)",
        lambda document: document.get("n") is not None and signs[sign](document["n"]),
    )


def tagged(tag: str) -> Condition:
    return Condition(
        f"tags = {tag}",
        f"coalesce(list_contains(tags, '{tag}'), false)",
        lambda document: tag in document.get("tags", ()),
    )


def grouped(groups: Sequence[str]) -> Condition:
    listed = ", ".join(f"'{group}'" for group in groups)
    return Condition(
        f"group IN [{listed}]",
        f'coalesce("group" IN ({listed}), false)',
        lambda document: document.get("group") in groups,
    )


def negated(inner: Condition) -> Condition:
    return Condition(
        f"NOT ({inner.text})", f"NOT ({inner.sql})", lambda document: not inner.holds(document)
    )


def both(first: Condition, second: Condition) -> Condition:
    return Condition(
        f"({first.text}) AND ({second.text})",
        f"({first.sql}) AND ({second.sql})",
        lambda document: first.holds(document) and second.holds(document),
    )


def either(first: Condition, second: Condition) -> Condition:
    return Condition(
        f"({first.text}) OR ({second.text})",
        f"({first.sql}) OR ({second.sql})",
        lambda document: first.holds(document) or second.holds(document),
    )


conditions = st.recursive(
    st.one_of(
        st.builds(compared, st.sampled_from([">", "<=", "="]), st.integers(-3, 3)),
        st.builds(tagged, st.sampled_from(TAGS)),
        st.builds(grouped, st.sampled_from([("oak",), ("oak", "Elm"), GROUPS])),
    ),
    lambda inner: st.one_of(
        st.builds(negated, inner), st.builds(both, inner, inner), st.builds(either, inner, inner)
    ),
    max_leaves=3,
)
ANY = Condition("", "true", lambda document: True)


@dataclass(frozen=True)
class Query:
    """What is asked: words to find and words to avoid, and which of them must be there."""

    words: tuple[str, ...]
    excluded: tuple[str, ...]
    match: str

    @property
    def text(self) -> str:
        return " ".join([*self.words, *(f"-{word}" for word in self.excluded)]) + " "

    def finds(self, document: Document) -> bool:
        held = document["text"].split()
        if set(held) & set(self.excluded):
            return False
        if self.match == "phrase":
            size = len(self.words)
            runs = [tuple(held[i : i + size]) for i in range(len(held) - size + 1)]
            return self.words in runs
        return (all if self.match == "all" else any)(word in held for word in self.words)


queries = st.builds(
    Query,
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True).map(tuple),
    st.lists(st.sampled_from(WORDS), max_size=1).map(tuple),
    st.sampled_from(["any", "all", "phrase"]),
)


@dataclass(frozen=True)
class Case:
    """A collection with one search over it."""

    index: Index
    documents: list[Document]
    query: Query
    condition: Condition
    options: dict[str, Any]

    def __repr__(self) -> str:
        documents = self.documents if len(self.documents) < 15 else len(self.documents)
        return f"Case({documents}, {self.query!r}, {self.condition.text!r}, {self.options})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def whole(self, **changed: Any) -> hybridsearch.SearchResult:
        """The result set as one page."""
        return self.index.search(self.query.text, **{**self.options, "limit": 1000, **changed})

    def paged(self, size: int) -> Page:
        """The result set page by page, until a page is empty."""
        hits: Page = []
        size = max(size, len(self.documents) // 9)
        while page := self.whole(limit=size, offset=len(hits)).hits:
            hits.extend(page)
        return hits

    def passing(self) -> list[Document]:
        return [document for document in self.documents if self.condition.holds(document)]

    def found_by_words(self) -> set[int]:
        return {document["id"] for document in self.passing() if self.query.finds(document)}


def stored(documents: list[Document]) -> Collection:
    """The documents in an index of their own, that has seen every attribute."""
    index = _databases[0].create_index(
        f"set{len(_databases[0].tasks())}", primary_key="id", settings=SETTINGS
    )
    every = {"n": 0, "group": "oak", "tags": ["x"], "place": {"floor": 0}, "open": True}
    index.add([{"id": -1, "text": "none", **every}, *documents])
    index.delete(ids=[-1])
    return index, documents


@st.composite
def cases(draw: st.DrawFn, mode: str | None = None, *, fresh: bool = False) -> Case:
    index, found = stored(draw(collections)) if fresh else _kept[draw(st.sampled_from(PLACES))]
    condition = draw(st.just(ANY) | conditions)
    options = {
        "mode": mode or draw(st.sampled_from(["keyword", "semantic", "hybrid"])),
        "filter": condition.text or None,
        "fusion": draw(st.sampled_from(FUSIONS)),
        "candidates": draw(st.sampled_from([None, 1, 2, 3, 7])),
    }
    query = draw(queries)
    return Case(index, found, query, condition, {**options, "match": query.match})


def ids(hits: Sequence[Hit] | hybridsearch.SearchResult) -> list[Any]:
    return [hit.id for hit in hits]


def similarities(case: Case) -> dict[int, float]:
    """id -> cosine of its text with the query, over the documents that pass the filter."""
    found = case.passing()
    vectors = letters([document["text"] for document in found] + [case.query.text])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return dict(zip([d["id"] for d in found], (vectors[:-1] @ vectors[-1]).tolist(), strict=True))


modest = settings(max_examples=60, suppress_health_check=list(HealthCheck))
many = settings(max_examples=300, suppress_health_check=list(HealthCheck))


@modest
@given(cases(), st.integers(1, 5))
def test_pages_one_after_the_other_are_the_whole_result_set(case: Case, size: int) -> None:
    whole = case.whole()
    assert ids(case.paged(size)) == ids(whole)
    assert len(set(ids(whole))) == len(whole) == whole.total


@modest
@given(cases(), st.integers(1, 3))
def test_facets_and_totals_are_those_of_the_whole_set_on_every_page(case: Case, size: int) -> None:
    names = ["group", "tags", "place.floor", "open", "n"]
    page = case.whole(limit=size, facets=names)
    hits = case.whole().hits
    assert page.total == len(hits)
    for name in names:
        counted = Counter(
            label for hit in hits for label in {shown(value) for value in at(hit.document, name)}
        )
        assert page.facets[name] == counted
    numbers = [hit.document["n"] for hit in hits if hit.document.get("n") is not None]
    expected = {"min": min(numbers), "max": max(numbers)} if numbers else None
    assert page.facet_stats.get("n") == expected


def at(document: Document, name: str) -> list[Any]:
    """The values of an attribute: those of a list, or the one; none when it is absent."""
    value: Any = document
    for part in name.split("."):
        value = (value or {}).get(part)
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def shown(value: Any) -> str:
    """The value as a facet lists it."""
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


@modest
@given(cases("keyword"))
def test_by_words_every_document_that_matches_is_found_and_no_other(case: Case) -> None:
    assert set(ids(case.whole())) == case.found_by_words()


@modest
@given(cases("semantic"))
def test_by_meaning_the_nearest_candidates_that_pass_the_filter_are_found(case: Case) -> None:
    scale = similarities(case)
    found = ids(case.whole())
    assert len(found) == min(len(scale), case.options["candidates"] or CANDIDATES)
    assert set(found) <= scale.keys()
    nearness = [scale[id_] for id_ in found]
    left = [scale[id_] for id_ in scale.keys() - set(found)]
    assert all(near + CLOSE >= next_ for near, next_ in pairwise(nearness))
    assert max(left, default=0.0) <= min(nearness, default=1.0) + CLOSE


@modest
@given(cases("hybrid"))
def test_in_hybrid_mode_the_set_is_the_union_of_both_arms(case: Case) -> None:
    avoided = {d["id"] for d in case.documents if set(d["text"].split()) & set(case.query.excluded)}
    firm = "NOT id IN [" + ", ".join(map(str, avoided)) + "]" if avoided else None
    narrowed = [part for part in (case.condition.text, firm) if part]
    near = case.whole(mode="semantic", filter=narrowed)
    assert set(ids(case.whole())) == case.found_by_words() | set(ids(near))


@modest
@given(cases())
def test_a_filter_keeps_the_part_of_the_set_that_passes_it(case: Case) -> None:
    passing = {document["id"] for document in case.passing()}
    assert set(ids(case.whole())) <= passing


@modest
@given(cases())
def test_scores_never_grow_down_the_ranking_and_hybrid_ones_are_within_0_and_1(case: Case) -> None:
    scores = [hit.score for hit in case.whole()]
    assert scores == sorted(scores, reverse=True)
    if case.options["mode"] == "hybrid":
        assert all(0.0 <= score <= 1.0 for score in scores)


@modest
@given(cases(), st.integers(1, 4))
def test_a_hit_says_the_same_on_its_page_as_in_the_whole_set(case: Case, size: int) -> None:
    paged = {hit.id: (hit.score, hit.document, hit.semantic_rank) for hit in case.paged(size)}
    whole = {hit.id: (hit.score, hit.document, hit.semantic_rank) for hit in case.whole()}
    assert paged == whole


@modest
@given(cases(), st.sampled_from(["n", "group", "tags", "place.floor", "open"]), st.booleans())
def test_a_sort_is_the_ranking_sorted(case: Case, name: str, descending: bool) -> None:
    ranking = list(case.whole())
    order = f"{name}:{'desc' if descending else 'asc'}"
    there = [hit for hit in ranking if at(hit.document, name)]
    absent = [hit for hit in ranking if not at(hit.document, name)]
    best = max if descending else min

    def key(hit: Hit) -> Any:
        value = best(at(hit.document, name))
        return (value.lower(), value) if isinstance(value, str) else value

    expected = ids(sorted(there, key=key, reverse=descending))
    assert ids(case.whole(sort=[order])) == expected + ids(absent)


@modest
@given(cases(), st.integers(1, 5))
def test_a_boost_is_the_ranking_multiplied_on_every_page(case: Case, size: int) -> None:
    plain = list(case.whole())
    semantic = case.options["mode"] == "semantic"
    expected = {
        hit.id: ((1 + hit.score) / 2 if semantic else hit.score) * raised(hit.document)
        for hit in plain
    }
    case.options["boost"] = "if(open, 3, 1) + n * n"
    boosted = case.whole()
    assert {hit.id: hit.score for hit in boosted} == pytest.approx(expected, rel=1e-5, abs=1e-9)
    scores = [hit.score for hit in boosted]
    assert scores == sorted(scores, reverse=True)
    assert (ids(case.paged(size)), boosted.total) == (ids(boosted), len(plain))


def raised(document: Document) -> float:
    n = document.get("n")
    return 1.0 if n is None else (3.0 if document.get("open") else 1.0) + n * n


@modest
@given(cases(), st.sampled_from(["n", "group", "open", "place.door"]))
def test_distinct_keeps_the_best_of_each_value(case: Case, name: str) -> None:
    seen: set[Any] = set()
    expected = []
    for hit in case.whole():
        values = at(hit.document, name)
        if not values or values[0] not in seen:
            expected.append(hit.id)
            seen.update(values)
    page = case.whole(distinct=name)
    assert (ids(page), page.total) == (expected, len(expected))


@modest
@given(st.sampled_from(PLACES), conditions)
def test_a_filter_means_in_sql_what_it_means_in_a_search(place: int, condition: Condition) -> None:
    index, documents = _kept[place]
    found = ids(index.search("", filter=condition.text, limit=1000))
    shown = _databases[0].connect().sql(f"SELECT id FROM {index.uid} WHERE {condition.sql}")
    assert found == sorted(row[0] for row in shown.fetchall())
    assert found == [d["id"] for d in documents if condition.holds(d)]


@modest
@given(cases("keyword"))
def test_the_more_words_are_required_the_fewer_documents_are_found(case: Case) -> None:
    sets = [set(ids(case.whole(match=match))) for match in ("phrase", "all", "any")]
    assert all(small <= large for small, large in combinations(sets, 2))


@pytest.mark.slow
@many
@given(cases(fresh=True), st.integers(1, 5))
def test_the_laws_hold_for_collections_of_every_kind(case: Case, size: int) -> None:
    whole = case.whole(facets=["group"])
    assert ids(case.paged(size)) == ids(whole)
    assert len(set(ids(whole))) == len(whole) == whole.total
    counted = Counter(hit.document["group"] for hit in whole if hit.document.get("group"))
    assert whole.facets["group"] == counted
    if case.options["mode"] == "keyword":
        assert set(ids(whole)) == case.found_by_words()
