import gzip
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hybridsearch.errors import InputError
from hybridsearch.evaluate import (
    METRICS,
    Report,
    compare,
    evaluate,
    read_qrels,
    read_queries,
    read_run,
    run_of,
    table,
    write_run,
)

DATA = Path(__file__).parents[2] / "../shared/data"
QRELS = {
    "q1": {"a": 1, "b": 2, "c": 0, "d": 1},
    "q2": {"x": 1},
    "q3": {"y": 1, "z": -1},
}


def value(metric: str, found: list[str], *, k: int = 4) -> float:
    return evaluate({"q1": found}, QRELS, k=k).per_query(metric)["q1"]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def log2(rank: int) -> float:
    return math.log2(rank + 1)


BEST = 2 / log2(1) + 1 / log2(2) + 1 / log2(3)


@pytest.mark.parametrize(
    ("metric", "wanted"),
    [
        ("ndcg", (1 / log2(2) + 2 / log2(4)) / BEST),
        ("recall", 2 / 3),
        ("precision", 2 / 4),
        ("mrr", 1 / 2),
        ("map", (1 / 2 + 2 / 4) / 3),
    ],
)
def test_a_metric_is_its_formula(metric: str, wanted: float) -> None:
    assert value(metric, ["c", "a", "unjudged", "b", "d"]) == pytest.approx(wanted)


@pytest.mark.parametrize("metric", [name for name in METRICS if name != "precision"])
def test_the_best_order_scores_one(metric: str) -> None:
    assert value(metric, ["b", "d", "a", "c"]) == pytest.approx(1)


def test_ndcg_beyond_the_first_k_is_nothing() -> None:
    assert value("ndcg", ["c", "none", "a"], k=2) == 0


def test_the_best_possible_is_cut_at_k_too() -> None:
    assert value("ndcg", ["b"], k=1) == 1
    assert value("recall", ["b"], k=1) == pytest.approx(1 / 3)


@pytest.mark.parametrize("metric", list(METRICS))
def test_a_judged_query_that_the_run_leaves_out_scores_nothing(metric: str) -> None:
    report = evaluate({"q1": ["b"]}, QRELS)
    assert report.per_query(metric)["q2"] == 0


def test_a_negative_grade_is_not_relevant() -> None:
    assert evaluate({"q3": ["z", "y"]}, QRELS).per_query("mrr")["q3"] == pytest.approx(1 / 2)
    assert evaluate({"q3": ["z", "y"]}, QRELS).per_query("ndcg")["q3"] == pytest.approx(1 / log2(2))


def test_a_query_with_nothing_relevant_is_skipped_and_named() -> None:
    report = evaluate({}, {"q1": {"a": 1}, "empty": {"b": 0}, "bare": {}})
    assert report.queries == ("q1",)
    assert report.skipped == ("empty", "bare")


def test_a_query_without_judgments_is_passed_over() -> None:
    assert evaluate({"other": ["a"]}, QRELS).queries == ("q1", "q2", "q3")


def test_the_mean_is_over_the_judged_queries() -> None:
    report = evaluate({"q1": ["b", "d", "a"], "q2": ["x"]}, QRELS)
    assert report.mean["ndcg"] == pytest.approx(2 / 3)


def test_nothing_judged_gives_an_empty_report() -> None:
    assert evaluate({}, {}).mean == dict.fromkeys(METRICS, 0.0)


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one_is_refused(k: int) -> None:
    with pytest.raises(InputError, match=f"k is {k}"):
        evaluate({}, QRELS, k=k)


def test_a_document_found_twice_is_refused() -> None:
    with pytest.raises(InputError, match='"b" more than once for query "q1"'):
        evaluate({"q1": ["a", "b", "b"]}, QRELS)


def test_an_unknown_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match='unknown metric "ndgc"; did you mean "ndcg"'):
        evaluate({}, QRELS).per_query("ndgc")


