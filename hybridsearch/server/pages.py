"""How does a browser get the search page?

The files of `web/` go out as they are: `GET /` is the page, `GET /web/{name}` what it loads. A
strict Content-Security-Policy lets it run our modules and speak with this server, nothing else.
Files are asked for again each time and cost a 304 when they have not changed.
"""

from __future__ import annotations

import hashlib
from functools import cache

from hybridsearch import assets
from hybridsearch.server.bulk import banner, wants_banner
from hybridsearch.server.call import Call, Route
from hybridsearch.server.wire import Refused, Reply

FOLDER = "web"
PAGE = "index.html"
MEDIA = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page(call: Call) -> Reply:
    """The search page; to a program that asks for JSON, or for nothing, who answers here."""
    accepted = call.headers.get("accept")
    if accepted is None or wants_banner(accepted):
        return banner(call)
    return _sent(PAGE, call.headers.get("if-none-match", ""))


def part(call: Call) -> Reply:
    """A file that the page loads. Raises Refused for a name that is none of them."""
    name = call.path["name"]
    if name not in _names():
        raise Refused(f"There is no {name:.80} here.", code="not_found")
    return _sent(name, call.headers.get("if-none-match", ""))


def _sent(name: str, known: str) -> Reply:
    body, tag = _file(name)
    headers = {**HEADERS, "ETag": tag}
    if tag in known:
        return Reply(b"", 304, headers=headers)
    return Reply(body, media=MEDIA[f".{name.rpartition('.')[2]}"], headers=headers)


@cache
def _names() -> frozenset[str]:
    return frozenset(assets.names(FOLDER))


@cache
def _file(name: str) -> tuple[bytes, str]:
    """(bytes, ETag) of one of `_names`."""
    body = assets.text(f"{FOLDER}/{name}").encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'


ROUTES = (
    Route("GET", "/", "", page, "The search page.", parameters=None),
    Route("GET", "/web/{name}", "", part, "A file of the search page.", parameters=None),
)
