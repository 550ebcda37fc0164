"""The site file: what stands at one grid connection, how it is reached, and within which limits it may run."""

from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from math import inf
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from schemas.interlock import InterlockRule
from schemas.messages import Authority
from schemas.profile import Profile
from schemas.shape import refused
from schemas.site_alarm import AlarmRule, Alarms, WrongAlarm
from schemas.site_batteries import Place, mistakes, units
from schemas.site_battery import Battery, Unit
from schemas.site_beside import FilesBeside
from schemas.site_carbon import Carbon
from schemas.site_device import Device
from schemas.site_forecasts import OutsideForecast, twice
from schemas.site_grid import Grid
from schemas.site_lines import clashes
from schemas.site_loads import FlexibleLoad
from schemas.site_meters import mistakes as wrong_meters
from schemas.site_meters import together
from schemas.site_names import given_twice, known_zone, named_by_file, named_by_interlocks, unknown
from schemas.site_notify import Notify
from schemas.site_profiles import profiles_of
from schemas.site_pv import safe_share
from schemas.site_reserves import Planning, Reserve
from schemas.site_reserves import mistakes as wrong_reserves
from schemas.site_retention import Retention
from schemas.site_rules import SiteRule, WrongRule
from schemas.site_rules_fit import Standing, in_words, misfits, with_units
from schemas.site_shifts import THREE, Shifts
from schemas.site_shorthand import Batteries, Claims, Rules
from schemas.units import Kind, Name


