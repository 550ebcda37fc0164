"""The time that a command about the past is asked of."""

from datetime import datetime, timedelta

from joulebus.export import moment
from schemas.site import Site
from schemas.troubles import Trouble

SPANS = {"shift": timedelta(hours=8), "week": timedelta(days=7), "month": timedelta(days=30)}
DAY = timedelta(days=1)


def span(site: Site, now: datetime, start: str, end: str, back: timedelta = DAY) -> tuple[datetime, datetime]:
    """From when until when, excluded; `back` from its end where no begin is given. Raises Trouble."""
    until = moment(end, site.zone, "--to") if end else now
    begin = moment(start, site.zone, "--from") if start else until - back
    if begin >= until:
        raise Trouble(f"--from {begin:%Y-%m-%dT%H:%MZ} lies not before --to {until:%Y-%m-%dT%H:%MZ}")
    return begin, until
