"""The generated pages about topics and alarms."""

import json
from collections.abc import Iterator
from typing import Any

from consumers.alarms.catalog import POLLS, load_catalog
from consumers.alarms.expression.scope import FRESH, FRESH_SLOW, TURNS
from consumers.alarms.first_out import FLOOD
from consumers.alarms.requests import LONGEST_OUT, LONGEST_SHELF, OLDEST_REQUEST
from consumers.alarms.states import mermaid
from consumers.alarms.suppression import DOUBT
from joulebus import alarm_pages, connect
from joulebus.asyncapi import schemas
from joulebus.causes import MEANS
from joulebus.examples import EXAMPLES
from joulebus.words import HEAD, Node, fields, page, table
from optimizer.why_words import pattern
from schemas.messages import Cause
from schemas.topics import TOPICS, Topic
from schemas.why import WhyCode

CONTRACT = """\
The public contract of joulebus: MQTT 5, QoS 1, JSON. Times carry a zone, powers are in W, energies in Wh, and a
positive power flows out of the device into the site. A changed payload is a new major version. For machines there is
[asyncapi.json](asyncapi.json)."""

REASONS = """\
The codes of [`why`](#why) in a plan and in a command, and the words that are made of each. What stands in *italics*
is the field of the reason (W are said in kW); what stands in [ ] is said where its fields are known."""

INTRODUCTION = """\
Alarms follow IEC 62682 (ISA-18.2). A rule is judged for each device it fits; the alarm is then called `<rule>-<device>`
and stands in the topic `alarm/<rule>-<device>/state` as long as it is not normal."""

BEGIN = """\
1. `chemistry` in each `[[battery]]` of the site file: without it no alarm watches the voltages of its cells.
2. Compare the limits [below](#batteries) with the data sheet of your cells. One that is another there is replaced by a
   rule of the [same name](#your-own).
3. Write [your own](#your-own) where the site has something that no shipped rule watches: a limit of one point in
   `above` or `below`, anything else in [`when`](#expressions).
4. `joulebus check site.toml` says each mistake with its line and what would be right. Start the alarms service again,
   and the bridge where a rule has an `effect`: they read the site file at their start.
5. Answer alarms and look back at them with [`joulebus alarm`](alarm-figures.md) or on the page; have people
   [told](notifications.md). What holds the battery back is an [interlock](interlocks.md#alarms-that-drive-control).

A new version is installed for the alarms service, the page, notify and the archive at once: what one of them says, an
older one may not know. Its `mosquitto/acl` goes to the broker with it ([upgrading](operations.md#upgrading)), for
`site/alarms/watched` and `notify/...` are new: with an older list parts say `broker_refuses`, nobody can look up who
was told, and the test button of the page gets no answer."""

ALARMS = f"""\
- The condition is calm: it must be wrong for the *on-delay* before the alarm is raised, and right, by the *deadband*,
  for the *off-delay* before it returns. Values that are historical or of bad quality neither raise nor end it. Without
  a believed value for {POLLS:g} polls, and {FRESH:g} s at least, a delay begins anew ({TURNS} polls and
  {FRESH_SLOW:g} s for a point that is read in turn). A silence is over when readings follow each other within
  {POLLS:g} polls for the off-delay, and 3 polls at least: a single answer ends none. A pause that the bridge makes
  itself (cause `left_alone`) is no silence.
- An operator acknowledges, shelves or resets it by a request; one that is retained, or older than
  {OLDEST_REQUEST.total_seconds():.0f} s, is refused. Shelving ends by itself within {LONGEST_SHELF.days * 24} h.
- An engineer takes it out of service for up to {LONGEST_OUT.days} days, and says why, at a topic of its own
  (`alarm/<rule>-<device>/maintenance`). Out of service wins over the shelf, the shelf over suppression.
- A latching alarm stays until it was acknowledged and reset, and cannot be shelved. One whose condition came and went
  while it was out of service or suppressed comes back as `latched_unacknowledged`.
- An alarm is *suppressed by design* while another one that explains it is active: the silence of its device, or what
  its rule names. Critical alarms of the class safety are never suppressed. What explains must be so now: an alarm whose
  condition nobody knows explains nothing new, and what it explained before for {DOUBT:.0f} s. On the shelf it explains
  what is not more urgent than itself, and who shelves it is told how many alarms that hides; out of service, nothing.
- Shelved, suppressed or out of service, its condition goes on to be judged: `active` says how it is.
- Of the alarms of a group that come without a calm of {FLOOD:.0f} s between them, the one whose condition came first is
  marked `first_out`, once there is another; the others name it in `consequence_of`."""


def topics() -> str:
    """docs/topics.md"""
    kinds = schemas()
    rows = [
        [
            f"[`{topic.template}`](#{topic.name.replace('.', '')})",
            ", ".join(topic.writers),
            _delivery(topic),
            topic.says,
        ]
        for topic in TOPICS
    ]
    shown = {topic.payload.__name__ for topic in TOPICS}
    parts = [name for name, schema in kinds.items() if name not in shown and "properties" in schema]
    return page(
        "# Topics",
        CONTRACT,
        connect.section(),
        "## All topics",
        table(["topic", "who writes", "delivery", "what it says"], rows),
        *(section for topic in TOPICS for section in _topic(topic, kinds)),
        "## Causes",
        "What programs read in `cause` and `causes`; new ones may be added, so take one you do not know as trouble.",
        table(["cause", "meaning"], [[f"`{cause.value}`", MEANS[cause]] for cause in Cause]),
        "## Reasons",
        REASONS,
        table(["code", "in words"], [[f"`{code.value}`", pattern(code)] for code in WhyCode]),
        "## Parts of payloads",
        *(section for name in parts for section in (f"### {name}", *_described(kinds[name], kinds))),
    )


def alarms() -> str:
    """docs/alarms.md"""
    return page(
        "# Alarms",
        INTRODUCTION,
        "## Where to begin",
        BEGIN,
        "## How an alarm lives",
        ALARMS,
        f"```mermaid\n{mermaid()}\n```",
        "What is not drawn is refused.",
        *alarm_pages.rules(load_catalog()),
        *alarm_pages.own(),
    )


def _topic(topic: Topic[Any], kinds: Node) -> Iterator[str]:
    yield f"## {topic.name}"
    yield f"`{topic.template}`"
    yield from _described(kinds[topic.payload.__name__], kinds)
    example = EXAMPLES[topic.name].model_dump(mode="json", exclude_unset=True, exclude_none=True)
    yield f"```json\n{json.dumps(example, indent=2, ensure_ascii=False)}\n```"


def _described(schema: Node, kinds: Node) -> Iterator[str]:
    yield schema["description"]
    if schema.get("additionalProperties") is False:
        yield "Unknown keys are refused."
    yield table(HEAD, fields(schema, kinds))


def _delivery(topic: Topic[Any]) -> str:
    return ", ".join(["QoS 1", *["retained"] * topic.retain, *["expires"] * topic.expires])
