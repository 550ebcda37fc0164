"""The colours of the page by its style sheet: each text can be read on each ground it may stand on, in both schemes."""

import re
from itertools import product
from pathlib import Path

import pytest

from consumers.status import app

SHEET = (Path(app.__file__).parent / "static" / "page.css").read_text(encoding="utf-8")
LIGHT, DARK = (dict(re.findall(r"--([\w-]+): (#\w+);", block)) for block in re.findall(r":root \{([^}]*)\}", SHEET))
TEXTS = [
    *product(("ink", "soft", "bad", "focus"), ("bg", "card")),
    ("battery", "card"),
    ("card", "ink"),
    ("on-critical", "critical"),
]
"""A colour of text and its ground: of `card` on `ink` are the main buttons and the banner."""
DRAWN = [(name, "card") for name in ("grid", "pv", "battery", "load", "price")]


def light(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    letters = colour[1:] if len(colour) == 7 else "".join(2 * letter for letter in colour[1:])
    parts = [int(letters[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((light(one), light(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, LIGHT | DARK], ids=["light", "dark"])
def test_each_text_and_each_line_can_be_told_from_its_ground(colours: dict[str, str]) -> None:
    least = dict.fromkeys(TEXTS, 4.5) | dict.fromkeys(DRAWN, 3.0)  # of WCAG AA; of a line 3
    found = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in (*DRAWN, *TEXTS)}
    assert {pair: round(ratio, 2) for pair, ratio in found.items() if ratio < least[pair]} == {}
