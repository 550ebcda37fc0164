"""What a new user found with the documents alone: each name says what is right."""

import asyncio
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.alarms.catalog import load_catalog, watched
from consumers.dispatch.grid_signals import GridSignals
from consumers.status.limits import limits
from consumers.status.state import Moment, State, fold
from consumers.status.view import view
from joulebus import limit
from joulebus.battery_guess import batteries
from joulebus.check import check
from joulebus.site_guess import Found, grid_meter
from joulebus.site_text import site_text
from schemas.magnitudes import odd_powers
from schemas.messages import Authority, ControlLimits, HeldLimit, Telemetry
from schemas.site import Site
from schemas.site_file import load_site
from schemas.site_grid import GridSignal
from schemas.tariff import Tariff
from schemas.topics import TELEMETRY
from schemas.troubles import Trouble
from schemas.units import Kind
from tests.bridges.control.story import DEMO
from tests.optimizer.outlooks import NOON
from tests.simulator.rig import rig
from tests.virtual import virtual

ROOT = Path(__file__).parents[2]
BOX = """
[[device]]
name = "box"
profile = "wago_750_digital"
address = "tcp://127.0.0.1:15031"
"""


def site(folder: Path, grid: str = "", *devices: str) -> Site:
    """The demo's with one battery, and a control box. Raises Trouble."""
    text = DEMO.read_text(encoding="utf-8").replace("[battery]", f"{grid}\n[battery]")
    text = text.replace("../tariff.toml", str(ROOT / "tariff.toml"))
    (folder / "site.toml").write_text(text + "".join((BOX, *devices)), encoding="utf-8")
    return load_site(folder / "site.toml")


def signal(**change: Any) -> str:
    keys = {"device": "box", "point": "inputs", "contains": "di_0", "direction": "feed_in", "percent": 60} | change
    lines = [f"{key} = {value!r}".replace("'", '"') for key, value in keys.items() if value is not None]
    return "\n".join(["safe_feed_in = 0", "safe_consumption = 42_000", "[[grid.signal]]", *lines, ""])


# a limit of the network operator that would never hold ---------------------------------------------------

NEVER: dict[str, tuple[dict[str, Any], str]] = {
    "a contact that the box does not have": ({"contains": "di0"}, "did you mean 'di_0'?"),
    "a list of flags that equals one": ({"contains": None, "equals": "di_0"}, "write contains or lacks"),
    "a list of flags above a number": ({"contains": None, "above": 0}, "write contains or lacks"),
    "a number that contains a flag": ({"point": "outputs_count"}, "write equals or above or below or value"),
    "a number that equals a word": (
        {"point": "outputs_count", "contains": None, "equals": "open"},
        "write equals or above or below or value with a number",
    ),
}


@pytest.mark.parametrize("what", NEVER)
def test_a_signal_that_no_device_can_give_is_refused(tmp_path: Path, what: str) -> None:
    """An integrator types di0 for di_0: the network operator closes the contact, and the site feeds in all the same."""
    change, right = NEVER[what]
    with pytest.raises(Trouble, match=r"site.toml:\d+: grid.signal.0.") as wrong:
        site(tmp_path, signal(**change))
    assert right in str(wrong.value)


def test_w_and_percent_of_one_signal_are_refused(tmp_path: Path) -> None:
    """Which of 60 % and 30 kW is narrower was decided by their numbers: 60 % won against 90 kW at 500 kW of PV."""
    two = signal() + signal(contains="di_1", percent=None, power=30e3).split("[[")[1].join(("[[", ""))
    with pytest.raises(Trouble, match="one signal: give all in W or all in %"):
        site(tmp_path, two)


@pytest.mark.parametrize("percent", [0, 100])
def test_none_and_all_stand_beside_w(tmp_path: Path, percent: int) -> None:
    two = signal(percent=percent) + signal(contains="di_1", percent=None, power=30e3).split("[[")[1].join(("[[", ""))
    assert len(site(tmp_path, two).grid.signal) == 2


