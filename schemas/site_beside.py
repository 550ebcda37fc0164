"""What stands in the files beside a site file: its tariff, prices, forecasts and intensities."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import PrivateAttr

from schemas.holidays import Holidays
from schemas.shape import Shape
from schemas.site_carbon import Carbon
from schemas.site_forecasts import OutsideForecast
from schemas.site_notify import Notify
from schemas.site_reserves import Reserve
from schemas.tariff import Demand, Tariff
from schemas.toml_file import read_toml
from schemas.troubles import Trouble


class FilesBeside(Shape):
    """The part of a site that reads them, each when it is asked for."""

    if TYPE_CHECKING:  # the keys of the site file stand in `Site`, in their order
        tariff: str
        reserve: list[Reserve]
        forecast: list[OutsideForecast]
        carbon: Carbon | None
        notify: Notify | None

    _folder: Path = PrivateAttr(default=Path())

    def beside(self, name: str) -> Path:
        """A file that the site file names, relative to it."""
        return self._folder / name

    @property
    def days_off(self) -> Holidays:
        """The holidays people are off duty: those of [notify], else of the tariff, where that can be read."""
        if self.notify is not None and self.notify.holidays is not None:
            return Holidays(self.notify.holidays)
        return Holidays() if self.tariff_fault else self.prices.days_off

    @property
    def tariff_path(self) -> Path:
        return self._folder / self.tariff

    @cached_property
    def prices(self) -> Tariff:
        """The tariff file, read when it is asked for: what guards a device needs none. Raises Trouble."""
        tariff = read_toml(self.tariff_path, Tariff)
        if not tariff.import_.layers:
            raise Trouble(f"{self.tariff_path}: import: give at least one [[import.period]] or import.day_ahead")
        return tariff

    def forget_prices(self) -> None:
        """The tariff file is read anew when it is asked for next."""
        self.__dict__.pop("prices", None)

    def renew_prices(self) -> None:
        """Read the tariff file again. Raises Trouble; then what was read before holds."""
        before = self.__dict__.pop("prices", None)
        try:
            self.prices  # noqa: B018  # reads it
        except Trouble:
            if before is not None:
                self.__dict__["prices"] = before
            raise

    @property
    def reserves(self) -> list[Reserve]:
        """What is promised, by the holidays of the tariff file. Raises Trouble where that cannot be read."""
        return [one.knowing(self.prices.days_off) for one in self.reserve]

    @property
    def demand(self) -> Demand | None:
        """The first price of the highest draw; None also while the tariff cannot be read, see `tariff_fault`."""
        return next(iter(self.demands), None)

    @property
    def demands(self) -> tuple[Demand, ...]:
        """All that is paid by the kW; none also while the tariff cannot be read."""
        return () if self.tariff_fault else self.prices.components

    @property
    def tariff_fault(self) -> str:
        """Why the tariff cannot be read; empty when it can."""
        try:
            self.prices  # noqa: B018  # reads it
        except Trouble as wrong:
            return str(wrong)
        return ""

    @property
    def carbon_path(self) -> Path | None:
        """The file of intensities, where there is one."""
        return self._folder / self.carbon.file if self.carbon and self.carbon.file else None

    @property
    def forecast_files(self) -> dict[str, Path]:
        """The files of forecasts from outside, by their names."""
        return {one.name: self._folder / one.file for one in self.forecast if one.file}

    @property
    def price_files(self) -> dict[str, Path]:
        """The files of market prices by their place in the tariff, such as `import`. Raises Trouble."""
        return {place: self.tariff_path.parent / rule.file for place, rule in self.prices.markets.items() if rule.file}
