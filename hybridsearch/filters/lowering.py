"""Which documents does the tree let through, said in DuckDB's SQL with bound parameters.

What a condition means for one document, whatever type its column has:
- A field is one value, a list of values, or missing. A dotted name goes into objects, and on the
  way into lists, also lists inside lists two deep; a comparison holds when any element passes.
- An operand is a text that may also spell a number. Numbers are compared with the number, texts
  with the text, both in lower case and by code point; true and false are the texts of that name.
- `=`, IN, TO and the signs work on numbers and texts; CONTAINS, STARTS WITH and LIKE on texts.
- IS NULL: the field is there and null. EXISTS: it is there, null or not. IS EMPTY: "", [] or {}.
- Every negation, `!=` too, is true exactly where the condition is not: also for missing fields.

Every condition is true or false for every row, never SQL's NULL. Columns appear only as quoted
names from the caller's table; everything else that a user wrote is a parameter.

>>> from hybridsearch.filters.grammar import parse
>>> tree = parse("year 1990 TO 1999")
>>> to_sql(tree, {"year": Column("year", "number")}) if tree else None
('("year" IS NOT NULL AND "year" BETWEEN ? AND ?)', [1990, 1999])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from sqlglot import exp

from hybridsearch.errors import near
from hybridsearch.filters.tokens import number, refuse, shortened
from hybridsearch.filters.tree import (
    COMPARISONS,
    Filter,
    Node,
    field_name,
    gathered,
    leaves,
    unfold,
    value_text,
)
from hybridsearch.geo import GEO, GEOJSON, Point, location, metres_sql

VECTORS = "vectors"
MAX_STEPS = 50
MAX_PLANNED = 100  # DuckDB plans the conjuncts of a WHERE in quadratic time, but not inside a CASE
Sql: TypeAlias = tuple[str, list[object]]
_NOTHING: Sql = ("FALSE", [])
_ENTERED = "list_concat([e], json_extract(e, '$[*]'), json_extract(e, '$[*][*]'))"
_EMPTY_JSON = (
    "CASE json_type(e) WHEN 'VARCHAR' THEN json_extract_string(e, '$') = ''"
    " WHEN 'ARRAY' THEN json_array_length(e) = 0"
    " WHEN 'OBJECT' THEN len(json_keys(e)) = 0 ELSE FALSE END"
)
_TEXT_OPERATORS: dict[type[Node], str] = {
    exp.Contains: "contains({}, lower(?))",
    exp.StartsWith: "starts_with({}, lower(?))",
    exp.Like: "{} LIKE lower(?)",
}


@dataclass(frozen=True, slots=True)
class Column:
    """How an attribute is stored.

    name: the SQL name of its column. kind: "number" (BIGINT or DOUBLE), "text" (VARCHAR), "bool",
    "list" or "json" (JSON). item: the kind of a list's items, one of the first three; else "".
    Of the kind "vectors" there is one: its name is that of the table of vectors that came with
    documents, by row and embedder, and item names the embedders that make some of every document.
    """

    name: str
    kind: str
    item: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a field is found: a column, the attribute it holds, and the steps into its JSON."""

    column: Column
    attribute: str
    steps: tuple[str, ...]

    @property
    def sql(self) -> str:
        return _quoted(self.column)

    @property
    def never(self) -> bool:
        return bool(self.steps) and self.column.kind != "json"


@dataclass(frozen=True, slots=True)
class _Test:
    """A question to one value, `{}` in its place: as asked of a number, and of a text."""

    number: Sql
    text: Sql


