"""A difference in words: `6.14 EUR less`. Pure."""


def more(value: float, unit: str, digits: int = 2) -> str:
    """How much more or less it is, without a sign to read."""
    return f"{abs(value):.{digits}f} {unit} {'less' if round(value, digits) < 0 else 'more'}"
