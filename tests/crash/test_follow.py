"""Is an index what its source is after SIGKILL at any moment of a refresh?"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hybridsearch
from hybridsearch import Database
from tests.crash.world import finish_waiting

ROOT = Path(__file__).parents[2]


def killed(path: Path, seed: int, after: float) -> None:
    """Edit and refresh, and be killed some seconds after the index is there, or before."""
    command = [sys.executable, "-m", "tests.crash.follow", str(path), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as child:
        assert child.stdout is not None
        if after >= 0:
            child.stdout.readline()
            time.sleep(after)
        else:
            time.sleep(-after)
        child.kill()


def follows(db: Database) -> None:
    """The index gives exactly the rows of the table, by words, by meaning and as documents."""
    with db.connect() as con:
        table = con.execute("SELECT id, title FROM t ORDER BY id").fetchall()
        statement = "SELECT id, title FROM search('i', '', mode := 'keyword') ORDER BY id"
        assert con.execute(statement).fetchall() == table
        near = "SELECT count(*) FROM search('i', '', mode := 'semantic', vector := [1, 1],"
        assert con.execute(f"{near} candidates := 9999)").fetchall() == [(len(table),)]
        for word in ("word1", "word5"):
            wanted = [row for row in table if row[1].startswith(f"{word} ")]
            found = con.execute(statement.replace("''", f"'{word}'")).fetchall()
            assert found == wanted
    index = db.index("i")
    assert all(index.get(id_)["title"] == title for id_, title in table)
    assert db.freshness("i").stale == 0


def survive(path: Path, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    for number in range(kills):
        killed(path, seed * 100 + number, chance.uniform(-0.5 if number else 0, 0.8))
        with hybridsearch.open(path, default_embedder=None) as db:
            finish_waiting(db)
            db.refresh_search_index("i")
            follows(db)
        assert hybridsearch.check(path) == []


def test_index_follows_its_source_after_kill(tmp_path: Path) -> None:
    survive(tmp_path / "shop.duckdb", 1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 4))
def test_index_follows_its_source_after_many_kills(tmp_path: Path, seed: int) -> None:
    survive(tmp_path / "shop.duckdb", seed, 8)
