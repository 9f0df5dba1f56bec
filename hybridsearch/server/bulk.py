"""How do programs that speak to Elasticsearch write here?

`POST` or `PUT /_bulk` and `/{index}/_bulk`: index, create, update and delete in NDJSON, each with
a result of its own, in Elasticsearch's shape; they are done and can be found when the answer
comes. `GET /` says what its clients want to hear when they ask for JSON, and `/_cluster/health`
that all is well. An index that is missing is made, with `_id` as its primary key.

Writes that come together go to the engine together; a document that is unfit is found by halving
and spoils no other.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from hybridsearch.errors import HybridSearchError, InputError, NotFound, StorageError
from hybridsearch.index import Index
from hybridsearch.intake import document_id
from hybridsearch.server.call import Body, Call, Route, checked_uid
from hybridsearch.server.indexes import CLOSED
from hybridsearch.server.operations import Operation, operations
from hybridsearch.server.wire import JSON, NDJSON, Refused, Reply, json_reply, status_of

ELASTIC = {"X-Elastic-Product": "Elasticsearch"}
ELASTIC_JSON = "application/vnd.elasticsearch+json"
ELASTIC_NDJSON = "application/vnd.elasticsearch+x-ndjson"
LEVEL = "8.15.0"
"""The version of Elasticsearch whose clients this door is tested with."""
KEY = "_id"
MEDIA = (NDJSON, JSON, ELASTIC_NDJSON, ELASTIC_JSON)
ERRORS = {
    "index_not_found": "index_not_found_exception",
    "invalid_index_uid": "invalid_index_name_exception",
    "invalid_api_key": "security_exception",
}
OK, CREATED, NOT_FOUND, CONFLICT = 200, 201, 404, 409

Result = dict[str, Any]


@dataclass
class Planned:
    """One operation on its way: the document that is to be written, then its result."""

    asked: Operation
    id: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    write: str = ""
    result: Result | None = None

    def end(self, status: int, outcome: str) -> None:
        """It is done."""
        self.result = {**self._named(), "result": outcome, "status": status}

    def fail(self, status: int, kind: str, reason: str) -> None:
        """It is refused."""
        error = {"type": kind, "reason": reason, "index": self.asked.index}
        self.result = {**self._named(), "status": status, "error": error}

    def _named(self) -> Result:
        return {"_index": self.asked.index, "_id": self.id or self.asked.id}


def bulk(call: Call) -> Reply:
    """Do the writes of the body, in order; each has a result, whatever becomes of the others."""
    began = time.perf_counter()
    try:
        asked = operations(call.body, call.path.get("uid"))
    except Refused as error:
        return _refusal(error)
    plans = [Planned(operation) for operation in asked]
    for uid, run in groupby(plans, key=lambda plan: plan.asked.index):
        _work(call, uid, list(run))
    items = [{plan.asked.kind: _shown(plan.result)} for plan in plans]
    failed = any(plan.result is None or "error" in plan.result for plan in plans)
    took = round(1000 * (time.perf_counter() - began))
    return json_reply({"took": took, "errors": failed, "items": items}, headers=ELASTIC)


def _refusal(error: HybridSearchError) -> Reply:
    reason = {"type": "illegal_argument_exception", "reason": error.message}
    return json_reply(
        {"error": {"root_cause": [reason], **reason}, "status": 400}, 400, headers=ELASTIC
    )


def _shown(result: Result | None) -> Result:
    """What clients expect beside it: we keep neither versions nor shards."""
    assert result is not None  # _work ends each of them
    if "error" in result:
        return result
    shards = {"total": 1, "successful": 1, "failed": 0}
    return {**result, "_version": 1, "_seq_no": 0, "_primary_term": 1, "_shards": shards}


def _work(call: Call, uid: str, plans: Sequence[Planned]) -> None:
    """Do the operations on one index, in order; all of them have a result then."""
    try:
        index = _index(call, uid, create=any(plan.asked.kind != "delete" for plan in plans))
        key = index.primary_key or KEY
        there = index.known(plan.id for plan in plans if _identify(plan, key))
    except HybridSearchError as error:
        for plan in plans:
            _fail(plan, error)
        return
    for plan in plans:
        _plan(plan, key, there, may_delete=call.caller.may("documents.delete"))
    for write, run in groupby((plan for plan in plans if plan.write), key=lambda plan: plan.write):
        _write(index, write, key, list(run))


def _index(call: Call, uid: str, *, create: bool) -> Index:
    """The index of that name, made when it is missing and something is to be written."""
    try:
        return call.index(uid)
    except NotFound:
        if not create or not call.caller.may("indexes.create"):
            raise
        name = checked_uid(uid)
        return call.db.create_index(name, primary_key=KEY, settings=CLOSED, exist_ok=True)


def _plan(plan: Planned, key: str, there: set[str], *, may_delete: bool) -> None:
    """Decide what is to be written and what the result will be; `there` is kept up to date."""
    asked = plan.asked
    if not plan.id:
        plan.fail(400, "illegal_argument_exception", "an _id is a text of 1 to 511 bytes")
        return
    known = plan.id in there
    if asked.kind == "delete":
        if not may_delete:
            plan.fail(403, "security_exception", "the key does not allow documents.delete")
            return
        there.discard(plan.id)
        _accept(plan, "delete" if known else "", OK if known else NOT_FOUND,
                "deleted" if known else "not_found")  # fmt: skip
    elif asked.kind == "create" and known:
        reason = f"[{plan.id}]: version conflict, document already exists"
        plan.fail(CONFLICT, "version_conflict_engine_exception", reason)
    else:
        _plan_document(plan, key, known)
        if plan.write:
            there.add(plan.id)


def _identify(plan: Planned, key: str) -> bool:
    """Find the document's id: the action's, the document's own, or a new one."""
    value = plan.asked.id
    if value is None:
        value = plan.asked.source.get(key, uuid.uuid4().hex)
    plan.id = document_id(value) or ""
    return bool(plan.id)


