"""The simulated site as a part: its faults are switched at its health endpoint."""

from collections.abc import Callable
from datetime import datetime, timedelta

from runtime.part import Part
from schemas.site import Site
from schemas.units import utc_now
from simulator.faults import listing
from simulator.plant import Surroundings
from simulator.service import SimulatedSite
from simulator.states import QUICK
from simulator.weather_load import surroundings
from simulator.world import Around


def weather_of(site: Site, begins: datetime | None, now: datetime) -> Around | None:
    """Load and sun as they were recorded from `begins` on, in the site's zone, in place of those of today."""
    if begins is None:
        return None
    ahead = (begins if begins.tzinfo else begins.replace(tzinfo=site.zone)) - now

    def around(at: datetime) -> Surroundings:
        return surroundings(at + ahead, site.zone)

    return around


async def run(part: Part, switched_on: list[str], past_days: float = 0.0, weather: datetime | None = None) -> None:
    """Serve the site's devices on their Modbus addresses until told to stop. `weather`: the moment whose load and sun
    it begins with."""
    memory = part.settings.state / f"simulated-{part.site.site}.json"
    past = timedelta(days=0 if memory.is_file() else past_days)
    around = weather_of(part.site, weather, utc_now())
    simulated = SimulatedSite(part.site, switched_on, past=past, memory=memory, noisy=True, times=QUICK, around=around)
    faults = simulated.faults

    def switch(name: str, turn: Callable[[str], None], word: str) -> Callable[[], str]:
        def order() -> str:
            turn(name)
            return f"{name} is {word}\n"

        return order

    part.orders = {
        **{f"/fault/{name}/on": switch(name, faults.on, "on") for name in faults.known},
        **{f"/fault/{name}/off": switch(name, faults.off, "off") for name in faults.known},
        "/fault/list": lambda: listing(part.site, faults),
    }

    def listening() -> None:
        part.ready = True

    await part.run(None, lambda: simulated.serve(listening))
