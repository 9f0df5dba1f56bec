"""How many of these documents have which value?

A `FacetColumn` holds the values of one attribute as numbers into a list of labels, so that a
count over any set of rows is one `bincount`. A document counts once for each distinct value.

    column = facet_column(rows, values)
    column.counts(member)                        # {"Drama": 12, "Comedy": 3}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hybridsearch.arrays import Mask, Rows

TEXT = pa.large_string()
NUMERIC = tuple("-0123456789")
"""What a number begins with."""


@dataclass(frozen=True)
class FacetColumn:
    """The values of one attribute: rows[i] has labels[codes[i]], a text of an Arrow array.

    numbers: the value of each label; NaN for texts.
    """

    rows: Rows
    codes: NDArray[np.int64]
    labels: pa.Array
    numbers: NDArray[np.float64]

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        own = (self.rows, self.codes, self.numbers, self.labels)
        return sum(array.nbytes for array in own)

    def named(self, codes: NDArray[np.int64]) -> list[str]:
        """The labels of the codes, in their order."""
        found: list[str] = self.labels.take(pa.array(codes)).to_pylist()
        return found

    def counts(self, member: Mask) -> dict[str, int]:
        """label -> how many of the rows that `member` keeps have it, where any has."""
        found = np.bincount(self.codes[member[self.rows]], minlength=len(self.labels))
        there = np.flatnonzero(found)
        return dict(zip(self.named(there), found[there].tolist(), strict=True))

    def stats(self, member: Mask) -> dict[str, float] | None:
        """{"min": least number, "max": greatest} over the rows kept; None where there is none."""
        numbers = self.numbers[self.codes[member[self.rows]]]
        numbers = numbers[~np.isnan(numbers)]
        if not len(numbers):
            return None
        return {"min": float(numbers.min()), "max": float(numbers.max())}

    def below(self, size: int) -> FacetColumn:
        """The column of the rows below `size`."""
        kept = self.rows < size
        return FacetColumn(self.rows[kept], self.codes[kept], self.labels, self.numbers)

    def followed_by(self, other: FacetColumn) -> FacetColumn:
        """This column and that of other rows as one."""
        both = pa.concat_arrays([self.labels, other.labels]).dictionary_encode()
        codes = both.indices.to_numpy()[len(self.labels) :]
        numbers = np.full(len(both.dictionary), np.nan)
        numbers[codes] = other.numbers
        numbers[: len(self.labels)] = self.numbers
        return FacetColumn(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.codes, codes[other.codes]]),
            both.dictionary,
            numbers,
        )

    def first(self, size: int) -> NDArray[np.int64]:
        """The code of each row's first value, int64 [size]; -1 for a row without one."""
        codes = np.full(size, -1, np.int64)
        codes[self.rows[::-1]] = self.codes[::-1]
        return codes


def facet_column(rows: Rows, values: Sequence[Any] | pa.Array) -> FacetColumn:
    """The column of (row, value) pairs; values are texts, numbers or booleans."""
    array = values if isinstance(values, pa.Array) else _array(values)
    if array is None:
        distinct, codes = _distinct(values)
        labels, numbers, codes = _labelled(distinct, codes)
    else:
        encoded = array.dictionary_encode()
        codes = encoded.indices.to_numpy().astype(np.int64)
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            labels = encoded.dictionary.cast(TEXT)
            numbers = np.full(len(labels), np.nan)
        else:
            labels, numbers, codes = _labelled(encoded.dictionary.to_pylist(), codes)
    once = np.sort(_first_of_each(rows, codes, len(labels)))
    return FacetColumn(rows[once], codes[once], labels, numbers)


def _labelled(
    distinct: Sequence[Any], places: NDArray[np.int64]
) -> tuple[pa.Array, NDArray[np.float64], NDArray[np.int64]]:
    """(labels, their numbers, the codes) of values that are not all texts."""
    numbering: dict[str, int] = {}
    numbers: list[float] = []
    codes = np.empty(len(distinct), np.int64)
    for place, value in enumerate(distinct):
        code = numbering.setdefault(label(value), len(numbering))
        if code == len(numbers):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            numbers.append(float(value) if is_number else np.nan)
        codes[place] = code
    texts = [name.encode(errors="replace").decode() for name in numbering]
    return pa.array(texts, TEXT), np.asarray(numbers, np.float64), codes[places]


def _distinct(values: Sequence[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """The different values, in the order of first sight, and the place of each value in them."""
    numbering: dict[tuple[type, Any], int] = {}  # 1, 1.0 and true are equal, and not the same
    keys = [(type(value), value) for value in values]
    places = [numbering.setdefault(key, len(numbering)) for key in keys]
    return [value for _, value in numbering], np.array(places, np.int64)


def _array(values: Sequence[Any]) -> pa.Array | None:
    """The values as an Arrow array; None when they are of several types, or do not fit one."""
    if len(set(map(type, values))) != 1:
        return None
    try:
        return pa.array(values)
    except (OverflowError, UnicodeEncodeError, pa.ArrowInvalid):
        return None


def label(value: str | float | bool) -> str:
    """The value as a facet shows it: true and false, whole numbers without a point.

    >>> label(4.0), label(True), label("4")
    ('4', 'true', '4')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def listed(counts: Mapping[str, int], *, order: str, limit: int) -> dict[str, int]:
    """The counts in the order asked, "alpha" or "count", at most `limit`.

    "alpha" is numbers by their size, then texts without regard to case.

    >>> list(listed({"b": 1, "A": 2, "10": 1, "9": 3}, order="alpha", limit=3))
    ['9', '10', 'A']
    """
    items = sorted(counts.items(), key=lambda item: _place(item[0]))
    if order == "count":
        items.sort(key=lambda item: -item[1])
    return dict(items[:limit])


def _place(label: str) -> tuple[bool, float, str, str]:
    """Where a label stands among others in the order "alpha"."""
    if label[:1] in NUMERIC:
        try:
            return False, float(label), "", label
        except ValueError:
            pass
    return True, 0.0, label.lower(), label


def _first_of_each(rows: Rows, codes: NDArray[np.int64], labels: int) -> NDArray[np.int64]:
    _, first = np.unique(rows * max(labels, 1) + codes, return_index=True)
    return np.asarray(first, np.int64)
