"""Which limit of the grid connection shapes a step: one that was sent and is reached, or any that is passed. Pure."""

from collections.abc import Iterator

from optimizer.outlook import Outlook
from schemas.messages import Direction, Why
from schemas.why import WhyCode

SMALL = 50.0
"""W: less is nothing."""

HELD: dict[str, WhyCode] = {
    "import": WhyCode.IMPORT_HELD,
    "export": WhyCode.EXPORT_HELD,
    "contract": WhyCode.CONTRACT_HELD,
    "steerable": WhyCode.STEERABLE_HELD,
}
PASSED: dict[str, WhyCode] = {
    "import": WhyCode.IMPORT_PASSED,
    "export": WhyCode.EXPORT_PASSED,
    "contract": WhyCode.CONTRACT_PASSED,
    "steerable": WhyCode.STEERABLE_PASSED,
}


def limited(outlook: Outlook, grid: float, step: int) -> list[Why]:
    """`grid` in W, positive importing."""
    into, out = float(outlook.import_limit[step]), float(outlook.export_limit[step])
    return [*_side(outlook, grid, into, step, "consumption"), *_side(outlook, -grid, out, step, "feed_in")]


def _side(outlook: Outlook, flow: float, most: float, step: int, direction: Direction) -> Iterator[Why]:
    one = outlook.limiting(step, direction)
    kind, limit, of = "import" if direction == "consumption" else "export", most, one.source if one else ""
    contract = outlook.contract(step) if direction == "consumption" else ""
    if contract:
        kind, of = "contract", contract
    elif one is not None and one.scope == "steerable":
        kind, limit = "steerable", one.power
    if flow > most + SMALL:
        gives_way = outlook.gives_way[step] and direction == "feed_in"
        code = WhyCode.PV_CURTAILED if gives_way else PASSED[kind]
        yield Why(code=code.value, value=round(flow - most, 1), limit=round(limit, 1), of=of)
    elif (contract or one is not None) and flow > most - SMALL:
        yield Why(code=HELD[kind].value, limit=round(limit, 1), of=of)
