"""[notify] of a site file, as `joulebus check` reads it; `joulebus notify test`; and which site has the part."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from consumers.notify.sender import Sender
from joulebus.cli import main
from joulebus.up import parts_of
from schemas.site_file import load_site
from schemas.site_notify import NotifyChannel
from tests.consumers.notified import Hook, notify_table, webhook
from tests.joulebus.test_check import SITE, TARIFF

NOTIFY = notify_table(
    {"mail": "", "room": 'url = "ntfy://ntfy.example/plant"'},
    {"anna": '"mail", "room"'},
    '{ to = ["duty"] }, { after = 900, to = ["anna"] }',
    '[[notify.rota]]\nname = "duty"\n[[notify.rota.shift]]\nperson = "anna"',
)
SECRET = "verysecretword"


def written(folder: Path, notify: str) -> Path:
    (folder / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    (folder / "site.toml").write_text(SITE + notify, encoding="utf-8")
    return folder / "site.toml"


PERSON = 'channels = ["mail", "room"]'
SHIFT = 'person = "anna"\n[[notify.chain]]'
REFUSED = {
    "a person without such a channel": (
        PERSON,
        'channels = ["mial"]',
        "notify.person.0.channels: there is no channel 'mial'; there is: mail, room",
    ),
    "a step to nobody": ('["duty"]', '["dutty"]', "there is no person or rota 'dutty'; there is: anna, duty"),
    "a shift of nobody": (
        SHIFT,
        SHIFT.replace("anna", "ben"),
        "notify.rota.0.shift.0.person: there is no person 'ben'",
    ),
    "steps out of order": ('["duty"] }', '["duty"], after = 1000 }', "stand in the order of their `after`"),
    "an unknown priority": ('name = "all"', 'name = "all"\npriorities = ["urgent"]', "priorities"),
    "weeks from nowhere": (SHIFT, SHIFT.replace("\n", "\nevery = 2\n", 1), "give `first`"),
    "a rota like a person": ('name = "duty"', 'name = "anna"', "a step could mean either"),
    "no page": ("[notify]", '[notify]\npage = "ems.example"', "is no address of a page"),
    "a holiday that is none": ("[notify]", '[notify]\nholidays = ["easer"]', "'easer' is no holiday"),
    "a password in the site file": (
        '"ntfy://ntfy.example/plant"',
        f'"ntfy://me:{SECRET}@ntfy.example/plant"',
        "notify.channel.1.url: it holds a password",
    ),
    "a channel with a key it does not know": (
        '"ntfy://ntfy.example/plant"',
        '"ntfy://x/y"\nuri = "x"',
        "did you mean 'url'?",
    ),
}
WARNED: dict[str, tuple[str, str, str | None]] = {
    "a week with holes": (SHIFT, SHIFT.replace("\n", '\ndays = ["mon"]\n', 1), None),
    "nobody on call at noon": (
        f'{SHIFT}\nname = "all"\nstep = [{{ to = ["duty"] }}, {{ after = 900, to = ["anna"] }}]',
        f'start = "13:00"\nend = "12:00"\n{SHIFT}\nname = "all"\nstep = [{{ to = ["duty"] }}]',
        "chain 'all' reaches nobody from ",
    ),
    "an address of no service": (
        "ntfy://ntfy.example/plant",
        f"nfty://ntfy.example/{SECRET}",
        "no service is known by how it begins",
    ),
    "a file that is not there": (
        'name = "mail"',
        'name = "mail"\nurl_file = "secrets/mail"',
        "secrets/mail cannot be read",
    ),
    "a channel of nobody": (PERSON, 'channels = ["mail"]', "channel 'room' is nobody's"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_said_at_its_place(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right, wrong, words = REFUSED[name]
    assert right in NOTIFY
    assert main(["check", str(written(tmp_path, NOTIFY.replace(right, wrong, 1)))]) == 1
    said = capsys.readouterr()
    assert words in said.err
    assert SECRET not in said.out + said.err


@pytest.mark.parametrize("name", WARNED)
def test_what_can_hardly_be_meant_is_a_warning(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right, wrong, words = WARNED[name]
    assert right in NOTIFY
    assert main(["check", str(written(tmp_path, NOTIFY.replace(right, wrong, 1)))]) == 0
    said = capsys.readouterr().out
    about = [line for line in said.splitlines() if "notify" in line]
    expected = [words] if words else []  # without: the second step reaches anna all week
    assert len(about) == len(expected)
    assert all(one in line for one, line in zip(expected, about, strict=True))
    assert SECRET not in said


def test_a_good_one_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(written(tmp_path, NOTIFY))]) == 0
    said = capsys.readouterr().out
    assert "tells      chain all, any priority: duty, then after 900 s anna" in said
    assert "warning" not in said


def test_only_a_site_that_tells_somebody_has_the_part(tmp_path: Path) -> None:
    assert parts_of(load_site(written(tmp_path, NOTIFY)))[-1] == "notify"
    assert "notify" not in parts_of(load_site(written(tmp_path, "")))


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Served beside the command, which has a loop of its own."""
    loop = asyncio.new_event_loop()
    serving = webhook()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result(5)
        asyncio.run_coroutine_threadsafe(serving.__aexit__(None, None, None), loop).result(5)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_the_test_says_what_each_channel_answered(
    hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, NOTIFY.replace("ntfy://ntfy.example/plant", f"json://127.0.0.1:1/{SECRET}"))
    words = ["notify", "test", "--site", str(path)]
    assert main(words) == 1
    said = capsys.readouterr().out
    assert "mail             not sent: it has no address" in said
    assert "room             not sent: " in said
    assert "Connection refused" in said, "and not only that there is no connection"
    assert SECRET not in said
    monkeypatch.setenv("JOULEBUS_NOTIFY_MAIL", f"ntfy://127.0.0.1:{hook.port}/plant")
    assert main([*words, "--channel", "mail"]) == 0
    assert "mail             sent: its server took the message" in capsys.readouterr().out
    assert hook.titles == ["works: a test of joulebus"]
    headers, said_there = hook.calls[0]
    assert (headers["user-agent"], "x-icon" in headers, said_there["topic"]) == ("joulebus", False, "plant")
    assert main([*words, "--person", "anna"]) == 1, "the room does not work"
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["mail", "room"]
    assert main([*words, "--person", "ana"]) == 1
    assert "person 'ana' does not exist; did you mean 'anna'?" in capsys.readouterr().err
    assert main([*words, "--channel", "mial"]) == 1
    assert "channel 'mial' does not exist; did you mean 'mail'?" in capsys.readouterr().err
    assert main(["notify", "test", "--site", str(written(tmp_path, ""))]) == 1
    assert "has no [notify]" in capsys.readouterr().err