def test_a_contact_that_is_open_while_nothing_is_limited_says_so() -> None:
    """EnWG 14a, one relay: open was `not known`, and after a quarter of an hour the safe limit held for ever."""
    keys = {"device": "box", "point": "inputs", "direction": "consumption"}
    signals = GridSignals(
        [
            GridSignal.model_validate(keys | {"contains": "di_3", "power": 4200.0}),
            GridSignal.model_validate(keys | {"lacks": "di_3", "percent": 100.0}),
        ]
    )
    said = []
    for seq, inputs in enumerate(([], ["di_3"], ["di_1"], None), 1):
        values: dict[str, Any] = {} if inputs is None else {"inputs": inputs}
        signals.hear(
            "box", Telemetry(at=NOON + timedelta(seconds=20 * seq), epoch="0" * 16, seq=seq, values=values), 20.0 * seq
        )
        said.append([(one.power, one.percent) for one in signals.words(NOON, 20.0 * seq)])
    assert said == [[(None, 100.0)], [(4200.0, None)], [(None, 100.0)], []], "a box that tells nothing is not open"


# units ---------------------------------------------------------------------------------------------------

ODD: dict[str, tuple[str, str]] = {
    "kW for W of what a battery may be charged with": ("", "battery.0.charge_limit"),
    "kW for W of a signal": (signal(percent=None, power=4.2), "grid.signal.0.power"),
    "a part of 1 for percent": (signal(percent=0.6), "grid.signal.0.percent"),
    "kW for W while nothing is known": ("safe_consumption = 42", "grid.safe_consumption"),
    "a part of 1 while nothing is known": ("safe_feed_in = 0.6", "grid.safe_feed_in"),
}


@pytest.mark.parametrize("what", ODD)
def test_a_limit_in_the_wrong_unit_is_doubted(tmp_path: Path, what: str) -> None:
    lines, place = ODD[what]
    found = site(tmp_path, lines)
    if not lines:
        found = found.model_copy(update={"battery": [found.battery[0].model_copy(update={"charge_limit": 80.0})]})
    assert [where for where, _ in odd_powers(found)] == [place]
    assert not list(odd_powers(load_site(DEMO)))


