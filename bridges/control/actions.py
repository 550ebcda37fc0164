"""What a device is told to do: start and stop of the battery step by step, all others at once."""

from dataclasses import dataclass

from bridges.control.battery_control import BatteryControl
from bridges.control.command_life import Event
from bridges.control.guard import Refusal, Station, actions, understood
from bridges.control.pending_commands import PendingCommands
from bridges.control.sequence import STAGES, STOPPED
from bridges.fieldbus.contract import Declined, FieldDevice, Unreachable
from bridges.telemetry.latest_values import LatestValues, lasts
from schemas.messages import Action, Cause, Command
from schemas.site import Site
from schemas.units import Kind

GRID_MODES = (Action.GRID_FOLLOWING, Action.GRID_FORMING)


@dataclass
class Actions:
    """Of one device. Times of the monotonic clock."""

    device: FieldDevice
    pending: PendingCommands
    latest: LatestValues
    battery: BatteryControl | None
    site: Site

    def station(self, command: Command, *, local: bool) -> Station:
        """What the device understands, and whom it obeys. `local`: it is steered at its own panel."""
        return Station(
            points=understood(self.device.commands, command),
            actions=actions(self.device.actions, steers_battery=self.battery is not None),
            sources=self.site.command_sources,
            read_only=not self.device.writable,
            local=local,
            distrust={} if self.battery is None else self.battery.distrust,
        )

    async def refusal(self, command: Command) -> Refusal | None:
        """Why the device may not be told so now."""
        return self._behind_inverter(command) or self._interlocked(command) or await self._untimely(command)

    def _behind_inverter(self, command: Command) -> Refusal | None:
        """A contactor opens without load and closes before its inverter starts: only the inverter's sequence sees to
        that."""
        if command.action not in STAGES or self.device.kind is not Kind.BMS:
            return None
        mine = self.site.battery_of(self.device.name)
        whom = "its inverter" if mine is None else " or ".join(mine.pcs)
        words = f"no {command.action.value} of its own; its contactor switches in a sequence of {whom}: ask it"
        return Refusal(Cause.UNKNOWN, f"unknown: {words}")

    def _interlocked(self, command: Command) -> Refusal | None:
        why = "" if self.battery is None else self.battery.interlocks.forbids(command.action)
        return Refusal(Cause.INTERLOCK, why) if why else None

    async def _untimely(self, command: Command) -> Refusal | None:
        """The grid mode of a running inverter stays: it would switch over under load."""
        if command.action not in GRID_MODES or "state" not in self.device.points:
            return None
        try:
            state = (await self.device.look("state")).values.get("state")
        except (Unreachable, Declined) as wrong:
            return Refusal(Cause.NO_ANSWER, f"grid_mode: its state cannot be read: {wrong}")
        if state in STOPPED:
            return None
        words = f"grid_mode: it changes only when stopped or in standby, the device is {state}"
        return Refusal(Cause.WRONG_STATE, words)

    async def act(self, command: Command, now: float) -> bool:
        """Begin it; True when the device was told something."""
        action = command.action
        if action is None:
            return False
        if self.battery is not None and action in STAGES:
            self.pending.event("action", Event.HELD_BACK, self.battery.begin(action, now))
            return False
        battery = self.battery if action is Action.RESET else None
        holds = "" if battery is None else battery.reset(command, now)
        told = action in self.device.actions and not (action is Action.RESET and self._runs(now))
        try:
            if told:
                await self.device.act(action)
        except (Unreachable, Declined) as wrong:
            cause = Cause.DECLINED if isinstance(wrong, Declined) else Cause.NO_ANSWER
            self.pending.event("action", Event.WRITE_FAILED, str(wrong), cause)
            return False
        if holds:
            words = f"{'reset is told; ' if told else ''}{holds}"
            self.pending.event("action", Event.NOT_FOLLOWED, words, Cause.INTERLOCK)
        self.pending.event("action", Event.WRITTEN)
        return True

    async def go_on(self, now: float) -> None:
        """The next stage of a start or a stop. The end of one that an interlock began answers no other command."""
        ended = None if self.battery is None else await self.battery.go_on(now)
        mine = self.pending.open.get("action")
        if ended is not None and mine is not None and mine.command.action is ended.goal:
            event = Event.FOLLOWED if ended.cause is None else Event.NOT_FOLLOWED
            self.pending.event("action", event, ended.reason, ended.cause)

    def drop(self, why: str, cause: Cause) -> None:
        """Nobody goes on with what was begun."""
        if self.battery is not None:
            self.battery.start_stop.sequence = None
        self.pending.event("action", Event.RAN_OUT, why, cause)

    def _runs(self, now: float) -> bool:
        """It is seen running: there is no fault of its own to reset, and some take a reset for a stop."""
        return self.latest.said(self.device.name, "state", now, lasts(self.device.poll, 5.0)) == "running"
