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


def answers(text: str) -> list[Any]:
    """The JSON values that follow one another in a text."""
    found, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_lines_work_as_printed(memory: Database) -> None:
    with served(app_for(memory)) as address:
        text = CURL[0].replace("localhost:7700", address.removeprefix("http://"))
        done = subprocess.run(["bash", "-c", text], capture_output=True, check=True, timeout=120)
    added, found, rows, written = answers(done.stdout.decode())
    assert added["status"] == "enqueued"
    assert [hit["title"] for hit in found["hits"]] == ["Alien"]
    assert [row[0] for row in rows["rows"]] == ["Up"]
    assert written["errors"] is False
