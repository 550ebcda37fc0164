"""Certificates that are as a test wants them: of another time, or of another authority."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from joulebus import neighbours
from joulebus.broker import SHIPPED


def date(kept: Path, *names: str, since: float, days: float) -> None:
    """The same certificates, valid from `since` days ago for so many days."""
    key = load_pem_private_key((kept / "ca.key").read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    begin = datetime.now(UTC) - timedelta(days=since)
    for path in [path for name in names for path in kept.glob(f"{name}.crt")]:
        old = x509.load_pem_x509_certificate(path.read_bytes())
        new = x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer).public_key(old.public_key())
        new = new.serial_number(x509.random_serial_number())
        new = new.not_valid_before(begin).not_valid_after(begin + timedelta(days=days))
        for one in old.extensions:
            new = new.add_extension(one.value, one.critical)
        path.write_bytes(new.sign(key, SHA256()).public_bytes(Encoding.PEM))


def of_a_stranger(kept: Path, *names: str) -> None:
    """These certificates and their keys come from an authority nobody here knows."""
    folder = kept.parent / "stranger"
    command = ["sh", str(SHIPPED / "secrets.sh"), str(folder)]
    subprocess.run(command, env=neighbours.mosquitto_passwd().env, check=True, stdout=subprocess.DEVNULL)
    for name in names:
        for kind in ("crt", "key"):
            (kept / f"{name}.{kind}").write_bytes((folder / f"{name}.{kind}").read_bytes())
