"""What do the commands of the command line share?

Arguments and options that several have, the database that must be there, and how JSON is printed.

    @click.command("count", epilog=examples("hybridsearch count shop.duckdb"))
    @database_argument
    @as_json
    def count_command(path: str, *, as_json: bool) -> None: ...
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import hybridsearch
from hybridsearch.errors import InputError, NotFound, SettingsError
from hybridsearch.jsontext import dumps, loads

if TYPE_CHECKING:
    from hybridsearch.database import Database

MEMORY = ":memory:"

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
database_argument = click.argument("path", metavar="DB")
index_argument = click.argument("name", metavar="INDEX")


def examples(*lines: str) -> str:
    r"""The end of a command's help; \b keeps click from filling the lines."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


@contextmanager
def opened(path: str) -> Iterator[Database]:
    """The database at a path that must be there; see `must_exist`."""
    must_exist(path)
    with hybridsearch.open(path) as database:
        yield database


def must_exist(path: str) -> None:
    """Raise NotFound when there is no file at the path, InputError for a folder."""
    if Path(path).is_dir():
        raise InputError(f'"{path}" is a folder; give the database file', field="path", path=path)
    if not Path(path).is_file():
        raise NotFound(
            f"there is no database at {path}; `hybridsearch index {path} INDEX FILE` makes one",
            path=path,
        )


def must_keep(path: str) -> None:
    """Raise InputError for a database in memory, which is gone when the command ends."""
    if path == MEMORY:
        raise InputError(
            "what is loaded into :memory: is gone when the command ends; give a file such as"
            " shop.duckdb, which is made when it is absent",
            field="path",
            path=path,
        )


def json_settings(option: str, text: str) -> Any:
    """The settings that the option gives, as JSON or as a file of it. Raises InputError."""
    try:
        return loads(text if text.lstrip().startswith("{") else Path(text).read_bytes())
    except OSError as error:
        raise InputError(f"{option}: cannot read {text}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"{option} is not JSON: {error}") from None


def print_json(value: Any) -> None:
    """Print the value; as bytes, so that it is UTF-8 whatever the terminal speaks."""
    click.echo(dumps(value))
