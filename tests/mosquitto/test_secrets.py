"""The script that makes passwords and certificates: safe to run twice, silent about what it makes."""

import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from joulebus import neighbours
from joulebus.broker import SHIPPED, roles
from runtime.settings import read_settings
from tests.conftest import Broker
from tests.mosquitto.client import Client

ROLES = roles()


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", SHIPPED / "secrets.sh", *words]
    env = neighbours.mosquitto_passwd().env
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder of secrets and what was said while it was made."""
    folder = tmp_path_factory.mktemp("made") / "secrets"
    done = run(folder, "ems.example", "192.0.2.7")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout + done.stderr


def test_every_user_has_a_password_of_its_own_and_a_certificate(made: tuple[Path, str]) -> None:
    passwords = {role: (made[0] / "passwords" / role).read_text(encoding="utf-8") for role in ROLES}
    assert len(set(passwords.values())) == len(ROLES)
    assert all(len(password) == 48 for password in passwords.values())
    for role in ROLES:
        context = ssl.create_default_context(cafile=str(made[0] / "ca.crt"))
        context.load_cert_chain(made[0] / "clients" / f"{role}.crt", made[0] / "clients" / f"{role}.key")


def test_everybody_who_may_limit_has_a_key_that_dispatch_knows(made: tuple[Path, str]) -> None:
    folder = made[0] / "passwords"
    lines = (folder / "limit-keys").read_text(encoding="utf-8")
    keys = {
        path.name.removeprefix("limit-key-"): path.read_text(encoding="utf-8") for path in folder.glob("limit-key-*")
    }
    assert keys.keys() == {"dso", "engineer", "operator", "operator-2", "scada", "scada-2", "scada-3"}
    assert read_settings("dispatch", {"JOULEBUS_LIMIT_KEYS": lines}).limit_keys == keys


def test_it_prints_no_secret(made: tuple[Path, str]) -> None:
    folder, said = made
    for role in ROLES:
        assert f"made passwords/{role}\n" in said
        assert (folder / "passwords" / role).read_text(encoding="utf-8") not in said
    assert "PRIVATE KEY" not in said


def test_nobody_else_can_read_it(made: tuple[Path, str]) -> None:
    folder, _ = made
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")] if path.is_dir()} == {0o700}


def test_no_password_is_left_beside_the_hashes(made: tuple[Path, str]) -> None:
    folder, _ = made
    hashed = (folder / "passwords.hashed").read_text(encoding="utf-8").splitlines()
    assert [line.partition(":")[0] for line in hashed] == list(ROLES)
    assert all(line.partition(":")[2].startswith("$7$") for line in hashed)
    top = {path.name for path in folder.iterdir()} - {".gitignore"}
    assert top == {"passwords", "clients", "passwords.hashed", "ca.crt", "ca.key", "ca.srl", "server.crt", "server.key"}


def test_the_certificates_verify_and_the_server_has_the_names_it_was_given(made: tuple[Path, str]) -> None:
    def openssl(*words: str) -> str:
        return subprocess.run(["openssl", *words], cwd=made[0], capture_output=True, text=True, check=True).stdout

    for role in ROLES:
        assert openssl("verify", "-purpose", "sslclient", "-CAfile", "ca.crt", f"clients/{role}.crt")
        assert openssl("x509", "-noout", "-subject", "-in", f"clients/{role}.crt").strip().endswith(f"CN = {role}")
    assert openssl("verify", "-purpose", "sslserver", "-CAfile", "ca.crt", "server.crt")
    names = openssl("x509", "-noout", "-ext", "subjectAltName", "-in", "server.crt")
    assert "DNS:ems.example" in names
    assert "IP Address:192.0.2.7" in names


def test_a_second_run_changes_nothing_and_says_nothing(made: tuple[Path, str]) -> None:
    before = files(made[0])
    done = run(made[0])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert files(made[0]) == before


def test_what_was_lost_is_made_anew_and_the_rest_is_kept(tmp_path: Path) -> None:
    run(tmp_path / "s")
    before = files(tmp_path / "s")
    (tmp_path / "s" / "passwords" / "scada").unlink()
    (tmp_path / "s" / "clients" / "scada.crt").unlink()
    assert run(tmp_path / "s").returncode == 0
    after = files(tmp_path / "s")
    changed = {name for name in before if before[name] != after[name]}
    # OpenSSL notes the serial number of the new certificate
    assert changed == {"passwords/scada", "passwords.hashed", "clients/scada.crt", "clients/scada.key", "ca.srl"}


def test_without_the_key_of_the_authority_all_else_is_made_and_nothing_is_spoilt(
    made: tuple[Path, str], tmp_path: Path
) -> None:
    """That key is best kept elsewhere: an update that brings a new user must not end half way, without a word."""
    folder = shutil.copytree(made[0], tmp_path / "s")
    (folder / "ca.key").unlink()
    for name in ("passwords/scada-2", "passwords/journal-key", "clients/scada-2.crt", "clients/scada-2.key"):
        (folder / name).unlink()
    done = run("--containers", folder)
    assert (done.returncode, "make clients/scada-2.crt bring ca.key back" in done.stderr) == (0, True), done
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o644}
    assert (folder / "passwords" / "journal-key").is_file()
    assert not list(folder.glob("clients/scada-2*"))
    key = (folder / "server.key").read_bytes()
    (folder / "server.crt").rename(tmp_path / "server.crt")
    assert run("--containers", folder).returncode == 1
    assert (folder / "server.key").read_bytes() == key  # which the certificate, moved back, needs


def test_a_folder_for_containers_stays_one(tmp_path: Path) -> None:
    """Who makes a new token by the shortest line must not leave one that the page in its container cannot read."""
    folder = tmp_path / "s"
    run("--passwords", "--containers", folder)
    for name in ("page-token", "market"):
        (folder / "passwords" / name).unlink()
    assert run("--passwords", folder).returncode == 0
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o644}


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give files away")
def test_what_root_makes_later_can_be_read_by_the_broker_too(made: tuple[Path, str], tmp_path: Path) -> None:
    """mosquitto has a user of its own: where it cannot read the hashes it lets nobody in, and drops who is there."""
    folder = shutil.copytree(made[0], tmp_path / "s")
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, 65534, 65534)
    (folder / "server.crt").unlink()
    (folder / "passwords" / "market").unlink()
    assert run(folder).stdout == "made passwords/market\nmade passwords.hashed\nmade server.crt\n"
    assert {(path.stat().st_uid, path.stat().st_gid) for path in folder.rglob("*")} == {(65534, 65534)}


def test_passwords_alone_need_no_openssl(tmp_path: Path) -> None:
    assert run("--passwords", tmp_path / "s").returncode == 0
    assert {path.name for path in (tmp_path / "s").iterdir()} == {".gitignore", "passwords", "passwords.hashed"}


def test_for_containers_the_files_are_open_and_the_folder_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    assert run("--containers", folder).returncode == 0
    assert folder.stat().st_mode & 0o777 == 0o700
    modes = {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    assert modes.pop("ca.key") == 0o600  # no container needs it
    assert set(modes.values()) == {0o644}
    assert {"passwords/database-archive", "passwords/database-root"} <= modes.keys()


def without_mosquitto(tmp_path: Path) -> dict[str, str]:
    """A PATH with all of this machine's programs but mosquitto_passwd."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in NEEDED:
        found = os.path.realpath(sys.executable) if name == "python3" else shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return {"PATH": str(folder)}


