"""Who may do what: keys, tenant tokens, and every route against every kind of key."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch import Database
from hybridsearch.server import app_for
from hybridsearch.server.access import Caller
from hybridsearch.server.keys import ACTIONS
from hybridsearch.server.routes import ROUTES
from tests.server.conftest import MASTER, done, refusal, succeeded

Client = Callable[[str | None], TestClient]
ALL = {"actions": ["*"], "indexes": ["*"], "expiresAt": None}


def make(locked: Client, **given: Any) -> dict[str, Any]:
    reply = locked(MASTER).post("/keys", json={**ALL, **given})
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()
    return found


# Keys


def test_the_first_start_makes_four_keys(locked: Client) -> None:
    found = locked(MASTER).get("/keys").json()
    assert {key["name"]: key["actions"] for key in found["results"]} == {
        "Default Search API Key": ["search"],
        "Default Admin API Key": ["*"],
        "Default Read-Only Admin API Key": ["*.get", "keys.get"],
        "Default Chat API Key": ["chatCompletions", "search"],
    }
    assert found["total"] == 4


def test_keys_are_the_same_after_a_restart_and_others_under_another_master(path: Any) -> None:
    def keys(master: str) -> list[str]:
        with (
            hybridsearch.open(path, default_embedder=None) as db,
            TestClient(app_for(db, master_key=master)) as client,
        ):
            client.headers["Authorization"] = f"Bearer {master}"
            return [key["key"] for key in client.get("/keys").json()["results"]]

    first = keys("one")
    assert keys("one") == first
    assert not set(keys("two")) & set(first)


def test_a_key_is_made_renamed_and_removed(locked: Client) -> None:
    key = make(locked, name="a", actions=["search"], indexes=["films-*"])
    admin = locked(MASTER)
    for name in (key["key"], key["uid"]):
        assert admin.get(f"/keys/{name}").json() == key
    renamed = admin.patch(f"/keys/{key['uid']}", json={"name": "b", "description": None}).json()
    assert (renamed["name"], renamed["actions"], renamed["key"]) == ("b", ["search"], key["key"])
    assert admin.delete(f"/keys/{key['uid']}").status_code == 204
    assert refusal(admin.get(f"/keys/{key['uid']}")) == (404, "api_key_not_found")
    assert refusal(locked(key["key"]).get("/version")) == (403, "invalid_api_key")


UID = "82acc342-d2df-4291-84bd-8400d3f05f06"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"actions": ["fly"]}, 400, "invalid_api_key_actions"),
        ({"actions": None}, 400, "missing_api_key_actions"),
        ({"actions": "search"}, 400, "invalid_api_key_actions"),
        ({"indexes": None}, 400, "missing_api_key_indexes"),
        ({"indexes": ["a b"]}, 400, "invalid_api_key_indexes"),
        ({"indexes": ["*a"]}, 400, "invalid_api_key_indexes"),
        ({"indexes": [".a"]}, 400, "invalid_api_key_indexes"),
        ({"expiresAt": "2000-01-01"}, 400, "invalid_api_key_expires_at"),
        ({"expiresAt": "soon"}, 400, "invalid_api_key_expires_at"),
        ({"expiresAt": 7}, 400, "invalid_api_key_expires_at"),
        ({"uid": "7"}, 400, "invalid_api_key_uid"),
        ({"name": 7}, 400, "invalid_api_key_name"),
        ({"color": "red"}, 400, "bad_request"),
    ],
)
def test_an_unfit_key_is_refused(
    locked: Client, change: dict[str, Any], status: int, code: str
) -> None:
    assert refusal(locked(MASTER).post("/keys", json={**ALL, **change})) == (status, code)


def test_a_key_must_say_when_it_ends_and_its_uid_is_its_own(locked: Client) -> None:
    endless = {name: ALL[name] for name in ("actions", "indexes")}
    assert refusal(locked(MASTER).post("/keys", json=endless))[1] == "missing_api_key_expires_at"
    make(locked, uid=UID)
    again = locked(MASTER).post("/keys", json={**ALL, "uid": UID})
    assert refusal(again) == (409, "api_key_already_exists")


@pytest.mark.parametrize(
    ("name", "code"), [("actions", "actions"), ("expiresAt", "expires_at"), ("uid", "uid")]
)
def test_what_a_key_allows_cannot_be_changed(locked: Client, name: str, code: str) -> None:
    reply = locked(MASTER).patch(f"/keys/{make(locked)['uid']}", json={name: None})
    assert refusal(reply) == (400, f"immutable_api_key_{code}")


def test_without_a_master_key_there_are_no_keys(client: TestClient) -> None:
    assert refusal(client.get("/keys")) == (401, "missing_master_key")


def test_an_expired_key_is_out(locked: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make(locked, expiresAt="2042-01-01T00:00:00Z")
    assert locked(key["key"]).get("/version").status_code == 200
    assert key["expiresAt"] == "2042-01-01T00:00:00.000000Z"


# Every route, every kind of key


@pytest.fixture
def quiet() -> Iterator[tuple[Client, Database]]:
    """A locked server whose requests are made only to see whether they get in."""
    with (
        hybridsearch.open(default_embedder=None) as db,
        TestClient(app_for(db, master_key=MASTER), raise_server_exceptions=True) as found,
    ):

        def with_key(key: str | None) -> TestClient:
            found.headers["Authorization"] = f"Bearer {key}"
            return found

        yield with_key, db


def knock(client: TestClient, method: str, path: str) -> int:
    given = {"uid": "films", "id": "1", "task": "0", "batch": "0", "uuid": UID}
    address = re.sub(r"{(\w+)[^}]*}", lambda part: given.get(part[1], "x"), path)
    return client.request(method, address, json={}).status_code


def test_every_route_opens_to_the_keys_that_allow_its_action_and_to_no_other(
    quiet: tuple[Client, Database],
) -> None:
    clients, _ = quiet
    actions = sorted({route.action for route in ROUTES if route.action})
    kinds = [("*",), ("*.get",), ("search",), ("documents.*",), *((a,) for a in actions)]
    wrong = []
    for allowed in kinds:
        key = make(clients, actions=list(allowed))["key"]
        for route in ROUTES:
            may = not route.action or Caller(actions=allowed).may(route.action)
            got_in = knock(clients(key), route.method, route.path) not in (401, 403)
            if got_in != may:
                wrong.append((allowed, route.method, route.path))
    assert wrong == []


def test_every_route_but_the_open_ones_refuses_strangers(quiet: tuple[Client, Database]) -> None:
    clients, _ = quiet
    answers = {(r.method, r.path): knock(clients("x" * 64), r.method, r.path) for r in ROUTES}
    open_ones = {(route.method, route.path) for route in ROUTES if not route.action}
    assert {place for place, status in answers.items() if status != 403} == open_ones


def test_every_action_of_a_route_can_be_given_to_a_key() -> None:
    assert {route.action for route in ROUTES if route.action} <= set(ACTIONS)


def test_a_key_for_some_indexes_reaches_no_other(locked: Client) -> None:
    admin = locked(MASTER)
    for uid in ("films", "books"):
        succeeded(admin, admin.post(f"/indexes/{uid}/documents", json=[{"id": 1}]))
    client = locked(make(locked, indexes=["fil*"])["key"])
    assert [one["uid"] for one in client.get("/indexes").json()["results"]] == ["films"]
    assert list(client.get("/stats").json()["indexes"]) == ["films"]
    assert {one["indexUid"] for one in client.get("/tasks").json()["results"]} == {"films"}
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/documents"),
        ("GET", "/documents/1"),
        ("DELETE", "/documents"),
        ("GET", "/settings"),
        ("GET", "/stats"),
        ("POST", "/search"),
    ):
        body: dict[str, Any] | None = {} if method == "POST" else None
        reply = client.request(method, f"/indexes/books{path}", json=body)
        assert refusal(reply) == (403, "invalid_api_key")
    assert refusal(client.post("/indexes", json={"uid": "new"})) == (403, "invalid_api_key")
    swap = client.post("/swap-indexes", json=[{"indexes": ["films", "books"]}])
    assert refusal(swap) == (403, "invalid_api_key")


def test_no_error_tells_a_key_of_indexes_that_it_does_not_reach(locked: Client) -> None:
    admin = locked(MASTER)
    for uid in ("films", "books"):
        succeeded(admin, admin.post("/indexes", json={"uid": uid}))
    client = locked(make(locked, indexes=["book-*", "film*"])["key"])
    replies = [
        client.get("/indexes/book-s"),
        client.get("/indexes/book-s/settings"),
        client.post("/indexes/book-s/search", json={}),
        client.post("/multi-search", json={"queries": [{"indexUid": "book-s"}]}),
        client.post("/_bulk", content='{"delete":{"_index":"book-s","_id":"1"}}\n',
                    headers={"Content-Type": "application/x-ndjson"}),
    ]  # fmt: skip
    tasks = [
        done(client, client.delete("/indexes/book-s")),
        done(client, client.delete("/indexes/book-s/documents")),
    ]
    said = [reply.text for reply in replies] + [task["error"]["message"] for task in tasks]
    assert all("book-s" in text and '"books' not in text for text in said), said
    assert client.get("/indexes/film").json()["message"].endswith('did you mean "films"?')


def test_a_swap_of_absent_indexes_says_which(client: TestClient) -> None:
    succeeded(client, client.post("/indexes", json={"uid": "books"}))
    task = done(client, client.post("/swap-indexes", json=[{"indexes": ["book", "film"]}]))
    assert task["error"]["message"] == "Index `book`, `film` not found."


# Tenant tokens

DOCUMENTS = [
    {"id": n, "title": f"film {n}", "owner": "ann" if n % 2 else "bob", "year": 1990 + n}
    for n in range(1, 9)
]


def fill(db: Database) -> None:
    with TestClient(app_for(db)) as admin:
        open_to = {"filterableAttributes": ["owner", "year"]}
        succeeded(admin, admin.patch("/indexes/films/settings", json=open_to))
        succeeded(admin, admin.post("/indexes/films/documents", json=DOCUMENTS))
    with TestClient(app_for(db, master_key=MASTER)):
        pass  # it makes the keys that every server has


FILLED = {"films": fill}


@pytest.fixture
def films(locked: Client) -> Client:
    """A locked server with eight films of two owners."""
    return locked


def token(films: Client, rules: Any, *, actions: Any = ("search",), **claims: Any) -> str:
    key = make(films, actions=list(actions))
    claims = {"searchRules": rules, "apiKeyUid": key["uid"], **claims}
    return jwt.encode(claims, claims.pop("secret", key["key"]), algorithm="HS256")


ANNS = {"films": {"filter": "owner = ann"}}


def seen(client: TestClient, **asked: Any) -> set[str]:
    reply = client.post("/indexes/films/search", json={"limit": 100, **asked})
    assert reply.status_code == 200, reply.text
    return {hit["owner"] for hit in reply.json()["hits"]}


@pytest.mark.parametrize(
    ("rules", "owners"),
    [
        (["*"], {"ann", "bob"}),
        (["films"], {"ann", "bob"}),
        ({"films": None}, {"ann", "bob"}),
        ({"films": {}}, {"ann", "bob"}),
        (ANNS, {"ann"}),
        ({"*": {"filter": "owner = ann"}}, {"ann"}),
        ({"*": None, "films": {"filter": "owner = ann"}}, {"ann"}),
        ({"*": {"filter": ["owner = ann", "year < 1950"]}}, set()),
    ],
)
def test_a_tenant_sees_what_its_rules_say(films: Client, rules: Any, owners: set[str]) -> None:
    assert seen(films(token(films, rules))) == owners


@pytest.mark.parametrize(
    "asked",
    [
        {"filter": "owner = bob"},
        {"filter": [["owner = bob", "owner = ann"]]},
        {"filter": "owner = ann OR owner = bob"},
        {"filter": "NOT owner = ann"},
        {"q": "film"},
        {"ids": [2]},
        {"facets": ["owner"]},
    ],
)
def test_no_question_gets_around_the_forced_filter(films: Client, asked: dict[str, Any]) -> None:
    client = films(token(films, ANNS))
    reply = client.post("/indexes/films/search", json=asked)
    hits = reply.json().get("hits", [])
    assert {hit["owner"] for hit in hits} <= {"ann"}
    assert "bob" not in str(reply.json().get("facetDistribution"))
    query = {"indexUid": "films", **asked}
    for body in ({"queries": [query]}, {"queries": [query], "federation": {}}):
        found = client.post("/multi-search", json=body).json()
        assert "bob" not in str(found.get("hits", found.get("results")))


def test_facet_search_keeps_to_the_forced_filter(films: Client) -> None:
    client = films(token(films, ANNS))
    found = client.post("/indexes/films/facet-search", json={"facetName": "owner"}).json()
    assert [hit["value"] for hit in found["facetHits"]] == ["ann"]


READING = ("search", "documents.get", "sql")


def test_a_tenant_reads_the_documents_that_its_filter_keeps(films: Client) -> None:
    client = films(token(films, ANNS, actions=READING))
    page = client.get("/indexes/films/documents?limit=100").json()
    assert [one["id"] for one in page["results"]] == [1, 3, 5, 7]
    assert page["total"] == 4
    fetched = client.post("/indexes/films/documents/fetch", json={"filter": "year > 1993"}).json()
    assert [one["id"] for one in fetched["results"]] == [5, 7]
    chosen = client.post("/indexes/films/documents/fetch", json={"ids": [1, 2]}).json()
    assert ([one["id"] for one in chosen["results"]], chosen["total"]) == ([1], 1)
    assert client.get("/indexes/films/documents/3").json()["title"] == "film 3"
    hidden = client.get("/indexes/films/documents/2")
    assert refusal(hidden) == (404, "document_not_found")


def test_a_tenant_asks_sql_about_the_documents_that_its_filter_keeps(films: Client) -> None:
    client = films(token(films, {**ANNS, "books": None}, actions=READING))

    def rows(text: str) -> Any:
        reply = client.post("/sql", json={"sql": text})
        return reply.json().get("rows", reply.json().get("message"))

    assert rows("SELECT count(*), min(owner), max(owner) FROM films") == [[4, "ann", "ann"]]
    found = "SELECT DISTINCT owner FROM search('films', 'film') WHERE year > 0"
    assert rows(found) == [["ann"]]
    assert rows("FROM facets('films', '', by := ['owner'])") == [["owner", "ann", 4]]
    assert rows("SELECT count(*) FROM similar('films', '1')") == [[3]]
    assert 'there is no document "2"' in rows("FROM similar('films', '2')")
    assert "words of all documents" in rows("FROM suggest('films', 'f')")


def test_the_next_one_to_ask_sees_what_he_may(films: Client) -> None:
    """The instance that runs statements is used again: nothing of the last one is left in it."""
    counts = []
    owners = ("ann", "bob", None, "ann")
    for owner in owners:
        rules = {"films": None if owner is None else {"filter": f"owner = {owner} AND year > 1991"}}
        client = films(token(films, rules, actions=READING))
        reply = client.post("/sql", json={"sql": "SELECT count(*), min(owner) FROM films"})
        counts.append(tuple(reply.json()["rows"][0]))
    assert counts == [(3, "ann"), (4, "bob"), (8, "ann"), (3, "ann")]


@pytest.mark.parametrize("path", ["search", "documents/fetch", "sql"])
def test_a_rule_that_does_not_fit_the_index_lets_nothing_through(films: Client, path: str) -> None:
    client = films(token(films, {"films": {"filter": "title = x"}}, actions=READING))
    body: dict[str, Any] = {"sql": "FROM films"} if path == "sql" else {}
    reply = client.post("/sql" if path == "sql" else f"/indexes/films/{path}", json=body)
    assert reply.status_code == 400
    assert 'attribute "title" is not filterable' in reply.json()["message"]


def test_a_token_that_ended_says_when(films: Client) -> None:
    reply = films(token(films, ANNS, exp=1_000_000)).post("/indexes/films/search", json={})
    assert refusal(reply) == (403, "invalid_api_key")
    assert reply.json()["message"].startswith("Tenant token expired. Was valid up to `1000000` and")


@pytest.mark.parametrize("rules", [{"books": None}, [], {}, ["film"]])
def test_a_tenant_reaches_only_the_indexes_of_its_rules(films: Client, rules: Any) -> None:
    client = films(token(films, rules))
    reply = client.post("/indexes/films/search", json={})
    assert refusal(reply) == (403, "invalid_api_key")


@pytest.mark.parametrize(
    ("rules", "claims"),
    [
        (ANNS, {"exp": 1_000_000}),
        (ANNS, {"exp": "never"}),
        (ANNS, {"apiKeyUid": UID}),
        (ANNS, {"secret": "another secret of the same length, sixty-four bytes and so on."}),
        (ANNS, {"actions": ["documents.get"]}),
        ("*", {}),
        (None, {}),
        ({"films": "owner = ann"}, {}),
        ({"films": {"filtre": "owner = ann"}}, {}),
        ({"films": {"filter": {}}}, {}),
        ({"films": {"filter": 0}}, {}),
    ],
)
def test_an_unfit_token_is_refused(films: Client, rules: Any, claims: dict[str, Any]) -> None:
    client = films(token(films, rules, **claims))
    assert refusal(client.post("/indexes/films/search", json={})) == (403, "invalid_api_key")


def test_a_token_that_ends_later_or_never_is_taken(films: Client) -> None:
    for end in (None, int(time.time()) + 60):
        assert seen(films(token(films, ANNS, exp=end))) == {"ann"}


def test_a_tenant_may_search_and_read_and_nothing_else(films: Client) -> None:
    secret = token(films, ["*"], actions=["*"])
    got_in = {
        (route.method, route.path)
        for route in ROUTES
        if route.action and knock(films(secret), route.method, route.path) != 403
    }
    assert got_in == {(route.method, route.path) for route in ROUTES if route.tenants}


def test_an_unsigned_token_is_refused(films: Client) -> None:
    claims = {"searchRules": ["*"], "apiKeyUid": make(films)["uid"]}
    bare = jwt.encode(claims, None, algorithm="none")
    reply = films(bare).post("/indexes/films/search", json={})
    assert refusal(reply) == (403, "invalid_api_key")
