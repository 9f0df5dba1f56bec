"""How do programs in other languages search and write, over HTTP?

The REST door: the Meilisearch API at level 1.50, and what is ours beside it.

    from hybridsearch.server import app_for
    app = app_for(hybridsearch.open("shop.duckdb"))
"""

from hybridsearch.server.app import app_for
from hybridsearch.server.bodies import Limits

__all__ = ["Limits", "app_for"]
