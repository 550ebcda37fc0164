"""Site files that come with joulebus: `--site large` stands for one of them."""

from pathlib import Path

SITES = Path(__file__).parent / "sites"


def site_file(given: str) -> Path:
    """The file that is named. A bare word with no file of its own is one of those that are shipped."""
    path, shipped = Path(given), SITES / f"{given}.toml"
    return shipped if path.name == given and not path.suffix and not path.exists() and shipped.is_file() else path
