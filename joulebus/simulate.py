"""The simulated site as a part: its faults are switched at its health endpoint."""

from collections.abc import Callable

from simulator.faults import Faults
from simulator.service import SimulatedSite

from runtime.part import Part


async def run(part: Part, switched_on: list[str]) -> None:
    """Serve the site's devices on their Modbus addresses until told to stop."""
    faults = Faults.of(part.site)
    for name in switched_on:
        faults.switch(name, on=True)

    def order(name: str, on: bool) -> Callable[[], str]:
        def switch() -> str:
            faults.switch(name, on=on)
            return f"{name} is {'on' if on else 'off'}\n"

        return switch

    part.orders = {
        f"/fault/{name}/{word}": order(name, word == "on") for name in faults.names for word in ("on", "off")
    }
    part.orders["/fault/list"] = lambda: "".join(
        f"{name}{' (on)' if faults.on(name) else ''}\n" for name in faults.names
    )
    simulated = SimulatedSite(part.site, faults)

    async def serve() -> None:
        async with simulated:
            part.ready = True
            await simulated.serve()

    await part.run(None, serve)
