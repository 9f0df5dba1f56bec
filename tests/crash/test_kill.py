"""Does everything that was acknowledged survive SIGKILL at any moment?"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hybridsearch
from tests.crash.world import World, differences, finish_waiting, open_database, operation

ROOT = Path(__file__).parents[2]
LONGEST = 0.9


def killed(path: Path, seed: int, start: int, after: float) -> list[int]:
    """Run the history from `start`, kill it some seconds in; the operations it acknowledged."""
    command = [sys.executable, "-m", "tests.crash.load", str(path), str(seed), str(start)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(after)
        child.kill()
        return [int(line) for line in child.stdout.read().split()]


def state_after_kill(path: Path, seed: int, done: int, world: World) -> tuple[int, World]:
    """What is there when all of `done` and at most one more operation is; else it fails."""
    asked = operation(seed, done, world)
    one_more = world.after(asked)
    with open_database(path) as db:
        finish_waiting(db)
        without = differences(db, world)
        both = without and differences(db, one_more)
    assert not without or not both, (seed, done, asked, without[:9], both[:9])
    assert hybridsearch.check(path) == []
    return (done, world) if not without else (done + 1, one_more)


def survive(path: Path, seed: int, kills: int) -> int:
    """Kill the loading process again and again; how many operations are done at the end."""
    chance = random.Random(seed)
    done, world = 0, World()
    for kill in range(kills):
        longest = LONGEST / 6 if kill % 4 == 3 else LONGEST  # each fourth: while it is opening
        for number in killed(path, seed, done, chance.uniform(0, longest)):
            assert number == done
            world = world.after(operation(seed, number, world))
            done += 1
        done, world = state_after_kill(path, seed, done, world)
    return done


@pytest.mark.parametrize("seed", [1, 2])
def test_every_acknowledged_operation_survives_kill(tmp_path: Path, seed: int) -> None:
    assert survive(tmp_path / "shop.duckdb", seed, 4) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 13))
def test_every_acknowledged_operation_survives_many_kills(tmp_path: Path, seed: int) -> None:
    assert survive(tmp_path / "shop.duckdb", seed, 9) > 0
