"""A private mosquitto with the shipped configuration: only ports, paths and passwords are its own."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from joulebus import neighbours

SHIPPED = neighbours.REPOSITORY / "mosquitto"

EVERYWHERE = "0.0.0.0"  # compared with, not listened on

KEYS = {
    "bridge": {"JOULEBUS_COMMAND_KEY_FILE": "command-key"},
    "archive": {"JOULEBUS_JOURNAL_KEY_FILE": "journal-key"},
    "dispatch": {"JOULEBUS_COMMAND_KEY_FILE": "command-key", "JOULEBUS_LIMIT_KEYS_FILE": "limit-keys"},
    "status": {"JOULEBUS_ACK_KEY_FILE": "ack-key"},
    "notify": {"JOULEBUS_ACK_KEY_FILE": "ack-key"},
}
"""The parts that know the key of commands, those of limits, and that of links that acknowledge."""


def roles() -> tuple[str, ...]:
    """The users of the access list."""
    return tuple(re.findall(r"^user (\S+)$", (SHIPPED / "acl").read_text(encoding="utf-8"), re.MULTILINE))


@dataclass(frozen=True)
class Secrets:
    """Where a private broker is, how it is started, and what its users must know to get in."""

    folder: Path
    port: int
    command: list[str]
    env: dict[str, str]

    def password(self, role: str) -> str:
        return self.password_file(role).read_text(encoding="utf-8")

    def password_file(self, role: str) -> Path:
        return self.folder / "secrets" / "passwords" / role

    def url(self, role: str) -> str:
        """The broker's address with user and password: for tests; a part is better given the password's file."""
        return f"mqtt://{role}:{self.password(role)}@127.0.0.1:{self.port}"

    def address(self, role: str) -> str:
        """The broker's address with the user only."""
        return f"mqtt://{role}@127.0.0.1:{self.port}"

    def variables(self, role: str) -> dict[str, str]:
        """How a part gets in, and the keys it knows, as variables of its environment."""
        keys = {variable: str(self.password_file(name)) for variable, name in KEYS.get(role, {}).items()}
        return {
            "JOULEBUS_BROKER": self.address(role),
            "JOULEBUS_BROKER_PASSWORD_FILE": str(self.password_file(role)),
            **keys,
        }


def prepare(folder: Path, port: int, *, tls_port: int | None = None, tls_host: str = "127.0.0.1") -> Secrets:
    """Configuration, access list and secrets for a broker in `folder`; what is there already is kept.

    With `tls_port` it opens the outer listener as well, on `tls_host` and with certificates. Raises neighbours.Missing.
    """
    folder = folder.resolve()
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    _make_secrets(folder / "secrets", None if tls_port is None else tls_host)
    config = folder / "mosquitto.conf"
    config.write_text(_configuration(folder, port, tls_port, tls_host), encoding="utf-8")
    acl = folder / "acl"
    acl.write_bytes((SHIPPED / "acl").read_bytes())
    acl.chmod(0o600)
    mosquitto = neighbours.mosquitto()
    return Secrets(folder, port, [str(mosquitto.path), "-c", str(config)], mosquitto.env)


def _make_secrets(folder: Path, host: str | None) -> None:
    """Passwords; where clients come from outside certificates as well, also for the host that they come to."""
    command = ["sh", str(SHIPPED / "secrets.sh")]
    if host is None:
        command += ["--passwords", str(folder)]
    else:
        command += [str(folder), "localhost", "127.0.0.1", os.uname().nodename, *({host} - {EVERYWHERE})]
    env = neighbours.mosquitto_passwd().env
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def _configuration(folder: Path, port: int, tls_port: int | None, tls_host: str) -> str:
    """The shipped configuration with ports and paths of our own."""
    shipped = (SHIPPED / "mosquitto.conf").read_text(encoding="utf-8")
    inner, outer = shipped.split("listener 8883\n")
    text = inner.replace("listener 1883 127.0.0.1", f"listener {port} 127.0.0.1")
    if tls_port is not None:
        text += f"listener {tls_port} {tls_host}\n{outer}"
    text = text.replace("/var/lib/mosquitto/", f"{folder}/data/").replace("/etc/mosquitto/", f"{folder}/")
    # started by root, mosquitto would become a user who cannot read this folder
    return f"user root\n{text}" if os.geteuid() == 0 else text
