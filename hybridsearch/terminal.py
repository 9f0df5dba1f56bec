"""How do results look to a person at a terminal, and to a program behind a pipe?

Styles, progress and the width of the window count only where the output is a terminal; a pipe
gets the same words as plain text. Nothing that a document holds can move the cursor or change
colours: control characters are shown as spaces.

    show_result(console(), result, start=1)
    with loading(total=None) as done:
        index.add(path, progress=done)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from hybridsearch.extraction import project
from hybridsearch.jsontext import dumps

if TYPE_CHECKING:
    from hybridsearch.request import Hit, SearchResult

TAGS = ("\ufdd0", "\ufdd1")
"""What stands around a match: noncharacters, which no text is meant to hold."""
TITLES = ("title", "name", "headline", "subject", "label", "heading", "product_name")
PIPE_WIDTH = 120
MARKED = "bold yellow"
INDENT = " " * 5

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\s]+")
_SPAN = re.compile(f"{TAGS[0]}(.*?){TAGS[1]}", re.DOTALL)


class PlainConsole(Console):
    """A console that tells its caller when the reader of the pipe is gone."""

    def on_broken_pipe(self) -> None:
        """Raises BrokenPipeError, where rich would end the process."""
        raise BrokenPipeError


def console(*, stderr: bool = False) -> PlainConsole:
    """Where to print; text is taken as it stands, without markup or guessed colours."""
    made = PlainConsole(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not made.is_terminal:
        made.width = PIPE_WIDTH
    return made


def one_line(value: object) -> str:
    """The value as one line of text, with no control characters; what is not text as JSON.

    >>> one_line("a\\x1b[31m\\n b"), one_line({"n": [1]})
    ('a [31m b', '{"n":[1]}')
    """
    text = value if isinstance(value, str) else dumps(value).decode()
    return _CONTROL.sub(" ", text).strip()


def marked(value: object, *, width: int) -> Text:
    """The piece of a text with tags that its first match is in, at most `width` long, styled."""
    line = one_line(value)
    pieces = _SPAN.split(line)
    text = Text()
    for number, piece in enumerate(pieces):
        text.append(piece, MARKED if number % 2 else "")
    first = len(pieces[0]) if len(pieces) > 1 else 0
    return _piece(text, first, width)


def _piece(text: Text, first: int, width: int) -> Text:
    if len(text) <= width:
        return text
    start = max(0, min(first - width // 3, len(text) - width))
    if start:
        start = text.plain.find(" ", start, first) + 1 or start
    end = min(len(text), start + width)
    cut = text[start:end]
    return Text("…" if start else "") + cut + Text("…" if end < len(text) else "")


@contextmanager
def loading(total: int | None, *, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while documents are written; gives what to call with each batch's number.

    Without a terminal, or not `shown`, there is no bar.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    target = console(stderr=True)
    hidden = not (shown and target.is_terminal)
    bar = Progress(*columns, TimeElapsedColumn(), console=target, transient=True, disable=hidden)
    with bar:
        task = bar.add_task("documents", total=total)
        yield lambda documents: bar.advance(task, documents)


@contextmanager
def working(what: str, *, shown: bool = True) -> Iterator[None]:
    """Says on stderr what is being done, while it is, when that is a terminal and `shown`."""
    target = console(stderr=True)
    if not (shown and target.is_terminal):
        yield
        return
    with target.status(Text(what)):
        yield


def show_result(out: Console, result: SearchResult, *, start: int, fields: Sequence[str]) -> None:
    """Print the hits, numbered from `start`, then the facets, then how many there are.

    fields: those to print of each document; without them a title and the piece that matches.
    """
    for rank, hit in enumerate(result, start):
        _show_hit(out, hit, rank, fields)
    for name, values in result.facets.items():
        counts = ", ".join(f"{one_line(value)} {count:,}" for value, count in values.items())
        out.print(f"{name}: {counts or '(none)'}", soft_wrap=True)
    out.print(Text(_total(result, start), "dim"), soft_wrap=True)
    if result.degraded is not None:
        out.print(Text(f"by words alone: {one_line(result.degraded)}", "yellow"), soft_wrap=True)


def _total(result: SearchResult, start: int) -> str:
    found = f"{result.total:,} document{'' if result.total == 1 else 's'}"
    shown = f", {start:,} to {start + len(result) - 1:,} shown" if len(result) else ", none shown"
    shown = "" if len(result) == result.total else shown
    return f"{found}{shown} ({result.mode}, {result.seconds * 1000:.1f} ms)"


def _show_hit(out: Console, hit: Hit, rank: int, fields: Sequence[str]) -> None:
    title = None if fields else _title(hit)
    arms = _arms(hit)
    score = f"{hit.score:.3f}  " if arms else ""
    head = Text.assemble((f"{rank:>3}. ", "dim"), (score, "cyan"))  # a first style is for all
    if title is not None:
        head += Text.assemble(marked(_shown(hit)[title], width=out.width // 2), "  ")
    head.append(f"[{one_line(hit.id)}]{arms}", "dim")
    out.print(head, soft_wrap=True)
    for line in _lines(hit, title, fields, width=out.width - len(INDENT)):
        out.print(Text(INDENT) + line, soft_wrap=True)


def _lines(hit: Hit, title: str | None, fields: Sequence[str], *, width: int) -> Iterator[Text]:
    shown = _shown(hit)
    if fields:
        for name, value in project(shown, fields).items():
            yield Text(f"{name}: ") + marked(value, width=max(20, width - len(name) - 2))
    elif (body := _body(hit, title)) is not None:
        yield marked(shown[body], width=width)
    for line in _explained(hit.explanation or {}):
        yield Text(line, "dim")


def _explained(parts: Mapping[str, Any]) -> Iterator[str]:
    """A hit's explanation in a line for each arm and one for their fusion."""
    if "keyword" in parts:
        found = parts["keyword"]["parts"]["parts"]
        terms = (f"{p['attribute']}:{one_line(p['term'])} {p['score']:.3f}" for p in found)
        yield f"keyword: BM25 {parts['keyword']['score']:.3f} = {' + '.join(terms)}"
    if "semantic" in parts:
        yield f"semantic: cosine {parts['semantic']['similarity']:.3f}"
    if fusion := parts.get("fusion"):
        terms = (f"{arm} {score:.3f}" for arm, score in fusion["parts"].items())
        weights = " : ".join(f"{weight:g}" for weight in fusion["weights"])
        constant = f", k {fusion['k']}" if "k" in fusion else ""
        yield f"fusion: {fusion['method']}{constant}, weights {weights} = {' + '.join(terms)}"


