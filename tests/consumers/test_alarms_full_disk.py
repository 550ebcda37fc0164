"""A disk that is full, and one that is read-only, here a tmpfs of a namespace of our own: what stood there is read,
what changes is kept in memory and said to be, and lies in the file once it can."""

from pathlib import Path

from tests.small_disk import told_on

STORY = """
import subprocess, sys
from pathlib import Path
from consumers.alarms.record import Record
from tests.consumers.test_alarms_record import alarm, read

disk, known = Path(sys.argv[1]), {}
path = disk / "alarms.db"

def change(record, state, *names):
    for name in names:
        known[name] = alarm(state, len(known))
    return record.write([(name, known[name]) for name in names])

def fill():
    with (disk / "fill").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096): pass
        except OSError:
            pass

def mount(how):
    subprocess.run(["mount", "-o", "remount," + how, str(disk)], check=True)

many = [f"a{number}" for number in range(200)]
record = Record(path)
record.open()
assert not change(record, "latched", "first", "second")

fill()  # while it is used
assert "full" in change(record, "shelved", *many)
assert "full" in change(record, "acknowledged", "first")
(disk / "fill").unlink()
assert not record.upkeep()
record.close()

fill()  # at a start
record = Record(path)
found, trouble = record.open()
assert (found, trouble) == (known, "")
assert change(record, "acknowledged", *many)
(disk / "fill").unlink()
assert not change(record, "shelved", "third")
log = path.with_name("alarms.db-wal").read_bytes()
whole = path.read_bytes()
record.close()

path.write_bytes(whole)  # killed, and the machine started anew with a disk that wants to be checked
path.with_name("alarms.db-wal").write_bytes(log)
mount("ro")
record = Record(path)
found, trouble = record.open()
assert (found, trouble) == (known, ""), trouble
assert "in memory only" in change(record, "latched", *many)
assert "in memory only" in record.upkeep()
mount("rw")
assert not record.upkeep()
record.close()
assert read(path) == known
"""


def test_on_a_disk_that_takes_nothing_alarms_go_on(tmp_path: Path) -> None:
    told_on("1M", tmp_path, STORY)
