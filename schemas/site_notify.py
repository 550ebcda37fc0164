"""Whom the alarms of a site are told to, how and when: the table [notify] of a site file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, WrapValidator, model_validator

from schemas.messages import AlarmClass, AlarmPriority
from schemas.shape import Shape, refused
from schemas.tariff import Holiday
from schemas.tariff_hours import Hours
from schemas.troubles import mistakes_of
from schemas.units import Name, Seconds

Names = Annotated[list[Name], Field(min_length=1)]


def _without_secret(url: str) -> str:
    """It is not printed in any case: what stands behind a wrong mark is a secret as well."""
    scheme, mark, rest = url.partition("://")
    if not mark or not scheme or not rest:
        raise ValueError('write an address of Apprise, such as "ntfys://ntfy.example/plant"')
    if ":" in rest.partition("/")[0].rpartition("@")[0]:
        raise ValueError("it holds a password: write the address into a file and name that in `url_file`")
    return url


class NotifyChannel(Shape):
    """A way to one receiver: a mailbox, a phone, a room."""

    name: Name
    url: Annotated[str, AfterValidator(_without_secret)] | None = None
    """An address of Apprise that is no secret, such as `"ntfy://ntfy.example/plant"`
    ([which there are](notifications.md#addresses))."""
    url_file: str | None = None
    """A file with the address, relative to the site file. Without `url` and `url_file` it stands in the environment:
    `JOULEBUS_NOTIFY_<NAME>`, or `JOULEBUS_NOTIFY_<NAME>_FILE`."""
    short: bool = False
    """160 characters at most, as for a text message."""
    timeout: Annotated[Seconds, Field(gt=0, le=120)] = 20.0
    """So long an attempt may take."""

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if self.url is not None and self.url_file is not None:
            raise ValueError("give either `url` or `url_file`, or neither and the environment has it")
        return self

    @property
    def variable(self) -> str:
        """Of the environment, that holds its address."""
        return f"JOULEBUS_NOTIFY_{self.name.upper().replace('-', '_')}"


@dataclass(frozen=True)
class WrongChannel:
    """A channel that cannot be understood: it is refused, and the others are used."""

    name: str
    """As it was written; empty where that cannot be read either."""
    mistakes: tuple[tuple[str, str], ...]
    """The key in the channel, and what would be right."""


def _each(given: object, _: object) -> NotifyChannel | WrongChannel:
    if isinstance(given, NotifyChannel | WrongChannel):
        return given
    try:
        return NotifyChannel.model_validate(given)
    except ValidationError as wrong:
        name = given.get("name") if isinstance(given, dict) else None
        return WrongChannel(name if isinstance(name, str) else "", tuple(mistakes_of(wrong, NotifyChannel)))


WrittenChannel = Annotated[NotifyChannel | WrongChannel, WrapValidator(_each, json_schema_input_type=NotifyChannel)]


class Person(Shape):
    """Somebody who is told."""

    name: Name
    channels: Names
    """Where they are told; all of these."""
    quiet: list[Hours] = []
    """Hours in which only what is critical is told: the rest waits until they end, and comes as one message."""


class Shift(Hours):
    """When somebody of a rota is on call."""

    person: Name
    first: date | None = None
    """From this local day on..."""
    last: date | None = None
    """...until this one."""
    every: Annotated[int, Field(ge=1, le=52)] = 1
    """Only each second, third... week, counted from the week of `first`."""

    @model_validator(mode="after")
    def _counted_from(self) -> Self:
        if self.every > 1 and self.first is None:
            raise ValueError("`every` counts weeks from the week of `first`: give `first`")
        if self.first is not None and self.last is not None and self.last < self.first:
            raise ValueError("`last` lies before `first`")
        return self


class Rota(Shape):
    """Who is on call: the first shift that holds says it. What is an exception stands first."""

    name: Name
    shift: Annotated[list[Shift], Field(min_length=1)]


class Step(Shape):
    """Who is told after how long."""

    after: Seconds = 0.0
    """Since the first message was due, while nobody acknowledged."""
    to: Names
    """Persons, and rotas: of these who is on call then."""
    via: list[Name] = []
    """Only by these channels of theirs."""


class Chain(Shape):
    """Which alarms are told to whom, one step after the other until somebody acknowledges."""

    name: Name
    priorities: list[Annotated[AlarmPriority, Field(strict=False)]] = [*AlarmPriority]
    classes: list[Annotated[AlarmClass, Field(strict=False)]] = [*AlarmClass]
    delay: Seconds = 0.0
    """So long after it was raised nobody is told: an alarm that returns or is acknowledged by then says nothing."""
    step: Annotated[list[Step], Field(min_length=1)]
    repeat: Annotated[Seconds, Field(ge=60)] | None = None
    """After the last step it is told again each time so long has passed."""
    returned: bool = True
    """Who was told is told as well that it is over."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        afters = [one.after for one in self.step]
        if afters != sorted(afters):
            raise ValueError("the steps of a chain stand in the order of their `after`")
        return self


class Digest(Shape):
    """One message instead of a flood."""

    above: Annotated[int, Field(ge=1, le=1000)] = 10
    """So many messages of a channel within `within` are told one by one; what comes then is collected."""
    within: Annotated[Seconds, Field(ge=10)] = 600.0
    every: Annotated[Seconds, Field(ge=10)] = 300.0
    """So long is collected for one message."""
    critical: Annotated[int, Field(ge=1, le=60)] = 6
    """Messages a minute at most about critical alarms of safety: they never wait for a digest otherwise."""


class Notify(Shape):
    """Telling people. See [notifications](notifications.md)."""

    page: str | None = None
    """The address of the status page as the receivers reach it, such as `"https://ems.example"`: messages then carry a
    link to it, and with JOULEBUS_ACK_KEY one that acknowledges."""
    link_hours: Annotated[float, Field(gt=0, le=168)] = 24.0
    """So long such a link can be used."""
    holidays: list[Holiday] | None = None
    """As in the tariff file; those of it when left out."""
    channel: Annotated[list[WrittenChannel], Field(min_length=1)]
    person: Annotated[list[Person], Field(min_length=1)]
    rota: list[Rota] = []
    chain: Annotated[list[Chain], Field(min_length=1)]
    digest: Digest = Digest()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.page is not None and urlsplit(self.page).scheme not in ("http", "https"):
            raise refused([(("page",), f'{self.page!r} is no address of a page, such as "https://ems.example"')])
        if found := [*self._twice(), *self._unknown()]:
            raise refused(found)
        return self

    def _twice(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        tables: dict[str, Sequence[Any]] = {"channel": self.channel, "person": self.person, "chain": self.chain}
        for table, those in tables.items():
            names = [one.name for one in those]
            for number, name in enumerate(names):
                if name in names[:number]:
                    yield (table, number, "name"), f"two of [[notify.{table}]] are called {name!r}: each needs its own"
        people = [one.name for one in self.person]
        for number, rota in enumerate(self.rota):
            if rota.name in people or rota.name in [one.name for one in self.rota[:number]]:
                words = f"{rota.name!r} is a person's or another rota's name: a step could mean either"
                yield ("rota", number, "name"), words

    def _unknown(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        channels = [one.name for one in self.channel]
        people, rotas = [one.name for one in self.person], [one.name for one in self.rota]
        for n, person in enumerate(self.person):
            yield from _missing(("person", n, "channels"), person.channels, channels, "channel")
        for n, rota in enumerate(self.rota):
            for m, shift in enumerate(rota.shift):
                yield from _missing(("rota", n, "shift", m, "person"), [shift.person], people, "person")
        for n, chain in enumerate(self.chain):
            for m, step in enumerate(chain.step):
                yield from _missing(("chain", n, "step", m, "to"), step.to, [*people, *rotas], "person or rota")
                yield from _missing(("chain", n, "step", m, "via"), step.via, channels, "channel")

    @property
    def channels(self) -> list[NotifyChannel]:
        """Those that can be understood."""
        return [one for one in self.channel if isinstance(one, NotifyChannel)]

    @property
    def wrong_channels(self) -> list[tuple[str, str]]:
        """Of those that cannot: the place in the file, and in words what would be right."""
        return [
            (f"notify.channel.{n}.{place}" if place else f"notify.channel.{n}", words)
            for n, one in enumerate(self.channel)
            if isinstance(one, WrongChannel)
            for place, words in one.mistakes
        ]


def _missing(
    place: tuple[str | int, ...], named: Sequence[str], known: Sequence[str], what: str
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for name in named:
        if name not in known:
            yield place, f"there is no {what} {name!r}; there is: {', '.join(filter(None, known))}"
