"""The one thing to do next about the alarms of a site: what disturbs most for the least work comes first. Pure."""

from collections.abc import Iterator

from runtime.alarm_words import lasting
from schemas.alarm_figures import AlarmFigures, Verdict

OFTEN = 5
"""So often one alarm was raised, at least, to be called the one that is raised most."""
SHARE = 0.05
"""The share of all that the ten most frequent should have together."""

COMES = "end its cause, or set its limit and on_delay anew"
CHATTERS = "it chatters: look at its sensor, or give its rule a deadband or an off_delay"
FLEETS = "it is over before anybody can answer: give its rule an on_delay"


def next_step(found: AlarmFigures) -> str:
    """In words for people."""
    beyond = {one.name for one in found.figures if one.verdict is Verdict.BEYOND}
    judged = any(one.verdict is Verdict.OK for one in found.figures)
    calm = "nothing: no figure that can be judged is beyond its target" if judged else "wait: nothing can be judged yet"
    return next(_steps(found, beyond), calm)


def _steps(found: AlarmFigures, beyond: set[str]) -> Iterator[str]:
    """A few alarms that come too often are most of the load, and each is one rule or one sensor."""
    chattering, fleeting = ({one.alarm for one in some} for some in (found.chattering, found.fleeting))
    if found.top and found.top[0].raised >= OFTEN and found.top[0].share > SHARE:
        worst = found.top[0]
        cure = CHATTERS if worst.alarm in chattering else FLEETS if worst.alarm in fleeting else COMES
        yield f"{worst.alarm} was raised {worst.raised} times, {100 * worst.share:.0f} % of all: {cure}"
    if found.chattering:
        yield f"{found.chattering[0].alarm} chattered, {found.chattering[0].raised} times: {CHATTERS}"
    if found.fleeting:
        yield f"{found.fleeting[0].alarm} came and went within a minute, {found.fleeting[0].raised} times: {FLEETS}"
    if "stale" in beyond or (found.stale and found.stale[0].seconds > 3 * 86_400):
        stands = f"{found.stale[0].alarm} stands for {lasting(found.stale[0].seconds)}"
        yield f"{stands}: repair it, or take it out of service with a reason"
    if found.flood_count:
        many = f"{found.flood_most} alarms came in a flood"
        yield f"{many}: find what began it, and let it suppress its consequences (`suppressed_by`)"
    if beyond & {"ack_median", "ack_p90", "ack_never"}:
        yield "alarms wait too long, or for ever, to be acknowledged: ask the operators which of them ask for nothing"
    if beyond & {"priority_low", "priority_medium", "priority_high", "priority_critical"}:
        yield "too many alarms are urgent: look through the priorities of the most frequent ones"
    if "out_without_why" in beyond:
        yield "an alarm is out of service and nobody said why: ask who took it out"
    if "shelved_longest" in beyond:
        yield "an alarm was shelved for more than a day: repair it, or take it out of service with a reason"
    if beyond:
        yield "there are too many alarms: look through the most frequent ones with who runs the site"
