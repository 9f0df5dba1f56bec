"""Texts that are hardly texts, through Python and over HTTP: found as they stand, or refused."""
# ruff: noqa: RUF001 - letters of many scripts are what it is about

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch import Database
from hybridsearch.errors import DocumentError, QueryError
from hybridsearch.server import app_for


class Door(Protocol):
    """One index of texts, which has the field `text`."""

    def put(self, texts: dict[int, str], **settings: Any) -> None: ...

    def found(self, query: str, **options: Any) -> dict[int, str]:
        """Each hit's text with what matched between <em> and </em>."""
        ...

    def text(self, key: int) -> str: ...


class Python:
    """The library."""

    def __init__(self, db: Database) -> None:
        self.index = db.create_index("odd", primary_key="id")

    def put(self, texts: dict[int, str], **settings: Any) -> None:
        if settings:
            self.index.update_settings(settings)
        self.index.add([{"id": key, "text": text} for key, text in texts.items()])

    def found(self, query: str, **options: Any) -> dict[int, str]:
        hits = self.index.search(query, highlight=["text"], **options).hits
        return {int(hit.id): hit.highlights["text"] for hit in hits}

    def text(self, key: int) -> str:
        text: str = self.index.get(key)["text"]
        return text


class Http:
    """The server."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self._done(client.post("/indexes", json={"uid": "odd", "primaryKey": "id"}).json())

    def put(self, texts: dict[int, str], **settings: Any) -> None:
        if settings:
            self._done(self.client.patch("/indexes/odd/settings", json=settings).json())
        body = [{"id": key, "text": text} for key, text in texts.items()]
        self._done(self.client.post("/indexes/odd/documents", json=body).json())

    def found(self, query: str, **options: Any) -> dict[int, str]:
        asked = {"q": query, "attributesToHighlight": ["text"], **options}
        reply = self.client.post("/indexes/odd/search", json=asked)
        assert reply.status_code == 200, reply.text
        return {hit["id"]: hit["_formatted"]["text"] for hit in reply.json()["hits"]}

    def text(self, key: int) -> str:
        text: str = self.client.get(f"/indexes/odd/documents/{key}").json()["text"]
        return text

    def _done(self, accepted: dict[str, Any]) -> None:
        for _ in range(4_000):
            task = self.client.get(f"/tasks/{accepted['taskUid']}").json()
            if task["status"] not in ("enqueued", "processing"):
                break
            time.sleep(0.005)
        assert task["status"] == "succeeded", task["error"]


@pytest.fixture(params=["python", "http"])
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    with hybridsearch.open(default_embedder=None) as db:
        if request.param == "python":
            yield Python(db)
        else:
            with TestClient(app_for(db)) as client:
                yield Http(client)


ODD = {
    "controls": ("one\x01two\x08three\x7ffour\x1b[0m", "three "),
    "null": ("before\0after", "after "),
    "joiner inside a word": ("co\u200dop work", "coop "),
    "joiner at the ends": ("\u200dword\u200d", "word "),
    "family of emoji": ("we \U0001f468\u200d\U0001f469\u200d\U0001f467 are family", "family "),
    "flags and skin": ("\U0001f1eb\U0001f1f7 \U0001f44d\U0001f3fd bravo \u2764\ufe0f", "bravo "),
    "right to left": ("\u202eשלום\u202c \u2067عالم\u2069 world", "world "),
    "marks of direction": ("\u200fשלום\u200f", "שלום"),
    "arabic in latin": ("price مرحبا 12", "مرحبا "),
    "combining marks alone": ("\u0301\u0302 accent", "accent "),
    "a tower of marks": ("z" + "\u0301" * 500 + "algo", "zalgo "),
    "byte order mark": ("\ufefftitle", "title "),
    "line separators": ("one\u2028two\u2029three\x85four", "two "),
    "private use": ("\ue000\ue001 \U000f0000 mark", "mark "),
    "noncharacters": ("\ufffe\uffff end", "end "),
    "mathematical": ("\U0001d525\U0001d522\U0001d529\U0001d529\U0001d52c", "hello "),
    "variation selectors": ("葛\U000e0100城", "葛城"),
    "tags": ("a\U000e0061b", "a "),
    # Languages for which nothing is done but folding
    "cherokee": ("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ᏣᎳᎩ "),
    "amharic": ("አዲስ አበባ", "አበባ "),
    "georgian": ("თბილისი ქალაქი", "ქალაქი "),
    "tamazight": ("ⵜⴰⵎⴰⵣⵉⵖⵜ ⴰⵡⴰⵍ", "ⴰⵡⴰⵍ "),
    "yoruba": ("Ẹ káàárọ̀ gbogbo", "kaaaro "),
    "tibetan": ("བོད་སྐད་ཡིག", "སྐད "),
    "mongolian": ("ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ", "ᠪᠢᠴᠢᠭ "),
    "gothic": ("𐌰𐍄𐍄𐌰 𐌿𐌽𐍃𐌰𐍂", "𐌿𐌽𐍃𐌰𐍂 "),
    "vai": ("ꕙꔤ ꕙꔤ", "ꕙꔤ "),
}


def test_every_odd_text_comes_back_and_is_found_by_a_word_of_it(door: Door) -> None:
    door.put({key: text for key, (text, _) in enumerate(ODD.values())})
    for key, (name, (text, query)) in enumerate(ODD.items()):
        found = door.found(query, limit=50)
        assert key in found, name
        assert "<em>" in found[key], name
        assert found[key].replace("<em>", "").replace("</em>", "") == text, name
        assert door.text(key) == text, name


def test_every_odd_text_is_a_query(door: Door) -> None:
    door.put({key: text for key, (text, _) in enumerate(ODD.values())})
    for key, (name, (text, _)) in enumerate(ODD.items()):
        assert key in door.found(text, limit=50), name
        door.found(f'"{text}" -{text}')


@pytest.mark.parametrize(
    ("word", "times"),
    [
        *(("x", 1_000_000), ("é", 1_000_000), ("\u0301x", 500_000), ("ﬃ", 1_000_000)),
        *(("東", 200_000), ("ក", 100_000), ("a-", 100_000)),
    ],
)
def test_words_of_a_megabyte_are_kept_found_and_marked(door: Door, word: str, times: int) -> None:
    text = word * times
    door.put({1: text, 2: f"small {word}"})
    assert door.text(1) == text
    found = door.found(text[:2_000])
    assert 1 in found
    assert "<em>" in found[1]


@pytest.mark.parametrize("language", ["none", "auto", "en", "fr", "tr"])
def test_texts_of_stop_words_alone_are_found_by_them(language: str) -> None:
    with hybridsearch.open(default_embedder=None) as db:
        door = Python(db)
        door.put({1: "to be or not to be", 2: "que sera", 3: "what is it"}, language=language)
        assert next(iter(door.found("to be or not to be"))) == 1
        assert list(door.found('"to be or not to be"')) == [1]
        assert 3 in door.found("what is it")


def test_a_query_of_stop_words_that_the_settings_name_finds_them(door: Door) -> None:
    door.put({1: "to be or not", 2: "a red shoe"}, stopWords=["to", "be", "or", "not", "a"])
    assert list(door.found("to be ")) == [1]
    assert list(door.found("a shoe")) == [2]


# What is no text is refused, with where it stands


def test_a_lone_surrogate_in_python_is_refused_in_documents_and_harmless_in_queries() -> None:
    with hybridsearch.open(default_embedder=None) as db:
        door = Python(db)
        with pytest.raises(DocumentError, match="lone surrogate"):
            door.put({1: "a \ud800 b"})
        door.put({1: "a b"})
        assert door.found("b \udfff") == {1: "a <em>b</em>"}
        with pytest.raises(QueryError, match="ISO 639"):
            door.found("b", locales=["\ud800"])


@pytest.mark.parametrize("half", ["\\ud800", "\\udfff", "\\ud83d\\u0041"])
def test_a_lone_surrogate_over_http_is_refused_or_answered_in_json(half: str) -> None:
    with hybridsearch.open(default_embedder=None) as db, TestClient(app_for(db)) as client:
        Http(client).put({1: "a b"})
        json_body = {"Content-Type": "application/json"}
        for path, body in (
            ("documents", f'[{{"id": 2, "text": "a {half} b"}}]'),
            ("search", f'{{"q": "b {half}"}}'),
            ("search", f'{{"q": "b", "locales": ["{half}"]}}'),
        ):
            reply = client.post(f"/indexes/odd/{path}", content=body, headers=json_body)
            assert reply.status_code == 400, (path, reply.text)
            assert json.loads(reply.content)["type"] == "invalid_request"
        assert client.get("/indexes/odd/stats").json()["numberOfDocuments"] == 1
