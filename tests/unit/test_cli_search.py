"""The command `search`, and what a terminal shows."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

import hybridsearch
from tests.unit.command_line import (
    COMMAND,
    ENVIRONMENT,
    MOVIES,
    error,
    in_json,
    run,
)

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


def test_search_boosts_by_a_formula_and_keeps_near_copies_apart(shop: Path) -> None:
    asked = ["search", "shop.duckdb", "movies", ""]
    by_year = [hit["document"]["year"] for hit in in_json(*asked, "--boost", "year")["hits"]]
    assert by_year == sorted(by_year, reverse=True)
    assert by_year != [hit["document"]["year"] for hit in in_json(*asked)["hits"]]
    asked = ["search", "shop.duckdb", "movies", "space", "--diversity"]
    assert len(in_json(*asked, "0.5")["hits"]) == len(in_json(*asked, "0")["hits"])
    assert "diversity must be a number from 0 to 1" in error(2, *asked, "2")


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
    told = run(*command, "--fusion", "score").stdout
    assert "fusion: score, weights 0.925867 : 0.0741333 = " in told


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
    assert re.search(r"\x1b\[0mStar Wars  \x1b\[2m\[2\]", printed)  # a title is not dim


def test_a_terminal_shows_progress_but_not_with_json(folder: Path) -> None:
    assert "━" in at_terminal("index", "new.duckdb", "movies", "movies.ndjson")
    assert "━" not in at_terminal("index", "new.duckdb", "movies", "movies.ndjson", "--json")
