"""The section `Connect` of docs/topics.md: how SCADA subscribes, with lines that a test runs as they stand."""

import re

from joulebus.broker import SHIPPED
from joulebus.examples import EXAMPLES, PLACES
from schemas.topics import COMMAND_TTL, CONTROL_LIMITS, CONTROL_OUTCOME, GRID_LIMIT, SERVICE_STATUS, TELEMETRY

SITE = PLACES["site"]
PASSWORDS = "/etc/mosquitto/secrets/passwords"
INSIDE = f'-V 5 -h 127.0.0.1 -p 1883 -u scada -P "$(cat {PASSWORDS}/scada)"'
OUTSIDE = "-V 5 -h ems.example.org -p 8883 --cafile ca.crt --cert scada.crt --key scada.key"
DEVICES = TELEMETRY.at(site=SITE)

HEAR = f"mosquitto_sub {INSIDE} -q 1 -v -t {DEVICES}"
HEAR_OUTSIDE = f"mosquitto_sub {OUTSIDE} -q 1 -v -t {DEVICES}"
ALIVE = f"mosquitto_sub {OUTSIDE} -q 1 -v -t {SERVICE_STATUS.at(site=SITE)} -t ems/v1/{SITE}/device/+/status"
KEPT = f"mosquitto_sub {OUTSIDE.replace('scada.', 'scada-3.')} -i history -c -x 3600 -q 1 -v -t {DEVICES}"
ANSWER = f"mosquitto_sub {OUTSIDE} -q 1 -v -t {CONTROL_OUTCOME.at(site=SITE)} -t {CONTROL_LIMITS.at(site=SITE)}"
LIMIT = f"""\
topic={GRID_LIMIT.at(site=SITE)}
wish='{{"at":"'$(date -u +%FT%TZ)'","authority":"dso","direction":"feed_in","id":"scada-'$(date +%s%N)'",'
wish="$wish"'"percent":60,"reason":"test","source":"scada"}}'
signature=$(printf '%s\\n%s' "$topic" "$wish" | openssl dgst -sha256 -hmac "$(cat limit-key-scada)" -r | cut -d' ' -f1)
mosquitto_pub {OUTSIDE} -q 1 \\
  -D publish message-expiry-interval {COMMAND_TTL:.0f} -t "$topic" \\
  -m "${{wish%?}},\\"signature\\":\\"$signature\\"}}\""""
LINES = (HEAR, HEAR_OUTSIDE, ALIVE, KEPT, LIMIT, ANSWER)
"""What stands in fences below, each as it is run."""


def section() -> str:
    """What stands below the head of the page."""
    queued = int(_setting("max_queued_messages"))
    return _TEXT.format(
        hear=HEAR,
        hear_outside=HEAR_OUTSIDE,
        alive=ALIVE,
        kept=KEPT,
        answer=ANSWER,
        limit=LIMIT,
        arrives=f"{TELEMETRY.at(site=SITE, device=PLACES['device'])} {EXAMPLES[TELEMETRY.name].model_dump_json()}",
        passwords=PASSWORDS,
        devices=DEVICES,
        site=SITE,
        connections=_setting("max_connections"),
        queued=f"{queued:,}".replace(",", " "),
        megabytes=int(_setting("max_queued_bytes")) // 2**20,
        fills=round(queued / 20 / 60),
        days=_setting("persistent_client_expiration").removesuffix("d"),
    )


