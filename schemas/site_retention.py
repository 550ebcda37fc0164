"""How long the archive of a site keeps what."""

from pydantic import Field

from schemas.shape import Shape


class Retention(Shape):
    """How long the archive keeps what; 0 for ever. What is older is forgotten within a day."""

    raw_days: int = Field(default=90, ge=0, le=36_500)
    """Days of telemetry at the resolution it was measured in."""
    minute_days: int = Field(default=400, ge=0, le=36_500)
    """Days of means per minute."""
    years: int = Field(default=10, ge=0, le=100)
    """Years of quarter-hours, hours, energies, money, gaps, and one plan an hour."""
    action_days: int = Field(default=400, ge=0, le=36_500)
    """Days of commands, their outcomes and the journal that proves them."""
    plan_days: int = Field(default=30, ge=0, le=36_500)
    """Days of every plan; of each hour before these the first is kept for `years`."""
    event_years: int | None = Field(default=None, ge=0, le=100)
    """Years of alarms, of what was said of a device, of modes and requests; `years` when left out."""
    doubt_days: int = Field(default=90, ge=0, le=36_500)
    """Days of what could not be stored where it belongs: samples with an impossible time, messages nobody can read."""