def test_queries_are_read_in_order(tmp_path: Path) -> None:
    path = written(
        tmp_path / "q.jsonl", '{"_id":"2","text":"b","more":1}\n\n{"_id":"1","text":"é"}'
    )
    assert list(read_queries(path).items()) == [("2", "b"), ("1", "é")]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2: not JSON"),
        ('{"_id":"1"}', 'line 2: a query is an object with the texts "_id" and "text"'),
        ('{"_id":1,"text":"a"}', "line 2: a query is an object"),
        ("[]", "line 2: a query is an object"),
        ('{"_id":"0","text":"again"}', 'line 2: the query "0" is there already'),
    ],
)
def test_a_malformed_query_is_named_by_line(tmp_path: Path, line: str, says: str) -> None:
    path = written(tmp_path / "q.jsonl", '{"_id":"0","text":"first"}\n' + line)
    with pytest.raises(InputError, match=says) as got:
        read_queries(path)
    assert got.value.fields == {"path": str(path), "line": 2}


@pytest.mark.parametrize(
    "text",
    [
        "query-id\tcorpus-id\tscore\nq1\ta\t1\nq1\tb\t2\nq2\tc\t0\n",
        "q1\ta\t1\r\nq1\tb\t2\r\nq2\tc\t0",
        "q1 0 a 1\nq1 0 b 2\n\nq2 0 c 0\n",
        "\ufeffq1\t0\ta\t1\nq1\t0\tb\t2\nq2\t0\tc\t0\n",
    ],
)
def test_qrels_are_read_with_three_columns_or_four(tmp_path: Path, text: str) -> None:
    path = written(tmp_path / "qrels", text)
    assert read_qrels(path) == {"q1": {"a": 1, "b": 2}, "q2": {"c": 0}}


def test_ids_between_tabs_may_hold_spaces(tmp_path: Path) -> None:
    assert read_qrels(written(tmp_path / "q.tsv", "q 1\ta b\t1")) == {"q 1": {"a b": 1}}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("q1\tb", "line 2: 2 columns; a judgment has three"),
        ("q1 0 b 1 tag", "line 2: 5 columns"),
        ("q1\tb\thigh", 'line 2: the grade "high" is no whole number'),
        ("q1\tb\t1.5", 'line 2: the grade "1.5" is no whole number'),
        ("q1\ta\t2", 'line 2: "a" is judged in two ways for query "q1"'),
        ("query-id\tcorpus-id\tscore", "line 2: the grade"),
    ],
)
def test_a_malformed_judgment_is_named_by_line(tmp_path: Path, line: str, says: str) -> None:
    path = written(tmp_path / "q.tsv", "q1\ta\t1\n" + line)
    with pytest.raises(InputError, match=says):
        read_qrels(path)


def test_gzipped_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "qrels.tsv.gz"
    path.write_bytes(gzip.compress(b"q1\ta\t1\n"))
    assert read_qrels(path) == {"q1": {"a": 1}}


@pytest.mark.parametrize("read", [read_queries, read_qrels, read_run])
@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"])
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, read: Callable[[Path], Any], content: bytes | None
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read .*file"):
        read(path)


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    run = {"q1": ["b", "a", "c"], "q2": ["z"]}
    write_run(run, tmp_path / "run")
    assert read_run(tmp_path / "run") == run


