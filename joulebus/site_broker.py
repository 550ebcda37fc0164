"""The broker that `joulebus up --with-broker` brings along: the shipped one, with passwords of its own in a folder."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError

from joulebus import neighbours
from joulebus.broker import Secrets, prepare
from joulebus.server import answers, reached
from joulebus.start import host_and_port
from runtime.settings import Broker
from schemas.troubles import Trouble

FOLDER = "broker"
"""Beside what the parts keep."""
PORT = 1883
VARIABLES = "joulebus.env"
"""In that folder, for other commands: `--env broker/joulebus.env`."""

HEAD = "# Written by `joulebus up --with-broker`, for other commands: --env of this file says where its broker is.\n"


@dataclass(frozen=True)
class BrokerWish:
    """The doors of the broker that a site brings along."""

    port: int
    """On 127.0.0.1, with passwords."""
    mqtts: str = ""
    """host:port of the door for other machines, with certificates; none when empty."""


def wished(port: int | None, mqtts: str, *, own: bool) -> BrokerWish | None:
    """What the command line says; None where the site has a broker already. Raises Trouble when that makes no sense."""
    if own:
        return BrokerWish(PORT if port is None else port, mqtts)
    if mqtts or port is not None:
        raise Trouble(f"{'--mqtts' if mqtts else '--broker-port'} is about a broker of its own: add --with-broker")
    return None


def bring(wish: BrokerWish, state: Path, env: Mapping[str, str]) -> Secrets:
    """Make all that the broker needs, and the file for other commands; what is there already is kept.

    Raises Trouble where another broker is named in `env`, a port is in use, or a program is missing.
    """
    folder = (state / FOLDER).resolve()
    ours = variables(folder, wish.port)
    for name in sorted(name for name in env if name.startswith("JOULEBUS_BROKER") and env[name] != ours.get(name)):
        raise Trouble(f"{name} names a broker that is there already; take it out, or leave out --with-broker")
    host, tls_port = host_and_port(wish.mqtts) if wish.mqtts else ("127.0.0.1", None)
    for port, other in ((wish.port, "--broker-port 1884"), (tls_port, "--mqtts HOST:8884")):
        if port is not None and answers(port):
            raise Trouble(
                f"port {port} for the broker is in use. Is another `up`, or a broker of this machine, running? "
                f"Where that one is to serve the site leave out --with-broker, else give another port: {other}"
            )
    if tls_port is not None and shutil.which("openssl") is None:
        raise Trouble("--mqtts needs certificates, and openssl makes them: apt-get install openssl")
    try:
        secrets = prepare(folder, wish.port, tls_port=tls_port, tls_host=host)
    except neighbours.Missing as missing:
        raise Trouble(str(missing)) from missing
    except (OSError, CalledProcessError) as wrong:
        raise Trouble(f"the passwords of the broker could not be made in {folder}: {wrong}") from wrong
    lines = [f"{name}={value}\n" for name, value in ours.items()]
    (folder / VARIABLES).write_text("".join([HEAD, *lines]), encoding="utf-8")
    return secrets


def variables(folder: Path, port: int) -> dict[str, str]:
    """Where the broker of a folder is, for whoever: `{role}` stands for the name of who asks."""
    passwords = folder / "secrets" / "passwords" / "{role}"
    return {
        "JOULEBUS_BROKER": f"mqtt://{{role}}@127.0.0.1:{port}",
        "JOULEBUS_BROKER_PASSWORD_FILE": str(passwords),
    }


def found_here(broker: Broker) -> str:
    """What helps who types a command where `up --with-broker` was, and names no broker; nothing for anybody else."""
    file = Path(FOLDER) / VARIABLES
    return (
        f"; the broker of `up --with-broker` here is found by --env {file}"
        if not broker.user and file.is_file()
        else ""
    )


def missing(broker: Broker, site: Path) -> str:
    """What a person should know where nobody answers at the broker's address; nothing where somebody does."""
    if reached(broker.host, broker.port):
        return ""
    return (
        f"no broker answers at {broker}: start it, or let this site bring its own: "
        f"joulebus up --site {site} --with-broker. JOULEBUS_BROKER says where another one is"
    )
