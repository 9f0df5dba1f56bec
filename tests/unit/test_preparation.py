"""What documents become in the index, and what that depends on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hybridsearch
from hybridsearch import Database
from hybridsearch.manifest import Manifest
from hybridsearch.preparation import follows, language_of, recipe
from hybridsearch.settings import Settings
from hybridsearch.writes import ADDITION

PLAIN = {"embedders": {"own": {"source": "userProvided", "dimensions": 2}}}
ENGLISH = [{"text": "it was the best of times, it was the worst of times and there was more"}] * 3


def generation_of(settings: Settings) -> Manifest:
    made = recipe(settings, {})
    return Manifest("db", 1, 1, -1, {**made["text"], "found": None}, made["embedders"])


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"stop_words": ["the"]}, True),
        ({"attribute_weights": {"title": 2.0}}, True),
        ({"searchable_attributes": ["title"]}, False),
        ({"language": "en"}, False),
    ],
)
def test_only_what_changes_the_text_asks_for_new_files(change: dict[str, Any], same: bool) -> None:
    made = generation_of(Settings())
    assert follows(made, Settings().updated(change), {}) is same


def test_language_is_detected_in_sentences() -> None:
    assert language_of(Settings(), ENGLISH) == "en"


def test_codes_and_names_tell_no_language() -> None:
    assert language_of(Settings(), [{"lang": "de", "name": "y"}] * 100) is None


def test_a_set_language_is_not_detected() -> None:
    assert language_of(Settings().updated({"language": "none"}), ENGLISH) is None


def vector_of(index: hybridsearch.Index) -> list[float]:
    state = index.snapshot().state
    vectors = state.arms["own"].vectors
    return [float(number) for number in vectors.get(np.asarray(state.living))[1][0]]


def test_an_embedder_sees_its_own_attributes_only(tmp_path: Path) -> None:
    seen: list[str] = []

    def embed(texts: list[str]) -> list[list[float]]:
        seen.extend(texts)
        return [[1.0, float(len(text))] for text in texts]

    embedder = {"source": "function", "dimensions": 2, "documentAttributes": ["title"]}
    with hybridsearch.open(tmp_path / "a.duckdb", functions={"own": embed}) as db:
        index = db.create_index("a", settings={"embedders": {"own": embedder}})
        index.add([{"id": 1, "title": "Up", "text": "balloons"}])
    assert seen == ["Up"]


def test_other_searchable_attributes_are_embedded_anew(tmp_path: Path) -> None:
    def embed(texts: list[str]) -> list[list[float]]:
        return [[1.0, float(len(text))] for text in texts]

    embedders = {"own": {"source": "function", "dimensions": 2}}
    with hybridsearch.open(tmp_path / "a.duckdb", functions={"own": embed}) as db:
        index = db.create_index("a", settings={"embedders": embedders})
        index.add([{"id": 1, "title": "Up", "text": "balloons and a house"}])
        before = vector_of(index)
        index.update_settings({"searchable_attributes": ["title"]})
        assert vector_of(index) != pytest.approx(before)


def test_vectors_that_came_along_survive_other_settings(tmp_path: Path) -> None:
    with hybridsearch.open(tmp_path / "a.duckdb") as db:
        index = db.create_index("a", settings=PLAIN)
        index.add([{"id": 1, "title": "Up", "_vectors": {"own": [0.6, 0.8]}}])
        index.update_settings({"searchable_attributes": ["title"]})
        assert vector_of(index) == pytest.approx([0.6, 0.8], abs=1e-3)


def test_a_crash_before_the_first_manifest_does_not_lose_the_language(tmp_path: Path) -> None:
    documents = [{"id": n, **ENGLISH[0]} for n in range(1200)]
    path = tmp_path / "a.duckdb"
    with hybridsearch.open(path, default_embedder=None) as db:
        db.create_index("a")
        db.index("a").count()  # writes the first, empty generation
    empty = (tmp_path / "a.duckdb.search/1/1/MANIFEST.json").read_bytes()
    with hybridsearch.open(path, default_embedder=None) as db:
        db.index("a").add(documents)
    (tmp_path / "a.duckdb.search/1/1/MANIFEST.json").write_bytes(empty)
    with hybridsearch.open(path, default_embedder=None) as db:
        assert db.index("a").stats()["language"] == "en"
        assert db.index("a").search("time").total == 1200


def test_vectors_of_an_embedder_that_comes_later_are_there_when_it_does(memory: Database) -> None:
    index = memory.create_index("later", primary_key="id")
    bodies = [b'{"id": 1, "_vectors": {"own": [1, 0]}}', b'{"id": 2, "_vectors": {"own": [1]}}']
    arguments: dict[str, Any] = {"mode": "replace", "primary_key": "id", "start": 0, "count": 2}
    arguments["strange_vectors"] = True
    queue = memory._queue
    queue.wait(queue.submit("later", ADDITION, arguments=arguments, bodies=bodies).uid)
    index.update_settings({"embedders": {"own": {"source": "userProvided", "dimensions": 2}}})
    assert [hit.id for hit in index.search(vector=[1, 0], mode="semantic")] == [1]
    index.update_settings({"embedders": {"own": {"source": "userProvided", "dimensions": 1}}})
    assert [hit.id for hit in index.search(vector=[1], mode="semantic")] == [2]
