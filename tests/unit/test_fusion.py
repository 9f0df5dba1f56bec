import doctest

import numpy as np
import pytest

from hybridsearch import fusion
from hybridsearch.arrays import Rows, Scores
from hybridsearch.fusion import (
    BY_RANKS,
    BY_SCORES,
    CONFIRMED,
    LEAST,
    SHARPER,
    agreement,
    by_score,
    confidence,
    dbsf,
    linear,
    rrf,
    rrf_best,
    share_of_meaning,
)


def rows(*numbers: int) -> Rows:
    return np.array(numbers, np.int64)


def scores(*numbers: float) -> Scores:
    return np.array(numbers, np.float32)


def test_the_examples_of_the_module_hold() -> None:
    assert doctest.testmod(fusion).failed == 0


def test_rrf_sums_one_over_k_and_rank() -> None:
    found, sums = rrf([rows(7, 3), rows(3)], k=60)
    assert found.tolist() == [3, 7]
    np.testing.assert_allclose(sums, [1 / 62 + 1 / 61, 1 / 61], rtol=1e-6)


def test_rrf_weighs_the_rankings() -> None:
    found, sums = rrf([rows(1), rows(2)], k=20, weights=(0.2, 0.8))
    assert found.tolist() == [2, 1]
    np.testing.assert_allclose(sums, [0.8 / 21, 0.2 / 21], rtol=1e-6)


def test_rrf_answers_in_our_array_types() -> None:
    found, sums = rrf([rows(1, 2)])
    assert found.dtype == np.int64
    assert sums.dtype == np.float32


def test_rrf_puts_equal_scores_in_the_order_of_rows() -> None:
    assert rrf([rows(9, 1), rows(4, 2), rows(5)])[0].tolist() == [4, 5, 9, 1, 2]


def test_rrf_takes_weights_of_any_size() -> None:
    small, _ = rrf([rows(1, 2), rows(2)], weights=(1e-30, 3e-30))
    large, sums = rrf([rows(1, 2), rows(2)], weights=(1e30, 3e30))
    assert small.tolist() == large.tolist() == [2, 1]
    np.testing.assert_allclose(sums, [1e30 / 62 + 3e30 / 61, 1e30 / 61], rtol=1e-6)


def test_a_ranking_without_weight_adds_its_rows_and_nothing_else() -> None:
    found, sums = rrf([rows(1), rows(2)], weights=(1, 0))
    assert found.tolist() == [1, 2]
    assert sums[1] == 0


def test_rrf_keeps_large_rows_and_long_rankings_exact() -> None:
    far = np.arange(200_000, dtype=np.int64)[::-1] + (1 << 62)
    found, sums = rrf([far, far])
    assert (found == far).all()
    np.testing.assert_allclose(sums, 2 / np.arange(61, 200_061), rtol=1e-6)


@pytest.mark.parametrize("rankings", [[], [rows()], [rows(), rows()]])
def test_rrf_of_nothing_is_nothing(rankings: list[Rows]) -> None:
    found, sums = rrf(rankings)
    assert found.shape == sums.shape == (0,)
    assert found.dtype == np.int64
    assert sums.dtype == np.float32


@pytest.mark.parametrize("k", [0, -1])
def test_rrf_refuses_k_below_one(k: int) -> None:
    with pytest.raises(ValueError, match=f"k is {k}"):
        rrf([rows(1)], k=k)


@pytest.mark.parametrize("weights", [(1,), (0, 0), (-1, 2), (float("nan"), 1), (float("inf"), 1)])
def test_weights_that_mean_nothing_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="weights"):
        rrf([rows(1), rows(2)], weights=weights)
    with pytest.raises(ValueError, match="weights"):
        dbsf([(rows(1), scores(1)), (rows(2), scores(1))], weights=weights)


def test_rrf_best_is_the_score_of_a_row_that_is_first_everywhere() -> None:
    _, sums = rrf([rows(5, 1), rows(5, 2)], k=20, weights=(0.8, 0.2))
    assert sums[0] == np.float32(rrf_best(k=20, weights=(0.8, 0.2)))


def test_by_score_is_the_formula() -> None:
    found, mixed = by_score(
        rows(3, 1, 2), scores(0.5, 0.9, 0.1), scores(8, 2, 0), alpha=0.3, lowest=0.1, highest=0.9
    )
    assert found.tolist() == [3, 1, 2]
    half, quarter = 0.5**SHARPER, 0.25**SHARPER
    np.testing.assert_allclose(mixed, [0.3 * half + 0.7, 0.3 + 0.7 * quarter, 0], atol=1e-6)


