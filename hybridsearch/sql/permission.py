"""Which statements may somebody send who is not trusted?

Those that read: SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW TABLES, SUMMARIZE and EXPLAIN of these.
DuckDB's own parser says what a statement is (`json_serialize_sql`), and its tree is walked:
every relation must be one that was offered or a CTE of the statement, every table function in
TABLE_FUNCTIONS, no function in REFUSED. Nobody's text is matched against patterns for that.

This is the inner of two walls; the outer is that the statement runs where nothing else is
(`sql.sealed`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from hybridsearch.errors import QueryError, near

__all__ = ["CODE", "EXPLAIN", "LONGEST", "check_tree"]

CODE = "invalid_sql"
LONGEST = 100_000
"""Characters of a statement."""
EXPLAIN = re.compile(r"\s*explain\s+(?:analyze\s+)?", re.IGNORECASE)
NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
SOURCES = {
    *("BASE_TABLE", "TABLE_FUNCTION", "SHOW_REF", "SUBQUERY", "JOIN", "EXPRESSION_LIST"),
    *("EMPTY", "PIVOT"),
}
SHOWN = {'"tables"', "__show_tables_expanded"}
OURS = ("search", "similar", "facets", "tokens", "suggest", "rrf", "rrf3")
FUSED = {"rrf": 2, "rrf3": 3}
"""How many of the first arguments name relations."""
TABLE_FUNCTIONS = {*OURS, "range", "generate_series", "unnest", "json_each", "json_tree", "summary"}
REFUSED = re.compile(
    r"hybridsearch_.*|pg_.*|has_.*_privilege|inet_.*|current_(?!date|time|localtime).*|.*logs?_mes.*"
    r"|getenv|getvariable|nextval|currval|setval|setseed|sleep_ms|stats|write_log|txid_current"
    r"|in_search_path|json_(de)?serialize_.*|json_execute_.*|vector_type|error|query|user"
    r"|session_user|regexp_split_to_table"
    # one call of these makes a value of any size, which no limit of DuckDB's stops
    r"|repeat|lpad|rpad|printf|format|bar|bitstring|range|generate_series|generate_subscripts"
    r"|(list|array)_resize|(list_|array_)?reduce"
)
PRIVATE = re.compile(r"duckdb_.*|pg_.*|sqlite_.*|pragma_.*|information_schema")


def check_tree(tree: Mapping[str, Any], relations: Collection[str]) -> None:
    """Raise QueryError unless the statement only reads.

    tree: what `json_serialize_sql` made of it. relations: the names that it may read.
    """
    if tree["error"]:
        raise _refused(_parser_message(tree))
    if not tree["statements"]:
        raise _refused("there is no statement; give one that reads, as SELECT 1")
    if len(tree["statements"]) != 1:
        raise _refused("one statement at a time; send the others by themselves")
    known = {name.lower() for name in relations} | _ctes(tree)
    for node in _nodes(tree["statements"][0]["node"]):
        _check_node(node, known, relations)


def _refused(message: str) -> QueryError:
    return QueryError(message, code=CODE, field="sql")


def _parser_message(tree: Mapping[str, Any]) -> str:
    if tree.get("error_type") == "not implemented":
        return (
            "only statements that read are run: SELECT, WITH, FROM, DESCRIBE, SHOW TABLES,"
            " SUMMARIZE and EXPLAIN of them"
        )
    return str(tree.get("error_message", "this is no SQL")).strip()


def _nodes(root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every object of the tree; of a table function's call only the arguments."""
    waiting: list[Any] = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            yield item
            whole = item.get("type") != "TABLE_FUNCTION"
            waiting.extend(item.values() if whole else item["function"]["arguments"])


def _ctes(tree: Mapping[str, Any]) -> set[str]:
    names = {
        str(entry["key"]).lower()
        for node in _nodes(tree["statements"][0]["node"])
        for entry in (node.get("cte_map") or {}).get("map", ())
    }
    for name in names:
        if PRIVATE.fullmatch(name) or not name.isidentifier():
            raise _refused(f'"{name:.80}" cannot be the name of a CTE here; use letters and digits')
    return names


def _check_node(
    node: Mapping[str, Any], known: Collection[str], relations: Collection[str]
) -> None:
    kind = str(node.get("type", ""))
    if kind.endswith(("_NODE", "_STATEMENT")) and kind not in NODES:
        raise _refused(f"{kind.removesuffix('_NODE').lower()} is refused: statements may only read")
    if "sample" in node and "query_location" in node and kind not in SOURCES:
        raise _refused(f"{kind.lower()} is refused in FROM")
    if kind == "BASE_TABLE":
        _check_relation(node, known, relations)
    elif kind == "SHOW_REF":
        _check_shown(node, known, relations)
    elif kind == "TABLE_FUNCTION":
        _check_table_function(node["function"], known, relations)
    elif node.get("class") in ("FUNCTION", "WINDOW"):
        _check_function(node)


def _check_relation(
    node: Mapping[str, Any], known: Collection[str], relations: Collection[str]
) -> None:
    path = node["qualified_name"]["path"]
    if len(path) != 1 or path[0].lower() not in known:
        name = ".".join(path)
        raise _refused(f'there is no relation "{name:.80}" here{near(name[:80], relations)}')


def _check_shown(
    node: Mapping[str, Any], known: Collection[str], relations: Collection[str]
) -> None:
    if node["show_type"] in ("DESCRIBE", "SUMMARY"):
        return
    if node["show_type"] == "SHOW_SPECIAL" and node["table_name"] in SHOWN:
        return
    if node["show_type"] != "SHOW":
        raise _refused("of SHOW there is SHOW TABLES and SHOW with the name of a relation")
    _check_relation(node, known, relations)


def _check_table_function(
    call: Mapping[str, Any], known: Collection[str], relations: Collection[str]
) -> None:
    path = call["qualified_name"]["path"]
    name = path[-1].lower()
    if len(path) != 1 or name not in TABLE_FUNCTIONS:
        raise _refused(f'the table function "{name:.80}" is refused{near(name, TABLE_FUNCTIONS)}')
    for argument in call["arguments"][: FUSED.get(name, 0)]:
        if _named(argument["expression"]) not in known:
            raise _refused(f"{name}() takes names of relations and CTEs{near('', relations)}")


def _named(expression: Mapping[str, Any]) -> str:
    """The relation that an argument names; "" for what is no plain name."""
    if expression.get("type") == "COLUMN_REF" and len(expression["column_names"]) == 1:
        return str(expression["column_names"][0]).lower()
    if expression.get("type") == "VALUE_CONSTANT":
        return str(expression["literal"].get("text", "")).lower()
    return ""


def _check_function(node: Mapping[str, Any]) -> None:
    path = (node.get("qualified_name") or {}).get("path") or [node.get("function_name", "")]
    name = str(path[-1]).lower()
    if len(path) != 1 or REFUSED.fullmatch(name):
        raise _refused(f'the function "{name:.80}" is refused here')
