"""Does a database do what its interface says: indexes, writes, tasks, SQL, opening again?"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pytest

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.errors import (
    DatabaseLocked,
    DocumentError,
    EmbedderError,
    InputError,
    NotFound,
    SettingsError,
    StorageError,
)
from tests.conftest import BY_MEANING, LETTERS, MOVIES, letters, moody


def opened(path: Path, **options: Any) -> Database:
    return hybridsearch.open(path, **{"default_embedder": None, **options})


# Opening and closing


def test_what_was_written_is_found_after_opening_again(path: Path) -> None:
    with opened(path) as db:
        db.create_index("movies", primary_key="id").add(list(MOVIES))
    with opened(path) as db:
        assert [hit.id for hit in db.index("movies").search("alien")] == [1, 3]


def test_without_a_path_a_database_is_in_memory() -> None:
    with hybridsearch.open(default_embedder=None) as one, hybridsearch.open(":memory:") as other:
        one.create_index("a")
        assert (one.path, other.path, other.indexes()) == (None, None, [])


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_may_be_text(path: Path, kind: Any) -> None:
    with hybridsearch.open(kind(path), default_embedder=None) as db:
        assert db.path == path


def test_one_file_is_not_opened_twice(path: Path) -> None:
    with opened(path), pytest.raises(DatabaseLocked, match="open in this process already"):
        opened(path.parent / "." / path.name)
    opened(path).close()


def test_another_process_is_told_that_the_file_is_open(path: Path) -> None:
    program = f"import hybridsearch; hybridsearch.open({str(path)!r})"
    with opened(path):
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "DatabaseLocked" in ended.stderr
    assert "is open in another process" in ended.stderr


def test_a_file_that_cannot_be_opened_can_be_tried_again(path: Path) -> None:
    path.write_bytes(b"no database" * 999)
    for _ in range(2):
        with pytest.raises(hybridsearch.HybridSearchError, match="could not open"):
            opened(path)


@pytest.mark.parametrize("name", ["hybridsearch.duckdb", "Hybridsearch", ".hybridsearch.a.db"])
def test_a_file_that_duckdb_would_name_like_our_schema_is_refused(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match="give the file another name"):
        opened(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["hybridsearches.duckdb", "x.hybridsearch", "main.duckdb"])
def test_any_other_name_will_do(tmp_path: Path, name: str) -> None:
    with opened(tmp_path / name) as db:
        assert db.create_index("a", primary_key="id").count() == 0


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=f"there is no folder {tmp_path}/no; make it first"):
        opened(tmp_path / "no" / "a.duckdb")


def test_an_unknown_default_embedder_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match='"static" or None'):
        hybridsearch.open(path, default_embedder="openai")
    assert not path.exists()


def test_the_default_embedder_serves_indexes_without_one() -> None:
    with hybridsearch.open() as db:
        index = db.create_index("movies", primary_key="id")
        index.add(list(MOVIES))
        assert index.search("spaceship").mode == "hybrid"
        assert index.stats()["embedders"] == {"default": {"dimensions": 256, "documents": 4}}


def test_tasks_that_were_not_waited_for_are_done_after_opening_again(path: Path) -> None:
    db = opened(path)
    index = db.create_index("things", primary_key="id")
    for start in range(0, 60, 10):
        index.add([{"id": n} for n in range(start, start + 10)], wait=False)
    db.close()
    with opened(path) as again:
        again.wait(again.tasks()[-1].uid, timeout=30)
        assert again.index("things").count() == 60


def test_without_its_function_an_index_says_what_to_give(path: Path) -> None:
    with opened(path, functions={"letters": letters}) as db:
        db.create_index("things", primary_key="id", settings=BY_MEANING).add([{"id": 1, "t": "a"}])
    with opened(path) as db, pytest.raises(SettingsError, match=r'functions=\{"letters": \.\.\.\}'):
        db.index("things").search("a")
    with opened(path, functions={"letters": letters}) as db:
        assert db.index("things").search("a").total == 1


def test_nothing_is_wrong_with_files_that_were_left_alone(path: Path) -> None:
    with opened(path) as db:
        db.create_index("movies", primary_key="id").add(list(MOVIES))
    assert hybridsearch.check(path) == []


def test_a_file_that_is_not_there_is_not_checked(path: Path) -> None:
    with pytest.raises(NotFound, match="there is no database at"):
        hybridsearch.check(path)
    assert not path.exists()


# Indexes


def test_indexes_are_listed_by_name(memory: Database) -> None:
    for name in ("b", "a", "c"):
        memory.create_index(name)
    assert [index.uid for index in memory.indexes()] == ["a", "b", "c"]


def test_what_is_raised_is_not_logged_and_what_came_after_it_is(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    index = db.create_index("films", primary_key="id")
    with pytest.raises(DocumentError, match="document 3 "):
        index.add({"id": n} if n != 3 else {} for n in range(30_000))
    with pytest.raises(SettingsError):
        index.update_settings({"nonsense": 1})
    assert caplog.text == ""
    with pytest.raises(DocumentError, match="document 0 "):
        index.add({"x": n} for n in range(30_000))
    while not db.queue.idle():
        time.sleep(0.001)
    logged = [record.message for record in caplog.records]
    assert ["document 10000 " in line or "document 20000 " in line for line in logged] == [True] * 2


def test_a_dropped_index_leaves_nothing_behind(db: Database, path: Path) -> None:
    db.create_index("movies", primary_key="id").add(list(MOVIES))
    db.drop_index("movies")
    assert db.indexes() == []
    assert [p for p in path.with_name(path.name + ".search").rglob("*") if p.is_file()] == []
    db.connect().execute("CREATE TABLE movies (a INTEGER)")


def test_a_name_can_be_used_again_after_dropping(db: Database) -> None:
    db.create_index("movies", primary_key="id").add(list(MOVIES))
    db.drop_index("movies")
    index = db.create_index("movies", primary_key="isbn")
    index.add([{"isbn": "x", "title": "alien"}])
    assert [hit.id for hit in index.search("alien")] == ["x"]


def test_indexes_of_one_database_do_not_see_each_other(memory: Database) -> None:
    one, other = memory.create_index("one"), memory.create_index("other")
    one.add([{"id": 1, "a": "red"}])
    other.add([{"id": 1, "b": "blue"}])
    assert [one.search("blue").total, other.search("blue").total] == [0, 1]
    assert list(other.stats()["attributes"]) == ["id", "b"]


# Writing


def test_adding_replaces_the_whole_document(movies: Index) -> None:
    movies.add([{"id": 1, "title": "Alien 3"}])
    assert movies.get(1) == {"id": 1, "title": "Alien 3"}
    assert movies.search("horror").total == 0


def test_merging_lays_attributes_over_the_old_ones(movies: Index) -> None:
    movies.add([{"id": 1, "year": 1980, "new": True}, {"id": 9, "title": "Brazil"}], mode="merge")
    assert movies.get(1) == {**MOVIES[0], "year": 1980, "new": True}
    assert movies.get(9) == {"id": 9, "title": "Brazil"}


def test_a_document_is_given_back_as_it_was_sent(movies: Index) -> None:
    document = {"z": 1.0, "id": "x", "a": {"c": [None, 2**80, 1e308], "b": "\0é"}}
    movies.add([document])
    movies.rebuild()
    assert str(movies.get("x")) == str(movies.search("", filter='id = "x"').hits[0].document)
    assert str(movies.get("x")) == str(document)


def test_the_id_7_and_the_id_text_7_are_one_document(movies: Index) -> None:
    movies.add([{"id": "1", "title": "text"}])
    assert (movies.count(), movies.get(1)["title"]) == (4, "text")


@pytest.mark.parametrize(
    ("what", "left"),
    [
        ({"ids": [1, "2", 99]}, [3, 4]),
        ({"filter": "year < 1985"}, [2, 3]),
        ({"filter": ["year < 1985", ["id = 1", "id = 2"]]}, [2, 3, 4]),
        ({"all": True}, []),
        ({"ids": []}, [1, 2, 3, 4]),
    ],
)
def test_deletion_removes_what_was_named(movies: Index, what: dict[str, Any], left: Any) -> None:
    task = movies.delete(**what)
    assert [hit.id for hit in movies.search("")] == left
    assert task.details["deleted_documents"] == len(MOVIES) - len(left)


def test_an_arrow_table_is_a_source_too(memory: Database) -> None:
    index = memory.create_index("things")
    task = index.add(pa.table({"id": [1, 2], "t": ["red", None]}))
    assert (task.details["indexed_documents"], index.search("red").total) == (2, 1)


def test_large_sources_go_in_batches_and_progress_is_told(memory: Database) -> None:
    index = memory.create_index("things")
    heard: list[int] = []
    task = index.add(({"id": n} for n in range(20_005)), progress=heard.append)
    assert (heard, index.count()) == ([10_000, 10_000, 5], 20_005)
    assert task.details["indexed_documents"] == 20_005
    assert len(task.details["task_uids"]) == 3


def test_batches_before_an_unfit_document_stay(memory: Database) -> None:
    index = memory.create_index("things", primary_key="id")
    with pytest.raises(DocumentError) as caught:
        index.add({"id": n if n != 10_007 else None} for n in range(20_000))
    assert caught.value.fields["position"] == 10_007
    assert index.get(9_999) == {"id": 9_999}
    with pytest.raises(NotFound):
        index.get(10_006)


def test_of_writes_that_share_a_batch_an_unfit_one_fails_alone(memory: Database) -> None:
    index = memory.create_index("things", primary_key="id")
    tasks = [index.add([{"id": id_}], wait=False) for id_ in (1, None, 2)]
    memory.wait(tasks[2].uid)
    assert [memory.task(t.uid).status for t in tasks] == ["succeeded", "failed", "succeeded"]
    assert index.count() == 2


def test_when_the_embedder_refuses_one_of_several_writes_the_others_are_done() -> None:
    with hybridsearch.open(default_embedder=None, functions={"letters": moody}) as db:
        index = db.create_index("things", primary_key="id", settings=BY_MEANING)
        tasks = [index.add([{"id": t, "t": t}], wait=False) for t in ("a", "bad", "b")]
        db.wait(tasks[2].uid)
        with pytest.raises(EmbedderError):
            db.wait(tasks[1].uid)
        assert [hit.id for hit in index.search("")] == ["a", "b"]


# Settings


def test_settings_changed_one_after_the_other_without_waiting_are_all_in_force(
    memory: Database,
) -> None:
    index = memory.create_index("things")
    index.update_settings({"stopWords": {"the"}}, wait=False)
    index.update_settings({"language": "none"}, wait=False)
    index.update_settings(MappingProxyType({"max_values_per_facet": 3}))
    settings = index.settings
    assert (settings.stop_words, settings.language) == (("the",), "none")
    assert settings.max_values_per_facet == 3


def test_other_searchable_attributes_are_in_force_at_once(movies: Index) -> None:
    movies.update_settings({"searchable_attributes": ["genres"]})
    assert (movies.search("alien").total, movies.search("horror").total) == (0, 1)


def test_an_embedder_given_later_embeds_what_is_there(memory: Database, movies: Index) -> None:
    movies.update_settings(BY_MEANING)
    assert movies.search("alien").mode == "hybrid"
    assert movies.stats()["embedders"] == {"letters": {"dimensions": LETTERS, "documents": 4}}


def test_when_embedding_fails_the_settings_before_stay() -> None:
    def broken(texts: Sequence[str]) -> Any:
        raise RuntimeError("out of cheese")

    with hybridsearch.open(default_embedder=None, functions={"letters": broken}) as db:
        index = db.create_index("movies", primary_key="id")
        index.add(list(MOVIES))
        with pytest.raises(EmbedderError, match="out of cheese"):
            index.update_settings(BY_MEANING)
        assert index.settings.embedders == {}
        assert index.search("alien").total == 2


def test_a_stop_word_beside_other_words_finds_nothing(movies: Index) -> None:
    movies.update_settings({"stop_words": ["texas"]})
    assert movies.search("texas alien ").total == 1


# Reading


def test_figures_of_an_index_are_told(movies: Index) -> None:
    stats = movies.stats()
    assert (stats["documents"], stats["primary_key"], stats["embedders"]) == (4, "id", {})
    assert stats["attributes"] == {
        "id": "BIGINT",
        "title": "VARCHAR",
        "year": "BIGINT",
        "genres": "VARCHAR[]",
        "crew": "JSON",
    }


def test_an_index_is_a_relation_in_sql(memory: Database, movies: Index) -> None:
    sql = "SELECT title FROM movies WHERE year > 1980 AND list_contains(genres, 'Action')"
    assert memory.connect().sql(sql).fetchall() == [("Aliens",)]


def test_several_queries_are_answered_in_their_order(hybrid_movies: Index) -> None:
    found = hybrid_movies.search_many(["alien", "", "texas"], mode="keyword", limit=1)
    assert [result.total for result in found] == [2, 4, 1]


def test_tasks_tell_what_was_done(memory: Database, movies: Index) -> None:
    movies.delete(ids=[1])
    kinds = [(task.kind, task.status, task.index_uid) for task in memory.tasks()]
    assert kinds == [
        ("indexCreation", "succeeded", "movies"),
        ("documentAdditionOrUpdate", "succeeded", "movies"),
        ("documentDeletion", "succeeded", "movies"),
    ]
    assert memory.task(2).details == {"provided_ids": 1, "deleted_documents": 1}


def test_a_task_that_nobody_knows_is_not_found(memory: Database) -> None:
    with pytest.raises(NotFound, match="there is no task 7"):
        memory.task(7)


def test_a_rebuild_changes_no_answer(hybrid_movies: Index) -> None:
    before = hybrid_movies.search("alien", facets=["genres"])
    for reuse in (True, False):
        hybrid_movies.rebuild(reuse_vectors=reuse)
        after = hybrid_movies.search("alien", facets=["genres"])
        assert (after.hits, after.total, after.facets) == (before.hits, before.total, before.facets)


def test_vectors_that_came_with_documents_survive_a_rebuild_and_another_opening(
    path: Path,
) -> None:
    given = {"embedders": {"mine": {"source": "userProvided", "dimensions": 2}}}
    with opened(path) as db:
        index = db.create_index("things", primary_key="id", settings=given)
        index.add(
            [{"id": 1, "_vectors": {"mine": [1, 0]}}, {"id": 2, "_vectors": {"mine": [0, 1]}}]
        )
        index.add([{"id": 1, "t": "merged"}], mode="merge")
        index.rebuild(reuse_vectors=False)
    with opened(path) as db:
        found = db.index("things").search("", vector=[1, 0])
        assert [(hit.id, hit.document.get("t")) for hit in found] == [(1, "merged"), (2, None)]


def test_an_index_that_is_there_is_given_back_as_it_is(db: hybridsearch.Database) -> None:
    db.create_index("a", primary_key="key").add([{"key": 1}])
    again = db.create_index("a", primary_key="other", exist_ok=True)
    assert (again.primary_key, again.count()) == ("key", 1)
