"""Which rows does a filter keep, in what order does a sort put them, what values do they have?

The answers come from DuckDB as arrays indexed by row and are kept for the next search. A row's
attributes never change, so a filter is only evaluated for rows that were not there the last time.

    selection.mask("year > 1990", columns, size=1000)       # bool [1000]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridsearch import filters, presence
from hybridsearch.arrays import Mask, Rows
from hybridsearch.boosting import LARGEST, MINUTE, factor_sql
from hybridsearch.cache import Cache
from hybridsearch.columns import Columns, StoredColumn, nested
from hybridsearch.document_table import DocumentTable
from hybridsearch.errors import FilterError, QueryError, near
from hybridsearch.expressions import Formula
from hybridsearch.extraction import is_wanted
from hybridsearch.facets import FacetColumn, facet_column
from hybridsearch.filterable import FilterRule, Rule, patterns_of, rule_of
from hybridsearch.geo import GEO, GEOJSON, parse_point
from hybridsearch.intake import VECTORS
from hybridsearch.request import Filter
from hybridsearch.settings import EVERYTHING
from hybridsearch.sorting import SortKey

KEPT = 48
"""So many answers are kept, and more while they have no more than `KEPT_BYTES` together."""
KEPT_BYTES = 64 << 20
EVER = -1
"""In the place of the number of rows among which none has it: some row does."""


class Selection:
    """Filters, orders and facets of one index; any thread may ask."""

    def __init__(self, documents: DocumentTable) -> None:
        self._documents = documents
        self._kept = Cache[Any](KEPT_BYTES, _bytes_of, least=KEPT)

    def mask(
        self,
        filter: Filter,
        columns: Columns,
        *,
        size: int,
        allowed: Sequence[Rule],
        makers: Sequence[str] = (),
    ) -> Mask | None:
        """Which of the rows below `size` the filter keeps, bool [size]; None for no filter.

        makers: the embedders that make vectors of every document, for `_vectors EXISTS`.
        Raises FilterError for broken syntax, an attribute that is not among those allowed, or is
        so only by "*" and no document has it, also inside objects, and an operator that its rule
        does not allow.
        """
        tree = self._keep(("tree", str(filter)), lambda: filters.parse(filter))
        if tree is None:
            return None
        _check_filterable(tree, allowed)
        known = _without_hidden_places(columns, allowed)
        self._check_paths(tree, known, allowed, size)
        absent = self._absent(tree, known, allowed)
        places = (GEO in known, GEOJSON in known)
        key = ("mask", str(filter), columns.stored, places, tuple(makers), absent)
        return self._grown(key, tree, known, size)

    def _check_paths(
        self, tree: filters.Filter, columns: Mapping[str, Any], allowed: Sequence[Rule], size: int
    ) -> None:
        """Raise FilterError for a path into an attribute that no document has."""
        named = _named(patterns_of(allowed))
        for name in filters.fields(tree):
            inside = name not in columns and _has_column(name, columns)
            if not inside or is_wanted(name, named) or name.partition(".")[0] in presence.OWN:
                continue
            if not self._leads(name, columns, size):
                filters.refuse_field(tree, name, presence.names(self._documents, columns))

    def _leads(self, name: str, columns: Mapping[str, Any], size: int) -> bool:
        """Whether a document has what is at a path; rows since the last look may be the first."""
        key = ("path", name)
        known = self._kept.get(key)
        if known is None or (known != EVER and known < size):
            there = presence.is_there(self._documents, name, columns)
            known = self._kept.put(key, EVER if there else size)
        return bool(known == EVER)

    def _absent(
        self, tree: filters.Filter, columns: Mapping[str, Any], allowed: Sequence[Rule]
    ) -> bool:
        """Whether a field has no column and yet may be asked for: by its name, or as ever null."""
        unknown = [name for name in filters.fields(tree) if not _has_column(name, columns)]
        named = _named(patterns_of(allowed))
        return bool(unknown) and all(
            is_wanted(name, named) or self._documents.holds(name) for name in unknown
        )

    def _grown(
        self, key: tuple[Any, ...], tree: filters.Filter, columns: Mapping[str, Any], size: int
    ) -> Mask:
        known = self._kept.get(key)
        start = 0 if known is None else len(known)
        if known is not None and start >= size:
            return np.asarray(known[:size], bool)
        *_, makers, absent = key
        table = filters.Column(self._documents.vectors_table, "vectors", " ".join(makers))
        known_columns = {**filter_columns(columns), VECTORS: table}
        where, values = filters.to_sql(tree, known_columns, missing_ok=absent)
        fresh = self._documents.rows_where(where, values, size=size, start=start)
        grown = fresh if known is None else np.concatenate([known, fresh])
        self._kept.put(key, grown)
        return grown

    def with_ids(self, ids: Sequence[str], *, size: int) -> Mask:
        """Which of the rows below `size` have one of the ids, bool [size]; dead ones too."""
        return self._documents.keys.rows_with_ids(ids, size=size)

    def given_vectors(self, rows: Rows) -> dict[int, Mapping[str, list[list[float]]]]:
        """row -> embedder -> the vectors that came with the document; what has none is left out."""
        found = self._documents.read(rows.tolist())
        return {document.row: document.vectors for document in found}

    def order(
        self, sort: Sequence[str], columns: Columns, *, size: int, allowed: Sequence[str]
    ) -> Rows:
        """The place of each row below `size`, int64 [size]; see `DocumentTable.order`.

        Raises QueryError when a sort is not "attribute:asc" or "attribute:desc", or when its
        attribute is unknown or not among those allowed.
        """
        by = [_sort_key(item, columns, allowed) for item in sort]
        found: Rows = self._keep(
            ("order", tuple(by), columns.stored, size),
            lambda: self._documents.order(by, columns, size=size),
        )
        return found

    def factors(
        self, formula: Formula, columns: Columns, *, size: int, lenient: bool = False
    ) -> NDArray[np.float64]:
        """By what each row below `size` is multiplied, float64 [size] in 0..`LARGEST`.

        Where the formula has no value it is 1. lenient: an attribute that no document has is null.
        Raises QueryError for another such attribute, and what else does not fit the columns.
        """
        now = time.time() // MINUTE * MINUTE if formula.timed else 0.0
        sql, values = factor_sql(formula, columns, now=now, lenient=lenient)
        key = ("factors", formula.text, columns.stored, now)
        known = self._kept.get(key)
        start = 0 if known is None else len(known)
        if known is None or start < size:
            fresh = self._documents.numbers(sql, values, size=size, start=start)
            fresh = np.where(np.isnan(fresh), 1.0, np.clip(fresh, 0.0, LARGEST))
            known = self._kept.put(key, fresh if known is None else np.concatenate([known, fresh]))
        return np.asarray(known[:size], np.float64)

    def id_order(self, *, size: int) -> Rows:
        """The place of each row below `size` in the order of ids, int64 [size]."""
        found: Rows = self._keep(("ids", size), lambda: self._documents.id_order(size=size))
        return found

    def facet(self, attribute: str, columns: Columns, *, size: int) -> FacetColumn:
        """The values of an attribute for the rows below `size`; none if no document has it."""
        key = ("facet", attribute, columns.stored)
        start, known = self._kept.get(key) or (0, None)
        if known is None or start < size:
            values = self._documents.values(attribute, columns, size=size, start=start)
            fresh = facet_column(*values)
            known = fresh if known is None else known.followed_by(fresh)
            self._kept.put(key, (size, known))
        column: FacetColumn = known
        return column if start <= size else column.below(size)

    def _keep(self, key: Hashable, make: Callable[[], Any]) -> Any:
        known = self._kept.get(key)
        return self._kept.put(key, make()) if known is None else known


def _bytes_of(kept: object) -> int:
    if isinstance(kept, tuple):
        return sum(map(_bytes_of, kept))
    return kept.nbytes if isinstance(kept, np.ndarray | FacetColumn) else 0


def _check_filterable(tree: filters.Filter, allowed: Sequence[Rule]) -> None:
    for name in filters.fields(tree):
        rule = FilterRule(()) if name.partition(".")[0] == VECTORS else _rule(allowed, name)
        if rule is None:
            remedy = opened_by("filterableAttributes", name, patterns_of(allowed))
            raise FilterError(f'attribute "{name}" is not filterable{remedy}', field=name)
        compared = name in filters.compared_fields(tree)
        if not (rule.comparison if compared else rule.equality):
            kind = "comparison" if compared else "equality"
            raise FilterError(
                f'attribute "{name}" may not be filtered by {kind}; allow it in'
                " filterableAttributes under features.filter",
                field=name,
            )


def _rule(allowed: Sequence[Rule], name: str) -> FilterRule | None:
    found = rule_of(allowed, name)
    return rule_of(allowed, GEOJSON) if found is None and name == GEO else found


def _without_hidden_places(columns: Columns, allowed: Sequence[Rule]) -> Mapping[str, StoredColumn]:
    """The columns, without the kind of place that may not be filtered by."""
    return {
        name: column
        for name, column in columns.items()
        if name not in (GEO, GEOJSON) or rule_of(allowed, name)
    }


def _named(patterns: Sequence[str]) -> list[str]:
    """Those that say which attributes they mean."""
    return [pattern for pattern in patterns if pattern != "*"]


def _has_column(name: str, columns: Mapping[str, Any]) -> bool:
    if name == GEO and GEOJSON in columns:
        return True
    if name.partition(".")[0] == VECTORS:
        return True
    while name not in columns and "." in name:
        name = name.rpartition(".")[0]
    return name in columns


def filter_columns(columns: Mapping[str, StoredColumn]) -> dict[str, filters.Column]:
    """The columns as the filter compiler wants them."""
    return {
        attribute: filters.Column(column.name, column.kind, column.item)
        for attribute, column in columns.items()
    }


def opened_by(setting: str, name: str, allowed: Sequence[str]) -> str:
    """What to do about an attribute that the setting does not allow: what ends a message."""
    return near(name, allowed) if allowed else f"; name it in the setting {setting}"


def known_attribute(
    attribute: str, columns: Columns, parameter: str, allowed: Sequence[str] = EVERYTHING
) -> None:
    """Raise QueryError when no document has the attribute, unless it is allowed by its name."""
    column, path = nested(attribute, columns)
    named = _named(allowed)
    if (column is None or (path and column.kind != "json")) and not is_wanted(attribute, named):
        raise QueryError(
            f'unknown attribute "{attribute}" in {parameter}{near(attribute, columns)}',
            code=f"invalid_search_{parameter}",
            field=parameter,
        )


def _sort_key(item: str, columns: Columns, allowed: Sequence[str]) -> SortKey:
    attribute, _, direction = item.rpartition(":")
    if direction not in ("asc", "desc") or not attribute:
        raise QueryError(
            f'sort "{item}" must end in ":asc" or ":desc", as in "year:desc"',
            code="invalid_search_sort",
            field="sort",
        )
    point = parse_point(attribute) if attribute.startswith("_geoPoint(") else None
    name = GEO if point else attribute
    if point is None and name in (GEO, GEOJSON):
        raise QueryError(
            f'"{name}" has no order of its own; sort by the distance from a point, as in'
            f' "_geoPoint(48.85, 2.35):{direction}"',
            code="invalid_search_sort",
            field="sort",
        )
    if point is None:
        known_attribute(name, columns, "sort", allowed)
    if not is_wanted(name, allowed):
        raise QueryError(
            f'attribute "{name}" is not sortable{opened_by("sortableAttributes", name, allowed)}',
            code="invalid_search_sort",
            field="sort",
        )
    return SortKey(name, direction == "desc", point)
