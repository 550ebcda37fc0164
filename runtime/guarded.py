"""One message never ends a part: what goes wrong with it is said once, counted, and the next one is taken."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt

from runtime.bus import Refused
from runtime.heard import Heard
from schemas.printable import printable
from schemas.troubles import Trouble

PASS = (aiomqtt.MqttError, Refused, Trouble)
"""Not the message's doing: the connection is lost, the access list is wrong, a person must put something right."""

FAILED = "failed_messages"
"""Their count among those of the part."""


@dataclass
class Guarded:
    """The handling of a part's messages.

        guarded = Guarded(part.log, part.counts)
        for heard in batch:
            with guarded(heard):
                ...
        bus.ack(batch)

    Cancellation and `PASS` go through; also out of a group in which they stand beside others.
    """

    log: logging.Logger
    counts: Counter[str]
    _said: set[tuple[str, str, str]] = field(default_factory=set)
    """Topic, kind of error and line of the code: each is said once."""

    @contextmanager
    def __call__(self, heard: Heard[Any]) -> Iterator[None]:
        try:
            yield
        except PASS:
            raise
        except Exception as wrong:  # whatever a stranger makes of us, the next message is handled
            if isinstance(wrong, ExceptionGroup) and wrong.subgroup(PASS) is not None:
                raise
            self.counts[FAILED] += 1
            self._say(heard, wrong)

    def _say(self, heard: Heard[Any], wrong: Exception) -> None:
        kind, place = type(wrong).__name__, _place(wrong)
        if (heard.topic.name, kind, place) in self._said:
            return
        self._said.add((heard.topic.name, kind, place))
        where = heard.topic.at(**heard.place)
        self.log.error("a message at %s is passed over: %s at %s: %s", where, kind, place, printable(str(wrong), 200))


def _place(wrong: BaseException) -> str:
    """The line of the code where it went wrong; in a group that of the first."""
    while isinstance(wrong, BaseExceptionGroup):
        wrong = wrong.exceptions[0]
    trace = wrong.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