def _setting(name: str) -> str:
    """As the broker's configuration has it."""
    found = re.search(rf"^{name} (\S+)$", (SHIPPED / "mosquitto.conf").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, name  # noqa: S101  # it is ours
    return found[1]


_TEXT = """\
## Connect

Any client that speaks MQTT will do: Ignition, WinCC OA, Node-RED, `mosquitto_sub`. Payloads are JSON; a message has
all points of a device at one instant. Take MQTT 5 where you can choose: in 3.1.1 all can be heard, but a forbidden
publication is not answered.

|  | on the broker's machine | from outside |
| --- | --- | --- |
| address | `mqtt://127.0.0.1:1883` | `mqtts://HOST:8883`, TLS 1.3 only |
| who you are | user `scada`, password in `{passwords}/scada` | `clients/scada.crt` and `.key`: its name is the user |
| whom to trust |  | `ca.crt`, for the names that `secrets.sh` was given |
| client id | any: the broker takes the user's name | the same |
| connections | one of each user | one of each user, {connections} at most |

What the devices say, on the broker's machine:

```console
{hear}
```

From another one, with the certificate that `mosquitto/secrets.sh` has made in `clients/`. Carry it there with its key
and `ca.crt`, and nothing else:

```console
{hear_outside}
```

A line arrives for each reading of each device, its address first:

```text
{arrives}
```

The demo has the first door, with a port of its own: its first lines name it. There the site is `demo`, and the
passwords are in `.run/demo/broker/secrets/passwords`.

### Two at once

A user is one connection: so nobody can push a part of joulebus out by taking its client id. A second program of the
same user pushes the first out, and both then connect again for ever. So `scada`, `scada-2` and `scada-3` have the
same rights, and so have `operator` and `operator-2`. A redundant pair takes one each; whoever looks by hand beside it
takes the third. For more there is [one more user](../mosquitto/README.md#one-more-user). `joulebus alarm` and
`joulebus limit` are `operator`: where a control room is that already, give them `--as operator-2` (which
`command_sources` must name for limits).

### Who is alive

```console
{alive}
```

Each part of joulebus says how it is: `online` or `offline`, and in `causes` what troubles it. The bridge says the
same of each device. Both are retained. When a part dies the broker says `offline` for it within seconds. Whether a
value is of now says its own `at`: a device that is online is said with each poll, each second unless the site file
says otherwise.

### The one thing SCADA writes

A limit of the grid connection. It counts when `command_sources` in the site file lets its source claim the authority,
such as `command_sources = {{ dispatch = "operator", scada = "dso" }}`. Where dispatch has keys it must be signed:
HMAC-SHA256 over the address, a line feed, and the JSON of the other fields with sorted keys and without blanks;
numbers as short as they can be (60 or 0.5, not 60.50), letters such as ü as they are or escaped.
`mosquitto/secrets.sh` makes the key, and both of a pair may sign as `scada`. `joulebus limit` [does all of
it](operations.md#limiting-feed-in-and-consumption); by hand it is:

```console
{limit}
```

Without keys leave `signature` out. Never retain it, and give each an `id` of its own. One whose `at` is old is
refused: both clocks must be right. 100 % ends it. What became of it is answered with its `id`; what holds now is
retained:

```console
{answer}
```

To ask for modes or to acknowledge alarms connect as `operator` ([how](operations.md#asking-for-a-mode)).

### What MQTT's words mean here

- **QoS**: all is published with QoS 1. Subscribe with 1: a message then comes at least once, so a twin may. A twin of
  telemetry has the same `epoch` and `seq`. With 0, what is said while the line is bad is lost.
- **retained**: the last word of a state comes at once when you subscribe. Telemetry is not retained; the next one
  comes with the next poll. An empty payload takes the word back: an alarm is normal again, a device is gone.
- **expires**: the broker does not keep a plan, or what dispatch does, beyond its time. Where nothing comes, nothing
  is valid.
- **clean start**: for a picture of now. States come as retained, and nothing old is played.
- **kept session**: for a historian that must hear what is said while it is away. The broker keeps {queued} messages
  of QoS 1 or {megabytes} MB for each client, whichever is less, for as long as the client's session expiry says and
  for {days} days at most; what comes then is dropped. A site that says 20 messages a second fills that in {fills}
  minutes. What is played afterwards is old: go by `at`. [The archive](archive.md) has all of it anyway. Give it a
  user that nothing else uses: a clean start by the same user throws away what was kept. One that is full takes 170 MB
  of the broker's memory. To end it for good connect once with a clean start.
- **wildcards**: `+` is one level, `#` all below. `{devices}` is each device, `ems/v1/+/alarm/+/state` the alarms of
  all sites, `ems/v1/{site}/#` all that the user may hear. No subscription is refused: what a user may not hear stays
  silent ([who may what](../mosquitto/acl)).
- **times** are UTC, with `Z`, and have fractions of a second where there are any.
- **absent** is what is not known. Nothing is `null`, and a point that was not read is never 0.

A session that is kept for an hour:

```console
{kept}
```"""
