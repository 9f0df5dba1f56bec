"""What several tests of the command line begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

import hybridsearch
from tests.unit.command_line import MOVIES, QRELS, QUERIES, ndjson


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with movies and judged queries to use."""
    monkeypatch.chdir(tmp_path)
    ndjson(tmp_path / "movies.ndjson", MOVIES)
    ndjson(tmp_path / "queries.jsonl", QUERIES)
    (tmp_path / "qrels.tsv").write_text(QRELS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def shop(folder: Path) -> Path:
    """That folder, with the movies indexed in shop.duckdb."""
    with hybridsearch.open(folder / "shop.duckdb") as db:
        db.create_index("movies", primary_key="id").add(MOVIES)
    return folder
