"""Is a write durable when it is accepted, and is all of a transaction done or nothing?"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridsearch import assets
from hybridsearch.errors import DatabaseClosed, FormatTooNew, InputError, StorageError
from hybridsearch.settings import Settings
from hybridsearch.store import Store, Task, quoted
from hybridsearch.task_log import TaskFilter, find

ADDITION = "documentAdditionOrUpdate"


@pytest.fixture
def store() -> Iterator[Store]:
    found = Store.open(None)
    yield found
    found.close()


def accepted(store: Store, *bodies: bytes) -> Task:
    return store.enqueue("movies", ADDITION, arguments={"mode": "replace"}, bodies=bodies)


def test_a_new_file_is_made_and_has_an_identity_of_its_own(path: Path, tmp_path: Path) -> None:
    one, other = Store.open(path), Store.open(tmp_path / "other.duckdb")
    identities = {one.identity, other.identity}
    one.close()
    again = Store.open(path)
    assert len(identities) == 2
    assert again.identity in identities
    again.close()
    other.close()


def test_an_accepted_task_is_there_after_opening_again(path: Path) -> None:
    store = Store.open(path)
    task = accepted(store, b'{"id":1}', b'{"id":2}')
    store.close()
    again = Store.open(path)
    assert again.tasks(waiting=True) == [task]
    assert again.payload(task.uid) == [b'{"id":1}', b'{"id":2}']
    again.close()


@settings(max_examples=20)
@given(st.lists(st.text(max_size=20).map(str.encode) | st.just(b"x" * 5000), max_size=8))
def test_a_payload_comes_back_byte_for_byte_in_order(bodies: list[bytes]) -> None:
    store = Store.open(None)
    try:
        assert store.payload(accepted(store, *bodies).uid) == bodies
    finally:
        store.close()


def test_tasks_are_numbered_in_the_order_of_acceptance_also_after_opening_again(
    path: Path,
) -> None:
    for number in range(3):
        store = Store.open(path)
        assert accepted(store).uid == number
        store.close()


def test_a_queue_hears_of_tasks_in_their_order(store: Store) -> None:
    heard: list[int] = []

    def submit() -> None:
        for _ in range(5):
            store.enqueue(
                "movies", ADDITION, arguments={}, bodies=[], accepted=lambda t: heard.append(t.uid)
            )

    threads = [threading.Thread(target=submit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == list(range(15))


def test_a_finished_task_has_its_outcome_and_no_payload(store: Store) -> None:
    task = accepted(store, b'{"id":1}')
    store.start([task.uid])
    with store.transaction() as cursor:
        store.finish(cursor, [replace(task, status="succeeded", details={"indexed": 1})])
    [found] = store.tasks(uids=[task.uid])
    assert (found.status, found.details, store.payload(task.uid)) == (
        "succeeded",
        {"indexed": 1},
        [],
    )
    assert found.enqueued_at is not None
    assert found.started_at is not None
    assert found.finished_at is not None
    assert found.enqueued_at <= found.started_at <= found.finished_at


def test_a_task_that_was_begun_still_waits(store: Store) -> None:
    task = accepted(store)
    store.start([task.uid])
    assert [found.status for found in store.tasks(waiting=True)] == ["processing"]


def test_an_error_inside_a_transaction_undoes_all_of_it(store: Store) -> None:
    task = accepted(store)
    with pytest.raises(RuntimeError, match="halfway"), store.transaction() as cursor:  # noqa: PT012
        store.add_index(cursor, "movies", "id")
        store.finish(cursor, [replace(task, status="succeeded")])
        raise RuntimeError("halfway")
    assert store.indexes() == []
    assert store.tasks() == [task]


def test_an_index_comes_back_with_what_was_saved(store: Store) -> None:
    changed = Settings().updated({"stopWords": ["the"]})
    with store.transaction() as cursor:
        record = store.add_index(cursor, "movies", None)
        record = replace(record, primary_key="id", settings=changed, next_row=9)
        record = store.save_index(cursor, replace(record, columns=(("id", "c0", "BIGINT"),)))
    assert store.indexes() == [record]


def test_the_number_of_an_index_is_never_used_again(store: Store) -> None:
    with store.transaction() as cursor:
        first = store.add_index(cursor, "a", None)
        store.remove_index(cursor, first)
        assert store.add_index(cursor, "a", None).number > first.number


def test_indexes_are_listed_by_name(store: Store) -> None:
    with store.transaction() as cursor:
        for name in ("b", "a", "B"):
            store.add_index(cursor, name, None)
    assert [record.uid for record in store.indexes()] == ["B", "a", "b"]


def test_each_thread_has_a_cursor_of_its_own(store: Store) -> None:
    cursors = [store.cursor(), store.cursor()]
    thread = threading.Thread(target=lambda: cursors.append(store.cursor()))
    thread.start()
    thread.join()
    assert cursors[0] is cursors[1]
    assert cursors[0] is not cursors[2]


def test_after_closing_nothing_is_read_and_closing_again_does_nothing() -> None:
    store = Store.open(None)
    store.close()
    store.close()
    with pytest.raises(DatabaseClosed, match=r"hybridsearch\.open\(\)"):
        store.tasks()


def test_a_file_of_a_later_version_is_refused_and_stays_as_it_was(path: Path) -> None:
    Store.open(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE hybridsearch.meta SET value = '99' WHERE name = 'format'")
    with pytest.raises(FormatTooNew, match=r"format 99.*upgrade hybridsearch") as caught:
        Store.open(path)
    assert caught.value.fields["found"] == 99
    with duckdb.connect(str(path)) as connection:
        assert connection.sql(
            "SELECT value FROM hybridsearch.meta WHERE name = 'format'"
        ).fetchall() == [("99",)]


def test_what_is_no_duckdb_file_is_refused_and_stays_as_it_was(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(StorageError, match="could not open"):
        Store.open(path)
    assert path.read_bytes() == b"no database at all" * 1000


def test_a_path_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not open"):
        Store.open(tmp_path / "absent" / "shop.duckdb")


def test_an_interruption_while_a_file_is_made_is_not_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB looks for a table that is not there among Python's variables, and would drop what is
    raised meanwhile."""
    looks: list[None] = []
    monkeypatch.setattr(inspect, "currentframe", lambda: looks.append(None))
    Store.open(path).close()
    assert not looks


