"""What a reference means: a point or a word of the rule's device or of another, or a value of the site."""

from consumers.alarms.expression.scope import OWN, SITE, SITE_PLACE, Found, Scope
from consumers.alarms.expression.tree import Ref, printed
from consumers.alarms.expression.units import is_unit
from consumers.alarms.expression.wrong import Wrong, guess
from schemas.units import Kind


def find(ref: Ref, scope: Scope) -> Found:
    """Raises Wrong for what is not there."""
    device = _whose(ref, scope)
    names = scope.names(device)
    if ref.name in names:
        return names[ref.name]
    who = "the site" if device == SITE_PLACE else device.removeprefix(OWN)
    if not ref.device and is_unit(ref.name):
        raise Wrong(
            ref.column, f"{ref.name} is a unit: it stands behind a number, and a slash in it without blanks: 5 K/min"
        )
    if "-" in ref.name:
        first, _, second = ref.name.partition("-")
        raise Wrong(ref.column, f"{who} has no {ref.name!r}; a minus needs blanks: {first} - {second}")
    raise Wrong(ref.column, f"{who} has no {ref.name!r}; {guess(ref.name, names)}")


def of_kind(ref: Ref, scope: Scope) -> list[Ref] | None:
    """The same point of all devices of a kind; None where no kind is named. Raises Wrong where none has it."""
    if ref.device not in list(Kind):
        return None
    of = [name for name, profile in scope.devices.items() if profile.kind == ref.device]
    if not of:
        raise Wrong(ref.column, f"the site has no device of kind {ref.device}")
    having = [name for name in of if ref.name in scope.names(name)]
    if not having:
        known = dict.fromkeys(point for name in of for point in scope.names(name))
        raise Wrong(ref.column, f"no device of kind {ref.device} has {ref.name!r}; {guess(ref.name, known)}")
    return [Ref(ref.name, name, ref.column) for name in having]


def _whose(ref: Ref, scope: Scope) -> str:
    """The first part of the place."""
    if not ref.device:
        if scope.is_service or scope.own in scope.devices:
            return scope.place
        raise Wrong(ref.column, f"whose {ref.name}? Write the device before it, such as meter.{ref.name}")
    if ref.device in scope.devices:
        return ref.device
    if ref.device == SITE:
        return SITE_PLACE
    if ref.device in list(Kind):
        words = f"{ref.device} is a kind: name a device, or take all of them: highest({printed(ref)})"
        raise Wrong(ref.column, words)
    raise Wrong(ref.column, f"the site has no device {ref.device!r}; {guess(ref.device, [*scope.devices, SITE])}")
