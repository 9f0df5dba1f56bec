"""How does a person measure and tune an index by judged queries, from a shell?

hybridsearch eval shop.duckdb movies --queries queries.jsonl --qrels qrels.tsv
hybridsearch tune shop.duckdb movies --queries queries.jsonl --qrels qrels.tsv --apply
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from hybridsearch.errors import InputError
from hybridsearch.options import (
    as_json,
    database_argument,
    examples,
    index_argument,
    json_settings,
    opened,
    print_json,
)
from hybridsearch.terminal import console, one_line, show_table, working

if TYPE_CHECKING:
    from hybridsearch.evaluate import Comparison, Qrels, Report
    from hybridsearch.index import Index
    from hybridsearch.tuning import Tuned

SHOWN_METRICS = ("ndcg", "recall", "mrr", "map")
SHOWN_ID, SHOWN_TEXT = 16, 40
FILES = "--queries queries.jsonl --qrels qrels.tsv"

queries_option = click.option(
    "--queries", required=True, metavar="FILE", help='JSON lines: "_id", "text".'
)
qrels_option = click.option(
    "--qrels", required=True, metavar="FILE", help="Lines: query, document, grade."
)
at_option = click.option(
    "--at", type=click.IntRange(1), default=10, show_default=True, help="Hits that count."
)


@click.command(
    "eval",
    epilog=examples(
        f"hybridsearch eval shop.duckdb movies {FILES} --mode hybrid --per-query",
        f"hybridsearch eval shop.duckdb movies {FILES} --against"
        ' \'{"attributeWeights": {"title": 3}}\'',
        f"hybridsearch eval shop.duckdb movies {FILES} --save-run ours.run",
    ),
)
@database_argument
@index_argument
@queries_option
@qrels_option
@click.option("--mode", default="all", show_default=True, help="all, keyword, semantic, hybrid.")
@at_option
@click.option("--against", metavar="JSON|FILE", help="Weights and fusion to compare with.")
@click.option("--run", "runs", multiple=True, metavar="FILE", help="A TREC run to score as well.")
@click.option("--save-run", metavar="FILE", help="Write what a usual search finds as a TREC run.")
@click.option("--per-query", is_flag=True, help="Show each query, the worst first.")
@as_json
def eval_command(path: str, name: str, **options: Any) -> None:
    """Score searches by queries with judged answers.

    Keyword, semantic and hybrid search answer them. Each is compared with keyword search on the
    same queries: the difference of the mean nDCG, its 95 % interval, and p of a paired
    randomisation test. With --against, a usual search is compared with one under other settings.
    """
    evaluate = import_module("hybridsearch.evaluate")
    queries = evaluate.read_queries(options["queries"])
    qrels = _judged(evaluate.read_qrels(options["qrels"]), queries, options)
    with opened(path) as database, working("searching", shown=not options["as_json"]):
        reports = _reports(database.index(name), queries, qrels, options)
    if not any(report.mean["recall"] for report in reports.values()):
        click.echo(
            f"warning: no judged document was found; are the ids in {options['qrels']} those of"
            f" the index, and the queries those of {options['queries']}?",
            err=True,
        )
    if options["as_json"]:
        print_json(_reports_json(reports, per_query=options["per_query"]))
        return
    first = next(iter(reports.values()))
    count, left = len(first.queries), len(queries) - len(first.queries)
    click.echo(f"{count} quer{'y' if count == 1 else 'ies'}, {left} without an answer left out")
    click.echo(evaluate.table(reports, metrics=SHOWN_METRICS))
    if options["per_query"]:
        _show_queries(reports, queries)


def _judged(qrels: Qrels, queries: Mapping[str, str], options: Mapping[str, Any]) -> Qrels:
    """The judgments of the queries that are asked, so that a part of them can be looked at.

    Raises InputError when there is none.
    """
    judged = {query: grades for query, grades in qrels.items() if query in queries}
    if not judged:
        raise InputError(
            f"none of the {len(queries)} queries in {options['queries']} is among the"
            f" {len(qrels)} that {options['qrels']} judges; give files with the same ids of queries"
        )
    return judged


def _reports(
    index: Index, queries: Mapping[str, str], qrels: Qrels, options: Mapping[str, Any]
) -> dict[str, Report]:
    """Name -> report of each way that was asked for; the first is what others compare with."""
    arms = import_module("hybridsearch.arms")
    evaluate = import_module("hybridsearch.evaluate")
    k = options["at"]
    found: dict[str, Report] = {}
    if options["against"] is None:
        found.update(arms.arm_reports(index, queries, qrels, k=k, mode=options["mode"]))
    else:
        changes = json_settings("--against", options["against"])
        found.update(arms.settings_reports(index, queries, qrels, changes, k=k))
    for run in options["runs"]:
        found[run] = evaluate.evaluate(evaluate.read_run(run), qrels, k=k)
    if options["save_run"]:
        evaluate.write_run(arms.usual_run(index, queries, k=k), options["save_run"])
    return found


def _reports_json(reports: Mapping[str, Any], *, per_query: bool) -> dict[str, Any]:
    compare = import_module("hybridsearch.evaluate").compare
    name_of_first, first = next(iter(reports.items()))
    found = {}
    for name, report in reports.items():
        found[name] = dict(report.mean)
        if report is not first and report.queries:
            found[name][f"ndcg_against_{name_of_first}"] = _test_json(compare(first, report))
        if per_query:
            found[name]["queries"] = report.per_query("ndcg")
    return {"at": first.k, "queries": len(first.queries), "arms": found}


def _test_json(test: Comparison) -> dict[str, float]:
    return {key: getattr(test, key) for key in ("difference", "low", "high", "p")}


def _show_queries(reports: Mapping[str, Report], queries: Mapping[str, str]) -> None:
    """A line for each query with its nDCG in each way; those that the last answers worst first."""
    *_, last = reports.values()
    worst = sorted(last.per_query("ndcg").items(), key=lambda item: item[1])
    values = {name: report.per_query("ndcg") for name, report in reports.items()}
    rows = [
        [
            one_line(query)[:SHOWN_ID],
            *(f"{values[name].get(query, 0.0):.3f}" for name in reports),
            one_line(queries.get(query, ""))[:SHOWN_TEXT],
        ]
        for query, _ in worst
    ]
    head = ["query", *(name.removeprefix("hybrid ")[-SHOWN_ID:] for name in reports), "text"]
    show_table(console(), head, rows, title=f"nDCG@{last.k} of each query")


@click.command(
    "tune",
    epilog=examples(
        f"hybridsearch tune shop.duckdb movies {FILES}",
        f"hybridsearch tune shop.duckdb movies {FILES} --apply",
    ),
)
@database_argument
@index_argument
@queries_option
@qrels_option
@at_option
@click.option("--metric", default="ndcg", show_default=True, help="ndcg, recall, mrr, map.")
@click.option("--apply", "apply", is_flag=True, help="Set what was found, if it is better.")
@as_json
def tune_command(path: str, name: str, **options: Any) -> None:
    """Find better weights and fusion by queries with judged answers.

    Attribute weights, the fusion of the arms, their weights and k are tried by searching. What the
    choice gains is measured on queries that it did not see (cross-validation), with a 95 %
    interval. Nothing is changed without --apply, and then nothing has to be indexed anew.
    """
    evaluate, tuning = (import_module(f"hybridsearch.{one}") for one in ("evaluate", "tuning"))
    queries = evaluate.read_queries(options["queries"])
    qrels = evaluate.read_qrels(options["qrels"])
    with opened(path) as database:
        index = database.index(name)
        with working("trying weights and fusions", shown=not options["as_json"]):
            found = tuning.tune(index, queries, qrels, k=options["at"], metric=options["metric"])
        applied = options["apply"] and found.worth_it
        if applied:
            index.update_settings(found.changes)
    if options["as_json"]:
        print_json(_tuned_json(found, applied=applied))
    else:
        _show_tuned(found, applied=applied, asked=options["apply"])


def _tuned_json(found: Tuned, *, applied: bool) -> dict[str, Any]:
    return {
        "queries": len(found.before.queries),
        "tried": found.tried,
        "changes": dict(found.changes),
        "metric": found.gain.metric,
        "before": found.gain.first,
        "unseen": found.gain.second,
        "gain": _test_json(found.gain),
        "worth_it": found.worth_it,
        "applied": applied,
    }


def _show_tuned(found: Tuned, *, applied: bool, asked: bool) -> None:
    gain, k = found.gain, found.before.k
    click.echo(f"{gain.queries} judged queries, {found.tried} configurations tried")
    if not found.changes:
        click.echo(f"what is set is the best of them: {gain.metric}@{k} {gain.first:.4f}")
        return
    for name, value in found.changes.items():
        click.echo(f"  {name}: {_shown(value)}")
    click.echo(
        f"{gain.metric}@{k} now {gain.first:.4f}; on queries that the choice did not see"
        f" {gain.second:.4f}: {gain.difference:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}],"
        f" p={gain.p:.4f}"
    )
    click.echo(f"the same was chosen in {found.steady} of {found.folds} parts; {_verdict(found)}")
    if applied:
        click.echo("applied: searches use it from now on")
    elif asked:
        click.echo("not applied: it is no better on queries that it did not see")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " : ".join(_shown(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _verdict(found: Tuned) -> str:
    if found.gain.low > 0:
        return "the gain is more than luck"
    if found.gain.difference > 0:
        return "the gain may be luck: judge more queries to be sure"
    return "it is no gain: keep what you have"
