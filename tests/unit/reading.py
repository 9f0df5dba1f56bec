"""What the tests of sources, tables and CSV files have in common: to write a file and read it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from hybridsearch.errors import DocumentError
from hybridsearch.sources import batches


def bodies(source: object, **limits: int) -> list[bytes]:
    return [body for batch in batches(source, **limits) for body in batch.bodies]


def documents(source: object) -> list[Any]:
    return [json.loads(body) for body in bodies(source)]


def refused(source: object) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        list(batches(source))
    return caught.value


def written(path: Path, data: bytes | str) -> Path:
    raw = data.encode() if isinstance(data, str) else data
    path.write_bytes(gzip.compress(raw) if path.suffix.lower() == ".gz" else raw)
    return path
