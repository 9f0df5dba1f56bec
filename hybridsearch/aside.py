"""How is a batch prepared without keeping searches from the interpreter?

Reading texts and embedding them is most of a load, and all of it Python. In a server that takes
turns with the searches. An `Aside` has it done by a child process, at a lower priority; this one
only waits. The child is started for the first piece that is large enough, is ended when nothing
has come for a while or a piece takes far too long, ends by itself when its parent is gone, and is
replaced when it dies. Whatever it does not answer is done in this process, so that an error is the
same one.

    hands = Aside()
    piece = hands.analysed(documents, manifest.text)     # as `hybridsearch.piecework` does it
    hands.close()

A message is a number of parts, the length of each, and the parts: JSON first, then bytes.
"""

from __future__ import annotations

import logging
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np

from hybridsearch.arrays import Vectors
from hybridsearch.document_table import Document
from hybridsearch.embedded_texts import EmbeddedTexts
from hybridsearch.embedders import Embedder
from hybridsearch.embedders.static import StaticEmbedder
from hybridsearch.jsontext import dumps, loads
from hybridsearch.piecework import OWN, Analysed, Counts, analysed, embedded
from hybridsearch.turns import give_way

__all__ = ["Aside", "main"]

LEAST = 500
"""Documents; fewer are prepared in this process sooner than the child can be told of them."""
IDLE_SECONDS = 60.0
PIECE_SECONDS = 120.0
"""After so long over one piece the child is killed, and this process does it. A piece takes some
seconds; a child that is stopped, or hangs, would keep all tasks waiting."""
LOOKS = 4
"""How often in such a time somebody looks."""
LAST_SECONDS = 5.0
NICENESS = 5
STARTING = "import sys; sys.path.append(sys.argv[1]); from hybridsearch.aside import main; main()"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Waiting threads of a matrix library would take the cores that searches run on."""

Parts = list[bytes]

log = logging.getLogger("hybridsearch")


class _Child:
    """A process that prepares pieces, and since when it does what it does."""

    def __init__(self) -> None:
        self.process = _begun()
        self.ended = threading.Event()
        self.at_work = True  # it gets ready
        self.since = time.monotonic()

    def answer(self, parts: Parts) -> Parts:
        """What it answers to a message. Raises OSError when it is gone."""
        self._turns(at_work=True)
        try:
            assert self.process.stdin is not None
            send(self.process.stdin, parts)
            return self.next()
        finally:
            self._turns(at_work=False)

    def greeted(self) -> None:
        """Wait until it is ready. Raises OSError when it is not going to be."""
        if self.next() != [b"ready"]:
            raise OSError("the process beside it did not start")
        self._turns(at_work=False)

    def next(self) -> Parts:
        """The next message that comes. Raises OSError when none does."""
        assert self.process.stdout is not None
        return receive(self.process.stdout)

    def quiet(self) -> float:
        """For how many seconds it has been at work, or idle."""
        return time.monotonic() - self.since

    def end(self) -> None:
        """End it, by force when it does not."""
        self.ended.set()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                _closed(pipe)
        try:
            self.process.wait(LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _turns(self, *, at_work: bool) -> None:
        self.since = time.monotonic()
        self.at_work = at_work


class Aside:
    """The hands of a child process. Any thread may ask; one is answered at a time.

    idle_seconds: after so long without a piece the child is ended, and gives its memory back.
    """

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._refused = False

    def analysed(self, documents: Sequence[Document], how: Mapping[str, Any]) -> Analysed:
        """See `piecework.Hands`."""
        answer = self._asked(documents, {"do": "analyse", "how": how})
        give_way()
        if answer is None:
            return OWN.analysed(documents, how)
        names, columns = loads(answer[0])["names"], [texts_in(*pair) for pair in _pairs(answer)]
        return Analysed(dict(zip(names, columns, strict=False)), columns[-1])

    def embedded(
        self, documents: Sequence[Document], embedder: Embedder, how: EmbeddedTexts, *, without: str
    ) -> tuple[Counts, Vectors]:
        """See `piecework.Hands`."""
        asked = {"do": "embed", "how": how.to_json(), "without": without}
        answer = self._asked(documents, asked)
        if answer is None:
            return OWN.embedded(documents, embedder, how, without=without)
        _, counts, vectors = answer
        found = np.frombuffer(vectors, np.float32).reshape(-1, embedder.dim)
        return np.frombuffer(counts, np.int64), found

    def takes(self, embedder: Embedder) -> bool:
        """The bundled one: what else takes long waits for others, or runs outside Python."""
        return embedder == StaticEmbedder()

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            self._end()

    def _asked(self, documents: Sequence[Document], task: Mapping[str, Any]) -> Parts | None:
        """What the child answers; None when it is not to be asked, or did not do it."""
        if len(documents) < LEAST:
            return None
        bodies = [document.body for document in documents]
        with self._lock:
            try:
                child = self._started()
                if child is None:
                    return None
                answer = child.answer([dumps(task), *packed(bodies)])
            except OSError as error:
                log.warning("the process that prepares documents is gone (%s)", error)
                self._end()
                return None
        return answer if loads(answer[0])["done"] else None

    def _started(self) -> _Child | None:
        """The child, started when there is none; None where none can be."""
        if self._child is not None and self._child.process.poll() is not None:
            self._end()
        if self._child is None and not self._refused:
            try:
                self._child = _Child()
                watching = (self._child,)
                threading.Thread(target=self._watch, args=watching, daemon=True).start()
                self._child.greeted()
            except OSError as error:
                log.warning("documents are prepared in the process of searches: %s", error)
                self._refused = True
                self._end()
        return self._child

    def _watch(self, child: _Child) -> None:
        """End the child once it is idle for long; kill it when it is at work for too long."""
        while not child.ended.wait(min(self._idle_seconds, PIECE_SECONDS) / LOOKS):
            if child.at_work and child.quiet() > PIECE_SECONDS:
                log.warning("the process that prepares documents hangs, and is killed")
                child.process.kill()
            if not child.at_work:
                with self._lock:
                    if child is self._child and child.quiet() > self._idle_seconds:
                        self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()


def _begun() -> subprocess.Popen[bytes]:
    """A child that begins. Its path has this package last, whatever folder it begins in."""
    root = str(Path(__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-P", "-c", STARTING, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **ONE_THREAD},
    )


def _closed(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:  # what was not read by then is lost with it
        return


# The child


def main() -> None:
    """Do what is asked on standard input until it ends; answers go to standard output.

    One argument: where this package is.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when it is over
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that is printed gets between the answers
    try:
        send(answers, [b"ready"])
        while True:
            send(answers, done(receive(asked)))
    except OSError:  # the parent is gone, or wants no more
        os._exit(0)


