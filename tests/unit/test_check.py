"""Is every damaged file found by `check`, survived by opening, and mended by a rebuild?"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hybridsearch
from hybridsearch.database import Database

DOCUMENTS = [
    {"id": i, "title": f"title word{i}", "text": f"story of number {i}", "year": 1900 + i}
    for i in range(300)
]
GONE = [7, 8, 9]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed database with several segments, deletions and both kinds of files."""
    path = tmp_path_factory.mktemp("original") / "shop.duckdb"
    with hybridsearch.open(path) as db:
        index = db.create_index("stories", primary_key="id", settings={"language": "none"})
        for start in range(0, 300, 100):
            index.add(DOCUMENTS[start : start + 100])
        index.delete(ids=GONE)
    assert hybridsearch.check(path) == []
    return path


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    shutil.copytree(original.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / original.name


def side(path: Path) -> Path:
    return path.with_name(path.name + ".search")


def files(path: Path) -> list[Path]:
    return sorted(item for item in side(path).rglob("*") if item.is_file() and item.stat().st_size)


def flip(file: Path, part: float) -> None:
    data = bytearray(file.read_bytes())
    data[int(part * (len(data) - 1))] ^= 0x11
    file.write_bytes(data)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def answers(db: Database) -> list[object]:
    """What searches of every kind find."""
    index = db.index("stories")
    living = [document for document in DOCUMENTS if document["id"] not in GONE]
    words = index.search_many([f"word{d['id']}" for d in living], mode="keyword", limit=1)
    near = index.search_many([f"story of number {i}" for i in (20, 150)], limit=3)
    return [
        index.count(),
        [hit.document for result in words for hit in result.hits] == living,
        [[(hit.id, round(hit.score, 6)) for hit in result.hits] for result in near],
        [hit.id for hit in index.search("", filter="year > 2190", limit=200).hits],
        index.get(20),
    ]


def damages() -> Iterator[tuple[str, Callable[[Path], None]]]:
    for part in (0, 0.3, 0.7, 1):
        yield f"flipped at {part}", lambda file, part=part: flip(file, part)  # type: ignore[misc]
    yield "cut", cut
    yield "deleted", Path.unlink
    yield "emptied", lambda file: file.write_bytes(b"") and None


@pytest.mark.parametrize(("name", "harm"), list(damages()))
def test_damage_of_any_file_is_named_and_mended(
    original: Path, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    with hybridsearch.open(original) as db:
        wanted = answers(db)
    bad = []
    for number, file in enumerate(files(original)):
        folder = tmp_path / str(number)
        shutil.copytree(original.parent, folder)
        victim = folder / file.relative_to(original.parent)
        harm(victim)
        copy = folder / original.name
        told = hybridsearch.check(copy)
        if not any(victim.name in line for line in told):
            bad.append(f"{victim.name} {name}: not named by check: {told}")
        try:
            with hybridsearch.open(copy) as db:
                db.index("stories").rebuild()
                if answers(db) != wanted:
                    bad.append(f"{victim.name} {name}: other answers")
        except Exception as error:
            bad.append(f"{victim.name} {name}: {type(error).__name__} {error}")
        if hybridsearch.check(copy):
            bad.append(f"{victim.name} {name}: still damaged")
        shutil.rmtree(folder)
    assert bad == []
