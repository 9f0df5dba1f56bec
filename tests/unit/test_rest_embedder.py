"""Does an embedding service on the network make the vectors, whatever it does?"""

from __future__ import annotations

import email.utils
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hybridsearch
from hybridsearch.embedder_settings import read_embedder
from hybridsearch.embedders.rest import SERVICES, Patience, RestEmbedder
from hybridsearch.embedders.shapes import Shape
from hybridsearch.errors import (
    CallFailed,
    CallRefused,
    EmbedderError,
    EmbeddingsFailed,
    InputError,
    SettingsError,
)
from hybridsearch.outbound import Caller, Networks
from tests.conftest import LETTERS, letters
from tests.unit.embedding_service import Answer, Embedding, running

QUICK = Patience(attempts=4, first=0.01, longest=1.0)
LOOPBACK = Networks.of(["loopback"])


@pytest.fixture(scope="module")
def one_service() -> Iterator[Embedding]:
    with running() as service:
        yield service


@pytest.fixture
def service(one_service: Embedding) -> Embedding:
    fresh = Embedding()
    for name in ("asked", "seen_headers", "scripted", "poison", "vector"):
        setattr(one_service, name, getattr(fresh, name))
    return one_service


def made(service: Embedding, source: str = "textEmbeddingsInference", **own: Any) -> RestEmbedder:
    paths = {"openAi": "/v1/embeddings", "ollama": "/api/embed"}
    given = {"source": source, "url": service.url + paths.get(source, "/embed"), **own}
    if source == "ollama":
        given.setdefault("model", "m")
    settings = read_embedder("embedders.mine", given)
    caller = Caller(LOOPBACK, seconds=2.0)
    return RestEmbedder(
        "mine",
        SERVICES[source](settings),
        caller,
        dim=settings.dimensions,
        query_prefix=settings.query_prefix or "",
        document_prefix=settings.document_prefix or "",
        patience=QUICK,
    )


@pytest.mark.parametrize("source", ["openAi", "ollama", "textEmbeddingsInference"])
def test_the_known_services_are_spoken_to(service: Embedding, source: str) -> None:
    texts = ["alien", "up", "paris, texas"]
    found = made(service, source).embed(texts)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, letters(texts))


def test_the_older_way_of_ollama_has_one_text_in_a_request(service: Embedding) -> None:
    own = made(service, "ollama", url=service.url + "/api/embeddings")
    np.testing.assert_allclose(own.embed(["a", "b"]), letters(["a", "b"]))
    assert sorted(body["prompt"] for body in service.asked if body["prompt"] != "probe") == [
        "a",
        "b",
    ]


def test_a_service_of_any_shape_is_described_by_templates(service: Embedding) -> None:
    own = made(
        service,
        "rest",
        url=service.url + "/v1/embeddings",
        request={"input": ["{{text}}", "{{..}}"], "options": {"kind": "passage"}},
        response={"data": [{"embedding": "{{embedding}}"}, "{{..}}"]},
    )
    np.testing.assert_allclose(own.embed(["a", "b"]), letters(["a", "b"]))
    assert service.asked[0]["options"] == {"kind": "passage"}


def test_key_model_and_length_are_sent(service: Embedding) -> None:
    made(service, "openAi", apiKey="sk-secret", dimensions=LETTERS).embed(["a"])
    assert service.seen_headers[0]["authorization"] == "Bearer sk-secret"
    assert service.asked[0]["dimensions"] == LETTERS
    assert service.asked[0]["model"] == "text-embedding-3-small"


def test_texts_go_in_batches_and_come_back_in_order(service: Embedding) -> None:
    texts = [f"text {n}" for n in range(103)]
    np.testing.assert_allclose(made(service, batchSize=10).embed(texts), letters(texts))
    assert max(len(body["inputs"]) for body in service.asked) == 10


def test_prefixes_are_put_before_texts(service: Embedding) -> None:
    own = made(service, queryPrefix="query: ", documentPrefix="text: ", dimensions=LETTERS)
    own.embed(["a"])
    own.embed_query(["b"])
    assert service.texts == ["text: a", "query: b"]


