"""Do misspelt queries come out as people misspell, and always the same?"""

from pathlib import Path

from tests.relevance.misspelling import attested, misspelt

PAIRS = """\
wrong	right	distance
goverment	Government	1
hte	the	1
foo bar	foobar	1
xx	yy	3
"""
WRONGS = {"government": ["goverment", "govrnment"], "planes": ["plains", "plnaes"]}
TEXTS = ["The government of planes", "Government", "plains"]


def test_pairs_are_words_one_or_two_letters_off(tmp_path: Path) -> None:
    (tmp_path / "some.tsv").write_text(PAIRS)
    assert attested(tmp_path) == {"government": ["goverment"], "the": ["hte"]}


def test_words_are_misspelt_as_no_text_has_them() -> None:
    found = misspelt({"1": "What PLANES has the government?"}, TEXTS, WRONGS)
    assert found["1"].startswith("what plnaes has the gov")
    assert found["1"].removeprefix("what plnaes has the ") in ("goverment?", "govrnment?")


def test_a_query_comes_out_the_same_whatever_is_asked_beside_it() -> None:
    alone = misspelt({"7": "government planes"}, TEXTS, WRONGS)["7"]
    beside = misspelt({"5": "government", "7": "government planes"}, TEXTS, WRONGS)
    assert beside["7"] == alone


def test_short_words_and_those_without_a_misspelling_stay() -> None:
    assert misspelt({"1": "the space"}, TEXTS, {"the": ["hte"]}) == {"1": "the space"}
