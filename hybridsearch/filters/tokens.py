"""What are the words, signs and quoted texts of a filter, and where do they stand?

`tokens` cuts a text in linear time and never gives up in the middle: what comes back is the
whole text with an `end` after it, or a FilterError that names the column.

>>> [token.text for token in tokens("year>=1990", "filter")]
['year', '>=', '1990', '']
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple, NoReturn

from hybridsearch.errors import FilterError

_TOKEN = re.compile(
    r"""\s*+(?:(?P<word>[^\s()\[\],'"=!<>]++)
    | (?P<sign>!=|<>|[<>]=|[=<>])
    | (?P<mark>[()\[\],])
    | (?P<quoted>'(?:[^'\\]|\\.|'')*+' | "(?:[^"\\]|\\.|"")*+")
    | (?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = {
    quote: re.compile(rf"\\(.)|{quote}({quote})", re.DOTALL)  # what two characters say as one
    for quote in "'\""
}
_CONTROL = {"n": "\n", "r": "\r", "t": "\t"}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_EXACT = 2**53
_LARGEST = 2**63


class Token(NamedTuple):
    """A piece of the text: `kind` is word, sign, mark, quoted or end; `column` is from 1."""

    kind: str
    text: str
    column: int

    @property
    def keyword(self) -> str:
        """The word in capitals; empty for what is no bare word."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def content(self) -> str:
        """What the token stands for: a quoted text without its quotes and escapes."""
        if self.kind != "quoted":
            return self.text
        inside, quote = self.text[1:-1], self.text[0]
        if "\\" not in inside and quote not in inside:
            return inside
        return _ESCAPE[quote].sub(_unescaped, inside)


def tokens(source: str, where: str) -> list[Token]:
    """Cut a filter into tokens, the last of them of kind `end`; `where` names it in messages.

    Raises FilterError for a quote that is never closed, a lone "!" and half surrogate pairs.
    """
    try:
        source.encode()
    except UnicodeEncodeError as error:
        refuse("found half of a surrogate pair", error.start + 1, where, "; send valid Unicode")
    found: list[Token] = []
    position = 0
    while not found or found[-1].kind != "end":
        match = _TOKEN.match(source, position)
        if match is None:
            _refuse_character(source, position, where)
        kind = str(match.lastgroup)
        found.append(Token(kind, match[kind], match.start(kind) + 1))
        position = match.end()
    return found


def number(text: str) -> int | float | None:
    """The finite number that a text spells, whole numbers below 2**63 exactly; None for others.

    >>> number("1e3"), number("-2.5"), number("12 monkeys"), number("1e999")
    (1000, -2.5, None, None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    if not math.isfinite(value):
        return None
    if abs(value) < _EXACT:
        return int(value) if value.is_integer() else value
    whole = int(text) if len(text) < 25 and text.lstrip("+-").isdigit() else value
    return whole if abs(whole) < _LARGEST else value


def refuse(what: str, column: int, where: str, remedy: str, name: str | None = None) -> NoReturn:
    """Raise the FilterError that says what is wrong at a column, and what to do about it."""
    raise FilterError(f"{what} in {where}, column {column}{remedy}", column=column, field=name)


def shortened(text: str) -> str:
    """A text fit for a message: at most 60 characters."""
    return text if len(text) <= 60 else text[:59] + "…"


def _unescaped(match: re.Match[str]) -> str:
    return _CONTROL.get(match[1], match[1]) if match[1] else match[2]


def _refuse_character(source: str, position: int, where: str) -> NoReturn:
    column = len(source) - len(source[position:].lstrip()) + 1
    sign = source[column - 1]
    if sign == "!":
        refuse('found "!"', column, where, "; write != or put the text in quotes")
    refuse(f"the quote {sign} is never closed", column, where, "; close it, or write \\ before it")
