"""What several tests of the command line begin with."""

from __future__ import annotations

import shutil
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


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with shop.duckdb, in which the movies are indexed."""
    folder = tmp_path_factory.mktemp("filled")
    with hybridsearch.open(folder / "shop.duckdb") as db:
        db.create_index("movies", primary_key="id").add(MOVIES)
    return folder


@pytest.fixture
def shop(folder: Path, filled: Path) -> Path:
    """The current folder, with the movies indexed in shop.duckdb."""
    shutil.copytree(filled, folder, dirs_exist_ok=True)
    return folder
