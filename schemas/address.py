"""How a device is reached: an address in any of its spellings, and the wire it means. Pure."""

import re
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from os.path import realpath

EXAMPLES = ["tcp://192.0.2.10:502", "rtu+tcp://192.0.2.10:4001", "rtu:///dev/ttyUSB0?baud=9600&parity=N&stop=1"]
WRITE = f"write {EXAMPLES[0]}, {EXAMPLES[1]} or {EXAMPLES[2]}"
HOST_AND_PORT = r"(\[[0-9a-fA-F:.]+\]|[^\s/:@?#\[\]]+):([0-9]+)"
LOOKS_LIKE = r"^((tcp|rtu\+tcp)://\S+:[0-9]{1,5}|rtu:///\S+)$"
"""For editors, that show the examples; what is wrong with an address is said in words."""
FOR_EDITORS = {"pattern": LOOKS_LIKE, "patternErrorMessage": WRITE, "examples": EXAMPLES}
PORTS = range(1, 65536)
SERIAL = {"baud": ("9600", r"[1-9][0-9]{2,6}"), "parity": ("N", "[NEO]"), "stop": ("1", "[12]")}
"""The settings of a serial line: what holds when one is not given, and what it may be."""


@dataclass(frozen=True, slots=True)
class Address:
    """Modbus TCP, RTU over TCP, or RTU on a serial line."""

    scheme: str
    host: str
    """In lower case; the device file of a serial line."""
    port: int = 0
    baud: int = 9600
    parity: str = "N"
    stop: int = 1

    @property
    def wire(self) -> str:
        """The same for every spelling of one wire, whatever its settings: two masters on one would collide."""
        return realpath(self.host) if self.scheme == "rtu" else f"{self._bracketed}:{self.port}"

    @property
    def settings(self) -> tuple[str, int, str, int]:
        """What all who share a wire must agree on."""
        return self.scheme, self.baud, self.parity, self.stop

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        """Its one spelling, with everything that it leaves to be understood."""
        if self.scheme == "rtu":
            return f"rtu://{self.host}?baud={self.baud}&parity={self.parity}&stop={self.stop}"
        return f"{self.scheme}://{self._bracketed}:{self.port}"


def parse_address(text: str) -> Address:
    """Raises ValueError with what would be right."""
    scheme, mark, rest = text.partition("://")
    if scheme == "rtu" and mark:
        return _serial(rest)
    if scheme in ("tcp", "rtu+tcp") and mark:
        return _network(scheme, rest)
    raise ValueError(f"{text!r} is not an address; {_meant(text) or WRITE}")


def _meant(text: str) -> str:
    """What is forgotten most often is how it is spoken there."""
    if re.fullmatch(HOST_AND_PORT, text):
        return f"write tcp://{text}"
    if re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", text):
        return f"write tcp://{text}:502"
    return f"write rtu://{text}?baud=9600&parity=N&stop=1" if re.fullmatch(r"/dev/[^\s?]+", text) else ""


def spelled(text: str) -> str:
    """An address in its one spelling. Raises ValueError."""
    return str(parse_address(text))


def _network(scheme: str, rest: str) -> Address:
    found = re.fullmatch(HOST_AND_PORT, rest)
    if found is None:
        raise ValueError(
            f"after {scheme}:// come a host and a port and nothing else, not {rest!r}; "
            f"write {scheme}://192.0.2.10:502 (the unit is a key of its own: unit = 1)"
        )
    host, port = found[1].strip("[]").rstrip(".").lower(), int(found[2])
    with suppress(ValueError):
        host = str(ip_address(host))
    if port not in PORTS:
        raise ValueError(f"port {port} does not exist: there are 1 to 65535; write {scheme}://{found[1]}:502")
    return Address(scheme, host, port)


def _serial(rest: str) -> Address:
    path, _, query = rest.partition("?")
    if not re.fullmatch(r"/+[^\s/]\S*", path):
        raise ValueError(
            f"{path!r} is not a device file: three slashes lead to one; write rtu:///dev/ttyUSB0?baud=9600&parity=N&stop=1"
        )
    given: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        key, _, value = part.partition("=")
        if key not in SERIAL or key in given:
            why = "is given twice" if key in given else "is not known"
            raise ValueError(f"setting {key!r} {why}: a serial line has baud, parity and stop; {WRITE}")
        if not re.fullmatch(SERIAL[key][1], value):
            right = {"baud": "such as 9600", "parity": "N, E or O", "stop": "1 or 2"}[key]
            raise ValueError(f"{key} is {right}, not {value!r}; {WRITE}")
        given[key] = value
    baud, parity, stop = (given.get(key, usual) for key, (usual, _) in SERIAL.items())
    return Address("rtu", re.sub("/+", "/", path), 0, int(baud), parity, int(stop))
