"""How is the text of a search embedded when somebody said how long that may take?

`embed_query` waits so long and no longer for a model or a service. What comes later is thrown
away; so many may be late at once as there are threads, and the others count as late too.

    embed_query(embedder, ["space opera"], 0.15)       # float32 [1, dim], or EmbedderError
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from hybridsearch.arrays import Vectors
from hybridsearch.embedders import Embedder
from hybridsearch.embedders.static import StaticEmbedder
from hybridsearch.errors import EmbedderError

__all__ = ["embed_query"]

THREADS = 16


def embed_query(embedder: Embedder, texts: Sequence[str], seconds: float | None) -> Vectors:
    """The vectors of queries, float32 [n, dim]; seconds: None for as long as it takes.

    The bundled embedder waits for nobody, and is not hurried. Raises EmbedderError.
    """
    if seconds is None or isinstance(embedder, StaticEmbedder):
        return embedder.embed_query(texts)
    late = _threads().submit(embedder.embed_query, texts)
    try:
        return late.result(seconds)
    except TimeoutError:
        late.cancel()
        raise EmbedderError(
            f"the text was not embedded within {seconds * 1000:.0f} ms, which searchCutoffMs allows"
        ) from None


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="hybridsearch-embedding")
