"""What does DuckDB know of the documents, and in what order do a sort and the ids put them?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from hybridsearch.columns import Columns, nested
from hybridsearch.document_table import Document, DocumentTable
from hybridsearch.jsontext import dumps
from hybridsearch.sorting import SortKey
from hybridsearch.store import Store


@dataclass
class Table:
    """A table with its columns, that grows as an index makes it grow."""

    store: Store
    documents: DocumentTable
    columns: Columns
    rows: int = 0

    def add(self, *fields: dict[str, Any], stamp: int = 0, **vectors: list[list[float]]) -> None:
        found = [
            Document(self.rows + n, str(item["id"]), dumps(item), item, vectors)
            for n, item in enumerate(fields, 1)
        ]
        values = {name: [d.get(name) for d in fields] for item in fields for name in item}
        columns = self.columns.widened(values)
        with self.store.transaction() as cursor:
            self.documents.evolve(cursor, self.columns, columns)
            self.documents.add(cursor, found, columns=columns, stamp=stamp)
            self.documents.show(cursor, "things", columns, "id")
        self.columns, self.rows = columns, self.rows + len(fields)

    def order(self, *by: SortKey | tuple[str, bool]) -> list[int]:
        """The rows in the order asked."""
        places = self.documents.order(
            [SortKey(*key) for key in by], self.columns, size=self.rows + 1
        )[1:]
        return [row + 1 for row in places.argsort(kind="stable").tolist()]


@pytest.fixture
def table() -> Iterator[Table]:
    store = Store.open(None)
    with store.transaction() as cursor:
        number = store.add_index(cursor, "things", "id").number
        documents = DocumentTable(store, number)
        documents.create(cursor)
        documents.show(cursor, "things", Columns(), "id")
    yield Table(store, documents, Columns())
    store.close()


def kill(table: Table, *rows: int, stamp: int) -> None:
    with table.store.transaction() as cursor:
        born = table.documents.living()
        table.documents.kill(cursor, born[[row in rows for row in born.tolist()]], stamp=stamp)


def test_documents_are_found_by_id_and_read_in_order_of_row(table: Table) -> None:
    table.add({"id": "b", "n": 1}, {"id": "a"})
    assert table.documents.find(["a", "zz", "b"]) == {"a": 2, "b": 1}
    assert [d.body for d in table.documents.read([2, 1, 9])] == [b'{"id":"b","n":1}', b'{"id":"a"}']


def test_vectors_come_back_with_their_document(table: Table) -> None:
    table.add({"id": 1}, clip=[[1.0, 2.0], [0.5, 0.25]])
    assert table.documents.read([1])[0].vectors == {"clip": [[1.0, 2.0], [0.5, 0.25]]}


def test_a_dead_document_is_not_found_and_not_shown(table: Table) -> None:
    table.add({"id": 1}, {"id": 2})
    kill(table, 1, stamp=1)
    assert table.documents.find(["1", "2"]) == {"2": 2}
    assert table.documents.living().tolist() == [2]
    assert table.store.cursor().sql("SELECT id FROM things").fetchall() == [(2,)]


def test_what_was_born_and_what_died_since_a_stamp_is_known(table: Table) -> None:
    table.add({"id": 1}, {"id": 2}, stamp=3)
    table.add({"id": 3}, {"id": 4}, {"id": 5}, stamp=5)
    kill(table, 1, 4, stamp=7)
    born = [[d.row for d in chunk] for chunk in table.documents.born_since(3, size=1)]
    assert born == [[3], [5]]
    assert table.documents.died_since(3).tolist() == [1]
    assert (table.documents.last_stamp(), table.documents.dead_count()) == (7, 2)


def test_nothing_was_born_in_an_empty_table(table: Table) -> None:
    assert table.documents.last_stamp() == -1
    assert list(table.documents.born_since(-1, size=10)) == []


def test_purging_removes_what_died_at_the_stamp_or_before(table: Table) -> None:
    table.add({"id": 1}, {"id": 2}, {"id": 3}, clip=[[1.0]])
    kill(table, 1, stamp=4)
    kill(table, 2, stamp=6)
    with table.store.transaction() as cursor:
        assert table.documents.purge(cursor, stamp=5) == 1
    assert table.documents.dead_count() == 1
    count = "SELECT count(*) FROM hybridsearch.vectors_1"
    assert table.store.cursor().sql(count).fetchall() == [(2,)]


def test_a_condition_keeps_dead_rows_too(table: Table) -> None:
    table.add({"id": 1, "n": 5}, {"id": 2, "n": 1}, {"id": 3, "n": 9})
    kill(table, 1, stamp=1)
    name = table.columns["n"].name
    assert table.documents.rows_where(f"{name} > ?", [2], size=4).tolist() == [
        False, True, False, True,
    ]  # fmt: skip
    assert table.documents.rows_where(f"{name} > ?", [2], size=4, start=2).tolist() == [False, True]


def test_a_column_that_widens_keeps_its_values(table: Table) -> None:
    for value in (1, 1.5, "x", ["y"], {"z": 1}, True, None):
        table.add({"id": table.rows, "a": value})
    shown = table.store.cursor().sql("SELECT a FROM things ORDER BY id").fetchall()
    assert shown == [("1.0",), ("1.5",), ('"x"',), ('["y"]',), ('{"z":1}',), ("true",), (None,)]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["Name", "name", "NAME"], ["Name", "name_2", "NAME_3"]),
        (["name_2", "name", "Name"], ["name_2", "name", "Name_3"]),
        (["a\0", "a"], ["a", "a_2"]),
        (["a", "a\0"], ["a", "a_2"]),
        (["", "_"], ["_", "__2"]),
        (["x y", 'q"t', "a.b", "é", "row", "c0", "select"],) * 2,
    ],
)
def test_every_attribute_is_a_column_of_the_view(
    table: Table, names: list[str], shown: list[str]
) -> None:
    table.add({"id": 1, **{name: number for number, name in enumerate(names)}})
    relation = table.store.cursor().sql("SELECT * EXCLUDE (id) FROM things")
    assert relation.columns == shown
    assert relation.fetchall() == [tuple(range(len(names)))]


def test_ids_stand_in_order_of_number_and_then_of_text(table: Table) -> None:
    ids = [10, 9, "b", "a", -1, 2**70, "B", "x1"]
    table.add(*[{"id": id_} for id_ in ids])
    places = table.documents.id_order(size=table.rows + 1)[1:]
    assert [ids[row] for row in places.argsort().tolist()] == [
        -1,
        9,
        10,
        2**70,
        "B",
        "a",
        "b",
        "x1",
    ]


def test_numbers_sort_by_size_and_absent_ones_come_last_both_ways(table: Table) -> None:
    table.add(
        {"id": 1, "n": 2}, {"id": 2}, {"id": 3, "n": 10}, {"id": 4, "n": None}, {"id": 5, "n": -1}
    )
    assert table.order(("n", False)) == [5, 1, 3, 2, 4]
    assert table.order(("n", True)) == [3, 1, 5, 2, 4]


def test_texts_sort_without_case_and_then_with(table: Table) -> None:
    table.add(*[{"id": n, "t": t} for n, t in enumerate(["b", "a", "B", "A", "é", ""])])
    assert table.order(("t", False)) == [6, 4, 2, 3, 1, 5]


def test_lists_sort_by_their_least_item_and_down_by_their_greatest(table: Table) -> None:
    table.add(
        {"id": 1, "l": [5, 1]}, {"id": 2, "l": [2, 3]}, {"id": 3, "l": []}, {"id": 4, "l": [9]}
    )
    assert table.order(("l", False)) == [1, 2, 4, 3]
    assert table.order(("l", True)) == [4, 1, 2, 3]


def test_what_is_nested_sorts_as_numbers_where_it_is_numbers(table: Table) -> None:
    table.add(*[{"id": n, "o": {'x"y': v}} for n, v in enumerate([10, 9, 100])])
    assert table.order(('o.x"y', False)) == [2, 1, 3]


def test_the_first_attribute_decides_and_then_the_second(table: Table) -> None:
    table.add(*[{"id": n, "a": a, "b": b} for n, (a, b) in enumerate([(1, 1), (0, 1), (1, 2)])])
    assert table.order(("a", True), ("b", True)) == [3, 1, 2]


def test_a_nested_attribute_belongs_to_its_nearest_parent() -> None:
    columns = Columns().widened({"a": [{}], "a.b": [{}]})
    assert nested("a.b.c.d", columns) == (columns["a.b"], ["c", "d"])
    assert nested("a.x", columns) == (columns["a"], ["x"])
    assert nested("z.x", columns)[0] is None
