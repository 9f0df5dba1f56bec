"""Which embedder do the settings of an index ask for?

`embedders_of` makes each of them. A library that only one source needs is loaded when that source
is asked for, and when it is not installed the error says what to install.

    embedders_of(settings, default="static", functions={})       # {"default": StaticEmbedder()}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from types import ModuleType

from hybridsearch.embedded_texts import check_template
from hybridsearch.embedder_settings import EmbedderSettings
from hybridsearch.embedders import Embedder
from hybridsearch.embedders.function import EmbedFunction, FunctionEmbedder
from hybridsearch.embedders.provided import ProvidedEmbedder
from hybridsearch.embedders.static import StaticEmbedder
from hybridsearch.errors import SettingsError
from hybridsearch.settings import Settings

__all__ = ["STATIC", "embedders_of"]

STATIC = "static"

Make = Callable[[str, EmbedderSettings], Embedder]


def embedders_of(
    settings: Settings, *, default: str | None, functions: Mapping[str, EmbedFunction]
) -> dict[str, Embedder]:
    """Name -> embedder for each of the settings; the default one where they name none.

    default: "static", or None for none. functions: embedder's name -> callable. Raises
    SettingsError or EmbedderError when one cannot be had.
    """
    if not settings.embedders:
        return {} if default is None else {"default": StaticEmbedder()}
    makers: dict[str, Make] = {
        "static": lambda name, own: StaticEmbedder(),
        "userProvided": lambda name, own: ProvidedEmbedder(own.dimensions or 0, name=name),
        "function": partial(_function, functions),
        "onnx": _onnx,
        "huggingFace": _onnx,
    }
    for own in settings.embedders.values():
        if own.document_template is not None:
            check_template(own.document_template)
    return {name: makers[own.source](name, own) for name, own in settings.embedders.items()}


def _function(
    functions: Mapping[str, EmbedFunction], name: str, own: EmbedderSettings
) -> FunctionEmbedder:
    if name not in functions:
        raise SettingsError(
            f'embedder "{name}" is a function that was not given; open the database with'
            f' functions={{"{name}": ...}}',
            field=f"embedders.{name}",
        )
    return FunctionEmbedder(functions[name], name=name, dim=own.dimensions)


def _onnx(name: str, own: EmbedderSettings) -> Embedder:
    made: Embedder = _loaded("onnx", name, extra="onnx").from_settings(name, own)
    return made


def _loaded(module: str, name: str, *, extra: str) -> ModuleType:
    try:
        return import_module(f"hybridsearch.embedders.{module}")
    except ModuleNotFoundError as error:
        raise SettingsError(
            f'embedder "{name}" needs the library {error.name}, which is not installed; install it'
            f' with pip install "hybridsearch[{extra}]"',
            field=f"embedders.{name}",
        ) from error
