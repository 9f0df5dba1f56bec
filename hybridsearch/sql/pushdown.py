"""Which conditions of a WHERE restrict a search before the best are taken, and does LIMIT say k?

A condition that speaks of the index's own columns alone is pushed: it becomes a list of the rows
that the search may give. It also stays where it was, which changes nothing for the rows it has
let through, so that names, errors and what an outer join makes up are DuckDB's to judge.
Whoever asks decides nothing by guessing: what is not surely right is refused, with the reason.

    pushed = decide(statement, level, item, source, facts)
    pushed.conditions, pushed.limit, pushed.refused
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hybridsearch.sql.items import SearchItem, is_call
from hybridsearch.sql.levels import Brackets, Level, Range, conjuncts, split
from hybridsearch.sql.relation import ADDED, Source
from hybridsearch.sql.tokens import Token
from hybridsearch.store import quoted

__all__ = ["Around", "Condition", "Facts", "Pushed", "Refusal", "Statement", "decide"]

KEYWORDS = frozenset(
    {
        *("and", "or", "not", "in", "is", "null", "true", "false", "like", "ilike", "glob"),
        *("similar", "to", "between", "case", "when", "then", "else", "end", "escape"),
        *("distinct", "from", "isnull", "notnull", "symmetric", "asymmetric"),
    }
)
QUERIES = ("select", "from", "with", "values", "exists")
GRAMMAR = ("in", "and", "or", "not", "cast", "try_cast", "coalesce", "if", "ifnull", "nullif")
"""Words before a bracket that are no functions, or of which none counts rows."""


class Statement(NamedTuple):
    """A statement with its places."""

    text: str
    tokens: Sequence[Token]
    brackets: Brackets
    levels: Sequence[Level]

    def of(self, where: Range) -> Sequence[Token]:
        """The tokens of a range."""
        return self.tokens[where.start : where.stop]

    def written(self, where: Range) -> str:
        """The text of a range."""
        return self.text[self.tokens[where.start].start : self.tokens[where.stop - 1].end]


@dataclass(frozen=True)
class Facts:
    """What DuckDB is asked.

    volatile: which of the function names may give another value at each call. plain: whether a
    function gives one value for one row. binds: whether a SELECT can be bound.
    """

    volatile: Callable[[set[str]], set[str]]
    plain: Callable[[str], bool]
    binds: Callable[[str], bool]


class Around(NamedTuple):
    """A condition of the query around the search's, and what that calls the search's."""

    condition: Range
    alias: str


class Refusal(NamedTuple):
    """A condition that stays after the search, or a LIMIT that does, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Pushed:
    """What is decided for one search.

    conditions: those surely about the index's columns. outer: those that may speak of a query
    around this one too, to be tried. limit: what k is to be, as SQL; None where k stays as it is.
    most: whether it is that only while hits stand in the order of their scores. counts: the tokens
    whose sum it is. by_rank: whether nothing says in which order the rows come, so that it should
    be by rank. around: conditions of the query around the search's.
    """

    conditions: tuple[Range, ...] = ()
    outer: tuple[Range, ...] = ()
    limit: str | None = None
    most: bool = False
    counts: tuple[int, ...] = ()
    by_rank: bool = False
    around: tuple[Around, ...] = ()
    refused: tuple[Refusal, ...] = ()


def decide(
    statement: Statement, level: Level, item: SearchItem, source: Source, facts: Facts
) -> Pushed:
    """What can be pushed into the search."""
    sure: list[Range] = []
    outer: list[Range] = []
    refused: list[Refusal] = []
    where = level.clauses.get("where")
    for condition in conjuncts(statement.tokens, statement.brackets, where) if where else ():
        asked = Condition(statement, level, item, source, facts, condition)
        why = asked.why_not()
        if why is None:
            (outer if asked.outer else sure).append(condition)
        else:
            refused.append(Refusal(statement.written(condition), why))
    one_for_one = _why_not_one_for_one(statement, level, item, facts)
    counts: tuple[int, ...] = ()
    if "limit" in level.clauses and "k" not in item.arguments:
        why = one_for_one or _why_no_limit(statement, level, item, source)
        why = "a condition stays after the search" if refused else why
        counts = _counts(level) if why is None else ()
        if why is not None:
            refused.append(Refusal(f"LIMIT {statement.written(level.clauses['limit'])}", why))
    by_rank = one_for_one is None and "order" not in level.clauses and _is_ordered(level)
    limit = " + ".join(statement.tokens[at].text for at in counts) or None
    most = limit is not None and source.scored is None and _by_score(statement, level)
    return Pushed(tuple(sure), tuple(outer), limit, most, counts, by_rank, refused=tuple(refused))


