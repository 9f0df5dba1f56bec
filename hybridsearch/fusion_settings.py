"""How does an index fuse its arms when a request does not say?

A `FusionSettings` is frozen and always valid; what it leaves out is the embedder's to say. It is
the setting `fusion` of an index, which `hybridsearch tune` finds and sets.

    read_fusion("fusion", {"mode": "rrf", "weights": [0.7, 0.3], "k": 10})
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybridsearch.errors import SettingsError, near
from hybridsearch.setting_values import wrong

FUSIONS = ("rrf", "score", "linear", "dbsf")
NAMES = ("mode", "weights", "k")
LARGEST_K = 1_000_000


@dataclass(frozen=True)
class FusionSettings:
    """mode: one of `FUSIONS`. weights: (keyword, semantic), 0 or more, not both 0. k: the constant
    of reciprocal rank fusion.
    """

    mode: str
    weights: tuple[float, float] | None = None
    k: int | None = None

    def to_json(self) -> dict[str, Any]:
        """What was set, in its JSON form."""
        found: dict[str, Any] = {"mode": self.mode}
        if self.weights is not None:
            found["weights"] = list(self.weights)
        if self.k is not None:
            found["k"] = self.k
        return found


def read_fusion(name: str, value: object) -> FusionSettings:
    """The setting, checked. Raises SettingsError, naming the field."""
    if not isinstance(value, Mapping):
        raise wrong(name, 'an object such as {"mode": "rrf", "weights": [0.7, 0.3]}', value)
    for key in value:
        if key not in NAMES:
            raise SettingsError(
                f'unknown setting "{name}.{key}"{near(str(key), NAMES)}', field=name
            )
    mode = value.get("mode")
    if mode not in FUSIONS:
        raise wrong(f"{name}.mode", f"one of {', '.join(FUSIONS)}", mode)
    weights, k = value.get("weights"), value.get("k")
    if weights is not None and not _are_weights(weights):
        raise wrong(
            f"{name}.weights", "two numbers, keyword and semantic, 0 or more, not both 0", weights
        )
    if k is not None and not _is_k(k):
        raise wrong(f"{name}.k", f"a whole number between 1 and {LARGEST_K:,}", k)
    pair = None if weights is None else (float(weights[0]), float(weights[1]))
    return FusionSettings(str(mode), pair, k)


def _are_weights(value: object) -> bool:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    return all(_is_weight(weight) for weight in value) and any(value)


def _is_weight(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= LARGEST_K and math.isfinite(value)


def _is_k(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_K
