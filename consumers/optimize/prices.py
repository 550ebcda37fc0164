"""Files of market prices: one, a folder, or all that fit a pattern, read by what stands in them.

A file that is being written is not read: half of it can be read without an error. Where a file that was read goes
wrong, what was read last goes on and it is said.
"""

from dataclasses import dataclass, field
from pathlib import Path

from optimizer.price_documents.formats import Document, read_document
from optimizer.price_documents.packed import LARGEST
from optimizer.price_documents.wanted import NoPrices, Unreadable, Wanted
from optimizer.published import Published, join
from optimizer.tariff import Series
from schemas.troubles import Trouble

WRITING = 5.0
"""Seconds after a change in which a file may still be written."""
UNFINISHED = (".part", ".tmp", ".crdownload", "~")
"""How names of downloads end that are not whole."""

Stamp = tuple[int, int, int]
"""Which file it is, its size and when it was changed, in ns."""
PLAIN = Wanted()


@dataclass
class PriceFiles:
    """Files of market prices, read again when they have changed and are changed no more."""

    faults: dict[Path, list[str]] = field(default_factory=dict)
    """By the path that was asked for: what is wrong there now, while what was read before goes on."""
    _read: dict[tuple[Path, Wanted], tuple[Stamp, Document | None]] = field(default_factory=dict)
    _joined: dict[tuple[Path, Wanted], tuple[list[Document], Series]] = field(default_factory=dict)

    def series(self, path: Path, wall: float, wanted: Wanted = PLAIN) -> Series:
        """What stands in the files of a path; while one is written, what stood there before. `wall` is in seconds
        since 1970.

        Raises Trouble that names the file and the line, where none of them can be read or was read before.
        """
        faults = self.faults[path] = list[str]()
        known = self._joined.get((path, wanted))
        if not (paths := files_of(path)):
            faults.append(f"{path} cannot be read: there is no such file")
        documents = [one for each in paths if (one := self._one(each, wall, wanted, faults)) is not None]
        if not documents and known is None:
            raise Trouble("; ".join(faults) or f"{path} has no price yet")
        if documents and (known is None or [*map(id, known[0])] != [*map(id, documents)]):
            known = self._joined[path, wanted] = documents, _together(path, documents).series
        assert known is not None  # noqa: S101  # or there was Trouble
        return known[1]

    def young(self, path: Path, wall: float, wanted: Wanted = PLAIN) -> float:
        """Seconds until files that were never read are surely whole; 0 where all are."""
        ages = [wall - _changed(one) for one in files_of(path) if (one, wanted) not in self._read]
        return max((WRITING - age for age in ages if 0 <= age < WRITING), default=0.0)

    def _one(self, path: Path, wall: float, wanted: Wanted, faults: list[str]) -> Document | None:
        """None for one that has no price, now or ever."""
        stamp, document = self._read.get((path, wanted), (None, None))
        try:
            found = _stamp(path)
            if found == stamp or (stamp is not None and 0 <= wall - found[2] / 1e9 < WRITING):
                return document
            fresh: Document | None = _document(path, wanted)
            if stamp is not None and _stamp(path) != found:
                return document  # it was written to while it was read
        except NoPrices:
            fresh = None  # a day that is not published yet
        except Unreadable as wrong:
            faults.append(wrong.of(path))
            return document
        except OSError as wrong:
            faults.append(f"{path} cannot be read: {wrong}")
            return document
        self._read[path, wanted] = (found, fresh)
        return fresh


def read_prices(path: Path, wanted: Wanted = PLAIN) -> Series:
    """The series, per kWh. Raises Trouble that names the file and the line."""
    return read_published(path, wanted)[0].series


def read_published(path: Path, wanted: Wanted = PLAIN) -> tuple[Published, str]:
    """All files of a path with what was repeated and corrected, and their format. Raises Trouble with a line for each
    that is wrong."""
    documents, empty, wrongs = list[Document](), list[str](), list[str]()
    for one in files_of(path) or [path]:
        try:
            documents.append(_document(one, wanted))
        except NoPrices as nothing:
            empty.append(nothing.of(one))
        except Unreadable as wrong:
            wrongs.append(wrong.of(one))
        except OSError as wrong:
            wrongs.append(f"{one} cannot be read: {wrong}")
    if wrongs:
        raise Trouble("\n".join(wrongs))
    if not documents:
        raise Trouble("; ".join(empty[:3]))
    return _together(path, documents), documents[0].format


def files_of(path: Path) -> list[Path]:
    """The files a path stands for, in the order of their names: itself, those in a folder, those that fit a pattern."""
    if path.is_dir():
        found = [*path.iterdir()]
    elif any(sign in str(path) for sign in "*?[") and not path.exists():
        found = [*Path(path.anchor).glob(str(path.relative_to(path.anchor)))]
    else:
        return [path] if path.exists() else []
    whole = (one for one in found if not one.name.startswith(".") and not one.name.endswith(UNFINISHED))
    return sorted(one for one in whole if one.is_file())


def _document(path: Path, wanted: Wanted) -> Document:
    with path.open("rb") as stream:
        return read_document(stream.read(LARGEST + 1), wanted)


def _together(path: Path, documents: tuple[Document, ...] | list[Document]) -> Published:
    names = sorted({one.format for one in documents})
    if len(names) > 1:
        raise Trouble(f"{path} has documents of {' and '.join(names)}: keep those of one publisher there")
    return join([one.published for one in documents])


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
