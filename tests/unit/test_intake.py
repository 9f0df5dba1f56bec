"""Are the documents of a payload checked, and what is told when one is unfit?"""

from __future__ import annotations

from typing import Any

import pytest

from hybridsearch.errors import DocumentError
from hybridsearch.intake import (
    Incoming,
    document_id,
    infer_primary_key,
    merged,
    read_documents,
)


def read(*bodies: bytes, **options: Any) -> list[Incoming]:
    return read_documents(bodies, **{"primary_key": "id", "dims": {"clip": 2}, **options})


def test_a_document_keeps_its_json_byte_for_byte() -> None:
    body = b'{"b": 1.00, "id" :7, "a":1E2}'
    assert [(d.id, d.body, d.fields["a"]) for d in read(body)] == [("7", body, 100.0)]


def test_vectors_are_taken_out_of_the_document() -> None:
    [document] = read(b'{"id":1,"_vectors":{"clip":[1,2]},"a":2}')
    assert document.vectors == {"clip": [[1, 2]]}
    assert (document.body, dict(document.fields)) == (b'{"id":1,"a":2}', {"id": 1, "a": 2})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"[1,2]", [[1, 2]]),
        (b"[[1,2],[3,4]]", [[1, 2], [3, 4]]),
        (b'{"embeddings":[1,2],"regenerate":false}', [[1, 2]]),
        (b'{"embeddings":[[1,2]]}', [[1, 2]]),
        (b"null", []),
        (b"[]", []),
    ],
)
def test_a_vector_comes_in_several_forms(given: bytes, expected: list[list[float]]) -> None:
    assert read(b'{"id":1,"_vectors":{"clip":' + given + b"}}")[0].vectors == {"clip": expected}


def test_no_vectors_are_no_vectors() -> None:
    assert read(b'{"id":1,"_vectors":null}')[0].vectors == {}


@pytest.mark.parametrize("body", [b"5", b"[]", b'"a"', b"null", b"true", b"{", b""])
def test_what_is_no_object_is_refused_with_its_position_in_the_whole_source(body: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        read(b'{"id":1}', body, start=20)
    assert (caught.value.code, caught.value.fields["position"]) == ("malformed_payload", 21)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, "7"),
        ("7", "7"),
        (-1, "-1"),
        (2**80, str(2**80)),
        ("é" * 255, "é" * 255),
        ("é" * 256, None),
        ("x" * 511, "x" * 511),
        ("x" * 512, None),
        (10**600, None),
        (True, None),
        (None, None),
        (1.0, None),
        ("", None),
        ("\0", None),
        ("\ud800", None),
        ([], None),
    ],
)
def test_whole_numbers_and_short_texts_can_be_ids(value: Any, expected: str | None) -> None:
    assert document_id(value) == expected


def test_a_number_of_more_digits_than_python_prints_cannot_be_an_id() -> None:
    assert document_id(10**5000) is None


def test_the_new_document_is_laid_over_the_old_one_whose_attributes_keep_their_places() -> None:
    [old] = read(b'{"id":1,"a":1,"b":{"x":1},"_vectors":{"clip":[1,2]}}')
    [new] = read(b'{"b":{"y":2},"id":1,"c":3}')
    both = merged(old, new)
    assert both.body == b'{"id":1,"a":1,"b":{"y":2},"c":3}'
    assert both.vectors == {"clip": [[1, 2]]}


def test_an_empty_vector_takes_the_place_of_the_old_one() -> None:
    [old] = read(b'{"id":1,"_vectors":{"clip":[1,2]}}')
    [new] = read(b'{"id":1,"_vectors":{"clip":null}}')
    assert merged(old, new).vectors == {"clip": []}


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"user_id":1,"id":2,"paid":3}', "id"),
        (b'{"user_id":1,"_id":3}', "_id"),
        (b'{"title":"a","isbnID":3}', "isbnID"),
    ],
)
def test_the_primary_key_is_told_from_the_first_document(body: bytes, key: str) -> None:
    assert infer_primary_key([body, b'{"id":1}']) == key


@pytest.mark.parametrize("inside", [b"[" * 999, b'\\"[[' * 200, b"\\\\" + b"{" * 300])
def test_brackets_inside_a_text_are_no_levels(inside: bytes) -> None:
    assert read(b'{"id":1,"a":"' + inside + b'"}')[0].id == "1"


@pytest.mark.parametrize(("levels", "fits"), [(199, True), (200, False), (100_000, False)])
def test_a_document_nests_200_levels_at_most(levels: int, fits: bool) -> None:
    body = b'{"id":1,"a":' + b"[" * levels + b"]" * levels + b"}"
    if fits:
        assert read(body)[0].id == "1"
        return
    with pytest.raises(DocumentError, match="document 0 is nested deeper than 200 levels"):
        read(body)


def test_vectors_of_embedders_that_are_not_there_can_be_kept() -> None:
    body = b'{"id":1,"_vectors":{"other":[1,2,3],"clip":[1,2]}}'
    [document] = read(body, strangers=True)
    assert document.vectors == {"other": [[1, 2, 3]], "clip": [[1, 2]]}
    with pytest.raises(DocumentError, match="names an embedder the index does not have"):
        read(body)


@pytest.mark.parametrize("vector", [b'{"clip":[1]}', b'{"other":["x"]}', b'{"other":[1e39]}'])
def test_vectors_that_are_kept_must_be_vectors_all_the_same(vector: bytes) -> None:
    with pytest.raises(DocumentError):
        read(b'{"id":1,"_vectors":' + vector + b"}", strangers=True)
