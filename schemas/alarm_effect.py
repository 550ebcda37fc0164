"""The interlock that an alarm with `effect` is in the bridge of its battery. Pure."""

from schemas.interlock import Effect, InterlockRule, Misfit, derating
from schemas.profile import Profile
from schemas.site_alarm import AlarmRule

ALIKE = "above, below, equals, contains, silent or no_data"
OPENS = (Effect.STOP, Effect.LOCK_OUT)
PATIENCE, LONG_PATIENCE = 10.0, 60.0
"""Seconds the point may be unknown before the effect acts; longer for what stops, as of the shipped interlocks: nothing
is opened for a lost telegram."""
LEAST = 0.1
"""s: a silence that is over when the last reading is too old anyway."""


def as_interlock(rule: AlarmRule, device: str, profile: Profile, poll: float, fresh: float) -> InterlockRule | Misfit:
    """For one device that is read each `poll` s and whose values are fresh for `fresh` s; or the key of the rule that
    no interlock can judge, and what would be right."""
    if wrong := unable(rule):
        return wrong
    flags, states = _listed(rule.contains), _listed(rule.equals)
    return InterlockRule(
        name=rule.name,
        device=device,
        point=None if flags else _spoken(rule, profile) if rule.seconds else rule.point,
        above=rule.above,
        below=rule.below,
        equals=states,
        contains=flags,
        silent=_silence(rule, poll, fresh),
        clear=rule.clear if rule.deadband else None,
        hold=0.0 if rule.seconds else rule.on_delay,
        off=rule.off_delay,
        effect=rule.effect,
        derate=rule.derate,
        reset="operator" if rule.latched else "auto",
        unknown_after=LONG_PATIENCE if set(OPENS) & set(rule.effect) else PATIENCE,
        chemistry=rule.chemistry,
        text=rule.response or rule.cause,
    )


def unable(rule: AlarmRule) -> Misfit | None:
    """What keeps a rule from being an interlock, whatever its device."""
    if rule.when is not None:
        return "effect", f"an interlock judges no expression: write {ALIKE} instead of `when`, or leave `effect` out"
    if rule.contains == "*":
        words = "`*` is any flag, also one that only informs: name the flag that drives control, or leave `effect` out"
        return "contains", words
    if not rule.latched and not rule.off_delay and not rule.deadband:
        words = "with an `effect` it would flap: give `off_delay` (s), or `deadband` with a distance, or latched = true"
        return "off_delay", words
    if wrong := derating(rule.effect, rule.derate):
        return "derate", wrong
    return None


def _listed(name: str | None) -> list[str] | None:
    return None if name is None else [name]


def _spoken(rule: AlarmRule, profile: Profile) -> str:
    """The point by which a device is heard: that of the rule, else the first one that each reading gives."""
    fast = [name for name, point in profile.points.items() if point.rate == "fast"]
    return rule.point if rule.point in fast or not fast else fast[0]


def _silence(rule: AlarmRule, poll: float, fresh: float) -> float | None:
    """Seconds that the point is not known: what was read last is fresh before."""
    seconds = rule.silent if rule.no_data is None else rule.no_data * poll
    return None if seconds is None else max(LEAST, seconds + rule.on_delay - fresh)
