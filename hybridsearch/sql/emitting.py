"""Which call of the native functions does what a statement about search indexes says?

CALL, because such a statement runs once, and to its end, whoever runs it and whether or not its
rows are read. Texts of the user's go into the call as strings, options and items as JSON in
strings.

    native(Drop("docs_idx"))        # CALL drop_search_index('docs_idx', if_exists := false)
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hybridsearch.attached import SearchIndexes
from hybridsearch.jsontext import dumps
from hybridsearch.sql.definitions import Alter, Create, Definition, Drop, Refresh
from hybridsearch.sql.relation import literal
from hybridsearch.store import Connection

__all__ = ["described", "native"]


def native(definition: Definition) -> str:
    """The statement to run in the place of the definition."""
    if isinstance(definition, Create):
        return _create(definition)
    if isinstance(definition, Refresh):
        full = _word(definition.full)
        return f'CALL refresh_search_index({literal(definition.name)}, "full" := {full})'
    if isinstance(definition, Alter):
        return f"CALL alter_search_index({literal(definition.name)}, {_json(definition.options)})"
    if isinstance(definition, Drop):
        there = _word(definition.if_exists)
        return f"CALL drop_search_index({literal(definition.name)}, if_exists := {there})"
    return "CALL search_indexes()"


def described(name: str, indexes: SearchIndexes, connection: Connection) -> str:
    """The statement that describes one index, with how many rows it is behind its source.

    Raises NotFound, or Conflict when the source cannot be read any more.
    """
    found = indexes.describe(name)
    stale = indexes.freshness(name, cursor=connection).stale
    text = f"SELECT *, {stale} AS stale FROM search_indexes() WHERE name = {literal(found.name)}"
    return f"CALL query({literal(text)})"


def _create(definition: Create) -> str:
    given = [
        literal(definition.name),
        literal(definition.source),
        _json([asdict(item) for item in definition.items]),
        f"options := {_json(definition.options)}",
        f'"replace" := {_word(definition.replace)}',
        f"if_not_exists := {_word(definition.if_not_exists)}",
    ]
    if definition.where is not None:
        given.append(f'"where" := {literal(definition.where)}')
    return f"CALL create_search_index({', '.join(given)})"


def _json(value: Any) -> str:
    return f"{literal(dumps(value).decode())}::JSON"


def _word(flag: bool) -> str:
    return "true" if flag else "false"
