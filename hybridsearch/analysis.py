"""Which terms does a text hold?

One `Analyzer` answers for documents, queries, phrases and highlights alike, so all of them see
the same terms:

- letters and digits make words; everything else, emoji and punctuation too, separates them;
- case, accents, full-width and ligature forms are folded away, vowel signs that carry meaning stay;
- Han, Kana, Hangul, Thai, Lao, Khmer and Burmese runs become overlapping pairs of characters
  (a single character stays), because their words are not separated by spaces;
- with a language, words are stemmed by its Snowball stemmer.

No text makes it raise: lone surrogates, NUL and words of a megabyte are all plain input. A term
has at most 64 characters, none of them a space. Stop words are *indexed*: they only count as
dispensable in a query (`hybridsearch.query`), so phrases of them are found and changing the list
needs no new index.

>>> Analyzer().terms("Crème brûlée, 東京都!")
['creme', 'brulee', '東京', '京都']
>>> Analyzer("en").terms("The cities were running")
['the', 'citi', 'were', 'run']
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, islice, pairwise
from operator import add
from threading import Lock
from typing import NamedTuple

import Stemmer

from hybridsearch.errors import SettingsError, near

__all__ = [
    "ITEM",
    "LANGUAGES",
    "LONGEST_TERM",
    "Analyzer",
    "Token",
    "detect",
    "fold",
    "folded",
    "is_pair_script",
    "plain",
    "stop_words",
]

ITEM = "\x1e"
"""Stands between the items of a list, across which no phrase reaches; never part of a term."""
LONGEST_TERM = 64
CACHED_WORDS = 1 << 16

LANGUAGES = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}

# Function words only, most frequent first: they tell a language and say little in a query.
_STOP_WORDS = {
    "da": "og i at det er en til af den på for som med de ikke har der et han var jeg om vi "
    "men sig fra blev ved hun kan hvad skal eller ud efter nu da hvis også kun noget være",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch "
    "es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen "
    "so zum war haben nur oder aber vor zur bis mehr durch man sein wurde wenn was welche wer wo",
    "en": "the of and in to a is for that on as with by it was are this be from or at an which "
    "not have has were their but its been we they can you such these also may than other what "
    "there into if more only he his had will all some them our would do does did no how when "
    "where who whom whose why between about during both any each those then so she her him i me "
    "my your us being having should could must very just over under after before through while "
    "because until against here too same own most few nor off out up down again further once "
    "s t",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o pero "
    "sus le ha me si sin sobre este ya entre cuando todo esta ser son dos también fue había era "
    "muy hasta desde está mi porque qué sólo han yo hay cuál quién dónde cómo",
    "fi": "ja on ei se että oli hän mutta ovat kun joka niin myös kuin sen ole jos tai hänen "
    "vain ollut mukaan sekä jotka mitä nyt kanssa ne jo tämä siitä olla voi mikä kuka missä",
    "fr": "de la le et les des en un du une que est pour qui dans par plus pas au sur ne se ce "
    "il sont avec ou son sa ses aux cette d l à été elle mais comme nous on leur si ces fait "
    "être tout était deux même entre je vous sans dont où quel quelle quels qu n s c",
    "it": "di e il la che in a per un del è della non una i si le con da dei sono al come alla "
    "più nel anche lo ma gli ha delle o dal se questo nella su era cui degli loro stato due "
    "dalla ed essere tra ai questa dopo fu chi cosa quale dove l d",
    "nl": "de van het een en in is dat op te zijn met voor niet die aan er om ook als dan of "
    "maar hij bij door uit nog naar heeft tot worden werd ze wordt over hebben was dit had zich "
    "deze geen meer kan na al wel haar zij moet wat wie waar welke hoe",
    "no": "og i det er til som en på for at av med de ikke den har om et var fra han jeg vi men "
    "seg ble så hun eller etter ved kan skal også ut opp være noe nå da når hva hvem hvor mot",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi "
    "ao ele das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela até isso "
    "ela entre era depois sem mesmo aos são qual quem onde",
    "ru": "и в не на что с по как это но из у к за от для он так же о все его был а то она бы "  # noqa: RUF001 - Russian
    "только было мы вы или я при до их ее еще если когда уже был были быть этот чтобы где кто "  # noqa: RUF001 - Russian
    "какой который под со во",  # noqa: RUF001 - Russian
    "sv": "och i att det som en på är av för med till den har de inte om ett han men var jag "
    "från vi så kan när år under också efter eller nu sig där vid mot ska skulle hade utan vad "
    "vem hur vilken blev än detta dess",
}

_UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf\u1000-\u103f\u1050-\u108f"
    "\u1100-\u11ff\u1780-\u17d3\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b"
    "\u3041-\u3096\u3099-\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f"
    "\u3131-\u318e\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7fb"
    "\uf900-\ufaff\uff66-\uffdc\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)


_unspaced = re.compile(f"[{_UNSPACED}]")
# Characters of those scripts that are their own folded form, and one letter each.
_settled = re.compile(
    "[\u0e01-\u0e32\u0e34-\u0e3a\u0e40-\u0e4e\u3005-\u3007\u3041-\u3096\u30a1-\u30fa\u30fc-\u30fe"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]+"
).fullmatch


def _ranges(characters: Iterable[str]) -> str:
    """Ascending characters as ranges, which compile faster than a thousand members."""
    runs: list[list[str]] = []
    for character in characters:
        if runs and ord(character) == ord(runs[-1][-1]) + 1:
            runs[-1][1:] = [character]
        else:
            runs.append([character])
    return "".join("-".join(run) for run in runs)


_marks = [
    chr(code)
    for code in chain(
        range(0x300, 0x3100), range(0xA66F, 0xABF0), range(0xFB1E, 0xFE30), range(0x11000, 0x11048)
    )
    if unicodedata.category(chr(code))[0] == "M"
]
_ALL_MARKS = _ranges(_marks)
_MARKS = _ranges(mark for mark in _marks if not _unspaced.match(mark))
_WORD = f"[^\\W_{_UNSPACED}]+(?:[{_MARKS}]+[^\\W_{_UNSPACED}]*)*"
_find_ascii = re.compile(f"([a-z0-9]{{1,{LONGEST_TERM}}})[a-z0-9]*").findall
_find = re.compile(f"[{_UNSPACED}]+|{_WORD}").findall
_walk = re.compile(f"[{_UNSPACED}]+|{_WORD}").finditer
# What people see as one character: a Hangul syllable from its letters, a base with its marks.
_cluster = re.compile(
    "[\u1100-\u115f][\u1160-\u11a7]?[\u11a8-\u11ff]?|.[\u3099\u309a\uff9e\uff9f]*", re.DOTALL
).finditer
# Accents that only colour a letter. U+0306 stays on Cyrillic i: there it makes another letter.
_accents = re.compile(
    "[\u0300-\u0305\u0307-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\ufe20-\ufe2f]|(?<!\u0438)\u0306"
)
_not_term = re.compile(f"[^\\w{_ALL_MARKS}]|_")


class Token(NamedTuple):
    """A term and where it stands: characters `start` (inclusive) to `end` (exclusive)."""

    term: str
    start: int
    end: int


def plain(word: str) -> str:
    """The word with case and compatibility forms folded but its accents kept, as stemmers expect.

    >>> plain("Größe"), plain("ﬁN")
    ('grösse', 'fin')
    """
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", word).casefold())


def _bare(word: str) -> str:
    """Accents removed and whatever folding brought in that is no letter."""
    if word.isascii():
        return word if word.isalnum() else _not_term.sub("", word)
    bare = _accents.sub("", unicodedata.normalize("NFD", word))
    return _not_term.sub("", unicodedata.normalize("NFC", bare))


def fold(word: str) -> str:
    """The word without case and accents, at most 64 characters, not stemmed.

    >>> fold("Ångström"), fold("ﬁle"), fold("한국")
    ('angstrom', 'file', '한국')
    """
    return _bare(plain(word[:LONGEST_TERM]))[:LONGEST_TERM]


class _Words(dict[str, str]):
    """Surface word to term, filled when asked; forgets everything when it grows too large."""

    def __init__(self, term: Callable[[str], str]) -> None:
        self.term = term

    def __missing__(self, word: str) -> str:
        term = self.term(word)
        if len(word) <= LONGEST_TERM:
            if len(self) >= CACHED_WORDS:
                self.clear()
            self[word] = term
        return term


def _stemmer(language: str) -> Callable[[str], str]:
    """A function from a surface word to its stem; a Snowball stemmer serves one thread a time."""
    stemmer, lock = Stemmer.Stemmer(LANGUAGES[language], 0), Lock()

    def term(word: str) -> str:
        whole = plain(word[:LONGEST_TERM])
        with lock:
            stem: str = stemmer.stemWord(whole)
        return _bare(stem)[:LONGEST_TERM]

    return term


@lru_cache(maxsize=64)
def _words(language: str | None) -> _Words:
    return _Words(fold if language is None else _stemmer(language))


@dataclass(frozen=True)
class Analyzer:
    """Text to terms.

    language: two letters of `LANGUAGES`, or its English name; None stems nothing.
    stop_words: folded words that a query can do without.
    Raises SettingsError for a language that has no stemmer.
    """

    language: str | None = None
    stop_words: frozenset[str] = frozenset()
    _cache: _Words = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        code = _code(self.language)
        object.__setattr__(self, "language", code)
        object.__setattr__(self, "stop_words", frozenset(map(fold, self.stop_words)))
        object.__setattr__(self, "_cache", _words(code))

    def terms(self, text: str) -> list[str]:
        """The terms of a text in reading order, repeats kept."""
        return self.read(text)[1]

    def read(self, text: str) -> tuple[list[str], list[str]]:
        """(words, terms) of a text in reading order: the words as they stand, and `terms`.

        A run of a script without spaces is one word.
        """
        if text.isascii():
            words = _find_ascii(text.lower())
            return words, self._each(words)
        words = _find(text)
        if _unspaced.search(text):
            return words, list(chain.from_iterable(map(self._read, words)))
        return words, list(filter(None, map(self._cache.__getitem__, words)))

    def _each(self, words: list[str]) -> list[str]:
        return words if self.language is None else list(map(self._cache.__getitem__, words))

    def text(self, text: str) -> str:
        """The terms joined by single spaces: what the keyword index takes."""
        return " ".join(self.terms(text))

    def term(self, word: str) -> str:
        """The term of one word of a script with spaces; "" if no letter is left of it."""
        return self._cache[word]

    def tokens(self, text: str) -> list[Token]:
        """The terms with their places in the text; the same terms, in the same order."""
        return list(self._tokens(text))

    def _read(self, found: str) -> Iterable[str]:
        """The terms of one word, or of one run of a script without spaces."""
        if not _unspaced.match(found):
            return filter(None, (self._cache[found],))
        if len(found) > 1 and _settled(found):
            return map(add, found, islice(found, 1, None))
        return (token.term for token in _pairs(found, 0))

    def _tokens(self, text: str) -> Iterator[Token]:
        cache = self._cache
        for match in _walk(text):
            word = match.group()
            if _unspaced.match(word):
                yield from _pairs(word, match.start())
            elif term := cache[word.lower() if word.isascii() else word]:
                yield Token(term, match.start(), match.end())


def _pairs(run: str, start: int) -> Iterator[Token]:
    """Overlapping pairs of the characters of a run that starts at `start`."""
    folded = [(_bare(plain(m.group())), m.start(), m.end()) for m in _cluster(run)]
    letters = [letter for letter in folded if letter[0]]
    if len(letters) == 1:
        yield Token(letters[0][0], start + letters[0][1], start + letters[0][2])
    for (a, begin, _), (b, _, end) in pairwise(letters):
        yield Token((a + b)[:LONGEST_TERM], start + begin, start + end)


def folded(word: str) -> str:
    """The same as `fold`, kept for when the word comes again."""
    return _words(None)[word]


def is_pair_script(term: str) -> bool:
    """Whether the term belongs to a script that is indexed as pairs of characters."""
    return bool(_unspaced.match(term))


def _code(language: str | None) -> str | None:
    if language is None:
        return None
    asked = language.lower()
    for code, name in LANGUAGES.items():
        if asked in (code, name):
            return code
    known = [*LANGUAGES, *LANGUAGES.values()]
    raise SettingsError(
        f'no stemmer for language "{language}"{near(asked, known)}', field="language"
    )


@lru_cache(maxsize=64)
def stop_words(language: str | None) -> frozenset[str]:
    """Words of a language that a query can do without, folded; empty where we have no list."""
    return frozenset(map(fold, _STOP_WORDS.get(_code(language) or "", "").split()))


def detect(texts: Iterable[str], *, words: int = 20_000) -> str | None:
    """The language most of these texts are written in, as two letters, or None when unsure.

    Reads at most `words` words. Sure means: at least 20 words, at least one in ten a function
    word of the language, and a quarter more of them than for any other language.

    >>> detect(["The cat sat on the mat and it was happy with that. " * 3])
    'en'
    >>> detect(["Lorem 123"]) is None
    True
    """
    analyzer = Analyzer()
    sample = Counter(islice(chain.from_iterable(map(analyzer.terms, texts)), words))
    total = sum(sample.values())
    hits = {code: sum(sample[word] for word in stop_words(code)) for code in _STOP_WORDS}
    (first, most), (_, second) = Counter(hits).most_common(2)
    sure = total >= 20 and most >= 0.1 * total and most >= 1.25 * second
    return first if sure else None
