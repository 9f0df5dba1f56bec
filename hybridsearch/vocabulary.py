"""Which words does an index hold, and which of them may a mistyped word have been?

A `Vocabulary` is an immutable set of words in about 50 bytes each. `near` finds every word within
one or two typos; `with_words` gives a larger vocabulary in the time of a copy. Words are kept as
they stand in texts, case folded but with their accents, and compared without accents.

A typo is a letter too many, too few or wrong, or two neighbours that changed places (optimal
string alignment); one that touches the first letter counts as two, as in Meilisearch. So all but
a few of the near words begin with the same letter and have nearly the same length. These stand
side by side here, and a signature leaves a handful of them to be compared in full: 64 bits that
say which letters a word has once and more than once, of which a typo changes at most two. The
words that differ in their first letter are found by a hash of all their other letters.

>>> Vocabulary.of(["database", "databases", "basis"]).near("databsae", most=1)
[('database', 1)]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import itemgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from hybridsearch.analysis import fold, is_pair_script, plain
from hybridsearch.turns import give_way

__all__ = ["Vocabulary", "telling", "typos"]

Hashes: TypeAlias = NDArray[np.uint64]
Numbers: TypeAlias = NDArray[np.int64]

SHORTEST, LONGEST = 2, 40
CHANGES = tuple(np.array(some, np.uint8) for some in ([0], [1, 2, 1], [2, 3, 4, 3, 2]))
"""How many bits of a signature so many typos can change, for each length that a word may then have.

A letter too many or too few changes one at most, a wrong one two, moved ones none.
"""
AROUND = tuple(np.arange(-most, most + 2).astype(np.uint32) for most in range(3))
"""Those lengths, and the one behind, less that of the word; keys count modulo 2**32."""
_PLACES = np.random.default_rng(20).integers(0, 1 << 63, LONGEST + 1, np.uint64) * 2 + 1
"""An odd factor for each place in a word."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
AT_ONCE = 1_024


def _tails() -> Hashes:
    """The factors, uint64 [4, LONGEST], that give the hashes of the tails of those that a word may
    be mistaken for: where it lacks the first letter, has another, or one too many before it; and
    where its first two changed places."""
    found = np.zeros((4, LONGEST), np.uint64)
    for cut in range(3):
        found[cut, cut:] = _PLACES[: LONGEST - cut]
    found[3] = found[1]
    found[3, :2] = _PLACES[0], 0
    return found


_TAILS = _tails()
_NEAREST_FIRST = itemgetter(1, 0)


def telling(words: Iterable[str]) -> list[str]:
    """Those of the words, in plain form, that others can be mistaken for.

    They have letters for the most part, of a script that puts spaces between words, and 40 at most.

    >>> telling(["Database", "ps5", "2019", "550e8400", "数据库"])
    ['database', 'ps5']
    """
    short = (plain(word) for word in words if len(word) <= LONGEST)
    return [word for word in short if _is_telling(word)]


