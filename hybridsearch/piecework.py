"""What is made of some documents of a batch, whichever process makes it?

A batch is prepared in pieces. `analysed` gives their texts in terms, `embedded` their vectors;
both depend on their arguments alone. Who does them is a `Hands`: the process that asks (`Own`), or
one beside it (`hybridsearch.aside`), so that searches keep the interpreter while much is loaded.

    piece = OWN.analysed(documents, manifest.text)
    counts, vectors = OWN.embedded(documents, embedder, how, without="id")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hybridsearch.analysis import ITEM, Analyzer, WordRules
from hybridsearch.arrays import Vectors
from hybridsearch.document_table import Document
from hybridsearch.embedded_texts import EmbeddedTexts
from hybridsearch.embedders import Embedder
from hybridsearch.extraction import attribute_texts
from hybridsearch.localized import Analyzers, Rule
from hybridsearch.turns import give_way
from hybridsearch.vocabulary import telling

__all__ = ["OWN", "Analysed", "Counts", "Hands", "Own", "analysed", "analyzers_by", "embedded"]

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Analysed:
    """Some documents in terms.

    texts: attribute -> the analysed text of each document, "" where it has none. words: those of
    the texts that others may be mistaken for.
    """

    texts: Mapping[str, Sequence[str]]
    words: Sequence[str]


class Hands(Protocol):
    """Who makes the pieces of a batch."""

    def analysed(self, documents: Sequence[Document], how: Mapping[str, Any]) -> Analysed:
        """The documents in terms; how: `text` of the generation's manifest."""
        ...

    def embedded(
        self, documents: Sequence[Document], embedder: Embedder, how: EmbeddedTexts, *, without: str
    ) -> tuple[Counts, Vectors]:
        """(how many vectors each document has, int64 [n]; these, float32 [sum, dim], in order).

        without: the primary key. Raises EmbedderError, and DocumentError for a template that
        cannot be filled in.
        """
        ...

    def takes(self, embedder: Embedder) -> bool:
        """Whether `embedded` is to be asked for this embedder, piece by piece."""
        ...


class Own:
    """The process that asks."""

    def analysed(self, documents: Sequence[Document], how: Mapping[str, Any]) -> Analysed:
        """See `Hands`."""
        return analysed([document.fields for document in documents], how)

    def embedded(
        self, documents: Sequence[Document], embedder: Embedder, how: EmbeddedTexts, *, without: str
    ) -> tuple[Counts, Vectors]:
        """See `Hands`."""
        return embedded([document.fields for document in documents], embedder, how, without)

    def takes(self, embedder: Embedder) -> bool:
        """None: a service is better asked for many texts at once."""
        return False


OWN = Own()


def analysed(documents: Sequence[Mapping[str, Any]], how: Mapping[str, Any]) -> Analysed:
    """The documents in terms; how: `text` of the generation's manifest."""
    analyzers = analyzers_by(how)
    texts: dict[str, list[str]] = {}
    words: set[str] = set()
    for place, document in enumerate(documents):
        give_way()
        found = attribute_texts(document, how["searchable"], joint=ITEM)
        for name, text in found.items():
            if name not in texts:
                texts[name] = [""] * len(documents)
            read = [analyzers.of(name).read(item) for item in text.split(ITEM)]
            words.update(*(seen for seen, _ in read))
            texts[name][place] = ITEM.join(" ".join(terms) for _, terms in read)
    return Analysed(texts, telling(sorted(words)))


def embedded(
    documents: Sequence[Mapping[str, Any]], embedder: Embedder, how: EmbeddedTexts, without: str
) -> tuple[Counts, Vectors]:
    """(how many vectors each document has, the vectors in order); see `Hands.embedded`."""
    texts = [how.texts(document, without=without, count=embedder.pieces) for document in documents]
    counts = np.fromiter(map(len, texts), np.int64, len(texts))
    return counts, embedder.embed([text for own in texts for text in own])


def analyzers_by(how: Mapping[str, Any]) -> Analyzers:
    """The analysers that `text` of a manifest names."""
    rules = WordRules(**{name: tuple(texts) for name, texts in how["rules"].items()})
    localized = [
        Rule(
            tuple(patterns),
            Analyzer(languages[0] if len(languages) == 1 else None, rules=rules),
            tuple(languages),
        )
        for patterns, languages in how["localized"]
    ]
    return Analyzers(Analyzer(how["found"], rules=rules), tuple(localized))
