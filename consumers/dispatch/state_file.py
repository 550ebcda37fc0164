"""The file in which dispatch keeps its state: written whole or not at all, and on the disk when `write` returns."""

import contextlib
import shutil
from pathlib import Path

from pydantic import ValidationError

from consumers.dispatch.kept import Kept, Stored, partly
from runtime.whole_file import write_whole

ASIDE = ".unreadable"


def read(path: Path) -> Stored:
    """What was kept. A file that cannot be read is set aside, so that a person can look at it, and said in `fault`; one
    of which a part cannot be read is kept there as well, and said in `lost`."""
    try:
        kept, lost = partly(path.read_bytes())
    except FileNotFoundError:
        return Stored()
    except OSError as wrong:
        return Stored(fault=f"{path}: {wrong.strerror}")
    except (ValueError, RecursionError) as wrong:
        with contextlib.suppress(OSError):
            path.replace(path.with_name(path.name + ASIDE))
        return Stored(fault=f"{path}: {_in_words(wrong)}")
    if lost:
        with contextlib.suppress(OSError):
            shutil.copyfile(path, path.with_name(path.name + ASIDE))
    return Stored(kept.mode, lost=lost and f"{path}: {lost}", kept=kept)


def _in_words(wrong: Exception) -> str:
    if not isinstance(wrong, ValidationError):
        return f"the file: {wrong}"
    first = wrong.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"


def write(path: Path, kept: Kept) -> None:
    """Raises OSError: the folder is not there, is read-only, or the disk is full. The old file is then as it was."""
    write_whole(path, kept.model_dump_json().encode())
