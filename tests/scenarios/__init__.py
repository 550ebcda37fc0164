"""Whole sites in closed loop, told in virtual time: what is promised of them stands in tables that a run writes."""
