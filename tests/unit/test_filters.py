"""The filter language: what it accepts, what it refuses and how, and what it selects."""

from __future__ import annotations

import doctest
import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import duckdb
import pytest

from hybridsearch.errors import FilterError
from hybridsearch.filters import Column, Filter, fields, parse, text, to_sql

COLUMNS = {
    "id": Column("id", "number"),
    "title": Column("title", "text"),
    "year": Column("year", "number"),
    "rating": Column("rating", "number"),
    "seen": Column("seen", "bool"),
    "genres": Column("genres", "list", "text"),
    "codes": Column("codes", "list", "number"),
    "actors": Column("actors", "json"),
    "mixed": Column("mixed", "json"),
    "_geo": Column("_geo", "json"),
    'odd "name"; --': Column('odd "name"; --', "text"),
}
TYPES = {"number": "BIGINT", "text": "VARCHAR", "bool": "BOOLEAN", "json": "JSON"}
DOCUMENTS: list[dict[str, Any]] = [
    {
        "id": 1,
        "title": "Solaris",
        "year": 1972,
        "rating": 8,
        "seen": True,
        "genres": ["Drama", "Science Fiction"],
        "codes": [1, 2],
        "actors": [{"name": "Natalya Bondarchuk", "born": 1950}, {"name": "Donatas Banionis"}],
        "mixed": 5,
        "_geo": {"lat": 55.75, "lng": 37.62},
    },
    {
        "id": 2,
        "title": "ALIEN",
        "year": 1979,
        "rating": None,
        "seen": False,
        "genres": [],
        "codes": [2, None],
        "actors": {"name": "Sigourney Weaver", "roles": [["Ripley"], "Gwen"]},
        "mixed": "5",
        "_geo": {"lat": "48.85", "lng": 2.35},
    },
    {
        "id": 3,
        "title": "",
        "year": 2**53 + 1,
        "genres": ["drama"],
        "mixed": [True, {"deep": None}, "x"],
        "actors": {"name": ""},
        "_geo": {"lat": 0, "lng": 179.5},
    },
    {"id": 4, "title": None, "mixed": {}, 'odd "name"; --': "here", "_geo": {"lat": 900, "lng": 0}},
]


def _type(column: Column) -> str:
    return f"{TYPES[column.item]}[]" if column.kind == "list" else TYPES[column.kind]


def _stored(column: Column, value: Any) -> Any:
    return json.dumps(value) if column.kind == "json" and value is not None else value


@pytest.fixture(scope="module")
def table() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        names = {key: column.name.replace('"', '""') for key, column in COLUMNS.items()}
        typed = ", ".join(f'"{names[key]}" {_type(COLUMNS[key])}' for key in COLUMNS)
        connection.execute(f"CREATE TABLE documents ({typed}, body JSON)")
        marks = ", ".join("?" * (len(COLUMNS) + 1))
        for document in DOCUMENTS:
            row = [_stored(column, document.get(key)) for key, column in COLUMNS.items()]
            insert = f"INSERT INTO documents VALUES ({marks})"
            connection.execute(insert, [*row, json.dumps(document)])
        yield connection


def _parsed(filter: str | list[Any]) -> Filter:
    tree = parse(filter)
    assert tree is not None
    return tree


def _ids(table: duckdb.DuckDBPyConnection, filter: Any, **options: bool) -> list[int]:
    where, values = to_sql(_parsed(filter), COLUMNS, **options)
    found = table.execute(f"SELECT id FROM documents WHERE {where} ORDER BY id", values)
    return [row[0] for row in found.fetchall()]


def _error(filter: Any) -> FilterError:
    with pytest.raises(FilterError) as caught:
        to_sql(_parsed(filter), COLUMNS)
    return caught.value


