"""A batch is the same whichever process prepares it, and no process outlives its use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hybridsearch
from hybridsearch import aside as aside_module
from hybridsearch.aside import LEAST, Aside, done, texts_in, texts_packed, unpacked
from hybridsearch.aside import packed as packed_bodies
from hybridsearch.course import Course
from hybridsearch.document_table import Document
from hybridsearch.embedded_texts import EmbeddedTexts
from hybridsearch.embedders.static import StaticEmbedder
from hybridsearch.errors import DocumentError
from hybridsearch.generation import Prepared
from hybridsearch.jsontext import dumps, loads
from hybridsearch.manifest import Manifest
from hybridsearch.piecework import OWN, Hands
from hybridsearch.preparation import prepare, recipe
from hybridsearch.settings import Settings

ROOT = Path(__file__).parents[2]
TEXTS = (
    "Horses ran", "数据库搜索", "", "naïve café", "one\ntwo", "a 🐎", "\uff21\uff22", "\u2028",
)  # fmt: skip
RULES = {"localizedAttributes": [{"attributePatterns": ["*_fr"], "locales": ["fra"]}]}


def documents(count: int, **more: Any) -> list[Document]:
    """Documents whose attributes differ from one to the next."""
    made = []
    for number in range(count):
        fields = {"id": number, "title": TEXTS[number % len(TEXTS)], **more}
        if number % 3 == 0:
            fields["tags"] = ["red", "chevaux", str(number)]
        if number > count // 2:
            fields["late_fr"] = {"inner": "les chevaux", "n": 2**70}
        made.append(Document(number, str(number), dumps(fields), fields))
    return made


def prepared(some: Sequence[Document], hands: Hands, **settings: Any) -> Prepared:
    """The documents as one generation takes them."""
    asked = Settings().updated(settings)
    embedders = {"default": StaticEmbedder()}
    made = recipe(asked, embedders)
    manifest = Manifest("db", 1, 1, -1, {**made["text"], "found": "en"}, made["embedders"])
    return prepare(some, manifest, embedders, primary_key="id", hands=hands, course=Course())


def same(one: Prepared, other: Prepared) -> bool:
    """Whether two batches are equal."""
    vectors = zip(one.vectors["default"], other.vectors["default"], strict=True)
    texts = {name: list(column) for name, column in one.texts.items()}
    return (
        texts == {name: list(column) for name, column in other.texts.items()}
        and list(one.bodies) == list(other.bodies)
        and sorted(one.words) == sorted(other.words)
        and all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in vectors)
    )


def child_of(hands: Aside) -> subprocess.Popen[bytes]:
    """The process that it has."""
    child = hands._child
    assert child is not None
    return child.process


def until(holds: Callable[[], bool]) -> bool:
    """Whether it holds within a minute."""
    for _ in range(1_200):
        if holds():
            return True
        time.sleep(0.05)
    return False


def is_gone(pid: int) -> bool:
    """Whether the process has ended; who is ended and not waited for is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture(scope="module")
def aside() -> Iterator[Aside]:
    hands = Aside()
    yield hands
    hands.close()


@pytest.mark.parametrize("settings", [{}, {"language": "none", **RULES}])
def test_a_batch_is_the_same_from_both_processes(aside: Aside, settings: dict[str, Any]) -> None:
    some = documents(1_700)
    assert same(prepared(some, aside, **settings), prepared(some, OWN, **settings))
    assert child_of(aside).poll() is None


def test_a_child_that_was_killed_is_replaced_and_nothing_is_lost(aside: Aside) -> None:
    some = documents(LEAST)
    prepared(some, aside)
    first = child_of(aside)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert same(prepared(some, aside), prepared(some, OWN))
    assert child_of(aside).pid != first.pid


def test_a_child_that_dies_over_a_piece_leaves_it_to_the_parent(aside: Aside) -> None:
    some = documents(LEAST)
    prepared(some, aside)
    os.kill(child_of(aside).pid, signal.SIGSTOP)  # it will read nothing any more
    child_of(aside).send_signal(signal.SIGKILL)
    assert same(prepared(some, aside), prepared(some, OWN))


def test_what_the_child_cannot_do_fails_as_it_does_here(aside: Aside) -> None:
    how = EmbeddedTexts(("*",), template="{% for a in (1..9999999) %}x{% endfor %}")
    with pytest.raises(DocumentError, match='document "0": documentTemplate'):
        aside.embedded(documents(LEAST), StaticEmbedder(), how, without="id")


def test_few_documents_start_no_process() -> None:
    hands = Aside()
    prepared(documents(LEAST - 1), hands)
    assert hands._child is None


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that are begun during the test, each put in as it begins."""
    found: list[subprocess.Popen[bytes]] = []
    begin = aside_module._begun

    def noted() -> subprocess.Popen[bytes]:
        found.append(begin())
        return found[-1]

    monkeypatch.setattr(aside_module, "_begun", noted)
    return found


def test_an_idle_child_is_ended_and_another_takes_its_place(
    begun: list[subprocess.Popen[bytes]],
) -> None:
    hands = Aside(idle_seconds=0.2)
    some = documents(LEAST)
    try:
        prepared(some, hands)
        assert begun
        assert until(lambda: [child.returncode for child in begun] == [0] * len(begun))
        before = len(begun)
        assert same(prepared(some, hands), prepared(some, OWN))
        assert len(begun) > before
    finally:
        hands.close()


def test_a_child_that_hangs_is_killed_and_its_piece_is_done_here(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(aside_module, "LOOKS", 1_000)
    hands = Aside()
    some = documents(LEAST)
    try:
        prepared(some, hands)
        stopped = child_of(hands)
        stopped.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(aside_module, "PIECE_SECONDS", 0.5)
        assert same(prepared(some, hands), prepared(some, OWN))
    finally:
        hands.close()
    assert stopped.returncode == -signal.SIGKILL
    assert "hangs" in caplog.text


def test_closing_the_database_ends_the_child() -> None:
    with hybridsearch.open(second_process=True) as db:
        db.create_index("films").add([loads(one.body) for one in documents(LEAST)])
        assert db._aside is not None
        child = child_of(db._aside)
        assert db.index("films").search("horse").total > 0
    assert child.returncode == 0


def test_the_child_of_a_killed_process_ends() -> None:
    code = (
        "import hybridsearch, sys, time\n"
        "db = hybridsearch.open(second_process=True)\n"
        f"db.create_index('a').add([{{'id': n, 'text': 'word'}} for n in range({LEAST})])\n"
        "print(db._aside._child.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert until(lambda: is_gone(pid))


def test_a_python_that_cannot_be_started_leaves_all_to_this_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    hands = Aside()
    some = documents(LEAST)
    assert same(prepared(some, hands), prepared(some, OWN))
    assert "in the process of searches" in caplog.text


def test_a_piece_that_cannot_be_read_is_not_done() -> None:
    task = {"do": "analyse", "how": {}}
    assert loads(done([dumps(task), *packed_bodies([b"{"])])[0]) == {"done": False}


@pytest.mark.parametrize("texts", [[], [""], ["a", "", "né", "🐎 x"]])
def test_texts_come_back_as_they_were_packed(texts: list[str]) -> None:
    assert texts_in(*texts_packed(texts)) == texts
    bodies = [text.encode() for text in texts]
    assert unpacked(*packed_bodies(bodies)) == bodies
