"""How does a session of SQL go: what is run, what is shown, and what does Ctrl-C stop?

    with hybridsearch.open(path) as db:
        Session(db, Style(form="csv"), {}).script("SELECT 1")       # once
        Session(db, Style(interactive=True), {}).talk()             # until Ctrl-D

A statement runs in a thread of its own, so that Ctrl-C always reaches this one, which interrupts
the statement and waits for its end. In a talk an error or an interruption ends the statement; in
a script it ends the script.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

from rich.text import Text

from hybridsearch.database import Database
from hybridsearch.errors import HybridSearchError, InputError, near
from hybridsearch.exits import INTERRUPTED
from hybridsearch.shell.answers import MOST_DECIMALS, Rows, StatementError, asked
from hybridsearch.shell.layout import listing, shown_columns, table
from hybridsearch.shell.names import COMMANDS, OWN_SCHEMA, Names
from hybridsearch.shell.prompt import history_file, prompt
from hybridsearch.shell.statements import Piece, split
from hybridsearch.terminal import console, one_line

__all__ = ["FORMS", "Session", "Style"]

FORMS = ("table", "line", "csv", "json")
AT_TERMINAL, IN_PIPE = 40, 10_000
TABLE_DECIMALS = 6
PLANS = (["explain_key", "explain_value"], ["plan"])
"""The columns of what EXPLAIN and EXPLAIN SEARCH give: lines that must not be cut."""
QUERIES = frozenset(("from", "select", "with", "values", "pivot", "unpivot", "table"))
TABLES = f"""
SELECT table_schema AS "schema", table_name AS name, lower(table_type) AS kind
FROM information_schema.tables WHERE table_schema <> '{OWN_SCHEMA}' ORDER BY ALL
"""
HELP = """\
A statement ends with a semicolon and may take several lines. Tab completes, Ctrl-R searches what
was typed before, Ctrl-C drops a line or stops a statement, Ctrl-D leaves.

.indexes             the search indexes with their documents
.tables              tables and views
.mode table|line|csv|json
                     how rows are shown; json is one object a line
.rows N              rows that a table or list shows at most; 40 at first
.timer on|off        say how long a statement took
.quit                leave

