"""Rows of load, PV and prices, as a CSV or an archive gives them: without pandas, which only a CSV is read with."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NEEDED = "load_kw"
METERED = ("battery_kw", "soc_percent", "import_kw", "export_kw", "drawn_kw", "discharged_kw")
"""What was measured while a battery worked."""
COLUMNS = (NEEDED, "pv_kw", "import_price_eur_per_kwh", "export_price_eur_per_kwh", *METERED)


@dataclass
class Table:
    """Rows by rising time, each once."""

    path: Path
    minutes: NDArray[np.int64]
    """Since 1970, UTC: when each row begins."""
    columns: dict[str, NDArray[np.float64]]
    """kW, and prices per kWh; nan where a cell is empty."""
    repairs: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
