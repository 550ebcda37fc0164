"""What troubles a part now: said once in its log, shown at /health and in its status until it is over."""

import logging
import math
import time
from dataclasses import dataclass

from schemas.messages import Cause

NOT_READY = frozenset({Cause.NOT_ARCHIVED, Cause.BROKER_REFUSES})
"""With one of these a part does not do what it is for, if nothing else is said."""


@dataclass(frozen=True, slots=True)
class _Told:
    words: str
    since: float
    until: float
    """Between these it is told, in monotonic seconds."""
    ready: bool


class Causes:
    """Of one part, in the words of `Cause`; the first that came is the first that is shown."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._told: dict[tuple[Cause, str], _Told] = {}

    def add(
        self,
        cause: Cause,
        words: str,
        *,
        about: str = "",
        after: float = 0.0,
        seconds: float = math.inf,
        ready: bool | None = None,
    ) -> None:
        """A trouble, which is told when it has lasted for `after` seconds, and is over by itself after some seconds.
        `about` keeps apart two of one cause; `ready` says whether the part does what it is for all the same.

        A line in the log when it is new or when its words change; none of what may be over before it is told.
        """
        before = self._told.get((cause, about))
        if not after and (before is None or before.words != words):
            self._log.warning("%s", words)
        does = cause not in NOT_READY if ready is None else ready
        now = time.monotonic()
        since = now + after if before is None else min(before.since, now + after)
        self._told[cause, about] = _Told(words, since, now + seconds, does)

    def clear(self, cause: Cause, *, about: str = "", words: str = "") -> None:
        """It is over; `words` say so in the log, if it was there."""
        if self._told.pop((cause, about), None) is not None and words:
            self._log.info("%s", words)

    @property
    def names(self) -> list[Cause]:
        return list(dict.fromkeys(cause for cause, _ in self._now()))

    @property
    def words(self) -> str:
        return "; ".join(told.words for told in self._now().values())

    @property
    def ready(self) -> bool:
        """Whether the part does what it is for, as far as this is known here."""
        return all(told.ready for told in self._now().values())

    def _now(self) -> dict[tuple[Cause, str], _Told]:
        now = time.monotonic()
        self._told = {key: told for key, told in self._told.items() if now < told.until}
        return {key: told for key, told in self._told.items() if told.since <= now}
