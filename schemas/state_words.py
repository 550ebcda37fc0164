"""The states of a PCS, and the lockout of a battery, as a person says them. Pure: a table and its words."""

STATES: dict[str, str] = {
    "": "silent",
    "off": "off",
    "sleeping": "asleep",
    "standby": "in standby",
    "starting": "starting",
    "precharge": "precharging its DC link",
    "running": "running",
    "throttled": "running throttled",
    "stopping": "stopping",
    "fault": "in fault",
}
"""After `is`, for each state that a profile knows; the empty one says nothing of itself, or no more."""


def in_words(state: str) -> str:
    """What follows `the PCS is`; a state of a profile of somebody else is said as it is."""
    return STATES.get(state, f"in the state {state!r}")


ASK = "when its cause is put right, ask for auto"
"""How a battery comes back that dispatch has locked out."""


def locked_out(out: str, why: str, *, alone: bool) -> str:
    """Of a battery that is out for `out`; `why`: what is done with it meanwhile, where that is not said by `out`."""
    locked = f"locked out alone: {out}" if alone else f"locked out: {out}"
    return f"{locked}; {why}" if why and why not in out else locked
