"""What can be set on one embedder of an index, and what is refused?

An `EmbedderSettings` is frozen and always valid. Names are those of the Meilisearch API where it
has one (`apiKey`, `documentTemplate`), and snake_case is accepted for each. `FIELDS` is the one
list of names and checks; `FITTING` says which of them a source takes.

Secrets stay in: `to_json` shows a key as its beginning and "XXX...", `to_storage` shows it whole,
and `with_secrets_of` takes a masked key back for the one that it stands for.

    read_embedder("embedders.mine", {"source": "ollama", "model": "nomic-embed-text"})
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from hybridsearch.errors import SettingsError, near
from hybridsearch.setting_values import attribute_names, camel, is_text, wrong

POOLINGS = ("useModel", "mean", "cls", "lastToken", "forceMean", "forceCls")
SHOWN = ((30, 5), (20, 3), (10, 2), (0, 0))  # (from so many letters, so many are shown)
LONGEST_VECTOR = 8192


@dataclass(frozen=True)
class EmbedderSettings:
    """One embedder of an index: where its vectors come from and how long they are.

    source: "static" is the bundled one; "function" a callable given to `open(functions=...)` under
    the embedder's name; "userProvided" means that vectors come with the documents; "onnx" is a
    model in a local folder, "huggingFace" the same from its hub; "openAi", "ollama" and
    "textEmbeddingsInference" are services of those shapes, "rest" one of any shape.
    dimensions: the length of a vector, where it has to be told. document_attributes: whose text is
    embedded; else the searchable ones'. document_template: that text in Liquid, at most
    document_template_max_bytes of it. passage_words: longer texts are embedded in passages of so
    many words; 0 never.

    model: folder, hub id, or the service's name of it. revision: of the hub. file: the model's
    file in the folder. pooling: how pieces become one vector; "useModel" as the folder says.
    max_tokens: longer texts are cut. query_prefix, document_prefix: put before each text. threads:
    of the model, None for all cores.

    url, api_key, headers: of the service. request, response: the JSON with "{{text}}" and
    "{{embedding}}" in it; "{{..}}" after an item of a list repeats that. batch_size: texts in one
    request at most.

    distribution, binary_quantized: kept for who comes from Meilisearch; scores are mixed by rank or
    by what was measured here, and every vector has its one-bit code beside it already.
    """

    source: str
    dimensions: int | None = None
    document_attributes: tuple[str, ...] | None = None
    document_template: str | None = None
    document_template_max_bytes: int | None = None
    passage_words: int | None = None
    model: str | None = None
    revision: str | None = None
    file: str | None = None
    pooling: str | None = None
    max_tokens: int | None = None
    query_prefix: str | None = None
    document_prefix: str | None = None
    threads: int | None = None
    url: str | None = None
    api_key: str | None = None
    headers: Mapping[str, str] | None = None
    request: Any = None
    response: Any = None
    batch_size: int | None = None
    distribution: Mapping[str, float] | None = None
    binary_quantized: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """The settings in their JSON form, without what was not set; secrets are masked."""
        return _masked(self).to_storage()

    def to_storage(self) -> dict[str, Any]:
        """The same with secrets in full, for the database file alone."""
        found = {name: getattr(self, entry.attribute) for name, entry in FIELDS.items()}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in found.items()
            if value is not None
        }

    def with_secrets_of(self, old: EmbedderSettings) -> EmbedderSettings:
        """These settings, where what is the mask of an old secret means that secret.

        Not when the address is another: a secret goes only where its owner sent it.
        """
        if self.url != old.url:
            return self
        shown = _masked(old)
        key = old.api_key if self.api_key == shown.api_key else self.api_key
        headers = {
            name: (old.headers or {})[name] if (shown.headers or {}).get(name) == value else value
            for name, value in (self.headers or {}).items()
        }
        return replace(self, api_key=key, headers=self.headers and headers)


def masked(secret: str) -> str:
    """What may be shown of a secret: its beginning, if it is long.

    >>> masked("sk-0123456789abcdef"), masked("hunter2")
    ('skXXXX...', 'XXX...')
    """
    step, shown = next((n, shown) for n, (long, shown) in enumerate(SHOWN) if len(secret) >= long)
    return secret[:shown] + "X" * (6 - step) + "..."


def read_embedder(name: str, value: object) -> EmbedderSettings:
    """The settings under that name, checked. Raises SettingsError, naming the field."""
    if not re.fullmatch(r"[^.]+\.[A-Za-z0-9_-]{1,64}", name):
        raise SettingsError(
            f'an embedder may not be called "{name.partition(".")[2]}": letters, digits, _ and -, '
            "64 at most",
            field=name,
        )
    if not isinstance(value, Mapping):
        raise wrong(name, 'an object such as {"source": "static"}', value)
    given = {camel(str(key)): item for key, item in value.items() if item is not None}
    source = given.get("source")
    if source not in FITTING:
        raise wrong(f"{name}.source", f"one of {', '.join(FITTING)}", source)
    for key in given:
        _check_fits(name, key, str(source))
    found = {FIELDS[key].attribute: FIELDS[key].check(f"{name}.{key}", given[key]) for key in given}
    _check_complete(name, str(source), found)
    return EmbedderSettings(**found)


def _check_fits(name: str, key: str, source: str) -> None:
    if key not in FIELDS:
        raise SettingsError(f'unknown setting "{name}.{key}"{near(key, FIELDS)}', field=name)
    if key not in FITTING[source]:
        takers = [other for other, names in FITTING.items() if key in names]
        raise SettingsError(
            f'"{name}.{key}" does not belong to the source "{source}"; it is for '
            f"{', '.join(takers)}",
            field=f"{name}.{key}",
        )


def _check_complete(name: str, source: str, found: Mapping[str, Any]) -> None:
    for attribute in NEEDED.get(source, ()):
        if attribute not in found:
            raise SettingsError(f'"{name}" is {source}: it needs "{attribute}"', field=name)


def _masked(settings: EmbedderSettings) -> EmbedderSettings:
    headers = {name: masked(value) for name, value in (settings.headers or {}).items()}
    key = settings.api_key and masked(settings.api_key)
    return replace(settings, api_key=key, headers=settings.headers and headers)


@dataclass(frozen=True)
class _Field:
    attribute: str
    check: Callable[[str, Any], Any]


def _text(name: str, value: object) -> str:
    if not is_text(value) or not value:
        raise wrong(name, "a text", value)
    return str(value)


def _file(name: str, value: object) -> str:
    path = PurePath(_text(name, value))
    if path.is_absolute() or ".." in path.parts:
        raise wrong(name, "the name of a file in the model's folder", value)
    return str(value)


def _prefix(name: str, value: object) -> str:
    if not is_text(value):
        raise wrong(name, "a text", value)
    return str(value)


def _url(name: str, value: object) -> str:
    if not is_text(value) or not re.fullmatch(r"https?://[^\s/?#@]+(?:[/?][^\s#]*)?", str(value)):
        raise wrong(name, "an address like https://host/path, without a user name", value)
    return str(value)


def _pooling(name: str, value: object) -> str:
    if value not in POOLINGS:
        raise wrong(name, f"one of {', '.join(POOLINGS)}", value)
    return {"forceMean": "mean", "forceCls": "cls"}.get(str(value), str(value))


def _between(least: int, most: int) -> Callable[[str, Any], int]:
    def check(name: str, value: object) -> int:
        fit = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        if not fit or not isinstance(value, int):
            raise wrong(name, f"a whole number between {least} and {most}", value)
        return value

    return check


def _headers(name: str, value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(map(_is_header, value.items())):
        raise wrong(name, "an object of names and texts without line ends", value)
    return {str(key): str(item) for key, item in value.items()}


def _is_header(pair: tuple[object, object]) -> bool:
    key, item = pair
    fit = isinstance(key, str) and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", key)
    return bool(fit) and isinstance(item, str) and item.isascii() and item.isprintable()


def _json(name: str, value: object) -> object:
    if not isinstance(value, Mapping | list | str):
        raise wrong(name, "JSON with a placeholder in it", value)
    return value


def _distribution(name: str, value: object) -> dict[str, float]:
    if isinstance(value, Mapping) and set(value) == {"mean", "sigma"}:
        numbers = [part for part in value.values() if isinstance(part, int | float)]
        if len(numbers) == 2 and all(0 <= part <= 1 for part in numbers):
            return {str(key): float(part) for key, part in value.items()}
    raise wrong(name, 'an object like {"mean": .7, "sigma": .3}, each from 0 to 1', value)


def _boolean(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong(name, "true or false", value)
    return value


FIELDS: Mapping[str, _Field] = {
    "source": _Field("source", _text),
    "model": _Field("model", _text),
    "revision": _Field("revision", _text),
    "file": _Field("file", _file),
    "url": _Field("url", _url),
    "apiKey": _Field("api_key", _text),
    "headers": _Field("headers", _headers),
    "request": _Field("request", _json),
    "response": _Field("response", _json),
    "dimensions": _Field("dimensions", _between(1, LONGEST_VECTOR)),
    "documentAttributes": _Field("document_attributes", attribute_names),
    "documentTemplate": _Field("document_template", _text),
    "documentTemplateMaxBytes": _Field("document_template_max_bytes", _between(1, 1_000_000)),
    "passageWords": _Field("passage_words", _between(0, 1_000_000)),
    "pooling": _Field("pooling", _pooling),
    "maxTokens": _Field("max_tokens", _between(1, 1_000_000)),
    "queryPrefix": _Field("query_prefix", _prefix),
    "documentPrefix": _Field("document_prefix", _prefix),
    "threads": _Field("threads", _between(1, 1024)),
    "batchSize": _Field("batch_size", _between(1, 10_000)),
    "distribution": _Field("distribution", _distribution),
    "binaryQuantized": _Field("binary_quantized", _boolean),
}

_ANY = ("source", "dimensions", "documentAttributes", "distribution", "binaryQuantized")
_TEXT = (*_ANY, "documentTemplate", "documentTemplateMaxBytes", "passageWords")
_MODEL = (*_TEXT, "model", "file", "pooling", "maxTokens", "queryPrefix", "documentPrefix")
_SERVICE = (*_TEXT, "url", "apiKey", "headers", "queryPrefix", "documentPrefix", "batchSize")
FITTING: Mapping[str, tuple[str, ...]] = {
    "static": _TEXT,
    "function": _TEXT,
    "userProvided": _ANY,
    "onnx": (*_MODEL, "threads"),
    "huggingFace": (*_MODEL, "threads", "revision"),
    "openAi": (*_SERVICE, "model"),
    "ollama": (*_SERVICE, "model"),
    "textEmbeddingsInference": _SERVICE,
    "rest": (*_SERVICE, "request", "response"),
}
NEEDED: Mapping[str, tuple[str, ...]] = {
    "userProvided": ("dimensions",),
    "onnx": ("model",),
    "huggingFace": ("model",),
    "ollama": ("model",),
    "textEmbeddingsInference": ("url",),
    "rest": ("url", "request", "response"),
}
