"""What optimize knows to be billed, without a process around it."""

from datetime import datetime
from pathlib import Path

from consumers.optimize.billed import Billed
from consumers.optimize.situation import Situation
from consumers.status.state import Moment, State
from consumers.status.view import view
from runtime.history import History
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.billing import Billing
from schemas.site import Site


def billed(site: Site, folder: Path, history: History) -> Billed:
    """As optimize begins."""
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "optimize", None, {}), "sqlite+aiosqlite://", None, folder)
    return Billed(Part("optimize", site, settings), Situation.of(site), history)


async def read(site: Site, folder: Path, history: History, now: datetime) -> Billing:
    """What it says after it has read the archive."""
    mine = billed(site, folder, history)
    await mine.read(now, 0.0)
    return mine.said(now)


def on_the_page(site: Site, said: Billing, now: datetime) -> dict[str, object]:
    """What the page makes of it."""
    shown: dict[str, object] = view(State(site, billing=said), Moment(now, 0.0))["peak"]
    return shown
