"""What a filter says, as one tree, whichever way it was written.

The tree is a sqlglot expression, made only of these nodes:

    And Or Not                    AND and OR are flat chains folded into a balanced tree
    EQ NEQ GT GTE LT LTE          field, value
    Between                       field, lowest, highest, both inclusive
    In                            field, values
    Exists                        field
    Is                            field and Null, or field and the word EMPTY
    Contains StartsWith Like      field, value
    Anonymous                     _geoRadius, _geoBoundingBox, _geoPolygon with their numbers

A field is a Column of one quoted Identifier that holds the whole dotted name; its `meta` says
where it stood in the text. A value is a Literal or a Boolean. Everything here walks the tree
with a stack of its own, so that no filter is too deep or too long.

>>> text(Filter(exp.EQ(this=field("year"), expression=exp.Literal.number(1990))))
'year = 1990'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from sqlglot import exp

Node: TypeAlias = exp.Expr
Context = TypeVar("Context")

GEO_FIELD = "_geo"
GEO_FUNCTIONS = ("_geoRadius", "_geoBoundingBox", "_geoPolygon")
RESERVED = frozenset(
    ["AND", "OR", "NOT", "IN", "IS", "TO", "EXISTS", "NULL", "EMPTY", "CONTAINS", "STARTS", "WITH"]
)
_BARE = re.compile(r"\w[\w.-]*")
COMPARISONS: dict[type[Node], str] = {
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}
_WORD_OPERATOR: dict[type[Node], str] = {
    exp.In: "IN",
    exp.Exists: "EXISTS",
    exp.Contains: "CONTAINS",
    exp.StartsWith: "STARTS WITH",
    exp.Like: "LIKE",
    exp.Between: "BETWEEN",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter, ready to be used as a key: equal trees are equal filters, wherever written."""

    tree: Node


def field(name: str, column: int = 1, where: str = "filter") -> exp.Column:
    """A field node; `column` (from 1) and `where` say which text it stood in, for messages."""
    node = exp.Column(this=exp.Identifier(this=name, quoted=True))
    node.meta.update(column=column, where=where)
    return node


def balanced(kind: type[exp.Connector], nodes: Sequence[Node]) -> Node:
    """Join one or more nodes by AND or OR into a tree of logarithmic depth, order kept."""
    level = [part for node in nodes for part in _chain(kind, node)]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = level[-1:] if len(level) % 2 else []
        level = [kind(this=left, expression=right) for left, right in pairs] + odd
    return level[0]


def negated(node: Node) -> Node:
    """The opposite; two negations cancel."""
    return node.this if isinstance(node, exp.Not) else exp.Not(this=node)


def gathered(node: exp.Connector) -> Node:
    """The same condition with one list for the values that a field may have, or may not have.

    a = 1 OR b OR a IN [2, 3] is a IN [1, 2, 3] OR b, and a != 1 AND b AND a != 2 is NOT a IN [1, 2]
    AND b. The whole chain is looked at, what stands inside its parts is not.
    """
    parts = list(_chain(type(node), node))
    alike: dict[str, list[Node]] = {}
    for part in parts:
        if _listable(node, part) is not None:
            alike.setdefault(field_name(_leaf_of(part)), []).append(part)
    lists = {id(some[0]): some for some in alike.values() if len(some) > 1}
    if not lists:
        return node
    dropped = {id(part) for some in lists.values() for part in some[1:]}
    kept = [part for part in parts if id(part) not in dropped]
    return balanced(
        type(node), [_list_of(node, lists[id(p)]) if id(p) in lists else p for p in kept]
    )


def _leaf_of(part: Node) -> Node:
    return part.this if isinstance(part, exp.Not) else part


def _listable(node: exp.Connector, part: Node) -> list[Node] | None:
    """The values that a part of the chain allows (OR) or excludes (AND); None for other parts."""
    single, leaf = (exp.EQ, part) if isinstance(node, exp.Or) else (exp.NEQ, _leaf_of(part))
    if isinstance(part, single):
        return [part.expression]
    fits = isinstance(leaf, exp.In) and (leaf is not part) is isinstance(node, exp.And)
    return list(leaf.expressions) if fits else None


def _list_of(node: exp.Connector, parts: Sequence[Node]) -> Node:
    values = [value for part in parts for value in _listable(node, part) or ()]
    found = exp.In(this=_leaf_of(parts[0]).this, expressions=values)
    return exp.Not(this=found) if isinstance(node, exp.And) else found


def unfold(
    tree: Node,
    context: Context,
    pieces: Callable[[Node, Context], Sequence[str | tuple[Node, Context]]],
) -> str:
    """Write a tree from left to right.

    pieces: for a node and what its parent passed down, the text and nodes that stand for it.
    """
    written: list[str] = []
    stack: list[str | tuple[Node, Context]] = [(tree, context)]
    while stack:
        piece = stack.pop()
        if isinstance(piece, str):
            written.append(piece)
        else:
            stack.extend(reversed(pieces(*piece)))
    return "".join(written)


