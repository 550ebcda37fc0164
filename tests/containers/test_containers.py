"""docker-compose.yml as an operator meets it: `make test-containers`. The tests are one story and run in this order."""

import os
import re
from collections.abc import Iterator

import pytest

from tests.containers.engine import Impossible
from tests.containers.stand import LASTING, MAKE, Stand, stand, until
from tests.mosquitto.client import Client, context, wait_for

if os.environ.get("JOULEBUS_CONTAINERS") != "1":
    pytest.skip("minutes, as root: make test-containers", allow_module_level=True)


@pytest.fixture(scope="module")
def site() -> Iterator[Stand]:
    try:
        with stand() as made:
            yield made
    except Impossible as missing:
        pytest.skip(f"no containers can be started here: {missing}")


def test_all_become_healthy(site: Stand, capsys: pytest.CaptureFixture[str]) -> None:
    site.up()
    with capsys.disabled():
        print(f"\nfrom `up` to all healthy: {site.seconds:.1f} s")
    assert {name: site.container(name)["ExitCode"] for name in ("database", "migrate")} == {"database": 0, "migrate": 0}


def test_the_profile_beside_the_site_file_is_in_use(site: Stand) -> None:
    until(lambda: site.online() and all(site.online().values()), 60, "every device is read")
    assert {one["device"]: one["make"] for one in site.state()["devices"]}["meter"] == MAKE


def test_a_plan_is_made_of_the_prices_beside_the_site_file(site: Stand) -> None:
    until(lambda: (site.state()["mode"].get("plan") or {}).get("use") == "followed", 120, "a plan is followed")
    assert not {one for one in site.alarms() if one.startswith("tariff")}


def test_who_shows_the_token_acts_and_sees_what_became_of_it(site: Stand) -> None:
    assert site.ask("", 20_000)[0] == 401
    assert site.ask("not-the-token-0123456789", 20_000)[0] == 401
    status, answer = site.ask(site.token(), 20_000)
    assert status < 300, answer
    until(lambda: (site.state()["answers"].get(answer["id"]) or {}).get("followed"), 30, "it was followed")
    assert site.state()["mode"]["who"] == "anna"
    until(lambda: abs(site.state()["flow"]["battery"]["value"] - 20_000) < 1000, 30, "the batteries give 20 kW")


def test_a_fault_is_seen_and_ends(site: Stand) -> None:
    fault = ["exec", "-T", "simulate", "joulebus", "fault", "bms:silent"]
    site.compose(*fault, "on", "--health", "127.0.0.1:9180")
    until(lambda: "bms_silent-bms" in site.alarms(), 60, "the alarm of a silent BMS")
    site.compose(*fault, "off", "--health", "127.0.0.1:9180")
    until(lambda: "bms_silent-bms" not in site.alarms(), 60, "its end")


def test_who_has_a_certificate_listens_from_outside(site: Stand) -> None:
    client = Client("scada", "localhost", site.mqtts)
    client.paho.tls_set_context(context(site.folder / "mosquitto" / "secrets", "scada"))
    with client:
        client.paho.subscribe("ems/v1/demo/#", 1)
        wait_for(lambda: any(topic.endswith("/meter/telemetry") for topic, _ in client.heard), 20)


@pytest.mark.parametrize("service", ["bridge", "mosquitto", "mariadb", "archive", "dispatch", "simulate"])
def test_what_is_killed_comes_back(site: Stand, service: str) -> None:
    before = site.container(service)["StartedAt"]
    site.kill(service)
    until(lambda: site.container(service)["StartedAt"] != before, 60, "a new start")
    until(lambda: site.health(service) == "healthy", 120, "it is healthy")
    until(lambda: site.online() and all(site.online().values()), 60, "every device is read")


def test_a_new_token_holds_once_the_page_is_started_again(site: Stand) -> None:
    old = site.token()
    (site.folder / "mosquitto" / "secrets" / "passwords" / "page-token").unlink()
    site.make_secrets()
    site.compose("restart", "status")
    until(lambda: site.state()["mode"].get("mode"), 60, "the page is back")
    assert site.ask(old, 10_000)[0] == 401
    assert site.ask(site.token(), 10_000)[0] < 300


def test_a_site_file_that_an_editor_replaced_is_read_after_a_restart(site: Stand) -> None:
    path = site.folder / "site" / "site.toml"
    new = path.with_suffix(".new")
    new.write_text(
        re.sub('title = ".*"', 'title = "Another title"', path.read_text(encoding="utf-8")), encoding="utf-8"
    )
    new.replace(path)
    site.compose("restart", "status")
    until(lambda: "<title>Another title</title>" in site.shown(), 60, "the page has the new title")


def test_up_again_changes_nothing_that_is_well(site: Stand) -> None:
    before = {name: site.container(name)["StartedAt"] for name in LASTING}
    site.up()
    assert {name: site.container(name)["StartedAt"] for name in LASTING} == before


def test_each_container_has_memory_to_spare(site: Stand, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{site.project}-{name}-1" for name in sorted(LASTING)]
    lines = site.engine.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}} {{.MemPerc}}", *names)
    with capsys.disabled():
        print(f"\n{lines.replace(site.project + '-', '')}")
    used = {line.split()[0]: float(line.split()[-1].rstrip("%")) for line in lines.splitlines()}
    assert len(used) == len(LASTING)
    assert {name: share for name, share in used.items() if share > 80} == {}
    assert {name for name in LASTING if site.container(name)["OOMKilled"]} == set()


def test_nothing_is_left_of_it(site: Stand) -> None:
    assert site.left() != []
    site.down()
    assert site.left() == []