def done(parts: Parts) -> Parts:
    """The answer to what was asked; that it was not done, for whatever goes wrong."""
    task = loads(parts[0])
    try:
        documents = [loads(body) for body in unpacked(parts[1], parts[2])]
        if task["do"] == "analyse":
            return _analysed(documents, task["how"])
        how = EmbeddedTexts(**task["how"])
        counts, vectors = embedded(documents, StaticEmbedder(), how, task["without"])
        return [dumps({"done": True}), counts.tobytes(), vectors.tobytes()]
    except Exception as error:  # the parent does it again, and raises what it meets
        log.warning("a piece of a batch was not prepared: %s", type(error).__name__)
        return [dumps({"done": False})]


def _analysed(documents: Sequence[Mapping[str, Any]], how: Mapping[str, Any]) -> Parts:
    piece = analysed(documents, how)
    found: Parts = [dumps({"done": True, "names": list(piece.texts)})]
    for texts in (*piece.texts.values(), piece.words):
        found.extend(texts_packed(texts))
    return found


# Messages


def send(pipe: IO[bytes], parts: Sequence[bytes]) -> None:
    """Write a message. Raises OSError when nobody reads it."""
    pipe.write(struct.pack(f"<{len(parts) + 1}Q", len(parts), *map(len, parts)))
    for part in parts:
        pipe.write(part)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Parts:
    """The parts of the next message. Raises OSError when there is none."""
    [count] = struct.unpack("<Q", _exactly(pipe, 8))
    lengths = struct.unpack(f"<{count}Q", _exactly(pipe, 8 * count))
    return [_exactly(pipe, length) for length in lengths]


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    found = pipe.read(size)
    if len(found) < size:
        raise OSError("the other side has ended")
    return found


def packed(items: Sequence[bytes]) -> tuple[bytes, bytes]:
    """(the lengths as int64, all of them one after the other)."""
    return np.fromiter(map(len, items), np.int64, len(items)).tobytes(), b"".join(items)


def unpacked(lengths: bytes, data: bytes) -> list[bytes]:
    """What was packed."""
    return [data[start:stop] for start, stop in _spans(lengths)]


def texts_packed(texts: Sequence[str]) -> tuple[bytes, bytes]:
    """(the lengths in characters as int64, all of them in UTF-8).

    Raises UnicodeEncodeError for half of a surrogate pair.
    """
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return lengths.tobytes(), "".join(texts).encode()


def texts_in(lengths: bytes, data: bytes) -> list[str]:
    """The texts that were packed."""
    text = data.decode()
    return [text[start:stop] for start, stop in _spans(lengths)]


def _spans(lengths: bytes) -> Iterable[tuple[int, int]]:
    return pairwise(accumulate(np.frombuffer(lengths, np.int64).tolist(), initial=0))


def _pairs(answer: Parts) -> Iterable[tuple[bytes, bytes]]:
    return zip(answer[1::2], answer[2::2], strict=True)
