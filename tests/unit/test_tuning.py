"""Does tuning find better settings, say what they are worth, and change nothing unasked?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.arms import settings_reports, usual_run
from hybridsearch.cli import commands
from hybridsearch.errors import InputError, SettingsError
from hybridsearch.evaluate import evaluate, read_qrels, read_queries
from hybridsearch.tuning import Tuned, tune
from tests.conftest import letters

CRANFIELD = Path(__file__).parents[2] / "../shared/data/cranfield"
WORDS = [f"{a}{b}{c}{a}" for a in "bdfg" for b in "aei" for c in "lmnr"]
BAD: dict[str, Any] = {
    "embedders": {"letters": {"source": "function"}},
    "searchable_attributes": ["title", "text"],
    "attribute_weights": {"title": 0.1, "text": 3.0},
    "fusion": {"mode": "rrf", "weights": [0.05, 0.95], "k": 60},
}
QUERIES = {f"q{n}": f"{word} {WORDS[n - 1]}" for n, word in enumerate(WORDS)}
QRELS = {f"q{n}": {str(n): 1} for n in range(len(WORDS))}
SEEN = {query: text for n, (query, text) in enumerate(QUERIES.items()) if n % 2}
UNSEEN = {query: text for query, text in QUERIES.items() if query not in SEEN}


def articles() -> list[dict[str, Any]]:
    """The title is what an article is about; its text speaks of other things, again and again."""
    random = np.random.default_rng(0)
    return [
        {
            "id": n,
            "title": f"{word} {WORDS[n - 1]} {WORDS[n - 2]}",
            "text": " ".join(random.choice(WORDS, 6).repeat(2)),
        }
        for n, word in enumerate(WORDS)
    ]


@pytest.fixture
def badly_set(memory: Database) -> Index:
    index = memory.create_index("articles", primary_key="id", settings=BAD)
    index.add(articles())
    return index


def ndcg(index: Index, queries: dict[str, str]) -> float:
    judged = {query: QRELS[query] for query in queries}
    return evaluate(usual_run(index, queries, k=10), judged).mean["ndcg"]


@dataclass(frozen=True)
class Told:
    """What tuning on the seen queries found, and what searches got before and after it."""

    found: Tuned
    unset: bool
    before: Mapping[str, float]
    after: Mapping[str, float]


@pytest.fixture(scope="module")
def tuned() -> Told:
    with hybridsearch.open(default_embedder=None, functions={"letters": letters}) as db:
        index = db.create_index("articles", primary_key="id", settings=BAD)
        index.add(articles())
        before, settings = both(index), index.settings
        found = tune(index, SEEN, QRELS)
        unset = index.settings == settings
        index.update_settings(found.changes)
        return Told(found, unset, before, both(index))


def both(index: Index) -> dict[str, float]:
    return {"seen": ndcg(index, SEEN), "unseen": ndcg(index, UNSEEN)}


def test_a_bad_configuration_is_improved_on_queries_that_were_not_seen(tuned: Told) -> None:
    assert tuned.found.worth_it
    assert tuned.after["unseen"] > tuned.before["unseen"] + 0.1


def test_what_tuning_promises_lies_near_what_unseen_queries_get(tuned: Told) -> None:
    gain = tuned.found.gain
    assert tuned.after["unseen"] - tuned.before["unseen"] == pytest.approx(
        gain.difference, abs=0.12
    )
    assert gain.low <= gain.difference <= gain.high


def test_before_and_after_are_what_searches_find(tuned: Told) -> None:
    assert tuned.found.before.mean["ndcg"] == pytest.approx(tuned.before["seen"])
    assert tuned.found.after.mean["ndcg"] == pytest.approx(tuned.after["seen"])


def test_nothing_is_changed_by_tuning(tuned: Told) -> None:
    assert tuned.unset


def test_what_is_tuned_already_is_left(badly_set: Index) -> None:
    badly_set.update_settings(tune(badly_set, QUERIES, QRELS).changes)
    again = tune(badly_set, QUERIES, QRELS)
    assert again.after.mean["ndcg"] >= again.before.mean["ndcg"]
    assert again.gain.difference < 0.05


def test_an_index_without_vectors_has_its_weights_tuned(memory: Database) -> None:
    settings = {name: BAD[name] for name in ("searchable_attributes", "attribute_weights")}
    index = memory.create_index("plain", primary_key="id", settings=settings)
    index.add(articles())
    found = tune(index, SEEN, QRELS)
    assert set(found.changes) == {"attributeWeights"}
    assert found.gain.difference > 0


def test_too_few_judged_queries_are_refused(badly_set: Index) -> None:
    with pytest.raises(InputError, match=r"3 of the queries have a document .* at least 4"):
        tune(badly_set, dict(list(SEEN.items())[:3]), QRELS)


def test_an_unknown_metric_is_refused(badly_set: Index) -> None:
    with pytest.raises(InputError, match='unknown metric "ncdg"; did you mean "ndcg"'):
        tune(badly_set, SEEN, QRELS, metric="ncdg")


def test_settings_can_be_tried_out_without_being_set(badly_set: Index) -> None:
    changes = {"attributeWeights": {"title": 3.0}, "fusion": {"mode": "linear"}}
    reports = settings_reports(badly_set, QUERIES, QRELS, changes)
    assert reports["changed"].mean["ndcg"] > reports["as set"].mean["ndcg"]
    assert reports["as set"].mean["ndcg"] == pytest.approx(ndcg(badly_set, QUERIES))


def test_what_needs_indexing_anew_cannot_be_tried_out(badly_set: Index) -> None:
    with pytest.raises(SettingsError, match='"stopWords" cannot be tried out'):
        settings_reports(badly_set, QUERIES, QRELS, {"stopWords": ["a"]})


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A database with the badly set index, and the judged queries, as a shell is given them."""
    path = tmp_path / "a.duckdb"
    with hybridsearch.open(path, functions={"letters": letters}) as db:
        settings = {name: BAD[name] for name in ("searchable_attributes", "attribute_weights")}
        db.create_index("articles", primary_key="id", settings=settings).add(articles())
    lines = [json.dumps({"_id": query, "text": text}) for query, text in QUERIES.items()]
    (tmp_path / "q.jsonl").write_text("\n".join(lines))
    rows = [f"{query}\t{document}\t1" for query, one in QRELS.items() for document in one]
    (tmp_path / "qrels.tsv").write_text("\n".join(rows))
    judged = ["--queries", str(tmp_path / "q.jsonl"), "--qrels", str(tmp_path / "qrels.tsv")]
    return [str(path), "articles", *judged]


