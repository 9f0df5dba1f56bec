"""A model in ONNX form small enough to make in a test: each piece of a text is its own vector."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

WORDS = ("[UNK]", "[PAD]", "red", "green", "blue", "query:", "text:")
TABLE = np.eye(len(WORDS), dtype=np.float32)


def tiny_model(
    folder: Path,
    *,
    table: np.ndarray[tuple[int, int], np.dtype[np.float32]] = TABLE,
    scales_by_batch: bool = False,
) -> Path:
    """A folder with `model.onnx`, `tokenizer.json` and `config.json`; words beyond WORDS are [UNK].

    The vector of a piece is its row of the table; scales_by_batch: rounded to one of 256 numbers
    between the least and the greatest of the whole batch, as models that were quantised do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.add_special_tokens(["query:", "text:"])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"pad_token_id": 1}))
    exact, rounded = "last_hidden_state", ["levels", "step", "zero"]
    nodes = [helper.make_node("Gather", ["table", "input_ids"], [exact])]
    if scales_by_batch:
        nodes = [
            helper.make_node("Gather", ["table", "input_ids"], ["found"]),
            helper.make_node("DynamicQuantizeLinear", ["found"], rounded),
            helper.make_node("DequantizeLinear", rounded, [exact]),
        ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "seq"])],
        [helper.make_tensor_value_info(exact, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(table, "table")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), folder / "model.onnx")
    return folder
