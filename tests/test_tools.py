"""What docs/tools.md shows works with the tools themselves, each from the package index."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("pandas", "ibis-framework[duckdb]>=12", "dbt-core==1.11.*", "dbt-duckdb==1.11.*")
pytestmark = pytest.mark.slow


def blocks(language: str) -> list[str]:
    text = (ROOT / "docs/tools.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def named(text: str) -> str:
    """The file that the first line of a block names."""
    return text.partition("\n")[0].split()[-1]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment with this package and the tools."""
    folder = tmp_path_factory.mktemp("tools") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(folder / "bin/pip"), "install", "--quiet", str(ROOT), *TOOLS]
    ended = subprocess.run(install, capture_output=True, text=True, check=False)
    if ended.returncode:
        pytest.skip(f"the tools cannot be installed here: {ended.stderr.strip()[-200:]}")
    return folder / "bin"


@pytest.fixture
def shop(tools: Path, tmp_path: Path) -> Path:
    """A folder with the database of the document."""
    run(tools / "python", "-c", blocks("python")[0], folder=tmp_path)
    return tmp_path


def run(*command: str | Path, folder: Path) -> str:
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**plain, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_a_notebook_gets_a_frame(tools: Path, shop: Path) -> None:
    *_, last = blocks("python")[1].strip().splitlines()
    cell = blocks("python")[1].replace(last, f"print(list({last}.title))")
    assert run(tools / "python", "-c", cell, folder=shop).splitlines()[0] == "['Alien']"


def test_ibis_filters_a_search(tools: Path, shop: Path) -> None:
    lines = run(tools / "python", "-c", blocks("python")[2], folder=shop).splitlines()
    assert [line.split()[:3] for line in lines[1:2]] == [["0", "Alien", "1979"]]


def test_dbt_builds_a_model_from_a_search(tools: Path, shop: Path) -> None:
    (shop / "models").mkdir()
    for text in (blocks("python")[3], *blocks("yaml"), *blocks("sql")):
        (shop / named(text)).write_text(text)
    (shop / "dbt_project.yml").write_text("name: shop\nversion: '1.0'\nprofile: shop\n")
    run(tools / "dbt", "build", "--profiles-dir", ".", folder=shop)
    code = "import duckdb; print(duckdb.connect('warehouse.duckdb').sql('FROM aliens').fetchall())"
    assert "('Alien', 1)" in run(tools / "python", "-c", code, folder=shop)
