"""A part that is started: its settings, and its own shell, imported only then."""

import argparse
import asyncio
import os
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from joulebus.parts import SERVICES
from schemas.troubles import Usage


def serve(parsed: argparse.Namespace, env: dict[str, str]) -> int:
    """Run a part until it is told to stop. Raises Trouble."""
    from runtime.log import set_up  # noqa: PLC0415
    from runtime.part import Part  # noqa: PLC0415
    from schemas.site_file import load_site  # noqa: PLC0415

    name = getattr(parsed, "name", parsed.command)
    set_up(name, env.get("JOULEBUS_LOG", "INFO"))
    settings = replace(_settings(parsed, name), again=lambda: _settings(parsed, name))
    asyncio.run(_service(parsed, Part(name, load_site(parsed.site), settings)))
    return 0


def _settings(parsed: argparse.Namespace, name: str) -> Any:  # noqa: ANN401  # it is imported only now
    """As they stand now in the environment and in the files that are named there."""
    from runtime.settings import read_settings  # noqa: PLC0415

    env = {"JOULEBUS_HEALTH": f"127.0.0.1:{SERVICES[parsed.command].health}"} | environment(parsed.env)
    if parsed.health:
        host_and_port(parsed.health, "--health")
        env["JOULEBUS_HEALTH"] = parsed.health
    if parsed.command == "simulate":  # it speaks Modbus only, and has no password to read
        env = {
            name: value for name, value in env.items() if not name.startswith(("JOULEBUS_BROKER", "JOULEBUS_DATABASE"))
        }
    return read_settings(name, env)


def environment(file: Path | None) -> dict[str, str]:
    """The variables of a file and, above them, those of this process."""
    from runtime.settings import read_env_file  # noqa: PLC0415

    return (read_env_file(file) if file else {}) | dict(os.environ)


def _service(parsed: argparse.Namespace, part: Any) -> Coroutine[Any, Any, None]:  # noqa: ANN401, PLR0911  # one line a part
    """The part's own shell, imported only now."""
    match parsed.command:
        case "simulate":
            from joulebus.simulate import run as simulate  # noqa: PLC0415

            return simulate(part, parsed.fault, parsed.past, parsed.weather)
        case "bridge":
            from bridges.service import run as bridge  # noqa: PLC0415

            return bridge(part, parsed.device)
        case "archive":
            from consumers.archive.service import run as archive  # noqa: PLC0415
            from joulebus.market_prices import MarketPrices  # noqa: PLC0415

            return archive(part, MarketPrices(part.settings).of)
        case "alarms":
            from consumers.alarms.service import run as alarms  # noqa: PLC0415

            return alarms(part)
        case "optimize":
            from consumers.optimize.service import run as optimize  # noqa: PLC0415

            return optimize(part)
        case "dispatch":
            from consumers.dispatch.service import run as dispatch  # noqa: PLC0415

            return dispatch(part)
        case "notify":
            from consumers.notify.service import run as notify  # noqa: PLC0415

            return notify(part)
        case _:
            from consumers.status.service import run as status  # noqa: PLC0415

            return status(part, *host_and_port(parsed.page))


def host_and_port(address: str, option: str = "--page") -> tuple[str, int]:
    """`host:port` of an option in two. Raises Usage for anything else."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or not 0 <= int(port) <= 65535:
        raise Usage(f"{option}: {address!r} is not HOST:PORT, such as 127.0.0.1:8080")
    return host or "127.0.0.1", int(port)
