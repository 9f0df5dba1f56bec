"""Which rows does a filter keep, in what order does a sort put them, what values do they have?

The answers come from DuckDB as arrays indexed by row and are kept for the next search. A row's
attributes never change, so a filter is only evaluated for rows that were not there the last time.

    selection.mask("year > 1990", columns, size=1000)       # bool [1000]
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from hybridsearch import filters
from hybridsearch.arrays import Mask, Rows
from hybridsearch.columns import Columns
from hybridsearch.document_table import DocumentTable, nested
from hybridsearch.errors import FilterError, QueryError, near
from hybridsearch.extraction import is_wanted
from hybridsearch.facets import FacetColumn, facet_column
from hybridsearch.request import Filter

KEPT = 48


class Selection:
    """Filters, orders and facets of one index; any thread may ask."""

    def __init__(self, documents: DocumentTable) -> None:
        self._documents = documents
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def mask(
        self, filter: Filter, columns: Columns, *, size: int, allowed: Sequence[str]
    ) -> Mask | None:
        """Which of the rows below `size` the filter keeps, bool [size]; None for no filter.

        Raises FilterError for broken syntax, an attribute that no document has, or one that is
        not among those allowed.
        """
        key = ("tree", str(filter))
        tree = self._keep(key, lambda: filters.parse(filter))
        if tree is None:
            return None
        for name in filters.fields(tree):
            if not is_wanted(name, allowed):
                raise FilterError(
                    f'attribute "{name}" is not filterable{near(name, allowed)}', field=name
                )
        return self._grown(("mask", str(filter), columns.stored), tree, columns, size)

    def _grown(self, key: Hashable, tree: Any, columns: Columns, size: int) -> Mask:
        with self._lock:
            known = self._kept.get(key)
        start = 0 if known is None else len(known)
        if known is not None and start >= size:
            return np.asarray(known[:size], bool)
        where, values = filters.to_sql(tree, filter_columns(columns))
        fresh = self._documents.rows_where(where, values, size=size, start=start)
        grown = fresh if known is None else np.concatenate([known, fresh])
        self._put(key, grown)
        return grown

    def with_ids(self, ids: Sequence[str], *, size: int) -> Mask:
        """Which of the rows below `size` have one of the ids, bool [size]; dead ones too."""
        return self._documents.rows_with_ids(ids, size=size)

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

    def id_order(self, *, size: int) -> Rows:
        """The place of each row below `size` in the order of ids, int64 [size]."""
        found: Rows = self._keep(("ids", size), lambda: self._documents.id_order(size=size))
        return found

    def facet(self, attribute: str, columns: Columns, *, size: int) -> FacetColumn:
        """The values of an attribute for the rows below `size`. Raises QueryError if unknown."""
        known_attribute(attribute, columns, "facets")
        found: FacetColumn = self._keep(
            ("facet", attribute, columns.stored, size),
            lambda: facet_column(*self._documents.values(attribute, columns, size=size)),
        )
        return found

    def _keep(self, key: Hashable, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        return self._put(key, make())

    def _put(self, key: Hashable, value: Any) -> Any:
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return value


def filter_columns(columns: Columns) -> dict[str, filters.Column]:
    """The columns as the filter compiler wants them."""
    return {
        attribute: filters.Column(column.name, column.kind, column.item)
        for attribute, column in columns.items()
    }


def known_attribute(attribute: str, columns: Columns, parameter: str) -> None:
    """Raise QueryError when no document has the attribute."""
    column, path = nested(attribute, columns)
    if column is None or (path and column.kind != "json"):
        raise QueryError(
            f'unknown attribute "{attribute}" in {parameter}{near(attribute, columns)}',
            code=f"invalid_search_{parameter}",
            field=parameter,
        )


def _sort_key(item: str, columns: Columns, allowed: Sequence[str]) -> tuple[str, bool]:
    attribute, _, direction = item.rpartition(":")
    if direction not in ("asc", "desc") or not attribute:
        raise QueryError(
            f'sort "{item}" must end in ":asc" or ":desc", as in "year:desc"',
            code="invalid_search_sort",
            field="sort",
        )
    known_attribute(attribute, columns, "sort")
    if not is_wanted(attribute, allowed):
        raise QueryError(
            f'attribute "{attribute}" is not sortable{near(attribute, allowed)}',
            code="invalid_search_sort",
            field="sort",
        )
    return attribute, direction == "desc"
