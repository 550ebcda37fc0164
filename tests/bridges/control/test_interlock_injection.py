"""Each shipped interlock by fault injection: through the registers of every profile, then over Modbus."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from bridges.control.interlock_cause import Interlock
from bridges.control.interlock_state import ACTS, IMPOSES, State
from bridges.control.interlocks import Judgement, Memory, judge, reset
from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.device import ModbusDevice
from schemas.interlock import Effect
from schemas.messages import Value
from schemas.site import Site
from schemas.units import Chemistry, Kind
from simulator.service import SimulatedSite
from simulator.states import Contact, Order
from tests.bridges.control.interlocked import DEMO, calm, cause_of, locks_of, shipped_profiles, site, through_registers


def injections() -> list[Any]:
    """Every interlock of every PCS and BMS that ships, and of an I/O module."""
    sites = [site(pcs=name) for name in shipped_profiles(Kind.PCS)]
    sites += [site(bms=name, chemistry=chemistry) for name in shipped_profiles(Kind.BMS) for chemistry in Chemistry]
    found: dict[str, tuple[Site, Interlock]] = {}
    for made in sites:
        for lock in locks_of(made):
            profile = made.profiles[lock.device]
            if lock.rule.point == "i_of_ccl" and profile.points["i"].sign is not None:
                continue  # the image shows one device's values, and the direction is no part of them
            found[f"{lock.rule.name} {profile.make} {profile.model}"] = made, lock
    return [pytest.param(made, lock, id=name) for name, (made, lock) in found.items()]


INJECTIONS = injections()


@pytest.mark.parametrize(("made", "lock"), INJECTIONS)
def test_every_shipped_interlock_acts_on_its_cause_and_ends_as_it_says(made: Site, lock: Interlock) -> None:
    rule, profile = lock.rule, made.profiles[lock.device]
    healthy = calm(profile)
    good = through_registers({lock.device: profile}, {lock.device: healthy})
    if rule.silent is not None:
        bad = through_registers({}, {})
    else:
        bad = through_registers({lock.device: profile}, {lock.device: healthy | cause_of(lock, profile)})

    says, _ = hold(lock, judge([lock], Memory(), good, -15.0), good, -14.0, 14.0)
    assert says.acting == (), "a healthy battery is left alone"
    assert judge([lock], says.memory, bad, 1.0).acting == () or not (rule.hold or rule.silent)
    twice = 2.0 if rule.rises else 0.0  # a rise is shown by two readings
    says, now = hold(lock, judge([lock], says.memory, bad, 1.0), bad, 1.0, rule.silent or rule.hold + twice)
    assert [one.state for one in says.acting] == [State.ACTIVE], "after `hold`, and at once without"
    assert_imposed(says, rule.effect, lock.left)

    says, now = hold(lock, says, good, now + 1.0, max(rule.off, rule.within if rule.rises else 0.0) + rule.off)
    if rule.reset == "operator":
        assert [one.state for one in says.acting] == [State.LATCHED]
        assert_imposed(says, rule.effect, lock.left)
        assert reset([lock], says.memory, "anna", now).cleared == (lock.name,)
    else:
        assert says.acting == ()


@pytest.mark.parametrize(("made", "lock"), INJECTIONS)
def test_every_shipped_interlock_acts_when_its_point_is_lost(made: Site, lock: Interlock) -> None:
    profile = made.profiles[lock.device]
    good = through_registers({lock.device: profile}, {lock.device: calm(profile)})
    lost = through_registers({}, {})
    says = judge([lock], Memory(), good, 0.0)
    says = judge([lock], says.memory, lost, 1.0)
    assert bool(says.acting) == (lock.rule.patience == 0)
    says = judge([lock], says.memory, lost, 1.0 + lock.rule.patience)
    if lock.rule.unknown == "nothing":
        assert not says.acting, "its device guards itself"
        return
    assert says.acting, "unknown is never fine"
    assert_imposed(says, [one for effect in lock.rule.effect for one in ACTS[says.acting[0].state][effect]], lock.left)
    back = judge([lock], says.memory, good, 2.0 + lock.rule.patience)
    back = judge([lock], back.memory, good, 2.0 + lock.rule.patience + lock.rule.off)
    latches = lock.rule.unknown == "active" and lock.rule.reset == "operator"
    assert [one.state for one in back.acting] == ([State.LATCHED] if latches else [])


def hold(lock: Interlock, says: Judgement, seen: Any, since: float, seconds: float) -> tuple[Judgement, float]:
    """Judged each second as long as that."""
    now = since
    while True:
        says = judge([lock], says.memory, seen, now)
        if now - since >= seconds:
            return says, now
        now += 1.0


def assert_imposed(says: Judgement, effects: Iterable[Effect], left: float) -> None:
    given = [IMPOSES[effect].of(left) for effect in effects]
    assert says.low == max(one.low for one in given)
    assert says.high == min(one.high for one in given)
    assert says.start == all(one.start for one in given)
    assert says.stop == any(one.stop for one in given)
    assert says.lockout == any(one.lockout for one in given)


# --- the simulated site, over Modbus ---------------------------------------------------------------------

NOON = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)


class Watch:
    """Reads PCS and BMS of a simulated site and judges what they say; its time is its own, so nothing is waited for."""

    def __init__(self, simulated: SimulatedSite) -> None:
        self.site, self.now, self.memory = simulated.site, 0.0, Memory()
        self.locks = locks_of(self.site)
        self.devices = [
            ModbusDevice(one, self.site.profiles[one.name], Connection(one.address))
            for one in self.site.device
            if one.name in ("pcs", "bms")
        ]

    async def look(self, seconds: float = 0.0) -> Judgement:
        """Time passes, then everything is read and judged. What does not answer is not known."""
        self.now += seconds
        seen: dict[tuple[str, str], Value] = {}
        for one in self.devices:
            try:
                values = (await one.read()).values
                for _ in one.slow:
                    values |= (await one.read()).values
            except (Unreachable, Declined):
                continue
            seen |= {(one.device.name, point): value for point, value in values.items()}
        says = judge(self.locks, self.memory, lambda device, point: seen.get((device, point)), self.now)
        self.memory = says.memory
        return says

    def close(self) -> None:
        for one in self.devices:
            one.line.close()


def names(says: Judgement) -> set[str]:
    return {one.name for one in says.acting}


@pytest.mark.parametrize(
    ("fault", "at_once", "low", "high", "later", "stop"),
    [
        ("bms:hot", {"charge_protection-bms"}, 0.0, 0.0, {"cell_too_hot-bms", "cell_heats_up-bms"}, True),
        (
            "bms:cell_high",
            {"cell_over_voltage-bms", "over_voltage_protection-bms"},
            0.0,
            math.inf,
            {"cell_over_voltage_stays-bms", "over_voltage_stays-bms"},
            True,
        ),
        ("pcs:trip", {"pcs_fault-pcs"}, 0.0, 0.0, set(), False),
        ("bms:silent", set(), -math.inf, math.inf, {"contactor_open-bms", "cell_over_voltage-bms"}, False),
        ("bms:exception", set(), -math.inf, math.inf, {"contactor_open-bms", "cell_over_voltage-bms"}, False),
    ],
)
async def test_a_fault_of_the_simulated_site_acts(  # noqa: PLR0917  # pytest gives them by name
    fault: str, at_once: set[str], low: float, high: float, later: set[str], stop: bool
) -> None:
    async with SimulatedSite(DEMO, ramp=math.inf, start=NOON, free_ports=True) as simulated:
        watch = Watch(simulated)
        for _ in range(7):  # what comes in the first 10 s may be a device that begins
            says = await watch.look(2.0)
        assert says.acting == (), "a healthy battery is left alone"
        simulated.faults.on(fault)
        says = await watch.look(1.0)
        assert at_once <= names(says)
        assert (says.low, says.high) == (low, high)
        for _ in range(10):
            says = await watch.look(1.0)
        assert later <= names(says)
        assert says.stop == stop
        says = await watch.look(50.0)
        assert says.stop == (fault != "pcs:trip"), "a BMS that is not heard for a minute stops the inverter"
        simulated.faults.off(fault)
        simulated.world.plant.pcs.order(Order.RESET)
        says = await watch.look(1.0)
        says = await watch.look(60.0)
        says = await watch.look(300.0)
        waiting = {one.name for one in says.acting if one.state is State.LATCHED}
        assert waiting == names(says), "what does not wait for a person has ended by itself"
        assert bool(waiting) == (fault in ("bms:hot", "bms:cell_high"))
        done = reset(watch.locks, watch.memory, "anna", watch.now)
        assert set(done.cleared) == waiting
        watch.memory = done.memory
        assert (await watch.look(1.0)).acting == ()
        watch.close()


async def test_a_contactor_that_opens_takes_the_setpoint_to_0_and_forbids_no_start() -> None:
    async with SimulatedSite(DEMO, ramp=math.inf, start=NOON, free_ports=True) as simulated:
        watch = Watch(simulated)
        await watch.look()
        simulated.world.plant.pcs.order(Order.STOP)  # one that runs would trip without its DC
        await watch.look(1.0)
        simulated.world.plant.first.contactor.state = Contact.OPEN
        says = await watch.look(1.0)
        assert names(says) == {"contactor_open-bms"}
        assert (says.low, says.high, says.start, says.stop) == (0.0, 0.0, True, False)
        simulated.world.plant.first.contactor.state = Contact.CLOSED
        await watch.look(1.0)
        assert (await watch.look(1.0)).acting == ()
        watch.close()
