"""What stands at an address: the SunSpec models of a device, read by our own requests, named by SunSpec's definitions.

pysunspec2 brings the definitions and the decoding; its own scan blocks and believes every answer.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sunspec2.device import Model as Defined
from sunspec2.device import ModelError, get_model_def
from sunspec2.mdef import ModelDefinitionError

from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.blocks import MOST, Words, blocks, locate, values
from bridges.fieldbus.modbus.instance import main_model
from bridges.fieldbus.modbus.line import NOT_THERE, Line
from bridges.fieldbus.modbus.sunspec import Model, walk
from schemas.profile import BY_SITE, Profile
from schemas.units import Kind

MAIN = (
    "DERTyp", "WRtg", "WMaxRtg", "VARtg", "VAMaxRtg", "WChaRteMaxRtg", "WDisChaRteMaxRtg", "WHRtg", "St", "InvSt",
    "State", "ChaSt", "SoC", "SoH", "W", "Hz", "PhVphA", "LNV", "V", "A", "DCV", "DCW", "WH", "TotWhInj", "TotWhAbs",
    "TotWhImp", "TotWhExp", "WMaxLim_Ena", "WMaxLimPct", "WMaxLimPctEna", "WSetEna", "WSet", "N", "NPrt", "NStr",
    "NStrCon", "ModTmpMax", "LocRemCtl", "Ena", "ES",
)  # fmt: skip
"""Points worth showing, over all models, in this order."""


@dataclass(frozen=True)
class Found:
    """One model of the chain."""

    number: int
    address: int
    label: str
    """SunSpec's name of it; empty for a maker's own."""
    values: dict[str, float | str]
    """Its points with a value, scaled."""
    units: dict[str, str]

    @property
    def main(self) -> dict[str, str]:
        """The points worth showing, as text."""
        shown = {name: self.values[name] for name in MAIN if name in self.values}
        return {name: f"{value:.10g} {self.units[name]}".strip() if isinstance(value, float) else value
                for name, value in shown.items()}  # fmt: skip


@dataclass(frozen=True)
class Chain:
    """A device as SunSpec describes it."""

    unit: int
    start: int
    models: list[Found] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    """What in it is not as SunSpec says."""

    def value(self, name: str, *numbers: int) -> float | str | None:
        """A point of the first of these models that has it."""
        for one in self.models:
            if one.number in numbers and name in one.values:
                return one.values[name]
        return None

    def common(self, name: str) -> str:
        """`Mn`, `Md`, `SN`, `Vr` of model 1."""
        return str(self.value(name, 1) or "")

    def of(self, profile: Profile) -> list[Found]:
        """The models of a profile's main quantity: each may be a device."""
        return [one for one in self.models if one.number == main_model(profile)]

    @property
    def numbers(self) -> list[int]:
        return [one.number for one in self.models]

    @property
    def rated_power(self) -> float | None:
        """W, from its nameplate."""
        for name, number in (("WDisChaRteMaxRtg", 702), ("WMaxRtg", 702), ("WRtg", 120)):
            value = self.value(name, number)
            if isinstance(value, float) and value > 0:
                return value
        return None


async def discover(line: Line, unit: int) -> Chain | None:
    """The models of a device; None when it answers but does not speak SunSpec. Raises Unreachable when it is silent."""
    try:
        chain = await walk(line, unit)
    except Declined as no:
        if no.code in NOT_THERE:
            raise Unreachable(str(no)) from no
        return None
    return Chain(unit, chain.start, [await _read(line, unit, one) for one in chain.models], chain.odd)


async def _read(line: Line, unit: int, model: Model) -> Found:
    words = [model.number, model.length]
    try:
        while (missing := model.length + 2 - len(words)) > 0:
            words += await line.read(unit, 3, model.address + len(words), min(MOST, missing))
    except Declined:  # it is there, and cannot be read whole
        words += [0] * (model.length + 2 - len(words))
        return replace(decode(words, model.address), values={})
    return decode(words, model.address)


