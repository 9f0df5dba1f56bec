"""A real HTTP service that embeds, on this machine, which can be told to misbehave."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.conftest import letters


@dataclass
class Answer:
    """What one request gets in place of vectors."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class Embedding:
    """The service: where it is, what it was asked, and what it will answer next.

    scripted: answers for the next requests, one each. poison: texts that it refuses with 400.
    vector: text -> the vector that it answers.
    """

    url: str = ""
    asked: list[Any] = field(default_factory=list)
    seen_headers: list[dict[str, str]] = field(default_factory=list)
    scripted: deque[Answer] = field(default_factory=deque)
    poison: set[str] = field(default_factory=set)
    vector: Callable[[str], list[float]] = lambda text: [float(x) for x in letters([text])[0]]
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def texts(self) -> list[str]:
        """Every text that was asked for, in the order of the requests."""
        return [text for body in self.asked for text in texts_of(body)]

    def answer(self, path: str, body: Any) -> Answer:
        """What this request gets."""
        with self.lock:
            self.asked.append(body)
            if self.scripted:
                return self.scripted.popleft()
        texts = texts_of(body)
        if bad := self.poison & set(texts):
            return Answer(400, json.dumps({"error": f"cannot embed {sorted(bad)[0]}"}).encode())
        vectors = [self.vector(text) for text in texts]
        return Answer(body=json.dumps(shaped(path, vectors)).encode())


def texts_of(body: Any) -> list[str]:
    given = body.get("input", body.get("inputs", body.get("prompt")))
    return [given] if isinstance(given, str) else list(given)


def shaped(path: str, vectors: list[list[float]]) -> Any:
    """The vectors as OpenAI, Ollama and text-embeddings-inference answer at their paths."""
    if path == "/v1/embeddings":
        items = [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]
        return {"object": "list", "data": items[::-1]}
    if path == "/api/embed":
        return {"model": "m", "embeddings": vectors}
    return {"embedding": vectors[0]} if path == "/api/embeddings" else vectors


@contextmanager
def running() -> Iterator[Embedding]:
    """The service, up until the block ends."""
    service = Embedding()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            service.seen_headers.append({k.lower(): v for k, v in self.headers.items()})
            answer = service.answer(self.path, body)
            time.sleep(answer.seconds)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            with suppress(OSError):
                self.end_headers()
                self.wfile.write(answer.body)

        def finish(self) -> None:
            with suppress(OSError):  # a client that went away is part of the tests
                super().finish()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
