"""Lines of people's words on a terminal."""

import shutil
import sys
from collections.abc import Iterable
from textwrap import wrap

LEAST = 40
"""Columns: no terminal is taken for narrower."""


def told(lines: Iterable[str], margin: int) -> str:
    """As they are printed: in a terminal of its width, else as they are, for whoever reads them by a program."""
    if not sys.stdout.isatty():
        return "\n".join(lines)
    width = shutil.get_terminal_size().columns
    return "\n".join(folded(line, width, margin) for line in lines)


def folded(line: str, width: int, margin: int) -> str:
    """What is said goes on below itself, `margin` columns from the left at the least, and not below its name."""
    own = len(line) - len(line.lstrip())
    return "\n".join(wrap(line, max(width, LEAST), subsequent_indent=" " * max(own, margin), break_on_hyphens=False))
