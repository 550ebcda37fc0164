"""What came of planning. Pure."""

from typing import Any, NamedTuple

from schemas.messages import Plan


class Thought(NamedTuple):
    """A plan, and what the second check says of it."""

    plan: Plan
    wrong: list[str] = []
    """What is wrong with it, in sentences: then it is not published."""
    refused: dict[str, Any] | None = None
    """To be kept aside where it was refused: enough to make it again."""
