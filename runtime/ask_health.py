"""Asks a part's health endpoint, for an engine of containers that asks each of them some times a minute.

`python -S -m runtime.ask_health` takes a fifth of the time of `joulebus health`: it imports nothing but sockets.
"""

import os
import socket
import sys

PATIENCE = 10.0
"""Seconds a part may take to answer."""


def ask_health(address: str) -> bool:
    """Whether the part at host:port is ready; what it says of itself goes to the container's record. Raises OSError."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as line:
        line.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    print(body.decode(errors="replace"))
    return head.split(b" ")[1:2] == [b"200"]


def main(address: str) -> int:
    try:
        return 0 if ask_health(address) else 1
    except OSError as wrong:
        print(f"nothing answers at {address}: {wrong}")
        return 1


if __name__ == "__main__":
    sys.exit(main(os.environ["JOULEBUS_HEALTH"]))
