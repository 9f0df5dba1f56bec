"""How does an embedding service on the network make vectors?

A `RestEmbedder` sends texts in batches, several at once, and reads the vectors by a `Shape`. It
is patient: what may be over soon (no connection, no answer in time, 408, 425, 429, 5xx) is tried
again after a pause that doubles and is partly random, or as long as Retry-After says, and then all
requests wait. What will not be over by itself (401, 403, 404) fails at once. Where a service
refuses a batch, the batch is halved until the text that it will not have is found; every other
text gets its vector, and the error says of each refused one why.

    RestEmbedder("mine", Service("http://localhost:11434/api/embed", shape), caller).embed(["a"])
"""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from hybridsearch.arrays import Vectors
from hybridsearch.embedder_settings import EmbedderSettings, masked
from hybridsearch.embedders.outage import Outage
from hybridsearch.embedders.shapes import Shape
from hybridsearch.errors import CallFailed, CallRefused, EmbedderError, EmbeddingsFailed
from hybridsearch.jsontext import dumps, loads
from hybridsearch.outbound import Caller, Networks, Reply

__all__ = ["Patience", "RestEmbedder", "Service", "from_settings"]

AT_ONCE = 4
PROBE = "probe"
USUAL = "text-embedding-3-small"
KNOWN = {USUAL: 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
"""How long the vectors of OpenAI's models are, so that nobody has to be asked."""
SHOWN = 200
QUERY_SECONDS = 5.0
FRUITLESS = 16
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
HOPELESS = frozenset({401, 403, 404, 405, 410})

OPENAI_LIKE = Shape(
    {"input": ["{{text}}", "{{..}}"]}, {"data": [{"embedding": "{{embedding}}"}, "{{..}}"]}
)


@dataclass(frozen=True)
class Service:
    """Where the service is, how it is spoken to, and how many texts it takes at once."""

    url: str
    shape: Shape
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    batch_size: int = 32


@dataclass(frozen=True)
class Patience:
    """How often a call is tried, and how many seconds lie between: first * 2**n, up to longest.

    seconds: how long one try may take; None for as long as a call may.
    """

    attempts: int = 6
    first: float = 0.5
    longest: float = 60.0
    seconds: float | None = None

    def pause(self, attempt: int) -> float:
        """Seconds before the next try after this one (from 0); half of it by chance."""
        whole = min(self.longest, self.first * 2.0**attempt)
        return whole * (0.5 + 0.5 * random.random())


class _Refused(Exception):
    """The service will not have these texts; another batch may fare better."""


class _Pace:
    """When the next request may go out; what one of them is told holds for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free_at = 0.0

    def left(self) -> float:
        with self._lock:
            return max(0.0, self._free_at - time.monotonic())

    def hold(self, seconds: float) -> None:
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic() + seconds)


class RestEmbedder:
    """An embedding service. dim: the length of its vectors; without it the service is asked once.

    query_prefix, document_prefix: put before each text. Safe to use from several threads.
    """

    weight = 0.8
    rrf_k = 5
    passage_pieces = 0

    def __init__(
        self,
        name: str,
        service: Service,
        caller: Caller,
        *,
        dim: int | None = None,
        query_prefix: str = "",
        document_prefix: str = "",
        patience: Patience | None = None,
    ) -> None:
        self.name = name
        self._service = service
        self._caller = caller
        self._given_dim = dim
        self._before = (query_prefix, document_prefix)
        self._patience = patience or Patience()
        attempts = min(2, self._patience.attempts)
        self._hasty = Patience(attempts, self._patience.first, 2.0, QUERY_SECONDS)
        self._pace = _Pace()
        self._outage = Outage()

    @cached_property
    def dim(self) -> int:
        """The length of a vector. Raises EmbedderError when the service is asked and fails."""
        if self._given_dim is not None:
            return self._given_dim
        found = self._answers([PROBE], self._patience)
        if isinstance(found[0], str):
            raise self._failed(found[0])
        return len(found[0])

    @property
    def fingerprint(self) -> str:
        """The address, what is sent, and the length of the vectors; not the key."""
        sent = dumps([self._service.url, self._service.shape.sent, self._before[1]]).decode()
        return f"rest:{self.dim}:{sent}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of documents, float32 [n, dim].

        Raises EmbeddingsFailed when some are refused, with the vectors of the others; and
        EmbedderError when the service is not to be had at all.
        """
        found = self._vectors([self._before[1] + text for text in texts], self._patience)
        self._outage.over()
        return found

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        """The vectors of queries, like `embed`, but with little patience: somebody waits.

        One try takes QUERY_SECONDS at most, and there are two. After a failure nobody waits for a
        while, but one that looks, by one try, whether it is over (`Outage`). Raises EmbedderError.
        """
        with self._outage.watched() as looking:
            patience = replace(self._hasty, attempts=1) if looking else self._hasty
            return self._vectors([self._before[0] + text for text in texts], patience)

    def pieces(self, text: str) -> int:
        """0: a text of any length is one passage."""
        return 0

    def known(self, text: str) -> float:
        """1: a service does not say."""
        return 1.0

    def _vectors(self, texts: Sequence[str], patience: Patience) -> Vectors:
        size = self._service.batch_size if self._service.shape.many else 1
        batches = [list(texts[at : at + size]) for at in range(0, len(texts), size)]
        found: list[Vectors | str] = []
        if len(batches) > 1:
            with ThreadPoolExecutor(min(AT_ONCE, len(batches))) as pool:
                for answers in pool.map(lambda batch: self._answers(batch, patience), batches):
                    found.extend(answers)
        elif batches:
            found = self._answers(batches[0], patience)
        return self._together(found)

    def _together(self, found: Sequence[Vectors | str]) -> Vectors:
        made = np.full((len(found), self.dim), np.nan, np.float32)
        reasons: dict[int, str] = {}
        for position, one in enumerate(found):
            if isinstance(one, str):
                reasons[position] = one
            elif len(one) != self.dim:
                reasons[position] = f"its vector has {len(one)} numbers, not {self.dim}"
            else:
                made[position] = one
        if reasons:
            raise EmbeddingsFailed(
                f'embedder "{self.name}": {len(reasons):,} of {len(found):,} texts could not be'
                " embedded",
                reasons=reasons,
                made=made,
                embedder=self.name,
            )
        return made

    # One batch

    def _answers(self, texts: list[str], patience: Patience) -> list[Vectors | str]:
        """For each text its vector, or why it has none. Raises EmbedderError."""
        found: list[Vectors | str] = []
        fruitful = False
        waiting = [texts]
        while waiting:
            some = waiting.pop()
            try:
                found.extend(self._asked(some, patience))
                fruitful = True
            except _Refused as error:
                if len(some) > 1:
                    middle = len(some) // 2
                    waiting += [some[middle:], some[:middle]]
                    continue
                found.append(str(error))
                if not fruitful and len(found) >= FRUITLESS:
                    raise self._failed(f"it refuses every text: {error}") from None
        return found

    def _asked(self, texts: list[str], patience: Patience) -> list[Vectors | str]:
        body = dumps(self._service.shape.request([_storable(text) for text in texts]))
        reply = self._reply(body, patience)
        if reply.status >= 300:
            raise _Refused(self._said(reply))
        try:
            found = self._service.shape.embeddings(loads(reply.content))
        except ValueError:
            raise self._failed(f"its answer is no JSON: {self._said(reply)}") from None
        except EmbedderError as error:
            raise self._failed(f'{error.message}; is "response" right?') from None
        if len(found) != len(texts):
            raise self._failed(f"{len(found)} vectors came back for {len(texts)} texts")
        return [_vector(one) for one in found]

    def _reply(self, body: bytes, patience: Patience) -> Reply:
        """The first answer that is more than a request to come again. Raises EmbedderError."""
        for attempt in range(patience.attempts):
            self._wait(patience)
            reply, problem = self._tried(body, patience.seconds)
            if reply is not None and reply.status not in PASSING:
                if reply.status in HOPELESS:
                    raise self._failed(self._said(reply))
                return reply
            pause = patience.pause(attempt) if reply is None else _asked_to_wait(reply)
            pause = patience.pause(attempt) if pause is None else pause
            if pause > patience.longest:
                problem += f"; it asks for a pause of {pause:,.0f} s"
                break
            if attempt + 1 < patience.attempts:
                self._pace.hold(pause)
        often = f"{attempt + 1} times" if attempt else "once"
        raise self._failed(f"{problem}; tried {often}")

    def _wait(self, patience: Patience) -> None:
        left = self._pace.left()
        if left > patience.longest:
            raise self._failed(f"it asks for a pause, of which {left:,.0f} s are left")
        time.sleep(left)

    def _tried(self, body: bytes, seconds: float | None) -> tuple[Reply | None, str]:
        headers = {"content-type": "application/json", **self._service.headers}
        try:
            reply = self._caller.post(
                self._service.url, content=body, headers=headers, seconds=seconds
            )
        except CallRefused as error:
            raise self._failed(error.message) from error
        except CallFailed as error:
            return None, error.message
        return reply, self._said(reply)

    def _said(self, reply: Reply) -> str:
        text = " ".join(reply.content[: 4 * SHOWN].decode(errors="replace").split())[:SHOWN]
        if self._service.secret:
            text = text.replace(self._service.secret, masked(self._service.secret))
        return f"HTTP {reply.status} {text}".strip()

    def _failed(self, what: str) -> EmbedderError:
        return EmbedderError(
            f'embedder "{self.name}" at {self._service.url}: {what}', embedder=self.name
        )


def _storable(text: str) -> str:
    """The text, where half of a surrogate pair, which JSON cannot hold, is a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _vector(given: Any) -> Vectors | str:
    """The vector float32 [dim], or what is wrong with it."""
    try:
        with np.errstate(over="ignore"):
            found = np.asarray(given, np.float32)
    except (TypeError, ValueError):
        return "what came back is no list of numbers"
    if found.ndim == 2 and len(found) == 1:  # some services answer for one text as for many
        found = found[0]
    if found.ndim != 1 or not len(found):
        return "what came back is no list of numbers"
    return found if np.isfinite(found).all() else "its vector holds NaN or an infinity"


def _asked_to_wait(reply: Reply) -> float | None:
    """Seconds that Retry-After asks for, given as a number or a date."""
    text = reply.headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        then = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, then.timestamp() - time.time())


# From settings


def from_settings(name: str, own: EmbedderSettings, networks: Networks) -> RestEmbedder:
    """The embedder of one of the sources that are services. Raises SettingsError."""
    service = SERVICES[own.source](own)
    return RestEmbedder(
        name,
        service,
        Caller(networks),
        dim=own.dimensions or (KNOWN.get(own.model or USUAL) if own.source == "openAi" else None),
        query_prefix=own.query_prefix or "",
        document_prefix=own.document_prefix or "",
    )


def _headers(own: EmbedderSettings) -> dict[str, str]:
    key = {} if own.api_key is None else {"Authorization": f"Bearer {own.api_key}"}
    return {**key, **(own.headers or {})}


def _service(own: EmbedderSettings, url: str, shape: Shape, size: int) -> Service:
    return Service(
        url=own.url or url,
        shape=shape,
        headers=_headers(own),
        secret=own.api_key or "",
        batch_size=own.batch_size or size,
    )


def _open_ai(own: EmbedderSettings) -> Service:
    sent = {"model": own.model or USUAL, **OPENAI_LIKE.sent}
    if own.dimensions is not None and str(sent["model"]).startswith("text-embedding-3"):
        sent["dimensions"] = own.dimensions
    shape = Shape(sent, OPENAI_LIKE.answered)
    return _service(own, "https://api.openai.com/v1/embeddings", shape, 128)


def _ollama(own: EmbedderSettings) -> Service:
    if (own.url or "").endswith("/api/embeddings"):  # the older of its two ways, one text a request
        one = Shape({"model": own.model, "prompt": "{{text}}"}, {"embedding": "{{embedding}}"})
        return _service(own, "", one, 1)
    sent = {"model": own.model, "input": ["{{text}}", "{{..}}"]}
    shape = Shape(sent, {"embeddings": ["{{embedding}}", "{{..}}"]})
    return _service(own, "http://localhost:11434/api/embed", shape, 32)


def _inference(own: EmbedderSettings) -> Service:
    sent = {"inputs": ["{{text}}", "{{..}}"], "truncate": True}
    return _service(own, "", Shape(sent, ["{{embedding}}", "{{..}}"]), 32)


def _any(own: EmbedderSettings) -> Service:
    return _service(own, "", Shape(own.request, own.response), 32)


SERVICES = {
    "openAi": _open_ai,
    "ollama": _ollama,
    "textEmbeddingsInference": _inference,
    "rest": _any,
}
