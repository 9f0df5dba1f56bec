"""Can the source of a search index have changed since it was looked at last?

For tables in a file on disk, size and time of DuckDB's own files tell in microseconds whether
anything at all was committed; for files of the user's their own do. `Signs.of` gives what can be
compared, or None where nothing but reading the source tells: in memory, and where a query or view
reads more than tables of this database.

    signs.of(number, origin) == before      # nothing was committed in between
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from glob import glob
from typing import Any

from hybridsearch.errors import Conflict
from hybridsearch.origin import Origin
from hybridsearch.store import Store

__all__ = ["Sign", "Signs"]

Sign = tuple[tuple[str, int, int], ...]
"""(path, size, time of the last change in ns) of each file."""
SETTLED = 2.0
"""So many seconds after a file's last change its size and time are trusted: DuckDB writes a commit
before others see it."""
TABLES = ("SEQ_SCAN", "INDEX_SCAN")
NOTHING = ("DUMMY_SCAN", "EMPTY_RESULT", "COLUMN_DATA_SCAN", "DELIM_SCAN")


class Signs:
    """The signs of change of the sources of one database; any thread may ask."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._own_files = [str(store.path), f"{store.path}.wal"]
        self._plain: dict[tuple[int, str], bool] = {}

    def of(self, number: int, origin: Origin) -> Sign | None:
        """What changes with the source of index `number`; None when that cannot be told."""
        path = self._store.path
        if origin.definition.kind == "files":
            found = _files(origin.source)
        elif path is None or not self._reads_own_tables(number, origin):
            return None
        else:
            found = []
        if path is not None:
            found += self._own_files
        sign = tuple(_sign(name) for name in found)
        newest = max((at for _, _, at in sign), default=0)
        return sign if sign and time.time_ns() - newest > SETTLED * 1e9 else None

    def _reads_own_tables(self, number: int, origin: Origin) -> bool:
        """Whether the source is made of tables of this database, and of nothing else."""
        key = (number, origin.total)
        if key not in self._plain:
            try:
                self._plain[key] = self._looked(origin)
            except Conflict:  # whoever reads it next will say so
                return False
        return self._plain[key]

    def _looked(self, origin: Origin) -> bool:
        cursor = self._store.cursor()
        with origin.reading():
            [(_, plan)] = cursor.execute(f"EXPLAIN (FORMAT json) {origin.total}").fetchall()
        [(own,)] = cursor.execute("SELECT current_database()").fetchall()
        return all(_is_own(leaf, own) for leaf in _leaves(json.loads(plan)))


def _files(source: str) -> list[str]:
    """The files that a path in quotes means; none for what is no local file."""
    pattern = source[1:-1].replace("''", "'")
    return sorted(glob(os.path.expanduser(pattern), recursive=True))


def _sign(path: str) -> tuple[str, int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return path, -1, 0
    return path, found.st_size, found.st_mtime_ns


def _leaves(plan: Any) -> Iterator[Mapping[str, Any]]:
    for node in plan if isinstance(plan, list) else [plan]:
        if node["children"]:
            yield from _leaves(node["children"])
        else:
            yield node


def _is_own(leaf: Mapping[str, Any], catalog: str) -> bool:
    name = str(leaf["name"]).strip()
    table = str(leaf.get("extra_info", {}).get("Table", ""))
    return name in NOTHING or (name in TABLES and table.startswith(f"{catalog}."))
