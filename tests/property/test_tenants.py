"""No tenant ever sees a document outside its filter, whatever is asked, through whatever route.

Every document holds a word that no other has, in its texts, its facets and its id, so one look at
the bytes of an answer tells whether anything of a hidden document is in it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch.server import app_for
from hybridsearch.server.routes import ROUTES
from tests.conftest import letters

MASTER = "masterKey"
COUNT = 36
WORDS = ("amber", "birch", "cedar")
OWNERS = ("ann", "bob", "cyd")
MARKS = ["marked" + "".join(end) for end in itertools.product("pqrs", repeat=3)][:COUNT]
"""Near enough to each other for typos and prefixes to lead from one to another."""
MARK = re.compile("marked[pqrs]{3}")
INDEXES = ("trees", "books")
SETTINGS = {
    "embedders": {"letters": {"source": "function"}},
    "searchable_attributes": ["text", "title"],
    "distinct_attribute": None,
}
ECHOES = ("query", "facetQuery", "id", "requestUid", "queryUid")

leaves = st.one_of(
    st.sampled_from(OWNERS).map("owner = {}".format),
    st.integers(1990, 1999).map("year > {}".format),
    st.integers(1990, 1999).map("year <= {}".format),
    st.sampled_from("xyz").map("tags = {}".format),
    st.sampled_from(["owner EXISTS", "owner IS NULL", "id = nobody", "tags IN [x, y]"]),
)
rules = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map("NOT ({})".format),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) AND ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) OR ({two[1]})"),
    ),
    max_leaves=4,
)
forced = st.one_of(
    rules,
    st.lists(rules, min_size=1, max_size=2),
    st.lists(st.lists(rules, min_size=1, max_size=2), min_size=1, max_size=2),
)
texts = st.one_of(
    st.just(""),
    st.lists(st.sampled_from([*WORDS, *OWNERS, *MARKS]), min_size=1, max_size=3).map(" ".join),
    st.sampled_from(["marked", "m", "markedppp -amber", '"markedpqr cedar"', "title:markedqqq"]),
)
attacks = st.one_of(
    rules,
    st.sampled_from(MARKS).map("mark = {}".format),
    st.sampled_from(["mark EXISTS", "id EXISTS OR id IS NULL", "mark STARTS WITH marked"]),
    st.lists(rules, max_size=2),
)
hybrids = st.sampled_from(
    [
        {"embedder": "letters"},
        {"embedder": "letters", "semanticRatio": 1, "candidates": COUNT},
        {"embedder": "letters", "semanticRatio": 0.5, "fusion": "score"},
    ]
)
searches = st.fixed_dictionaries(
    {"q": texts},
    optional={
        "filter": attacks,
        "sort": st.sampled_from([["mark:desc"], ["year:asc"]]),
        "distinct": st.sampled_from(["owner", "mark"]),
        "hybrid": hybrids,
        "limit": st.sampled_from([0, 3, 100]),
        "offset": st.integers(0, 5),
        "matchingStrategy": st.sampled_from(["all", "last", "frequency"]),
        "attributesToHighlight": st.just(["*"]),
        "showMatchesPosition": st.just(True),
        "showRankingScoreDetails": st.just(True),
        "rankingScoreThreshold": st.sampled_from([0.0, 0.4]),
        "retrieveVectors": st.just(True),
    },
)
STATEMENTS = (
    "FROM trees",
    "SELECT * FROM trees WHERE mark = $mark OR id = $id OR true",
    "SELECT mark, count(*) FROM trees GROUP BY ALL ORDER BY ALL",
    "SELECT t.mark FROM books AS t JOIN trees AS u ON t.id = u.id",
    "WITH trees AS (FROM books) FROM trees UNION ALL FROM books",
    "SUMMARIZE trees",
    "DESCRIBE trees",
    "SHOW TABLES",
    "EXPLAIN ANALYZE FROM trees WHERE year > 0",
    "FROM search('trees', $q)",
    "FROM search('trees', $q, k := 50, highlight := true, typos := 2)",
    "FROM search('trees', $q, k := 50, mode := 'semantic', candidates := 50)",
    "FROM search('trees', $q, k := 5) WHERE mark = $mark OR year > 0",
    "FROM search('trees', '', filter := (SELECT list(id::VARCHAR) FROM range(99) t(id)))",
    "FROM search('trees', '', filter := 'mark EXISTS OR owner IS NULL')",
    "FROM search('trees', '', \"rows\" := (SELECT list(n) FROM range(99) t(n)))",
    "SELECT b.mark, s.mark FROM books AS b, LATERAL (FROM search('trees', b.mark, k := 9)) AS s",
    "FROM similar('trees', $id, k := 50)",
    "FROM similar('books', $id)",
    "FROM facets('trees', $q, by := ['mark', 'owner'], \"limit\" := 99)",
    "FROM facets('trees', '', by := ['mark'], filter := 'mark EXISTS')",
    "FROM suggest('trees', 'm', k := 99)",
    "FROM suggest('trees', 'm')",
    "WITH a AS (FROM search('trees', $q)), b AS (FROM similar('trees', $id)) FROM rrf(a, b)",
)

REFUSED = ("FROM suggest", "FROM search('trees', '', \"rows\"")
"""What nobody or no tenant may ask."""


def drawn(random: Random, number: int, mark: str) -> dict[str, Any]:
    words = " ".join(random.choices(WORDS, k=random.randrange(1, 4)))
    found = {"id": number, "mark": mark, "year": random.randrange(1990, 2000)}
    if random.random() < 0.8:
        found["owner"] = random.choice(OWNERS)
    found["tags"] = random.choices("xyz", k=random.randrange(3))
    return {**found, "text": f"{words} {mark}", "title": f"{mark} {words}"}


@dataclass(frozen=True)
class World:
    """A served database with two indexes, and a key that tenants sign with."""

    client: TestClient
    key: Mapping[str, str]

    def ask(self, secret: str, method: str, path: str, body: Any = None, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {secret}"}
        return self.client.request(method, path, json=body, params=query, headers=headers)

    def token(self, rules: Mapping[str, Any]) -> str:
        claims = {"searchRules": rules, "apiKeyUid": self.key["uid"]}
        return jwt.encode(claims, self.key["key"], algorithm="HS256")

    def allowed(self, uid: str, filter: Any) -> set[str]:
        """The marks of the documents that the filter keeps, as the master key finds them."""
        body = {"filter": filter, "limit": COUNT}
        reply = self.ask(MASTER, "POST", f"/indexes/{uid}/documents/fetch", body)
        return {document["mark"] for document in reply.json()["results"]}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    random = Random(11)
    half = COUNT // 2
    with hybridsearch.open(default_embedder=None, functions={"letters": letters}) as db:
        for uid, marks in (("trees", MARKS[:half]), ("books", MARKS[half:])):
            index = db.create_index(uid, primary_key="id", settings=SETTINGS)
            index.add([drawn(random, number, mark) for number, mark in enumerate(marks)])
            index.add([drawn(random, 0, marks[0])])  # so that one row is dead
        with TestClient(app_for(db, master_key=MASTER)) as client:
            asked = {"actions": ["search", "documents.get", "sql"], "indexes": ["*"]}
            headers = {"Authorization": f"Bearer {MASTER}"}
            reply = client.post("/keys", json={**asked, "expiresAt": None}, headers=headers)
            yield World(client, reply.json())


def marks_in(reply: Any, request: Any) -> set[str]:
    """The marks that an answer shows, those left out that it only repeats from the request."""
    if reply.status_code != 200:
        return set(MARK.findall(reply.text)) - set(MARK.findall(json.dumps(request)))
    if not reply.headers["content-type"].startswith("application/json"):
        return set(MARK.findall(reply.text))
    return set(MARK.findall(json.dumps(_without_echoes(reply.json()))))


def _without_echoes(value: Any) -> Any:
    """The answer without what it repeats of the request: beside the hits, and in a score's parts,
    which tell for what that was typed a term of the document stands."""
    if isinstance(value, list):
        return [_without_echoes(one) for one in value]
    if not isinstance(value, dict):
        return value
    answers = "hits" in value or "facetHits" in value
    echoes = ECHOES if answers else ("for",) if "kind" in value else ()
    return {n: _without_echoes(item) for n, item in value.items() if n not in echoes}


def requests(search: dict[str, Any], filter: Any, id: int, mark: str) -> Iterator[tuple[Any, ...]]:
    """Every way in for a tenant: method, path, body, parameters."""
    at = "/indexes/trees"
    whole = {**search, "facets": ["*"]}
    query = {"indexUid": "trees", **search}
    other = {"indexUid": "books", "q": mark}
    bare = {k: v for k, v in query.items() if k not in ("limit", "offset")}
    facets = {uid: ["mark", "owner", "year"] for uid in INDEXES}
    yield "POST", f"{at}/search", whole, {}
    yield "GET", f"{at}/search", None, {"q": search["q"], "facets": "mark,owner"}
    yield "POST", f"{at}/explain", whole, {}
    yield "POST", "/multi-search", {"queries": [query, {**other, "facets": ["mark"]}]}, {}
    merges: tuple[dict[str, Any], ...] = ({}, {"mergeFacets": {}})
    for merge in merges:
        federation = {"facetsByIndex": facets, "limit": 100, **merge}
        yield "POST", "/multi-search", {"queries": [bare, other], "federation": federation}, {}
    named = {name: search[name] for name in ("q", "filter", "hybrid") if name in search}
    yield "POST", f"{at}/facet-search", {"facetName": "mark", **named}, {}
    yield "POST", f"{at}/facet-search", {"facetName": "mark", "facetQuery": mark}, {}
    like = {"id": id, "embedder": "letters", "limit": 100, "retrieveVectors": True}
    yield "POST", f"{at}/similar", {**like, "filter": filter}, {}
    yield "GET", f"{at}/similar", None, {"id": id, "embedder": "letters"}
    fetch = {"filter": filter, "limit": 100, "retrieveVectors": True}
    yield "POST", f"{at}/documents/fetch", fetch, {}
    everything = {"ids": list(range(COUNT)), "sort": ["mark:desc"], "limit": 100}
    yield "POST", f"{at}/documents/fetch", everything, {}
    yield "GET", f"{at}/documents", None, {"limit": 100, "fields": "mark"}
    yield "GET", f"{at}/documents/{id}", None, {"retrieveVectors": True}
    values = {"q": search["q"], "mark": mark, "id": str(id)}
    for number in (id, id + 7, id + 14):
        text = STATEMENTS[number % len(STATEMENTS)]
        own = {name: value for name, value in values.items() if f"${name}" in text}
        yield "POST", "/sql", {"sql": text, "parameters": own}, {}


@settings(max_examples=12)
@given(
    rule=forced,
    other=forced,
    by_pattern=st.booleans(),
    search=searches,
    filter=attacks,
    id=st.integers(0, COUNT // 2 - 1),
    mark=st.sampled_from(MARKS),
)
def test_no_answer_holds_anything_of_a_hidden_document(
    world: World,
    rule: Any,
    other: Any,
    by_pattern: bool,
    search: dict[str, Any],
    filter: Any,
    id: int,
    mark: str,
) -> None:
    rules = {"trees": {"filter": rule}, "book*" if by_pattern else "books": {"filter": other}}
    secret = world.token({"*": None, **rules})
    allowed = world.allowed("trees", rule) | world.allowed("books", other)
    for method, path, body, query in requests(search, filter, id, mark):
        reply = world.ask(secret, method, path, body, **query)
        assert reply.status_code in (200, 400, 404), reply.text
        assert marks_in(reply, [body, query]) <= allowed, (path, body)


@settings(max_examples=12)
@given(rule=forced)
def test_every_count_is_of_what_the_tenant_may_see(world: World, rule: Any) -> None:
    secret = world.token({"trees": {"filter": rule}})
    allowed = world.allowed("trees", rule)
    everything = {"q": "", "limit": 100, "facets": ["mark"]}
    found = world.ask(secret, "POST", "/indexes/trees/search", everything).json()
    assert {hit["mark"] for hit in found["hits"]} == allowed
    assert found["estimatedTotalHits"] == len(allowed)
    assert set(found["facetDistribution"]["mark"]) == allowed
    read = world.ask(secret, "GET", "/indexes/trees/documents", limit=100).json()
    assert ({one["mark"] for one in read["results"]}, read["total"]) == (allowed, len(allowed))
    for text in ("SELECT mark FROM trees", "SELECT mark FROM search('trees', '')"):
        rows = world.ask(secret, "POST", "/sql", {"sql": text}).json()["rows"]
        assert {row[0] for row in rows} == allowed
    count = world.ask(secret, "POST", "/sql", {"sql": "SELECT count(*) FROM trees"}).json()
    assert count["rows"] == [[len(allowed)]]
    body = {"queries": [{"indexUid": "trees"}], "federation": {}}
    assert world.ask(secret, "POST", "/multi-search", body).json()["estimatedTotalHits"] == len(
        allowed
    )
    for number in range(COUNT // 2):
        reply = world.ask(secret, "GET", f"/indexes/trees/documents/{number}")
        assert (reply.status_code == 200) == (MARKS[number] in allowed)


@settings(max_examples=40)
@given(
    rule=forced,
    text=st.sampled_from(STATEMENTS),
    q=texts,
    id=st.integers(0, 17),
    mark=st.sampled_from(MARKS),
)
def test_no_statement_reads_anything_of_a_hidden_document(
    world: World, rule: Any, text: str, q: str, id: int, mark: str
) -> None:
    secret = world.token({"trees": {"filter": rule}, "books": {"filter": "id = nobody"}})
    values = {"q": q, "mark": mark, "id": str(id)}
    own = {name: value for name, value in values.items() if f"${name}" in text}
    body = {"sql": text, "parameters": own}
    reply = world.ask(secret, "POST", "/sql", body)
    assert reply.status_code in (200, 400), reply.text
    known = world.allowed("trees", rule)
    assert set(MARK.findall(reply.text)) - set(MARK.findall(json.dumps(own))) <= known
    if reply.status_code == 200:
        shown = {word for row in reply.json()["rows"] for word in MARK.findall(str(row))}
        assert shown <= known


def test_every_route_for_tenants_is_asked_here(world: World) -> None:
    asked = {
        (method, re.sub(r"trees", "{uid}", re.sub(r"documents/\d+", "documents/{id}", path)))
        for method, path, *_ in requests({"q": ""}, "id = 1", 1, MARKS[0])
    }
    assert asked == {(route.method, route.path) for route in ROUTES if route.tenants}


def test_every_statement_runs_for_somebody(world: World) -> None:
    secret = world.token({"*": {"filter": "id >= 0"}})
    refused = []
    for text in STATEMENTS:
        values = {"q": "amber", "mark": MARKS[0], "id": "1"}
        own = {name: value for name, value in values.items() if f"${name}" in text}
        reply = world.ask(secret, "POST", "/sql", {"sql": text, "parameters": own})
        refused += [] if reply.status_code == 200 else [(text, reply.text)]
    assert [one for one in refused if not one[0].startswith(REFUSED)] == []
