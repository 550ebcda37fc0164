"""What a PV inverter may give while nobody steers it: what is declared safe for the site. Pure.

Its profile's fallback is all of it. Where the site may feed in less than its PV can give, that would go on for ever,
once dispatch is gone.
"""

from dataclasses import dataclass

from bridges.control.grid_limit import LIMIT
from bridges.control.site_limits import SiteLimits
from schemas.site import Site


@dataclass
class FeedInSafe:
    """Of all inverters of the site."""

    site: Site
    limits: SiteLimits

    def __post_init__(self) -> None:
        self._limited = {one.name for one in self.site.pv_limited}

    def safe(self, device: str) -> dict[str, float]:
        """% by point; nothing for what need not be limited, or cannot be."""
        if device not in self._limited:
            return {}
        share = self.site.pv_safe(self.limits.export_limit, self.limits.pv_limit)
        return {LIMIT: share} if share < 100.0 else {}
