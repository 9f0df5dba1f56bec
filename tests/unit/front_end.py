"""What does the front end of a connection make of a statement, and when does it trust a file?"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from hybridsearch.sql.ahead import Ahead
from hybridsearch.sql.connection import Connection
from hybridsearch.sql.seen import column


def ahead(con: Connection, text: str, values: Any = None, *, later: bool = False) -> Ahead | None:
    """The statement with hits in the place of its searches; later: as a relation has it."""
    [step] = con._session.steps(text) or []
    reader = None if later else column(con._bare, sys._getframe())
    return con._session.ahead(con._session.lowered(step), step, values, reader)


def native(con: Connection, text: str) -> Any:
    """The result of the same by the functions alone, which know nothing of places and copies."""
    [step] = con._session.steps(text) or []
    return con._bare.execute(con._session.lowered(step).text)


def settle(path: Path) -> None:
    """Have the last commit lie so far back that the time of the database's files is trusted."""
    long_ago = time.time_ns() - 10**10
    for name in (path, Path(f"{path}.wal")):
        if name.exists():
            os.utime(name, ns=(long_ago, long_ago))