def test_half_a_surrogate_pair_is_sent_as_a_question_mark(service: Embedding) -> None:
    made(service, dimensions=LETTERS).embed(["a\ud800b"])
    assert service.texts == ["a?b"]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_what_may_be_over_soon_is_tried_again(service: Embedding, status: int) -> None:
    service.scripted.extend([Answer(status), Answer(status)])
    np.testing.assert_allclose(made(service, dimensions=LETTERS).embed(["a"]), letters(["a"]))
    assert len(service.asked) == 3


@pytest.mark.parametrize("as_date", [False, True])
def test_the_pause_that_is_asked_for_is_kept(service: Embedding, as_date: bool) -> None:
    text = email.utils.formatdate(time.time() + 1.0, usegmt=True) if as_date else "0.3"
    service.scripted.append(Answer(429, headers={"retry-after": text}))
    started = time.monotonic()
    made(service, dimensions=LETTERS).embed(["a"])
    assert time.monotonic() - started >= (0.0 if as_date else 0.3)
    assert len(service.asked) == 2


def test_a_pause_that_is_too_long_is_not_waited_for(service: Embedding) -> None:
    service.scripted.append(Answer(429, headers={"retry-after": "3600"}))
    with pytest.raises(EmbedderError, match=r"HTTP 429 .*asks for a pause of 3,600 s"):
        made(service, dimensions=LETTERS).embed(["a"])


def test_a_service_that_stays_down_is_given_up_with_its_words(service: Embedding) -> None:
    service.scripted.extend([Answer(503, b"model is  loading")] * 9)
    with pytest.raises(EmbedderError, match="HTTP 503 model is loading; tried 4 times"):
        made(service, dimensions=LETTERS).embed(["a"])


def test_a_query_waits_less_than_a_document(service: Embedding) -> None:
    service.scripted.extend([Answer(503)] * 9)
    with pytest.raises(EmbedderError, match="tried 2 times"):
        made(service, dimensions=LETTERS).embed_query(["a"])


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_will_not_be_over_by_itself_fails_at_once(service: Embedding, status: int) -> None:
    service.scripted.append(Answer(status, b"no"))
    with pytest.raises(EmbedderError, match=f"HTTP {status} no"):
        made(service, dimensions=LETTERS).embed(["a"])
    assert len(service.asked) == 1


def test_a_key_is_never_in_a_message(service: Embedding) -> None:
    service.scripted.append(Answer(401, b"bad key sk-0123456789abcdef"))
    with pytest.raises(EmbedderError, match=r"bad key skXXXX\.\.\.") as caught:
        made(service, "openAi", apiKey="sk-0123456789abcdef", dimensions=8).embed(["a"])
    assert "456789" not in str(caught.value)


def test_a_slow_service_is_not_waited_for_for_ever(service: Embedding) -> None:
    service.scripted.extend([Answer(seconds=0.6)] * 4)
    own = made(service, dimensions=LETTERS)
    own._caller = Caller(LOOPBACK, seconds=0.2)
    with pytest.raises(EmbedderError, match=r"no answer within 0\.2 s; tried 2 times"):
        own.embed_query(["a"])


def test_a_service_that_is_not_there_is_said_to_be_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/embed"
    with pytest.raises(EmbedderError, match=r"refused.*; tried 4 times"):
        made(Embedding(url=url[:-6]), dimensions=LETTERS).embed(["a"])


def test_every_text_but_the_refused_ones_gets_its_vector(service: Embedding) -> None:
    service.poison = {"text 7", "text 30"}
    texts = [f"text {n}" for n in range(40)]
    with pytest.raises(EmbeddingsFailed) as caught:
        made(service, batchSize=16, dimensions=LETTERS).embed(texts)
    assert sorted(caught.value.reasons) == [7, 30]
    assert "HTTP 400" in caught.value.reasons[7]
    good = [n for n in range(40) if n not in (7, 30)]
    np.testing.assert_allclose(caught.value.made[good], letters([texts[n] for n in good]))
    assert np.isnan(caught.value.made[[7, 30]]).all()