async def plausible(line: Line, unit: int, profile: Profile) -> bool:
    """Whether a device without SunSpec has all fast registers of a profile, with values inside of its ranges."""
    points = [one for one in locate(profile, {}) if one.point.rate == "fast"]
    image: Words = {}
    for block in blocks(points, profile.gap):
        try:
            words = await line.read(unit, block.function, block.start, block.count)
        except Declined:
            return False
        image |= {(block.function, block.start + place): word for place, word in enumerate(words)}
    found = values(points, image, profile)
    ranged = [(profile.points[name], value) for name, value in found.items() if isinstance(value, float) and value]
    inside = [point.low <= value <= point.high for point, value in ranged
              if point.low is not None and point.high is not None]  # fmt: skip
    return len(inside) >= 3 and all(inside)


NOWHERE = 60_123
"""A register that hardly any device has: one that answers for it answers for all."""


async def boxlike(line: Line, unit: int, profile: Profile) -> bool:
    """Whether a device has all registers of a box of contacts. Their values tell nothing: any number may stand there,
    so that it must decline a register that it does not have."""
    if profile.kind is not Kind.SENSOR or profile.sunspec or not any(one.flags for one in profile.points.values()):
        return False
    parts = blocks(locate(profile, {}), profile.gap)
    try:
        for block in parts:
            await line.read(unit, block.function, block.start, block.count)
    except Declined:
        return False
    try:
        await line.read(unit, parts[0].function, NOWHERE, 1)
    except Declined:
        return True
    return False


def decode(words: Sequence[int], address: int = 0) -> Found:
    """A model from its registers, ID and length first."""
    number = words[0]
    try:
        label = str(get_model_def(number)["group"].get("label") or f"model {number}")
    except ModelDefinitionError:
        return Found(number, address, "", {}, {})
    try:
        model = Defined(number, data=struct.pack(f">{len(words)}H", *words), model_len=words[1])
    except ModelError:  # a length that does not fit the definition: name it, believe nothing in it
        return Found(number, address, f"{label} (of an unusual length)", {}, {})
    points = [(name, point) for name, point in model.points.items() if name not in ("ID", "L")]
    known = {name: value for name, point in points for value in _value(point)}
    return Found(number, address, label, known, {name: point.pdef.get("units") or "" for name, point in points})


def _value(point: Any) -> Iterator[float | str]:  # noqa: ANN401  # pysunspec2 has no types
    """Its value, if it has one. With a scale factor that is not implemented pysunspec2 would give the raw number."""
    raw, kind = point.value, point.pdef["type"]
    if raw is None or kind in ("sunssf", "pad"):
        return
    symbols = {one["value"]: one["name"] for one in point.pdef.get("symbols", ())}
    if kind.startswith("enum") and symbols:
        yield symbols.get(raw, f"unknown {raw}")
    elif kind == "string":
        yield raw
    elif not kind.startswith("bitfield"):
        scaled = point.cvalue  # which also looks up the scale factor
        if not point.sf_required or point.sf_value is not None:
            yield float(scaled)


def fitting(chain: Chain, profiles: dict[str, Profile]) -> dict[str, Profile]:
    """The SunSpec profiles that read this device, the best of each kind, in the order of its chain."""
    best: dict[Kind, str] = {}
    for name, profile in profiles.items():
        main = main_model(profile)
        own = profile.make != "SunSpec" and profile.make.lower() in chain.common("Mn").lower()
        if {main, *_steered_by(profile)} <= set(chain.numbers) and (own or profile.make == "SunSpec"):
            best[profile.kind] = name if own else best.get(profile.kind, name)
    if Kind.PCS in best and Kind.PV in best:
        battery = _stores(chain) or profiles[best[Kind.PCS]].make != "SunSpec"
        del best[Kind.PV if battery else Kind.PCS]
    return {name: profiles[name] for name in sorted(best.values(), key=lambda one: _place(chain, profiles[one]))}


def _steered_by(profile: Profile) -> set[int | None]:
    """The models without which it is no battery that takes a power."""
    return {one.model for name, one in profile.commands.items() if name in BY_SITE}


def _place(chain: Chain, profile: Profile) -> int:
    main = main_model(profile)
    return chain.numbers.index(main) if main in chain.numbers else len(chain.numbers)


def _stores(chain: Chain) -> bool:
    """Whether an inverter has a battery behind it."""
    charge = chain.value("WChaRteMaxRtg", 702)
    return bool({713, 802} & set(chain.numbers)) or (isinstance(charge, float) and charge > 0)
