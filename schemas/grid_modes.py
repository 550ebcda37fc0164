"""When a PCS may be told to follow the grid or to form one: one rule for who decides and for who shows it. Pure."""

from collections.abc import Collection

from schemas.messages import Action, Cause, ControlMode, Mode
from schemas.state_words import in_words

STOPPED = ("off", "sleeping", "standby")
"""States of a PCS at rest."""
DOES: dict[Action | None, str] = {
    None: "do this",
    Action.GRID_FOLLOWING: "follow the grid",
    Action.GRID_FORMING: "form a grid",
}
"""A grid mode as a person says it."""


def barred(  # who holds, who asks, and the PCS
    action: Action | None, pcs: str, held: ControlMode, *, state: str, able: Collection[str], who: str | None = None
) -> tuple[Cause, str] | None:
    """Why it cannot be now, or None. `pcs`: whose PCS it is; `state` is its state, empty while it is silent; `able`:
    what its profile can be told; `who` asks, None while that is not known."""
    checks = (
        (held.mode is Mode.LOCAL, Cause.LOCAL, f"{held.who} steers at the device; nothing is sent"),
        (held.mode is Mode.MANUAL and who not in (None, held.who), Cause.AUTHORITY, f"manual is held by {held.who}"),
        (action not in able, Cause.UNKNOWN, f"{pcs} cannot {DOES[action]}"),
        (
            state not in STOPPED,
            Cause.WRONG_STATE,
            f"the grid mode changes only at rest, {pcs} is {in_words(state)}: ask for a lockout first",
        ),
    )
    return next(((cause, reason) for wrong, cause, reason in checks if wrong), None)


def whose(battery: str, pcs: str, *, several: bool) -> str:
    """A PCS by its name for people."""
    return f"{battery}'s PCS ({pcs})" if several else f"the PCS ({pcs})"
