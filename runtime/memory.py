"""A few facts that must outlive the process, as a JSON file: written whole or not at all, and on the disk."""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger("joulebus")


@dataclass
class Memory:
    """One file. What cannot be read is set aside and begun anew; what cannot be written is said once."""

    path: Path
    damaged: bool = False
    """It was there when it was looked for, and could not be read: what it held is not known, which is not nothing."""
    _said: bool = False
    _last: str = ""

    def read(self) -> str | None:
        """The text that was kept; None when there is none. What cannot be read is an empty text."""
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as wrong:
            log.warning("%s cannot be read: %s", self.path, wrong)
            return ""

    def recall(self) -> dict[str, Any]:
        """What was kept; nothing when there is none, or when it is damaged."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise ValueError("it holds no facts by their names")  # noqa: TRY301, TRY004  # as damaged as no JSON
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as wrong:
            self.damaged = True
            aside = self.path.with_suffix(".damaged")
            log.warning("%s cannot be read (%s): it is set aside as %s", self.path, wrong, aside.name)
            try:
                self.path.replace(aside)
            except OSError:
                log.exception("%s stays where it is", self.path)
            return {}
        return found

    def keep(self, facts: Mapping[str, Any]) -> bool:
        """Write them down; False when the disk refuses."""
        return self.write(json.dumps(facts))

    def write(self, text: str) -> bool:
        """The same for a text that is made already."""
        if text == self._last:
            return True
        fresh = self.path.with_suffix(".new")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError as wrong:
            if not self._said:
                log.warning("%s cannot be written: %s", self.path, wrong)
            self._said = True
            return False
        self._last, self._said = text, False
        return True
