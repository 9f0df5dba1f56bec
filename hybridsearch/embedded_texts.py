"""Which texts of a document does one embedder get?

An embedder sees the texts of some attributes, or what a template makes of the document. A text
that is too long for it is cut into passages that overlap, each embedded by itself: the document
is as near as its nearest passage, and that passage can be shown.

    how = EmbeddedTexts.of(settings, "default", passage_words=180)
    how.texts({"id": 1, "title": "Alien", "plot": "..."}, without="id")      # ["Alien\\n..."]
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hybridsearch.errors import DocumentError
from hybridsearch.extraction import embedded_text
from hybridsearch.settings import Settings

if TYPE_CHECKING:
    from hybridsearch.templates import Template

OVERLAP = 0.25
USUAL_BYTES = 400
# A word, or one letter of a script that puts no spaces between its words.
_WORD = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]"
    r"|[^\s\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]{1,40}"
)


@dataclass(frozen=True)
class EmbeddedTexts:
    """How a document becomes the texts of one embedder.

    attributes: whose text counts; those searchable, for a template. template: Liquid, cut after
    most_bytes. words: in a passage, 0 for one passage of any length.
    """

    attributes: Sequence[str]
    template: str | None = None
    most_bytes: int | None = None
    words: int = 0

    @classmethod
    def of(cls, settings: Settings, embedder: str, *, passage_words: int) -> EmbeddedTexts:
        """As the settings say for the embedder of that name.

        passage_words: what the embedder takes in at once, where the settings do not say.
        """
        own = settings.embedders.get(embedder)
        if own is None:
            return cls(settings.searchable_attributes, words=passage_words)
        most = own.document_template_max_bytes
        return cls(
            settings.searchable_attributes
            if own.document_attributes is None
            else own.document_attributes,
            template=own.document_template,
            most_bytes=USUAL_BYTES if own.document_template and most is None else most,
            words=passage_words if own.passage_words is None else own.passage_words,
        )

    def bounded(self, most_bytes: int) -> EmbeddedTexts:
        """The same, with the text cut after so many bytes."""
        return replace(self, most_bytes=most_bytes)

    def to_json(self) -> dict[str, Any]:
        """All of it; two ways are the same exactly when this is."""
        return {**asdict(self), "attributes": list(self.attributes)}

    def texts(self, document: Mapping[str, Any], *, without: str) -> list[str]:
        """The passages of the document, in order; none where it has no text.

        without: the primary key, which is left out. Raises DocumentError when the template cannot
        be filled in.
        """
        text = self.text(document, without=without)
        return passages(text, words=self.words) if text.strip() else []

    def text(self, document: Mapping[str, Any], *, without: str) -> str:
        """The same before it is cut into passages."""
        text = self._whole(document, without)
        if self.most_bytes is None:
            return text
        return text.encode(errors="replace")[: self.most_bytes].decode(errors="ignore")

    def _whole(self, document: Mapping[str, Any], without: str) -> str:
        if self.template is None:
            return embedded_text(document, self.attributes, without=without)
        try:
            return _template(self.template).text(document, searchable=self.attributes)
        except DocumentError as error:
            id_ = str(document.get(without, ""))
            message = f'document "{id_}": {error.message}'
            raise DocumentError(message, id=id_, field="documentTemplate") from error


def passages(text: str, *, words: int) -> list[str]:
    """The text in pieces of at most so many words, each but the first beginning in the one before.

    A letter counts as a word where a script has no spaces. All of the text is in some piece.

    >>> passages("one two three four five six", words=4)
    ['one two three four', 'three four five six']
    >>> passages("one two", words=0)
    ['one two']
    """
    if not words or len(text) <= words:
        return [text]
    spans = [match.span() for match in _WORD.finditer(text)]
    if len(spans) <= words:
        return [text]
    step = max(1, words - round(words * OVERLAP))
    pieces = -(-(len(spans) - words) // step) + 1
    last = len(spans) - words
    starts = [round(number * last / (pieces - 1)) for number in range(pieces)]
    return [text[spans[at][0] : spans[at + words - 1][1]] for at in starts]


@lru_cache(maxsize=64)
def _template(source: str) -> Template:
    # Loaded when there is a template: the library takes longer than all the rest.
    made: Template = import_module("hybridsearch.templates").Template(source)
    return made


def check_template(source: str) -> None:
    """Raises SettingsError when the text is no template."""
    _template(source)