def fields(filter: Filter) -> tuple[str, ...]:
    """The fields that the filter names, each once, in order of first use; `_geo` for the geo ones.

    >>> fields(Filter(exp.Exists(this=field("a.b"))))
    ('a.b',)
    """
    names = (field_name(leaf) for leaf in leaves(filter.tree))
    return tuple(dict.fromkeys(names))


def existing(name: str) -> Filter:
    """The filter that lets through what has a field of that name.

    >>> text(existing("a b"))
    '"a b" EXISTS'
    """
    return Filter(exp.Exists(this=field(name)))


def compared_fields(filter: Filter) -> tuple[str, ...]:
    """The fields whose order counts (>, <, TO and their like), each once; see `fields`."""
    kinds = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)
    names = (field_name(leaf) for leaf in leaves(filter.tree) if isinstance(leaf, kinds))
    return tuple(dict.fromkeys(names))


def leaves(tree: Node) -> Iterator[Node]:
    """The conditions that the tree is made of, in order."""
    stack = [tree]
    while stack:
        top = stack.pop()
        if isinstance(top, exp.Connector):
            stack += [top.expression, top.this]
        elif isinstance(top, exp.Not):
            stack.append(top.this)
        else:
            yield top


def field_name(leaf: Node) -> str:
    """The whole dotted name of the field that a leaf is about."""
    return GEO_FIELD if isinstance(leaf, exp.Anonymous) else str(leaf.this.this.this)


def value_text(value: Node) -> str:
    """What a value compares as when the document holds text."""
    return ("true" if value.this else "false") if isinstance(value, exp.Boolean) else value.this


def text(filter: Filter) -> str:
    """The filter as canonical text: `parse(text(filter)) == filter`."""
    return unfold(filter.tree, None, _text_pieces)


def _chain(kind: type[exp.Connector], node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, kind):
            stack += [top.expression, top.this]
        else:
            yield top


def _text_pieces(node: Node, parent: Node | None) -> Sequence[str | tuple[Node, Node | None]]:
    if isinstance(node, exp.Connector):
        word = " AND " if isinstance(node, exp.And) else " OR "
        chain: list[str | tuple[Node, Node | None]] = [
            (node.this, node),
            word,
            (node.expression, node),
        ]
        loose = isinstance(parent, exp.Not) or (
            isinstance(parent, exp.And) and isinstance(node, exp.Or)
        )
        return ["(", *chain, ")"] if loose else chain
    if not isinstance(node, exp.Not):
        return [_leaf_text(node, "")]
    inner = node.this
    if type(inner) in _WORD_OPERATOR or isinstance(inner, exp.Is):
        return [_leaf_text(inner, "NOT ")]
    return ["NOT ", (inner, node)]


def _leaf_text(leaf: Node, negation: str) -> str:
    if isinstance(leaf, exp.Anonymous):
        return _geo_text(leaf)
    name = _name_text(field_name(leaf))
    if isinstance(leaf, exp.Is):
        what = "NULL" if isinstance(leaf.expression, exp.Null) else "EMPTY"
        return f"{name} IS {negation}{what}"
    if type(leaf) in COMPARISONS:
        return f"{name} {COMPARISONS[type(leaf)]} {_value_text(leaf.expression)}"
    return f"{name} {negation}{_WORD_OPERATOR[type(leaf)]}{_operand_text(leaf)}"


def _operand_text(leaf: Node) -> str:
    if isinstance(leaf, exp.Exists):
        return ""
    if isinstance(leaf, exp.In):
        return f" [{', '.join(map(_value_text, leaf.expressions))}]"
    if isinstance(leaf, exp.Between):
        return f" {_value_text(leaf.args['low'])} AND {_value_text(leaf.args['high'])}"
    return f" {_value_text(leaf.expression)}"


def _geo_text(leaf: exp.Anonymous) -> str:
    numbers = [value_text(number) for number in leaf.expressions]
    if leaf.this == "_geoRadius":
        return f"_geoRadius({', '.join(numbers)})"
    points = zip(numbers[::2], numbers[1::2], strict=True)
    return f"{leaf.this}({', '.join(f'[{lat}, {lng}]' for lat, lng in points)})"


def _name_text(name: str) -> str:
    bare = _BARE.fullmatch(name) and name.upper() not in RESERVED
    return name if bare else _quoted(name, '"')


def _value_text(value: Node) -> str:
    is_text = isinstance(value, exp.Literal) and value.is_string
    return _quoted(value.this, "'") if is_text else value_text(value)


def _quoted(raw: str, quote: str) -> str:
    return quote + raw.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote
