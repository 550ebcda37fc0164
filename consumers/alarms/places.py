"""What the alarms need to know of a site beside its rules. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from consumers.alarms.expression.scope import Scope
from consumers.alarms.first_out import groups
from schemas.site import Site


@dataclass(frozen=True)
class Places:
    """Without a site there are only the parts of joulebus."""

    scope: Scope = field(default_factory=lambda: Scope({}))
    """What an expression can name."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """The battery of a device: its alarms explain each other."""

    @classmethod
    def of(cls, site: Site) -> Self:
        return cls(Scope.of_site(site), groups(site.battery))
