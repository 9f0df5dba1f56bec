"""Which rows of a table were written since its index was refreshed, without reading the table?

For `refresh = 'auto'`: triggers on the user's table put the key of each row that is inserted,
updated or deleted into a table of ours, in the user's own transaction, from whatever program.
DuckDB refuses ON CONFLICT DO UPDATE, MERGE and renaming on a table with such triggers, so it has
to be asked for. Triggers can vanish, with the table or in an EXPORT; that is noticed.

    log.count(cursor)          # how many rows were written, or None
    log.seen(cursor)           # takes down what is in the log; gives the table that names it
    log.settle(cursor)         # inside the transaction that makes it true: that much is done
"""

from __future__ import annotations

import duckdb

from hybridsearch.definition import Definition
from hybridsearch.errors import SettingsError
from hybridsearch.origin import Origin, first_line
from hybridsearch.store import Connection, quoted

__all__ = ["ChangeLog"]

EVENTS = {"insert": ("new",), "update": ("new", "old"), "delete": ("old",)}


class ChangeLog:
    """The log of index `number`."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._table = f"hybridsearch.changes_{number}"
        self._sequence = f"hybridsearch.change_{number}"
        self._seen = f"hybridsearch_seen_{number}"

    def create(self, cursor: Connection, definition: Definition) -> None:
        """Make log and triggers, inside the caller's transaction; what is there stays.

        Raises SettingsError when DuckDB cannot have them on the source.
        """
        cursor.execute(f"CREATE SEQUENCE IF NOT EXISTS {self._sequence}")
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {self._table}"
            f" (n BIGINT DEFAULT nextval('{self._sequence}'), id VARCHAR)"
        )
        missing = EVENTS.keys() - self._triggers(cursor).keys()
        if missing:
            self.mark(cursor)
        try:
            for event in missing:
                cursor.execute(self._trigger(event, definition))
        except duckdb.Error as error:
            raise SettingsError(
                f"refresh = 'auto' needs a table that can have triggers; {definition.shown}:"
                f" {first_line(error)}",
                field="refresh",
            ) from error

    def drop(self, cursor: Connection) -> None:
        """Remove triggers and log, inside the caller's transaction."""
        for event, (schema, table) in self._triggers(cursor).items():
            on = f"{quoted(schema)}.{quoted(table)}"
            cursor.execute(f"DROP TRIGGER {self._name(event)} ON {on}")
        cursor.execute(f"DROP TABLE IF EXISTS {self._table}")
        cursor.execute(f"DROP SEQUENCE IF EXISTS {self._sequence}")

    def mark(self, cursor: Connection) -> None:
        """Let any row count as written, inside the caller's transaction.

        A null in the log says so. It goes when a refresh of all rows is done, so whatever breaks
        one off, the next does not trust the log.
        """
        cursor.execute(f"INSERT INTO {self._table} (id) VALUES (NULL)")

    def there(self, cursor: Connection) -> bool:
        """Whether there are triggers for every kind of write."""
        return self._triggers(cursor).keys() == EVENTS.keys()

    def count(self, cursor: Connection) -> int | None:
        """How many rows were written since the last refresh; None where the log cannot tell."""
        if not self.there(cursor):
            return None
        [(count, marks)] = cursor.execute(
            f"SELECT count(DISTINCT id), count(*) - count(id) FROM {self._table}"
        ).fetchall()
        return None if marks else int(count)

    def seen(self, cursor: Connection) -> str:
        """A temporary table of the cursor's with (n, id) of what is in the log now."""
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE {self._seen} AS FROM {self._table}")
        return self._seen

    def settle(self, cursor: Connection) -> None:
        """Remove what was seen from the log, inside the caller's transaction."""
        cursor.execute(f"DELETE FROM {self._table} WHERE n IN (SELECT n FROM {self._seen})")

    def _name(self, event: str) -> str:
        return f"hybridsearch_{self._number}_{event}"

    def _triggers(self, cursor: Connection) -> dict[str, tuple[str, str]]:
        """event -> (schema, table) of our triggers."""
        rows = cursor.execute(
            "SELECT trigger_name, schema_name, table_name FROM duckdb_triggers()"
            " WHERE database_name = current_database()"
        ).fetchall()
        known = {name: (schema, table) for name, schema, table in rows}
        names = {event: self._name(event) for event in EVENTS}
        return {event: known[name] for event, name in names.items() if name in known}

    def _trigger(self, event: str, definition: Definition) -> str:
        states = EVENTS[event]
        named = " ".join(f"{state.upper()} TABLE AS {state}_rows" for state in states)
        key = Origin(definition).id
        ids = " UNION ALL ".join(f"SELECT {key} FROM {state}_rows" for state in states)
        return (
            f"CREATE TRIGGER {self._name(event)} AFTER {event.upper()} ON {definition.source}"
            f" REFERENCING {named} FOR EACH STATEMENT INSERT INTO {self._table} (id) ({ids})"
        )
