"""A process that writes a little of everything, while the disk may refuse any of it.

    python -m tests.crash.scenario

Each line that it reads is the path of a database that is to be made. It forks a process, which
makes the short history there and says for each operation "done N" when it was acknowledged and
"refused N" when it raised one of our errors; any other error ends it with a traceback. Then it
says "exit" with the process's status. Forking saves starting Python anew for hundreds of runs.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import traceback
from pathlib import Path

from hybridsearch.errors import NotFound, StorageError
from tests.crash.load import say
from tests.crash.world import open_database, perform, short_history

LONGEST = 40


def main() -> None:
    """Run the scenario for each path on the standard input."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(run(Path(line.strip())))
        say(f"exit {os.waitpid(child, 0)[1]}")


def run(path: Path) -> int:
    """Make the history; 1 after an error that is none of ours."""
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    try:
        write(path)
    except StorageError as error:
        say(f"ended {type(error).__name__}: {error}")
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def write(path: Path) -> None:
    """Make every operation of the short history, whatever became of those before it."""
    with open_database(path) as db:
        for number, asked in enumerate(short_history()):
            try:
                perform(db, asked)
                say(f"done {number}")
            except (StorageError, NotFound) as error:
                say(f"refused {number} {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