NEEDED = [
    "sh",
    "sed",
    "mkdir",
    "chmod",
    "od",
    "tr",
    "mv",
    "find",
    "cat",
    "awk",
    "cmp",
    "cp",
    "rm",
    "openssl",
    "uname",
    "sort",
    "paste",
    "dirname",
    "python3",
    "id",
    "stat",
    "chown",
]


def test_without_mosquitto_python_makes_hashes_that_the_broker_takes(tmp_path: Path) -> None:
    """The real broker lets in who has the password, and nobody with a wrong one; it is asked so of mosquitto_passwd's
    in test_broker.py."""
    env = without_mosquitto(tmp_path)
    secrets = tmp_path / "broker" / "secrets"
    command = ["sh", str(SHIPPED / "secrets.sh"), "--passwords", str(secrets)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = (secrets / "passwords.hashed").read_text(encoding="utf-8")
    assert [line.partition(":$7$")[0] for line in made.splitlines()] == list(ROLES)
    broker = Broker(tmp_path / "broker")  # finds the secrets there and keeps them
    broker.start()
    try:
        assert (secrets / "passwords.hashed").read_text(encoding="utf-8") == made
        for role in ("scada", "archive"):
            with Client.of(broker.url(role)):
                pass
        stranger = Client.of(broker.url("scada").replace(broker.secrets.password("scada"), "wrong"))
        assert stranger.connect().is_failure
        stranger.close()
    finally:
        broker.stop()


def test_with_neither_it_says_what_to_install(tmp_path: Path) -> None:
    env = without_mosquitto(tmp_path)
    (tmp_path / "bin" / "python3").unlink()
    command = ["sh", str(SHIPPED / "secrets.sh"), "--passwords", str(tmp_path / "s")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "apt-get install mosquitto, or python3" in done.stderr
    assert not (tmp_path / "s" / "passwords.hashed").exists()


def test_the_tokens_of_the_page_are_strong_and_differ(made: tuple[Path, str]) -> None:
    files = {name: str(made[0] / "passwords" / name) for name in ("page-token", "engineer-token")}
    given = {f"JOULEBUS_{name.upper().replace('-', '_')}_FILE": path for name, path in files.items()}
    settings = read_settings("status", given)
    assert settings.page_token != settings.engineer_token


def test_a_wrong_option_makes_nothing(tmp_path: Path) -> None:
    done = run("--everything", tmp_path / "s")
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert not (tmp_path / "s").exists()


def test_it_is_plain_posix_shell() -> None:
    assert subprocess.run(["dash", "-n", SHIPPED / "secrets.sh"], check=False).returncode == 0
