"""What a dump or a snapshot held is there again; what is damaged or foreign leaves nothing."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch.errors import Conflict, HybridSearchError, InputError, NotFound
from hybridsearch.restoring import Imported, clear, import_dump, import_snapshot
from hybridsearch.server import app_for
from hybridsearch.store import Store
from tests.server.conftest import MASTER, succeeded
from tests.server.test_serving import ROOT, SERVE, address, served

BODIES = [
    b'{"title": "Alien", "id": 1, "year": 1979, "n": 123456789012345678901234567890}',
    b'{"id": 2, "title": "\\u0055p", "deep": {"a": [1, {"b": null}]}, "price": 1.50}',
    b'{"id":\n3, "title": "Amelie\\nPoulain", "_vectors": {"mine": [1.0, 0.5]}}',
    b'{"id": 4, "title": "lone", "_vectors": {"later": [1, 2, 3], "mine": [[0, 1], [1, 1]]}}',
]
SETTINGS: dict[str, Any] = {
    "searchableAttributes": ["title"],
    "filterableAttributes": ["year", {"attributePatterns": ["deep.*"]}],
    "stopWords": ["the"],
    "typoTolerance": {"disableOnNumbers": True},
    "synonyms": {"film": ["movie"]},
    "rankingRules": ["words", "typo", "year:desc"],
    "pagination": {"maxTotalHits": 7},
    "embedders": {
        "mine": {"source": "userProvided", "dimensions": 2},
    },
    "boost": "1 + year",
    "faceting": {"maxValuesPerFacet": 5},
}
HOOK = {"url": "http://127.0.0.1:9/hook", "headers": {"Authorization": "Bearer secret"}}
KEY = {"actions": ["search"], "indexes": ["films*"], "expiresAt": "2099-01-01T00:00:00Z"}
META = (
    '{"uid": "films", "primaryKey": "id", "createdAt": "2023-07-06T07:07:41.364694123Z",'
    ' "updatedAt": "2023-07-06T09:07:41+02:00"}'
)
FOREIGN = {
    "./metadata.json": '{"dumpVersion": "V6", "dbVersion": "1.50.0"}',
    "./instance_uid.uuid": "6a350146-4a84-4713-8f1c-53ae9997c74b",
    "./tasks/queue.jsonl": '{"uid": 0}\n',
    "./keys.jsonl": '{"description": null, "name": "mine", "uid":'
    ' "db7bcc81-78a5-44ac-b1a7-7364c28d91ae", "actions": ["search"], "indexes": ["*"],'
    ' "expires_at": null, "created_at": "2023-07-06T07:05:24.146989Z", "updated_at":'
    ' "2023-07-06T07:05:24.146989Z"}\n',
    "./experimental-features.json": '{"vectorStore": true}',
    "./webhooks.json": '{"webhooks": {"627ea538-733d-4545-8d2d-03526eb381ce":'
    ' {"url": "http://127.0.0.1:9/", "headers": {}}}}',
    "./indexes/films/documents.jsonl": '{"id": 1, "title": "Alien"}\n{"id": 2, "title": "Up"}\n',
    "./indexes/none/documents.jsonl": "",
    "./indexes/none/settings.json": "{}",
    "./indexes/films/settings.json": '{"rankingRules": ["words", "attribute"], "stopWords": null,'
    ' "faceting": {"maxValuesPerFacet": 9}, "colour": "red"}',
    "./indexes/films/metadata.json": META,
    "./indexes/none/metadata.json": META.replace('"id"', "null"),
}
"""A dump as Meilisearch writes it: other names of times, parts that mean nothing here."""


def packed(path: Path, parts: Mapping[str, str]) -> Path:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, text in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    path.write_bytes(gzip.compress(whole.getvalue()))
    return path


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    return packed(tmp_path / "foreign.dump", FOREIGN)


@pytest.fixture
def dump(path: Path) -> Path:
    """A dump of a database with two indexes, which is at `path`."""
    with (
        hybridsearch.open(path, default_embedder=None) as db,
        TestClient(app_for(db, master_key=MASTER)) as client,
    ):
        client.headers["Authorization"] = f"Bearer {MASTER}"
        succeeded(client, client.patch("/indexes/films/settings", json=SETTINGS))
        lines = b"[" + b",".join(BODIES) + b"]"
        kind = {"Content-Type": "application/json"}
        films = "/indexes/films/documents"
        succeeded(client, client.post(films, content=lines, headers=kind))
        succeeded(client, client.post("/indexes", json={"uid": "empty-1.2"}))
        assert client.post("/keys", json=KEY).status_code == 201
        assert client.post("/webhooks", json=HOOK).status_code == 201
        client.patch("/experimental-features", json={"metrics": True})
        task = succeeded(client, client.post("/dumps"))
    return path.with_name(f"{path.name}.dumps") / f"{task['details']['dumpUid']}.dump"


def contents(path: Path) -> dict[str, Any]:
    """All that a dump keeps of a database."""
    with hybridsearch.open(path, default_embedder=None) as db:
        store = db.store
        found: dict[str, Any] = {
            record.uid: (record.primary_key, record.settings.to_storage(), record.created_at)
            for record in store.indexes()
        }
        films = db.index("films").snapshot()
        rows = films.page(hybridsearch.SearchRequest(limit=100))[0]
        found["documents"] = films.documents(rows)
        found["vectors"] = films.vectors(rows)
        table = f"hybridsearch.documents_{store.index('films').number}"
        bodies = f"SELECT body FROM {table} WHERE died IS NULL ORDER BY row"
        found["bodies"] = store.cursor().execute(bodies).fetchall()
        for table in ("keys", "webhooks"):
            rows_of = f"SELECT * FROM hybridsearch.{table} ORDER BY ALL"
            found[table] = store.cursor().execute(rows_of).fetchall()
        found["features"] = store.features()
        found["by meaning"] = [hit.id for hit in films.search(NEAR)]
    return found


NEAR = hybridsearch.SearchRequest(mode="semantic", vector=[1.0, 0.5], embedder="mine")


def problems(path: Path) -> list[str]:
    """What is wrong with the index that has documents; the files of an empty one come later."""
    return [line for line in hybridsearch.check(path) if line.startswith("films")]


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_a_dump_gives_the_database_again(dump: Path, path: Path, tmp_path: Path) -> None:
    again = tmp_path / "fresh" / "shop.duckdb"
    counted: list[int] = []
    found = import_dump(again, dump, progress=counted.append, default_embedder=None)
    assert found == Imported(indexes=2, documents=4)
    assert sum(counted) == 4
    assert names(again.parent) == {"shop.duckdb", "shop.duckdb.search"}
    assert contents(again) == contents(path)
    assert problems(again) == []


def test_a_dump_of_a_dump_is_the_same(dump: Path, path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.duckdb"
    import_dump(again, dump, default_embedder=None)
    with (
        hybridsearch.open(again, default_embedder=None) as db,
        TestClient(app_for(db)) as client,
    ):
        uid = succeeded(client, client.post("/dumps"))["details"]["dumpUid"]
    second = again.with_name(f"{again.name}.dumps") / f"{uid}.dump"
    parts = []
    for file in (dump, second):
        with tarfile.open(file) as tar:
            members = {name: tar.extractfile(name) for name in tar.getnames()}
            parts.append({name: part.read() for name, part in members.items() if part})
    for one in parts:
        del one["metadata.json"]
        for uid in ("films", "empty-1.2"):
            metadata = json.loads(one[f"indexes/{uid}/metadata.json"])
            assert metadata.pop("updatedAt")
            one[f"indexes/{uid}/metadata.json"] = json.dumps(metadata).encode()
    assert parts[0] == parts[1]


def test_a_dump_of_meilisearch_is_imported(foreign: Path, path: Path) -> None:
    found = import_dump(path, foreign, default_embedder=None)
    assert (found.indexes, found.documents) == (2, 2)
    assert found.left == ("setting colour of index films is not known here",)
    with hybridsearch.open(path, default_embedder=None) as db:
        films = db.index("films")
        assert [hit.id for hit in films.search("alien")] == [1]
        settings = films.settings.to_json()
        assert settings["rankingRules"] == ["words", "attribute"]
        assert settings["maxValuesPerFacet"] == 9
        record = db.store.index("films")
        assert record.created_at.isoformat() == "2023-07-06T07:07:41.364694"
        assert record.updated_at.isoformat() == "2023-07-06T07:07:41"
        assert db.index("none").primary_key is None
        assert db.store.features() == {"vectorStore": True}
        with TestClient(app_for(db, master_key=MASTER)) as client:
            client.headers["Authorization"] = f"Bearer {MASTER}"
            assert [key["name"] for key in client.get("/keys").json()["results"]] == ["mine"]
            [hook] = client.get("/webhooks").json()["results"]
            assert hook["url"] == "http://127.0.0.1:9/"


# What cannot come in


UNFIT: dict[str, tuple[dict[str, str | None], type[HybridSearchError], str]] = {
    "an older format": (
        {"metadata.json": '{"dumpVersion": "V5", "dbVersion": "0.29.0"}'},
        InputError,
        "format is V5, written by Meilisearch 0.29.0",
    ),
    "no metadata": ({"metadata.json": None}, InputError, "it has no metadata.json"),
    "metadata of another shape": ({"metadata.json": "[]"}, InputError, "format is None"),
    "metadata that is no JSON": ({"metadata.json": "{"}, InputError, "is no JSON"),
    "no settings": (
        {"indexes/films/settings.json": None},
        InputError,
        "index films lacks its settings.json",
    ),
    "settings of another shape": (
        {"indexes/films/settings.json": "[]"},
        InputError,
        "index films: its metadata or settings are damaged",
    ),
    "unfit settings": (
        {"indexes/films/settings.json": '{"stopWords": 7}'},
        HybridSearchError,
        "index films: ",
    ),
    "an index without a time": (
        {"indexes/films/metadata.json": '{"primaryKey": null}'},
        InputError,
        "index films: its metadata or settings are damaged",
    ),
    "an unfit document": (
        {"indexes/films/documents.jsonl": '{"id": 1}\n{"id": []}\n'},
        HybridSearchError,
        "index films: ",
    ),
    "a document that is no JSON": (
        {"indexes/films/documents.jsonl": '{"id": 1}\n{"id": \n'},
        HybridSearchError,
        "index films: ",
    ),
    "keys that are no JSON": ({"keys.jsonl": "{"}, InputError, "keys, webhooks or features"),
    "keys of another shape": (
        {"keys.jsonl": '{"uid": "x", "actions": "all", "indexes": [], "created_at": "2023-01-01"}'},
        InputError,
        "keys, webhooks or features are damaged",
    ),
    "webhooks of another shape": ({"webhooks.json": '{"webhooks": []}'}, InputError, "are damaged"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_an_unfit_dump_is_named_and_leaves_nothing(path: Path, tmp_path: Path, kind: str) -> None:
    parts, error, message = UNFIT[kind]
    given: dict[str, str | None] = {**FOREIGN, **{f"./{name}": t for name, t in parts.items()}}
    file = packed(tmp_path / "a.dump", {name: t for name, t in given.items() if t is not None})
    refused(lambda: import_dump(path, file, default_embedder=None), error, str(file), message)
    assert names(tmp_path) == {"a.dump"}


def refused(act: Callable[[], object], kind: type[HybridSearchError], *said: str) -> None:
    with pytest.raises(kind) as caught:
        act()
    assert all(text in caught.value.message for text in said), caught.value.message


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_a_dump_that_breaks_off_is_damaged(foreign: Path, path: Path, share: float) -> None:
    whole = foreign.read_bytes()
    foreign.write_bytes(whole[: int(share * len(whole))])
    refused(lambda: import_dump(path, foreign), InputError, str(foreign), "POST /dumps")
    assert names(path.parent) == {"foreign.dump"}


def test_a_changed_byte_is_found(foreign: Path, path: Path) -> None:
    whole = foreign.read_bytes()
    for at in range(10, len(whole), 25):
        foreign.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        refused(lambda: import_dump(path, foreign), InputError, str(foreign))
        assert names(path.parent) == {"foreign.dump"}


def test_names_in_a_dump_lead_nowhere(path: Path, tmp_path: Path) -> None:
    stray = {"../evil.json": "1", "indexes/../../keys.jsonl": "1", "/tmp/settings.json": "1"}
    file = packed(tmp_path / "a.dump", {**FOREIGN, **stray})
    assert import_dump(path, file, default_embedder=None).indexes == 2
    assert names(tmp_path) == {"a.dump", path.name, f"{path.name}.search"}


def test_a_part_that_comes_twice_is_refused(path: Path, tmp_path: Path) -> None:
    file = packed(tmp_path / "a.dump", {**FOREIGN, "keys.jsonl": ""})
    refused(lambda: import_dump(path, file), InputError, "keys.jsonl stands in it twice")


def test_dumps_and_snapshots_are_told_apart(dump: Path, path: Path, tmp_path: Path) -> None:
    fresh, none = tmp_path / "fresh.duckdb", tmp_path / "none.dump"
    refused(lambda: import_dump(fresh, path), InputError, "goes to --import-snapshot")
    refused(lambda: import_snapshot(fresh, dump), InputError, "goes to --import-dump")
    text = tmp_path / "notes.txt"
    text.write_text("a text")
    refused(lambda: import_dump(fresh, text), InputError, "is no tar.gz")
    refused(lambda: import_snapshot(fresh, text), InputError, "must be a DuckDB file")
    refused(lambda: import_dump(fresh, none), NotFound, f"there is no dump at {none}")
    refused(lambda: import_snapshot(fresh, none), NotFound, "there is no snapshot")
    refused(lambda: import_dump(fresh, tmp_path), InputError, str(tmp_path))
    assert not fresh.exists()


def test_a_database_that_is_there_is_left_alone(dump: Path, path: Path) -> None:
    before = contents(path)
    refused(lambda: import_dump(path, dump), Conflict, f"there is a database at {path} already")
    refused(lambda: import_snapshot(path, path), Conflict, "already")
    assert contents(path) == before


def test_an_import_that_is_interrupted_leaves_nothing(foreign: Path, path: Path) -> None:
    def stop(documents: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dump(path, foreign, progress=stop, default_embedder=None)
    assert names(path.parent) == {"foreign.dump"}


def test_what_a_killed_import_left_is_no_hindrance(foreign: Path, path: Path) -> None:
    left = path.with_name(f"{path.name}.import")
    left.write_bytes(b"half a database")
    for folder in (
        f"{path.name}.import.parts",
        f"{path.name}.import.search",
        f"{path.name}.search",
    ):
        path.with_name(folder).mkdir()
        (path.with_name(folder) / "7").write_text("stale")
    assert import_dump(path, foreign, default_embedder=None).documents == 2
    assert names(path.parent) == {"foreign.dump", path.name, f"{path.name}.search"}
    assert problems(path) == []


def test_what_an_import_left_that_was_killed_at_its_end_is_removed(path: Path) -> None:
    left = path.with_name(f"{path.name}.import")
    left.write_bytes(b"the same database")
    clear(path)  # whose import may still be under way
    assert names(path.parent) == {left.name}
    hybridsearch.open(path).close()
    clear(path)
    assert names(path.parent) == {path.name}


MANY = 20_000
IMPORT = """
import sys
from pathlib import Path
from hybridsearch.restoring import import_dump
import_dump(Path(sys.argv[1]), Path(sys.argv[2]), default_embedder=None)
"""


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_a_killed_import_leaves_nothing_or_everything(tmp_path: Path, share: float) -> None:
    lines = "".join(f'{{"id": {n}, "title": "film number {n}"}}\n' for n in range(MANY))
    dump = packed(tmp_path / "many.dump", {**FOREIGN, "./indexes/films/documents.jsonl": lines})

    def start(path: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", IMPORT, path, dump], cwd=ROOT)

    began = time.monotonic()
    with start(tmp_path / "whole.duckdb") as whole:
        assert whole.wait() == 0
    taken = time.monotonic() - began
    path = tmp_path / "shop.duckdb"
    with start(path) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(taken * share)
        process.kill()
    if not path.exists():
        import_dump(path, dump, default_embedder=None)
    with hybridsearch.open(path, default_embedder=None) as db:
        assert db.index("films").search("film", limit=1).total == MANY
        assert len(db.store.cursor().execute("FROM hybridsearch.keys").fetchall()) == 1
    assert problems(path) == []


# Snapshots, and the command


def test_a_snapshot_gives_the_database_again(dump: Path, path: Path, tmp_path: Path) -> None:
    with (
        hybridsearch.open(path, default_embedder=None) as db,
        TestClient(app_for(db)) as client,
    ):
        succeeded(client, client.post("/snapshots"))
    snapshot = path.with_name(f"{path.name}.snapshots") / path.name
    again = tmp_path / "again.duckdb"
    assert import_snapshot(again, snapshot, default_embedder=None) == Imported(2, 4)
    assert contents(again) == contents(path)
    assert problems(again) == []


def test_a_damaged_snapshot_is_named(path: Path, tmp_path: Path) -> None:
    Store.open(path).close()
    half = tmp_path / "half.duckdb"
    half.write_bytes(path.read_bytes()[:9000])
    again = tmp_path / "again.duckdb"
    refused(lambda: import_snapshot(again, half), HybridSearchError, str(half))
    assert names(tmp_path) == {path.name, "half.duckdb"}


def test_serve_imports_first(foreign: Path, path: Path) -> None:
    option = ["--import-dump", str(foreign)]
    command = [*SERVE, *option, str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT, text=True) as process:
        try:
            url = address(process)
            found = httpx2.get(f"{url}/indexes/films/documents/2", timeout=60).json()
        finally:
            process.kill()
    assert found == {"id": 2, "title": "Up"}
    ended = subprocess.run(command, capture_output=True, cwd=ROOT, text=True, check=False)
    assert ended.returncode == 2
    assert "there is a database at" in ended.stderr
    with served(path, *option, "--ignore-dump-if-db-exists") as (_, client):
        assert client.get("/indexes/films/documents/1").json()["title"] == "Alien"
    path.unlink()
    missing = ["--import-snapshot", "none.duckdb", "--ignore-missing-snapshot"]
    with served(path, *missing) as (_, client):
        assert client.get("/indexes").json()["total"] == 0
