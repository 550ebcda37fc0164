"""The interlocks that act, in words: one sentence for what one silence explains, with its end where that is known."""

import asyncio
from pathlib import Path

import pytest

from bridges.control.interlock_state import State
from bridges.control.interlock_words import WAITS, sentences
from bridges.control.interlocks import Acting
from schemas.messages import Cause
from schemas.profiles import load_profile
from tests.bridges.control.story import story
from tests.virtual import virtual


def acting(name: str, *, blind: bool = True, ends: float | None = None, state: State = State.UNKNOWN) -> Acting:
    return Acting(f"{name}-bms", state, 0.0, "nobody knows u of bms any more", (), device="bms", blind=blind, ends=ends)


@pytest.mark.parametrize(
    ("found", "silent", "words"),
    [
        ([], True, []),
        ([acting("a")], True, ["a: nobody knows u of bms any more"]),
        ([acting("a"), acting("b")], True, ["a: nobody knows u of bms any more", "b: nobody knows u of bms any more"]),
        ([acting(one) for one in "abc"], True, ["bms is silent, so 3 of its 5 interlocks hold"]),
        ([acting(one) for one in "abcde"], True, ["bms is silent, so all of its 5 interlocks hold"]),
        (
            [acting(one) for one in "abcd"],
            False,
            ["bms does not say all that must be known, so 4 of its 5 interlocks hold (a, b, c and 1 more)"],
        ),
        (
            [acting("a", ends=41.0), acting("b", ends=3.0), acting("c", ends=40.0)],
            False,
            ["bms is known again, still 3 of its 5 interlocks hold (a, b, c), they end within 50 s"],
        ),
        ([acting("a", ends=41.0)], False, ["a: bms is known again, it ends within 50 s"]),
        (
            [acting(one, state=State.UNTOLD) for one in "abc"],
            False,
            ["bms was not read yet, so 3 of its 5 interlocks hold (a, b, c)"],
        ),
        # what has latched is ended by nobody but a person
        (
            [acting("failed", blind=False, state=State.LATCHED), acting("fire", blind=False, state=State.ACTIVE)],
            False,
            [
                f"failed: {WAITS}; it was: nobody knows u of bms any more",
                "fire: nobody knows u of bms any more",
            ],
        ),
        # what was seen stands for itself, and first
        (
            [*(acting(one) for one in "abcd"), acting("fire", blind=False)],
            True,
            [
                "fire: nobody knows u of bms any more",
                "bms is silent, so 4 of its 5 interlocks hold",
            ],
        ),
    ],
)
def test_words(found: list[Acting], silent: bool, words: list[str]) -> None:
    assert sentences(found, {"bms"} if silent else set(), {"bms": 5}) == words


@virtual
async def test_a_silent_bms_is_one_sentence_and_says_when_it_ends(tmp_path: Path) -> None:
    """1476 characters listed 22 interlocks, and went on for a minute after the BMS was back."""
    async with story(tmp_path, profiles={"bms": load_profile("byd_c130")}) as it:
        await it.steer(20_000.0, 12)
        it.simulated.faults.on("bms:silent")
        await it.steer(20_000.0, 40)
        reason = it.bridge.said["pcs"].reason
        assert "bms is silent, so " in reason
        assert len(reason) < 200
        refused = it.said()[-1]
        assert Cause.INTERLOCK in it.causes()
        assert len(refused.reason) < 200
        it.simulated.faults.off("bms:silent")
        await it.until(lambda: "bms is known again, still " in it.bridge.said["pcs"].reason, 40)
        assert "they end within " in it.bridge.said["pcs"].reason
        await asyncio.sleep(120)
        assert "bms is" not in it.bridge.said["pcs"].reason
