"""How do texts get vectors with nothing to download and no model to run?

`StaticEmbedder` holds one vector for each of 32,000 pieces of words, and a text's vector is the
mean over its pieces. The table and the tokeniser are two files of the wordllama wheel; its own
code is never imported (it reaches for the network). Texts are lower-cased, any run of white space
is one space, and special tokens in a text are plain text.

A piece begins with a space or does not reach over one, so the pieces of a word do not depend on
its neighbours. That is what makes this fast: a word is tokenised once, its piece numbers are kept
as packed bytes, and a text is the join of its words' bytes. The words kept are bounded.

    StaticEmbedder().embed(["a space opera"])       # float32 [1, 256]; zeros for an empty text
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from hybridsearch.arrays import Mask, Vectors
from hybridsearch.errors import EmbedderError

__all__ = ["StaticEmbedder"]

DIM = 256
WEIGHTS = f"weights/l2_supercat_{DIM}.safetensors"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
SPACE = "\u2581"  # how the tokeniser writes the space that a piece begins with
TEXTS_AT_ONCE = 64  # their words stay in the cache
PIECES_AT_ONCE = 512  # half a megabyte of vectors stays in the processor's cache
ROOM = 5_000_000  # about 10 MB, twice: 40,000 words each as they occur in English
ROOM_OF_A_WORD = 110  # what a word costs beside its letters
BYTE = re.compile("<0x([0-9A-F]{2})>")  # a letter that the tokeniser lacks comes as its bytes
FIRST_OF_SEVERAL = 0xC2
BEHIND_LATIN = "\u0180"
ONES = np.ones(PIECES_AT_ONCE, np.float32)


@dataclass(frozen=True)
class StaticEmbedder:
    """The bundled embedder. All of them in one process share the table, read at the first use.

    folder: where the two files are; None finds them in the installed wordllama wheel.
    """

    folder: Path | None = None
    dim: ClassVar[int] = DIM
    weight: ClassVar[float] = 0.4
    rrf_k: ClassVar[int] = 5
    passage_pieces: ClassVar[int] = 0

    @property
    def fingerprint(self) -> str:
        """Differs when the table, the tokeniser or our way with texts does.

        Raises EmbedderError when the files are missing.
        """
        folder = self.folder or bundled()
        return f"static:{DIM}:lower:mean:1:{_digest(_existing(folder, TOKENIZER, WEIGHTS))}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The mean vector of each text's pieces, float32 [n, 256], not normalised.

        A text without a word gets zeros. Raises EmbedderError when the files are missing or
        damaged; no text is refused.
        """
        pieces = _opened(self.folder or bundled())
        found = np.zeros((len(texts), DIM), np.float32)
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            stop = start + TEXTS_AT_ONCE
            pieces.pool(texts[start:stop], found[start:stop])
        return found

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        """The same as `embed`: static vectors have one side."""
        return self.embed(texts)

    def pieces(self, text: str) -> int:
        """0: a text of any length is one passage."""
        return 0

    def known(self, text: str) -> float:
        """The share of the text's letters that are in pieces of more than one, 0..1.

        Letters of an alphabet whose words the table does not have stand alone, or as their bytes:
        Chinese, Japanese, Korean, Thai. Latin letters are known alone too; without a letter nothing
        is unknown.
        """
        return 1.0 if text.isascii() else _opened(self.folder or bundled()).known(text)


@lru_cache(maxsize=1)
def bundled() -> Path:
    """The folder of the wordllama wheel, found without importing it. Raises EmbedderError."""
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise _missing("the wordllama package is not installed")
    return Path(spec.origin).parent


class Words(dict[str, bytes]):
    """Word -> its piece numbers, packed uint16; a word not seen before is tokenised.

    Two generations: `older` is asked first, and forgotten when this one is full.
    """

    def __init__(self, model: Any, *, older: dict[str, bytes]) -> None:
        super().__init__()
        self._model = model
        self._older = older
        self._room = ROOM

    def __missing__(self, word: str) -> bytes:
        packed = self._older.get(word) or self._tokenised(word)
        self[word] = packed
        self._room -= ROOM_OF_A_WORD + len(word)
        return packed

    def following(self) -> Words:
        """These words while there is room, else their successors.

        Nothing is removed in place, so a thread that is still reading here goes on undisturbed.
        """
        if self._room > 0:
            return self
        self._older = {}
        return Words(self._model, older=self)

    def _tokenised(self, word: str) -> bytes:
        # A lone surrogate has no UTF-8; it becomes a question mark.
        text = SPACE + word.encode("utf-8", "replace").decode("utf-8")
        return array("H", [piece.id for piece in self._model.tokenize(text)]).tobytes()