def test_a_safe_limit_of_devices_is_no_safe_limit_of_the_connection(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`dso_limit` beside contacts: every battery and inverter stood at 60 % for ever, whatever the contacts said."""
    site(tmp_path, signal().replace("safe_feed_in", "dso_limit = 60\nsafe_feed_in", 1))
    assert check(tmp_path / "site.toml") == 0
    assert "warning: grid.dso_limit: every device may give 60 %" in capsys.readouterr().out
    site(tmp_path, signal())
    assert check(tmp_path / "site.toml") == 0
    assert "dso_limit" not in capsys.readouterr().out


# where a mistake stands ----------------------------------------------------------------------------------


def line_of(folder: Path, text: str) -> int:
    return (folder / "site.toml").read_text(encoding="utf-8").splitlines().index(text) + 1


def test_a_mistake_of_a_device_is_found_below_its_own_header(tmp_path: Path) -> None:
    """Every mistake of any device stood at the line of the first signal, which says `device = "box"`."""
    with pytest.raises(Trouble) as wrong:
        site(tmp_path, signal(), '[[device]]\nname = "roof"\nprofile = "sunspec_pv"\naddress = "tcp://127.0.0.1"\n')
    line = line_of(tmp_path, 'address = "tcp://127.0.0.1"')
    assert f"site.toml:{line}: device.5.address" in str(wrong.value)


def test_a_profile_that_does_not_exist_is_named_with_its_device(tmp_path: Path) -> None:
    with pytest.raises(Trouble) as wrong:
        site(tmp_path, "", '[[device]]\nname = "roof"\nprofile = "sunspec_vp"\naddress = "tcp://127.0.0.1:15032"\n')
    line = line_of(tmp_path, 'profile = "sunspec_vp"')
    assert f"site.toml:{line}: device.5.profile: device 'roof': " in str(wrong.value)
    assert "did you mean 'sunspec_pv'?" in str(wrong.value)


# the simulator -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["solis_string", "growatt_tl_x", "sma_data_manager", "sunspec_pv"])
@virtual
async def test_a_simulated_inverter_is_limited_with_and_without_a_register_that_enables_it(profile: str) -> None:
    """One without stayed at 100 %: a site of theirs fed in against export_limit, and its true profile was accused."""
    async with rig(load_site(DEMO), profiles={"pv": profile}) as it:
        await it.tell("pv", p_limit_pct=5.0)
        await asyncio.sleep(30)
        assert await it.look("pv", "p_limit_pct") == pytest.approx(5.0)
        assert it.simulated.world.plant.pv["pv"].p <= 0.05 * 150e3 + 1
        assert it.simulated.world.plant.pv["pv"].available > 0.1 * 150e3


def test_an_end_in_the_past_is_said_in_the_words_of_the_command(tmp_path: Path) -> None:
    """It said: `until` must be later than `at`."""
    wish = limit.Wish(tmp_path, "dso", feed_in="60%", until="2020-01-01")
    with pytest.raises(Trouble, match="--until '2020-01-01' lies in the past: it is 2026-06-"):
        limit.request(wish, load_site(DEMO), NOON)


# scan ----------------------------------------------------------------------------------------------------


def test_a_hybrid_is_proposed_without_the_rack_of_another() -> None:
    """Scan gave the second rack of a battery to the hybrid beside it, as the only guess left."""
    inverter = Found("pcs", Kind.PCS, "sinexcel_pws2", "tcp://a:1", 1, traces={"dc_u": [800.0] * 3})
    hybrid = Found("hyb", Kind.PCS, "sungrow_sh", "tcp://a:2", 1, traces={"dc_u": [800.0] * 3, "soc": [50.0] * 3})
    racks = [Found(f"rack{n}", Kind.BMS, "byd_c130", f"tcp://a:{n}", 1, traces={"u": [800.0] * 3}) for n in (3, 4)]
    found = batteries([inverter, hybrid, *racks])
    assert [[rack.name for rack in one.racks] for one in found] == [["rack3"], []]
    text = site_text([inverter, hybrid, *racks], found, grid_meter([]))
    assert tomllib.loads(text)["battery"][1].keys() == {"name", "pcs", "energy"}
    assert '# rack4 belongs to no PCS that was found: is it a further rack, bms = ["...", "rack4"]' in text


# the page ------------------------------------------------------------------------------------------------

HYBRID = """
[[battery]]
name = "office"
pcs = "hyb"
energy = 25e3

[[device]]
name = "hyb"
profile = "sungrow_sh"
address = "tcp://127.0.0.1:15032"
rated_power = 25e3
"""


@pytest.fixture
def page(tmp_path: Path) -> State:
    text = DEMO.read_text(encoding="utf-8").replace("[battery]", "[[battery]]\nname = 'hall'")
    text = text.replace("../tariff.toml", str(ROOT / "tariff.toml"))
    (tmp_path / "site.toml").write_text(text + HYBRID, encoding="utf-8")
    return State(load_site(tmp_path / "site.toml"))


def test_the_page_shows_the_pv_of_a_hybrid_its_soc_and_how_far_an_inverter_is_limited(page: State) -> None:
    """PV was 12.4 kW in the picture and 2.5 kW in the list: nobody saw where the rest came from."""
    said = Telemetry(at=NOON, epoch="0" * 16, seq=1, values={"p_limit_pct": 60.0})
    fold(page, TELEMETRY, {"site": page.site.site, "device": "pv"}, said, Moment(NOON, 0.0))
    shown = {
        one["device"]: [value["point"] for value in one["values"]] for one in view(page, Moment(NOON, 0.0))["devices"]
    }
    assert shown["hyb"][:3] == ["p", "pv_p", "soc"]
    assert shown["pv"][:2] == ["p", "p_limit_pct"]


def test_what_is_not_known_is_said_once(page: State) -> None:
    held = HeldLimit(
        direction="feed_in", scope="connection_point", power=0.0, authority=Authority.DSO, source="site",
        since=NOON, cause="safe", reason="the signal is not known",
    )  # fmt: skip
    page.limits = ControlLimits(at=NOON, import_limit=500e3, export_limit=0.0, held=[held])
    (said,) = limits(page, Moment(NOON, 0.0))
    assert said.count("the signal is not known") == 1


@pytest.mark.parametrize(("minutes", "holds_on"), [(9, False), (10, True)])
def test_a_limit_whose_end_is_past_holds_on_and_says_so(page: State, minutes: int, holds_on: bool) -> None:
    """While dispatch was down, `until 12:10` stood there all afternoon: bridges hold the last word."""
    held = HeldLimit(
        direction="feed_in", scope="connection_point", power=0.0, authority=Authority.DSO, source="dso",
        since=NOON, until=NOON + timedelta(minutes=10), cause="asked",
    )  # fmt: skip
    page.limits = ControlLimits(at=NOON, import_limit=500e3, export_limit=0.0, held=[held])
    (said,) = limits(page, Moment(NOON + timedelta(minutes=minutes), 0.0))
    assert ("which is past: it holds until dispatch ends it" in said) is holds_on


@pytest.mark.parametrize(
    ("inputs", "words"), [(["di_1", "di_2"], "inputs says di_1, di_2"), ([], "inputs says nothing")]
)
def test_contacts_are_said_in_words(inputs: list[str], words: str) -> None:
    """The page said ['di_1']."""
    which = {"contains": "di_1"} if inputs else {"lacks": "di_1"}
    keys = {"device": "box", "point": "inputs", "direction": "feed_in", "percent": 60.0} | which
    signals = GridSignals([GridSignal.model_validate(keys)])
    signals.hear("box", Telemetry(at=NOON, epoch="0" * 16, seq=1, values={"inputs": inputs}), 0.0)
    assert [one.reason for one in signals.words(NOON, 0.0)] == [words]


# what cannot be written down -----------------------------------------------------------------------------


def test_a_demand_charge_per_year_can_be_written() -> None:
    """The usual one in Germany, of the highest window of a year: a twelfth a month values a new peak at a twelfth."""
    Tariff.model_validate({"import": {"period": [{"price": 0.3}]}, "demand": {"price": 140.0, "per": "year"}})


def test_several_grid_meters_add_up(tmp_path: Path) -> None:
    """Two transformers, each with its meter: issue 9, section 1. It was `should be text`; now page and alarms know the
    sum as any device, and say which meter it lacks."""
    second = '[[device]]\nname = "south"\nprofile = "siemens_pac2200"\naddress = "tcp://127.0.0.1:15033"\n'
    text = DEMO.read_text(encoding="utf-8").replace('meter = "meter"', 'meter = ["meter", "south"]') + second
    (tmp_path / "site.toml").write_text(text.replace("../tariff.toml", str(ROOT / "tariff.toml")), encoding="utf-8")
    state = State(load_site(tmp_path / "site.toml"))
    state.broker = True
    sample = Telemetry(at=NOON, epoch="0" * 16, seq=1, values={"p": 42e3, "e_import": 7e6})
    place = {"site": state.site.site, "device": "grid"}
    fold(state, TELEMETRY, place, sample, Moment(NOON, 0.0))
    shown = {one["device"]: one for one in view(state, Moment(NOON, 1.0))["devices"]}["grid"]
    assert (shown["kind"], shown["model"]) == ("meter", "their sum")
    assert (shown["values"][0]["value"], shown["values"][0]["state"]) == (42e3, "live")
    rules = watched(state.site, load_catalog()).rules
    assert {f"meter_silent-{name}" for name in ("meter", "south", "grid")} <= rules.keys()
