"""Which requests are there? One table, in the order of its documentation.

It drives routing, authorisation, the OpenAPI document and the tests of all three.
"""

from __future__ import annotations

from hybridsearch.server import (
    attributes,
    backups,
    bulk,
    documents,
    experimental,
    facet_search,
    health,
    indexes,
    keys,
    multi_search,
    openapi,
    pages,
    rendering,
    search,
    settings,
    similar,
    sql,
    stats,
    tasks,
    webhooks,
)
from hybridsearch.server.call import Route

ROUTES: tuple[Route, ...] = (
    Route("GET", "/health", "", health.health, "Whether the server answers."),
    Route("GET", "/version", "version", health.version, "The version of the server."),
    *indexes.ROUTES,
    *attributes.ROUTES,
    *documents.ROUTES,
    *search.ROUTES,
    *multi_search.ROUTES,
    *facet_search.ROUTES,
    *similar.ROUTES,
    *settings.ROUTES,
    *tasks.ROUTES,
    *keys.ROUTES,
    *webhooks.ROUTES,
    *stats.ROUTES,
    *backups.ROUTES,
    *experimental.ROUTES,
    *rendering.ROUTES,
    *sql.ROUTES,
    *openapi.ROUTES,
    *bulk.ROUTES,
    *pages.ROUTES,
)
