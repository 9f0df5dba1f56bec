"""Who says how arms are fused: the request, then the index, then the embedder?"""

from __future__ import annotations

from typing import Any

import pytest

from hybridsearch import Index
from hybridsearch.errors import SettingsError
from hybridsearch.settings import Settings


def fusion(index: Index, **options: Any) -> Any:
    hit = index.search("alien", mode="hybrid", explain=True, **options).hits[0]
    assert hit.explanation is not None
    return hit.explanation["fusion"]


def test_the_embedder_says_it_when_nobody_else_does(hybrid_movies: Index) -> None:
    found = fusion(hybrid_movies, fusion="rrf")
    assert found["k"] == 5
    assert 0 < found["weights"][1] <= 0.7


def test_the_surer_the_words_the_less_the_meaning_weighs(hybrid_movies: Index) -> None:
    hybrid_movies.add([{"id": n, "title": f"Paris {n}"} for n in range(10, 20)])
    sure, unsure = (
        hybrid_movies.search(text, explain=True, fusion="rrf").hits[0].explanation
        for text in ("texas", "paris")
    )
    assert sure is not None
    assert unsure is not None
    assert 0 < sure["fusion"]["weights"][1] < 0.2
    assert unsure["fusion"]["weights"][1] > 0.3


def test_where_words_are_sure_the_rest_stands_in_the_order_of_meaning(
    hybrid_movies: Index,
) -> None:
    found = hybrid_movies.search("texas", fusion="rrf", limit=50)
    assert found.hits[0].keyword_rank == 1
    places = [hit.semantic_rank for hit in found if hit.keyword_rank is None]
    assert len(places) > 1
    assert places == sorted(places, key=lambda place: place or 0)


def test_weights_that_are_told_hold_for_every_query(hybrid_movies: Index) -> None:
    hybrid_movies.update_settings({"fusion": {"mode": "rrf", "weights": [0.5, 0.5]}})
    assert fusion(hybrid_movies)["weights"] == [0.5, 0.5]
    assert fusion(hybrid_movies, weights=(0.7, 0.3))["weights"] == [0.7, 0.3]


def test_the_index_goes_before_the_embedder(hybrid_movies: Index) -> None:
    own = {"mode": "rrf", "weights": [0.9, 0.1], "k": 7}
    hybrid_movies.update_settings({"fusion": own})
    found = fusion(hybrid_movies)
    assert (found["method"], found["weights"], found["k"]) == ("rrf", [0.9, 0.1], 7)


def test_the_request_goes_before_the_index(hybrid_movies: Index) -> None:
    hybrid_movies.update_settings({"fusion": {"mode": "rrf", "weights": [0.9, 0.1], "k": 7}})
    found = fusion(hybrid_movies, weights=(1, 3), rrf_k=5)
    assert (found["weights"], found["k"]) == ([1, 3], 5)


def test_weights_of_another_fusion_are_not_taken(hybrid_movies: Index) -> None:
    hybrid_movies.update_settings({"fusion": {"mode": "dbsf", "weights": [0.9, 0.1]}})
    assert fusion(hybrid_movies)["method"] == "dbsf"
    assert fusion(hybrid_movies, fusion="rrf")["weights"] != [0.9, 0.1]


@pytest.mark.parametrize("mode", ["rrf", "score", "linear", "dbsf"])
def test_every_fusion_gives_scores_between_0_and_1_best_first(
    hybrid_movies: Index, mode: str
) -> None:
    hits = hybrid_movies.search("alien", mode="hybrid", fusion=mode).hits
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("rrf", "must be an object"),
        ({"weights": [1, 2]}, '"fusion.mode" must be one of rrf, score, linear, dbsf'),
        ({"mode": "rrf", "weight": 1}, 'unknown setting "fusion.weight"; did you mean "weights"'),
        ({"mode": "rrf", "weights": [0, 0]}, "not both 0"),
        ({"mode": "rrf", "weights": [1, float("nan")]}, "two numbers"),
        ({"mode": "rrf", "weights": [1]}, "two numbers"),
        ({"mode": "rrf", "k": 0}, "whole number between 1 and"),
        ({"mode": "rrf", "k": True}, "whole number between 1 and"),
    ],
)
def test_an_unfit_fusion_says_what_is_wrong(value: Any, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings().updated({"fusion": value})
    assert says in caught.value.message