def test_a_run_is_read_by_score_then_rank(tmp_path: Path) -> None:
    lines = ["q1 Q0 low 1 0.5 t", "q1 Q0 second 3 2.0 t", "q1 Q0 first 2 2.0 t"]
    path = written(tmp_path / "run", "\n".join(lines))
    assert read_run(path) == {"q1": ["first", "second", "low"]}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("q1 Q0 a 1 0.5", "line 1: 5 columns; a run has six"),
        ("q1 Q0 a one 0.5 t", 'line 1: the rank "one" is no whole number'),
        ("q1 Q0 a 1 best t", 'line 1: the score "best" is no number'),
    ],
)
def test_a_malformed_run_is_named_by_line(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_run(written(tmp_path / "run", line))


@pytest.mark.parametrize("name", ["a b", "", "tab\t"])
def test_an_id_that_a_run_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no white space"):
        write_run({"q1": [name]}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_every_query_is_asked_in_batches() -> None:
    sizes: list[int] = []

    def search(texts: list[str]) -> list[list[str]]:
        sizes.append(len(texts))
        return [[text.upper()] for text in texts]

    assert run_of(search, {"1": "a", "2": "b", "3": "c"}, at_once=2) == {
        "1": ["A"],
        "2": ["B"],
        "3": ["C"],
    }
    assert sizes == [2, 1]


def test_a_search_that_loses_an_answer_is_refused() -> None:
    with pytest.raises(InputError, match="answered 1 lists for 2 texts"):
        run_of(lambda texts: [["a"]], {"1": "a", "2": "b"})


def report_of(hits: list[bool]) -> Report:
    qrels = {str(number): {"right": 1} for number in range(len(hits))}
    run = {str(number): ["right" if hit else "wrong"] for number, hit in enumerate(hits)}
    return evaluate(run, qrels)


def test_a_report_against_itself_shows_no_difference() -> None:
    report = report_of([True, False] * 20)
    found = compare(report, report)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_a_steady_gain_is_more_than_luck() -> None:
    found = compare(report_of([False] * 30 + [True] * 10), report_of([True] * 40))
    assert found.difference == pytest.approx(0.75)
    assert 0.55 < found.low < 0.75 < found.high < 0.95
    assert found.p == pytest.approx(1 / 10_001)


def test_as_many_losses_as_gains_are_luck() -> None:
    found = compare(report_of([True, False] * 20), report_of([False, True] * 20))
    assert found.low < 0 < found.high
    assert found.p > 0.9


def test_the_p_value_is_that_of_all_sign_flips() -> None:
    found = compare(report_of([False] * 5), report_of([True] * 5), rounds=40_000)
    assert found.p == pytest.approx(2 / 2**5, abs=0.006)


def test_a_comparison_is_the_same_each_time_for_one_seed() -> None:
    first, second = report_of([True, False, False] * 9), report_of([True, True, False] * 9)
    assert compare(first, second, seed=4) == compare(first, second, seed=4)
    assert compare(first, second, seed=4) != compare(first, second, seed=5)


def test_the_order_of_queries_is_nothing_to_a_comparison() -> None:
    run = {"q1": ["a"], "q2": ["x"], "q3": ["none"]}
    turned = dict(reversed(QRELS.items()))
    assert compare(evaluate(run, QRELS), evaluate(run, turned)).difference == 0
    assert compare(evaluate(run, QRELS), evaluate(run, turned)).p == 1


@pytest.mark.parametrize(
    "other", [evaluate({}, QRELS, k=5), evaluate({}, {"q1": {"a": 1}}), evaluate({}, {})]
)
def test_reports_about_different_things_are_not_compared(other: Report) -> None:
    with pytest.raises(InputError, match="the same queries and k"):
        compare(evaluate({}, QRELS), other)


def test_reports_about_nothing_are_not_compared() -> None:
    with pytest.raises(InputError, match="about 0 queries"):
        compare(evaluate({}, {}), evaluate({}, {}))


def test_the_table_has_a_line_a_report_and_compares_with_the_first() -> None:
    reports = {"keyword": report_of([False] * 12), "hybrid": report_of([True] * 12)}
    header, keyword, hybrid = table(reports, metrics=("ndcg", "recall")).splitlines()
    assert header.split() == ["ndcg@10", "recall@10"]
    assert keyword.split() == ["keyword", "0.0000", "0.0000"]
    assert hybrid.split()[:4] == ["hybrid", "1.0000", "1.0000", "+1.0000"]
    assert "p=0.0" in hybrid


@pytest.mark.parametrize("reports", [{}, {"empty": evaluate({}, {})}])
def test_a_table_of_nothing_is_text_too(reports: dict[str, Report]) -> None:
    assert isinstance(table(reports), str)


def test_a_shared_collection_reads_whole() -> None:
    folder = DATA / "scifact"
    if not folder.exists():
        pytest.skip("the scifact collection is not beside this checkout")
    queries, qrels = read_queries(folder / "queries.jsonl"), read_qrels(folder / "qrels/test.tsv")
    assert (len(queries), sum(map(len, qrels.values()))) == (300, 339)
    assert set(qrels) == set(queries)
