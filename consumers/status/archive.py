"""What the page asks of the archive: for a while, and what it knows of it is kept for the banner."""

import asyncio
import logging
from collections.abc import Awaitable
from math import inf
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from consumers.status.state import State
from schemas.troubles import Trouble

PATIENCE = 5.0
"""Seconds the archive has for an answer."""
HURRIED, SILENT = 1.0, 10.0
"""Seconds it has after it was silent, for so long: those who ask for other spans wait for their turn."""

T = TypeVar("T")
log = logging.getLogger("status")


class Archive:
    """Waits for its answers no longer than the page can."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._silent = -inf
        """When it let PATIENCE go by, by the loop's clock."""

    async def answer(self, question: Awaitable[T]) -> T | None:
        """What the archive says, or None; the state remembers whether it spoke."""
        now = asyncio.get_running_loop().time()
        patience = HURRIED if now - self._silent < SILENT else PATIENCE
        try:
            async with asyncio.timeout(patience):
                answer = await question
        except (SQLAlchemyError, OSError, TimeoutError, Trouble) as wrong:
            if isinstance(wrong, TimeoutError) and patience == PATIENCE:
                self._silent = now + PATIENCE
            if self.state.archive is not False:
                log.warning("the archive cannot be read: %s", str(wrong).split("\n", 1)[0] or type(wrong).__name__)
            self.state.archive = False
            return None
        if self.state.archive is False:
            log.info("the archive is back")
        self.state.archive, self._silent = True, -inf
        return answer