FROM search('INDEX', 'some words', k := 10) finds rows by words and meaning. Beside it there are
similar, facets, suggest, tokens, rrf, match_phrase and the operators @@@ ||| &&& ===; score(),
highlight(COLUMN) and snippet(COLUMN) speak of what these match.
CREATE SEARCH INDEX i ON t (title) indexes a table of yours; SHOW SEARCH INDEXES, REFRESH, DESCRIBE
and DROP SEARCH INDEX i; EXPLAIN SEARCH before a SELECT says what a search does.
"""

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Style:
    """How answers are given.

    form: one of FORMS. parquet: the file that takes the rows instead. rows: how many a table or a
    list shows. timer: whether to say how long a statement took. interactive: whether a person
    types; then a statement without rows is confirmed, and errors may take several lines.
    """

    form: str = "table"
    parquet: Path | None = None
    rows: int = AT_TERMINAL
    timer: bool = False
    interactive: bool = False


class Session:
    """One connection to a database with the way in which it answers."""

    def __init__(self, database: Database, style: Style, parameters: Mapping[str, Any]) -> None:
        self.style = style
        self._database = database
        self._connection = database.connect()
        self._parameters = parameters
        self._out = console()
        self._worker = ThreadPoolExecutor(1, "sql")
        self._names = Names()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        self._worker.shutdown()
        self._connection.close()

    # A script

    def script(self, text: str) -> None:
        """Run the statements of a text one after the other; an error ends it.

        As a table or a list every answer is shown; the other forms hold the last one alone, so
        that they can be read. Raises StatementError with the line at which the statement begins.
        """
        pieces = list(takewhile(lambda piece: not piece.leaves, split(text)))
        self._check_parameters(pieces)
        last = next((piece for piece in reversed(pieces) if not piece.command), None)
        for piece in pieces:
            silent = self._of_data and piece is not last and not piece.command
            try:
                self._run(piece, silent=silent)
            except StatementError as error:
                raise StatementError(_at_line(error.message, piece, pieces)) from error

    @property
    def _of_data(self) -> bool:
        return self.style.parquet is not None or self.style.form not in ("table", "line")

    def _check_parameters(self, pieces: Iterable[Piece]) -> None:
        used = {name for piece in pieces for name in piece.parameters}
        for name in self._parameters:
            if name not in used:
                raise InputError(f'no statement has a parameter "${name}"{near(name, used)}')

    # A talk

    def talk(self) -> None:
        """Read statements from the terminal and answer, until Ctrl-D or .quit."""
        self._say(f"{self._database.path}; .help says what there is, Ctrl-D leaves")
        with _plain_interrupts():
            self._refresh()
            read = prompt(lambda: self._names, history=history_file())
            while (text := self._read(read)) is not None and self._goes_on(split(text)):
                self._refresh()

    def _read(self, read: Callable[[], str]) -> str | None:
        """What was typed; None when the person leaves."""
        while True:
            try:
                text = read()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return None
            return text

    def _goes_on(self, pieces: Iterable[Piece]) -> bool:
        """Run the pieces up to the first that fails; False when the person leaves."""
        for piece in pieces:
            if piece.leaves:
                return False
            if not self._answered(piece):
                break
        return True

    def _answered(self, piece: Piece) -> bool:
        """Run one piece and say what went wrong with it; False if something did."""
        try:
            self._run(piece)
        except KeyboardInterrupt:
            self._say("interrupted", "yellow")
        except HybridSearchError as error:
            self._say(f"error: {error.message}", "red")
        except OSError as error:
            self._say(f"error: {error.strerror or error}", "red")
        else:
            return True
        return False

    def _refresh(self) -> None:
        indexes = [index.uid for index in self._database.indexes()]
        self._names = Names.read(self._connection, indexes=indexes) or self._names

    # One piece

    def _run(self, piece: Piece, *, silent: bool = False) -> None:
        if piece.command:
            self._command(piece.text.split())
            return
        given = {name: self._parameters[name] for name in piece.parameters & {*self._parameters}}
        self._interruptible(lambda: self._ask(piece.text, given, silent=silent))

    def _ask(self, statement: str, parameters: Mapping[str, Any], *, silent: bool) -> None:
        started = time.perf_counter()
        found = asked(self._connection, statement, parameters)
        if found is None:
            return
        with found as rows:
            if silent:
                rows.rest()
            elif self.style.parquet is not None:
                rows.parquet(self.style.parquet)
            elif self._of_data:
                self._print_data(rows)
            else:
                self._print(rows, statement, started)

    def _interruptible(self, work: Callable[[], _Result]) -> _Result:
        """What the work returns; Ctrl-C stops it and is raised when it has stopped."""
        future = self._worker.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            self._stop(future)
            raise

    def _stop(self, future: Future[Any]) -> None:
        """Interrupt until it ends, for it may just begin; a second Ctrl-C leaves at once."""
        try:
            while not future.done():
                self._connection.interrupt()
                wait([future], timeout=0.1)
        except KeyboardInterrupt:
            os._exit(INTERRUPTED)

    # What is shown

    def _print_data(self, rows: Rows) -> None:
        parts = rows.csv() if self.style.form == "csv" else rows.json_lines()
        for part in parts:
            # As bytes, so that it is UTF-8 whatever the terminal speaks.
            sys.stdout.buffer.write(part.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()

    def _print(self, rows: Rows, statement: str, started: float) -> None:
        decimals = TABLE_DECIMALS if self.style.form == "table" else MOST_DECIMALS
        head = rows.head(self.style.rows, decimals=decimals)
        count = len(head) + rows.rest()
        seconds = time.perf_counter() - started
        if changed := _changed(rows, head, statement):
            self._confirm(changed, seconds)
        elif rows.names in PLANS:
            self._say("\n".join(row[-1] or "" for row in head), "")
        else:
            self._lines(rows, head)
            self._confirm(self._counted(rows, head, count), seconds, always=True)

    def _lines(self, rows: Rows, head: list[tuple[str | None, ...]]) -> None:
        width = self._out.width
        lines = (
            table(rows.names, head, width=width, numbers=rows.numbers)
            if self.style.form == "table"
            else listing(rows.names, head)
        )
        for line in lines:
            self._out.print(line, soft_wrap=True)

    def _counted(self, rows: Rows, head: list[tuple[str | None, ...]], count: int) -> str:
        said = f"{count:,} row{'' if count == 1 else 's'}"
        if count > len(head):
            said += f", {len(head):,} shown"
        columns = shown_columns(rows.names, head, width=self._out.width)
        if self.style.form == "table" and columns < len(rows.names):
            said += f"; {len(rows.names):,} columns, {columns:,} shown"
        return said

    def _confirm(self, said: str, seconds: float, *, always: bool = False) -> None:
        if always or self.style.interactive:
            self._say(f"{said} ({seconds * 1000:,.1f} ms)" if self.style.timer else said)

    def _say(self, text: str, style: str = "dim") -> None:
        for line in text.split("\n"):
            # A plan is drawn with spaces, which have to stay.
            shown = "".join(letter if letter.isprintable() else " " for letter in line)
            self._out.print(Text(shown, style), soft_wrap=True)

    # Commands of the shell

    def _command(self, words: list[str]) -> None:
        name, arguments = words[0], words[1:]
        known: dict[str, Callable[..., None]] = {
            ".help": lambda: self._say(HELP.rstrip(), ""),
            ".indexes": self._show_indexes,
            ".tables": lambda: self._run(Piece(TABLES, 1, True)),
            ".mode": self._set_mode,
            ".rows": self._set_rows,
            ".timer": self._set_timer,
        }
        if name not in known:
            raise InputError(f'unknown command "{one_line(name)}"{near(name, COMMANDS)}')
        if len(arguments) != (name in (".mode", ".rows", ".timer")):
            raise InputError(f"{name} takes {_USAGE.get(name, 'nothing')} after it")
        known[name](*arguments)

    def _show_indexes(self) -> None:
        rows: list[tuple[str | None, ...]] = []
        for index in self._database.indexes():
            stats = index.stats()
            key, count = stats["primary_key"], f"{stats['documents']:,}"
            rows.append((index.uid, count, key, ", ".join(stats["embedders"]) or None))
        names = ["index", "documents", "primary key", "embedders"]
        numbers = [False, True, False, False]
        for line in table(names, rows, width=self._out.width, numbers=numbers):
            self._out.print(line, soft_wrap=True)

    def _set_mode(self, form: str) -> None:
        if form not in FORMS:
            raise InputError(f'unknown mode "{one_line(form)}"{near(form, FORMS)}')
        self.style = replace(self.style, form=form)

    def _set_rows(self, number: str) -> None:
        if not (number.isascii() and number.isdigit() and int(number) > 0):
            raise InputError(f'.rows takes a whole number above 0, not "{one_line(number)}"')
        self.style = replace(self.style, rows=int(number))

    def _set_timer(self, state: str) -> None:
        if state not in ("on", "off"):
            raise InputError(f'.timer takes on or off, not "{one_line(state)}"')
        self.style = replace(self.style, timer=state == "on")


_USAGE = {".mode": f"one of {', '.join(FORMS)}", ".rows": "a number", ".timer": "on or off"}


def _changed(rows: Rows, head: list[tuple[str | None, ...]], statement: str) -> str | None:
    """What to say of a statement that gives no rows; None if it does."""
    if rows.names == ["Success"] and not head:
        return "done"
    word = statement.lstrip("( \n\t").split(None, 1)[0].lower()
    if rows.names != ["Count"] or word in QUERIES:
        return None
    if not head:
        return "done"
    number = int(head[0][0] or 0)
    return f"{number:,} row{'' if number == 1 else 's'} changed"


def _at_line(message: str, piece: Piece, pieces: list[Piece]) -> str:
    """The message without DuckDB's picture of the place; with the line where it says little."""
    said = message.partition("\n\nLINE ")[0]
    return said if len(pieces) == 1 else f"line {piece.line}: {said}"


@contextmanager
def _plain_interrupts() -> Iterator[None]:
    """Ctrl-C is KeyboardInterrupt, however often: it ends a statement, not the process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
