"""What the keyword index keeps: its files, and what damage, a full disk or a kill leaves of it."""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from hybridsearch.errors import DatabaseClosed, IndexDamaged, StorageError
from hybridsearch.keyword import KeywordIndex, SlotsFull
from tests.unit.keyword_texts import NONE, TITLES, WEIGHTS, asked, filled, put, rows


@pytest.fixture(params=["memory", "folder"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> KeywordIndex:
    return filled(None if request.param == "memory" else tmp_path / "text")


def test_an_index_is_found_again(tmp_path: Path) -> None:
    index = KeywordIndex.open(tmp_path)
    put(index, {3: "red shoes"})
    index.close()
    again = KeywordIndex.open(tmp_path).snapshot()
    assert (again.count, again.attributes) == (1, ("body",))
    assert again.matches(asked("red"), weights=WEIGHTS).tolist() == [3]


def test_a_closed_index_says_so(index: KeywordIndex) -> None:
    index.close()
    for use in (index.snapshot, lambda: put(index, {1: "a"})):
        with pytest.raises(DatabaseClosed):
            use()


def test_attributes_without_a_field_left_are_refused_and_nothing_applied(tmp_path: Path) -> None:
    index = KeywordIndex.open(tmp_path, slots=2)
    texts = {"a": ["x"], "b": ["x"], "c": [""]}
    index.apply(deletes=NONE, rows=rows(0), texts=texts, bodies=[b""])
    with pytest.raises(SlotsFull) as caught:
        index.apply(deletes=NONE, rows=rows(1), texts={"c": ["x"]}, bodies=[b""])
    assert caught.value.fields["needed"] == 3
    assert index.snapshot().count == 1


def test_the_files_are_those_of_the_last_commit(tmp_path: Path) -> None:
    index = KeywordIndex.open(tmp_path)
    put(index, {row: "a" for row in range(5)})
    put(index, {7: "b"}, deletes=rows(1))
    files = index.files()
    assert {path.name for path in files} >= {"meta.json", "slots.json"}
    assert all(path.is_file() for path in files)
    here = {path for path in tmp_path.iterdir() if path.suffix != ".lock"}
    assert here == set(files)


def test_an_index_in_memory_has_no_files() -> None:
    assert KeywordIndex.open(None).files() == []


@pytest.mark.parametrize("name", ["meta.json", "slots.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00nonsense"])
def test_a_damaged_file_is_reported(tmp_path: Path, name: str, content: bytes) -> None:
    index = KeywordIndex.open(tmp_path)
    put(index, {0: "a"})
    index.close()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IndexDamaged, match="rebuild the index"):
        KeywordIndex.open(tmp_path)


@pytest.mark.parametrize("suffix", ["idx", "term", "store", "fast"])
def test_a_missing_or_cut_segment_is_reported(tmp_path: Path, suffix: str) -> None:
    index = KeywordIndex.open(tmp_path)
    put(index, {0: "a"})
    index.close()
    segment = next(tmp_path.glob(f"*.{suffix}"))
    segment.write_bytes(segment.read_bytes()[:-7])
    with pytest.raises(IndexDamaged):
        KeywordIndex.open(tmp_path)
    segment.unlink()
    with pytest.raises(IndexDamaged):
        KeywordIndex.open(tmp_path)


def test_slots_that_are_not_those_of_the_index_are_reported(tmp_path: Path) -> None:
    KeywordIndex.open(tmp_path, slots=2).close()
    (tmp_path / "slots.json").write_bytes(b'{"size": 9, "attributes": []}')
    with pytest.raises(IndexDamaged):
        KeywordIndex.open(tmp_path)


def test_an_index_whose_creation_was_cut_short_is_created_anew(tmp_path: Path) -> None:
    (tmp_path / "slots.json").write_bytes(b'{"size": 3, "attributes": []}')
    assert KeywordIndex.open(tmp_path).snapshot().count == 0


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """Writes past this many bytes of a file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 40, 150, 400, 1000, 3000])
def test_a_full_disk_leaves_the_last_state_and_the_next_batch_works(
    tmp_path: Path, size: int
) -> None:
    index = KeywordIndex.open(tmp_path)
    put(index, {0: "red"})
    many = {row: f"blue word{row}" for row in range(1, 2000)}
    with files_no_longer_than(size), pytest.raises(StorageError, match="nothing was applied"):
        put(index, many, deletes=rows(0))
    assert index.snapshot().matches(asked("red blue"), weights=WEIGHTS).tolist() == [0]
    put(index, many, deletes=rows(0))
    assert index.snapshot().count == 1999
    assert index.snapshot().matches(asked("red"), weights=WEIGHTS).tolist() == []
    index.close()
    assert KeywordIndex.open(tmp_path).snapshot().count == 1999


def test_text_that_cannot_be_stored_is_refused_whole(index: KeywordIndex) -> None:
    texts = {"body": ["fine", "\ud800"]}
    with pytest.raises(StorageError, match="nothing was applied"):
        index.apply(deletes=rows(0), rows=rows(8, 9), texts=texts, bodies=[b"", b""])
    assert index.snapshot().count == len(TITLES)
    put(index, {8: "after"})
    assert index.snapshot().matches(asked("after fine"), weights=WEIGHTS).tolist() == [8]
    assert index.snapshot().count == len(TITLES) + 1


def test_a_second_writer_of_the_folder_is_refused(tmp_path: Path) -> None:
    index = KeywordIndex.open(tmp_path)
    put(index, {0: "a"})
    writer = index._index.writer()
    with pytest.raises(StorageError, match="lock"):
        put(index, {1: "b"})
    del writer
    put(index, {1: "b"})
    assert index.snapshot().count == 2


KILLED = """
    import os, sys, threading, time
    from pathlib import Path
    import numpy as np
    from hybridsearch.keyword import KeywordIndex
    index = KeywordIndex.open(Path(sys.argv[1]))
    def die():
        time.sleep(float(sys.argv[2]))
        os.kill(os.getpid(), 9)
    threading.Thread(target=die).start()
    for batch in range(10_000):
        rows = np.arange(batch * 10, batch * 10 + 10)
        texts = {f"a{batch % 8}": ["w"] * 10, "all": ["w"] * 10}
        index.apply(deletes=rows - 25, rows=rows, texts=texts, bodies=[b"x"] * 10)
        print(batch, flush=True)
"""


@pytest.mark.parametrize("after", [0.03, 0.08, 0.15, 0.25, 0.4])
def test_a_kill_loses_nothing_and_the_last_batch_can_be_applied_again(
    tmp_path: Path, after: float
) -> None:
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), str(after)]
    done = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    batch = int(done[-1]) + 1 if done else 0
    index = KeywordIndex.open(tmp_path)
    again = np.arange(batch * 10, batch * 10 + 10)
    index.apply(deletes=again - 25, rows=again, texts={"all": ["w"] * 10}, bodies=[b"x"] * 10)
    expected = np.arange(max(0, batch * 10 - 15), batch * 10 + 10).tolist()
    assert index.snapshot().matches(asked("w"), weights={"all": 1.0}).tolist() == expected


def test_what_a_killed_commit_left_does_not_stand_in_the_way(tmp_path: Path) -> None:
    """A commit names its file of deletes after its number, and a replay has the same number."""
    ours, twin = tmp_path / "ours", tmp_path / "twin"
    index = KeywordIndex.open(ours)
    put(index, {row: "red" for row in range(9)})
    index.close()
    shutil.copytree(ours, twin)
    put(KeywordIndex.open(twin), {9: "red"}, deletes=rows(0))
    for left in [*twin.glob("*.del"), twin / ".managed.json"]:
        shutil.copy(left, ours)
    index = KeywordIndex.open(ours)
    put(index, {9: "red"}, deletes=rows(0))
    assert index.snapshot().count == 9


def test_batches_put_in_together_are_one_segment(tmp_path: Path) -> None:
    index = KeywordIndex.open(tmp_path / "text")
    none = np.array([], np.int64)
    with index.together():
        for row in range(5):
            index.apply(
                deletes=none, rows=np.array([row]), texts={"t": ["red shoes"]}, bodies=[b"{}"]
            )
        index.apply(deletes=np.array([3]), rows=none, texts={}, bodies=[])
        assert index.snapshot().count == 0
    assert index.snapshot().count == 4
    segments = {file.name.split(".")[0] for file in index.files() if len(file.stem) == 32}
    assert len(segments) == 1
    index.apply(deletes=none, rows=np.array([7]), texts={"t": ["blue"]}, bodies=[b"{}"])
    assert index.snapshot().count == 5


def test_of_batches_put_in_together_all_come_or_none(tmp_path: Path) -> None:
    index = KeywordIndex.open(tmp_path / "text")
    none, one = np.array([], np.int64), np.array([1])
    bad = [object()]
    with contextlib.suppress(StorageError), index.together():
        index.apply(deletes=none, rows=one, texts={"t": ["red"]}, bodies=[b"{}"])
        index.apply(deletes=none, rows=one + 1, texts={"t": ["red"]}, bodies=bad)  # type: ignore[arg-type]  # what tantivy refuses
    assert index.snapshot().count == 0
    index.apply(deletes=none, rows=one, texts={"t": ["blue"]}, bodies=[b"{}"])
    assert index.snapshot().count == KeywordIndex.open(tmp_path / "text").snapshot().count == 1
