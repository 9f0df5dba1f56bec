"""The test suite of Meilisearch's official Python client, 0.43.0, run against this server.

It is not part of this repository, and no package index has it: MEILISEARCH_PYTHON names a checkout
of meilisearch/meilisearch-python with its datasets, and the packages `meilisearch` (0.43.0),
`pytest-timeout` and `pytest-cov` must be there, which `make test-slow` sees to. REASONS says of
each test that fails why it does. What needs no checkout is in test_python_client.

    MEILISEARCH_PYTHON=../meilisearch-python python -m pytest -m slow tests/official
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.test_serving import SERVE

CHECKOUT = os.environ.get("MEILISEARCH_PYTHON")
NEEDED = ("meilisearch", "pytest_timeout", "pytest_cov")
ROOT = Path(__file__).parents[2]
NO_CHECKOUT = (
    "MEILISEARCH_PYTHON names no checkout of meilisearch-python, whose tests no package index has"
)
MASTER = "masterKey"  # written into the client's suite

RULES = "search rules, an experiment of Meilisearch's, pin documents; not built"
NETWORK = "sharding over several servers; one server is served here"
ORDER = "wants the order of Meilisearch's ranking rules; here BM25 puts another film first"
SCORE = "wants the value of Meilisearch's score; ours grows with BM25"
REASONS: dict[str, str] = {
    "client/test_client_dynamic_search_rules_meilisearch.py::"
    "test_get_dynamic_search_rules_with_pagination_and_filters": RULES,
    "client/test_client_dynamic_search_rules_meilisearch.py::test_get_dynamic_search_rule": RULES,
    "client/test_client_dynamic_search_rules_meilisearch.py::"
    "test_update_dynamic_search_rule_creates_rule_and_returns_task": RULES,
    "client/test_client_dynamic_search_rules_meilisearch.py::"
    "test_update_dynamic_search_rule_updates_rule_and_returns_task": RULES,
    "client/test_client_dynamic_search_rules_meilisearch.py::"
    "test_delete_dynamic_search_rule_returns_task": RULES,
    "client/test_client_multi_search_meilisearch.py::test_multi_search_with_network": NETWORK,
    "client/test_client_network.py::test_get_all_networks": NETWORK,
    "client/test_client_network.py::test_add_or_update_networks": NETWORK,
    "client/test_client_network.py::test_configure_as_leader": NETWORK,
    "client/test_client_sharding.py::test_update_and_get_network_settings": NETWORK,
    "client/test_client_task_meilisearch.py::test_get_batch":
    "now and then asks for a batch after what it asked to delete just before is deleted",
    "client/test_client_update_document_by_functions.py::test_update_document_by_function":
    "edits documents by a script in Rhai; PUT lays attributes over them",
    "index/test_index_search_meilisearch.py::"
    "test_custom_search_params_with_mutilple_filter_string": ORDER,
    "index/test_index_search_meilisearch.py::test_custom_search_params_with_many_params": ORDER,
    "index/test_index_search_meilisearch.py::test_search_distinct": ORDER,
    "index/test_index_search_meilisearch.py::test_show_ranking_score": SCORE,
    "index/test_index_search_meilisearch.py::test_search_ranking_threshold"
    "[Husband and wife-0.9-1]": SCORE,
    "settings/test_settings_embedders.py::test_huggingface_embedder_format":
    "downloads a model of 400 MB from the hub",
    "settings/test_settings_embedders.py::test_rest_embedder_format":
    "reads a secret header back; secrets are masked when they are read",
    "settings/test_settings_embedders.py::test_composite_embedder_format":
    "one embedder for documents and another for queries, an experiment; not built",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(CHECKOUT is None, reason=NO_CHECKOUT)
@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in NEEDED),
    reason=f"not all installed: {', '.join(NEEDED)}",
)
def test_the_official_python_client_works_but_for_what_has_a_reason(tmp_path: Path) -> None:
    with served(tmp_path) as url:
        failed, passed = run_suite(url)
    assert passed >= 353
    assert failed - REASONS.keys() == set()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server over a new database, which asks for the suites' key."""
    command = [*SERVE, "--master-key", MASTER, str(folder / "served.duckdb")]
    command.remove("--no-default-embedder")
    log = folder / "server.log"
    with log.open("w") as out, subprocess.Popen(command, stderr=out, cwd=ROOT) as server:
        try:
            yield address(log)
        finally:
            server.kill()


def address(log: Path) -> str:
    """Where the server says that it serves."""
    for _ in range(600):
        found = re.search(r"http://\S+", log.read_text())
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def run_suite(url: str) -> tuple[set[str], int]:
    """(the tests that failed, how many passed)."""
    assert CHECKOUT is not None
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--no-cov",
            "-q",
            "--timeout=60",
            "-p",
            "no:cacheprovider",
        ],
        cwd=CHECKOUT,
        env={**os.environ, "MEILISEARCH_URL": url, "PYTHONPATH": str(Path(CHECKOUT).resolve())},
        capture_output=True,
        text=True,
        check=False,
    )
    failed = re.findall(
        r"^(?:FAILED|ERROR) tests/(.+?)(?: - .*)?$", found.stdout, flags=re.MULTILINE
    )
    passed = re.search(r"(\d+) passed", found.stdout)
    return set(failed), int(passed[1]) if passed else 0
