"""How does any Python callable become an embedder?

`FunctionEmbedder` calls it with a list of texts, takes whatever numpy can read as a matrix, and
checks it before a single number reaches an index: the count, the length, and that all are finite.

    model = SentenceTransformer("all-MiniLM-L6-v2")
    FunctionEmbedder(model.encode, name="minilm").embed(["a text"])     # float32 [1, 384]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridsearch.arrays import Vectors
from hybridsearch.errors import EmbedderError

__all__ = ["EmbedFunction", "FunctionEmbedder"]

EmbedFunction = Callable[[list[str]], Any]
PROBE = "probe"


class FunctionEmbedder:
    """An embedder around a callable: list of n texts -> anything like an array [n, dim].

    query: another callable for queries, where the model treats them differently. dim: the length
    of a vector; without it the callable is asked once, for one word. version: change it when the
    callable starts to answer differently, so that an index knows its vectors are stale.
    """

    weight = 0.8
    rrf_k = 5
    passage_pieces = 0

    def __init__(
        self,
        function: EmbedFunction,
        *,
        name: str = "default",
        query: EmbedFunction | None = None,
        dim: int | None = None,
        version: str = "",
    ) -> None:
        self.name = name
        self._function = function
        self._query = query or function
        self._given_dim = dim
        self._version = version

    @cached_property
    def dim(self) -> int:
        """The length of a vector. Raises EmbedderError when the callable is asked and fails."""
        if self._given_dim is not None:
            return self._given_dim
        return int(self._checked(self._function, [PROBE]).shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """The callable's name, the length of its vectors, and the version it was given."""
        owner = self._function if hasattr(self._function, "__qualname__") else type(self._function)
        label = f"{getattr(owner, '__module__', '')}.{getattr(owner, '__qualname__', '')}"
        return f"function:{label}:{self.dim}:{self._version}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of documents, float32 [n, dim]; the callable is not asked for no texts.

        Raises EmbedderError when the callable fails or answers anything else.
        """
        return self._vectors(self._function, texts)

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        """The vectors of queries, like `embed`, from `query` if one was given."""
        return self._vectors(self._query, texts)

    def pieces(self, text: str) -> int:
        """0: a text of any length is one passage."""
        return 0

    def known(self, text: str) -> float:
        """1: a callable does not say."""
        return 1.0

    def _vectors(self, function: EmbedFunction, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        found = self._checked(function, list(texts))
        if found.shape[1] != self.dim:
            raise self._refused(
                f"vectors of length {found.shape[1]} came back where its length is {self.dim}"
            )
        return found

    def _checked(self, function: EmbedFunction, texts: list[str]) -> Vectors:
        answer = self._matrix(self._asked(function, texts))
        if answer.ndim != 2 or answer.shape[0] != len(texts) or answer.shape[1] < 1:
            raise self._refused(
                f"an array of shape {answer.shape} came back for {len(texts)} texts; "
                f"return one vector a text, shape ({len(texts)}, dim)"
            )
        bad = np.flatnonzero(~np.isfinite(answer).all(axis=1))
        if len(bad):
            raise self._refused(
                f"the vector of text {bad[0]} (from 0) holds NaN, an infinity or a number too "
                "large for float32"
            )
        return answer

    def _asked(self, function: EmbedFunction, texts: list[str]) -> Any:
        try:
            return function(texts)
        except Exception as error:  # somebody else's code may raise anything; kept as the cause
            raise self._refused(
                f"it raised {type(error).__name__}: {error} for {len(texts)} texts"
            ) from error

    def _matrix(self, answer: Any) -> Vectors:
        try:
            found: NDArray[Any] = np.asarray(answer)
        except (TypeError, ValueError) as error:
            raise self._refused(f"{error}; return vectors of one length") from error
        if found.dtype.kind not in "fiu":
            raise self._refused(
                f"an array of {found.dtype} came back ({type(answer).__name__}); "
                "return real numbers"
            )
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(found, np.float32)

    def _refused(self, what: str) -> EmbedderError:
        return EmbedderError(f'embedder "{self.name}": {what}', embedder=self.name)
