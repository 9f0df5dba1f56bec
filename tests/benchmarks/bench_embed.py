"""How fast does the static embedder make vectors, and are they those of the plain way?

    python -m tests.benchmarks.bench_embed [COUNT]

Prints processor time per text on the Debian package descriptions, for ours (from an empty cache,
then again) and for the plain way: tokenise every whole text, take the mean of its pieces. The two
share the definition of white space. The last line is the largest cosine distance between them.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
from safetensors import safe_open
from tokenizers import Tokenizer

from hybridsearch.arrays import Vectors
from hybridsearch.embedders.static import DIM, TOKENIZER, WEIGHTS, StaticEmbedder, bundled

CORPUS = Path(__file__).parents[2] / "../shared/data/packages/corpus.jsonl.gz"
AT_ONCE = 1024


def texts_of_packages(count: int) -> list[str]:
    with gzip.open(CORPUS, "rt", encoding="utf-8") as file:
        documents = [json.loads(line) for line in islice(file, count)]
    return [f"{document['title']} {document['text']}" for document in documents]


def plain(texts: list[str]) -> Vectors:
    tokenizer = Tokenizer.from_file(str(bundled() / TOKENIZER))
    with safe_open(bundled() / WEIGHTS, "numpy") as file:
        table = file.get_tensor("embedding.weight").astype(np.float32)
    found = np.zeros((len(texts), DIM), np.float32)
    spaced = [" ".join(text.lower().split()) for text in texts]
    for start in range(0, len(texts), AT_ONCE):
        some = spaced[start : start + AT_ONCE]
        encoded = tokenizer.encode_batch_fast(some, add_special_tokens=False)
        for row, pieces in enumerate((one.ids for one in encoded), start):
            found[row] = table[pieces].mean(axis=0) if pieces else 0.0
    return found


def microseconds(work: Callable[[list[str]], Vectors], texts: list[str]) -> tuple[float, Vectors]:
    start = time.process_time()
    found = work(texts)
    return (time.process_time() - start) / len(texts) * 1e6, found


def farthest(ours: Vectors, theirs: Vectors) -> float:
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    cosines = np.einsum("ij,ij->i", ours, theirs)[lengths > 0] / lengths[lengths > 0]
    return float((1.0 - cosines).max())


def main() -> None:
    texts = texts_of_packages(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
    embed = StaticEmbedder().embed
    first, _ = microseconds(embed, ["the table is read at the first use"])
    cold, ours = microseconds(embed, texts)
    warm, _ = microseconds(embed, texts)
    naive, theirs = microseconds(plain, texts)
    characters = sum(map(len, texts)) / len(texts)
    print(
        f"{len(texts)} texts of {characters:.0f} characters; reading the table {first / 1e3:.0f} ms"
    )
    print(f"ours, empty cache   {cold:7.1f} us a text   {naive / cold:4.1f} x faster")
    print(f"ours, again         {warm:7.1f} us a text   {naive / warm:4.1f} x faster")
    print(f"whole texts         {naive:7.1f} us a text")
    print(f"largest cosine distance {farthest(ours, theirs):.2e}")


if __name__ == "__main__":
    main()
