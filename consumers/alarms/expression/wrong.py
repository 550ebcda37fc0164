"""What is said of an expression that cannot be understood."""

import difflib
from collections.abc import Iterable


class Wrong(Exception):
    """An expression that is refused: where, and what would be right."""

    def __init__(self, column: int, words: str) -> None:
        """`column` counts from 1."""
        super().__init__(f"column {column}: {words}")
        self.column, self.words = column, words


MEANT = "did you mean "


def guess(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant; else all of them."""
    names = list(dict.fromkeys(known))
    folded = {one.lower(): one for one in names}
    close = difflib.get_close_matches(name, names, n=1) or difflib.get_close_matches(name.lower(), folded, n=1)
    if close:
        return f"{MEANT}{folded.get(close[0], close[0])!r}?"
    return f"there is: {', '.join(names) or 'none'}"
