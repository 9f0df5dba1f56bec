"""What does it cost to find what a word may have been mistyped for, among 90,000 words?

    python -m tests.benchmarks.bench_typos [ROUNDS]

Takes the words of the Debian package descriptions, and attested misspellings to make up 90,000;
asks for other attested misspellings, those of 5 to 8 letters with one typo, longer ones with two.
Prints the processor time of one word in microseconds, the least and the median of ROUNDS (9 unless
told, as neighbours disturb), beside that of asking rapidfuzz to go through all words.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import OSA

from hybridsearch.analysis import Analyzer
from hybridsearch.vocabulary import Vocabulary, telling

SHARED = Path(__file__).parents[2] / "../shared/data"
WORDS = 90_000
ASKED = 4_000
SCANNED = 20


def words() -> list[str]:
    """Those of the descriptions that can be mistaken for others, sorted."""
    analyzer, found = Analyzer(), set[str]()
    with gzip.open(SHARED / "packages/corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            found.update(analyzer.read(f"{document['title']} {document['text']}")[0])
    return sorted(set(telling(found)))


def misspellings() -> list[str]:
    """The attested ones, in a random order that is always the same."""
    found: set[str] = set()
    for path in sorted((SHARED / "misspellings").glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            found.update(row["wrong"].lower() for row in rows if row["wrong"].isalpha())
    order = sorted(set(telling(found)))
    random.Random(5).shuffle(order)
    return order


def microseconds(ask: Callable[[str], object], asked: Sequence[str], rounds: int) -> list[float]:
    """The processor time of one word in each round."""
    found = []
    for _ in range(rounds):
        started = time.process_time()
        for word in asked:
            ask(word)
        found.append((time.process_time() - started) / len(asked) * 1e6)
    return found


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    known, wrong = words(), misspellings()
    held = list(dict.fromkeys([*known, *wrong]))[:WORDS]
    vocabulary = Vocabulary.of(held)
    asked = vocabulary.missing(wrong)
    print(f"{len(vocabulary):,} words in {vocabulary.nbytes / 1e6:.1f} MB")
    for what, most, low, high in (("5 to 8 letters", 1, 5, 8), ("9 and more", 2, 9, 40)):
        some = [word for word in asked if low <= len(word) <= high][:ASKED]

        def near(word: str, most: int = most) -> object:
            return vocabulary.near(word, most=most)

        def scan(word: str, most: int = most) -> object:
            return process.extract(word, held, scorer=OSA.distance, score_cutoff=most, limit=None)

        ours = microseconds(near, some, rounds)
        theirs = min(microseconds(scan, some[:SCANNED], 3))
        print(f"{what}: {min(ours):.1f} us, median {statistics.median(ours):.1f}", end="; ")
        print(f"all words {theirs:,.0f} us, {theirs / min(ours):,.0f} x")


if __name__ == "__main__":
    main()
