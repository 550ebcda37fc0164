"""The demo site, as a file and as a running site on free ports."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.site import Site
from schemas.site_file import load_site
from simulator.service import SimulatedSite

NOON = datetime(2026, 6, 16, 10, tzinfo=UTC)
"""A Tuesday with sun, 12:00 in Berlin."""


@pytest.fixture(scope="session")
def site() -> Site:
    return load_site(Path(__file__).parents[2] / "tests" / "one_battery.toml")


@pytest.fixture
async def simulated(site: Site) -> AsyncIterator[SimulatedSite]:
    async with SimulatedSite(site, start=NOON, free_ports=True) as running:
        yield running
