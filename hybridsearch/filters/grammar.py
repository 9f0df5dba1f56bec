"""Is this a filter, and what does it say: text to tree.

    filter     = and ("OR" and)*
    and        = not ("AND" not)*
    not        = "NOT"* ( "(" filter ")" | geo | condition )
    condition  = field ( ("=" | "!=" | "<>" | ">" | ">=" | "<" | "<=") value
                       | value "TO" value
                       | ["NOT"] ( "EXISTS" | "IN" list | "CONTAINS" value | "STARTS" "WITH" value
                                 | ("LIKE" | "ILIKE") value | "BETWEEN" value "AND" value )
                       | "IS" ["NOT"] ("NULL" | "EMPTY") )
    list       = "[" (value ("," value)* [","])? "]"      round brackets do as well
    geo        = "_geoRadius(" lat "," lng "," metres ")"
               | "_geoBoundingBox([" lat "," lng "], [" lat "," lng "])"   top right, bottom left
               | "_geoPolygon([" lat "," lng "], ...)"                      three points or more

A field or value is a bare word or stands in quotes, single or double; inside quotes a backslash
takes the next character as it is (`\\n`, `\\r`, `\\t` are the control characters) and a doubled
quote is one quote. A bare number, true or false is a value of that kind. Operators may be in
lower case; where a field or value is expected, only the words in capitals are reserved. Whatever
the text, the answer is a tree or a FilterError, in linear time.

>>> parse("year > 1990") == parse(["year>1990"])
True
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

from sqlglot import exp

from hybridsearch.errors import FilterError
from hybridsearch.filters.tokens import Token, number, refuse, shortened, tokens
from hybridsearch.filters.tree import (
    COMPARISONS,
    GEO_FIELD,
    GEO_FUNCTIONS,
    RESERVED,
    Filter,
    Node,
    balanced,
    field,
    negated,
)

MAX_DEPTH = 200
_SIGNS = {sign: kind for kind, sign in COMPARISONS.items()} | {"<>": exp.NEQ}
_WITH_VALUE: dict[str, type[exp.Expression]] = {
    "CONTAINS": exp.Contains,
    "STARTS": exp.StartsWith,
    "LIKE": exp.Like,
    "ILIKE": exp.Like,
}
_NEGATABLE = {"EXISTS", "IN", "BETWEEN", *_WITH_VALUE}
_OPERATORS = "an operator (=, !=, >, TO, IN, EXISTS, IS NULL, CONTAINS, STARTS WITH)"


def parse(filter: str | Sequence[str | Sequence[str]] | None) -> Filter | None:
    """Read a filter: one text, or a list that is joined by AND, whose inner lists are OR.

    Returns None when there is no condition at all: None, blank text, empty lists.
    Raises FilterError, with fields `column` (from 1) and `field`, for anything else.
    """
    if filter is None:
        return None
    tree = _text_or_list(filter, "filter", exp.And, 2)
    return Filter(tree) if tree else None


def _text_or_list(part: Any, where: str, kind: type[exp.Connector], levels: int) -> Node | None:
    if isinstance(part, str):
        return _Reader(part, where).filter() if part.strip() else None
    if not isinstance(part, list | tuple) or not levels:
        wanted = "a text or a list of texts" if levels else "a text"
        _refuse_type(part, where, wanted)
    inner = enumerate(part)
    nodes = [_text_or_list(item, f"{where}[{i}]", exp.Or, levels - 1) for i, item in inner]
    kept = [node for node in nodes if node]
    return balanced(kind, kept) if kept else None


def _refuse_type(part: Any, where: str, wanted: str) -> NoReturn:
    message = f"{where} must be {wanted}, not {type(part).__name__}; inner lists are joined by OR"
    raise FilterError(message, column=1, field=None)


class _Level:
    """What has been read since a bracket was opened."""

    def __init__(self, column: int, negative: bool) -> None:
        self.column = column
        self.negative = negative
        self.either: list[Node] = []
        self.every: list[Node] = []

    def add(self, node: Node, negative: bool) -> None:
        self.every.append(negated(node) if negative else node)

    def end_every(self) -> None:
        self.either.append(balanced(exp.And, self.every))
        self.every = []

    def node(self) -> Node:
        self.end_every()
        return balanced(exp.Or, self.either)


class _Reader:
    """Reads one text; open brackets are kept in a list, so that depth costs no stack."""

    def __init__(self, source: str, where: str) -> None:
        self.where = where
        self.tokens = tokens(source, where)
        self.position = 0
        self.name: str | None = None

    def filter(self) -> Node:
        levels = [_Level(0, False)]
        while True:
            negative = self._negations()
            if self.token.text == "(":
                levels.append(self._opened(levels, negative))
                continue
            levels[-1].add(self._geo() if self._at_function() else self._condition(), negative)
            self._close(levels)
            if self.token.kind == "end":
                return self._whole(levels)
            self._join(levels)

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    @property
    def after(self) -> Token:
        return self.tokens[min(self.position + 1, len(self.tokens) - 1)]

    def _next(self) -> Token:
        token = self.token
        self.position += token.kind != "end"
        return token

    def _takes(self, text: str) -> bool:
        found = text in (self.token.keyword, self.token.text) and self.token.kind != "quoted"
        self.position += found
        return found

    def _needs(self, text: str, remedy: str = "") -> None:
        if not self._takes(text):
            self._expected(text if text.isalpha() else f'"{text}"', remedy)

    def _expected(self, what: str, remedy: str = "") -> NoReturn:
        token = self.token
        found = "the end" if token.kind == "end" else f'"{shortened(token.text)}"'
        refuse(f"found {found}, expected {what},", token.column, self.where, remedy, self.name)

    def _negations(self) -> bool:
        negative = False
        while self._takes("NOT"):
            negative = not negative
        return negative

    def _opened(self, levels: list[_Level], negative: bool) -> _Level:
        column = self._next().column
        if len(levels) > MAX_DEPTH:
            remedy = f"; at most {MAX_DEPTH} may be open at once"
            refuse("too many nested parentheses", column, self.where, remedy)
        return _Level(column, negative)

    def _close(self, levels: list[_Level]) -> None:
        while len(levels) > 1 and self._takes(")"):
            level = levels.pop()
            levels[-1].add(level.node(), level.negative)

    def _whole(self, levels: list[_Level]) -> Node:
        if len(levels) > 1:
            refuse('the "(" is never closed', levels[-1].column, self.where, '; add a ")"')
        return levels[0].node()

    def _join(self, levels: list[_Level]) -> None:
        if self._takes("OR"):
            levels[-1].end_every()
        elif not self._takes("AND"):
            last = '")"' if len(levels) > 1 else "the end"
            remedy = "; put text that holds spaces or signs in quotes"
            self._expected(f"AND, OR or {last}", remedy)

    def _condition(self) -> Node:
        name = self._field()
        if self.token.kind == "sign":
            kind = _SIGNS[self._next().text]
            return kind(this=name, expression=self._value())
        if self._takes("IS"):
            return self._is(name)
        if self._takes("NOT"):
            return negated(self._worded(name, "EXISTS, IN, CONTAINS, STARTS WITH or LIKE"))
        if self.after.keyword == "TO" and self.token.keyword not in _NEGATABLE:
            return self._range(name, "TO")
        return self._worded(name, _OPERATORS)

    def _field(self) -> Node:
        token = self.token
        reserved = token.text in RESERVED or token.keyword in ("AND", "OR")
        if token.kind not in ("word", "quoted") or reserved:
            self._expected("a field name", '; other names go in double quotes, "like this"')
        self.name = self._next().content
        return field(self.name, token.column, self.where)

    def _value(self) -> Node:
        token = self.token
        if token.kind == "quoted":
            return exp.Literal(this=self._next().content, is_string=True)
        if token.keyword == "NULL":
            self._expected("a value", "; write IS NULL, or put the text in quotes")
        if token.kind != "word" or token.text in RESERVED:
            self._expected("a value", "; what is not one plain word goes in quotes")
        return _bare(self._next().text)

    def _is(self, name: Node) -> Node:
        negative = self._takes("NOT")
        if self._takes("NULL"):
            node = exp.Is(this=name, expression=exp.Null())
        elif self._takes("EMPTY"):
            node = exp.Is(this=name, expression=exp.Var(this="EMPTY"))
        else:
            self._expected("NULL or EMPTY" if negative else "NULL, EMPTY or NOT")
        return negated(node) if negative else node

    def _worded(self, name: Node, expected: str) -> Node:
        word = self.token.keyword
        if word not in _NEGATABLE:
            self._expected(expected)
        self._next()
        if word == "EXISTS":
            return exp.Exists(this=name)
        if word == "IN":
            return self._in(name)
        if word == "BETWEEN":
            return self._range(name, "AND")
        if word == "STARTS":
            self._needs("WITH")
        return _WITH_VALUE[word](this=name, expression=self._value())

    def _range(self, name: Node, word: str) -> Node:
        low = self._value()
        self._needs(word)
        return exp.Between(this=name, low=low, high=self._value())

    def _in(self, name: Node) -> Node:
        closing = ")" if self.token.text == "(" else "]"
        self._needs("(" if closing == ")" else "[", "; values stand in square brackets")
        values: list[Node] = []
        while not self._takes(closing):
            values.append(self._value())
            if not self._takes(","):
                self._needs(closing, "; commas part the values of a list")
                break
        return exp.In(this=name, expressions=values)

    def _at_function(self) -> bool:
        token = self.token
        is_geo = token.kind == "word" and token.text.startswith("_geo")
        return is_geo and self.after.text == "("

    def _geo(self) -> Node:
        token, self.name = self.token, GEO_FIELD
        if token.text not in GEO_FUNCTIONS:
            self._expected(" or ".join(GEO_FUNCTIONS), "; the other geo functions only sort")
        self._next()
        self._needs("(")
        if token.text == "_geoRadius":
            numbers = self._coordinates()
            self._needs(",")
            numbers.append(self._number("a radius in metres", 0, math.inf))
        else:
            numbers = self._points(token)
        self._needs(")")
        node = exp.Anonymous(this=token.text, expressions=numbers)
        node.meta.update(column=token.column, where=self.where)
        return node

    def _points(self, function: Token) -> list[Node]:
        points = [self._point()]
        while self._takes(","):
            points.append(self._point())
        if function.text == "_geoPolygon" and len(points) < 3:
            self._refuse_points(function, "needs three points or more")
        if function.text == "_geoBoundingBox":
            self._check_box(function, points)
        return [coordinate for point in points for coordinate in point]

    def _check_box(self, function: Token, points: list[list[Node]]) -> None:
        if len(points) != 2:
            self._refuse_points(function, "needs two points, top right and bottom left")
        if float(points[0][0].this) < float(points[1][0].this):
            self._refuse_points(function, "has its top latitude below its bottom latitude")

    def _refuse_points(self, function: Token, fault: str) -> NoReturn:
        remedy = "; points are [latitude, longitude]"
        refuse(f"{function.text} {fault},", function.column, self.where, remedy, GEO_FIELD)

    def _point(self) -> list[Node]:
        self._needs("[", "; points are [latitude, longitude]")
        point = self._coordinates()
        self._needs("]")
        return point

    def _coordinates(self) -> list[Node]:
        latitude = self._number("a latitude from -90 to 90", -90, 90)
        self._needs(",")
        return [latitude, self._number("a longitude from -180 to 180", -180, 180)]

    def _number(self, what: str, low: float, high: float) -> Node:
        value = number(self.token.content)
        if value is None or not low <= value <= high:
            self._expected(what)
        return exp.Literal(this=self._next().content, is_string=False)


def _bare(word: str) -> Node:
    if word.lower() in ("true", "false"):
        return exp.Boolean(this=word.lower() == "true")
    return exp.Literal(this=word, is_string=number(word) is None)
