"""The interlocks of one battery at work: judged in each cycle, kept on disk, reset by a named person."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from logging import INFO, WARNING

from bridges.control import interlocks
from bridges.control.interlock_cause import Began, Interlock
from bridges.control.interlock_memory import keep, recall
from bridges.control.interlock_rules import rules_for
from bridges.control.interlock_state import State
from bridges.control.interlock_words import sentences
from bridges.control.limits import Limit
from runtime.memory import Memory
from schemas.messages import Action, Cause, Limited, Value
from schemas.site import Site
from schemas.site_battery import Unit
from schemas.units import utc_now

log = logging.getLogger("bridge")

STOP_AGAIN = 60.0
"""Seconds between two tries to stop an inverter: contactors wear."""
TOLD = (State.ACTIVE, State.LATCHED, State.UNKNOWN)
"""What is a trouble of the device; what was only not read yet is none."""

Look = Callable[[str, str, float], Value | None]
"""The value of a device's point at a moment, as long as it is fresh."""


@dataclass
class BatteryInterlocks:
    """Times of the monotonic clock."""

    site: Site
    battery: Unit
    look: Look
    memory: Memory | None = None
    """Keeps those that act, or wait for a person, beyond a restart."""
    lost: Callable[[str, float], bool] = lambda _, __: False
    """Whether a device is not read any more."""
    left_out: Callable[[], Collection[str]] = frozenset
    """Racks that are not connected: what holds for their cells holds for none that work, until they are again."""
    began: Began | None = None
    """When the reading of a point did that is shown: the same one seen again is no second one."""
    judged: interlocks.Judgement | None = None
    _known: interlocks.Memory | None = None
    _again: float = float("-inf")
    _stood: bool = False
    """The inverter was seen at rest since it was stopped last."""
    _locks: tuple[Interlock, ...] = field(init=False)
    _silent: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._locks = rules_for(self.site, self.battery)

    def judge(self, now: float) -> None:
        """Look at every cause."""
        known = self._known if self._known is not None else self._recall(now)
        out = self.left_out()
        locks = [lock for lock in self._locks if lock.device not in out]
        judged = interlocks.judge(locks, known, lambda device, point: self.look(device, point, now), now, self.began)
        if judged.stopping - (frozenset() if self.judged is None else self.judged.stopping):
            self._again = float("-inf")  # a new cause is no retry
        self.judged, self._known = judged, judged.memory
        self._silent = frozenset(device for device in self.devices if self.lost(device, now))
        for change in (*judged.raised, *judged.cleared):
            words = (self.battery.pcs, change.name, change.after.value, change.reason)
            log.log(WARNING if change in judged.raised else INFO, "%s: interlock %s is %s: %s", *words)
        if judged.changes:
            self._keep(judged.memory, now)

    @property
    def acts(self) -> bool:
        """Some limit the power for a reason that was seen, not only because nothing was read yet."""
        acting = () if self.judged is None else self.judged.acting
        return any(one.state in TOLD and one.limit in self.limits for one in acting)

    @property
    def devices(self) -> frozenset[str]:
        """Where their causes are looked for."""
        return frozenset(lock.device for lock in self._locks)

    @property
    def limits(self) -> list[Limit]:
        """What they leave of the power, each by its name."""
        return [] if self.judged is None else self.judged.limits

    @property
    def unread(self) -> frozenset[str]:
        """The limits of those whose points were not read since the bridge began."""
        acting = () if self.judged is None else self.judged.acting
        return frozenset(one.limit.source for one in acting if one.state is State.UNTOLD)

    @property
    def words(self) -> str:
        """Which act, and why."""
        return "; ".join(self._sentences(() if self.judged is None else self.judged.acting))

    def why(self, limited: Iterable[Limited]) -> str:
        """Why those hold that are named here: where its device is silent, that is the reason, and not a door."""
        named, acting = {one.source for one in limited}, () if self.judged is None else self.judged.acting
        hold = [one for one in acting if one.limit.source in named]
        blind = {one.device for one in hold if one.blind}
        return "; ".join(self._sentences([one for one in acting if one in hold or (one.blind and one.device in blind)]))

    @property
    def troubles(self) -> list[tuple[Cause, str]]:
        """Those that act, for people."""
        acting = () if self.judged is None else self.judged.acting
        told = self._sentences([one for one in acting if one.state in TOLD])
        return [(Cause.INTERLOCK, words) for words in told]

    @property
    def effects(self) -> dict[str, list[str]]:
        """What each of them does, as far as it is told."""
        acting = () if self.judged is None else self.judged.acting
        return {one.name: [effect.value for effect in one.effects] for one in acting if one.state in TOLD}

    @property
    def derated(self) -> dict[str, float]:
        """% of the rated power that those leave which derate."""
        shares = {lock.name: lock.rule.derate for lock in self._locks}
        return {name: share for name in self.effects if (share := shares[name]) is not None}

    def _sentences(self, acting: Sequence[interlocks.Acting]) -> list[str]:
        return sentences(acting, self._silent, Counter(lock.device for lock in self._locks))

    def stands(self) -> None:
        """The inverter was seen at rest."""
        self._stood = True

    def stops(self, now: float, *, runs: bool | None) -> bool:
        """Whether the inverter is to be stopped now, whoever wants it to run. One that stood and `runs` again was
        started by somebody: to stop it is no retry, and does not wait."""
        restarted = self._stood and runs is True
        if self.judged is None or not self.judged.stop or (now < self._again and not restarted):
            return False
        self._again, self._stood = now + STOP_AGAIN, False
        log.error("%s is stopped by an interlock: %s", self.battery.pcs, self.words)
        return True

    def forbids(self, action: Action | None) -> str:
        """Why it may not be told so now; empty when it may."""
        forbidden = action is Action.START and self.judged is not None and not self.judged.start
        return f"interlock: {self.words}" if forbidden else ""

    def reset(self, who: str, now: float) -> str:
        """A person says that it is right now; gives what it is not, in words."""
        if self._known is None:
            return ""
        done = interlocks.reset(self._locks, self._known, who, now)
        self._known = done.memory
        if done.cleared:
            self._keep(done.memory, now)
        device = {lock.name: lock.device for lock in self._locks}
        return "; ".join(f"{name.removesuffix(f'-{device[name]}')} {why}" for name, why in done.refused)

    def _recall(self, now: float) -> interlocks.Memory:
        text = None if self.memory is None else self.memory.read()
        found, unknown = recall(text, self._locks, now, utc_now())
        for name in unknown:
            log.warning("%s: interlock %s was kept, and no rule has that name now", self.battery.pcs, name)
        return found

    def _keep(self, known: interlocks.Memory, now: float) -> None:
        if self.memory is not None:
            self.memory.write(keep(known, now, utc_now()))
