import gzip
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from hybridsearch.arrays import Vectors
from hybridsearch.embedders import Embedder
from hybridsearch.embedders import static as static_module
from hybridsearch.embedders.function import FunctionEmbedder
from hybridsearch.embedders.provided import ProvidedEmbedder
from hybridsearch.embedders.static import TOKENIZER, WEIGHTS, StaticEmbedder, bundled
from hybridsearch.errors import EmbedderError, SettingsError

CORPUS = Path(__file__).parents[2] / "../shared/data/packages/corpus.jsonl.gz"
TEXTS = [
    "The quick brown fox, (jumping) over https://example.org/a?b=c&d=1; 3.14 times!",
    "  tabs\tand\nnew lines \u00a0 and runs   of spaces  ",
    "日本語のテキストです。中文 한국어 ไทย",
    "naïve Ünïcödé ﬁ ß İstanbul",
    "don't <s> </s> <unk> <0x0A> [CLS]",
    "🙂👩\u200d👩\u200d👧 emoji",
    "C++ libfoo2-dev:amd64 (>= 2.3~rc1)",
]


def whole_text_means(texts: list[str]) -> Vectors:
    """The plain way: tokenise the whole text, average its pieces."""
    tokenizer = Tokenizer.from_file(str(bundled() / TOKENIZER))
    tokenizer.encode_special_tokens = True
    table = static_module._table(bundled() / WEIGHTS)
    spaced = [" ".join(text.lower().split()) for text in texts]
    encoded = tokenizer.encode_batch(spaced, add_special_tokens=False)
    return np.array([table[one.ids].mean(axis=0) for one in encoded], np.float32)


def cosines(left: Vectors, right: Vectors) -> Vectors:
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return np.asarray(np.einsum("ij,ij->i", left, right) / lengths, np.float32)