def test_the_tables_of_a_file_that_was_there_stay(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 7 AS a")
    store = Store.open(path)
    assert store.cursor().execute("SELECT a FROM mine").fetchall() == [(7,)]
    store.close()


@settings(max_examples=30)
@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
)
def test_a_quoted_name_is_one_identifier_whatever_it_holds(name: str) -> None:
    with duckdb.connect() as connection:
        assert connection.sql(f"SELECT 1 AS {quoted(name)}").columns == [name]


def test_a_database_of_the_first_format_becomes_one_of_the_present(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(assets.text("sql/schema/0001_start.sql"))
        connection.execute(
            "INSERT INTO hybridsearch.meta VALUES ('format', '1'), ('identity', 'a')"
        )
        connection.execute(
            "INSERT INTO hybridsearch.tasks VALUES (0, 'movies', 'indexCreation', 'succeeded',"
            " '{}', '{}', NULL, now()::TIMESTAMP, NULL, NULL)"
        )
    store = Store.open(path)
    try:
        assert [task.batch for task in store.tasks()] == [None]
        assert accepted(store, b"{}").uid == 1
        store.save_features({"metrics": True})
        assert store.features() == {"metrics": True}
    finally:
        store.close()


def test_tasks_are_found_by_the_beginning_of_an_index_name(store: Store) -> None:
    for uid in ("shop-eu", "shop", "other", None):
        store.enqueue(uid, "settingsUpdate", arguments={}, bodies=[])
    for patterns, expected in (
        (["shop-*"], ["shop-eu"]),
        (["shop*"], ["shop", "shop-eu"]),
        (["shop", "other"], ["other", "shop"]),
        (["*"], [None, "other", "shop", "shop-eu"]),
        ([], []),
    ):
        found, total = find(store, TaskFilter(patterns=patterns))
        assert [task.index_uid for task in found] == expected
        assert total == len(expected)


@pytest.mark.parametrize("name", ["a.csv", "a.ndjson", "a.JSON", "a.parquet", "a.tsv.gz"])
@pytest.mark.parametrize("there", [True, False])
def test_a_file_of_data_is_no_database(tmp_path: Path, name: str, there: bool) -> None:
    path = tmp_path / name
    if there:
        path.write_text("id,title\n1,Alien\n")
    with pytest.raises(InputError, match=rf"hybridsearch index shop.duckdb INDEX {name}`, or read"):
        Store.open(path)
    assert path.exists() == there
    assert sorted(tmp_path.iterdir()) == [path] * there


def test_a_database_may_have_any_name(tmp_path: Path) -> None:
    made = tmp_path / "shop.duckdb"
    Store.open(made).close()
    odd = made.rename(tmp_path / "shop.json")
    Store.open(odd).close()


def test_a_rule_that_is_refused_now_keeps_no_database_from_opening(store: Store) -> None:
    with store.transaction() as cursor:
        record = store.add_index(cursor, "movies", "id")
        old = replace(record.settings, kept={"rankingRules": ["_geo:desc", "words", "year:asc"]})
        store.save_index(cursor, replace(record, settings=old))
    assert store.index("movies").settings.kept["rankingRules"] == ["words", "year:asc"]
