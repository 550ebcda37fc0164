"""When certificates end: those a connection to the broker needs, and others that a file holds. Loads `cryptography`."""

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509

from runtime.settings import Broker

Ends = dict[str, datetime]
"""By what it is of, when a certificate ends."""


def ends(broker: Broker, shown: bytes | None, files: dict[str, Path]) -> Ends:
    """Of all that a connection needs, and of other files, one certificate each. `shown`: the broker's, in DER."""
    found: Ends = {}
    server = _shown(shown)
    if server is not None:
        found["the broker's certificate"] = server.not_valid_after_utc
    if broker.tls and broker.cert:
        mine = [*_read(Path(broker.cert))][:1]  # what follows are those that signed it
        found |= {f"the certificate {broker.cert}": one.not_valid_after_utc for one in mine}
    if broker.tls and broker.ca:
        found |= _of_the_authority(Path(broker.ca), server)
    for name, path in files.items():
        each = [one.not_valid_after_utc for one in _read(path)]
        found |= {f"the certificate {path} of {name}": min(each)} if each else {}
    return found


def _of_the_authority(path: Path, server: x509.Certificate | None) -> Ends:
    """A file may hold many authorities, old ones among them: the one that counts has signed the broker's, and of two
    with its name the later one."""
    each = [*_read(path)]
    mine = [one for one in each if server is None or one.subject == server.issuer]
    if not mine or (server is None and len(each) > 1):
        return {}
    return {f"the authority {path}": max(one.not_valid_after_utc for one in mine)}


def _shown(der: bytes | None) -> x509.Certificate | None:
    """One that cannot be understood says nothing here; the connection has taken it."""
    with contextlib.suppress(ValueError):
        return x509.load_der_x509_certificate(der) if der is not None else None
    return None


def _read(path: Path) -> Iterator[x509.Certificate]:
    """Those of a PEM file; none where it cannot be read, which the connection says."""
    with contextlib.suppress(OSError, ValueError):
        yield from x509.load_pem_x509_certificates(path.read_bytes())
