"""Which embedder do the settings of an index ask for?

`EmbedderMaker` makes each of them. A library that only one source needs is loaded when that source
is asked for, and when it is not installed the error says what to install.

    EmbedderMaker(Supplies(), None).of(Settings())       # {"default": StaticEmbedder()}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary

from hybridsearch.embedded_texts import check_template
from hybridsearch.embedder_settings import EmbedderSettings
from hybridsearch.embedders import Embedder
from hybridsearch.embedders.function import EmbedFunction, FunctionEmbedder
from hybridsearch.embedders.kept import KeptEmbedder
from hybridsearch.embedders.provided import ProvidedEmbedder
from hybridsearch.embedders.static import StaticEmbedder
from hybridsearch.errors import InputError, SettingsError
from hybridsearch.jsontext import dumps
from hybridsearch.settings import Settings

__all__ = ["STATIC", "EmbedderMaker", "Supplies", "settled"]

STATIC = "static"
SERVICES = ("openAi", "ollama", "textEmbeddingsInference", "rest")

Make = Callable[[str, EmbedderSettings], Embedder]


@dataclass(frozen=True)
class Supplies:
    """What a database was opened with that embedders need.

    default: "static" for indexes that name no embedder, or None for none. functions: embedder's
    name -> callable. networks: those that a service may be in beside the public internet.
    """

    default: str | None = STATIC
    functions: Mapping[str, EmbedFunction] = field(default_factory=dict)
    networks: Sequence[str] = ()


def _check_functions(functions: object) -> None:
    if not isinstance(functions, Mapping) or not all(map(callable, functions.values())):
        raise InputError(
            f"functions must be name: callable for each embedder, not {functions!r:.60}",
            field="functions",
        )


class EmbedderMaker:
    """Makes the embedders that settings ask for, and gives the same one while it is in use.

    folder: where vectors of models and services are kept, None to keep none. Raises InputError
    when a network of the supplies is none, or a function cannot be called.
    """

    def __init__(self, supplies: Supplies, folder: Path | None) -> None:
        self._supplies = supplies
        self._folder = folder
        self._made: WeakValueDictionary[tuple[str, bytes], Embedder] = WeakValueDictionary()
        if supplies.networks:
            _networks(supplies.networks)
        _check_functions(supplies.functions)
        self._makers: Mapping[str, Make] = {
            "static": lambda name, own: StaticEmbedder(),
            "userProvided": lambda name, own: ProvidedEmbedder(own.dimensions or 0, name=name),
            "function": self._function,
            **dict.fromkeys(("onnx", "huggingFace"), self._onnx),
            **dict.fromkeys(SERVICES, self._service),
        }

    def of(self, settings: Settings) -> dict[str, Embedder]:
        """Name -> embedder for each of the settings; the default one where they name none.

        Raises SettingsError or EmbedderError when one cannot be had.
        """
        if not settings.embedders:
            return {} if self._supplies.default is None else {"default": StaticEmbedder()}
        return {name: self._one(name, own) for name, own in settings.embedders.items()}

    def _one(self, name: str, own: EmbedderSettings) -> Embedder:
        key = (name, dumps(own.to_storage()))
        found = self._made.get(key)
        if found is None:
            if own.document_template is not None:
                check_template(own.document_template)
            found = self._makers[own.source](name, own)
            self._made[key] = found
        return found

    def _function(self, name: str, own: EmbedderSettings) -> Embedder:
        function = self._supplies.functions.get(name)
        if function is None:
            raise SettingsError(
                f'embedder "{name}" is a function that was not given; open the database with'
                f' functions={{"{name}": ...}}',
                field=f"embedders.{name}",
            )
        return FunctionEmbedder(function, name=name, dim=own.dimensions)

    def _onnx(self, name: str, own: EmbedderSettings) -> Embedder:
        made = _loaded("onnx", name, extra="onnx").from_settings(name, own)
        return KeptEmbedder(made, self._folder, name=name)

    def _service(self, name: str, own: EmbedderSettings) -> Embedder:
        # Loaded when a service is asked for: most indexes have none.
        rest = import_module("hybridsearch.embedders.rest")
        made = rest.from_settings(name, own, _networks(self._supplies.networks))
        return KeptEmbedder(made, self._folder, name=name)


def settled(settings: Settings, embedders: Mapping[str, Embedder]) -> Settings:
    """The settings with what only a service could tell: how long its vectors are.

    So that a database opens, and searches by words, while the service is down. Raises
    EmbedderError when it is down now.
    """
    known = {
        name: replace(own, dimensions=embedders[name].dim) if own.source in SERVICES else own
        for name, own in settings.embedders.items()
    }
    return replace(settings, embedders=known)


def _networks(names: Sequence[str]) -> Any:
    return import_module("hybridsearch.outbound").Networks.of(names)


def _loaded(module: str, name: str, *, extra: str) -> ModuleType:
    try:
        return import_module(f"hybridsearch.embedders.{module}")
    except ModuleNotFoundError as error:
        raise SettingsError(
            f'embedder "{name}" needs the library {error.name}, which is not installed; install it'
            f' with pip install "hybridsearch[{extra}]"',
            field=f"embedders.{name}",
        ) from error