def test_a_service_that_refuses_everything_is_not_asked_for_each_text(service: Embedding) -> None:
    texts = [f"text {n}" for n in range(100)]
    service.poison = set(texts)
    with pytest.raises(EmbedderError, match="refuses every text: HTTP 400"):
        made(service, batchSize=100, dimensions=LETTERS).embed(texts)
    assert len(service.asked) < 50


@pytest.mark.parametrize(
    ("vector", "says"),
    [
        ([1.0] * 7, "its vector has 7 numbers, not 8"),
        ([float("nan")] * 8, "answer is no JSON"),
        ([1e300] * 8, "NaN or an infinity"),
        (["x"] * 8, "no list of numbers"),
        ([], "no list of numbers"),
        ({"a": 1}, "no list of numbers"),
    ],
)
def test_a_vector_that_is_unfit_is_refused(service: Embedding, vector: Any, says: str) -> None:
    service.vector = lambda text: vector
    with pytest.raises(EmbedderError) as caught:
        made(service, dimensions=8).embed(["a"])
    reasons = getattr(caught.value, "reasons", {})
    assert says in caught.value.message + reasons.get(0, "")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>", "no JSON: HTTP 200 <html>"),
        (b'{"vectors": []}', 'the answer has no "data"'),
        (b'{"data": {}}', 'the answer, "data" is no list'),
        (b'{"data": []}', "0 vectors came back for 1 texts"),
        (b'{"data": [{"vector": []}]}', '"data", item 0 has no "embedding"'),
    ],
)
def test_an_answer_of_another_shape_says_where(service: Embedding, body: bytes, says: str) -> None:
    service.scripted.append(Answer(body=body))
    with pytest.raises(EmbedderError) as caught:
        made(service, "openAi", dimensions=LETTERS).embed(["a"])
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("sent", "answered", "says"),
    [
        ({"input": "text"}, "{{embedding}}", '"request" must hold "{{text}}" once'),
        ({"input": "{{text}}"}, {"e": []}, '"response" must hold "{{embedding}}" once'),
        ({"input": ["{{text}}", "{{..}}"]}, {"e": "{{embedding}}"}, "needs"),
        ({"input": ["{{text}}", "x", "{{..}}"]}, ["{{embedding}}", "{{..}}"], "two items"),
    ],
)
def test_templates_that_cannot_work_are_refused(sent: Any, answered: Any, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Shape(sent, answered)
    assert says in caught.value.message


# Where may be called


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"),
        *("10.0.0.1", "192.168.1.1", "172.16.0.1", "[fd00::1]", "[fe80::1]", "2130706433"),
    ],
)
def test_private_addresses_are_refused_unless_allowed(host: str) -> None:
    with pytest.raises(CallRefused, match="not an address of the public internet"):
        Caller(Networks()).post(f"http://{host}:9/", content=b"", headers={})


@pytest.mark.parametrize(
    ("address", "network"),
    [("127.0.0.1", "loopback"), ("10.0.0.1", "private"), ("169.254.169.254", "169.254.169.254")],
)
def test_the_network_to_allow_is_named(address: str, network: str) -> None:
    with pytest.raises(CallRefused, match=f"--allow-network {network}$"):
        Caller(Networks()).post(f"http://{address}:9/", content=b"", headers={})
    assert Networks.of([network]).permits(address)


def test_what_is_allowed_is_that_and_no_more() -> None:
    allowed = Networks.of(["loopback", "10.1.0.0/16"])
    found = [allowed.permits(a) for a in ("127.0.0.1", "::1", "10.1.2.3", "10.2.0.1", "1.1.1.1")]
    assert found == [True, True, True, False, True]


@pytest.mark.parametrize("names", [["nowhere"], ["10.0.0.1/8"], "loopback"])
def test_networks_that_are_none_are_refused(names: Any) -> None:
    with pytest.raises(InputError, match="allowed_networks"):
        hybridsearch.open(allowed_networks=names)


def test_a_redirect_is_not_followed(service: Embedding) -> None:
    service.scripted.append(Answer(302, headers={"location": "http://169.254.169.254/"}))
    reply = Caller(LOOPBACK).post(service.url + "/embed", content=b'{"inputs":[]}', headers={})
    assert reply.status == 302


