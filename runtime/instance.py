"""The name of a state folder, drawn once for each part that works in it."""

import re
import secrets
from pathlib import Path


def instance(folder: Path, name: str) -> str:
    """64 random bits in hexadecimal. Raises OSError where they cannot be read or written down."""
    path = folder / f"{name}.instance"
    try:
        known = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        known = ""
    if re.fullmatch(r"[0-9a-f]{16}", known):
        return known
    new = secrets.token_hex(8)
    path.write_text(f"{new}\n", encoding="ascii")
    return new
