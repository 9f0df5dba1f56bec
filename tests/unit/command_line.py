"""The command line as tests run it: in this process, with a folder of files to use."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from hybridsearch.cli import commands

ROOT = Path(__file__).parents[2]
# Without buffers Python takes a write that a closed pipe cut short for a whole one.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}
COMMAND = [sys.executable, "-m", "hybridsearch"]
MOVIES = [
    {"id": 1, "title": "Alien", "overview": "A crew meets a creature on a ship.", "year": 1979},
    {"id": 2, "title": "Star Wars", "overview": "A space opera with robots.", "year": 1977},
    {"id": 3, "title": "Ratatouille", "overview": "A rat cooks in Paris.", "year": 2007},
]
QUERIES = [{"_id": "q1", "text": "space opera"}, {"_id": "q2", "text": "cooks in Paris"}]
QRELS = "q1\t2\t1\nq2\t3\t1\n"


def ndjson(path: Path, documents: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in documents), encoding="utf-8")
    return path


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(commands, list(arguments), prog_name="hybridsearch", input=stdin)


def in_json(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def error(status: int, *arguments: str, stdin: bytes | None = None) -> str:
    """What a command that must fail with the status says; it is one line, on stderr alone."""
    result = run(*arguments, stdin=stdin)
    assert (result.exit_code, result.stdout) == (status, "")
    assert re.fullmatch(r"error: [^\n]+\n", result.stderr)
    return result.stderr.removeprefix("error: ").rstrip("\n")
