"""What do the statements about search indexes say?

    CREATE [OR REPLACE] SEARCH INDEX [IF NOT EXISTS] name ON source (item, ...)
        [WHERE condition] [WITH (option = value, ...)]
    REFRESH SEARCH INDEX name [FULL]
    ALTER SEARCH INDEX name SET (option = value, ...)
    DROP SEARCH INDEX [IF EXISTS] name
    SHOW SEARCH INDEXES
    DESCRIBE SEARCH INDEX name
    EXPLAIN SEARCH [ANALYZE] statement

A source is a table or view, 'files' or (a query). An item is a column or an expression, then
perhaps AS name, then perhaps TEXT, KEYWORD or VECTOR with (option = value, ...); EMBED(expression)
is a text to make a vector of. Sources, expressions and conditions are kept as they were written.

    read_definition(read("DROP SEARCH INDEX docs_idx"))      # Drop("docs_idx", if_exists=False)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridsearch.definition import Item
from hybridsearch.errors import QueryError
from hybridsearch.sql.constants import NotConstant, constant
from hybridsearch.sql.levels import Range, parts, split
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.tokens import Token

__all__ = [
    "Alter",
    "Create",
    "Described",
    "Drop",
    "Explain",
    "Refresh",
    "Show",
    "read_definition",
]

KINDS = ("text", "keyword", "vector")


@dataclass(frozen=True)
class Create:
    """CREATE SEARCH INDEX."""

    name: str
    source: str
    items: tuple[Item, ...]
    where: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    replace: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True)
class Refresh:
    """REFRESH SEARCH INDEX."""

    name: str
    full: bool = False


@dataclass(frozen=True)
class Alter:
    """ALTER SEARCH INDEX."""

    name: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Drop:
    """DROP SEARCH INDEX."""

    name: str
    if_exists: bool = False


@dataclass(frozen=True)
class Show:
    """SHOW SEARCH INDEXES."""


@dataclass(frozen=True)
class Described:
    """DESCRIBE SEARCH INDEX."""

    name: str


@dataclass(frozen=True)
class Explain:
    """EXPLAIN SEARCH. start: place of the statement in the text. analyze: run it too."""

    start: int
    analyze: bool = False


Definition = Create | Refresh | Alter | Drop | Show | Described | Explain


NAME = "a name for the index, as in CREATE SEARCH INDEX name ON ..."


def read_definition(statement: Statement) -> Definition | None:
    """The statement, if it is one about search indexes.

    Raises QueryError for one that breaks off or is wrong; its field `token` says where.
    """
    first, *words = [token.word for token in statement.tokens[:5]]
    if first == "explain" and words[:1] == ["search"]:
        return _explain(statement)
    if words[:2] == ["or", "replace"]:
        words = words[2:]
    if first not in _READERS or words[:2] not in (["search", "index"], ["search", "indexes"]):
        return None
    return _READERS[first](_Reader(statement))


class _Reader:
    """Goes through the tokens of a statement from left to right."""

    def __init__(self, statement: Statement, where: Range | None = None) -> None:
        self._statement = statement
        self._at, self._stop = where or Range(0, len(statement.tokens))

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self._at >= self._stop

    @property
    def token(self) -> Token | None:
        """The next token."""
        return None if self.done else self._statement.tokens[self._at]

    def comes(self, *words: str) -> bool:
        """Whether the words come next."""
        following = self._statement.tokens[self._at : min(self._at + len(words), self._stop)]
        return [token.word or token.text for token in following] == list(words)

    def take(self, *words: str) -> bool:
        """Go past the words if they come next."""
        fits = self.comes(*words)
        self._at += len(words) if fits else 0
        return fits

    def need(self, *words: str) -> None:
        """Go past the words, which must come next."""
        if not self.take(*words):
            raise self.wrong(" ".join(words).upper())

    def wrong(self, wanted: str) -> QueryError:
        """What was wanted in the place of what comes next."""
        token = self.token
        what = "the end" if token is None else f'"{token.text:.40}"'
        return QueryError(
            f"expected {wanted}, found {what}", token=min(self._at, len(self._statement.tokens) - 1)
        )

    def name(self, what: str) -> str:
        """A name, as it is written but for quotes."""
        token = self.token
        if token is None or token.identifier is None:
            raise self.wrong(what)
        self._at += 1
        return token.text if token.kind == "word" else token.text[1:-1].replace('""', '"')

    def end(self) -> None:
        """Nothing may be left."""
        if not self.done:
            raise self.wrong("the end of the statement")

    def inside(self, what: str) -> Range:
        """Go past brackets; what stands between them."""
        if self.token is None or self.token.text != "(":
            raise self.wrong(what)
        inner = Range(self._at + 1, self._statement.brackets[self._at])
        self._at = inner.stop + 1
        return inner

    def _parts(self, inside: Range) -> list[Range]:
        return list(parts(self._statement.tokens, self._statement.brackets, inside))

    def until(self, *words: str) -> str:
        """Go past everything before one of the words outside brackets; its text."""
        start = self._at
        ends = (
            at
            for at in split(
                self._statement.tokens, self._statement.brackets, Range(start, self._stop)
            )
            if self._statement.tokens[at].word in words
        )
        self._at = next(ends, self._stop)
        if self._at == start:
            raise self.wrong("a condition")
        return self._statement.written(Range(start, self._at))

    def source(self) -> str:
        """A name with its schema, a string, or a query in brackets; its text."""
        start = self._at
        if self.token is not None and self.token.text == "(":
            self.inside("a query")
        elif self.token is not None and self.token.kind == "string":
            self._at += 1
        else:
            self.name("a table, 'files' or (a query)")
            while self.take("."):
                self.name("a name")
        return self._statement.written(Range(start, self._at))

    def items(self) -> tuple[Item, ...]:
        """(item, ...)"""
        inner = self.inside('"(" with what is to be searched')
        found = tuple(_item(self._statement, part) for part in self._parts(inner))
        if not found:
            raise QueryError("there is nothing to be searched", token=inner.start)
        return found

    def options(self, what: str) -> dict[str, Any]:
        """(name = value, ...)"""
        found: dict[str, Any] = {}
        for part in self._parts(self.inside(what)):
            reader = _Reader(self._statement, part)
            name = reader.name("the name of an option").lower()
            if not (reader.take("=") or reader.take(":=") or reader.take("=>")):
                raise reader.wrong('"="')
            if name in found:
                raise QueryError(f'option "{name}" is given twice', token=part.start)
            found[name] = reader.value()
        return found

    def value(self) -> Any:
        """What is left, as a value; a word stands for itself."""
        try:
            return constant(self._statement, Range(self._at, self._stop), _itself)
        except NotConstant as error:
            self._at = error.at
            raise self.wrong(error.wanted) from None


def _itself(token: Token) -> str:
    """A word in the place of a value, as in refresh = manual."""
    if token.identifier is None:
        raise KeyError(token.text)
    return token.text if token.kind == "word" else token.text[1:-1].replace('""', '"')


def _item(statement: Statement, part: Range) -> Item:
    """expression [AS name] [TEXT | KEYWORD | VECTOR [(option = value, ...)]]"""
    tokens, (kind, stop) = statement.tokens, _kind(statement, part)
    given = _Reader(statement, Range(stop + (kind is not None), part.stop))
    chosen = {} if given.done else given.options("options")
    alias = None
    if stop - 2 > part.start and tokens[stop - 2].word == "as":
        alias, stop = _Reader(statement, Range(stop - 1, stop)).name("a name"), stop - 2
    if part.start >= stop:
        raise QueryError("an item has no expression", token=part.start)
    if tokens[part.start].word == "embed" and statement.brackets.get(part.start + 1) == stop - 1:
        inner = Range(part.start + 2, stop - 1)
        return Item(statement.written(inner), alias, "EMBED", chosen)
    return Item(statement.written(Range(part.start, stop)), alias, kind, chosen)


def _kind(statement: Statement, part: Range) -> tuple[str | None, int]:
    """The kind that an item ends with, and where it stands; else None and where the item ends."""
    opening = {end: at for at, end in statement.brackets.items()}.get(part.stop - 1)
    at = (part.stop if opening is None else opening) - 1
    tokens = statement.tokens
    if at > part.start and tokens[at].word in KINDS and tokens[at - 1].text not in ("::", "."):
        return tokens[at].word.upper(), at
    return None, part.stop


def _explain(statement: Statement) -> Explain:
    analyze = len(statement.tokens) > 2 and statement.tokens[2].word == "analyze"
    at = 3 if analyze else 2
    if at >= len(statement.tokens):
        raise QueryError("EXPLAIN SEARCH needs a statement", token=at - 1)
    return Explain(statement.tokens[at].start, analyze)


def _create(reader: _Reader) -> Create:
    reader.need("create")
    replace = reader.take("or", "replace")
    reader.need("search", "index")
    if_not_exists = reader.take("if", "not", "exists")
    if reader.comes("on") and not reader.comes("on", "on"):
        raise reader.wrong(NAME)
    name = reader.name("the name of the index")
    reader.need("on")
    source = reader.source()
    items = reader.items()
    where = reader.until("with") if reader.take("where") else None
    options = reader.options('"(" with options') if reader.take("with") else {}
    reader.end()
    return Create(name, source, items, where, options, replace, if_not_exists)


def _refresh(reader: _Reader) -> Refresh:
    reader.need("refresh", "search", "index")
    found = Refresh(reader.name("the name of the index"), reader.take("full"))
    reader.end()
    return found


def _alter(reader: _Reader) -> Alter:
    reader.need("alter", "search", "index")
    name = reader.name("the name of the index")
    reader.need("set")
    options = reader.options('"(" with options')
    reader.end()
    return Alter(name, options)


def _drop(reader: _Reader) -> Drop:
    reader.need("drop", "search", "index")
    if_exists = reader.take("if", "exists")
    found = Drop(reader.name("the name of the index"), if_exists)
    reader.end()
    return found


def _show(reader: _Reader) -> Show:
    reader.need("show", "search")
    reader.need("indexes")
    reader.end()
    return Show()


def _describe(reader: _Reader) -> Described:
    if not reader.take("desc"):
        reader.need("describe")
    reader.need("search", "index")
    found = Described(reader.name("the name of the index"))
    reader.end()
    return found


_READERS: Mapping[str, Callable[[_Reader], Definition]] = {
    "create": _create,
    "refresh": _refresh,
    "alter": _alter,
    "drop": _drop,
    "show": _show,
    "describe": _describe,
    "desc": _describe,
}
