"""What can be asked of the server, as a document that programs read?

`GET /openapi.json` is OpenAPI 3.1, made from the route table: each route with what it takes, who
may come, and the shape of its errors. What a route does not say of its answer is not claimed.

    document(ROUTES)["paths"]["/health"]["get"]["summary"]
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import hybridsearch
from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.fields import KINDS, Field
from hybridsearch.server.wire import JSON, Reply, json_reply

Json = dict[str, Any]

LEVEL = "3.1.0"
PARTS = re.compile(r"\{(\w+)\}")
ERROR: Json = {
    "type": "object",
    "required": ["message", "code", "type", "link"],
    "properties": {
        "message": {"type": "string", "description": "What was wrong, for people."},
        "code": {"type": "string", "description": "The same in every version, for programs."},
        "type": {"enum": ["invalid_request", "auth", "internal", "system"]},
        "link": {"type": "string"},
    },
}


def show(call: Call) -> Reply:
    """The document of the routes that are served."""
    return json_reply(document(call.services.routes))


def document(routes: Sequence[Route]) -> Json:
    """The OpenAPI document of the routes, in their order."""
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = operation(route)
    return {
        "openapi": LEVEL,
        "info": {
            "title": "hybridsearch",
            "version": hybridsearch.__version__,
            "description": "Search by words and by meaning over one DuckDB file: the Meilisearch"
            " API at level 1.50, SQL, and Elasticsearch's bulk writes.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "./"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": ERROR},
            "responses": {
                "Refused": {
                    "description": "What was wrong, where, and what to do about it.",
                    "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
            },
        },
    }


def operation(route: Route) -> Json:
    """One route as an OpenAPI operation."""
    found: Json = {
        "operationId": name_of(route),
        "summary": route.summary,
        "tags": [subject(route)],
        "parameters": [_part(name) for name in PARTS.findall(route.path)]
        + [_parameter(field) for field in route.parameters or ()],
        "responses": {
            str(int(route.status)): {"description": "Done."},
            "default": {"$ref": "#/components/responses/Refused"},
        },
    }
    if not route.action:
        found["security"] = []
    else:
        found["x-action"] = route.action
    if route.body is not None:
        found["requestBody"] = _body(route.body)
    return found


def name_of(route: Route) -> str:
    """A name for the operation that no other has.

    >>> from hybridsearch.server.wire import nothing
    >>> name_of(Route("GET", "/indexes/{uid}/stats", "", lambda call: nothing(), ""))
    'get_indexes_uid_stats'
    """
    words = re.findall(r"\w+", route.path.replace("-", "_").replace(".", "_")) or ["page"]
    return "_".join([route.method.lower(), *words])


def subject(route: Route) -> str:
    """What the route is about: the last fixed part of its path that stands before another."""
    fixed = [part for part in route.path.split("/") if part and not part.startswith("{")]
    if fixed[:1] == ["indexes"] and len(fixed) > 1:
        return fixed[1]
    return fixed[0] if fixed else "page"


def _part(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _parameter(field: Field) -> Json:
    found: Json = {
        "name": field.name,
        "in": "query",
        "required": bool(field.missing),
        "schema": KINDS[field.kind].schema,
    }
    if field.kind in ("texts", "wholes", "numbers", "list"):
        found |= {"style": "form", "explode": False}
    return {**found, "description": field.help} if field.help else found


def _body(body: Body) -> Json:
    schema = _schema(body)
    content = {media: {"schema": schema} if media == JSON else {} for media in body.media}
    return {"required": True, "content": content}


def _schema(body: Body) -> Mapping[str, Any]:
    if body.schema or body.kind != "object":
        return body.schema
    required = [field.name for field in body.fields if field.missing]
    found: Json = {
        "type": "object",
        "properties": {field.name: _property(field) for field in body.fields},
        "additionalProperties": False,
    }
    return {**found, "required": required} if required else found


def _property(field: Field) -> Json:
    schema = dict(KINDS[field.kind].schema)
    if not field.missing and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    return {**schema, "description": field.help} if field.help else schema


ROUTES = (
    Route("GET", "/openapi.json", "", show, "What can be asked of the server, as OpenAPI 3.1."),
)