def test_by_score_counts_a_row_without_a_vector_as_the_lowest() -> None:
    found, mixed = by_score(
        rows(1, 2), scores(float("nan"), 0.3), scores(1, 0), alpha=0.5, lowest=0.2, highest=0.8
    )
    assert found.tolist() == [1, 2]
    np.testing.assert_allclose(mixed, [0.5, 0.5 / 6**SHARPER], rtol=1e-5)


def test_by_score_scales_by_the_bm25_it_is_given() -> None:
    _, mixed = by_score(rows(1), scores(0), scores(3), alpha=0, lowest=0, highest=1, bm25_max=12.0)
    np.testing.assert_allclose(mixed, [0.25**SHARPER], rtol=1e-6)


def test_by_score_keeps_what_is_beyond_the_scale_within_it() -> None:
    _, mixed = by_score(
        rows(1, 2), scores(-0.9, 0.99), scores(0, 0), alpha=1, lowest=0.2, highest=0.8
    )
    assert mixed.tolist() == [1, 0]


@pytest.mark.parametrize(("lowest", "highest"), [(0.4, 0.4), (float("nan"), float("nan"))])
def test_by_score_without_a_scale_goes_by_words(lowest: float, highest: float) -> None:
    found, mixed = by_score(
        rows(1, 2), scores(0.4, 0.4), scores(1, 2), alpha=0.5, lowest=lowest, highest=highest
    )
    assert found.tolist() == [2, 1]
    np.testing.assert_allclose(mixed, [0.5, 0.5 * 0.5**SHARPER], rtol=1e-6)


def test_by_score_puts_equal_scores_in_the_order_of_rows() -> None:
    same = np.full(3, 0.5, np.float32)
    assert by_score(rows(9, 2, 5), same, same, alpha=0.5, lowest=0, highest=1)[0].tolist() == [
        2,
        5,
        9,
    ]


