"""By what factor does an index's or a request's formula raise each document?

A `boost` is a formula over a document's attributes (`expressions` has the language) whose value
multiplies what ranks it:

| mode | score with a boost |
|---|---|
| keyword | BM25 * factor |
| semantic | (1 + cosine) / 2 * factor |
| hybrid | the fused score * factor |
| no query | factor |

The factor is the formula's value, cut to 0..1,000,000; a document for which it has none (a missing
attribute, a text that is no number, the root of a number below 0) has 1. All of the result set is
ranked anew, never the page alone, so pages, totals and facets stay true under any filter.

Here SQL is written for the tree, node by node: attributes become column names by way of the table
of columns, everything else becomes a parameter. Arithmetic is in doubles.

    sql, values = factor_sql(parse("ln(2 + downloads)"), columns, now=0.0)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hybridsearch.columns import Columns, nested
from hybridsearch.errors import QueryError, near
from hybridsearch.expressions import Formula, Node
from hybridsearch.sorting import json_path

__all__ = ["LARGEST", "MINUTE", "factor_sql"]

LARGEST = 1_000_000.0
MINUTE = 60.0
"""Ages are counted from the beginning of the present minute, so that they can be kept so long."""

Sql = tuple[str, list[object]]
_NUMBERS: Mapping[str, str] = {
    **{name: f"{name}({{}})" for name in ("abs", "ceil", "floor", "sqrt", "ln", "exp", "round")},
    **{name: f"{name}({{}})" for name in ("log10", "log2")},
    "sign": "CAST(sign({}) AS DOUBLE)",
    "pow": "pow({}, {})",
    "nullif": "nullif({}, {})",
}
_TEXTS = ("AS VARCHAR)", "?)")
"""How the SQL of an attribute ends that is stored as text, or found in JSON as text."""
_SECONDS = (
    "coalesce(TRY_CAST({text} AS DOUBLE),"
    " CASE WHEN regexp_matches({text}, '[T ].*[+-][0-9][0-9]:?[0-9][0-9]$')"
    " THEN epoch(TRY_CAST({text} AS TIMESTAMPTZ)) ELSE epoch(TRY_CAST({text} AS TIMESTAMP)) END)"
)
_ANY_NUMBER = ("greatest", "least", "coalesce")
_TRUTHS = ("and", "or", "not", "compare", "missing", "truth")


def factor_sql(formula: Formula, columns: Columns, *, now: float, lenient: bool = False) -> Sql:
    """The SQL of the formula's value, a DOUBLE or NULL, with the values of its parameters in order.

    now: seconds since 1970, what ages are counted from. lenient: an attribute that no document has
    is null, not an error. Raises QueryError for such an attribute, for a list, and for a text where
    a number is wanted.
    """
    sql, values = _Writer(columns, now, lenient).number(formula.tree)
    return f"TRY({sql})", values


@dataclass(frozen=True)
class _Writer:
    """Writes a node as what is wanted of it: a number, a truth or a text."""

    columns: Columns
    now: float
    lenient: bool

    def number(self, node: Node) -> Sql:
        """The node as a DOUBLE."""
        if node.kind in _TRUTHS:
            return _around("CAST(CAST({} AS INTEGER) AS DOUBLE)", self.truth(node))
        if node.kind == "text":
            raise _refused(f"the text '{node.value}' stands where a number is wanted", node)
        writers: Mapping[str, Callable[[Node], Sql]] = {
            "number": lambda one: ("CAST(? AS DOUBLE)", [one.value]),
            "null": lambda one: ("CAST(NULL AS DOUBLE)", []),
            "attribute": self._attribute,
            "sign": lambda one: self._filled(f"({{}} {one.value} {{}})", one.parts),
            "call": self._call,
            "case": lambda one: self._case(one.parts),
        }
        return writers[node.kind](node)

    def truth(self, node: Node) -> Sql:
        """The node as a BOOLEAN; a number is true unless it is 0."""
        if node.kind == "truth":
            return "CAST(? AS BOOLEAN)", [node.value]
        if node.kind in ("and", "or"):
            word = f" {node.kind.upper()} "
            return _joined(word, [self.truth(part) for part in node.parts])
        if node.kind == "not":
            return _around("(NOT {})", self.truth(node.parts[0]))
        if node.kind == "missing":
            return _around("({} IS NULL)", self._plain(node.parts[0]))
        if node.kind == "compare":
            return self._compared(node)
        return _around("({} <> 0)", self.number(node))

    def _compared(self, node: Node) -> Sql:
        """Two texts if one side is a text, else two numbers."""
        texts = any(self._is_text(part) for part in node.parts)
        sides = [self._text(part) if texts else self.number(part) for part in node.parts]
        return _joined(f" {node.value} ", sides)

    def _is_text(self, node: Node) -> bool:
        return node.kind == "text" or (
            node.kind == "attribute" and self._found(node)[0].endswith("AS VARCHAR)")
        )

    def _text(self, node: Node) -> Sql:
        if node.kind == "text":
            return "CAST(? AS VARCHAR)", [node.value]
        if node.kind == "attribute":
            return _around("CAST({} AS VARCHAR)", self._plain(node))
        raise _refused("a text can only be compared with an attribute or a text", node)

    def _plain(self, node: Node) -> Sql:
        return self._found(node) if node.kind == "attribute" else self.number(node)

    def _attribute(self, node: Node) -> Sql:
        return _around("TRY_CAST({} AS DOUBLE)", self._found(node))

    def _found(self, node: Node) -> Sql:
        """The attribute as it is stored; one inside JSON as its text."""
        name = str(node.value)
        column, path = nested(name, self.columns)
        if column is None or (path and column.kind != "json"):
            if self.lenient:
                return "CAST(NULL AS DOUBLE)", []
            raise _refused(
                f'no document has the attribute "{name}"', node, near(name, self.columns)
            )
        if column.kind == "list":
            raise _refused(f'the attribute "{name}" is a list, which has no one value', node)
        if column.kind == "json":
            return f"json_extract_string({column.name}, ?)", [json_path(path)]
        if column.kind == "bool":
            return f"CAST({column.name} AS INTEGER)", []
        return (f"CAST({column.name} AS VARCHAR)" if column.kind == "text" else column.name), []

    def _call(self, node: Node) -> Sql:
        name = str(node.value)
        if name == "days_since":
            return self._age(node.parts[0])
        if name == "if":
            return self._case(node.parts)
        if name in _ANY_NUMBER:
            return _around(f"{name}{{}}", _joined(", ", [self.number(part) for part in node.parts]))
        return self._filled(_NUMBERS[name], node.parts)

    def _case(self, parts: tuple[Node, ...]) -> Sql:
        sql, values = ["CASE"], list[object]()
        for condition, value in zip(parts[:-1:2], parts[1::2], strict=True):
            tested, given = self.truth(condition)
            then, more = self.number(value)
            sql.append(f"WHEN {tested} THEN {then}")
            values += [*given, *more]
        last, given = self.number(parts[-1])
        return " ".join([*sql, f"ELSE {last} END"]), [*values, *given]

    def _age(self, node: Node) -> Sql:
        """Days from the attribute's date to now; below 0 in the future."""
        if node.kind != "attribute":
            raise _refused("days_since() takes an attribute", node)
        found, given = self._found(node)
        if not found.endswith(_TEXTS):
            return f"((CAST(? AS DOUBLE) - CAST({found} AS DOUBLE)) / 86400)", [self.now, *given]
        seconds = _SECONDS.format(text=found)
        return f"((CAST(? AS DOUBLE) - {seconds}) / 86400)", [self.now, *given * 4]

    def _filled(self, template: str, parts: tuple[Node, ...]) -> Sql:
        written = [self.number(part) for part in parts]
        sql = template.format(*(sql for sql, _ in written))
        return sql, [value for _, values in written for value in values]


def _around(template: str, inner: Sql) -> Sql:
    return template.format(inner[0]), inner[1]


def _joined(word: str, parts: list[Sql]) -> Sql:
    values = [value for _, given in parts for value in given]
    return f"({word.join(sql for sql, _ in parts)})", values


def _refused(what: str, node: Node, remedy: str = "") -> QueryError:
    return QueryError(
        f"{what} in boost, column {node.column}{remedy}",
        code="invalid_search_boost",
        field="boost",
        column=node.column,
    )
