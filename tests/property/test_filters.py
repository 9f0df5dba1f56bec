"""Laws of filters: DuckDB selects what the sentences of the language say, whatever the types."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridsearch.errors import FilterError
from hybridsearch.filters import Column, fields, parse, text, to_sql

Document: TypeAlias = dict[str, Any]
Tree: TypeAlias = tuple[Any, ...]

WORDS = ["", "a", "A", "ab", "5", "true", "é", "É", "a%", "it's \"\\"]
NUMBERS = [0, 1, 5, -2.5, 5.0]
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}
WORDED: dict[str, Callable[[str, str], bool]] = {
    "CONTAINS": lambda value, operand: operand in value,
    "STARTS WITH": lambda value, operand: value.startswith(operand),
    "LIKE": lambda value, pattern: bool(re.fullmatch(_pattern(pattern), value, re.DOTALL)),
}
SQL_TYPES = {"number": "DOUBLE", "text": "VARCHAR", "bool": "BOOLEAN"}


def _pattern(like: str) -> str:
    return "".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in like)


# Documents: every attribute draws its values from one style, so that all kinds of column come up.

scalars = st.sampled_from([*WORDS, *NUMBERS, True, False])
parts = st.recursive(
    scalars | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "0"]), inner)
    ),
    max_leaves=5,
)
styles = st.sampled_from(
    [
        st.sampled_from([0, 1, 5]),
        st.sampled_from(NUMBERS),
        st.sampled_from(WORDS),
        st.booleans(),
        st.lists(st.sampled_from(NUMBERS), max_size=3),
        st.lists(st.sampled_from([*WORDS, None]), max_size=3),
        st.lists(st.booleans(), max_size=3),
        scalars,
        parts,
        st.lists(
            scalars | st.lists(scalars | st.lists(scalars, max_size=2), max_size=2), max_size=3
        ),
        st.fixed_dictionaries({"x": scalars | parts, "0": st.lists(scalars, max_size=2)}),
        st.lists(st.fixed_dictionaries({"x": scalars}, optional={"0": scalars}), max_size=3),
        st.lists(st.lists(st.fixed_dictionaries({"x": st.lists(scalars)}), max_size=2), max_size=2),
    ]
)
attributes = ("a", "b", "c.x", "c")


@st.composite
def collections(draw: st.DrawFn) -> list[Document]:
    by_attribute = {name: draw(styles) | st.none() for name in attributes}
    optional: dict[str, st.SearchStrategy[Any]] = dict(by_attribute)
    one = st.fixed_dictionaries({}, optional=optional)
    return draw(st.lists(one, min_size=3, max_size=8))


# Filters: as a tree of tuples, which the test writes as text and evaluates by itself.

names = st.sampled_from(["a", "b", "c", "a", "b", "a.x", "b.x", "c.x", "b.0", "a.x.y", "nowhere"])
operands = scalars
leaves: st.SearchStrategy[Tree] = st.one_of(
    st.tuples(st.sampled_from(["=", "!="]), names, operands),
    st.tuples(st.sampled_from(list(SIGNS)), names, operands),
    st.tuples(st.sampled_from(list(WORDED)), names, operands | st.sampled_from(["%b%", "_", "c"])),
    st.tuples(st.sampled_from(["TO", "BETWEEN"]), names, operands, operands),
    st.tuples(st.just("IN"), names, st.lists(operands, max_size=3)),
    st.tuples(st.sampled_from(["EXISTS", "IS NULL", "IS EMPTY"]), names),
)
trees: st.SearchStrategy[Tree] = st.recursive(
    leaves,
    lambda inner: (
        st.tuples(st.just("NOT"), inner) | st.tuples(st.sampled_from(["AND", "OR"]), inner, inner)
    ),
    max_leaves=3,
)


def written(tree: Tree) -> str:
    match tree:
        case ("NOT", inner):
            return f"NOT ({written(inner)})"
        case ("AND" | "OR" as word, left, right):
            return f"({written(left)}) {word} ({written(right)})"
        case ("TO", name, low, high):
            return f"{name} {operand(low)} TO {operand(high)}"
        case ("BETWEEN", name, low, high):
            return f"{name} BETWEEN {operand(low)} AND {operand(high)}"
        case ("IN", name, values):
            return f"{name} IN [{', '.join(map(operand, values))}]"
        case (word, name):
            return f"{name} {word}"
        case (sign, name, value):
            return f"{name} {sign} {operand(value)}"
    raise AssertionError(tree)


def operand(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return json.dumps(value)


def passes(tree: Tree, document: Document, known: set[str]) -> bool:
    match tree:
        case ("NOT", inner):
            return not passes(inner, document, known)
        case ("AND", left, right):
            return passes(left, document, known) and passes(right, document, known)
        case ("OR", left, right):
            return passes(left, document, known) or passes(right, document, known)
        case ("!=", name, value):
            return not passes(("=", name, value), document, known)
    found = list(values_of(document, tree[1], known))
    match tree[0]:
        case "EXISTS":
            return bool(found)
        case "IS NULL":
            return any(value is None for value in found)
        case "IS EMPTY":
            return any(isinstance(value, str | list | dict) and not value for value in found)
    return any(accepts(tree, value) for each in found for value in entered(each, 2))


def values_of(document: Document, name: str, known: set[str]) -> Iterator[Any]:
    prefixes = [name[: match.start()] for match in re.finditer(r"\.|$", name)]
    attribute = max((prefix for prefix in prefixes if prefix in known), key=len, default=None)
    if attribute is None or attribute not in document:
        return
    values = [document[attribute]]
    for step in name[len(attribute) + 1 :].split(".") if attribute != name else []:
        inside = [part for value in values for part in entered(value, 2)]
        values = [part[step] for part in inside if isinstance(part, dict) and step in part]
    yield from values


def entered(value: Any, depth: int) -> Iterator[Any]:
    yield value
    if isinstance(value, list) and depth:
        for part in value:
            yield from entered(part, depth - 1)


def accepts(tree: Tree, value: Any) -> bool:
    if isinstance(value, bool | str):
        texts = [word(value), *map(word, operands_of(tree))]
        return answers(tree, texts)
    if isinstance(value, int | float) and tree[0] not in WORDED:
        numbers = [number(operand) for operand in operands_of(tree)]
        if tree[0] == "IN":
            return value in [each for each in numbers if each is not None]
        return None not in numbers and answers(tree, [value, *numbers])
    return False


def answers(tree: Tree, values: list[Any]) -> bool:
    value, operands = values[0], values[1:]
    match tree[0]:
        case "TO" | "BETWEEN":
            return bool(operands[0] <= value <= operands[1])
        case "IN":
            return value in operands
    return (SIGNS | WORDED)[tree[0]](value, operands[0])


def operands_of(tree: Tree) -> list[Any]:
    return list(tree[2]) if tree[0] == "IN" else list(tree[2:])


def word(value: Any) -> str:
    return value.lower() if isinstance(value, str) else json.dumps(value)


def number(operand: Any) -> float | None:
    try:
        return None if isinstance(operand, bool) else float(operand)
    except ValueError:
        return None


# The table, with the kinds that the store would give its columns.


def kind_of(values: list[Any]) -> tuple[str, str]:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, list) for value in known):
        items = {scalar_kind(item) for value in known for item in value if item is not None}
        return ("list", items.pop()) if len(items) == 1 and "" not in items else ("json", "")
    kinds = {scalar_kind(value) for value in known}
    return (kinds.pop(), "") if len(kinds) == 1 and "" not in kinds else ("json", "")


def scalar_kind(value: Any) -> str:
    kinds = {bool: "bool", int: "number", float: "number", str: "text"}
    return kinds.get(type(value), "")


def sql_type(column: Column, values: list[Any]) -> str:
    if column.kind == "json":
        return "JSON"
    flat = [part for value in values for part in entered(value, 1)]
    whole = not any(isinstance(value, float) for value in flat)
    name = SQL_TYPES[column.item or column.kind]
    exact = "BIGINT" if name == "DOUBLE" and whole else name
    return exact + ("[]" if column.kind == "list" else "")


def load(connection: duckdb.DuckDBPyConnection, documents: list[Document]) -> dict[str, Column]:
    present = sorted({name for document in documents for name in document})
    by_name = {name: [document.get(name) for document in documents] for name in present}
    columns = {name: Column(f'col "{name}"', *kind_of(by_name[name])) for name in present}
    typed = [
        '"' + column.name.replace('"', '""') + f'" {sql_type(column, by_name[name])}'
        for name, column in columns.items()
    ]
    connection.execute(
        f"CREATE OR REPLACE TABLE t ({', '.join(['r INTEGER', 'body JSON', *typed])})"
    )
    for row, document in enumerate(documents):
        stored = [cell(document.get(name), column) for name, column in columns.items()]
        marks = ", ".join("?" * (len(stored) + 2))
        connection.execute(f"INSERT INTO t VALUES ({marks})", [row, json.dumps(document), *stored])
    return columns


def cell(value: Any, column: Column) -> Any:
    return json.dumps(value) if column.kind == "json" and value is not None else value


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(documents=collections(), filters=st.lists(trees, min_size=6, max_size=10))
def test_duckdb_selects_what_the_language_says(
    connection: duckdb.DuckDBPyConnection, documents: list[Document], filters: list[Tree]
) -> None:
    columns = load(connection, documents)
    for tree in filters:
        parsed = parse(written(tree))
        assert parsed is not None
        where, values = to_sql(parsed, columns, missing_ok=True)
        found = connection.execute(f"SELECT r FROM t WHERE {where} ORDER BY r", values).fetchall()
        known = set(columns)
        expected = [row for row, doc in enumerate(documents) if passes(tree, doc, known)]
        assert [row for (row,) in found] == expected, (written(tree), where)


@settings(deadline=None)
@given(tree=trees)
def test_canonical_text_reads_back_as_the_same_filter(tree: Tree) -> None:
    parsed = parse(written(tree))
    assert parsed is not None
    again = parse(text(parsed))
    assert again == parsed
    assert again is not None
    assert text(again) == text(parsed)
    assert fields(again) == fields(parsed)


WORDS_OF_GRAMMAR = [
    " AND ",
    " or ",
    "NOT ",
    " IN ",
    " IS ",
    "NULL",
    " TO ",
    "EXISTS",
    "_geoRadius(",
]
pieces = st.sampled_from(
    [*"()[],'\"=!<>\\ a5é\n\0\ud800", *WORDS_OF_GRAMMAR, "b.c", "-1e9", "'x y'", "_geoPolygon(["]
)


@settings(max_examples=300, deadline=None)
@given(source=st.lists(pieces, max_size=14).map("".join) | st.text(st.characters(codec=None)))
def test_any_text_is_a_filter_or_a_filter_error(source: str) -> None:
    parsed, column = None, 1
    try:
        parsed = parse(source)
    except FilterError as error:
        column = error.fields["column"]
    assert 1 <= column <= len(source) + 1
    assert parsed is None or parse(text(parsed)) == parsed
