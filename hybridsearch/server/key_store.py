"""Which keys are there, and which one has this value?

A key's value is HMAC-SHA256 of its uid under the master key, so it is never stored, is the same
after every start, and changes with the master key. The first start with a master key makes the
four keys that Meilisearch makes.

    keys = Keys(db.store, "master key")
    keys.with_value(keys.value(key))            # the key
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hybridsearch.errors import NotFound
from hybridsearch.jsontext import dumps, loads
from hybridsearch.store import Store, now

COLUMNS = "uid, name, description, actions, indexes, expires_at, created_at, updated_at"


@dataclass(frozen=True)
class Key:
    """One key: what it allows, on which indexes, until when. Times are UTC."""

    uid: str
    name: str | None
    description: str | None
    actions: tuple[str, ...]
    indexes: tuple[str, ...]
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now()


def fresh(
    *,
    actions: Sequence[str],
    indexes: Sequence[str],
    uid: str | None = None,
    name: str | None = None,
    description: str | None = None,
    expires_at: datetime | None = None,
) -> Key:
    """A key that begins now."""
    time = now()
    number = str(uuid.uuid4()) if uid is None else uid
    return Key(number, name, description, tuple(actions), tuple(indexes), expires_at, time, time)


DEFAULTS = (
    {
        "name": "Default Chat API Key",
        "description": "Use it to chat and search from the frontend",
        "actions": ("chatCompletions", "search"),
    },
    {
        "name": "Default Read-Only Admin API Key",
        "description": "Use it to read information across the whole database."
        " Caution! Do not expose this key on a public frontend",
        "actions": ("*.get", "keys.get"),
    },
    {
        "name": "Default Admin API Key",
        "description": "Use it for anything that is not a search operation."
        " Caution! Do not expose it on a public frontend",
        "actions": ("*",),
    },
    {
        "name": "Default Search API Key",
        "description": "Use it to search from the frontend",
        "actions": ("search",),
    },
)


class Keys:
    """The keys of one database, under one master key."""

    def __init__(self, store: Store, master_key: str) -> None:
        self._store = store
        self._master = master_key.encode()
        self._lock = threading.Lock()
        self._by_digest: Mapping[bytes, Key] = {}
        if not self.all():
            for given in DEFAULTS:
                self.add(fresh(indexes=("*",), **given))  # type: ignore[arg-type]  # as it stands above
        self._learn()

    def all(self) -> list[Key]:
        """Every key, the last one made first."""
        rows = (
            self._store.cursor()
            .execute(f"SELECT {COLUMNS} FROM hybridsearch.keys ORDER BY created_at DESC, uid")
            .fetchall()
        )
        return [_key(row) for row in rows]

    def value(self, key: Key) -> str:
        """What one sends to use the key."""
        return hmac.new(self._master, key.uid.encode(), hashlib.sha256).hexdigest()

    def with_value(self, value: str) -> Key | None:
        """The key of that value; looked up by digest, so that time tells nothing of the value."""
        return self._by_digest.get(_digest(value))

    def with_uid(self, uid: str) -> Key | None:
        """The key of that number."""
        return next((key for key in self._by_digest.values() if key.uid == uid), None)

    def find(self, name: str) -> Key:
        """The key that has this value or uid. Raises NotFound."""
        key = self.with_value(name) or self.with_uid(name)
        if key is None:
            raise NotFound(f"API key `{name:.80}` not found.", code="api_key_not_found")
        return key

    def add(self, key: Key) -> None:
        """Keep a new key; durable on return."""
        with self._lock, self._store.transaction() as cursor:
            cursor.execute(
                f"INSERT INTO hybridsearch.keys ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    *(key.uid, key.name, key.description, _list(key.actions), _list(key.indexes)),
                    *(key.expires_at, key.created_at, key.updated_at),
                ],
            )
        self._learn()

    def change(self, key: Key, *, name: str | None, description: str | None) -> Key:
        """Give the key another name and description; gives it back."""
        new = replace(key, name=name, description=description, updated_at=now())
        with self._lock, self._store.transaction() as cursor:
            cursor.execute(
                "UPDATE hybridsearch.keys SET name = ?, description = ?, updated_at = ?"
                " WHERE uid = ?",
                [new.name, new.description, new.updated_at, new.uid],
            )
        self._learn()
        return new

    def remove(self, key: Key) -> None:
        """Forget the key; whoever has it is out at once."""
        with self._lock, self._store.transaction() as cursor:
            cursor.execute("DELETE FROM hybridsearch.keys WHERE uid = ?", [key.uid])
        self._learn()

    def _learn(self) -> None:
        self._by_digest = {_digest(self.value(key)): key for key in self.all()}


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode(errors="surrogatepass")).digest()


def _list(texts: Sequence[str]) -> str:
    return dumps(list(texts)).decode()


def _key(row: tuple[Any, ...]) -> Key:
    uid, name, description, actions, indexes, *times = row
    return Key(uid, name, description, tuple(loads(actions)), tuple(loads(indexes)), *times)
