"""Does a search answer from one unchanging state, and say how it came to its answer?"""

from __future__ import annotations

import math
from typing import Any

import pytest

from hybridsearch import Database, Index, SearchRequest, SearchResult, Snapshot
from hybridsearch.errors import FilterError
from tests.conftest import BY_MEANING, LETTERS, MOVIES

ASKED: list[dict[str, Any]] = [
    {"query": "alien"},
    {"query": "alien", "filter": "year > 1980", "facets": ["genres", "year"]},
    {"query": "", "sort": ["year:asc"], "filter": "year > 1980"},
    {"query": "", "distinct": "year"},
    {"query": "alien", "mode": "semantic", "facets": ["crew.director"]},
]


def answers(snapshot: Snapshot) -> list[Any]:
    found = [snapshot.search(SearchRequest(**asked)) for asked in ASKED]
    return [(result.hits, result.total, result.facets, result.facet_stats) for result in found]


def test_a_snapshot_that_is_held_goes_on_giving_the_same_answers(hybrid_movies: Index) -> None:
    held = hybrid_movies.snapshot()
    before = answers(held)
    hybrid_movies.add(
        [{"id": 1, "title": "Alien again", "year": 1999}, {"id": 9, "title": "alien"}]
    )
    hybrid_movies.delete(ids=[3])
    assert answers(held) == before


def test_so_it_does_when_it_is_asked_only_after_the_writing(hybrid_movies: Index) -> None:
    expected = answers(hybrid_movies.snapshot())
    held = hybrid_movies.snapshot()
    hybrid_movies.add([{"id": 1, "title": "Alien again", "year": 1999, "crew": {"director": "W"}}])
    hybrid_movies.delete(ids=[3])
    assert answers(held) == expected


def test_a_snapshot_that_is_held_stays_when_everything_is_rebuilt(hybrid_movies: Index) -> None:
    held = hybrid_movies.snapshot()
    before = answers(held)
    hybrid_movies.rebuild()
    hybrid_movies.update_settings({"searchable_attributes": ["genres"]})
    assert answers(held) == before


def test_several_searches_at_once_answer_as_one_by_one(hybrid_movies: Index) -> None:
    snapshot = hybrid_movies.snapshot()
    requests = [SearchRequest(**asked) for asked in ASKED]
    requests.append(SearchRequest(query="up", vector=[1.0] * LETTERS))
    together = snapshot.search_many(requests)
    alone = [snapshot.search(request) for request in requests]
    assert [(r.hits, r.total, r.mode) for r in together] == [
        (r.hits, r.total, r.mode) for r in alone
    ]


def test_no_searches_have_no_answers(movies: Index) -> None:
    assert movies.search_many([]) == []


@pytest.mark.parametrize(
    ("asked", "mode"),
    [
        ({"query": "alien"}, "hybrid"),
        ({"query": "alien", "mode": "keyword"}, "keyword"),
        ({"query": "alien", "mode": "semantic"}, "semantic"),
        ({"query": ""}, "everything"),
        ({"query": "", "mode": "semantic"}, "everything"),
        ({"query": "", "vector": [1.0] * LETTERS}, "semantic"),
        ({"query": "alien", "mode": "keyword", "vector": [1.0] * LETTERS}, "keyword"),
    ],
)
def test_the_answer_says_in_which_mode_it_was_found(
    hybrid_movies: Index, asked: dict[str, Any], mode: str
) -> None:
    assert hybrid_movies.search(**asked).mode == mode


def test_without_vectors_a_search_is_by_words(movies: Index) -> None:
    assert movies.search("alien", mode="hybrid").mode == "keyword"


def test_a_hit_says_its_place_and_score_in_each_arm(hybrid_movies: Index) -> None:
    hit = hybrid_movies.search("aliens ", limit=1).hits[0]
    assert (hit.id, hit.keyword_rank) == (3, 1)
    assert hit.keyword_score is not None
    assert hit.semantic_rank is not None
    assert hit.semantic_score is not None
    assert hit.keyword_score > 0.0
    assert -1.0 <= hit.semantic_score <= 1.001


def test_what_is_explained_adds_up_to_the_score(hybrid_movies: Index) -> None:
    for hit in hybrid_movies.search("alien", explain=True):
        assert hit.explanation is not None
        parts = hit.explanation["fusion"]["parts"]
        assert math.isclose(sum(parts.values()), hit.score, rel_tol=1e-4)


def test_nothing_is_explained_unasked(movies: Index) -> None:
    assert movies.search("alien").hits[0].explanation is None


def test_only_the_attributes_asked_for_are_marked(movies: Index) -> None:
    hit = movies.search("alien", highlight=["title"], highlight_tags=("[", "]")).hits[0]
    assert hit.highlights == {"title": "[Alien]"}


