"""How a broker is trusted over TLS, and who we are there."""

import ssl
from pathlib import Path

import aiomqtt

from runtime.settings import Broker


class Unreadable(aiomqtt.MqttError):
    """A certificate or a key that a person must put right."""


def tls(broker: Broker) -> ssl.SSLContext:
    """Raises Unreadable, which names the variable, its file and what is wrong with it."""
    if broker.key and not broker.cert:
        raise Unreadable("JOULEBUS_BROKER_CERT is missing: JOULEBUS_BROKER_KEY alone says nothing of who we are")
    try:
        context = ssl.create_default_context(cafile=broker.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if broker.cert:
            context.load_cert_chain(broker.cert, broker.key, password="")  # else OpenSSL asks at the terminal
    except OSError as wrong:  # they are read for each connection, and may just be changed
        raise Unreadable(_words(broker, wrong)) from wrong
    return context


def _words(broker: Broker, wrong: OSError) -> str:
    """Of the first file that cannot be what it should be."""
    files = {"CA": broker.ca, "CERT": broker.cert, "KEY": broker.key}
    given = {f"JOULEBUS_BROKER_{name}": Path(file) for name, file in files.items() if file}
    for variable, file in given.items():
        kind = "PRIVATE KEY" if variable.endswith("KEY") else "CERTIFICATE"
        try:
            held = file.read_bytes()
        except OSError as why:
            return f"{variable}: {file} cannot be read: {why.strerror}; it should be a PEM file of a {kind.lower()}"
        if f"{kind}-----".encode() not in held:
            return f"{variable}: {file} is no PEM file of a {kind.lower()}: a line -----BEGIN {kind}----- is missing"
        if b"ENCRYPTED" in held:
            return f"{variable}: {file} is locked with a pass phrase, which nobody types: openssl pkey"
    if broker.cert and not broker.key and b"PRIVATE KEY-----" not in Path(broker.cert).read_bytes():
        return "JOULEBUS_BROKER_KEY is missing: it names the file with the key of JOULEBUS_BROKER_CERT"
    if broker.cert and broker.key and isinstance(wrong, ssl.SSLError) and wrong.reason == "KEY_VALUES_MISMATCH":
        return f"JOULEBUS_BROKER_KEY: {broker.key} is not the key of the certificate {broker.cert}"
    names = ", ".join(f"{variable} {file}" for variable, file in given.items())
    reason = getattr(wrong, "reason", None) or wrong.strerror or str(wrong)
    return f"{names}: the PEM file is damaged, or of another kind: {reason}"
