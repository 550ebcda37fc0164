"""The names of what alarms can look at beside points. Documents and the language of `when` are made from them. Pure."""

from dataclasses import dataclass

from consumers.alarms.seen.commands import GRID_MODES
from schemas.messages import Authority


@dataclass(frozen=True)
class Word:
    """One of them. Of flags and states `names` are the words it may say; a number has none."""

    unit: str
    says: str
    names: tuple[str, ...] = ()
    flags: bool = False
    """It is a list of names, and not one of them."""


LIMITING = (Authority.DSO.value, Authority.PROTECTION.value, Authority.OPERATOR.value)

SITE: dict[str, Word] = {
    "plan_age": Word("s", "Since the newest plan was made; where none ever came, since the alarms began to listen."),
    "prices_left": Word("s", "Until the first price that is not published yet. Not known without a valid plan."),
    "billed_peak": Word("W", "The highest mean import that this month or year is billed for already, at least."),
    "peak_target": Word("W", "The highest mean import that is meant to be reached: the plan's, or what is billed."),
    "window": Word("W", "The mean import of the billing window that runs, so far."),
    "window_seen": Word("s", "So much of that window was seen."),
    "window_length": Word("s", "How long that window is; not known of one that does not begin on its clock."),
    "window_closed": Word("W", "The mean import of the billing window that closed last, if it was seen whole."),
    "target_closed": Word("W", "The peak target as it stood when that window began."),
    "import_limit": Word("W", "What the site may draw now, by its contract and by who limits it."),
    "export_limit": Word("W", "What the site may feed in now, by its contract and by who limits it."),
    "limits": Word("", "Who limits the grid connection now beside the site file.", LIMITING, flags=True),
}
"""`site.NAME` in an expression."""

DEVICE: dict[str, Word] = {
    "unanswered": Word("s", "Since the oldest command that no outcome answers; 0 while all are answered."),
    "clock_offset": Word(
        "s",
        "How much later its samples arrive than they say, the least of a minute; below 0 its bridge's clock is ahead.",
    ),
    "grid_mode": Word(
        "", "What somebody asked it for; `grid_following` until then.", tuple(mode.value for mode in GRID_MODES)
    ),
}
"""`NAME` or `device.NAME`, of every device."""
