"""The simulated site as a part: its faults are switched at its health endpoint."""

from collections.abc import Callable
from datetime import timedelta

from runtime.part import Part
from simulator.faults import listing
from simulator.service import SimulatedSite
from simulator.states import QUICK


async def run(part: Part, switched_on: list[str], past_days: float = 0.0) -> None:
    """Serve the site's devices on their Modbus addresses until told to stop."""
    memory = part.settings.state / f"simulated-{part.site.site}.json"
    past = timedelta(days=0 if memory.is_file() else past_days)
    simulated = SimulatedSite(part.site, switched_on, past=past, memory=memory, noisy=True, times=QUICK)
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
