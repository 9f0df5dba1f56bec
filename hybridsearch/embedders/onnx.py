"""How does a model in ONNX form make vectors, from a folder or from the Hugging Face hub?

The folder holds `tokenizer.json` and the model (`model.onnx`, also under `onnx/`), as float or
quantised to int8. What else sentence-transformers writes is honoured when it is there: the
pooling, the length that texts are cut to, and the prefixes of queries and documents.

Texts are sorted by length and run in batches of like ones, so little is computed on padding, one
batch on each thread. A model that was quantised dynamically scales by all that is in a batch, so it
is given one text at a time: a text has one vector, whatever else is embedded with it.

    OnnxEmbedder(Path("all-MiniLM-L6-v2")).embed(["a space opera"])      # float32 [1, 384]
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from hybridsearch.arrays import Vectors
from hybridsearch.embedder_settings import EmbedderSettings
from hybridsearch.errors import EmbedderError

__all__ = ["OnnxEmbedder", "from_settings"]

TOKENIZER = "tokenizer.json"
MODELS = (
    "model.onnx",
    "onnx/model.onnx",
    "model_quantized.onnx",
    "onnx/model_quantized.onnx",
    "model_int8.onnx",
    "onnx/model_int8.onnx",
)
POOLING = "1_Pooling/config.json"
WINDOW = "sentence_bert_config.json"
PROMPTS = "config_sentence_transformers.json"
CONFIG = "config.json"
BESIDE = (TOKENIZER, CONFIG, POOLING, WINDOW, PROMPTS)
UNKNOWN = re.compile(r"\[UNK\]|<unk>|<0x[0-9A-F]{2}>")
"""How tokenisers write a letter that they have no piece for; the last is one of its bytes."""
MOST_TOKENS = 512
USUAL_TOKENS = 256
PIECES_IN_A_BATCH = 4_096
TEXTS_IN_A_BATCH = 64
SCALES_BY_BATCH = b"DynamicQuantizeLinear"
"""A step of models that were quantised dynamically. MiniLM's vector of a text in one batch has a
cosine of .996 with that in another, .98 for short texts."""

Pieces = NDArray[np.int64]


class OnnxEmbedder:
    """A text model in ONNX form, safe to use from several threads.

    folder: where its files are. file: the model among them, else the first of the usual names.
    pooling: "mean", "cls" or "lastToken"; None or "useModel" as the folder says, else mean.
    max_tokens: texts are cut to so many pieces, 512 at most; None as the folder says, else 256.
    query_prefix, document_prefix: put before each text; None as the folder says. threads: None for
    all cores.
    """

    weight = 0.8
    rrf_k = 5

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "default",
        file: str | None = None,
        pooling: str | None = None,
        max_tokens: int | None = None,
        query_prefix: str | None = None,
        document_prefix: str | None = None,
        threads: int | None = None,
    ) -> None:
        self.name = name
        self._folder = folder
        self._model = self._found(file)
        self._tokenizer_file = self._existing(TOKENIZER)
        self._pooling = self._pooling_of(pooling)
        self._max_tokens = max_tokens or self._window()
        prompts = self._read(PROMPTS).get("prompts") or {}
        self._before_query = str(prompts.get("query", "")) if query_prefix is None else query_prefix
        self._before_document = (
            str(prompts.get("document", "")) if document_prefix is None else document_prefix
        )
        self._threads = threads or _cores()
        self._opening = Lock()

    @cached_property
    def dim(self) -> int:
        """The length of a vector. Raises EmbedderError when the model cannot be run."""
        return int(self._embedded(["a"]).shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """Differs when a file, the pooling, the cut or the prefix of documents does."""
        found = hashlib.blake2b(digest_size=16)
        for path in (self._model, self._tokenizer_file):
            with path.open("rb") as file:
                found.update(hashlib.file_digest(file, "blake2b").digest())
        parts = (self._pooling, self._max_tokens, self._before_document)
        version = 2 if self._together == 1 else 1  # it was not always embedded one at a time
        return f"onnx:{version}:{':'.join(map(str, parts))}:{found.hexdigest()}"

    @cached_property
    def passage_pieces(self) -> int:
        """How many pieces fit between the ends that the model takes, or was made with."""
        return max(1, min(self._max_tokens, self._made_with()) - 2)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of documents, float32 [n, dim], of any length.

        Raises EmbedderError when the model's files are damaged or it answers with NaN.
        """
        return self._embedded([self._before_document + text for text in texts])

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        """The vectors of queries, each made by itself, so that it does not depend on the others."""
        made = [self._embedded([self._before_query + text]) for text in texts]
        return np.concatenate(made) if made else np.zeros((0, self.dim), np.float32)

    def pieces(self, text: str) -> int:
        """How many pieces the text has; its ends have none. Raises EmbedderError."""
        told = self._tokenizer.encode(text.encode("utf-8", "replace").decode("utf-8"))
        return sum(len(one.ids) - sum(one.special_tokens_mask) for one in (told, *told.overflowing))

    def known(self, text: str) -> float:
        """The share of the text's letters that the tokeniser has pieces for, 0..1; ASCII has them.

        Raises EmbedderError when its file is damaged.
        """
        if text.isascii():
            return 1.0
        told = self._tokenizer.encode(text.encode("utf-8", "replace").decode("utf-8"))
        unknown = bytearray(len(text))
        for piece, (start, stop) in zip(told.tokens, told.offsets, strict=True):
            if UNKNOWN.fullmatch(piece):
                unknown[start:stop] = b"\1" * (stop - start)
        letters = [at for at, letter in enumerate(text) if letter.isalnum()]
        return 1.0 - sum(unknown[at] for at in letters) / len(letters) if letters else 1.0

    # Running

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        pieces = self._pieces(texts)
        lengths = np.array([len(piece) for piece in pieces])
        order = np.argsort(-lengths, kind="stable")
        batches = [
            [pieces[at] for at in batch] for batch in _batches(order, lengths, self._together)
        ]
        together = np.concatenate(self._all_run(batches))
        found = np.empty_like(together)
        found[order] = together
        return found

    def _pieces(self, texts: Sequence[str]) -> list[list[int]]:
        # A lone surrogate has no UTF-8; it becomes a question mark.
        fit = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        return [found.ids for found in self._tokenizer.encode_batch(fit)]

    def _all_run(self, batches: Sequence[Sequence[list[int]]]) -> list[Vectors]:
        if self._threads == 1 or len(batches) == 1:
            return [self._run(batch) for batch in batches]
        with ThreadPoolExecutor(self._threads) as workers:
            return list(workers.map(self._run, batches))

    def _run(self, pieces: Sequence[Sequence[int]]) -> Vectors:
        width = max(1, max(map(len, pieces)))
        ids = np.full((len(pieces), width), self._padding, np.int64)
        mask = np.zeros((len(pieces), width), np.int64)
        for row, piece in enumerate(pieces):
            ids[row, : len(piece)] = piece
            mask[row, : len(piece)] = 1
        answer = self._asked(ids, mask)
        if answer.ndim == 3:
            answer = POOLS[self._pooling](answer, mask)
        if answer.shape[0] != len(pieces) or answer.ndim != 2 or not np.isfinite(answer).all():
            raise self._refused(
                f"the model answered with an array of shape {answer.shape} for {len(pieces)} texts,"
                " or with numbers that are not finite; is it a model of sentence embeddings?"
            )
        return np.ascontiguousarray(answer, np.float32)

    def _asked(self, ids: Pieces, mask: Pieces) -> NDArray[Any]:
        known = {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(ids),
            "position_ids": np.broadcast_to(np.arange(ids.shape[1]), ids.shape),
        }
        try:
            given = {entry.name: known[entry.name] for entry in self._session.get_inputs()}
            answers: list[NDArray[Any]] = self._session.run(self._outputs, given)
        except KeyError as error:
            raise self._refused(f"the model wants an input {error}, which no text has") from error
        except Exception as error:  # onnxruntime raises classes of its own that share no root
            raise self._refused(f"the model failed: {error}") from error
        return answers[0]

    @cached_property
    def _outputs(self) -> list[str]:
        """The output to take: one that says it is of whole sentences, else the first."""
        names = [entry.name for entry in self._session.get_outputs()]
        return ["sentence_embedding" if "sentence_embedding" in names else names[0]]

    @property
    def _session(self) -> Any:
        with self._opening:  # or two threads would load the model twice
            return self._opened

    @cached_property
    def _opened(self) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that wait for work must not take it from searches: beside busy neighbours MiniLM
        # took twice the CPU time a text, and a query 7 ms for 4.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(
                str(self._model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises classes of its own that share no root
            raise self._refused(
                f"{self._model} cannot be loaded: {error}; put the whole model there again"
            ) from error

    @cached_property
    def _together(self) -> int:
        """How many texts a batch may have."""
        if not self._model.stat().st_size:  # there is nothing to map
            return TEXTS_IN_A_BATCH
        with self._model.open("rb") as file, _mapped(file) as data:
            return 1 if data.find(SCALES_BY_BATCH) >= 0 else TEXTS_IN_A_BATCH

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            found = Tokenizer.from_file(str(self._tokenizer_file))
        except Exception as error:  # tokenizers raises Exception itself
            raise self._refused(
                f"{self._tokenizer_file} cannot be read: {error}; put the whole model there again"
            ) from error
        found.no_padding()
        found.enable_truncation(self._max_tokens)
        return found

    @cached_property
    def _padding(self) -> int:
        return int(self._read(CONFIG).get("pad_token_id") or 0)

    # The folder

    def _found(self, file: str | None) -> Path:
        if file is not None:
            return self._existing(file)
        for name in MODELS:
            if (self._folder / name).is_file():
                return self._folder / name
        if not self._folder.is_dir():
            raise self._refused(f"there is no folder {self._folder}; give that of a model")
        raise self._refused(
            f"{self._folder} has none of {', '.join(MODELS)}; export the model to ONNX, or name"
            ' its file in "file"'
        )

    def _existing(self, name: str) -> Path:
        path = self._folder / name
        if not path.is_file():
            there = sorted(item.name for item in self._folder.glob("*"))[:20]
            raise self._refused(
                f"{self._folder} has no {name}; there is: {', '.join(there) or '(nothing)'}"
            )
        return path

    def _read(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder; {} when it is not there."""
        try:
            found = json.loads((self._folder / name).read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._refused(f"{self._folder / name} cannot be read: {error}") from error
        return found if isinstance(found, dict) else {}

    def _pooling_of(self, wanted: str | None) -> str:
        if wanted not in (None, "useModel"):
            return str(wanted)
        told = self._read(POOLING)
        if told.get("pooling_mode_cls_token"):
            return "cls"
        return "lastToken" if told.get("pooling_mode_lasttoken") else "mean"

    def _window(self) -> int:
        told = self._read(WINDOW).get("max_seq_length")
        most = int(self._read(CONFIG).get("max_position_embeddings") or MOST_TOKENS)
        return min(int(told or USUAL_TOKENS), most, MOST_TOKENS)

    def _made_with(self) -> int:
        """The pieces of the texts that the model was made with, as its tokeniser tells: longer ones
        blur."""
        told = (self._read(TOKENIZER).get("truncation") or {}).get("max_length")
        return int(told or MOST_TOKENS)

    def _refused(self, what: str) -> EmbedderError:
        return EmbedderError(f'embedder "{self.name}": {what}', embedder=self.name)


def from_settings(name: str, own: EmbedderSettings) -> OnnxEmbedder:
    """The embedder of the source "onnx" or "huggingFace". Raises EmbedderError."""
    model = own.model or ""
    folder = Path(model) if own.source == "onnx" else _downloaded(name, model, own)
    made = OnnxEmbedder(
        folder,
        name=name,
        file=own.file,
        pooling=own.pooling,
        max_tokens=own.max_tokens,
        query_prefix=own.query_prefix,
        document_prefix=own.document_prefix,
        threads=own.threads,
    )
    if own.dimensions not in (None, made.dim):
        raise EmbedderError(
            f'embedder "{name}": dimensions is {own.dimensions}, but the vectors of {model} have'
            f" {made.dim} numbers; leave dimensions out",
            embedder=name,
        )
    return made


def _downloaded(name: str, model: str, own: EmbedderSettings) -> Path:
    """The folder of a model of the hub, fetched unless it is kept from before."""
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415  only the hub needs it
        from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise EmbedderError(
            f'embedder "{name}": the hub needs huggingface_hub; install it with pip install'
            ' "hybridsearch[onnx]", or give a local folder with the source "onnx"',
            embedder=name,
        ) from error
    files = (own.file,) if own.file else MODELS[:2]  # of the others there are many in one place
    wanted = [*BESIDE, *files, *(f"{file}_data" for file in files)]
    try:
        return Path(snapshot_download(model, revision=own.revision, allow_patterns=wanted))
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise EmbedderError(
            f'embedder "{name}": {model} cannot be fetched from the hub ({_short(error)}); without'
            ' a network, put the model in a folder and use the source "onnx"',
            embedder=name,
        ) from error


def _cores() -> int:
    """How many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _mapped(file: BinaryIO) -> mmap.mmap:
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _batches(
    order: NDArray[np.int64], lengths: NDArray[np.int64], most: int
) -> Iterator[NDArray[np.int64]]:
    """The order in pieces: so many texts together as fit, the longest come first."""
    start = 0
    while start < len(order):
        width = max(1, int(lengths[order[start]]))
        stop = start + max(1, min(most, PIECES_IN_A_BATCH // width))
        yield order[start:stop]
        start = stop


def _mean(pieces: NDArray[Any], mask: Pieces) -> NDArray[Any]:
    weights = mask[:, :, None].astype(np.float32)
    return np.asarray((pieces * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0))


def _first(pieces: NDArray[Any], mask: Pieces) -> NDArray[Any]:
    return np.asarray(pieces[:, 0])


def _last(pieces: NDArray[Any], mask: Pieces) -> NDArray[Any]:
    return np.asarray(pieces[np.arange(len(pieces)), np.maximum(mask.sum(axis=1) - 1, 0)])


POOLS = {"mean": _mean, "cls": _first, "lastToken": _last}
