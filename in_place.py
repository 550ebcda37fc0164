"""The build backend of this project: it installs in place (editable), and builds nothing that could be passed on.

A wheel would put the seven rooms under their common names (`schemas`, `runtime`) among everybody's packages, and a
source distribution of setuptools would leave out mosquitto/, the tests and the containers. Why so: docs/adr/0023.
"""

from collections.abc import Mapping
from typing import NoReturn

Settings = Mapping[str, str | list[str] | None] | None

REFUSED = (
    "joulebus builds no wheel and no sdist, because its rooms would become top-level packages of common names: run it "
    "from its folder after `make setup` or `pip install --editable .`, or in the containers of `make up`; "
    "an archive of the source is what `git archive` makes"
)


def _refuse(*_: object) -> NoReturn:
    """Of an end with a text the frontend shows the text alone, of an exception its traceback."""
    raise SystemExit(REFUSED)


# A frontend asks what a build needs before it builds: so nothing is fetched for what is refused.
get_requires_for_build_wheel = get_requires_for_build_sdist = _refuse
prepare_metadata_for_build_wheel = build_wheel = build_sdist = _refuse


def get_requires_for_build_editable(_settings: Settings = None) -> list[str]:
    """Here and not in pyproject.toml, where it would be fetched for a refusal too. 77 reads `license` as SPDX."""
    return ["setuptools>=80"]


def prepare_metadata_for_build_editable(folder: str, settings: Settings = None) -> str:
    """As setuptools does it."""
    from setuptools import build_meta  # noqa: PLC0415  # it is there by now

    return str(build_meta.prepare_metadata_for_build_editable(folder, settings))


def build_editable(folder: str, settings: Settings = None, metadata: str | None = None) -> str:
    """As setuptools does it."""
    from setuptools import build_meta  # noqa: PLC0415  # as above

    return str(build_meta.build_editable(folder, settings, metadata))
