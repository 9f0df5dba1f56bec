"""Of which pieces is the text of a statement made, and where do they lie?

`scan` cuts a text as DuckDB's own lexer does: strings of every kind, quoted names, comments,
parameters and runs of operator characters are one piece each, so that nothing inside a string
or a comment is ever taken for a construct. Comments and blanks are left out; every piece knows
its place, so that what is not understood can be passed on as it was written.

    [token.text for token in scan("SELECT 'a;b' -- c")]      # ['SELECT', "'a;b'"]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["Edit", "Token", "place", "scan", "spliced", "statements"]

_PIECE = re.compile(
    r"""
    (?P<blank>\s+|--[^\n]*)
  | (?P<comment>/\*)
  | (?P<string>[eE]'(?:[^'\\]|\\.|'')*'|[xXbB]?'(?:[^']|'')*')
  | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
  | (?P<name>"(?:[^"]|"")*")
  | (?P<parameter>\?\d*|\$\w+)
  | (?P<number>0[xX][0-9a-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<mark>[()\[\]{},;]|::|:=|\.)
  | (?P<operator>(?:(?!--|/\*)[-+*/<>=~!@%^&|`\#:\\])+)
    """,
    re.VERBOSE | re.DOTALL,
)
_comment_mark = re.compile(r"/\*|\*/").search
_KINDS = {"dollar": "string"}


class Token(NamedTuple):
    """One piece. kind: string, name (quoted), parameter, number, word, mark or operator."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """An unquoted word in small letters; "" for anything else."""
        return self.text.lower() if self.kind == "word" else ""

    @property
    def identifier(self) -> str | None:
        """The name in small letters, quoted or not; None for what cannot be a name."""
        if self.kind == "name":
            return self.text[1:-1].replace('""', '"').lower()
        return self.text.lower() if self.kind == "word" else None

    @property
    def value(self) -> str | None:
        """What a string without escapes says; None for anything else."""
        if self.kind != "string":
            return None
        if self.text[0] == "'":
            return self.text[1:-1].replace("''", "'")
        if self.text[0] != "$":
            return None
        tag = self.text.index("$", 1) + 1
        return self.text[tag:-tag]


class Edit(NamedTuple):
    """What is to stand in the place of text[start:end]."""

    start: int
    end: int
    text: str


def scan(text: str) -> list[Token] | None:
    """The pieces in order; None where the text breaks off in a string or a comment, or holds
    what no piece begins with, which is for DuckDB to say."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            return None
        kind = match.lastgroup or ""
        if kind == "comment":
            after = _after_comment(text, match.end())
            if after is None:
                return None
            at = after
            continue
        at = match.end()
        if kind != "blank":
            kind = _KINDS.get(kind, kind)
            found.append(Token(kind, match.group(), match.start(), at))
    return found


def statements(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The pieces of each statement, without the semicolons between; none is empty."""
    start = 0
    for number, token in enumerate(tokens):
        if token.text == ";" and token.kind == "mark":
            if number > start:
                yield tokens[start:number]
            start = number + 1
    if start < len(tokens):
        yield tokens[start:]


def spliced(text: str, edits: Sequence[Edit]) -> str:
    """The text with each edit in its place. Edits do not overlap; those at one place keep order."""
    parts: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column of a character, both from 1.

    >>> place("a\\nbc", 3)
    (2, 2)
    """
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _after_comment(text: str, at: int) -> int | None:
    """Where the comment ends that has begun before `at`; comments may lie in comments."""
    depth = 1
    while depth:
        mark = _comment_mark(text, at)
        if mark is None:
            return None
        depth += 1 if mark.group() == "/*" else -1
        at = mark.end()
    return at
