"""The commands that the README gives for the server do what it says, as they are printed."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from hybridsearch import Database
from hybridsearch.server import app_for
from tests.server.live import served
from tests.test_docs import blocks

CURL = [block for block in blocks("sh") if "curl" in block]


def commands(block: str) -> list[str]:
    """The block's commands, each with the lines that continue it."""
    found: list[str] = []
    for line in block.splitlines():
        if found and found[-1].endswith(("\\", "|")):
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


def run(command: str, address: str) -> Any:
    text = command.replace("localhost:7700", address.removeprefix("http://"))
    done = subprocess.run(["bash", "-c", text], capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_lines_work_as_printed(memory: Database) -> None:
    answers = []
    with served(app_for(memory)) as address:
        for command in commands(CURL[0]):
            answers.append(run(command, address))
            for task in memory.tasks():
                memory.wait(task.uid)
    added, found, rows, written = answers
    assert added["status"] == "enqueued"
    assert [hit["title"] for hit in found["hits"]] == ["Alien"]
    assert [row[0] for row in rows["rows"]] == ["Up"]
    assert written["errors"] is False
