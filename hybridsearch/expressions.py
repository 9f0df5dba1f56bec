"""What may a formula over the attributes of a document say, such as the boost of a ranking?

`parse` reads a small language that looks like SQL and can only compute: columns, literals, and the
functions of `FUNCTIONS`. What comes out is a tree; nothing of the text is ever given to a database
(`boosting` writes SQL of its own for each kind of node).

    formula    := and (OR and)*
    and        := not (AND not)*
    not        := NOT not | comparison
    comparison := sum [(= | == | != | <> | < | <= | > | >=) sum | IS [NOT] NULL]
    sum        := product ((+ | -) product)*
    product    := sign ((* | / | %) sign)*
    sign       := - sign | first
    first      := number | 'text' | TRUE | FALSE | NULL | attribute | "attribute"
                | name(formula, ...) | ( formula )
                | CASE (WHEN formula THEN formula)+ [ELSE formula] END

An attribute may be nested: crew.age. Names of functions and the words in capitals have no case.

>>> formula = parse("1 + 0.5 * exp(-days_since(published) / 30)")
>>> formula.attributes, formula.timed
(('published',), True)
>>> parse("1; DROP TABLE x")
Traceback (most recent call last):
    ...
hybridsearch.errors.QueryError: unexpected ";" in boost, column 2; nothing of the kind fits there
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from hybridsearch.errors import QueryError, near

__all__ = ["FUNCTIONS", "Formula", "Node", "parse"]

LONGEST = 2_000
DEEPEST = 20
MANY = 20

FUNCTIONS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        **dict.fromkeys(("abs", "ceil", "floor", "sqrt", "ln", "log10", "log2", "exp"), (1, 1)),
        **dict.fromkeys(("sign", "days_since"), (1, 1)),
        "round": (1, 1),
        **dict.fromkeys(("pow", "nullif"), (2, 2)),
        **dict.fromkeys(("greatest", "least", "coalesce"), (1, MANY)),
        "if": (3, 3),
    }
)
"""Function -> the least and the greatest number of its arguments. `days_since` takes an attribute
that holds a date as ISO 8601 text or as seconds since 1970."""

_TOKEN = re.compile(
    r"(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|'(?P<text>(?:[^']|'')*)'"
    r'|"(?P<quoted>(?:[^"]|"")+)"'
    r"|(?P<name>[^\W\d]\w*(?:\.\w+)*)"
    r"|(?P<sign><=|>=|<>|!=|==|[-+*/%()=<>,])"
)
_SPACE = re.compile(r"\s*")
_WORDS = frozenset(
    ("and", "or", "not", "is", "null", "true", "false", "case", "when", "then", "else", "end")
)
_COMPARISONS = MappingProxyType({"==": "=", "!=": "<>"} | {s: s for s in ("=", "<>", "<", "<=")})
_SIGNS = MappingProxyType({**_COMPARISONS, ">": ">", ">=": ">="})


class Node(NamedTuple):
    """One node. kind: "number", "text", "null", "truth" (a literal), "attribute", "call", "sign",
    "compare", "and", "or", "not", "missing" (IS NULL) or "case", whose parts are condition and
    value in turn and the value for all else. value: of a literal, or the name. column: where it
    stands, from 1.
    """

    kind: str
    value: str | float | bool | None
    parts: tuple[Node, ...] = ()
    column: int = 1


@dataclass(frozen=True)
class Formula:
    """A formula that was read. attributes: those that it names, each once, in order. timed:
    whether its value changes with the clock."""

    text: str
    tree: Node
    attributes: tuple[str, ...]
    timed: bool


@lru_cache(maxsize=256)
def parse(text: str, *, field: str = "boost") -> Formula:
    """The formula. Raises QueryError, saying at which column of the field it cannot be read."""
    if len(text) > LONGEST:
        raise QueryError(
            f"{field} has {len(text):,} characters; at most {LONGEST:,} are taken",
            code=f"invalid_search_{field}",
            field=field,
        )
    reader = _Reader(text, field)
    tree = reader.whole()
    nodes = list(_all(tree))
    names = dict.fromkeys(str(node.value) for node in nodes if node.kind == "attribute")
    timed = any(node.kind == "call" and node.value == "days_since" for node in nodes)
    return Formula(text, tree, tuple(names), timed)


def _all(node: Node) -> Iterator[Node]:
    yield node
    for part in node.parts:
        yield from _all(part)


class _Token(NamedTuple):
    kind: str
    text: str
    column: int

    def says(self, *texts: str) -> bool:
        return self.kind in ("sign", "word") and self.text in texts


class _Reader:
    """Reads one formula from left to right; `depth` bounds how far it goes down."""

    def __init__(self, text: str, field: str) -> None:
        self._field = field
        self._tokens = list(self._cut(text))
        self._at = 0
        self._depth = 0

    def _cut(self, text: str) -> Iterator[_Token]:
        at = 0
        while (at := _end_of_space(text, at)) < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._refused(
                    f"unexpected {_quoted(text[at])}", at + 1, "; nothing of the kind fits there"
                )
            kind = str(match.lastgroup)
            found = match.group(kind)
            if kind == "name" and found.lower() in _WORDS:
                kind, found = "word", found.lower()
            yield _Token(kind, found, at + 1)
            at = match.end()
        yield _Token("end", "", len(text) + 1)

    def whole(self) -> Node:
        found = self._formula()
        left = self._tokens[self._at]
        if left.kind != "end":
            what = f"unexpected {_quoted(left.text)}"
            raise self._refused(what, left.column, "; the formula ends before it")
        return found

    # One method for each line of the grammar

    def _formula(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._refused(
                "it goes too deep", self._here.column, f"; {DEEPEST} levels at most"
            )
        found = self._joined("or", lambda: self._joined("and", self._not))
        self._depth -= 1
        return found

    def _joined(self, word: str, part: Callable[[], Node]) -> Node:
        parts = [part()]
        while self._took(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Node(word, None, tuple(parts))

    def _not(self) -> Node:
        negations = 0
        while self._took("not"):
            negations += 1
        found = self._comparison()
        return Node("not", None, (found,)) if negations % 2 else found

    def _comparison(self) -> Node:
        left = self._sum()
        token = self._here
        if self._took(*_SIGNS):
            return Node("compare", _SIGNS[token.text], (left, self._sum()), token.column)
        if not self._took("is"):
            return left
        negated = self._took("not")
        self._must("null")
        missing = Node("missing", None, (left,), token.column)
        return Node("not", None, (missing,)) if negated else missing

    def _sum(self) -> Node:
        return self._row(("+", "-"), lambda: self._row(("*", "/", "%"), self._signed))

    def _row(self, signs: tuple[str, ...], part: Callable[[], Node]) -> Node:
        found = part()
        length = 1
        while (token := self._here).says(*signs):
            length += 1
            if length > MANY:
                raise self._refused("it is too long", token.column, f"; {MANY} terms at most")
            self._at += 1
            found = Node("sign", token.text, (found, part()), token.column)
        return found

    def _signed(self) -> Node:
        token, negations = self._here, 0
        while self._took("-"):
            negations += 1
        found = self._first()
        if not negations % 2:
            return found
        return Node("sign", "-", (Node("number", 0.0), found), token.column)

    def _first(self) -> Node:
        token = self._here
        self._at += 1
        if token.kind == "number":
            return Node("number", float(token.text), column=token.column)
        if token.kind == "text":
            return Node("text", token.text.replace("''", "'"), column=token.column)
        if token.kind == "quoted":
            return Node("attribute", token.text.replace('""', '"'), column=token.column)
        if token.kind == "name":
            return self._named(token)
        return self._worded(token)

    def _named(self, token: _Token) -> Node:
        if not self._took("("):
            return Node("attribute", token.text, column=token.column)
        name = token.text.lower()
        if name not in FUNCTIONS:
            what = f"unknown function {_quoted(token.text)}"
            raise self._refused(what, token.column, near(name, FUNCTIONS))
        parts = [] if self._here.says(")") else [self._formula()]
        while self._took(","):
            parts.append(self._formula())
        self._must(")")
        least, most = FUNCTIONS[name]
        if not least <= len(parts) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            what = f"{name}() has {len(parts)} arguments"
            raise self._refused(what, token.column, f"; it takes {wanted}")
        return Node("call", name, tuple(parts), token.column)

    def _worded(self, token: _Token) -> Node:
        if token.says("("):
            found = self._formula()
            self._must(")")
            return found
        if token.says("case"):
            return self._case(token)
        if token.says("true", "false"):
            return Node("truth", token.text == "true", column=token.column)
        if token.says("null"):
            return Node("null", None, column=token.column)
        said = "the end" if token.kind == "end" else _quoted(token.text)
        remedy = "; a number, an attribute or a function fits there"
        if token.kind == "word":
            remedy += f", and an attribute of that name is written in double quotes, {said}"
        raise self._refused(f"unexpected {said}", token.column, remedy)

    def _case(self, token: _Token) -> Node:
        parts: list[Node] = []
        while self._took("when"):
            parts.append(self._formula())
            self._must("then")
            parts.append(self._formula())
        if not parts:
            self._must("when")
        parts.append(self._formula() if self._took("else") else Node("null", None))
        self._must("end")
        return Node("case", None, tuple(parts), token.column)

    # Tokens

    @property
    def _here(self) -> _Token:
        return self._tokens[self._at]

    def _took(self, *texts: str) -> bool:
        took = self._here.says(*texts)
        self._at += took
        return took

    def _must(self, text: str) -> None:
        token = self._here
        if not self._took(text):
            said = "the end" if token.kind == "end" else _quoted(token.text)
            raise self._refused(f"unexpected {said}", token.column, f'; "{text}" is wanted there')

    def _refused(self, what: str, column: int, remedy: str) -> QueryError:
        return QueryError(
            f"{what} in {self._field}, column {column}{remedy}",
            code=f"invalid_search_{self._field}",
            field=self._field,
            column=column,
        )


def _end_of_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()


def _quoted(text: str) -> str:
    return f'"{text:.40}"'
