"""The page's addresses: the page, its live state, its curves, and the two things an operator may ask for."""

import asyncio
import contextlib
import json
import math
from collections import Counter
from collections.abc import AsyncIterable, Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from pydantic_core import to_json

from consumers.status import alarm_app
from consumers.status.acknowledge import Links
from consumers.status.alarm_past import AlarmPast
from consumers.status.answers import Busy
from consumers.status.door import Door
from consumers.status.packed import Packed
from consumers.status.said import NotSaid, Publish, mistakes, read
from consumers.status.series import AHEAD, BACK, Asked
from consumers.status.wishes import CONTROL, ControlWish
from runtime.settings import strong
from schemas.messages import AlarmClass, AlarmPriority
from schemas.site import Site
from schemas.topics import COMMAND_TTL, CONTROL_REQUEST

HERE = Path(__file__).parent
BEAT = 1.0
"""Seconds between two states of the event stream."""

OLDEST, NEWEST = date(2000, 1, 1), date(2200, 1, 1)
"""Days that are shown."""

Curve = Literal[
    "grid", "pv", "battery", "load", "soc",
    "plan_grid", "plan_pv", "plan_battery", "plan_load", "plan_soc", "price_import", "price_export",
]  # fmt: skip


def create_app(
    site: Site,
    view: Callable[[], dict[str, Any]],
    curves: Callable[[Asked], Awaitable[dict[str, Any]]],
    publish: Publish,
    *,
    token: str | None = None,
    engineer_token: str | None = None,
    past: AlarmPast | None = None,
    closing: asyncio.Event | None = None,
    counts: Counter[str] | None = None,
    links: Links | None = None,
    today: Callable[[], Awaitable[dict[str, Any]]] | None = None,
    slots: Callable[[], dict[str, Any]] | None = None,
) -> FastAPI:
    """`view` gives the state for now, `curves` the columns of some hours or a day, `past` what alarms did, `closing`
    ends the open streams, `counts` takes the wrong tokens, `links` answers those of messages, `today` gives the figures
    of the day, `slots` what is planned next. Raises Trouble for a token that is easily guessed.
    """
    app = FastAPI(title="joulebus", docs_url=None, redoc_url=None, openapi_url=None)
    strong_token = token if token is None else strong(token)
    app.add_middleware(Packed, path="/events")
    app.add_middleware(Door, token=strong_token, counts=counts, engineer_token=engineer_token)
    app.add_exception_handler(RequestValidationError, _wrong_question)
    app.add_exception_handler(NotSaid, _not_said)
    app.add_exception_handler(Busy, _busy)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    _pages(app, site, needs_token=token is not None)
    _reading(app, view, curves, closing or asyncio.Event())
    _acting(app, site, publish)
    if today is not None:
        _figures(app, today)
    if links is not None:
        links.mount(app)
    if past is not None:
        alarm_app.reading(app, past)
    if slots is not None:
        app.get("/api/plan")(_answering(slots))
    alarm_app.testing(app, site, publish)
    alarm_app.acting(app, site, publish, has_engineer=engineer_token is not None)
    return app


def _pages(app: FastAPI, site: Site, *, needs_token: bool) -> None:
    templates = Jinja2Templates(directory=HERE)

    @app.get("/", response_class=HTMLResponse)
    async def page(request: Request) -> HTMLResponse:
        able = [one.name for one in site.units if "grid_forming" in site.profiles[one.pcs].actions]
        words = {
            "site": site,
            "rated": site.rated_power,
            "currency": "" if site.tariff_fault else site.prices.currency,
            "needs_token": needs_token,
            "grid_modes": able,
        }
        return templates.TemplateResponse(request, "page.html", words)

    @app.get("/alarms", response_class=HTMLResponse)
    async def alarms(request: Request) -> HTMLResponse:
        words = {
            "site": site,
            "needs_token": needs_token,
            "priorities": list(AlarmPriority),
            "classes": list(AlarmClass),
        }
        return templates.TemplateResponse(request, "alarms.html", words)


def _reading(
    app: FastAPI,
    view: Callable[[], dict[str, Any]],
    curves: Callable[[Asked], Awaitable[dict[str, Any]]],
    closing: asyncio.Event,
) -> None:
    stream = _Stream(view)

    @app.get("/events", response_class=EventSourceResponse)
    async def events() -> AsyncIterable[ServerSentEvent]:
        while not closing.is_set():
            yield ServerSentEvent(raw_data=stream.now(), retry=1000)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(closing.wait(), BEAT)

    @app.get("/api/state")
    async def state() -> dict[str, Any]:
        return view()

    @app.get("/api/series")
    async def series(
        point: Annotated[list[Curve] | None, Query()] = None,
        hours: Annotated[float | None, Query(gt=0, le=168)] = None,
        back: Annotated[float, Query(ge=0, le=168)] = BACK,
        ahead: Annotated[float, Query(ge=0, le=168)] = AHEAD,
        day: Annotated[date | None, Query(ge=OLDEST, le=NEWEST)] = None,
    ) -> Response:
        found = await curves(Asked(hours or back, hours or ahead, day))
        wanted = {name: found["columns"][name] for name in point or found["columns"]}
        return Response(to_json(found | {"columns": wanted}), media_type="application/json")

    @app.get("/health")
    async def health() -> dict[str, Any]:
        now = view()
        well = now["broker"] and now["archive"] is not False
        return {"status": "ok" if well else "degraded", "broker": now["broker"], "archive": now["archive"]}


def _figures(app: FastAPI, figures: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    @app.get("/api/today")
    async def today() -> Response:
        return Response(to_json(await figures()), media_type="application/json")


def _answering(slots: Callable[[], dict[str, Any]]) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def plan() -> dict[str, Any]:
        return slots()

    return plan


class _Stream:
    """The state as it is streamed: made once a beat, however many look."""

    def __init__(self, view: Callable[[], dict[str, Any]]) -> None:
        self._view = view
        self._made = -math.inf
        self._text = ""

    def now(self) -> str:
        at = asyncio.get_running_loop().time()
        if at - self._made >= BEAT / 2:
            self._made, self._text = at, json.dumps(self._view(), allow_nan=False)
        return self._text


def _acting(app: FastAPI, site: Site, publish: Publish) -> None:
    @app.post(CONTROL, status_code=202)
    async def control(request: Request) -> dict[str, str]:
        wish = read(ControlWish, await request.body())
        await publish(CONTROL_REQUEST, wish, expiry=COMMAND_TTL, site=site.site)
        return {"asked": wish.mode or wish.action or "", "id": wish.id}


async def _wrong_question(_: Request, wrong: Exception) -> JSONResponse:
    errors = wrong.errors() if isinstance(wrong, RequestValidationError) else []
    return JSONResponse({"detail": mistakes(errors)}, 422)


async def _busy(_: Request, __: Exception) -> JSONResponse:
    why = "the archive is asked for many other spans: ask again in some seconds"
    return JSONResponse({"detail": why}, 503, headers={"retry-after": "5"})


async def _not_said(_: Request, wrong: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(wrong)}, 503)
