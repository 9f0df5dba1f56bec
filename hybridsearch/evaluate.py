"""How good is a ranking, and is the difference between two of them more than luck?

Reads judged collections (BEIR: `queries.jsonl`, `qrels/test.tsv`; TREC: qrels of four columns,
runs of six), scores a run, and compares two reports on the same queries.

A *run* maps a query id to document ids, best first. *qrels* map a query id to judgments: document
id -> grade, where a grade above 0 means relevant and a document without one counts as 0. With
`gain(i)` the grade at rank i from 1, never below 0, and R the relevant documents there are:

    ndcg       sum of gain(i) / log2(i + 1) over i <= k, divided by its best possible value; the
               gain is linear, as trec_eval and BEIR report it
    recall     relevant documents in the first k / R
    precision  relevant documents in the first k / k
    mrr        1 / rank of the first relevant document, 0 beyond k
    map        sum over relevant i <= k of precision at i, divided by R

A judged query that a run leaves out scores 0. A query for which nothing was judged relevant cannot
be scored and is left out, in `skipped`.

    queries, qrels = read_queries(folder / "queries.jsonl"), read_qrels(folder / "qrels/test.tsv")
    report = evaluate(run_of(search, queries), qrels, k=10)
    print(table({"keyword": baseline, "hybrid": report}))
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from hybridsearch.errors import InputError, near
from hybridsearch.files import write_atomic

__all__ = [
    "METRICS",
    "Comparison",
    "Qrels",
    "Report",
    "Run",
    "Search",
    "compare",
    "evaluate",
    "read_qrels",
    "read_queries",
    "read_run",
    "run_of",
    "table",
    "write_run",
]

Qrels: TypeAlias = Mapping[str, Mapping[str, int]]
Run: TypeAlias = Mapping[str, Sequence[str]]
Search: TypeAlias = Callable[[list[str]], list[list[str]]]
Values: TypeAlias = NDArray[np.float64]

Number = TypeVar("Number", int, float)

ROUNDS_AT_ONCE = 256


@dataclass(frozen=True)
class Gains:
    """Grades in rank order, float64 [queries, k], as the run has them and at their best; relevant
    counts the relevant documents of each query, float64 [queries], all above 0.
    """

    found: Values
    best: Values
    relevant: Values


@dataclass(frozen=True)
class Report:
    """The value of each metric for each query: float64 [queries], in the order of `queries`."""

    k: int
    queries: tuple[str, ...]
    values: Mapping[str, Values]
    skipped: tuple[str, ...] = ()

    @property
    def mean(self) -> dict[str, float]:
        """Each metric's mean over the queries; 0 where there is none."""
        return {
            name: float(values.mean()) if len(values) else 0.0
            for name, values in self.values.items()
        }

    def per_query(self, metric: str) -> dict[str, float]:
        """Query id -> value. Raises InputError for a metric that there is not."""
        return dict(zip(self.queries, self.of(metric).tolist(), strict=True))

    def of(self, metric: str) -> Values:
        """The metric's values, float64 [queries]. Raises InputError if there is no such metric."""
        if metric not in self.values:
            raise InputError(f'unknown metric "{metric}"{near(metric, self.values)}', field=metric)
        return self.values[metric]


@dataclass(frozen=True)
class Comparison:
    """What changed from a first report to a second on the same queries.

    difference: mean of second - first. low, high: the 95 % bootstrap interval of it. p: how often
    chance alone does as much, from a two-sided paired randomisation test, above 0.
    """

    metric: str
    queries: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float


def read_queries(path: Path | str) -> dict[str, str]:
    """Query id -> text, in the order of the file: JSON lines with "_id" and "text", maybe .gz.

    Raises InputError naming the line that is malformed or repeats an id.
    """
    found: dict[str, str] = {}
    for number, line in _lines(path):
        query, text = _query(path, number, line)
        if query in found:
            raise _malformed(path, number, f'the query "{query}" is there already; keep one')
        found[query] = text
    return found


def read_qrels(path: Path | str) -> dict[str, dict[str, int]]:
    """Query id -> document id -> grade, maybe .gz.

    Either three columns parted by tabs (query, document, grade; a header is passed over) or the
    four of TREC parted by white space (query, iteration, document, grade).
    Raises InputError naming the line that is malformed or judges a pair in two ways.
    """
    found: dict[str, dict[str, int]] = {}
    for number, line in _lines(path):
        judgment = _judgment(path, number, line)
        if judgment is None:
            continue
        query, document, grade = judgment
        if found.setdefault(query, {}).setdefault(document, grade) != grade:
            raise _malformed(
                path, number, f'"{document}" is judged in two ways for query "{query}"; keep one'
            )
    return found


