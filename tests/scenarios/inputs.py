"""What can go wrong under a battery at power: each input, how long it may be believed, and how fast it must be safe.

No number of a promise is typed here that the code has: it is made of the code's own constants.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pymodbus.constants import ExcCodes

from bridges.control.interlock_rules import rules_for
from bridges.control.meter_polarity import FEWEST
from bridges.control.steering import LEAVING
from bridges.control.swing import LASTS, OVER
from bridges.control.verification import REVERSING
from bridges.telemetry.latest_values import lasts
from bridges.telemetry.standstill import FROZEN, READINGS
from optimizer.delays import SLACK
from schemas.messages import Authority, Cause, Value
from schemas.profiles import load_profile
from schemas.register import BITES
from schemas.site import Site
from schemas.site_file import load_site
from schemas.topics import COMMAND_TTL
from simulator.states import Contact
from tests.bridges.control.story import DEMO, Story
from tests.virtual import loop

POWER, RAMP = 50_000.0, 50_000.0
"""W the battery gives when it happens, and W/s its setpoint may move."""
AT_REST = 1_000.0
"""W: less is what the PCS measures at 0."""
TICK = 2.0
"""Seconds between two commands."""
TURN = 4.0
"""Seconds a battery stands still between two steps that show a meter's sign."""
SITE: Site = load_site(DEMO)
POLL = {one.name: one.poll for one in SITE.device}
CYCLE = POLL["pcs"]
"""Seconds between two control cycles."""
PHYSICS = 0.1
"""Seconds between two steps of the simulated plant."""
DOWN = POWER / RAMP + 1.5 * CYCLE
"""Seconds a ramp from there to 0 takes, with its first and last step."""
DOG = load_profile("sinexcel_pws2").watchdog.seconds  # type: ignore[union-attr]  # it has one
METER_AGE = 5.0
BMS_AGE = lasts(POLL["bms"], SITE.battery[0].ccl_stale_after)
PCS_AGE = lasts(POLL["pcs"], METER_AGE)
GRID_AGE = lasts(POLL["meter"], METER_AGE)
TOLD = "commands go on"

Deed = Callable[[Story], Awaitable[None] | None]


@dataclass(frozen=True)
class Input:
    """One row. Times in s."""

    name: str
    age: str
    """How long it is believed, or what its limit is, in words."""
    action: str
    promise: float
    happens: Deed
    steered: bool = True
    """Commands go on."""
    power: float = POWER
    safe: Callable[[Story], bool] = field(default=lambda it: abs(it.power) <= AT_REST)
    setting: dict[str, Any] = field(default_factory=dict)
    """Of the site."""
    wish: Callable[[float], float] | None = None
    """What is commanded instead of a constant power, from when it happens on."""


def on(*faults: str) -> Deed:
    """These faults of the simulator."""

    def happens(it: Story) -> None:
        for one in faults:
            it.simulated.faults.on(one)

    return happens


def nothing(_: Story) -> None:
    """What is commanded from now on is what happens."""


def opens(it: Story) -> None:
    """The BMS opens it under load; the inverter is without its DC at once."""
    it.simulated.world.plant.first.contactor.state = Contact.OPEN


def shows(device: str, point: str, value: Value) -> Deed:
    """The device says so from now on, whatever its physics does."""

    def happens(it: Story) -> None:
        behind = it.simulated.devices[device].behind
        true = behind.values
        behind.values = lambda: {**true(), point: value}  # type: ignore[method-assign]

    return happens


def limits_fall(it: Story) -> None:
    """The BMS takes its currents back, and the PCS does not know it."""
    it.simulated.faults.on("pcs:no_limits")
    shows("bms", "dcl", 0.0)(it)


def reads_fail(it: Story) -> None:
    """It answers each reading with an exception, and takes what it is told; both feed its watchdog."""
    device = it.simulated.devices["pcs"]

    def read(function: int, start: int, count: int) -> ExcCodes:  # noqa: ARG001  # as the device is asked
        device.behind.heard(write=False)
        return ExcCodes.DEVICE_FAILURE

    device.read = read  # type: ignore[method-assign]


def limited(percent: float, authority: Authority, source: str) -> Deed:
    """A limit of an authority arrives."""

    def happens(it: Story) -> None:
        until = loop().wall() + timedelta(seconds=60)
        it.command(source=source, authority=authority, values={"p_limit_pct": percent}, until=until)

    return happens


async def ends(it: Story) -> None:
    """The bridge is told to stop."""
    it.serving.cancel()
    await asyncio.gather(it.serving, return_exceptions=True)


async def dies(it: Story) -> None:
    """kill -9: nobody says a word in parting."""

    async def silence() -> None:
        """It is dead."""

    it.bridge.controls["pcs"]._leave = silence  # type: ignore[method-assign]
    await ends(it)


def to_and_fro(low: float, high: float, seconds: float) -> Callable[[float], float]:
    """A wish that jumps."""
    return lambda now: high if now % (2 * seconds) < seconds else low


def named(cause: Cause, device: str = "pcs") -> Callable[[Story], bool]:
    """It is said, and nobody writes."""
    return lambda it: cause in it.causes(device)


def hold(name: str) -> float:
    """Seconds an interlock waits for its cause to last."""
    return next(one.rule.hold for one in rules_for(SITE, SITE.units[0]) if one.rule.name == name)


SOURCES = {"dispatch": Authority.OPERATOR, "scada": Authority.PROTECTION}
COMMANDED = {"command_sources": SOURCES}
LOCAL = {"profiles": {"pcs": load_profile("sunspec_storage_701")}}
LIMITED = 0.3 * SITE.named("pcs").rated_power  # type: ignore[operator]  # the demo has it

