"""How do rows of any number and width fit a window?

Columns that are too wide share what room there is; what is cut ends in an ellipsis. When even
that does not help, columns in the middle give way to one of dots. Every cell is one line, and
nothing in it can move the cursor.

    for line in table(["id", "title"], [["1", "Alien"]], width=80, numbers=[True, False]):
        console.print(line)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from hybridsearch.terminal import one_line

__all__ = ["NULL", "listing", "shown_columns", "table"]

Cell = str | None

NULL = "NULL"
GAP = "  "
CUT = "…"
LEAST = 8
"""A column is not made narrower than this; columns are left out instead."""
LONGEST = 10_000
"""Of a longer text only the beginning is looked at."""


class _Column(NamedTuple):
    head: str
    cells: list[Cell]
    number: bool
    width: int


def table(
    names: Sequence[str], rows: Sequence[Sequence[Cell]], *, width: int, numbers: Sequence[bool]
) -> Iterator[Text]:
    """The lines of a table: names, a rule, a line for each row, none wider than `width`.

    None is shown as NULL. numbers: which columns stand to the right.
    """
    columns = _fitting(_columns(names, rows, numbers), width)
    yield _joined([_cell(column, column.head, "bold") for column in columns])
    yield Text(GAP.join("─" * column.width for column in columns), "dim")
    for number in range(len(rows)):
        yield _joined([_cell(column, column.cells[number], "") for column in columns])


def shown_columns(names: Sequence[str], rows: Sequence[Sequence[Cell]], *, width: int) -> int:
    """How many of the columns `table` shows in that width."""
    columns = _columns(names, rows, [False] * len(names))
    return len(columns) - len(_left_out(columns, width))


def listing(names: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Iterator[Text]:
    """The lines of a list: each value on a line of its own, whole; an empty one between rows."""
    longest = max((cell_len(one_line(name)) for name in names), default=0)
    for number, row in enumerate(rows):
        if number:
            yield Text()
        for name, value in zip(names, row, strict=True):
            head = set_cell_size(one_line(name), longest)
            yield Text.assemble((head, "bold"), " = ", _styled(_plain(value), value))


def _columns(
    names: Sequence[str], rows: Sequence[Sequence[Cell]], numbers: Sequence[bool]
) -> list[_Column]:
    cells = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    made = []
    for name, values, number in zip(names, cells, numbers, strict=True):
        head = one_line(name)
        plain: list[Cell] = [None if value is None else _plain(value) for value in values]
        widest = max([cell_len(head), *(cell_len(value or NULL) for value in plain)])
        made.append(_Column(head, plain, number, max(widest, 1)))
    return made


def _plain(value: Cell) -> str:
    return NULL if value is None else one_line(value[:LONGEST])


def _fitting(columns: list[_Column], width: int) -> list[_Column]:
    """The columns that are shown, each with the width it gets."""
    out = _left_out(columns, width)
    if out:
        count = len(columns[0].cells)
        dots = _Column(CUT, [CUT] * count, False, 1)
        columns = [*columns[: out[0]], dots, *columns[out[-1] + 1 :]]
    room = width - len(GAP) * (len(columns) - 1)
    widest = _widest([column.width for column in columns], room)
    return [column._replace(width=min(column.width, widest)) for column in columns]


def _left_out(columns: Sequence[_Column], width: int) -> range:
    """Which columns, from the middle, have no room even if all are narrow; a range of them."""
    least = [min(column.width, LEAST) + len(GAP) for column in columns]
    if sum(least) - len(GAP) <= width or len(columns) < 2:
        return range(0)
    room = width - 1  # for the column of dots
    first, last = 1, len(columns)
    room -= least[0]
    while room >= 0:
        left = first + (len(columns) - last) < 2 or first <= len(columns) - last
        place = first if left else last - 1
        room -= least[place]
        if room < 0:
            break
        first, last = (first + 1, last) if left else (first, last - 1)
    return range(first, last)


def _widest(widths: Sequence[int], room: int) -> int:
    """The greatest width such that columns cut to it fit the room."""
    rest = max(room, len(widths))
    for place, width in enumerate(sorted(widths)):
        share = rest // (len(widths) - place)
        if width > share:
            return max(1, share)
        rest -= width
    return max(widths, default=1)


def _cell(column: _Column, value: Cell, style: str) -> Text:
    text = value if value is not None else NULL
    if cell_len(text) > column.width:
        text = set_cell_size(text, column.width - 1).rstrip() + CUT
    space = " " * (column.width - cell_len(text))
    shown = _styled(text, value, style)
    return Text(space) + shown if column.number else shown + Text(space)


def _styled(text: str, value: Cell, style: str = "") -> Text:
    return Text(text, "dim" if value is None else style)


def _joined(cells: Sequence[Text]) -> Text:
    line = Text(GAP).join(cells)
    line.rstrip()
    return line
