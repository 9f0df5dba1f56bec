"""Words that are made of words, other forms of a word, and Arabic with what is written on to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import Stemmer

import hybridsearch
from hybridsearch import Index
from hybridsearch.analysis import Analyzer, fold, plain
from hybridsearch.evaluate import evaluate
from hybridsearch.jsontext import loads
from hybridsearch.query import parse
from hybridsearch.request import Hit
from hybridsearch.word_forms import parts

WORDS = {"rind", "fleisch", "rindfleisch", "etikett", "arbeit", "zimmer", "haus", "kind", "garten"}


@pytest.mark.parametrize(
    ("compound", "found"),
    [
        ("rindfleischetikett", ["rindfleisch", "etikett"]),
        ("arbeitszimmer", ["arbeit", "zimmer"]),
        ("kindergarten", ["kind", "garten"]),
        ("zimmer", ["zimmer"]),
        ("zimmermann", []),
        ("xzimmer", []),
        ("", []),
        ("hausgartenzimmer", ["haus", "garten", "zimmer"]),
    ],
)
def test_a_compound_is_taken_apart_into_words(compound: str, found: list[str]) -> None:
    assert parts(compound, WORDS.__contains__) == found


def test_a_word_of_the_longest_kind_is_taken_apart_in_no_time() -> None:
    asked = []

    def known(part: str) -> bool:
        asked.append(part)
        return set(part) == {"a"}

    assert parts("a" * 63 + "b", known) == []
    assert len(asked) < 64 * 64


# A judged set of German texts: what a compound is about is also found by its parts

TEXTS = {
    "1": "Die Rindfleischetikettierung ist seit Jahren gesetzlich geregelt",
    "2": "Rindfleisch aus der Region und seine Kennzeichnung",
    "3": "Das Etikett auf der Flasche nennt den Hersteller",
    "4": "Ein Arbeitszimmer kann von der Steuer abgesetzt werden",
    "5": "Das Zimmer für die Arbeit liegt im ersten Stock",
    "6": "Krankenhäuser der Stadt nehmen wieder Patienten auf",
    "7": "Das Haus am See wird verkauft",
    "8": "Die Krankenversicherung zahlt die Behandlung",
    "9": "Eine Versicherung gegen Hagel lohnt sich für Bauern",
    "10": "Der Bundestag wählt die Bundeskanzlerin",
    "11": "Die Kanzlerin reist nach Paris",
    "12": "Wohnungsbau und Mieten in den Großstädten",
    "13": "Große Stadt, kleine Wohnung: der Bau neuer Wohnungen stockt",
    "14": "Geschwindigkeitsbegrenzung auf der Autobahn gefordert",
    "15": "Die Geschwindigkeit auf Landstraßen ist begrenzt",
    "16": "Apfelkuchen mit Zimt nach dem Rezept der Großmutter",
    "17": "Kuchen backen mit Äpfeln",
    "18": "Wintersport in den Alpen: Schnee fehlt",
    "19": "Im Winter treibt sie Sport",
    "20": "Das Wetter im Gebirge ändert sich schnell",
}
QRELS: dict[str, dict[str, int]] = {
    "Rindfleischetikettierung": {"1": 2, "2": 1},
    "Rindfleisch": {"1": 1, "2": 2},
    "Arbeitszimmer": {"4": 2, "5": 1},
    "Zimmer": {"5": 2, "4": 1},
    "Krankenhaus": {"6": 2},
    "Häuser": {"7": 2, "6": 1},
    "Versicherung": {"9": 2, "8": 1},
    "Versicherungen für Kranke": {"8": 2, "9": 1},
    "Kanzlerin": {"11": 2, "10": 1},
    "Bundeskanzlerin": {"10": 2, "11": 1},
    "Bau von Wohnungen": {"13": 2, "12": 1},
    "Wohnungsbau": {"12": 2, "13": 1},
    "Geschwindigkeit begrenzen": {"15": 2, "14": 1},
    "Geschwindigkeitsbegrenzungen": {"14": 2, "15": 1},
    "Kuchen": {"17": 2, "16": 1},
    "Apfelkuchenrezept": {"16": 2, "17": 1},
    "Sport im Winter": {"19": 2, "18": 1},
    "Wetter": {"20": 2},
    "Haus kaufen": {"7": 2},
}


@pytest.fixture(scope="module")
def german() -> Iterator[Index]:
    with hybridsearch.open(default_embedder=None) as db:
        index = db.create_index("texts", primary_key="id", settings={"language": "de"})
        index.add([{"id": id_, "text": text} for id_, text in TEXTS.items()])
        yield index


def stemmed(index: Index, query: str) -> list[str]:
    """What the stems of the query alone find, by BM25."""
    state = index.snapshot().state
    read = parse(query, state.analyzer)
    found = state.keyword.top(read, weights={"text": 1.0}, limit=len(TEXTS))
    documents = map(loads, state.keyword.bodies(found.rows))
    return [document["id"] for document in documents]


def test_compounds_find_more_than_a_plain_stemmer_and_rank_no_worse(german: Index) -> None:
    ours = {query: [str(hit.id) for hit in german.search(query).hits] for query in QRELS}
    plainly = {query: stemmed(german, query) for query in QRELS}
    assert all(set(ours[query]).issuperset(plainly[query]) for query in QRELS)
    better, usual = evaluate(ours, QRELS), evaluate(plainly, QRELS)
    for name in ("ndcg", "map", "recall", "mrr"):
        assert better.mean[name] >= usual.mean[name]
    assert better.mean["ndcg"] > usual.mean["ndcg"] + 0.1
    assert (better.of("ndcg") >= usual.of("ndcg")).all()


def marked(index: Index, query: str, **options: Any) -> dict[Any, str]:
    hits = index.search(query, highlight=["text"], **options).hits
    return {hit.id: hit.highlights["text"] for hit in hits}


def test_parts_of_a_compound_and_compounds_are_marked(german: Index) -> None:
    assert marked(german, "Rindfleischetikettierung")["2"].startswith("<em>Rindfleisch</em> aus")
    assert marked(german, "Versicherung ")["8"].startswith("Die <em>Krankenversicherung</em>")
    assert marked(german, "Rindfleischettikettierung ")["1"].startswith(
        "Die <em>Rindfleischetikettierung</em>"
    )


def test_a_phrase_holds_no_parts_of_compounds(german: Index) -> None:
    assert list(marked(german, '"Bundeskanzlerin"')) == ["10"]
    assert list(marked(german, '"die Kanzlerin"')) == ["11"]


def test_what_is_excluded_excludes_no_compound(german: Index) -> None:
    assert list(marked(german, "Bundestag -Kanzlerin")) == ["10"]


def test_a_part_counts_less_than_the_word(german: Index) -> None:
    hits = german.search("Bundeskanzlerin", explain=True).hits
    how = [part.get("how") for hit in hits for part in _parts(hit)]
    assert how == [None, "compound"]
    assert hits[0].score > 2 * hits[1].score


def _parts(hit: Hit) -> list[dict[str, Any]]:
    assert hit.explanation is not None
    found: list[dict[str, Any]] = hit.explanation["keyword"]["parts"]["parts"]
    return found


def test_other_languages_take_nothing_apart() -> None:
    with hybridsearch.open(default_embedder=None) as db:
        index = db.create_index("texts", primary_key="id", settings={"language": "en"})
        index.add([{"id": "1", "text": "a bookkeeper"}, {"id": "2", "text": "the keeper of books"}])
        assert list(marked(index, "keeper ")) == ["2"]


# Accents that a stemmer takes for other words


@pytest.mark.parametrize(
    ("language", "text", "query"),
    [
        ("en", "my résumé", "resume "),
        ("en", "my resume", "résumé "),
        ("fr", "une idée", "idee "),
        ("fr", "ils répètent", "repetent "),
        ("pt", "a informação", "informacao "),
        ("it", "la libertà", "liberta "),
        ("es", "él habló", "hablo "),
        ("cs", "žlutý kůň", "kun "),
        ("hu", "házakban", "hazakban "),
        ("ro", "frumuseţe", "frumusete "),
    ],
)
def test_a_word_without_its_accents_is_found(language: str, text: str, query: str) -> None:
    with hybridsearch.open(default_embedder=None) as db:
        index = db.create_index("texts", primary_key="id", settings={"language": language})
        index.add([{"id": 1, "text": text}, {"id": 2, "text": "zzz"}])
        (marks,) = marked(index, query).values()
        assert marks.endswith("</em>")


# Arabic: what is written on to a word, and what may be left out

TOGETHER = [
    ("كتاب", "الكتاب"),
    ("كتاب", "والكتاب"),
    ("كتاب", "فالكتاب"),
    ("كتاب", "بالكتاب"),
    ("كتاب", "كالكتاب"),
    ("كتاب", "للكتاب"),
    ("كتاب", "كِتَابٌ"),
    ("كتاب", "كـتـاب"),
    ("مدرسة", "مدرسه"),
    ("مدرسة", "والمدرسة"),
    ("مدرسة", "للمدرسة"),
    ("أحمد", "احمد"),
    ("إسلام", "الاسلام"),
    ("آثار", "اثار"),
    ("مستشفى", "المستشفي"),
    ("بيت", "والبيت"),
    ("قلم", "وبالقلم"),
]
APART = [("كتاب", "كلب"), ("ولد", "لد"), ("فكر", "كر"), ("وقت", "قت"), ("بيت", "نبت")]


def test_arabic_words_with_what_is_written_on_to_them_are_one_term() -> None:
    ours = Analyzer("ar").term
    stemmer = Stemmer.Stemmer("arabic")
    plainly = [
        fold(stemmer.stemWord(plain(a))) == fold(stemmer.stemWord(plain(b))) for a, b in TOGETHER
    ]
    found = [ours(a) == ours(b) for a, b in TOGETHER]
    assert all(found)
    assert sum(plainly) < len(TOGETHER)


@pytest.mark.parametrize(("one", "other"), APART)
def test_other_arabic_words_stay_apart(one: str, other: str) -> None:
    assert Analyzer("ar").term(one) != Analyzer("ar").term(other)
