"""A disk that is full when the bridge starts, here a tmpfs of a namespace of our own: samples wait in memory until
there is room, and then lie in the file."""

import json
from pathlib import Path

from tests.small_disk import told_on

STORY = """
import json, sys
from pathlib import Path
from bridges.telemetry.outbox import Outbox
from tests.bridges.telemetry.samples import sample

disk, said = Path(sys.argv[1]), []

def fill():
    with (disk / "fill").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096): pass
        except OSError:
            pass

def tell(spool, kept):
    said.append([kept, spool.file.on_disk, len(spool), bool(spool.trouble)])

def again(count):
    spool = Outbox(disk / "outbox.db")
    tell(spool, spool.keep([sample(spool) for _ in range(count)]))
    (disk / "fill").unlink()
    spool.mend(); spool.mend(); spool.mend()
    tell(spool, spool.keep([sample(spool)]))
    spool.close()

fill()
again(5)     # there is no outbox yet
fill()
again(7)     # there is one, and it cannot even be read: its log needs a page
spool = Outbox(disk / "outbox.db")
tell(spool, True)
assert len({row.key for row in spool.backlog(1e9, 1000)}) == 14
print(json.dumps(said))
"""


def test_samples_wait_in_memory_until_there_is_room(tmp_path: Path) -> None:
    assert json.loads(told_on("3M", tmp_path, STORY)) == [
        [True, False, 5, True],
        [True, True, 6, False],
        [True, False, 7, True],
        [True, True, 14, False],
        [True, True, 14, False],
    ]
