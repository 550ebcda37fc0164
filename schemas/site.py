"""The site file: what stands at one grid connection, how it is reached, and within which limits it may run."""

import tomllib
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from schemas.address import parse_address
from schemas.interlock import InterlockRule, mistake
from schemas.messages import Authority
from schemas.profile import Profile, Shape, refused
from schemas.profiles import PROFILES, load_profile
from schemas.site_parts import AlarmRule, Battery, Device, Grid, Retention
from schemas.tariff import Demand, Tariff
from schemas.troubles import Trouble, explain, point_at
from schemas.units import Kind, Name

S = TypeVar("S", bound=Shape)

ROLES = ("pcs", "bms")
"""Devices that a battery names."""

Claim = Annotated[Authority, Field(strict=False)]


def _claims(given: object) -> object:
    return dict.fromkeys(given, Authority.OPERATOR) if isinstance(given, list) else given


def _listed(given: object) -> object:
    """`[battery]`, as it was written while there could be but one."""
    return [given] if isinstance(given, dict | Shape) else given


class Site(Shape):
    """One grid connection with its devices."""

    site: Name
    """Its name in topics and in the database."""
    title: str = ""
    """Its name on pages."""
    time_zone: str = "UTC"
    """An IANA name such as Europe/Berlin: billing intervals and tariffs follow it."""
    mode: Literal["control", "read_only"] = "control"
    """read_only (shadow) never writes to a device."""
    archive: bool = True
    """Whether an archive listens: the bridge then keeps each sample until it is committed there, and each part what it
    says. Without one a sample is kept until the broker has it."""
    command_sources: Annotated[dict[Name, Claim], BeforeValidator(_claims)] = {"dispatch": Authority.OPERATOR}
    """Whose commands the bridges obey, and the most each may claim: protection, dso, operator, market, plan or
    self_consumption, such as `{ dispatch = "operator", scada = "dso" }`. A list of names allows each `operator`."""
    tariff: str
    """A tariff file, relative to the site file."""
    grid: Grid
    battery: Annotated[
        list[Battery],
        Field(min_length=1),
        BeforeValidator(_listed, json_schema_input_type=list[Battery] | Battery),
    ]
    device: Annotated[list[Device], Field(min_length=1)]
    alarm: list[AlarmRule] = []
    interlock: list[InterlockRule] = []
    """Causes that forbid the battery something, beside the [shipped ones](interlocks.md)."""
    retention: Retention = Retention()
    """How long the archive keeps what."""

    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if self.time_zone not in available_timezones():
            raise ValueError(f"time_zone {self.time_zone!r} is not an IANA name such as Europe/Berlin")
        for name, times in Counter(device.name for device in self.device).items():
            if times > 1:
                raise ValueError(f"device {name!r} is given {times} times; each needs a name of its own")
        return self

    @model_validator(mode="after")
    def _one_master_on_a_wire(self) -> Self:
        first: dict[str, Device] = {}
        taken: dict[tuple[str, int], str] = {}
        for number, device in enumerate(self.device):
            where, words = parse_address(device.address), ""
            line = first.setdefault(where.wire, device)
            other = taken.setdefault((where.wire, device.unit), device.name)
            if parse_address(line.address).settings != where.settings:
                words = (
                    f"device {device.name!r} and device {line.name!r} share {where.wire} with different settings, "
                    f"{device.address} and {line.address}: give both the same"
                )
            elif other != device.name:
                words = (
                    f"device {device.name!r} and device {other!r} share {device.address} unit {device.unit}; "
                    "give one of them another address or unit"
                )
            if words:
                raise refused([(("device", number, "address"), words)])
        return self

    @model_validator(mode="after")
    def _roles_exist(self) -> Self:
        known = {device.name for device in self.device}
        for role, name in (
            ("grid.meter", self.grid.meter),
            *((f"{key}.{role}", getattr(one, role)) for key, one in self._batteries() for role in ROLES),
            *((f"alarm {rule.name}", rule.device) for rule in self.alarm if rule.device),
            *((f"interlock {rule.name}", rule.device) for rule in self.interlock if rule.device),
        ):
            if name not in known:
                raise ValueError(f"{role} names device {name!r}; there is: {', '.join(sorted(known))}")
        return self

    @model_validator(mode="after")
    def _batteries_stand_apart(self) -> Self:
        names, taken = dict[str, str](), dict[str, str]()
        for key, one in self._batteries():
            if one.soc_min >= one.soc_max:
                raise ValueError(f"{key}.soc_min {one.soc_min} must be below soc_max {one.soc_max}")
            if one.name in names:
                raise ValueError(f"{key}.name {one.name!r} is that of {names[one.name]}, too; each needs its own")
            names[one.name] = key
            for role in ROLES:
                device = getattr(one, role)
                if device in taken:
                    words = f"device {device!r}, and so does {taken[device]}: a device belongs to one battery"
                    raise ValueError(f"{key}.{role} names {words}")
                taken[device] = f"{key}.{role}"
        return self

    def _batteries(self) -> list[tuple[str, Battery]]:
        """Each with its key in the file."""
        if len(self.battery) == 1:
            return [("battery", self.battery[0])]
        return [(f"battery.{number}", one) for number, one in enumerate(self.battery)]

    def battery_of(self, device: str) -> Battery | None:
        """The battery that a PCS or a BMS belongs to; None for any other device."""
        return next((one for one in self.battery if device in (one.pcs, one.bms)), None)

    @property
    def pcs(self) -> list[str]:
        """Of the batteries, in their order in the file."""
        return [one.pcs for one in self.battery]

    @property
    def bms(self) -> list[str]:
        """The same of their BMS."""
        return [one.bms for one in self.battery]

    def rated(self, battery: Battery) -> float:
        """W of its PCS."""
        return self.named(battery.pcs).rated_power or 0.0

    @property
    def rated_power(self) -> float:
        """W of all batteries together."""
        return sum(self.rated(one) for one in self.battery)

    def named(self, name: str) -> Device:
        """A device by its name."""
        return next(device for device in self.device if device.name == name)

    @cached_property
    def profiles(self) -> dict[str, Profile]:
        """The profile of every device; a file beside the site file wins over a shipped one."""
        own = self._folder / "profiles"
        made = {  # two hundred devices of one make share one profile
            name: load_profile(name, own if (own / f"{name}.toml").is_file() else PROFILES)
            for name in dict.fromkeys(device.profile for device in self.device)
        }
        return {device.name: made[device.profile].rated(device.rated_power) for device in self.device}

    def of_kind(self, *kinds: Kind) -> list[Device]:
        """The devices of some kinds."""
        return [device for device in self.device if self.profiles[device.name].kind in kinds]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def tariff_path(self) -> Path:
        return self._folder / self.tariff

    @cached_property
    def prices(self) -> Tariff:
        """The tariff file, read when it is asked for: what guards a device needs none. Raises Trouble."""
        tariff = _read(self.tariff_path, Tariff)
        if not tariff.import_.period and not tariff.import_.day_ahead:
            raise Trouble(f"{self.tariff_path}: import: give at least one [[import.period]] or import.day_ahead")
        return tariff

    @property
    def demand(self) -> Demand | None:
        """The price of the highest draw; None also while the tariff cannot be read, see `tariff_fault`."""
        return None if self.tariff_fault else self.prices.demand

    @property
    def tariff_fault(self) -> str:
        """Why the tariff cannot be read; empty when it can."""
        try:
            self.prices  # noqa: B018  # reads it
        except Trouble as wrong:
            return str(wrong)
        return ""

    @property
    def price_files(self) -> dict[str, Path]:
        """The files of market prices by the side of the tariff, `import` and `export`. Raises Trouble."""
        sides = {"import": self.prices.import_, "export": self.prices.export}
        return {name: self.tariff_path.parent / side.day_ahead.file for name, side in sides.items() if side.day_ahead}


