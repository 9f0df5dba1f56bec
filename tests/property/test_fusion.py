from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch.arrays import Rows, Scores
from hybridsearch.fusion import SHARPER, by_score, dbsf, rrf, rrf_best

ROWS = st.lists(st.integers(0, 40), unique=True, max_size=30).map(
    lambda numbers: np.array(numbers, np.int64)
)
UNIT = st.floats(0, 1, width=32)
KS = st.integers(1, 100)


@st.composite
def weighted(draw: st.DrawFn) -> tuple[list[Rows], list[float]]:
    rankings = draw(st.lists(ROWS, min_size=1, max_size=5))
    weights = [draw(st.floats(0.01, 100)) for _ in rankings]
    return rankings, weights


@st.composite
def scored_arms(draw: st.DrawFn) -> list[tuple[Rows, Scores]]:
    found = []
    for rows in draw(st.lists(ROWS, min_size=1, max_size=4)):
        values = draw(
            st.lists(st.floats(-1e3, 1e3, width=32), min_size=len(rows), max_size=len(rows))
        )
        found.append((rows, np.array(values, np.float32)))
    return found


@st.composite
def candidates(draw: st.DrawFn) -> tuple[Rows, Scores, Scores]:
    rows = draw(ROWS)
    cosines = [draw(st.one_of(UNIT, st.just(float("nan")))) for _ in rows]
    bm25 = [draw(st.floats(0, 50, width=32)) for _ in rows]
    return rows, np.array(cosines, np.float32), np.array(bm25, np.float32)


def exact_sums(rankings: list[Rows], weights: list[float], k: int) -> dict[int, Fraction]:
    sums: dict[int, Fraction] = defaultdict(Fraction)
    for rows, weight in zip(rankings, weights, strict=True):
        for rank, row in enumerate(rows.tolist(), 1):
            sums[row] += Fraction(weight) / (k + rank)
    return sums


def assert_best_first(rows: Rows, scores: Scores) -> None:
    keys = [(-score, row) for row, score in zip(rows.tolist(), scores.tolist(), strict=True)]
    assert all(one < other for one, other in pairwise(keys))


@given(weighted(), KS)
def test_rrf_equals_exact_sums_in_a_dict(arms: tuple[list[Rows], list[float]], k: int) -> None:
    rows, scores = rrf(arms[0], k=k, weights=arms[1])
    wanted = exact_sums(*arms, k)
    assert set(rows.tolist()) == set(wanted)
    np.testing.assert_allclose(scores, [float(wanted[row]) for row in rows.tolist()], rtol=2e-7)
    assert_best_first(rows, scores)


@given(weighted(), KS, st.randoms(use_true_random=False))
def test_rrf_is_the_same_in_any_order_of_arms(
    arms: tuple[list[Rows], list[float]], k: int, random: Random
) -> None:
    order = list(range(len(arms[0])))
    random.shuffle(order)
    rows, scores = rrf(arms[0], k=k, weights=arms[1])
    again = rrf([arms[0][i] for i in order], k=k, weights=[arms[1][i] for i in order])
    assert rows.tolist() == again[0].tolist()
    assert scores.tolist() == again[1].tolist()


@given(weighted(), KS)
def test_rrf_never_passes_its_best(arms: tuple[list[Rows], list[float]], k: int) -> None:
    _, scores = rrf(arms[0], k=k, weights=arms[1])
    assert (scores <= np.float32(rrf_best(k=k, weights=arms[1])) * (1 + 1e-6)).all()


@given(weighted(), KS, st.data())
def test_a_row_that_climbs_in_one_arm_never_falls(
    arms: tuple[list[Rows], list[float]], k: int, data: st.DataObject
) -> None:
    rankings, weights = arms
    long = [i for i, rows in enumerate(rankings) if len(rows) > 1]
    if not long:
        rankings, weights, long = [*rankings, np.array([3, 5])], [*weights, 1.0], [len(rankings)]
    arm = data.draw(st.sampled_from(long))
    place = data.draw(st.integers(1, len(rankings[arm]) - 1))
    row = int(rankings[arm][place])
    climbed = rankings[arm].copy()
    climbed[[place - 1, place]] = climbed[[place, place - 1]]
    before = rrf(rankings, k=k, weights=weights)[0].tolist().index(row)
    changed = [climbed if i == arm else rows for i, rows in enumerate(rankings)]
    assert rrf(changed, k=k, weights=weights)[0].tolist().index(row) <= before


