"""What is packed, unpacked: gzip, and a zip of one or several documents. Pure; never more than a bound."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from optimizer.price_documents.wanted import Unreadable

LARGEST = 64 * 1024 * 1024
"""Bytes of a document: forty years of quarter hours as XML."""
MOST = 1000
"""Documents in one zip."""
CHUNK = 1024 * 1024


def unpacked(document: bytes) -> list[tuple[str, bytes]]:
    """Its documents, each with its name within a zip. Raises Unreadable."""
    if len(document) > LARGEST:
        raise Unreadable(f"{len(document)} bytes are more than any document of prices has")
    try:
        if document[:2] == b"\x1f\x8b":
            return [("", _bounded(gzip.GzipFile(fileobj=io.BytesIO(document))))]
        if document[:4] == b"PK\x03\x04":
            return [*_of_zip(document)]
    except (EOFError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as wrong:
        raise Unreadable(f"it cannot be unpacked, it may be cut off: {wrong}; fetch it again") from None
    return [("", document)]


def _of_zip(document: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(document)) as packed:
        hidden = ("__MACOSX/", ".")
        names = sorted(
            one.filename for one in packed.infolist() if not (one.is_dir() or one.filename.startswith(hidden))
        )
        if not 0 < len(names) <= MOST:
            raise Unreadable(f"a zip of {len(names)} documents")
        left = LARGEST
        for name in names:
            with packed.open(name) as stream:
                found = _bounded(stream, left)
            left -= len(found)
            yield name, found


def _bounded(stream: IO[bytes] | gzip.GzipFile, most: int = LARGEST) -> bytes:
    parts, size = [], 0
    while part := stream.read(CHUNK):
        size += len(part)
        if size > most:
            raise Unreadable("it unpacks to more than any document of prices has")
        parts.append(part)
    return b"".join(parts)
