"""What the vector index keeps in its folder: batches, crashes, full disks and damage."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from hybridsearch.errors import (
    DatabaseClosed,
    FormatTooNew,
    IndexDamaged,
    StorageError,
)
from hybridsearch.vectors import VectorIndex
from tests.unit.some_vectors import (
    DIM,
    NONE,
    NOTHING,
    answer,
    clustered,
    filled,
    numbers,
)


def test_applying_a_batch_twice_changes_nothing(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    before = answer(index.snapshot())
    index.apply(deletes=NONE, rows=np.arange(300, dtype=np.int64), vectors=clustered(300))
    assert answer(index.snapshot()) == before
    assert index.snapshot().count == 300


def test_a_held_snapshot_stays_as_it_was(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    held = index.snapshot()
    before = answer(held)
    index.apply(
        deletes=np.arange(200, dtype=np.int64),
        rows=numbers(900),
        vectors=clustered(1, seed=9),
    )
    assert answer(held) == before
    assert answer(index.snapshot()) != before


def test_what_was_applied_is_there_after_reopening(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    index.apply(deletes=numbers(5), rows=numbers(900), vectors=clustered(1, seed=9))
    before = answer(index.snapshot())
    index.close()
    again = VectorIndex.open(tmp_path, dim=DIM)
    assert answer(again.snapshot()) == before
    assert again.snapshot().count == 300


def test_a_closed_index_refuses_batches_and_keeps_its_files(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    held = index.snapshot()
    index.close()
    with pytest.raises(DatabaseClosed, match="closed"):
        index.apply(deletes=numbers(1), rows=NONE, vectors=NOTHING)
    assert answer(held) == answer(VectorIndex.open(tmp_path, dim=DIM).snapshot())


def test_small_batches_make_few_segments() -> None:
    index = VectorIndex.open(None, dim=DIM)
    vectors = clustered(6_000)
    for start in range(0, 6_000, 50):
        rows = np.arange(start, start + 50, dtype=np.int64)
        index.apply(deletes=NONE, rows=rows, vectors=vectors[start : start + 50])
    assert len(index.snapshot().parts) <= 6
    assert index.snapshot().count == 6_000


def test_a_segment_of_mostly_dead_vectors_is_written_anew() -> None:
    index = filled(1_000)
    whole = index.snapshot().memory_bytes
    index.apply(deletes=np.arange(400, dtype=np.int64), rows=NONE, vectors=NOTHING)
    assert index.snapshot().memory_bytes < 0.7 * whole
    assert index.snapshot().count == 600


def test_deleting_everything_leaves_no_segment(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    index.apply(deletes=np.arange(300, dtype=np.int64), rows=NONE, vectors=NOTHING)
    assert [file.name for file in index.files()] == ["segments.json"]


def test_nothing_to_do_writes_nothing(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    before = {file: file.stat().st_mtime_ns for file in index.files()}
    index.apply(deletes=numbers(5_000), rows=NONE, vectors=NOTHING)
    assert {file: file.stat().st_mtime_ns for file in index.files()} == before


def test_the_folder_holds_the_named_files_only(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    index.apply(deletes=NONE, rows=numbers(900), vectors=clustered(1))
    assert sorted(tmp_path.iterdir()) == sorted(index.files())


def test_leftovers_of_a_crash_are_swept(tmp_path: Path) -> None:
    filled(300, path=tmp_path).close()
    (tmp_path / "00000099.vec").write_bytes(b"torn")
    (tmp_path / "segments.json.tmp").write_bytes(b"{")
    index = VectorIndex.open(tmp_path, dim=DIM)
    assert sorted(tmp_path.iterdir()) == sorted(index.files())


@contextmanager
def no_room_for_a_segment(_: Path) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_way_to_replace_the_catalogue(folder: Path) -> Iterator[None]:
    (folder / "segments.json").rename(folder / "aside")
    (folder / "segments.json").mkdir()
    yield
    (folder / "segments.json").rmdir()
    (folder / "aside").rename(folder / "segments.json")


REFUSALS = [no_room_for_a_segment, no_way_to_replace_the_catalogue]
Refusal: TypeAlias = Callable[[Path], AbstractContextManager[None]]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_batch_that_the_disk_refuses_changes_nothing(tmp_path: Path, refusal: Refusal) -> None:
    index = filled(300, path=tmp_path)
    index.apply(deletes=NONE, rows=numbers(800), vectors=clustered(1, seed=8))
    before = answer(index.snapshot())
    with refusal(tmp_path), pytest.raises(StorageError):
        index.apply(deletes=numbers(1), rows=numbers(900), vectors=clustered(1, seed=9))
    assert answer(index.snapshot()) == before
    assert answer(VectorIndex.open(tmp_path, dim=DIM).snapshot()) == before


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_batch_applies_after_the_disk_refused_it_once(tmp_path: Path, refusal: Refusal) -> None:
    index = filled(300, path=tmp_path)
    with refusal(tmp_path), pytest.raises(StorageError):
        index.apply(deletes=NONE, rows=numbers(900), vectors=clustered(1, seed=9))
    index.apply(deletes=NONE, rows=numbers(900), vectors=clustered(1, seed=9))
    assert VectorIndex.open(tmp_path, dim=DIM).snapshot().count == 301


def damage_segment_missing(folder: Path) -> None:
    next(folder.glob("*.vec")).unlink()


def damage_segment_short(folder: Path) -> None:
    file = next(folder.glob("*.vec"))
    file.write_bytes(file.read_bytes()[:-64])


def damage_segment_empty(folder: Path) -> None:
    next(folder.glob("*.vec")).write_bytes(b"")


def damage_segment_tiny(folder: Path) -> None:
    next(folder.glob("*.vec")).write_bytes(b"HSVEC")


def damage_segment_header(folder: Path) -> None:
    file = next(folder.glob("*.vec"))
    file.write_bytes(b"\0" * 16 + file.read_bytes()[16:])


def damage_catalogue_missing(folder: Path) -> None:
    (folder / "segments.json").unlink()


def damage_catalogue_torn(folder: Path) -> None:
    file = folder / "segments.json"
    file.write_bytes(file.read_bytes()[:20])


def damage_catalogue_changed(folder: Path) -> None:
    file = folder / "segments.json"
    file.write_text(file.read_text().replace('"number": 1', '"number": 2'))


def damage_catalogue_other_json(folder: Path) -> None:
    (folder / "segments.json").write_text("[1]")


@pytest.mark.parametrize(
    "damage",
    [
        damage_segment_missing,
        damage_segment_short,
        damage_segment_empty,
        damage_segment_tiny,
        damage_segment_header,
        damage_catalogue_missing,
        damage_catalogue_torn,
        damage_catalogue_changed,
        damage_catalogue_other_json,
    ],
)
def test_damage_is_found_on_opening(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    filled(300, path=tmp_path).close()
    damage(tmp_path)
    with pytest.raises(IndexDamaged, match="rebuild"):
        VectorIndex.open(tmp_path, dim=DIM)


def test_another_dimension_is_damage(tmp_path: Path) -> None:
    filled(300, path=tmp_path).close()
    with pytest.raises(IndexDamaged, match="vectors of 32 numbers, not 8"):
        VectorIndex.open(tmp_path, dim=8)


def test_a_changed_byte_is_found_by_verify(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    index.verify()
    file = index.files()[1]
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(IndexDamaged, match=file.name):
        index.verify()


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    filled(3, path=tmp_path).close()
    file = tmp_path / "segments.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))
    with pytest.raises(FormatTooNew, match="format 99"):
        VectorIndex.open(tmp_path, dim=DIM)
