"""What each quarter of an hour and each day cost, and why not as planned."""

from sqlalchemy import Column, Double, Integer

from schemas.tables.column import Moment, ascii_name, key, table

MONEY = ("energy", "demand", "energy_without", "demand_without", "wear", "stored", "carbon", "carbon_without")
"""Of what was measured, and as if the battery had rested: in the tariff's currency, CO2 in g."""

CAUSES = ("forecast", "derate", "grid_limit", "lost", "clamp", "operator", "unknown")
"""By how much each made it dearer than planned: optimizer/actual_against_plan.py."""

money = table(
    "money",
    key("site"),
    key("at", Moment()),
    *(Column(name, Double, nullable=False) for name in ("imported", "exported")),
    *(Column(name, Double) for name in ("drawn", "pv", "battery")),
    *(Column(name, Double, nullable=name in MONEY[2:]) for name in MONEY),
    *(Column(name, Double) for name in ("planned", *CAUSES)),
    json=(),
    sqlite_with_rowid=False,
)
"""What the quarter of an hour that begins at `at` cost; energies in Wh, `battery` what it gave less what it took.

`drawn`: by the power of the meter, for a billed peak. NULL is unknown, or hardly seen. `planned` is the cost (energy,
demand, wear) that the plan meant, and the causes are the difference.
"""

money_day = table(
    "money_day",
    key("site"),
    key("at", Moment()),
    Column("day", ascii_name(10), nullable=False),
    Column("currency", ascii_name(3), nullable=False),
    *(Column(name, Integer, nullable=False) for name in ("quarters", "compared", "planned_quarters")),
    *(Column(name, Double, nullable=False) for name in ("imported", "exported")),
    *(Column(name, Double) for name in ("pv", "load", "saved")),
    *(Column(name, Double, nullable=name in MONEY[2:]) for name in MONEY),
    *(Column(name, Double) for name in ("planned", *CAUSES)),
    json=(),
)
"""The sums of a local day, which begins at `at`. `compared`: the quarters of which it is known what they would have
cost without the battery: `saved` is of these. `planned_quarters` are those of the causes."""

unpriced = table("unpriced", key("site"), key("at", Moment()), json=(), sqlite_with_rowid=False)
"""Quarters of an hour whose row in `money` is missing, or older than what it is made of; written in the same
transaction as that. One whose price is not known yet stays."""