def load_site(path: Path) -> Site:
    """The site file with its profiles, without its tariff. Raises Trouble: the file, the field, what would be right."""
    site = _read(path, Site)
    site._folder = path.parent
    try:
        profiles = site.profiles
    except Trouble as wrong:
        raise Trouble(f"{path}: {wrong}") from wrong
    _check_kinds(path, site, profiles)
    _check_fallback(path, site)
    _check_interlocks(path, site, profiles)
    return site


def _check_interlocks(path: Path, site: Site, profiles: dict[str, Profile]) -> None:
    """One that never acts is no protection."""
    cells = [one.chemistry for one in site.battery]
    found = [
        (n, mistake(rule, profiles, next((one for one in cells if one in rule.chemistry), cells[0])))
        for n, rule in enumerate(site.interlock)
    ]
    if mistakes := [(f"interlock.{n}.{one[0]}", one[1]) for n, one in found if one is not None]:
        raise point_at(path, mistakes)


def _check_kinds(path: Path, site: Site, profiles: dict[str, Profile]) -> None:
    for field, name, kind in (
        ("grid.meter", site.grid.meter, Kind.METER),
        *((f"{key}.{role}", getattr(one, role), Kind(role)) for key, one in site._batteries() for role in ROLES),
    ):
        given = profiles[name].kind
        if given is not kind:
            raise Trouble(f"{path}: {field}: device {name!r} is a {given}, a {kind} is needed")
    _check_steered(path, site, profiles)
    for device in site.device:
        if profiles[device.name].kind in (Kind.PCS, Kind.PV) and device.rated_power is None:
            raise Trouble(f"{path}: device {device.name!r}: rated_power (W) is missing")
        for name, command in profiles[device.name].commands.items():
            if command.fallback is None and profiles[device.name].kind is not Kind.PCS:
                raise Trouble(
                    f"{path}: device {device.name!r}: {name} of profile {device.profile} has no fallback, and only a "
                    "pcs gets one from the site file: give where it goes when no valid command is left"
                )
        points = profiles[device.name].points
        for point in device.substitute.keys() - points.keys():
            raise Trouble.unknown(f"device {device.name!r}: substitute.{point}", point, sorted(points), where=str(path))


def _check_fallback(path: Path, site: Site) -> None:
    """A power that the device cannot have is no fallback."""
    found = list[tuple[str, str]]()
    for key, one in site._batteries():
        rated = site.named(one.pcs).rated_power or 0.0
        if abs(one.fallback) > rated:
            words = f"{one.fallback:g} W is more than the rated {rated:g} W of device {one.pcs!r}"
            found.append((f"{key}.fallback", words))
    if found:
        raise point_at(path, found)


def _check_steered(path: Path, site: Site, profiles: dict[str, Profile]) -> None:
    """A PCS of no battery would be read and never guarded: no limits, no fallback."""
    for device in site.device:
        if profiles[device.name].kind is Kind.PCS and device.name not in site.pcs:
            free = [name for name, one in profiles.items() if one.kind is Kind.BMS and name not in site.bms]
            lines = f'name = "{device.name}", pcs = "{device.name}", bms = "{min(free, default="?")}", energy = <Wh>'
            raise Trouble(
                f"{path}: device {device.name!r}: a pcs of no battery would have no limits and no fallback; give it a "
                f"battery of its own, [[battery]] with {lines}"
            )


def _read(path: Path, shape: type[S]) -> S:
    if not path.is_file():
        raise Trouble(f"{path} does not exist")
    try:
        return shape.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError) as wrong:
        raise explain(path, wrong, shape) from wrong
