"""Lists of words on disk: few files, each word once, everything there after reopening."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridsearch.errors import StorageError
from hybridsearch.wordlists import WordLists


def numbered(start: int, count: int) -> list[str]:
    """So many different words of letters."""
    return [
        "word" + "".join(chr(97 + int(digit)) for digit in f"{number:05}")
        for number in range(start, start + count)
    ]


def test_words_are_there_after_reopening(tmp_path: Path) -> None:
    lists = WordLists(tmp_path)
    lists.add(["database", "größe"])
    lists.add(["shoes", "database"])
    found = WordLists(tmp_path).vocabulary
    assert len(found) == len(lists.vocabulary) == 3
    assert found.near("grose", most=1) == [("größe", 1)]


def test_many_small_batches_leave_few_lists_with_each_word_once(tmp_path: Path) -> None:
    lists = WordLists(tmp_path)
    for start in range(0, 600, 3):
        lists.add(numbered(start, 6))
    assert len(lists.files()) <= 8
    words = b"".join(path.read_bytes() for path in lists.files()).decode().split()
    assert sorted(words) == numbered(0, 603)


def test_a_batch_without_new_words_writes_nothing(tmp_path: Path) -> None:
    lists = WordLists(tmp_path)
    lists.add(["shoes"])
    before = {path: path.stat().st_mtime_ns for path in lists.files()}
    lists.add(["shoes"])
    lists.add([])
    assert {path: path.stat().st_mtime_ns for path in lists.files()} == before


def test_a_list_is_never_written_again_under_its_name(tmp_path: Path) -> None:
    lists, seen = WordLists(tmp_path), dict[str, bytes]()
    for start in range(0, 90, 3):
        lists.add(numbered(start, 3))
        for path in lists.files():
            assert seen.setdefault(path.name, path.read_bytes()) == path.read_bytes()


def test_lists_that_a_crash_left_beside_their_union_do_no_harm(tmp_path: Path) -> None:
    lists = WordLists(tmp_path)
    lists.add(numbered(0, 9))
    old = lists.files()[0].read_bytes()
    lists.add(numbered(9, 9))
    (tmp_path / "words-1.txt").write_bytes(old)
    again = WordLists(tmp_path)
    assert len(again.vocabulary) == 18
    again.add(["shoes"])
    assert len(WordLists(tmp_path).vocabulary) == 19


def test_a_disk_that_refuses_leaves_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    lists = WordLists(folder)
    lists.add(["shoes"])
    (folder / "words-2.txt.tmp").mkdir()
    with pytest.raises(StorageError):
        lists.add(["database"])
    assert len(lists.vocabulary) == len(WordLists(folder).vocabulary) == 1
