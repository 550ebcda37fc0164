"""A PV inverter."""

from collections.abc import Mapping
from math import inf

from schemas.messages import Value
from simulator.pv import ASLEEP, Pv
from simulator.roles.role import Role
from simulator.wishes import Wish


class PvRole(Role):
    """It can be curtailed."""

    @property
    def plant(self) -> Pv:
        return self.world.plant.pv[self.device.name]

    def shown(self) -> dict[str, Value]:
        pv, alive = self.plant, self.world.plant.lit
        at_night = pv.available < ASLEEP * pv.rated
        state = "sleeping" if at_night else "throttled" if pv.curtailed else "running"
        return {
            "maker": "joulebus",
            **super().shown(),
            **self.phases(pv.p, pv.q, alive=alive),
            **self.flags(() if alive else ("grid_disconnect", "ac_under_volt", "ac_disconnect")),
            **self.named("state", *((state,) if alive and not pv.waits else ("starting" if alive else "off",))),
            "dc_p": pv.p / 0.98,
            "dc_u": 0.0 if at_night else 650.0,
            "dc_i": pv.p / 0.98 / 650,
            "e_inj_total": pv.energy,
            "t_cab": 24 + 18 * pv.p / pv.rated,
            "t_heatsink": 25 + 40 * pv.p / pv.rated,
            "p_max_inj": pv.rated,
            "s_max": pv.apparent,
            "p_limit_pct": self.enables.held.get("p_limit_pct", pv.limit_pct),
            "p_limit_state": "enabled" if pv.limited else "disabled",
            "pf_set": self.enables.held.get("pf_set", 1.0),
            "pf_set_state": "enabled" if "pf_set" in self.enables.on else "disabled",
            "q_set": self.enables.held.get("q_set", pv.q_set),
            "q_set_state": "enabled" if "q_set" in self.enables.on else "disabled",
        }

    def take(self, wish: Wish) -> None:
        pv, enables = self.plant, self.enables
        counts = wish.name not in enables.names or wish.name in enables.on
        match wish.name:
            case "pf_set":
                pv.pf_set = wish.value if counts else None
            case "q_set":
                pv.q_set = wish.value if counts else 0.0
            case "p_limit_pct":
                self._limit(wish)

    def _limit(self, wish: Wish) -> None:
        pv, enables = self.plant, self.enables
        if wish.name not in enables.names:
            pv.limited, pv.limit_pct = True, wish.value
            return
        pv.limited = wish.name in enables.on
        if wish.name in enables.asked:
            pv.limit_pct = enables.asked[wish.name]

    def suffer(self, on: Mapping[str, float]) -> None:
        super().suffer(on)
        pv = self.plant
        pv.late, pv.deaf, pv.share = on.get("late", 0.0), "ignores_limit" in on, on.get("coarse", 1.0)
        pv.slowest = pv.rated * on["slow_ramp"] / 100 if "slow_ramp" in on else inf
        pv.shade = on.get("shaded", 1.0)
        pv.deaf_q = "ignores_q" in on
