"""What `joulebus check` says of demands, layers and monthly charges: the file, the field, and what would be right."""

import re
from pathlib import Path

import pytest

from tests.joulebus.test_check import SITE, Check

ENERGY = "import.period = [{ price = 0.2 }]\n"
KNOWN = 'known = [{ peak = 300, on = "2025-01-20" }]\n'
RATCHET = "[demand]\nprice = 9\nratchet = { share = 0.8, months = 11 }\n"
WORK = '{ days = ["mon", "tue", "wed", "thu", "fri"], start = "16:00", end = "20:00" }'
CONTRACT = "[demand]\ncontract = { power = 200, price = 2, penalty = 5 }\n"
LAYER = 'import.layer = [{ name = "VAT", percent = 19.0 }]\n'


@pytest.mark.parametrize(
    ("tariff", "code", "says"),
    [
        ('[[demand]]\nname = "a"\nprice = 9\n[[demand]]\nname = "b"\nprice = 0.1\n', 0,
         r":7: warning: demand\.1\.price: 0\.1 is per kW and month: it is no price of a kWh"),
        ("[[demand]]\nprice = 9\n[[demand]]\nprice = 1\n", 1, r'two \[\[demand\]\] are called "demand": give each its'),
        ('[[demand]]\nname = "Peak"\nprice = 9\n[[demand]]\nname = "peak"\nprice = 8\n', 0,
         r'demand\.1\.name: "peak" and "Peak" are two: on a bill nobody tells them apart'),
        ("[demand]\nfloor = 2\n", 1, r":2: demand: price is missing: what a kW costs; only beside a contract it may b"),
        ("[demand]\nprice = 9\nhours = [{ days = [] }]\n", 0, r":4: warning: demand\.hours\.0: never hold: no window "),
        ('[demand]\nprice = 9\nhours = [{ start = "16:05", end = "16:10" }]\n', 0, r"hours\.0: never hold: no window "),
        ("[demand]\nprice = 9\nhours = [{ months = [1] }, " + WORK.replace("{ ", "{ months = [1], ") + "]\n", 0,
         r"hours\.1: say nothing new: those before cover all of them"),
        ("[demand]\nprice = 9\nhours = [{}]\n", 0, r"hours: hold always: leave them out"),
        ("[demand]\nprice = 9\nhours = [" + WORK + "]\n", 0, r"9 EUR per kW .* 16:00-20:00 mon, tue, wed, thu, fri\n"),
        ("[demand]\nprice = 9\nratchet = { share = 0.8 }\n", 1, r":4: demand\.ratchet\.months: is missing"),
        ("[demand]\nprice = 9\nratchet = { share = 80, months = 11 }\n", 1, r"demand\.ratchet\.share: .*less than or "),
        (RATCHET.replace("11", "1") + KNOWN, 0, r"demand\.ratchet\.months: 1: most bills look back at 11 or 12 months"),
        (RATCHET, 0, r"demand\.known: names no peak: what earlier months ratchet is known only from when it is measur"),
        (RATCHET + KNOWN, 0, r"at least 80% of the highest of 11 months before; billed already: 300 kW on 2025-01-20"),
        (RATCHET + KNOWN + 'per = "year"\n', 1, r'ratchet counts months: write per = "month"'),
        (RATCHET.replace("11 }", "11, made_in = [7] }") + KNOWN + "hours = [{ months = [1] }]\n", 0,
         r"demand\.ratchet\.made_in: no window of July counts: this ratchet never holds"),
        (CONTRACT.replace("200", "200e3"), 0, r"demand\.contract\.power: 200000 kW is far more than import_limit, 500"),
        (CONTRACT.replace("200", "0.2"), 0, r"demand\.contract\.power: 0\.2 kW is hardly a part of import_limit, 500"),
        (CONTRACT + "floor = 300\n", 0, r"demand\.floor: 300 kW is above the contract of 200 kW"),
        (CONTRACT.replace(", penalty = 5", ""), 0, r"demand\.contract: nothing keeps the site below it: give it a pen"),
        (CONTRACT.replace("penalty = 5", "penalty = 500"), 0, r"contract\.penalty: 500 is per kW and month"),
        (CONTRACT, 0, r"200 kW contracted at 2 EUR each, 5 for each kW beyond it\n"),
        ("[demand]\nprice = 9\nsliding = 10\n", 1, r"sliding = 10 does not divide 15 min into parts"),
        ("[reactive]\nprice = 5\n", 0, r"reactive\.price: 5 is in EUR per kvarh: of 5 cents write 0\.05"),
        (LAYER.replace("19.0", "0.19"), 0, r"import\.layer\.0\.percent: 0\.19 is in %: for 19 % write 19"),
        (LAYER.replace("percent = 19.0", "price = 14"), 0, r"import\.layer\.0\.price: 14 is .* of 14 cents write 0\.1"),
        (LAYER.replace("percent = 19.0", "period = []"), 1, r"the layer 'VAT' has no price: give one of period, day_a"),
        (LAYER.replace("19.0", "19.0, price = 0.1"), 1, r"the layer 'VAT' has price and percent: give one of"),
        (LAYER.replace("percent = 19.0", 'period = [{ price = 0.1, end = "12:00" }]'), 1,
         r"import\.layer\.0\.period: 263520 min of a year have no price: 12:00-24:00 every day"),
        ('import.unpaid = { day_ahead = { file = "prices.csv" } }\n', 1, r"import\.unpaid: only what is fed in can be"),
        ('export.unpaid = { day_ahead = { file = "none.csv" } }\n', 1, r"export\.unpaid\.day_ahead\.file: .* does not"),
        ("fixed = 12\nminimum = 50\n", 0, r"fixed +12 EUR a month\n +minimum +50 EUR a month"),
    ],
    ids=["a kWh", "two of a name", "hardly two", "no price", "no day", "between windows", "twice", "always", "hours",
         "no months", "80", "one month", "unknown", "ratchet", "of a year", "of no month", "W", "MW", "floor",
         "nothing", "year's penalty", "contract", "sliding", "kvarh", "a part of 1", "cents", "no layer", "two layers",
         "a hole", "unpaid import", "no file", "by the month"],
)  # fmt: skip
def test_a_tariff_is_read_aloud(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tariff: str, code: int, says: str
) -> None:
    done, said = Check(tmp_path, capsys).of(SITE, ENERGY + tariff)
    assert done == code, said
    assert re.search(says, said), said
