"""What an integrator met who followed the documents alone, and typed wrong things."""

import socket

import pytest

from joulebus.server import may_open
from joulebus.up import check_ports


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
