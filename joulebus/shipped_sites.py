"""Site files that come with joulebus: `--site large` is one of them, `--site .` the site.toml of a folder."""

from pathlib import Path

SITES = Path(__file__).parent / "sites"


def site_file(given: str) -> Path:
    """The file that is named, or site.toml in the folder that is. A bare word with no file of its own is one of those
    that are shipped."""
    path, shipped = Path(given), SITES / f"{given}.toml"
    if (inside := path / "site.toml").is_file():
        return inside
    return shipped if path.name == given and not path.suffix and not path.exists() and shipped.is_file() else path
