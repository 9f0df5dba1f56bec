"""Which typed column holds an attribute, and what happens when its values change type?

Attributes of documents become columns of a DuckDB table. A column's type is the narrowest that
holds every value seen: BIGINT, DOUBLE, VARCHAR, BOOLEAN, lists of these, else JSON. It only ever
widens: whole numbers to DOUBLE, anything else to JSON. Null says nothing about a type.

    columns = Columns().widened({"year": [1999, None], "tags": [["a"], []]})
    columns["year"].type                             # "BIGINT"
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from hybridsearch.jsontext import dumps
from hybridsearch.turns import give_way

LARGEST = 2**63
SCALARS = {int: "BIGINT", float: "DOUBLE", str: "VARCHAR", bool: "BOOLEAN"}
KINDS = {"BIGINT": "number", "DOUBLE": "number", "VARCHAR": "text", "BOOLEAN": "bool"}
ARROW = {
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "JSON": pa.string(),
}


@dataclass(frozen=True)
class StoredColumn:
    """One attribute's column: `name` is the SQL name, `type` the DuckDB type."""

    attribute: str
    name: str
    type: str

    @property
    def kind(self) -> str:
        """number, text, bool, list or json."""
        return "list" if self.type.endswith("[]") else KINDS.get(self.type, "json")

    @property
    def item(self) -> str:
        """The kind of a list's items; "" for what is not a list."""
        return KINDS[self.type[:-2]] if self.type.endswith("[]") else ""

    def array(self, values: Sequence[Any]) -> pa.Array:
        """The values as an Arrow array of this column's type."""
        if self.type == "JSON":
            return pa.array([None if v is None else dumps(v).decode() for v in values], pa.string())
        kind = pa.list_(ARROW[self.type[:-2]]) if self.item else ARROW[self.type]
        try:
            return pa.array(values, kind)
        except pa.ArrowInvalid:  # a whole number that no double is equal to
            return pa.array(_floats(values), kind)


@dataclass(frozen=True)
class Columns(Mapping[str, StoredColumn]):
    """The columns of one index by attribute, in order of first sight."""

    stored: tuple[StoredColumn, ...] = ()

    def __getitem__(self, attribute: str) -> StoredColumn:
        for column in self.stored:
            if column.attribute == attribute:
                return column
        raise KeyError(attribute)

    def __iter__(self) -> Iterator[str]:
        return (column.attribute for column in self.stored)

    def __len__(self) -> int:
        return len(self.stored)

    @classmethod
    def read(cls, record: Sequence[Sequence[str]]) -> Columns:
        """The columns from their record in the store."""
        return cls(tuple(StoredColumn(*item) for item in record))

    def record(self) -> tuple[tuple[str, ...], ...]:
        """The columns as the store keeps them."""
        return tuple((column.attribute, column.name, column.type) for column in self.stored)

    def arrays(self, documents: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
        """Column's name -> the values that the documents have for its attribute."""
        return {
            column.name: column.array([document.get(attribute) for document in documents])
            for attribute, column in self.items()
        }

    def widened(self, values: Mapping[str, Sequence[Any]]) -> Columns:
        """These columns, wide enough for the values of each attribute too; new ones at the end."""
        known = {column.attribute: column for column in self.stored}
        for attribute, items in values.items():
            wanted = type_of(items)
            if wanted is None:
                continue
            old = known.get(attribute)
            if old is None:
                known[attribute] = StoredColumn(attribute, f"c{len(known)}", wanted)
            else:
                known[attribute] = _wider(old, widen(old.type, wanted))
        return Columns(tuple(known.values()))

    @cached_property
    def by_name(self) -> Mapping[str, StoredColumn]:
        """What `shown` gives."""
        names: list[str] = []
        taken: set[str] = set()
        for attribute in self:
            name = plain = attribute.replace("\0", "") or "_"
            number = 2
            while name.lower() in taken:
                name, number = f"{plain}_{number}", number + 1
            taken.add(name.lower())
            names.append(name)
        return dict(zip(names, self.stored, strict=True))


def values_of(documents: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """attribute -> the values that the documents have for it."""
    found: dict[str, list[Any]] = {}
    for document in documents:
        give_way()
        for name, value in document.items():
            if name in found:
                found[name].append(value)
            else:
                found[name] = [value]
    return found


def nested(
    attribute: str, columns: Mapping[str, StoredColumn]
) -> tuple[StoredColumn | None, list[str]]:
    """The column that holds the attribute or its nearest parent, and the path inside it."""
    path: list[str] = []
    column = columns.get(attribute)
    while column is None and "." in attribute:
        attribute, _, last = attribute.rpartition(".")
        path.insert(0, last)
        column = columns.get(attribute)
    return column, path


def shown(columns: Columns) -> Mapping[str, StoredColumn]:
    """The columns by the names that people see in SQL.

    DuckDB's names have no case, so a second "Name" gets _2.
    """
    return columns.by_name


def _wider(old: StoredColumn, kind: str) -> StoredColumn:
    """JSON goes to a column of another name: held snapshots still look at the one before."""
    name = f"{old.name}_json" if kind == "JSON" != old.type else old.name
    return StoredColumn(old.attribute, name, kind)


def type_of(values: Sequence[Any]) -> str | None:
    """The narrowest type that holds every value; None when all are null."""
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return None
    if kinds == {list}:
        return _list_type(values)
    return _scalar_type(kinds, values)


def widen(old: str, new: str) -> str:
    """The narrowest type that holds values of both.

    >>> widen("BIGINT", "DOUBLE"), widen("VARCHAR", "BIGINT")
    ('DOUBLE', 'JSON')
    """
    if old == new:
        return old
    if {old, new} == {"BIGINT", "DOUBLE"}:
        return "DOUBLE"
    if {old, new} == {"BIGINT[]", "DOUBLE[]"}:
        return "DOUBLE[]"
    return "JSON"


def _scalar_type(kinds: set[type], values: Sequence[Any]) -> str:
    if kinds - {int, float} and len(kinds) > 1:
        return "JSON"
    if int in kinds and not all(-LARGEST <= v < LARGEST for v in values if type(v) is int):
        return "JSON"
    return "DOUBLE" if len(kinds) > 1 else SCALARS.get(kinds.pop(), "JSON")


def _floats(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_floats(item) for item in value]
    return float(value) if isinstance(value, int) else value


def _list_type(values: Sequence[Any]) -> str:
    # Loops of Python's own let other threads in; there may be many items.
    kinds = {type(item) for value in values if value is not None for item in value}
    kinds.discard(type(None))
    if not kinds or kinds - SCALARS.keys():
        return "JSON"
    items = [item for value in values if value is not None for item in value]
    inner = _scalar_type(kinds, items)
    return "JSON" if inner == "JSON" else f"{inner}[]"
