"""The test suite of Meilisearch's official JavaScript client, 0.60.0, run against this server.

It is not part of this repository, and no package index has it: MEILISEARCH_JAVASCRIPT names a
checkout of meilisearch/meilisearch-js in which `npm install --ignore-scripts --legacy-peer-deps`
was run. REASONS says of each test that fails why it does; most run for three keys. What needs no
checkout is in test_javascript.

    MEILISEARCH_JAVASCRIPT=../meilisearch-js python -m pytest -m slow tests/official
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.official.test_meilisearch_python import NETWORK, served

CHECKOUT = os.environ.get("MEILISEARCH_JAVASCRIPT")
NO_CHECKOUT = (
    "MEILISEARCH_JAVASCRIPT names no checkout of meilisearch-js, whose tests no package index has"
)
RUN = ("npx", "vitest", "run", "--reporter=json")
FEWEST = 1_566
"""95 of each 100."""

CHAT = "chatting with a language model; not built"
WORDING = "wants Meilisearch's very words; ours name what there is instead"
JSON_404 = "wants an unknown address answered with an empty body; ours says in JSON what is wrong"
SCRIPT = "edits documents by a script in Rhai; PUT lays attributes over them"
HUB = "downloads a model of 400 MB from the hub"
QUICK = "wants each answer within a millisecond, on whatever machine"
REASONS: dict[str, str] = {
    "chat-settings.test.ts: Get an index chat settings": CHAT,
    "chat-workspaces.test.ts: it can update workspace settings": CHAT,
    "chat-workspaces.test.ts: it can get workspace settings": CHAT,
    "chat-workspaces.test.ts: it can list workspaces": CHAT,
    "chat-workspaces.test.ts: it can delete a workspace settings": CHAT,
    "chat-workspaces.test.ts: it can create a chat completion (streaming)": CHAT,
    "client.test.ts: Initialize network and get network settings": NETWORK,
    "client.test.ts: getNetwork returns shards": NETWORK,
    "client.test.ts: updateNetwork clears network topology": NETWORK,
    "search.test.ts: Multi index search with federation and remote": NETWORK,
    "documents.test.ts: Get documents should trigger error with a MeilisearchRequestError":
    JSON_404,
    "documents.test.ts: Delete some documents should trigger error with a hint on a"
    " MeilisearchRequestError": JSON_404,
    "documents.test.ts: Get documents should trigger error with a hint on a MeilisearchApiError":
    WORDING,
    "documents.test.ts: Get documents with sorting should trigger error for non-sortable attribute":
    WORDING,
    "documents.test.ts: Add document with two inferable primary key":
    "has `id` and `_id`; ours takes the attribute that is named just so",
    "documents.test.ts: test updateDocumentsByFunction": SCRIPT,
    "documents.test.ts: Try updateDocumentsByFunction and be denied": SCRIPT,
    "embedders.test.ts: Update embedders with 'huggingFace' source": HUB,
    "settings.test.ts: Update embedders settings": HUB,
    "embedders.test.ts: Update embedders with 'rest' source":
    "reads a secret header back; secrets are masked when they are read",
    "embedders.test.ts: Update embedders with composite embedder":
    "one embedder for documents and another for queries, an experiment; not built",
    "facet_search.test.ts: basic facet value search": QUICK,
    "facet_search.test.ts: facet value search with no facet query": QUICK,
    "facet_search.test.ts: facet value search with filter": QUICK,
    "facet_search.test.ts: facet value search with search query": QUICK,
    "facet_search.test.ts: facet value search with exhaustive facet count": QUICK,
    "keys.test.ts: create key with an expiresAt":
    "wants a time without a fraction of a second, which Meilisearch's Python client cannot read",
    "search.test.ts: search should be aborted when reaching timeout":
    "wants a search to take longer than a millisecond, which it does not always",
    "search.test.ts: search with showRankingScoreDetails":
    "wants no details but those of Meilisearch's rules; ours stand behind them",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(CHECKOUT is None, reason=NO_CHECKOUT)
@pytest.mark.skipif(shutil.which("npx") is None, reason="needs Node with npx")
def test_the_official_javascript_client_works_but_for_what_has_a_reason(tmp_path: Path) -> None:
    with served(tmp_path) as url:
        failed, passed = run_suite(url, tmp_path / "report.json")
    assert failed - REASONS.keys() == set()
    assert passed >= FEWEST


def run_suite(url: str, report: Path) -> tuple[set[str], int]:
    """(the tests that failed, without the key that they used; how many passed)."""
    subprocess.run(
        [*RUN, f"--outputFile={report}"],
        cwd=CHECKOUT,
        env={**os.environ, "MEILISEARCH_URL": url, "MEILISEARCH_URL_2": url},
        capture_output=True,
        timeout=1_500,
        check=False,
    )
    found = json.loads(report.read_text())
    failed = {
        f"{Path(file['name']).name}: {without_key(test['title'])}"
        for file in found["testResults"]
        for test in file["assertionResults"]
        if test["status"] == "failed"
    }
    return failed, found["numPassedTests"]


def without_key(title: str) -> str:
    """The name of a test that is run for several keys.

    >>> without_key("Master key: search with limit ")
    'search with limit'
    """
    return re.sub(r"^\w+ key: ", "", title).strip()
