"""The commands that look into the archive, as a person types them, on both databases."""

import asyncio
import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from consumers.archive.migrate import migrate
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from joulebus.cli import main
from joulebus.export import moment
from runtime.database import engine
from runtime.heard import Heard
from schemas import messages as m
from schemas import tables, topics
from schemas.site_file import load_site
from schemas.troubles import Trouble
from schemas.units import utc_now

DEMO = Path(__file__).parents[2] / "tests" / "one_battery.toml"
START = datetime(2026, 6, 1, tzinfo=UTC)
SPAN = ["--from", "2026-06-01T00:00+00:00", "--to", "2026-06-01T04:00+00:00"]
COUNT = 1440
Joulebus = Callable[..., tuple[int, str]]


@pytest.fixture
def url(archive_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated database, which the commands use."""
    monkeypatch.setenv("JOULEBUS_DATABASE", archive_url)
    return archive_url


@pytest.fixture
def joulebus(capsys: pytest.CaptureFixture[str]) -> Joulebus:
    """Runs a command: its exit code and what it said."""

    def run(*words: str) -> tuple[int, str]:
        code = main([*words, "--site", str(DEMO)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.mark.parametrize("words", [["gaps"], ["journal", "verify"], ["archive", "status"]])
def test_who_only_looks_makes_no_database(
    words: list[str], joulebus: Joulebus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEBUS_DATABASE", f"sqlite+aiosqlite:///{tmp_path}/none.db")
    code, said = joulebus(*words)
    assert (code, "is empty; run: joulebus migrate" in said) == (1, True), said
    assert list(tmp_path.iterdir()) == []


def write(
    url: str, *rows: tuple[Any, dict[str, Any] | list[dict[str, Any]]], said: list[tuple[topics.Topic[Any], str, Any]]
) -> None:
    async def work() -> None:
        database = engine(url)
        heard: list[Heard[Any]] = [
            Heard(topic, {"site": "demo", "device": device}, one, "", b"", False, 1) for topic, device, one in said
        ]
        if heard:
            await Store(database, lambda words: pytest.fail(words) if words else None).keep(
                sort_out(heard, utc_now())[0]
            )
        async with database.begin() as connection:
            for statement, values in rows:
                await connection.execute(statement, values)
        await database.dispose()

    asyncio.run(work())


def samples(device: str = "pcs") -> list[tuple[topics.Topic[Any], str, Any]]:
    """Four hours of a sample each 10 s."""
    return [
        (
            topics.TELEMETRY,
            device,
            m.Telemetry(
                at=START + timedelta(seconds=10 * n, microseconds=n),
                epoch="00112233aabbccdd",
                seq=n + 1,
                values={"p": n / 3, "state": "running", "alarms": ["hot", "low"]},
            ),
        )
        for n in range(COUNT)
    ]


def test_an_export_holds_every_value_exactly(url: str, joulebus: Joulebus, tmp_path: Path) -> None:
    write(url, said=samples())
    out = tmp_path / "out.csv"
    code, said = joulebus("export", "--point", "pcs.p", "--point", "pcs.state", *SPAN, "--out", str(out))
    assert (code, said) == (0, f"{out}: {2 * COUNT} rows of 2 points at raw\n")
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    power = [row for row in rows if row["point"] == "p"]
    assert [float(row["value"]) for row in power] == [n / 3 for n in range(COUNT)]
    assert [datetime.fromisoformat(row["at"]) for row in power] == [
        START + timedelta(seconds=10 * n, microseconds=n) for n in range(COUNT)
    ]
    assert {row["value"] for row in rows if row["point"] == "state"} == {"running"}
    assert sorted(one.name for one in tmp_path.glob("out*")) == ["out.csv"]


def test_an_export_ends_before_its_end_and_speaks_the_sites_time(url: str, joulebus: Joulebus, tmp_path: Path) -> None:
    write(url, said=samples())
    out = tmp_path / "out.csv"
    span = ["--from", "2026-06-01T02:00:00", "--to", "2026-06-01T02:00:10"]  # Berlin: midnight in UTC
    assert joulebus("export", "--point", "pcs.alarms", *span, "--out", str(out))[0] == 0
    assert out.read_text().splitlines() == ["at,device,point,value", "2026-06-01T00:00:00Z,pcs,alarms,hot low"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--point", "pcs"], "is not DEVICE.POINT"),
        (["--point", "psc.p"], "device 'psc'"),
        (["--from", "yesterday"], "--from: 'yesterday' is no time"),
        (["--point", "pcs.pp"], "--point: pcs has no point 'pp'; did you mean p"),
        (["--point", "bms.zzz"], "--point: bms has no point 'zzz'; there is: "),
        (["--to", "2026-05-01"], "must lie before --to"),
        (["--out", "x.xlsx"], "end the name with .csv or .parquet"),
        (["--out", "/no/such/folder/x.csv"], "cannot be written"),
    ],
)
@pytest.mark.usefixtures("url")
def test_what_cannot_be_exported_is_said_in_words(
    joulebus: Joulebus, tmp_path: Path, change: list[str], says: str
) -> None:
    good = ["--point", "pcs.p", *SPAN, "--out", str(tmp_path / "out.csv")]
    code, said = joulebus("export", *good, *change)
    assert code == (1 if says == "cannot be written" else 2)
    assert says in said
    assert not list(tmp_path.glob("out*"))


def test_a_parquet_file_has_types_moments_in_utc_and_exact_values(
    joulebus: Joulebus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa  # noqa: PLC0415  # 0.5 s that only this needs
    from pyarrow import parquet  # noqa: PLC0415

    url = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    monkeypatch.setenv("JOULEBUS_DATABASE", url)
    migrate(url)
    write(url, said=samples())
    out = tmp_path / "out.parquet"
    places = [word for point in ("p", "state", "alarms") for word in ("--point", f"pcs.{point}")]
    code, said = joulebus("export", *places, *SPAN, "--out", str(out))
    assert (code, said) == (0, f"{out}: {3 * COUNT} rows of 3 points at raw\n")
    table = parquet.read_table(out)
    text = pa.string()
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        "at": pa.timestamp("us", tz="UTC"), "device": text, "point": text, "value": pa.float64(), "state": text
    }  # fmt: skip
    rows = table.to_pylist()
    power, state, alarms = (rows[n * COUNT : (n + 1) * COUNT] for n in range(3))
    assert [row["value"] for row in power] == [n / 3 for n in range(COUNT)]
    for some in (power, state, alarms):
        assert [row["at"] for row in some] == [START + timedelta(seconds=10 * n, microseconds=n) for n in range(COUNT)]
    assert {(row["device"], row["point"], row["state"]) for row in power} == {("pcs", "p", None)}
    assert {(row["point"], row["value"], row["state"]) for row in state} == {("state", None, "running")}
    assert {row["state"] for row in alarms} == {"hot low"}
    assert sorted(one.name for one in tmp_path.glob("out*")) == ["out.parquet"]
    numbers = dict.fromkeys(("low", "mean", "high", "last", "twa", "seconds", "plus", "minus"), 1 / 3)
    row: dict[str, Any] = {"device": "pcs", "point": "p", "at": START, "samples": 90} | numbers
    write(url, (insert(tables.rollup_15m), row | {"site": "demo"}), said=[])
    given = {"out_wh": 25.0, "in_wh": 5.0, "source": "power"}
    quarter = {"site": "demo", "device": "pcs", "point": "p", "at": START, "seconds": 180.0} | given
    write(url, (insert(tables.energy), quarter), said=[])
    row = {name: value for name, value in row.items() if name not in ("plus", "minus")} | given
    assert joulebus("export", "--point", "pcs.p", *SPAN, "--resolution", "15m", "--out", str(out))[0] == 0
    table = parquet.read_table(out)
    assert table.to_pylist() == [row]
    kinds = {name: table.schema.field(name).type for name in row}
    assert kinds["samples"] == pa.int64()
    assert {kinds[name] for name in row if row[name].__class__ is float} == {pa.float64()}


def test_an_export_has_energies_of_powers_and_of_nothing_else(joulebus: Joulebus, url: str, tmp_path: Path) -> None:
    numbers: dict[str, Any] = dict.fromkeys(("low", "mean", "high", "last", "twa"), 50.0)
    numbers |= {"site": "demo", "samples": 3, "seconds": 180.0, "plus": 2.5, "minus": 0.0}
    seen = [numbers | {"device": name, "point": point, "at": START} for name, point in (("pcs", "p"), ("bms", "soc"))]
    given: dict[str, Any] = {
        "site": "demo",
        "device": "pcs",
        "point": "p",
        "in_wh": 0.0,
        "source": "counter",
        "seconds": 180.0,
    }
    quarters = [given | {"at": START + n * timedelta(minutes=15), "out_wh": 10.0} for n in range(7)]
    quarters[3]["source"] = "share"
    write(url, (insert(tables.rollup_15m), seen), (insert(tables.energy), quarters), said=[])

    def exported(resolution: str) -> list[tuple[str, ...]]:
        out = tmp_path / "out.csv"
        asked = ["--point", "pcs.p", "--point", "bms.soc", *SPAN, "--resolution", resolution, "--out", str(out)]
        assert joulebus("export", *asked)[0] == 0
        with out.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert not {"plus", "minus"} & rows[0].keys()
        return [(row["point"], row["samples"], row["out_wh"], row["source"]) for row in rows]

    assert exported("15m") == [
        ("p", "3", "10.0", "counter"),
        *((("p", "0", "10.0", source)) for source in ("counter", "counter", "share", *["counter"] * 3)),
        ("soc", "3", "", ""),
    ]
    assert exported("1h") == [("p", "0", "40.0", "share")]  # of the second hour one quarter is not known


def test_without_pyarrow_parquet_says_what_to_install(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    migrate(url)
    script = "import sys; sys.modules['pyarrow'] = None; from joulebus.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["export", "--site", str(DEMO), "--point", "pcs.p", *SPAN, "--out", str(tmp_path / "x.parquet")]
    env = os.environ | {"JOULEBUS_DATABASE": url}
    done = subprocess.run([sys.executable, "-c", script, *words], env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert 'pip install "pyarrow>=21"' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_time_without_an_offset_is_the_sites_also_in_the_night_of_the_change() -> None:
    zone = load_site(DEMO).zone
    assert moment("2026-10-25", zone, "--from") == datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert moment("2026-10-26", zone, "--to") - moment("2026-10-25", zone, "--from") == timedelta(hours=25)
    with pytest.raises(Trouble, match="--to"):
        moment("24:00", zone, "--to")


def test_of_a_device_that_is_new_no_share_is_known(url: str, joulebus: Joulebus) -> None:
    """Nothing was counted yet, and 100.000 % was said of it."""
    now = utc_now()
    one = m.Telemetry(at=now - timedelta(seconds=5), epoch="00112233aabbccdd", seq=1, values={"p": 1.0})
    write(url, said=[(topics.TELEMETRY, "pcs", one)])
    assert joulebus("gaps") == (0, "pcs              no whole hour yet\n")
    assert json.loads(joulebus("gaps", "--json")[1])["completeness"] == {"pcs": None}


def test_the_question_of_another_site_is_no_answer(url: str, joulebus: Joulebus, tmp_path: Path) -> None:
    """Beside the demo's site.toml lies the archive of an own site, and --site is forgotten: "nothing is stored yet"."""
    one = {"site": "farm", "device": "pcs", "at": START, "state": "online", "body": "{}"}
    write(url, (insert(tables.device_status), one), said=[])
    export = ["export", "--point", "pcs.p", *SPAN, "--out", str(tmp_path / "x.csv")]
    for words in (["gaps"], ["journal", "verify"], ["money"], ["explain"], ["battery"], ["advice"], export):
        code, said = joulebus(*words)
        assert code == 1, words
        assert "has nothing of demo, but of farm: --site FILE says which is meant" in said, words
    assert not [*tmp_path.glob("x.csv*")]


def test_gaps_are_listed_with_their_cause(url: str, joulebus: Joulebus) -> None:
    assert joulebus("gaps") == (0, "nothing is stored yet\n")
    hour = utc_now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    gap = {"site": "demo", "device": "pcs", "at": hour, "expected": 7200, "cause": "offline", "closed": None}
    write(url, (insert(tables.gap), gap | {"stored": 1800}), said=samples())
    code, said = joulebus("gaps", "--days", "1")
    assert code == 1
    assert f"{hour.astimezone(load_site(DEMO).zone):%Y-%m-%d %H:%M}  pcs" in said
    assert "1800 of   7200  offline            open" in said
    assert "96.875% complete" in said
    write(url, (insert(tables.gap), gap | {"at": hour + timedelta(hours=1), "stored": 0}), said=[])
    assert "1800 of  14400  offline            open, 2 h" in joulebus("gaps", "--days", "1")[1]
    write(url, (update(tables.gap).values(closed=utc_now(), stored=7200), {}), said=[])
    code, said = joulebus("gaps", "--days", "1", "--json")
    told = json.loads(said)
    assert (code, told["completeness"], told["gaps"][0]["stored"]) == (0, {"pcs": 1.0}, 7200)


def test_a_journal_that_was_changed_is_found(url: str, joulebus: Joulebus) -> None:
    now = utc_now()
    commands = [
        m.Command(
            id=f"c{n}", at=now, until=now + timedelta(seconds=9), source="dispatch", authority=m.Authority.PLAN,
            values={"p_set": float(n)}, reason="test",
        )
        for n in range(5)
    ]  # fmt: skip
    assert joulebus("journal", "verify") == (0, "the journal of demo is empty: no command is written down yet\n")
    write(url, said=[(topics.COMMAND, "pcs", one) for one in commands])
    code, said = joulebus("journal", "verify")
    assert code == 0
    assert "the journal of demo is whole: 5 links" in said
    head = said.split("head ")[1].split()[0]
    assert joulebus("journal", "verify", "--head", head)[0] == 0
    assert "has 5 links, and 6 when its head" in joulebus("journal", "verify", "--head", head.replace("5:", "6:", 1))[1]
    assert "is no head; write what" in joulebus("journal", "verify", "--head", head[2:])[1]
    write(url, (text("UPDATE command SET source = 'nobody' WHERE id = 'c3'"), {}), said=[])
    code, said = joulebus("journal", "verify")
    assert code == 1
    assert "was changed" in said
    assert "c3" in said


def test_the_archives_status(url: str, joulebus: Joulebus) -> None:
    code, said = joulebus("archive", "status")
    assert code == 0
    assert "nothing of demo is stored yet" in said
    write(url, said=samples())
    code, said = joulebus("archive", "status", "--json")
    told = json.loads(said)
    assert code == 0
    (raw,) = [one for one in told["tables"] if one["table"] == "telemetry"]
    assert raw["rows"] == COUNT
    assert raw["bytes"] >= 16_384, "a page at least; a busy server writes the rest of them later"
    assert datetime.fromisoformat(raw["oldest"]) == START
    assert told["values"] == 3 * COUNT
    assert told["bytes_per_value"] == pytest.approx(raw["bytes"] / told["values"])
    newest = START + timedelta(seconds=10 * (COUNT - 1))
    assert told["lag_s"] == pytest.approx((utc_now() - newest).total_seconds(), abs=5)
    code, said = joulebus("archive", "status")
    assert "telemetry" in said
    assert "bytes each" in said


@pytest.mark.parametrize(
    "command",
    [["gaps"], ["journal", "verify"], ["archive", "status"], ["export", "--point", "pcs.p", *SPAN, "--out", "x.csv"]],
)
def test_a_database_without_tables_says_what_to_run(
    command: list[str], joulebus: Joulebus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOULEBUS_DATABASE", f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    code, said = joulebus(*command)
    assert code == 1
    assert "run: joulebus migrate" in said
