"""The commands of one run of dispatch: their numbers, their reasons and their signature."""

import time
from datetime import timedelta
from itertools import count
from secrets import token_hex

from consumers.dispatch.desk import Desk
from consumers.dispatch.instruction import Instruction
from consumers.dispatch.reasons import Reasons
from runtime.part import Part
from runtime.signature import signed
from schemas.messages import Command
from schemas.topics import COMMAND, COMMAND_TTL
from schemas.units import utc_now


class Sending:
    """Of one site."""

    def __init__(self, part: Part, desk: Desk) -> None:
        self.part, self.desk = part, desk
        self.reasons = Reasons()
        self._epoch, self._numbers = token_hex(8), count(1)

    async def send(self, device: str, instruction: Instruction) -> None:
        """To one device. Raises what `Events.say` raises."""
        place = {"site": self.part.site.site, "device": device}
        command = self.reasons.add(self._command(instruction), self.desk, device, instruction, time.monotonic())
        key = self.part.settings.command_key
        if key is not None:
            command = signed(command, COMMAND.at(**place), key)
        self.desk.sends(command.id, device, instruction)  # before its outcome can come
        await self.part.events.say(COMMAND, command, expiry=COMMAND_TTL, **place)
        self.desk.has_sent(device, instruction, time.monotonic())
        self.part.counts["commands"] += 1
        self.part.succeeded()

    def _command(self, instruction: Instruction) -> Command:
        now, number = utc_now(), next(self._numbers)
        return Command(
            id=f"dispatch-{self._epoch}-{number}",
            at=now,
            until=now + timedelta(seconds=COMMAND_TTL),
            epoch=self._epoch,
            number=number,
            source="dispatch",
            authority=instruction.wanted.authority,
            values=instruction.values,
            action=instruction.action,
            reason=instruction.wanted.reason,
        )
