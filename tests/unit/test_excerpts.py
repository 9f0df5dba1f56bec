"""Pieces of texts around what matches."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hybridsearch.excerpts import Piece, best, pieces, shown

TAGS = ("<b>", "</b>")


def spans_of(text: str, *words: str) -> list[tuple[int, int]]:
    found = []
    for word in words:
        at = text.find(word)
        while at >= 0:
            found.append((at, len(word)))
            at = text.find(word, at + 1)
    return sorted(found)


def best_of(text: str, *words: str, size: int) -> str:
    spans = spans_of(text, *words)
    return shown(text, spans, best(text, spans, size=size), tags=TAGS)


LONG = "one two three red four five six seven eight red shoes nine ten eleven twelve thirteen"


def test_a_text_that_fits_comes_whole() -> None:
    assert best_of("red shoes", "red", size=9) == "<b>red</b> shoes"


def test_the_piece_with_most_different_matches_is_shown() -> None:
    assert best_of(LONG, "red", "shoes", size=24) == "…eight <b>red</b> <b>shoes</b> nine…"


def test_no_word_is_cut() -> None:
    assert best_of("abcdef ghijkl red mnopqr stuvwx", "red", size=11) == "…<b>red</b>…"


def test_without_a_match_the_beginning_is_shown() -> None:
    assert best_of(LONG, size=12) == "one two…"


def test_text_without_blanks_is_cut_anywhere() -> None:
    assert best_of("あ" * 20 + "東京" + "い" * 20, "東京", size=6) == "…ああ<b>東京</b>いい…"


def test_a_match_longer_than_the_piece_is_cut() -> None:
    assert best_of("x " + "a" * 50, "a" * 50, size=10) == "…<b>aaaaaaaaaa</b>…"


def test_pieces_follow_the_text() -> None:
    spans = spans_of(LONG, "red", "shoes", "thirteen")
    found = [shown(LONG, spans, each, tags=TAGS) for each in pieces(LONG, spans, size=14, most=9)]
    assert found == ["…<b>red</b> four…", "…<b>red</b> <b>shoes</b>…", "…<b>thirteen</b>"]


def test_of_too_many_pieces_the_richest_stay() -> None:
    spans = spans_of(LONG, "red", "shoes")
    found = pieces(LONG, spans, size=14, most=1)
    assert [shown(LONG, spans, each, tags=TAGS) for each in found] == ["…<b>red</b> <b>shoes</b>…"]


def test_escaping_leaves_the_tags() -> None:
    text = 'a < "b" & c'
    assert shown(text, [(4, 3)], Piece(0, 11), tags=TAGS, escape=True) == (
        "a &lt; <b>&quot;b&quot;</b> &amp; c"
    )


texts = st.lists(
    st.sampled_from(["red", "shoes", "x", "long-word", "東京都", " ", "\n"]), max_size=30
)


@given(texts.map(" ".join), st.integers(1, 40), st.integers(1, 4))
def test_pieces_hold_whole_matches_and_no_more_than_their_size(
    text: str, size: int, most: int
) -> None:
    spans = spans_of(text, "red", "shoes", "京")
    one = best(text, spans, size=size)
    assert one.end - one.start <= size
    assert not spans or any(one.start <= at < one.end for at, _ in spans)
    found = pieces(text, spans, size=size, most=most)
    assert len(found) <= most
    assert bool(found) == bool(spans)
    assert all(left.end <= right.start for left, right in pairwise(found))
    for piece in found:
        assert 0 < piece.end - piece.start <= size
        assert any(piece.start <= at < piece.end for at, _ in spans)
    plain = shown(text, spans, one, tags=("", ""))
    assert text[one.start : one.end] == plain.removeprefix("…" * (one.start > 0)).removesuffix(
        "…" * (one.end < len(text))
    )
