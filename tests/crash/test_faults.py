"""What is left when any one write fails, or all writes from any one on?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import hybridsearch
from tests.crash.world import (
    World,
    differences,
    finish_waiting,
    open_database,
    short_history,
)

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).with_name("fault.c")


class FaultyDisk:
    """A process under whose database any write can be made to fail."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.folder = folder / "disk"
        self.folder.mkdir()
        plan = folder / "plan"
        plan.write_bytes(bytes(3 * np.dtype(np.int_).itemsize))
        self._plan = np.memmap(plan, np.int_, "r+")
        self._errors = (folder / "errors").open("w+")
        faults = {"FAULT_UNDER": str(self.folder), "FAULT_PLAN": str(plan)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.scenario"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            env={**os.environ, **faults, "LD_PRELOAD": str(library)},
            text=True,
        )

    def run(self, at: int, *, always: bool) -> tuple[Path, list[str]]:
        """Make the short history with the failure of call `at`; the database and what was said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        path = self.folder / f"{at}-{always}" / "shop.duckdb"
        path.parent.mkdir()
        self._plan[:] = 0, at, always
        print(path, file=self._process.stdin, flush=True)
        said = []
        for line in self._process.stdout:
            said.append(line.strip())
            if line.startswith("exit"):
                break
        return path, said

    @property
    def calls(self) -> int:
        """How many calls the last run made."""
        return int(self._plan[0])

    def errors(self) -> str:
        """What the process wrote on its standard error, from the last part on."""
        self._errors.seek(0)
        return self._errors.read()[-3000:]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[FaultyDisk]]:
    """One for each of two threads that make runs side by side."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and LD_PRELOAD, to make writes fail")
    library = tmp_path_factory.mktemp("library") / "fault.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror"]
    subprocess.run([compiler, *flags, str(SOURCE), "-o", str(library), "-ldl"], check=True)
    found = [FaultyDisk(tmp_path_factory.mktemp("faults"), library) for _ in range(2)]
    yield found
    for disk in found:
        disk.close()


def possible(said: list[str]) -> list[World]:
    """Every world there may be: what was acknowledged is done, what was refused may be."""
    done = {int(line.split()[1]) for line in said if line.startswith("done")}
    worlds = [World()]
    for number, asked in enumerate(short_history()):
        after = [world.after(asked) for world in worlds]
        worlds = after if number in done else [*worlds, *(w for w in after if w not in worlds)]
    return worlds


def wrong_after(disk: FaultyDisk, at: int, *, always: bool) -> list[str]:
    """What is wrong after the failure of call `at` and opening on a good disk."""
    path, said = disk.run(at, always=always)
    if said[-1] != "exit 0":
        return [f"call {at}, always {always}: {said[-3:]} {disk.errors()}"]
    worlds = possible(said)
    with open_database(path) as db:
        finish_waiting(db)
        found = [differences(db, world) for world in worlds]
    best = min(found, key=len) + hybridsearch.check(path)
    shutil.rmtree(path.parent)
    return [f"call {at}, always {always}: {best[:5]} {said}"] if best else []


def calls(disk: FaultyDisk) -> int:
    """How many calls the history makes when none fails."""
    path, said = disk.run(0, always=False)
    assert said == [*(f"done {number}" for number in range(len(short_history()))), "exit 0"]
    shutil.rmtree(path.parent)
    return disk.calls


def wrong_after_each(
    disks: list[FaultyDisk], step: int, *, always: bool, first: int = 1
) -> list[str]:
    """What is wrong after the failure of each `step`-th call from the first on."""
    numbers = iter(range(first, calls(disks[0]) + 1, step))

    def work(disk: FaultyDisk) -> list[str]:
        return [line for at in numbers for line in wrong_after(disk, at, always=always)]

    with ThreadPoolExecutor(len(disks)) as pool:
        return [line for lines in pool.map(work, disks) for line in lines]


def test_every_write_can_be_made_to_fail(disks: list[FaultyDisk]) -> None:
    assert calls(disks[0]) > 100


@pytest.mark.parametrize("always", [False, True])
def test_some_failed_writes_leave_the_last_good_state(
    disks: list[FaultyDisk], always: bool
) -> None:
    assert wrong_after_each(disks, 97 + always, always=always) == []


@pytest.mark.slow
@pytest.mark.parametrize(("first", "step", "always"), [(1, 4, False), (3, 4, False), (2, 8, True)])
def test_every_second_failed_write_leaves_the_last_good_state(
    disks: list[FaultyDisk], first: int, step: int, always: bool
) -> None:
    assert wrong_after_each(disks, step, always=always, first=first) == []
