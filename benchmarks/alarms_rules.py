"""What 10 000 rules cost: `evaluate` the conditions alone, beside the same by hand; `through_panel` all of it.

200 devices of 50 points at 1 Hz: a third each a plain threshold, two points compared, and what looks back or around
(rate, count, projected mean, spread). The same written out by hand has no units, unknown values and deadband: what
Python takes for them at least.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from consumers.alarms.expression.scope import Scope
from consumers.alarms.expression.watch import Watch, watch
from consumers.alarms.latest import Latest
from consumers.alarms.panel import Panel
from consumers.alarms.places import Places
from consumers.alarms.rules import Now
from schemas.messages import Telemetry
from schemas.profile import Profile
from schemas.site_alarm import AlarmRule

DEVICES, POINTS, EACH = 200, 50, 50
"""Rules for each device, 10 000 in all."""
WARM = 70
"""Seconds of the past that windows need, before anything is measured."""
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
EPOCH = "0" * 16

LOOKS_BACK = (
    "rate(a{n}, 60 s) > 5 A/s",
    "count(a{n} > 90 A, 60 s) >= 55",
    "spread(a{n}, a{m}, a1, a2) > 250 A",
    "projected(a{n}, 15 min) > 200 A",
)
Values = dict[str, float]


def rules_of(device: str) -> list[AlarmRule]:
    """The mix. None of them is ever wrong, as on a site that is well."""
    found = []
    for number in range(EACH):
        n, m = number % POINTS, (number * 7 + 3) % POINTS
        condition: dict[str, object]
        if number % 3 == 0:
            condition = {"point": f"a{n}", "above": 250.0, "deadband": 5.0}
        elif number % 3 == 1:
            condition = {"when": f"abs(a{n}) > 1.05 * a{m} + 200 A", "deadband": 5.0}
        else:
            condition = {"when": LOOKS_BACK[number // 3 % len(LOOKS_BACK)].format(n=n, m=m)}
        found.append(AlarmRule.model_validate({"name": f"r{number}", "device": device} | condition))
    return found


def by_hand() -> list[Callable[[Values, float], bool]]:
    """The same conditions as a person would write them for one device."""
    found: list[Callable[[Values, float], bool]] = []
    for number in range(EACH):
        n, m = f"a{number % POINTS}", f"a{(number * 7 + 3) % POINTS}"
        if number % 3 == 0:
            found.append(lambda v, _now, n=n: v[n] > 250.0)  # type: ignore[misc]
        elif number % 3 == 1:
            found.append(lambda v, _now, n=n, m=m: abs(v[n]) > 1.05 * v[m] + 200.0)  # type: ignore[misc]
        else:
            found.append(_back(number // 3 % len(LOOKS_BACK), n, m))
    return found


def _back(which: int, n: str, m: str) -> Callable[[Values, float], bool]:
    past: deque[float] = deque(maxlen=61)
    total = [0.0, 0.0]

    def rate(values: Values, _now: float) -> bool:
        past.append(values[n])
        return (past[-1] - past[0]) / 60.0 > 5.0

    def count(values: Values, now: float) -> bool:
        if values[n] > 90.0 and not total[0]:
            past.append(now)
        total[0] = values[n] > 90.0
        while past and past[0] < now - 60.0:
            past.popleft()
        return len(past) >= 55

    def spread(values: Values, _now: float) -> bool:
        four = values[n], values[m], values["a1"], values["a2"]
        return max(four) - min(four) > 250.0

    def projected(values: Values, now: float) -> bool:
        total[0] += values[n]
        total[1] += 1.0
        over = now % 900.0
        return (total[0] / total[1] * over + values[n] * (900.0 - over)) / 900.0 > 200.0

    return (rate, count, spread, projected)[which]


def profile() -> Profile:
    points = {f"a{n}": {"register": n, "unit": "A"} for n in range(POINTS)}
    return Profile.model_validate({"make": "b", "model": "b", "kind": "meter", "source": "b", "points": points})


def readings(second: int, devices: int) -> list[Telemetry]:
    """Of each device; values between 2 and 90."""
    return [
        Telemetry(
            at=NOON + timedelta(seconds=second),
            epoch=EPOCH,
            seq=second + 1,
            values={f"a{n}": 2.0 + (second * 7 + n * 13 + number) % 88 for n in range(POINTS)},
        )
        for number in range(devices)
    ]


def compiled(devices: int) -> tuple[Scope, dict[str, list[Watch]]]:
    one = profile()
    scope = Scope({f"d{n}": one for n in range(devices)})
    return scope, {device: [watch(rule, scope.of(device)) for rule in rules_of(device)] for device in scope.devices}


def evaluate(seconds: int, devices: int = DEVICES) -> dict[str, float]:
    """CPU seconds of a second on the site, of what judges it and of the bare loop; each sees the same readings."""
    scope, watches = compiled(devices)
    bare = {device: by_hand() for device in watches}
    latest, spent, looks = Latest(scope, 0.0), [0.0, 0.0], 0
    for second in range(WARM + seconds):
        heard = readings(second, devices)
        measured = second >= WARM
        began = time.process_time()
        looked = _looks(watches, latest, heard, float(second))
        between = time.process_time()
        for (_, conditions), said in zip(bare.items(), heard, strict=True):
            values: Mapping[str, object] = said.values
            for condition in conditions:
                condition(values, float(second))  # type: ignore[arg-type]
        spent[0] += measured * (between - began)
        spent[1] += measured * (time.process_time() - between)
        looks += measured * looked
    return {
        "cpu_share_10000_rules": round(spent[0] / looks * DEVICES * EACH, 4),
        "cpu_us_per_evaluation": round(1e6 * spent[0] / looks, 3),
        "bare_loop_us_per_evaluation": round(1e6 * spent[1] / looks, 3),
    }


def through_panel(seconds: int, devices: int = DEVICES) -> dict[str, float]:
    """The same through all that the service does with a reading beside the broker: what is looked at, states, time."""
    scope = Scope({f"d{n}": profile() for n in range(devices)})
    rules = {f"{rule.name}-{device}": rule for device in scope.devices for rule in rules_of(device)}
    began = time.process_time()
    panel = Panel(rules, (), Now(0.0, NOON), {}, Places(scope))
    start, spent = time.process_time() - began, 0.0
    for second in range(WARM + seconds):
        heard, now = readings(second, devices), Now(float(second), NOON + timedelta(seconds=second))
        began = time.process_time()
        changes = [
            one for device, said in zip(scope.devices, heard, strict=True) for one in panel.hear(device, said, now)
        ]
        if [*changes, *panel.tick(now)]:
            raise AssertionError(changes)
        spent += (second >= WARM) * (time.process_time() - began)
    share = spent / seconds / devices * DEVICES
    return {"panel_cpu_share_10000_rules": round(share, 4), "panel_start_s": round(start / devices * DEVICES, 2)}


def _looks(watches: Mapping[str, list[Watch]], latest: Latest, heard: list[Telemetry], now: float) -> int:
    """One second: each device is heard, and each rule looks at it; none of them is wrong."""
    wall, looks = NOON + timedelta(seconds=now), 0
    for (device, rules), said in zip(watches.items(), heard, strict=True):
        latest.hear(device, said, now)
        for one in rules:
            if one.look(latest, now, wall, False).wrong:
                raise AssertionError(one.words)
        looks += len(rules)
    return looks
