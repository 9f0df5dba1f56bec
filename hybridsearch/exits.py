"""How does a command end: with which status, and what is said when it goes wrong?

An error is one line on stderr. Exit statuses: 0 done; 1 failed, or `check` found something; 2 what
was asked for is wrong; 130 interrupted; 141 the reader of a pipe went away. After Ctrl-C the
command closes what it has open; a second Ctrl-C leaves at once.

    @click.group(cls=Commands)
    def commands() -> None: ...
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, NoReturn

import click

from hybridsearch.errors import Conflict, DocumentError, HybridSearchError, InputError, NotFound
from hybridsearch.terminal import one_line

FAILED, WRONG, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141


STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


class PipeClosed(Exception):
    """The reader of stdout went away."""


class Commands(click.Group):
    """The commands, with this project's errors and exit statuses in place of click's."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run one command line and exit."""
        options["standalone_mode"] = False
        sys.exit(_status(lambda: click.Group.main(self, *args, **options)))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises PipeClosed, since click would end a closed pipe its own way."""
        try:
            found = super().invoke(ctx)
            sys.stdout.flush()
            return found
        except BrokenPipeError as error:
            raise PipeClosed from error


def _status(run: Callable[[], Any]) -> int:
    """The exit status of a run; what went wrong in it is said on stderr."""
    with _interruptible() as interrupted:
        try:
            status = run()  # None, or what a command gave to Context.exit
            return status if isinstance(status, int) else 0
        except (Exception, KeyboardInterrupt) as error:
            if interrupted.is_set() or isinstance(error, click.Abort):
                click.echo("error: interrupted; what was acknowledged stays", err=True)
                return INTERRUPTED
            return _failure(error)


def fill_streams() -> None:
    """Have a null device stand where the shell left a standard stream closed (`>&-`).

    Python would have no such stream, and a database that is opened would get the number that
    reports of any library are written to.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) < len(STREAMS):
        os.set_inheritable(number, True)
    os.close(number)
    for number, (name, mode) in enumerate(STREAMS):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115  # till the end


@contextmanager
def with_options() -> Iterator[None]:
    """An error of the block that names a parameter of Python's names the option instead."""
    try:
        yield
    except HybridSearchError as error:
        error.message = error.message.replace("primary_key=", "--primary-key")
        raise


@contextmanager
def _interruptible() -> Iterator[Event]:
    """Tells whether Ctrl-C was pressed, also where a library turns it into an error of its own."""
    pressed = Event()

    def interrupt(number: int, frame: object) -> None:
        if pressed.is_set():
            os._exit(INTERRUPTED)
        pressed.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _failure(error: BaseException) -> int:
    """Say what went wrong; gives the exit status. Raises what nobody foresaw."""
    if isinstance(error, PipeClosed):
        # What Python still holds back for stdout must have somewhere to go at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    if isinstance(error, click.ClickException):
        click.echo(f"error: {one_line(error.format_message())}{_see_help(error)}", err=True)
        return error.exit_code
    if isinstance(error, HybridSearchError):
        click.echo(f"error: {one_line(error.message)}", err=True)
        # A faulty document is in a file, and was not typed on the command line.
        typed = isinstance(error, InputError | NotFound | Conflict)
        return WRONG if typed and not isinstance(error, DocumentError) else FAILED
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {one_line(f'{where}{error.strerror or error}')}", err=True)
        return FAILED
    raise error


def _see_help(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f" See {context.command_path} --help" if context else ""
