"""Does a model in a folder make the vectors that it should, and say what is wrong with it?"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

import hybridsearch
from hybridsearch.embedders.onnx import OnnxEmbedder
from hybridsearch.errors import EmbedderError, SettingsError
from tests.unit.tiny_model import TABLE, WORDS, tiny_model

MINILM = Path(__file__).parents[2] / "../shared/models/all-MiniLM-L6-v2"
RED, GREEN, BLUE = (WORDS.index(word) for word in ("red", "green", "blue"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_model(tmp_path / "model")


def test_the_mean_of_the_pieces_is_the_vector(folder: Path) -> None:
    found = OnnxEmbedder(folder).embed(["red blue blue"])
    assert found.dtype == np.float32
    assert found[0, [RED, GREEN, BLUE]].tolist() == pytest.approx([1 / 3, 0, 2 / 3])


@pytest.mark.parametrize(("pooling", "piece"), [("cls", RED), ("lastToken", BLUE)])
def test_one_piece_can_stand_for_the_text(folder: Path, pooling: str, piece: int) -> None:
    found = OnnxEmbedder(folder, pooling=pooling).embed(["red green blue", "red blue"])
    assert found.argmax(axis=1).tolist() == [piece, piece]


def test_padding_counts_for_nothing_and_the_order_stays(folder: Path) -> None:
    texts = ["red", "green " * 50, "blue red", "", "green"]
    together = OnnxEmbedder(folder).embed(texts)
    alone = np.concatenate([OnnxEmbedder(folder).embed([text]) for text in texts])
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_more_texts_than_fit_a_batch_keep_their_order(folder: Path) -> None:
    texts = [("red " * (n % 7 + 1) + "blue") for n in range(300)]
    found = OnnxEmbedder(folder).embed(texts)
    expected = [1 / (n % 7 + 2) for n in range(300)]
    np.testing.assert_allclose(found[:, BLUE], expected, rtol=1e-5)


def test_a_text_has_one_vector_whatever_it_is_embedded_with(tmp_path: Path) -> None:
    table = TABLE.copy()
    table[BLUE] *= 10_000  # beside which a one is rounded to nothing
    one = OnnxEmbedder(tiny_model(tmp_path, table=table, scales_by_batch=True))
    together = one.embed(["red", "blue", "green"])
    assert together[0, RED] == pytest.approx(1.0)
    assert np.array_equal(together, [one.embed([text])[0] for text in ("red", "blue", "green")])


def test_texts_are_cut_to_the_pieces_that_the_model_takes(folder: Path) -> None:
    assert OnnxEmbedder(folder, max_tokens=2).embed(["red red blue"])[0, BLUE] == 0


def test_queries_and_documents_have_prefixes_of_their_own(folder: Path) -> None:
    one = OnnxEmbedder(folder, query_prefix="query: ", document_prefix="text: ")
    query, text = WORDS.index("query:"), WORDS.index("text:")
    assert one.embed(["red"])[0, [query, text]].tolist() == [0, 0.5]
    assert one.embed_query(["red"])[0, [query, text]].tolist() == [0.5, 0]


def test_passages_are_as_long_as_what_the_model_was_made_with(folder: Path) -> None:
    path = str(folder / "tokenizer.json")
    tokenizer = Tokenizer.from_file(path)
    assert OnnxEmbedder(folder).passage_pieces == 254
    tokenizer.enable_truncation(128)
    tokenizer.save(path)
    assert OnnxEmbedder(folder).passage_pieces == 126
    assert OnnxEmbedder(folder, max_tokens=12).passage_pieces == 10
    assert OnnxEmbedder(folder).pieces("red " * 150 + "blue") == 151
    assert OnnxEmbedder(folder).embed(["red " * 150 + "blue"])[0, BLUE] > 0


def test_what_sentence_transformers_wrote_is_honoured(folder: Path) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode_lasttoken": True}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 2}))
    prompts = {"prompts": {"query": "query: ", "document": ""}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    one = OnnxEmbedder(folder)
    assert one.embed(["red green blue"]).argmax() == GREEN
    assert one.embed_query(["red"]).argmax() == RED
    assert one.embed_query(["blue blue"]).argmax() == BLUE


def test_no_texts_are_no_vectors(folder: Path) -> None:
    assert OnnxEmbedder(folder).embed([]).shape == (0, len(WORDS))
    assert OnnxEmbedder(folder).embed_query([]).shape == (0, len(WORDS))


def test_a_text_that_nothing_can_encode_is_embedded(folder: Path) -> None:
    assert np.isfinite(OnnxEmbedder(folder).embed(["\ud800", "\x00", "red " * 100_000])).all()


@pytest.mark.parametrize(
    ("text", "known"), [("red blue", 1.0), ("", 1.0), ("red 太空歌剧 x", 3 / 8), ("\ud800", 1.0)]
)
def test_what_the_tokeniser_has_no_piece_for_is_not_known(
    folder: Path, text: str, known: float
) -> None:
    assert OnnxEmbedder(folder).known(text) == pytest.approx(known)


def test_threads_share_one_model(folder: Path) -> None:
    one = OnnxEmbedder(folder)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one.embed, [["red"], ["green"], ["blue"]] * 10))
    assert [int(vector.argmax()) for vector in found] == [RED, GREEN, BLUE] * 10


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(EmbedderError, match=name):
        OnnxEmbedder(folder, name="mine")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match=r"there is no folder .*nowhere"):
        OnnxEmbedder(tmp_path / "nowhere")


def test_a_file_that_was_asked_for_is_named_with_those_that_there_are(folder: Path) -> None:
    with pytest.raises(EmbedderError, match=r"no small\.onnx; there is: config\.json, model\.onnx"):
        OnnxEmbedder(folder, file="small.onnx")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_damaged_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"{")
    with pytest.raises(EmbedderError, match=f"{name} cannot be"):
        OnnxEmbedder(folder).embed(["red"])


def test_a_model_that_answers_nan_is_refused(tmp_path: Path) -> None:
    table = TABLE.copy()
    table[RED, 0] = np.nan
    with pytest.raises(EmbedderError, match="not finite"):
        OnnxEmbedder(tiny_model(tmp_path, table=table)).embed(["red"])


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: OnnxEmbedder(folder, pooling="cls"),
        lambda folder: OnnxEmbedder(folder, max_tokens=7),
        lambda folder: OnnxEmbedder(folder, document_prefix="text: "),
        lambda folder: OnnxEmbedder(tiny_model(folder, table=2 * TABLE)),
    ],
)
def test_the_fingerprint_tells_what_changes_vectors(
    folder: Path, change: Callable[[Path], OnnxEmbedder]
) -> None:
    before = OnnxEmbedder(folder).fingerprint
    assert OnnxEmbedder(folder).fingerprint == before
    assert change(folder).fingerprint != before


def test_an_index_is_searched_by_a_model_in_a_folder(folder: Path) -> None:
    settings = {"embedders": {"tiny": {"source": "onnx", "model": str(folder), "threads": 1}}}
    with hybridsearch.open() as db:
        index = db.create_index("colours", primary_key="id", settings=settings)
        index.add([{"id": 1, "text": "red red"}, {"id": 2, "text": "green blue"}])
        assert [hit.id for hit in index.search("blue", mode="semantic")][:1] == [2]


def test_dimensions_that_are_not_the_models_are_refused(folder: Path) -> None:
    own = {"source": "onnx", "model": str(folder), "dimensions": 3}
    with (
        hybridsearch.open() as db,
        pytest.raises(EmbedderError, match=f"dimensions is 3, .* have {len(WORDS)} numbers"),
    ):
        db.create_index("colours", settings={"embedders": {"tiny": own}})


def test_a_model_of_the_hub_without_a_network_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants  # noqa: PLC0415  it reads the environment when loaded

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    own = {"source": "huggingFace", "model": "someone/some-model"}
    with hybridsearch.open() as db, pytest.raises(EmbedderError, match="cannot be fetched"):
        db.create_index("colours", settings={"embedders": {"hub": own}})


def test_a_library_that_is_not_installed_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    from hybridsearch.embedders import making  # noqa: PLC0415  the module is what is changed

    def missing(name: str) -> Any:
        raise ModuleNotFoundError("No module", name="onnxruntime")

    monkeypatch.setattr(making, "import_module", missing)
    own = {"source": "onnx", "model": str(folder)}
    with hybridsearch.open() as db, pytest.raises(SettingsError, match=r"hybridsearch\[onnx\]"):
        db.create_index("colours", settings={"embedders": {"tiny": own}})


def test_minilm_puts_like_by_like() -> None:
    if not MINILM.is_dir():
        pytest.skip("needs ../shared/models/all-MiniLM-L6-v2, which is not there")
    one = OnnxEmbedder(MINILM)
    texts = ["a cat sleeps on the sofa", "stock markets fell sharply", "kittens nap on couches"]
    found = one.embed(texts)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    assert one.dim == 384
    assert found[0] @ found[2] > found[0] @ found[1] + 0.2
