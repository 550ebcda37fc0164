"""What notify keeps on its disk: written as a whole before anything is sent, so that a process that is killed neither
forgets a message nor begins a chain anew."""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from consumers.notify.desk import Kept
from runtime.whole_file import write_whole


class Record:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[Kept, str]:
        """What is kept, and what is wrong with the file. One that is damaged is set aside."""
        try:
            return Kept.model_validate_json(self.path.read_bytes()), ""
        except FileNotFoundError:
            return Kept(), ""
        except OSError as wrong:
            return Kept(), f"{self.path} cannot be read: {wrong.strerror}"
        except ValidationError:
            aside = self.path.with_name(f"{self.path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            try:
                self.path.replace(aside)
            except OSError as wrong:
                return Kept(), f"{self.path} is damaged and cannot be set aside: {wrong.strerror}"
            return Kept(), f"{self.path} was damaged; it is kept as {aside.name}, and chains begin anew"

    def write(self, text: bytes) -> None:
        """All of it or nothing, also when the power fails. For a thread: it waits for the disk. Raises OSError."""
        write_whole(self.path, text)
