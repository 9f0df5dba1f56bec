"""Is every damaged file found by `check`, survived by opening, and mended by a rebuild?"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hybridsearch
from hybridsearch.database import Database
from tests.crash.world import FUNCTION, open_database

DOCUMENTS = [
    {"id": i, "title": f"title word{i}", "text": f"story of number {i}", "year": 1900 + i}
    for i in range(60)
]
GONE = [7, 8, 9]
NAME = "shop.duckdb"
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a closed database with several segments and with deletions."""
    folder = tmp_path_factory.mktemp("original") / "folder"
    folder.mkdir()
    with open_database(folder / NAME) as db:
        settings = {**FUNCTION, "language": "none"}
        index = db.create_index("stories", primary_key="id", settings=settings)
        for start in range(0, len(DOCUMENTS), 30):
            index.add(DOCUMENTS[start : start + 30])
        index.delete(ids=GONE)
    return folder


def files(folder: Path) -> list[Path]:
    """Every file of the side folder that holds anything, from the folder on."""
    side = folder / f"{NAME}.search"
    found = (item for item in side.rglob("*") if item.is_file() and item.stat().st_size)
    return sorted(item.relative_to(folder) for item in found)


def flip(part: float, file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[int(part * (len(data) - 1))] ^= 0x91
    file.write_bytes(data)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def grow(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")


def empty(file: Path) -> None:
    file.write_bytes(b"")


def answers(db: Database) -> list[Any]:
    """What searches of every kind find, and the vectors."""
    index = db.index("stories")
    words = [f"word{document['id']} story" for document in DOCUMENTS]
    state = index.snapshot().state
    rows, vectors = state.arms["words"].vectors.get(state.living)
    order = np.argsort(rows)
    return [
        index.count(),
        [result.hits[0].id for result in index.search_many(words, mode="keyword", limit=1)],
        [_found(result) for result in index.search_many(words, mode="semantic", limit=3)],
        _found(index.search("", filter="year > 1950", facets=["year"], limit=60)),
        [hit.document for hit in index.search("story", sort=["year:desc"], limit=60).hits],
        rows[order].tolist(),
        vectors[order].tolist(),
    ]


def _found(result: hybridsearch.SearchResult) -> list[Any]:
    hits = [(hit.document, round(hit.score, 5)) for hit in result.hits]
    return [result.total, result.facets, hits]


def wrong_after(folder: Path, victim: Path, wanted: list[Any]) -> list[str]:
    """What goes wrong with the database in a folder of which one file was damaged."""
    found = []
    if not any(victim.name in line for line in hybridsearch.check(folder / NAME)):
        found.append("check does not name it")
    with open_database(folder / NAME) as db:
        if answers(db) != wanted:
            found.append("other answers after opening")
        db.index("stories").add([{"id": 999, "title": "new"}])
        db.index("stories").delete(ids=[999])
        db.index("stories").rebuild()
        again = answers(db)
        if [*again[:-2], again[-1]] != [*wanted[:-2], wanted[-1]]:
            found.append("other answers after a rebuild")
    return found + hybridsearch.check(folder / NAME)


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(partial(flip, 0), id="first byte", marks=SLOW),
        pytest.param(partial(flip, 0.3), id="flipped at 30 %", marks=SLOW),
        pytest.param(partial(flip, 0.7), id="flipped at 70 %", marks=SLOW),
        pytest.param(partial(flip, 1), id="last byte", marks=SLOW),
        pytest.param(cut, id="cut", marks=SLOW),
        pytest.param(grow, id="grown", marks=SLOW),
        pytest.param(empty, id="emptied", marks=SLOW),
        pytest.param(Path.unlink, id="deleted", marks=SLOW),
    ],
)
def test_damage_of_any_file_is_named_survived_and_mended(
    original: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    harm: Callable[[Path], None],
) -> None:
    caplog.set_level(logging.ERROR, "hybridsearch")
    assert wrong_when_damaged(original, tmp_path, files(original), harm) == []


def test_damage_of_a_file_of_each_kind_is_named_survived_and_mended(
    original: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "hybridsearch")
    kinds = {file.suffix or file.name: file for file in files(original)}
    assert len(kinds) > 8
    assert wrong_when_damaged(original, tmp_path, kinds.values(), partial(flip, 0.7)) == []


def wrong_when_damaged(
    original: Path, folder: Path, victims: Iterable[Path], harm: Callable[[Path], None]
) -> list[str]:
    """What goes wrong when one of the victims is harmed, each in a copy of the original."""
    shutil.copytree(original, folder / "whole")
    with open_database(folder / "whole" / NAME) as db:
        wanted = answers(db)
    wrong = []
    for number, victim in enumerate(victims):
        copy = folder / str(number)
        shutil.copytree(original, copy)
        harm(copy / victim)
        wrong += [f"{victim.name}: {line}" for line in wrong_after(copy, victim, wanted)]
    return wrong


def test_a_database_as_it_was_written_has_no_problems(original: Path) -> None:
    assert hybridsearch.check(original / NAME) == []


def test_check_changes_nothing(original: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(original, folder)
    victim = next(file for file in files(folder) if file.suffix == ".term")
    flip(0.5, folder / victim)
    before = {file: (folder / file).read_bytes() for file in files(folder)}
    assert hybridsearch.check(folder / NAME) == hybridsearch.check(folder / NAME) != []
    assert {file: (folder / file).read_bytes() for file in files(folder)} == before


def test_vectors_that_were_damaged_are_not_kept_by_a_rebuild(
    original: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(original, folder)
    with open_database(folder / NAME) as db:
        wanted = answers(db)
        for file in files(folder):
            if file.suffix == ".vec":
                flip(0.9, folder / file)
        db.index("stories").rebuild()
        assert answers(db) == wanted


def test_a_change_of_the_searchable_attributes_makes_vectors_anew(tmp_path: Path) -> None:
    with open_database(tmp_path / NAME) as db:
        index = db.create_index("stories", primary_key="id", settings=FUNCTION)
        index.add([{"id": 1, "title": "sea", "text": "mountain"}])
        index.update_settings({"searchable_attributes": ["title"]})
        hit = index.search("sea", mode="semantic").hits[0]
    assert hit.semantic_score == pytest.approx(1, abs=1e-4)


@SLOW
def test_after_a_crash_lists_that_are_gone_or_files_that_changed_are_not_believed(
    original: Path, tmp_path: Path
) -> None:
    wrong = []
    for number, victim in enumerate(files(original)):
        folder = tmp_path / str(number)
        shutil.copytree(original, folder)
        _write_behind_the_files(folder)
        Path.unlink(folder / victim) if number % 2 else flip(0.6, folder / victim)
        with open_database(folder / NAME) as db:
            index = db.index("stories")
            found = [hit.id for hit in index.search("title", mode="keyword", limit=99).hits]
            if sorted(found) != [i for i in range(60) if i not in GONE] or index.count() != 58:
                wrong.append(f"{victim.name}: {sorted(found)}, {index.count()}")
        wrong += hybridsearch.check(folder / NAME)
    assert wrong == []


def _write_behind_the_files(folder: Path) -> None:
    """Commit one more document to DuckDB, as a process does that is then killed."""
    kept = folder.with_name(folder.name + " kept")
    shutil.copytree(folder / f"{NAME}.search", kept)
    with open_database(folder / NAME) as db:
        db.index("stories").add([{"id": 100, "text": "late"}])
    shutil.rmtree(folder / f"{NAME}.search")
    kept.rename(folder / f"{NAME}.search")
