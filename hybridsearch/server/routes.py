"""Which requests are there? One table, in the order of its documentation.

It drives routing, authorisation, the OpenAPI document and the tests of all three.
"""

from __future__ import annotations

from hybridsearch.server import (
    bulk,
    documents,
    facet_search,
    health,
    indexes,
    multi_search,
    openapi,
    pages,
    search,
    settings,
    similar,
    sql,
    tasks,
)
from hybridsearch.server.call import Route

ROUTES: tuple[Route, ...] = (
    Route("GET", "/health", "", health.health, "Whether the server answers."),
    Route("GET", "/version", "version", health.version, "The version of the server."),
    *indexes.ROUTES,
    *documents.ROUTES,
    *search.ROUTES,
    *multi_search.ROUTES,
    *facet_search.ROUTES,
    *similar.ROUTES,
    *settings.ROUTES,
    *tasks.ROUTES,
    *sql.ROUTES,
    *openapi.ROUTES,
    *bulk.ROUTES,
    *pages.ROUTES,
)
