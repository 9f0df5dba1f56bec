"""Does an embedder get the right texts, and is the nearest passage shown?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch import Database
from hybridsearch.embedded_texts import _WORD, EmbeddedTexts, passages
from hybridsearch.errors import DocumentError, SettingsError
from hybridsearch.settings import Settings

FILM = {"id": 7, "title": "Alien", "crew": {"director": "Ridley"}, "year": 1979}


def how(**own: Any) -> EmbeddedTexts:
    settings = Settings().updated({"embedders": {"e": {"source": "static", **own}}})
    return EmbeddedTexts.of(settings, "e", passage_pieces=0)


def test_the_searchable_text_is_embedded() -> None:
    assert how().texts(FILM, without="id", count=len) == ["Alien\nRidley"]


def test_attributes_can_be_chosen() -> None:
    assert how(documentAttributes=["title"]).texts(FILM, without="id", count=len) == ["Alien"]


def test_a_template_makes_the_text() -> None:
    made = how(documentTemplate="A film {{doc.title}} by {{doc.crew.director}}{{doc.nothing}}")
    assert made.texts(FILM, without="id", count=len) == ["A film Alien by Ridley"]


def test_a_template_goes_through_the_fields() -> None:
    template = (
        "{% for field in fields %}{% if field.is_searchable and field.value != nil %}"
        "{{ field.name }}: {{ field.value }}\n{% endif %}{% endfor %}"
    )
    made = how(documentTemplate=template, documentAttributes=["title"])
    assert made.texts(FILM, without="id", count=len) == ["title: Alien\n"]


def test_the_text_of_a_template_is_cut_at_400_bytes_unless_told() -> None:
    template = "{{ doc.text }}"
    document = {"text": "é" * 1000}
    assert how(documentTemplate=template).texts(document, without="id", count=len) == ["é" * 200]
    own = {"documentTemplate": template, "documentTemplateMaxBytes": 5}
    assert how(**own).texts(document, without="id", count=len) == ["éé"]


def test_a_template_that_is_none_is_refused_with_its_reason(memory: Database) -> None:
    own = {"source": "static", "documentTemplate": "{% if doc.title %}"}
    with pytest.raises(SettingsError, match="documentTemplate is not Liquid"):
        memory.create_index("films", settings={"embedders": {"e": own}})


def test_a_template_that_would_run_for_ever_names_the_document() -> None:
    made = how(documentTemplate="{% for a in (1..9999999) %}x{% endfor %}")
    with pytest.raises(DocumentError, match='document "7": documentTemplate'):
        made.texts(FILM, without="id", count=len)


@pytest.mark.parametrize("tag", ["{% include 'x' %}", "{% render 'x' %}"])
def test_a_template_reads_nothing_but_the_document(tag: str) -> None:
    with pytest.raises((DocumentError, SettingsError)):
        how(documentTemplate=tag).texts(FILM, without="id", count=len)


def test_a_template_reaches_no_attribute_of_python() -> None:
    made = how(documentTemplate="{{ doc.__class__ }}{{ doc.keys }}{{ doc.title.__len__ }}.")
    assert made.texts(FILM, without="id", count=len) == ["."]


def test_a_document_without_text_has_no_passage() -> None:
    assert how().texts({"id": 7, "title": " "}, without="id", count=len) == []


LONG = {"id": 7, "plot": "a b c d e f g", "title": "Space Film"}


def test_each_passage_stands_under_the_title() -> None:
    made = how(documentAttributes=["title", "plot"], passageWords=8)
    assert made.texts(LONG, without="id", count=len) == [
        "Space Film\na b c d e f",
        "Space Film\nb c d e f g",
    ]
    assert made.passages(LONG, without="id", count=len) == ["a b c d e f", "b c d e f g"]


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        ({"passageWords": 9}, "there is one passage, which holds the title"),
        ({"passageWords": 8}, "the first attribute is too long for a title"),
        ({"passageWords": 2, "documentAttributes": ["title"]}, "nothing stands under it"),
        ({"passageWords": 4, "documentTemplate": "{{ doc.plot }} end"}, "the template tells all"),
        ({"passageWords": 4, "documentTemplateMaxBytes": 9}, "the text is cut by bytes"),
    ],
)
def test_passages_without_a_title_are_embedded_as_they_are(own: Any, reason: str) -> None:
    made = how(**own)
    assert made.texts(LONG, without="id", count=len) == made.passages(
        LONG, without="id", count=len
    ), reason


def test_a_passage_is_what_the_embedder_takes_of_this_text() -> None:
    made = EmbeddedTexts.of(Settings(), "default", passage_pieces=12)
    assert made.passages({"text": "aa bb cc dd ee ff"}, without="id", count=len) == [
        "aa bb cc dd",
        "cc dd ee ff",
    ]
    assert made.passages({"text": "aa bb cc dd"}, without="id", count=len) == ["aa bb cc dd"]


def test_what_an_older_index_was_embedded_by_has_no_title() -> None:
    told = how(documentAttributes=["title", "plot"], passageWords=8).to_json()
    before = EmbeddedTexts(**{key: value for key, value in told.items() if key != "titled"})
    assert EmbeddedTexts(**told).titled
    assert before.texts(LONG, without="id", count=len) == [
        "a b c d e f g\nSpace",
        "b c d e f g\nSpace Film",
    ]


def test_a_letter_is_a_word_where_there_are_no_spaces() -> None:
    assert passages("一二三四五六", words=4) == ["一二三四", "三四五六"]


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 9))
def test_passages_are_short_and_hold_all_of_the_text(latin: list[bool], words: int) -> None:
    text = "".join(f"w{n} " if yes else chr(0x4E00 + n) for n, yes in enumerate(latin))
    whole = passages(text, words=10_000)
    found = passages(text, words=words)
    units = [_WORD.findall(passage) for passage in found]
    assert whole == [text]
    assert [*dict.fromkeys(unit for own in units for unit in own)] == _WORD.findall(text)
    assert all(len(own) <= words for own in units)


def test_a_long_document_is_as_near_as_its_nearest_passage_which_is_shown(
    memory: Database,
) -> None:
    embedders = {"letters": {"source": "function", "passageWords": 3}}
    index = memory.create_index("texts", primary_key="id", settings={"embedders": embedders})
    index.add([{"id": 1, "text": "aaa bbb ccc klm hhh hhh hhh xyz nop"}, {"id": 2, "text": "hxy"}])
    hit = index.search("hhh hhh hhh", mode="semantic", passage=True).hits[0]
    assert (hit.id, hit.passage) == (1, "hhh hhh hhh")
    assert hit.semantic_score == pytest.approx(1.0)


def test_a_hit_shows_its_passage_when_asked(hybrid_movies: Any) -> None:
    assert hybrid_movies.search("alien").hits[0].passage is None
    assert hybrid_movies.search("alien", passage=True).hits[0].passage.startswith("Alien")
