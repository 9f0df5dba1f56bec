"""How would people have misspelt these queries?

`misspelt` puts attested misspellings in the place of the rarest words of each query, as those who
look for something get the hard words wrong. Which one, where there are several, is drawn by the
query's own id, so the same queries always come out the same.

    misspelt({"1": "what similarity laws"}, ["similarity ..."], attested(folder))
"""

from __future__ import annotations

import csv
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

WORD = re.compile(r"[a-z]+")
MOST = 2  # words of a query
SHORTEST = 5  # letters of a word; nobody's search corrects shorter ones


def attested(folder: Path) -> dict[str, list[str]]:
    """Right word -> its attested misspellings, one or two letters off, by the alphabet."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                wrong, right = row["wrong"].lower(), row["right"].lower()
                if row["distance"] in ("1", "2") and WORD.fullmatch(wrong) and WORD.fullmatch(right):
                    found.setdefault(right, set()).add(wrong)
    return {right: sorted(wrongs) for right, wrongs in sorted(found.items())}


def misspelt(
    queries: Mapping[str, str], texts: Iterable[str], wrongs: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """The queries in lower case, up to two words of each misspelt: the rarest that have a
    misspelling which is in none of the texts."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(set(WORD.findall(text.lower())))
    own = {right: [w for w in some if w not in counts] for right, some in wrongs.items()}
    return {name: _one(name, text.lower(), counts, own) for name, text in queries.items()}


def _one(
    name: str, text: str, counts: Mapping[str, int], wrongs: Mapping[str, Sequence[str]]
) -> str:
    words = {w for w in WORD.findall(text) if len(w) >= SHORTEST and wrongs.get(w)}
    rarest = sorted(words, key=lambda word: (counts[word], word))[:MOST]
    drawn = random.Random(name)
    chosen = {word: drawn.choice(wrongs[word]) for word in rarest}
    return WORD.sub(lambda found: chosen.get(found[0], found[0]), text)