def to_sql(
    filter: Filter, columns: Mapping[str, Column], *, missing_ok: bool = False
) -> tuple[str, list[object]]:
    """The filter as a WHERE condition with `?` parameters, and their values in order.

    columns: by attribute, the columns of the table, which also has the whole document as JSON
    text in the column "body". A top-level attribute with dots in its name wins over a path.
    Raises FilterError for a field whose attribute is not among the columns, unless missing_ok:
    then it is a field that no document has, or has as anything but null.
    """
    values: list[object] = []

    def pieces(
        node: Node, context: tuple[bool, object]
    ) -> Sequence[str | tuple[Node, tuple[bool, object]]]:
        holds, chain = context
        if isinstance(node, exp.Connector) and type(node) is not chain:
            return [(gathered(node), (holds, type(node)))]
        if isinstance(node, exp.Connector):
            word = " AND " if isinstance(node, exp.And) is holds else " OR "
            return ["(", (node.this, context), word, (node.expression, context), ")"]
        if isinstance(node, exp.Not):
            return [(node.this, (not holds, None))]
        sql, bound = _condition(node, columns, missing_ok)
        values.extend(bound)
        return [sql if isinstance(node, exp.NEQ) is not holds else f"NOT {sql}"]

    start: tuple[bool, object] = True, None
    sql = unfold(filter.tree, start, pieces)
    if sql.count("?") > MAX_PLANNED:
        sql = f"CASE WHEN {sql} THEN TRUE ELSE FALSE END"
    return sql, values


def _condition(leaf: Node, columns: Mapping[str, Column], missing_ok: bool) -> Sql:
    if isinstance(leaf, exp.Anonymous):
        return _geo(leaf, columns, missing_ok)
    place = _place(leaf, columns, missing_ok)
    if place is None:
        return _absent(leaf)
    if place.column.kind == VECTORS:
        return _with_vectors(leaf, place)
    if place.never:
        return _NOTHING
    if isinstance(leaf, exp.Exists):
        sql, values = _exists(place)
    elif isinstance(leaf, exp.Is):
        sql, values = _null(place) if isinstance(leaf.expression, exp.Null) else _empty(place)
    else:
        sql, values = _compared(place, _test(leaf))
    return (f"({sql})", values) if sql != "FALSE" else _NOTHING


def _place(leaf: Node, columns: Mapping[str, Column], missing_ok: bool) -> _Place | None:
    name = field_name(leaf)
    end = len(name)
    while end > 0:
        attribute = name[:end]
        if attribute in columns:
            steps = tuple(name[end + 1 :].split(".")) if end < len(name) else ()
            return _Place(columns[attribute], attribute, _checked(steps, leaf))
        end = name.rfind(".", 0, end)
    if not missing_ok:
        _refuse_unknown(leaf, name.partition(".")[0], columns)
    return None


def _checked(steps: tuple[str, ...], leaf: Node) -> tuple[str, ...]:
    if len(steps) > MAX_STEPS:
        what = f'the field "{shortened(field_name(leaf))}" goes too deep'
        _refuse(leaf, what, f"; {MAX_STEPS} steps at most")
    return steps


def refuse_field(filter: Filter, name: str, known: Iterable[str]) -> NoReturn:
    """Raise the FilterError for a field that no document has, where the filter names it."""
    leaf = next(leaf for leaf in leaves(filter.tree) if field_name(leaf) == name)
    _refuse_unknown(leaf, name, known)


def _refuse_unknown(leaf: Node, name: str, known: Iterable[str]) -> NoReturn:
    what = f'unknown field "{shortened(field_name(leaf))}"'
    _refuse(leaf, what, near(shortened(name), known))


def _refuse(leaf: Node, what: str, remedy: str) -> NoReturn:
    meta = leaf.meta if isinstance(leaf, exp.Anonymous) else leaf.this.meta
    place = meta.get("where", "filter")
    refuse(what, meta.get("column", 1), place, remedy, field_name(leaf))


def _test(leaf: Node) -> _Test:
    if type(leaf) in _TEXT_OPERATORS:
        return _Test(_NOTHING, (_TEXT_OPERATORS[type(leaf)], [value_text(leaf.expression)]))
    if isinstance(leaf, exp.Between):
        return _operand_test("{} BETWEEN ? AND ?", [leaf.args["low"], leaf.args["high"]])
    if isinstance(leaf, exp.In):
        return _in_test(leaf)
    sign = "=" if isinstance(leaf, exp.NEQ) else COMPARISONS[type(leaf)]
    return _operand_test(f"{{}} {sign} ?", [leaf.expression])


def _operand_test(sql: str, operands: list[Node]) -> _Test:
    texts: list[object] = [value_text(operand) for operand in operands]
    numbers: list[object] = [number(value_text(operand)) for operand in operands]
    test = _NOTHING if None in numbers else (sql, numbers)
    return _Test(test, (sql.replace("?", "lower(?)"), texts))