def run(*arguments: str) -> str:
    found = CliRunner().invoke(commands, arguments)
    assert found.exit_code == 0, found.output
    return found.output


def test_tune_says_what_it_found_and_what_it_is_worth(files: list[str]) -> None:
    said = run("tune", *files)
    assert "attributeWeights: " in said
    assert "on queries that the choice did not see" in said
    assert "applied" not in said


def test_tune_applies_when_it_is_asked_to(files: list[str]) -> None:
    told = json.loads(run("tune", *files, "--apply", "--json"))
    assert told["applied"]
    with hybridsearch.open(files[0]) as db:
        settings = db.index("articles").settings.to_json()
        assert {name: settings[name] for name in told["changes"]} == told["changes"]


def test_eval_compares_two_settings(files: list[str]) -> None:
    told = json.loads(run("eval", *files, "--against", '{"attributeWeights": {}}', "--json"))
    assert told["arms"]["changed"]["ndcg_against_as set"]["difference"] > 0


def test_eval_shows_each_query_the_worst_first(files: list[str]) -> None:
    told = json.loads(run("eval", *files, "--mode", "keyword", "--per-query", "--json"))
    values = told["arms"]["keyword"]["queries"]
    shown = run("eval", *files, "--mode", "keyword", "--per-query")
    lines = [line.split() for line in shown.splitlines() if line.strip().startswith("q")]
    rows = [line for line in lines if line[0] in values]
    assert len(rows) == len(QUERIES)
    assert [float(line[1]) for line in rows] == sorted(float(line[1]) for line in rows)


def test_a_run_goes_out_and_comes_in_again(files: list[str], tmp_path: Path) -> None:
    saved = str(tmp_path / "ours.run")
    run("eval", *files, "--mode", "keyword", "--save-run", saved)
    told = json.loads(run("eval", *files, "--mode", "keyword", "--run", saved, "--json"))
    assert set(told["arms"]) >= {"keyword", saved}
    with hybridsearch.open(files[0]) as db:
        usual = evaluate(usual_run(db.index("articles"), QUERIES, k=10), QRELS)
    assert told["arms"][saved]["ndcg"] == pytest.approx(usual.mean["ndcg"])


@pytest.mark.slow
def test_half_of_cranfield_is_improved_by_tuning_on_the_other_half() -> None:
    if not CRANFIELD.is_dir():
        pytest.skip("needs the collection cranfield in ../shared/data, which is not there")
    queries, qrels = (
        read_queries(CRANFIELD / "queries.jsonl"),
        read_qrels(CRANFIELD / "qrels/test.tsv"),
    )
    half = {query: text for n, (query, text) in enumerate(queries.items()) if n % 2}
    other = {query: qrels[query] for query in queries if query not in half and query in qrels}
    settings = {
        "searchable_attributes": ["title", "text"],
        "attribute_weights": {"title": 20, "text": 0.1},
        "fusion": {"mode": "rrf", "weights": [0.1, 0.9], "k": 60},
    }
    with hybridsearch.open() as db:
        index = db.create_index("cranfield", primary_key="_id", settings=settings)
        index.add(CRANFIELD / "corpus.jsonl.gz")
        before = evaluate(usual_run(index, queries, k=10), other).mean["ndcg"]
        found = tune(index, half, qrels)
        index.update_settings(found.changes)
        after = evaluate(usual_run(index, queries, k=10), other).mean["ndcg"]
    assert found.gain.low > 0
    assert after > before + 0.02
