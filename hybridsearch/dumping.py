"""How does everything leave a database in a form that other programs read?

A dump is one tar.gz: for each index its documents as JSON lines, with the vectors that came with
them, and its settings; the keys, without their values; webhooks and switches of features. Secrets
of embedders and webhooks are in it in full.

    metadata.json  keys.jsonl  webhooks.json  experimental-features.json
    indexes/<name>/  metadata.json  settings.json  documents.jsonl

`hybridsearch serve DB --import-dump FILE` makes a database of it again (`restoring`), and
`hybridsearch index DB NAME documents.jsonl --settings settings.json` takes in one index.

    write_dump(store, Path("shop.duckdb.dumps"), Course())   # "20261122-153000123"
"""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hybridsearch.course import Course
from hybridsearch.document_table import Document, DocumentTable
from hybridsearch.files import make_folder, refused, sync_folder
from hybridsearch.intake import VECTORS
from hybridsearch.jsontext import dumps, loads
from hybridsearch.store import IndexRecord, Store, now

CHUNK = 10_000
FORMAT = "V6"
SUFFIX = ".dump"


def write_dump(store: Store, folder: Path, course: Course) -> str:
    """Write everything that the database holds into a new file of the folder; gives its name.

    Raises StorageError when the disk refuses, and Stopped; no file is left then.
    """
    make_folder(folder)
    uid = now().strftime("%Y%m%d-%H%M%S%f")[:-3]
    with _placed(folder / f"{uid}{SUFFIX}") as fresh, tarfile.open(fresh, "w:gz") as tar:
        _add(tar, "metadata.json", dumps({"dumpVersion": FORMAT, "dumpDate": _time(now())}))
        _add(tar, "keys.jsonl", b"".join(_keys(store)))
        _add(tar, "webhooks.json", dumps({"webhooks": _webhooks(store)}))
        _add(tar, "experimental-features.json", dumps(store.features()))
        for record in store.indexes():
            _add_index(tar, store, record, folder, course)
    return uid


@contextmanager
def _placed(path: Path) -> Iterator[Path]:
    """A file to write that is put in place when it is whole."""
    fresh = path.with_suffix(".tmp")
    try:
        yield fresh
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise refused(path, error) from error
    finally:
        fresh.unlink(missing_ok=True)


def _add_index(
    tar: tarfile.TarFile, store: Store, record: IndexRecord, folder: Path, course: Course
) -> None:
    place = f"indexes/{record.uid}"
    metadata = {
        "uid": record.uid,
        "primaryKey": record.primary_key,
        "createdAt": _time(record.created_at),
        "updatedAt": _time(record.updated_at),
    }
    _add(tar, f"{place}/metadata.json", dumps(metadata))
    _add(tar, f"{place}/settings.json", dumps(record.settings.to_storage()))
    documents, done = DocumentTable(store, record.number), 0
    with tempfile.TemporaryFile(dir=folder) as file:
        for chunk in documents.born_since(-1, size=CHUNK):
            course.at(f"dumping {record.uid}", done, len(documents.living()))
            file.writelines(_line(document) for document in chunk)
            done += len(chunk)
        _add_file(tar, f"{place}/documents.jsonl", file)


def _line(document: Document) -> bytes:
    """The document as it was sent, with its vectors; one line, for JSON needs no line ends."""
    if not document.vectors and b"\n" not in document.body:
        return document.body + b"\n"
    fields = loads(document.body)
    if document.vectors:
        fields[VECTORS] = {
            name: {"embeddings": vectors, "regenerate": False}
            for name, vectors in document.vectors.items()
        }
    return dumps(fields) + b"\n"


def _keys(store: Store) -> Iterator[bytes]:
    names = ("uid", "name", "description", "actions", "indexes", "expires_at", "created_at")
    rows = store.cursor().execute(f"SELECT {', '.join(names)} FROM hybridsearch.keys").fetchall()
    for uid, name, description, actions, indexes, *times in rows:
        expires, created = (time and _time(time) for time in times)
        key = {"uid": uid, "name": name, "description": description}
        key |= {"actions": loads(actions), "indexes": loads(indexes)}
        yield dumps({**key, "expiresAt": expires, "createdAt": created}) + b"\n"


def _webhooks(store: Store) -> dict[str, Any]:
    rows = store.cursor().execute("SELECT uuid, url, headers FROM hybridsearch.webhooks").fetchall()
    return {uuid: {"url": url, "headers": loads(headers)} for uuid, url, headers in rows}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    _add_file(tar, name, io.BytesIO(data))


def _add_file(tar: tarfile.TarFile, name: str, file: Any) -> None:
    member = tarfile.TarInfo(name)
    member.size = file.seek(0, os.SEEK_END)
    member.mtime = int(now().timestamp())
    file.seek(0)
    tar.addfile(member, file)


def _time(time: Any) -> str:
    return str(time.isoformat()) + "Z"
