"""Where does a loose phrase stand in a text, if one of its words comes twice in it?

Each word of the phrase needs a place of its own, and no place may be more than `slop` steps further
off the phrase's order than another: of "so so"~1 "so" has none, "so very so" has one.

    next(standings(["so", "very", "so"], ("so", "so"), 1))    # (0, 2)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

__all__ = ["standings"]


def standings(terms: Sequence[str], phrase: Sequence[str], slop: int) -> Iterator[tuple[int, ...]]:
    """The places of the words of the phrase, once for each least distance off its order.

    >>> list(standings(["a", "b", "a", "c"], ("a", "a"), 1))
    [(0, 2)]
    """
    places: dict[str, list[int]] = {word: [] for word in phrase}
    for place, term in enumerate(terms):
        if term in places:
            places[term].append(place)
    shifts = {place - number for number, word in enumerate(phrase) for place in places[word]}
    for least in sorted(shifts):
        found = _from(least, phrase, places, slop)
        if found is not None:
            yield found


def _from(
    least: int, phrase: Sequence[str], places: dict[str, list[int]], slop: int
) -> tuple[int, ...] | None:
    """Places that are `least` to `least` + slop off; the first that are free.

    Of two equal words the later may stand later too, so taking the first leaves most to the others.
    """
    taken = dict.fromkeys(phrase, -1)
    found: list[int] = []
    for number, word in enumerate(phrase):
        known = places[word]
        at = bisect_left(known, max(number + least, taken[word] + 1))
        if at == len(known) or known[at] > number + least + slop:
            return None
        taken[word] = known[at]
        found.append(known[at])
    return tuple(found)