def _plan_document(plan: Planned, key: str, known: bool) -> None:
    source, write = plan.asked.source, "replace"
    if plan.asked.kind == "update":
        found = _update(plan, known)
        if found is None:
            return
        source, write = found, "merge" if known else "replace"
    own = source.get(key, plan.id)
    if document_id(own) != plan.id:
        reason = f'its attribute "{key}" says {own!r:.60}, the action says {plan.id!r:.60}'
        plan.fail(400, "illegal_argument_exception", reason)
        return
    plan.document = {key: plan.id, **source}
    _accept(plan, write, OK if known else CREATED, "updated" if known else "created")


def _update(plan: Planned, known: bool) -> Mapping[str, Any] | None:
    """The attributes that an update writes; None when it fails, as `plan.result` says."""
    source = plan.asked.source
    document = source.get("doc")
    if not known and not source.get("doc_as_upsert"):
        document = source.get("upsert")
        if document is None:
            reason = f"[{plan.id}]: document missing"
            plan.fail(NOT_FOUND, "document_missing_exception", reason)
            return None
    if not isinstance(document, dict):
        reason = 'an update needs "doc", an object; scripts are not run here'
        plan.fail(400, "illegal_argument_exception", reason)
        return None
    return document


def _accept(plan: Planned, write: str, status: int, outcome: str) -> None:
    plan.write = write
    plan.end(status, outcome)


def _write(index: Index, write: str, key: str, plans: Sequence[Planned]) -> None:
    """Have the engine do writes of one kind; those that it refuses fail."""
    try:
        _submit(index, write, key, plans)
    except InputError as error:
        if len(plans) == 1:
            _fail(plans[0], error)
            return
        half = len(plans) // 2
        _write(index, write, key, plans[:half])
        _write(index, write, key, plans[half:])
    except (HybridSearchError, StorageError) as error:
        for plan in plans:
            _fail(plan, error)


def _submit(index: Index, write: str, key: str, plans: Sequence[Planned]) -> None:
    if write == "delete":
        index.delete(ids=[plan.id for plan in plans])
        return
    documents = [plan.document for plan in plans]
    primary_key = None if index.primary_key else key
    index.add(documents, mode=write, primary_key=primary_key)


def _fail(plan: Planned, error: HybridSearchError) -> None:
    status, _ = status_of(error)
    kind = ERRORS.get(error.code, "mapper_parsing_exception")
    plan.fail(int(status), kind, error.message)


# What clients ask before they write


def health(call: Call) -> Reply:
    """That the server is well, in Elasticsearch's words."""
    found = {"cluster_name": "hybridsearch", "status": "green", "timed_out": False}
    return json_reply({**found, "number_of_nodes": 1, "number_of_data_nodes": 1}, headers=ELASTIC)


def banner(call: Call) -> Reply:
    """Who answers, in Elasticsearch's words."""
    version = {"number": LEVEL, "build_flavor": "default", "lucene_version": "9.11.1"}
    found = {"name": "hybridsearch", "cluster_name": "hybridsearch", "version": version}
    return json_reply({**found, "tagline": "You Know, for Search"}, headers=ELASTIC)


def wants_banner(accept: str) -> bool:
    """Whether who sends this Accept header is a program rather than a browser."""
    kinds = {item.partition(";")[0].strip().lower() for item in accept.split(",")}
    return bool(kinds & {JSON, ELASTIC_JSON}) and "text/html" not in kinds


def _routes() -> Iterator[Route]:
    handlers: dict[str, Callable[[Call], Reply]] = {"/_bulk": bulk, "/{uid}/_bulk": bulk}
    for path, handler in handlers.items():
        for method in ("POST", "PUT"):
            yield Route(
                method,
                path,
                "documents.add",
                handler,
                "Writes in Elasticsearch's NDJSON form: index, create, update, delete.",
                body=Body(kind="bytes", media=MEDIA),
                parameters=None,
                slow=True,
            )
    yield Route(
        "GET", "/_cluster/health", "", health, "Health for Elasticsearch's clients.",
        parameters=None,
    )  # fmt: skip


ROUTES = tuple(_routes())