def read_run(path: Path | str) -> dict[str, list[str]]:
    """A run of TREC's six columns (query, Q0, document, rank, score, tag), maybe .gz.

    Documents come by score, descending, then by rank. Raises InputError naming a malformed line.
    """
    lines: dict[str, list[tuple[float, int, str]]] = {}
    for number, line in _lines(path):
        cells = line.split()
        if len(cells) != 6:
            raise _malformed(
                path,
                number,
                f"{len(cells)} columns; a run has six: query Q0 document rank score tag",
            )
        rank = _number(int, cells[3], path, number, "rank")
        score = _number(float, cells[4], path, number, "score")
        lines.setdefault(cells[0], []).append((-score, rank, cells[2]))
    return {query: [document for *_, document in sorted(found)] for query, found in lines.items()}


def write_run(run: Run, path: Path | str, *, tag: str = "hybridsearch") -> None:
    """Write a run in TREC's six columns; scores are 1 / rank, for only the order is known.

    Raises InputError for an id with white space in it, which the format cannot hold, and
    StorageError when the disk refuses.
    """
    lines = []
    for query, documents in run.items():
        for rank, document in enumerate(documents, 1):
            for name in (query, document, tag):
                _check_one_word(name)
            lines.append(f"{query} Q0 {document} {rank} {1.0 / rank!r} {tag}\n")
    write_atomic(Path(path), "".join(lines).encode())


def run_of(
    search: Search, queries: Mapping[str, str], *, at_once: int = 64
) -> dict[str, list[str]]:
    """Ask `search` (texts -> for each its document ids, best first) for every query, in batches.

    Raises InputError when it answers for another number of texts than it was given.
    """
    run: dict[str, list[str]] = {}
    left = iter(queries.items())
    while some := list(islice(left, at_once)):
        answers = search([text for _, text in some])
        if len(answers) != len(some):
            raise InputError(
                f"search answered {len(answers)} lists for {len(some)} texts; return one for each"
            )
        run.update((query, list(ids)) for (query, _), ids in zip(some, answers, strict=True))
    return run


def evaluate(run: Run, qrels: Qrels, *, k: int = 10) -> Report:
    """Score a run against judgments, over the first k documents of each query.

    Returns every metric of `METRICS` for every query with a relevant document, in the order of
    the qrels. Queries of the run without judgments are passed over.
    Raises InputError if k < 1 or a query's first k documents repeat one.
    """
    if k < 1:
        raise InputError(f"k is {k}; give the number of documents to look at, at least 1")
    judged = {
        query: grades for query, grades in qrels.items() if max(grades.values(), default=0) > 0
    }
    gains = Gains(
        found=_rows((_found(query, run.get(query, ())[:k], judged[query]) for query in judged), k),
        best=_rows((sorted(grades.values(), reverse=True)[:k] for grades in judged.values()), k),
        relevant=np.array(
            [sum(g > 0 for g in grades.values()) for grades in judged.values()], float
        ),
    )
    return Report(
        k=k,
        queries=tuple(judged),
        values=MappingProxyType({name: metric(gains) for name, metric in METRICS.items()}),
        skipped=tuple(query for query in qrels if query not in judged),
    )


def compare(
    first: Report, second: Report, *, metric: str = "ndcg", rounds: int = 10_000, seed: int = 0
) -> Comparison:
    """Compare two reports on the same queries, the same way each time for one seed.

    Raises InputError if the reports are about other queries or another k, or about none.
    """
    if first.k != second.k or set(first.queries) != set(second.queries) or not first.queries:
        raise InputError(
            f"the reports are about {len(first.queries)} queries at {first.k} and "
            f"{len(second.queries)} at {second.k}; give two about the same queries and k"
        )
    there = second.per_query(metric)
    change = np.array([there[query] for query in first.queries]) - first.of(metric)
    low, high = _interval(change, rounds, np.random.default_rng(seed))
    return Comparison(
        metric=metric,
        queries=len(change),
        first=first.mean[metric],
        second=second.mean[metric],
        difference=float(change.mean()),
        low=low,
        high=high,
        p=_p_value(change, rounds, np.random.default_rng(seed)),
    )


def table(reports: Mapping[str, Report], *, metrics: Sequence[str] = ()) -> str:
    """Means as text, a line a report, and for all but the first how its nDCG differs from it.

    metrics: which and in what order; without them all. Raises InputError as `compare` does.
    """
    shown = metrics or tuple(METRICS)
    baseline = next(iter(reports.values()), None)
    rows = [["", *(f"{name}@{report.k}" for report in [baseline] if report for name in shown), ""]]
    for name, report in reports.items():
        means = [f"{report.of(metric).mean() if report.queries else 0.0:.4f}" for metric in shown]
        note = "" if report is baseline or baseline is None else _note(compare(baseline, report))
        rows.append([name, *means, note])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def ndcg(gains: Gains) -> Values:
    """Discounted gain over its best possible value, 0..1 [queries]."""
    discounts = 1.0 / np.log2(np.arange(2, gains.found.shape[1] + 2))
    return np.asarray((gains.found @ discounts) / (gains.best @ discounts))


