"""Which fusion and which weights answer the judged queries of an index best, and by how much?

`tune` tries settings on the judged queries, by searching as everybody searches. First the weights
of the attributes, one at a time and by words alone, then the fusion of the arms: its mode, the
share of the semantic arm, and k. What is chosen is the best on all queries; what it is worth is
found by cross-validation: the queries are dealt into parts, and each part is answered with what
was chosen on the others alone. So the gain is that on queries which the choice did not see, and it
comes with a 95 % interval and a paired test.

    found = tune(index, queries, qrels)
    found.gain.difference, found.gain.low, found.changes
    # (0.031, 0.012, {"fusion": {"mode": "linear", "weights": [0.6, 0.4]}})
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridsearch.arms import embeds
from hybridsearch.errors import InputError
from hybridsearch.evaluate import METRICS, Comparison, Qrels, Report, Run, compare, evaluate
from hybridsearch.fusion_settings import FusionSettings
from hybridsearch.index import Index
from hybridsearch.request import SearchRequest
from hybridsearch.settings import Settings
from hybridsearch.snapshot import Snapshot

__all__ = ["Tuned", "tune"]

LEAST = 4
FOLDS = 5
ROUNDS = 3
FACTORS = (0.25, 0.5, 2.0, 4.0)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8)
RANKED = (0.15, 0.3, 0.5, 0.7)
CONSTANTS = (2, 10, 60)
SPREAD = (0.2, 0.35, 0.5, 0.7)
MOST_ATTRIBUTES = 8
HEAVIEST = 1_000_000.0

Progress = Callable[[int, int], None]
Picked = NDArray[np.int64]


@dataclass(frozen=True)
class Configuration:
    """What is tuned: attribute -> weight, and the fusion; None as the embedder says."""

    weights: Mapping[str, float]
    fusion: FusionSettings | None

    def of(self, settings: Settings) -> Settings:
        """The settings with this in them."""
        return replace(settings, attribute_weights=self.weights, fusion=self.fusion)


@dataclass(frozen=True)
class Tuned:
    """What was found.

    changes: settings to change, {} when nothing better was found. before, after: the judged
    queries answered with the settings in force and with the changes made; `after` has seen its
    answers, so `gain` is the honest figure: of answers by cross-validation against those before.
    tried: how many configurations were. steady: in how many of the parts the same was chosen.
    """

    changes: Mapping[str, Any]
    before: Report
    after: Report
    gain: Comparison
    tried: int
    folds: int
    steady: int

    @property
    def worth_it(self) -> bool:
        """Whether something better was found that is also better on queries it did not see."""
        return bool(self.changes) and self.gain.difference > 0


def tune(
    index: Index,
    queries: Mapping[str, str],
    qrels: Qrels,
    *,
    k: int = 10,
    metric: str = "ndcg",
    seed: int = 0,
    progress: Progress | None = None,
) -> Tuned:
    """Find better weights and fusion for the index by its judged queries; nothing is changed.

    metric: what to make large, over the first k hits. seed: how the queries are dealt into parts.
    progress is called with how many searches are done and about how many there will be.
    Raises InputError when fewer than 4 queries have an answer.
    """
    trial = _Trial(index, queries, qrels, k=k, metric=metric, progress=progress)
    count = len(trial.queries)
    if count < LEAST:
        raise InputError(
            f"{count} of the queries have a document that is judged relevant; give at least {LEAST}"
            " (some 50 make a choice that can be trusted)",
            field="qrels",
        )
    trial.report(trial.base).of(metric)
    everything = np.arange(count)
    chosen = trial.chosen(everything)
    parts = _parts(count, seed)
    choices = [trial.chosen(np.setdiff1d(everything, part)) for part in parts]
    unseen = trial.mixed(parts, choices)
    before, after = trial.report(trial.base), trial.report(chosen)
    return Tuned(
        changes=trial.changes(chosen),
        before=before,
        after=after,
        gain=compare(before, unseen, metric=metric, seed=seed),
        tried=trial.tried,
        folds=len(parts),
        steady=sum(choice == chosen for choice in choices),
    )


def _parts(count: int, seed: int) -> list[Picked]:
    order = np.random.default_rng(seed).permutation(count)
    return [np.sort(part) for part in np.array_split(order, min(FOLDS, count))]


class _Trial:
    """The judged queries, answered by one unchanging state under any configuration."""

    def __init__(
        self,
        index: Index,
        queries: Mapping[str, str],
        qrels: Qrels,
        *,
        k: int,
        metric: str,
        progress: Progress | None,
    ) -> None:
        snapshot = index.snapshot()
        self._state = snapshot.state
        relevant = {q for q, grades in qrels.items() if any(g > 0 for g in grades.values())}
        asked = {q: text for q, text in queries.items() if q in relevant}
        self.queries = tuple(asked)
        self._qrels = {query: qrels[query] for query in asked}
        self._k, self._metric = k, metric
        self._hybrid = embeds(index)
        texts = list(asked.values())
        self._words = [SearchRequest(text, mode="keyword", limit=k) for text in texts]
        self._requests = self._embedded(texts)
        self._reports: dict[tuple[Any, ...], Report] = {}
        self._progress = progress
        self._ids: dict[int, str] = {}
        settings = self._state.settings
        self.base = Configuration(dict(settings.attribute_weights), settings.fusion)

    def _embedded(self, texts: list[str]) -> list[SearchRequest]:
        """The requests, each with its vector, which no configuration changes."""
        arm = self._state.arm(None)
        if not self._hybrid or arm is None or not texts:
            return self._words
        vectors = arm.embedder.embed_query(texts)
        return [
            SearchRequest(text, mode="hybrid", limit=self._k, vector=vector.tolist())
            for text, vector in zip(texts, vectors, strict=True)
        ]

    @property
    def tried(self) -> int:
        """How many configurations were tried so far."""
        return len(self._reports)

    def changes(self, chosen: Configuration) -> dict[str, Any]:
        """The settings that the configuration changes, in their JSON form."""
        found: dict[str, Any] = {}
        if dict(chosen.weights) != dict(self.base.weights):
            found["attributeWeights"] = dict(chosen.weights)
        if chosen.fusion != self.base.fusion:
            found["fusion"] = chosen.fusion and chosen.fusion.to_json()
        return found

    # Choosing

    def chosen(self, picked: Picked) -> Configuration:
        """The best configuration on the queries picked; of equals the one that changes less.

        The weights of attributes are those of the keyword arm, so they are chosen by it alone: a
        fusion that hides that arm would hide what is good for it.
        """
        words = self.base
        for _ in range(ROUNDS):
            words = self._best([words, *self._weighted(words)], picked, by_words=True)
        if not self._hybrid:
            return words
        several = [self.base, words]
        for weights in (self.base.weights, words.weights):
            several += [Configuration(weights, fusion) for fusion in _fusions()]
        return self._best(several, picked)

    def _best(
        self, several: Sequence[Configuration], picked: Picked, *, by_words: bool = False
    ) -> Configuration:
        reports = [self.report(one, by_words=by_words) for one in several]
        means = [float(report.of(self._metric)[picked].mean()) for report in reports]
        return several[int(np.argmax(np.round(means, 9)))]

    def _weighted(self, start: Configuration) -> Iterator[Configuration]:
        """These weights with one of the attributes more or less important."""
        names = list(self._state.keyword.attributes)[:MOST_ATTRIBUTES]
        if len(names) < 2:
            return
        for name in names:
            for factor in FACTORS:
                weight = min(HEAVIEST, start.weights.get(name, 1.0) * factor)
                yield replace(start, weights={**start.weights, name: weight})
            if start.weights.get(name, 1.0) != 1.0:
                yield replace(start, weights={**start.weights, name: 1.0})

    # Answering

    def report(self, one: Configuration, *, by_words: bool = False) -> Report:
        """The judged queries answered under the configuration, in the order of `queries`.

        by_words: by the keyword arm alone.
        """
        by_words = by_words or not self._hybrid
        fusion = None if by_words else one.fusion
        key = (tuple(sorted(one.weights.items())), fusion, by_words)
        if key not in self._reports:
            self._reports[key] = self._answered(one, by_words=by_words)
            if self._progress:
                about = ROUNDS * len(list(self._weighted(self.base))) + 3 * len(list(_fusions()))
                self._progress(len(self._reports), max(about, len(self._reports)))
        return self._reports[key]

    def _answered(self, one: Configuration, *, by_words: bool) -> Report:
        settings = one.of(self._state.settings)
        snapshot = Snapshot(replace(self._state, settings=settings))
        requests = self._words if by_words else self._requests
        rows = [places.rows for places in snapshot.places(requests)]
        key = self._state.primary_key or ""
        fresh = np.setdiff1d(np.concatenate(rows), np.array([*self._ids], np.int64))
        for row, document in zip(fresh.tolist(), snapshot.documents(fresh), strict=True):
            self._ids[row] = str(document.get(key, ""))
        run: Run = {
            query: [self._ids[row] for row in found.tolist()]
            for query, found in zip(self.queries, rows, strict=True)
        }
        return evaluate(run, self._qrels, k=self._k)

    def mixed(self, parts: Sequence[Picked], choices: Sequence[Configuration]) -> Report:
        """Each part of the queries as its choice, made on the others, answers it."""
        values = {name: np.empty(len(self.queries)) for name in METRICS}
        for part, choice in zip(parts, choices, strict=True):
            for name, found in self.report(choice).values.items():
                values[name][part] = found[part]
        return Report(k=self._k, queries=self.queries, values=MappingProxyType(values))


def _fusions() -> Iterator[FusionSettings]:
    for share in SHARES:
        yield FusionSettings("linear", (round(1 - share, 2), share))
        yield FusionSettings("score", (round(1 - share, 2), share))
    for share in RANKED:
        for k in CONSTANTS:
            yield FusionSettings("rrf", (round(1 - share, 2), share), k)
    for share in SPREAD:
        yield FusionSettings("dbsf", (round(1 - share, 2), share))