class Condition:
    """One condition, as it is looked at."""

    def __init__(
        self,
        statement: Statement,
        level: Level,
        item: SearchItem,
        source: Source,
        facts: Facts,
        where: Range,
    ) -> None:
        self._statement = statement
        self._level = level
        self._item = item
        self._source = source
        self._facts = facts
        self._where = where
        self._tokens = statement.of(where)
        self.outer = False

    def why_not(self) -> str | None:
        """Why the condition cannot be pushed; None if it can. Sets `outer`."""
        misplaced = self._misplaced()
        if misplaced is not None:
            return misplaced
        if self._own():
            return None
        if self._item.alone and not (self._added() or self._renamed()):
            self.outer = self._around()
            return None
        if self._facts.binds(self._alone()):
            return None
        if self._added():
            return "it is about the ranking"
        return "it is not about columns of the index alone"

    def _misplaced(self) -> str | None:
        """Why no condition of this shape can be pushed."""
        if not self._item.plain:
            return "of what follows search() in FROM"
        if self._source.parameter in self._item.arguments:
            return f"search() has a {self._source.parameter} already"
        if not self._item.kept:
            return "the join may make up rows in the place of those searched"
        if self._deep():
            return "more than two searches would stand one in another"
        volatile = self._facts.volatile(self._functions())
        return f"{min(volatile)}() may give another value at each call" if volatile else None

    def _functions(self) -> set[str]:
        pairs = zip(self._tokens, self._tokens[1:], strict=False)
        return {
            token.identifier
            for token, after in pairs
            if after.text == "(" and token.identifier and token.word not in KEYWORDS
        }

    def _deep(self) -> bool:
        """Whether it holds a search with another one in it or in its conditions."""
        tokens, levels = self._statement.tokens, self._statement.levels
        calls = [at for at in range(*self._where) if is_call(tokens, at)]
        inner = {
            number
            for number, level in enumerate(levels)
            if any(level.tokens.start <= at < level.tokens.stop for at in calls)
            and self._where.start <= level.tokens.start < self._where.stop
        }
        return any(levels[number].parent in inner for number in inner)

    def _own(self) -> bool:
        """Whether every name in it is surely a column of the index."""
        return all(map(self._known, range(len(self._tokens))))

    def _known(self, at: int) -> bool:
        token = self._tokens[at]
        if token.identifier is None or token.word in KEYWORDS:
            return True
        if token.word in QUERIES or self._text(at - 1) in ("::", ":=", "->"):
            return False
        if self._text(at - 1) == "." or self._text(at + 1) == "(":
            return True
        if token.identifier in self._source.columns:
            return True
        following = self._tokens[at + 2].identifier if self._text(at + 1) == "." else None
        return token.identifier == self._item.alias and following in self._source.columns

    def _alone(self) -> str:
        """A query over the index's columns alone that binds if the condition does."""
        query = (
            f"SELECT 1 FROM ({self._source.query}) AS {quoted(self._item.alias)}"
            f" WHERE ({self._statement.written(self._where)})"
        )
        for common in reversed(self._level.withs):
            query = f"SELECT 1 FROM ({self._statement.written(common)} {query})"
        return query

    def _added(self) -> bool:
        """Whether it may name a column that search() adds."""
        return any(
            token.identifier in ADDED
            and (self._text(at - 1) != "." or self._tokens[at - 2].identifier == self._item.alias)
            for at, token in enumerate(self._tokens)
        )

    def _around(self) -> bool:
        """Whether a query around this one may have the names that are not the index's."""
        parent = self._level.parent
        while parent is not None:
            if "from" in self._statement.levels[parent].clauses:
                return True
            parent = self._statement.levels[parent].parent
        return False

    def _renamed(self) -> bool:
        """Whether a name in it may be one that the list of columns gives."""
        given = given_names(self._statement, self._level)
        return any(
            token.identifier in given and self._text(at - 1) != "."
            for at, token in enumerate(self._tokens)
        )

    def _text(self, at: int) -> str:
        return self._tokens[at].text if 0 <= at < len(self._tokens) else ""


