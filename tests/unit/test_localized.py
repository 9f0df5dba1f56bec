"""Attributes of several languages in one index, and the languages of a query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hybridsearch
from hybridsearch import Index
from hybridsearch.database import Database
from hybridsearch.errors import QueryError, SettingsError
from hybridsearch.request import Hit

DOCUMENTS: list[dict[str, Any]] = [
    {
        "id": 1,
        "title_en": "The horses were running",
        "title_fr": "Les chevaux courent",
        "de": {"title": "Die Häuser am Fluss"},
        "notes": "des chevaux naïfs, cities",
    },
    {"id": 2, "title_en": "Chevaux", "title_fr": "Un journal", "notes": "Zeitungen lesen"},
    {"id": 3, "title_en": "A newspaper", "notes": "la ville"},
]
LOCALIZED = [
    {"attributePatterns": ["*_fr"], "locales": ["fra"]},
    {"attributePatterns": ["de.*"], "locales": ["de"]},
    {"attributePatterns": ["notes"], "locales": ["deu", "fra", "eng"]},
]
SETTINGS = {"language": "en", "localizedAttributes": LOCALIZED}


def filled(db: Database, settings: dict[str, Any], name: str = "papers") -> Index:
    index = db.create_index(name, primary_key="id", settings=settings)
    index.add(DOCUMENTS)
    return index


@pytest.fixture(scope="module")
def papers() -> Any:
    with hybridsearch.open(default_embedder=None) as db:
        yield filled(db, SETTINGS)


def marked(index: Index, query: str, **options: Any) -> dict[Any, list[str]]:
    """Each hit's texts in which something is marked."""
    hits = index.search(query, highlight=["*"], **options).hits
    return {hit.id: [text for text in _texts(hit.highlights) if "<em>" in text] for hit in hits}


def _parts(hit: Hit) -> list[dict[str, Any]]:
    assert hit.explanation is not None
    found: list[dict[str, Any]] = hit.explanation["keyword"]["parts"]["parts"]
    return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (
            "cheval",
            {
                1: ["Les <em>chevaux</em> courent", "des <em>chevaux</em> naïfs, cities"],
                2: ["<em>Chevaux</em>"],
            },
        ),
        ("horse ", {1: ["The <em>horses</em> were running"]}),
        ("haus ", {1: ["Die <em>Häuser</em> am Fluss"]}),
        ('"le cheval"', {1: ["<em>Les chevaux</em> courent"]}),
        ('"the horse"', {1: ["<em>The horses</em> were running"]}),
        ("horse -cheval", {}),
        ("title_fr:journaux", {2: ["Un <em>journal</em>"]}),
        ("title_en:journaux", {}),
        ("hauesr ", {1: ["Die <em>Häuser</em> am Fluss"]}),
        ("city", {1: ["des chevaux naïfs, <em>cities</em>"]}),
        ("zeitung ", {2: ["<em>Zeitungen</em> lesen"]}),
        ("naif ", {1: ["des chevaux <em>naïfs</em>, cities"]}),
    ],
)
def test_each_attribute_is_read_in_its_language(
    papers: Index, query: str, found: dict[Any, list[str]]
) -> None:
    assert marked(papers, query) == found


def test_a_phrase_of_several_languages_is_as_typed_in_an_attribute_of_several(
    papers: Index,
) -> None:
    assert 1 in marked(papers, '"chevaux naïfs"')
    assert 1 not in marked(papers, '"cheval naïf"')


def test_matching_all_words_takes_each_in_its_language(papers: Index) -> None:
    assert list(marked(papers, "cheval courent haus", match="all")) == [1]
    assert not marked(papers, "cheval newspaper", match="all")


@pytest.mark.parametrize("match", ["any", "all", "phrase", "last", "frequency"])
@pytest.mark.parametrize("query", ["les chevaux", "cheval cities", '"le cheval" horse', "chevuax"])
def test_the_parts_of_an_explained_score_add_up(papers: Index, match: str, query: str) -> None:
    for hit in papers.search(query, match=match, explain=True).hits:
        parts = _parts(hit)
        assert sum(part["score"] for part in parts) == pytest.approx(hit.score, abs=1e-5)


def test_another_form_is_said_to_be_one(papers: Index) -> None:
    (hit,) = papers.search("notes:city ", explain=True).hits
    (part,) = _parts(hit)
    assert (part["attribute"], part["term"], part["how"]) == ("notes", "cities", "form")