class Pieces:
    """The table of vectors, and the words that were tokenised before."""

    def __init__(self, table: Vectors, model: Any) -> None:
        self._table = table
        self._words = Words(model, older={})
        self._model = model

    def known(self, text: str) -> float:
        """The share of the text's letters that the table knows, 0..1."""
        pieces = self._pieces(text)
        letters = self._letters[pieces]
        total = int(letters.sum())
        return int(letters[self._meaningful[pieces]].sum()) / total if total else 1.0

    @cached_property
    def _letters(self) -> NDArray[np.uint8]:
        """How many letters begin in each piece, uint8 [pieces]."""
        return np.array([_letters_of(name) for name in self._names], np.uint8)

    @cached_property
    def _meaningful(self) -> Mask:
        """Whether a piece is more than a letter that stands alone, bool [pieces]."""
        bare = [name.removeprefix(SPACE) for name in self._names]
        return np.array(
            [name < BEHIND_LATIN if len(name) < 2 else not BYTE.fullmatch(name) for name in bare],
            bool,
        )

    @property
    def _names(self) -> list[str]:
        return [self._model.id_to_token(number) or "" for number in range(len(self._table))]

    def _pieces(self, text: str) -> NDArray[np.uint16]:
        words = text.replace(SPACE, " ").lower().split()
        return np.frombuffer(b"".join(map(self._words.__getitem__, words)), np.uint16)

    def pool(self, texts: Sequence[str], out: Vectors) -> None:
        """Write the mean vector of each text into its row of out, float32 [n, dim] of zeros."""
        lengths = np.ones((len(texts), 1), np.float32)
        room = np.empty((PIECES_AT_ONCE, self._table.shape[1]), np.float32)
        for at, text in enumerate(texts):
            pieces = self._pieces(text)
            self._sum(pieces, out[at], room)
            lengths[at] = len(pieces) or 1
        out /= lengths
        self._words = self._words.following()

    def _sum(self, pieces: NDArray[np.uint16], out: Vectors, room: Vectors) -> None:
        for start in range(0, len(pieces), PIECES_AT_ONCE):
            some = pieces[start : start + PIECES_AT_ONCE]
            # "clip" lets numpy write straight into the room; no number is out of range.
            gathered = self._table.take(some, axis=0, out=room[: len(some)], mode="clip")
            out += ONES[: len(some)] @ gathered  # twice as fast as a sum over the axis


def _letters_of(piece: str) -> int:
    """How many letters and digits begin in a piece; a byte that goes on with one begins none."""
    if found := BYTE.fullmatch(piece):
        return int(int(found[1], 16) >= FIRST_OF_SEVERAL)
    return sum(map(str.isalnum, piece))


@lru_cache(maxsize=1)
def _opened(folder: Path) -> Pieces:
    tokenizer_path, weights_path = _existing(folder, TOKENIZER, WEIGHTS)
    return Pieces(_table(weights_path), _tokenizer(tokenizer_path).model)


def _table(path: Path) -> Vectors:
    try:
        with safe_open(path, "numpy") as file:
            table = file.get_tensor("embedding.weight")
    except SafetensorError as error:
        raise _missing(f"{path} is damaged ({error})") from error
    if table.ndim != 2 or table.shape[1] != DIM or len(table) > 1 << 16:
        raise _missing(f"{path} holds a table of shape {table.shape}, not (32000, {DIM})")
    return np.ascontiguousarray(table, np.float32)


def _tokenizer(path: Path) -> Any:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception for a damaged file
        raise _missing(f"{path} is damaged ({error})") from error


def _existing(folder: Path, *names: str) -> tuple[Path, ...]:
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise _missing(f"{folder} has no {' and no '.join(absent)}")
    return tuple(folder / name for name in names)


def _digest(paths: tuple[Path, ...]) -> str:
    return _digest_of(tuple((path, path.stat().st_mtime_ns) for path in paths))


@lru_cache(maxsize=8)
def _digest_of(stamps: tuple[tuple[Path, int], ...]) -> str:
    found = hashlib.sha256()
    for path, _ in stamps:
        found.update(path.read_bytes())
    return found.hexdigest()[:32]


def _missing(what: str) -> EmbedderError:
    return EmbedderError(
        f"the static embedder cannot start: {what}; install it anew with "
        '"pip install --force-reinstall wordllama", or switch it off with default_embedder=None',
    )
