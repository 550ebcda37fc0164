"""The shipped configuration in the real broker: it loads, keeps what it must, and lets nobody in without a name."""

import re
import socket
import ssl
import subprocess
from itertools import takewhile
from pathlib import Path

import pytest

from joulebus import neighbours
from joulebus.broker import SHIPPED, roles
from tests.conftest import Broker
from tests.mosquitto.client import Client, context, wait_for

ROLES = roles()

BAD_LOGIN = {134, 135}
"""Bad user name or password, or not authorized: mosquitto says either."""


def tls(broker: Broker, role: str | None) -> ssl.SSLContext:
    """What a client trusts, and the certificate it shows."""
    return context(broker.secrets.folder / "secrets", role)


def outside(broker: Broker, role: str | None, name: str = "") -> Client:
    """A client at the outer listener."""
    assert broker.tls_port is not None
    client = Client(name or role or "nobody", "localhost", broker.tls_port)
    client.paho.tls_set_context(tls(broker, role))
    return client


# --- it loads ------------------------------------------------------------------------------------


def test_it_loads_without_a_word_of_complaint(outer: Broker) -> None:
    with Client.of(outer.url("admin")):
        said = outer.log.read_text(encoding="utf-8").splitlines()
    starting = list(takewhile(lambda line: "New connection" not in line, said))
    complaint = re.compile("error|warning|deprecat|unknown|invalid", re.IGNORECASE)
    # a broker started by root in a test stays root, see joulebus/broker.py
    assert [line for line in starting if complaint.search(line) and "should not be run as root" not in line] == []
    assert len(starting) < len(said)  # the log does speak


@pytest.mark.parametrize("name", ["mosquitto.conf", "mosquitto-2.1.conf", "acl"])
def test_comments_stand_on_lines_of_their_own(name: str) -> None:
    # behind a value a comment becomes part of it, and --test-config says nothing
    lines = (SHIPPED / name).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "#" in line[1:] and not line.startswith("#") and not line.endswith("/#")] == []


def test_every_key_of_the_configuration_is_known_to_this_broker(outer: Broker, tmp_path: Path) -> None:
    """The broker refuses an unknown key, so a misspelt one cannot hide."""
    config = outer.secrets.folder / "mosquitto.conf"
    broken = tmp_path / "mosquitto.conf"
    broken.write_text(config.read_text(encoding="utf-8") + "\nset_tcp_no_delay true\n", encoding="utf-8")
    mosquitto = neighbours.mosquitto()
    done = subprocess.run(
        [mosquitto.path, "-c", broken], env=mosquitto.env, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "set_tcp_no_delay" in done.stderr


@pytest.mark.parametrize("name", ["mosquitto.conf", "mosquitto-2.1.conf"])
def test_what_was_measured_to_hurt_is_set(name: str) -> None:
    text = (SHIPPED / name).read_text(encoding="utf-8")
    settings = dict(re.findall(r"^(\w+) (.*)$", text, re.MULTILINE))
    listeners = text.count("\nlistener ")
    assert settings["set_tcp_nodelay"] == "true"
    assert int(settings["max_queued_messages"]) > 50_000
    assert int(settings["max_queued_bytes"]) > 0
    assert int(settings["max_packet_size"]) > 0
    assert "message_size_limit" not in settings
    assert text.count("\nuse_username_as_clientid true") == listeners == 2
    assert settings["require_certificate"] == "true"
    assert settings["tls_version"] == "tlsv1.3"
    assert len(re.findall(r"^(listener_)?allow_anonymous false$", text, re.MULTILINE)) == listeners


# --- who gets in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "password"),
    [("", ""), ("bridge", ""), ("bridge", "wrong"), ("nobody", "x"), ("bridge ", "x"), ("Bridge", None)],
)
def test_inside_nobody_gets_in_without_the_right_password(broker: Broker, user: str, password: str | None) -> None:
    given = broker.secrets.password("bridge") if password is None else password
    client = Client("bridge", broker.host, broker.port, user=user, password=given)
    code = client.connect()
    client.close()
    assert code.value in BAD_LOGIN


@pytest.mark.parametrize("role", ROLES)
def test_outside_every_user_gets_in_with_its_certificate(outer: Broker, role: str) -> None:
    with outside(outer, role) as client:
        assert client.subscribe("ems/v1/#") == 1


