"""Is a distance the same in Python and in SQL, and is a place found wherever it is written?"""

from __future__ import annotations

import doctest
import json
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch import Database, Index, geo
from hybridsearch.errors import DocumentError, QueryError
from hybridsearch.geo import Point, located, metres, metres_sql, parse_point

POINTS = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))
CITIES = [
    {"id": 1, "city": "Lille", "_geo": {"lat": 50.63, "lng": 3.05}},
    {"id": 2, "city": "Ghent", "_geo": {"lat": "51.05", "lng": 3.7}},
    {"id": 3, "city": "Brussels", "_geojson": {"type": "Point", "coordinates": [4.33, 50.84]}},
    {"id": 4, "city": "Nowhere", "_geo": {"lat": 900, "lng": 0}},
    {"id": 5, "city": "Nothing", "_geo": None},
]


@pytest.fixture
def cities(memory: Database) -> Index:
    index = memory.create_index("cities", primary_key="id")
    index.add(CITIES)
    return index


def ids(index: Index, **options: Any) -> list[Any]:
    return [hit.id for hit in index.search("", **options)]


def test_the_examples_of_the_module_are_right() -> None:
    assert doctest.testmod(geo).failed == 0


@given(POINTS, POINTS)
def test_sql_and_python_measure_the_same_way(start: Point, end: Point) -> None:
    sql, values = metres_sql("lat", "lng", start)
    place = "(SELECT CAST(? AS DOUBLE) AS lat, CAST(? AS DOUBLE) AS lng)"
    with duckdb.connect() as connection:
        row = connection.execute(
            f"SELECT {sql} FROM {place}", [*values, end.lat, end.lng]
        ).fetchone()
    assert row is not None
    assert metres(start, end) == pytest.approx(row[0], rel=1e-6, abs=0.5)


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"_geo": {"lat": 1, "lng": 2}}, Point(1, 2)),
        ({"_geo": {"lat": "1.5", "lng": "2"}}, Point(1.5, 2)),
        ({"_geo": {"lat": 1}}, None),
        ({"_geo": {"lat": 91, "lng": 2}}, None),
        ({"_geo": {"lat": "north", "lng": 2}}, None),
        ({"_geo": "1,2"}, None),
        ({"_geojson": {"type": "Point", "coordinates": [2, 1]}}, Point(1, 2)),
        ({"_geojson": {"type": "Point", "coordinates": []}}, None),
        ({"_geojson": {"type": "LineString", "coordinates": [[2, 1], [3, 4]]}}, None),
        ({}, None),
    ],
)
def test_a_place_is_read_or_there_is_none(document: dict[str, Any], place: Point | None) -> None:
    assert located(document) == place


@pytest.mark.parametrize(
    "text",
    [
        *("_geoPoint(91, 0)", "_geoPoint(1)", "_geoPoint(a, b)"),
        *("_geo(1, 2)", "_geoPoint(1, 2, 3)", "_geoPoint(1.2.3, 4)"),
    ],
)
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="names no point") as caught:
        parse_point(text)
    assert caught.value.code == "invalid_search_sort"


def test_hits_are_sorted_by_distance_and_those_nowhere_come_last(cities: Index) -> None:
    assert ids(cities, sort=["_geoPoint(50.6, 3.0):asc"]) == [1, 2, 3, 4, 5]
    assert ids(cities, sort=["_geoPoint(50.6, 3.0):desc"]) == [3, 2, 1, 4, 5]


def test_a_distance_decides_before_another_attribute(cities: Index) -> None:
    assert ids(cities, sort=["_geoPoint(50.6, 3.0):asc", "city:desc"]) == [1, 2, 3, 4, 5]


def test_sorting_by_distance_needs_a_sortable_place(cities: Index) -> None:
    cities.update_settings({"sortable_attributes": ["city"]})
    with pytest.raises(QueryError, match='attribute "_geo" is not sortable'):
        cities.search("", sort=["_geoPoint(1, 2):asc"])


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ("_geoRadius(50.63, 3.05, 1000)", [1]),
        ("_geoRadius(50.84, 4.33, 1000)", [3]),
        ("_geoBoundingBox([52, 5], [50, 3])", [1, 2, 3]),
        ("_geoPolygon([50, 4], [50, 5], [52, 5], [52, 4])", [3]),
        ("NOT _geoRadius(50.84, 4.33, 1000)", [1, 2, 4, 5]),
    ],
)
def test_a_place_is_filtered_by_in_either_form(
    cities: Index, filter: str, found: list[int]
) -> None:
    assert ids(cities, filter=filter) == found


def test_only_the_form_that_is_filterable_counts(cities: Index) -> None:
    cities.update_settings({"filterable_attributes": ["_geojson"]})
    assert ids(cities, filter="_geoBoundingBox([52, 5], [50, 3])") == [3]
    cities.update_settings({"filterable_attributes": ["_geo"]})
    assert ids(cities, filter="_geoBoundingBox([52, 5], [50, 3])") == [1, 2]


def test_a_place_that_is_no_object_is_nowhere(memory: Database) -> None:
    index = memory.create_index("texts", primary_key="id")
    index.add([{"id": 1, "_geo": "50,3"}])
    assert ids(index, filter="_geoRadius(50, 3, 10)", sort=["_geoPoint(1, 2):asc"]) == []
    assert json.loads(json.dumps(index.get(1))) == {"id": 1, "_geo": "50,3"}


@pytest.mark.parametrize(
    "settings", [{"filterable_attributes": ["_geo"]}, {"sortable_attributes": ["_geo"]}]
)
@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("50,3", '"_geo" is no object'),
        ([50, 3], '"_geo" is no object'),
        ({"lat": 50, "lon": 3}, '"_geo" has no "lng"'),
        ({"lat": "north", "lng": 3}, '"_geo" has a "lat" that is no number'),
        ({"lat": 50, "lng": None}, '"_geo" has a "lng" that is no number'),
    ],
)
def test_a_place_that_is_to_be_looked_for_must_be_one(
    memory: Database, settings: dict[str, list[str]], place: object, told: str
) -> None:
    index = memory.create_index("places", primary_key="id", settings=settings)
    with pytest.raises(DocumentError, match=f"document 1 .id 2.: {told}; write") as caught:
        index.add([{"id": 1, "_geo": None}, {"id": 2, "_geo": place}])
    assert caught.value.code == "invalid_document_geo_field"
    assert index.count() == 0


@pytest.mark.parametrize("attribute", ["_geo", "_geojson"])
def test_a_place_alone_is_no_order(cities: Index, attribute: str) -> None:
    with pytest.raises(QueryError, match="sort by the distance from a point"):
        cities.search("", sort=[f"{attribute}:asc"])
