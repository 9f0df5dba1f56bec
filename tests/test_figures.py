"""README's figures of relevance are those of the report that `make relevance` writes."""

import re
from pathlib import Path

import pytest

from tests.relevance.collections import COLLECTIONS
from tests.relevance.measuring import Figures, Measured, kept
from tests.relevance.writing import cells, report

ROOT = Path(__file__).parents[1]
REPORT = (ROOT / "docs/relevance.md").read_text()
README = (ROOT / "README.md").read_text()
OURS = {
    "hybridsearch, keyword": ("keyword", "bundled"),
    "hybridsearch, hybrid": ("hybrid, as it comes (rrf)", "bundled"),
    "hybridsearch, hybrid with MiniLM": ("hybrid, as it comes (rrf)", "MiniLM"),
}
TABLE = cells(README, "How relevant it is")


def told(row: str, collection: str) -> str:
    section = cells(REPORT, collection)
    return section.get(OURS.get(row, (row, "nDCG@10")), "")


@pytest.mark.parametrize(("row", "collection"), TABLE)
def test_a_figure_in_the_readme_is_that_of_the_report(row: str, collection: str) -> None:
    assert TABLE[row, collection] == told(row, collection)


def test_the_readme_has_every_set_and_library_of_the_report() -> None:
    assert {collection for _, collection in TABLE} == set(COLLECTIONS)
    assert set(OURS) < {row for row, _ in TABLE}
    assert "LanceDB, full text" in {row for row, _ in TABLE}


def test_no_other_figure_of_ranking_is_in_the_readme() -> None:
    outside = [line for line in README.splitlines() if not line.startswith("|")]
    assert not [line for line in outside if re.search(r"nDCG\S* (of )?0?\.\d", line)]


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_the_report_has_each_set_whole(collection: str) -> None:
    section = cells(REPORT, collection)
    for arm in ("keyword", "semantic", "hybrid, score", "hybrid, linear", "hybrid, dbsf"):
        assert re.fullmatch(r"0\.\d{3}", section[arm, "bundled"])
    assert f"| {collection} |" in REPORT


FLOORS = [
    ("scifact", "bundled", 0.682, 0.692),
    ("scifact", "MiniLM", 0.716, 0.732),
    ("cranfield", "bundled", 0.390, 0.392),
    ("cranfield", "MiniLM", 0.428, 0.432),
    ("cranfield-misspelt", "bundled", 0.362, 0.365),
    ("cranfield-misspelt", "MiniLM", 0.400, 0.405),
    ("drcd-zh", "bundled", 0.965, 0.965),
    ("xquad-r-es", "bundled", 0.810, 0.810),
]


@pytest.mark.parametrize(("collection", "embedder", "ranks", "scores"), FLOORS)
def test_no_figure_of_the_report_falls_through_its_floor(
    collection: str, embedder: str, ranks: float, scores: float
) -> None:
    section = cells(REPORT, collection)
    assert float(section["hybrid, as it comes (rrf)", embedder]) >= ranks
    assert float(section["hybrid, score", embedder]) >= scores


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_usual_search_is_not_below_the_better_arm_in_the_report(collection: str) -> None:
    section = cells(REPORT, collection)
    embedders = [name for name in ("bundled", "MiniLM") if ("keyword", name) in section]
    for name in embedders:
        better = max(float(section[arm, name]) for arm in ("keyword", "semantic"))
        # both are rounded to three digits, so they may lie .001 further apart than they are
        assert float(section["hybrid, as it comes (rrf)", name]) >= better - 0.004


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    figures = Figures(0.5, 0.6, -0.01, -0.02, 0.003)
    arms = dict.fromkeys(
        ("keyword", "semantic", "usual", "hybrid score", "hybrid linear", "hybrid dbsf"), figures
    )
    Measured("scifact", 10, 5, {"bundled": arms}, {"bm25s": figures}).save(tmp_path)
    one = kept(tmp_path, "scifact")
    assert one is not None
    text = report([one])
    assert cells(text, "scifact")["semantic", "bundled"] == "0.500"
    assert cells(text, "scifact")["bm25s", "recall@10"] == "0.600"
    assert "**-0.010 [-0.020, +0.003]**" in text
    assert "on: scifact with bundled (-0.010)." in text
    assert kept(tmp_path, "cranfield") is None
