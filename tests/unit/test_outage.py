"""How often is a service asked that does not answer?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from hybridsearch.embedder_settings import read_embedder
from hybridsearch.embedders import outage
from hybridsearch.embedders.outage import Outage
from hybridsearch.embedders.rest import SERVICES, Patience, RestEmbedder
from hybridsearch.errors import EmbedderError, EmbeddingsFailed
from hybridsearch.outbound import Caller, Networks
from tests.conftest import LETTERS, letters
from tests.unit.embedding_service import Answer, Embedding, running

GONE = Answer(status=500, body=b"down")
SOON, LATER = 0.15, 60.0


@pytest.fixture
def service() -> Iterator[Embedding]:
    with running() as service:
        yield service


@pytest.fixture
def own(service: Embedding, monkeypatch: pytest.MonkeyPatch) -> RestEmbedder:
    monkeypatch.setattr(outage, "FIRST", SOON)
    given = {"source": "textEmbeddingsInference", "url": service.url + "/embed"}
    described = SERVICES["textEmbeddingsInference"](read_embedder("embedders.mine", given))
    caller = Caller(Networks.of(["loopback"]), seconds=2.0)
    patience = Patience(attempts=4, first=0.01, longest=1.0)
    return RestEmbedder("mine", described, caller, dim=LETTERS, patience=patience)


def fails(own: RestEmbedder) -> str:
    with pytest.raises(EmbedderError) as caught:
        own.embed_query(["a"])
    return caught.value.message


def test_a_service_that_failed_is_left_alone_for_a_while(
    service: Embedding, own: RestEmbedder
) -> None:
    service.scripted.extend([GONE] * 2)
    assert "tried 2 times" in fails(own)
    assert "HTTP 500 down; tried 2 times; it is asked again in 0." in fails(own)
    assert len(service.asked) == 2


def test_one_try_looks_whether_it_is_over_and_the_pause_doubles(
    service: Embedding, own: RestEmbedder
) -> None:
    service.scripted.extend([GONE] * 3)
    fails(own)
    time.sleep(SOON)
    assert "tried once" in fails(own)
    assert len(service.asked) == 3
    time.sleep(SOON)
    assert "it is asked again in" in fails(own)
    time.sleep(SOON)
    np.testing.assert_allclose(own.embed_query(["a"]), letters(["a"]))


def test_an_answer_ends_the_pause_and_the_next_one_is_short_again(
    service: Embedding, own: RestEmbedder
) -> None:
    service.scripted.extend([GONE] * 2)
    fails(own)
    own.embed(["a document"])
    own.embed_query(["a"])
    service.scripted.extend([GONE] * 2)
    fails(own)
    time.sleep(SOON)
    own.embed_query(["a"])


def test_one_looks_and_the_others_do_not_wait_for_it(service: Embedding, own: RestEmbedder) -> None:
    service.scripted.extend([GONE] * 2)
    fails(own)
    time.sleep(SOON)
    service.scripted.append(Answer(status=500, seconds=0.5))
    looking = threading.Thread(target=fails, args=[own])
    looking.start()
    for _ in range(100):
        if len(service.asked) == 3:
            break
        time.sleep(0.01)
    assert "it is asked again now, for another search" in fails(own)
    assert len(service.asked) == 3
    looking.join()


def test_a_text_that_is_refused_is_an_answer(service: Embedding, own: RestEmbedder) -> None:
    service.poison = {"bad"}
    with pytest.raises(EmbeddingsFailed):
        own.embed_query(["bad"])
    assert own.embed_query(["good"]).shape == (1, LETTERS)


def test_calls_that_fail_together_begin_one_pause(service: Embedding, own: RestEmbedder) -> None:
    service.scripted.extend([Answer(status=500, seconds=0.2)] * 4)
    together = [threading.Thread(target=fails, args=[own]) for _ in range(2)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    time.sleep(SOON)
    np.testing.assert_allclose(own.embed_query(["a"]), letters(["a"]))


def test_an_interrupted_look_lets_another_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "FIRST", 0.0)
    one = Outage()
    with pytest.raises(EmbedderError), one.watched():
        raise EmbedderError("down")
    with pytest.raises(KeyboardInterrupt), one.watched():
        raise KeyboardInterrupt
    with one.watched() as looking:
        assert looking


def test_a_query_does_not_sit_out_the_long_pause_of_a_load(
    service: Embedding, own: RestEmbedder
) -> None:
    own._pace.hold(LATER)
    started = time.monotonic()
    assert "it asks for a pause, of which 60 s are left" in fails(own)
    assert time.monotonic() - started < 1.0
