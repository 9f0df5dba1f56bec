"""From where does a statement take the columns of the rows that were found?

Both answers are the text of a SELECT that sees the hits as `h`, one row for each of them:

- `joined` looks the row up in the table of documents, where the connection sees it;
- `carried` unfolds the JSON that the index keeps, on any other connection.

They give the same names, types and values. An attribute with the name of one of the columns that
search() adds is left out. An index over a source of the user's has two of its own: `live` looks
the row up in the source by its key, `copied` unfolds the copy into the types of the source.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from hybridsearch.columns import Columns, StoredColumn, shown
from hybridsearch.definition import Definition
from hybridsearch.document_ids import print_of
from hybridsearch.jsontext import dumps, loads
from hybridsearch.kept_settings import custom_rules
from hybridsearch.origin import Origin
from hybridsearch.row_ids import INTEGERS, TEXT
from hybridsearch.settings import Settings
from hybridsearch.store import quoted

__all__ = [
    "ADDED",
    "Source",
    "by_name",
    "carried",
    "copied",
    "followed",
    "joined",
    "literal",
    "live",
    "living",
    "marks",
    "unfolded",
]

NESTED = ("STRUCT(", "MAP(", "UNION(")
TEXTUAL = ("VARCHAR", "VARCHAR[]", "JSON")
FRAGMENTS = [{"text": "VARCHAR", "spans": [{"start": "BIGINT", "length": "BIGINT"}]}]
"""What _highlight has of each attribute: its texts that match, marked, and where in the text itself
the matches are; null where nothing matches."""
ADDED = (
    *("_row", "_rank", "_score", "_keyword_rank", "_keyword_score"),
    *("_semantic_rank", "_semantic_score", "_highlight"),
)


@dataclass(frozen=True)
class Source:
    """What an index is over, for a condition to be asked of.

    columns: their names in small letters. query: a SELECT that gives them and `value`, an
    expression for what tells rows from each other. parameter: of search(), which takes a list of
    those that are allowed. key: the name of the user's key, in small letters. key_type: its DuckDB
    type where the source is a live one. scored: whether hits stand in the order of
    their scores, which rules of the index's own may change; None where these may come and go.
    distinct: whether the index gives one hit for each value of an attribute. Both as they are set
    now. table, key_column: fit for SQL, where every row of a table of the user's is in the source,
    and no column of it is hidden; else empty.
    """

    columns: frozenset[str]
    query: str
    value: str
    parameter: str
    key: str
    key_type: str = ""
    scored: bool | None = True
    distinct: bool = False
    table: str = ""
    key_column: str = ""

    def under(self, settings: Settings) -> Source:
        """The same with what the settings of the index do to its hits."""
        rules = custom_rules(settings.kept)
        grouped = settings.distinct_attribute is not None
        return replace(self, scored=not any(rules), distinct=grouped)

    def under_any(self) -> Source:
        """The same for whatever the settings of the index may become."""
        return replace(self, scored=None, distinct=True)


def living(table: str, columns: Columns, primary_key: str | None) -> Source:
    """The living documents, by row."""
    wanted = _listed(columns, primary_key)
    return Source(
        columns=frozenset(name.lower() for name in wanted),
        query=f"SELECT row AS _row, {', '.join(wanted.values())} FROM {table} WHERE died IS NULL",
        value="_row",
        parameter="rows",
        key=(primary_key or "id").lower(),
    )


def by_name(view: str, columns: Columns, primary_key: str | None) -> Source | None:
    """The living documents, by their ids in the view of the index; None before there are any."""
    shown = {column.attribute: name for name, column in _wanted(columns).items()}
    if primary_key not in shown:
        return None
    return Source(
        columns=frozenset(name.lower() for name in shown.values()),
        query=f"FROM {view}",
        value=quoted(shown[primary_key]),
        parameter="filter",
        key=shown[primary_key].lower(),
    )


def followed(definition: Definition, catalog: str) -> Source:
    """The source of the user's, by key."""
    whole = definition.key_type in INTEGERS
    value = "_row" if whole else print_of(f"CAST(_row AS {TEXT})")
    where = f" WHERE ({definition.where}\n)" if definition.where else ""
    names = {name.lower() for name, _ in definition.columns}
    plain = definition.parts == 2 and not where and names.isdisjoint(ADDED)
    return Source(
        columns=frozenset(n.lower() for n, _ in definition.columns if n.lower() not in ADDED),
        query=(
            f"SELECT {quoted(definition.key)} AS _row, {_others(definition)}"
            f" FROM {_located(definition, catalog)}{where}"
        ),
        value=value,
        parameter="numbers",
        key=definition.key.lower(),
        key_type=definition.key_type,
        table=_located(definition, catalog) if plain else "",
        key_column=quoted(definition.key),
    )


def marks(text: str, columns: Columns, attributes: Iterable[str]) -> str:
    """What makes a STRUCT of the JSON of what matched: a field for each of these attributes.

    It has the name of the attribute's column, which may hold text; what is nested in one, by dots,
    is told with it.
    """
    names = {c.attribute: name for name, c in shown(columns).items() if c.type in TEXTUAL}
    found = dict.fromkeys(map(partial(_holding, names), attributes))
    fields = {names[one]: FRAGMENTS for one in found if one in names} or {"id": FRAGMENTS}
    return f"from_json({text}, {_text(fields)})"


