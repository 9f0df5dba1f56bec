"""Who is to be told when tasks are finished?

hooks = Webhooks(db.store)
hooks.save(Webhook(str(uuid4()), "https://example.com/hook", {"Authorization": "Bearer x"}))
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from hybridsearch.errors import NotFound
from hybridsearch.jsontext import dumps, loads
from hybridsearch.store import Store

MOST = 20
MOST_HEADERS = 200


@dataclass(frozen=True)
class Webhook:
    """One address that finished tasks are sent to, with the headers to send."""

    uuid: str
    url: str
    headers: Mapping[str, str]


class Webhooks:
    """The webhooks of one database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()

    def all(self) -> list[Webhook]:
        """Every webhook, by number."""
        rows = (
            self._store.cursor()
            .execute("SELECT uuid, url, headers FROM hybridsearch.webhooks ORDER BY uuid")
            .fetchall()
        )
        return [Webhook(uuid, url, loads(headers)) for uuid, url, headers in rows]

    def find(self, uuid: str) -> Webhook:
        """The webhook of that number. Raises NotFound."""
        for webhook in self.all():
            if webhook.uuid == uuid:
                return webhook
        raise NotFound(f"Webhook `{uuid}` not found.", code="webhook_not_found")

    def save(self, webhook: Webhook) -> None:
        """Keep a new webhook, or write over the one of the same number; durable on return."""
        with self._lock, self._store.transaction() as cursor:
            cursor.execute("DELETE FROM hybridsearch.webhooks WHERE uuid = ?", [webhook.uuid])
            cursor.execute(
                "INSERT INTO hybridsearch.webhooks (uuid, url, headers) VALUES (?, ?, ?)",
                [webhook.uuid, webhook.url, dumps(dict(webhook.headers)).decode()],
            )

    def remove(self, webhook: Webhook) -> None:
        """Forget the webhook."""
        with self._lock, self._store.transaction() as cursor:
            cursor.execute("DELETE FROM hybridsearch.webhooks WHERE uuid = ?", [webhook.uuid])
