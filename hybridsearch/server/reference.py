"""What can be asked of the server, as a page that people read?

`page(ROUTES)` is docs/api.md, in Markdown; a test holds the two together. To write it anew:

    python -m hybridsearch.server.reference > docs/api.md
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from hybridsearch.server.call import Route
from hybridsearch.server.fields import KINDS, Field
from hybridsearch.server.openapi import subject
from hybridsearch.server.routes import ROUTES

HEAD = """\
# API

Every route of the server, made from the table that drives it (`hybridsearch/server/routes.py`).
`GET /openapi.json` gives the same for programs. The routes are those of the Meilisearch API at
level 1.50, and ours beside them; [Coming from Meilisearch](coming-from-meilisearch.md) tells the
differences.

A key goes into the header `Authorization: Bearer KEY`, where the server has a master key; the
action in brackets is what the key must allow. Errors are `{"message", "code", "type", "link"}`;
what is wrong in the body of a `_bulk` is told in Elasticsearch's form. Whole numbers are 0 or more.
"""


def page(routes: Sequence[Route]) -> str:
    """The page of the routes, by subject in the order of their first route."""
    subjects = list(dict.fromkeys(map(subject, routes)))
    ordered = sorted(routes, key=lambda route: subjects.index(subject(route)))
    parts = [HEAD]
    for name, group in groupby(ordered, key=subject):
        parts.append(f"## {name}\n")
        parts.extend(_section(route) for route in group)
    return "\n".join(parts)


def _section(route: Route) -> str:
    return "\n".join(_lines(route))


def _lines(route: Route) -> Iterator[str]:
    action = f" [{route.action}]" if route.action else ""
    yield f"### {route.method} `{route.path}`{action}\n"
    yield f"{route.summary} Answers {int(route.status)}.\n"
    yield from _table("Parameter", route.parameters or ())
    if route.body is not None:
        yield from _table("Field", route.body.fields)
        if not route.body.fields:
            yield f"Body: {', '.join(f'`{media}`' for media in route.body.media)}.\n"


def _table(title: str, fields: Sequence[Field]) -> Iterator[str]:
    if not fields:
        return
    yield f"| {title} | Kind | |\n|---|---|---|"
    for field in fields:
        needed = "Needed. " if field.missing else ""
        told = field.help.replace("|", "\\|")
        yield f"| `{field.name}` | {_kind(field)} | {needed}{told} |"
    yield ""


def _kind(field: Field) -> str:
    called = KINDS[field.kind].called.removeprefix("an ").removeprefix("a ")
    return called.replace("positive integer", "whole number")


if __name__ == "__main__":
    print(page(ROUTES), end="")
