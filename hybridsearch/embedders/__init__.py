"""What turns texts into vectors?

An `Embedder` is one method for each side of a search, and the numbers that say how far its arm
is to be trusted when the arms are fused. These come with the package: `static` (bundled, nothing
to download), `function` (any Python callable), `provided` (vectors come with the documents) and
`onnx` (a model in a folder) and `rest` (a service). `making` has the one that settings ask for.
Any object of this shape will do.

    vectors = StaticEmbedder().embed(["a space opera", "slow cooking"])     # float32 [2, 256]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hybridsearch.arrays import Vectors

__all__ = ["Embedder"]


class Embedder(Protocol):
    """Texts to vectors, safe to call from several threads at once.

    dim: the length of a vector. weight: the most, 0..1, that the semantic arm weighs (less where
    words are sure). rrf_k: the constant of reciprocal rank fusion. passage_pieces: how many
    of its `pieces` it takes in at once, 0 for any number; longer texts are given in passages.
    fingerprint: differs whenever the same text would get another vector.
    """

    @property
    def dim(self) -> int: ...  # noqa: D102 - the class says what each number means
    @property
    def weight(self) -> float: ...  # noqa: D102
    @property
    def rrf_k(self) -> int: ...  # noqa: D102
    @property
    def passage_pieces(self) -> int: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of documents, float32 [n, dim] in the order of the texts, of any length.

        Raises EmbedderError when there are none to be had.
        """
        ...

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        """The vectors of queries, like `embed`; some models treat the two sides differently."""
        ...

    def pieces(self, text: str) -> int:
        """How many pieces it reads the text as; 0 where nobody can tell."""
        ...

    def known(self, text: str) -> float:
        """Of how much of a query's letters the model has a notion, 0..1; 1 where none can tell.

        A model reads an alphabet that it has hardly seen too, but as marks that mean little to it.
        """
        ...
