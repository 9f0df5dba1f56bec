"""Which texts of a document does one embedder get?

An embedder sees the texts of some attributes, one a line, or what a template makes of the document.
A text that is too long for it is cut into passages that overlap, each embedded by itself, under the
document's title: its first attribute, where that is short. The document is as near as its nearest
passage, and that passage can be shown.

    how = EmbeddedTexts.of(settings, "default", passage_pieces=126)
    how.texts({"id": 1, "title": "Alien", "plot": "..."}, without="id", count=embedder.pieces)
    # ["Alien\\n..."]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from hybridsearch.errors import DocumentError
from hybridsearch.extraction import embedded_attributes, is_wanted
from hybridsearch.settings import Settings

if TYPE_CHECKING:
    from hybridsearch.templates import Template

Count: TypeAlias = Callable[[str], int]
"""How many pieces of an embedder are in a text."""

OVERLAP = 0.25
_NOT_ALWAYS = ("pieces", "titled")  # what generations before did not tell, and had not
MOST_TITLE = 0.25  # of a passage; what is longer is no title
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
    most_bytes. words: in a passage; 0 for as many as are in so many pieces of the embedder, and
    pieces 0 for one passage of any length. titled: whether each passage stands under the title.
    """

    attributes: Sequence[str]
    template: str | None = None
    most_bytes: int | None = None
    words: int = 0
    pieces: int = 0
    titled: bool = False

    @classmethod
    def of(cls, settings: Settings, embedder: str, *, passage_pieces: int) -> EmbeddedTexts:
        """As the settings say for the embedder of that name.

        passage_pieces: what the embedder takes in at once, where the settings do not say.
        """
        own = settings.embedders.get(embedder)
        if own is None:
            return cls(
                settings.searchable_attributes, pieces=passage_pieces, titled=passage_pieces > 0
            )
        most = own.document_template_max_bytes
        if own.document_template and most is None:
            most = USUAL_BYTES
        words = own.passage_words or 0
        pieces = passage_pieces if own.passage_words is None else 0
        return cls(
            settings.searchable_attributes
            if own.document_attributes is None
            else own.document_attributes,
            template=own.document_template,
            most_bytes=most,
            words=words,
            pieces=pieces,
            titled=words + pieces > 0 and own.document_template is None and most is None,
        )

    def bounded(self, most_bytes: int) -> EmbeddedTexts:
        """The same, with the text cut after so many bytes."""
        return replace(self, most_bytes=most_bytes)

    def to_json(self) -> dict[str, Any]:
        """All of it; two ways are the same exactly when this is."""
        told = {**asdict(self), "attributes": list(self.attributes)}
        return {name: value for name, value in told.items() if value or name not in _NOT_ALWAYS}

    def texts(self, document: Mapping[str, Any], *, without: str, count: Count) -> list[str]:
        """What is embedded of the document: its passages in order, each under the title; none
        where it has no text.

        without: the primary key, which is left out. count: how many pieces of the embedder are in a
        text. Raises DocumentError when the template cannot be filled in.
        """
        title, found = self._cut(document, without, count)
        return [f"{title}\n{passage}" for passage in found] if title else found

    def passages(self, document: Mapping[str, Any], *, without: str, count: Count) -> list[str]:
        """The same without the title: as many, in the same order."""
        return self._cut(document, without, count)[1]

    def text(self, document: Mapping[str, Any], *, without: str) -> str:
        """The same before it is cut into passages."""
        text = self._whole(document, without)
        if self.most_bytes is None:
            return text
        return text.encode(errors="replace")[: self.most_bytes].decode(errors="ignore")

    def _cut(
        self, document: Mapping[str, Any], without: str, count: Count
    ) -> tuple[str, list[str]]:
        """(title, passages); the title is empty where the passages hold it themselves."""
        text = self.text(document, without=without)
        if not text.strip():
            return "", []
        words = self._words(text, count)
        whole = passages(text, words=words)
        if not self.titled or len(whole) < 2:
            return "", whole
        texts = embedded_attributes(document, self.attributes, without=without)
        title = texts.pop(_first(texts, self.attributes))
        left = words - len(_WORD.findall(title))
        if not texts or left < words * (1 - MOST_TITLE):
            return "", whole
        return title, passages("\n".join(texts.values()), words=left)

    def _words(self, text: str, count: Count) -> int:
        """How many words of this text a passage has."""
        if not self.pieces or len(text.encode(errors="replace")) <= self.pieces:
            return self.words
        return max(1, len(_WORD.findall(text)) * self.pieces // max(1, count(text)))

    def _whole(self, document: Mapping[str, Any], without: str) -> str:
        if self.template is None:
            texts = embedded_attributes(document, self.attributes, without=without)
            return "\n".join(texts.values())
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


def _first(names: Iterable[str], wanted: Sequence[str]) -> str:
    """The first by the order of what is wanted; of those that are wanted alike, as they come."""
    return min(
        names, key=lambda name: next(i for i, one in enumerate(wanted) if is_wanted(name, [one]))
    )


@lru_cache(maxsize=64)
def _template(source: str) -> Template:
    # Loaded when there is a template: the library takes longer than all the rest.
    made: Template = import_module("hybridsearch.templates").Template(source)
    return made


def check_template(source: str) -> None:
    """Raises SettingsError when the text is no template."""
    _template(source)
