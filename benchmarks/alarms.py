"""What alarms cost and how soon they are there: `python -m benchmarks.alarms --json` prints one line.

The cost of 10 000 rules (`alarms_rules`), and the real service beside a real broker (`alarms_raised`). Numbers of other
parts of the machine stand beside: a bare loop, a bare fsync, a message that only goes through the broker.
"""

import argparse
import asyncio
import json
from typing import Any

from benchmarks.alarms_raised import raised
from benchmarks.alarms_rules import evaluate, through_panel


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--seconds", type=int, default=20, help="of the site that are judged; 0: not at all")
    parser.add_argument("--alarms", type=int, default=200, help="that are raised over the broker")
    parser.add_argument("--floods", type=int, default=20, help="of 200 alarms that one message raises")
    parser.add_argument("--on-delay", type=float, default=0.0, help="s, of the alarm that is raised")
    wish = parser.parse_args()
    found: dict[str, Any] = evaluate(wish.seconds) | through_panel(wish.seconds) if wish.seconds else {}
    found |= asyncio.run(raised(wish.alarms, wish.floods, wish.on_delay))
    print(json.dumps(found) if wish.json else "\n".join(f"{name:<40} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