def test_marks_reach_into_lists_and_objects(movies: Index) -> None:
    hit = movies.search("adventure pete", highlight=["*"]).hits[0]
    assert hit.highlights["genres"] == ["<em>Adventure</em>"]
    assert hit.highlights["crew"] == {"director": "<em>Pete</em>"}


def test_a_hit_shows_only_what_may_be_displayed(movies: Index) -> None:
    movies.update_settings({"displayed_attributes": ["title"]})
    hit = movies.search("alien", highlight=["*"], limit=1).hits[0]
    assert (hit.id, hit.document, list(hit.highlights)) == (1, {"title": "Alien"}, ["title"])


def counted(index: Index, *names: str) -> SearchResult:
    return index.search("", facets=names)


def test_facets_count_documents_by_value_and_numbers_have_their_range(movies: Index) -> None:
    found = counted(movies, "genres", "year", "crew.director")
    assert found.facets["genres"] == {
        "Action": 1,
        "Adventure": 1,
        "Horror": 1,
        "Science Fiction": 2,
    }
    assert found.facets["crew.director"] == {"Pete": 1, "Wim": 1}
    assert found.facet_stats == {"year": {"min": 1979.0, "max": 2009.0}}


def test_a_star_counts_whatever_may_be_filtered_by(movies: Index) -> None:
    everything = counted(movies, "*").facets
    assert everything["crew.director"] == {"Pete": 1, "Wim": 1}  # nested ones by their own names
    assert "crew" not in everything
    movies.update_settings({"filterable_attributes": ["genres", "year"]})
    assert list(counted(movies, "*").facets) == ["year", "genres"]


def test_facets_are_listed_as_the_settings_say(movies: Index) -> None:
    movies.update_settings({"max_values_per_facet": 2, "sort_facet_values_by": {"genres": "count"}})
    assert counted(movies, "genres").facets["genres"] == {"Science Fiction": 2, "Action": 1}


def test_a_facet_of_what_may_not_be_filtered_by_is_refused(movies: Index) -> None:
    movies.update_settings({"filterable_attributes": ["year"]})
    with pytest.raises(FilterError, match='attribute "genres" is not filterable') as caught:
        counted(movies, "genres")
    assert caught.value.code == "invalid_search_facets"


def test_the_settings_can_ask_for_one_hit_of_each_value(memory: Database) -> None:
    index = memory.create_index("shirts", settings={"distinct_attribute": "model"})
    assert index.search("red").total == 0
    index.add([{"id": n, "model": f"m{n // 3}", "text": "red"} for n in range(9)])
    assert [hit.id for hit in index.search("red")] == [0, 3, 6]
    assert [hit.id for hit in index.search("red", distinct="id", limit=4)] == [0, 1, 2, 3]


def test_weights_of_attributes_change_the_ranking(memory: Database) -> None:
    index = memory.create_index("things", primary_key="id")
    index.add(
        [{"id": 1, "title": "red", "text": "blue"}, {"id": 2, "title": "blue", "text": "red"}]
    )
    index.update_settings({"attribute_weights": {"text": 5.0}})
    assert [hit.id for hit in index.search("red")] == [2, 1]
    index.update_settings({"attribute_weights": {"title": 5.0}})
    assert [hit.id for hit in index.search("red")] == [1, 2]


def test_words_are_looked_for_only_in_the_attributes_asked_for(movies: Index) -> None:
    assert movies.search("pete", attributes=["title"]).total == 0
    assert movies.search("pete", attributes=["crew"]).total == 1


def test_the_count_is_that_of_the_documents(memory: Database) -> None:
    index = memory.create_index("things", primary_key="id", settings=BY_MEANING)
    index.add(list(MOVIES))
    assert index.snapshot().count == index.count() == len(MOVIES)


@pytest.mark.parametrize("value", ["soon", 5.5, ["x"], {"y": 1}, True])
@pytest.mark.parametrize("asked", ASKED)
def test_a_snapshot_that_is_held_outlives_a_change_of_types(
    memory: Database, hybrid_movies: Index, value: Any, asked: dict[str, Any]
) -> None:
    twin = memory.create_index("twin", primary_key="id", settings=BY_MEANING)
    twin.add(list(MOVIES))
    held = hybrid_movies.snapshot()
    hybrid_movies.add([{"id": 9, "title": "alien", "year": value, "genres": value, "crew": value}])
    found, expected = held.search(SearchRequest(**asked)), twin.search(**asked)
    assert (found.hits, found.facets) == (expected.hits, expected.facets)
    assert found.facet_stats == expected.facet_stats