@given(weighted(), KS)
def test_doubled_weights_double_the_scores(arms: tuple[list[Rows], list[float]], k: int) -> None:
    rows, scores = rrf(arms[0], k=k, weights=arms[1])
    twice = rrf(arms[0], k=k, weights=[2 * weight for weight in arms[1]])
    assert rows.tolist() == twice[0].tolist()
    assert (2 * scores).tolist() == twice[1].tolist()


@given(candidates(), UNIT, UNIT, UNIT)
def test_by_score_equals_its_formula(
    given_rows: tuple[Rows, Scores, Scores], alpha: float, low: float, high: float
) -> None:
    found, mixed = by_score(*given_rows, alpha=alpha, lowest=low, highest=high)
    most = max(given_rows[2].tolist(), default=0.0)
    wanted = {}
    for row, cosine, bm25 in zip(*(values.tolist() for values in given_rows), strict=True):
        near = 0.0 if cosine != cosine or high <= low else (cosine - low) / (high - low)
        near, words = min(max(near, 0), 1) ** SHARPER, (bm25 / most if most else 0) ** SHARPER
        wanted[row] = alpha * near + (1 - alpha) * words
    assert sorted(found.tolist()) == sorted(wanted)
    np.testing.assert_allclose(mixed, [wanted[row] for row in found.tolist()], atol=1e-6)
    assert_best_first(found, mixed)


@given(candidates(), UNIT, st.randoms(use_true_random=False))
def test_by_score_is_the_same_in_any_order_of_candidates(
    given_rows: tuple[Rows, Scores, Scores], alpha: float, random: Random
) -> None:
    rows, cosines, bm25 = given_rows
    order = np.array(random.sample(range(len(rows)), len(rows)), np.int64)
    shuffled = rows[order], cosines[order], bm25[order]
    found, mixed = by_score(*given_rows, alpha=alpha, lowest=0.1, highest=0.9)
    again = by_score(*shuffled, alpha=alpha, lowest=0.1, highest=0.9)
    assert (found.tolist(), mixed.tolist()) == (again[0].tolist(), again[1].tolist())


@given(scored_arms(), st.data())
def test_dbsf_equals_a_dict_of_scaled_scores(
    arms: list[tuple[Rows, Scores]], data: st.DataObject
) -> None:
    weights = [data.draw(st.floats(0.1, 10)) for _ in arms]
    found, mixed = dbsf(arms, weights=weights)
    wanted: dict[int, float] = defaultdict(float)
    for (rows, scores), weight in zip(arms, weights, strict=True):
        values = scores.astype(np.float64)
        spread = values.std(ddof=1) if len(values) > 1 else 0.0
        for row, value in zip(rows.tolist(), values.tolist(), strict=True):
            at = 0.5 + (value - values.mean()) / (6 * spread) if spread > 1e-9 else 0.5
            wanted[row] += weight / sum(weights) * max(at, 0.0)
    most = max(1.0, *wanted.values()) if wanted else 1.0
    assert set(found.tolist()) == set(wanted)
    np.testing.assert_allclose(mixed, [wanted[row] / most for row in found.tolist()], atol=1e-5)
    assert_best_first(found, mixed)
    assert ((mixed >= 0) & (mixed <= 1)).all()


@given(scored_arms())
def test_dbsf_is_the_same_in_any_order_of_arms(arms: list[tuple[Rows, Scores]]) -> None:
    weights = [float(i + 1) for i in range(len(arms))]
    rows, scores = dbsf(arms, weights=weights)
    again = dbsf(arms[::-1], weights=weights[::-1])
    assert (rows.tolist(), scores.tolist()) == (again[0].tolist(), again[1].tolist())
