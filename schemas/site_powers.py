"""How much power can go through a device of a site, by what the site file says. Pure."""

from schemas.site import Site


def rated_through(site: Site, name: str) -> float | None:
    """W that can go through a device, by the ratings in the site file; None where it has none."""
    device = site.named(name)
    if device.rated_power is not None:
        return device.rated_apparent_power or device.rated_power
    if name in site.grid.meters:
        return max(site.grid.import_limit, site.grid.export_limit)
    mine = site.battery_of(name)
    return None if mine is None else site.rated(mine)


def through_the_site(site: Site) -> float:
    """W that can go through a device of which nobody knows more: what the grid gives and takes, and what is rated."""
    rated = sum(device.rated_power or 0.0 for device in site.device)
    return site.grid.import_limit + site.grid.export_limit + rated
