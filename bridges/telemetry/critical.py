"""The points without which nobody can guard, by kind of device. Pure."""

from collections.abc import Collection, Mapping

from schemas.messages import Value
from schemas.units import Kind, Quality

CRITICAL: Mapping[Kind, tuple[str, ...]] = {
    Kind.BMS: ("soc", "u", "ccl", "dcl"),
    Kind.PCS: ("p",),
    Kind.METER: ("p",),
    Kind.PV: (),
    Kind.LOAD: (),
    Kind.SENSOR: (),
}
"""What the limits of a battery are made of. A meter's is critical where it is the grid's."""


def lacking(
    kind: Kind, values: Mapping[str, Value], quality: Mapping[str, Quality], more: Collection[str] = ()
) -> dict[str, str]:
    """The critical points of a reading that cannot be used, each with why: `absent` or its quality. `more`: those of
    a hybrid, whose PCS tells what its cells allow."""
    return {
        point: quality[point].value if point in quality else "absent"
        for point in dict.fromkeys((*CRITICAL[kind], *more))
        if point in quality or not isinstance(values.get(point), float)
    }
