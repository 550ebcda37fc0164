"""A file that a person has written becomes what it stands for, or a clear word of what is wrong where in it."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from schemas.shape import Shape
from schemas.site_batteries import written_for
from schemas.troubles import Trouble, explain

SHOWN = 6
"""Files that are named of a folder."""
S = TypeVar("S", bound=Shape)


def read_toml(path: Path, shape: type[S]) -> S:
    """Raises Trouble: the file, the field, what would be right."""
    if path.is_dir():
        there = ", ".join(sorted(one.name for one in path.glob("*.toml"))[:SHOWN]) or "no .toml file"
        raise Trouble(f"{path} is a folder: write the name of a file in it; there is: {there}")
    if not path.exists():
        raise Trouble(f"{path} does not exist")
    given = dict[str, Any]()
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        return shape.model_validate(given)
    except (ValueError, OSError) as wrong:
        raise explain(path, wrong, shape, lambda place: written_for(given.get("battery"), place)) from wrong
