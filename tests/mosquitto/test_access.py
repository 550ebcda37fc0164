"""The access list against the real broker: every user, every topic, both directions."""

import re
import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from joulebus.broker import roles
from schemas import topics
from schemas.topics import TOPICS, Topic
from tests.conftest import Broker
from tests.mosquitto.client import NOT_AUTHORIZED, Client

ROLES = roles()

MATRIX = """
topic                bridge archive alarms optimize dispatch status notify scada operator engineer dso market forecast admin
device.meta          b      r       r      r        r        r      -      r     r        r        -   -      -        r
device.status        b      r       r      r        r        r      -      r     r        r        -   -      -        r
device.telemetry     w      r       r      r        r        r      -      r     r        r        -   -      -        r
device.command       r      r       r      -        w        -      -      -     -        -        -   -      -        r
device.outcome       w      r       r      r        r        r      -      r     r        r        -   -      -        r
device.archived      r      w       -      -        -        -      -      -     -        -        -   -      -        r
plan.current         -      r       r      w        r        r      -      r     r        r        -   -      -        r
alarm.state          -      r       b      r        r        r      r      r     r        r        -   -      -        r
alarm.request        -      r       r      r        r        w      -      -     w        w        -   -      -        r
alarm.maintenance    -      r       r      -        -        w      -      -     -        w        -   -      -        r
alarm.outcome        -      r       w      -        -        r      -      r     r        r        -   -      -        r
site.alarms          -      -       w      -        -        r      -      r     r        r        -   -      -        r
site.alarms.watched  -      r       w      -        -        -      -      -     -        -        -   -      -        r
notify.request       -      r       -      -        -        w      r      -     w        w        -   -      -        r
notify.outcome       -      r       -      -        -        r      w      -     r        r        -   -      -        r
notify.told          -      r       -      -        -        -      w      -     -        -        -   -      -        r
control.mode         -      r       r      r        b        r      -      r     r        r        -   -      -        r
control.dispatch     -      -       r      r        w        r      -      r     r        r        -   -      -        r
control.request      -      r       r      r        r        w      -      -     w        w        -   -      -        r
control.outcome      -      r       -      -        w        r      -      r     r        r        r   -      -        r
control.grid_limit   -      r       -      -        r        -      -      w     w        w        w   -      -        r
control.limits       r      r       r      r        w        r      -      r     r        r        r   -      -        r
market.prices        -      r       -      r        -        -      -      -     -        -        -   w      -        r
forecast.powers      -      -       -      r        -        -      -      -     -        -        -   -      w        r
site.forecast        -      -       -      w        -        r      -      r     r        r        -   -      -        r
site.billing         -      -       r      w        r        r      -      r     r        r        -   -      -        r
service.event        -      r       -      -        -        -      -      -     -        -        -   -      -        r
own service.event    w      r       w      w        w        -      w      -     -        -        -   -      -        r
service.archived     -      w       -      -        -        -      -      -     -        -        -   -      -        r
own service.archived r      w       r      r        r        -      r      -     -        -        -   -      -        r
service.status       -      -       -      -        -        r      -      r     r        r        -   -      -        r
own service.status   b      b       b      b        b        b      b      r     r        r        -   -      -        r
$SYS                 -      -       -      -        -        -      -      -     -        -        -   -      -        r
"""  # noqa: E501  # a user a column
"""r reads, w writes, b both. Bridge, alarms and dispatch read their own words back after a restart, and each service
its own status when it comes: another one may be at work under its name. How the others are read the page, the alarms
and the people outside: they must tell a dead one."""

WATCHES = {"status", "alarms", "admin", "scada", "operator", "engineer"}
"""Hear how every part is."""

OWN = ("own service.status", "own service.event", "own service.archived")
"""A service's words about itself and for the archive, and what the archive says to it alone."""

PROBE = "$SYS/broker/version"


def matrix() -> dict[tuple[str, str], str]:
    """What a role may do with a topic."""
    heading, *rows = [line for line in MATRIX.splitlines() if line]
    roles = heading.split()[1:]
    cells: dict[tuple[str, str], str] = {}
    for row in rows:
        *topic, rights = row[:20].strip(), row[20:].split()
        cells |= {(role, topic[0]): right for role, right in zip(roles, rights, strict=True)}
    more = {role: kind(role) for role in ROLES if kind(role) != role}
    return cells | {(role, topic): cells[same, topic] for role, same in more.items() for _, topic in [*cells]}


def kind(role: str) -> str:
    """`scada` for `scada-2`, which may do the same."""
    return re.sub(r"-\d$", "", role)


@dataclass
class Tried:
    """What came of every user saying and hearing everything."""

    published: dict[tuple[str, str], int]
    """(who, topic) -> reason code"""
    heard: set[tuple[str, str]]
    subscribed: dict[str, int]


def address(topic: Topic[Any], site: str, service: str) -> str:
    place = {"site": site, "device": "pcs-1", "alarm": "hot", "forecast": "sun", "service": service}
    return topic.at(**{key: place[key] for key in topic.places})


def addresses(role: str, site: str) -> dict[str, str]:
    """Every topic as a role meets it; a service writes about itself only."""
    named = {topic.name: address(topic, site, "another") for topic in TOPICS}
    mine = (topics.SERVICE_STATUS, topics.SERVICE_EVENT, topics.SERVICE_ARCHIVED)
    own = {f"own {topic.name}": address(topic, site, role) for topic in mine}
    return {**named, **own, "$SYS": PROBE}


