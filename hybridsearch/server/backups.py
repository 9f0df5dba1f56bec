"""How are a dump and a snapshot asked for over HTTP?

Both are tasks. A dump goes to the folder `<database>.dumps` and can be read by other programs, a
snapshot to `<database>.snapshots` and is a database as it stands.
"""

from __future__ import annotations

from hybridsearch.chores import DUMP, SNAPSHOT
from hybridsearch.server.call import Call, Route
from hybridsearch.server.tasks import accepted
from hybridsearch.server.wire import Reply


def dump(call: Call) -> Reply:
    """Write everything into one file that other programs read."""
    return accepted(call.db.queue.submit(None, DUMP, arguments={}))


def snapshot(call: Call) -> Reply:
    """Copy the whole database."""
    return accepted(call.db.queue.submit(None, SNAPSHOT, arguments={}))


ROUTES: tuple[Route, ...] = (
    Route("POST", "/dumps", "dumps.create", dump, "Dump everything into a file.", status=202),
    Route("POST", "/snapshots", "snapshots.create", snapshot, "Copy the database.", status=202),
)
