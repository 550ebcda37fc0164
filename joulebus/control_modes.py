"""The page about control: who steers, in which mode, and who may overrule whom."""

from datetime import UTC, datetime

from consumers.dispatch.modes import NEXT, Control, act
from joulebus.words import table
from schemas.messages import Action, Authority, ControlMode, ControlRequest, Mode
from schemas.topics import COMMAND_TTL

MODES = {
    "auto": "dispatch follows the plan and the billed peak, and starts the PCS if it may (`plan`: is there one)",
    "manual": "one `power` that a person gave, until the lease ends (at most 24 h); then `auto`",
    "local": "a person steers at the device: dispatch sends nothing. What was told last stands until its command runs "
    f"out, up to {COMMAND_TTL:.0f} s; then the bridge brings the battery to its fallback. `until` is optional",
    "lockout": "the PCS is stopped and stays so, until a named person asks for `auto`",
}
"""As dispatch takes them."""

POWER = """\
They hold for all batteries of the site together. `power` of a manual request is in W, positive discharges and negative
charges; it is the sum of all batteries, which dispatch shares among those that can be steered."""


GRID_MODE = (
    "`grid_following` or `grid_forming` is asked for by a named person who says why. The PCS must be at rest: off, "
    "in standby or asleep, whoever brought it there. So it is followed in `auto` as well while the PCS is off; "
    "when dispatch starts it then, it runs in that grid mode. The bridge looks once more before it tells the PCS."
)


def sections() -> list[str]:
    """Of the page, in their order."""
    authority = [[f"`{one.value}`", str(one.rank + 1)] for one in Authority]
    return [
        "## Grid mode",
        GRID_MODE,
        table(["mode", "PCS at rest", "PCS runs"], [[f"`{mode}`", *_grid_mode(mode)] for mode in Mode]),
        "## Modes",
        "Who steers the battery; asked for on [`control/request`](topics.md#controlrequest).",
        POWER,
        table(
            ["mode", "meaning", "may be followed by"],
            [[f"`{mode}`", MODES[mode], ", ".join(sorted(NEXT[mode]))] for mode in Mode],
        ),
        "## Authority",
        "The strongest first. A source may claim no more than the site file's `command_sources` says.",
        table(["authority", "rank"], authority),
    ]


def _grid_mode(mode: Mode) -> list[str]:
    """What becomes of a wish for a grid mode: at rest, and while the PCS runs."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    held = Control(ControlMode(at=now, mode=mode, who="anna"))
    wish = ControlRequest(at=now, action=Action.GRID_FORMING, who="anna", why="island test")
    found = [act(held, wish, "the PCS", state=state, able=[Action.GRID_FORMING]) for state in ("off", "running")]
    return ["followed" if no is None else f"refused: `{no.cause}`" for no in found]
