"""`joulebus check` opens everything that a site file names and walks it: a table of what people mistype."""

import re
from pathlib import Path

import pytest

from joulebus.alarm_pages import OWN_RULES
from joulebus.cli import main

SITE = """\
site = "works"
time_zone = "Europe/Berlin"
tariff = "tariff.toml"

[grid]
meter = "grid"
import_limit = 500_000
export_limit = 100_000

[[battery]]
pcs = "pcs"
bms = "bms"
energy = 200_000
ramp = 20_000
fallback = 0

[[device]]
name = "pcs"
profile = "sinexcel_pws2"
address = "tcp://192.0.2.1:502"
rated_power = 100_000

[[device]]
name = "bms"
profile = "pylontech_powercube_m2"
address = "tcp://192.0.2.2:502"

[[device]]
name = "grid"
profile = "janitza_umg96rme"
address = "tcp://192.0.2.3:502"

[[device]]
name = "pv"
profile = "sunspec_pv"
address = "tcp://192.0.2.4:502"
rated_power = 60_000
"""
TARIFF = """\
[[import.period]]
price = 0.30
start = "07:00"
end = "22:00"

[[import.period]]
price = 0.20

[export]
period = [{ price = 0.05 }]

[demand]
price = 12.5
"""
MARKET = """\
[import.day_ahead]
file = "prices.csv"
"""
PRICES = "timestamp_utc,price_eur_per_mwh\n" + "".join(
    f"2037-0{month}-{day:02}T{hour:02}:00:00Z,{80 + hour}\n"
    for month in (1,)
    for day in range(1, 3)
    for hour in range(24)
)


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> "Check":
    return Check(tmp_path, capsys)