@pytest.mark.parametrize(
    ("filter", "ids"),
    [
        ("title = solaris", [1]),
        ("title != SOLARIS", [2, 3, 4]),
        ("title <> SOLARIS", [2, 3, 4]),
        ("NOT title = solaris", [2, 3, 4]),
        ("not not title = solaris", [1]),
        ("title > b", [1]),
        ("title <= 'alien'", [2, 3]),
        ("title A TO b", [2]),
        ("title = ''", [3]),
        ("year = 1972", [1]),
        ("year = '1972.0'", [1]),
        ("year = 1.972e3", [1]),
        ("year = MCMLXXII", []),
        ("year = 9007199254740993", [3]),
        ("year > 9007199254740992", [3]),
        ("year < 99999999999999999999999999", [1, 2, 3]),
        ("year < -5 OR year >= +1979", [2, 3]),
        ("year 1972 TO 1979", [1, 2]),
        ("year 1972 to 1978", [1]),
        ("year BETWEEN 1973 AND 1980 AND id = 2", [2]),
        ("year NOT BETWEEN 1973 AND 1980", [1, 3, 4]),
        ("year BETWEEN 1973 AND never", []),
        ("year IN [1972, 1979,]", [1, 2]),
        ("year NOT IN (1972, '1979')", [3, 4]),
        ("year IN []", []),
        ("year NOT IN []", [1, 2, 3, 4]),
        ("title IN [Alien, 'SOLARIS', 7]", [1, 2]),
        ("title CONTAINS LA", [1]),
        ("title NOT CONTAINS l", [3, 4]),
        ("title STARTS WITH al", [2]),
        ("title STARTS WITH la", []),
        ("title NOT STARTS WITH al", [1, 3, 4]),
        ("title LIKE 's%s'", [1]),
        ("title ILIKE '_LIEN'", [2]),
        ("title NOT LIKE '%'", [4]),
        ("year CONTAINS 19", []),
        ("seen = true", [1]),
        ("seen = 'FALSE'", [2]),
        ("seen != true", [2, 3, 4]),
        ("genres = drama", [1, 3]),
        ("genres != drama", [2, 4]),
        ("genres CONTAINS fiction", [1]),
        ("genres IN ['science fiction', x]", [1]),
        ("codes = 2", [1, 2]),
        ("codes > 1", [1, 2]),
        ("codes < 2", [1]),
        ("codes != 1", [2, 3, 4]),
        ("codes = two", []),
        ("rating EXISTS", [1, 2]),
        ("rating NOT EXISTS", [3, 4]),
        ("rating IS NULL", [2]),
        ("rating IS NOT NULL", [1, 3, 4]),
        ("title IS EMPTY", [3]),
        ("title IS NOT EMPTY", [1, 2, 4]),
        ("genres IS EMPTY", [2]),
        ("mixed IS EMPTY", [4]),
        ("year IS EMPTY", []),
        ("mixed = 5", [1, 2]),
        ("mixed >= 5.0", [1, 3]),
        ("mixed = true", [3]),
        ("mixed.deep IS NULL", [3]),
        ("mixed.deep EXISTS", [3]),
        ("mixed EXISTS", [1, 2, 3, 4]),
        ("actors.name = 'donatas banionis'", [1]),
        ("actors.name IS EMPTY", [3]),
        ("actors.name != 'Sigourney Weaver'", [1, 3, 4]),
        ("actors.born < 1960", [1]),
        ("actors.born NOT EXISTS", [2, 3, 4]),
        ("actors.roles = Ripley AND actors.roles = gwen", [2]),
        ("actors.0 EXISTS", []),
        ("year.month EXISTS", []),
        ("year = 1972 OR year = 1979 AND title = alien", [1, 2]),
        ("(year = 1972 OR year = 1979) AND title = alien", [2]),
        ("NOT (year = 1972 OR year = 1979)", [3, 4]),
        ('"odd \\"name\\"; --" = here', [4]),
        ([["year = 1972", "year = 1979"], "seen = true"], [1]),
        (["year = 1972 OR year = 1979", "seen = false"], [2]),
        (["", [], ["", "id = 4"]], [4]),
        ("_geoRadius(55.75, 37.62, 1)", [1]),
        ("_geoRadius(48.8566, 2.3522, 2000)", [2]),
        ("_geoRadius(0, -179.5, 112000)", [3]),
        ("_geoRadius(0, -179.5, 111000)", []),
        ("NOT _geoRadius(55.75, 37.62, 1)", [2, 3, 4]),
        ("_geoBoundingBox([60, 40], [40, 0])", [1, 2]),
        ("_geoBoundingBox([10, -170], [-10, 170])", [3]),
        ("_geoPolygon([40, 0], [40, 10], [60, 10], [60, 0])", [2]),
        ("_geoPolygon([-1, 179], [0.5, 180], [2, 179])", [3]),
        ("_geo EXISTS AND _geo.lat = 55.75", [1]),
    ],
)
def test_a_filter_selects_exactly_its_documents(
    table: duckdb.DuckDBPyConnection, filter: Any, ids: list[int]
) -> None:
    assert _ids(table, filter) == ids