def _in_test(leaf: exp.In) -> _Test:
    texts: list[object] = [value_text(value) for value in leaf.expressions]
    spelled = [number(value_text(value)) for value in leaf.expressions]
    whole, other = (_one_of("?", [v for v in spelled if type(v) is t]) for t in (int, float))
    return _Test(_either(whole, other), _one_of("lower(?)", texts))


def _either(some: Sql, others: Sql) -> Sql:
    """Kept apart, or DuckDB would round the whole numbers to compare them all as DOUBLE."""
    if _NOTHING in (some, others):
        return others if some == _NOTHING else some
    return f"({some[0]} OR {others[0]})", some[1] + others[1]


def _one_of(parameter: str, values: list[object]) -> Sql:
    return (f"{{}} IN ({', '.join([parameter] * len(values))})", values) if values else _NOTHING


def _compared(place: _Place, test: _Test) -> Sql:
    kind = place.column.kind
    if kind == "json":
        listed, steps = _values(place)
        sql, values = _asked("json", "e", test)
        return _any(f"flatten(list_transform({listed}, lambda e: {_ENTERED}))", sql), steps + values
    is_list = kind == "list"
    sql, values = _asked(
        place.column.item if is_list else kind, "e" if is_list else place.sql, test
    )
    if sql == "FALSE":
        return _NOTHING
    return f"{place.sql} IS NOT NULL AND {_any(place.sql, sql) if is_list else sql}", values


def _asked(kind: str, value: str, test: _Test) -> Sql:
    if kind == "json":
        return _asked_of_json(test)
    if kind == "number":
        return _filled(test.number, value)
    return _filled(test.text, f"lower({value})" if kind == "text" else f"CAST({value} AS VARCHAR)")


def _asked_of_json(test: _Test) -> Sql:
    whole, whole_values = _filled(test.number, "TRY_CAST(e AS HUGEINT)")
    real, real_values = _filled(test.number, "TRY_CAST(e AS DOUBLE)")
    text, text_values = _filled(test.text, "lower(json_extract_string(e, '$'))")
    sql = (
        f"CASE WHEN json_type(e) IN ('BIGINT', 'UBIGINT') THEN {whole}"
        f" WHEN json_type(e) = 'DOUBLE' THEN {real}"
        f" WHEN json_type(e) IN ('VARCHAR', 'BOOLEAN') THEN {text} ELSE FALSE END"
    )
    return sql, whole_values + real_values + text_values


def _filled(test: Sql, value: str) -> Sql:
    return test[0].replace("{}", value), test[1]


def _any(listed: str, condition: str) -> str:
    return f"len(list_filter({listed}, lambda e: {condition})) > 0"


def _values(place: _Place) -> Sql:
    """The JSON values at the end of the steps, as a list; lists among them are not gone into."""
    sql = f"[{place.sql}]"
    for step in place.steps:
        entered = f"flatten(list_transform({sql}, lambda e: {_ENTERED}))"
        found = "json_extract(e, ?)"
        if step.isdigit():  # in a list, a pointer of digits would be a position
            found = f"CASE json_type(e) WHEN 'OBJECT' THEN {found} END"
        sql = f"list_transform({entered}, lambda e: {found})"
    return sql, [_pointer(step) for step in place.steps]


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _exists(place: _Place) -> Sql:
    if place.steps:
        listed, values = _values(place)
        return _any(listed, "e IS NOT NULL"), values
    in_body = "coalesce(json_exists(body, ?), FALSE)"
    return f"{place.sql} IS NOT NULL OR {in_body}", [_pointer(place.attribute)]


def _null(place: _Place) -> Sql:
    if place.steps:
        listed, values = _values(place)
        return _any(listed, "json_type(e) = 'NULL'"), values
    in_body = "coalesce(json_type(body, ?) = 'NULL', FALSE)"
    sql = in_body if place.column.kind == "json" else f"{place.sql} IS NULL AND {in_body}"
    return sql, [_pointer(place.attribute)]


