"""The addresses of the alarms: their page, their past, and what is asked of them."""

from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi import Path as InPath
from pydantic_core import to_json

from consumers.status.alarm_past import AlarmPast, as_csv
from consumers.status.said import NotSaid, Publish, read
from consumers.status.wishes import MAINTENANCE, AckWish, AlarmWish, NotifyWish
from schemas.alarm_name import AlarmName
from schemas.site import Site
from schemas.topics import ALARM_MAINTENANCE, ALARM_REQUEST, COMMAND_TTL, NOTIFY_REQUEST

ENGINEER = "taking an alarm out of service, or back into it, needs the engineer's token (JOULEBUS_ENGINEER_TOKEN)"


def acting(app: FastAPI, site: Site, publish: Publish, *, has_engineer: bool) -> None:
    """What is asked of alarms."""

    @app.post("/api/alarms/ack", status_code=202)
    async def acknowledge(request: Request) -> dict[str, Any]:
        """Acknowledges those in a list, one by one; which were asked, and which not and why."""
        wishes = read(AckWish, await request.body()).each()
        asked = dict[str, str]()
        try:
            for name, wish in wishes.items():
                await publish(ALARM_REQUEST, wish, site=site.site, alarm=name)
                asked[name] = wish.id
        except NotSaid as wrong:
            if not asked:
                raise  # nobody hears any of them
            return {"asked": asked, "failed": {name: str(wrong) for name in wishes if name not in asked}}
        return {"asked": asked, "failed": {}}

    @app.post("/api/alarms/{alarm}", status_code=202)
    async def answer(request: Request, alarm: Annotated[AlarmName, InPath()]) -> dict[str, str]:
        wish = read(AlarmWish, await request.body())
        maintenance = wish.action in MAINTENANCE
        if maintenance and not request.state.engineer:
            without = "; the token shown is an operator's" if has_engineer else "; this page was started without one"
            raise HTTPException(403, ENGINEER + without)
        await publish(ALARM_MAINTENANCE if maintenance else ALARM_REQUEST, wish, site=site.site, alarm=alarm)
        return {"asked": wish.action, "id": wish.id}


def testing(app: FastAPI, site: Site, publish: Publish) -> None:
    """What is asked of notify: its answer comes as that of any request, by its id."""

    @app.post("/api/notify/test", status_code=202)
    async def test(request: Request) -> dict[str, str]:
        if site.notify is None:
            raise HTTPException(404, "the site file has no [notify]: there is nobody to tell")
        wish = read(NotifyWish, await request.body())
        await publish(NOTIFY_REQUEST, wish, expiry=COMMAND_TTL, site=site.site)
        return {"asked": wish.action, "id": wish.id}


def reading(app: FastAPI, past: AlarmPast) -> None:
    """What alarms did, and why."""

    @app.get("/api/alarms/history")
    async def changes(
        hours: Annotated[float, Query(gt=0, le=744)] = 24,
        alarm: Annotated[AlarmName | None, Query()] = None,
        form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
    ) -> Response:
        found = await past.changes(hours, alarm)
        if form == "json":
            return Response(to_json(found), media_type="application/json")
        if found["fault"]:
            raise HTTPException(503, found["fault"])
        name = {"content-disposition": 'attachment; filename="alarms.csv"'}
        return Response(as_csv(found["changes"], found["told"]), media_type="text/csv", headers=name)

    @app.get("/api/alarms/{alarm}/explain")
    async def explain(alarm: Annotated[AlarmName, InPath()]) -> Response:
        found = await past.explain(alarm)
        if found is None:
            raise HTTPException(404, f"no alarm {alarm} was raised in the last 31 days")
        return Response(to_json(found), media_type="application/json")
