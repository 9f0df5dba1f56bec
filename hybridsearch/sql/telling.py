"""What is a caller told when DuckDB fails in a statement of theirs?

DuckDB tells the message alone of what a function of ours finds wrong, may show names that we made
up, and points into the text that it got, which is not the one that was written. `told` gives the
error as it should be: ours as it was raised, with the place of the call, or of the argument that is
of a wrong type; DuckDB's own with a place in the user's text.

    told(error, step)           # the error to raise, or None where it is right as it is

A relation runs when it is read, and fails then: `telling` makes one tell the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import wraps
from types import GeneratorType
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary, finalize

import duckdb

from hybridsearch.errors import HybridSearchError, QueryError
from hybridsearch.sql.hits import Lease
from hybridsearch.sql.items import arguments
from hybridsearch.sql.levels import Range, brackets
from hybridsearch.sql.raised import recalled
from hybridsearch.sql.tokens import place, scan
from hybridsearch.sql.whole_rows import NO_ATTRIBUTE

__all__ = ["Quick", "Relation", "Step", "at_call", "guarded", "telling", "told", "unmade"]

FINDING = ("search", "similar", "facets", "tokens", "suggest")
MARKING = ("highlight", "snippet", "snippets")
OF_MARKS = ("max_chars", "max_count", "start_tag", "marks")
"""Parameters of those alone."""
FUNCTIONS = (*FINDING, *MARKING)
ROWS = "@@@"
SIGNS = (ROWS, "|||", "&&&", "===")
OWN = {
    "asked": "@@@",
    "row": "@@@",
    "any": "|||",
    "all": "&&&",
    "term": "===",
    "phrase": "match_phrase",
    "marked": "highlight",
    "holders": "search",
    "relation": "search",
    "steady": "search_rank",
}
"""Names that we made up -> what people write; others are what people write."""
INTERRUPTED = "executing the UDF: KeyboardInterrupt"
"""What DuckDB says where Ctrl-C came while a function of ours ran."""
MOST_PLACES = 3
LASTING = ("create_view", "query", "to_view")
"""Methods of a relation that leave behind what reads it."""
WHOLE = ("fetchall", "fetchnumpy", "df", "fetchdf", "to_df", "to_arrow_table", "pl")
"""Methods that read every row at once."""
Quick: TypeAlias = Callable[[str, tuple[Any, ...], dict[str, Any]], tuple[Any] | None]
"""(one of `WHOLE`, what it is called with) -> what it gives, alone in a tuple; None where the
relation itself has to be read."""

_raised = re.compile(
    r"(?:^Invalid Input Error: (?!Python exc|exporting a )|UDF: \w+: |_hits_\d+' failed: \w+: )"
    r"(.*?)(?:\n\nLINE \d+:.*)?\Z",
    re.DOTALL,
).search
_unfit = re.compile(r"(\w+)\(\) takes .*? as (\w+), not ").match
_made_up = re.compile(r"hybridsearch_[0-9a-f]{32}_(\w+)")
_excerpt = re.compile(r"\n\nLINE (\d+): ([^\n]*)\n( *)\^[\^~ ]*\s*\Z").search
_quoted = re.compile(r'"([^"]+)"').findall

_Found = TypeVar("_Found")


class Unmade:
    """A relation that is made when it is first asked for."""

    def __init__(self, make: Callable[[], duckdb.DuckDBPyRelation]) -> None:
        self._make = make
        self._made: duckdb.DuckDBPyRelation | None = None

    def __call__(self) -> duckdb.DuckDBPyRelation:
        """The relation."""
        if self._made is None:
            self._made = self._make()
        return self._made


@dataclass(frozen=True)
class Step:
    """One statement, or several that do not search. start: its place in the whole text. lease: what
    its relation holds. quick: how that very relation is read more quickly. unmade: the relation
    itself, where another stands for it."""

    text: str
    searches: bool
    whole: str
    start: int
    lease: Lease | None = field(default=None, compare=False)
    quick: Quick | None = field(default=None, compare=False)
    unmade: Unmade | None = field(default=None, compare=False)

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column in the whole text of a character of the statement, both from 1."""
        return place(self.whole, self.start + offset)


