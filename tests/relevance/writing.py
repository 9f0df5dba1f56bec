"""How does the report on relevance read, and how are its figures read back?

`report` puts together what was measured; `cells` finds the figures of any document's tables again,
which is how a test knows that README says what the report says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.relevance.collections import COLLECTIONS
from tests.relevance.measuring import Figures, Measured

LEAST_ALLOWED = -0.003
ROWS: Mapping[str, str] = {
    "keyword": "keyword",
    "semantic": "semantic",
    "usual": "hybrid, as it comes (rrf)",
    "hybrid score": "hybrid, score",
    "hybrid linear": "hybrid, linear",
    "hybrid dbsf": "hybrid, dbsf",
}
ALONE = ("keyword", "semantic")
HEAD = """# How relevant are the answers?

Made by `make relevance`. Figures are nDCG@10, the mean over the judged queries of a set. *Against
the better arm* is the difference to the better of keyword and semantic search on that very set,
with the 95 % interval of a paired bootstrap over its queries; a hybrid search that is below it by
more than .003 is in bold. `bundled` is the embedder that needs no download, `MiniLM` is
all-MiniLM-L6-v2. Other libraries are asked as they come, without an embedder, on the same documents
and queries.
"""
CHOICE = Path(__file__).with_name("choice.md")


def report(sets: Sequence[Measured]) -> str:
    """The whole document."""
    parts = [HEAD, *_summary(sets), *_languages(sets)]
    for one in sets:
        parts += _section(one)
    return "\n".join([*parts, "", CHOICE.read_text()])


def _summary(sets: Sequence[Measured]) -> Iterator[str]:
    yield "## All sets\n"
    yield "| set | keyword | hybrid, bundled | hybrid, MiniLM | best other library |"
    yield "|---|--:|--:|--:|--:|"
    for one in sets:
        name, best = max(one.others.items(), key=lambda item: item[1].ndcg)
        bundled = one.ours["bundled"]
        hybrid = [f"{bundled['usual'].ndcg:.3f}", _hybrid(one, "MiniLM")]
        yield _line(one.name, f"{bundled['keyword'].ndcg:.3f}", *hybrid, f"{best.ndcg:.3f} {name}")
    low = [
        f"{one.name} with {embedder} ({arms['usual'].difference:+.3f})"
        for one in sets
        for embedder, arms in one.ours.items()
        if arms["usual"].difference < LEAST_ALLOWED
    ]
    yield (
        "\nA hybrid search as it comes is below the better arm by more than .003 on: "
        f"{', '.join(low) or 'none'}.\n"
    )


def _hybrid(one: Measured, embedder: str) -> str:
    return f"{one.ours[embedder]['usual'].ndcg:.3f}" if embedder in one.ours else ""


def _languages(sets: Sequence[Measured]) -> Iterator[str]:
    yield "## By language\n"
    yield "The mean over the sets of a language. MiniLM is for English.\n"
    libraries = list(sets[0].others)
    yield _line("language", "sets", "keyword", "hybrid, bundled", "hybrid, MiniLM", *libraries)
    yield _line("---", *["--:"] * (4 + len(libraries)))
    for language in dict.fromkeys(COLLECTIONS[one.name].language for one in sets):
        some = [one for one in sets if COLLECTIONS[one.name].language == language]
        with_model = [one.ours["MiniLM"]["usual"] for one in some if "MiniLM" in one.ours]
        yield _line(
            language,
            str(len(some)),
            _mean([one.ours["bundled"]["keyword"] for one in some]),
            _mean([one.ours["bundled"]["usual"] for one in some]),
            _mean(with_model)
            + ("" if len(with_model) == len(some) else f" ({len(with_model)} sets)"),
            *(_mean([one.others[name] for one in some]) for name in libraries),
        )


def _mean(some: Sequence[Figures]) -> str:
    return f"{sum(one.ndcg for one in some) / len(some):.3f}" if some else ""


def _section(one: Measured) -> Iterator[str]:
    about = COLLECTIONS[one.name]
    yield f"\n## {one.name}\n"
    yield (
        f"{about.language}: {about.about}; {one.documents:,} documents, {one.queries:,} queries.\n"
    )
    head = [text for name in one.ours for text in (name, "against the better arm")]
    yield _line("", *head)
    yield _line("---", *["--:"] * len(head))
    for arm, row in ROWS.items():
        figures = [arms[arm] for arms in one.ours.values()]
        bold = arm not in ALONE
        yield _line(
            row, *(text for own in figures for text in (f"{own.ndcg:.3f}", said(own, bold=bold)))
        )
    yield "\n| beside | nDCG@10 | recall@10 | against our keyword search |\n|---|--:|--:|--:|"
    bundled = one.ours["bundled"]
    for arm, row in (("keyword", "hybridsearch, keyword"), ("usual", "hybridsearch, hybrid")):
        yield _line(row, f"{bundled[arm].ndcg:.3f}", f"{bundled[arm].recall:.3f}", "")
    for name, other in one.others.items():
        yield _line(name, f"{other.ndcg:.3f}", f"{other.recall:.3f}", _difference(other))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def said(figures: Figures, *, bold: bool) -> str:
    """The difference with its interval, in bold where it is less than is allowed; nothing for the
    better arm itself."""
    if figures.difference == figures.low == figures.high == 0.0:
        return ""
    text = _difference(figures)
    return f"**{text}**" if bold and figures.difference < LEAST_ALLOWED else text


def _difference(figures: Figures) -> str:
    return f"{figures.difference:+.3f} [{figures.low:+.3f}, {figures.high:+.3f}]"


def cells(document: str, heading: str) -> dict[tuple[str, str], str]:
    """(row, column) -> text, for the tables under the heading of that text, whatever its level.

    Of tables that share a row and a column the last one counts.
    """
    found: dict[tuple[str, str], str] = {}
    columns: list[str] = []
    inside = False
    for line in document.splitlines():
        if line.startswith("#"):
            inside = line.lstrip("# ") == heading
        if not inside or not line.startswith("|"):
            columns = []
            continue
        texts = [text.strip() for text in line.strip("|").split("|")]
        if not columns:
            columns = texts
        elif not texts[1].strip("-: ") and texts[1]:
            continue
        else:
            named = zip(columns[1:], texts[1:], strict=True)
            found.update({(texts[0], column): text for column, text in named})
    return found
