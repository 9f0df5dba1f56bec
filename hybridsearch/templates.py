"""How does a document become the text that a person's template makes of it?

A template is written in Liquid, the language of Meilisearch's `documentTemplate`: `doc` is the
document and `fields` a list of `name`, `value` and `is_searchable` of its attributes. A missing
attribute is empty text. Nothing can be read but the document, and what a template may do is
bounded, so a template of a stranger's does no harm.

    Template("A film called {{ doc.title }}").text({"title": "Up"}, searchable=("*",))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from liquid import Environment, Undefined
from liquid.exceptions import LiquidError

from hybridsearch.errors import DocumentError, SettingsError

MOST_ITERATIONS = 100_000
MOST_BYTES = 1_000_000


class Bounded(Environment):
    """An environment in which no template runs for long or writes much."""

    loop_iteration_limit = MOST_ITERATIONS
    local_namespace_limit = MOST_BYTES
    output_stream_limit = MOST_BYTES
    context_depth_limit = 20


class Template:
    """A template that was read. Raises SettingsError when it is none."""

    def __init__(self, source: str) -> None:
        try:
            self._made = _environment().from_string(source)
        except LiquidError as error:
            raise SettingsError(
                f"documentTemplate is not Liquid: {_said(error)}", field="documentTemplate"
            ) from error

    def text(self, document: Mapping[str, Any], *, searchable: Sequence[str]) -> str:
        """What the template makes of the document. Raises DocumentError when it cannot.

        searchable: the attributes that are so; "*" means every one.

        >>> Template("{{ doc.title | upcase }}{{ doc.year }}").text({"title": "Up"}, searchable=())
        'UP'
        """
        fields = [
            {"name": name, "value": value, "is_searchable": "*" in searchable or name in searchable}
            for name, value in document.items()
        ]
        try:
            return self._made.render(doc=dict(document), fields=fields)
        except LiquidError as error:
            raise DocumentError(
                f"documentTemplate cannot be filled in: {_said(error)}", field="documentTemplate"
            ) from error


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Bounded(undefined=Undefined)


def _said(error: LiquidError) -> str:
    return str(error).strip().partition("\n")[0]
