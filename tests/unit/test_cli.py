import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import hybridsearch
from hybridsearch.cli import commands

ROOT = Path(__file__).parents[2]
# Without buffers Python takes a write that a closed pipe cut short for a whole one.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}
COMMAND = [sys.executable, "-m", "hybridsearch"]
NAMES = ("index", "search", "check", "rebuild", "eval", "sql", "demo")
MOVIES = [
    {"id": 1, "title": "Alien", "overview": "A crew meets a creature on a ship.", "year": 1979},
    {"id": 2, "title": "Star Wars", "overview": "A space opera with robots.", "year": 1977},
    {"id": 3, "title": "Ratatouille", "overview": "A rat cooks in Paris.", "year": 2007},
]
QUERIES = [{"_id": "q1", "text": "space opera"}, {"_id": "q2", "text": "cooks in Paris"}]
QRELS = "q1\t2\t1\nq2\t3\t1\n"


def ndjson(path: Path, documents: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in documents), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with movies and judged queries to use."""
    monkeypatch.chdir(tmp_path)
    ndjson(tmp_path / "movies.ndjson", MOVIES)
    ndjson(tmp_path / "queries.jsonl", QUERIES)
    (tmp_path / "qrels.tsv").write_text(QRELS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def shop(folder: Path) -> Path:
    """That folder, with the movies indexed in shop.duckdb."""
    with hybridsearch.open(folder / "shop.duckdb") as db:
        db.create_index("movies", primary_key="id").add(MOVIES)
    return folder


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(commands, list(arguments), prog_name="hybridsearch", input=stdin)


def in_json(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def error(status: int, *arguments: str, stdin: bytes | None = None) -> str:
    """What a command that must fail with the status says; it is one line, on stderr alone."""
    result = run(*arguments, stdin=stdin)
    assert (result.exit_code, result.stdout) == (status, "")
    assert re.fullmatch(r"error: [^\n]+\n", result.stderr)
    return result.stderr.removeprefix("error: ").rstrip("\n")


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


def test_a_faulty_document_on_stdin_is_said_to_be_there(folder: Path) -> None:
    message = error(1, "index", "new.duckdb", "movies", "-", stdin=b'{"id": 1}\nno\n')
    assert '"stdin", line 2' in message


# search


def test_search_prints_hits_with_title_id_ranks_and_total(shop: Path) -> None:
    result = run("search", "shop.duckdb", "movies", "space opera", "--mode", "keyword")
    lines = result.stdout.splitlines()
    assert re.fullmatch(r"  1\. \d+\.\d{3}  Star Wars  \[2\]  keyword 1", lines[0])
    assert lines[1] == "     A space opera with robots."
    assert re.fullmatch(r"1 document \(keyword, [\d.]+ ms\)", lines[2])


def test_search_in_json_gives_hits_and_figures(shop: Path) -> None:
    found = in_json("search", "shop.duckdb", "movies", "space opera", "--limit", "1")
    figures = {"total", "mode", "degraded", "seconds", "facets", "facet_stats"}
    assert found.keys() == {"hits", *figures}
    assert (found["mode"], found["degraded"]) == ("hybrid", None)
    ranks = ["keyword_rank", "semantic_rank", "keyword_score", "semantic_score"]
    assert list(found["hits"][0]) == ["rank", "id", "score", *ranks, "document"]
    assert found["hits"][0]["document"] == MOVIES[1]


def test_search_pages_number_their_hits_on(shop: Path) -> None:
    options = ["--sort", "year:desc", "--offset", "1", "--limit", "1"]
    found = in_json("search", "shop.duckdb", "movies", "", *options)
    assert [(hit["rank"], hit["id"]) for hit in found["hits"]] == [(2, 1)]
    assert (
        "3 documents, 2 to 2 shown" in run("search", "shop.duckdb", "movies", "", *options).stdout
    )


def test_search_filters_must_all_hold(shop: Path) -> None:
    filters = ["--filter", "year > 1970", "--filter", "year < 1979"]
    assert [
        hit["id"] for hit in in_json("search", "shop.duckdb", "movies", "", *filters)["hits"]
    ] == [2]


def test_search_counts_facets(shop: Path) -> None:
    command = ["search", "shop.duckdb", "movies", "", "--facets", "year,title"]
    assert in_json(*command)["facets"]["year"] == {"1977": 1, "1979": 1, "2007": 1}
    assert "year: 1977 1, 1979 1, 2007 1\n" in run(*command).stdout


def test_search_shows_the_fields_asked_for(shop: Path) -> None:
    command = ["search", "shop.duckdb", "movies", "alien", "--mode", "keyword"]
    command += ["--fields", "year,overview"]
    assert in_json(*command)["hits"][0]["document"] == {
        "overview": "A crew meets a creature on a ship.",
        "year": 1979,
    }
    assert "     year: 1979\n" in run(*command).stdout


def test_search_explains_how_the_score_adds_up(shop: Path) -> None:
    command = ["search", "shop.duckdb", "movies", "robots", "--explain", "--limit", "1"]
    result = run(*command)
    assert "keyword: BM25 " in result.stdout
    assert "semantic: cosine " in result.stdout
    assert "fusion: rrf, k " in result.stdout
    assert in_json(*command)["hits"][0]["explanation"]["mode"] == "hybrid"


def test_search_fuses_as_asked(shop: Path) -> None:
    command = ["search", "shop.duckdb", "movies", "robots", "--explain", "--limit", "1"]
    assert "fusion: score, weights 0.7 : 0.3 = " in run(*command, "--fusion", "score").stdout


@pytest.mark.parametrize("fusion", ["rrf", "score", "linear", "dbsf"])
def test_every_explanation_adds_up_to_its_score(shop: Path, fusion: str) -> None:
    command = ["search", "shop.duckdb", "movies", "robots ship", "--explain", "--fusion", fusion]
    hits = in_json(*command)["hits"]
    sums = [sum(hit["explanation"]["fusion"]["parts"].values()) for hit in hits]
    assert sums == pytest.approx([hit["score"] for hit in hits], rel=1e-6)


def test_search_prints_no_control_characters_of_a_document(folder: Path) -> None:
    with hybridsearch.open("new.duckdb") as db:
        db.create_index("x").add([{"id": 1, "title": "red \x1b[31m\r\n\x07text"}])
    assert "red [31m text" in run("search", "new.duckdb", "x", "").stdout


def test_search_shows_the_piece_of_a_long_text_that_matches(folder: Path) -> None:
    text = "before " * 500 + "needle " + "after " * 500
    with hybridsearch.open("new.duckdb") as db:
        db.create_index("x").add([{"id": 1, "title": "T", "text": text}])
    line = run("search", "new.duckdb", "x", "needle").stdout.splitlines()[1]
    assert re.fullmatch(r"     …[a-z ]+ needle [a-z ]+…", line)
    assert len(line) <= 125


def test_search_in_json_is_utf_8_wherever_it_is_printed(shop: Path) -> None:
    with hybridsearch.open("shop.duckdb") as db:
        db.index("movies").add([{"id": 4, "title": "Amélie 映画"}])
    command = [*COMMAND, "search", "shop.duckdb", "movies", "Amélie", "--limit", "1"]
    ascii_only = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    plain = subprocess.run(command, env=ascii_only, capture_output=True, check=True).stdout
    assert b"Am?lie ??" in plain
    found = subprocess.run([*command, "--json"], env=ascii_only, capture_output=True, check=True)
    assert json.loads(found.stdout)["hits"][0]["document"]["title"] == "Amélie 映画"


def at_terminal(*arguments: str) -> str:
    """What a command prints, stderr included, when it is a terminal that it prints to."""
    reader, writer = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "90"}
    process = subprocess.Popen(
        [*COMMAND, *arguments], env=environment, stdout=writer, stderr=writer
    )
    os.close(writer)
    printed = b""
    try:
        while part := os.read(reader, 65536):
            printed += part
    except OSError:  # how the end of a terminal is told on Linux
        pass
    os.close(reader)
    assert process.wait() == 0
    return printed.decode()


def test_a_terminal_shows_matches_marked(shop: Path) -> None:
    printed = at_terminal("search", "shop.duckdb", "movies", "opera")
    assert re.search(r"space \x1b\[[\d;]+mopera\x1b\[0m", printed)


def test_a_terminal_shows_progress_but_not_with_json(folder: Path) -> None:
    assert "━" in at_terminal("index", "new.duckdb", "movies", "movies.ndjson")
    assert "━" not in at_terminal("index", "new.duckdb", "movies", "movies.ndjson", "--json")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "shop.duckdb", "movie", "x"], 'did you mean "movies"?'),
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
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: no judged document was found")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--mode", "hybird"], 'mean "hybrid"?'),
        (["--at", "0"], "at least 1"),
        (["--qrels", "none.tsv"], "none.tsv"),
    ],
)
def test_eval_refuses_what_is_wrong(shop: Path, more: list[str], said: str) -> None:
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
