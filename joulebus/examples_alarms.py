"""What is heard of alarms on a summer noon, one message per topic."""

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from schemas import messages as m
from schemas import topics as t
from schemas.alarm_figures import AlarmFigure, AlarmFigures, AlarmFlood, AlarmWatch, FrequentAlarm, Quieted, Verdict

NOON = datetime(2026, 6, 21, 12, 0, tzinfo=UTC)

ALARMS: dict[str, BaseModel] = {
    t.ALARM.name: m.Alarm(
        at=NOON,
        state=m.AlarmState.UNACKNOWLEDGED,
        priority=m.AlarmPriority.MEDIUM,
        device="bms1",
        point="cell_t_max",
        active=True,
        alarm_class=m.AlarmClass.EQUIPMENT,
        text="The battery is warm and ages faster; the BMS may reduce its power. Check cooling, filters and doors.",
        condition="cell_t_max > 45 degC",
        unit="degC",
        value=46.5,
        limit=45.0,
        requests=["ack", "shelve", "comment"],
        since=NOON,
        first_out=True,
    ),
    t.ALARM_REQUEST.name: m.AlarmRequest(
        at=NOON,
        action="shelve",
        who="anna",
        why="fan is replaced on Monday",
        until=NOON + timedelta(hours=8),
    ),
    t.ALARM_OUTCOME.name: m.RequestOutcome(
        id="page-7f3a",
        at=NOON,
        followed=False,
        who="anna",
        wish="shelve",
        cause=m.Cause.WRONG_STATE,
        reason="the alarm is latched: it cannot be shelved",
    ),
    t.NOTIFY_REQUEST.name: m.NotifyRequest(id="page-51d0", at=NOON, action="test", person="anna", who="erik"),
    t.NOTIFY_OUTCOME.name: m.NotifyOutcome(
        id="page-51d0",
        at=NOON,
        followed=False,
        who="erik",
        wish="test",
        cause=m.Cause.NOTIFY_FAILS,
        reason="anna-mail: sent: its server took the message; anna-phone: not sent: no answer within 20 s",
        channels=[
            m.ChannelAnswer(channel="anna-mail", sent=True),
            m.ChannelAnswer(channel="anna-phone", sent=False, why="no answer within 20 s"),
        ],
    ),
    t.NOTIFY_TOLD.name: m.Notified(
        at=NOON,
        id="20260621T120000-7",
        result="failed",
        alarms=["cell_temperature_high-bms1"],
        people=["anna"],
        channel="anna-mail",
        why="no answer within 20 s",
    ),
    t.ALARM_FIGURES.name: AlarmFigures(
        at=NOON,
        begin=NOON - timedelta(days=1),
        end=NOON,
        seen=1.0,
        raised=84,
        last_10_min=1,
        last_hour=5,
        figures=[
            AlarmFigure(
                name="per_hour",
                value=3.5,
                unit="1/h",
                target="at most 12, better 6",
                verdict=Verdict.OK,
                source="ISA-18.2, EEMUA 191",
            )
        ],
        top=[FrequentAlarm(alarm="cell_temperature_high-bms1", raised=21, share=0.25)],
        floods=[AlarmFlood(begin=NOON - timedelta(hours=3), end=NOON - timedelta(hours=2, minutes=48), alarms=17)],
        flood_count=1,
        flood_longest=720.0,
        flood_most=17,
        priorities={m.AlarmPriority.LOW: 70, m.AlarmPriority.HIGH: 14},
        shelved=Quieted(now=1, times=2),
    ),
    t.ALARM_WATCHED.name: AlarmWatch(at=NOON, since=NOON - timedelta(minutes=15)),
}
