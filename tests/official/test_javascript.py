"""Meilisearch's JavaScript client and InstantSearch do with this server what they are made for.

The packages come from npm's index into a temporary folder; the scripts in javascript/ are ours and
run under Node's own test runner. Without Node or that index they are skipped, and say so.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import hybridsearch
from hybridsearch.server import app_for
from tests.server.live import served

SCRIPTS = Path(__file__).parent / "javascript"
MASTER = "a master key of some length"
UNREACHED = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH",
             "ERR_SOCKET_TIMEOUT", "UNABLE_TO_GET_ISSUER_CERT", "SELF_SIGNED_CERT")  # fmt: skip
OLDEST = (20, 19)
"""What the client itself asks for."""
INSTALL = ("install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


@pytest.fixture(scope="session")
def node() -> str:
    """The path of a Node that is new enough, beside which there is npm."""
    path, npm = shutil.which("node"), shutil.which("npm")
    if path is None or npm is None:
        pytest.skip("needs Node with npm, which are not installed")
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    major, minor, *_ = (int(part) for part in re.findall(r"\d+", told))
    if (major, minor) < OLDEST:
        pytest.skip(f"needs Node 20.19 or later, found {told.strip()}")
    return path


@pytest.fixture(scope="session")
def installed(node: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scripts and the packages that they import."""
    folder = tmp_path_factory.mktemp("javascript")
    for file in SCRIPTS.iterdir():
        shutil.copy(file, folder)
    command = [str(shutil.which("npm")), *INSTALL]
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    if ended.returncode and any(sign in ended.stderr for sign in UNREACHED):
        pytest.skip("needs npm's package index, which cannot be reached")
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The address of a server over an empty database in a file."""
    with (
        hybridsearch.open(tmp_path / "served.duckdb", default_embedder=None) as db,
        served(app_for(db, master_key=MASTER)) as found,
    ):
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.test.mjs")))
def test_a_script_of_the_client_runs_through(
    node: str, installed: Path, url: str, script: str
) -> None:
    environment = {**os.environ, "HYBRIDSEARCH_URL": url, "HYBRIDSEARCH_KEY": MASTER}
    ended = subprocess.run(
        [node, "--test", "--test-reporter=tap", script],
        cwd=installed,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    passed = re.search(r"^# pass (\d+)$", ended.stdout, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) == (installed / script).read_text().count("test(")
