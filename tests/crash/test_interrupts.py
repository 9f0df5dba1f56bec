"""Ctrl-C at any point of a call must leave an open database as good as it was.

CPython raises KeyboardInterrupt after a call has returned, at the beginning of a function and at
the end of a round of a loop; a trace function raises it at each such point in turn.
"""

from __future__ import annotations

import dis
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import hybridsearch
from hybridsearch.database import Database
from tests.conftest import in_memory

CHECKED = ("RESUME", "CALL", "CALL_FUNCTION_EX", "CALL_KW", "JUMP_BACKWARD")
"""After these instructions CPython looks for signals."""
FILES = ("threading.py", "contextlib.py")
PATIENCE = 60.0

Point = tuple[CodeType, int]
Seen = Callable[[Point], None]
Action = Callable[[Database, int], Any]

WRITES: dict[str, Action] = {
    "add": lambda db, n: db.index("films").add([{"id": n, "title": f"robot {n}"}]),
    "delete": lambda db, n: db.index("films").delete(ids=[n - 1]),
    "settings": lambda db, n: db.index("films").update_settings({"synonyms": {"a": [f"b{n}"]}}),
    "create": lambda db, n: db.create_index(f"films{n}"),
}
READS: dict[str, Action] = {
    "search": lambda db, n: db.index("films").search(f"robot {n} x"),
    "sql": lambda db, n: db.connect().execute(f"FROM search('films', 'robot {n}')").fetchall(),
}


@pytest.fixture
def db() -> Iterator[Database]:
    with in_memory() as db:
        db.create_index("films", primary_key="id").add([{"id": 0, "title": "robot"}])
        yield db


@cache
def _checked(code: CodeType) -> frozenset[int]:
    """Where in the code an interruption can come."""
    places = pairwise(dis.get_instructions(code))
    return frozenset(two.offset for one, two in places if one.opname in CHECKED)


def _traced(action: Callable[[], Any], seen: Seen) -> None:
    """Run it, and tell of each point of ours that it comes to."""

    def inside(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode" and frame.f_lasti in _checked(frame.f_code):
            seen((frame.f_code, frame.f_lasti))
        return inside

    def entered(frame: FrameType, event: str, argument: Any) -> Any:
        path = Path(frame.f_code.co_filename)
        if "hybridsearch" not in path.parent.parts and path.name not in FILES:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return inside

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        action()
    finally:
        sys.settrace(before)


def _points(action: Callable[[], Any]) -> list[Point]:
    points: dict[Point, None] = {}
    _traced(action, lambda point: points.setdefault(point))
    return list(points)


def _interrupt(action: Callable[[], Any], where: Point) -> None:
    """Run it up to there."""
    came: list[Point] = []

    def seen(point: Point) -> None:
        if point == where and not came:
            came.append(point)
            raise KeyboardInterrupt

    try:
        _traced(action, seen)
    except KeyboardInterrupt:
        return
    except RuntimeError as error:  # threading's own, interrupted between two of its lines
        if isinstance(error.__context__, KeyboardInterrupt):
            return
        raise
    assert not came, f"the interruption at {where} was lost"


def _works(db: Database, number: int) -> None:
    """A write of this thread and one of another, and what they wrote is found."""
    ids = [10_000 + 2 * number, 10_001 + 2 * number]
    index = db.index("films")
    index.add([{"id": ids[0], "title": f"comet{number}"}])
    other = threading.Thread(
        target=lambda: index.add([{"id": ids[1], "title": f"comet{number}"}]), daemon=True
    )
    other.start()
    other.join(PATIENCE)
    assert not other.is_alive(), "another thread waits for ever"
    assert {str(hit.id) for hit in index.search(f"comet{number}")} == {str(id_) for id_ in ids}


def _sweep(db: Database, action: Action, is_wanted: Callable[[Point], bool], *, step: int) -> int:
    """Interrupt the action at every step-th wanted point, and go on working; how many."""
    action(db, 1)
    points = [point for point in _points(lambda: action(db, 2)) if is_wanted(point)][::step]
    for number, point in enumerate(points, 3):
        _interrupt(lambda number=number: action(db, number), point)  # type: ignore[misc]
        _works(db, number)
    return len(points)


def _is_of_acceptance(point: Point) -> bool:
    accepting = ("store.py", "tasks.py", "database_file.py", "contextlib.py")
    return Path(point[0].co_filename).name in accepting


def test_an_interrupted_acceptance_stops_no_later_write(db: Database) -> None:
    assert _sweep(db, WRITES["add"], _is_of_acceptance, step=1) > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WRITES, *READS])
def test_an_interruption_anywhere_stops_no_later_call(db: Database, name: str) -> None:
    assert _sweep(db, {**WRITES, **READS}[name], lambda point: True, step=3) > 50


def test_an_interrupted_write_was_accepted_or_not(tmp_path: Path) -> None:
    """What an interrupted call had made durable is applied at once, not at the next opening."""
    path = tmp_path / "films.duckdb"
    with hybridsearch.open(path, default_embedder=None) as db:
        films = db.create_index("films", primary_key="id")
        films.add([{"id": 0}])
        points = _points(lambda: films.add([{"id": 1}]))
        inserted = [one for one in points if one[0].co_name in ("transaction", "_insert")]
        for number, point in enumerate(inserted, 2):
            _interrupt(lambda number=number: films.add([{"id": number}]), point)  # type: ignore[misc]
        films.add([{"id": 1_000}])
        before = films.count()
        assert {task.status for task in db.tasks()} == {"succeeded"}
    assert not hybridsearch.check(path)
    with hybridsearch.open(path, default_embedder=None) as db:
        assert db.index("films").count() == before
