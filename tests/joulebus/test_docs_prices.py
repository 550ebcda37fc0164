"""docs/prices.md: each example of a document is read with the tariff beside it, and gives what the page says."""

import re
import tomllib
from datetime import datetime
from pathlib import Path

import pytest

from consumers.optimize.prices import read_published
from optimizer.price_documents.formats import JSON, TEXT, XML
from optimizer.price_documents.wanted import Wanted
from schemas.tariff import Tariff

PAGE = (Path(__file__).parents[2] / "docs" / "prices.md").read_text(encoding="utf-8")
SECTIONS = dict(
    part.split("\n", 1)
    for part in PAGE.partition("## As they are published")[2].partition("\n## ")[0].split("\n### ")[1:]
)


def test_each_format_has_its_example() -> None:
    assert set(SECTIONS) == {one.name for one in (*XML, *JSON, *TEXT)}


@pytest.mark.parametrize("form", SECTIONS)
def test_an_example_gives_what_the_page_says(tmp_path: Path, form: str) -> None:
    toml, document = re.findall(r"```\w+\n(.*?)```", SECTIONS[form], re.DOTALL)
    rule = Tariff.model_validate(tomllib.loads(toml)).import_.day_ahead
    assert rule is not None
    path = tmp_path / rule.file
    path.write_text(document, encoding="utf-8")
    published, found = read_published(path, Wanted("EUR", rule.area, rule.auction, rule.part))
    said = re.findall(r"(-?[\d.]+) at ([\d-]+T[\d:]+Z)", SECTIONS[form].partition("\nRead: ")[2])
    assert said
    assert found == form
    for price, at in said:
        read = published.series.at(datetime.fromisoformat(at))
        assert read is not None
        assert round(1000 * read, 6) == float(price), at