@pytest.mark.parametrize("text", TEXTS)
def test_words_tokenised_alone_give_the_vector_of_the_whole_text(text: str) -> None:
    found, wanted = StaticEmbedder().embed([text]), whole_text_means([text])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_real_descriptions_get_the_vectors_of_their_whole_texts() -> None:
    if not CORPUS.exists():
        pytest.skip("the packages collection is not beside this checkout")
    with gzip.open(CORPUS, "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] or "none" for line in islice(file, 500)]
    assert cosines(StaticEmbedder().embed(texts), whole_text_means(texts)).min() > 0.99999


def test_static_vectors_put_like_beside_like() -> None:
    car, automobile, soup = StaticEmbedder().embed(["a fast car", "an automobile", "onion soup"])
    assert cosines(car[None], automobile[None]) > cosines(car[None], soup[None])


def test_static_vectors_are_float32_one_row_a_text() -> None:
    found = StaticEmbedder().embed(["one", "two three"])
    assert found.shape == (2, 256)
    assert found.dtype == np.float32


def test_no_texts_give_no_rows() -> None:
    assert StaticEmbedder().embed([]).shape == (0, 256)


@pytest.mark.parametrize("text", ["", " ", "\t\n\u2003", "\u2581"])
def test_a_text_without_a_word_gets_zeros(text: str) -> None:
    assert not StaticEmbedder().embed(["word", text, "word"])[1].any()


def test_case_is_nothing() -> None:
    lower, upper = StaticEmbedder().embed(["heat transfer", "HEAT Transfer"])
    assert (lower == upper).all()


@pytest.mark.parametrize(
    "text",
    ["\ud800", "a\udfffb c", "\x00", "nul \x00 inside", "🙂" * 1000, "\u2581a\u2581", "\U0010ffff"],
)
def test_no_text_is_refused(text: str) -> None:
    found = StaticEmbedder().embed([text])
    assert np.isfinite(found).all()
    assert found.any()


@pytest.mark.parametrize("letter", ["a", "中"])
def test_a_word_of_a_megabyte_is_embedded(letter: str) -> None:
    found = StaticEmbedder().embed([letter * (1_000_000 // len(letter.encode()))])
    assert np.isfinite(found).all()
    assert found.any()


def test_a_text_longer_than_the_room_is_the_mean_of_all_of_it() -> None:
    half, whole = StaticEmbedder().embed(["one two three", "one two three " * 5000])
    np.testing.assert_allclose(half, whole, rtol=1e-3, atol=1e-4)


def test_neighbours_in_a_batch_change_nothing() -> None:
    together = StaticEmbedder().embed(TEXTS * 40)
    alone = np.concatenate([StaticEmbedder().embed([text]) for text in TEXTS] * 40)
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


@pytest.fixture
def small_room(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    static_module._opened.cache_clear()
    monkeypatch.setattr(static_module, "ROOM", 2_000)
    yield
    static_module._opened.cache_clear()


@pytest.mark.usefixtures("small_room")
def test_words_forgotten_for_want_of_room_get_the_same_vectors_again() -> None:
    texts = [f"word{number} common {number * 7}" for number in range(500)]
    first = StaticEmbedder().embed(texts)
    assert (StaticEmbedder().embed(texts) == first).all()


@pytest.mark.usefixtures("small_room")
def test_the_words_kept_are_bounded() -> None:
    StaticEmbedder().embed([f"word{number}" for number in range(5_000)])
    kept = static_module._opened(bundled())._words
    most = 2_000 // static_module.ROOM_OF_A_WORD + static_module.TEXTS_AT_ONCE
    assert max(len(kept), len(kept._older)) <= most


@pytest.mark.usefixtures("small_room")
def test_threads_get_what_one_thread_gets() -> None:
    batches = [[f"text {n} of thread {t}" for n in range(200)] for t in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(StaticEmbedder().embed, batches))
    wanted = [StaticEmbedder().embed(batch) for batch in batches]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_the_wheels_own_code_is_never_imported() -> None:
    StaticEmbedder().embed(["a text"])
    assert "wordllama" not in sys.modules


def copied(folder: Path) -> Path:
    for name in (TOKENIZER, WEIGHTS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundled() / name, folder / name)
    return folder


@pytest.mark.parametrize("name", [TOKENIZER, WEIGHTS])
def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path, name: str) -> None:
    (copied(tmp_path) / name).unlink()
    with pytest.raises(EmbedderError, match=r"has no .*; install it anew with .*wordllama") as got:
        StaticEmbedder(tmp_path).embed(["a text"])
    assert name in str(got.value)


@pytest.mark.parametrize("name", [TOKENIZER, WEIGHTS])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path, name: str) -> None:
    (copied(tmp_path) / name).write_bytes(b"{")
    with pytest.raises(EmbedderError, match="is damaged"):
        StaticEmbedder(tmp_path).embed(["a text"])


def test_a_table_of_another_width_is_refused(tmp_path: Path) -> None:
    save_file({"embedding.weight": np.zeros((10, 8), np.float16)}, copied(tmp_path) / WEIGHTS)
    with pytest.raises(EmbedderError, match=r"shape \(10, 8\)"):
        StaticEmbedder(tmp_path).embed(["a text"])


def test_a_wheel_that_is_not_installed_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    bundled.cache_clear()
    monkeypatch.setattr(static_module, "find_spec", lambda name: None)
    with pytest.raises(EmbedderError, match="not installed"):
        StaticEmbedder().embed(["a text"])


def test_the_fingerprint_changes_with_the_table(tmp_path: Path) -> None:
    table = static_module._table(bundled() / WEIGHTS).astype(np.float16)
    table[5, 5] += 1
    save_file({"embedding.weight": table}, copied(tmp_path) / WEIGHTS)
    assert StaticEmbedder(tmp_path).fingerprint != StaticEmbedder().fingerprint


def test_the_fingerprint_is_that_of_the_files_wherever_they_are(tmp_path: Path) -> None:
    assert StaticEmbedder(copied(tmp_path)).fingerprint == StaticEmbedder().fingerprint


def letters(texts: list[str]) -> list[list[float]]:
    return [[float(len(text)), text.count("a"), 1.0] for text in texts]


EMBEDDERS: list[Callable[[], Embedder]] = [
    StaticEmbedder,
    lambda: FunctionEmbedder(letters),
    lambda: ProvidedEmbedder(3),
]


@pytest.mark.parametrize("make", EMBEDDERS)
def test_every_embedder_says_how_far_it_is_to_be_trusted(make: Callable[[], Embedder]) -> None:
    one = make()
    assert one.dim >= 1
    assert one.rrf_k >= 1
    assert 0 <= one.weight <= 1
    assert one.known("a word") == 1.0
    assert one.fingerprint == make().fingerprint


def test_the_static_arm_weighs_less_than_the_others() -> None:
    static, function = StaticEmbedder(), FunctionEmbedder(letters)
    assert (static.weight, static.rrf_k) == (0.4, 5)
    assert function.weight == 0.8


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("a space opera in C, x 7", 1.0),
        ("", 1.0),
        ("?!", 1.0),
        ("¿Cuántos puntos dejaron escapar?", 1.0),
        ("太空歌剧", 0.0),
        ("東京 タワー", 0.0),
        ("스페이스 오페라", 0.0),
        ("phone 手機", 5 / 7),
        ("naïve café à Škoda", 1.0),
        ("a\ud800b", 1.0),
    ],
)
def test_letters_that_stand_alone_are_not_known_to_the_static_table(
    text: str, known: float
) -> None:
    assert StaticEmbedder().known(text) == pytest.approx(known)


def test_a_callable_gives_float32_rows() -> None:
    found = FunctionEmbedder(letters).embed(["banana", "kiwi"])
    assert found.dtype == np.float32
    assert found.tolist() == [[6, 3, 1], [4, 0, 1]]


def test_the_callable_gets_a_list_whatever_sequence_came() -> None:
    kinds: list[type] = []

    def note(texts: list[str]) -> list[list[float]]:
        kinds.append(type(texts))
        return letters(texts)

    FunctionEmbedder(note, dim=3).embed(("a", "b"))
    assert kinds == [list]


def test_the_callable_is_asked_for_its_length_only_when_none_was_given() -> None:
    asked: list[list[str]] = []

    def note(texts: list[str]) -> list[list[float]]:
        asked.append(texts)
        return letters(texts)

    assert FunctionEmbedder(note, dim=7).dim == 7
    assert not asked
    assert FunctionEmbedder(note).dim == 3
    assert len(asked) == 1


def test_no_texts_do_not_reach_the_callable() -> None:
    assert FunctionEmbedder(lambda texts: 1 / 0, dim=4).embed([]).shape == (0, 4)


def test_queries_go_to_their_own_callable() -> None:
    one = FunctionEmbedder(letters, query=lambda texts: np.zeros((len(texts), 3)))
    assert one.embed(["a"]).any()
    assert not one.embed_query(["a"]).any()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([[1.0, 2.0, 3.0]], r"shape \(1, 3\) came back for 2 texts"),
        ([1.0, 2.0], r"shape \(2,\) came back for 2 texts"),
        (np.zeros((2, 3, 1)), r"shape \(2, 3, 1\)"),
        (np.zeros((2, 4)), "length 4 came back where its length is 3"),
        (np.zeros((2, 0)), r"shape \(2, 0\)"),
        ([[1.0, 2.0, 3.0], [1.0, 2.0]], "vectors of one length"),
        ([[1, 2, 3], [1, float("nan"), 3]], r"text 1 \(from 0\) holds NaN"),
        ([[1, 2, float("-inf")], [1, 2, 3]], r"text 0 \(from 0\)"),
        ([[1, 2, 1e300], [1, 2, 3]], r"too large for float32"),
        ([["a", "b", "c"]] * 2, "return real numbers"),
        (np.zeros((2, 3), complex), "array of complex128"),
        (None, "array of object came back .NoneType."),
    ],
)
def test_what_came_back_wrong_is_said(answer: Any, says: str) -> None:
    one = FunctionEmbedder(lambda texts: answer, name="mine", dim=3)
    with pytest.raises(EmbedderError, match=says) as got:
        one.embed(["a", "b"])
    assert str(got.value).startswith('embedder "mine": ')
    assert got.value.fields == {"embedder": "mine"}


