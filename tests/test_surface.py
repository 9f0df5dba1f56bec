"""What the package shows is what `__all__` says, and it loads only when it is used."""

import subprocess
import sys

import pytest

import hybridsearch


def test_all_is_sorted() -> None:
    assert sorted(hybridsearch.__all__) == hybridsearch.__all__


@pytest.mark.parametrize("name", hybridsearch.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(hybridsearch, name).__doc__


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        hybridsearch.serach  # noqa: B018  reading the attribute is the act


def test_importing_the_package_loads_no_library() -> None:
    heavy = "duckdb numpy pyarrow sqlglot tantivy tokenizers click rich polars pandas"
    code = f"import sys, hybridsearch; print(*set(sys.modules) & set({heavy.split()!r}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_using_the_package_loads_no_optional_library() -> None:
    code = (
        "import sys, hybridsearch\n"
        "with hybridsearch.open(default_embedder=None) as db:\n"
        "    index = db.create_index('a')\n"
        "    index.add([{'id': 1, 'text': 'words'}])\n"
        "    assert index.search('words').total == 1\n"
        "print(*set(sys.modules) & {'polars', 'wordllama'})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