class Site(FilesBeside):
    """One grid connection with its devices."""

    site: Name
    """Its name in topics and in the database."""
    title: str = ""
    """Its name on pages."""
    time_zone: Annotated[str, AfterValidator(known_zone)] = "UTC"
    """An IANA name such as Europe/Berlin: billing intervals and tariffs follow it."""
    mode: Literal["control", "read_only"] = "control"
    """read_only (shadow) never writes to a device."""
    archive: bool = True
    """Whether an archive listens: the bridge then keeps each sample until it is committed there, and each part what it
    says. Without one a sample is kept until the broker has it."""
    command_sources: Claims = {"dispatch": Authority.OPERATOR}
    """Whose commands the bridges obey, and the most each may claim: protection, dso, operator, market, plan or
    self_consumption, such as `{ dispatch = "operator", scada = "dso" }`. A list of names allows each `operator`."""
    tariff: str
    """A tariff file, relative to the site file."""
    grid: Grid
    battery: Batteries = []
    """None where the site is only watched, or has but loads and PV."""
    device: Annotated[list[Device], Field(min_length=1)]
    load: list[FlexibleLoad] = []
    """Loads that are planned with the battery and told when to run ([flexible loads](loads.md))."""
    alarm: Alarms = []
    """What is wrong, beside the [shipped rules](alarms.md). One that is wrong itself is refused, and the others run."""
    alarm_operators: Annotated[int, Field(ge=1, le=100)] = 1
    """Operator positions that share its alarms: the [figures](alarm-figures.md) are of one of them."""
    shifts: Shifts = THREE
    """When the shifts of its operators begin, on its clock: `joulebus alarm report --shift` is of one of them."""
    interlock: list[InterlockRule] = []
    """Causes that forbid the battery something, beside the [shipped ones](interlocks.md)."""
    rule: Rules = []
    """What the site wishes of its own accord ([rules](rules.md)). One that is wrong is refused, and the others run."""
    forecast: list[OutsideForecast] = []
    """Forecasts from outside, beside our own ([forecasts](forecast.md))."""
    carbon: Carbon | None = None
    """What a drawn kWh stands for; the archive then keeps what the site emitted, with and without its battery."""
    plan: Planning = Planning()
    """How far the plan looks ahead, and what it keeps for the time without a grid."""
    reserve: list[Reserve] = []
    """Power and energy that are promised to somebody."""
    retention: Retention = Retention()
    """How long the archive keeps what."""
    notify: Notify | None = None
    """Whom alarms are told to by e-mail, phone or webhook ([notifications](notifications.md)); nobody when left out."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """The first kind of mistake is said, all of it: what comes behind may only follow from it."""
        names = [device.name for device in self.device]
        for wrong in (
            given_twice(names),
            wrong_meters(self.grid.meters, names),
            clashes(self.device),
            self._unknown_devices(),
            chain(mistakes(self.battery), wrong_reserves(self.reserve, self.battery), twice(self.forecast)),
        ):
            if found := [*wrong]:
                raise refused(found)
        return self

    def _unknown_devices(self) -> Iterator[tuple[Place, str]]:
        yield from unknown(named_by_file(self.grid, self.battery, self.device), self.device)
        yield from unknown(named_by_interlocks(self.interlock), self.devices)

    @property
    def devices(self) -> list[Device]:
        """Those of the file, and the one that stands for several meters of the grid connection."""
        return [*self.device, *self._sums]

    @property
    def _sums(self) -> list[Device]:
        members = [one for one in self.device if one.name in self.grid.meters]
        return [together(members)] if len(self.grid.meters) > 1 and members else []

    def battery_of(self, device: str) -> Battery | None:
        """The battery that a PCS or a BMS belongs to; None for any other device."""
        return next((one for one in self.battery if device in one.pcs or device in one.bms), None)

    @cached_property
    def _misfits(self) -> dict[int, list[tuple[str, str]]]:
        return misfits(self.rule, self.standing)

    @property
    def standing(self) -> Standing:
        """What its rules stand on."""
        grid, sun = self.grid, bool(self.pv_points)
        limits = grid.import_limit, grid.export_limit
        return Standing(self.profiles, *limits, self.battery, self.rated_power, sun, grid.meter)

    def with_rules(self, rules: list[SiteRule | WrongRule]) -> Self:
        """The same site with other rules, to try them."""
        other = self.model_copy(update={"rule": rules})
        for known in ("rules", "_misfits"):
            other.__dict__.pop(known, None)
        return other

    @cached_property
    def rules(self) -> list[SiteRule]:
        """Those that run, in the order of the file."""
        fit = [one for n, one in enumerate(self.rule) if n not in self._misfits]
        return [with_units(one, self.profiles) for one in fit if isinstance(one, SiteRule)]

    @property
    def alarms(self) -> list[AlarmRule]:
        """Its own alarm rules, as far as they can be understood."""
        return [one for one in self.alarm if isinstance(one, AlarmRule)]

    @property
    def wrong_alarms(self) -> list[tuple[str, str]]:
        """Of those that cannot: the place in the file, and in words what would be right."""
        return [
            (f"alarm.{n}.{place}" if place else f"alarm.{n}", words)
            for n, one in enumerate(self.alarm)
            if isinstance(one, WrongAlarm)
            for place, words in one.mistakes
        ]

    @property
    def wrong_rules(self) -> list[tuple[str, str]]:
        """Of those that are refused: the place in the file, and in words what would be right."""
        return in_words(self.rule, self._misfits)

    @property
    def units(self) -> list[Unit]:
        """What is steered: each PCS with its battery, in the order of the file."""
        return units(self.battery, {one.name: one.rated_power or 0.0 for one in self.device})

    def unit_of(self, pcs: str) -> Unit | None:
        """That of a PCS; None for any other device."""
        return next((one for one in self.units if one.pcs == pcs), None)

    @property
    def pcs(self) -> list[str]:
        """Of the batteries, in their order in the file."""
        return [name for one in self.battery for name in one.pcs]

    @property
    def racks(self) -> list[str]:
        """The devices that speak for the cells, in the same order."""
        return [name for one in self.battery for name in one.racks]

    @property
    def bms(self) -> list[str]:
        """Those of them that are a BMS."""
        return [name for one in self.battery for name in one.bms]

    def rated(self, battery: Battery | Unit) -> float:
        """W of its PCS together."""
        names = [battery.pcs] if isinstance(battery, Unit) else battery.pcs
        return sum(self.named(name).rated_power or 0.0 for name in names)

    @property
    def rated_power(self) -> float:
        """W of all batteries together."""
        return sum(self.rated(one) for one in self.battery)

    @property
    def pv(self) -> list[Device]:
        """The PV inverters."""
        return self.of_kind(Kind.PV)

    @property
    def pv_limited(self) -> list[Device]:
        """Those of them that are curtailed: they can be, and `grid.curtail` lets us."""
        return [one for one in self.pv if self.grid.curtail and "p_limit_pct" in self.profiles[one.name].commands]

    def pv_safe(self, export: float | None = None, most: float = inf) -> float:
        """% that each of those may give without a command, where `export` W may be fed in, the export limit else, and
        the PV itself may give `most`."""
        limited = {one.name for one in self.pv_limited}
        told = [one.rated_power or 0.0 for one in self.pv if one.name in limited]
        free = [one.rated_power or 0.0 for one in self.pv if one.name not in limited]
        return safe_share(self.grid, self.grid.export_limit if export is None else export, most, told, free)

    @property
    def loads(self) -> list[Device]:
        """The loads whose power is measured."""
        return [one for one in self.of_kind(Kind.LOAD) if "p" in self.profiles[one.name].points]

    @property
    def loads_apart(self) -> list[str]:
        """Those of them that add up: a load behind another one's meter is counted there."""
        return [one.name for one in self.loads if one.behind is None]

    def named(self, name: str) -> Device:
        """A device by its name."""
        found = next((device for device in self.device if device.name == name), None)
        return found or next(device for device in self._sums if device.name == name)

    @cached_property
    def profiles(self) -> dict[str, Profile]:
        """The profile of every device; a file beside the site file wins over a shipped one."""
        return profiles_of(self.device, self.load, self._sums, self._folder / "profiles")

    def of_kind(self, *kinds: Kind) -> list[Device]:
        """The devices of some kinds."""
        return [device for device in self.devices if self.profiles[device.name].kind in kinds]

    @property
    def pv_points(self) -> list[tuple[str, str]]:
        """Where the power of the PV is read: device and point, also of a hybrid, whose p is that of its battery."""
        plain = [(device.name, "p") for device in self.of_kind(Kind.PV)]
        hybrids = [(pcs, point) for pcs in self.pcs for point in self.profiles[pcs].pv_points]
        return [*plain, *hybrids]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
