"""Where on Earth is a document, and how far is it from a point?

A document's place is its attribute `_geo`, an object with `lat` and `lng` in degrees, or else
`_geojson`, a GeoJSON Point (longitude first). Distances are metres on a sphere, by the haversine
formula (R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68, 1984). The same formula
is here twice, for one document and as SQL for all of them; a test holds them together.

>>> point = parse_point("_geoPoint(48.8566, 2.3522)")
>>> round(metres(point, Point(51.5074, -0.1278)))
343556
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from hybridsearch.errors import QueryError

__all__ = [
    "GEO",
    "GEOJSON",
    "Point",
    "complaint",
    "located",
    "location",
    "metres",
    "metres_sql",
    "parse_point",
]

GEO, GEOJSON = "_geo", "_geojson"
EARTH_DIAMETER = 2 * 6_371_000.0
_NUMBER = r"\s*([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)\s*"
_POINT = re.compile(rf"_geoPoint\({_NUMBER},{_NUMBER}\)")


class Point(NamedTuple):
    """Degrees: `lat` from -90 to 90, `lng` from -180 to 180."""

    lat: float
    lng: float


def parse_point(text: str) -> Point:
    """The point that `_geoPoint(lat, lng)` names. Raises QueryError for anything else."""
    found = _POINT.fullmatch(text)
    point = None if found is None else _point(found[1], found[2])
    if point is None:
        raise QueryError(
            f'"{text:.60}" names no point; write _geoPoint(lat, lng) with a latitude from -90 to 90'
            " and a longitude from -180 to 180",
            code="invalid_search_sort",
            field="sort",
        )
    return point


def located(document: Mapping[str, Any]) -> Point | None:
    """Where a document is; None for one that does not say, or says it wrongly.

    >>> located({"_geojson": {"type": "Point", "coordinates": [2.35, 48.85]}})
    Point(lat=48.85, lng=2.35)
    """
    place = document.get(GEO)
    if isinstance(place, Mapping):
        return _point(place.get("lat"), place.get("lng"))
    shape = document.get(GEOJSON)
    if not isinstance(shape, Mapping) or shape.get("type") != "Point":
        return None
    match shape.get("coordinates"):
        case [lng, lat, *_]:
            return _point(lat, lng)
    return None


def complaint(place: object) -> str:
    """What keeps the value of a `_geo` from being a place; "" for null and what names two numbers.

    >>> complaint({"lat": "48.85"})
    'has no "lng"'
    """
    if place is None:
        return ""
    if not isinstance(place, Mapping):
        return "is no object"
    for part in ("lat", "lng"):
        if part not in place:
            return f'has no "{part}"'
        if not _is_number(place[part]):
            return f'has a "{part}" that is no number'
    return ""


def metres(start: Point, end: Point) -> float:
    """The way from one point to the other."""
    chord = (
        math.sin(math.radians(end.lat - start.lat) / 2) ** 2
        + math.cos(math.radians(end.lat))
        * math.cos(math.radians(start.lat))
        * math.sin(math.radians(end.lng - start.lng) / 2) ** 2
    )
    return EARTH_DIAMETER * math.asin(math.sqrt(min(1.0, chord)))


def metres_sql(lat: str, lng: str, point: Point) -> tuple[str, list[object]]:
    """The same as SQL over the expressions `lat` and `lng`, with its parameters; null for null."""
    chord = (
        f"pow(sin(radians({lat} - ?) / 2), 2)"
        f" + cos(radians({lat})) * ? * pow(sin(radians({lng} - ?) / 2), 2)"
    )
    sql = f"CASE WHEN {lat} IS NOT NULL THEN ? * asin(sqrt(least(1.0, {chord}))) END"
    return sql, [EARTH_DIAMETER, point.lat, math.cos(math.radians(point.lat)), point.lng]


def location(columns: Mapping[str, str]) -> tuple[str, str] | None:
    """SQL for a row's latitude and longitude, DOUBLE, null where it has none on Earth.

    columns: `_geo`, `_geojson`, or both, to the quoted names of their JSON columns; None without.
    """
    pairs = []
    if GEO in columns:
        pairs.append(_checked(*(_number(columns[GEO], f"/{part}") for part in ("lat", "lng"))))
    if GEOJSON in columns:
        name = columns[GEOJSON]
        is_point = f"json_extract_string({name}, '/type') = 'Point'"
        lat, lng = _checked(*(_number(name, f"/coordinates/{part}") for part in (1, 0)))
        pairs.append(
            (f"CASE WHEN {is_point} THEN {lat} END", f"CASE WHEN {is_point} THEN {lng} END")
        )
    if not pairs:
        return None
    lats, lngs = zip(*pairs, strict=True)
    return f"coalesce({', '.join(lats)})", f"coalesce({', '.join(lngs)})"


def _number(column: str, pointer: str) -> str:
    return f"TRY_CAST(json_extract_string({column}, '{pointer}') AS DOUBLE)"


def _checked(lat: str, lng: str) -> tuple[str, str]:
    fit = f"{lat} BETWEEN -90 AND 90 AND {lng} BETWEEN -180 AND 180"
    return f"CASE WHEN {fit} THEN {lat} END", f"CASE WHEN {fit} THEN {lng} END"


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _point(lat: Any, lng: Any) -> Point | None:
    try:
        point = Point(float(lat), float(lng))
    except (TypeError, ValueError):
        return None
    return point if -90 <= point.lat <= 90 and -180 <= point.lng <= 180 else None
