"""Does a file reach the disk whole, or not at all?"""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest

from hybridsearch.errors import StorageError
from hybridsearch.files import digest, make_folder, refused, remove_folder, write_atomic


def test_a_file_holds_what_was_written(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_memory_view_is_written_too(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", memoryview(b"view"))
    assert (tmp_path / "a").read_bytes() == b"view"


def test_writing_replaces_and_leaves_no_other_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"old")
    write_atomic(tmp_path / "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"new")]


def test_where_writing_is_refused_the_error_names_path_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        StorageError, match=r"could not write .*absent.*; free some space"
    ) as caught:
        write_atomic(tmp_path / "absent" / "a", b"new")
    assert caught.value.fields["path"] == str(tmp_path / "absent" / "a")


def test_where_replacing_is_refused_what_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "a" / "inner").mkdir(parents=True)
    with pytest.raises(StorageError):
        write_atomic(tmp_path / "a", b"new")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "inner"]


def test_a_folder_is_made_with_its_parents_and_may_be_there_already(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(StorageError, match="could not write"):
        make_folder(tmp_path / "a" / "b")


def test_a_folder_is_removed_with_what_it_holds_and_may_be_gone_already(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    for _ in range(2):
        remove_folder(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_digest_is_blake2b_of_128_bits(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"some bytes")
    assert digest(tmp_path / "a") == hashlib.blake2b(b"some bytes", digest_size=16).hexdigest()


def test_a_full_disk_is_named_as_the_reason() -> None:
    error = refused(Path("a"), OSError(errno.ENOSPC, "No space left on device"))
    assert "could not write a: No space left on device" in error.message