def _why_no_limit(
    statement: Statement, level: Level, item: SearchItem, source: Source
) -> str | None:
    """Why LIMIT does not say how many hits are needed; None if it does."""
    counts = [statement.of(level.clauses[n]) for n in ("limit", "offset") if n in level.clauses]
    if not all(len(count) == 1 and _is_count(count[0]) for count in counts):
        return "it is not a number"
    order = level.clauses.get("order")
    if order is None:
        return None
    listed = statement.of(order)
    unordered = source.scored is False or "diversity" in item.arguments
    if unordered and _by_score(statement, level):
        return "hits may stand in another order than that of their scores"
    ranked = _is_ranked(listed, item.alias, source.key)
    renamed = given_names(statement, level) & {"_rank", "_score", source.key}
    return None if ranked and not renamed else "the order is another one"


def _by_score(statement: Statement, level: Level) -> bool:
    """Whether scores decide in which order its rows come."""
    order = level.clauses.get("order", Range(0, 0))
    return any(token.identifier == "_score" for token in statement.of(order))


def given_names(statement: Statement, level: Level) -> set[str]:
    """The names that the list of columns gives to what it lists."""
    listed = level.clauses.get("select", Range(0, 0))
    tokens = statement.tokens
    return {
        tokens[at].identifier or ""
        for at in split(tokens, statement.brackets, listed)
        if at > listed.start
        and tokens[at].identifier
        and (
            tokens[at - 1].kind not in ("operator", "mark")
            or tokens[at - 1].text in (")", "]", "}")
        )
    }


def _why_not_one_for_one(
    statement: Statement, level: Level, item: SearchItem, facts: Facts
) -> str | None:
    """Why the SELECT may not give one row for each hit; None if it does."""
    if level.combined or not (item.alone and item.plain):
        return "something else stands beside search()"
    for clause in ("group", "having", "window", "qualify", "using", "fetch"):
        if clause in level.clauses:
            return f"{clause.upper()} needs every hit"
    tokens = statement.of(level.clauses.get("select", Range(0, 0)))
    for at, token in enumerate(tokens):
        after = tokens[at + 1].text if at + 1 < len(tokens) else ""
        if token.word in ("distinct", "over", "select", "from"):
            return f"{token.text.upper()} in the list of columns"
        called = token.identifier if after == "(" and token.word not in GRAMMAR else None
        if called is not None and not facts.plain(called):
            return f"{token.text}() may not give one row for each hit"
    return None


def _is_ordered(level: Level) -> bool:
    """Whether the order of its rows matters to somebody, and something may disturb it."""
    return "limit" in level.clauses or ("where" in level.clauses and level.parent is None)


def _is_count(token: Token) -> bool:
    return token.kind == "parameter" or (token.kind == "number" and token.text.isdecimal())


def _is_ranked(order: Sequence[Token], alias: str, key: str) -> bool:
    """Whether BY _rank, or BY _score DESC, and then by what is unique or not at all.

    Beyond _rank or the key, which are unique, nothing matters.
    """
    words = [token.identifier or token.text for token in order]
    words = words[1:] if words[:1] == ["by"] else words
    by, unique = _next_by(words, alias), ["_rank"]
    if by[:2] == ["_score", "desc"]:
        if by[2:3] != [","]:
            return len(by) == 2
        by, unique = _next_by(by[3:], alias), ["_rank", key]
    if not by or by[0] not in unique:
        return False
    rest = by[2:] if by[1:2] == ["asc"] else by[1:]
    return not rest or rest[0] == ","


def _next_by(words: list[str], alias: str) -> list[str]:
    """The rest of an ORDER BY without what qualifies its first name."""
    return words[2:] if words[:2] == [alias, "."] else words


def _counts(level: Level) -> tuple[int, ...]:
    """The tokens of LIMIT and OFFSET, one each."""
    return tuple(level.clauses[name].start for name in ("limit", "offset") if name in level.clauses)
