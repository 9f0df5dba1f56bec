"""What does `hybridsearch sql` take?

hybridsearch sql shop.duckdb                                    # a shell
hybridsearch sql shop.duckdb "FROM search('movies', 'space')"   # one answer
echo "FROM movies" | hybridsearch sql shop.duckdb --csv         # from a pipe
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from hybridsearch.errors import InputError, NotFound
from hybridsearch.jsontext import loads
from hybridsearch.options import MEMORY

__all__ = ["sql_command"]

EXAMPLES = """\b
Examples:
  hybridsearch sql shop.duckdb "SELECT title, _score FROM search('movies', 'space opera', k := 5)"
  hybridsearch sql shop.duckdb 'FROM movies WHERE year < $last' -p last=1980 --csv
  echo "FROM movies" | hybridsearch sql shop.duckdb --json"""


def _parameters(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, Any]:
    """name=value, where a value that is JSON is that, and text otherwise."""
    found = {}
    for given in values:
        name, equals, text = given.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f'"{given}" is not name=value')
        try:
            found[name] = loads(text)
        except ValueError:
            found[name] = text
    return found


@click.command("sql", epilog=EXAMPLES)
@click.argument("path", metavar="DB")
@click.argument("statement", required=False)
@click.option("--csv", is_flag=True, help="Print CSV, names first; null is empty.")
@click.option("--json", is_flag=True, help="Print JSON, one object a line.")
@click.option("--parquet", metavar="FILE", help="Write the rows to a Parquet file.")
@click.option(
    *("-p", "--parameter", "parameters"),
    multiple=True,
    callback=_parameters,
    metavar="NAME=VALUE",
    help="The value of $NAME, as JSON or text.",
)
@click.option("--create", is_flag=True, help="Make the database when it is absent.")
def sql_command(path: str, statement: str | None, **options: Any) -> None:
    """Run SQL, with search() beside your tables.

    Without a STATEMENT it is read from stdin; at a terminal that is a shell, in which .help says
    more. Of several statements a table shows every answer, the other forms the last one.
    """
    form = _form(options)
    _check(path, options)
    talking = statement is None and sys.stdin.isatty() and sys.stdout.isatty()
    if not talking and statement is None:
        statement = sys.stdin.buffer.read().decode("utf-8", "replace").removeprefix("\ufeff")
    session = import_module("hybridsearch.shell.session")
    style = session.Style(
        form=form,
        parquet=options["parquet"] and Path(options["parquet"]),
        rows=session.AT_TERMINAL if sys.stdout.isatty() else session.IN_PIPE,
        timer=talking,
        interactive=talking,
    )
    with (
        import_module("hybridsearch.database").open(path) as database,
        session.Session(database, style, options["parameters"]) as running,
    ):
        running.talk() if statement is None else running.script(statement)


def _form(options: Mapping[str, Any]) -> str:
    """In which form answers are printed. Raises UsageError where several are asked for."""
    asked = [name for name in ("csv", "json", "parquet") if options[name]]
    if len(asked) > 1:
        raise click.UsageError(f"--{asked[0]} and --{asked[1]} exclude each other.")
    return asked[0] if asked and asked != ["parquet"] else "table"


def _check(path: str, options: Mapping[str, Any]) -> None:
    if options["parquet"] and Path(options["parquet"]).exists():
        _check_is_file(options["parquet"])
    if not Path(path).is_file() and path != MEMORY and not options["create"]:
        raise NotFound(f"there is no database at {path}; --create makes one", path=path)


def _check_is_file(path: str) -> None:
    """Raise InputError for a folder, a device or a pipe: the rows would take its place."""
    if not Path(path).is_file():
        raise InputError(
            f"{path} is no file, and Parquet cannot be written to it; give the name of a file",
            field="--parquet",
            path=path,
        )
