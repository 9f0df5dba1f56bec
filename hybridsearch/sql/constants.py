"""Which value does a piece of a statement have that is written out, or given as a parameter?

constant(read("SELECT ['a', -1.5]"), Range(1, 7))        # ['a', -1.5]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hybridsearch.sql.levels import Range, parts
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.tokens import Token

__all__ = ["NotConstant", "constant"]

WORDS = {"true": True, "false": False, "null": None}


class NotConstant(Exception):
    """What stands at the token `at` has no value that can be seen; `wanted` says what could."""

    def __init__(self, at: int, wanted: str = "a value") -> None:
        super().__init__(wanted)
        self.at = at
        self.wanted = wanted


def unknown(token: Token) -> Any:
    """No word or parameter has a value."""
    raise KeyError(token.text)


def constant(statement: Statement, where: Range, known: Callable[[Token], Any] = unknown) -> Any:
    """A string, number, true, false, null, [list] or {struct}; a struct as a dict.

    known: the value of a parameter or of another word, or a KeyError. Raises NotConstant.
    """
    if where.start >= where.stop:
        raise NotConstant(where.start)
    token = statement.tokens[where.start]
    if token.text in ("[", "{") and token.kind == "mark":
        return _several(statement, where, known)
    if token.text in ("-", "+") and where.start + 1 < where.stop:
        return _number(statement, Range(where.start + 1, where.stop)) * (1, -1)[token.text == "-"]
    if where.stop - where.start > 1:
        raise NotConstant(where.start + 1, "the end of the value")
    if token.kind == "number":
        return _number(statement, where)
    return _word(where.start, token, known)


def _word(at: int, token: Token, known: Callable[[Token], Any]) -> Any:
    if token.kind == "string":
        if token.value is None:
            raise NotConstant(at, "a plain string")
        return token.value
    if token.word in WORDS:
        return WORDS[token.word]
    try:
        return known(token)
    except KeyError:
        raise NotConstant(at) from None


def _number(statement: Statement, where: Range) -> int | float:
    token = statement.tokens[where.start]
    if token.kind != "number" or where.stop - where.start > 1:
        raise NotConstant(where.start, "a number")
    plain = token.text.replace("_", "")
    return int(plain, 0) if plain.isdecimal() or plain[:2].lower() == "0x" else float(plain)


def _several(statement: Statement, where: Range, known: Callable[[Token], Any]) -> Any:
    inner = Range(where.start + 1, statement.brackets[where.start])
    if inner.stop + 1 != where.stop:
        raise NotConstant(inner.stop + 1, "the end of the value")
    found = list(parts(statement.tokens, statement.brackets, inner))
    if statement.tokens[where.start].text == "[":
        return [constant(statement, part, known) for part in found]
    return dict(_pair(statement, part, known) for part in found)


def _pair(statement: Statement, part: Range, known: Callable[[Token], Any]) -> tuple[str, Any]:
    if part.stop - part.start < 3 or statement.tokens[part.start + 1].text != ":":
        raise NotConstant(part.start, "name: value")
    token = statement.tokens[part.start]
    name = token.value if token.kind == "string" else token.identifier
    if name is None:
        raise NotConstant(part.start, "a name")
    return name, constant(statement, Range(part.start + 2, part.stop), known)
