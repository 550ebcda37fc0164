"""The measured sites that planning is tried on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A measured site, with the battery it is given."""

    file: str
    pv: float
    """A factor."""
    kw: float
    kwh: float
    begin: str
    zone: str


SITES = {
    "student_services": Place("ucsd/student_services.csv.gz", 1.0, 100, 200, "2019-01-01", "America/Los_Angeles"),
    "east_campus": Place("ucsd/east_campus.csv.gz", 0.5, 50, 100, "2019-01-01", "America/Los_Angeles"),
    "trade_street": Place("ucsd/trade_street.csv.gz", 1.0, 100, 200, "2017-09-19", "America/Los_Angeles"),
    "monash_building1": Place("monash/building1.csv.gz", 2.0, 10, 20, "2019-03-05", "Australia/Melbourne"),
}
