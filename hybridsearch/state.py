"""What does an index know after one task?

A `State` is made once, when a batch is published, and never changes; the stages of a search read
it and nothing else. `arm` finds the embedder that a request means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hybridsearch.analysis import Analyzer
from hybridsearch.arrays import Mask, Rows
from hybridsearch.columns import Columns
from hybridsearch.embedded_texts import EmbeddedTexts
from hybridsearch.embedders import Embedder
from hybridsearch.errors import QueryError, near
from hybridsearch.keyword import KeywordSnapshot
from hybridsearch.localized import Analyzers
from hybridsearch.selection import Selection
from hybridsearch.settings import Settings
from hybridsearch.spelling import Speller
from hybridsearch.synonyms import Synonyms
from hybridsearch.vectors import VectorSnapshot


@dataclass(frozen=True)
class Arm:
    """One embedder with the vectors that it made, and of which texts it made them."""

    embedder: Embedder
    vectors: VectorSnapshot
    texts: EmbeddedTexts


@dataclass(frozen=True, eq=False)
class State:
    """One state of one index.

    task: the last task whose documents it holds. primary_key: None until the first document.
    living: the rows of its documents, int64 [n], ascending. size: one more than the highest row
    there can be. arms: embedder's name -> arm. allowed: the rows that whoever asks may know of,
    bool [size], None for all; `living` holds no others then.
    """

    task: int
    primary_key: str | None
    settings: Settings
    columns: Columns
    living: Rows
    size: int
    analyzers: Analyzers
    keyword: KeywordSnapshot
    arms: Mapping[str, Arm]
    selection: Selection
    allowed: Mask | None = None

    @cached_property
    def analyzer(self) -> Analyzer:
        """The usual analyser."""
        return self.analyzers.usual

    @cached_property
    def speller(self) -> Speller:
        """What else the words of a query may mean in this state."""
        synonyms = Synonyms.of(self.settings.kept.get("synonyms", {}), self.analyzer)
        return Speller(self.keyword, self.analyzers, self.settings.typo_tolerance, synonyms)

    def arm(self, name: str | None) -> Arm | None:
        """The arm of the embedder named, or the only one, or the first; None without embedders.

        Raises QueryError when the index has no embedder of that name.
        """
        if name is None:
            return self.arms.get("default") or next(iter(self.arms.values()), None)
        if name not in self.arms:
            raise QueryError(
                f'no embedder "{name}" in this index{near(name, self.arms)}',
                code="invalid_search_embedder",
                field="embedder",
            )
        return self.arms[name]
