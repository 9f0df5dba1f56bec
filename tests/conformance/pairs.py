"""How are statements and the rows that they must give written as text?

A file holds tests separated by blank lines. A test is a line `#title`, one or more statements, an
optional line `? JSON` with parameters, a line of dashes, and the rows that the last statement must
give, their values separated by ` | `. `error: text` says that it must fail with that text. A
number is compared to as many decimals as are written. Other lines that begin with `#` are comments.

In the place of the dashes and the rows there may be a line `====` and a statement that gives them
without a search; fractions may then differ in the sixth digit, because tantivy adds in float32.

    for case in cases(path):
        check(connection, case)
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hybridsearch import HybridSearchError
from hybridsearch.sql.connection import Connection

Door = duckdb.DuckDBPyConnection | Connection
Answer = list[tuple[Any, ...]] | str
ROWS, STATEMENT = "----", "===="
INTERNAL = ("UDF", "Python exception", "Traceback", "hybridsearch_")
"""What no error may say."""


@dataclass(frozen=True)
class Case:
    """One test of a file. expected: lines. same_as: the statement that gives what is expected."""

    title: str
    statement: str
    parameters: Any
    expected: tuple[str, ...]
    same_as: str | None


def cases(path: Path) -> Iterator[Case]:
    for block in path.read_text().split("\n\n"):
        lines = block.strip().splitlines()
        middle = next((n for n, line in enumerate(lines) if line in (ROWS, STATEMENT)), None)
        if middle is None:
            assert all(line.startswith("#") for line in lines), f"{path.name}: no ---- in {block!r}"
            continue
        given = [line for line in lines[1:middle] if line.startswith("? ")]
        below = tuple(lines[middle + 1 :])
        yield Case(
            title=lines[0].removeprefix("#").strip(),
            statement="\n".join(line for line in lines[1:middle] if line not in given),
            parameters=json.loads(given[0][2:]) if given else None,
            expected=below if lines[middle] == ROWS else (),
            same_as="\n".join(below) if lines[middle] == STATEMENT else None,
        )


def check(connection: Door, case: Case, plain: duckdb.DuckDBPyConnection | None = None) -> None:
    """Fail with a difference that a person can read.

    plain: a connection to the same tables that knows no search, for cases that need one.
    """
    found = answer(connection, case)
    if case.same_as is None:
        if not agree(found, case.expected):
            pytest.fail(difference(case, found, case.expected), pytrace=False)
        return
    assert plain is not None
    rows = plain.execute(case.same_as).fetchall()
    if isinstance(found, str) or not alike(found, rows):
        wanted = [" | ".join(map(shown, row)) for row in rows]
        pytest.fail(difference(case, found, wanted), pytrace=False)


def answer(connection: Door, case: Case) -> Answer:
    """The rows, or the text of the error."""
    try:
        return connection.execute(case.statement, case.parameters).fetchall()
    except (duckdb.Error, HybridSearchError) as error:
        return str(error)


def alike(found: Sequence[Any], rows: Sequence[Any]) -> bool:
    """Whether the rows are the same but for what float32 rounds."""
    if len(found) != len(rows):
        return False
    return all(
        len(one) == len(other) and all(map(near, one, other))
        for one, other in zip(found, rows, strict=True)
    )


def near(value: Any, other: Any) -> bool:
    if isinstance(value, float) and isinstance(other, float):
        return math.isclose(value, other, rel_tol=2e-6, abs_tol=2e-5)
    return bool(value == other)


def agree(found: Answer, expected: tuple[str, ...]) -> bool:
    if isinstance(found, str):
        told = len(expected) == 1 and expected[0].removeprefix("error: ") in found
        return told and not any(name in found for name in INTERNAL)
    if len(found) != len(expected):
        return False
    pairs = zip(found, (row.split(" | ") for row in expected), strict=True)
    return all(len(row) == len(cells) and all(map(same, row, cells)) for row, cells in pairs)


def same(value: Any, cell: str) -> bool:
    if isinstance(value, float) and cell != "NULL":
        decimals = len(cell.partition(".")[2])
        return round(value, decimals) == float(cell)
    return shown(value) == cell.strip()


def shown(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value).lower() if isinstance(value, bool) else str(value)


def difference(case: Case, found: Answer, expected: Sequence[str]) -> str:
    rows = (
        [f"error: {found}"]
        if isinstance(found, str)
        else [" | ".join(map(shown, r)) for r in found]
    )
    wanted = "\n".join(f"  - {row}" for row in expected) or "  - (no rows)"
    got = "\n".join(f"  + {row}" for row in rows) or "  + (no rows)"
    return f"{case.title}\n{case.statement}\nexpected\n{wanted}\nfound\n{got}"
