"""How long does it take to open an index, and what does one say meanwhile?

Mostly no time. Files that are damaged, missing or of an earlier version are made anew from the
documents, which takes a while; a server then says how far that is instead of keeping people
waiting. An index is opened by a thread of its own, and any number may ask.

    openings = Openings(database.open_engine)
    openings.wait("films", 2.0)          # None once it is open, else the steps it is at
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from hybridsearch.course import Course, Step, Stopped
from hybridsearch.errors import DatabaseClosed

__all__ = ["Openings"]

BEGINNING = Step("opening the index")
NUMBER = -1
"""What stands for a task in the course of an opening, which is none."""


@dataclass(eq=False)
class _Opening:
    course: Course
    ended: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


class Openings:
    """The indexes of one database that are being opened. open_: opens the one of that name."""

    def __init__(self, open_: Callable[[str], object]) -> None:
        self._open = open_
        self._lock = threading.Lock()
        self._under_way: dict[str, _Opening] = {}
        self._courses: dict[str, Course] = {}
        self._closed = False

    def course(self, uid: str) -> Course:
        """What is to be told how far the opening of that index is, by whoever opens it."""
        with self._lock:
            return self._course(uid)

    def _course(self, uid: str) -> Course:
        found = self._courses.get(uid)
        if found is None:
            found = self._courses[uid] = Course()
            found.begin((NUMBER,))
        if self._closed:
            found.stop((NUMBER,))
        return found

    def wait(self, uid: str, seconds: float) -> tuple[Step, ...] | None:
        """Open the index if nobody does; None when it is open, else where that is after so long.

        Raises what opening it raises, to all who wait, and DatabaseClosed.
        """
        opening = self._begun(uid)
        if not opening.ended.wait(seconds):
            return opening.course.steps or (BEGINNING,)
        if opening.error is not None:
            raise opening.error
        return None

    def close(self) -> None:
        """Stop what is under way, and whatever is begun from now on, and wait until it stopped."""
        with self._lock:
            self._closed = True
            for uid in list(self._courses):
                self._course(uid)
            under_way = list(self._under_way.values())
        for opening in under_way:
            opening.ended.wait()

    def _begun(self, uid: str) -> _Opening:
        with self._lock:
            if self._closed:
                raise DatabaseClosed("the database is closed; open it again")
            found = self._under_way.get(uid)
            if found is None:
                found = self._under_way[uid] = _Opening(self._course(uid))
                name = f"hybridsearch-opening-{uid}"
                threading.Thread(target=self._run, args=(uid, found), name=name).start()
        return found

    def _run(self, uid: str, opening: _Opening) -> None:
        try:
            self._open(uid)
        except Stopped:
            opening.error = DatabaseClosed("the database was closed; the index is opened later")
        except BaseException as error:  # whoever waits for the index gets it
            opening.error = error
        finally:
            with self._lock:
                del self._under_way[uid]
            opening.ended.set()
