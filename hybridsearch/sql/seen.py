"""Whose variables does a statement see, and how is it run among them?

A frame or table in a variable can stand in FROM by its name, and DuckDB looks for it where it is
called from. So a statement is run among the names of the frame that asks, and of tables of ours.

    seen_from(frame, Run(connection.sql, "params"), "FROM hits", None, {"hits": table})
    seen_from(NOBODY, Run(connection.execute, "parameters"), "SELECT ?", [1])     # no variables
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias

import duckdb
import numpy as np
from numpy.typing import NDArray

from hybridsearch.sql.ahead import Table
from hybridsearch.sql.hits import Lease
from hybridsearch.store import Connection

__all__ = ["NOBODY", "UNBOUND", "Frame", "Run", "Tables", "column", "column_apart", "seen_from"]

Tables: TypeAlias = Mapping[str, Table]
Reader: TypeAlias = Callable[[str, Any, Tables], NDArray[Any]]
"""(a SELECT of one column, parameters, tables by name) -> its values."""
UNBOUND = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
_CALL = compile("hybridsearch_call()", "<statement>", "eval")


class Run(NamedTuple):
    """A method that runs a text, what it calls the parameters, and how often the text is read.

    once: once and now. later: whenever the result is read, which is a relation. lease: what tables
    in the place of its searches hold.
    """

    method: Callable[..., Any]
    parameters: str
    once: bool = False
    later: bool = False
    lease: Lease | None = None


class Frame(Protocol):
    """Whose variables a statement may read; Python's own frames are."""

    @property
    def f_globals(self) -> dict[str, Any]:
        """The names of the module."""

    @property
    def f_locals(self) -> Mapping[str, Any]:
        """The names of the function."""


class _Names(NamedTuple):
    f_globals: dict[str, Any]
    f_locals: Mapping[str, Any]


NOBODY = _Names({}, {})
"""No variables at all."""


def seen_from(
    frame: Frame, run: Run, text: object, values: object, tables: Tables | None = None
) -> Any:
    """Run the statement so that DuckDB sees the variables of that frame, and the tables."""
    given = {} if values is None else {run.parameters: values}
    call = partial(run.method, text, **given)
    return eval(
        _CALL, frame.f_globals, {**frame.f_locals, **(tables or {}), "hybridsearch_call": call}
    )


def column(connection: Connection, frame: Frame) -> Reader:
    """What reads the values that a SELECT of one column gives, without its nulls."""

    def read(text: str, values: Any, tables: Tables) -> NDArray[Any]:
        seen_from(frame, Run(connection.execute, "parameters"), text, values, tables)
        return _values(connection.fetchnumpy())

    return read


def column_apart(connection: Connection) -> Reader:
    """The same without variables; what was asked of the connection last stays as it is."""

    def read(text: str, values: Any, tables: Tables) -> NDArray[Any]:
        found = seen_from(NOBODY, Run(connection.sql, "params"), text, values, tables)
        return _values(found.fetchnumpy())

    return read


def _values(columns: Mapping[str, Any]) -> NDArray[Any]:
    [found] = columns.values()
    values: NDArray[Any] = np.ma.compressed(found)
    return values
