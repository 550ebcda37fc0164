"""What an integrator met who followed the documents alone, and typed wrong things."""

import os
import socket
from pathlib import Path

import pytest

from joulebus import survey
from joulebus.cli import main
from joulebus.neighbours import REPOSITORY
from joulebus.server import free_port, may_open
from joulebus.up import alone, check_ports
from schemas.troubles import Trouble


def test_a_port_whose_connections_ended_a_moment_ago_can_be_opened_again() -> None:
    """A browser shows the page when the demo is ended: the server closes first, and its end of the connection waits."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as browser:
            server.accept()[0].close()
            assert browser.recv(1) == b""
    with socket.socket() as plain, pytest.raises(OSError, match="in use"):
        plain.bind(("127.0.0.1", port))
    assert may_open(port)
    check_ports("another --port", {"the status page": port})


def test_a_second_up_in_one_folder_is_refused_and_names_the_first(tmp_path: Path) -> None:
    """With other ports, as each message proposed, two brokers shared one configuration and one file of what is kept."""
    with alone(tmp_path, "up-demo", "broker"):
        for names in (["up-demo"], ["up-other", "broker"]):
            with (
                pytest.raises(Trouble, match=rf"process number {os.getpid()}.*works in {tmp_path} already"),
                alone(tmp_path, *names),
            ):
                pass
        with alone(tmp_path, "up-other"), alone(tmp_path / "other", "up-demo", "broker"):
            pass
    with alone(tmp_path, "up-demo", "broker"):
        pass


@pytest.mark.parametrize("words", [["alarm", "list"], ["limit"]])
def test_who_types_a_command_beside_the_folder_broker_is_told_its_file(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`alarm` explained two variables, and `limit` said "Not authorized" alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOULEBUS_BROKER", f"mqtt://127.0.0.1:{free_port()}")
    site = ["--site", str(REPOSITORY / "site.toml")]
    assert main([*words, *site]) == 1
    assert "--env" not in capsys.readouterr().err
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "joulebus.env").touch()
    assert main([*words, *site]) == 1
    assert "is found by --env broker/joulebus.env" in capsys.readouterr().err


def test_a_scan_that_cannot_write_does_not_watch_first(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=r"x\.toml cannot be written: there is no folder .*none"):
        survey.run(["tcp://127.0.0.1:1"], None, 20.0, tmp_path / "none" / "x.toml")
