"""What dispatch does each 2 s, attacked at the real rhythm: an older bridge, clocks, its file, windows that slide."""

import asyncio
from pathlib import Path

import pytest

from consumers.dispatch.reasons import Reasons
from runtime.heard import Heard, read
from schemas.messages import Cause, Command, Outcome, OutcomeState
from schemas.topics import COMMAND
from tests.bridges.control.story import Story as BridgeStory
from tests.bridges.control.story import story
from tests.consumers.test_dispatch_desk import Story, plant_site
from tests.consumers.test_dispatch_reasons import command, covers
from tests.virtual import loop, virtual

# an older bridge -------------------------------------------------------------------------------------------


def hears_as_an_older(it: BridgeStory, sent: Command) -> None:
    """The real way of a bridge that knows no `why`: here no key has this name."""
    payload = sent.model_dump_json(exclude_defaults=True).encode().replace(b'"why"', b'"whence"')
    found, fault = read(COMMAND, payload)
    place = {"site": it.site.site, "device": "pcs"}
    it.bridge.controls["pcs"].hear(Heard(COMMAND, place, found, fault, payload, False, 0))


@virtual
@pytest.mark.parametrize("late", [0.1, 5.0])
async def test_an_older_bridge_refuses_one_command_however_late_its_word_comes(tmp_path: Path, late: float) -> None:
    """By the id of the last command alone it was never known to be older where its word came after the next one: each
    command was refused, and the battery stayed at its fallback."""
    desk, reasons, heard = Story(plant_site(tmp_path)), Reasons(), 0
    covers(desk)
    order = desk.order()
    assert order is not None
    async with story(tmp_path / "bridge") as it:
        for turn in range(10):
            sent = it.wish(values={"p_set": 10_000.0 + 100 * turn})
            hears_as_an_older(it, reasons.add(sent, desk.desk, "pcs", order, loop().time()))
            await asyncio.sleep(2.0)
            for at, _, outcome in it.outcomes[heard:]:
                if at + late <= loop().time():
                    heard += 1
                    reasons.hear("pcs", outcome, loop().time())
        refused = [one for one in it.said() if one.state is OutcomeState.REFUSED]
        assert [one.cause for one in refused] == [Cause.INVALID]
        assert it.power == pytest.approx(10_900.0, rel=0.02)
        assert max(later[0] - at[0] for at, later in zip(it.written(), it.written()[1:], strict=False)) < 2.5


def test_reasons_come_again_and_cost_an_older_bridge_one_command_a_day(tmp_path: Path) -> None:
    desk, reasons = Story(plant_site(tmp_path)), Reasons()
    covers(desk)
    order = desk.order()
    assert order is not None
    counted, mono, number = dict[str, int](), 0.0, 0
    for bridge, days in (("older", 3.0), ("newer", 0.1), ("away", 0.02), ("older", 1.5)):
        for _ in range(round(days * 8640)):  # a command each 10 s
            mono, number = mono + 10.0, number + 1
            sent = reasons.add(command(number), desk.desk, "pcs1", order, mono)
            if not sent.why or bridge == "away":
                continue
            counted[bridge] = counted.get(bridge, 0) + 1
            refuses = bridge == "older"
            state = OutcomeState.REFUSED if refuses else OutcomeState.VERIFIED
            said = Outcome(id=sent.id, at=sent.at, state=state, cause=Cause.INVALID if refuses else None)
            assert reasons.hear("pcs1", said, mono) is refuses
    assert counted == {"older": 3 + 2, "newer": 864}
