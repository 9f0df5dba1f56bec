"""How would people have misspelt these queries?

`misspelt` puts an attested misspelling in the place of every word that has one. Which, where there
are several, is drawn by the query's own id, so the same queries always come out the same.

    misspelt({"1": "what similarity laws"}, ["similarity ..."], attested(folder))
"""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

WORD = re.compile(r"[a-z]+")
SHORTEST = 5  # letters of a word; nobody's search corrects shorter ones


def attested(folder: Path) -> dict[str, list[str]]:
    """Right word -> its attested misspellings, one or two letters off, by the alphabet."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                wrong, right = row["wrong"].lower(), row["right"].lower()
                words = WORD.fullmatch(wrong) and WORD.fullmatch(right)
                if words and row["distance"] in ("1", "2"):
                    found.setdefault(right, set()).add(wrong)
    return {right: sorted(wrongs) for right, wrongs in sorted(found.items())}


def misspelt(
    queries: Mapping[str, str], texts: Iterable[str], wrongs: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """The queries in lower case, misspelt by what is in none of the texts."""
    known: set[str] = set()
    for text in texts:
        known.update(WORD.findall(text.lower()))
    own = {
        right: unknown
        for right, some in wrongs.items()
        if len(right) >= SHORTEST and (unknown := [wrong for wrong in some if wrong not in known])
    }
    return {name: _one(name, text.lower(), own) for name, text in queries.items()}


def _one(name: str, text: str, wrongs: Mapping[str, Sequence[str]]) -> str:
    drawn = random.Random(name)
    chosen = {word: drawn.choice(wrongs[word]) for word in WORD.findall(text) if word in wrongs}
    return WORD.sub(lambda found: chosen.get(found[0], found[0]), text)