def placed(error: QueryError, step: Step) -> QueryError:
    """The error with the place of the token of the statement that it speaks of."""
    tokens = scan(step.text) or []
    line, column = step.place(tokens[error.fields["token"]].start)
    return QueryError(f"{error.message} (line {line}, column {column})", line=line, column=column)


def told(error: Exception, step: Step) -> BaseException | None:
    """What is to be raised in the place of the error; None if it is right as it is."""
    message = str(error)
    if INTERRUPTED in message:
        return KeyboardInterrupt()
    raised = _raised(message)
    ours = None if raised is None else recalled(raised[1])
    ours = ours or (None if raised is None else _of_macro(raised[1]))
    if ours is not None:
        return at_call(ours, step)
    better = _with_own_place(_made_up.sub(lambda m: OWN.get(m[1], m[1]), message), step)
    return None if better == message else type(error)(better)


def _of_macro(message: str) -> QueryError | None:
    """What a macro says of an argument, as the error that a function would have raised."""
    found = _unfit(message)
    if found:
        return QueryError(message, field=found[2], function=found[1])
    return QueryError(message) if message.split(" ", 1)[0] in SIGNS else None


def at_call(error: HybridSearchError, step: Step) -> HybridSearchError:
    """The error with the place of the call that it may come from, or with those of up to three.

    Of a statement that calls nothing, with that of the first name in it that stands there once.
    """
    if "function" in error.fields:
        return _at_argument(error, step)
    found = [(name, *step.place(offset)) for name, offset in _calls(step, _suspects(error))]
    if not found:
        return _at_name(error, step)
    if len(found) > MOST_PLACES:
        return _again(error, error.message)
    places = ", or ".join(
        f"in {name}{'' if name in SIGNS else '()'}, line {line}, column {column}"
        for name, line, column in found
    )
    at = found[0][1:] if len(found) == 1 else None
    return _again(error, f"{error.message} ({places})", at)


def _suspects(error: HybridSearchError) -> Sequence[str]:
    """What may have raised the error, by the parameter that it speaks of."""
    if error.message.startswith(NO_ATTRIBUTE):
        return (ROWS,)
    sign = error.message.split(" ", 1)[0]
    if sign in SIGNS:
        return (sign,)
    field = error.fields.get("field")
    if field in OF_MARKS:
        return MARKING
    return FUNCTIONS if field is None else FINDING


def _at_name(error: HybridSearchError, step: Step) -> HybridSearchError:
    tokens = [] if _reads(step) else scan(step.text) or []
    for name in _quoted(error.message):
        found = [token for token in tokens if name.lower() in (token.identifier, token.value)]
        if len(found) == 1:
            line, column = step.place(found[0].start)
            told = f"{error.message} (line {line}, column {column})"
            return _again(error, told, (line, column))
    return _again(error, error.message)


def _reads(step: Step) -> bool:
    """Whether the statement reads rows, so that a name in it need not be the one that is wrong."""
    first, following = [*(token.identifier or "" for token in scan(step.text) or ()), "", ""][:2]
    made = first == "from" and following.endswith("_search_index")
    return first in ("select", "with", "from") and not made


def _again(
    error: HybridSearchError, message: str, at: tuple[int, int] | None = None
) -> HybridSearchError:
    """The same error, with its code and fields, saying this, at this line and column."""
    made = type(error).__new__(type(error), message)
    fields = dict(error.fields) if at is None else {**error.fields, "line": at[0], "column": at[1]}
    made.__dict__.update({**error.__dict__, "message": message, "fields": fields})
    return made