def test_by_score_of_nothing_is_nothing() -> None:
    found, mixed = by_score(rows(), scores(), scores(), alpha=0.5, lowest=0, highest=1)
    assert (len(found), len(mixed)) == (0, 0)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_by_score_refuses_an_alpha_outside_its_range(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        by_score(rows(1), scores(1), scores(1), alpha=alpha, lowest=0, highest=1)


def test_by_score_refuses_arrays_of_different_lengths() -> None:
    with pytest.raises(ValueError, match="1 rows, 2 cosines and 1 BM25"):
        by_score(rows(1), scores(1, 2), scores(1), alpha=0.5, lowest=0, highest=1)


def test_dbsf_puts_the_mean_at_one_half_and_three_deviations_at_the_ends() -> None:
    values = np.array([1.0, 2.0, 3.0])
    found, mixed = dbsf([(rows(10, 20, 30), scores(1, 2, 3))])
    assert found.tolist() == [30, 20, 10]
    spread = values.std(ddof=1)
    np.testing.assert_allclose(mixed[::-1], 0.5 + (values - 2.0) / (6 * spread), rtol=1e-6)


def test_dbsf_averages_the_arms_by_weight() -> None:
    arm = (rows(1, 2), scores(1, 1))
    found, mixed = dbsf([arm, (rows(2), scores(7))], weights=(3, 1))
    assert found.tolist() == [2, 1]
    np.testing.assert_allclose(mixed, [0.5, 0.375], rtol=1e-6)


def test_dbsf_does_not_depend_on_the_scale_of_an_arm() -> None:
    keyword = (rows(1, 2, 3, 4), scores(9, 5, 4, 1))
    cosine = (rows(3, 1, 9), scores(0.9, 0.5, 0.1))
    larger = (keyword[0], keyword[1] * 8 + 16)
    np.testing.assert_allclose(dbsf([keyword, cosine])[1], dbsf([larger, cosine])[1], rtol=1e-6)


def test_dbsf_keeps_the_order_of_what_is_beyond_three_deviations() -> None:
    values = np.zeros(50, np.float32)
    values[[7, 3]] = 1.0, 0.9
    found, mixed = dbsf([(np.arange(50), values)])
    assert found[:2].tolist() == [7, 3]
    assert mixed[0] == 1.0 > mixed[1]


def test_dbsf_cuts_off_what_is_below_three_deviations() -> None:
    values = np.ones(50, np.float32)
    values[7] = -1.0
    found, mixed = dbsf([(np.arange(50), values)])
    assert (found[-1], mixed[-1]) == (7, 0.0)


def test_dbsf_of_nothing_is_nothing() -> None:
    assert len(dbsf([])[0]) == len(dbsf([(rows(), scores())])[0]) == 0


def test_dbsf_refuses_arrays_of_different_lengths() -> None:
    with pytest.raises(ValueError, match="2 rows and 1 scores"):
        dbsf([(rows(1, 2), scores(1))])


def test_linear_mixes_the_scores_that_the_arms_found() -> None:
    words = (np.array([7, 3]), np.array([4.0, 1.0], np.float32))
    near = (np.array([3, 9]), np.array([0.9, 0.5], np.float32))
    rows, scores = linear(words, near, alpha=0.25, lowest=0.4, highest=0.9)
    assert rows.tolist() == [7, 3, 9]
    quarter, fifth = 0.25**SHARPER, 0.2**SHARPER
    np.testing.assert_allclose(scores, [0.75, 0.75 * quarter + 0.25, 0.25 * fifth], rtol=1e-6)


def test_linear_takes_the_scale_that_it_is_told() -> None:
    words = (np.array([1]), np.array([2.0], np.float32))
    nothing = (np.array([], np.int64), np.array([], np.float32))
    rows, scores = linear(words, nothing, alpha=0.5, lowest=0.0, highest=0.0, bm25_max=8.0)
    assert rows.tolist() == [1]
    np.testing.assert_allclose(scores, [0.5 * 0.25**SHARPER], rtol=1e-6)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_linear_refuses_a_share_that_is_none(alpha: float) -> None:
    nothing = (np.array([], np.int64), np.array([], np.float32))
    with pytest.raises(ValueError, match="from 0 to 1"):
        linear(nothing, nothing, alpha=alpha, lowest=0, highest=1)


EVEN = np.ones(60, np.float32)


def test_arms_agree_by_the_first_ten_and_fifty() -> None:
    words = np.arange(100)
    assert agreement(words, np.arange(40, 60)) == 1.0
    assert agreement(words, np.arange(45, 65)) == 0.5
    assert agreement(words, np.arange(50, 70)) == 0.0


def test_few_words_deny_little() -> None:
    near = np.arange(100, 110)
    shares = [agreement(np.arange(n), near) for n in (0, 1, 5, 10, 50)]
    assert shares == pytest.approx([1.0, 0.9, 0.5, 0.0, 0.0])


def test_meaning_weighs_all_that_it_may_where_words_are_unsure_and_confirm_it() -> None:
    assert share_of_meaning(0.6, (np.arange(60), EVEN), np.arange(10)) == pytest.approx(0.6)


def test_meaning_weighs_less_the_surer_the_words() -> None:
    sure, surer = EVEN.copy(), EVEN.copy()
    sure[0], surer[0] = 1.5, 4.0
    near = np.arange(5, 15)
    shares = [share_of_meaning(0.6, (np.arange(60), s), near) for s in (EVEN, sure, surer)]
    assert shares == sorted(shares, reverse=True)
    assert shares[1] == pytest.approx(0.6 * (1 - BY_RANKS.factor * (1 / 3) * (1 - CONFIRMED)))


def test_meaning_that_the_words_do_not_confirm_weighs_less_where_they_are_sure() -> None:
    sure, surest = EVEN.copy(), EVEN.copy()
    sure[0], surest[0] = 1.5, 4.0
    far = np.arange(70, 80)
    assert share_of_meaning(0.6, (np.arange(60), EVEN), far) == pytest.approx(0.6)
    assert share_of_meaning(0.6, (np.arange(60), sure), far) == pytest.approx(
        0.6 * (1 - BY_RANKS.factor / 3)
    )
    assert share_of_meaning(0.6, (np.arange(60), surest), far) == LEAST


def test_scores_doubt_less_than_ranks_do() -> None:
    sure = EVEN.copy()
    sure[0] = 1.5
    share = share_of_meaning(0.6, (np.arange(60), sure), np.arange(70, 80), doubt=BY_SCORES)
    assert share == pytest.approx(0.6 * (1 - BY_SCORES.factor / 3))


def test_what_the_model_does_not_know_weighs_nothing_and_two_thirds_known_too() -> None:
    even = (np.arange(60), EVEN)
    shares = [share_of_meaning(0.6, even, np.arange(10), known=k) for k in (1, 5 / 6, 2 / 3, 0.1)]
    assert shares == pytest.approx([0.6, 0.3, LEAST, LEAST])


def test_confidence_looks_as_deep_as_it_is_told() -> None:
    scores = np.array([4, 2, 1, 1], np.float32)
    assert confidence(scores, depth=2) == 0.5
    assert confidence(scores, depth=3) == pytest.approx(1 - 1.5 / 4)


def test_meaning_weighs_fully_where_no_word_is_found() -> None:
    nothing = (np.array([], np.int64), np.array([], np.float32))
    assert share_of_meaning(0.6, nothing, np.arange(10)) == 0.6
    assert share_of_meaning(0.6, nothing, np.arange(10), known=0.0) == 0.6
