"""The files beside the code without which the demo has no site and no broker: all of the folder joulebus runs from."""

from pathlib import Path

from joulebus.broker import SHIPPED
from schemas.troubles import Trouble
from simulator.weather_load import RECORDINGS

NEEDED = (
    SHIPPED / "acl",
    SHIPPED / "mosquitto.conf",
    SHIPPED / "secrets.sh",
    RECORDINGS / "commercial_site_2016.csv.gz",
    RECORDINGS / "de_lu_day_ahead_2020_2023.csv.gz",
)


def whole(needed: tuple[Path, ...] = NEEDED) -> None:
    """Raises Trouble that names the first file that is not there."""
    for file in needed:
        if not file.is_file():
            raise Trouble(
                f"{file} is not there, and the demo cannot be without it: run it from the whole folder of the "
                f"project, made by `git clone` or `git archive`, and `make setup` in it"
            )
