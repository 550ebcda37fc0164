"""The generated documents: everything a page can say that the code knows already."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joulebus import asyncapi, control, devices, interlocks, pages, reference
from joulebus.described import Described
from schemas.site import Site

DOCUMENTS: dict[str, Callable[[], str]] = {
    "asyncapi.json": lambda: _json(asyncapi.document()),
    "topics.md": pages.topics,
    "devices.md": devices.devices,
    "alarms.md": pages.alarms,
    "control.md": control.control,
    "interlocks.md": interlocks.interlocks,
    "configuration.md": reference.configuration,
    "site.schema.json": lambda: _json(
        {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Site.model_json_schema(schema_generator=Described)
    ),
}


def generate(folder: Path) -> list[Path]:
    """Write every document into `folder`; the same code always writes the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, make in DOCUMENTS.items():
        path = folder / name
        path.write_text(make().rstrip() + "\n", encoding="utf-8")
        written.append(path)
    return written


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)
