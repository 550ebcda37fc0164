"""What the page shows of the batteries: the last command to each and what became of it, and all of them together."""

from collections.abc import Sequence
from typing import Any

from consumers.status.doing import TOLD, is_told, reason_of, why, why_of
from consumers.status.headline import headline_of
from consumers.status.state import Moment, State
from consumers.status.values import device_state, value_of, worst
from optimizer.racks import left_out
from schemas.labels import label, unit_of
from schemas.messages import Limited, Outcome, Value
from schemas.rack import RackMap
from schemas.site_battery import Battery, Unit
from schemas.topics import COMMAND_TTL
from schemas.units import Quality

View = dict[str, Any]

GRADES = ("online", "degraded", "silent", "offline", "unknown")
"""Of a battery's two devices the later one is shown."""
SHOWN = 0.05
"""% of SoC: the page says no less."""
SUMS = ("wanted", "applied", "measured")


def soc(state: State, now: Moment) -> View:
    """% of all batteries together, weighed by their energy; as doubtful as the worst of them. `of`: Wh of what is
    connected."""
    of = sum(one.energy * len(_at(state, one)) / len(one.racks) for one in state.site.battery)
    return _soc(state, state.site.battery, now) | {"of": of}


def _soc(state: State, batteries: Sequence[Battery], now: Moment) -> View:
    parts = [
        (one.energy / len(one.racks), value_of(state, rack, "soc", now))
        for one in batteries
        for rack in _at(state, one)
    ]
    if len(parts) < 2:
        return parts[0][1] if parts else worst([], "%") | {"state": "missing"}
    whole = all(isinstance(part["value"], float) for _, part in parts)
    mean = sum(energy * part["value"] for energy, part in parts) / sum(energy for energy, _ in parts) if whole else None
    return worst([part for _, part in parts], "%") | {"value": mean}


def _at(state: State, one: Battery) -> list[str]:
    """Its racks that are connected by their last word."""
    out = left_out({name: _is_out(state, name) for name in one.racks})
    return [name for name in one.racks if name not in out]


def _is_out(state: State, rack: str) -> bool:
    def said(point: str) -> Value | None:
        known = state.points.get((rack, point))
        return None if known is None or known.word.quality is not Quality.GOOD else known.word.value

    return RackMap.of(state.site.profiles[rack]).is_out(said)


def batteries(state: State, now: Moment) -> list[View]:
    """Each with its devices' state, its powers, and why it does what it does."""
    return [_battery(state, one, now) for one in state.site.units]


def _battery(state: State, one: Unit, now: Moment) -> View:
    found = [(*device_state(state, name, now), name) for name in dict.fromkeys((one.pcs, *one.racks))]
    grade, reason, device = max(found, key=lambda each: GRADES.index(each[0]))
    mine = next(battery for battery in state.site.battery if battery.name == one.of)
    charged = _soc(state, [mine], now)
    return {
        "battery": one.name,
        "pcs": one.pcs,
        "bms": ", ".join(name for name in one.racks if name != one.pcs),
        "state": grade,
        "reason": f"{device}: {reason}" if reason else "",
        "power": value_of(state, one.pcs, "p", now),
        "soc": charged,
        "counted": _counted(state, mine, charged["value"]),
        "dispatch": _outcome(state, one, now),
        "headline": headline_of(state, one, now),
        "why": why_of(state, one, now),
    }


def _counted(state: State, one: Battery, charged: Value | None) -> float | None:
    """% that the plan counts of it, where it is another than the BMS shows: of several each counts within its own
    limits (`optimizer.storage.soc`)."""
    if len(state.site.battery) < 2 or not isinstance(charged, float):
        return None
    counted = min(max(charged, one.soc_min), one.soc_max)
    return None if abs(counted - charged) < SHOWN else counted


def dispatch(state: State, now: Moment) -> View | None:
    """The last command and what became of it. Without a new one for the ttl the device falls back. Of several
    batteries the powers add up, and of the rest the newest word holds."""
    each = [(one, said) for one in state.site.units if (said := _outcome(state, one, now)) is not None]
    if not each:
        return None
    told = [(one, said) for one, said in each if is_told(state, one, now)]
    newest = min((said for _, said in told or each), key=lambda said: said["age"])
    found: View = newest | {"why": why(state, now)}
    current = [(one, said) for one, said in told if said["current"]]
    if not told:
        found |= dict.fromkeys(SUMS) | {"limited_by": []}
    elif len(state.site.units) > 1 and current:
        found |= {name: _sum([said[name] for _, said in current]) for name in SUMS}
        found["limited_by"] = [_of(one, limit) for one, said in current for limit in said["limited_by"]]
    return found


def _of(one: Unit, limit: View) -> View:
    return limit | {"source": f"{limit['source']} ({one.name})"}


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _outcome(state: State, one: Unit, now: Moment) -> View | None:
    said = state.outcomes.get(one.pcs)
    if said is None:
        return None
    word, age = said.word, said.age(now)
    return {
        "state": str(word.state),
        "current": age <= COMMAND_TTL and state.broker,
        "age": round(age, 1),
        "wanted": word.requested.get("p_set"),
        "applied": word.applied.get("p_set"),
        "measured": _measured(word),
        "action": str(word.action) if word.action else None,
        "told": TOLD[word.action][0] if word.action else None,
        "limited_by": [_limit(limit) for limit in word.limited_by],
        "source": word.source,
        "cause": word.cause,
        "reason": reason_of(word),
    }


def _limit(one: Limited) -> View:
    """With its unit, and what is limited where that is not the power: one command tells reactive power, too."""
    of = "" if one.point == "p_set" else f"{label(one.point)} "
    return one.model_dump(mode="json") | {"unit": unit_of(one.point) or "", "of": of}


def _measured(word: Outcome) -> float | None:
    return word.measured.get("p", word.measured.get("p_set"))