def test_numbers_in_text_columns_are_compared_as_texts(table: duckdb.DuckDBPyConnection) -> None:
    assert _ids(table, "title > 5") == [1, 2]


def test_a_dotted_attribute_of_its_own_wins_over_the_path() -> None:
    columns = {"a": Column("a", "json"), "a.b": Column("a.b", "number")}
    assert to_sql(_parsed("a.b = 1"), columns)[0] == '("a.b" IS NOT NULL AND "a.b" = ?)'


def test_fields_come_once_in_order_of_first_use() -> None:
    tree = _parsed("b = 1 OR (a.x > 2 AND NOT b = 3) OR _geoRadius(1, 2, 3) OR 'c d' EXISTS")
    assert fields(tree) == ("b", "a.x", "_geo", "c d")


@pytest.mark.parametrize("nothing", [None, "", "  \n", [], [[]], ["", [""]], ()])
def test_no_condition_is_no_filter(nothing: Any) -> None:
    assert parse(nothing) is None


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("a=1", "a = 1"),
        ("a<>b", "a != 'b'"),
        ("a 1 TO 2", "a BETWEEN 1 AND 2"),
        ("not a in (x)", "a NOT IN ['x']"),
        ("a is not null and NOT b is empty", "a IS NOT NULL AND b IS NOT EMPTY"),
        ("NOT a = True", "NOT a = true"),
        ("((a = 1) AND (b = 2)) AND c = 3", "a = 1 AND b = 2 AND c = 3"),
        ("a = 1 AND (b = 2 OR c = 3)", "a = 1 AND (b = 2 OR c = 3)"),
        ("NOT (a = 1 OR b = 2)", "NOT (a = 1 OR b = 2)"),
        ("'a b' = 'it''s'", "\"a b\" = 'it\\'s'"),
        ('"and" = "say \\"x\\" \\\\ \\n"', '"and" = \'say "x" \\\\ \n\''),
        ("_geoRadius( 1,2 , 3 )", "_geoRadius(1, 2, 3)"),
        ("_geoBoundingBox([2,2],[1,1])", "_geoBoundingBox([2, 2], [1, 1])"),
    ],
)
def test_text_is_canonical_and_reads_back(written: str, canonical: str) -> None:
    tree = _parsed(written)
    assert text(tree) == canonical
    assert parse(canonical) == tree


def test_equal_filters_are_one_key() -> None:
    assert len({_parsed("a=1 AND b = x"), _parsed(["a = 1", "b = 'x'"]), _parsed("a = 2")}) == 2


