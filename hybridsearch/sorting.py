"""What does DuckDB order the rows of an index by, for one key of a sort?

    sort_terms(SortKey("year"), columns)             # [("c3", [])]

Text is ordered without regard to case first; a list by its least value, or its greatest when the
order descends; JSON by its numbers, then by its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hybridsearch.columns import Columns, nested
from hybridsearch.geo import GEO, GEOJSON, Point, location, metres_sql


class SortKey(NamedTuple):
    """What to sort by: an attribute, or the distance of a document's place from a point."""

    attribute: str
    descending: bool = False
    point: Point | None = None


def sort_terms(key: SortKey, columns: Columns) -> list[tuple[str, list[object]]]:
    """The SQL expressions to order by, first decides, each with the values of its parameters.

    Empty when no document has the attribute.
    """
    if key.point is not None:
        return _distance_terms(key.point, columns)
    column, path = nested(key.attribute, columns)
    if column is None or (path and column.kind != "json"):
        return []
    if column.kind == "list":
        return [(f"{'list_max' if key.descending else 'list_min'}({column.name})", [])]
    if column.kind == "text":
        return [(f"lower({column.name})", []), (column.name, [])]
    if column.kind == "json":
        value = f"json_extract_string({column.name}, ?)"
        return [
            (f"try_cast({value} AS DOUBLE)", [json_path(path)]),
            (f"lower({value})", [json_path(path)]),
        ]
    return [(column.name, [])]


def _distance_terms(point: Point, columns: Columns) -> list[tuple[str, list[object]]]:
    stored = [columns[name] for name in (GEO, GEOJSON) if name in columns]
    place = location({item.attribute: item.name for item in stored if item.kind == "json"})
    return [] if place is None else [metres_sql(*place, point)]


def json_path(path: Sequence[str]) -> str:
    """The names of a path into JSON as DuckDB's functions take it.

    >>> json_path(["crew", "age"])
    '$."crew"."age"'
    """
    return "$" + "".join(f".{_path_name(name)}" for name in path)


def _path_name(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
