"""What do documents become in the index, and what does that depend on?

`prepare` turns documents into analysed texts and vectors. `recipe` says what a generation is made
with, so that files made otherwise are told apart: the searchable attributes, the language and the
words of the text, and for each embedder its fingerprint with the attributes that it sees.

    batch = prepare(documents, manifest, embedders, primary_key="id", course=Course())
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hybridsearch.analysis import detect
from hybridsearch.arrays import Rows, Vectors
from hybridsearch.course import ANALYSING, EMBEDDING, Course
from hybridsearch.document_table import Document
from hybridsearch.embedded_texts import EmbeddedTexts
from hybridsearch.embedders import Embedder
from hybridsearch.embedders.provided import ProvidedEmbedder
from hybridsearch.errors import EmbeddingsFailed, IndexDamaged
from hybridsearch.extraction import attribute_texts
from hybridsearch.generation import Generation, Prepared
from hybridsearch.jsontext import dumps
from hybridsearch.localized import Analyzers, read_localized
from hybridsearch.manifest import Manifest
from hybridsearch.piecework import OWN, Hands, analyzers_by
from hybridsearch.settings import Settings
from hybridsearch.vectors import VectorIndex, VectorSnapshot

TELLING = 4  # spaces in a text from which on it tells its language; codes and names do not

PIECE = 1_000
"""Documents; between so many it is told how far it is, and it can be stopped."""
EMBEDDED_AT_ONCE = 2_000
"""Texts; between so many it is told how far the embedding is, and it can be stopped."""
READING = 6
"""Grows when texts become other terms or words than before, so that old files are built anew."""

Known = Mapping[str, VectorSnapshot]


def prepare(
    documents: Sequence[Document],
    manifest: Manifest,
    embedders: Mapping[str, Embedder],
    *,
    primary_key: str | None,
    known: Known | None = None,
    hands: Hands = OWN,
    course: Course,
) -> Prepared:
    """The documents as the generation of the manifest takes them.

    known: embedder -> vectors that need not be made again. hands: who reads and embeds. course:
    is told how far it is. Raises EmbedderError, and Stopped when the documents are not wanted.
    """
    texts, words = _texts(documents, manifest, hands, course)
    return Prepared(
        rows=np.array([document.row for document in documents], np.int64),
        texts=texts,
        bodies=[document.body for document in documents],
        vectors={
            name: _vectors(
                name,
                embedders[name],
                documents,
                how=texts_of(manifest, name),
                primary_key=primary_key or "",
                known=(known or {}).get(name),
                hands=hands,
                course=course,
            )
            for name in manifest.embedders
        },
        words=words,
    )


def _texts(
    documents: Sequence[Document], manifest: Manifest, hands: Hands, course: Course
) -> tuple[dict[str, list[str]], list[str]]:
    """(attribute -> the analysed text of each document, the telling words of all, each once)."""
    texts: dict[str, list[str]] = {}
    words: dict[str, None] = {}
    for start, some in _pieces(documents):
        course.at(ANALYSING, start, len(documents))
        piece = hands.analysed(some, manifest.text)
        words.update(dict.fromkeys(piece.words))
        for name, column in piece.texts.items():
            if name not in texts:
                texts[name] = [""] * len(documents)
            texts[name][start : start + len(some)] = column
    return texts, list(words)


def _pieces(documents: Sequence[Document]) -> Iterator[tuple[int, Sequence[Document]]]:
    """(where it begins, some documents), in order; at least one, so that a stop is heard."""
    for start in range(0, max(len(documents), 1), PIECE):
        yield start, documents[start : start + PIECE]


def _vectors(
    name: str,
    embedder: Embedder,
    documents: Sequence[Document],
    *,
    how: EmbeddedTexts,
    primary_key: str,
    known: VectorSnapshot | None,
    hands: Hands,
    course: Course,
) -> tuple[Rows, Vectors]:
    """(rows, vectors) of an embedder: those that came along, those known, those made now.

    A vector that came along with another length was meant for another embedder of that name.
    """
    given = [
        (document.row, vector)
        for document in documents
        for vector in document.vectors.get(name, ())
        if len(vector) == embedder.dim
    ]
    rows = [row for row, _ in given]
    parts = [np.array([vector for _, vector in given], np.float32).reshape(-1, embedder.dim)]
    came = set(rows)
    rest = [document for document in documents if document.row not in came]
    if known is not None:
        kept, vectors = known.get(np.array([document.row for document in rest], np.int64))
        rows.extend(kept.tolist())
        parts.append(vectors)
        done = set(kept.tolist())
        rest = [document for document in rest if document.row not in done]
    if hands.takes(embedder):
        for start, some in _pieces(rest):
            course.at(EMBEDDING, start, len(rest))
            counts, vectors = hands.embedded(some, embedder, how, without=primary_key)
            rows.extend(np.repeat([document.row for document in some], counts).tolist())
            parts.append(vectors)
    elif not isinstance(embedder, ProvidedEmbedder):
        texts = [
            how.texts(document.fields, without=primary_key, count=embedder.pieces)
            for document in rest
        ]
        rows.extend(d.row for d, own in zip(rest, texts, strict=True) for _ in own)
        parts.append(_made(embedder, rest, texts, course))
    return np.array(rows, np.int64), np.concatenate(parts)


def _made(
    embedder: Embedder,
    documents: Sequence[Document],
    texts: Sequence[Sequence[str]],
    course: Course,
) -> Vectors:
    """A vector for each text of each document. Raises EmbedderError naming what it is of."""
    owners = [document.id for document, own in zip(documents, texts, strict=True) for _ in own]
    flat = [text for own in texts for text in own]
    made: list[Vectors] = []
    failed: list[EmbeddingsFailed] = []
    reasons: dict[int, str] = {}
    for start in range(0, max(len(flat), 1), EMBEDDED_AT_ONCE):
        course.at(EMBEDDING, start, len(flat))
        try:
            made.append(embedder.embed(flat[start : start + EMBEDDED_AT_ONCE]))
        except EmbeddingsFailed as error:
            failed.append(error)
            reasons.update({start + place: why for place, why in error.reasons.items()})
    if failed:
        first = failed[0]
        whole = EmbeddingsFailed(first.message, reasons=reasons, made=None, **first.fields)
        raise whole.of(owners) from first
    return np.concatenate(made)


def language_of(settings: Settings, documents: Iterable[Mapping[str, Any]]) -> str | None:
    """The language to stem by: the one set, or the one detected in the documents; None for none."""
    if settings.language != "auto":
        return None if settings.language == "none" else settings.language
    wanted = settings.searchable_attributes
    return detect(
        text
        for document in documents
        for text in attribute_texts(document, wanted, numbers=False).values()
        if text.count(" ") >= TELLING
    )


def analyzers_of(manifest: Manifest) -> Analyzers:
    """The analysers that the text of the generation was made with."""
    return analyzers_by(manifest.text)


def rules_of(settings: Settings) -> dict[str, list[str]]:
    """What separates and joins words in the index, as the manifest keeps it: sorted, each once."""
    joiners = set(settings.kept.get("nonSeparatorTokens", ()))
    return {
        "separators": sorted(set(settings.kept.get("separatorTokens", ())) - joiners),
        "joiners": sorted(joiners),
        "dictionary": sorted({word.strip() for word in settings.kept.get("dictionary", ())}),
    }


def texts_of(manifest: Manifest, embedder: str) -> EmbeddedTexts:
    """Which texts of a document the generation embeds for the embedder of that name."""
    return EmbeddedTexts(**manifest.text["embedded"][embedder])


def recipe(settings: Settings, embedders: Mapping[str, Embedder]) -> dict[str, Any]:
    """What of the settings a generation depends on: `text` and `embedders` of its manifest."""
    embedded = {
        name: EmbeddedTexts.of(settings, name, passage_pieces=item.passage_pieces).to_json()
        for name, item in embedders.items()
    }
    return {
        "text": {
            "searchable": list(settings.searchable_attributes),
            "language": settings.language,
            "rules": rules_of(settings),
            "localized": read_localized(settings.kept.get("localizedAttributes")),
            "reading": READING,
            "embedded": embedded,
        },
        "embedders": {
            name: (f"{item.fingerprint} of {dumps(embedded[name]).decode()}", item.dim)
            for name, item in embedders.items()
        },
    }


def follows(manifest: Manifest, settings: Settings, embedders: Mapping[str, Embedder]) -> bool:
    """Whether the generation was made by the recipe of these settings."""
    wanted = recipe(settings, embedders)
    same_text = all(manifest.text.get(name) == value for name, value in wanted["text"].items())
    return same_text and bool(manifest.embedders == wanted["embedders"])


def reusable(old: Generation | None, fresh: Generation) -> Known:
    """embedder -> the vectors of the old generation, where the fresh one's would be the same."""
    if old is None:
        return {}
    return {
        name: index.snapshot()
        for name, index in old.vectors.items()
        if old.manifest.embedders[name] == fresh.manifest.embedders.get(name) and _is_whole(index)
    }


def _is_whole(index: VectorIndex) -> bool:
    """Whether the vectors are what was written: damage must not get into the next generation."""
    try:
        index.verify()
    except IndexDamaged:
        return False
    return True
