"""Spans of time as a person says them. Pure."""


def about(seconds: float) -> str:
    """In the one unit that fits: `2.5 s`, `47 s`, `4 min`, `3 h`, `12 d`."""
    if seconds < 10:
        return f"{round(seconds, 1):g} s"
    for unit, length, least in (("d", 86_400, 172_800), ("h", 3600, 7200), ("min", 60, 120)):
        if seconds >= least:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
