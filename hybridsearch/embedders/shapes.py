"""How is a request to an embedding service written, and its answer read?

A `Shape` holds two pieces of JSON. In that of the request "{{text}}" stands for a text, in that of
the answer "{{embedding}}" for its vector; "{{..}}" after an item of a list says that the item is
repeated, once for each text. Without it there is one text in a request.

    shape = Shape({"input": ["{{text}}", "{{..}}"]}, {"data": ["{{embedding}}", "{{..}}"]})
    shape.request(["a", "b"])                           # {"input": ["a", "b"]}
    shape.embeddings({"data": [[1, 2], [3, 4]]})        # [[1, 2], [3, 4]]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybridsearch.errors import EmbedderError, SettingsError

__all__ = ["Shape"]

TEXT, EMBEDDING, REPEATED = "{{text}}", "{{embedding}}", "{{..}}"


@dataclass(frozen=True)
class Shape:
    """The two templates, checked. Raises SettingsError when a placeholder is not there once."""

    sent: Any
    answered: Any

    def __post_init__(self) -> None:
        for name, template, mark in (
            ("request", self.sent, TEXT),
            ("response", self.answered, EMBEDDING),
        ):
            _check(name, template, mark)
        if self.many and not _repeats(self.answered, EMBEDDING):
            raise SettingsError(
                f'"request" takes many texts, so "response" needs "{REPEATED}" as well',
                field="response",
            )

    @property
    def many(self) -> bool:
        """Whether several texts go into one request."""
        return _repeats(self.sent, TEXT)

    def request(self, texts: list[str]) -> Any:
        """The JSON to send for these texts; one text unless there are `many`."""
        return _filled(self.sent, texts)

    def embeddings(self, answer: Any) -> list[Any]:
        """What stands in the places of the vectors, in order. Raises EmbedderError, with where."""
        return _taken(self.answered, answer, "the answer")


def _check(name: str, template: Any, mark: str) -> None:
    found = _count(template, mark)
    if found != 1:
        raise SettingsError(f'"{name}" must hold "{mark}" once, and does {found} times', field=name)
    if _count(template, REPEATED) > int(_repeats(template, mark)):
        raise SettingsError(
            f'"{REPEATED}" in "{name}" must be the last of two items of a list, after the one with'
            f' "{mark}"',
            field=name,
        )


def _count(template: Any, mark: str) -> int:
    if isinstance(template, str):
        return template.count(mark)
    parts = template.values() if isinstance(template, Mapping) else template
    return sum(_count(part, mark) for part in parts) if isinstance(template, Mapping | list) else 0


def _is_repeated(template: Any) -> bool:
    return isinstance(template, list) and len(template) == 2 and template[1] == REPEATED


def _repeats(template: Any, mark: str) -> bool:
    """Whether the mark stands in an item that is repeated."""
    if _is_repeated(template):
        return _count(template[0], mark) > 0
    parts = template.values() if isinstance(template, Mapping) else template
    return isinstance(template, Mapping | list) and any(_repeats(part, mark) for part in parts)


def _filled(template: Any, texts: list[str]) -> Any:
    if isinstance(template, str):
        return template.replace(TEXT, texts[0])
    if isinstance(template, Mapping):
        return {name: _filled(part, texts) for name, part in template.items()}
    if _is_repeated(template) and _count(template[0], TEXT):
        return [_filled(template[0], [text]) for text in texts]
    return [_filled(part, texts) for part in template] if isinstance(template, list) else template


def _taken(template: Any, answer: Any, place: str) -> list[Any]:
    if template == EMBEDDING:
        return [answer]
    if isinstance(template, Mapping):
        name = next(name for name, part in template.items() if _count(part, EMBEDDING))
        if not isinstance(answer, Mapping) or name not in answer:
            raise EmbedderError(f'{place} has no "{name}"')
        return _taken(template[name], answer[name], f'{place}, "{name}"')
    at = next(at for at, part in enumerate(template) if _count(part, EMBEDDING))
    if not isinstance(answer, list) or (len(answer) <= at and not _is_repeated(template)):
        raise EmbedderError(f"{place} is no list that is long enough")
    if not _is_repeated(template):
        return _taken(template[at], answer[at], f"{place}, item {at}")
    items = [
        _taken(template[0], item, f"{place}, item {n}") for n, item in enumerate(_sorted(answer))
    ]
    return [found for item in items for found in item]


def _sorted(items: list[Any]) -> list[Any]:
    """By their "index", where the service numbers them and may answer in another order."""
    numbers = [item.get("index") if isinstance(item, Mapping) else None for item in items]
    if sorted(number for number in numbers if isinstance(number, int)) != list(range(len(items))):
        return items
    return sorted(items, key=lambda item: int(item["index"]))
