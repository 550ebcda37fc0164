"""A file that a person has written becomes what it stands for, or a clear word of what is wrong where in it."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from schemas.shape import Shape
from schemas.site_batteries import written_for
from schemas.troubles import Trouble, explain

S = TypeVar("S", bound=Shape)


def read_toml(path: Path, shape: type[S]) -> S:
    """Raises Trouble: the file, the field, what would be right."""
    if not path.is_file():
        raise Trouble(f"{path} does not exist")
    given = dict[str, Any]()
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        return shape.model_validate(given)
    except (ValueError, OSError) as wrong:
        raise explain(path, wrong, shape, lambda place: written_for(given.get("battery"), place)) from wrong
