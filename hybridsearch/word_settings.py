"""What can be set about words: which may be meant otherwise, and in which languages they are?

The values are frozen and always valid; JSON goes both ways in the names of the Meilisearch API.
Each has a check that takes the setting's name and what was given for it, and raises SettingsError.

    TypoTolerance().changed("typoTolerance", {"enabled": False}).enabled    # False
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hybridsearch.errors import SettingsError, near
from hybridsearch.setting_values import camel, is_text, wrong

LONGEST = 255


def words(name: str, value: Any) -> tuple[str, ...]:
    """Different words, sorted."""
    if not isinstance(value, list | tuple | set | frozenset) or not all(map(is_text, value)):
        raise wrong(name, "a list of words", value)
    return tuple(sorted(set(value)))


def flag(name: str, value: Any) -> bool:
    """True or false and nothing like it."""
    if not isinstance(value, bool):
        raise wrong(name, "true or false", value)
    return value


def parts(name: str, value: Any, known: Collection[str]) -> dict[str, Any]:
    """The parts of an object, under their names in JSON. Raises for others than those known."""
    if not isinstance(value, Mapping):
        raise wrong(name, "an object", value)
    given = {camel(str(key)): part for key, part in value.items()}
    for key in given.keys() - set(known):
        raise SettingsError(f'unknown setting "{name}.{key}"{near(key, known)}', field=name)
    return given


@dataclass(frozen=True)
class TypoTolerance:
    """Which words of a query may also be meant otherwise.

    one_typo, two_typos: from how many letters on a word may have one typo, or two. Words of
    disable_on_words, and the attributes of disable_on_attributes with what is nested in them,
    have to match exactly. A number is never taken for another; disable_on_numbers says the same
    of words that hold a digit, such as model numbers.
    """

    enabled: bool = True
    one_typo: int = 5
    two_typos: int = 9
    disable_on_words: tuple[str, ...] = ()
    disable_on_attributes: tuple[str, ...] = ()
    disable_on_numbers: bool = False

    def to_json(self) -> dict[str, Any]:
        """All of it, in the form of the API."""
        return {
            "enabled": self.enabled,
            "minWordSizeForTypos": {"oneTypo": self.one_typo, "twoTypos": self.two_typos},
            "disableOnWords": list(self.disable_on_words),
            "disableOnAttributes": list(self.disable_on_attributes),
            "disableOnNumbers": self.disable_on_numbers,
        }

    def changed(self, name: str, value: Any) -> TypoTolerance:
        """This one with the parts that the value names; a null takes a part back to its default.

        Raises SettingsError for an unknown or unfit part.
        """
        given = parts(name, value, (*_PARTS, "minWordSizeForTypos"))
        sizes = given.pop("minWordSizeForTypos", {})
        found: dict[str, Any] = self._sizes(f"{name}.minWordSizeForTypos", sizes)
        for key, part in given.items():
            field, check = _PARTS[key]
            default = getattr(_DEFAULT, field)
            found[field] = default if part is None else check(f"{name}.{key}", part)
        return replace(self, **found)

    def _sizes(self, name: str, value: Any) -> dict[str, Any]:
        given = parts(name, {} if value is None else value, ("oneTypo", "twoTypos"))
        before = _DEFAULT if value is None else self
        one = given.get("oneTypo", before.one_typo)
        two = given.get("twoTypos", before.two_typos)
        one = _DEFAULT.one_typo if one is None else one
        two = _DEFAULT.two_typos if two is None else two
        fit = type(one) is int and type(two) is int and 0 <= one <= two <= LONGEST
        if not fit:
            raise wrong(name, f"oneTypo and twoTypos, 0 <= one <= two <= {LONGEST}", value)
        return {"one_typo": one, "two_typos": two}


_DEFAULT = TypoTolerance()
_PARTS = {
    "enabled": ("enabled", flag),
    "disableOnWords": ("disable_on_words", words),
    "disableOnAttributes": ("disable_on_attributes", words),
    "disableOnNumbers": ("disable_on_numbers", flag),
}