def _holding(names: Container[str], attribute: str) -> str:
    """The column that an attribute is in."""
    while attribute not in names and "." in attribute:
        attribute = attribute.rpartition(".")[0]
    return attribute


def live(definition: Definition, catalog: str, call: str, marked: str) -> str:
    """A SELECT of the hit's row in the source; `call` gives its key as text or whole number.

    marked: the expression for _highlight, here and below.
    """
    key = quoted(definition.key)
    return (
        f"SELECT {_others(definition, 'hybridsearch_source.')}, {marked} AS _highlight FROM"
        f" (SELECT CAST({call} AS {definition.key_type}) AS hybridsearch_key) AS hybridsearch_hit,"
        f" {_located(definition, catalog)} AS hybridsearch_source"
        f" WHERE hybridsearch_source.{key} = hybridsearch_hit.hybridsearch_key"
    )


def copied(definition: Definition, body: str, marked: str) -> str:
    """A SELECT of the source's columns from the JSON text that the expression `body` gives.

    Columns that the copy goes without, vectors and BLOBs, are not among them.
    """
    listed = [
        f"{_cast(name, kind)} AS {quoted(name)}"
        for name, kind in Origin(definition).carried
        if name.lower() not in ADDED
    ]
    listed.append(f"{marked} AS _highlight")
    return f"SELECT {', '.join(listed)} FROM (SELECT {body} AS body)"


def _others(definition: Definition, of: str = "") -> str:
    """Every column but those whose names search() needs."""
    taken = [quoted(name) for name, _ in definition.columns if name.lower() in ADDED]
    return f"{of}* EXCLUDE ({', '.join(taken)})" if taken else f"{of}*"


def _located(definition: Definition, catalog: str) -> str:
    """The source with its catalog, where it is a table of ours."""
    return f"{catalog}.{definition.source}" if definition.parts == 2 else definition.source


def _cast(name: str, kind: str) -> str:
    pointer = literal("/" + name.replace("~", "~0").replace("/", "~1"))
    nested = kind == "JSON" or kind.endswith("]") or kind.startswith(NESTED)
    value = f"json_extract{'' if nested else '_string'}(body, {pointer})"
    return f"CAST({value} AS {kind})"


def joined(table: str, columns: Columns, primary_key: str | None, marked: str) -> str:
    """A SELECT of the hit's row in the table of documents."""
    listed = ", ".join(_listed(columns, primary_key).values())
    return f"SELECT {listed}, {marked} AS _highlight FROM {table} WHERE row = h._row"


def unfolded(
    texts: Sequence[str], columns: Columns, primary_key: str | None
) -> tuple[dict[str, pa.Array], list[str]]:
    """The same columns of JSON texts, as Arrow arrays, and which of them are JSON themselves."""
    wanted = _wanted(columns) or _only(primary_key)
    documents = [loads(text) for text in texts]
    arrays = {
        name: column.array([document.get(column.attribute) for document in documents])
        for name, column in wanted.items()
    }
    return arrays, [name for name, column in wanted.items() if column.type == "JSON"]


def carried(body: str, columns: Columns, primary_key: str | None, marked: str) -> str:
    """A SELECT of the fields of the JSON text that the expression `body` gives."""
    wanted = _wanted(columns) or _only(primary_key)
    whole = {column.attribute: column for name, column in wanted.items() if _own(name, column)}
    structure = {attribute: _structure(column.type) for attribute, column in whole.items()}
    listed = [
        f"{_field(column) if column.attribute in whole else _single(column)} AS {quoted(name)}"
        for name, column in wanted.items()
    ]
    return (
        f"SELECT {', '.join(listed)}, {marked} AS _highlight FROM"
        f" (SELECT body, from_json(body, {_text(structure)}) AS fields"
        f" FROM (SELECT {body} AS body))"
    )


def _wanted(columns: Columns) -> dict[str, StoredColumn]:
    return {name: column for name, column in shown(columns).items() if name.lower() not in ADDED}


def _only(primary_key: str | None) -> dict[str, StoredColumn]:
    """The column of an index that has no other."""
    return {primary_key or "id": StoredColumn(primary_key or "id", "", "VARCHAR")}


def _listed(columns: Columns, primary_key: str | None) -> dict[str, str]:
    """name -> how a SELECT of the table of documents lists it."""
    listed = {n: f"{column.name} AS {quoted(n)}" for n, column in _wanted(columns).items()}
    return listed or {primary_key or "id": f"id AS {quoted(primary_key or 'id')}"}


def _own(name: str, column: StoredColumn) -> bool:
    """Whether a struct can have the field: of names that differ in case it takes the first."""
    return name == column.attribute


def _field(column: StoredColumn) -> str:
    return f"fields[{literal(column.attribute)}]"


def _single(column: StoredColumn) -> str:
    pointer = "/" + column.attribute.replace("~", "~0").replace("/", "~1")
    return f"from_json(json_extract(body, {literal(pointer)}), {_text(_structure(column.type))})"


def _structure(kind: str) -> object:
    return [kind[:-2]] if kind.endswith("[]") else kind


def _text(structure: object) -> str:
    return literal(dumps(structure).decode())


def literal(text: str) -> str:
    """The text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"
