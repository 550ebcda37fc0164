"""Many who ask are one question to the archive; too many different ones are refused."""

import asyncio

import pytest

from consumers.status.answers import FRESH, MOST, Answers, Busy
from tests.virtual import virtual


class Archive:
    """Takes a second for each answer."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, question: int) -> int:
        self.asked.append(question)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(1)
        self.at_once -= 1
        if question < 0:
            raise ValueError(question)
        return 10 * question


@virtual
async def test_two_hundred_who_ask_the_same_are_one_question() -> None:
    archive = Archive()
    answers = Answers(archive)
    assert await asyncio.gather(*(answers.to(7) for _ in range(200))) == [70] * 200
    assert archive.asked == [7]
    await asyncio.sleep(FRESH - 0.5)
    assert await answers.to(7) == 70
    assert archive.asked == [7]
    await asyncio.sleep(FRESH)
    await answers.to(7)
    assert archive.asked == [7, 7]


@virtual
async def test_different_questions_wait_for_each_other_and_too_many_are_refused() -> None:
    archive = Archive()
    answers = Answers(archive)
    came = await asyncio.gather(*(answers.to(number) for number in range(MOST + 3)), return_exceptions=True)
    assert came[:MOST] == [10 * number for number in range(MOST)]
    assert all(isinstance(one, Busy) for one in came[MOST:])
    assert archive.most_at_once == 1
    assert await answers.to(99) == 990  # an answer that was given makes room


@virtual
async def test_who_goes_away_takes_the_answer_from_nobody() -> None:
    archive = Archive()
    answers = Answers(archive)
    first, second = asyncio.create_task(answers.to(1)), asyncio.create_task(answers.to(1))
    await asyncio.sleep(0.5)
    first.cancel()
    assert await second == 10
    assert archive.asked == [1]


@virtual
async def test_a_question_that_failed_is_asked_again() -> None:
    archive = Archive()
    answers = Answers(archive)
    for _ in range(2):
        with pytest.raises(ValueError, match="-1"):
            await answers.to(-1)
    assert archive.asked == [-1, -1]