def test_the_callables_own_error_is_kept_as_the_cause() -> None:
    def broken(texts: list[str]) -> Any:
        raise ConnectionError("no route")

    with pytest.raises(EmbedderError, match="raised ConnectionError: no route for 1 texts") as got:
        FunctionEmbedder(broken, dim=3).embed(["a"])
    assert isinstance(got.value.__cause__, ConnectionError)


@pytest.mark.parametrize("other", [{"version": "2"}, {"dim": 4}])
def test_a_callables_fingerprint_changes_with_what_it_was_given(other: dict[str, Any]) -> None:
    assert FunctionEmbedder(letters, **other).fingerprint != FunctionEmbedder(letters).fingerprint


def test_another_callable_has_another_fingerprint() -> None:
    other = FunctionEmbedder(whole_text_means, dim=3)
    assert other.fingerprint != FunctionEmbedder(letters).fingerprint


def test_a_callable_object_is_known_by_its_class() -> None:
    class Model:
        def __call__(self, texts: list[str]) -> Vectors:
            return np.ones((len(texts), 2), np.float32)

    assert "Model" in FunctionEmbedder(Model()).fingerprint


def test_a_document_without_a_vector_is_refused_where_vectors_are_provided() -> None:
    with pytest.raises(EmbedderError, match=r'"clip" is userProvided .*with each document'):
        ProvidedEmbedder(3, name="clip").embed(["a"])


def test_a_query_without_a_vector_is_refused_where_vectors_are_provided() -> None:
    with pytest.raises(EmbedderError, match="with the query"):
        ProvidedEmbedder(3).embed_query(["a"])


@pytest.mark.parametrize("dim", [0, -1])
def test_provided_vectors_have_a_length(dim: int) -> None:
    with pytest.raises(SettingsError, match="at least 1"):
        ProvidedEmbedder(dim)
