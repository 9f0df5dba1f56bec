"""When are two words the same but for their writing?

`plain` takes away what is no letter of a word: case, compatibility forms, characters that nobody
sees. `fold` also takes away accents and the variants of a letter, so that "Łódź" and "lodz" are one
word, "مدرسة" and "مدرسه", "٢٠٢٠" and "2020". Vowel signs that carry meaning stay, as in Hindi and
Thai. No text makes either raise, and folding twice changes nothing more.

>>> fold("Ångström"), fold("ﬁle"), fold("كتـــاب") == fold("کتاب")
('angstrom', 'file', True)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import chain

__all__ = [
    "IGNORED",
    "JOINTS",
    "LONGEST_TERM",
    "LONGEST_WRITTEN",
    "MARKS",
    "UNSPACED",
    "bare",
    "fold",
    "plain",
]

LONGEST_TERM, LONGEST_WRITTEN = 64, 1024
"""Characters of a term, and of a word with its accents, marks and joiners that are looked at."""

UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf\u1000-\u103f\u1050-\u108f"
    "\u1100-\u11ff\u1780-\u17d3\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b"
    "\u3041-\u3096\u3099-\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f"
    "\u3131-\u318e\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7fb"
    "\uf900-\ufaff\uff66-\uffdc\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
"""Letters, as ranges of a character class, of scripts that put no spaces between words."""

IGNORED = (
    "\u00ad\u061c\u180e\u200d-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff"
    "\U000e0100-\U000e01ef"
)
"""Hyphens that do not show, joiners, marks of direction and of the form of a letter: a word with
them in its middle is one word, the same as without."""

_ARABIC = "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc"
JOINTS = (
    "(?<=[\u05d0-\u05ea])[\"'\u05f3\u05f4](?=[\u05d0-\u05ea])"  # Hebrew abbreviations
    "|(?<=[\u0400-\u052f])['\u2019](?=[\u0400-\u052f])"  # the Ukrainian apostrophe
    f"|(?<![{_ARABIC}])\u200c"  # Persian puts it where others put a space
)
"""A pattern of what stands inside a word only between certain letters, and is no letter."""


def _ranges(characters: Iterable[str]) -> str:
    """Ascending characters as ranges, which compile faster than a thousand members."""
    runs: list[list[str]] = []
    for character in characters:
        if runs and ord(character) == ord(runs[-1][-1]) + 1:
            runs[-1][1:] = [character]
        else:
            runs.append([character])
    return "".join("-".join(run) for run in runs)


_unspaced = re.compile(f"[{UNSPACED}]").match
_marks = [
    chr(code)
    for code in chain(
        range(0x300, 0x3100), range(0xA66F, 0xABF0), range(0xFB1E, 0xFE30), range(0x11000, 0x11048)
    )
    if unicodedata.category(chr(code))[0] == "M"
]
_ALL_MARKS = _ranges(_marks)
MARKS = _ranges(mark for mark in _marks if not _unspaced(mark))
"""Accents, vowel signs and the like of scripts with spaces, as ranges of a character class."""

_hidden = re.compile(f"[{IGNORED}\u0640\u034f\u200c\u02bb\u02bc'\"\u2019\u05f3\u05f4]+")
# Accents that only colour a letter. U+0306 stays on Cyrillic i: there it makes another letter.
_accents = re.compile(
    "[\u0300-\u0305\u0307-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u1ab0-\u1aff"
    "\u180b-\u180f\u1dc0-\u1dff\ufe20-\ufe2f]|(?<!\u0438)\u0306"
)
_not_term = re.compile(f"[^\\w{_ALL_MARKS}]|_")
# The vowel am of Thai and Lao: its circle is typed before the tone mark as well as behind it.
_circle = re.compile("([\u0e4d\u0ecd])([\u0e48-\u0e4b\u0ec8-\u0ecb])")

_LETTERS = {
    **{"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "ŧ": "t", "ŋ": "n", "ð": "d"},  # noqa: RUF001 - letters
    **{"æ": "ae", "œ": "oe", "þ": "th", "ɓ": "b", "ɗ": "d", "ƙ": "k", "ƴ": "y"},
    # Arabic as written in other countries: alef, teh marbuta, yeh, kaf and heh.
    **{"\u0671": "\u0627", "\u0629": "\u0647", "\u0649": "\u064a", "\u06cc": "\u064a"},
    **{"\u06d2": "\u064a", "\u06a9": "\u0643", "\u06c1": "\u0647", "\u06be": "\u0647"},
    **{"\u06d5": "\u0647", "\u06c3": "\u0647"},
    # Malayalam consonants without a vowel, which are also written with a sign for that.
    **{"\u0d7a": "\u0d23\u0d4d", "\u0d7b": "\u0d28\u0d4d", "\u0d7c": "\u0d30\u0d4d"},
    **{"\u0d7d": "\u0d32\u0d4d", "\u0d7e": "\u0d33\u0d4d", "\u0d7f": "\u0d15\u0d4d"},
}
_same = str.maketrans(_LETTERS)
_digits = re.compile(r"[^\D0-9]")


def plain(word: str) -> str:
    """The word with case and compatibility forms folded but its accents kept, as stemmers expect.

    >>> plain("Größe"), plain("ﬁN"), plain("co\\u00adop")
    ('grösse', 'fin', 'coop')
    """
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", _seen(word)).casefold())


def _seen(word: str) -> str:
    """The word without characters that nobody sees or that only join its parts."""
    return _circle.sub("\\2\\1", _hidden.sub("", word))


def bare(word: str) -> str:
    """A plain word without accents and variants of letters; whatever is no letter is gone."""
    if word.isascii():
        return word if word.isalnum() else _not_term.sub("", word)
    letters = _accents.sub("", unicodedata.normalize("NFD", word)).translate(_same)
    letters = _digits.sub(_digit, letters)
    return _not_term.sub("", unicodedata.normalize("NFC", letters))


def _digit(match: re.Match[str]) -> str:
    return str(unicodedata.decimal(match.group()))


def fold(word: str) -> str:
    """The word without case and accents, at most 64 characters, not stemmed.

    >>> fold("Ångström"), fold("ﬁle"), fold("한국")
    ('angstrom', 'file', '한국')
    """
    return bare(plain(word[:LONGEST_WRITTEN]))[:LONGEST_TERM]
