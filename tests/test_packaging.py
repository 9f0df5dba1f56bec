"""What is built holds the files that the package reads, from a wheel as from a checkout."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from hybridsearch import assets

ROOT = Path(__file__).parents[1]
NEEDED = [
    "hybridsearch/py.typed",
    "hybridsearch/assets/sql/schema/0001_start.sql",
    "hybridsearch/assets/sql/macros/search.sql",
    "hybridsearch/assets/python-docs/queries.jsonl",
    "hybridsearch/assets/python-docs/qrels.tsv",
    "hybridsearch/assets/web/index.html",
    "hybridsearch/assets/web/main.js",
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True)
    return next(folder.glob("*.whl"))


def test_checkout_has_the_assets() -> None:
    assert [name for name in NEEDED if not (ROOT / name).is_file()] == []


def test_wheel_has_the_assets(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert set(NEEDED) <= set(archive.namelist())


def test_source_archive_has_the_assets(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(NEEDED) <= names


def test_wheel_has_only_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"hybridsearch"}


def test_package_read_from_its_wheel_finds_the_assets(wheel: Path) -> None:
    code = "from hybridsearch import assets; print(assets.names('sql/schema'))"
    command = [
        sys.executable,
        "-P",
        "-c",
        f"import sys; sys.path.insert(0, {str(wheel)!r}); {code}",
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=wheel.parent)
    assert found.stdout.strip() == str(assets.names("sql/schema"))
