"""Flexible loads: when each of them runs, so that the whole site costs least."""
