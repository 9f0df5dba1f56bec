"""Which text would an embedder get of a document?

`POST /render-template` fills a template in with a document, either of them written in the body or
taken from an index, and stores nothing. An embedder without a `documentTemplate` has null for a
template, and embeds the text of its attributes.

    {"template": {"kind": "inlineDocumentTemplate", "inline": "A film called {{ doc.title }}"},
     "input": {"kind": "inlineDocument", "inline": {"title": "Up"}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridsearch.embedded_texts import USUAL_BYTES, EmbeddedTexts, check_template
from hybridsearch.errors import DocumentError, SettingsError, near
from hybridsearch.intake import document_id
from hybridsearch.request import SearchRequest
from hybridsearch.server.access import WRONG_KEY
from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.fields import Field, read_object
from hybridsearch.server.wire import Refused, Reply, json_reply

__all__ = ["ROUTES"]

TEMPLATE, INPUT = "invalid_render_template", "invalid_render_input"
READING = "documents.get"
FIELDS = (
    Field("template", "object", TEMPLATE, missing=TEMPLATE,
          help='{"kind": "inlineDocumentTemplate", "inline"}, or {"kind": "documentTemplate",'
          ' "indexUid", "embedder"}; documentTemplateMaxBytes bounds the text, 400 unless given.'),
    Field("input", "object", INPUT,
          help='{"kind": "inlineDocument", "inline"}, or {"kind": "indexDocument", "indexUid",'
          ' "id"}; without it nothing is filled in.'),
)  # fmt: skip
KIND = "kind"
TEMPLATES = {
    "inlineDocumentTemplate": (
        Field("inline", "text", TEMPLATE, missing=TEMPLATE),
        Field("documentTemplateMaxBytes", "whole", TEMPLATE),
    ),
    "documentTemplate": (
        Field("indexUid", "text", TEMPLATE, missing=TEMPLATE),
        Field("embedder", "text", TEMPLATE, missing=TEMPLATE),
        Field("documentTemplateMaxBytes", "whole", TEMPLATE),
    ),
}
INPUTS = {
    "inlineDocument": (Field("inline", "object", INPUT, missing=INPUT),),
    "indexDocument": (
        Field("indexUid", "text", INPUT, missing=INPUT),
        Field("id", "any", INPUT, missing=INPUT),
    ),
}


def render(call: Call) -> Reply:
    """The template, and what it makes of the document."""
    how = _template(call, _read(call.fields["template"], TEMPLATES, "template", TEMPLATE))
    given = call.fields.get("input")
    if given is None:
        return json_reply({"template": how.template, "rendered": None})
    document, key = _document(call, _read(given, INPUTS, "input", INPUT))
    try:
        rendered = how.text(document, without=key)
    except DocumentError as error:
        raise Refused(error.message, code=INPUT) from None
    return json_reply({"template": how.template, "rendered": rendered})


def _read(
    given: Mapping[str, Any], kinds: Mapping[str, tuple[Field, ...]], name: str, code: str
) -> dict[str, Any]:
    """What is given, which has the fields of its kind. Raises Refused."""
    kind = str(given.get(KIND))
    if kind not in kinds:
        raise Refused(
            f"Unknown value `{kind:.80}` at `.{name}.{KIND}`{near(kind, kinds)}", code=code
        )
    rest = {field: value for field, value in given.items() if field != KIND}
    return {KIND: kind, **read_object(rest, kinds[kind], at=f".{name}")}


def _template(call: Call, given: Mapping[str, Any]) -> EmbeddedTexts:
    most = given.get("documentTemplateMaxBytes")
    try:
        if given[KIND] == "documentTemplate":
            return _of_embedder(call, given["indexUid"], given["embedder"], most)
        check_template(given["inline"])
    except SettingsError as error:
        raise Refused(error.message, code=TEMPLATE) from None
    return EmbeddedTexts(
        ("*",), template=given["inline"], most_bytes=USUAL_BYTES if most is None else most
    )


def _of_embedder(call: Call, uid: str, embedder: str, most: int | None) -> EmbeddedTexts:
    state = call.snapshot(uid).state
    if embedder not in state.arms:
        raise Refused(
            f"cannot find embedder `{embedder:.80}` in index `{uid}`{near(embedder, state.arms)}",
            code=TEMPLATE,
        )
    how = EmbeddedTexts.of(state.settings, embedder, passage_pieces=0)
    return how if most is None else how.bounded(most)


def _document(call: Call, given: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """(the document, its primary key); that of a document in the body is ""."""
    if given[KIND] == "inlineDocument":
        return given["inline"], ""
    if not call.caller.may(READING):
        raise Refused(WRONG_KEY, code="invalid_api_key")
    snapshot, id_ = call.snapshot(given["indexUid"]), document_id(given["id"])
    if id_ is not None:
        rows, _ = snapshot.page(SearchRequest(ids=[id_], limit=1))
        for document in snapshot.documents(rows):
            return document, snapshot.state.primary_key or ""
    raise Refused(
        f"Document with ID `{given['id']!s:.80}` not found in index `{given['indexUid']}`.",
        code="render_document_not_found",
    )


ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/render-template",
        "settings.get",
        render,
        "What a template, as that of an embedder, makes of a document.",
        body=Body(fields=FIELDS),
        slow=True,
    ),
)
