"""A process that makes the operations of a history until it is killed.

    python -m tests.crash.load shop.duckdb SEED START

It says "ready" before it opens the database and then the number of each operation that is done.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.crash.world import World, open_database, operation, perform


def main(path: Path, seed: int, start: int) -> None:
    """Go on with the history from the operation `start`."""
    world = World()
    for number in range(start):
        world = world.after(operation(seed, number, world))
    say("ready")
    with open_database(path) as db:
        number = start
        while True:
            asked = operation(seed, number, world)
            perform(db, asked)
            say(str(number))
            world = world.after(asked)
            number += 1


def say(line: str) -> None:
    """One line, handed to the parent before anything else happens."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
