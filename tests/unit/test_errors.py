"""Does an error say enough for people and for programs, and survive being written down?"""

from __future__ import annotations

import pytest

from hybridsearch.errors import (
    DocumentError,
    FilterError,
    HybridSearchError,
    IndexDamaged,
    InputError,
    NotFound,
    near,
    revived,
)


def test_a_message_is_shown_as_it_is() -> None:
    assert str(NotFound('there is no index "movies"')) == 'there is no index "movies"'


def test_an_error_has_the_code_of_its_class() -> None:
    assert FilterError("x").code == "invalid_search_filter"


def test_a_code_can_be_more_exact_than_that_of_the_class() -> None:
    assert DocumentError("x", code="missing_document_id").code == "missing_document_id"


def test_fields_are_kept_for_programs() -> None:
    assert DocumentError("x", position=3, id="7").fields == {"position": 3, "id": "7"}


@pytest.mark.parametrize(("error", "kind"), [(InputError, ValueError), (NotFound, KeyError)])
def test_who_knows_only_python_s_own_errors_can_catch_ours(
    error: type[HybridSearchError], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        raise error("x")


def test_an_error_comes_back_from_json_as_it_was() -> None:
    error = revived(DocumentError("x", code="missing_document_id", position=3).to_json())
    assert (type(error), error.message, error.code) == (DocumentError, "x", "missing_document_id")
    assert error.fields == {"position": 3}


def test_fields_that_json_cannot_hold_are_left_out() -> None:
    assert "problems" not in IndexDamaged("x", problems=[object()]).to_json()


def test_an_error_of_a_class_that_is_gone_comes_back_as_the_root() -> None:
    error = revived({"class": "Forgotten", "message": "x", "code": "internal"})
    assert type(error) is HybridSearchError


def test_the_nearest_name_is_offered() -> None:
    assert near("titel", ["year", "title"]) == '; did you mean "title"?'


def test_without_a_near_name_those_that_there_are_are_listed() -> None:
    assert near("zzz", ["b", "a"]) == "; there is: a, b"


def test_a_long_list_of_names_is_cut() -> None:
    assert near("zzz", [f"name{i:02}" for i in range(30)]).endswith("name19, …")


def test_an_empty_list_of_names_is_said_to_be_empty() -> None:
    assert near("zzz", []) == "; there is: (none)"
