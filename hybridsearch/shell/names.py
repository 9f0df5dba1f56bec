"""Which words can come next in a statement that is being typed?

    names = Names.read(connection, indexes=["movies"])
    names.after("SELECT title FROM sea")         # (3, ["search"]): "sea" is to be replaced
    names.after("FROM search('mov")              # (3, ["movies"])

Inside the brackets of a function of ours its parameters come first, then columns, tables, indexes,
keywords, and whatever functions DuckDB has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hybridsearch.shell.answers import Speaker, StatementError, asked

__all__ = ["COMMANDS", "Names"]

COMMANDS = (".help", ".indexes", ".tables", ".mode", ".rows", ".timer", ".quit")
OWN_SCHEMA = "hybridsearch"
MOST = 100
MOST_NAMES = 100_000
CATALOG = f"""
SELECT DISTINCT 'column', column_name, NULL FROM duckdb_columns()
    WHERE NOT internal AND schema_name <> '{OWN_SCHEMA}'
UNION ALL SELECT DISTINCT 'table', table_name, NULL FROM duckdb_tables()
    WHERE NOT internal AND schema_name <> '{OWN_SCHEMA}'
UNION ALL SELECT DISTINCT 'table', view_name, NULL FROM duckdb_views()
    WHERE NOT internal AND schema_name <> '{OWN_SCHEMA}'
UNION ALL SELECT 'ours', function_name, array_to_string(parameters, ' ') FROM duckdb_functions()
    WHERE function_type LIKE '%macro' AND NOT internal
    AND NOT regexp_matches(function_name, '^(hybridsearch_.*|search_(inside|steady|holders))$')
UNION ALL SELECT 'keyword', keyword_name, NULL FROM duckdb_keywords()
UNION ALL SELECT DISTINCT 'function', function_name, NULL FROM duckdb_functions() WHERE internal
"""
WORDS = ("column", "table", "ours", "keyword", "function")

_word = re.compile(r"[^\W\d][\w$]*$")
_command = re.compile(r"\s*(\.\w*)$")
_plain = re.compile(r"[^\W\d]\w*").fullmatch
_opened_text = re.compile(r"'([^']*)$")
_call = re.compile(r"(\w+)\s*\(")


@dataclass(frozen=True)
class Names:
    """The words that there are, by kind; `parameters`: function of ours -> its parameters."""

    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    indexes: Sequence[str] = ()
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, connection: Speaker, *, indexes: Sequence[str]) -> Names | None:
        """What the connection knows now; None where it can say nothing, as after an error."""
        try:
            rows = asked(connection, CATALOG, {})
            assert rows is not None  # there is a statement in it
            with rows:
                found = rows.head(MOST_NAMES)
        except StatementError:
            return None
        words: dict[str, list[str]] = {kind: [] for kind in WORDS}
        parameters: dict[str, list[str]] = {}
        for kind, name, listed in sorted(found, key=str):
            words[str(kind)].append(str(name))
            if listed is not None:
                parameters[str(name)] = listed.split()
        return cls(words, tuple(indexes), parameters)

    def after(self, text: str) -> tuple[int, list[str]]:
        """(how many characters before the cursor to replace, by which words), likeliest first."""
        if command := _command.fullmatch(text):
            return len(command[1]), _beginning(command[1], COMMANDS)
        if text.count("'") % 2 and (inside := _opened_text.search(text)):
            return len(inside[1]), _beginning(inside[1], self.indexes)
        word = _word.search(text)
        typed = word[0] if word else ""
        offered = self._parameters(text[: len(text) - len(typed)])
        if typed:
            offered = [*offered, *self._listed(typed)]
        return len(typed), _beginning(typed, offered)

    def _parameters(self, before: str) -> list[str]:
        """Those of the innermost call of a function of ours that is still open."""
        depth = 0
        for place in range(len(before) - 1, -1, -1):
            depth += {")": 1, "(": -1}.get(before[place], 0)
            if depth < 0:
                call = _call.search(before, before.rfind("\n", 0, place) + 1, place + 1)
                names = [found[1] for found in _call.finditer(before[: place + 1])]
                known = self.parameters.get(names[-1].lower(), ()) if call and names else ()
                return [f"{name} := " for name in known]
        return []

    def _listed(self, typed: str) -> Iterator[str]:
        for kind in WORDS:
            for name in self.words.get(kind, ()):
                if kind in ("column", "table"):
                    yield name if _plain(name) else '"' + name.replace('"', '""') + '"'
                else:
                    yield name.upper() if kind == "keyword" and not typed.islower() else name


def _beginning(typed: str, words: Iterable[str]) -> list[str]:
    """The words that begin so, whatever their case, in their order and each once."""
    start = typed.lower()
    found = (word for word in words if word.lstrip('"').lower().startswith(start))
    return list(dict.fromkeys(found))[:MOST]
