"""`joulebus up --with-broker`: what is made for it, what is refused, and what is said where no broker is."""

import shutil
import subprocess
from pathlib import Path

import pytest

from joulebus.broker import Secrets
from joulebus.cli import main
from joulebus.server import free_port
from joulebus.site_broker import VARIABLES, BrokerWish, bring, missing, variables, wished
from joulebus.start import environment
from joulebus.up import _unset, check_ports
from runtime.settings import Broker, read_settings
from schemas.troubles import Trouble
from tests.conftest import Broker as Mosquitto
from tests.joulebus.test_demo import REPOSITORY


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    folder = tmp_path_factory.mktemp("brought")
    return bring(BrokerWish(free_port(), f"0.0.0.0:{free_port()}"), folder, {})


def test_other_commands_find_it_by_its_file(brought: Secrets) -> None:
    """A person says `--env broker/joulebus.env`; `up` itself may be given it as well, the next time."""
    env = {name: value for name, value in environment(brought.folder / VARIABLES).items() if "BROKER" in name}
    found = read_settings("scada", env).broker
    assert (str(found), found.password) == (brought.address("scada"), brought.password("scada"))
    config = (brought.folder / "mosquitto.conf").read_text(encoding="utf-8")
    again = bring(BrokerWish(brought.port), brought.folder.parent, env)
    assert again.password("scada") == brought.password("scada"), "what is there is kept"
    (brought.folder / "mosquitto.conf").write_text(config, encoding="utf-8")


def test_no_secret_gets_into_a_commit_wherever_the_folder_lies(brought: Secrets, tmp_path: Path) -> None:
    """The parts keep what they have where JOULEBUS_STATE says, and `demo --folder` names any folder of a checkout."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    shutil.copytree(brought.folder, tmp_path / "state" / "broker")
    asked = ["git", "-C", str(tmp_path), "status", "--short", "--untracked-files=all"]
    seen = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    assert "mosquitto.conf" in seen
    assert "secrets/" not in seen


def test_the_outer_door_has_certificates_for_who_comes_from_elsewhere(brought: Secrets, tmp_path: Path) -> None:
    config = (brought.folder / "mosquitto.conf").read_text(encoding="utf-8").splitlines()
    made = subprocess.run(
        ["openssl", "x509", "-in", brought.folder / "secrets" / "server.crt", "-noout", "-ext", "subjectAltName"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    doors = [line.split()[1:] for line in config if line.startswith("listener ")]
    assert [door[1] for door in doors] == ["127.0.0.1", "0.0.0.0"]
    assert "localhost" in made
    assert "0.0.0.0" not in made
    named = bring(BrokerWish(free_port(), f"127.0.0.2:{free_port()}"), tmp_path, {})
    certificate = named.folder / "secrets" / "server.crt"
    shown = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-text"], check=True, capture_output=True)
    assert b"127.0.0.2" in shown.stdout


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"JOULEBUS_BROKER": "mqtt://bridge@192.0.2.7:1883"}, "JOULEBUS_BROKER names a broker that is there already"),
        ({"JOULEBUS_BROKER_PASSWORD": "hush"}, "JOULEBUS_BROKER_PASSWORD names a broker"),
        ({}, "for the broker is in use"),
    ],
    ids=["one is named", "a password for one", "the port is in use"],
)
def test_two_brokers_are_one_too_many(env: dict[str, str], says: str, broker: Mosquitto, tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=says) as refused:
        bring(BrokerWish(broker.port), tmp_path, env)
    assert "hush" not in str(refused.value)
    assert "--with-broker" in str(refused.value)
    assert not (tmp_path / "broker").exists()


def test_the_flags_of_a_broker_need_one() -> None:
    assert wished(None, "", own=False) is None
    assert wished(None, "", own=True) == BrokerWish(1883)
    assert wished(1884, "0.0.0.0:8883", own=True) == BrokerWish(1884, "0.0.0.0:8883")
    for port, mqtts, flag in ((1884, "", "--broker-port"), (None, "0.0.0.0:8883", "--mqtts")):
        with pytest.raises(Trouble, match=f"{flag} is about a broker of its own: add --with-broker"):
            wished(port, mqtts, own=False)


def test_a_key_that_a_person_gave_is_not_replaced() -> None:
    ours = variables(Path("/b"), 1883) | {"JOULEBUS_COMMAND_KEY_FILE": "/b/command-key"}
    assert _unset(ours, {}) == ours
    assert "JOULEBUS_COMMAND_KEY_FILE" not in _unset(ours, {"JOULEBUS_COMMAND_KEY": "k" * 16})


def test_where_no_broker_answers_it_is_said_how_to_get_one(
    broker: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert missing(Broker("127.0.0.1", broker.port), Path("my_site.toml")) == ""
    port = free_port()
    says = missing(Broker("127.0.0.1", port), Path("my_site.toml"))
    assert says.startswith(f"no broker answers at mqtt://127.0.0.1:{port}: start it, or")
    assert "joulebus up --site my_site.toml --with-broker" in says
    monkeypatch.setattr("runtime.settings.BROKER", f"mqtt://127.0.0.1:{port}")  # on this machine one may listen at 1883
    ports = ["--page", f"127.0.0.1:{free_port()}", "--health-from", str(free_port(8))]
    monkeypatch.setenv("JOULEBUS_STATE", str(tmp_path))
    assert main(["up", "--site", str(REPOSITORY / "site.toml"), *ports]) == 1
    assert says.split(":")[0] in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["up-demo.lock"], "and nothing was started"


def test_a_port_in_use_is_said_before_anything_begins(broker: Mosquitto) -> None:
    with pytest.raises(Trouble, match=rf"port {broker.port} for the status page is in use.*joulebus up --page"):
        check_ports("joulebus up --page", {"optimize": free_port(), "the status page": broker.port})
