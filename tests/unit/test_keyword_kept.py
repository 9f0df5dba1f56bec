"""What is kept of the postings, for how long, and when it is fetched."""

from __future__ import annotations

import random

import numpy as np
import pytest

from hybridsearch import keyword_kept
from hybridsearch.arrays import Rows, Scores
from hybridsearch.keyword_kept import CALL, FETCHED, Clauses, Credits
from hybridsearch.keyword_plan import Clause, Plan, Unit
from hybridsearch.keyword_postings import Column, Columns, column

SIZE = 1000


def word(name: str) -> Clause:
    return ((Unit("text", (((name,), 1.0),)), 1.0),)


class Engine:
    """Counts what is fetched; the word `w7` has seven rows."""

    def __init__(self, most: int = 10**6) -> None:
        self.fetched: list[str] = []
        self.clauses = Clauses(most, size_of=self.size_of, fetch=self.fetch)

    def affordable(self, plan: Plan) -> Columns | None:
        return self.clauses.affordable(self.clauses.keys(plan), needed=len(plan.must), limit=10)

    def known(self, plan: Plan) -> Columns | None:
        return self.clauses.known(self.clauses.keys(plan), needed=len(plan.must))

    def size_of(self, clause: Clause) -> int:
        return int(clause[0][0].alternatives[0][0][0][1:])

    def fetch(self, clause: Clause, tie: float) -> Column:
        count = self.size_of(clause)
        self.fetched.append(f"w{count}")
        return column(np.arange(count), np.full(count, tie, np.float32), size=SIZE)


def test_searches_pay_in_until_fetching_costs_no_more_than_they_did() -> None:
    credits = Credits()
    asked = [credits.enough({"often": 1000}, cost=1000) for _ in range(6)]
    price = FETCHED * 1000 + CALL
    assert asked == [count * (1000 + CALL) >= price for count in range(1, 7)]
    assert (asked[0], asked[-1]) == (False, True)


def test_a_clause_that_is_asked_for_again_and_again_is_fetched_once() -> None:
    engine = Engine()
    plan = Plan(should=(word("w40"),))
    found = [engine.affordable(plan) for _ in range(20)]
    assert engine.fetched == ["w40"]
    assert found[0] is None
    assert found[-1] is not None
    assert found[-1].matching().tolist() == list(range(40))


def test_what_was_let_go_has_to_earn_its_place_again() -> None:
    engine = Engine(most=4000)
    for _ in range(20):
        engine.affordable(Plan(should=(word("w40"),)))
    for _ in range(20):
        engine.affordable(Plan(should=(word("w50"),)))
    assert engine.fetched == ["w40", "w50"]
    assert engine.affordable(Plan(should=(word("w40"),))) is None


def test_a_batch_fetches_what_many_of_its_searches_ask_for() -> None:
    engine = Engine()
    often, once = Plan(should=(word("w40"),)), Plan(should=(word("w900"),))
    engine.clauses.foresee((engine.clauses.keys(plan), 10) for plan in [*[often] * 20, once])
    assert engine.fetched == ["w40"]
    assert engine.known(often) is not None
    assert engine.known(once) is None


def test_a_plan_that_excludes_is_left_to_the_engine() -> None:
    engine = Engine()
    plan = Plan(should=(word("w4"),), excluded=(word("w5")[0][0],))
    assert [engine.affordable(plan) for _ in range(50)] == [None] * 50


def test_a_plan_is_known_only_when_all_of_it_is() -> None:
    engine = Engine()
    for _ in range(20):
        engine.affordable(Plan(must=(word("w40"),)))
    assert engine.known(Plan(must=(word("w40"),), should=(word("w7"),))) is None


def test_the_same_words_at_another_tie_are_another_clause() -> None:
    engine = Engine()
    for tie in (1.0, 0.5):
        for _ in range(20):
            found = engine.affordable(Plan(should=(word("w40"),), tie=tie))
        assert found is not None
        assert found.scores(np.array([3])).tolist() == [tie]


def test_the_best_of_a_mask_are_among_what_its_rarest_words_bring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keyword_kept, "HEAD", 30)
    told = 0
    for seed in range(300):
        made = np.random.default_rng(seed)
        words = random.Random(seed).sample(range(1, 400), 3)
        scored = {word(f"w{n}"): postings(made, n) for n in words}
        clauses = Clauses(
            10**6,
            size_of=lambda clause, scored=scored: len(scored[clause][0]),  # type: ignore[misc]  # the default binds the loop's value
            fetch=lambda clause, tie, scored=scored: column(*scored[clause], size=SIZE),  # type: ignore[misc]  # as above
        )
        keys = clauses.keys(Plan(should=tuple(scored)))
        mask = np.zeros(1024, bool)
        mask[:SIZE] = made.random(SIZE) < 0.3
        needed, limit = seed % 2, 1 + seed % 7
        rows = clauses.promising(
            keys,
            needed=needed,
            mask=mask,
            limit=limit,
            head=lambda clause, tie, most, scored=scored: head(scored[clause], most),  # type: ignore[misc]  # as above
        )
        if rows is None:
            continue
        told += 1
        every = clauses.fetched(keys, needed=needed)
        allowed, sums = every.within(mask)
        least = np.sort(sums)[::-1][min(limit, len(sums)) - 1] if len(sums) else 0
        assert set(allowed[sums >= least].tolist()) <= set(rows.tolist())
        assert mask[rows].all()
    assert told > 200


def postings(made: np.random.Generator, count: int) -> tuple[Rows, Scores]:
    """Rows and scores, of which many are alike, higher for rarer words."""
    rows = np.sort(made.choice(SIZE, count, replace=False))
    scores = (2000 / (count + 100)) * made.choice([1.0, 1.0, 1.5, 2.0], count)
    return rows, scores.astype(np.float32)


def head(found: tuple[Rows, Scores], most: int) -> tuple[Rows, Scores]:
    """The best of them, best first."""
    order = np.argsort(-found[1], kind="stable")[:most]
    return found[0][order], found[1][order]