def test_a_change_indexes_anew_and_outlives_closing(tmp_path: Path) -> None:
    with hybridsearch.open(tmp_path / "p.duckdb", default_embedder=None) as db:
        index = filled(db, {"language": "en"})
        assert not marked(index, "title_fr:cheval ")
        index.update_settings({"localizedAttributes": LOCALIZED})
        assert list(marked(index, "title_fr:cheval ")) == [1]
    with hybridsearch.open(tmp_path / "p.duckdb", default_embedder=None) as db:
        index = db.index("papers")
        assert list(marked(index, "title_fr:cheval ")) == [1]
        index.add([{"id": 4, "title_fr": "Deux chevaux"}])
        assert set(marked(index, "title_fr:cheval ")) == {1, 4}
        index.update_settings({"localizedAttributes": None})
        assert not marked(index, "title_fr:cheval ")


def test_the_first_rule_that_an_attribute_fits_decides() -> None:
    rules = [
        {"attributePatterns": ["title_fr"], "locales": ["eng"]},
        {"attributePatterns": ["*"], "locales": ["fra"]},
    ]
    with hybridsearch.open(default_embedder=None) as db:
        index = filled(db, {"localizedAttributes": rules})
        assert not marked(index, "title_fr:cheval ")
        assert list(marked(index, "title_en:cheval ")) == [2]


def test_a_rule_without_languages_leaves_the_usual_one() -> None:
    rules = [{"attributePatterns": ["*"], "locales": []}]
    with hybridsearch.open(default_embedder=None) as db:
        index = filled(db, {"language": "fr", "localizedAttributes": rules})
        assert list(marked(index, "title_fr:cheval ")) == [1]


@pytest.mark.parametrize("locales", [["xx"], ["french"], [""], "fra", ["fra", 1]])
def test_unknown_languages_of_attributes_are_refused(papers: Index, locales: Any) -> None:
    rules = [{"attributePatterns": ["*"], "locales": locales}]
    with pytest.raises(SettingsError, match="localizedAttributes"):
        papers.update_settings({"localizedAttributes": rules})


def test_words_are_suggested_that_any_attribute_holds(papers: Index) -> None:
    assert papers.snapshot().suggestions("chev", limit=5) == [("chevaux", 3)]
    assert papers.snapshot().suggestions("hor", limit=5) == [("horses", 1)]


# The languages of a query


@pytest.fixture(scope="module")
def plain() -> Any:
    with hybridsearch.open(default_embedder=None) as db:
        yield filled(db, {"language": "none"})


@pytest.mark.parametrize(
    ("query", "locales", "found"),
    [
        ("cheval ", None, []),
        ("cheval ", ["fra"], [1, 2]),
        ("cheval ", ["fr-CA"], [1, 2]),
        ("cheval ", ["eng"], []),
        ("zeitung ", ["eng", "deu"], [2]),
        ("les chevaux", ["fra"], [1, 2]),
        ("newspapers", ["en"], [3]),
        ("chevaux", ["zho"], [1, 2]),
    ],
)
def test_words_are_found_in_the_forms_of_the_query_s_languages(
    plain: Index, query: str, locales: list[str] | None, found: list[int]
) -> None:
    assert sorted(marked(plain, query, locales=locales)) == found


def test_sql_takes_the_languages_of_a_query() -> None:
    with hybridsearch.open(default_embedder=None) as db:
        filled(db, {"language": "none"})
        with db.connect() as con:
            found = "SELECT list(id ORDER BY id) FROM search('papers', 'cheval', locales := {})"
            assert con.execute(found.format("NULL")).fetchall() == [(None,)]
            assert con.execute(found.format("['fra']")).fetchall() == [([1, 2],)]
            assert con.execute(found.format("$1"), [["fr"]]).fetchall() == [([1, 2],)]


def test_stop_words_are_those_of_the_query_s_languages(plain: Index) -> None:
    assert sorted(marked(plain, "la cheval ")) == [3]
    assert sorted(marked(plain, "la cheval ", locales=["fr"])) == [1, 2]


@pytest.mark.parametrize("locales", [["xx"], ["english"], "en", [1], 7, ["en", None]])
def test_unknown_languages_of_a_query_are_refused(plain: Index, locales: Any) -> None:
    with pytest.raises(QueryError, match="locales must be a list of ISO 639 codes"):
        plain.search("x", locales=locales)
