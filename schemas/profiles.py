"""The profiles that ship with the bridges, by their name: loaded, and looked over."""

import tomllib
from functools import lru_cache
from pathlib import Path

from schemas.lint import mistakes
from schemas.profile import Profile
from schemas.troubles import Trouble, explain, point_at

PROFILES = Path(__file__).parent.parent / "bridges" / "profiles"


def load_profile(name: str, folder: Path = PROFILES) -> Profile:
    """A profile by its name. Raises Trouble that names the file and what would be right."""
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = sorted(file.stem for file in folder.glob("*.toml"))
        raise Trouble.unknown(f"profile {name!r}", name, known, where=str(folder))
    try:
        return _profile(path, path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as wrong:
        raise explain(path, wrong, Profile) from wrong


@lru_cache(maxsize=256)
def _profile(path: Path, text: str) -> Profile:
    """The same object for the same text: a profile never changes. Raises ValueError, Trouble."""
    profile = Profile.model_validate(tomllib.loads(text))
    if wrongs := list(mistakes(profile)):
        raise point_at(path, wrongs)
    return profile
