from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import Stemmer

from hybridsearch.stdlib_docs import documents

Document: TypeAlias = dict[str, Any]
Judgments: TypeAlias = dict[str, dict[str, int]]

ROOT = Path(__file__).parents[2]
DATASET = ROOT / "datasets" / "python-docs"

# Some distributors ship tkinter and idlelib apart from the rest of the library.
WHOLE = all(importlib.util.find_spec(name) for name in ("tkinter", "idlelib"))
EXPECTED = 10_000 if WHOLE else 9_000

KINDS = {"exact", "misspelt", "natural", "paraphrase"}
STOP_WORDS = """
a about after all am an and another any are as at be because been before below between both but by
can did do does each every for from get goes had has have he her his how i if in into is it its
made make me more most my no nor not of off on once one only onto or other our out over own she so
some somebody such than that the their them then there these they this those through to too under
until up very was way we were what when where which while who whom whose why will with would you
your
"""

RUN_ALONE = """
import hashlib, json
from hybridsearch.stdlib_docs import documents
print(hashlib.sha256(json.dumps(list(documents())).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def ordered() -> list[Document]:
    return list(documents())


@pytest.fixture(scope="module")
def corpus(ordered: list[Document]) -> dict[str, Document]:
    return {document["id"]: document for document in ordered}


@pytest.fixture(scope="module")
def queries() -> dict[str, dict[str, str]]:
    lines = (DATASET / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    return {query["_id"]: query for query in map(json.loads, lines)}


@pytest.fixture(scope="module")
def judgments() -> Judgments:
    judged: Judgments = {}
    with (DATASET / "qrels.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            judged.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
    return judged


def words(text: str) -> set[str]:
    """The stems of the words of a text that carry meaning; `DictReader` is two words."""
    parted = re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()
    stops = set(STOP_WORDS.split())
    kept = [word for word in re.findall(r"[a-z]+|\d+", parted) if word not in stops]
    return set(Stemmer.Stemmer("english").stemWords(kept))


def first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s|\n\s*\n", text, maxsplit=1)[0]


def test_the_library_has_ten_thousand_documents(corpus: dict[str, Document]) -> None:
    assert len(corpus) >= EXPECTED


def test_ids_are_unique_and_sorted(ordered: list[Document]) -> None:
    ids = [document["id"] for document in ordered]
    assert ids == sorted(set(ids))


def test_every_document_has_the_same_fields_of_the_same_types(corpus: dict[str, Document]) -> None:
    shapes = {tuple((key, type(value)) for key, value in each.items()) for each in corpus.values()}
    names = ("id", "name", "module", "kind", "signature", "text")
    assert shapes == {(*((name, str) for name in names), ("length", int))}


def test_ids_fit_into_an_index(corpus: dict[str, Document]) -> None:
    assert max(len(id.encode()) for id in corpus) <= 511


def test_every_text_is_there_and_measured(corpus: dict[str, Document]) -> None:
    wrong = [
        each["id"]
        for each in corpus.values()
        if not each["text"].strip() or each["length"] != len(each["text"])
    ]
    assert wrong == []


def test_there_are_four_kinds(corpus: dict[str, Document]) -> None:
    kinds = {document["kind"] for document in corpus.values()}
    assert kinds == {"module", "class", "function", "method"}


def test_a_document_reads_like_the_source(corpus: dict[str, Document]) -> None:
    assert corpus["os.path.normcase"] == {
        "id": "os.path.normcase",
        "name": "os.path.normcase",
        "module": "os.path",
        "kind": "function",
        "signature": "(s)",
        "text": os.path.normcase.__doc__,
        "length": len(os.path.normcase.__doc__ or ""),
    }


@pytest.mark.parametrize(
    ("public", "hidden"),
    [
        ("asyncio.sleep", "asyncio.tasks.sleep"),
        ("collections.abc.Mapping.get", "_collections_abc.Mapping.get"),
        ("collections.deque.rotate", "_collections.deque.rotate"),
        ("concurrent.futures.ThreadPoolExecutor", "concurrent.futures.thread.ThreadPoolExecutor"),
        ("datetime.date.today", "_datetime.date.today"),
        ("decimal.Decimal.sqrt", "_pydecimal.Decimal.sqrt"),
        ("getpass.getpass", "getpass.unix_getpass"),
        ("hashlib.sha256", "_hashlib.openssl_sha256"),
        ("importlib.resources.files", "importlib.resources._common.files"),
        ("json.dumps", "json.__init__.dumps"),
        ("open", "io.open"),
        ("os.listdir", "posix.listdir"),
        ("os.path.join", "posixpath.join"),
        ("random.randint", "random.Random.randint"),
        ("re.Pattern.match", "_sre.Pattern.match"),
        ("socket.socket.bind", "_socket.socket.bind"),
        ("sqlite3.connect", "sqlite3.dbapi2.connect"),
        ("str.split", "builtins.str.split"),
        ("threading.RLock", "_thread.RLock"),
        ("threading.get_ident", "_thread.get_ident"),
        ("unittest.TestCase.assertEqual", "unittest.case.TestCase.assertEqual"),
    ],
)
def test_an_object_is_known_by_its_public_name_alone(
    corpus: dict[str, Document], public: str, hidden: str
) -> None:
    assert (public in corpus, hidden in corpus) == (True, False)


@pytest.mark.parametrize("name", ["test", "turtledemo", "this", "antigravity", "idlelib.idle_test"])
def test_what_nobody_imports_is_left_out(corpus: dict[str, Document], name: str) -> None:
    under = [id for id in corpus if id == name or id.startswith(f"{name}.")]
    assert under == []


def test_methods_are_listed_without_self(corpus: dict[str, Document]) -> None:
    signatures = [
        corpus[id]["signature"] for id in ("str.split", "threading.Timer", "threading.Timer.cancel")
    ]
    assert signatures == [
        "(sep=None, maxsplit=-1)",
        "(interval, function, args=None, kwargs=None)",
        "()",
    ]


def test_another_process_gets_the_same_documents_and_prints_nothing(
    corpus: dict[str, Document],
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    alone = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN_ALONE],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    here = hashlib.sha256(json.dumps(list(corpus.values())).encode()).hexdigest()
    assert (alone.stdout, alone.stderr) == (f"{here}\n", "")


def test_there_are_ninety_queries_of_four_kinds(queries: dict[str, dict[str, str]]) -> None:
    kinds = Counter(query["kind"] for query in queries.values())
    assert (set(kinds), min(kinds.values()) >= 20, sum(kinds.values()) >= 90) == (KINDS, True, True)


def test_every_query_has_an_answer(
    queries: dict[str, dict[str, str]], judgments: Judgments
) -> None:
    answered = {query for query, judged in judgments.items() if 2 in judged.values()}
    assert answered == set(queries)


def test_judgments_are_one_or_two(judgments: Judgments) -> None:
    assert {score for judged in judgments.values() for score in judged.values()} == {1, 2}


def test_judged_documents_exist(corpus: dict[str, Document], judgments: Judgments) -> None:
    pairs = [(query, id) for query, judged in judgments.items() for id in judged]
    absent = [pair for pair in pairs if pair[1] not in corpus]
    assert len(absent) <= len(pairs) * 0.02, absent


def test_every_query_has_an_answer_in_this_python(
    corpus: dict[str, Document], judgments: Judgments
) -> None:
    answers = {
        query: [id for id, score in judged.items() if score == 2 and id in corpus]
        for query, judged in judgments.items()
    }
    assert [query for query, ids in answers.items() if not ids] == []


def test_a_paraphrase_shares_no_word_with_its_answers(
    corpus: dict[str, Document], queries: dict[str, dict[str, str]], judgments: Judgments
) -> None:
    shared = [
        (query["text"], id, common)
        for query in queries.values()
        if query["kind"] == "paraphrase"
        for id, score in judgments[query["_id"]].items()
        if score == 2 and id in corpus
        for common in [words(query["text"]) & words(f"{id} {first_sentence(corpus[id]['text'])}")]
        if common
    ]
    assert shared == []


def test_an_exact_query_is_part_of_the_name_of_its_answer(
    queries: dict[str, dict[str, str]], judgments: Judgments
) -> None:
    wrong = [
        (query["text"], id)
        for query in queries.values()
        if query["kind"] == "exact"
        for id, score in judgments[query["_id"]].items()
        if score == 2 and id.rpartition(".")[2] != query["text"].rpartition(".")[2]
    ]
    assert wrong == []


def test_a_misspelt_query_holds_a_word_that_no_document_is_named_by(
    corpus: dict[str, Document], queries: dict[str, dict[str, str]]
) -> None:
    parts = {part.lower() for id in corpus for part in id.split(".")}
    known = [
        query["text"]
        for query in queries.values()
        if query["kind"] == "misspelt"
        and all(word in parts for word in re.split(r"[ .]", query["text"].lower()))
    ]
    assert known == []
