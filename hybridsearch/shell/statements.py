"""Where does one SQL statement of a text end and the next begin?

Nothing is parsed: only what can hide a semicolon is known, which is quotes of all kinds, dollar
quotes and comments. A line that begins with a dot where a statement could is a command of the
shell, and ends with its line.

>>> [(piece.text, piece.line, piece.ended) for piece in split("SELECT ';';\\n.help\\nSELECT 1")]
[("SELECT ';'", 1, True), ('.help', 2, True), ('SELECT 1', 3, False)]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Piece", "finished", "split", "typed"]

_next = re.compile(
    r"""
      (?P<space>\s+ | --[^\n]*)
    | (?P<comment>/\*)
    | (?P<escaped>(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*(?P<escaped_end>')?)
    | (?P<quoted>'(?:[^']|'')*(?P<quoted_end>')?)
    | (?P<name>"(?:[^"]|"")*(?P<name_end>")?)
    | (?<![\w$])(?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?<![\w$])\$(?P<parameter>[^\W\d]\w*)
    | (?P<end>;)
    | (?P<word>\w+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
).match
_comment_marks = re.compile(r"/\*|\*/").finditer
_line = re.compile(r"[^\n]*").match
CLOSED_BY = {"escaped": "escaped_end", "quoted": "quoted_end", "name": "name_end"}


class Piece(NamedTuple):
    """One statement without its semicolon, or one command of the shell.

    line: where it begins, from 1. ended: whether its semicolon, or a command's line, is there.
    parameters: the names of its `$name` parameters.
    """

    text: str
    line: int
    ended: bool
    parameters: frozenset[str] = frozenset()

    @property
    def command(self) -> bool:
        """Whether it is for the shell itself."""
        return self.text.startswith(".")

    @property
    def leaves(self) -> bool:
        """Whether nothing after it counts."""
        return self.text in (".quit", ".exit")


def split(text: str) -> list[Piece]:
    """The statements and commands of a text, in order; the last one may not have ended.

    Pieces of nothing but comments and space are left out, unless a comment is still open.
    """
    return list(_pieces(text))


def finished(text: str) -> bool:
    """Whether nothing has to follow: every statement of the text has its semicolon."""
    pieces = split(text)
    return not pieces or pieces[-1].ended


def typed(text: str) -> str:
    """What a person means: exit, quit and help alone are commands without their dot.

    >>> typed("exit;"), typed("SELECT exit")
    ('.exit', 'SELECT exit')
    """
    word = text.strip().rstrip("; ").lower()
    return f".{word}" if word in ("exit", "quit", "help") else text


def _pieces(text: str) -> Iterator[Piece]:
    place = 0
    while (start := _beginning(text, place)) is not None:
        line = text.count("\n", 0, start) + 1
        if text[start] == ".":
            place = _line(text, start).end()  # type: ignore[union-attr]  # it matches anything
            yield Piece(text[start:place].rstrip().rstrip(";"), line, True)
            continue
        end, parameters = _end(text, start)
        ended = end < len(text)
        place = end + 1
        if text[start:end].strip():
            yield Piece(text[start:end].rstrip(), line, ended, parameters)


def _beginning(text: str, place: int) -> int | None:
    """Where something other than space and comments begins; an open comment is something."""
    while place < len(text):
        found = _next(text, place)
        assert found is not None  # the last alternative takes any character
        if found["comment"]:
            end = _comment_end(text, place)
            if end is None:
                return place
            place = end
        elif found["space"] or found["end"]:
            place = found.end()
        else:
            return place
    return None


def _end(text: str, place: int) -> tuple[int, frozenset[str]]:
    """(where the statement's semicolon is, or the text's length, the parameters before it)."""
    parameters: set[str] = set()
    while place < len(text):
        found = _next(text, place)
        assert found is not None
        if found["end"]:
            return place, frozenset(parameters)
        if found["parameter"]:
            parameters.add(found["parameter"])
        after = _after(text, found)
        if after is None:
            break
        place = after
    return len(text), frozenset(parameters)


def _after(text: str, found: re.Match[str]) -> int | None:
    """Where to go on; None if what begins here is never closed."""
    if found["comment"]:
        return _comment_end(text, found.start())
    if found["dollar"]:
        end = text.find(found["dollar"], found.end())
        return None if end < 0 else end + len(found["dollar"])
    for kind, closed in CLOSED_BY.items():
        if found[kind] is not None and found[closed] is None:
            return None
    return found.end()


def _comment_end(text: str, place: int) -> int | None:
    """Comments nest."""
    depth = 0
    for mark in _comment_marks(text, place):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return mark.end()
    return None
