"""How does a person type statements: with history, several lines and completion?

    read = prompt(lambda: names, history=Path("~/.local/state/hybridsearch/sql_history"))
    text = read()           # as many lines as the statement takes

`read` raises EOFError at Ctrl-D and KeyboardInterrupt at Ctrl-C.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from hybridsearch.shell.names import Names
from hybridsearch.shell.statements import finished, typed

__all__ = ["history_file", "prompt"]

FIRST, NEXT = "sql> ", "...> "


def history_file() -> Path:
    """Where what was typed is kept: in the user's folder for state (XDG base directories)."""
    given = os.environ.get("XDG_STATE_HOME", "")
    state = Path(given) if os.path.isabs(given) else Path.home() / ".local" / "state"
    return state / "hybridsearch" / "sql_history"


def prompt(names: Callable[[], Names], *, history: Path) -> Callable[[], str]:
    """What reads one text from the terminal: it ends at Enter once every statement has its `;`."""
    session: PromptSession[str] = PromptSession(
        message=FIRST,
        multiline=Condition(lambda: not finished(typed(session.default_buffer.text))),
        prompt_continuation=NEXT,
        completer=_Completer(names),
        complete_while_typing=False,
        history=_kept(history),
        enable_history_search=True,
    )
    return lambda: typed(session.prompt())


def _kept(path: Path) -> History:
    """The history in a file that is the user's alone; in memory where there can be none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        with path.open("ab"):
            return FileHistory(path)
    except OSError:
        return InMemoryHistory()


class _Completer(Completer):
    def __init__(self, names: Callable[[], Names]) -> None:
        self._names = names

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        length, words = self._names().after(document.text_before_cursor)
        for word in words:
            yield Completion(word, start_position=-length)