def _is_telling(word: str) -> bool:
    if not word.isascii():
        sizes = len(word), len(fold(word))
        if max(sizes) > LONGEST or min(sizes) < SHORTEST or is_pair_script(word):
            return False
    elif not SHORTEST <= len(word) <= LONGEST:
        return False
    return word.isalpha() or sum(map(str.isalpha, word)) > len(word) / 2


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Some words; see the module. Arrays are in the order of first letter, then length.

    text: the words in UTF-8, a line each, in the order in which they came. starts, sizes: where
    in it each word is, in bytes. keys: first letter * 256 + length. letters: the signatures.
    tails: hashes of all letters but the first, ascending, of the words `having`. known: hashes
    of the words as they stand, ascending.
    """

    text: bytes
    starts: NDArray[np.uint32]
    sizes: NDArray[np.uint16]
    keys: NDArray[np.uint32]
    letters: Hashes
    tails: Hashes
    having: NDArray[np.uint32]
    known: Hashes

    @classmethod
    def of(cls, words: Iterable[str]) -> Vocabulary:
        """The vocabulary of these words, all of them `telling`; repeats do no harm."""
        return _built(list(dict.fromkeys(words)))

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        arrays = (self.starts, self.sizes, self.keys, self.letters)
        more = (self.tails, self.having, self.known)
        return len(self.text) + sum(array.nbytes for array in (*arrays, *more))

    def missing(self, words: Iterable[str]) -> list[str]:
        """Those of the words that it does not hold, each once, in their order."""
        asked = list(dict.fromkeys(words))
        if not asked or not len(self):
            return asked
        hashes = _signed(asked).whole
        places = np.minimum(self.known.searchsorted(hashes), len(self.known) - 1)
        new = self.known[places] != hashes
        return [word for word, is_new in zip(asked, new.tolist(), strict=True) if is_new]

    def with_words(self, words: Sequence[str]) -> Vocabulary:
        """This vocabulary and words that are `missing` from it."""
        return _joined(self, _built(words)) if words else self

    def near(self, word: str, *, most: int) -> list[tuple[str, int]]:
        """(word, typos) of each word at most `most` (0, 1 or 2) typos away, the nearest first.

        Equally near ones by the alphabet; the word itself, in whatever accents, at 0.
        """
        bare = _bare(plain(word))
        if not 0 < len(bare) <= LONGEST or not len(self):
            return []
        found = self._alike(bare, most)
        if most == 2 and (others := self._begun_otherwise(bare)):
            found = list({**dict.fromkeys(others, 2), **dict(found)}.items())
        return sorted(found, key=_NEAREST_FIRST)

    def _alike(self, bare: str, most: int) -> list[tuple[str, int]]:
        """Words near this one that begin with the same letter."""
        key = np.uint32((ord(bare[0]) << 8) + len(bare))
        ends = self.keys.searchsorted(AROUND[most] + key)
        low, *_, high = ends.tolist()
        changed = np.bitwise_count(self.letters[low:high] ^ np.uint64(_letters(bare)))
        allowed = CHANGES[most].repeat(ends[1:] - ends[:-1])
        words = self._words((changed <= allowed).nonzero()[0] + low)
        folded = words if "".join(words).isascii() else [_bare(word) for word in words]
        near = process.extract(bare, folded, scorer=OSA.distance, score_cutoff=most, limit=None)
        return [(words[place], typos) for _, typos, place in near]

    def _begun_otherwise(self, bare: str) -> list[str]:
        """Words that differ in one typo, which touches the first letter."""
        swapped = bare[1:2] + bare[:1] + bare[2:]
        asked = _TAILS[:, : len(bare)] @ (_codes(bare) * _MIX)
        low = self.tails.searchsorted(asked)
        if True not in (self.tails.take(low, mode="clip") == asked).tolist():
            return []
        high = self.tails.searchsorted(asked, "right")
        lacking, wrong, extra, moved = (
            self._words(self.having[a:b]) if a < b else ()
            for a, b in zip(low.tolist(), high.tolist(), strict=True)
        )
        return [
            *lacking,
            *wrong,
            *(word for word in extra if _bare(word) == bare[1:]),
            *(word for word in moved if _bare(word) == swapped),
        ]

    def starting(self, start: str, *, most: int) -> list[tuple[str, int]]:
        """(word, typos) of each longer word whose beginning is `most` typos or fewer away.

        In no order; the first letter has to be right.
        """
        bare = _bare(plain(start))
        if not 0 < len(bare) < LONGEST or not len(self):
            return []
        low, high = self._span(bare, 1, LONGEST)
        lacking = np.bitwise_count(~self.letters[low:high] & np.uint64(_letters(bare)))
        words = self._words(low + np.flatnonzero(lacking <= most))
        found = [(word, _least(bare, _bare(word), most)) for word in words]
        return [(word, typos) for word, typos in found if typos <= most]

    def bordered(self, word: str) -> list[str]:
        """The longer words that begin or end with a word in plain form, in no order; each once."""
        sought, text = word.encode(), self.text
        found: dict[str, None] = {}
        at = text.find(sought)
        while at >= 0 and sought:
            start, end = text.rfind(b"\n", 0, at) + 1, text.index(b"\n", at)
            if (start == at) != (end == at + len(sought)):
                found[text[start:end].decode()] = None
            at = text.find(sought, end)
        return list(found)

    def _span(self, bare: str, shorter: int, longer: int) -> tuple[int, int]:
        """Where the words stand that begin with the same letter and have such a length."""
        first, length = ord(bare[0]) << 8, len(bare)
        ends = [first + max(1, length + shorter), first + min(255, length + longer) + 1]
        low, high = self.keys.searchsorted(np.array(ends, np.uint32)).tolist()
        return low, high

    def _words(self, numbers: Numbers | NDArray[np.uint32]) -> list[str]:
        text = self.text
        starts, sizes = self.starts.take(numbers).tolist(), self.sizes.take(numbers).tolist()
        lines = [text[start : start + size + 1] for start, size in zip(starts, sizes, strict=True)]
        return b"".join(lines).decode().split("\n")[:-1]


def typos(bare: str, other: str, *, most: int = LONGEST) -> int:
    """How many typos are between two folded words; more than `most` counts as `most` + 1.

    >>> typos("shoos", "shoes"), typos("hsoes", "shoes"), typos("color", "colour")
    (1, 2, 1)
    """
    first = bare[:1] != other[:1]
    return min(OSA.distance(bare, other, score_cutoff=most) + first, most + 1)


def _bare(word: str) -> str:
    return word if word.isascii() else fold(word)


def _least(bare: str, word: str, most: int) -> int:
    """The typos between a beginning and the nearest beginning of a word."""
    length = len(bare)
    return min(
        OSA.distance(bare, word[:end], score_cutoff=most)
        for end in range(length - most, length + most + 1)
    )


@dataclass(frozen=True)
class _Signed:
    """What is computed of each of some words, in their order."""

    whole: Hashes
    tails: Hashes
    letters: Hashes
    keys: NDArray[np.uint32]


def _signed(words: Sequence[str]) -> _Signed:
    """All of the words, so many at once that no other thread waits long for the interpreter."""
    pieces = [_some_signed(words[at : at + AT_ONCE]) for at in range(0, len(words), AT_ONCE)]
    parts = ([getattr(piece, one.name) for piece in pieces] for one in fields(_Signed))
    return _Signed(*map(np.concatenate, parts))


def _some_signed(words: Sequence[str]) -> _Signed:
    """All at once, by sums and unions over the letters of each word."""
    give_way()
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    ends = np.cumsum(lengths)
    starts = ends - lengths
    codes = _codes("".join(words))
    at = np.arange(len(codes)) - np.repeat(starts, lengths)
    mixed = codes * _MIX
    return _Signed(
        whole=np.add.reduceat(mixed * _PLACES[at], starts),
        tails=np.add.reduceat(np.where(at > 0, mixed * _PLACES[at - 1], 0), starts),
        letters=_bits(codes, np.repeat(np.arange(len(words)), lengths), len(words)),
        keys=(codes[starts] << np.uint32(8)) + lengths.astype(np.uint32),
    )


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def _bits(codes: NDArray[np.uint32], of: Numbers, words: int) -> Hashes:
    """The signature of each word: a bit for a letter it has, another if it has it again."""
    places = of * 32 + (codes & np.uint32(31))
    counts = np.bincount(places, minlength=32 * words).reshape(words, 32)
    bits = np.packbits(np.concatenate([counts > 0, counts > 1], axis=1), axis=1, bitorder="little")
    return bits.view("<u8").ravel().astype(np.uint64)


def _letters(bare: str) -> int:
    found = 0
    for letter in bare:
        bit = 1 << (ord(letter) & 31)
        found |= bit << 32 if found & bit else bit
    return found


def _built(words: Sequence[str]) -> Vocabulary:
    """The vocabulary of different words, in any order."""
    if not words:
        none = np.empty(0, np.uint64)
        short = np.empty(0, np.uint32)
        return Vocabulary(b"", short, np.empty(0, np.uint16), short, none, none, short, none)
    plain = _signed(words)
    folded = list(map(_bare, words))
    bare = plain if folded == words else _signed(folded)
    encoded = [word.encode() for word in words]
    sizes = np.fromiter(map(len, encoded), np.uint32, len(words))
    order = np.argsort(bare.keys, kind="stable")
    return Vocabulary(
        text=b"".join(word + b"\n" for word in encoded),
        starts=(np.cumsum(sizes + 1, dtype=np.uint32) - sizes - 1)[order],
        sizes=sizes[order].astype(np.uint16),
        keys=bare.keys[order],
        letters=bare.letters[order],
        **_by_tail(bare.tails[order]),
        known=np.sort(plain.whole),
    )


def _by_tail(tails: Hashes) -> dict[str, NDArray[np.unsignedinteger]]:
    order = np.argsort(tails, kind="stable")
    return {"tails": tails[order], "having": order.astype(np.uint32)}


def _joined(old: Vocabulary, new: Vocabulary) -> Vocabulary:
    """Both, which share no word. Sorted runs are sorted again, which numpy does by merging."""
    keys = np.concatenate([old.keys, new.keys])
    order = np.argsort(keys, kind="stable")
    place = np.empty(len(order), np.uint32)
    place[order] = np.arange(len(order), dtype=np.uint32)
    tails = np.concatenate([old.tails, new.tails])
    having = place[np.concatenate([old.having, new.having + np.uint32(len(old))])]
    by_tail = np.argsort(tails, kind="stable")
    moved = new.starts + np.uint32(len(old.text))
    return Vocabulary(
        text=old.text + new.text,
        starts=np.concatenate([old.starts, moved])[order],
        sizes=np.concatenate([old.sizes, new.sizes])[order],
        keys=keys[order],
        letters=np.concatenate([old.letters, new.letters])[order],
        tails=tails[by_tail],
        having=having[by_tail],
        known=np.sort(np.concatenate([old.known, new.known]), kind="stable"),
    )