def test_an_answer_that_is_too_large_is_not_read(service: Embedding) -> None:
    service.scripted.append(Answer(body=b"x" * 100_000))
    caller = Caller(LOOPBACK, most_bytes=10_000)
    with pytest.raises(CallFailed, match="more than 10,000 bytes"):
        caller.post(service.url + "/embed", content=b'{"inputs":[]}', headers={})


# In an index


def settings_of(service: Embedding, **own: Any) -> dict[str, Any]:
    given = {"source": "textEmbeddingsInference", "url": service.url + "/embed", **own}
    return {"embedders": {"mine": given}}


def test_an_index_is_searched_by_a_service(service: Embedding, path: Path) -> None:
    with hybridsearch.open(path, allowed_networks=["loopback"]) as db:
        index = db.create_index("films", primary_key="id", settings=settings_of(service))
        index.add([{"id": 1, "title": "Alien"}, {"id": 2, "title": "Up"}])
        assert index.search("Up", mode="semantic").hits[0].id == 2
        assert index.settings.embedders["mine"].dimensions == LETTERS


def test_without_leave_a_service_on_this_machine_is_refused(service: Embedding) -> None:
    with (
        hybridsearch.open() as db,
        pytest.raises(EmbedderError, match=r'allowed_networks=\["loopback"\]'),
    ):
        db.create_index("films", settings=settings_of(service))


def test_a_database_opens_and_finds_words_while_the_service_is_down(
    service: Embedding, path: Path
) -> None:
    with hybridsearch.open(path, allowed_networks=["loopback"]) as db:
        index = db.create_index("films", primary_key="id", settings=settings_of(service))
        index.add([{"id": 1, "title": "Alien"}])
    asked = len(service.asked)
    with hybridsearch.open(path, allowed_networks=["loopback"]) as db:
        assert db.index("films").search("alien", mode="keyword").total == 1
    assert len(service.asked) == asked


def test_a_load_that_was_interrupted_embeds_only_what_is_left(
    service: Embedding, path: Path
) -> None:
    films = [{"id": n, "title": f"film {n}"} for n in range(1200)]
    with hybridsearch.open(path, allowed_networks=["loopback"]) as db:
        index = db.create_index("films", primary_key="id", settings=settings_of(service))
        service.poison = {"film 900"}
        with pytest.raises(EmbedderError, match=r'document "900": HTTP 400') as caught:
            index.add(films)
        assert (caught.value.fields["failed"], caught.value.fields["documents"]) == (1, "900")
        assert index.count() == 0
    service.poison = set()
    before = len(service.texts)
    with hybridsearch.open(path, allowed_networks=["loopback"]) as db:
        db.index("films").add(films)
        assert service.texts[before:] == ["film 900"]
        assert db.index("films").stats()["embedders"]["mine"]["documents"] == 1200


def test_a_text_that_comes_twice_is_embedded_once(service: Embedding, path: Path) -> None:
    with hybridsearch.open(path, allowed_networks=["loopback"]) as db:
        index = db.create_index("films", primary_key="id", settings=settings_of(service))
        index.add([{"id": n, "title": "Up"} for n in range(5)])
        index.search("Alien", mode="semantic")
        index.search("Alien", mode="semantic")
    assert [text for text in service.texts if text != "probe"] == ["Up", "Alien"]


def test_a_torn_file_of_kept_vectors_costs_only_what_was_torn(
    service: Embedding, path: Path
) -> None:
    films = [{"id": n, "title": f"film {n}"} for n in range(10)]
    with hybridsearch.open(path, allowed_networks=["loopback"]) as db:
        index = db.create_index("films", primary_key="id", settings=settings_of(service))
        index.add(films)
    (kept,) = path.with_name(path.name + ".search").glob("embedded/*.kept")
    record = kept.stat().st_size // 10
    whole = bytearray(kept.read_bytes())
    whole[3 * record + 30] ^= 1
    kept.write_bytes(whole[: 9 * record + 5])
    before = len(service.texts)
    with hybridsearch.open(path, allowed_networks=["loopback"]) as db:
        again = db.create_index("again", primary_key="id", settings=settings_of(service))
        again.add(films)
    assert sorted(t for t in service.texts[before:] if t != "probe") == ["film 3", "film 9"]
