"""Where are the files that are not Python: the SQL and the web pages?

text("sql/schema/0001_start.sql")
"""

from __future__ import annotations

from importlib.resources import files

ASSETS = files("hybridsearch") / "assets"


def text(name: str) -> str:
    """The text of one asset, by its path under `assets/`. Raises FileNotFoundError."""
    return ASSETS.joinpath(name).read_text(encoding="utf-8")


def names(folder: str) -> list[str]:
    """The names of the files in a folder of assets, in order. Raises FileNotFoundError."""
    return sorted(item.name for item in ASSETS.joinpath(folder).iterdir() if item.is_file())
