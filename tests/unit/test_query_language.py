"""The query language: what it reads, what it refuses, and which rows it finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import hybridsearch
from hybridsearch import Index, keyword_terms
from hybridsearch.analysis import Analyzer
from hybridsearch.errors import QueryError
from hybridsearch.query import Phrase, Query
from hybridsearch.query_language import plain_text, read
from hybridsearch.segmentation import WordRules

PLAIN = Analyzer()
ROWS = [
    {"id": 1, "title": "Red running shoes", "body": "light shoes for road races"},
    {"id": 2, "title": "Blue trail shoes", "body": "trail running in mud"},
    {"id": 3, "title": "Running socks", "body": "socks for long runs since 2019"},
    {"id": 4, "title": "Leather boots", "body": "boots of the relatives"},
]


def asked(text: str, analyzer: Analyzer = PLAIN) -> Query:
    return read(text, analyzer, attributes=("title", "body", "maker.name"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("red Shoes", [("red", "", 0, None), ("shoes", "", 0, None)]),
        ("run*", [("run", "run", 0, None)]),
        ("RÚN*", [("run", "run", 0, None)]),
        ("shoos~1 shoos~0", [("shoos", "", 1, None), ("shoos", "", 0, None)]),
        ("title:red Title:run*", [("red", "", 0, "title"), ("run", "run", 0, "title")]),
        ("maker:ann", [("ann", "", 0, "maker")]),
        ("x-ray*", [("x", "", 0, None), ("ray", "ray", 0, None)]),
        ("東京*", [("東京", "", 0, None)]),
        ("12:30 http://a", [(w, "", 0, None) for w in ("12", "30", "http", "a")]),
        ("title:12:30", [("12", "", 0, "title"), ("30", "", 0, "title")]),
        ("“red”", []),
        ("", []),
    ],
)
def test_words(text: str, words: list[tuple[str, str, int, str | None]]) -> None:
    found = [(word.term, word.begins, word.typos, word.only) for word in asked(text).words]
    assert found == words


def test_phrases_and_what_is_excluded() -> None:
    query = asked('"road race" title:"a (b)"~2 -"a b"~1 -boots -title:shoos~1 -run*')
    assert query.phrases == (Phrase(("road", "race")), Phrase(("a", "b"), 2, "title"))
    phrase, *words = query.excluded
    assert phrase == Phrase(("a", "b"), 1)
    assert [(w.term, w.begins, w.typos, w.only) for w in words if not isinstance(w, Phrase)] == [
        ("boots", "", 0, None),
        ("shoos", "", 1, "title"),
        ("run", "run", 0, None),
    ]


def test_a_word_of_the_dictionary_keeps_its_blanks() -> None:
    analyzer = Analyzer(rules=WordRules(dictionary=("new york",)))
    assert [word.term for word in asked("new york red", analyzer).words] == ["new_york", "red"]


@pytest.mark.parametrize(
    ("text", "position", "told"),
    [
        ('red "road race', 5, "this quote is never closed"),
        ('"a"b', 4, "a blank is missing"),
        ('a"b"', 2, "a blank is missing"),
        ('"a b"~9', 6, "steps from 0 to 8"),
        ('"a b"~', 6, "steps from 0 to 8"),
        ("red - blue", 5, "right before what it excludes"),
        ("red -", 5, "right before what it excludes"),
        ("*", 1, "end of a word"),
        ("ru*n", 3, "end of a word"),
        ("run*~1", 4, "end of a word"),
        ("-x-ray*", 2, "behind one word"),
        ("x-ray~1", 1, "behind one word"),
        ("a?* b", 1, "right behind a word"),
        ("shoos~3", 6, "0, 1 or 2 typos"),
        ("shoos~", 6, "0, 1 or 2 typos"),
        ("~1", 1, "right behind a word"),
        ("& red", 1, "there is no word"),
        ('red ""', 5, "there is no word"),
        ("red (blue)", 5, "has no meaning"),
        ("red^2", 4, "has no meaning"),
        ("red AND blue", 5, "AND is no operator"),
        ("red OR blue", 5, "OR is no operator"),
        ("NOT red", 1, "a minus before a word"),
        ("titel:red", 1, 'no searchable attribute "titel"; did you mean "title"?'),
        ("red -titel:red", 6, 'no searchable attribute "titel"'),
        ("title: red", 1, 'nothing is asked of "title"'),
        ("title:", 1, 'nothing is asked of "title"'),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_place(text: str, position: int, told: str) -> None:
    with pytest.raises(QueryError) as raised:
        asked(f"  {text}")
    assert told in raised.value.message
    assert f"(character {position + 2} of the query)" in raised.value.message
    assert (raised.value.fields["position"], raised.value.fields["field"]) == (
        position + 2,
        "query",
    )


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('title:run* -boots "road race"~2 shoos~1', "run road race shoos"),
        ('-title:"a b" -x*', ""),
        ("12:30 e-mail http://a", "12:30 e-mail http://a"),
    ],
)
def test_signs_are_not_embedded(text: str, plain: str) -> None:
    assert plain_text(text) == plain


@pytest.fixture(scope="module", params=["none", "en"])
def index(request: pytest.FixtureRequest) -> Iterator[Index]:
    with hybridsearch.open() as db:
        made = db.create_index(
            "docs", primary_key="id", settings={"language": request.param, "synonyms": {}}
        )
        made.add(ROWS)
        yield made


def ids(index: Index, query: str, **more: Any) -> list[Any]:
    return sorted(hit.id for hit in index.search(query, match="query", **more))


@pytest.mark.parametrize("mode", ["keyword", "hybrid", "semantic"])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("running shoes", [1, 2]),
        ("run*", [1, 2, 3]),
        ("relativ*", [4]),
        ("20*", [3]),
        ("title:runnin*", [1, 3]),
        ("shoos~1", [1, 2]),
        ("shoos", []),
        ("shoos~1 -trial~2", [1]),
        ("shoes -body:shoe*", [2]),
        ("-shoes", [3, 4]),
        ('"shoes road"~1', [1]),
        ('-"road races" socks', [3]),
        ("", [1, 2, 3, 4]),
    ],
)
def test_every_hit_holds_all_that_is_asked(
    index: Index, mode: str, query: str, found: list[int]
) -> None:
    assert ids(index, query, mode=mode) == found
    assert index.search(query, match="query", mode=mode).total == len(found)


def test_what_was_meant_is_marked_and_explained(index: Index) -> None:
    [hit] = index.search(
        "title:sock~1 run*", match="query", mode="keyword", highlight=["*"], explain=True
    )
    assert hit.highlights["title"] == "<em>Running</em> <em>socks</em>"
    assert "<em>runs</em>" in hit.highlights["body"]
    assert hit.explanation is not None


def test_a_beginning_of_very_many_words_finds_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyword_terms, "SMALL", 0)
    monkeypatch.setattr(keyword_terms, "EXPANSIONS", 2)
    with hybridsearch.open(default_embedder=None) as db:
        many = db.create_index("many", primary_key="id", settings={"language": "none"})
        letters = "abcdefghijk"
        words = [f"q{a}{b}{c}" for a in letters for b in letters for c in letters]
        texts = [f"x {' '.join(words)}", "Qaaa end", "qzzz end", "x end", "Quick end"]
        many.add([{"id": id_, "text": text} for id_, text in enumerate(texts, 1)])
        assert sorted(ids(many, "qa*")) == [1, 2]
        assert sorted(ids(many, "q*")) == [1, 2, 3, 5]
        assert ids(many, "end -q*") == [4]
        assert sorted(ids(many, "end text:q*")) == [2, 3, 5]
        hits = many.search("q*", match="query", mode="keyword", highlight=["text"]).hits
        marked = {hit.id: hit.highlights["text"] for hit in hits}
        assert marked[5] == "<em>Quick</em> end"


def test_a_word_that_is_near_too_many_is_refused() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [f"q{one}aaaa{two}a" for one in letters for two in letters]
    words += [f"qa{one}a{two}aaa" for one in letters for two in letters]
    with hybridsearch.open(default_embedder=None) as db:
        many = db.create_index("many", primary_key="id", settings={"language": "none"})
        many.add([{"id": 1, "text": " ".join(words)}])
        with pytest.raises(QueryError, match=r'"qaaaaaaa~2" stands for 1,\d+ words'):
            ids(many, "qaaaaaaa~2")