@pytest.fixture(scope="module")
def tried(broker: Broker) -> Tried:
    """All users are connected at once; each listens to everything and then says everything."""
    site = f"site-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        clients = {role: stack.enter_context(Client.of(broker.url(role))) for role in ROLES}
        subscribed = {role: client.subscribe(f"ems/v1/{site}/#") for role, client in clients.items()}
        published = {
            (role, name): client.publish(at)
            for role, client in clients.items()
            for name, at in addresses(role, site).items()
        }
        for role in ROLES:
            clients["archive"].publish(address(topics.SERVICE_ARCHIVED, site, role))
        for client in clients.values():
            client.subscribe("$SYS/broker/#")
            client.subscribe("flush")
    heard = {(role, at.replace(site, "site")) for role, client in clients.items() for at, _ in client.heard}
    return Tried(published, heard, subscribed)


CELLS = matrix()


@pytest.mark.parametrize(("role", "name"), CELLS)
def test_each_user_may_do_what_the_matrix_says_and_nothing_else(tried: Tried, role: str, name: str) -> None:
    right = CELLS[role, name]
    granted = tried.published[role, name] != NOT_AUTHORIZED
    assert granted == (right in "wb"), f"publish was answered {tried.published[role, name]}"
    # somebody else writes what this user reads; `another` service has no writer, so its own readers are tried below
    if not name.endswith(("service.status", "service.event")):
        at = PROBE if name == "$SYS" else addresses(role, "site")[name]
        assert ((role, at) in tried.heard) == (right in "rb")


def test_the_matrix_names_every_user_and_every_topic() -> None:
    assert {role for role, _ in CELLS} == set(ROLES)
    assert {name for _, name in CELLS} == {topic.name for topic in TOPICS} | {*OWN, "$SYS"}


def test_the_writers_in_the_contract_are_those_of_the_access_list() -> None:
    for topic in TOPICS:
        row = f"own {topic.name}" if topic in (topics.SERVICE_STATUS, topics.SERVICE_EVENT) else topic.name
        assert set(topic.writers) == {kind(role) for role in ROLES if CELLS[role, row] in "wb"}, topic.name


@pytest.mark.parametrize("reader", ROLES)
def test_only_who_watches_hears_how_the_other_services_are(tried: Tried, reader: str) -> None:
    heard = {at for role, at in tried.heard if role == reader and "/service/" in at and at.endswith("/status")}
    writers = {role for role in ROLES if CELLS[role, "own service.status"] in "wb"}
    one = {"alarms"} if reader == "notify" else set()  # without it nobody can say that an alarm is over
    known = writers if kind(reader) in WATCHES else writers & {reader, *one}
    assert heard == {f"ems/v1/site/service/{role}/status" for role in known}


@pytest.mark.parametrize("reader", ROLES)
def test_only_the_archive_and_the_admin_hear_what_services_keep_for_the_archive(tried: Tried, reader: str) -> None:
    heard = {at for role, at in tried.heard if role == reader and at.endswith("/event")}
    writers = {role for role in ROLES if CELLS[role, "own service.event"] in "wb"}
    known = {f"ems/v1/site/service/{role}/event" for role in writers}
    assert heard == (known if reader in ("archive", "admin") else set())


def test_a_subscription_is_granted_but_what_may_not_be_read_is_withheld(tried: Tried) -> None:
    # mosquitto's access file judges each message, not the subscription
    assert set(tried.subscribed.values()) == {1}


@pytest.mark.parametrize("role", ROLES)
def test_outside_the_contract_everything_is_forbidden(broker: Broker, site_name: str, role: str) -> None:
    strange = [
        f"ems/v1/{site_name}",
        f"ems/v1/{site_name}/device/pcs-1",
        f"ems/v1/{site_name}/device/pcs-1/command/now",
        f"ems/v1/{site_name}/plan/next",
        f"ems/v2/{site_name}/device/pcs-1/telemetry",
        f"{site_name}/anything",
        "$SYS/broker/version",
        "$CONTROL/dynamic-security/v1",
    ]
    with Client.of(broker.url(role)) as client:
        assert {topic: client.publish(topic) for topic in strange} == dict.fromkeys(strange, NOT_AUTHORIZED)


def test_a_late_reader_gets_no_retained_message_it_may_not_read(broker: Broker, site_name: str) -> None:
    # mosquitto 2.0 cannot forbid a command to be retained: bridges refuse it, and only its readers ever see it
    command = topics.COMMAND.at(site=site_name, device="pcs-1")
    with Client.of(broker.url("dispatch")) as dispatch:
        assert dispatch.publish(command, retain=True) in (0, 16)
        heard = {}
        for role in ("bridge", "scada"):
            with Client.of(broker.url(role)) as reader:
                reader.subscribe(command)
                reader.subscribe("flush")
                heard[role] = [at for at, _ in reader.heard]
        dispatch.publish(command, b"", retain=True)
    assert heard == {"bridge": [command], "scada": []}


@pytest.mark.parametrize(
    ("topic", "reader", "arrives"), [(topics.CONTROL_REQUEST, "dispatch", True), (topics.COMMAND, "bridge", False)]
)
def test_a_last_will_says_no_more_than_its_user_may(
    broker: Broker, site_name: str, topic: Topic[Any], reader: str, arrives: bool
) -> None:
    at = topic.at(**{key: {"site": site_name}.get(key, "pcs-1") for key in topic.places})
    with Client.of(broker.url(reader)) as listening:
        listening.subscribe(at)
        dying = Client.of(broker.url("operator"))
        dying.paho.will_set(at, b"boom", qos=1)
        dying.connect()
        dying.cut()
        with Client.of(broker.url("operator")):  # the broker has buried the first one when it greets the second
            listening.subscribe("flush")
        assert [payload for _, payload in listening.heard] == ([b"boom"] if arrives else [])
