"""What does a statement with searches become, so that the native functions understand it?

`lower` looks at each search() in a FROM clause and splices into the user's text what pushdown
has decided: the rows allowed, k, and an order. What it does not touch stays byte for byte.

    lowered = lower("SELECT id FROM search('docs', 'x') WHERE price < 5 LIMIT 2", sources, facts)
    lowered.text, lowered.searches
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hybridsearch.errors import QueryError, near
from hybridsearch.planning import CANDIDATES
from hybridsearch.sql.boundaries import around, outside
from hybridsearch.sql.calls import ARGUMENTS, INSIDE
from hybridsearch.sql.items import SearchItem, is_call, items
from hybridsearch.sql.levels import Level, Range, brackets, levels
from hybridsearch.sql.named import named
from hybridsearch.sql.pushdown import Facts, Pushed, Refusal, Statement, decide
from hybridsearch.sql.relation import Source
from hybridsearch.sql.semijoins import Decision
from hybridsearch.sql.tokens import Edit, scan, spliced
from hybridsearch.store import quoted

__all__ = [
    "Lowered",
    "Search",
    "Sources",
    "allowed",
    "edits_of",
    "is_kept",
    "lower",
    "numbered",
    "read",
]

HIDDEN = ("ids", "rows", "numbers", "most")
PARAMETERS = [name for name in ARGUMENTS if name not in HIDDEN]
Sources = Callable[[str, bool], Source | None]
"""(name of an index, whether the statement is kept) -> what it is over; None where it is not."""


@dataclass(frozen=True)
class Search:
    """One search() of a statement with what was decided for it.

    named: names among which is every column of it that the statement reads; None: any may be.
    """

    level: Level
    item: SearchItem
    pushed: Pushed
    source: Source
    named: frozenset[str] | None


@dataclass(frozen=True)
class Lowered:
    """A statement with what was decided for its searches.

    text: to be run. indexes: what it depends on. statement: with its places and its parameters
    numbered; None where it could not be read. searches: outer ones before those inside them.
    tests: what was decided of the search operators.
    """

    text: str
    indexes: tuple[str, ...] = ()
    statement: Statement | None = None
    searches: tuple[Search, ...] = ()
    tests: tuple[Decision, ...] = ()


def read(text: str) -> Statement | None:
    """The statement with its places; None if it cannot be read, which is for DuckDB to say."""
    tokens = scan(text)
    if not tokens:
        return None
    pairs = brackets(tokens)
    if pairs is None:
        return None
    return Statement(text, tokens, pairs, levels(tokens, pairs))


def lower(text: str, sources: Sources, facts: Facts) -> Lowered:
    """The statement as the native functions take it, the very same if there is nothing to do.

    Raises QueryError for a wrong call; its field `token` says at which token of the text.
    """
    statement = read(numbered(text))
    if statement is None:
        return Lowered(text)
    asked: list[str] = []
    searches: list[Search] = []
    kept = is_kept(statement)
    for level in statement.levels:
        for item in items(statement.tokens, statement.brackets, level):
            _check(statement, item)
            asked += [] if item.index is None else [item.index]
            source = None if item.index is None else sources(item.index, kept)
            if source is not None:
                pushed = decide(statement, level, item, source, facts)
                taken = around(statement, level, item, source, facts)
                refused = (*pushed.refused, *outside(statement, level, item, taken))
                pushed = replace(pushed, around=taken, refused=refused)
                names = named(statement, level, item)
                searches.append(Search(level, item, pushed, source, names))
    made = spliced(statement.text, edits_of(statement, searches))
    if any(search.pushed.outer for search in searches) and not facts.binds(made):
        searches = [_without_outer(statement, search) for search in searches]
        made = spliced(statement.text, edits_of(statement, searches))
    return Lowered(
        text=made if made != statement.text else text,
        indexes=tuple(dict.fromkeys(asked)),
        statement=statement,
        searches=tuple(searches),
    )


def is_kept(statement: Statement) -> bool:
    """Whether the statement makes a view, a macro or the like, which runs when things changed."""
    words = [token.word for token in statement.tokens[:6]]
    kept = {"view", "macro", "function"} & set(words)
    return words[0] == "prepare" or (words[0] == "create" and bool(kept))


def _without_outer(statement: Statement, search: Search) -> Search:
    """The search without the conditions that DuckDB could not bind."""
    pushed = search.pushed
    refused = [Refusal(statement.written(each), "DuckDB cannot bind it") for each in pushed.outer]
    return replace(search, pushed=replace(pushed, outer=(), refused=(*pushed.refused, *refused)))


def _check(statement: Statement, item: SearchItem) -> None:
    """Raise QueryError for a parameter that search() does not have, or one that it lacks."""
    for name, value in item.arguments.items():
        if name not in PARAMETERS and not name.isdigit():
            raise QueryError(
                f'search() has no parameter "{name}"{near(name, PARAMETERS)}',
                token=value.start - 2,
            )
    if not {"index", "query"} <= item.arguments.keys():
        raise QueryError("search() takes an index and a query", token=item.call.start)


def numbered(text: str) -> str:
    """The text with $1, $2 ... in the place of each ?, so that a condition can stand twice."""
    found = [token for token in scan(text) or () if token.text == "?"]
    return spliced(
        text, [Edit(token.start, token.end, f"${n}") for n, token in enumerate(found, 1)]
    )


def edits_of(
    statement: Statement,
    searches: Sequence[Search],
    ready: Mapping[int, Edit] | None = None,
    *,
    first: int = 0,
) -> list[Edit]:
    """What is to be changed in the text for the searches from the first on.

    ready: number of a search -> what stands in its place.
    """
    within = {at for search in searches for at in _calls(statement, search.item)}
    within -= {searches[number].item.call.start for number in ready or ()}
    edits = [_inside(statement, at) for at in within]
    for number in reversed(range(first, len(searches))):  # inner ones first: conditions are copied
        placed = (ready or {}).get(number)
        search = searches[number]
        edits += [placed] if placed is not None else _given(statement, search, edits)
        edits += _order(statement, search)
    return edits


def allowed(statement: Statement, search: Search, inner: Sequence[Edit], table: str = "") -> str:
    """What follows SELECT to give what the pushed conditions allow.

    inner: edits of searches inside them. table: to be read itself in the place of the source.
    """
    read = search.source.query
    for condition, alias in search.pushed.around:
        read = f"SELECT * FROM ({read}) AS {quoted(alias)} WHERE ({statement.written(condition)})"
    wanted = " AND ".join(
        f"({_rewritten(statement, each, inner)})"
        for each in (*search.pushed.conditions, *search.pushed.outer)
    )
    read = table or f"({read})"
    return f"FROM {read} AS {quoted(search.item.alias)} WHERE {wanted or 'true'}"


def _given(statement: Statement, search: Search, inner: Sequence[Edit]) -> list[Edit]:
    """The arguments that a search gets."""
    pushed, source = search.pushed, search.source
    given = []
    if pushed.conditions or pushed.outer or pushed.around:
        rows = f"SELECT list({source.value}) {allowed(statement, search, inner)}"
        given.append(f"{source.parameter} := ({rows})")
    if pushed.most:
        given.append(f"most := {pushed.limit}")
    elif pushed.limit is not None:
        given += [f"k := {pushed.limit}", *_as_many_candidates(statement, search)]
    close = statement.tokens[search.item.call.stop - 1]
    return [Edit(close.start, close.start, ", " + ", ".join(given))] if given else []


def _as_many_candidates(statement: Statement, search: Search) -> list[str]:
    """What keeps a k that comes from LIMIT from bringing more candidates than no k would."""
    given = search.item.arguments
    mode = statement.tokens[given["mode"].start].value if "mode" in given else None
    if "candidates" in given or mode == "keyword":
        return []
    counts = [statement.tokens[at] for at in search.pushed.counts]
    few = all(c.kind == "number" for c in counts) and sum(int(c.text) for c in counts) <= CANDIDATES
    return [] if few else [f"candidates := {CANDIDATES}"]


def _order(statement: Statement, search: Search) -> list[Edit]:
    """The order by rank, and the name that it needs."""
    if not search.pushed.by_rank:
        return []
    end = statement.tokens[search.item.call.stop - 1].end
    named = Edit(end, end, f" AS {quoted(search.item.alias)}")
    return [*([] if search.item.named else [named]), _by_rank(statement, search)]


def _by_rank(statement: Statement, search: Search) -> Edit:
    """The order in which the hits come, where the statement gives none."""
    clauses, text = search.level.clauses, f" ORDER BY {quoted(search.item.alias)}._rank "
    after = [clauses[name].start - 1 for name in ("limit", "offset") if name in clauses]
    last = min(after, default=search.level.tokens.stop) - 1
    at = statement.tokens[last].end
    return Edit(at, at, text if after else text.rstrip())


def _rewritten(statement: Statement, where: Range, edits: Sequence[Edit]) -> str:
    """The text of a range with the edits that lie in it."""
    start = statement.tokens[where.start].start
    end = statement.tokens[where.stop - 1].end
    kept = [edit for edit in edits if start <= edit.start and edit.end <= end]
    calls = (at for at in range(*where) if is_call(statement.tokens, at))
    taken = {edit.start for edit in kept if edit.end > edit.start}
    kept += [edit for at in calls if (edit := _inside(statement, at)).start not in taken]
    return spliced(
        statement.text[start:end],
        [Edit(edit.start - start, edit.end - start, edit.text) for edit in kept],
    )


def _calls(statement: Statement, item: SearchItem) -> list[int]:
    """The searches among the arguments of one."""
    return [
        at for at in range(item.call.start + 1, item.call.stop) if is_call(statement.tokens, at)
    ]


def _inside(statement: Statement, at: int) -> Edit:
    """The name for a search among the arguments of another: DuckDB lets no macro be in itself."""
    return Edit(statement.tokens[at].start, statement.tokens[at].end, INSIDE)