@pytest.mark.parametrize(
    "name", ["title", "TITLE; DROP TABLE documents", 'x" OR 1=1 --', "?", "{}"]
)
def test_user_text_never_becomes_sql(name: str) -> None:
    quoted = json.dumps(name)
    filter = _parsed(f"{quoted} = {quoted} OR {quoted} CONTAINS {quoted}")
    where, values = to_sql(filter, {name: Column("c", "text")})
    assert where == (
        '(("c" IS NOT NULL AND lower("c") = lower(?))'
        ' OR ("c" IS NOT NULL AND contains(lower("c"), lower(?))))'
    )
    assert values == [name, name]


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ("titel = 5", 'unknown field "titel" in filter, column 1; did you mean "title"?'),
        ("id = 1 OR acters.name = x", "column 11"),
        ("year >", "found the end, expected a value, in filter, column 7"),
        ("year == 3", 'found "=", expected a value, in filter, column 7'),
        ("year 5", 'found "5", expected an operator'),
        ("year NOT 5", "expected EXISTS, IN, CONTAINS, STARTS WITH or LIKE"),
        ("year IS 5", "expected NULL, EMPTY or NOT"),
        ("year = null", "write IS NULL"),
        ("title STARTS x", 'found "x", expected WITH'),
        ("(year = 1", 'the "(" is never closed in filter, column 1'),
        ("year = 1)", 'found ")", expected AND, OR or the end'),
        ("((year = 1) year", 'found "year", expected AND, OR or ")"'),
        ("title = Science Fiction", 'found "Fiction", expected AND, OR or the end'),
        ("title = 'abc", "the quote ' is never closed in filter, column 9"),
        ("title = Yahoo!", 'found "!" in filter, column 14'),
        ("title = \ud800", "half of a surrogate pair in filter, column 9"),
        ("a IN [1 2]", 'found "2", expected "]"'),
        ("a IN 1", 'found "1", expected "["'),
        ("a = AND", 'found "AND", expected a value'),
        ("AND a = 1", 'found "AND", expected a field name'),
        ("a = 1 OR", "found the end, expected a field name, in filter, column 9"),
        ("a BETWEEN 1 OR 2", 'found "OR", expected AND'),
        ("_geoPoint(1, 2)", 'found "_geoPoint", expected _geoRadius'),
        ("_geoRadius(91, 2, 3)", "expected a latitude from -90 to 90"),
        ("_geoRadius(1, 181, 3)", "expected a longitude from -180 to 180"),
        ("_geoRadius(1, 2, -3)", "expected a radius in metres"),
        ("_geoRadius(1, 2)", 'found ")", expected ","'),
        ("_geoBoundingBox([1, 2])", "needs two points"),
        ("_geoBoundingBox([1, 2], [3, 4])", "top latitude below its bottom latitude"),
        ("_geoPolygon([1, 2], [3, 4])", "needs three points"),
        ("_geoPolygon(1, 2)", "points are [latitude, longitude]"),
        (["id = 1", ["id = 2", "id ="]], "expected a value, in filter[1][1], column 5"),
        ([["id = 1", ["id = 2"]]], "filter[0][1] must be a text, not list"),
        (7, "filter must be a text or a list of texts, not int"),
        ([None], "filter[0] must be a text or a list of texts, not NoneType"),
        ("mixed" + ".x" * 51 + " = 1", "50 steps at most"),
        ("(" * 10_000 + "id = 1" + ")" * 10_000, "too many nested parentheses"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(filter: Any, message: str) -> None:
    assert message in _error(filter).message


def test_an_error_carries_column_and_field() -> None:
    assert _error("id = 1 AND titel = 5").fields == {"column": 12, "field": "titel"}
    assert _error("id = 1 AND year >").fields == {"column": 18, "field": "year"}


def test_an_unknown_field_may_be_one_that_no_document_has(
    table: duckdb.DuckDBPyConnection,
) -> None:
    assert _ids(table, "nowhere = 5 OR no.where EXISTS", missing_ok=True) == []
    assert _ids(table, "nowhere != 5", missing_ok=True) == [1, 2, 3, 4]


def test_two_hundred_brackets_are_read(table: duckdb.DuckDBPyConnection) -> None:
    filter = "(id = 9 OR (NOT " * 100 + "id = 1" + "))" * 100
    assert _ids(table, filter) == [1]


@pytest.mark.parametrize("word", ["OR", "AND"])
def test_ten_thousand_conditions_are_no_depth(table: duckdb.DuckDBPyConnection, word: str) -> None:
    tree = _parsed(f" {word} ".join(["id = 2"] * 10_000))
    assert parse(text(tree)) == tree
    where, values = to_sql(tree, COLUMNS)
    assert table.execute(f"SELECT id FROM documents WHERE {where}", values).fetchall() == [(2,)]


def test_ten_thousand_negations_are_no_depth(table: duckdb.DuckDBPyConnection) -> None:
    assert _ids(table, "NOT " * 10_001 + "id = 2") == [1, 3, 4]


def test_a_thousand_values_in_a_list(table: duckdb.DuckDBPyConnection) -> None:
    assert _ids(table, f"id IN [{', '.join(map(str, range(3, 1003)))}]") == [3, 4]


def test_a_nul_is_a_character_like_others() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (a VARCHAR, j JSON, body JSON)")
        document = {"a": "x\0y", "j": {"k\0": 1}}
        row = [document["a"], json.dumps(document["j"]), json.dumps(document)]
        connection.execute("INSERT INTO t VALUES (?, ?, ?)", row)
        columns = {"a": Column("a", "text"), "j": Column("j", "json")}
        where, values = to_sql(_parsed("a = 'X\0Y' AND j.k\0 = 1 AND j.k NOT EXISTS"), columns)
        found = connection.execute(f"SELECT count(*) FROM t WHERE {where}", values).fetchone()
    assert found == (1,)


@pytest.mark.parametrize("key", ["*", "", "a/b", "a~1", '"q"', "0", "$", "#", "a[0]", "it's", "é"])
def test_keys_of_any_spelling_are_found(key: str) -> None:
    document = {"j": [{key: {"x": 1}}]}
    filter = _parsed(json.dumps(f"j.{key}.x", ensure_ascii=False) + " = 1")
    where, values = to_sql(filter, {"j": Column("j", "json")})
    with duckdb.connect() as connection:
        query = f"SELECT {where} FROM (SELECT ?::JSON AS j)"
        found = connection.execute(query, [*values, json.dumps(document["j"])]).fetchone()
    assert found == (True,)


@pytest.mark.parametrize("name", ["", ".tokens", ".tree", ".grammar", ".lowering"])
def test_the_examples_in_the_headers_hold(name: str) -> None:
    result = doctest.testmod(import_module(f"hybridsearch.filters{name}"))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("filter", "listed"),
    [
        ("j.k = 1 OR title = x OR j.k IN [2, a] OR j.k = 1", "j.k IN [1, 2, a, 1] OR title = x"),
        ("j.k != 1 AND title = x AND j.k NOT IN [2]", "j.k NOT IN [1, 2] AND title = x"),
        ("NOT (j.k = 1 OR j.k = 2)", "NOT j.k IN [1, 2]"),
        ([["j.k = 1", "j.k = 2"], "title = x"], "j.k IN [1, 2] AND title = x"),
    ],
)
def test_values_of_one_field_are_asked_for_at_once(filter: Any, listed: str) -> None:
    columns = {"j": Column("j", "json"), "title": Column("title", "text")}
    assert to_sql(_parsed(filter), columns) == to_sql(_parsed(listed), columns)
    assert to_sql(_parsed(filter), columns)[0].count("list_filter") == 1


def test_whole_numbers_of_a_list_stay_exact_beside_others() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT 9007199254740993 AS n")
        where, values = to_sql(
            _parsed("n IN [9007199254740992, 2.5]"), {"n": Column("n", "number")}
        )
        assert connection.execute(f"SELECT * FROM t WHERE {where}", values).fetchall() == []
