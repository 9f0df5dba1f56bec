"""Is what was written told from what was not?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hybridsearch.errors import IndexDamaged
from hybridsearch.manifest import (
    NAME,
    FileMark,
    Manifest,
    marks,
    missing,
    problems,
    read_manifest,
    write_manifest,
)

EMPTY = Manifest("db", 1, 2, 17, {"searchable": ["*"], "found": None}, {"clip": ("print", 3)})


@pytest.fixture
def sealed(tmp_path: Path) -> Manifest:
    """A folder with two files and the manifest that names them."""
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.idx").write_bytes(b"words")
    (tmp_path / "list.json").write_bytes(b"[]")
    files = [tmp_path / "text" / "a.idx", tmp_path / "list.json"]
    manifest = replace(EMPTY, files=marks(tmp_path, files, {}))
    write_manifest(tmp_path, manifest)
    return manifest


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path, sealed: Manifest) -> None:
    assert read_manifest(tmp_path) == sealed


def test_it_names_every_file_by_its_path_in_the_folder(sealed: Manifest) -> None:
    assert {name: mark.size for name, mark in sealed.files.items()} == {
        "text/a.idx": 5,
        "list.json": 2,
    }


def test_where_all_is_well_there_are_no_problems(tmp_path: Path, sealed: Manifest) -> None:
    assert problems(tmp_path, sealed) == missing(tmp_path, sealed) == []


def test_an_absent_file_is_found_at_a_glance(tmp_path: Path, sealed: Manifest) -> None:
    (tmp_path / "text" / "a.idx").unlink()
    assert missing(tmp_path, sealed) == ["text/a.idx: the file is missing"]


def test_a_file_of_another_size_is_found_at_a_glance(tmp_path: Path, sealed: Manifest) -> None:
    (tmp_path / "text" / "a.idx").write_bytes(b"word")
    assert missing(tmp_path, sealed) == ["text/a.idx: it has 4 bytes instead of 5"]


def test_other_bytes_of_the_same_size_are_found_by_reading(
    tmp_path: Path, sealed: Manifest
) -> None:
    (tmp_path / "text" / "a.idx").write_bytes(b"sword")
    assert missing(tmp_path, sealed) == []
    assert problems(tmp_path, sealed) == ["text/a.idx: its bytes are not those that were written"]


def test_without_a_manifest_the_folder_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(IndexDamaged, match=r"MANIFEST\.json cannot be read"):
        read_manifest(tmp_path)


def test_every_altered_byte_of_a_manifest_is_noticed(tmp_path: Path, sealed: Manifest) -> None:
    whole = (tmp_path / NAME).read_bytes()
    for place in range(0, len(whole), 7):
        altered = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        (tmp_path / NAME).write_bytes(altered)
        with pytest.raises(IndexDamaged, match="not what was written"):
            read_manifest(tmp_path)


@pytest.mark.parametrize("kept", [0, 1, 50, -1])
def test_a_manifest_that_was_cut_is_noticed(tmp_path: Path, sealed: Manifest, kept: int) -> None:
    (tmp_path / NAME).write_bytes((tmp_path / NAME).read_bytes()[:kept])
    with pytest.raises(IndexDamaged, match="not what was written"):
        read_manifest(tmp_path)


def test_a_manifest_of_another_format_is_not_read(tmp_path: Path) -> None:
    write_manifest(tmp_path, replace(EMPTY, format=99))
    with pytest.raises(IndexDamaged):
        read_manifest(tmp_path)


def test_files_marked_before_are_not_read_again(tmp_path: Path, sealed: Manifest) -> None:
    known = {"text/a.idx": FileMark(5, "as before"), "list.json": FileMark(2, "as before")}
    found = marks(tmp_path, [tmp_path / name for name in known], known)
    assert found["text/a.idx"].digest == "as before"
    assert found["list.json"] == sealed.files["list.json"]
