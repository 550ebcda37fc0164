"""Judges the alarm rules of a site. The map of its files: docs/concepts.md, "Inside the alarms"."""
