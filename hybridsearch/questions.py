"""What vectors do the texts of searches have, and which go without?

Texts for one embedder are embedded in one call. Where it fails, a search goes by its words alone
and says so, unless it asked for meaning alone.

    [question] = questions(state, [request])
    question.vector, question.degraded              # float32 [dim] or None; why it has none
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hybridsearch.arrays import Vectors
from hybridsearch.embedders.hurried import embed_query
from hybridsearch.embedders.outage import NotAsked
from hybridsearch.errors import EmbedderError, EmbeddingsFailed
from hybridsearch.kept_settings import cutoff_seconds
from hybridsearch.planning import meaning, must_embed
from hybridsearch.request import SearchRequest
from hybridsearch.state import State

__all__ = ["Question", "questions"]

log = logging.getLogger("hybridsearch")


class Question(NamedTuple):
    """A request with its vector; degraded: why it goes without meaning, though it asked for it."""

    request: SearchRequest
    vector: Vectors | None = None
    degraded: str | None = None


def questions(state: State, requests: Sequence[SearchRequest]) -> list[Question]:
    """The requests with their vectors, in their order; texts for one embedder in one call.

    Raises EmbedderError where a search by meaning alone cannot be embedded.
    """
    found = [Question(request) for request in requests]
    wanted: dict[str | None, list[int]] = {}
    for number, question in enumerate(found):
        request = question.request
        if request.vector is not None:
            vector = np.asarray(request.vector, np.float32)
            found[number] = Question(request, vector)
        elif must_embed(state, request):
            wanted.setdefault(request.embedder, []).append(number)
    for name, numbers in wanted.items():
        some = [found[number].request for number in numbers]
        for number, question in zip(numbers, _embedded(state, name, some), strict=True):
            found[number] = question
    return found


def _embedded(state: State, name: str | None, requests: Sequence[SearchRequest]) -> list[Question]:
    """The requests with the vectors of their texts, or without meaning if none can be had."""
    arm = state.arm(name)
    assert arm is not None  # must_embed found it
    try:
        texts = [meaning(request) for request in requests]
        made = embed_query(arm.embedder, texts, cutoff_seconds(state.settings.kept))
    except EmbedderError as error:
        return _without_meaning(requests, error)
    return [Question(*one) for one in zip(requests, made, strict=True)]


def _without_meaning(requests: Sequence[SearchRequest], error: EmbedderError) -> list[Question]:
    """The requests as they go where the embedder fails: by words alone, but for those whose text
    it did embed. Raises the error if one of the others is semantic alone."""
    count = len(requests)
    if isinstance(error, EmbeddingsFailed):
        reasons = {at: f"{error.message}: {why}" for at, why in error.reasons.items()}
        made = error.made
    else:
        reasons, made = dict.fromkeys(range(count), error.message), [None] * count
    if any(requests[number].mode == "semantic" for number in reasons):
        raise error
    if not isinstance(error, NotAsked):  # which was told of when it failed
        log.warning("searching by words alone: %s", error.message)
    return [
        Question(replace(request, mode="keyword"), None, reasons[number])
        if number in reasons
        else Question(request, made[number])
        for number, request in enumerate(requests)
    ]
