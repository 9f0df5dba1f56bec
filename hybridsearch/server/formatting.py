"""How does a hit look for people: what matched marked, long texts cropped, and where it matched?

`formatted` gives a document in the shape of `_formatted`: texts marked and cropped, numbers as
texts, everything else as it is. `matches` gives `_matchesPosition`: the places in bytes of UTF-8,
and in which item of a list. Both see exactly the terms that the search saw (`highlight`): of a
word still being typed only the letters typed are marked, a phrase is one run.

    look = Look(highlight=("title",), crop={"text": 10})
    formatted({"id": 7, "title": "Red shoes"}, analyzers, query, look)
    # {"id": "7", "title": "Red <em>shoes</em>"}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hybridsearch.extraction import is_wanted
from hybridsearch.filterable import fits
from hybridsearch.highlight import crop, mark, positions
from hybridsearch.localized import Analyzers
from hybridsearch.query import Query

__all__ = ["CROP_LENGTH", "CROP_MARKER", "POST_TAG", "PRE_TAG", "Look", "formatted", "matches"]

PRE_TAG, POST_TAG = "<em>", "</em>"
CROP_LENGTH, CROP_MARKER = 10, "…"


@dataclass(frozen=True)
class Look:
    """What to mark and what to crop. Attributes are names, parents or patterns.

    crop: attribute -> number of words; the first that fits decides.
    """

    highlight: Sequence[str] = ()
    crop: Mapping[str, int] = field(default_factory=dict)
    pre: str = PRE_TAG
    post: str = POST_TAG
    marker: str = CROP_MARKER

    def words(self, name: str) -> int | None:
        """To how many words a text of the attribute is cropped; None to leave it whole."""
        return next((size for pattern, size in self.crop.items() if fits(name, pattern)), None)


def formatted(
    document: Mapping[str, Any], analyzers: Analyzers, query: Query, look: Look
) -> dict[str, Any]:
    """The document with its texts marked and cropped; numbers become texts.

    true, false and null stay as they are, and nothing is escaped.
    """
    can_match = bool(query.words or query.phrases)

    def shown(name: str, text: str) -> str:
        words, analyzer, own = look.words(name), analyzers.of(name), query.inside(name)
        if words is not None:
            text = crop(text, analyzer, own, words=words, marker=look.marker)
        if can_match and is_wanted(name, look.highlight):
            text = mark(text, analyzer, own, pre=look.pre, post=look.post)
        return text

    return {name: _formatted(name, value, shown) for name, value in document.items()}


def matches(
    document: Mapping[str, Any], analyzers: Analyzers, query: Query
) -> dict[str, list[dict[str, Any]]]:
    """Attribute (nested: by dots) -> where it matches: `start`, `length`, in lists `indices`.

    Starts and lengths count bytes of the text as UTF-8; attributes without a match are left out.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for name, indices, text in _texts("", document, ()):
        for place in _places(text, analyzers, name, query):
            found.setdefault(name, []).append(
                {**place, "indices": list(indices)} if indices else place
            )
    return found


def _formatted(name: str, value: Any, shown: Callable[[str, str], str]) -> Any:
    if isinstance(value, str):
        return shown(name, value)
    if isinstance(value, dict):
        return {key: _formatted(f"{name}.{key}", item, shown) for key, item in value.items()}
    if isinstance(value, list):
        return [_formatted(name, item, shown) for item in value]
    return shown(name, str(value)) if _is_number(value) else value


def _texts(
    name: str, value: Any, indices: tuple[int, ...]
) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """(attribute, places in the lists on the way, text) of each text and number inside a value."""
    if isinstance(value, str) or _is_number(value):
        yield name, indices, str(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(f"{name}.{key}" if name else key, item, indices)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _texts(name, item, (*indices, at))


def _places(text: str, analyzers: Analyzers, name: str, query: Query) -> Iterator[dict[str, Any]]:
    for start, length in positions(text, analyzers.of(name), query.inside(name)):
        before, matched = text[:start], text[start : start + length]
        yield {"start": _bytes(before), "length": _bytes(matched)}


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
