"""What the documents say can be run, and what they name is there."""

import doctest
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hybridsearch"
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.name != "__main__.py"
)


def blocks(language: str, document: str = "README.md") -> list[str]:
    text = (ROOT / document).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_hold(module: str) -> None:
    failures, _ = doctest.testmod(importlib.import_module(module))
    assert failures == 0


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is_for(module: str) -> None:
    assert importlib.import_module(module).__doc__


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_in_the_readme_runs(number: int, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(blocks("python")[number])
    for _ in range(2):  # people run an example again
        subprocess.run([sys.executable, str(script)], check=True, cwd=tmp_path, timeout=120)


def test_commands_in_the_readme_run(tmp_path: Path) -> None:
    commands = [line for block in blocks("console") for line in block.splitlines()]
    for line in (line[2:] for line in commands if line.startswith("$ hybridsearch")):
        words = [sys.executable, "-m", *shlex.split(line)]
        subprocess.run(words, check=True, cwd=tmp_path, timeout=120, capture_output=True)


@pytest.mark.parametrize(
    "document",
    ["README.md", "ARCHITECTURE.md", *(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))],
)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("module", MODULES)
def test_architecture_names_every_module(module: str) -> None:
    name = module.removeprefix("hybridsearch.")
    assert name == "hybridsearch" or f"`{name}" in (ROOT / "ARCHITECTURE.md").read_text()
