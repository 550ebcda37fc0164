"""Questions over plain HTTP. httpx reads the certificates of the whole machine for each: 20 ms of a processor."""

import ssl
from functools import partial

import httpx

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody, and is asked by nobody: `httpx.AsyncClient(verify=PLAIN)`."""
get = partial(httpx.get, verify=PLAIN)
post = partial(httpx.post, verify=PLAIN)
