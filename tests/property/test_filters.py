"""Laws of filters: DuckDB selects what the sentences of the language say, whatever the types."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, TypeAlias

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridsearch.errors import FilterError
from hybridsearch.filters import Column, fields, parse, text, to_sql

Document: TypeAlias = dict[str, Any]
Tree: TypeAlias = tuple[Any, ...]

WORDS: list[Any] = ["", "a", "A", "ab", "5", "true", "é", "É", "a%", "it's \"\\"]
NUMBERS: list[Any] = [0, 1, 5, -2.5, 5.0]
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

ATTRIBUTES = ("a", "b", "c", "c.x")
Style: TypeAlias = Callable[[Random], Any]


def scalar(random: Random) -> Any:
    return random.choice([*WORDS, *NUMBERS, True, False])


def part(random: Random, depth: int = 3) -> Any:
    roll = random.random()
    if depth and roll < 0.3:
        return [part(random, depth - 1) for _ in range(random.randrange(3))]
    if depth and roll < 0.5:
        keys = random.sample(["x", "y", "0"], random.randrange(4))
        return {key: part(random, depth - 1) for key in keys}
    return None if roll > 0.9 else scalar(random)


def listed(items: Sequence[Any]) -> Style:
    return lambda random: random.choices(items, k=random.randrange(4))


STYLES: list[Style] = [
    lambda random: random.choice([0, 1, 5]),
    lambda random: random.choice(NUMBERS),
    lambda random: random.choice(WORDS),
    lambda random: random.random() < 0.5,
    listed(NUMBERS),
    listed([*WORDS, None]),
    listed([True, False]),
    scalar,
    part,
    lambda random: {"x": part(random), "y": [part(random)]},
    lambda random: [{"x": scalar(random), "0": 1} for _ in range(random.randrange(3))],
    lambda random: [[{"x": [scalar(random)]}], {"x": [[scalar(random)]]}],
]


def documents_of(random: Random) -> list[Document]:
    styles = {name: random.choice(STYLES) for name in ATTRIBUTES[: random.choice([3, 3, 4])]}
    return [
        {
            name: None if random.random() < 0.1 else style(random)
            for name, style in styles.items()
            if random.random() < 0.85
        }
        for _ in range(random.randrange(3, 9))
    ]


# Filters: as a tree of tuples, which the test writes as text and evaluates by itself. Most
# operands are values of the documents, so that conditions part the documents.

NAMES = ["a", "b", "c", "a.x", "b.x", "c.x", "a.0", "a.x.y", "b.y", "c.y.x", "nowhere"]
NAME_WEIGHTS = [4, 4, 4, 2, 2, 2, 1, 1, 1, 1, 1]


def leaf(random: Random, operands: Sequence[Any]) -> Tree:
    [name] = random.choices(NAMES, NAME_WEIGHTS)
    operator = random.choice(["=", "=", "!=", "IN", "TO", "BETWEEN", "EXISTS", "IS NULL"])
    operator = random.choice([operator, operator, "IS EMPTY", *SIGNS, *WORDED])
    if operator in ("EXISTS", "IS NULL", "IS EMPTY"):
        return (operator, name)
    if operator == "IN":
        return (operator, name, random.choices(operands, k=random.randrange(4)))
    return (operator, name, *random.choices(operands, k=2 if operator in ("TO", "BETWEEN") else 1))


def tree_of(random: Random, operands: Sequence[Any], depth: int = 2) -> Tree:
    roll = random.random()
    if not depth or roll < 0.5:
        return leaf(random, operands)
    if roll < 0.6:
        return chain(random, operands)
    if roll < 0.7:
        return ("NOT", tree_of(random, operands, depth - 1))
    pair = [tree_of(random, operands, depth - 1) for _ in range(2)]
    return (random.choice(["AND", "OR"]), *pair)


def chain(random: Random, operands: Sequence[Any]) -> Tree:
    """Values of two fields, allowed or excluded one by one."""
    word, names = random.choice(["AND", "OR"]), random.choices(NAMES, NAME_WEIGHTS, k=2)
    found: Tree = ("=", names[0], random.choice(operands))
    for _ in range(random.randrange(2, 6)):
        name, operator = random.choice(names), random.choice(["=", "!=", "IN", "NOT IN"])
        value = random.choices(operands, k=2) if "IN" in operator else random.choice(operands)
        part: Tree = (operator.removeprefix("NOT "), name, value)
        found = (word, found, ("NOT", part) if operator == "NOT IN" else part)
    return found


def operands_in(documents: list[Document]) -> list[Any]:
    found: list[Any] = [*WORDS, *NUMBERS, True, "%b%", "_"]
    stack: list[Any] = list(documents)
    while stack:
        value = stack.pop()
        if isinstance(value, dict | list):
            stack += value.values() if isinstance(value, dict) else value
        elif value is not None:
            found += [value, value]
    return found


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


@settings(max_examples=250, deadline=None, suppress_health_check=[*HealthCheck])
@given(seed=st.integers(0, 2**32))
def test_duckdb_selects_what_the_language_says(
    connection: duckdb.DuckDBPyConnection, seed: int
) -> None:
    random = Random(seed)
    documents = documents_of(random)
    columns = load(connection, documents)
    for tree in [tree_of(random, operands_in(documents)) for _ in range(8)]:
        parsed = parse(written(tree))
        assert parsed is not None
        where, values = to_sql(parsed, columns, missing_ok=True)
        found = connection.execute(f"SELECT r FROM t WHERE {where} ORDER BY r", values).fetchall()
        known = set(columns)
        expected = [row for row, doc in enumerate(documents) if passes(tree, doc, known)]
        assert [row for (row,) in found] == expected, (written(tree), where)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32))
def test_canonical_text_reads_back_as_the_same_filter(seed: int) -> None:
    parsed = parse(written(tree_of(Random(seed), WORDS + NUMBERS, 6)))
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
