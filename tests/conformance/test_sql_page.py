"""What docs/sql.md shows runs, and it names whatever there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hybridsearch
from hybridsearch import assets
from hybridsearch.sql.lowering import PARAMETERS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sql.md").read_text()
READS = ("select", "from", "with", "show", "describe", "explain")
HIDDEN = {"search_holders", "hybridsearch_pieces", "search_steady"}


def test_every_statement_of_the_page_runs_and_every_query_gives_rows() -> None:
    with hybridsearch.open(default_embedder=None) as db, db.connect() as connection:
        for block in re.findall(r"```sql\n(.*?)```", PAGE, flags=re.DOTALL):
            for statement in re.split(r";[^\n]*\n", re.sub(r"--[^\n]*", "", block)):
                rows = connection.execute(statement).fetchall() if statement.strip() else [()]
                assert rows or not statement.strip().lower().startswith(READS), statement


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_of_search_is_in_the_table(name: str) -> None:
    assert re.search(rf"^\| .*`{name}`.* \|.*\|.*\|$", PAGE, flags=re.MULTILINE)


def macros() -> set[str]:
    texts = [assets.text(f"sql/macros/{name}") for name in assets.names("sql/macros")]
    found = re.findall(r'TEMP MACRO "?([^"(]+?)"?\(', "".join(texts))
    return set(found) - HIDDEN


@pytest.mark.parametrize("name", sorted(macros()))
def test_every_function_and_operator_is_named(name: str) -> None:
    assert name in PAGE
