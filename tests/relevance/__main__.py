"""Write docs/relevance.md: every judged set, arm, fusion and embedder, and other libraries.

python -m tests.relevance [--sets scifact,cranfield] [--most 1200] [--work FOLDER] [--out FILE]

`most` bounds the queries of a set, evenly taken. The work folder keeps the vectors of the model and
what was measured, so the sets can be measured one at a time: the report is put together from all
that the folder holds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.relevance.collections import COLLECTIONS, ROOT, judged
from tests.relevance.measuring import kept, measured
from tests.relevance.writing import report


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.relevance", description=__doc__)
    parser.add_argument("--sets", default=",".join(COLLECTIONS), help="which to measure")
    parser.add_argument("--most", type=int, default=1200)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/relevance.md")
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="hybridsearch-relevance-"))
    work.mkdir(parents=True, exist_ok=True)
    for one in judged([name for name in given.sets.split(",") if name], given.most):
        measured(one, work).save(work)
        print(f"{one.name} is measured", flush=True)
    every = (kept(work, name) for name in COLLECTIONS)
    given.out.write_text(report([known for known in every if known is not None]))


if __name__ == "__main__":
    main()
