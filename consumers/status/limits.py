"""Who limits the grid connection, how far and until when, for the page. Pure."""

from consumers.status.state import Moment, State
from schemas.messages import HeldLimit

WHAT = {"feed_in": "feed-in", "consumption": "consumption"}
SCOPE = {
    ("feed_in", "steerable"): "PV",
    ("consumption", "steerable"): "what batteries draw from the grid",
}
CAUSE = {
    "asked": "",
    "signal": "",
    "lost": "its signal is lost, the last limit holds on",
    "safe": "the signal is not known, the safe limit holds",
    "unreadable": "what was kept cannot be read, the safe limit holds",
}


def limits(state: State, now: Moment) -> list[str]:
    """The narrowest of each direction and scope, in words. One whose end is past holds until dispatch takes it back."""
    if state.limits is None:
        return []
    narrowest: dict[tuple[str, str], HeldLimit] = {}
    for one in state.limits.held:
        narrowest.setdefault((one.direction, one.scope), one)
    return [_in_words(state, one, now) for one in narrowest.values()]


def _in_words(state: State, one: HeldLimit, now: Moment) -> str:
    what = SCOPE.get((one.direction, one.scope), WHAT[one.direction])
    ends = "" if one.until is None else f" until {one.until.astimezone(state.site.zone):%d %b %H:%M}"
    if one.until is not None and one.until <= now.at:
        ends += ", which is past: it holds until dispatch ends it"
    begun = f"since {one.since.astimezone(state.site.zone):%d %b %H:%M}"
    size = f"{what} is limited to {one.power / 1000:.1f} kW by {one.source} ({one.authority})"
    why = CAUSE[one.cause] if one.source == "site" else ", ".join(filter(None, (CAUSE[one.cause], one.reason)))
    return ", ".join(filter(None, (f"{size} {begun}{ends}", why)))
