"""How much do the indexes hold, and what does it take on disk?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hybridsearch.document_table import DocumentTable
from hybridsearch.files import size_of
from hybridsearch.inspection import folder_of
from hybridsearch.server.call import PATIENCE, Call, Route
from hybridsearch.server.fields import Field
from hybridsearch.server.figures import MEDIA
from hybridsearch.server.indexes import record_of
from hybridsearch.server.task_views import human, moment
from hybridsearch.server.tasks import STATUSES
from hybridsearch.server.wire import Refused, Reply, json_reply
from hybridsearch.store import IndexRecord
from hybridsearch.task_log import TaskFilter

FIELDS = (
    Field("showInternalDatabaseSizes", "boolean", "invalid_stats_show_internal_database_sizes",
          help="Also how large each part of an index is."),
    Field("sizeFormat", "text", "invalid_stats_size_format",
          help="How sizes on disk are written: raw or human."),
)  # fmt: skip


def all_stats(call: Call) -> Reply:
    """Figures of the whole database and of each index that the caller sees."""
    records = [record for record in call.db.store.indexes() if call.caller.sees(record.uid)]
    path = call.db.path
    own = path.stat().st_size if path is not None else 0
    beside = sum(size_of(folder) for record in records if (folder := _folder(call, record)))
    last = max((record.updated_at for record in records), default=None)
    return json_reply(
        {
            "databaseSize": _shown(call, own + beside),
            "usedDatabaseSize": _shown(call, own + beside),
            "lastUpdate": moment(last),
            "indexes": {record.uid: _stats(call, record) for record in records},
        }
    )


def index_stats(call: Call) -> Reply:
    """Figures of one index."""
    return json_reply(_stats(call, record_of(call)))


def _stats(call: Call, record: IndexRecord) -> dict[str, Any]:
    busy = TaskFilter(statuses=["processing"], indexes=[record.uid])
    documents = DocumentTable(call.db.store, record.number)
    if call.db.opening(record.uid, PATIENCE) is not None:
        return _unready(documents)
    snapshot = call.db.index(record.uid).snapshot()
    found: dict[str, Any] = {
        "numberOfDocuments": snapshot.count,
        "rawDocumentDbSize": documents.size(),
        "avgDocumentSize": documents.size() // max(snapshot.count, 1),
        "isIndexing": call.db.queue.find(busy, limit=1)[1] > 0,
        "numberOfEmbeddings": sum(arm.vectors.count for arm in snapshot.state.arms.values()),
        "numberOfEmbeddedDocuments": max(
            (arm.vectors.count for arm in snapshot.state.arms.values()), default=0
        ),
        "fieldDistribution": dict(sorted(documents.filled(snapshot.state.columns).items())),
    }
    if call.parameters.get("showInternalDatabaseSizes"):
        sizes = {"documents": documents.size(), **_parts(_folder(call, record))}
        found["internalDatabaseSizes"] = {k: _shown(call, size) for k, size in sizes.items()}
    return found


def _unready(documents: DocumentTable) -> dict[str, Any]:
    """What is known of an index whose files are being made anew."""
    count = len(documents.living())
    return {
        "numberOfDocuments": count,
        "rawDocumentDbSize": documents.size(),
        "avgDocumentSize": documents.size() // max(count, 1),
        "isIndexing": True,
        "numberOfEmbeddings": 0,
        "numberOfEmbeddedDocuments": 0,
        "fieldDistribution": {},
    }


def _folder(call: Call, record: IndexRecord) -> Path | None:
    return None if call.db.path is None else folder_of(call.db.path, record)


def _parts(folder: Path | None) -> Mapping[str, int]:
    """Bytes of each derived part of an index, in all its generations."""
    if folder is None or not folder.exists():
        return {}
    found: dict[str, int] = {}
    for part in folder.glob("*/*"):
        found[part.stem.lower()] = found.get(part.stem.lower(), 0) + size_of(part)
    return found


def _shown(call: Call, size: int) -> int | str:
    wanted = call.parameters.get("sizeFormat", "raw")
    if wanted not in ("raw", "human"):
        raise Refused(
            f"Invalid value in parameter `sizeFormat`: `{wanted:.80}` is neither `raw` nor `human`",
            code="invalid_stats_size_format",
        )
    return size if wanted == "raw" else human(size)


def metrics(call: Call) -> Reply:
    """The figures for Prometheus; of the indexes that the caller sees."""
    db = call.db
    seen = [record.uid for record in db.store.indexes() if call.caller.sees(record.uid)]
    tasks: dict[tuple[str, ...], float] = {
        ("statuses", status): db.queue.find(TaskFilter(statuses=[status]), limit=1)[1]
        for status in STATUSES
    }
    now: dict[str, dict[tuple[str, ...], float]] = {
        "meilisearch_index_count": {(): len(seen)},
        "meilisearch_index_docs_count": {(uid,): _count(call, uid) for uid in seen},
        "meilisearch_nb_tasks": tasks,
        "meilisearch_is_indexing": {(): 0 if db.queue.idle() else 1},
        "meilisearch_db_size_bytes": {(): db.path.stat().st_size if db.path else 0},
    }
    return Reply(call.services.figures.text(now), media=MEDIA)


def _count(call: Call, uid: str) -> int:
    if call.db.opening(uid, PATIENCE) is None:
        return call.db.index(uid).count()
    return len(DocumentTable(call.db.store, call.db.store.index(uid).number).living())


ROUTES: tuple[Route, ...] = (
    Route("GET", "/stats", "stats.get", all_stats, "Figures of everything.", parameters=FIELDS),
    Route(
        "GET",
        "/indexes/{uid}/stats",
        "stats.get",
        index_stats,
        "Figures of one index.",
        parameters=FIELDS,
    ),
    Route("GET", "/metrics", "metrics.get", metrics, "Figures for Prometheus."),
)
