"""The topic `site/billing`: what each demand component of the tariff bills so far, and the window that runs."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.messages import Message
from schemas.units import SAID, Instant, Name, Number, Seconds, Share, Watts


class MonthPeak(Message):
    """A calendar month of the site, as far back as the archive reaches: what a ratchet looks at."""

    start: Instant
    peak: Watts | None = None
    """The highest mean import of a billed window; None where none was seen enough."""
    seen: Share
    """Of its windows so many were seen enough to be billed."""


class BilledComponent(Message):
    """One demand component of the tariff. Only import is billed: what is fed in within a window takes nothing off."""

    name: Name
    """`demand`; of several `demand`, `demand-2`, in the order of the tariff file."""
    minutes: Literal[15, 30, 60]
    """Length of its windows, which stand on the local clock of the site."""
    window_start: Instant
    window_end: Instant
    counts: bool = True
    """Whether the component bills the window that runs; some bill only certain hours."""
    imported: Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra={"unit": "Wh"}), SAID]
    """Wh in the window that runs, while it was seen."""
    covered: Seconds
    """Of the window that runs, so many seconds were seen."""
    mean: Watts | None = None
    """Of the window that runs so far: `imported` over `covered`; None while nothing was seen of it."""
    peak: Watts | None = None
    """The highest of the period so far, measured or `known`; None: nothing is known."""
    peak_at: Instant | None = None
    """When the window of `peak` began; None where it was not measured here."""
    per: Literal["month", "year"]
    """What the highest is looked for in."""
    period_start: Instant
    period_end: Instant
    """Until then `peak` holds as the least that is billed, however old this message is."""
    seen: Share | None = None
    """Of the period's windows that are over, so many were seen enough. What the others are billed is not known here.
    None while the archive cannot be read."""
    known: Watts = 0.0
    """The highest peak of the period that stands in the tariff file; 0 where none does."""
    floor: Watts = 0.0
    """So much is billed at least."""
    price: Number
    """Per kW and period."""
    currency: str
    months: list[MonthPeak] = []
    """The oldest first; the last is this one. Those before the archive's first are absent."""


class Billing(Message):
    """What the site is billed by the kW, from the archive and the live meter (retained)."""

    at: Instant
    until: Instant
    """After that the window that runs is not followed any more; see `period_end` for the peak."""
    archived: Instant | None = None
    """When the archive was read last; None: not yet, and what it has does not count here."""
    components: list[BilledComponent] = []
    """In the order of the tariff file; empty where nothing is paid by the kW, or with a `fault`."""
    fault: str = ""
    """Why nothing is known: the tariff cannot be read."""
