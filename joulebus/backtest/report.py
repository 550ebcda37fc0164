"""report.html."""

from typing import Any

from joulebus.backtest.play import Backtest
from joulebus.backtest.prepare import Prepared


def report(ready: Prepared, found: Backtest, written: dict[str, Any]) -> str:
    return ""