def guarded(method: Callable[..., _Found], step: Step) -> Callable[..., _Found]:
    """The method, whose errors are those of `told`."""

    @wraps(method)
    def call(*given: Any, **named: Any) -> _Found:
        try:
            return method(*given, **named)
        except duckdb.Error as error:
            found = told(error, step)
            if found is None:
                raise
            raise found from None

    return call


def _calls(step: Step, names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """(name, offset) of each call in the statement."""
    tokens = scan(step.text) or []
    for at, token in enumerate(tokens):
        name = token.identifier or token.text
        if name not in names or (at and tokens[at - 1].text == "."):
            continue
        if name in SIGNS or (at + 1 < len(tokens) and tokens[at + 1].text == "("):
            yield name, token.start


# A value that a parameter does not take


def _at_argument(error: HybridSearchError, step: Step) -> HybridSearchError:
    """The error with the place of the argument, or else of the call, where that is but one."""
    calls = list(_calls(step, (error.fields["function"],)))
    if len(calls) != 1:
        return _again(error, error.message)
    where = _argument(step, calls[0][1], error.fields["field"])
    if where is None and error.fields["field"] == "k":  # which LIMIT has become
        said = error.message.replace("search() takes", "LIMIT takes").replace(" as k,", ",")
        return _again(error, said)
    at = step.place(calls[0][1] if where is None else where)
    return _again(error, f"{error.message} (line {at[0]}, column {at[1]})", at)


def _argument(step: Step, call: int, parameter: str) -> int | None:
    """Where the value of the parameter of a call stands; None where it is not given."""
    tokens = scan(step.text) or []
    pairs = brackets(tokens) or {}
    at = next(number for number, token in enumerate(tokens) if token.start == call)
    given = arguments(tokens, pairs, Range(at + 2, pairs.get(at + 1, at + 2)))
    return tokens[given[parameter].start].start if parameter in given else None


# A place in the text that DuckDB got


def _with_own_place(message: str, step: Step) -> str:
    """The message with a place in the user's own text, if DuckDB points into another."""
    shown = _excerpt(message)
    if shown is None or shown[2].removeprefix("...").removesuffix("...") in step.text:
        return message
    head = message[: shown.start()]
    at = len(shown[3]) - len(f"LINE {shown[1]}: ")
    pointed = shown[2][max(at, 0) :].removesuffix("...")
    sizes = range(len(pointed), 3, -1)
    size = next((size for size in sizes if pointed[:size] in step.text), 0)
    if not size or step.text.count(pointed[:size]) > 1:
        return head
    line, column = step.place(step.text.index(pointed[:size]))
    return f"{head} (line {line}, column {column})"


# Relations


class Relation(duckdb.DuckDBPyRelation):
    """A relation whose errors are those of `told`, and whose relations are the same."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        find = super().__getattribute__
        if name.startswith("__"):
            return find(name)
        step = _steps[self]
        if step.unmade is not None:
            return _of_unmade(name, step, step.unmade)
        if name.startswith("_"):
            return find(name)
        value = guarded(find, step)(name)
        if name in LASTING and step.lease is not None:
            step.lease.lend()
            step.lease.keep()
        if name in WHOLE and step.quick is not None:
            value = _quickly(value, name, step.quick)
        return _passed_on(value, step) if callable(value) else value

    def __setattr__(self, name: str, value: object) -> None:
        unmade = _steps[self].unmade
        if unmade is None:
            super().__setattr__(name, value)
        else:
            setattr(unmade(), name, value)

    def __getattr__(self, name: str) -> duckdb.DuckDBPyRelation:
        return _made(guarded(super().__getattr__, _steps[self])(name), _steps[self])

    def __getitem__(self, name: str) -> duckdb.DuckDBPyRelation:
        return _made(guarded(super().__getitem__, _steps[self])(name), _steps[self])

    def __copy__(self) -> duckdb.DuckDBPyRelation:
        return self  # as good as another: it never changes

    def __repr__(self) -> str:
        return guarded(super().__repr__, _steps[self])()

    def __str__(self) -> str:
        return guarded(super().__str__, _steps[self])()

    def __len__(self) -> int:
        return guarded(super().__len__, _steps[self])()

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        lease = _steps[self].lease
        if lease is not None:
            lease.keep()
        return guarded(super().__arrow_c_stream__, _steps[self])(requested_schema)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return guarded(super()._repr_mimebundle_, _steps[self])(include, exclude)


_steps: WeakKeyDictionary[duckdb.DuckDBPyRelation, Step] = WeakKeyDictionary()


def telling(relation: duckdb.DuckDBPyRelation, step: Step) -> duckdb.DuckDBPyRelation:
    """The very relation, whose methods raise what `told` says, as do those made of it."""
    try:
        relation.__class__ = Relation
    except TypeError:  # a DuckDB whose relations have another layout: its own errors stay
        if step.lease is not None:
            step.lease.lend()
            step.lease.keep()
        return relation
    _steps[relation] = step
    return relation


def unmade(
    step: Step, make: Callable[[], duckdb.DuckDBPyRelation]
) -> duckdb.DuckDBPyRelation | None:
    """What stands for the relation that `make` gives, until more is asked than all of its rows.

    None for a DuckDB whose relations have another layout.
    """
    try:
        relation = object.__new__(Relation)
    except TypeError:
        return None
    _steps[relation] = replace(step, unmade=Unmade(make))
    return relation


def _of_unmade(name: str, step: Step, unmade: Unmade) -> Any:
    """An attribute of a relation that another stands for."""
    if name not in WHOLE or step.quick is None:
        return getattr(unmade(), name)

    def read(*given: Any, **named: Any) -> Any:
        return getattr(unmade(), name)(*given, **named)

    return _passed_on(_quickly(read, name, step.quick), step)


def _passed_on(method: Callable[..., Any], step: Step) -> Callable[..., Any]:
    """The method, guarded, whose relation is one that tells."""
    call = guarded(method, step)
    alone = nullcontext() if step.lease is None else step.lease.reading

    @wraps(method)
    def run(*given: Any, **named: Any) -> Any:
        with alone:
            found = call(*given, **named)
        if isinstance(found, GeneratorType):
            return _each(found, step)
        if hasattr(found, "read_next_batch") and step.lease is not None:
            finalize(found, _done, step.lease).atexit = False  # which holds it until then
        if hasattr(found, "agg") and not isinstance(found, duckdb.DuckDBPyRelation):
            return _Grouped(found, step)
        return _made(found, step) if isinstance(found, duckdb.DuckDBPyRelation) else found

    return run


def _made(relation: duckdb.DuckDBPyRelation, step: Step) -> duckdb.DuckDBPyRelation:
    """A relation made of another, which tells the same and is read in its own way."""
    return telling(relation, replace(step, quick=None, unmade=None))


def _quickly(method: Callable[..., Any], name: str, quick: Quick) -> Callable[..., Any]:
    """The method of a relation, which is asked where there is no quicker way."""

    @wraps(method)
    def run(*given: Any, **named: Any) -> Any:
        found = quick(name, given, named)
        return method(*given, **named) if found is None else found[0]

    return run


class _Grouped:
    """What `group_by` gives, whose relations tell the same."""

    def __init__(self, groups: Any, step: Step) -> None:
        self._groups = groups
        self._step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._groups, name)

    def agg(self, *aggregates: object) -> Any:
        """Aggregates of each group as a relation."""
        return _passed_on(self._groups.agg, self._step)(*aggregates)


def _done(lease: Lease) -> None:
    """What was read under the lease is gone."""


def _each(rows: Iterator[Any], step: Step) -> Iterator[Any]:
    end = object()
    following = guarded(next, step)
    while (row := following(rows, end)) is not end:
        yield row