def _empty(place: _Place) -> Sql:
    if place.column.kind == "json":
        listed, values = _values(place)
        return _any(listed, _EMPTY_JSON), values
    tests = {"text": f"{place.sql} = ''", "list": f"len({place.sql}) = 0"}
    test = tests.get(place.column.kind)
    return (f"{place.sql} IS NOT NULL AND {test}", []) if test else _NOTHING


def _with_vectors(leaf: Node, place: _Place) -> Sql:
    """Whether a document has vectors: of any embedder, of one, or some that came along with it."""
    embedder, *rest = place.steps or ("",)
    if not isinstance(leaf, exp.Exists) or rest not in ([], ["userProvided"]):
        what = f'"{shortened(field_name(leaf))}" cannot be asked so'
        remedy = (
            "; write _vectors EXISTS, _vectors.embedder EXISTS or _vectors.embedder.userProvided"
        )
        _refuse(leaf, what, remedy + " EXISTS")
    makers = place.column.item.split()
    if not rest and (embedder in makers or (makers and not embedder)):
        return "TRUE", []
    came = f"SELECT v.row FROM {place.column.name} v"
    if not embedder:
        return f"(row IN ({came}))", []
    return f"(row IN ({came} WHERE v.embedder = ?))", [embedder]


def _absent(leaf: Node) -> Sql:
    """What holds of an attribute that is null wherever it is: it has no column."""
    if isinstance(leaf, exp.Exists):
        return "coalesce(json_exists(body, ?), FALSE)", [_pointer(field_name(leaf))]
    if isinstance(leaf, exp.Is) and isinstance(leaf.expression, exp.Null):
        return "coalesce(json_type(body, ?) = 'NULL', FALSE)", [_pointer(field_name(leaf))]
    return _NOTHING


def _geo(leaf: exp.Anonymous, columns: Mapping[str, Column], missing_ok: bool) -> Sql:
    known = [name for name in (GEO, GEOJSON) if name in columns]
    if not known and not missing_ok:
        _refuse(leaf, f'unknown field "{GEO}"', near(GEO, columns))
    stored = {name: _quoted(columns[name]) for name in known if columns[name].kind == "json"}
    place = location(stored)
    if place is None:
        return _NOTHING
    numbers = [float(value_text(value)) for value in leaf.expressions]
    shapes = {"_geoRadius": _circle, "_geoBoundingBox": _box, "_geoPolygon": _polygon}
    sql, values = shapes[leaf.this](*place, numbers)
    return f"(coalesce({sql}, FALSE))", values


def _quoted(column: Column) -> str:
    return '"' + column.name.replace('"', '""') + '"'


def _circle(lat: str, lng: str, numbers: list[float]) -> Sql:
    """Within so many metres of the point."""
    latitude, longitude, radius = numbers
    sql, values = metres_sql(lat, lng, Point(latitude, longitude))
    return f"{sql} <= ?", [*values, radius]


def _box(lat: str, lng: str, numbers: list[float]) -> Sql:
    """Inside the box, sides included; one whose left side lies east of its right goes round."""
    top, right, bottom, left = numbers
    word = "AND" if left <= right else "OR"
    sql = f"{lat} BETWEEN ? AND ? AND ({lng} >= ? {word} {lng} <= ?)"
    return sql, [bottom, top, left, right]


def _polygon(lat: str, lng: str, numbers: list[float]) -> Sql:
    """Inside the polygon, drawn on latitude and longitude as on a plane.

    A ray towards growing longitude leaves the inside by an odd number of edges; an edge counts
    when its ends lie on different sides of the ray.
    """
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    edges = [[*start, *end] for start, end in zip(points, points[1:] + points[:1], strict=True)]
    sides = f"(edge[1] > {lat}) <> (edge[3] > {lat})"
    crossing = f"(edge[4] - edge[2]) * ({lat} - edge[1]) / (edge[3] - edge[1]) + edge[2]"
    crossed = f"CASE WHEN {sides} THEN {lng} < {crossing} ELSE FALSE END"
    inside = f"len(list_filter(CAST(? AS DOUBLE[][]), lambda edge: {crossed})) % 2 = 1"
    return f"{lat} IS NOT NULL AND {inside}", [edges]
