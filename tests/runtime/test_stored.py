"""What a real broker keeps is read without listening, and what is left over is found."""

from joulebus.examples import EXAMPLES
from runtime.bus import Bus
from runtime.settings import parse_broker
from runtime.stored import leftovers, retained
from schemas.messages import DeviceState, DeviceStatus, Meta
from schemas.topics import DEVICE_STATUS, META
from schemas.units import utc_now
from tests.conftest import Broker


def bridge(broker: Broker) -> Bus:
    return Bus(parse_broker(broker.url("bridge"), "bridge", None, {}), identifier="bridge")


async def test_devices_that_are_no_more_are_found_and_cleared(broker: Broker, site_name: str) -> None:
    meta = EXAMPLES[META.name]
    assert isinstance(meta, Meta)
    names = {"pcs", "bms", *(f"old-{number}" for number in range(50))}
    async with bridge(broker) as bus:
        for name in names:
            await bus.say(META, meta, site=site_name, device=name)
        await bus.say(META, meta, site=f"{site_name}-2", device="of-another-site")
    async with bridge(broker) as bus:
        assert await leftovers(bus, META, site=site_name) == names
        assert await leftovers(bus, DEVICE_STATUS, site=site_name) == set()
        for name in names - {"pcs", "bms"}:
            await bus.say(META, None, site=site_name, device=name)
        assert await leftovers(bus, META, site=site_name) == {"pcs", "bms"}


async def test_what_is_kept_at_one_address_is_read(broker: Broker, site_name: str) -> None:
    said = DeviceStatus(at=utc_now(), state=DeviceState.ONLINE)
    place = {"site": site_name, "device": "pcs"}
    async with bridge(broker) as bus:
        assert await retained(bus, DEVICE_STATUS, **place) is None
        await bus.say(DEVICE_STATUS, said, site=site_name, device="pcs")
        assert await retained(bus, DEVICE_STATUS, **place) == said
        await bus.send(DEVICE_STATUS.at(**place), b"nonsense", retain=True)
        assert await retained(bus, DEVICE_STATUS, **place) is None
        await bus.say(DEVICE_STATUS, None, site=site_name, device="pcs")
        assert await retained(bus, DEVICE_STATUS, **place) is None


async def test_who_listens_elsewhere_hears_nothing_of_it(broker: Broker, site_name: str) -> None:
    meta = EXAMPLES[META.name]
    assert isinstance(meta, Meta)
    async with bridge(broker) as bus:
        await bus.say(DEVICE_STATUS, DeviceStatus(at=utc_now(), state=DeviceState.ONLINE), site=site_name, device="old")
        listening = bus.listen(META.at(site=site_name))
        assert await leftovers(bus, DEVICE_STATUS, site=site_name) == {"old"}
        await bus.say(META, meta, site=site_name, device="new")
        assert [one.place["device"] for one in await anext(listening)] == ["new"]
        await listening.aclose()  # type: ignore[attr-defined]  # it is a generator
