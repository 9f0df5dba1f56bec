"""The commands `index`, `check`, `rebuild` and `eval`, and what all commands share."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hybridsearch
from tests.conftest import LETTERS, letters
from tests.unit.command_line import (
    COMMAND,
    ENVIRONMENT,
    MOVIES,
    error,
    in_json,
    ndjson,
    run,
)

NAMES = ("index", "search", "check", "rebuild", "eval", "sql", "demo")

# index


def test_index_makes_database_and_index_and_says_how_many(folder: Path) -> None:
    result = run("index", "new.duckdb", "movies", "movies.ndjson")
    assert result.exit_code == 0
    assert re.fullmatch(
        r"movies: 3 documents in [\d.]+ s \([\d,]+ documents/s\); the index holds 3\n",
        result.stdout,
    )


def test_index_in_json_gives_its_figures(folder: Path) -> None:
    found = in_json("index", "new.duckdb", "movies", "movies.ndjson")
    keys = ["index", "documents", "indexed", "seconds", "documents_per_second", "total"]
    assert (list(found), found["documents"], found["total"]) == (keys, 3, 3)


def test_index_reads_stdin_and_keeps_its_bytes(folder: Path) -> None:
    body = '{"key": 7, "price": 1.50}'
    lines = f"{body}\n".encode()
    result = run("index", "new.duckdb", "shop", "-", "--primary-key", "key", stdin=lines)
    assert result.exit_code == 0, result.stderr
    with hybridsearch.open("new.duckdb") as db:
        stored = db.connect().sql("SELECT price FROM shop").fetchall()
        assert (db.index("shop").get(7), stored) == ({"key": 7, "price": 1.5}, [(1.5,)])


def test_index_reads_globs_and_several_files(folder: Path) -> None:
    ndjson(folder / "more-1.ndjson", [{"id": 8}])
    ndjson(folder / "more-2.ndjson", [{"id": 9}])
    assert in_json("index", "new.duckdb", "movies", "movies.ndjson", "more-*.ndjson")["total"] == 5


def test_index_with_merge_keeps_the_other_fields(shop: Path) -> None:
    ndjson(shop / "years.ndjson", [{"id": 1, "year": 1980}])
    assert run("index", "shop.duckdb", "movies", "years.ndjson", "--merge").exit_code == 0
    with hybridsearch.open("shop.duckdb") as db:
        assert db.index("movies").get(1) == {**MOVIES[0], "year": 1980}


@pytest.mark.parametrize("way", ["text", "file"])
def test_index_takes_settings_as_json_or_from_a_file(folder: Path, way: str) -> None:
    text = '{"sortableAttributes": ["year"]}'
    (folder / "settings.json").write_text(text, encoding="utf-8")
    given = text if way == "text" else "settings.json"
    options = ["--settings", given, "--searchable", "title,overview"]
    assert run("index", "new.duckdb", "movies", "movies.ndjson", *options).exit_code == 0
    with hybridsearch.open("new.duckdb") as db:
        settings = db.index("movies").settings
        assert settings.sortable_attributes == ("year",)
        assert settings.searchable_attributes == ("title", "overview")


def test_index_changes_the_settings_of_an_index_that_is_there(shop: Path) -> None:
    options = ["--searchable", "title"]
    assert run("index", "shop.duckdb", "movies", "movies.ndjson", *options).exit_code == 0
    assert in_json("search", "shop.duckdb", "movies", "robots", "--mode", "keyword")["total"] == 0


def test_index_tells_what_is_named_and_no_document_has(folder: Path) -> None:
    options = ["--searchable", "titel,overview", "--settings", '{"sortableAttributes": ["yaer"]}']
    result = run("index", "new.duckdb", "movies", "movies.ndjson", *options)
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        'note: no document has "titel", which searchableAttributes names; did you mean "title"?',
        'note: no document has "yaer", which sortableAttributes names; did you mean "year"?',
    ]


def test_index_without_a_file_of_that_name_makes_nothing(folder: Path) -> None:
    message = error(2, "index", "new.duckdb", "movies", "movie.ndjson")
    assert 'did you mean "movies.ndjson"?' in message
    assert not (folder / "new.duckdb").exists()


def test_index_with_unknown_settings_makes_nothing(folder: Path) -> None:
    options = ["--settings", '{"searchable_attribute": []}']
    message = error(2, "index", "new.duckdb", "movies", "movies.ndjson", *options)
    assert 'did you mean "searchableAttributes"?' in message
    assert not (folder / "new.duckdb").exists()


@pytest.mark.parametrize("settings", ["{", "none.json"])
def test_index_with_unreadable_settings_says_so(folder: Path, settings: str) -> None:
    given = ["--settings", settings]
    assert "--settings" in error(2, "index", "new.duckdb", "movies", "movies.ndjson", *given)


def test_a_faulty_document_is_a_failure_that_names_its_line(folder: Path) -> None:
    (folder / "bad.ndjson").write_text('{"id": 1}\n{"id": \n', encoding="utf-8")
    assert "line 2" in error(1, "index", "new.duckdb", "movies", "bad.ndjson")


def test_what_python_calls_primary_key_is_an_option_here(folder: Path) -> None:
    command = [*COMMAND, "index", "new.duckdb", "movies", "-"]  # in a process of its own, with logs
    lines = b'{"film_id": 1, "user_id": 2}\n'
    ended = subprocess.run(command, env=ENVIRONMENT, input=lines, capture_output=True)
    assert re.fullmatch(rb"error: [^\n]+; name it with --primary-key\n", ended.stderr)


def test_what_a_rebuild_fails_of_is_said_once(shop: Path) -> None:
    with hybridsearch.open("shop.duckdb", functions={"mine": letters}) as db:
        mine = {"embedders": {"mine": {"source": "function", "dimensions": LETTERS}}}
        db.index("movies").update_settings(mine)
    command = [*COMMAND, "rebuild", "shop.duckdb"]  # in a process of its own, with logs
    ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True)
    assert re.fullmatch(rb'error: embedder "mine" is a function that [^\n]+\n', ended.stderr)


def test_a_faulty_document_on_stdin_is_said_to_be_there(folder: Path) -> None:
    message = error(1, "index", "new.duckdb", "movies", "-", stdin=b'{"id": 1}\nno\n')
    assert '"stdin", line 2' in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "shop.duckdb", "movie", "x"], 'did you mean "movies"?'),
        (["index", ":memory:", "movies", "movies.ndjson"], "give a file such as shop.duckdb"),
        (["search", "sho.duckdb", "movies", "x"], "there is no database at sho.duckdb"),
        (["search", "shop.duckdb", "movies", "x", "--filter", "yaer = 1"], 'mean "year"?'),
        (["search", "shop.duckdb", "movies", "x", "--filter", "year >"], "filter"),
        (["search", "shop.duckdb", "movies", "x", "--mode", "hybird"], 'mean "hybrid"?'),
        (["search", "shop.duckdb", "movies", "x", "--fusion", "rff"], 'mean "rrf"?'),
        (["search", "shop.duckdb", "movies", "x", "--limit", "-1"], "limit"),
        (["search", "shop.duckdb", "movies", "x", "--limit", "many"], "'--limit'"),
        (["search", "shop.duckdb", "movies", "x", "--sort", "yaer:asc"], "yaer"),
        (["search", "shop.duckdb", "movies"], "See hybridsearch search --help"),
        (["serch"], "'search'"),
        ([], "See hybridsearch --help"),
        (["check", "sho.duckdb"], "sho.duckdb"),
        (["check", "."], '"." is a folder'),
        (["rebuild", "shop.duckdb", "moovies"], 'mean "movies"?'),
        (["index", "shop.duckdb", "a b", "movies.ndjson"], "a b"),
    ],
)
def test_what_is_asked_wrongly_exits_with_2(shop: Path, arguments: list[str], said: str) -> None:
    assert said in error(2, *arguments)


@pytest.mark.parametrize("path", ["none/x.duckdb", "."])
def test_a_database_that_cannot_be_opened_is_a_failure(folder: Path, path: str) -> None:
    assert str(folder) in error(1, "index", path, "movies", "movies.ndjson")


def test_a_database_open_elsewhere_is_a_failure(shop: Path) -> None:
    with hybridsearch.open("shop.duckdb"):
        ended = subprocess.run(
            [*COMMAND, "search", "shop.duckdb", "movies", "x"], env=ENVIRONMENT, capture_output=True
        )
    assert ended.returncode == 1
    assert re.fullmatch(rb"error: [^\n]+\n", ended.stderr)


# check and rebuild


def test_check_finds_nothing_on_a_sound_database(shop: Path) -> None:
    assert run("check", "shop.duckdb").stdout == "shop.duckdb: no problems found\n"
    assert in_json("check", "shop.duckdb") == {"problems": []}


def test_check_names_a_damaged_file_until_rebuild_made_it_anew(shop: Path) -> None:
    largest = max((shop / "shop.duckdb.search").rglob("*.*"), key=lambda file: file.stat().st_size)
    largest.write_bytes(b"\0" * 100)
    found = run("check", "shop.duckdb")
    assert found.exit_code == 1
    assert found.stdout.startswith("movies: ")
    assert largest.name in found.stdout
    assert run("rebuild", "shop.duckdb").exit_code == 0
    assert run("check", "shop.duckdb").exit_code == 0


def test_a_view_that_was_dropped_is_told_until_rebuild_made_it_anew(shop: Path) -> None:
    with hybridsearch.open("shop.duckdb") as db:
        db.connect().execute("DROP VIEW movies; CREATE TABLE movies AS SELECT 1 AS own")
    assert run("rebuild", "shop.duckdb").exit_code == 0
    assert 'the view "movies" of its documents is gone' in run("check", "shop.duckdb").stdout
    with hybridsearch.open("shop.duckdb") as db:
        assert db.sql("FROM movies").fetchall() == [(1,)]
        db.connect().execute("DROP TABLE movies")
    assert run("rebuild", "shop.duckdb").exit_code == 0
    assert run("check", "shop.duckdb").exit_code == 0
    with hybridsearch.open("shop.duckdb") as db:
        assert db.sql("SELECT count(*) FROM movies").fetchall() == [(3,)]
        db.connect().execute("DROP VIEW movies; CREATE TABLE movies AS SELECT 1 AS own")
        db.drop_index("movies")
        assert db.sql("FROM movies").fetchall() == [(1,)]


def test_check_in_json_lists_problems_and_exits_with_1(shop: Path) -> None:
    for manifest in (shop / "shop.duckdb.search").rglob("MANIFEST.json"):
        manifest.write_bytes(b"{}")
    result = run("check", "shop.duckdb", "--json")
    assert result.exit_code == 1
    assert len(json.loads(result.stdout)["problems"]) == 1


@pytest.mark.parametrize("more", [[], ["movies"], ["movies", "--no-reuse-vectors"]])
def test_rebuild_says_what_it_rebuilt(shop: Path, more: list[str]) -> None:
    (rebuilt,) = in_json("rebuild", "shop.duckdb", *more)["rebuilt"]
    assert (rebuilt["index"], rebuilt["documents"]) == ("movies", 3)
    assert in_json("search", "shop.duckdb", "movies", "robots")["hits"][0]["id"] == 2


# eval


PROVIDED = {"source": "userProvided", "dimensions": 2}
JUDGED = ["eval", "shop.duckdb", "movies", "--queries", "queries.jsonl", "--qrels", "qrels.tsv"]


def test_eval_prints_a_line_for_each_arm(shop: Path) -> None:
    lines = run(*JUDGED).stdout.splitlines()
    assert lines[0] == "2 queries, 0 without an answer left out"
    assert lines[1].split() == ["ndcg@10", "recall@10", "mrr@10", "map@10"]
    arms = [line[:13].strip() for line in lines[2:]]
    assert arms == [
        *("keyword", "semantic", "hybrid rrf"),
        *("hybrid score", "hybrid linear", "hybrid dbsf"),
    ]
    assert "p=" in lines[-1]


def test_eval_in_json_compares_with_keyword(shop: Path) -> None:
    found = in_json(*JUDGED, "--mode", "hybrid", "--at", "1")
    assert (found["at"], found["queries"]) == (1, 2)
    assert list(found["arms"]) == [
        *("keyword", "hybrid rrf", "hybrid score"),
        *("hybrid linear", "hybrid dbsf"),
    ]
    assert found["arms"]["keyword"]["ndcg"] == 1.0
    assert found["arms"]["hybrid rrf"]["ndcg_against_keyword"]["difference"] == 0.0


def test_eval_has_only_the_keyword_arm_without_vectors(shop: Path) -> None:
    with hybridsearch.open("shop.duckdb") as db:
        db.create_index("plain", settings={"embedders": {"own": PROVIDED}}).add([{"id": 2}])
    command = [*JUDGED[:2], "plain", *JUDGED[3:]]
    assert list(in_json(*command)["arms"]) == ["keyword"]
    assert "use keyword" in error(2, *command, "--mode", "semantic")


def test_eval_warns_when_no_judged_document_is_found(shop: Path) -> None:
    (shop / "qrels.tsv").write_text("q1\telsewhere\t1\n", encoding="utf-8")
    result = run(*JUDGED)
    assert result.stdout.startswith("1 query, 1 without an answer left out\n")
    assert result.stderr.startswith("warning: no judged document was found")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--mode", "hybird"], 'mean "hybrid"?'),
        (["--at", "0"], "'--at': 0"),
        (["--qrels", "none.tsv"], "cannot read none.tsv: No such file or directory; give"),
        (["--qrels", "other.tsv"], "none of the 2 queries in queries.jsonl is among the 1 that"),
        (["--against", '{"synonyms": {}}'], '"synonyms" cannot be tried out'),
    ],
)
def test_eval_refuses_what_is_wrong(shop: Path, more: list[str], said: str) -> None:
    Path("other.tsv").write_text("q9\t1\t1\n", encoding="utf-8")
    assert said in error(2, *JUDGED, *more)


# The process


def test_version_is_printed() -> None:
    assert run("--version").stdout == f"hybridsearch {hybridsearch.__version__}\n"


def test_help_needs_neither_the_engine_nor_numpy() -> None:
    code = (
        "import sys\nfrom hybridsearch.cli import commands\n"
        "try:\n    commands.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'duckdb', 'numpy', 'pyarrow', 'sqlglot', 'tantivy'} & sys.modules.keys()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, check=True
    )
    assert ended.stdout.splitlines()[-1] == b"[]"


def test_drop_removes_an_index_and_leaves_the_table_it_follows(shop: Path) -> None:
    with hybridsearch.open("shop.duckdb") as db, db.connect() as con:
        con.execute("CREATE TABLE own AS SELECT 1 AS id, 'red' AS name")
        con.execute("CREATE SEARCH INDEX own_idx ON own (name) WITH (key = id)")
    assert run("drop", "shop.duckdb", "movies").stdout == "movies: removed with 3 documents\n"
    assert in_json("drop", "shop.duckdb", "own_idx") == {"index": "own_idx", "documents": 1}
    assert "no index" in error(2, "drop", "shop.duckdb", "movies")
    with hybridsearch.open("shop.duckdb") as db:
        assert db.indexes() == []
        assert db.sql("FROM own").fetchall() == [(1, "red")]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_pipe_closed_early_ends_without_a_word(folder: Path, more: list[str]) -> None:
    documents = [{"id": number, "text": "words " * 200} for number in range(2_000)]
    with hybridsearch.open("new.duckdb") as db:
        db.create_index("long").add(documents)
    command = [*COMMAND, "search", "new.duckdb", "long", "", "--limit", "2000", *more]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said) == (141, b"")


def test_streams_that_the_shell_closed_are_done_without(shop: Path) -> None:
    asked = f"{' '.join(COMMAND)} sql shop.duckdb"
    line = f"{asked} <&- && {asked} 'CREATE TABLE t AS SELECT 5 AS x' >&- 2>&- && {asked} 'FROM t'"
    ended = subprocess.run(line, shell=True, env=ENVIRONMENT, capture_output=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        0,
        b"x\n\xe2\x94\x80\n5\n1 row\n",
        b"",
    )


def test_ctrl_c_while_indexing_keeps_what_was_acknowledged(folder: Path) -> None:
    documents = [{"id": number, "text": f"text {number}"} for number in range(120_000)]
    ndjson(folder / "many.ndjson", documents)
    process = subprocess.Popen(
        [*COMMAND, "index", "many.duckdb", "many", "many.ndjson"],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
    )
    side = folder / "many.duckdb.search"
    while not sealed(side) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert b"error: interrupted" in said
    assert b"Traceback" not in said
    with hybridsearch.open("many.duckdb") as db:
        tasks = [task for task in db.tasks() if task.kind == "documentAdditionOrUpdate"]
        accepted = sum(db.wait(task.uid).details["indexed_documents"] for task in tasks)
        assert 0 < accepted < len(documents)
        assert db.index("many").count() == accepted
    assert hybridsearch.check("many.duckdb") == []


def sealed(side: Path) -> bool:
    """Whether the first batch of documents is in."""
    manifests = [json.loads(path.read_bytes()) for path in side.rglob("MANIFEST.json")]
    return any(found["manifest"]["task"] > 0 for found in manifests)


# Help


def examples(name: str) -> list[str]:
    text = run(name, "--help").stdout
    return [line.strip() for line in text.partition("Examples:\n")[2].splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_help_ends_with_two_or_three_examples(name: str) -> None:
    assert len(examples(name)) in (2, 3)
    assert all(f"hybridsearch {name} " in f"{line} " for line in examples(name))


@pytest.mark.parametrize("name", [*NAMES[:-1], pytest.param(NAMES[-1], marks=pytest.mark.slow)])
def test_the_examples_of_help_run(shop: Path, name: str) -> None:
    subprocess.run(["gzip", "-k", "movies.ndjson"], check=True)
    script = shop / "bin" / "hybridsearch"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hybridsearch "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    environment = {**ENVIRONMENT, "TMPDIR": str(shop)}
    environment["PATH"] = f"{script.parent}{os.pathsep}{os.environ['PATH']}"
    for line in examples(name):
        ended = subprocess.run(line, shell=True, env=environment, capture_output=True)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout
