"""Kept: figures that would come out the same are not drawn again."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pandas import DataFrame

NOTE = "figures.json"  # beside the figures: what they were drawn from, and their names


def key_of(parts: Iterable[Any]) -> str:
    """A hash over all that figures are drawn from, the code that draws among it."""
    digest = hashlib.sha256(_code().encode())
    for part in parts:
        text = part.to_csv() if isinstance(part, DataFrame) else json.dumps(part, sort_keys=True)
        digest.update(f"{len(text)} {text}".encode())
    return digest.hexdigest()


def kept(folder: Path, key: str) -> list[str] | None:
    """The names of the figures that were drawn from the same, and are all there; None if not."""
    try:
        drawn = json.loads((folder / NOTE).read_text())
        names: list[str] = drawn["names"]
        same = drawn["key"] == key
    except (OSError, ValueError, KeyError, TypeError):  # none was written, or not by this version
        return None
    return names if same and all(file.exists() for file in files(folder, names)) else None


def note(folder: Path, key: str, names: Sequence[str]) -> None:
    """What has just been drawn."""
    (folder / NOTE).write_text(json.dumps({"key": key, "names": list(names)}))


def files(folder: Path, names: Iterable[str]) -> list[Path]:
    """Each figure as PNG and as SVG."""
    return [folder / f"{name}.{kind}" for name in names for kind in ("png", "svg")]


@cache
def _code() -> str:
    here = Path(__file__).parents[1]
    return "".join(
        hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(here.rglob("*.py"))
    )
