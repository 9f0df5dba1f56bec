"""What stands in for an embedder when vectors come with the documents and the queries?

`ProvidedEmbedder` knows how long the vectors are and refuses to make one, saying what to give.

    ProvidedEmbedder(768, name="clip").dim                  # 768
    ProvidedEmbedder(768, name="clip").embed(["a text"])    # EmbedderError
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from hybridsearch.arrays import Vectors
from hybridsearch.errors import EmbedderError, SettingsError

__all__ = ["ProvidedEmbedder"]


@dataclass(frozen=True)
class ProvidedEmbedder:
    """An embedder of the source "userProvided". Raises SettingsError if dim < 1."""

    dim: int
    name: str = field(default="default", kw_only=True)
    weight: ClassVar[float] = 0.5
    rrf_k: ClassVar[int] = 20
    passage_pieces: ClassVar[int] = 0

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise SettingsError(
                f'embedder "{self.name}": dimensions is {self.dim}; give the length of its '
                "vectors, at least 1",
                field="dimensions",
            )

    @property
    def fingerprint(self) -> str:
        """The same as long as the vectors have the same length."""
        return f"userProvided:{self.dim}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Raises EmbedderError: a document of this embedder brings its vector."""
        raise self._refused("with each document, under _vectors")

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        """Raises EmbedderError: a query of this embedder brings its vector."""
        raise self._refused("with the query, as vector, or search in keyword mode")

    def pieces(self, text: str) -> int:
        """0: a text of any length is one passage."""
        return 0

    def known(self, text: str) -> float:
        """1: nobody asks what makes the vectors."""
        return 1.0

    def _refused(self, where: str) -> EmbedderError:
        message = f'embedder "{self.name}" is userProvided and makes no vectors; give one {where}'
        return EmbedderError(message, embedder=self.name)
