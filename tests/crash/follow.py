"""A process that edits a table and refreshes an index over it until it is killed.

    python -m tests.crash.follow shop.duckdb SEED

It says "ready" once the index is there, made if need be.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import hybridsearch
from hybridsearch import Item, refreshing
from tests.crash.load import say

PART = 40
"""Rows that one task of a refresh takes here, so that a refresh has many."""
TABLE = "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, title VARCHAR, e FLOAT[2])"
ITEMS = ("title", Item("e", kind="VECTOR"))


def main(path: Path, seed: int) -> None:
    """Edit and refresh for ever."""
    refreshing.PART = PART
    chance = random.Random(seed)
    with hybridsearch.open(path, default_embedder=None) as db, db.connect() as con:
        con.execute(TABLE)
        db.create_search_index("i", "t", ITEMS, if_not_exists=True)
        say("ready")
        while True:
            low = chance.randrange(300)
            word, high = f"word{chance.randrange(9)}", low + chance.randrange(200)
            con.execute(
                "INSERT OR REPLACE INTO t SELECT i, ? || ' ' || i, [i, 1] FROM range(?, ?) r(i)",
                [word, low, high],
            )
            con.execute("DELETE FROM t WHERE id % 7 = ?", [chance.randrange(7)])
            db.refresh_search_index("i", full=chance.random() < 0.2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
