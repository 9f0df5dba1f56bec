"""What the tests of the keyword index have in common: six short documents, and ways to ask."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hybridsearch.analysis import Analyzer
from hybridsearch.arrays import Rows
from hybridsearch.keyword import KeywordIndex
from hybridsearch.query import Query, parse

PLAIN = Analyzer()
WEIGHTS = {"title": 2.0, "body": 1.0}
TITLES = ["Red running shoes", "Road race", "Running road races", "Moon light", "Moonlight", ""]
BODIES = [
    "for the road",
    "shoes shoes",
    "a race in red shoes",
    "night",
    "moon sonata",
    "東京都 red",
]
NONE: Rows = np.empty(0, np.int64)


def rows(*numbers: int) -> Rows:
    return np.array(numbers, np.int64)


def put(index: KeywordIndex, texts: dict[int, str], *, deletes: Rows = NONE) -> None:
    """Apply one document of one attribute, "body", for each row."""
    bodies = [text.encode("utf-8", "replace") for text in texts.values()]
    analysed = {"body": [PLAIN.text(text) for text in texts.values()]}
    index.apply(deletes=deletes, rows=rows(*texts), texts=analysed, bodies=bodies)


def asked(text: str, *, prefix: bool = False) -> Query:
    return parse(text, PLAIN, prefix=prefix)


def filled(folder: Path | None) -> KeywordIndex:
    """An index of the six documents, in memory without a folder."""
    index = KeywordIndex.open(folder)
    texts = {"title": list(map(PLAIN.text, TITLES)), "body": list(map(PLAIN.text, BODIES))}
    bodies = [f"document {row}".encode() for row in range(len(TITLES))]
    index.apply(deletes=NONE, rows=np.arange(len(TITLES)), texts=texts, bodies=bodies)
    return index