def _shown(hit: Hit) -> dict[str, Any]:
    return {**hit.document, **hit.highlights}


def _arms(hit: Hit) -> str:
    ranks = {"keyword": hit.keyword_rank, "semantic": hit.semantic_rank}
    found = ", ".join(f"{arm} {rank}" for arm, rank in ranks.items() if rank is not None)
    return f"  {found}" if found else ""


def _texts(hit: Hit) -> list[str]:
    """The fields that hold text other than the id."""
    return [
        name
        for name, value in hit.document.items()
        if isinstance(value, str) and value.strip() and value != hit.id
    ]


def _title(hit: Hit) -> str | None:
    there = {name.lower(): name for name in reversed(hit.document)}
    for name in TITLES:
        if isinstance(hit.document.get(there.get(name, "")), str):
            return there[name]
    return next(iter(_texts(hit)), None)


def _body(hit: Hit, title: str | None) -> str | None:
    """The other text field with the most matches in it; of equals the longest."""
    others = [name for name in _texts(hit) if name != title]

    def weight(name: str) -> tuple[int, int]:
        return str(hit.highlights.get(name, "")).count(TAGS[0]), len(hit.document[name])

    return max(others, key=weight, default=None)


def show_table(
    out: Console,
    head: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    title: str,
    numbers: bool = False,
) -> None:
    """Print a table under its title; `numbers`: all columns but the first to the right."""
    out.print()
    out.print(Text(title, "bold"))
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(head):
        side = "right" if numbers and place else "left"
        made.add_column(Text(name), justify=side, overflow="ellipsis", no_wrap=True)  # type: ignore[arg-type]  # a name of theirs
    for row in rows:
        made.add_row(*row)
    out.print(made)
