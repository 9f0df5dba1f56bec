"""Whatever is asked, the parts of a hit's explanation add up to its score, to six digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hybridsearch
from hybridsearch import Database, Hit, Index
from tests.conftest import BY_MEANING, Document, letters

WORDS = ("lantern", "lanterns", "harbour", "harbor", "database", "data", "base", "storm", "night")
TYPED = (*WORDS, "lanten", "harbuor", "databse", "nigth", "lan", "harb", "dat")
SETTINGS = {
    **BY_MEANING,
    "searchableAttributes": ["title", "text"],
    "attributeWeights": {"title": 2.0},
    "synonyms": {"harbor": ["harbour"], "storm": ["bad night"]},
    "language": "none",
}
SIZES = (3, 12, 260)
REL, ABS = 1e-6, 1e-7

_databases: list[Database] = []
_kept: list[Index] = []


@pytest.fixture(scope="module", autouse=True)
def shared() -> Iterator[None]:
    """One database for all the examples of this file, with a collection of each size."""
    _databases.append(hybridsearch.open(default_embedder=None, functions={"letters": letters}))
    random = Random(5)
    for size in SIZES:
        made = {**SETTINGS, "embedders": {"letters": {"source": "function", "passageWords": 5}}}
        index = _databases[0].create_index(f"set{size}", primary_key="id", settings=made)
        index.add([drawn(random, number) for number in range(size)])
        _kept.append(index)
    yield
    _kept.clear()
    _databases.pop().close()


def drawn(random: Random, number: int) -> Document:
    """A document with a title at times, and a text of one passage or of several."""
    text = " ".join(random.choices(WORDS, k=random.randrange(1, 12)))
    title = {"title": " ".join(random.choices(WORDS, k=random.randrange(1, 4)))}
    return {
        "id": number,
        "text": text,
        "stock": random.randrange(5),
        **(title if random.random() < 0.6 else {}),
    }


weights = st.tuples(st.sampled_from([0.0, 0.3, 1.0, 4.0]), st.sampled_from([0.5, 1.0]))
requests = st.fixed_dictionaries(
    {
        "query": st.lists(st.sampled_from(TYPED), min_size=1, max_size=4).map(" ".join),
        "mode": st.sampled_from(["keyword", "semantic", "hybrid", "hybrid", "hybrid"]),
        "fusion": st.sampled_from(["rrf", "score", "linear", "dbsf"]),
    },
    optional={
        "weights": weights,
        "rrf_k": st.integers(1, 80),
        "candidates": st.sampled_from([1, 2, 3, 7, 50]),
        "match": st.sampled_from(["any", "all", "phrase", "last", "frequency"]),
        "tie": st.sampled_from([0.0, 0.3, 1.0]),
        "lenient": st.booleans(),
        "prefix": st.booleans(),
        "offset": st.sampled_from([0, 1, 4]),
        "attributes": st.sampled_from([["text"], ["title"]]),
        "boost": st.sampled_from(
            ["1 + stock", "exp(-stock)", "stock - 2", "if(title = 'x', 2, 0.5)"]
        ),
        "diversity": st.sampled_from([0.0, 0.4]),
    },
)


def added_up(explanation: Mapping[str, Any]) -> float:
    """The sum of what the explanation says the arms gave, times the boost."""
    if "boost" not in explanation:
        return by_arms(explanation)
    base, found = explanation["boost"]["base"], by_arms(explanation)
    found = (1.0 + found) / 2.0 if explanation["mode"] == "semantic" else found
    assert found == pytest.approx(base, rel=REL, abs=ABS)
    return float(base * explanation["boost"]["factor"])


def by_arms(explanation: Mapping[str, Any]) -> float:
    if "fusion" in explanation:
        return float(sum(explanation["fusion"]["parts"].values()))
    if explanation["mode"] == "keyword":
        return words_of(explanation)
    return float(explanation["semantic"]["similarity"])


def words_of(explanation: Mapping[str, Any]) -> float:
    return float(sum(part["score"] for part in explanation["keyword"]["parts"]["parts"]))


def told(hit: Hit) -> Mapping[str, Any]:
    assert hit.explanation is not None
    return hit.explanation


def asked(index: Index, request: Mapping[str, Any]) -> list[Hit]:
    rest = {name: value for name, value in request.items() if name != "query"}
    return list(index.search(request["query"], limit=300, explain=True, **rest))


modest = settings(max_examples=150, suppress_health_check=list(HealthCheck))


@modest
@given(st.sampled_from(range(len(SIZES))), requests)
def test_the_parts_add_up_to_the_score_and_the_words_to_what_the_keyword_arm_gave(
    place: int, request: dict[str, Any]
) -> None:
    for hit in asked(_kept[place], request):
        assert added_up(told(hit)) == pytest.approx(hit.score, rel=REL, abs=ABS)
        assert told(hit)["score"] == hit.score
        if hit.keyword_score is not None:
            assert words_of(told(hit)) == pytest.approx(hit.keyword_score, rel=REL, abs=ABS)


@modest
@given(st.sampled_from(range(len(SIZES))), requests)
def test_the_figures_of_a_fusion_give_its_parts_by_the_documented_formula(
    place: int, request: dict[str, Any]
) -> None:
    for hit in asked(_kept[place], {**request, "mode": "hybrid"}):
        fusion = told(hit).get("fusion")
        if fusion is not None and "beyond" not in fusion:
            expected = FORMULAS[fusion["method"]](hit, fusion)
            for arm, part in fusion["parts"].items():
                assert expected.get(arm, part) == pytest.approx(part, rel=REL, abs=ABS)
        elif fusion is not None:
            beyond = fusion["beyond"]
            reached = beyond["last"] * beyond["candidates"] / beyond["rank"]
            assert fusion["parts"] == {
                "keyword": pytest.approx(reached, rel=REL, abs=ABS),
                "semantic": 0.0,
            }


def by_ranks(hit: Hit, fusion: Mapping[str, Any]) -> dict[str, float]:
    ranks = zip(("keyword", "semantic"), (hit.keyword_rank, hit.semantic_rank), strict=True)
    best = sum(fusion["weights"]) / (fusion["k"] + 1)
    return {
        arm: 0.0 if rank is None else weight / (fusion["k"] + rank) / best
        for (arm, rank), weight in zip(ranks, fusion["weights"], strict=True)
    }


def by_scores(hit: Hit, fusion: Mapping[str, Any]) -> dict[str, float]:
    return mixed(fusion, fusion["exact"]["bm25"], fusion["exact"]["similarity"])


def by_shares(hit: Hit, fusion: Mapping[str, Any]) -> dict[str, float]:
    return mixed(fusion, hit.keyword_score or 0.0, hit.semantic_score)


def mixed(fusion: Mapping[str, Any], bm25: float, cosine: float | None) -> dict[str, float]:
    width = fusion["highest"] - fusion["lowest"]
    near = 0.0 if cosine is None or not width else (cosine - fusion["lowest"]) / width
    words = bm25 / fusion["bm25_max"] if fusion["bm25_max"] else 0.0
    return {
        "keyword": (1.0 - fusion["alpha"]) * min(words, 1.0) ** fusion["power"],
        "semantic": fusion["alpha"] * min(max(near, 0.0), 1.0) ** fusion["power"],
    }


def by_spread(hit: Hit, fusion: Mapping[str, Any]) -> dict[str, float]:
    """Only what needs no other hit: an arm that did not find the row gives nothing."""
    ranks = {"keyword": hit.keyword_rank, "semantic": hit.semantic_rank}
    return {arm: 0.0 for arm, rank in ranks.items() if rank is None}


FORMULAS = {"rrf": by_ranks, "score": by_scores, "linear": by_shares, "dbsf": by_spread}
