"""The register image of a SunSpec device: `SunS`, its models one after the other, and the end."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sunspec2.device import Model, get_model_def
from sunspec2.mdef import ModelDefinitionError

BASE = 40000
"""Where SunSpec devices begin; 0 and 50000 are allowed, too."""
SCALES = {
    **dict.fromkeys(("A_SF", "ARtg_SF", "V_SF", "DCA_SF", "DCV_SF", "Tmp_SF", "WMaxLimPct_SF", "VArPct_SF"), -1),
    **dict.fromkeys(("SoC_SF", "SoH_SF", "Pct_SF", "AMax_SF", "ModTmp_SF"), -1),
    **dict.fromkeys(("Hz_SF", "PF_SF", "PFRtg_SF", "OutPFSet_SF", "InOutWRte_SF", "ChaState_SF"), -2),
    "CellV_SF": -3,
}
"""Powers of ten a usual inverter gives its quantities in."""
OF_RATING = ("W_SF", "VA_SF", "VAr_SF", "VAR_SF", "Var_SF", "DCW_SF", "WChaMax_SF", "WRtg_SF", "VARtg_SF", "VArRtg_SF")
"""These are as fine as 16 bits allow at the rated power."""


@dataclass(slots=True)
class Chain:
    """Addresses and words of all models."""

    words: dict[int, int] = field(default_factory=dict)
    models: dict[int, int] = field(default_factory=dict)
    """Model -> address of its ID register."""
    writable: set[int] = field(default_factory=set)
    end: int | None = None
    """Where the end mark stands."""


def chain(
    models: Mapping[int, int],
    powers: Iterable[tuple[int, int]] = (),
    *,
    rated: float,
    apparent: float,
    unit: int = 1,
    begin: int | None = None,
) -> Chain:
    """The whole chain; model 1 comes first, as the specification wants. Unused points say `not implemented`.

    A maker's own model, which SunSpec does not define, is as long as `models` says, and holds zeros but for the
    scale registers of its `powers` (model, register). One that goes on with another chain has a place where it does,
    `begin`, and no `SunS`.
    """
    made, address = (Chain({BASE: 0x5375, BASE + 1: 0x6E53}), BASE + 2) if begin is None else (Chain(), begin)
    for number in sorted({1, *models}):
        model = _model(number, models.get(number, 0), rated, apparent, unit)
        if model is None:
            made.models[number] = address
            made.words.update(enumerate([number, models[number], *[0] * models[number]], address))
            made.words.update({address + scale: _fine(apparent) for of, scale in powers if of == number})
            address += 2 + models[number]
            continue
        words = struct.unpack(f">{len(model.get_mb()) // 2}H", model.get_mb())
        made.models[number] = address
        made.words.update(enumerate(words, address))
        for point in model.points.values():
            if point.pdef.get("access") == "RW":
                made.writable.update(range(address + point.offset, address + point.offset + point.len))
        address += len(words)
    made.words |= {address: 0xFFFF, address + 1: 0}
    made.end = address
    return made


def _model(number: int, length: int, rated: float, apparent: float, unit: int) -> Any:  # noqa: ANN401  # pysunspec2 has no types
    model = _empty(number, length)
    if model is None:
        return None
    fine = _fine(apparent)
    scales = {name: SCALES.get(name, fine if name in OF_RATING else 0) for name in model.points if name.endswith("_SF")}
    for name, power in scales.items():
        model.points[name].value = power
    for name, value in _settings(number, rated, apparent, unit).items():
        model.points[name].cvalue = value
    return model


def _fine(apparent: float) -> int:
    """The finest power of ten that 16 bits allow."""
    return next(power for power in range(12) if 1.3 * apparent / 10**power <= 32767)


def _empty(number: int, reach: int) -> Any:  # noqa: ANN401  # as above
    """A model with nothing in it; None when SunSpec does not define it. Of its parts that repeat there are as many as a
    length of `reach` begins, and nothing is implemented in them."""
    try:
        group = get_model_def(number)["group"]
    except ModelDefinitionError:
        return None
    if not any(part.get("count", 1) != 1 for part in group.get("groups", [])):
        return Model(number)
    length = sum(point["size"] for point in group["points"]) - 2
    each = sum(point["size"] for part in group["groups"] for point in part["points"])
    length += -(-max(0, reach - length) // each) * each
    model = Model(number, data=struct.pack(">2H", number, length) + bytes(2 * length), model_len=length)
    for point in (one for parts in model.groups.values() for part in parts for one in part.points.values()):
        point.value = None
    return model


def _settings(number: int, rated: float, apparent: float, unit: int) -> dict[str, float | str]:
    """What the nameplate and the installer say."""
    match number:
        case 1:
            return {"Mn": "joulebus", "Md": "simulated inverter", "Vr": "1", "SN": f"SIM-{unit}", "DA": unit}
        case 103:
            return {"Evt1": 0, "Evt2": 0, "WH": 0, "St": 2}
        case 120:
            reactive = {f"VArRtgQ{quadrant}": sign * 0.6 * apparent for quadrant, sign in ((1, 1), (4, -1))}
            factor: dict[str, float | str] = {"PFRtgQ1": 0.8, "PFRtgQ4": -0.8}
            return {"DERTyp": 4, "WRtg": rated, "VARtg": apparent, "ARtg": apparent / 690} | reactive | factor
        case 123:
            ask: dict[str, float | str] = {
                "Conn": 1,
                "WMaxLimPct": 100,
                "WMaxLim_Ena": 0,
                "OutPFSet": 1,
                "OutPFSet_Ena": 0,
            }
            return ask | {"VArPct_Ena": 0, "WMaxLimPct_RvrtTms": 0}
        case 124:
            return {"WChaMax": rated, "StorCtl_Mod": 0, "OutWRte": 100, "InWRte": 100}
        case _:
            return {}