def recall(gains: Gains) -> Values:
    """The share of the relevant documents that was found, 0..1 [queries]."""
    return np.asarray((gains.found > 0).sum(axis=1) / gains.relevant)


def precision(gains: Gains) -> Values:
    """The share of k that is relevant, 0..1 [queries]."""
    return np.asarray((gains.found > 0).sum(axis=1) / gains.found.shape[1])


def mrr(gains: Gains) -> Values:
    """One over the rank of the first relevant document, 0..1 [queries]."""
    relevant = gains.found > 0
    return np.where(relevant.any(axis=1), 1.0 / (relevant.argmax(axis=1) + 1.0), 0.0)


def average_precision(gains: Gains) -> Values:
    """The precision at each relevant document, averaged over all relevant, 0..1 [queries]."""
    relevant = gains.found > 0
    at_rank = np.cumsum(relevant, axis=1) / np.arange(1, relevant.shape[1] + 1)
    return np.asarray((at_rank * relevant).sum(axis=1) / gains.relevant)


METRICS: Mapping[str, Callable[[Gains], Values]] = MappingProxyType(
    {"ndcg": ndcg, "recall": recall, "precision": precision, "mrr": mrr, "map": average_precision}
)


def _found(query: str, documents: Sequence[str], grades: Mapping[str, int]) -> list[int]:
    if len(set(documents)) != len(documents):
        twice = next(one for one in documents if documents.count(one) > 1)
        raise InputError(
            f'the run has document "{twice}" more than once for query "{query}"; keep the best',
            query=query,
            document=twice,
        )
    return [grades.get(document, 0) for document in documents]


def _rows(grades: Iterator[list[int]], k: int) -> Values:
    """Lists of up to k grades as the rows of a matrix; what is missing or below 0 counts as 0."""
    rows = [[*row, *[0] * (k - len(row))] for row in grades]
    return np.maximum(np.array(rows, np.float64).reshape(len(rows), k), 0.0)


def _p_value(change: Values, rounds: int, random: np.random.Generator) -> float:
    # A sum within rounding of ours counts as reaching it, else ties would look significant.
    reach = abs(float(change.sum())) * (1.0 - 1e-12) - 1e-12
    reached = 0
    for start in range(0, rounds, ROUNDS_AT_ONCE):
        shape = (min(ROUNDS_AT_ONCE, rounds - start), len(change))
        signs = random.integers(0, 2, shape, dtype=np.int8) * np.int8(2) - np.int8(1)
        reached += int((np.abs(signs @ change) >= reach).sum())
    return (reached + 1) / (rounds + 1)


def _interval(change: Values, rounds: int, random: np.random.Generator) -> tuple[float, float]:
    means = np.empty(rounds)
    for start in range(0, rounds, ROUNDS_AT_ONCE):
        some = means[start : start + ROUNDS_AT_ONCE]
        some[:] = change[random.integers(0, len(change), (len(some), len(change)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    return low, high


def _note(found: Comparison) -> str:
    return f"{found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}] p={found.p:.4f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers, note = row
    middle = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=False))
    return "  ".join([name.ljust(widths[0]), *middle, note]).rstrip()


def _lines(path: Path | str) -> Iterator[tuple[int, str]]:
    """Number, from 1, and text of each line that is not blank."""
    opened = gzip.open if str(path).endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path}: {reason}; give a file of UTF-8 text") from error


def _query(path: Path | str, number: int, line: str) -> tuple[str, str]:
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise _malformed(path, number, f"not JSON ({error}); write one object a line") from error
    match found:
        case {"_id": str(query), "text": str(text)}:
            return query, text
    raise _malformed(path, number, 'a query is an object with the texts "_id" and "text"')


def _judgment(path: Path | str, number: int, line: str) -> tuple[str, str, int] | None:
    cells = line.split("\t") if line.count("\t") == 2 else line.split()
    if len(cells) not in (3, 4):
        raise _malformed(
            path,
            number,
            f"{len(cells)} columns; a judgment has three parted by tabs (query document grade) "
            "or four (query iteration document grade)",
        )
    if number == 1 and cells[-1] == "score":
        return None
    return cells[0], cells[-2], _number(int, cells[-1], path, number, "grade")


def _number(
    kind: Callable[[str], Number], text: str, path: Path | str, number: int, what: str
) -> Number:
    try:
        return kind(text)
    except ValueError:
        message = f'the {what} "{text}" is no {"whole " if kind is int else ""}number'
        raise _malformed(path, number, message) from None


def _check_one_word(name: str) -> None:
    if name.split() != [name]:
        raise InputError(f'"{name}" cannot stand in a run: ids there have no white space', id=name)


def _malformed(path: Path | str, line: int, what: str) -> InputError:
    return InputError(f"{path}, line {line}: {what}", path=str(path), line=line)
