"""Is the server there, which one is it, and how much does it hold?"""

from __future__ import annotations

import hybridsearch
from hybridsearch.server.call import Call
from hybridsearch.server.wire import Reply, json_reply

COMMIT = "unknown"


def health(call: Call) -> Reply:
    """Whether requests are answered."""
    return json_reply({"status": "available"})


def version(call: Call) -> Reply:
    """The version of this package, under the names that clients know."""
    return json_reply(
        {"commitSha": COMMIT, "commitDate": COMMIT, "pkgVersion": hybridsearch.__version__}
    )