INPUTS = (
    Input("no command any more", f"ttl {COMMAND_TTL:g} s", "fallback, along the ramp",
          COMMAND_TTL + 2 * CYCLE + DOWN, nothing, steered=False),
    Input("BMS silent", f"{BMS_AGE:g} s", "limits of 0", BMS_AGE + CYCLE + PHYSICS, on("bms:silent")),
    Input("BMS answers exception 4", f"{BMS_AGE:g} s", "limits of 0", BMS_AGE + CYCLE + PHYSICS, on("bms:exception")),
    Input("BMS frozen", f"{FROZEN:g} s and {READINGS} readings of current, then {BMS_AGE:g} s", "limits of 0",
          max(FROZEN, READINGS * POLL["bms"]) + 2 * POLL["bms"] + BMS_AGE + CYCLE, on("bms:frozen")),
    Input("BMS SoC missing", f"{BMS_AGE:g} s", "limits of 0", BMS_AGE + CYCLE + PHYSICS, on("bms:soc_nan")),
    Input("BMS limit falls to 0", "the next reading", "setpoint to 0 at once",
          POLL["bms"] + CYCLE + PHYSICS, limits_fall),
    Input("grid meter silent", f"{GRID_AGE:g} s", "limits of 0", GRID_AGE + CYCLE + PHYSICS, on("meter:silent")),
    Input("PCS reads fail", f"{PCS_AGE:g} s", "limits of 0: writes are tried all the same",
          PCS_AGE + CYCLE + PHYSICS, reads_fail),
    Input("PCS silent", f"its own watchdog, {DOG:g} s", "it goes to 0 by itself", DOG + 2 * PHYSICS, on("pcs:silent")),
    Input("PCS declines writes, no command any more", f"ttl {COMMAND_TTL:g} s, ttl again, its own watchdog {DOG:g} s",
          f"left alone for {BITES:g} times its watchdog's time, so that it bites",
          2 * COMMAND_TTL + DOG + 4 * CYCLE, on("pcs:declines_p_set"), steered=False),
    Input("contactor opens under load", "-", "the inverter trips; setpoint to 0", POLL["bms"] + CYCLE, opens,
          safe=lambda it: abs(it.power) <= AT_REST and it.simulated.world.plant.pcs.p_set == 0),
    Input("emergency stop of the PCS (bit `epo`)", f"the next reading, hold {hold('emergency_stop'):g} s",
          "setpoint to 0, stop", POLL["pcs"] + CYCLE + hold("emergency_stop") + PHYSICS,
          shows("pcs", "alarms_2", ["epo"])),
    Input("earth fault (bit `ground_fault`)", f"the next reading, hold {hold('insulation_too_low'):g} s",
          "setpoint to 0, stop", POLL["pcs"] + CYCLE + hold("insulation_too_low") + PHYSICS,
          shows("pcs", "alarms", ["ground_fault"])),
    Input("BMS level 3 (discharge over-current)", "the next reading", "discharge blocked",
          POLL["bms"] + CYCLE + hold("discharge_protection") + PHYSICS,
          shows("bms", "alarms_2", ["discharge_over_current_protection"])),
    Input("BMS trips by itself", "the next reading", "setpoint to 0, stop", POLL["bms"] + CYCLE + PHYSICS,
          on("bms:trips")),
    Input("PCS trips", "-", "setpoint to 0", POLL["pcs"] + CYCLE, on("pcs:trip"),
          safe=lambda it: abs(it.power) <= AT_REST and it.simulated.world.plant.pcs.p_set == 0),
    Input("local mode", "two readings", "not written any more, commands refused", 2 * POLL["pcs"] + CYCLE,
          on("pcs:local"), safe=named(Cause.LOCAL), setting=LOCAL),
    Input("power reversed", f"{REVERSING:g} s after the dead time", "setpoint to 0 until a person resets",
          SITE.battery[0].dead_time + SLACK + REVERSING + 2 * POLL["pcs"] + CYCLE, on("pcs:reversed")),
    Input("wrong meter polarity", f"{FEWEST} steps of the battery, here one each {TURN:g} s", "the loop ends, rest",
          (FEWEST + 2) * TURN + 2 * POLL["meter"] + DOWN, on("meter:inverted"),
          safe=lambda it: Cause.METER_POLARITY in it.causes("meter") and abs(it.power) <= AT_REST,
          wish=to_and_fro(20_000.0, 50_000.0, TURN)),
    Input("the loop swings", f"within {LASTS + OVER:g} s", "the loop ends, rest", LASTS + OVER, nothing,
          safe=lambda it: Cause.SWINGING in it.causes() and abs(it.power) <= AT_REST,
          wish=to_and_fro(20_000.0, 50_000.0, TURN)),
    Input("the network operator's limit falls to 30 %", "-", "setpoint within it, without a ramp",
          CYCLE + PHYSICS, limited(30.0, Authority.DSO, "scada"),
          safe=lambda it: abs(it.power) <= LIMITED + AT_REST, setting=COMMANDED),
    Input("a protection's limit of 0 %", "-", "setpoint to 0, without a ramp",
          CYCLE + PHYSICS, limited(0.0, Authority.PROTECTION, "scada"), setting=COMMANDED),
    Input("bridge stopped in good order", f"{LEAVING:g} s", "fallback, along the ramp as far as there is time",
          LEAVING + 1.0, ends),
    Input("bridge killed", f"the PCS's own watchdog, {DOG:g} s", "it goes to 0 by itself", DOG + 2 * PHYSICS, dies),
)  # fmt: skip
