import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import hybridsearch
from hybridsearch import demo
from hybridsearch.errors import Conflict
from hybridsearch.evaluate import read_queries
from hybridsearch.terminal import console

ROOT = Path(__file__).parents[2]
JUDGED = ROOT / "datasets/python-docs"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a first run without a path prints, whose folders for a while are in `folder`."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "hybridsearch", "demo", "--json", "--limit", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    ended = subprocess.run(command, env=environment, capture_output=True, check=True)
    return {**json.loads(ended.stdout), "folder": folder}


@pytest.fixture(scope="module")
def found(first: Any) -> demo.Demonstration:
    """A second run, which searches what is there."""
    return demo.run(Path(first["database"]), limit=4)


@pytest.fixture(scope="module")
def printed(found: demo.Demonstration) -> str:
    out = console()
    with out.capture() as captured:
        demo.show(out, found)
    return captured.get()


def test_the_whole_documentation_is_indexed(first: Any) -> None:
    assert first["loaded"] == first["documents"] > 8_000
    assert first["documents_per_second"] > 0


def test_without_a_path_the_database_is_kept_in_a_folder_of_its_own(first: Any) -> None:
    path = Path(first["database"])
    assert path.is_file()
    assert path.parent.parent == first["folder"]


def test_each_question_is_answered_by_each_mode(found: demo.Demonstration) -> None:
    assert [answers.query for answers in found.answers] == list(demo.QUESTIONS)
    assert all(list(answers.by_mode) == list(demo.MODES) for answers in found.answers)
    assert all(len(answers.by_mode["hybrid"]) == 4 for answers in found.answers)


def test_an_exact_name_is_found_first(found: demo.Demonstration) -> None:
    (answers,) = [one for one in found.answers if one.kind == "an exact name"]
    first = answers.by_mode["hybrid"].hits[0]
    assert (first.id, first.keyword_rank) == (answers.query, 1)


def test_every_judged_query_counts_in_one_kind(found: demo.Demonstration) -> None:
    kinds = dict(found.kinds)
    assert kinds.pop("all") == sum(kinds.values()) == len(read_queries(JUDGED / "queries.jsonl"))


def test_the_mean_of_all_is_that_of_the_kinds(found: demo.Demonstration) -> None:
    for arm, mean in found.ndcg["all"].items():
        kinds = {kind: count for kind, count in found.kinds.items() if kind != "all"}
        total = sum(found.ndcg[kind][arm] * count for kind, count in kinds.items())
        assert mean == pytest.approx(total / found.kinds["all"])


def test_only_judgments_with_a_document_are_scored(found: demo.Demonstration) -> None:
    lines = (JUDGED / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert found.judgments + found.missing == len(lines)
    with hybridsearch.open(found.path) as db:
        there = {row[0] for row in db.connect().sql('SELECT id FROM "python-docs"').fetchall()}
    assert found.judgments == sum(line.split("\t")[1] in there for line in lines)


def test_words_find_names_and_meaning_finds_questions(found: demo.Demonstration) -> None:
    assert found.ndcg["exact"]["keyword"] > 0.7 > 0.5 > found.ndcg["exact"]["semantic"]
    assert found.ndcg["natural"]["semantic"] > found.ndcg["natural"]["keyword"]


def test_what_is_printed_holds_every_question_and_kind(
    found: demo.Demonstration, printed: str
) -> None:
    assert all(f"“{query}”" in printed for query in demo.QUESTIONS)
    assert all(f"\n {kind} " in printed for kind in found.ndcg)
    assert max(map(len, printed.splitlines())) < 250


def test_a_long_name_keeps_its_end(printed: str) -> None:
    assert "…" in printed
    assert "random.randint" in printed


def test_what_is_printed_ends_with_commands_that_run(printed: str) -> None:
    lines = [line.strip() for line in printed.partition("Try next:\n")[2].splitlines()]
    assert len(lines) == 2
    for line in lines:
        command = line.replace("hybridsearch", f"'{sys.executable}' -m hybridsearch", 1)
        ended = subprocess.run(
            command, shell=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True
        )
        assert ended.returncode == 0, ended.stderr
        assert b"documents" in ended.stdout


def test_a_second_run_searches_what_is_there(first: Any, found: demo.Demonstration) -> None:
    assert (found.loaded, found.documents) == (0, first["documents"])
    assert first["ndcg@10"] == found.ndcg
    question = first["questions"][0]
    assert [len(question[mode]) for mode in demo.MODES] == [2, 2, 2]
    assert question["hybrid"][0].keys() == {"id", "score", "keyword_rank", "semantic_rank"}


def test_an_index_of_other_documents_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "own.duckdb"
    with hybridsearch.open(path) as db:
        db.create_index(demo.INDEX).add([{"id": 1, "price": 3}])
    with pytest.raises(Conflict, match="holds other documents"):
        demo.run(path)
    with hybridsearch.open(path) as db:
        assert db.index(demo.INDEX).count() == 1


def test_ctrl_c_leaves_no_folder_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "hybridsearch", "demo"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    while not list(tmp_path.rglob("docs.duckdb")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, list(tmp_path.iterdir())) == (130, []), said
