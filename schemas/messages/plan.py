"""What the batteries and the flexible loads are to do in the next hours, and why."""

import itertools

from pydantic import Field, field_validator

from schemas.messages.message import Message
from schemas.messages.why import Why
from schemas.units import Instant, Name, Number, Percent, Seconds, Watts


class Step(Message):
    """One interval of a plan. Powers are means over the interval, SoC and energy stand at its end."""

    at: Instant
    seconds: Seconds = Field(gt=0, le=86_400)
    power: Watts
    """Of the battery, positive discharging."""
    soc: Percent
    grid: Watts
    """Positive importing."""
    load: Watts
    pv: Watts
    price_import: Number
    """Per kWh, in the plan's currency."""
    price_export: Number
    marginal_value: Number
    """What one more stored kWh would be worth at the end of this step, in the plan's currency."""
    cap: Watts | None = None
    """The highest mean import of a billing window that is meant to be let pass in this step, whatever the load turns
    out to be; None where nothing is billed by the kW."""
    policy: list[tuple[Watts, Watts]] = []
    """What the battery is to give for what the load less PV turns out to be: pairs of net load and power, by rising net
    load, straight between two of them and level beyond the first and the last. In the steps until `until` only."""
    reason: str
    why: list[Why] = []
    """The same for programs: the binding constraints with their marginal values, the most important first."""

    @field_validator("policy")
    @classmethod
    def _answers_each_net_load(cls, policy: list[tuple[float, float]]) -> list[tuple[float, float]]:
        if len(policy) == 1:
            raise ValueError("one pair says nothing of another net load: give two or more, or none")
        for (before, _), (after, _) in itertools.pairwise(policy):
            if after < before:
                raise ValueError(f"the net loads must rise: {after:g} W stands behind {before:g} W")
        return policy


class LoadStep(Message):
    """What a flexible load is meant to draw for a while."""

    at: Instant
    seconds: Seconds = Field(gt=0, le=86_400)
    power: Watts
    """Positive what it draws; 0 is off."""


class Plan(Message):
    """What the batteries are to do, made at `at` and valid until `until` (retained): a power for each step, if load and
    PV come as they are forecast, and for the steps until `until` what to give if they do not (`policy`)."""

    id: str
    at: Instant
    until: Instant
    currency: str
    prices_until: Instant | None = None
    """The first step whose price is not published yet: from it on prices are forecast. None where all are known."""
    steps: list[Step]
    peak: Watts | None = None
    """The highest mean import of a billing interval the plan means to reach in this month or year; of several demands,
    that of the first."""
    peaks: dict[str, Watts] = {}
    """The same of each demand of the tariff, by its name."""
    cost: Number
    cost_idle: Number
    """The same hours with a battery that rests."""
    peak_cost: Number | None = None
    """Of `cost` what the peaks of these hours cost beyond what is billed already. Where little of the month is known,
    as after a start, that is nearly all of its peak. None where nothing is billed by the kW."""
    peak_cost_idle: Number | None = None
    """The same of `cost_idle`."""
    carbon: Number = 0.0
    """What the CO2 of these hours costs where it has a price: weighed beside `cost`, and no part of it."""
    carbon_idle: Number = 0.0
    """The same with a battery that rests."""
    reserves: dict[Name, Number] = {}
    """What each reserve costs a day, by its name: the hours with all of them against those without this one."""
    inputs: dict[str, Seconds] = {}
    """Age of what the plan was made from."""
    limits: list[str] = []
    """The limits it was made for beside the site file's, each until its end, in words for people."""
    shortage: list[str] = []
    """Which limits of the grid connection and which reserves it cannot keep, when and by how much, in words for
    people."""
    loads: dict[Name, list[LoadStep]] = {}
    """What each flexible load is told, by its device; it is part of `load` in the steps."""
    missed: list[str] = []
    """Which bands and deadlines of flexible loads it cannot keep, in words for people."""
