"""What becomes of CSV and TSV files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hybridsearch.errors import DocumentError, InputError
from tests.unit.reading import documents, refused, written


def read_csv(folder: Path, text: str, name: str = "a.csv") -> list[Any]:
    return documents(written(folder / name, text))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-20", ""], [1, -20, None]),
        (["1", "2.50", "1e3"], [1.0, 2.5, 1000.0]),
        (["true", "False", ""], [True, False, None]),
        (["007", "12", ""], ["007", "12", None]),
        (["+44", "12"], ["+44", "12"]),
        (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
        (["123456789012345678", "1"], [123456789012345678, 1]),
        (["123456789012345678", "1.5"], ["123456789012345678", "1.5"]),
        (["1", "true"], ["1", "true"]),
        (["inf", "1.5"], ["inf", "1.5"]),
        (["2020-01-02", "x"], ["2020-01-02", "x"]),
        (["", ""], [None, None]),
    ],
    ids=str,
)
def test_a_column_is_what_all_its_cells_are(
    cells: list[str], expected: list[Any], tmp_path: Path
) -> None:
    text = "k,x\n" + "".join(f"k,{cell}\n" for cell in cells)
    assert [row["x"] for row in read_csv(tmp_path, text)] == expected


def test_a_late_cell_decides_too(tmp_path: Path) -> None:
    rows = read_csv(tmp_path, "x\n" + "1\n" * 100_000 + "A1\n")
    assert (rows[0], rows[-1]) == ({"x": "1"}, {"x": "A1"})


def test_files_read_together_agree_on_their_columns(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "id,n\n1,1\n")
    written(tmp_path / "b.csv", "n,id\n2,x\n")
    assert documents(tmp_path / "*.csv") == [{"id": "1", "n": 1}, {"n": 2, "id": "x"}]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_from_the_header(mark: str, tmp_path: Path) -> None:
    text = f'\ufeffid{mark}"a,b;c"\r\n1{mark}"x\r\ny"\r\n'
    assert read_csv(tmp_path, text) == [{"id": 1, "a,b;c": "x\r\ny"}]


def test_tsv_is_parted_by_tabs(tmp_path: Path) -> None:
    assert read_csv(tmp_path, "id\ta,b,c\n1\tx,y\n", "a.tsv") == [{"id": 1, "a,b,c": "x,y"}]


def test_csv_may_be_packed(tmp_path: Path) -> None:
    assert read_csv(tmp_path, "id\n1\n", "a.csv.gz") == [{"id": 1}]


@pytest.mark.parametrize("text", ["", "\n", "id,title\n"])
def test_csv_without_rows_has_no_documents(text: str, tmp_path: Path) -> None:
    assert read_csv(tmp_path, text) == []


def test_rows_of_another_length_are_refused(tmp_path: Path) -> None:
    error = refused(written(tmp_path / "a.csv", "id,title\n1,a\n2,b,c\n"))
    assert "Expected 2 columns, got 3" in str(error)
    assert error.fields["file"] == str(tmp_path / "a.csv")


def test_names_that_repeat_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='two columns are named "id"'):
        read_csv(tmp_path, "id,id\n1,2\n")


def test_a_long_row_is_read_whole(tmp_path: Path) -> None:
    text = "id,t\n1,a\n2," + "x" * 3_000_000 + "\n3,b\n"
    assert [len(row["t"]) for row in read_csv(tmp_path, text)] == [1, 3_000_000, 1]


def test_a_quote_never_closed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="never closed"):
        read_csv(tmp_path, 'id,t\n1,"a\n2,b\n3,"c"\n')


def test_quotes_inside_a_cell_are_its_own(tmp_path: Path) -> None:
    rows = read_csv(tmp_path, 'id,t\n1,5" nail\n2,"say ""hi""\n"\n3,c\n')
    assert [row["t"] for row in rows] == ['5" nail', 'say "hi"\n', "c"]


def test_the_second_of_two_damaged_files_is_named(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "id,x\n1,2\n")
    error = refused(written(tmp_path / "b.csv", "id,x\n1\n").parent / "*.csv")
    assert error.fields["file"] == str(tmp_path / "b.csv")
