"""A mistake in a TOML file is found at its line, however the file is written."""

import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.troubles import Trouble, explain, point_at
from schemas.units import Name


class Wheel(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int
    name: Name = "a"


class Car(BaseModel):
    model_config = ConfigDict(extra="forbid")
    wheel: list[Wheel] = []
    spare: dict[str, Wheel] = {}


def said(folder: Path, text: str) -> str:
    path = folder / "car.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValidationError) as wrong:
        Car.model_validate(tomllib.loads(text))
    return str(explain(path, wrong.value, Car)).replace(str(path), "car.toml")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[[wheel]]\nsize = 1\n[[wheel]]\nsize = 'big'\n", "car.toml:4: wheel.1.size: "),
        ("[[other]]\n[[other]]\n[[wheel]]\nsize = 'big'\n", "car.toml:4: wheel.0.size: "),
        ("[spare]\na = { size = 1 }\nb = { size = 'big' }\nsize = 3\n", "car.toml:3: spare.b.size: "),
        ("[spare.a]\nsize = 1\n[spare.b]\n# size\nsize = 'big'\n", "car.toml:5: spare.b.size: "),
        ("[spare]\na.size = 'big'\n", "car.toml:2: spare.a.size: "),
        ('[spare]\n"a" = { size = "big" }\n', "car.toml:2: spare.a.size: "),
        ("[[wheel]]\nname = 'x'\n", "car.toml:1: wheel.0.size: is missing"),
    ],
    ids=["second of an array", "other arrays", "inline", "table", "dotted", "quoted", "missing"],
)
def test_the_line_is_found(tmp_path: Path, text: str, line: str) -> None:
    assert any(one.startswith(line) for one in said(tmp_path, text).splitlines())


def test_an_unknown_key_is_compared_with_those_there_are(tmp_path: Path) -> None:
    assert (
        said(tmp_path, "[[wheel]]\nsize = 1\nsice = 2\n")
        == "car.toml:3: wheel.0.sice: unknown key; did you mean 'size'?"
    )


def test_a_name_is_corrected(tmp_path: Path) -> None:
    assert "did you mean 'front_left'?" in said(tmp_path, "[[wheel]]\nsize = 1\nname = 'Front Left'\n")


def test_mistakes_without_a_place_name_the_file(tmp_path: Path) -> None:
    assert str(point_at(tmp_path / "x.toml", [("", "is empty")])).endswith("x.toml: the file: is empty")


def test_the_closest_name_or_all_of_them() -> None:
    assert (
        str(Trouble.unknown("wheel 'frnt'", "frnt", ["front", "rear"]))
        == "wheel 'frnt' does not exist; did you mean 'front'?"
    )
    assert (
        str(Trouble.unknown("wheel 'x'", "x", ["front", "rear"])) == "wheel 'x' does not exist; there is: front, rear"
    )


def test_a_key_that_is_missing_is_not_found_in_the_next_table(tmp_path: Path) -> None:
    assert said(tmp_path, "[[wheel]]\nname = 'x'\n[[wheel]]\nsize = 1\n") == "car.toml:1: wheel.0.size: is missing"
    assert said(tmp_path, "[spare.a]\nname = 'x'\n[spare.b]\nsize = 1\n") == "car.toml:1: spare.a.size: is missing"