class Check:
    """A site in a folder, and what is said of it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys

    def of(self, site: str = SITE, tariff: str = TARIFF, prices: str | None = None) -> tuple[int, str]:
        for name, text in (("site.toml", site), ("tariff.toml", tariff), ("prices.csv", prices)):
            if text is not None:
                (self.folder / name).write_text(text, encoding="utf-8")
        code = main(["check", str(self.folder / "site.toml")])
        said = self.capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out + said.err


def test_how_long_the_archive_keeps_what_is_said(check: Check) -> None:
    said = check.of(SITE + "\n[retention]\nraw_days = 30\nyears = 0\naction_days = 0\nevent_years = 1\n")[1]
    says = "samples 30 days, minutes 400 days, quarter-hours, hours and energies for ever, commands for ever"
    assert f"keeps {says}, all plans 30 days, alarms 1 years\n" in said


def test_a_right_site_is_good_without_a_word(check: Check) -> None:
    code, said = check.of()
    assert (code, "warning" in said) == (0, False), said


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("rated_power = 100_000", "rated_power = 100", r":21: .* device\.0\.rated_power: device pcs: 100 is in W"),
        ("rated_power = 60_000", "rated_power = 60", r":37: warning: device\.3\.rated_power: device pv: 60 is in W"),
        ("import_limit = 500_000", "import_limit = 500", r":7: warning: grid\.import_limit: 500 is in W: for 500 kW"),
        ("import_limit = 500_000", "import_limit = 999.5", r"grid\.import_limit: 999\.5 is in W"),
        ("export_limit = 100_000", "export_limit = 100", r":8: warning: grid\.export_limit: 100 is in W"),
        ("energy = 200_000", "energy = 200", r":13: warning: battery\.0\.energy: 200 is in Wh: for 200 kWh"),
        ("energy = 200_000", "energy = 4_000", r"battery\.0\.energy: 100000 W would empty 4000 Wh in 0\.04 h"),
        ("energy = 200_000", "energy = 200_000_000", r"battery\.0\.energy: 100000 W would empty 2e\+08 Wh in 2000 h"),
        ("ramp = 20_000", "ramp = 20", r":14: warning: battery\.0\.ramp: 20 W/s takes 83 min to 100000 W: for 20 kW/s"),
        ("rated_power = 100_000", "rated_power = 100_000\nrated_apparent_power = 110",
         r"rated_apparent_power: device pcs: 110 is in VA: for 110 kVA write 110000"),
        ("import_limit = 500_000", "import_limit = 500_000\nreactive = { q = 20 }",
         r"grid\.reactive\.q: 20 is in var: for 20 kvar write 20000"),
        ("fallback = 0", "fallback = 0\nwear = 2", r":16: warning: battery\.0\.wear: 2 is in EUR .* cents write 0\.02"),
        ("fallback = 0", "fallback = -5", r"battery\.0\.fallback: -5 is in W: for -5 kW write -5000"),
    ],
    ids=lambda text: str(text)[:32],
)  # fmt: skip
def test_kilowatts_typed_for_watts_are_named(check: Check, old: str, new: str, says: str) -> None:
    code, said = check.of(SITE.replace(old, new, 1))
    assert code == 0
    assert re.search(says, said), said


def test_a_small_house_is_not_suspected(check: Check) -> None:
    small = {"500_000": "14_000", "100_000": "800", "energy = 200_000": "energy = 5_000", "60_000": "600"}
    text = SITE.replace("rated_power = 100_000", "rated_power = 3_000")
    for old, new in small.items():
        text = text.replace(old, new)
    code, said = check.of(text)
    assert (code, re.findall(r".*warning.*", said)) == (0, [])


ALARM = '\n[[alarm]]\nname = "mine"\n'


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (ALARM + 'kind = "meter"\npoint = "p"\nabove = 450\n', r":43: warning: alarm\.0\.above: .*450 is in W"),
        (ALARM + 'device = "pcs"\npoint = "p"\nabove = 90\n', r"alarm mine of pcs: 90 is in W: for 90 kW"),
        (ALARM + 'device = "bms"\npoint = "cell_t_max"\nabove = 45\non_delay = 9\n',
         r"cell_t_max > 45 degC of device bms raises both cell_temperature_high-bms and mine-bms: .* name = \"cell_t"),
        (ALARM + 'device = "pcs"\nabove = 90e3\n' + ALARM.replace("mine", "ours") + 'kind = "pcs"\nabove = 90e3\n',
         r"p > 90000 W of device pcs raises both mine-pcs and ours-pcs: keep one"),
        (ALARM + 'device = "pcs"\npoint = "state"\nequals = "fault"\n', r"both pcs_fault-pcs and mine-pcs"),
        (ALARM + 'device = "bms"\npoint = "soc"\nabove = 100\n', r"soc above 100 is never reached"),
        (ALARM + 'device = "bms"\npoint = "soc"\nbelow = 101\n', r"soc is always below 101: its profile"),
    ],
    ids=["kW of a meter", "kW of a PCS", "a shipped one again", "two of the site", "a state", "never", "always"],
)  # fmt: skip
def test_rules_that_do_not_fit_are_named(check: Check, rules: str, says: str) -> None:
    code, said = check.of(SITE + rules)
    assert code == 0
    assert re.search(says, said), said


HOT = 'device = "bms"\npoint = "cell_t_max"\nabove = 45\n'


@pytest.mark.parametrize(
    ("rules", "place", "says"),
    [
        (ALARM + HOT + "hold = 9\n", "hold", "`hold` is called `on_delay` now; this version still reads it"),
        (ALARM + HOT + "off = 9\n", "off", "`off` is called `off_delay` now"),
        (ALARM + HOT + 'text = "Look."\n', "text", "`text` is called `response` now"),
        (ALARM + HOT + "clear = 42.5\n", "clear", "is a distance from the limit now: write deadband = 2.5"),
    ],
    ids=["hold", "off", "text", "clear"],
)
def test_a_key_of_the_version_before_is_read_and_named(check: Check, rules: str, place: str, says: str) -> None:
    code, said = check.of(SITE + rules)
    line = (SITE + rules).splitlines().index(next(one for one in rules.splitlines() if one.startswith(place))) + 1
    assert code == 0
    assert f"site.toml:{line}: warning: alarm.0.{place}: {says}" in said


def test_the_rules_of_the_documents_are_good(check: Check) -> None:
    """The example in docs/alarms.md, as it stands there."""
    code, said = check.of(SITE + OWN_RULES)
    assert (code, "warning" in said) == (0, False), said


FINE = '\n[[alarm]]\nname = "fine"\ndevice = "bms"\npoint = "soc"\nbelow = 5\n'


@pytest.mark.parametrize(
    ("rules", "key", "says"),
    [
        (ALARM + HOT.replace('"bms"', '"bsm"'), "device", "device 'bsm' does not exist; did you mean 'bms'?"),
        (ALARM + HOT.replace("cell_t_max", "cell_t_mxa"), "point", "point 'cell_t_mxa' of device 'bms' does not exist"),
        (ALARM + HOT.replace("cell_t_max", "alarms"), "point", "a number that the point says: 'alarms' of"),
        (ALARM + HOT + "deadband = 200\n", "deadband", "with 200 the alarm returns to normal only below -155"),
        (ALARM + HOT + "clear = 50\n", "", "clear = 50 is on the wrong side of above = 45.*such as deadband = 5"),
        (ALARM + HOT + 'text = "Look."\nresponse = "Look."\n', "", "`text` is called `response` now, .*: take"),
        (ALARM + HOT + "clear = 40\ndeadband = 5\n", "", "`clear` has become `deadband`, .*: take `clear` out"),
        (ALARM + HOT + 'suppressed_by = ["soc_lwo"]\n', "suppressed_by", "'soc_lwo' does not exist; .*'soc_low'"),
        (ALARM + HOT + 'suppressed_by = ["mine"]\n', "suppressed_by", "mine -> mine is a cycle: each would hide"),
        (ALARM + HOT + ALARM + HOT.replace("45", "44"), "name", "another rule 'mine' for device 'bms' above"),
        (ALARM + HOT + 'chemistry = ["nmc"]\n', "chemistry", "the cells of 'bms' are not told .* rule is for nmc"),
        (ALARM + 'device = "bms"\nwhen = "u > 5 A"\n', "when", "of device 'bms': column .*V.*A"),
        (ALARM + 'device = "bms"\nwhen = "u > "\n', "when", "of device 'bms': column 4: a point, a number or"),
        (ALARM + HOT + "suppress_when = \"soc < 'full'\"\n", "suppress_when", "of device 'bms': column"),
        (ALARM + 'device = "bms"\n', "", "give exactly one of when, above, below"),
    ],
    ids=lambda text: str(text)[-24:],
)  # fmt: skip
def test_a_wrong_alarm_rule_is_refused_with_its_line_and_the_rest_is_good(
    check: Check, rules: str, key: str, says: str
) -> None:
    text = SITE + FINE + rules
    code, said = check.of(text)
    assert code == 1
    found = re.search(rf"site\.toml:(\d+): alarm\.(\d)\.?{key}: .*{says}", said)
    assert found, said
    line = text.splitlines()[int(found[1]) - 1]
    assert line.startswith(key) if key else line == "[[alarm]]"
    assert "without 1 of its alarm rules it is good" in said
    assert found[2] != "0", "the one that is fine runs"


def test_all_wrong_alarm_rules_are_named_beside_what_else_is_wrong(check: Check) -> None:
    two = ALARM + HOT.replace("cell_t_max", "x") + ALARM.replace("mine", "ours") + HOT.replace('"bms"', '"b"')
    code, said = check.of(SITE + two + '\n[[rule]]\nname = "empty"\n')
    assert code == 1, "what else is wrong weighs more"
    assert re.search(r"alarm\.0\.point.*\n.*alarm\.1\.device", said)
    assert "rule.0" in said


def test_a_limit_of_a_few_watts_is_not_suspected(check: Check) -> None:
    assert "warning" not in check.of(SITE + ALARM + 'kind = "pv"\nabove = 1\n')[1]


def test_a_rule_that_replaces_a_shipped_one_is_no_double(check: Check) -> None:
    rule = ALARM.replace("mine", "cell_temperature_high") + 'kind = "bms"\npoint = "cell_t_max"\nabove = 45\n'
    assert "warning" not in check.of(SITE + rule)[1]


def test_a_device_that_a_rule_means_and_cannot_watch_is_named(check: Check) -> None:
    more = '\n[[device]]\nname = "bms2"\nprofile = "byd_c130"\naddress = "tcp://192.0.2.9:502"\n'
    rule = ALARM + 'kind = "bms"\npoint = "t"\nabove = 50\n'
    code, said = check.of(SITE + more + rule)
    assert code == 0
    assert "alarm mine: device bms2 (byd_c130) is not watched: point 't' of device 'bms2' does not exist" in said


@pytest.mark.parametrize(
    ("device", "poll", "says"),
    [
        ("bms", 30, r"device bms: a poll of 30 s is too slow .*its limits count for 75 s after it .*; 2 s or less"),
        ("grid", 5, r"device grid: a poll of 5 s is too slow"),
    ],
)  # fmt: skip
def test_a_poll_beyond_its_freshness_limit_is_named(check: Check, device: str, poll: int, says: str) -> None:
    code, said = check.of(SITE.replace(f'name = "{device}"', f'name = "{device}"\npoll = {poll}.0'))
    assert code == 0
    assert re.search(says, said), said


FIRE = """
[[device]]
name = "fire"
profile = "fire_box"
address = "tcp://192.0.2.9:502"
poll = 30.0
"""
FIRE_BOX = """\
make = "ACME"
model = "box"
kind = "sensor"
source = "manual"
[points]
fire = { register = 0, enum = { 0 = "alarm", 1 = "normal" } }
"""


def test_a_fire_detector_that_is_read_seldom_is_named(check: Check) -> None:
    (check.folder / "profiles").mkdir()
    (check.folder / "profiles" / "fire_box.toml").write_text(FIRE_BOX, encoding="utf-8")
    silent = ALARM + 'device = "fire"\nsilent = 20\n'
    code, said = check.of(SITE + FIRE + silent)
    assert code == 0
    assert "warning: device fire: a poll of 30 s: its interlocks act up to 30 s late; 2 s or less would be" in said
    assert "is read each 30 s, so its silence is raised after 75 s, not 20; a poll of 8 s would be right" in said
    quick = FIRE.replace("30.0", "1.0")
    assert "warning" not in check.of(SITE + quick + silent)[1]


@pytest.mark.parametrize(
    ("tariff", "code", "says"),
    [
        (TARIFF.replace("0.30", "30"), 0, r":2: warning: import\.period\.0\.price: 30 is .* of 30 cents write 0\.3"),
        (TARIFF.replace("12.5", "150"), 0, r"demand\.price: 150 is per kW and month"),
        (TARIFF.replace("12.5", "140"), 0, r'140 is per kW and month: a price per kW and year .* per = "year"'),
        (TARIFF.replace("12.5", "0.12"), 0, r"0\.12 is per kW and month: it is no price of a kWh"),
        (TARIFF + 'per = "year"\n', 0, r"good"),
        (TARIFF.replace("12.5", '14e3\nper = "year"'), 0, r"14000 is per kW and year: write what one kW costs"),
        (TARIFF.replace("12.5", '0.3\nper = "year"'), 0, r"0\.3 is per kW and year: it is no price of a kWh"),
        (TARIFF + "year_begins = 4\n", 1, r'year_begins is the month .*: write per = "year" beside it'),
        (TARIFF + 'per = "year"\nyear_begins = 13\n', 1, r"year_begins"),
        (TARIFF + 'per = "annual"\n', 1, r"demand\.per: .*month.*year"),
        (TARIFF + "[[demand.known]]\npeak = 412\non = 2020-02-11\n", 0, r"good"),
        (TARIFF + "[[demand.known]]\npeak = 412e3\non = 2020-02-11\n", 0, r"412000 kW is far more than import_limit"),
        (TARIFF + "[[demand.known]]\npeak = 412\non = 2999-02-11\n", 0, r"2999-02-11 is still to come"),
        (TARIFF + "[[demand.known]]\npeak = 412\non = 'May'\n", 1, r"known\.0\.on: 'May' is no day: write it such as"),
        (TARIFF + "floor = 2500\n", 0, r"demand\.floor: 2500 kW is more than import_limit, 500 kW: the floor is in kW"),
        (TARIFF.replace("price = 0.20", 'price = 0.20\nend = "06:59"\nstart = "22:00"'), 1,
         r"(?s):1: import\.period: 366 min of a year have no price: 06:59-07:00 every day; .*:8: .* end = \"07:00\""),
        (TARIFF.replace("price = 0.20", 'price = 0.20\nend = "08:00"\nstart = "21:00"'), 0,
         r"import\.period\.0: overlaps period 2, on \w+ 07:00-08:00: there the first in the file holds, 0\.3"),
        (TARIFF.replace("price = 0.30", "price = 0.3\n[[import.period]]\nprice = 0.31"), 0, r"period\.2: never holds"),
        ('holidays = ["2020-01-01"]\n' + TARIFF, 0, r":1: warning: holidays: names no day of 20\d\d.*: add those"),
        ('holidays = ["01-01", "easter-2"]\n' + TARIFF, 0, r"good"),
        ('holidays = ["xmas"]\n' + TARIFF, 1, r"tariff\.toml:1: holidays\.0: 'xmas' is no holiday: write it such as"),
        (TARIFF.replace('"22:00"', "22"), 1, r":4: import\.period\.0\.end: 22 is no time of the clock: write it"),
        (TARIFF.replace('"22:00"', '"22:00Z"'), 1, r"'22:00Z' is no time of the clock: .* without a zone"),
        (TARIFF.replace('"22:00"', '"25:00"'), 1, r"'25:00' is no time of the clock"),
        (TARIFF.replace('"22:00"', '"24:00"'), 0, r"good"),
        (TARIFF.replace('"07:00"', '"7:00"').replace('"22:00"', "22:00:00"), 0, r"good"),
        (TARIFF.replace('start = "07:00"', 'days = ["mo"]'), 1, r"days\.0: 'mo' is not known; did you mean 'mon'"),
    ],
    ids=["cents", "per year", "a year's price", "a price of energy", "by the year", "cents of a year", "kWh of a year",
         "a month begins", "month 13", "annual", "known", "known in W", "known too soon", "no day of a known",
         "W of a floor", "a hole", "an overlap", "never", "holidays end", "rules do not",
         "no holiday", "an hour", "a zone", "25 h", "24 h", "7:00", "no day"],
)  # fmt: skip
def test_a_tariff_is_walked(check: Check, tariff: str, code: int, says: str) -> None:
    done, said = check.of(tariff=tariff)
    assert done == code, said
    assert re.search(says, said), said
    assert done or "good" in said


@pytest.mark.parametrize(
    ("prices", "code", "says"),
    [
        (PRICES, 0, r"import     prices of prices\.csv: 48 prices from 2037-01-01 01:00 to .* 80\.00 to 103\.00 EUR"),
        (PRICES + PRICES.partition("\n")[2], 0, r"48 repeated"),
        (PRICES.replace("T05:00:00Z,85", "T05:00:00Z,"), 0, r"2 times the price before holds on in a hole of its day"),
        (PRICES.replace(",8", ",-8"), 0, r"20 negative"),
        (PRICES.replace(",8", ",0.08").replace(",9", ",0.09").replace(",1", ",0.1"), 0,
         r"warning: import\.day_ahead\.file: prices\.csv: its prices are about 9\.\d+e-05 EUR per kWh: name the"),
        (PRICES.replace("per_mwh", "per_kwh"), 0, r"its prices are about 91\.5 EUR per kWh"),
        (PRICES.replace("2037", "2026"), 0,
         r"tariff\.toml:1: warning: import\.day_ahead: prices.csv has no price for .* nor for the eight"),
        (PRICES + "2037-01-06T12:00:00Z,90\n", 0,
         r"tariff\.toml:2: warning: .*prices\.csv: 84 h are missing, from 2037-01-03 01:00 to 2037-01-06 13:00: put"),
        (PRICES.replace("T05:00:00Z,85", "T05:00:00Z,85000", 1), 0,
         r":2: warning: .*prices\.csv:7: 2037-01-01 05:00Z has 85000 EUR per MWh, .*decimal point lost"),
        (PRICES.replace("2037-01-02", "2037-02-02"), 0, r"744 h are missing"),
        (PRICES.replace("eur", "sek"), 1, r"prices\.csv:1: its prices are in SEK and the tariff is in EUR: get"),
        ("<html>no</html>", 1, r"prices\.csv:1: a page of HTML, not prices"),
        ("timestamp_utc,price_eur_per_mwh\n", 1, r"prices\.csv has no price"),
        (PRICES.replace("timestamp_utc", "time"), 1, r"prices\.csv:1: not .*: the header has time,"),
        (PRICES.replace("2037-01-02T05:00:00Z", "2037-13-02"), 1, r"prices\.csv:31: not .*2037-13-02"),
    ],
    ids=["right", "appended", "a hole", "negative", "EUR/kWh", "EUR/MWh", "ended", "half a week", "a lost point",
         "a month", "another currency", "HTML", "empty", "header", "a line"],
)  # fmt: skip
def test_a_price_file_is_opened(check: Check, prices: str, code: int, says: str) -> None:
    done, said = check.of(tariff=MARKET, prices=prices)
    assert done == code, said
    assert re.search(says, said), said


@pytest.mark.parametrize(
    ("day_ahead", "code", "says"),
    [
        ("topic = true", 0, r"import     prices of the topic market/prices\n"),
        ('file = "prices.csv"\ntopic = true', 0, r"import     prices of the topic market/prices and prices\.csv\n"),
        ('fetch = { from = "entsoe" }\narea = "DE-LU"', 0, r"prices of what is fetched from entsoe"),
        (
            'fetch = { from = "entsoe" }\narea = "Atlantis"',
            0,
            r":3: warning: import\.day_ahead\.area: Atlantis is no bid",
        ),
        ('fetch = { from = "entsoe" }', 1, r"fetch needs the area"),
        ('fetch = { from = "epex" }\narea = "AT"', 1, r"fetch\.from: 'epex' is not known; there is: entsoe, awattar"),
        ('fetch = { from = "tibber", url = "http://x.example" }', 1, r"is no https:// address"),
        ("plus = 0.1", 1, r'give file = "\.\.\.", topic = true, or fetch'),
        ('file = "none"', 1, r"none does not exist"),
        (
            'file = "none"\n[export.day_ahead]\nfile = "other"',
            1,
            r"import\.\S+ \S+none does .*\n.*export\.\S+ \S+other do",
        ),
        ('file = "*.toml"', 1, r"site\.toml:\d.*\n.*/tariff\.toml"),
        ('file = "prices.csv"\npart = "tax"', 1, r"part: 'tax' is not known; there is: energy, total"),
    ],
)
def test_where_prices_come_from_is_said(check: Check, day_ahead: str, code: int, says: str) -> None:
    done, said = check.of(tariff=f"[import.day_ahead]\n{day_ahead}\n", prices=PRICES)
    assert done == code, said
    assert re.search(says, said), said


# the grid connection --------------------------------------------------------------------------------------

BOX = """
[[device]]
name = "box"
profile = "moxa_iologik_e1210"
address = "tcp://192.0.2.9:502"
"""
SIGNAL = '[[grid.signal]]\ndevice = "box"\npoint = "inputs"\n'
STEP = SIGNAL + 'contains = "di_0"\ndirection = "feed_in"\npercent = 30\n'
OPEN = SIGNAL + 'lacks = "di_0"\ndirection = "feed_in"\npercent = 100\n'
SAFE = "export_limit = 100_000\nsafe_feed_in = 30\n"


def with_grid(lines: str, more: str = "") -> str:
    """The site with more of its grid, and with a box."""
    return SITE.replace("export_limit = 100_000\n", lines) + more + BOX


@pytest.mark.parametrize(
    ("site", "says"),
    [
        (SITE, r"grid       import up to 500 kW, export up to 100 kW\n"),
        (SITE.replace("100_000\n\n[[b", "200_000\n\n[[b"),
         r"200 kW \(never binds: PV and batteries give 160 kW at mo"),
        (SITE.replace("export_limit = 100_000", "export_limit = 0"),
         (r", no export\n +PV of 60 kW is curtailed when it "
         r"must be, a step is answered within 4 s; untold each may give 0 %")),
        (SITE, r"limits may be sent by nobody: command_sources names no other than dispatch with operator, dso or"),
        ('command_sources = { dispatch = "operator", scada = "dso" }\n' + SITE, r"may be sent by scada \(dso\)"),
        ('mode = "read_only"\n' + SITE, r"the site is only watched"),
        (with_grid(SAFE, STEP + OPEN), (r"first the last one for 900 s: feed-in 30 % \(18 kW\)\n"
         r" +box\.inputs has di_0: feed-in 30 %\n +box\.inputs has no di_0: feed-in is not limited\n")),
        (SITE + "[grid.reactive]\npower_factor = 0.95\n", r"reactive power: power_factor 0\.95"),
        (with_grid("export_limit = 0\ndso_limit = 60\ndso_hold = 60\n"), (r"each device gives 60 % at most until it is "
         r"told, and 60 s after that")),
    ],
    ids=["limits", "never", "curtailed", "nobody", "who", "watched", "signals", "reactive", "each device"],
)  # fmt: skip
def test_what_will_hold_at_the_grid_is_said(check: Check, site: str, says: str) -> None:
    code, said = check.of(site)
    assert code == 0
    assert re.search(says, said), said


@pytest.mark.parametrize(
    ("site", "says"),
    [
        (with_grid(SAFE.replace("30", "100").replace("100_000", "50_000"), STEP + OPEN),
         r":9: warning: grid\.safe_feed_in: 100 % are 60 kW, more than export_limit, 50 kW: .* narrows nothing"),
        (SITE.replace("100_000\n\n[[b", "100_000\nsafe_consumption = 600_000\n\n[[b"),
         r":9: warning: grid\.safe_consumption: 600 kW is not less than import_limit, 500 kW"),
        (SITE.replace("500_000", "80_000"), r":7: warning: grid\.import_limit: the batteries can draw 100 kW, more"),
        (with_grid(SAFE), r":9: warning: grid\.safe_feed_in: it holds always: no signal tells it, and command_sources"),
        ('command_sources = { dispatch = "operator", scada = "dso" }\n' + with_grid(SAFE),
         r"warning: grid: scada may limit consumption, and nothing says what holds .*: give safe_consumption"),
        (with_grid("export_limit = 0\n").replace('name = "pv"', 'name = "pv"\npoll = 10'),
         r":8: warning: grid\.export_limit: nothing may be fed in, .* answered after 13 s: pv is read each 10 s; 2 s"),
        (with_grid(SAFE, STEP + OPEN + STEP), r"grid\.signal\.2\.contains: box\.inputs has di_0 is signal 1 already"),
        (with_grid(SAFE, STEP), r"grid\.signal\.0: no signal says that feed_in is not limited: .* safe_feed_in holds"),
        (with_grid(SAFE, STEP + OPEN) + "poll = 30\n",
         r"grid\.signal\.0\.device: device box is read each 30 s, so its limits come up to 30 s late; 2 s or less"),
        (SITE.replace("export_limit = 100_000", "export_limit = 0\ncurtail = false"),
         r"pv can feed in 60 kW, export_limit is 0 kW, and nobody limits it: grid\.curtail is false"),
    ],
    ids=["safe feed-in", "safe consumption", "batteries", "always", "unguarded", "late", "twice", "unsaid", "slow box",
         "not limited"],
)  # fmt: skip
def test_what_can_hardly_be_meant_of_the_grid_is_named(check: Check, site: str, says: str) -> None:
    code, said = check.of(site)
    assert code == 0
    assert re.search(says, said), said


def test_a_grid_with_signals_that_fit_is_good_without_a_word(check: Check) -> None:
    code, said = check.of(with_grid(SAFE, STEP + OPEN))
    assert (code, "warning" in said) == (0, False), said


def test_a_signal_of_a_device_that_is_missing_is_refused(check: Check) -> None:
    code, said = check.of(SITE.replace("export_limit = 100_000\n", SAFE) + STEP + OPEN)
    assert code == 1
    assert re.search(r":\d+: grid\.signal\.0\.device: grid\.signal names device 'box'; there is: ", said), said
