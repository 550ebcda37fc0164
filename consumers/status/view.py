"""What the page shows of a state: plain words and numbers for JSON, and never an old value as a live one."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from consumers.status.alarms import alarms
from consumers.status.batteries import batteries, dispatch, soc
from consumers.status.doing import beside, why
from consumers.status.grid_modes import grid_modes
from consumers.status.headline import headline
from consumers.status.key_values import doubts, flags, key_values
from consumers.status.limits import limits
from consumers.status.peak import peak, per
from consumers.status.skill import skill
from consumers.status.state import Moment, Said, State
from consumers.status.values import SILENT, alive, device_state, flow, loads
from optimizer.plan_words import hours
from schemas.labels import KINDS
from schemas.messages import Mode, Plan, Step
from schemas.site_device import Device
from schemas.topics import SERVICE_STATUS

View = dict[str, Any]

ANSWERED = 300.0
"""Seconds an answer to a request is shown: a browser that was asleep finds it, too."""


FIGURES = {"begin", "end", "seen", "raised", "last_10_min", "last_hour", "flooding", "figures", "top", "stale"}
"""What the page shows of the alarms' figures."""


def view(state: State, now: Moment) -> View:
    """The whole page as JSON."""
    return {
        "at": now.at.isoformat(),
        "broker": state.broker,
        "archive": state.archive,
        "mode": _mode(state, now),
        "flow": flow(state, now),
        "loads": loads(state, now),
        "soc": soc(state, now),
        "alarms": alarms(state, now),
        "figures": state.figures.model_dump(mode="json", include=FIGURES) if state.figures else None,
        "devices": [_device(state, device, now) for device in state.site.devices],
        "services": _services(state, now),
        "answers": _answers(state, now),
        "headline": headline(state, now),
        "grid_modes": grid_modes(state, now),
        "dispatch": dispatch(state, now),
        "why": "; ".join(filter(None, (why(state, now), *limits(state, now), *beside(state, now)))),
        "batteries": batteries(state, now),
        "plan": _plan(state, now),
        "peak": peak(state, now),
        "skill": skill(state.skill),
    }


# --- devices and services ------------------------------------------------------------------------


def _device(state: State, device: Device, now: Moment) -> View:
    profile = state.site.profiles[device.name]
    meta = state.meta.get(device.name)
    last = state.telemetry.get(device.name)
    age = last.age(now) if last else None
    mark, reason = device_state(state, device.name, now)
    return {
        "device": device.name,
        "kind": str(profile.kind),
        "said": KINDS[profile.kind],
        "make": meta.make if meta else profile.make,
        "model": meta.model if meta else profile.model,
        "state": mark,
        "reason": reason,
        "age": round(age, 1) if age is not None else None,
        "doubtful": {point: str(quality) for point, quality in last.word.quality.items()} if last else {},
        "doubts": doubts(last.word.quality) if last else "",
        "values": key_values(state, device, now),
        "flags": flags(state, device, now),
    }


def _services(state: State, now: Moment) -> list[View]:
    idle = {"notify"} if state.site.notify is None else set()  # a part with nothing to do is not down
    expected = (name for name in SERVICE_STATUS.writers if name not in idle)
    names = dict.fromkeys([*expected, *sorted(state.services)])
    return [_service(state, name, now) for name in names]


def _service(state: State, name: str, now: Moment) -> View:
    said = state.services.get(name)
    if said is None:
        return {"service": name, "state": "down" if state.broker else "unknown", "detail": "never heard", "age": None}
    word, age = said.word, said.age(now)
    detail = word.detail
    if word.state == "online" and age > SILENT:
        detail = f"silent for {age:.0f} s"
    return {
        "service": name,
        "state": "online" if alive(state, name, now) else "down" if state.broker else "unknown",
        "detail": detail,
        "age": round(age, 1),
        "lag": word.lag,
        "version": word.version,
        "success": round((now.at - word.last_success).total_seconds(), 1) if word.last_success else None,
    }


# --- who steers, and what for --------------------------------------------------------------------


def _mode(state: State, now: Moment) -> View:
    steering = alive(state, "dispatch", now)
    doubt = "" if steering else "dispatch is down" if state.broker else "no connection to the broker"
    if state.mode is None:
        return {"mode": "unknown", "doubt": doubt or "never heard", "read_only": state.site.mode == "read_only"}
    word = state.mode.word
    if word.mode is Mode.MANUAL and word.until is not None and word.until <= now.at:
        doubt = doubt or "the lease has ended"
    shown = word.model_dump(mode="json", include={"mode", "who", "why", "power", "until", "plan"})
    return shown | {"doubt": doubt, "read_only": state.site.mode == "read_only"}


def _answers(state: State, now: Moment) -> View:
    """What became of what was asked for lately, by the request's id."""
    lately = {name: said.word for name, said in state.answers.items() if now.ticks - said.heard <= ANSWERED}
    return {
        name: word.model_dump(mode="json", include={"followed", "cause", "reason"}) for name, word in lately.items()
    }


def _plan(state: State, now: Moment) -> View | None:
    """The plan and its step for now; a plan past its end is said to be over."""
    if state.plan is None:
        return None
    plan: Said[Plan] = state.plan
    word = plan.word
    step = _step(word.steps, now)
    return {
        "id": word.id,
        "age": round(plan.age(now), 1),
        "until": word.until.isoformat(),
        "valid": word.until > now.at and step is not None and state.broker,
        "currency": word.currency,
        "prices_until": word.prices_until.isoformat() if word.prices_until else None,
        "peak": word.peak,
        "cost": word.cost,
        "cost_idle": word.cost_idle,
        "peak_cost": word.peak_cost,
        "peak_cost_idle": word.peak_cost_idle,
        "hours": hours(word, now.at),
        "per": per(state),
        "step": step.model_dump(mode="json") if step else None,
    }


def _step(steps: Iterable[Step], now: Moment) -> Step | None:
    return next((step for step in steps if step.at <= now.at < step.at + timedelta(seconds=step.seconds)), None)
