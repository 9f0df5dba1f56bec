"""What may stand in a setting, and what is said of a value that may not?

raise wrong("pageSize", "a whole number", "many")   # setting "pageSize" must be a whole ...
"""

from __future__ import annotations

from typing import TypeGuard

from hybridsearch.errors import SettingsError

__all__ = ["attribute_names", "camel", "is_text", "wrong"]


def wrong(name: str, wanted: str, value: object) -> SettingsError:
    """What to raise when a setting has an unfit value."""
    return SettingsError(f'setting "{name}" must be {wanted}, not {value!r:.80}', field=name)


def is_text(value: object) -> TypeGuard[str]:
    """Whether it is a text without half of a surrogate pair, which nothing can store."""
    return isinstance(value, str) and value.encode(errors="ignore").decode() == value


def camel(name: str) -> str:
    """The name as in JSON: `api_key` as `apiKey`."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def attribute_names(name: str, value: object) -> tuple[str, ...]:
    """The value as a list of attribute names, each once. Raises SettingsError."""
    if not isinstance(value, list | tuple) or not all(is_text(v) and v for v in value):
        raise wrong(name, "a list of attribute names", value)
    return tuple(dict.fromkeys(value))