def addresses_of_the_page() -> list[str]:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    table = page.partition("## Addresses")[2].partition("\n## ")[0]
    return re.findall(r"`(\w+://[^`]+)`", table.partition("| to |")[2])


READ: dict[str, dict[str, object]] = {
    "mailtos://plant%40example.org:password@": {
        "user": "plant@example.org",
        "smtp_host": "mail.example.org",
        "port": 587,
    },
    "mailtos://user:password@example.org?smtp": {"smtp_host": "mail.example.org", "secure_mode": "starttls"},
    "mailtos://user:password@mail.example.org:465": {"port": 465, "secure_mode": "ssl"},
    "mailto://192.0.2.25": {"smtp_host": "192.0.2.25", "port": 25, "secure_mode": "insecure"},
    "ntfys://tk_token": {"token": "tk_token", "auth": "token", "topics": ["topic"]},
    "ntfys://user": {"user": "user", "password": "password", "auth": "basic"},
    "tgram://123456789:bot_token/-100": {"targets": [(-1001234567890, None)]},
    "workflow": {"workflow": "workflow", "signature": "signature"},
    "clicksend": {"targets": ["4915100000000"]},
    "smseagle": {"token": "token", "host": "192.0.2.20"},
    "signal": {"source": "+4915100000000", "targets": ["+4915100000001"]},
    "jsons": {"secure": True, "fullpath": "/path"},
}
"""What an address of the page must mean to who sends by it: one that is taken for something else is taken, too."""


def test_each_address_of_the_page_is_one_and_means_what_it_says() -> None:
    addresses = addresses_of_the_page()
    assert len(addresses) == 13
    senders = {one: Sender(NotifyChannel(name="one"), one) for one in addresses}
    for begins, meant in READ.items():
        plugin = next(sender._plugin for one, sender in senders.items() if one.startswith(begins))
        assert {name: getattr(plugin, name, None) for name in meant} == meant, begins