def test_outside_nobody_gets_in_without_a_certificate(outer: Broker) -> None:
    client = outside(outer, None)
    # in TLS 1.3 a client believes itself connected until the broker has missed its certificate
    client.paho.connect("localhost", outer.tls_port or 0)
    client.paho.loop_start()
    assert client.lost.wait(5)
    assert not client.paho.is_connected()
    client.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_outside_speaks_tls_1_3_only(outer: Broker, version: ssl.TLSVersion) -> None:
    context = tls(outer, "scada")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("localhost", outer.tls_port or 0)) as plain:
        if version is ssl.TLSVersion.TLSv1_3:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                assert secure.version() == "TLSv1.3"
        else:
            with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
                context.wrap_socket(plain, server_hostname="localhost")


def test_outside_a_certificate_of_another_authority_is_refused(outer: Broker, tmp_path: Path) -> None:
    forged = tmp_path / "forged"
    subprocess.run(["sh", SHIPPED / "secrets.sh", forged], env=neighbours.mosquitto_passwd().env, check=True)
    (forged / "ca.crt").write_bytes((outer.secrets.folder / "secrets" / "ca.crt").read_bytes())
    client = Client("dispatch", "localhost", outer.tls_port or 0)
    client.paho.tls_set_context(context(forged, "dispatch"))
    client.paho.connect("localhost", outer.tls_port or 0)
    client.paho.loop_start()
    assert client.lost.wait(5)
    assert not client.paho.is_connected()
    client.close()


def test_a_name_in_the_user_field_does_not_beat_the_certificate(outer: Broker, site_name: str) -> None:
    spoofing = outside(outer, "scada")
    spoofing.paho.username_pw_set("dispatch", outer.secrets.password("dispatch"))
    with spoofing:
        assert spoofing.publish(f"ems/v1/{site_name}/device/pcs-1/command") == 135


def test_a_spoofed_client_id_pushes_nobody_out(outer: Broker) -> None:
    # the broker replaces the id by the user's name
    with outside(outer, "dispatch") as dispatch, outside(outer, "scada", name="dispatch") as scada:
        assert scada.subscribe("ems/v1/#") == 1
        assert not dispatch.lost.wait(0.3)
        assert dispatch.subscribe("ems/v1/#") == 1


# --- what it keeps -------------------------------------------------------------------------------


def test_the_queue_of_an_absent_reader_is_longer_than_the_default(broker: Broker, site_name: str) -> None:
    at = f"ems/v1/{site_name}/device/meter-1/telemetry"
    archive = Client.of(broker.url("archive"))
    archive.connect(session_expiry=600)
    archive.subscribe(at)
    archive.close()
    with Client.of(broker.url("bridge")) as bridge:
        for number in range(1500):
            assert bridge.publish(at, str(number).encode()) == 0
    archive = Client.of(broker.url("archive"))
    archive.connect(session_expiry=600)
    archive.subscribe("flush")
    wait_for(lambda: len(archive.heard) == 1500)
    archive.close()
    with Client.of(broker.url("archive")):  # a clean start forgets the session
        pass
    assert [int(payload) for _, payload in archive.heard] == list(range(1500))


def test_retained_topics_survive_a_stop_and_after_some_seconds_a_kill(outer: Broker, site_name: str) -> None:
    at = f"ems/v1/{site_name}/device/pcs-1/meta"
    with Client.of(outer.url("bridge")) as bridge:
        bridge.publish(at, b"first", retain=True)
    outer.restart()
    assert retained(outer, at) == [b"first"]
    with Client.of(outer.url("bridge")) as bridge:
        bridge.publish(at, b"second", retain=True)
    saved = outer.secrets.folder / "data" / "mosquitto.db"
    wait_for(lambda: b"second" in saved.read_bytes(), seconds=10)
    outer.kill()
    outer.start()
    assert retained(outer, at) == [b"second"]


def test_an_oversize_message_does_not_stop_its_sender_for_ever(broker: Broker, site_name: str) -> None:
    at = f"ems/v1/{site_name}/device/meter-1/telemetry"
    client = Client.of(broker.url("bridge"))
    with client:
        client.paho.publish(at, b"x" * 300_000, qos=1)
        assert client.lost.wait(5)
    with Client.of(broker.url("bridge")) as bridge:
        assert bridge.publish(at, b"x" * 200_000) in (0, 16)


def retained(broker: Broker, at: str) -> list[bytes]:
    with Client.of(broker.url("status")) as status:
        status.subscribe(at)
        status.subscribe("flush")
        return [payload for _, payload in status.heard]
